//! The series of a node's database, journal and cache.

use super::text::Text;
use crate::report::{CacheReport, DataReport};

pub(super) fn add(text: &mut Text, node: &str, data: &DataReport) {
    let up = u64::from(data.database_up);
    let gauges = [
        ("database_up", up),
        ("database_connections", data.connections),
        ("database_connections_idle", data.connections_idle),
        ("entities", data.entities),
        ("backlog_entities", data.backlog),
        ("journal_bytes", data.journal_bytes),
    ];
    let counters = [
        ("journal_changes_total", data.journaled),
        ("journal_syncs_total", data.journal_syncs),
        ("journal_failures_total", data.journal_failures),
        ("database_written_total", data.written),
        ("database_write_failures_total", data.write_failures),
        ("entities_fenced_total", data.fenced),
        ("entities_loaded_total", data.loads),
        ("entities_evicted_total", data.evicted),
    ];
    add_all(text, node, &gauges, &counters);
    text.add(
        "backlog_age_seconds",
        "gauge",
        &[("node", node)],
        data.backlog_age,
    );
    if let Some(CacheReport { up, hits, misses }) = &data.cache {
        let counters = [("cache_hits_total", *hits), ("cache_misses_total", *misses)];
        add_all(text, node, &[("cache_up", u64::from(*up))], &counters);
    }
}

fn add_all(text: &mut Text, node: &str, gauges: &[(&'static str, u64)], counters: &[(&'static str, u64)]) {
    for (kind, numbers) in [("gauge", gauges), ("counter", counters)] {
        for (metric, number) in numbers {
            text.add(metric, kind, &[("node", node)], *number as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use lampyris_store::Snapshot;

    use super::*;

    fn text(snapshot: Snapshot) -> String {
        let mut text = Text::default();
        add(&mut text, "game1", &snapshot.into());
        text.finish()
    }

    #[test]
    fn each_number_of_a_store_has_its_series() {
        let snapshot = Snapshot {
            database_up: true,
            connections: (8, 5),
            entities: 40,
            backlog: 3,
            backlog_age: std::time::Duration::from_millis(1500),
            journal_bytes: 4096,
            journaled: 11,
            journal_syncs: 12,
            journal_failures: 13,
            written: 14,
            write_failures: 15,
            fenced: 16,
            loads: 17,
            evicted: 18,
            cache_hits: 19,
            cache_misses: 20,
            cache_up: Some(true),
            ..Snapshot::default()
        };
        let text = text(snapshot);
        for (metric, value) in [
            ("database_up", "1"),
            ("database_connections", "8"),
            ("database_connections_idle", "5"),
            ("entities", "40"),
            ("backlog_entities", "3"),
            ("backlog_age_seconds", "1.5"),
            ("journal_bytes", "4096"),
            ("journal_changes_total", "11"),
            ("journal_syncs_total", "12"),
            ("journal_failures_total", "13"),
            ("database_written_total", "14"),
            ("database_write_failures_total", "15"),
            ("entities_fenced_total", "16"),
            ("entities_loaded_total", "17"),
            ("entities_evicted_total", "18"),
            ("cache_up", "1"),
            ("cache_hits_total", "19"),
            ("cache_misses_total", "20"),
        ] {
            let line = format!("\nlampyris_{metric}{{node=\"game1\"}} {value}\n");
            assert!(text.contains(&line), "{line} in {text}");
        }
    }

    #[test]
    fn a_node_without_a_cache_has_no_series_of_one() {
        let text = text(Snapshot::default());
        assert!(
            text.contains("lampyris_database_up{node=\"game1\"} 0\n"),
            "{text}"
        );
        assert!(!text.contains("cache"), "{text}");
    }
}
