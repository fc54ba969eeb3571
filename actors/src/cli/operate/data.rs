//! The database, journal and cache of nodes as a table. Pure.

use super::table::{self, Cell};
use super::units::{bytes, or_dash, time};
use super::views::{Data, Tone};
use crate::console::Paint;

/// A line for each node that has a database, below a heading; nothing if none has.
pub(super) fn lines(all: &[(String, Data)], paint: impl Fn(&str, Paint) -> String) -> Vec<String> {
    let head = [
        "NODE", "DATABASE", "BACKLOG", "OLDEST", "FAILED", "JOURNAL", "ENTITIES", "CACHE", "HITS", "",
    ];
    if all.is_empty() {
        return Vec::new();
    }
    let rows: Vec<Vec<Cell>> = all.iter().map(|(node, data)| row(node, data)).collect();
    table::lines(&head, &rows, |tone, text| paint(text, tone.paint()))
}

fn row(node: &str, data: &Data) -> Vec<Cell> {
    let oldest = Some(data.backlog_age).filter(|_| data.backlog > 0);
    let looks = data
        .cache
        .as_ref()
        .map(|cache| (cache.hits, cache.hits + cache.misses));
    let hits = looks.filter(|(_, all)| *all > 0);
    vec![
        Cell::text(node),
        is_up(Some(data.database_up).filter(|_| data.is_current)),
        Cell::count(Some(data.backlog)),
        Cell::measured(oldest, time),
        Cell::count(Some(data.write_failures + data.journal_failures)),
        Cell::whole(Some(data.journal_bytes), bytes),
        Cell::count(Some(data.entities)),
        is_up(
            data.cache
                .as_ref()
                .map(|cache| cache.up)
                .filter(|_| data.is_current),
        ),
        Cell::text(or_dash(hits, |(hits, all)| format!("{}%", hits * 100 / all))),
        Cell::text(remark(data)),
    ]
}

fn is_up(up: Option<bool>) -> Cell {
    match up {
        Some(true) => Cell::state("up", Tone::Good),
        Some(false) => Cell::state("down", Tone::Bad),
        None => Cell::text("-"),
    }
}

/// That it is old; why the database is down; else what has failed, or was taken away.
fn remark(data: &Data) -> String {
    if !data.is_current {
        return "the last that is known of it".to_owned();
    }
    if let Some(down) = &data.database_down {
        return format!("for {}: {}", time(down.since), down.why);
    }
    let failure = data
        .last_failure
        .as_ref()
        .map(|why| format!("last failure: {why}"));
    let fenced = Some(data.fenced).filter(|&count| count > 0);
    let fenced = fenced.map(|count| format!("{count} changes of lost entities dropped"));
    let parts: Vec<String> = failure.into_iter().chain(fenced).collect();
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::views::{Cache, Outage};
    use super::*;

    fn shown(data: Data) -> String {
        let data = Data {
            is_current: true,
            ..data
        };
        as_it_is(data)
    }

    fn as_it_is(data: Data) -> String {
        let lines = lines(&[("game1".to_owned(), data)], |text, _| text.to_owned());
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        words.join(" ")
    }

    #[test]
    fn a_database_that_is_well_has_its_numbers() {
        let cache = Some(Cache {
            up: true,
            hits: 19,
            misses: 1,
        });
        let data = Data {
            database_up: true,
            backlog: 3,
            backlog_age: 1.5,
            journal_bytes: 4096,
            entities: 40,
            cache,
            ..Data::default()
        };
        assert_eq!(shown(data), "game1 up 3 1s 0 4K 40 up 95%");
        let fresh = Data {
            database_up: true,
            backlog_age: 9.0,
            ..Data::default()
        };
        assert_eq!(shown(fresh), "game1 up 0 - 0 0B 0 - -", "no cache, no backlog");
    }

    #[test]
    fn of_a_node_that_is_down_there_are_the_last_numbers_and_no_state() {
        let data = Data {
            database_up: true,
            backlog: 3,
            backlog_age: 1.5,
            ..Data::default()
        };
        assert_eq!(
            as_it_is(data),
            "game1 - 3 1s 0 0B 0 - - the last that is known of it"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_cause() {
        let down = Data {
            database_down: Some(Outage {
                since: 200.0,
                why: "refused".to_owned(),
            }),
            write_failures: 2,
            journal_failures: 1,
            ..Data::default()
        };
        assert_eq!(shown(down), "game1 down 0 - 3 0B 0 - - for 3m20s: refused");
        let fenced = Data {
            database_up: true,
            last_failure: Some("no such table".to_owned()),
            fenced: 4,
            ..Data::default()
        };
        let remark = "last failure: no such table; 4 changes of lost entities dropped";
        assert_eq!(shown(fenced), format!("game1 up 0 - 0 0B 0 - - {remark}"));
        assert!(lines(&[], |text, _| text.to_owned()).is_empty());
    }
}
