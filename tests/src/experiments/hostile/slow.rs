//! Connections that send a byte a second.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use super::regulars::Regulars;
use super::{ECHO, Memory};
use crate::Cluster;
use crate::client::encode;
use crate::spread::Spread;

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-31",
    title: "5,000 connections that send a byte of a header a second",
    must: "all are closed 5 s after their first byte, give or take half a second; the others' p99 grows by at most 10 %; \
           at most 4 KiB for each such connection",
    best: "",
    run,
};

/// Time for a header.
const HEADER: Duration = Duration::from_secs(5);

fn run(strength: Strength, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let count = strength.pick(300, 5000);
    let regulars = Regulars::at(cluster.netport());
    let calm = Instant::now();
    std::thread::park_timeout(strength.pick(Duration::from_millis(500), Duration::from_secs(5)));
    let memory = Memory::of(&cluster, &["net"]);
    let begun = Instant::now();
    let crawling = std::thread::spawn({
        let to = cluster.netport();
        move || all_crawl(to, count)
    });
    std::thread::park_timeout(HEADER / 2);
    let half = memory.more();
    let lives = crawling.join().expect("because they are closed in time");
    let seen = regulars.go();
    let lives = Spread::of(lives);
    record.exactly("connections that were closed", lives.count(), count);
    record.at_most(
        "the longest was open",
        millis(lives.longest()),
        "ms",
        must(5500.0),
    );
    record.at_least(
        "the median was open",
        millis(lives.part(50.0)),
        "ms",
        must(4500.0),
    );
    memory.tell(count, record);
    let each = half as f64 / count as f64 / 1024.0;
    record.at_most("memory for each half-open connection", each, "KiB", must(4.0));
    let calm = seen.between(calm, begun).part(99.0);
    let p99 = seen.between(begun, Instant::now()).part(99.0);
    record.told("p99 of the others before", millis(calm), "ms");
    record.time("p99 of the others meanwhile", p99, must(millis(calm) * 1.1));
}

/// How long each connection was open after its first byte.
fn all_crawl(to: SocketAddr, count: usize) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("because a runtime needs no more than a thread");
    runtime.block_on(async {
        let crawlers: Vec<_> = (0..count).map(|_| tokio::spawn(crawl(to))).collect();
        let mut lives = Vec::with_capacity(count);
        for crawler in crawlers {
            lives.push(crawler.await.expect("because it is closed in time"));
        }
        lives
    })
}

async fn crawl(to: SocketAddr) -> Duration {
    let mut stream = TcpStream::connect(to).await.expect("because the node listens");
    let begun = Instant::now();
    for byte in encode(ECHO, "never whole") {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        let mut one = [0; 1];
        let end = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut one)).await;
        if end.is_ok() {
            return begun.elapsed();
        }
    }
    begun.elapsed()
}
