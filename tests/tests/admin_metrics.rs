//! What the documents, the dashboard and the alerts say of metrics is what a scrape has; and what is counted is there.

use std::collections::BTreeSet;

use cluster_tests::Cluster;
use cluster_tests::process::End;
use cluster_tests::wait::until;
use serde_json::{Value, json};

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
    let mut cluster = Cluster::study();
    // A node that stays.
    cluster.set("servers.gate.db", true).set("servers.gate.mem", true);
    // And whose links are encrypted.
    let certs = cluster.folder().join("certs").to_string_lossy().into_owned();
    cluster.set("link.certs", certs);
    assert_eq!(cluster.run(&["certs", "init"]).end(), End::Code(0));
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
            "certificate_expiry_timestamp_seconds{node=\"gate\"",
            "database_up{node=\"gate\"} 1",
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
    serde_json::from_str::<Value>(&dashboard).expect("JSON");
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

/// The value of a series.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.and_then(|value| value.trim().parse().ok())
}

#[test]
fn what_players_earn_is_counted_and_only_nodes_with_a_database_tell_of_one() {
    let mut cluster = Cluster::study();
    cluster.set("servers.game1.db", true);
    cluster.start();
    let admin = cluster.admin();
    for gold in 1..=3 {
        let answer = cluster.ask(402, "ann 1").expect("an answer");
        assert!(
            answer.payload.contains(&format!("\"gold\":{gold},")),
            "{answer:?}"
        );
    }
    let text = until("a scrape with all changes", || {
        let text = admin.request("GET", "/metrics").body;
        let of_game1 = |name: &str| value(&text, &format!("lampyris_{name}{{node=\"game1\"}}"));
        // Her row, and three changes of it.
        let whole =
            of_game1("journal_changes_total") == Some(4.0) && of_game1("backlog_entities") == Some(0.0);
        whole.then(|| {
            for (name, wanted) in [
                ("database_up", 1.0),
                ("entities", 1.0),
                ("entities_loaded_total", 1.0),
            ] {
                assert_eq!(of_game1(name), Some(wanted), "{name}");
            }
            assert!(of_game1("database_written_total").is_some_and(|written| (1.0..=4.0).contains(&written)));
            assert!(of_game1("journal_bytes").is_some_and(|bytes| bytes > 0.0));
            text.clone()
        })
    });
    assert!(!text.contains("lampyris_database_up{node=\"net\"}"), "{text}");
    assert!(!text.contains("lampyris_cache_"), "{text}");
    let data = &admin.get("nodes/game1")["data"];
    assert_eq!(
        (&data["journaled"], &data["database_up"], &data["cache"]),
        (&4.into(), &true.into(), &Value::Null),
        "{data}"
    );
    assert_eq!(admin.get("nodes/net")["data"], Value::Null);
}

#[test]
fn a_node_whose_database_is_down_is_degraded_and_says_why() {
    let mut cluster = Cluster::study();
    let nobody = cluster.port();
    cluster.set(
        "db",
        json!({ "url": format!("mysql://game@127.0.0.1:{nobody}/game") }),
    );
    cluster.set("servers.game1.db", true);
    cluster.run(&[]);
    let admin = cluster.admin();
    let down = admin.until_told("cluster", "degraded by the database", |cluster| {
        let line = cluster["verdict"]["line"].as_str().unwrap_or_default();
        line.starts_with("Degraded: game1 is degraded: its database is down: ")
    });
    assert_eq!(down["verdict"]["health"], "degraded", "{down}");
    let node = admin.until_told("nodes/game1", "a database that is down", |node| {
        !node["data"]["database_down"].is_null()
    });
    let (data, why) = (&node["data"], &node["data"]["database_down"]["why"]);
    assert_eq!(data["database_up"], false, "{data}");
    assert!(
        data["database_down"]["since"]
            .as_f64()
            .is_some_and(|since| since >= 0.0)
    );
    let reason = node["reason"].as_str().expect("a reason");
    assert!(reason.contains(why.as_str().expect("a cause")), "{reason}: {why}");
    until("a scrape that says so", || {
        let text = admin.request("GET", "/metrics").body;
        let up = value(&text, "lampyris_database_up{node=\"game1\"}");
        let degraded = value(&text, "lampyris_node_state{node=\"game1\",state=\"degraded\"}");
        (up == Some(0.0) && degraded == Some(1.0)).then_some(())
    });
}
