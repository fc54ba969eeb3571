//! Nodes and whole clusters end in order: what has been accepted is answered.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::super::{Experiment, Record, Strength, must};
use super::WAIT_IN_GAME;
use crate::Cluster;
use crate::client::Client;
use crate::process::{End, signal_pid};
use crate::wait::until;

/// With 500 calls of 200 ms under way in the game, each role in turn is asked to end, and then the whole tree.
pub(super) const STOP: Experiment = Experiment {
    id: "R-70",
    title: "SIGTERM with 500 calls of 200 ms in flight, to each role and to the whole tree",
    must: "no accepted call fails; exit 0 within 1 s after the last; reverse order in the log; what takes longer than \
           drain_timeout is cut off, with exit code 1, and counted",
    best: "",
    run: stop,
};

/// Connections, and calls of each.
const CONNECTIONS: usize = 10;
const CALLS: usize = 50;

/// How long the game keeps each answer back.
const KEPT: Duration = Duration::from_millis(200);

fn stop(strength: Strength, record: &mut Record) {
    for _ in 0..strength.pick(1, 20) {
        for role in ["game1", "gate", "net"] {
            a_node(role, record);
        }
        the_tree(record);
    }
    too_long(record);
}

/// Sends all calls, does something when all of them are under way, and gives how many were answered, and when the last
/// was.
fn answered_in_spite_of(to: SocketAddr, cluster: &Cluster, what: impl FnOnce()) -> (usize, Instant) {
    let sent = Barrier::new(CONNECTIONS + 1);
    let before = cluster.log("game1").matches("waiting 200 ms").count();
    let (answered, last) = std::thread::scope(|scope| {
        let connection = || {
            let mut client = Client::connect(to).expect("because net listens");
            for call in 0..CALLS {
                let payload = format!("{} {call}", KEPT.as_millis());
                client.send(WAIT_IN_GAME, &payload).expect("because net reads");
            }
            sent.wait();
            let answers = (0..CALLS).map_while(|_| client.receive().ok());
            let good = answers.filter(|frame| frame.command == WAIT_IN_GAME).count();
            (good, Instant::now())
        };
        let connections: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(connection)).collect();
        sent.wait();
        until("all calls in the game", || {
            let waiting = cluster.log("game1").matches("waiting 200 ms").count();
            (waiting >= before + CONNECTIONS * CALLS).then_some(())
        });
        what();
        let ends = connections
            .into_iter()
            .map(|thread| thread.join().expect("because answers are frames"));
        let ends: Vec<(usize, Instant)> = ends.collect();
        let last = ends.iter().map(|end| end.1).max();
        (ends.iter().map(|end| end.0).sum(), last)
    });
    (answered, last.expect("because there are connections"))
}

fn a_node(role: &str, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let admin = cluster.admin();
    let pid = admin.pid(role);
    let (answered, last) =
        answered_in_spite_of(cluster.netport(), &cluster, || signal_pid(pid, Signal::SIGTERM));
    record.exactly(
        format!("{role}: calls that failed"),
        CONNECTIONS * CALLS - answered,
        0,
    );
    let node = admin.until(role, "another process", |node| {
        node["pid"].is_u64() && node["pid"] != pid
    });
    record.time(
        format!("{role}: last answer to its next life"),
        last.elapsed(),
        must(1000.0),
    );
    assert_eq!(node["last_exits"][0]["code"], 0, "{node}");
    admin.until_all_ready();
}

fn the_tree(record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    let master = cluster.start();
    let (answered, last) =
        answered_in_spite_of(cluster.netport(), &cluster, || master.signal(Signal::SIGTERM));
    record.exactly("the tree: calls that failed", CONNECTIONS * CALLS - answered, 0);
    assert_eq!(master.end(), End::Code(0));
    record.time("the tree: last answer to exit", last.elapsed(), must(1000.0));
    let said = master.stdout();
    let places = ["net    | stopped", "game1  | stopped", "gate   | stopped"].map(|text| said.find(text));
    assert!(places[0].is_some() && places.is_sorted(), "{said}");
    cluster.assert_nothing_left();
}

/// A call of a minute, and 300 ms to drain.
fn too_long(record: &mut Record) {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.call_timeout", "60s");
    for name in ["gate", "net", "game1"] {
        cluster.set(&format!("servers.{name}.drain_timeout"), "300ms");
        cluster.set(&format!("servers.{name}.stop_timeout"), "2s");
    }
    let master = cluster.start();
    let mut client = cluster.client();
    client
        .send(WAIT_IN_GAME, "60000 never")
        .expect("because net reads");
    until("the call", || {
        cluster.log("game1").contains("waiting 60000 ms").then_some(())
    });
    let begin = Instant::now();
    master.signal(Signal::SIGTERM);
    assert_eq!(master.end(), End::Code(1), "not in order");
    record.time(
        "longer than drain_timeout: until exit",
        begin.elapsed(),
        must(3000.0),
    );
    assert!(
        cluster.log("net").contains("calls are cut off calls=1"),
        "{}",
        cluster.log("net")
    );
    cluster.assert_nothing_left();
}
