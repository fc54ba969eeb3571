//! What the operating system knows of a process: how much memory it has, and when it began.
//!
//! Must not know whose process it is. Where there is no /proc, nothing is known.

use std::fs;

/// The memory of the process that is in use and not swapped out, in bytes; `None` if it is gone or not known.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    resident_of(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// When the process began, in the kernel's ticks since the machine's start; `None` if it is gone or not known.
///
/// With it a process is told from a later one of the same number.
pub fn start_time(pid: u32) -> Option<u64> {
    start_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Field 22; the second, the program's name in brackets, may itself hold blanks and brackets.
fn start_of(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_name_of_the_program() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 2 3";
        assert_eq!(start_of(stat), Some(987_654));
        assert_eq!(start_of("42 (a"), None);
        assert_eq!(resident_of("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(resident_of("Name:\tzombie\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_a_beginning() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).is_some_and(|bytes| bytes > 100_000));
        assert!(start_time(pid) > start_time(1));
        assert_eq!(start_time(u32::MAX), None);
    }
}
