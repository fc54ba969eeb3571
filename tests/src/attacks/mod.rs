//! What brought Firefly down or left its players without an answer, tried against these nodes.
//!
//! Each is a test by its name; `cluster-tests attacks` does all of them and writes the table of docs/attacks.md.

mod ends;
mod peers;
mod requests;

use std::fmt::Write as _;

use crate::Cluster;
use crate::vitals::Vitals;
use crate::wait::until;

/// The command of the test's net node that game1 answers after a time.
const WAIT_IN_GAME: u32 = 3;

/// The nodes whose memory is told.
const NODES: [&str; 3] = ["gate", "net", "game1"];

/// One attack.
pub struct Attack {
    /// Its name, also of its test.
    pub name: &'static str,
    /// What it did to Firefly.
    pub in_firefly: &'static str,
    /// Does it; gives how many inputs were tried, and what happened. Panics if that is not as promised.
    pub run: fn(&Cluster) -> (usize, String),
}

/// All of them.
pub const ATTACKS: &[Attack] = &[
    Attack {
        name: "lengths from 0 to 3, and above the limit",
        in_firefly: "a negative payload length; up to 4 GiB are buffered",
        run: requests::lengths,
    },
    Attack {
        name: "a command that nobody answers",
        in_firefly: "no answer, for ever",
        run: requests::unknown_command,
    },
    Attack {
        name: "a handler that raises",
        in_firefly: "no answer, for ever",
        run: requests::raising_handler,
    },
    Attack {
        name: "a child that is not connected",
        in_firefly: "no answer, for ever",
        run: requests::absent_child,
    },
    Attack {
        name: "a handler that never answers",
        in_firefly: "no call has a deadline",
        run: requests::silent_handler,
    },
    Attack {
        name: "a node is killed",
        in_firefly: "the master never looks at its children again",
        run: ends::killed_node,
    },
    Attack {
        name: "nodes die again and again",
        in_firefly: "dead children are never reaped",
        run: ends::many_deaths,
    },
    Attack {
        name: "the cluster is stopped with a call under way",
        in_firefly: "a call to each node, and half a second; in no order",
        run: ends::stop_with_a_call,
    },
    Attack {
        name: "GET /stop and GET /reloadmodule",
        in_firefly: "anyone stops the cluster, on all addresses",
        run: ends::unauthenticated_stop,
    },
    Attack {
        name: "a stranger at the root port",
        in_firefly: "anyone is taken under any name",
        run: peers::stranger,
    },
    Attack {
        name: "a second peer of a living name",
        in_firefly: "it throws",
        run: peers::second_peer,
    },
    Attack {
        name: "a half-dead link that keeps its name",
        in_firefly: "the restarted node is locked out",
        run: peers::half_dead_link,
    },
    Attack {
        name: "a peer that falls silent, and comes back",
        in_firefly: "no heartbeat; nothing calls reconnect",
        run: peers::silent_peer,
    },
    Attack {
        name: "a peer that gives the master's orders",
        in_firefly: "who is connected may call anything",
        run: peers::false_master,
    },
];

/// Does one, on a cluster of its own, and gives its row of the table: name, Firefly, inputs, what happened, memory
/// before and after of all nodes together.
///
/// # Panics
/// What happened is not as promised, or ordinary clients noticed.
pub fn row(attack: &Attack) -> String {
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.net.call_timeout", "1s");
    // To tell where a panic came from takes the memory of all debug information.
    cluster.variable("RUST_BACKTRACE", "0");
    cluster.start();
    let admin = cluster.admin();
    // What is made at the first request is made now.
    cluster.until_answered(WAIT_IN_GAME, "1 x", "x");
    let memory = || -> f64 {
        let pids = NODES.map(|name| admin.pid(name));
        pids.iter()
            .filter_map(|pid| Vitals::of(*pid))
            .map(|vitals| vitals.mib())
            .sum()
    };
    let before = memory();
    let (inputs, happened) = (attack.run)(&cluster);
    cluster.until_answered(WAIT_IN_GAME, "1 x", "x");
    admin.until_all_ready();
    let after = memory();
    let Attack { name, in_firefly, .. } = attack;
    format!("| {name} | {in_firefly} | {inputs} | {happened} | {before:.1} MiB | {after:.1} MiB |")
}

/// The whole table, as Markdown.
pub fn table() -> String {
    let mut table = String::from(
        "| attack | in Firefly | inputs | here | memory before | after |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for attack in ATTACKS {
        // A `String` takes every line.
        writeln!(table, "{}", row(attack)).unwrap_or_default();
    }
    table
}

/// Waits until the operator is told so.
fn until_counted(cluster: &Cluster, line: &str) {
    until("what the metrics say", || {
        let answer = cluster.admin().request("GET", "/metrics");
        answer.body.contains(line).then_some(())
    });
}
