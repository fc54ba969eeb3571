//! Whether the kernel kills for want of memory: the counter `oom_kill` of the memory cgroup that the master, and
//! with it every node that it starts, is in.
//!
//! The counter says that somebody was killed, not who. Must not know nodes.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cgroup;

/// The counter, and how much of it has been told.
#[derive(Debug, Default)]
pub struct OomKills {
    /// The file with a line `oom_kill N`; none where the kernel does not count.
    file: Option<PathBuf>,
    told: AtomicU64,
}

impl OomKills {
    /// The counter of this process's cgroup. What was killed before does not count.
    pub fn here() -> Self {
        let groups = cgroup::own("memory").into_iter();
        Self::of(
            groups
                .map(|group| {
                    group.file(if group.unified {
                        "memory.events"
                    } else {
                        "memory.oom_control"
                    })
                })
                .collect(),
        )
    }

    fn of(files: Vec<PathBuf>) -> Self {
        let counted = files.into_iter().find_map(|file| Some((count(&file)?, file)));
        counted.map_or_else(Self::default, |(told, file)| Self {
            file: Some(file),
            told: AtomicU64::new(told),
        })
    }

    /// How many processes of the cgroup have been killed since this was last asked.
    pub fn take(&self) -> u64 {
        let Some(now) = self.file.as_ref().and_then(count) else {
            return 0;
        };
        now.saturating_sub(self.told.swap(now, Ordering::Relaxed))
    }
}

fn count(file: &PathBuf) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kill_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        let write = |count: u64| {
            fs::write(
                &file,
                format!("low 0\noom 9\noom_kill {count}\noom_group_kill 0\n"),
            )
        };
        write(3).unwrap();
        let kills = OomKills::of(vec![folder.path().join("nothing"), file.clone()]);
        assert_eq!(kills.take(), 0);
        write(5).unwrap();
        assert_eq!((kills.take(), kills.take()), (2, 0));
        fs::remove_file(&file).unwrap();
        assert_eq!(kills.take(), 0);
        assert_eq!(OomKills::of(Vec::new()).take(), 0);
    }
}
