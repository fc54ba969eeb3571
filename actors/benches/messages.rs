//! What messages cost on their way between bytes and handlers: a client's command, a message of another node, and a reply that is
//! handed on from a link to a client.
//!
//! `cargo bench -p lampyris --bench messages`.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use lampyris::message::{Callable, Origin};
use lampyris::prelude::*;
use lampyris_runtime::codec;
use lampyris_runtime::name::NodeName;

#[derive(Serialize, Deserialize)]
struct Move {
    x: i32,
    y: i32,
}

#[derive(Command)]
#[command(1, reply = Json<Move>)]
struct Step {
    to: Json<Move>,
}

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "room.join", reply = String)]
struct Join {
    player: String,
    room: u64,
}

fn commands(c: &mut Criterion) {
    let origin = Origin::Node(NodeName::new("net").expect("a name"));
    let payload = Bytes::from_static(br#"{"x":17,"y":-4}"#);
    c.bench_function("command with JSON, read", |b| {
        b.iter(|| Step::read(black_box(payload.clone()), &origin).map(|step| step.to.0.x));
    });
    let (reply, mut out) = (Json(Move { x: 17, y: -4 }), BytesMut::with_capacity(4096));
    c.bench_function("command with JSON, write the reply", |b| {
        b.iter(|| {
            out.clear();
            Step::write(black_box(&reply), &mut out)
        });
    });
    let body = codec::to_bytes(&reply).expect("a reply");
    let relay = Step::RELAY.expect("a command has one");
    c.bench_function("command with JSON, hand a node's reply on", |b| {
        b.iter(|| {
            out.clear();
            relay(black_box(&body), &mut out)
        });
    });
}

fn remotes(c: &mut Criterion) {
    let origin = Origin::Node(NodeName::new("net").expect("a name"));
    let join = Join {
        player: "an ordinary name".to_owned(),
        room: 4711,
    };
    let body = codec::to_bytes(&join).expect("a message");
    c.bench_function("message of a node, read", |b| {
        b.iter(|| {
            Join::read(black_box(body.clone()), &origin).map(|join| join.room + join.player.len() as u64)
        });
    });
    let (reply, mut out) = ("a short reply".to_owned(), BytesMut::with_capacity(4096));
    c.bench_function("message of a node, write the reply", |b| {
        b.iter(|| {
            out.clear();
            Join::write(black_box(&reply), &mut out)
        });
    });
}

criterion_group!(messages, commands, remotes);
criterion_main!(messages);
