//! `call` and `dashboard`: one call by hand with its way, and the door of the page.

use std::process::Stdio;

use cluster_tests::Cluster;
use cluster_tests::http;
use cluster_tests::process::End;
use serde_json::Value;

#[test]
fn a_call_shows_its_answer_and_every_hop() {
    let cluster = Cluster::study();
    cluster.start();
    let call = cluster.run(&["call", "net", "300", "msgdata"]);
    assert_eq!(call.end(), End::Code(0), "{}", call.output());
    assert_eq!(call.stdout(), "game1Handle completed\n");
    let way = call.stderr();
    for hop in [
        "net    command 300",
        "gate   gate.handle2",
        "game1  game1.handle",
        "3 hops",
    ] {
        assert!(way.contains(hop), "no {hop:?} in:\n{way}");
    }
    let hex = cluster.run(&["call", "net", "100", "6869", "--hex", "--trace"]);
    assert_eq!(hex.end(), End::Code(0), "{}", hex.output());
    assert_eq!(hex.stdout(), "6e657448616e646c655f31303020636f6d706c65746564\n");
    assert!(
        hex.stderr().contains("trace ") && hex.stderr().contains("service net"),
        "{}",
        hex.stderr()
    );
    let json = cluster.run(&["call", "gate", "gate.handle1", "\"x\"", "--format", "json"]);
    assert_eq!(json.end(), End::Code(0), "{}", json.output());
    let answer: Value = serde_json::from_str(&json.stdout()).expect("an object");
    assert_eq!(answer["reply"]["text"], "gateHandle Completed", "{answer}");
    let file = cluster.folder().join("payload");
    std::fs::write(&file, "msgdata").expect("the folder is ours");
    let from_file = cluster.run(&["call", "net", "100", &format!("@{}", file.display())]);
    assert_eq!(
        (from_file.end(), from_file.stdout()),
        (End::Code(0), "netHandle_100 completed\n".into())
    );
    let mut command = cluster.command(cluster.program());
    command
        .args(["call", "net", "100", "-", "--config"])
        .arg(cluster.config_file());
    command.stdin(std::fs::File::open(&file).map_or_else(|_| Stdio::null(), Stdio::from));
    let from_input = cluster.run_command("call -", command);
    assert_eq!(
        (from_input.end(), from_input.stdout()),
        (End::Code(0), "netHandle_100 completed\n".into())
    );
}

#[test]
fn errors_of_calls_are_of_the_closed_list_and_have_exit_codes() {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let unknown = cluster.run(&["call", "net", "9999", "x"]);
    assert_eq!(unknown.end(), End::Code(5));
    assert!(
        unknown
            .stderr()
            .contains("error: no_such_command (the handler ran: no)"),
        "{}",
        unknown.stderr()
    );
    let no_port = cluster.run(&["call", "gate", "100"]);
    assert_eq!(no_port.end(), End::Code(1), "{}", no_port.output());
    let no_node = cluster.run(&["call", "gtae", "100"]);
    assert_eq!(no_node.end(), End::Code(1));
    assert!(no_node.stderr().contains("demo status") || no_node.stderr().contains("test-apps status"));
    let no_json = cluster.run(&["call", "gate", "gate.x", "{"]);
    assert_eq!(no_json.end(), End::Code(2), "{}", no_json.output());
    let late = cluster.run(&["call", "net", "3", "60000 text", "--deadline", "300ms"]);
    assert_eq!(late.end(), End::Code(6), "{}", late.output());
    assert!(late.stderr().contains("error: timeout"), "{}", late.stderr());
}

#[test]
fn dashboard_prints_an_address_that_opens_the_page_once() {
    let cluster = Cluster::study();
    cluster.start();
    let asked = cluster.run(&["dashboard"]);
    assert_eq!(asked.end(), End::Code(0), "{}", asked.output());
    let page = format!("http://{}/#code=", cluster.webport());
    let said = asked.stdout();
    let code = said.trim_end().strip_prefix(&page).expect("the page's address");
    let body = format!("{{\"code\":\"{code}\"}}");
    let log_in = || http::send(cluster.webport(), "POST", "/api/v1/session", &[], &body).expect("an answer");
    assert_eq!(log_in().status, 200);
    assert_eq!(log_in().status, 401, "once");
}
