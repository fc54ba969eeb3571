//! What a terminal or a dead master does to the nodes: nothing.

use std::time::Duration;

use cluster_tests::Cluster;
use cluster_tests::client::Frame;
use cluster_tests::process::{End, kill_pid};
use cluster_tests::wait::within;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpgid};

#[test]
fn a_ctrl_c_at_the_terminal_reaches_the_master_alone() {
    let cluster = Cluster::of_test_apps();
    let master = cluster.start();
    let admin = cluster.admin();
    for name in ["gate", "net", "game1"] {
        let pid = Pid::from_raw(i32::try_from(admin.pid(name)).expect("a process number"));
        assert_eq!(getpgid(Some(pid)), Ok(pid), "{name} leads a group of its own");
    }
    // With a call in flight the nodes outlive the signal by as long as the call takes: they were asked in order.
    let mut client = cluster.client();
    client.send(3, "500 in order").expect("to send");
    cluster_tests::wait::until("the call", || {
        cluster.log("game1").contains("waiting 500 ms").then_some(())
    });
    master.signal_group(Signal::SIGINT);
    assert_eq!(client.receive().expect("an answer"), Frame::new(3, "in order"));
    assert_eq!(master.end(), End::Code(0));
    for name in ["gate", "net", "game1"] {
        assert!(!cluster.log(name).contains("SIGINT"), "{name} saw no signal");
    }
    cluster.assert_nothing_left();
}

#[test]
fn without_its_master_a_cluster_goes_on() {
    let cluster = Cluster::study();
    let master = cluster.start();
    let admin = cluster.admin();
    let pids = ["gate", "net", "game1"].map(|name| admin.pid(name));
    let mut client = cluster.client();
    master.signal(Signal::SIGKILL);
    assert_eq!(master.end(), End::Signal(9));
    // Longer than the links to the master need to notice.
    let failed = within(Duration::from_millis(4500), || {
        let frame = client.ask(300, "x").expect("an answer");
        (frame != Frame::new(300, "game1Handle completed")).then_some(frame)
    });
    assert_eq!(failed, None, "no call fails");
    assert_eq!(
        cluster.ask(300, "x").expect("an answer"),
        Frame::new(300, "game1Handle completed")
    );
    let mut left = cluster.processes();
    left.sort_unstable();
    let mut wanted = pids.to_vec();
    wanted.sort_unstable();
    assert_eq!(left, wanted);
}

#[test]
fn nodes_that_shall_not_outlive_their_master_end_with_it() {
    let mut cluster = Cluster::study();
    cluster.set("servers.game1.on_master_loss", "exit");
    let master = cluster.start();
    let admin = cluster.admin();
    let [game, gate] = ["game1", "gate"].map(|name| admin.pid(name));
    master.signal(Signal::SIGKILL);
    cluster_tests::wait::until("the end of game1", || {
        (!cluster.processes().contains(&game)).then_some(())
    });
    assert!(cluster.processes().contains(&gate));
    assert!(
        cluster.log("game1").contains("the master is gone"),
        "{}",
        cluster.log("game1")
    );
}

#[test]
fn nodes_started_by_hand_find_a_master_that_comes_back() {
    let cluster = Cluster::study();
    let first = cluster.run(&["--only"]);
    let nodes = ["gate", "net", "game1"].map(|name| cluster.run_node(name));
    cluster.admin().until_all_ready();
    kill_pid(first.pid());
    first.end();
    cluster.run(&["--only"]);
    let admin = cluster.admin();
    admin.until_all_ready();
    for (name, node) in ["gate", "net", "game1"].iter().zip(&nodes) {
        assert_eq!(admin.pid(name), node.pid());
    }
    cluster.until_answered(300, "x", "game1Handle completed");
}
