//! Any bytes, at every port.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::super::{Experiment, Record, Strength, must};
use super::ECHO;
use super::links::port;
use crate::Cluster;
use crate::client::Frame;
use crate::fuzzing::mutate::Mutator;
use crate::fuzzing::{CLIENT_FRAME, HANDSHAKE, Target};
use crate::vitals::Vitals;
use crate::wait::until;

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-33",
    title: "random bytes: a million connections at the clients' port, as many at a link port, 200,000 at the admin's",
    must: "no panic, no restart; descriptors as before, memory within 2 %",
    best: "",
    run,
};

/// From how many threads at one time.
const THREADS: u64 = 4;

/// A stranger does not wait longer than this for an answer.
const PATIENCE: Duration = Duration::from_millis(20);

fn run(strength: Strength, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let admin = cluster.admin();
    let doors = [
        (
            "net",
            cluster.netport(),
            Some(&CLIENT_FRAME),
            strength.pick(400, 1_000_000),
        ),
        (
            "gate",
            port(&cluster, "servers.gate.rootport"),
            Some(&HANDSHAKE),
            strength.pick(400, 1_000_000),
        ),
        ("master", cluster.webport(), None, strength.pick(200, 200_000)),
    ];
    let mut client = cluster.client();
    for (name, to, like, count) in doors {
        let pid = match name {
            "master" => master_of(&cluster),
            node => admin.pid(node),
        };
        noise(to, like, strength.pick(100, 2000));
        let before = settled(pid, None);
        noise(to, like, count);
        let after = settled(pid, Some(before));
        record.exactly(
            format!("{name}: descriptors, more"),
            after.descriptors.saturating_sub(before.descriptors),
            0,
        );
        let more = after.rss.saturating_sub(before.rss) as f64 / before.rss as f64 * 100.0;
        record.told(format!("{name}: memory before"), before.mib(), "MiB");
        record.told(format!("{name}: memory after"), after.mib(), "MiB");
        record.at_most(
            format!("{name}: memory after {count} connections, more"),
            more,
            "%",
            must(2.0),
        );
        client.send(ECHO, "x").expect("to send");
        // Among so many random bytes are commands too, such as one that is pushed to all.
        let answer = std::iter::repeat_with(|| client.receive().expect("an answer"));
        let answer = answer.take(100_000).find(|frame| frame.command == ECHO);
        assert_eq!(answer, Some(Frame::new(ECHO, "x")));
    }
    let restarts: u64 = admin
        .nodes()
        .iter()
        .map(|node| node["restarts"].as_u64().unwrap_or(1))
        .sum();
    record.exactly("restarts", usize::try_from(restarts).unwrap_or(usize::MAX), 0);
    let panics = cluster.everything_said().matches("panicked").count();
    record.exactly("panics", panics, 0);
    let lines = cluster.log("master").matches("request parse error").count();
    record.exactly("lines of the log about requests that are no HTTP", lines, 0);
}

fn master_of(cluster: &Cluster) -> u32 {
    let nodes: Vec<u32> = ["gate", "net", "game1"]
        .map(|name| cluster.admin().pid(name))
        .into();
    let others = cluster.processes().into_iter().find(|pid| !nodes.contains(pid));
    others.expect("because the master runs")
}

/// Vitals when the last stranger is gone: the descriptors are as few as before, if that is known.
fn settled(pid: u32, before: Option<Vitals>) -> Vitals {
    until("the end of the last connection", || {
        let first = Vitals::of(pid)?;
        std::thread::park_timeout(Duration::from_millis(300));
        let now = Vitals::of(pid)?;
        let few = before.is_none_or(|before| now.descriptors <= before.descriptors);
        (few && now.descriptors == first.descriptors).then_some(now)
    })
}

fn noise(to: SocketAddr, like: Option<&Target>, count: u64) {
    let request =
        || vec![b"GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n".to_vec()];
    let known = like.map_or_else(request, |target| (target.seeds)());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let known = &known;
            scope.spawn(move || {
                let mut mutator = Mutator::new(thread);
                for number in 0..count / THREADS {
                    // Addresses of their own, so that the ports of one do not run out.
                    let from = Ipv4Addr::new(
                        127,
                        1,
                        u8::try_from(thread).unwrap_or(0),
                        1 + (number % 200) as u8,
                    );
                    one(to, from, &mutator.input(known));
                }
            });
        }
    });
}

/// Sends the bytes, waits a moment for an end, and is gone.
fn one(to: SocketAddr, from: Ipv4Addr, bytes: &[u8]) {
    let Ok(mut stream) = connect(to, from) else { return };
    // It may be closed before everything is sent.
    stream.write_all(bytes).unwrap_or_default();
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("because it is not zero");
    drop(stream.read(&mut [0; 512]));
}

fn connect(to: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    // Closed at once: a million connections that wait would be too many for this machine.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.connect_timeout(&to.into(), Duration::from_secs(5))?;
    Ok(socket.into())
}
