//! Three times the load that can be carried.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::super::record::millis;
use super::super::{Experiment, Record, Strength, must};
use super::Memory;
use crate::Cluster;
use crate::client::{HEADER, decode, encode};
use crate::spread::Spread;

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "R-39",
    title: "three times the load that the game can carry",
    must: "at least 85 % of the most it can carry is carried; the rest is refused after 10 ms; memory is bounded; a second \
           after the end all is well",
    best: "95 %",
    run,
};

/// Answers after a while, in the game.
const WAIT_IN_GAME: u32 = 3;

/// How long a call stays with the game, which thus carries so many in that time as it may have in flight.
const STAY: Duration = Duration::from_millis(50);

/// Over how many connections, in the full form: so many that none has an older call under way. On one connection
/// answers to a command leave in order, so that a refusal would wait for the calls before it.
const CONNECTIONS: u32 = 1200;

fn run(strength: Strength, record: &mut Record) {
    let most: u32 = strength.pick(10, 100);
    let mut cluster = Cluster::of_test_apps();
    cluster.set("servers.game1.max_in_flight", most);
    cluster.start();
    let capacity = f64::from(most) / STAY.as_secs_f64();
    let connections = strength.pick(CONNECTIONS / 10, CONNECTIONS);
    let time = strength.pick(Duration::from_secs(3), Duration::from_secs(30));
    let to = cluster.netport();
    // A little above what can be carried shows how much that is.
    let peak = flood(to, connections, capacity * 1.1, time / 2);
    let memory = Memory::of(&cluster, &["net", "gate", "game1"]);
    let flooded = flood(to, connections, capacity * 3.0, time);
    let more = memory.more();
    memory.tell(flooded.carried.len() + flooded.refused.len(), record);
    let calm = flood(to, connections, capacity * 0.5, time / 2);
    let carried = |seen: &Seen, time: Duration| seen.carried.len() as f64 / time.as_secs_f64();
    let (best, meanwhile) = (carried(&peak, time / 2), carried(&flooded, time));
    record.told("the most that is carried", best, "a second");
    record.at_least(
        "carried meanwhile",
        meanwhile / best * 100.0,
        "%",
        must(85.0).best(95.0),
    );
    let refusals = Spread::of(flooded.refused.iter().copied());
    assert!(refusals.count() > flooded.carried.len(), "most are refused");
    record.time("a refusal, p50", refusals.part(50.0), must(10.0));
    record.told("a refusal, p99", millis(refusals.part(99.0)), "ms");
    record.exactly(
        "calls with neither answer nor refusal",
        flooded.silent + calm.silent,
        0,
    );
    record.at_most("memory, more", more as f64 / (1 << 20) as f64, "MiB", must(32.0));
    record.at_most("refused after the end", calm.refused.len() as f64, "", must(0.0));
}

/// What became of the calls of a flood.
#[derive(Debug, Default)]
struct Seen {
    carried: Vec<Duration>,
    refused: Vec<Duration>,
    silent: usize,
}

/// Sends at a rate, whatever becomes of it, and waits for the last answers.
fn flood(to: SocketAddr, connections: u32, per_second: f64, time: Duration) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("because a runtime needs no more than a thread");
    let every = Duration::from_secs_f64(f64::from(connections) / per_second);
    LocalSet::new().block_on(&runtime, async move {
        let begin = Instant::now();
        let one = |number: u32| {
            let first = begin + every * number / connections;
            tokio::task::spawn_local(connection(to, first, every, begin + time))
        };
        let all: Vec<_> = (0..connections).map(one).collect();
        let mut sum = Seen::default();
        for one in all {
            let seen = one.await.expect("because it panics at nonsense only");
            sum.carried.extend(seen.carried);
            sum.refused.extend(seen.refused);
            sum.silent += seen.silent;
        }
        sum
    })
}

async fn connection(to: SocketAddr, first: Instant, every: Duration, end: Instant) -> Seen {
    let stream = TcpStream::connect(to).await.expect("because the node listens");
    stream.set_nodelay(true).expect("because it is a socket");
    let (mut reader, mut writer) = stream.into_split();
    let under_way: Rc<RefCell<VecDeque<Instant>>> = Rc::default();
    let all_sent = Rc::new(Cell::new(false));
    let sent = (Rc::clone(&under_way), Rc::clone(&all_sent));
    let sender = tokio::task::spawn_local(async move {
        let frame = encode(WAIT_IN_GAME, &format!("{} x", STAY.as_millis()));
        let mut due = first;
        while due < end {
            tokio::time::sleep_until(due.into()).await;
            sent.0.borrow_mut().push_back(due);
            writer.write_all(&frame).await.expect("because the node reads");
            due += every;
        }
        sent.1.set(true);
        writer
    });
    let mut seen = Seen::default();
    while !(all_sent.get() && under_way.borrow().is_empty()) {
        let frame = tokio::time::timeout(Duration::from_secs(8), next(&mut reader)).await;
        let Ok(Ok(command)) = frame else { break };
        let due = under_way
            .borrow_mut()
            .pop_front()
            .expect("because it answers something");
        match command {
            0 => seen.refused.push(due.elapsed()),
            _ => seen.carried.push(due.elapsed()),
        }
    }
    seen.silent = under_way.borrow().len();
    drop(sender.await.expect("because the node reads"));
    seen
}

/// The command of the next frame.
async fn next(reader: &mut tokio::net::tcp::OwnedReadHalf) -> std::io::Result<u32> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).await?;
    let (command, length) = decode(&header)?;
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).await?;
    Ok(command)
}
