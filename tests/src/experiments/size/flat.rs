//! What a call costs when everything is doubled, again and again: connections, handlers, calls in flight, nodes.
//!
//! The whole row is measured several times, and of each point the median counts, so that a moment in which the machine was
//! busy with something else does not. What a call costs is the processor time of all nodes together.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::{CHAIN, ECHO, Experiment, NODES, Record, Strength, let_pass, median, must, pids, used};
use crate::Cluster;
use crate::bare::Bare;
use crate::callers::{Callers, Calls, Rhythm};
use crate::client::Client;
use crate::plot::Plot;
use crate::visitors::room_for;
use crate::wait::PATIENCE;

const MUST: &str = "a doubling never raises the processor time of a call by more than 15 %";

/// One call of each connection is under way, through net, gate and game.
pub(super) const CONNECTIONS: Experiment = Experiment {
    id: "R-82",
    title: "connections are doubled at saturation, from 64 to 16,384 (to 256 in the short form)",
    must: MUST,
    best: "",
    run: connections,
};

/// All commands of a net node are called in turns, which answers them itself.
pub(super) const HANDLERS: Experiment = Experiment {
    id: "R-83",
    title: "handlers are doubled at saturation, from 3 to 3,072 (to 12 in the short form)",
    must: MUST,
    best: "",
    run: handlers,
};

/// A hundred connections with ever more calls under way, through net, gate and game.
pub(super) const IN_FLIGHT: Experiment = Experiment {
    id: "R-84",
    title: "calls in flight are doubled at saturation, from 100 to 102,400 (to 400 in the short form)",
    must: MUST,
    best: "",
    run: in_flight,
};

/// Each game has its own players, who make so many calls a second.
pub(super) const GAMES: Experiment = Experiment {
    id: "R-85",
    title: "game nodes behind one gate are doubled, from 1 to 32 (to 2 in the short form), each with 500 calls a second",
    must: MUST,
    best: "",
    run: nodes,
};

/// The first of the commands of `test.manyN`.
const FIRST_OF_MANY: u32 = 10_000;

/// Connections, and calls under way on each, with which handlers are called.
const MANY_CALLERS: (usize, usize) = (64, 16);

/// Connections with ever more calls under way.
const FEW: usize = 100;

/// Players of one game, and how often each of them calls.
const PLAYERS: usize = 25;
const PACE: Duration = Duration::from_millis(50);

/// A row of doublings.
struct Row {
    plot: &'static str,
    across: &'static str,
    sizes: Vec<usize>,
    rounds: usize,
    /// From the first call until it is measured, and for how long.
    warm_up: Duration,
    time: Duration,
}

impl Row {
    fn new(plot: &'static str, across: &'static str, sizes: Vec<usize>, strength: Strength) -> Self {
        Self {
            plot,
            across,
            sizes,
            rounds: strength.pick(1, 5),
            warm_up: strength.pick(Duration::from_millis(100), Duration::from_millis(500)),
            time: strength.pick(Duration::from_millis(500), Duration::from_secs(2)),
        }
    }

    /// Measures all of it, compares neighbours, and draws it.
    #[track_caller]
    fn measure(&self, record: &mut Record, mut cost: impl FnMut(usize) -> f64) {
        let mut costs = vec![Vec::new(); self.sizes.len()];
        for _ in 0..self.rounds {
            for (size, costs) in self.sizes.iter().zip(&mut costs) {
                costs.push(cost(*size));
            }
        }
        let costs: Vec<f64> = costs.into_iter().map(median).collect();
        for (size, cost) in self.sizes.iter().zip(&costs) {
            record.told(format!("a call with {size} {}", self.across), *cost, "µs");
        }
        let more = costs.windows(2).map(|pair| (pair[1] / pair[0] - 1.0) * 100.0);
        let most = more.fold(f64::NEG_INFINITY, f64::max);
        record.at_most("most that a doubling adds", most, "%", must(15.0));
        record.plot(Plot {
            name: self.plot,
            title: format!("Processor time of a call, by {}", self.across),
            across: self.across,
            up: "µs, all nodes",
            points: self.sizes.iter().map(|size| *size as f64).zip(costs).collect(),
        });
    }

