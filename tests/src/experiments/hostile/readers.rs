//! Clients that do not read what they are sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use super::Memory;
use super::regulars::{REGULARS, Regulars};
use crate::Cluster;
use crate::client::Client;
use crate::wait::{until, within};

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-30",
    title: "ten of a thousand clients never read while 1 KiB is pushed to all a hundred times a second",
    must: "each of them is disconnected at 1 MiB or after 10 s; the others' p99 grows by at most 5 %, memory by at most \
           20 MiB",
    best: "p99 +1 %",
    run,
};

/// Pushes the payload to all clients.
const PUSH_ALL: u32 = 8;

/// How long a client may take nothing.
const STALL: f64 = 10_000.0;

fn run(strength: Strength, record: &mut Record) {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    let (readers, silent) = strength.pick((50, 5), (990, 10));
    let crowd = Drains::connect(&cluster, readers);
    let mut pusher = cluster.client();
    let size = strength.pick(16 * 1024, 1024);
    let payload = "x".repeat(size);
    let regulars = Regulars::at(cluster.netport());
    let calm = Instant::now();
    push_for(
        &mut pusher,
        &payload,
        strength.pick(Duration::from_millis(500), Duration::from_secs(10)),
    );
    let memory = Memory::of(&cluster, &["net"]);
    let begun = Instant::now();
    let deaf: Vec<Client> = (0..silent).map(|_| deaf(cluster.netport())).collect();
    let mut most = 0;
    let gone = within(Duration::from_secs(120), || {
        push_for(&mut pusher, &payload, Duration::from_millis(50));
        most = most.max(memory.more());
        (sessions(&mut pusher) == readers + REGULARS + 1).then_some(())
    });
    assert!(gone.is_some(), "clients that read nothing are still connected");
    let took = begun.elapsed();
    let after = Instant::now();
    push_for(&mut pusher, &payload, Duration::from_millis(200));
    let seen = regulars.go();
    crowd.end();
    drop(deaf);
    memory.tell(silent, record);
    // Filling the kernel's buffers takes its time; then the stall begins.
    record.at_most(
        "until the last was disconnected",
        millis(took),
        "ms",
        must(STALL * 3.0),
    );
    record.at_most(
        "memory of net while they did not read, more",
        most as f64 / (1 << 20) as f64,
        "MiB",
        must(20.0),
    );
    let calm = seen.between(calm, begun).part(99.0);
    let p99 = seen.between(begun, after).part(99.0);
    record.told("p99 of the others before", millis(calm), "ms");
    record.time(
        "p99 of the others meanwhile",
        p99,
        must(millis(calm) * 1.05).best(millis(calm) * 1.01),
    );
}

/// A client that reads nothing, on a socket that takes little.
fn deaf(to: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("because it is new");
    socket.connect(&to.into()).expect("because the node listens");
    Client::over(socket.into())
}

/// Pushes for a while, at most a hundred times a second.
fn push_for(pusher: &mut Client, payload: &str, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        let due = Instant::now() + Duration::from_millis(10);
        pusher.send(PUSH_ALL, payload).expect("to send");
        // The answer; pushes come before it.
        while pusher.receive().expect("an answer").command != PUSH_ALL {}
        while Instant::now() < due {
            std::thread::park_timeout(due - Instant::now());
        }
    }
}

/// How many a push reaches.
fn sessions(pusher: &mut Client) -> usize {
    pusher.send(PUSH_ALL, "how many?").expect("to send");
    loop {
        let frame = pusher.receive().expect("an answer");
        if frame.command == PUSH_ALL {
            let count = frame
                .payload
                .rsplit(' ')
                .next()
                .and_then(|count| count.parse().ok());
            return count.unwrap_or_else(|| panic!("{frame:?}"));
        }
    }
}

/// Clients that read and throw away, in one thread.
struct Drains {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Drains {
    fn connect(cluster: &Cluster, count: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (here, to) = (Arc::clone(&over), cluster.netport());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .expect("because a runtime needs no more than a thread")
                .block_on(async {
                    for _ in 0..count {
                        let mut stream = tokio::net::TcpStream::connect(to)
                            .await
                            .expect("because the node listens");
                        tokio::spawn(
                            async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await },
                        );
                    }
                    while !here.load(Ordering::Relaxed) {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                });
        });
        let mut asker = cluster.client();
        until("all readers", || (sessions(&mut asker) > count).then_some(()));
        Self { over, thread }
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("because it only reads");
    }
}
