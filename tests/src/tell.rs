//! Lines that everybody sees, also from tests that pass: what was skipped, and what was measured.

use std::fmt::Display;
use std::io::Write;

/// Says that a test did not run, and why. CI counts these lines.
pub fn skipped(test: &str, why: &str) {
    line(format_args!("SKIPPED: {test}: {why}"));
}

/// Says what was measured.
pub fn measured(what: impl Display) {
    line(format_args!("MEASURED: {what}"));
}

/// Past the capture of the test runner, which hides what `println!` says in a test that passes.
fn line(text: std::fmt::Arguments<'_>) {
    // Who closes standard error does not want to know.
    writeln!(std::io::stderr(), "{text}").unwrap_or_default();
}
