//! Results as text for a terminal. Pure.

use std::fmt::{self, Write};

use super::plan::System;
use super::results::{Memory, PointResult, Results, SystemResult};

/// All results.
pub(super) fn render(results: &Results) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    write(results, &mut out).unwrap_or_default();
    out
}

fn write(results: &Results, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "lampyris {}, {} processors{}{}; medians of {} rounds of {} s",
        results.version,
        results.processors,
        if results.spinners { ", kept awake" } else { "" },
        if results.debug_build {
            ", built WITHOUT OPTIMISATIONS"
        } else {
            ""
        },
        results.rounds,
        results.seconds,
    )?;
    for point in &results.points {
        write_point(point, out)?;
    }
    if !results.memory.is_empty() {
        write_memory(&results.memory, out)?;
    }
    match results.faults() {
        0 => writeln!(out, "\nEvery request had its answer."),
        faults => writeln!(out, "\n{faults} FAULTS: see the lines above."),
    }
}

fn write_point(point: &PointResult, out: &mut String) -> fmt::Result {
    let has = |system: System| point.systems.iter().any(|known| known.system == system.name());
    let (first, name) = if has(System::Beside) {
        (System::Beside, "/beside")
    } else if has(System::BareEcho) {
        (System::BareEcho, "/bare")
    } else {
        (System::BareChain, "/bare")
    };
    writeln!(
        out,
        "\n{}\n{:14}{:>10}{:>8}{:>8}{:>8}{:>10}{:>10}{:>10}{:>11}",
        point.point, "", "answers/s", "spread", name, "/hand", "p50", "p99", "p99.9", "CPU/answer"
    )?;
    for system in &point.systems {
        let median = &system.median;
        let ratio = |other| {
            let ratio = if point.open {
                None
            } else {
                point.ratio(system, other)
            };
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
        };
        writeln!(
            out,
            "{:14}{:>10.0}{:>7.0}%{:>8}{:>8}{:>10}{:>10}{:>10}{:>11}",
            system.system,
            median.rate,
            system.spread * 100.0,
            ratio(first),
            ratio(System::HandChain),
            micros(median.p50),
            micros(median.p99),
            micros(median.p999),
            median
                .cpu
                .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1} µs")),
        )?;
        write_faults(system, out)?;
    }
    Ok(())
}

fn write_faults(system: &SystemResult, out: &mut String) -> fmt::Result {
    let median = &system.median;
    if system.faults() > 0 {
        writeln!(
            out,
            "  FAULTS: {} error frames, {} wrong answers, {} lost; {}",
            median.errors,
            median.wrong,
            median.lost,
            median.broken.as_deref().unwrap_or("no connection broke"),
        )?;
        if let Some(said) = &median.first_error {
            writeln!(out, "  the first error frame: {said}")?;
        }
    }
    Ok(())
}

fn write_memory(memory: &[Memory], out: &mut String) -> fmt::Result {
    writeln!(out, "\n{:14}{:14}{:>10}{:>10}", "memory", "", "idle", "after")?;
    for process in memory {
        let mib = |bytes: Option<u64>| {
            bytes.map_or_else(
                || "-".to_owned(),
                |bytes| format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
            )
        };
        writeln!(
            out,
            "{:14}{:14}{:>10}{:>10}",
            process.system,
            process.process,
            mib(process.idle),
            mib(process.after)
        )?;
    }
    Ok(())
}

/// `350 µs`, `15.0 ms`.
fn micros(time: f64) -> String {
    if time < 10_000.0 {
        format!("{time:.0} µs")
    } else {
        format!("{:.1} ms", time / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    #[test]
    fn rates_ratios_times_and_memory_stand_in_the_table() {
        let text = render(&sample());
        for expected in [
            "command 300, 7 bytes, 16 x 1",
            "lampyris           40000     20%    0.80    1.25    350 µs   1200 µs   15.0 ms    23.5 µs",
            "gate             6.0 MiB         -",
            "Every request had its answer.",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn faults_cannot_be_overlooked() {
        let mut results = sample();
        results.points[0].systems[0].median.lost = 3;
        let text = render(&results);
        assert!(text.contains("3 lost"), "{text}");
        assert!(text.contains("3 FAULTS"), "{text}");
    }
}
