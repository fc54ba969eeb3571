//! What the operating system allows: open files, waiting connections, ports of outgoing connections, room, the time.
//!
//! Each judgement is a pure function of what was read.

use std::fs;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use lampyris_runtime::config::Config;
use lampyris_runtime::supervisor::limits;

use super::Remark;
use crate::cli::local::deep;

/// Connections that a listening socket asks to have waiting.
const BACKLOG: u64 = 4096;

/// Files that a node has open beside its clients: links, logs, journal, database.
const BESIDE_CLIENTS: u64 = 128;

/// Less room than this is soon filled by logs and journals, in bytes.
const LITTLE_ROOM: u64 = 1 << 30;

/// A clock may be that far behind the making of the program, as time zones of build machines go.
const TOLERANCE: Duration = Duration::from_secs(24 * 3600);

/// All but the clock.
pub(super) fn examine(config: &Config) -> Vec<Remark> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let clients = config
        .nodes
        .iter()
        .filter(|node| node.netport.is_some() && node.start);
    let clients = clients
        .map(|node| node.clients.max_clients as u64)
        .max()
        .unwrap_or(0);
    let ports: Vec<u16> = deep::ports_here(config)
        .into_iter()
        .map(|(_, _, port)| port)
        .collect();
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let reserved = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default();
    let remarks = [
        limits::open_files().map(|limit| open_files(limit, clients)),
        number("/proc/sys/net/core/somaxconn").map(waiting),
        parse_range(&range).map(|range| outgoing(&range, &parse_ranges(&reserved), &ports)),
        room(config),
    ];
    remarks.into_iter().flatten().collect()
}

fn open_files(limit: u64, clients: u64) -> Remark {
    let wanted = clients + BESIDE_CLIENTS;
    let found = format!("{limit} for each process; a node with {clients} clients wants {wanted}");
    if limit >= wanted {
        return Remark::ok("open files", found);
    }
    let fix = format!("ulimit -Hn {wanted}, or LimitNOFILE={wanted} of systemd; or a smaller max_clients");
    Remark::hint("open files", found, fix)
}

fn waiting(somaxconn: u64) -> Remark {
    let found =
        format!("net.core.somaxconn = {somaxconn}, of {BACKLOG} connections that may wait for a node");
    match somaxconn >= BACKLOG {
        true => Remark::ok("connections", found),
        false => Remark::hint(
            "connections",
            found,
            format!("sysctl -w net.core.somaxconn={BACKLOG}"),
        ),
    }
}

/// Ports that the kernel may give to an outgoing connection while their node is down.
fn outgoing(range: &RangeInclusive<u16>, reserved: &[RangeInclusive<u16>], ports: &[u16]) -> Remark {
    let is_safe = |port: &u16| !range.contains(port) || reserved.iter().any(|range| range.contains(port));
    let exposed: Vec<String> = ports
        .iter()
        .filter(|port| !is_safe(port))
        .map(u16::to_string)
        .collect();
    let span = format!("{} to {}", range.start(), range.end());
    if exposed.is_empty() {
        return Remark::ok(
            "port range",
            format!("outgoing connections have {span}, and no port of the cluster"),
        );
    }
    let exposed = exposed.join(",");
    let found = format!("outgoing connections have {span}, and so may take {exposed}");
    Remark::hint(
        "port range",
        found,
        format!("sysctl -w net.ipv4.ip_local_reserved_ports={exposed}"),
    )
}

fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

/// `8080,9000-9010`.
fn parse_ranges(text: &str) -> Vec<RangeInclusive<u16>> {
    let one = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.parse().ok()?..=to.parse().ok()?)
    };
    text.trim().split(',').filter_map(one).collect()
}

/// Room for logs and journals where the run folder is, or will be.
fn room(config: &Config) -> Option<Remark> {
    let there = config.run_dir.ancestors().find(|folder| folder.exists())?;
    let disk = nix::sys::statvfs::statvfs(there).ok()?;
    let free = disk.blocks_available() * disk.fragment_size();
    let found = format!("{} MiB free at {}", free >> 20, there.display());
    Some(match free >= LITTLE_ROOM {
        true => Remark::ok("room", found),
        false => Remark::hint(
            "room",
            found,
            "make room, or another run_dir; log.max_size and log.max_files bound the logs",
        ),
    })
}

/// Certificates, tokens and the times in the logs need a clock that is about right.
pub(super) fn clock() -> Remark {
    let made = std::env::current_exe()
        .and_then(fs::metadata)
        .and_then(|meta| meta.modified());
    judged_clock(SystemTime::now(), made.unwrap_or(SystemTime::UNIX_EPOCH))
}

fn judged_clock(now: SystemTime, program_made: SystemTime) -> Remark {
    match program_made.duration_since(now) {
        Ok(behind) if behind > TOLERANCE => {
            let found = format!("{} h behind the making of this program", behind.as_secs() / 3600);
            Remark::bad("clock", found, "set the clock: timedatectl set-ntp true")
        }
        _ => Remark::ok("clock", "later than the making of this program"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn few_files_and_short_queues_are_told_with_their_cure() {
        assert_eq!(open_files(20_000, 10_000).grade, Grade::Ok);
        let few = open_files(1024, 10_000);
        assert_eq!(few.grade, Grade::Hint);
        assert!(few.fix.unwrap().contains("LimitNOFILE=10128"));
        assert_eq!(waiting(4096).grade, Grade::Ok);
        assert_eq!(waiting(128).fix.unwrap(), "sysctl -w net.core.somaxconn=4096");
    }

    #[test]
    fn ports_that_outgoing_connections_may_take_are_told_unless_they_are_reserved() {
        let range = parse_range("32768\t60999\n").unwrap();
        assert_eq!(outgoing(&range, &[], &[9999, 10_000]).grade, Grade::Ok);
        let exposed = outgoing(&range, &[], &[9999, 40_000, 40_001]);
        assert_eq!(
            exposed.fix.unwrap(),
            "sysctl -w net.ipv4.ip_local_reserved_ports=40000,40001"
        );
        let reserved = parse_ranges("8080,40000-40010\n");
        assert_eq!(reserved, [8080..=8080, 40_000..=40_010]);
        assert_eq!(outgoing(&range, &reserved, &[40_000, 40_001]).grade, Grade::Ok);
        assert!(parse_range("x").is_none() && parse_ranges("").is_empty());
    }

    #[test]
    fn a_clock_before_the_program_was_made_is_wrong() {
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert_eq!(judged_clock(made + Duration::from_secs(5), made).grade, Grade::Ok);
        assert_eq!(judged_clock(made - TOLERANCE / 2, made).grade, Grade::Ok);
        assert_eq!(judged_clock(SystemTime::UNIX_EPOCH, made).grade, Grade::Bad);
    }
}
