//! What the configuration can ask of this machine: ports and open files.
//!
//! An argument of the checks, so that tests say themselves what machine they are on.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};

/// The bit of `CAP_NET_BIND_SERVICE` in the capabilities of a process.
const BIND_SERVICE: u64 = 1 << 10;

/// The first port that needs no right, where the system does not say.
const FIRST_FREE_PORT: u16 = 1024;

/// What this process may do on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// The lowest port that it may bind.
    pub lowest_port: u16,
    /// So many files and sockets it may have open.
    pub open_files: u64,
}

impl Machine {
    /// This process on this machine.
    pub fn this() -> Self {
        let lowest_port = if may_bind_all() { 1 } else { first_free_port() };
        let open_files = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        Self {
            lowest_port,
            open_files,
        }
    }
}

fn may_bind_all() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    match held.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) {
        Some(mask) => mask & BIND_SERVICE != 0,
        None => nix::unistd::geteuid().is_root(),
    }
}

fn first_free_port() -> u16 {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    text.trim().parse().unwrap_or(FIRST_FREE_PORT)
}
