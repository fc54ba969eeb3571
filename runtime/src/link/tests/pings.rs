//! A long message does not hold up the heartbeats.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::beat::Beat;
use crate::link::machine::Machine;
use crate::link::outbox::STAGE;
use crate::wire::CHUNK;

const LONG: usize = 16 << 20;

#[tokio::test]
async fn a_ping_waits_for_one_stage_of_a_long_message_at_most() {
    let settings = LinkSettings::default();
    let end = End::new("game1", &settings);
    let (conn, begun) = (conn(&settings), clock());
    let seated = end.peer.attach(&conn, begun);
    let mut machine = Machine::new(seated, BytesMut::new(), Beat::since(begun), begun);
    let _waiting = call(&end.peer, ECHO, &vec![7; LONG], PATIENCE);
    let mut written = 0;
    let mut pings = 0;
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    while conn.poll_staging(&mut machine.stage, &mut task).is_ready() {
        let stage: usize = machine.stage.drain(..).map(|part| part.len()).sum();
        assert!(stage <= STAGE + CHUNK, "{stage}");
        written += stage;
        // Meanwhile a heartbeat is due: it is the first to go out next.
        let now = machine.next().max(begun + (pings + 1) * settings.heartbeat);
        machine.buffer.extend_from_slice(&ping());
        machine.on_bytes(machine.buffer.len(), now).unwrap();
        machine.on_time(now).unwrap();
        assert!(conn.poll_staging(&mut machine.stage, &mut task).is_ready());
        const PONG: u8 = 7;
        assert_eq!(machine.stage[0][4], PONG);
        pings += 1;
        if written > LONG {
            return;
        }
    }
    panic!("only {written} bytes were written");
}

/// The bytes of a ping.
fn ping() -> BytesMut {
    let mut bytes = BytesMut::new();
    crate::wire::put_control(&crate::wire::Frame::Ping(1), &mut bytes);
    bytes
}

/// Moves bytes at 1 Gbit/s.
async fn gigabit(from: DuplexStream, to: DuplexStream) {
    let (from_read, from_write) = tokio::io::split(from);
    let (to_read, to_write) = tokio::io::split(to);
    tokio::join!(one_way(from_read, to_write), one_way(to_read, from_write));
}

async fn one_way(mut from: tokio::io::ReadHalf<DuplexStream>, mut to: tokio::io::WriteHalf<DuplexStream>) {
    const A_MILLISECOND: usize = 125_000;
    let mut buffer = vec![0; A_MILLISECOND];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let takes = Duration::from_micros(read as u64 * 1000 / A_MILLISECOND as u64);
        tokio::time::sleep(takes).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_message_over_a_gigabit_delays_no_ping_by_a_tenth_of_a_second() {
    let settings = LinkSettings {
        heartbeat: Duration::from_millis(5),
        ..LinkSettings::default()
    };
    let (net, gate) = (End::new("gate", &settings), End::new("net", &settings));
    let (near, far) = (tokio::io::duplex(256 * 1024), tokio::io::duplex(256 * 1024));
    let road = tokio::spawn(gigabit(near.1, far.1));
    let (here, there) = (conn(&settings), conn(&settings));
    let tasks = [
        (net.peer.clone(), near.0, Arc::clone(&here)),
        (gate.peer.clone(), far.0, there),
    ]
    .map(|(peer, stream, conn)| {
        tokio::spawn(async move { task::run(stream, peer.attach(&conn, clock()), BytesMut::new()).await })
    });
    while !net.peer.is_up() || !gate.peer.is_up() {
        tokio::task::yield_now().await;
    }
    let begun = clock();
    let mut waiting = call(&net.peer, ECHO, &vec![7; LONG], PATIENCE);
    let mut trips = Vec::new();
    let reply = loop {
        tokio::select! {
            reply = &mut waiting => break reply.unwrap().unwrap(),
            () = tokio::time::sleep(Duration::from_millis(1)) => {
                trips.push(here.counters.round_trip.swap(0, Ordering::Relaxed));
            }
        }
    };
    assert_eq!(reply.len(), LONG);
    assert!(
        clock() - begun > Duration::from_millis(200),
        "both ways at 1 Gbit/s"
    );
    trips.retain(|micros| *micros > 0);
    // Not one for each heartbeat: the ends leave pings to each other.
    assert!(trips.len() > 8, "{trips:?}");
    assert!(trips.iter().all(|micros| *micros < 100_000), "{trips:?}");
    for task in tasks {
        task.abort();
    }
    road.abort();
}
