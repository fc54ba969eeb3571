//! Both ends of a link over real sockets on loopback.

mod batches;
mod bounds;
mod calls;
mod lives;
mod networks;
mod pings;
mod successors;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::peer::Asked;
use super::task::clock;
use super::*;
use crate::error::{ErrorKind, Fault};
use crate::name::{HandlerId, Incarnation, NodeName};
use crate::reply::{ReplySink, ReplyTo, Write, Wrote};

const ECHO: HandlerId = HandlerId(1);
/// Its requests are handed to the test, which answers when it likes.
const KEEP: HandlerId = HandlerId(2);
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers ECHO, hands KEEP to the test, tells when the link goes up and down.
struct Side {
    kept: mpsc::Sender<Asked>,
    news: mpsc::Sender<String>,
}

impl Inbound for Side {
    fn intake(&self, conn: &Arc<Conn>) -> Box<dyn Intake> {
        let kept = self.kept.clone();
        Asked::intake(conn, move |asked| match asked.handler {
            ECHO => drop(asked.reply.reply_bytes(asked.body)),
            KEEP => kept.try_send(asked).expect("room in the test's queue"),
            _ => asked.reply.fault(Fault::new(ErrorKind::NoSuchHandler, "what?")),
        })
    }

    fn up(&self, link: &LinkId) {
        self.tell(format!("up {}", link.epoch));
    }

    fn down(&self, _link: &LinkId, why: &str) {
        self.tell(format!("down {why}"));
    }

    fn stands_by(&self, link: &LinkId) {
        self.tell(format!("stands by {}", link.epoch));
    }

    fn stood_in_vain(&self, link: &LinkId) {
        self.tell(format!("stood in vain {}", link.epoch));
    }
}

impl Side {
    fn tell(&self, news: String) {
        self.news.try_send(news).expect("room for news");
    }
}

/// One node's end: its peer and what it hears.
struct End {
    peer: Peer,
    kept: mpsc::Receiver<Asked>,
    news: mpsc::Receiver<String>,
}

impl End {
    fn new(of: &str, settings: &LinkSettings) -> Self {
        let (kept, kept_here) = mpsc::channel(100_000);
        let (news, news_here) = mpsc::channel(100);
        let side = Arc::new(Side { kept, news });
        let peer = Peer::new(NodeName::new(of).unwrap(), Arc::new(settings.clone()), side);
        Self {
            peer,
            kept: kept_here,
            news: news_here,
        }
    }

    async fn news(&mut self) -> String {
        timeout(PATIENCE, self.news.recv())
            .await
            .expect("news in time")
            .expect("a side")
    }

    async fn kept(&mut self) -> Asked {
        timeout(PATIENCE, self.kept.recv())
            .await
            .expect("a request in time")
            .expect("a side")
    }
}

struct Waiter(Mutex<Option<oneshot::Sender<Result<Bytes, Fault>>>>);

impl Waiter {
    fn finish(&self, outcome: Result<Bytes, Fault>) {
        let sender = self.0.lock().unwrap().take().expect("an answer comes once");
        sender.send(outcome).ok();
    }
}

impl ReplySink for Waiter {
    fn reply(&self, _: u64, write: Write<'_>) -> Option<ErrorKind> {
        let mut out = BytesMut::new();
        self.finish(write(&mut out).map(|_| out.freeze()));
        None
    }

    fn fault(&self, _: u64, fault: Fault) {
        self.finish(Err(fault));
    }
}

fn call(
    peer: &Peer,
    handler: HandlerId,
    body: &[u8],
    limit: Duration,
) -> oneshot::Receiver<Result<Bytes, Fault>> {
    let (sender, receiver) = oneshot::channel();
    let reply = ReplyTo::new(Arc::new(Waiter(Mutex::new(Some(sender)))), 0);
    let mut write = |out: &mut BytesMut| {
        out.extend_from_slice(body);
        Ok(Wrote::Reply)
    };
    peer.call(handler, Term::new(clock(), limit), &mut write, reply);
    receiver
}

async fn answer(receiver: oneshot::Receiver<Result<Bytes, Fault>>) -> Result<Bytes, Fault> {
    timeout(PATIENCE, receiver)
        .await
        .expect("every call ends")
        .expect("every call ends in an answer")
}

fn who(name: &str) -> Identity {
    Identity {
        name: NodeName::new(name).unwrap(),
        incarnation: Incarnation::draw().unwrap(),
        pid: std::process::id(),
        succeeds: None,
    }
}

struct Admit(Peer);

impl Gatekeeper for Admit {
    fn admit(&self, dialer: &Identity) -> Result<Peer, Refusal> {
        if dialer.name == *self.0.name() {
            Ok(self.0.clone())
        } else {
            Err(Refusal::Unauthorized)
        }
    }
}

const SECRET: &[u8] = b"a secret of sixteen";

async fn listen(peer: &Peer) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (addr, serve(listener, peer))
}

fn serve(listener: TcpListener, peer: &Peer) -> JoinHandle<()> {
    let acceptor = Acceptor {
        me: who("gate"),
        secret: SECRET.into(),
        tls: None,
        handshake: Duration::from_secs(2),
        gatekeeper: Arc::new(Admit(peer.clone())),
        strangers: Arc::default(),
        spawn: |task| tokio::spawn(task).abort_handle(),
    };
    tokio::spawn(accept(listener, Arc::new(acceptor)))
}

fn start_dialling(
    addr: SocketAddr,
    peer: &Peer,
    me: Identity,
    secret: &[u8],
) -> (JoinHandle<()>, mpsc::Receiver<String>) {
    let (failures, heard) = mpsc::channel(1000);
    let (target, known) = watch::channel(Some(addr.to_string()));
    let dialer = Dialer {
        me,
        secret: secret.into(),
        tls: None,
        target: known,
        on_failure: Box::new(move |error| drop(failures.try_send(error.to_string()))),
    };
    let peer = peer.clone();
    let task = tokio::spawn(async move {
        let _target = target;
        dial(dialer, peer).await;
    });
    (task, heard)
}

struct Pair {
    gate: End,
    net: End,
    dialling: JoinHandle<()>,
    accepting: JoinHandle<()>,
    addr: SocketAddr,
}

async fn pair_with(settings: LinkSettings) -> Pair {
    let mut gate = End::new("net", &settings);
    let mut net = End::new("gate", &settings);
    let (addr, accepting) = listen(&gate.peer).await;
    let (dialling, _) = start_dialling(addr, &net.peer, who("net"), SECRET);
    assert_eq!(gate.news().await, "up 1");
    assert_eq!(net.news().await, "up 1");
    Pair {
        gate,
        net,
        dialling,
        accepting,
        addr,
    }
}

fn conn(settings: &LinkSettings) -> Arc<Conn> {
    let id = LinkId {
        peer: who("game1"),
        epoch: 1,
        addr: SocketAddr::from(([127, 0, 0, 1], 1)),
    };
    Conn::new(id, Arc::new(settings.clone()), clock())
}
