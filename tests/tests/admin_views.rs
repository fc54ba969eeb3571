//! The operator's seat tells how the cluster is: what every route says of a real one.

use cluster_tests::Cluster;
use cluster_tests::wait::until;
use serde_json::{Value, json};

/// Texts of the events of a kind.
fn texts(events: &Value, kind: &str) -> Vec<String> {
    let all = events["events"].as_array().expect("a list").iter();
    all.filter(|event| event["kind"] == kind)
        .filter_map(|event| event["text"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn the_cluster_is_told_in_one_line_with_the_cause() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let healthy = admin.until_told("cluster", "three reports", |cluster| {
        cluster["totals"]["reporting"] == 3
    });
    assert_eq!(
        healthy["verdict"]["line"], "Healthy: 3 of 3 nodes ready",
        "{healthy}"
    );
    assert!(
        healthy["totals"]["rss"]
            .as_u64()
            .is_some_and(|rss| rss > 3_000_000),
        "{healthy}"
    );
    admin.act("nodes/game1/actions/stop");
    let degraded = admin.until_told("cluster", "degraded", |cluster| {
        cluster["verdict"]["health"] == "degraded"
    });
    let line = degraded["verdict"]["line"].as_str().expect("a line");
    assert!(line.starts_with("Degraded: game1 is "), "{line}");
}

#[test]
fn calls_are_counted_and_timed_by_handler() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    for _ in 0..20 {
        cluster.until_answered(300, "x", "game1Handle completed");
    }
    for handler in ["command.300", "gate.handle2", "game1.handle"] {
        let all = admin.until_told("handlers", handler, |all| {
            let found = all
                .as_array()
                .and_then(|all| all.iter().find(|one| one["name"] == handler));
            found.is_some_and(|one| one["calls"] == 20)
        });
        let found = all
            .as_array()
            .and_then(|all| all.iter().find(|one| one["name"] == handler))
            .expect("it");
        let (half, most) = (
            found["p50"].as_f64().expect("p50"),
            found["p99"].as_f64().expect("p99"),
        );
        assert!(half > 0.0 && half <= most && most < 10.0, "{found}");
        assert_eq!(found["errors"], json!({}), "{found}");
    }
    let net = admin.get("nodes/net");
    assert_eq!(net["port"]["accepted"], 20, "{}", net["port"]);
    assert!(
        net["points"].as_array().is_some_and(|points| !points.is_empty()),
        "{net}"
    );
    assert!(net["process"]["fds"].as_u64().is_some_and(|fds| fds > 3), "{net}");
    let gate = admin.get("links?node=gate");
    let of_game1 = gate
        .as_array()
        .and_then(|links| links.iter().find(|link| link["peer"] == "game1"))
        .expect("a link");
    assert_eq!(
        (&of_game1["up"], &of_game1["relation"]),
        (&json!(true), &json!("child"))
    );
    assert_eq!(of_game1["frames_out"], 20, "{of_game1}");
}

#[test]
fn what_is_configured_is_told_with_its_origin_and_without_secrets() {
    let mut cluster = Cluster::study();
    cluster.set("secret", "0f9a3c51e27d4b86aa10");
    cluster.set(
        "admin",
        json!({"tokens": [{"name": "eve", "role": "viewer", "token": "eve-0123456789-token"}]}),
    );
    cluster.variable("LAMPYRIS__SERVERS__GATE__CALL_TIMEOUT", "3s");
    cluster.start();
    let admin = cluster.admin();
    let told = admin.get("config");
    let gate = told["nodes"]["gate"].as_array().expect("settings");
    let find = |key: &str| gate.iter().find(|one| one["key"] == key).expect("the key");
    assert_eq!(find("servers.gate.call_timeout")["value"], "3s");
    assert!(
        find("servers.gate.call_timeout")["origin"]
            .as_str()
            .is_some_and(|from| from.starts_with("env "))
    );
    assert!(
        find("servers.gate.rootport")["origin"]
            .as_str()
            .is_some_and(|from| from.contains("config.json:"))
    );
    let all = format!("{told}{}", admin.get("nodes/gate"));
    assert!(
        !all.contains("0f9a3c51e27d") && !all.contains("eve-0123456789"),
        "{all}"
    );
    let check = admin.request("POST", "/api/v1/config/check").json();
    assert_eq!(check["usable"], true, "{check}");
    std::fs::write(
        cluster.folder().join("config.json"),
        "{\"master\": {\"rootprot\": 1}}",
    )
    .expect("to write");
    let check = admin.request("POST", "/api/v1/config/check").json();
    assert_eq!(check["usable"], false);
    let findings = check["findings"].as_array().expect("a list").iter();
    let mut texts = findings.filter_map(|finding| finding["text"].as_str());
    assert!(texts.any(|text| text.contains("rootprot")), "{check}");
}

#[test]
fn events_tell_what_happened_and_who_wanted_it_also_to_the_next_master() {
    let cluster = Cluster::study();
    let master = cluster.start();
    let admin = cluster.admin();
    let body = json!({"reason": "new maps"});
    let answer = admin.send("POST", "/api/v1/nodes/game1/actions/restart", &body);
    assert_eq!(answer.status, 202, "{}", answer.body);
    let pid = admin.pid("gate");
    cluster_tests::process::kill_pid(pid);
    let events = admin.until_told("events", "the end of gate", |events| {
        texts(events, "exit").iter().any(|text| text.contains("SIGKILL"))
    });
    assert!(
        texts(&events, "action").contains(&"restart (new maps)".to_owned()),
        "{events}"
    );
    let action = events["events"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["kind"] == "action"));
    assert_eq!(action.map(|one| &one["by"]), Some(&json!("admin")));
    admin.act("nodes/game1/actions/stop");
    admin.until_state("game1", "stopped");
    let events = admin.get("events?node=game1");
    let order = events["events"].as_array().expect("a list").iter();
    let asked = order
        .clone()
        .position(|one| one["kind"] == "action" && one["text"] == "stop");
    let done = order
        .clone()
        .position(|one| one["to"] == "draining" || one["to"] == "stopping");
    assert!(
        asked.is_some() && asked < done,
        "who asked comes before what is done: {events}"
    );
    admin.act("nodes/game1/actions/start");
    admin.until_told("events", "the link of net to gate", |events| {
        texts(events, "link_up")
            .iter()
            .any(|text| text.starts_with("the link of net to gate is up"))
    });
    let last = admin.get("events")["last"].as_u64().expect("a number");
    assert!(
        admin.get(&format!("events?since={last}"))["events"]
            .as_array()
            .is_some_and(|new| { new.iter().all(|event| event["seq"].as_u64() > Some(last)) })
    );
    admin.until_all_ready();
    admin.act("cluster/actions/stop");
    master.end();
    cluster.start();
    let events = cluster.admin().get("events?limit=5000");
    assert!(
        texts(&events, "action").contains(&"restart (new maps)".to_owned()),
        "kept on disk"
    );
    let mut numbers = events["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["seq"].as_u64());
    assert!(
        numbers
            .clone()
            .zip(numbers.by_ref().skip(1))
            .all(|(one, next)| one < next),
        "numbers go on"
    );
}

#[test]
fn a_call_is_made_by_hand_and_followed_through_the_nodes() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let call = json!({"node": "net", "command": 300, "text": "msgdata"});
    let made = admin.send("POST", "/api/v1/calls", &call).json();
    assert_eq!(made["reply"]["text"], "game1Handle completed", "{made}");
    let trace = made["trace"].as_str().expect("a trace");
    let spans = admin.until_told(&format!("traces/{trace}"), "three spans", |spans| {
        spans.as_array().is_some_and(|spans| spans.len() == 3)
    });
    let spans = spans.as_array().expect("spans");
    let nodes: Vec<_> = spans
        .iter()
        .map(|span| span["node"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(nodes, ["net", "gate", "game1"]);
    assert!(spans[0]["parent"].is_null());
    for pair in spans.windows(2) {
        assert_eq!(pair[1]["parent"], pair[0]["span"], "{pair:?}");
        assert!(pair[0]["run"].as_f64() >= pair[1]["run"].as_f64(), "{pair:?}");
    }
    let unknown = json!({"node": "net", "command": 4711});
    let failed = admin.send("POST", "/api/v1/calls", &unknown).json();
    assert_eq!(
        (&failed["error"]["error"], &failed["error"]["ran"]),
        (&json!("no_such_command"), &json!("no"))
    );
    let handler = json!({"node": "game1", "handler": "nobody.knows"});
    let failed = admin.send("POST", "/api/v1/calls", &handler).json();
    assert_eq!(failed["error"]["error"], "no_such_handler", "{failed}");
}

#[test]
fn requests_of_clients_are_sampled_as_configured() {
    let mut cluster = Cluster::study();
    cluster.set("trace", json!({"sample": 1}));
    cluster.start();
    let admin = cluster.admin();
    cluster.until_answered(300, "x", "game1Handle completed");
    let call = json!({"node": "net", "command": 100, "text": "x"});
    assert_eq!(
        admin.send("POST", "/api/v1/calls", &call).json()["spans"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn clients_are_listed_and_sent_away() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let mut clients: Vec<_> = (0..5).map(|_| cluster.client()).collect();
    let page = admin.until_told("clients?limit=3", "a full page", |page| {
        page["clients"]
            .as_array()
            .is_some_and(|clients| clients.len() == 3)
    });
    let next = page["next"].as_str().expect("a cursor");
    let rest = admin.until_told(&format!("clients?limit=3&cursor={next}"), "the others", |page| {
        page["clients"]
            .as_array()
            .is_some_and(|clients| clients.len() == 2)
    });
    assert!(rest["next"].is_null(), "{rest}");
    let first = page["clients"][0]["id"].as_str().expect("an id");
    assert_eq!(
        admin
            .request("DELETE", &format!("/api/v1/clients/{first}"))
            .status,
        204
    );
    let gone = until("a client that is sent away", || {
        clients
            .iter_mut()
            .position(|client| client.ask(100, "x").is_err())
    });
    assert!(gone < 5);
    assert_eq!(admin.request("DELETE", "/api/v1/clients/net:1").status, 404);
    assert_eq!(admin.request("DELETE", "/api/v1/clients/gate:1").status, 409);
    assert_eq!(admin.request("DELETE", "/api/v1/clients/nonsense").status, 404);
}

#[test]
fn whoever_watches_from_outside_learns_whether_the_cluster_serves() {
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let ready = || cluster_tests::http::request(cluster.webport(), "GET", "/readyz", &[]).expect("an answer");
    assert_eq!(ready().status, 200);
    admin.act("nodes/game1/actions/stop");
    admin.until_state("game1", "stopped");
    let not = ready();
    assert_eq!(not.status, 503);
    assert!(not.body.contains("game1 is stopped"), "{}", not.body);
}
