//! What stands in the tables of the pages. Pure.

use std::cmp::Ordering;

use super::fetch::Snapshot;
use super::state::Page;
use crate::cli::operate::events::sentence;
use crate::cli::operate::status;
use crate::cli::operate::table::Cell;
use crate::cli::operate::units::{bytes, rate, short_time, timestamp};
use crate::cli::operate::views::{Handler, Link, Node, Tone};
use crate::records::Event;

/// Rows below a heading.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Table {
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Only the rows that contain a text, sorted by a column: what has a size by it, the greatest first; then texts.
    pub(super) fn arranged(mut self, filter: &str, sort: Option<usize>, reverse: bool) -> Self {
        let fits = |row: &Vec<Cell>| row.iter().any(|cell| cell.text.contains(filter));
        self.rows.retain(|row| filter.is_empty() || fits(row));
        if let Some(column) = sort {
            let order = |left: &Cell, right: &Cell| match (left.size, right.size) {
                (Some(left), Some(right)) => right.total_cmp(&left),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => left.text.cmp(&right.text),
            };
            self.rows
                .sort_by(|left, right| match (left.get(column), right.get(column)) {
                    (Some(left), Some(right)) => order(left, right),
                    _ => Ordering::Equal,
                });
        }
        if reverse {
            self.rows.reverse();
        }
        self
    }
}

/// What a page shows.
pub(super) fn table_of(page: Page, snapshot: &Snapshot) -> Table {
    match page {
        Page::Overview => Table {
            head: vec![
                "NODE", "STATE", "CALLS/S", "ERR/S", "P99", "MAILBOX", "CLIENTS", "CPU", "MEM",
            ],
            rows: snapshot.nodes.iter().map(overview).collect(),
        },
        Page::Nodes => Table {
            head: vec![
                "NODE", "STATE", "PID", "UPTIME", "RESTARTS", "CLIENTS", "CALLS/S", "P99", "MEM", "REASON",
            ],
            rows: snapshot.nodes.iter().map(status::row).collect(),
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
        },
        Page::Handlers => Table {
            head: vec![
                "NODE", "HANDLER", "CMD", "CALLS/S", "CALLS", "ERRORS", "P50", "P99",
            ],
            rows: snapshot.handlers.iter().map(handler).collect(),
        },
        Page::Events => Table {
            head: vec!["TIME", "NODE", "WHAT"],
            rows: snapshot.events.iter().rev().map(event).collect(),
        },
    }
}

fn overview(node: &Node) -> Vec<Cell> {
    let last = node.last.clone().unwrap_or_default();
    vec![
        Cell::text(&node.name),
        node.standing(),
        Cell::measured(last.calls_per_second, rate),
        Cell::measured(last.errors_per_second, rate),
        Cell::measured(last.p99, short_time),
        Cell::count(node.mailbox),
        Cell::count(node.clients),
        Cell::measured(last.cpu, |cpu| format!("{:.0}%", cpu * 100.0)),
        Cell::whole(node.rss, bytes),
    ]
}

fn link(link: &Link) -> Vec<Cell> {
    let state = if link.up { "up" } else { "down" };
    vec![
        Cell::text(&link.node),
        Cell::text(&link.peer),
        Cell::state(state, Tone::of_state(state)),
        Cell::whole(link.rtt_us, |micros| short_time(micros as f64 / 1e6)),
        Cell::count(Some(link.calls)),
        Cell::whole(Some(link.queued), bytes),
        Cell::count(Some(link.held)),
        Cell::count(Some(link.epoch)),
        Cell::text(link.why_down.as_deref().unwrap_or_default()),
    ]
}

fn handler(handler: &Handler) -> Vec<Cell> {
    vec![
        Cell::text(&handler.node),
        Cell::text(&handler.name),
        Cell::count(handler.command.map(u64::from)),
        Cell::measured(handler.calls_per_second, rate),
        Cell::count(Some(handler.calls)),
        Cell::count(Some(handler.errors.values().sum())),
        Cell::measured(handler.p50, short_time),
        Cell::measured(handler.p99, short_time),
    ]
}

fn event(event: &Event) -> Vec<Cell> {
    let time = |at_ms| timestamp(at_ms).get(11..19).unwrap_or_default().to_owned();
    vec![
        Cell::whole(Some(event.at_ms), time),
        Cell::text(event.node.as_deref().unwrap_or("cluster")),
        Cell::text(sentence(event)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::operate::units::time;
    use crate::cli::operate::views::Last;

    #[test]
    fn rows_are_sorted_by_what_they_stand_for_and_filtered_by_any_column() {
        let row = |(name, p99): (&str, Option<f64>)| vec![Cell::text(name), Cell::measured(p99, short_time)];
        let rows = [
            ("a", Some(2e-3)),
            ("b", Some(1.5)),
            ("c", None),
            ("d", Some(9e-5)),
        ];
        let table = Table {
            head: vec!["NODE", "P99"],
            rows: rows.map(row).to_vec(),
        };
        let names = |table: Table| {
            table
                .rows
                .iter()
                .map(|row| row[0].text.clone())
                .collect::<String>()
        };
        assert_eq!(names(table.clone().arranged("", None, false)), "abcd");
        assert_eq!(names(table.clone().arranged("", Some(1), false)), "badc");
        assert_eq!(names(table.clone().arranged("", Some(1), true)), "cdab");
        assert_eq!(names(table.clone().arranged("", Some(0), false)), "abcd");
        assert_eq!(names(table.clone().arranged("ms", None, false)), "a");
        assert_eq!(names(table.arranged("", Some(9), false)), "abcd");
    }

    #[test]
    fn times_and_shares_are_sorted_however_they_are_written() {
        let row = |(name, up, cpu): (&str, f64, f64)| Node {
            name: name.to_owned(),
            uptime: Some(up),
            last: Some(Last {
                cpu: Some(cpu),
                ..Last::default()
            }),
            ..Node::default()
        };
        let nodes = [
            ("a", 59.0, 1.0),
            ("b", 90_000.0, 0.09),
            ("c", 200.0, 0.5),
            ("d", 7200.0, 0.2),
        ]
        .map(row);
        assert_eq!(
            nodes.each_ref().map(|node| time(node.uptime.unwrap())),
            ["59s", "1d01h", "3m20s", "2h00m"]
        );
        let snapshot = Snapshot {
            nodes: nodes.to_vec(),
            ..Snapshot::default()
        };
        let sorted = |page, title| {
            let table = table_of(page, &snapshot);
            let column = table.head.iter().position(|known| *known == title);
            let table = table.arranged("", column, false);
            table
                .rows
                .iter()
                .map(|row| row[0].text.clone())
                .collect::<String>()
        };
        assert_eq!(sorted(Page::Nodes, "UPTIME"), "bdca");
        assert_eq!(sorted(Page::Overview, "CPU"), "acdb");
    }
}
