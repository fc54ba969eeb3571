//! What the documents, the dashboard and the alerts say of metrics is what a scrape has.

use std::collections::BTreeSet;

use cluster_tests::Cluster;
use cluster_tests::wait::until;

/// The names of metrics in a text, without the endings of a histogram's parts.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let ends = ["_bucket", "_sum", "_count"];
    text.split(|c| !is_part(c))
        .filter(|word| word.starts_with("lampyris_"))
        .map(|word| {
            ends.iter()
                .find_map(|end| word.strip_suffix(end))
                .unwrap_or(word)
                .to_owned()
        })
        .collect()
}

/// A scrape of a cluster in which everything has happened that makes a series.
fn scrape() -> String {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    cluster.until_answered(300, "x", "game1Handle completed");
    // An error of a handler: game1 is away for longer than calls wait.
    admin.act("nodes/game1/actions/stop");
    admin.until_state("game1", "stopped");
    cluster.ask(300, "x").expect("an answer");
    until("a scrape with every series", || {
        let text = admin.request("GET", "/metrics").body;
        let whole = [
            "call_errors_total{node=\"net\"",
            "link_rtt_seconds{node=\"gate\"",
            "net_connections{",
        ];
        whole.iter().all(|part| text.contains(part)).then_some(text)
    })
}

fn document(path: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).expect("the document")
}

#[test]
fn the_table_the_dashboard_and_the_alerts_name_what_there_is() {
    let text = scrape();
    let there = names(&text);
    let table: String = document("docs/metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `lampyris_"))
        .map(|line| line.split('|').nth(1).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names(&table), there, "docs/metrics.md");
    let dashboard = document("docs/monitoring/grafana.json");
    serde_json::from_str::<serde_json::Value>(&dashboard).expect("JSON");
    for file in [dashboard, document("docs/monitoring/alerts.yml")] {
        let named = names(&file);
        assert!(named.len() > 5, "{named:?}");
        assert_eq!(
            named.difference(&there).collect::<Vec<_>>(),
            Vec::<&String>::new()
        );
    }
}

#[test]
fn a_scrape_is_what_prometheus_reads() {
    let text = scrape();
    let mut metric = String::new();
    let (mut metrics, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').expect("a kind");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(metrics.insert(name.to_owned()), "declared twice: {name}");
            metric = name.to_owned();
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(series.starts_with(&metric), "{line} stands under {metric}");
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        assert!(seen.insert(series.to_owned()), "told twice: {series}");
    }
    assert!(text.ends_with('\n'));
}
