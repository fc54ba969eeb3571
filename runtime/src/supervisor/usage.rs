//! What the operating system knows of a process: its memory, its processor time, when it began, and its children.
//!
//! Must not know whose process it is. Where there is no /proc, nothing is known.

use std::fs::{self, File};
use std::io::Read;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The kernel counts processor time for programs in hundredths of a second, on every architecture in use.
const TICK: Duration = Duration::from_millis(10);

/// Room for all that the kernel says of a process in one file, so that it is read at once.
const LINES: usize = 4096;

/// What a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Memory that is in use and not swapped out, in bytes.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u64,
}

/// What the process holds; `None` if it is gone or not known.
pub fn held(pid: u32) -> Option<Held> {
    held_of(&read(&format!("/proc/{pid}/status"))?)
}

/// The memory of the process that is in use and not swapped out, in bytes; `None` if it is gone or not known.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    held(pid).map(|held| held.resident_bytes)
}

/// When the process began, in the kernel's ticks since the machine's start; `None` if it is gone or not known.
///
/// With it a process is told from a later one of the same number.
pub fn start_time(pid: u32) -> Option<u64> {
    start_of(&read(&format!("/proc/{pid}/stat"))?)
}

/// How long the process has had a processor, for itself and in the system, in steps of 10 ms; `None` if it is gone
/// or not known.
pub fn processor_time(pid: u32) -> Option<Duration> {
    processor_time_of(&read(&format!("/proc/{pid}/stat"))?)
}

/// Of this process, which needs no /proc for it: how long it has had a processor, as [`processor_time`] but exact; `None` if the system does not count it.
pub fn own_processor_time() -> Option<Duration> {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .ok()
        .map(Duration::from)
}

/// How many files and sockets the process has open; `None` if it is gone or not known.
pub fn open_files(pid: u32) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    // Newer kernels say the number as the folder's size, which saves looking at each.
    match fs::metadata(&folder).ok()?.len() {
        0 => u64::try_from(fs::read_dir(&folder).ok()?.count()).ok(),
        count => Some(count),
    }
}

/// The processes that this one has started or adopted, and that are still there.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|child| {
            let stat = fs::read_to_string(format!("/proc/{child}/stat"));
            stat.is_ok_and(|stat| parent_of(&stat) == Some(pid))
        })
        .collect()
}

fn read(file: &str) -> Option<String> {
    let mut text = String::with_capacity(LINES);
    File::open(file).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

fn held_of(status: &str) -> Option<Held> {
    let line = |name| status.lines().find_map(|line| line.strip_prefix(name));
    let kib: u64 = line("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Held {
        resident_bytes: kib.checked_mul(1024)?,
        threads: line("Threads:")?.trim().parse().ok()?,
    })
}

fn start_of(stat: &str) -> Option<u64> {
    field(stat, 22)
}

fn processor_time_of(stat: &str) -> Option<Duration> {
    let ticks = field(stat, 14)?.checked_add(field(stat, 15)?)?;
    TICK.checked_mul(u32::try_from(ticks).ok()?)
}

fn parent_of(stat: &str) -> Option<u32> {
    field(stat, 4).and_then(|pid| u32::try_from(pid).ok())
}

/// A field by its number, from 3; the second, the program's name in brackets, may itself hold blanks and brackets.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name
        .split_ascii_whitespace()
        .nth(number.checked_sub(3)?)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_the_name_of_the_program() {
        let stat = "42 (a ) b) S 7 42 42 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 1 0 987654 2 3";
        assert_eq!(start_of(stat), Some(987_654));
        assert_eq!(processor_time_of(stat), Some(Duration::from_millis(1750)));
        assert_eq!(parent_of(stat), Some(7));
        assert_eq!(start_of("42 (a"), None);
        let held = Held {
            resident_bytes: 2_097_152,
            threads: 5,
        };
        assert_eq!(
            held_of("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t5\n"),
            Some(held)
        );
        assert_eq!(held_of("Name:\tzombie\nThreads:\t1\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory_and_a_beginning() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).is_some_and(|bytes| bytes > 100_000));
        assert!(open_files(pid).is_some_and(|count| count >= 3));
        assert!(held(pid).is_some_and(|held| held.threads >= 1));
        assert!(own_processor_time() > Some(Duration::ZERO));
        assert!(start_time(pid) > start_time(1));
        assert_eq!(start_time(u32::MAX), None);
    }
}
