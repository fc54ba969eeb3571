//! What the operating system knows of a process: memory, descriptors, threads, processor time, and whether it is dead
//! and nobody has taken its end.

use std::fs;
use std::time::Duration;

/// The kernel counts processor time for programs in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// How much of everything a process has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Resident memory in bytes.
    pub rss: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

impl Vitals {
    /// Of a process; `None` if it is gone.
    pub fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Some(Self {
            rss: number("VmRSS:")? * 1024,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
            threads: usize::try_from(number("Threads:")?).ok()?,
        })
    }

    /// Resident memory in MiB.
    pub fn mib(&self) -> f64 {
        mib(self.rss)
    }
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// How long a process has had a processor; `None` if it is gone.
pub fn processor_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = field(&stat, 14)?.parse::<u32>().ok()? + field(&stat, 15)?.parse::<u32>().ok()?;
    Some(TICK * ticks)
}

/// How many files a process has open, connections among them.
pub fn open_files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// The dead children of these processes whose end nobody has taken.
pub fn zombies_of(parents: &[u32]) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent = field(&stat, 4).and_then(|parent| parent.parse().ok());
            field(&stat, 3) == Some("Z") && parent.is_some_and(|parent| parents.contains(&parent))
        })
        .collect()
}

/// Whether a process is there and not dead.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    field(&stat, 3).is_some_and(|state| state != "Z")
}

/// Whether a process is stopped by a signal.
pub fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    field(&stat, 3) == Some("T")
}

/// A field by its number, from 3; the second, a name in brackets, may itself hold blanks and brackets.
fn field(stat: &str, number: usize) -> Option<&str> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(number.checked_sub(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_has_what_a_process_has() {
        let pid = std::process::id();
        let vitals = Vitals::of(pid).expect("this process");
        assert!(
            vitals.rss > 100_000 && vitals.descriptors > 2 && vitals.threads > 1,
            "{vitals:?}"
        );
        assert!(is_alive(pid) && !is_stopped(pid) && processor_time(pid).is_some());
        assert!(!is_alive(u32::MAX) && Vitals::of(u32::MAX).is_none());
        assert_eq!(field("42 (a ) b) S 7", 4), Some("7"));
    }
}
