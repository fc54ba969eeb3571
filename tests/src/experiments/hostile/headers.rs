//! Headers that cannot be.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::super::{Experiment, Record, Strength, must};
use super::{ECHO, Memory};
use crate::Cluster;
use crate::client::{Client, Frame, HEADER, encode};
use crate::spread::Spread;

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-32",
    title: "lengths from 0 to 2^32-1, other head bytes and versions, headers cut at each byte",
    must: "closed 10 ms after the bad header; memory grows by at most 64 KiB; good ones work",
    best: "",
    run,
};

const MAX_FRAME: u32 = 64 * 1024;

fn run(strength: Strength, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let net = cluster.admin().pid("net");
    let mut regular = cluster.client();
    let mut echo = || {
        let answer = regular.ask(ECHO, "still here").expect("an answer");
        assert_eq!(answer, Frame::new(ECHO, "still here"));
    };
    let bad = bad_headers();
    // What is made once for all, such as the allocator's pages, is made now.
    for _ in 0..strength.pick(1, 300) {
        round(&cluster, &bad, &mut echo);
    }
    let memory = Memory::of(&cluster, &["net"]);
    let rounds = strength.pick(5, 100);
    let times: Vec<Duration> = (0..rounds)
        .flat_map(|_| round(&cluster, &bad, &mut echo))
        .collect();
    memory.tell(rounds * bad.len(), record);
    let times = Spread::of(times);
    record.exactly(
        "bad headers that ended their connection",
        times.count(),
        rounds * bad.len(),
    );
    record.time("to the end of the connection, p99", times.part(99.0), must(10.0));
    record.at_most("memory, more", memory.more() as f64 / 1024.0, "KiB", must(64.0));
    good_ones_work(&cluster);
    cut_ones_are_let_go(&cluster, &mut echo);
    assert_eq!(cluster.admin().pid("net"), net, "the node was restarted");
}

fn bad_headers() -> Vec<Vec<u8>> {
    let with_length = |length: u32| {
        let mut header = encode(ECHO, "");
        header[9..13].copy_from_slice(&length.to_be_bytes());
        header
    };
    let with_byte = |at: usize| {
        let mut header = encode(ECHO, "");
        header[at] = 0x47;
        header
    };
    let lengths = [0, 1, 2, 3, MAX_FRAME + 1, (1 << 31) - 1, 1 << 31, u32::MAX];
    lengths
        .into_iter()
        .map(with_length)
        .chain((0..9).map(with_byte))
        .collect()
}

/// Sends each, and gives how long its connection lived.
fn round(cluster: &Cluster, bad: &[Vec<u8>], echo: &mut impl FnMut()) -> Vec<Duration> {
    let one = |header: &Vec<u8>| {
        let mut client = cluster.client();
        let sent = Instant::now();
        client.send_bytes(header).expect("to send");
        assert!(client.is_closed_by_server(), "{header:02x?}");
        let took = sent.elapsed();
        echo();
        took
    };
    bad.iter().map(one).collect()
}

fn good_ones_work(cluster: &Cluster) {
    let mut client = cluster.client();
    for length in [0, 1, MAX_FRAME as usize - 4] {
        let payload = "x".repeat(length);
        assert_eq!(
            client.ask(ECHO, &payload).expect("an answer"),
            Frame::new(ECHO, payload)
        );
    }
    let frame = encode(ECHO, "in pieces");
    for at in 1..=HEADER {
        client.send_bytes(&frame[..at]).expect("to send");
        client.send_bytes(&frame[at..]).expect("to send");
        assert_eq!(
            client.receive().expect("an answer"),
            Frame::new(ECHO, "in pieces")
        );
    }
}

/// Whoever closes in the middle of a header is let go without an answer.
fn cut_ones_are_let_go(cluster: &Cluster, echo: &mut impl FnMut()) {
    let frame = encode(ECHO, "cut");
    for at in 1..frame.len() {
        let stream = TcpStream::connect(cluster.netport()).expect("because the node listens");
        let mut client = Client::over(stream.try_clone().expect("a copy"));
        client.send_bytes(&frame[..at]).expect("to send");
        stream
            .shutdown(std::net::Shutdown::Write)
            .expect("to close one side");
        let mut rest = Vec::new();
        (&stream).read_to_end(&mut rest).expect("it is closed");
        assert!(rest.is_empty(), "cut at {at}: {rest:02x?}");
        echo();
    }
}