    /// What a call costs these processes, in microseconds.
    #[track_caller]
    fn cost(&self, to: SocketAddr, pids: &[u32], calls: &Calls) -> f64 {
        let callers = Callers::gather(to, calls, 2 * PATIENCE);
        let_pass(self.warm_up);
        let (before, answers) = (used(pids), callers.answers());
        let_pass(self.time);
        let (after, answers) = (used(pids), callers.answers() - answers);
        assert_eq!(
            callers.faults(),
            0,
            "error frames or lost connections with {calls:?}"
        );
        assert!(answers > 0, "no answers with {calls:?}");
        drop(callers);
        // What they have left behind is done once a call behind it is: the next ones begin with nothing in flight.
        let behind = Client::connect(to).and_then(|mut client| client.ask(calls.commands[0], calls.payload));
        behind.expect("because the cluster goes on");
        (after - before).as_secs_f64() * 1e6 / answers as f64
    }
}

/// So many doublings, and the numbers that they lead through.
fn doubled(from: usize, times: u32) -> Vec<usize> {
    (0..=times).map(|time| from << time).collect()
}

fn calls(command: u32, connections: usize, depth: usize) -> Calls {
    Calls {
        connections,
        rhythm: Rhythm::Depth(depth),
        commands: vec![command],
        payload: "msgdata",
    }
}

fn connections(strength: Strength, record: &mut Record) {
    let row = Row::new(
        "connections",
        "connections",
        doubled(64, strength.pick(2, 8)),
        strength,
    );
    if let Err(why) = room_for(row.sizes[row.sizes.len() - 1]) {
        return record.skip(why);
    }
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.max_clients", 17_000);
    for node in NODES {
        cluster.set(&format!("servers.{node}.max_in_flight"), 20_000);
    }
    cluster.start();
    let nodes = pids(&cluster, &NODES);
    row.measure(record, |size| {
        row.cost(cluster.netport(), &nodes, &calls(CHAIN, size, 1))
    });
    // What the system's own part makes of as many sockets.
    let bare = Bare::start();
    for size in &row.sizes {
        let cost = row.cost(bare.addr(), &[bare.pid()], &calls(ECHO, *size, 1));
        record.told(
            format!("an echo of the bare loop with {size} connections"),
            cost,
            "µs",
        );
    }
}

fn handlers(strength: Strength, record: &mut Record) {
    let row = Row::new("handlers", "handlers", doubled(3, strength.pick(2, 10)), strength);
    let mut cluster = Cluster::of_test_apps();
    for size in &row.sizes {
        let port = cluster.port();
        let app = format!("test.many{size}");
        cluster.set(
            &format!("servers.many{size}"),
            json!({"app": app, "netport": port}),
        );
    }
    cluster.start();
    row.measure(record, |size| {
        let node = format!("many{size}");
        let port = cluster.port_of(&format!("servers.{node}.netport"));
        let last = FIRST_OF_MANY + u32::try_from(size).expect("because there are some thousand");
        let (connections, depth) = MANY_CALLERS;
        let calls = Calls {
            commands: (FIRST_OF_MANY..last).collect(),
            ..calls(ECHO, connections, depth)
        };
        row.cost(([127, 0, 0, 1], port).into(), &pids(&cluster, &[&node]), &calls)
    });
}

fn in_flight(strength: Strength, record: &mut Record) {
    let row = Row::new(
        "in-flight",
        "calls in flight",
        doubled(FEW, strength.pick(2, 10)),
        strength,
    );
    let most = row.sizes[row.sizes.len() - 1];
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.client_in_flight", most / FEW);
    for node in NODES {
        cluster.set(&format!("servers.{node}.max_in_flight"), 2 * most);
    }
    cluster.start();
    let nodes = pids(&cluster, &NODES);
    row.measure(record, |size| {
        row.cost(cluster.netport(), &nodes, &calls(CHAIN, FEW, size / FEW))
    });
}

fn nodes(strength: Strength, record: &mut Record) {
    let row = Row {
        // The fewest make so few calls that their processor time needs long to be told.
        time: strength.pick(Duration::from_secs(1), Duration::from_secs(10)),
        rounds: 1,
        ..Row::new("nodes", "game nodes", doubled(1, strength.pick(1, 5)), strength)
    };
    row.measure(record, |size| {
        let mut cluster = Cluster::of_test_apps();
        let game = cluster.get("servers.game1").clone();
        let mut names = NODES.map(str::to_owned).to_vec();
        for number in 2..=size {
            let name = format!("game{number}");
            cluster.set(&format!("servers.{name}"), game.clone());
            cluster.set(&format!("servers.{name}.name"), name.as_str());
            names.push(name);
        }
        cluster.start();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let calls = Calls {
            rhythm: Rhythm::Every(PACE),
            ..calls(CHAIN, PLAYERS * size, 1)
        };
        row.cost(cluster.netport(), &pids(&cluster, &names), &calls)
    });
}
