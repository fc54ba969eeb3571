//! What a master leaves for its successor: which processes are its nodes, in `state.json` in the run folder.
//!
//! A process is known by its number and the kernel's start time of it, so that a later process of the same number
//! is never taken for a node; and by the run of the machine, as after a reboot both begin anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lampyris_runtime::files::{self, Outlives};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::Role;
use lampyris_runtime::supervisor::usage;
use serde::{Deserialize, Serialize};

/// One living node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) name: NodeName,
    pub(super) pid: u32,
    /// In the kernel's ticks since the machine's start.
    pub(super) start_time: u64,
    /// How often the node had been started again.
    pub(super) restarts: u64,
    /// What it is there for beside the process that is the node; `None` for that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<Role>,
}

/// The nodes that live although no master does: name and process.
pub(crate) fn left_behind(run_dir: &Path) -> Vec<(NodeName, u32)> {
    let known = State::new(run_dir).read().into_iter();
    let lives = |known: &Known| usage::start_time(known.pid) == Some(known.start_time);
    known.filter(lives).map(|known| (known.name, known.pid)).collect()
}

/// Which of the processes that were found are the nodes, first, and which are to leave (`true`): those that were
/// replaced, and successors of nodes that live. A successor whose node has died is the node.
pub(super) fn sort_out(found: Vec<Known>) -> Vec<(Known, bool)> {
    let lives = |name: &NodeName| {
        found
            .iter()
            .any(|known| known.name == *name && known.beside.is_none())
    };
    let leaves = |known: &Known| match known.beside {
        None => false,
        Some(Role::Successor) => lives(&known.name),
        Some(Role::Leaving) => true,
    };
    let mut sorted: Vec<_> = found.iter().map(|known| (known.clone(), leaves(known))).collect();
    sorted.sort_by_key(|(_, leaves)| *leaves);
    sorted
}

/// What the file says.
#[derive(Serialize, Deserialize)]
struct Written {
    /// Which run of the machine: numbers and start times begin anew with each.
    boot: String,
    nodes: Vec<Known>,
}

/// The file.
pub(super) struct State {
    path: PathBuf,
    boot: String,
    written: Option<Vec<Known>>,
}

impl State {
    pub(super) fn new(run_dir: &Path) -> Self {
        Self {
            path: run_dir.join("state.json"),
            boot: boot(),
            written: None,
        }
    }

    /// What a former master has left. A file that cannot be understood is as good as none.
    pub(super) fn read(&self) -> Vec<Known> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the former master's state cannot be read");
                return Vec::new();
            }
        };
        match serde_json::from_slice::<Written>(&text) {
            Ok(written) if written.boot == self.boot => written.nodes,
            Ok(_) => Vec::new(),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the former master's state makes no sense");
                Vec::new()
            }
        }
    }

    /// Writes what lives now, if it has changed. With the machine the nodes end too, so nothing waits for the disk.
    pub(super) fn write(&mut self, living: Vec<Known>) {
        if self.written.as_ref() == Some(&living) {
            return;
        }
        let state = Written {
            boot: self.boot.clone(),
            nodes: living.clone(),
        };
        let written = serde_json::to_vec_pretty(&state)
            .map_err(io::Error::other)
            .and_then(|text| files::replace(&self.path, 0o600, &text, Outlives::Process));
        match written {
            Ok(()) => self.written = Some(living),
            Err(error) => {
                tracing::error!(path = %self.path.display(), %error, "a new master would not find the nodes");
            }
        }
    }
}

/// The kernel's name for this run of the machine (random(4)); empty where there is none.
fn boot() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_reads_what_was_written_and_garbage_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = State::new(folder.path());
        assert_eq!(state.read(), []);
        let known = Known {
            name: NodeName::new("gate").unwrap(),
            pid: 7,
            start_time: 8,
            restarts: 9,
            beside: Some(Role::Leaving),
        };
        state.write(vec![known.clone()]);
        assert_eq!(State::new(folder.path()).read(), [known]);
        let mut after_a_reboot = State::new(folder.path());
        after_a_reboot.boot = "another".into();
        assert_eq!(after_a_reboot.read(), []);
        fs::write(folder.path().join("state.json"), "{").unwrap();
        assert_eq!(state.read(), []);
    }

    #[test]
    fn of_two_processes_of_a_node_the_one_that_leaves_is_known() {
        let known = |pid, beside| Known {
            name: NodeName::new("gate").unwrap(),
            pid,
            start_time: 8,
            restarts: 0,
            beside,
        };
        let sorted = |found: Vec<Known>| {
            let sorted = sort_out(found).into_iter();
            sorted
                .map(|(known, leaves)| (known.pid, leaves))
                .collect::<Vec<_>>()
        };
        let leaving = known(1, Some(Role::Leaving));
        let successor = known(2, Some(Role::Successor));
        assert_eq!(
            sorted(vec![leaving.clone(), known(3, None)]),
            [(3, false), (1, true)]
        );
        assert_eq!(
            sorted(vec![successor.clone(), known(3, None)]),
            [(3, false), (2, true)]
        );
        assert_eq!(sorted(vec![successor]), [(2, false)]);
        assert_eq!(sorted(vec![leaving]), [(1, true)]);
    }
}
