//! What stands in the tables of the pages. Pure.

use std::cmp::Ordering;

use super::fetch::Snapshot;
use super::state::Page;
use crate::cli::operate::events::sentence;
use crate::cli::operate::status;
use crate::cli::operate::units::{bytes, or_dash, rate, short_time, timestamp};
use crate::cli::operate::views::{Handler, Link};

/// Rows below a heading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// The column whose text is a state.
    pub(super) state: Option<usize>,
}

impl Table {
    /// Only the rows that contain a text, sorted by a column: numbers by their size, with
    /// their units, the greatest first; then texts.
    pub(super) fn arranged(mut self, filter: &str, sort: Option<usize>, reverse: bool) -> Self {
        let fits = |row: &Vec<String>| row.iter().any(|cell| cell.contains(filter));
        self.rows.retain(|row| filter.is_empty() || fits(row));
        if let Some(column) = sort {
            let key = |row: &Vec<String>| row.get(column).cloned().unwrap_or_default();
            self.rows.sort_by(|left, right| {
                let (left, right) = (key(left), key(right));
                match (size(&left), size(&right)) {
                    (Some(left), Some(right)) => right.total_cmp(&left),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => left.cmp(&right),
                }
            });
        }
        if reverse {
            self.rows.reverse();
        }
        self
    }
}

/// The size of a number with its unit; of a text that is none, nothing.
fn size(cell: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 9] = [
        ("", 1.0),
        ("us", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("B", 1.0),
        ("K", 1024.0),
        ("M", 1048576.0),
        ("G", 1073741824.0),
        ("k", 1e3),
    ];
    let end = cell
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(cell.len());
    let (number, unit) = cell.split_at(end);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some(number.parse::<f64>().ok()? * factor)
}

/// What a page shows.
pub(super) fn table_of(page: Page, snapshot: &Snapshot) -> Table {
    match page {
        Page::Overview => Table {
            head: vec![
                "NODE", "STATE", "CALLS/S", "ERR/S", "P99", "MAILBOX", "CLIENTS", "CPU", "MEM",
            ],
            rows: snapshot.nodes.iter().map(overview).collect(),
            state: Some(1),
        },
        Page::Nodes => Table {
            head: vec![
                "NODE", "STATE", "PID", "UPTIME", "RESTARTS", "CLIENTS", "CALLS/S", "P99", "MEM", "REASON",
            ],
            rows: snapshot.nodes.iter().map(status::row).collect(),
            state: Some(1),
        },
        Page::Links => Table {
            head: vec![
                "NODE", "PEER", "STATE", "RTT", "CALLS", "QUEUED", "HELD", "MADE", "WHY DOWN",
            ],
            rows: snapshot
                .links
                .iter()
                .filter(|link| link.relation != "child")
                .map(link)
                .collect(),
            state: Some(2),
        },
        Page::Handlers => Table {
            head: vec![
                "NODE", "HANDLER", "CMD", "CALLS/S", "CALLS", "RUNNING", "ERRORS", "P50", "P99",
            ],
            rows: snapshot.handlers.iter().map(handler).collect(),
            state: None,
        },
        Page::Events => Table {
            head: vec!["TIME", "NODE", "WHAT"],
            rows: snapshot.events.iter().rev().map(event).collect(),
            state: None,
        },
    }
}

fn overview(node: &crate::cli::operate::views::Node) -> Vec<String> {
    let last = node.last.clone().unwrap_or_default();
    vec![
        node.name.clone(),
        node.standing(),
        or_dash(last.calls_per_second, rate),
        or_dash(last.errors_per_second, rate),
        or_dash(last.p99, short_time),
        or_dash(node.mailbox, |depth| depth.to_string()),
        or_dash(node.clients, |clients| clients.to_string()),
        or_dash(last.cpu, |cpu| format!("{:.0}%", cpu * 100.0)),
        or_dash(node.rss, bytes),
    ]
}

fn link(link: &Link) -> Vec<String> {
    let state = if link.up { "up" } else { "down" };
    vec![
        link.node.clone(),
        link.peer.clone(),
        state.to_owned(),
        or_dash(link.rtt_us, |micros| short_time(micros as f64 / 1e6)),
        link.calls.to_string(),
        bytes(link.queued),
        link.held.to_string(),
        link.epoch.to_string(),
        link.why_down.clone().unwrap_or_default(),
    ]
}

fn handler(handler: &Handler) -> Vec<String> {
    vec![
        handler.node.clone(),
        handler.name.clone(),
        or_dash(handler.command, |command| command.to_string()),
        or_dash(handler.calls_per_second, rate),
        handler.calls.to_string(),
        handler.running.to_string(),
        handler.errors.values().sum::<u64>().to_string(),
        or_dash(handler.p50, short_time),
        or_dash(handler.p99, short_time),
    ]
}

fn event(event: &crate::records::Event) -> Vec<String> {
    let at = timestamp(event.at_ms);
    let time = at.get(11..19).unwrap_or_default().to_owned();
    vec![
        time,
        event.node.clone().unwrap_or_else(|| "cluster".to_owned()),
        sentence(event),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_size_and_filtered_by_any_column() {
        let table = Table {
            head: vec!["NODE", "P99"],
            rows: [["a", "2.0ms"], ["b", "1.50s"], ["c", "-"], ["d", "90us"]]
                .iter()
                .map(|row| row.iter().map(|&cell| cell.to_owned()).collect())
                .collect(),
            state: None,
        };
        let names = |table: Table| table.rows.iter().map(|row| row[0].clone()).collect::<String>();
        assert_eq!(names(table.clone().arranged("", None, false)), "abcd");
        assert_eq!(names(table.clone().arranged("", Some(1), false)), "badc");
        assert_eq!(names(table.clone().arranged("", Some(1), true)), "cdab");
        assert_eq!(names(table.clone().arranged("", Some(0), false)), "abcd");
        assert_eq!(names(table.clone().arranged("ms", None, false)), "a");
        assert_eq!(names(table.arranged("", Some(9), false)), "abcd");
    }
}
