//! Prometheus' text format: lines with labels, each metric's in a row. It must not know what is measured.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Lines gathered by metric, as the format wants each metric's in a row.
#[derive(Default)]
pub(super) struct Text(BTreeMap<&'static str, (&'static str, String)>);

impl Text {
    pub(super) fn add(
        &mut self,
        metric: &'static str,
        kind: &'static str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        self.add_to(metric, kind, "", labels, value);
    }

    pub(super) fn add_to(
        &mut self,
        metric: &'static str,
        kind: &'static str,
        suffix: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let (_, lines) = self.0.entry(metric).or_insert_with(|| (kind, String::new()));
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        writeln!(lines, "lampyris_{metric}{suffix}{labels} {value}")
            .expect("because a string takes everything");
    }

    pub(super) fn finish(self) -> String {
        let metric = |(metric, (kind, lines)): (&str, (&str, String))| {
            format!("# TYPE lampyris_{metric} {kind}\n{lines}")
        };
        self.0.into_iter().map(metric).collect()
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_metric_stand_together_and_values_are_escaped() {
        let mut text = Text::default();
        text.add("b", "gauge", &[("x", "a\"b\\c\nd")], 1.5);
        text.add("a", "counter", &[], 2.0);
        text.add("b", "gauge", &[], 3.0);
        let wanted = "# TYPE lampyris_a counter\nlampyris_a 2\n# TYPE lampyris_b gauge\n\
                      lampyris_b{x=\"a\\\"b\\\\c\\nd\"} 1.5\nlampyris_b 3\n";
        assert_eq!(text.finish(), wanted);
    }
}
