//! A master that is refused, one that follows another's configuration, one that is asked for two things at once.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use cluster_tests::Cluster;
use cluster_tests::process::{End, kill_pid};
use cluster_tests::wait::until;

#[test]
fn a_second_master_with_another_secret_changes_nothing_for_the_first() {
    let mut cluster = Cluster::study();
    cluster.variable("LAMPYRIS__SECRET", "the secret of the first master");
    let first = cluster.start();
    cluster.variable("LAMPYRIS__SECRET", "the secret of another master");
    assert_eq!(cluster.run(&[]).end(), End::Code(75));
    let secret = fs::read_to_string(cluster.run_dir().join("secret")).expect("the nodes' secret");
    assert_eq!(secret.trim(), "the secret of the first master");
    kill_pid(cluster.admin().pid("game1"));
    cluster.until_answered(300, "x", "game1Handle completed");
    assert_eq!(first.has_ended(), None);
}

#[test]
fn a_node_that_is_configured_no_more_ends_with_the_master_that_finds_it() {
    let mut cluster = Cluster::study();
    let first = cluster.start();
    let game = cluster.admin().pid("game1");
    kill_pid(first.pid());
    first.end();
    let servers = cluster.get("servers").clone();
    let mut fewer = servers;
    fewer
        .as_object_mut()
        .expect("a section")
        .remove("game1")
        .expect("the node");
    cluster.set("servers", fewer);
    let second = cluster.run(&[]);
    second.line("game1 is configured no more");
    until("the end of game1", || {
        (!cluster.processes().contains(&game)).then_some(())
    });
    cluster.admin().act("cluster/actions/stop");
    assert_eq!(second.end(), End::Code(0));
    cluster.assert_nothing_left();
}

#[test]
fn nothing_is_started_while_the_cluster_stops() {
    let cluster = Cluster::of_test_apps();
    let master = cluster.start();
    let admin = cluster.admin();
    // The call keeps the nodes, and so the master, for as long as it takes.
    let mut client = cluster.client();
    client.send(3, "500 in order").expect("to send");
    until("the call", || {
        cluster.log("game1").contains("waiting 500 ms").then_some(())
    });
    admin.act("cluster/actions/stop");
    let refused = admin.request("POST", "/api/v1/nodes/net/actions/restart");
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(master.end(), End::Code(0));
    cluster.assert_nothing_left();
}

#[test]
fn a_node_whose_master_died_before_it_knew_of_it_does_not_go_on() {
    let cluster = Cluster::study();
    // What a master puts on the standard input of a node that it starts; then it dies.
    let (mut master, node) = UnixStream::pair().expect("sockets");
    master
        .write_all(b"lampyris sockets 1\nwait\n")
        .expect("room for a message");
    let mut command = cluster.command(cluster.program());
    command
        .args(["--role", "gate", "--config"])
        .arg(cluster.config_file());
    command.stdin(OwnedFd::from(node));
    let node = cluster.run_command("gate", command);
    drop(master);
    assert_eq!(node.end(), End::Code(1));
    assert!(!cluster.everything_said().contains(" ready handlers="));
}
