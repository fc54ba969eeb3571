//! The cgroups that this process is in, as folders of the kernel's file system for them.
//!
//! Must not know what is asked of them.

use std::fs;
use std::path::{Path, PathBuf};

/// Where cgroups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// The cgroup of this process that a controller of interest may be set in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The folder below which all groups of its kind are.
    root: PathBuf,
    folder: PathBuf,
    /// Version 2, where one group has all controllers; in version 1 files have other names.
    pub(super) unified: bool,
}

impl Group {
    /// A file of the group.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file of the group, and of each group around it.
    pub(super) fn files(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let around = self.folder.ancestors();
        around
            .take_while(|folder| folder.starts_with(&self.root))
            .map(move |folder| folder.join(name))
    }
}

/// The groups of this process with a controller, `memory` or `cpu`; none where the kernel does not tell.
pub(super) fn own(controller: &str) -> Vec<Group> {
    let lines = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups(Path::new(ROOT), &lines, controller)
}

/// The groups in the lines of /proc/self/cgroup: `0::/PATH` in version 2, `N:cpu,cpuacct:/PATH` in version 1.
pub(super) fn groups(root: &Path, lines: &str, controller: &str) -> Vec<Group> {
    let group = |line: &str| {
        let (_, group) = line.split_once(':')?;
        let (controllers, path) = group.split_once(':')?;
        let unified = controllers.is_empty();
        if !unified && !controllers.split(',').any(|one| one == controller) {
            return None;
        }
        let root = if unified {
            root.to_owned()
        } else {
            root.join(controller)
        };
        let folder = root.join(path.trim_start_matches('/'));
        Some(Group {
            root,
            folder,
            unified,
        })
    };
    lines.lines().filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_cgroups_are_understood() {
        let lines = "12:cpu,cpuacct:/a\n4:memory:/game/one\n0::/system.slice/game\nnonsense\n";
        let groups = |controller| groups(Path::new("/sys/fs/cgroup"), lines, controller);
        let files = |controller, name| {
            groups(controller)
                .iter()
                .map(|group| group.file(name))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            files("memory", "x"),
            [
                "/sys/fs/cgroup/memory/game/one/x",
                "/sys/fs/cgroup/system.slice/game/x"
            ]
            .map(PathBuf::from)
        );
        assert_eq!(
            files("cpu", "x"),
            ["/sys/fs/cgroup/cpu/a/x", "/sys/fs/cgroup/system.slice/game/x"].map(PathBuf::from)
        );
        assert!(!groups("cpu")[0].unified && groups("cpu")[1].unified);
        let around: Vec<_> = groups("memory")[0].files("x").collect();
        let wanted = ["memory/game/one/x", "memory/game/x", "memory/x"];
        assert_eq!(around, wanted.map(|file| Path::new("/sys/fs/cgroup").join(file)));
    }
}
