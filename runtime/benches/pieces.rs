//! What the small pieces of a call cost: frames of clients and links, the codec, the table of calls.
//!
//! `cargo bench -p lampyris-runtime --bench pieces`; a word behind `--` chooses those with it in their names.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use lampyris_runtime::codec;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::link::calls::{Calls, Pending};
use lampyris_runtime::name::HandlerId;
use lampyris_runtime::packet::{Dialect, Firefly};
use lampyris_runtime::reply::{ReplySink, ReplyTo, Write, Wrote};
use lampyris_runtime::wire::{Decoder, Head, put_message};
use serde::{Deserialize, Serialize};

/// The limit of all messages here.
const LIMIT: usize = 64 * 1024;

/// A payload as clients send it.
const PAYLOAD: &[u8] = b"a short payload of 32 bytes, say";

/// A small message between nodes.
#[derive(Serialize, Deserialize)]
struct Join {
    player: String,
    room: u64,
    level: Option<u16>,
}

fn put(out: &mut BytesMut) -> Result<Wrote, Fault> {
    out.extend_from_slice(PAYLOAD);
    Ok(Wrote::Reply)
}

fn client_frames(c: &mut Criterion) {
    let firefly = Firefly::default();
    let mut frame = BytesMut::new();
    firefly.encode(300, &mut put, LIMIT, &mut frame).expect("a frame");
    c.bench_function("client frame, encode", |b| {
        let mut out = BytesMut::with_capacity(LIMIT);
        b.iter(|| {
            out.clear();
            firefly.encode(black_box(300), &mut put, LIMIT, &mut out)
        });
    });
    c.bench_function("client frame, decode", |b| {
        b.iter_batched_ref(
            || frame.clone(),
            |bytes| firefly.decode(bytes, LIMIT),
            BatchSize::SmallInput,
        );
    });
}

fn link_frames(c: &mut Criterion) {
    let head = Head::Request {
        call: 7,
        budget: 5000,
        handler: HandlerId(300),
    };
    let mut frame = BytesMut::new();
    put_message(head, &mut put, LIMIT, &mut frame).expect("a frame");
    c.bench_function("link frame, encode", |b| {
        let mut out = BytesMut::with_capacity(LIMIT);
        b.iter(|| {
            out.clear();
            put_message(black_box(head), &mut put, LIMIT, &mut out)
        });
    });
    c.bench_function("link frame, decode", |b| {
        let mut decoder = Decoder::new(LIMIT);
        b.iter_batched_ref(
            || frame.clone(),
            |bytes| decoder.next(bytes),
            BatchSize::SmallInput,
        );
    });
}

fn messages(c: &mut Criterion) {
    let message = Join {
        player: "an ordinary name".to_owned(),
        room: 4711,
        level: Some(12),
    };
    let bytes = codec::to_bytes(&message).expect("a message");
    c.bench_function("codec, encode", |b| {
        let mut out = BytesMut::with_capacity(LIMIT);
        b.iter(|| {
            out.clear();
            codec::encode(black_box(&message), &mut out)
        });
    });
    c.bench_function("codec, decode", |b| {
        b.iter(|| codec::decode::<Join>(black_box(&bytes)))
    });
}

/// Whom it does not matter what comes.
struct Nobody;

impl ReplySink for Nobody {
    fn reply(&self, _: u64, _: Write<'_>) -> Option<ErrorKind> {
        None
    }

    fn fault(&self, _: u64, _: Fault) {}
}

fn calls(c: &mut Criterion) {
    let nobody: Arc<dyn ReplySink> = Arc::new(Nobody);
    let pending = || Pending {
        reply: ReplyTo::new(Arc::clone(&nobody), 0),
        mark: 0,
    };
    for waiting in [0, 1000, 100_000] {
        let now = Instant::now();
        let mut calls = Calls::new(now);
        for _ in 0..waiting {
            calls.insert(now + Duration::from_secs(5), pending());
        }
        c.bench_function(&format!("calls, insert and take beside {waiting}"), |b| {
            b.iter(|| {
                let id = calls.insert(now + Duration::from_secs(5), pending());
                calls.take(id).map(|call| call.reply.reply_bytes(Bytes::new()))
            });
        });
    }
}

criterion_group!(pieces, client_frames, link_frames, messages, calls);
criterion_main!(pieces);
