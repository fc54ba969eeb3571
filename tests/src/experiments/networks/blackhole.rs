//! Nothing comes through between the game and its parent any more, and nobody is told.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Experiment, Record, Strength, must};
use super::started;
use crate::Cluster;
use crate::cluster::random;
use crate::load::Load;
use crate::namespace::Routed;
use crate::process::Process;
use crate::proxy::{Faults, Way};
use crate::rig::Rig;
use crate::wait::until;

/// A router between two hosts, the game on the second and all others on the first, passes nothing on for a while,
/// and then everything again. Packets are lost as on a real network: nobody is told, and what is sent again comes
/// late.
pub(super) const BOTH_WAYS: Experiment = Experiment {
    id: "R-20",
    title: "a silent blackhole between the game and its parent, then none",
    must: "both ends know within 3.5 s; calls end typed; the link is back within 1 s; nothing twice",
    best: "2 s; 300 ms",
    run: |strength, record| {
        let done = Routed::new().and_then(|hosts| hosts.on(0, || both_ways(&hosts, strength, record))?);
        if let Err(why) = done {
            record.skip(why);
        }
    },
};

/// A proxy between the two swallows all bytes of one direction, and passes them on when it is over.
pub(super) const ONE_WAY: Experiment = Experiment {
    id: "R-21",
    title: "a silent blackhole in each direction alone",
    must: "as R-20; one link lost and one new one at each end",
    best: "as R-20",
    run: |strength, record| {
        let (up, down) = (Way::default(), Way::default());
        one_way("to the parent", Faults { up: BLACK, down }, strength, record);
        one_way("to the child", Faults { up, down: BLACK }, strength, record);
    },
};

/// Nothing comes through.
pub(super) const BLACK: Way = Way {
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    slice: None,
    limit: None,
    blackhole: true,
};

fn both_ways(hosts: &Routed, strength: Strength, record: &mut Record) -> Result<(), String> {
    let (rig, game) = rig_on(hosts, |clients| Load::usual(clients, strength))?;
    let said = |cluster: &Cluster| [cluster.log("gate"), game.output()];
    let cut = |cut: bool| {
        hosts
            .pass([!cut; 2])
            .expect("because the router could be told before")
    };
    let time = strength.pick(Duration::from_secs(2), Duration::from_secs(27));
    cut_and_heal("both ways", rig, cut, said, time, record);
    Ok(())
}

fn one_way(name: &str, faults: Faults, strength: Strength, record: &mut Record) {
    let (rig, proxy) = started(&["game1"], strength);
    let said = |cluster: &Cluster| [cluster.log("gate"), cluster.log("game1")];
    let cut = |cut: bool| if cut { proxy.set(faults) } else { proxy.heal() };
    let time = strength.pick(Duration::from_millis(1500), Duration::from_secs(27));
    cut_and_heal(name, rig, cut, said, time, record);
}

/// Cuts the network, lets both ends know and goes on so for a while, and heals it. `said` gives the logs of gate and
/// game.
fn cut_and_heal(
    name: &str,
    rig: Rig,
    cut: impl Fn(bool),
    said: impl Fn(&Cluster) -> [String; 2],
    time: Duration,
    record: &mut Record,
) {
    let count = |cluster: &Cluster, news: &str| {
        let [gate, game] = said(cluster);
        let count = |log: &str, peer: &str| log.matches(&format!("{news} peer={peer} ")).count();
        [count(&gate, "game1"), count(&game, "gate")]
    };
    rig.load.go_on_for(Duration::from_millis(200));
    let before = Instant::now();
    cut(true);
    let mut known = [None; 2];
    let known = until("both ends know", || {
        let lost = count(&rig.cluster, "link lost");
        for (known, lost) in known.iter_mut().zip(lost) {
            *known = known.or_else(|| (lost > 0).then(|| before.elapsed()));
        }
        Some([known[0]?, known[1]?])
    });
    rig.load.go_on_for(time);
    let healed = Instant::now();
    cut(false);
    rig.load.until_served();
    let title = format!("blackhole {name}");
    let (cluster, outcome) = rig.conclude(&title);
    for (end, known) in ["parent", "child"].into_iter().zip(known) {
        record.time(
            format!("{title}: the {end} knows"),
            known,
            must(3500.0).best(2000.0),
        );
    }
    let served = outcome.served_after(healed);
    record.time(
        format!("{title}: healed to served"),
        served,
        must(1000.0).best(300.0),
    );
    let [lost, up] = ["link lost", "link up"].map(|news| count(&cluster, news));
    record.exactly(format!("{title}: links lost"), lost[0] + lost[1], 2);
    record.exactly(
        format!("{title}: links up, first ones included"),
        up[0] + up[1],
        4,
    );
    let broken = outcome.count("closed") + outcome.refused();
    record.exactly(format!("{title}: connections lost or refused"), broken, 0);
    let typed: usize = ["link_lost", "not_sent", "timeout"]
        .map(|error| outcome.count(error))
        .iter()
        .sum();
    record.exactly(
        format!("{title}: calls that ended otherwise than with link_lost, not_sent or timeout"),
        outcome.failed() - typed,
        0,
    );
}

/// A cluster under load whose game lives on the second host; and the game. To be called on the first host.
pub(super) fn rig_on(
    hosts: &Routed,
    load: impl FnOnce(SocketAddr) -> Load,
) -> Result<(Rig, Arc<Process>), String> {
    let [here, _] = Routed::ADDRESSES;
    let mut cluster = Cluster::of_test_apps();
    share_secret(&mut cluster);
    cluster
        .set("master.rootbind", "0.0.0.0")
        .set("master.roothost", here)
        .set("servers.gate.rootbind", "0.0.0.0")
        .set("servers.game1.start", false);
    let master = cluster.run(&[]);
    master.line("net    | ready");
    let game = hosts.on(1, || cluster.run_node("game1"))?;
    master.line("game1  | ready");
    Ok((Rig::under(load(cluster.netport()), cluster), game))
}

/// Gives the cluster a secret that all hosts share, and lets its links leave loopback.
fn share_secret(cluster: &mut Cluster) {
    let file = cluster.folder().join("hosts.secret");
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut open = options.open(&file).expect("because the folder is ours");
    write!(open, "{:016x}{:016x}", random(), random()).expect("because there is room");
    cluster.set("secret_file", file.to_string_lossy().into_owned());
    cluster.set("link.allow_plaintext", true);
}
