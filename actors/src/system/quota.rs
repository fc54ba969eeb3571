//! Whether this process is given only a share of the processors: a limit of its cgroup, or of one around it.
//!
//! Sources: cgroup-v2.rst (`cpu.max`) and sched-bwc.rst (`cpu.cfs_quota_us`) of the kernel's documentation.

use std::fs;
use std::path::{Path, PathBuf};

/// Where cgroups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// Whether a limit is set. Where the kernel does not tell, there is none.
pub(super) fn is_set() -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    files(Path::new(ROOT), &groups).iter().any(limits)
}

/// Where a limit may be, for the lines of /proc/self/cgroup: `0::/PATH` in version 2, `N:cpu,cpuacct:/PATH` in
/// version 1; of the group itself and of all around it.
fn files(root: &Path, groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, name) = if controllers.is_empty() {
            (root.to_path_buf(), "cpu.max")
        } else if controllers.split(',').any(|one| one == "cpu") {
            (root.join("cpu"), "cpu.cfs_quota_us")
        } else {
            continue;
        };
        let own = root.join(path.trim_start_matches('/'));
        let around = own.ancestors().take_while(|folder| folder.starts_with(&root));
        files.extend(around.map(|folder| folder.join(name)));
    }
    files
}

/// `max 100000` and `-1` are no limit.
fn limits(file: &PathBuf) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let quota = text.split_whitespace().next();
    quota.is_some_and(|quota| quota.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_the_group_or_of_one_around_it_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let limited = |groups: &str| files(root, groups).iter().any(limits);
        fs::create_dir_all(root.join("game/one")).unwrap();
        fs::create_dir_all(root.join("cpu/old")).unwrap();
        fs::write(root.join("game/one/cpu.max"), "max 100000\n").unwrap();
        fs::write(root.join("cpu/old/cpu.cfs_quota_us"), "-1\n").unwrap();
        let (second, first) = ("0::/game/one\n", "4:memory:/x\n3:cpu,cpuacct:/old\nnonsense\n");
        assert!(!limited(second) && !limited(first) && !limited(""));
        fs::write(root.join("game/cpu.max"), "50000 100000\n").unwrap();
        fs::write(root.join("cpu/old/cpu.cfs_quota_us"), "50000\n").unwrap();
        assert!(limited(second) && limited(first));
    }
}
