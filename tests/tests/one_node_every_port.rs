//! One node may have every duty at once: clients, children, and a page of its own.

use std::net::Ipv4Addr;

use cluster_tests::client::Frame;
use cluster_tests::http;
use cluster_tests::{Cluster, programs};
use serde_json::json;

#[test]
fn a_node_with_netport_rootport_and_webport_serves_all_three() {
    let mut cluster = Cluster::empty(programs::demo());
    let (net, root) = (cluster.port(), cluster.port());
    let web = cluster.port();
    cluster.set(
        "servers.net",
        json!({"app": "app.netserver", "netport": net, "rootport": root, "webport": web,
        "remoteport": [{"rootname": "gate"}]}),
    );
    let gate = cluster.port();
    cluster.set("servers.gate", json!({"app": "app.gateserver", "rootport": gate}));
    cluster.set(
        "servers.game1",
        json!({"app": "app.game1server", "remoteport": [{"rootname": "gate"}, {"rootname": "net"}]}),
    );
    cluster.start();

    cluster.until_answered(300, "x", "game1Handle completed");
    let page = http::request((Ipv4Addr::LOCALHOST, web), "GET", "/healthz", &[]).expect("the page");
    assert_eq!((page.status, page.body.as_str()), (200, "ok\n"));
    let log = cluster.log("net");
    assert!(
        log.contains("link up peer=game1") && log.contains("link up peer=gate"),
        "{log}"
    );
}

#[test]
fn an_app_has_routes_of_its_own_on_the_nodes_page() {
    let mut cluster = Cluster::of_test_apps();
    let web = cluster.port();
    cluster.set("servers.game1.webport", web);
    cluster.start();
    let get = |path: &str| http::request((Ipv4Addr::LOCALHOST, web), "GET", path, &[]).expect("an answer");
    let hello = get("/hello");
    assert_eq!((hello.status, hello.body.as_str()), (200, "hello from game1\n"));
    assert_eq!(get("/healthz").status, 200);
    assert_eq!(get("/nothing").status, 404);
    assert_eq!(
        cluster.ask(3, "1 both").expect("an answer"),
        Frame::new(3, "both")
    );
}

#[test]
fn a_node_alone_with_every_port_and_no_others_serves() {
    let mut cluster = Cluster::empty(programs::test_apps());
    let (net, root) = (cluster.port(), cluster.port());
    let web = cluster.port();
    let gate = cluster.port();
    cluster.set("servers.gate", json!({"app": "test.gate", "rootport": gate}));
    cluster.set(
        "servers.net",
        json!({"app": "test.net", "netport": net, "rootport": root, "webport": web,
        "remoteport": [{"rootname": "gate"}]}),
    );
    let node = cluster.run_node("net");
    assert_eq!(
        cluster.ask(1, "alone").expect("an answer"),
        Frame::new(1, "alone")
    );
    let page = http::request((Ipv4Addr::LOCALHOST, web), "GET", "/healthz", &[]).expect("the page");
    assert_eq!(page.status, 200);
    assert_eq!(node.has_ended(), None);
}
