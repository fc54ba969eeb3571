//! A plot: how one figure goes with another, as SVG. The axis below doubles from mark to mark. Pure.

use std::fmt::{self, Write};

/// Size of the picture and of what stands around the curve, in units of the picture.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;

/// Lines across the picture.
const LINES: u32 = 5;

const INK: &str = "#343a40";
const PALE: &str = "#dee2e6";
const CURVE: &str = "#2b8a3e";

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// The name of its file, without the ending.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// What goes from left to right.
    pub across: &'static str,
    /// What goes from below to above, with its unit.
    pub up: &'static str,
    /// The points, from left to right. Those across are above 0.
    pub points: Vec<(f64, f64)>,
}

impl Plot {
    /// The picture.
    pub fn svg(&self) -> String {
        let mut out = String::new();
        // Writing to a text cannot fail.
        self.draw(&mut out).unwrap_or_default();
        out
    }

    fn draw(&self, out: &mut String) -> fmt::Result {
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12" fill="{INK}">"#
        )?;
        writeln!(out, r##"<rect width="100%" height="100%" fill="#ffffff"/>"##)?;
        let title = &self.title;
        writeln!(
            out,
            r#"<text x="{LEFT}" y="22" font-size="14" font-weight="bold">{title}</text>"#
        )?;
        let most = nice(self.points.iter().map(|point| point.1).fold(0.0, f64::max));
        for line in 0..=LINES {
            let value = most * f64::from(line) / f64::from(LINES);
            let (y, end) = (up(value, most), WIDTH - RIGHT);
            writeln!(out, r#"<path d="M{LEFT} {y:.1}H{end}" stroke="{PALE}"/>"#)?;
            let (x, y, value) = (LEFT - 8.0, y + 4.0, short(value));
            writeln!(
                out,
                r#"<text x="{x}" y="{y:.1}" text-anchor="end">{value}</text>"#
            )?;
        }
        let places: Vec<(f64, f64)> = self
            .points
            .iter()
            .map(|point| (self.across(point.0), up(point.1, most)))
            .collect();
        for ((x, y), (value, _)) in places.iter().zip(&self.points) {
            let (below, value) = (HEIGHT - BOTTOM + 18.0, short(*value));
            writeln!(
                out,
                r#"<text x="{x:.1}" y="{below}" text-anchor="middle">{value}</text>"#
            )?;
            writeln!(out, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{CURVE}"/>"#)?;
        }
        let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let line = line.join(" ");
        writeln!(
            out,
            r#"<polyline points="{line}" fill="none" stroke="{CURVE}" stroke-width="2"/>"#
        )?;
        let (middle, foot) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10.0);
        writeln!(
            out,
            r#"<text x="{middle}" y="{foot}" text-anchor="middle">{}</text>"#,
            self.across
        )?;
        let half = (TOP + HEIGHT - BOTTOM) / 2.0;
        writeln!(
            out,
            r#"<text x="16" y="{half}" text-anchor="middle" transform="rotate(-90 16 {half})">{}</text>"#,
            self.up
        )?;
        writeln!(out, "</svg>")
    }

    /// Where a value stands from left to right: each doubling takes the same room.
    fn across(&self, value: f64) -> f64 {
        let ends = [self.points.first(), self.points.last()].map(|end| end.map_or(1.0, |end| end.0.log2()));
        let part = (value.log2() - ends[0]) / (ends[1] - ends[0]).max(f64::MIN_POSITIVE);
        LEFT + 16.0 + part * (WIDTH - LEFT - RIGHT - 32.0)
    }
}

fn up(value: f64, most: f64) -> f64 {
    HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM)
}

/// The next of 1, 2, 2.5, 5 and their tenfolds that is not less.
fn nice(value: f64) -> f64 {
    let tens = 10_f64.powf(value.max(f64::MIN_POSITIVE).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * tens);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

/// As few digits as say enough.
fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value < 10.0 && value.fract() != 0.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_doubling_takes_the_same_room_and_heights_begin_at_zero() {
        let plot = Plot {
            name: "example",
            title: "An example".to_owned(),
            across: "clients",
            up: "µs",
            points: vec![(1.0, 5.0), (2.0, 10.0), (4.0, 0.0)],
        };
        let svg = plot.svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(
            svg.contains(r#"<polyline points="86.0,154.0 383.0,40.0 680.0,268.0""#),
            "{svg}"
        );
    }

    #[test]
    fn the_highest_line_is_a_round_number() {
        assert_eq!(
            [0.7, 1.0, 2.1, 13.0, 26.0, 99.0].map(nice),
            [1.0, 1.0, 2.5, 20.0, 50.0, 100.0]
        );
    }
}
