//! Results as a picture: for each point of the closed loop a group of bars, one for each system. Pure.

use std::fmt::{self, Write};

use super::results::{PointResult, Results};

const WIDTH: usize = 760;
const MARGIN: usize = 20;
/// Where bars begin; the names stand before.
const LEFT: usize = 140;
const LONGEST: f64 = 480.0;
const BAR: usize = 18;
const TITLE: usize = 26;
const GAP: usize = 18;

/// Colours of the cluster and of what it is compared with.
const COLOURS: [&str; 3] = ["#2b8a3e", "#adb5bd", "#74a9d8"];

/// All results, in SVG.
pub(super) fn render(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    write(results, &mut out).unwrap_or_default();
    out
}

fn write(results: &Results, out: &mut String) -> fmt::Result {
    let points: Vec<&PointResult> = results.points.iter().filter(|point| !point.open).collect();
    let height: usize = points.iter().map(|point| height_of(point)).sum::<usize>() + 2 * MARGIN;
    writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13">"#
    )?;
    writeln!(out, r##"<rect width="100%" height="100%" fill="#ffffff"/>"##)?;
    let mut top = MARGIN;
    for point in points {
        write_point(point, top, out)?;
        top += height_of(point);
    }
    writeln!(out, "</svg>")
}

fn height_of(point: &PointResult) -> usize {
    TITLE + point.systems.len() * (BAR + 4) + GAP
}

fn write_point(point: &PointResult, top: usize, out: &mut String) -> fmt::Result {
    let title = &point.point;
    writeln!(
        out,
        r#"<text x="{MARGIN}" y="{}" font-weight="bold">{title}: answers a second</text>"#,
        top + 14
    )?;
    let rates = point.systems.iter().map(|system| system.median.rate);
    let best = rates.fold(1.0, f64::max);
    for (at, system) in point.systems.iter().enumerate() {
        let y = top + TITLE + at * (BAR + 4);
        let text = y + BAR - 5;
        let rate = system.median.rate;
        let width = rate / best * LONGEST;
        let colour = COLOURS[at % COLOURS.len()];
        let name = system.system;
        writeln!(out, r#"<text x="{MARGIN}" y="{text}">{name}</text>"#)?;
        writeln!(
            out,
            r#"<rect x="{LEFT}" y="{y}" width="{width:.1}" height="{BAR}" fill="{colour}"/>"#
        )?;
        writeln!(
            out,
            r#"<text x="{:.1}" y="{text}">{rate:.0}</text>"#,
            LEFT as f64 + width + 6.0
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    #[test]
    fn the_best_has_the_longest_bar_and_the_others_their_part_of_it() {
        let text = render(&sample());
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        assert_eq!(text.matches("<rect x=").count(), 3);
        for width in ["384.0", "480.0", "307.2"] {
            assert!(text.contains(&format!(r#"width="{width}""#)), "{width}\n{text}");
        }
    }

    #[test]
    fn the_open_loop_has_no_bars() {
        let mut results = sample();
        results.points[0].open = true;
        assert_eq!(render(&results).matches("<rect x=").count(), 0);
    }
}
