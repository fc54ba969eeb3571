//! `version`: what a report of a fault should say.

use serde_json::json;

use super::{Format, print_json};
use crate::console::print_line;

/// The version of Lampyris.
pub(super) const LAMPYRIS: &str = env!("CARGO_PKG_VERSION");

/// Prints the versions; gives the exit code.
pub(super) fn run(format: Format) -> u8 {
    let (system, kernel) = (std::env::consts::OS, kernel());
    if format == Format::Json {
        return print_json(&json!({
            "lampyris": LAMPYRIS,
            "rust": env!("CARGO_PKG_RUST_VERSION"),
            "architecture": std::env::consts::ARCH,
            "system": system,
            "kernel": kernel,
        }));
    }
    print_line(&format!(
        "lampyris {LAMPYRIS}, {}, {system} {kernel}",
        std::env::consts::ARCH
    ));
    0
}

/// The version of the kernel, as far as it can be known.
pub(super) fn kernel() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    if text.trim().is_empty() {
        "unknown".to_owned()
    } else {
        text.trim().to_owned()
    }
}
