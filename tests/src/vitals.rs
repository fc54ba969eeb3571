//! What a process costs, as the kernel tells: memory, processor, open files, threads; and zombies.

use std::path::Path;
use std::time::Duration;

/// A process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// Resident memory, in bytes.
    pub rss: u64,
    /// For how long it has had a processor, in steps of 10 ms.
    pub processor: Duration,
    /// Open files and sockets.
    pub files: usize,
    /// Threads.
    pub threads: usize,
}

impl Vitals {
    /// Of a living process.
    ///
    /// # Panics
    /// When it is gone.
    #[track_caller]
    pub fn of(pid: u32) -> Self {
        Self::read(pid).unwrap_or_else(|| panic!("process {pid} is gone"))
    }

    fn read(pid: u32) -> Option<Self> {
        let folder = format!("/proc/{pid}");
        let count = |what: &str| {
            std::fs::read_dir(format!("{folder}/{what}"))
                .map(Iterator::count)
                .ok()
        };
        let status = std::fs::read_to_string(format!("{folder}/status")).ok()?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = rss.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let fields = fields(&format!("{folder}/stat"))?;
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Self {
            rss: kib * 1024,
            processor: Duration::from_millis(10 * ticks),
            files: count("fd")?,
            threads: count("task")?,
        })
    }
}

/// How many of a process's children have ended and been waited for by nobody.
pub fn zombies_of(parent: u32) -> usize {
    let is_zombie = |fields: &Vec<String>| fields[0] == "Z" && fields[1] == parent.to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return 0;
    };
    let stats = processes
        .flatten()
        .filter_map(|entry| fields(entry.path().join("stat")));
    stats.filter(|fields| fields.len() > 1).filter(is_zombie).count()
}

/// What stands behind the name in a `stat` file: state, parent, …
fn fields(stat: impl AsRef<Path>) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(stat).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Bytes as megabytes of 2^20.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_threads_and_no_zombies() {
        let this = Vitals::of(std::process::id());
        assert!(
            this.rss > 100_000 && this.files > 2 && this.threads > 0,
            "{this:?}"
        );
        assert_eq!(zombies_of(std::process::id()), 0);
    }
}
