//! One push to all clients, in turns at the net node and at a bare server with as many.

use super::{ECHO, Experiment, Record, Strength, apart, median, must, pids};
use crate::Cluster;
use crate::bare::Bare;
use crate::experiments::record::millis;
use crate::guests::Guests;

/// From the request of one client until the push has reached the last of them.
pub(super) const PUSHES: Experiment = Experiment {
    id: "R-86",
    title: "a push to 10,000 clients (500 in the short form), here and by bare writes",
    must: "written once; the last is reached in 1.5 of the bare writes' time",
    best: "",
    run: pushes,
};

/// The command of the test's net node that pushes and says how often the payload was written.
const PUSH_COUNTED: u32 = 28;

fn pushes(strength: Strength, record: &mut Record) {
    let (rounds, count) = (strength.pick(3, 40), strength.pick(500, 10_000));
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.max_clients", 15_000);
    cluster.start();
    let bare = Bare::start();
    let both = [cluster.netport(), bare.addr()].map(|addr| Guests::invite(addr, count, ECHO));
    let clients = both.each_ref().map(Guests::pid);
    apart(&[pids(&cluster, &["net"])[0], bare.pid()], &clients);
    for guests in &both {
        guests.served();
    }
    let rounds: Vec<[f64; 2]> = (0..rounds)
        .map(|_| [&both[0], &both[1]].map(|guests| millis(guests.push())))
        .collect();
    for (at, who) in ["the net node", "bare writes"].into_iter().enumerate() {
        let times = rounds.iter().map(|round| round[at]).collect();
        record.told(format!("{who}, to the last client"), median(times), "ms");
    }
    let ratio = median(rounds.iter().map(|[net, bare]| net / bare).collect());
    record.at_most(
        "to the last client, of the bare writes' time",
        ratio,
        "",
        must(1.5),
    );
    let mut client = cluster.client();
    client
        .send(PUSH_COUNTED, "counted")
        .expect("because the net node listens");
    // The push to itself comes first.
    let said = [client.receive(), client.receive()].map(|frame| frame.expect("a frame").payload);
    record.note(format!("the node says: {}", said[1]));
    let written = said[1].rsplit(' ').nth(1).and_then(|times| times.parse().ok());
    record.exactly("times that a payload is written", written.expect("a number"), 1);
}
