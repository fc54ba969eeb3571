//! Calls over a link on loopback and back, both ends on one thread: outbox, stage, socket, decoder and the table of calls together.
//!
//! `cargo bench -p lampyris-runtime --bench link`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::link::{
    Acceptor, Conn, Dialer, Gatekeeper, Identity, Inbound, Intake, LinkId, LinkSettings, Peer, Refusal,
    Request, Term, accept, dial,
};
use lampyris_runtime::name::{HandlerId, Incarnation, NodeName};
use lampyris_runtime::reply::{ReplySink, ReplyTo, Write, Wrote};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

const SECRET: &[u8] = b"a secret of sixteen";

/// Answers each request with its body.
struct Echo;

struct Echoes(Arc<Conn>);

impl Intake for Echoes {
    fn request(&mut self, request: Request) {
        if let Some(call) = request.call {
            self.0.reply_bytes(call, request.body);
        }
    }
}

impl Inbound for Echo {
    fn intake(&self, conn: &Arc<Conn>) -> Box<dyn Intake> {
        Box::new(Echoes(Arc::clone(conn)))
    }

    fn up(&self, _: &LinkId) {}

    fn down(&self, _: &LinkId, _: &str) {}
}

/// Lets everybody in.
struct Open(Peer);

impl Gatekeeper for Open {
    fn admit(&self, _: &Identity) -> Result<Peer, Refusal> {
        Ok(self.0.clone())
    }
}

/// Counts answers down.
struct Awaited {
    left: AtomicUsize,
    all: Notify,
}

impl ReplySink for Awaited {
    fn reply(&self, _: u64, write: Write<'_>) -> Option<ErrorKind> {
        write(&mut BytesMut::new()).expect("a body");
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.all.notify_one();
        }
        None
    }

    fn fault(&self, _: u64, fault: Fault) {
        panic!("{fault}");
    }
}

fn peer(name: &str) -> Peer {
    let name = NodeName::new(name).expect("a name");
    Peer::new(name, Arc::new(LinkSettings::default()), Arc::new(Echo))
}

fn identity(name: &str) -> Identity {
    Identity {
        name: NodeName::new(name).expect("a name"),
        incarnation: Incarnation::draw().expect("random bits"),
        pid: std::process::id(),
        succeeds: None,
    }
}

/// The child's end of a link that is up, with its tasks on the runtime.
async fn link() -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address").to_string();
    let acceptor = Acceptor {
        me: identity("gate"),
        secret: SECRET.into(),
        tls: None,
        handshake: Duration::from_secs(2),
        gatekeeper: Arc::new(Open(peer("net"))),
        strangers: Arc::default(),
        spawn: |task| tokio::spawn(task).abort_handle(),
    };
    tokio::spawn(accept(listener, Arc::new(acceptor)));
    let (gate, (target, known)) = (peer("gate"), watch::channel(Some(addr)));
    let dialer = Dialer {
        me: identity("net"),
        secret: SECRET.into(),
        tls: None,
        target: known,
        on_failure: Box::new(|error| panic!("{error}")),
    };
    let theirs = gate.clone();
    tokio::spawn(async move {
        let _target = target;
        dial(dialer, theirs).await;
    });
    while !gate.is_up() {
        tokio::task::yield_now().await;
    }
    gate
}

async fn calls(peer: &Peer, count: usize) {
    let awaited = Arc::new(Awaited {
        left: AtomicUsize::new(count),
        all: Notify::new(),
    });
    let now = Instant::now();
    for _ in 0..count {
        let sink: Arc<dyn ReplySink> = Arc::clone(&awaited) as _;
        let mut write = |out: &mut BytesMut| {
            out.extend_from_slice(b"a short payload of 32 bytes, say");
            Ok(Wrote::Reply)
        };
        let (handler, limit) = (HandlerId(1), Duration::from_secs(5));
        peer.call(handler, Term::new(now, limit), &mut write, ReplyTo::new(sink, 0));
    }
    awaited.all.notified().await;
}

fn links(c: &mut Criterion) {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let peer = runtime.block_on(link());
    let mut group = c.benchmark_group("link, calls and answers at once");
    for count in [1, 64, 1024] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(count.to_string(), |b| {
            b.iter(|| runtime.block_on(calls(&peer, count)));
        });
    }
    group.finish();
}

criterion_group!(benches, links);
criterion_main!(benches);
