//! Ends of nodes: those that are killed, those that die again and again, and stops, of whoever may and whoever may not.

use std::time::Instant;

use super::{NODES, WAIT_IN_GAME, until_counted};
use crate::Cluster;
use crate::client::Frame;
use crate::http;
use crate::process::kill_pid;
use crate::vitals::zombies_of;
use crate::wait::until;

pub(super) fn killed_node(cluster: &Cluster) -> (usize, String) {
    let admin = cluster.admin();
    let before = admin.node("game1");
    let killed = Instant::now();
    kill_pid(admin.pid("game1"));
    admin.until_next_life("game1", &before);
    (
        1,
        format!("started again, ready after {} ms", killed.elapsed().as_millis()),
    )
}

pub(super) fn many_deaths(cluster: &Cluster) -> (usize, String) {
    const DEATHS: usize = 6;
    let admin = cluster.admin();
    let nodes = NODES.map(|name| admin.pid(name));
    let not_nodes = cluster.processes().into_iter().filter(|pid| !nodes.contains(pid));
    let masters: Vec<u32> = not_nodes.collect();
    for _ in 0..DEATHS {
        let before = admin.node("game1");
        kill_pid(admin.pid("game1"));
        admin.until_next_life("game1", &before);
    }
    until("the end of the last one", || {
        zombies_of(&masters).is_empty().then_some(())
    });
    (DEATHS, "each is reaped, no process is left".to_owned())
}

/// Net, which has the clients, goes first; game1 lives for as long as it works for a client; the gate is their parent.
pub(super) fn stop_with_a_call(cluster: &Cluster) -> (usize, String) {
    let mut client = cluster.begin(WAIT_IN_GAME, "400 answered");
    until("the call", || {
        cluster.log("game1").contains("waiting 400 ms").then_some(())
    });
    cluster.admin().act("cluster/actions/stop");
    let answer = client.receive().expect("an answer");
    assert_eq!(answer, Frame::new(WAIT_IN_GAME, "answered"));
    until("the end of all", || cluster.processes().is_empty().then_some(()));
    let said = cluster.everything_said();
    let ended = ["net    | stopped", "game1  | stopped", "gate   | stopped"].map(|line| said.find(line));
    assert!(
        ended.is_sorted() && ended.iter().all(Option::is_some),
        "{ended:?} in {said}"
    );
    cluster.start();
    (
        1,
        "answered; net ends, then game1, then gate, the parent of both; nothing is left".to_owned(),
    )
}

pub(super) fn unauthenticated_stop(cluster: &Cluster) -> (usize, String) {
    let before = NODES.map(|name| cluster.admin().pid(name));
    let paths = ["/stop", "/reloadmodule", "/api/v1/cluster/actions/stop"];
    let mut told = Vec::new();
    for (method, path) in ["GET", "POST"]
        .iter()
        .flat_map(|method| paths.map(|path| (*method, path)))
    {
        let answer = http::request(cluster.webport(), method, path, &[]).expect("an answer");
        assert!(
            [401, 403, 404, 405].contains(&answer.status),
            "{method} {path}: {}",
            answer.status
        );
        told.push(answer.status);
    }
    assert_eq!(NODES.map(|name| cluster.admin().pid(name)), before);
    // Two are for what nobody has a path of, the others for the API.
    until_counted(cluster, "admin_refused_total{reason=\"token\"} 2");
    told.sort_unstable();
    told.dedup();
    let told: Vec<String> = told.iter().map(u16::to_string).collect();
    (
        2 * paths.len(),
        format!("{}; the port is on 127.0.0.1", told.join(", ")),
    )
}
