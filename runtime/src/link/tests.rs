//! Both ends of a link over real sockets on loopback.

mod successors;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::task::clock;
use super::*;
use crate::error::{ErrorKind, Fault};
use crate::name::{HandlerId, Incarnation, NodeName};
use crate::reply::{ReplySink, ReplyTo, Write, Wrote};

mod networks;
mod pings;

const ECHO: HandlerId = HandlerId(1);
/// Its requests are handed to the test, which answers when it likes.
const KEEP: HandlerId = HandlerId(2);
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers ECHO, hands KEEP to the test, tells when the link goes up and down.
struct Side {
    kept: mpsc::Sender<Request>,
    news: mpsc::Sender<String>,
}

impl Inbound for Side {
    fn request(&self, request: Request) {
        if request.handler == ECHO {
            return request.reply.reply_bytes(request.body);
        }
        if request.handler == KEEP {
            return self.kept.try_send(request).expect("room in the test's queue");
        }
        request.reply.fault(Fault::new(ErrorKind::NoSuchHandler, "what?"));
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
    kept: mpsc::Receiver<Request>,
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

    async fn kept(&mut self) -> Request {
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
    fn reply(&self, _: u64, write: Write<'_>) {
        let mut out = BytesMut::new();
        self.finish(write(&mut out).map(|_| out.freeze()));
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
    peer.call(handler, clock(), limit, &mut write, reply);
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

#[tokio::test]
async fn calls_go_both_ways_and_replies_come_out_of_order() {
    let mut pair = pair_with(LinkSettings::default()).await;
    assert_eq!(
        answer(call(&pair.net.peer, ECHO, b"up", PATIENCE)).await.unwrap(),
        "up"
    );
    assert_eq!(
        answer(call(&pair.gate.peer, ECHO, b"down", PATIENCE))
            .await
            .unwrap(),
        "down"
    );
    let first = call(&pair.net.peer, KEEP, b"1", PATIENCE);
    let second = call(&pair.net.peer, ECHO, b"2", PATIENCE);
    assert_eq!(answer(second).await.unwrap(), "2");
    let kept = pair.gate.kept().await;
    assert_eq!(kept.body, "1");
    kept.reply.reply_bytes("late".into());
    assert_eq!(answer(first).await.unwrap(), "late");
    let unknown = answer(call(&pair.net.peer, HandlerId(99), b"", PATIENCE))
        .await
        .unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NoSuchHandler);
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_its_late_answer_is_counted() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let waiting = call(&pair.net.peer, KEEP, b"", Duration::from_millis(50));
    let kept = pair.gate.kept().await;
    assert_eq!(answer(waiting).await.unwrap_err().kind, ErrorKind::Timeout);
    kept.reply.reply_bytes("too late".into());
    assert_eq!(
        answer(call(&pair.net.peer, ECHO, b"x", PATIENCE)).await.unwrap(),
        "x"
    );
    let late = &pair.net.peer.conn().unwrap().counters.late_replies;
    assert_eq!(late.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_dropped_handler_answers_cancelled() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let waiting = call(&pair.net.peer, KEEP, b"", PATIENCE);
    drop(pair.gate.kept().await);
    assert_eq!(answer(waiting).await.unwrap_err().kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn messages_of_all_sizes_arrive_whole() {
    let pair = pair_with(LinkSettings::default()).await;
    for size in [0, 1, 1000, 65_535, 65_536, 65_537, 1 << 20, 16 << 20] {
        let body: Vec<u8> = (0..size).map(|at: usize| at as u8).collect();
        assert!(
            answer(call(&pair.net.peer, ECHO, &body, PATIENCE)).await.unwrap() == body,
            "{size}"
        );
    }
    let over = answer(call(&pair.net.peer, ECHO, &vec![0; (16 << 20) + 1], PATIENCE))
        .await
        .unwrap_err();
    assert_eq!(over.kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_lost_link_ends_its_calls_at_once_and_new_ones_wait_for_the_next() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let waiting = call(&pair.gate.peer, KEEP, b"", PATIENCE);
    let _kept = pair.net.kept().await;
    let before = clock();
    pair.dialling.abort();
    let lost = answer(waiting).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::LinkLost);
    assert!(
        clock() - before < Duration::from_secs(1),
        "at once, not at the deadline"
    );
    assert!(pair.gate.news().await.starts_with("down"));
    let held = call(&pair.gate.peer, ECHO, b"patience", PATIENCE);
    let (_dialling, _) = start_dialling(pair.addr, &pair.net.peer, who("net"), SECRET);
    assert_eq!(answer(held).await.unwrap(), "patience");
    assert_eq!(pair.gate.news().await, "up 2");
}

#[tokio::test]
async fn a_call_waits_a_bounded_time_in_a_bounded_queue() {
    let wait = Duration::from_millis(100);
    let settings = LinkSettings {
        wait,
        held_calls: 2,
        ..LinkSettings::default()
    };
    let end = End::new("game1", &settings);
    let before = clock();
    let first = call(&end.peer, ECHO, b"1", PATIENCE);
    let second = call(&end.peer, ECHO, b"2", Duration::from_millis(10));
    let third = call(&end.peer, ECHO, b"3", PATIENCE);
    assert_eq!(answer(third).await.unwrap_err().kind, ErrorKind::Overloaded);
    assert_eq!(answer(second).await.unwrap_err().kind, ErrorKind::NotSent);
    assert!(
        clock() - before < wait,
        "its deadline came before the wait was over"
    );
    assert_eq!(answer(first).await.unwrap_err().kind, ErrorKind::NotSent);
    assert!(clock() - before >= wait);
    let side = Arc::clone(end.peer.inbound());
    let nobody = Peer::unknown(NodeName::new("nobody").unwrap(), Arc::new(settings), side);
    assert_eq!(
        answer(call(&nobody, ECHO, b"", PATIENCE)).await.unwrap_err().kind,
        ErrorKind::NoSuchNode
    );
}

#[tokio::test]
async fn a_second_node_of_a_living_name_is_refused_and_the_first_lives_on() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let twin = End::new("gate", &LinkSettings::default());
    let (_twins, mut failures) = start_dialling(pair.addr, &twin.peer, who("net"), SECRET);
    let failure = timeout(PATIENCE, failures.recv()).await.unwrap().unwrap();
    assert!(failure.contains("net is already connected (pid "), "{failure}");
    assert_eq!(
        answer(call(&pair.gate.peer, ECHO, b"first", PATIENCE))
            .await
            .unwrap(),
        "first"
    );
    assert!(
        pair.gate.news.try_recv().is_err(),
        "the first link never went down"
    );
}

#[tokio::test]
async fn the_same_process_takes_its_own_place() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let me = pair.gate.peer.conn().unwrap().id().peer.clone();
    let again = End::new("gate", &LinkSettings::default());
    let (_task, _) = start_dialling(pair.addr, &again.peer, me, SECRET);
    assert_eq!(pair.gate.news().await, "up 2");
    assert!(pair.net.news().await.contains("newer link"));
}

#[tokio::test]
async fn a_wrong_secret_keeps_the_link_down() {
    let gate = End::new("net", &LinkSettings::default());
    let net = End::new("gate", &LinkSettings::default());
    let (addr, _accepting) = listen(&gate.peer).await;
    let (_task, mut failures) = start_dialling(addr, &net.peer, who("net"), b"another secret of twenty");
    let failure = timeout(PATIENCE, failures.recv()).await.unwrap().unwrap();
    assert!(failure.contains("the shared secret differs"), "{failure}");
    assert!(!gate.peer.is_up() && !net.peer.is_up());
}

#[tokio::test]
async fn a_parent_that_comes_back_is_found_again() {
    let mut pair = pair_with(LinkSettings::default()).await;
    pair.accepting.abort();
    pair.gate
        .peer
        .conn()
        .unwrap()
        .close(crate::wire::Goodbye::Stopping);
    assert!(pair.net.news().await.contains("stopping"));
    assert!(pair.gate.news().await.contains("stopping"));
    drop(pair.accepting.await);
    let listener = TcpListener::bind(pair.addr).await.unwrap();
    let _accepting = serve(listener, &pair.gate.peer);
    assert_eq!(pair.net.news().await, "up 2");
    assert_eq!(
        answer(call(&pair.net.peer, ECHO, b"again", PATIENCE))
            .await
            .unwrap(),
        "again"
    );
}

#[tokio::test]
async fn silence_takes_the_link_down_on_both_ends() {
    let settings = LinkSettings {
        heartbeat: Duration::from_millis(20),
        suspect_after: Duration::from_millis(60),
        down_after: Duration::from_millis(120),
        ..LinkSettings::default()
    };
    let mut gate = End::new("net", &settings);
    let (addr, _accepting) = listen(&gate.peer).await;
    // A relay that forwards until it is told to swallow everything.
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay_addr = relay.local_addr().unwrap();
    let (swallow, swallowing) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((client, _)) = relay.accept().await {
            let server = tokio::net::TcpStream::connect(addr).await.unwrap();
            let ((cr, cw), (sr, sw)) = (client.into_split(), server.into_split());
            tokio::spawn(forward(cr, sw, swallowing.clone()));
            tokio::spawn(forward(sr, cw, swallowing.clone()));
        }
    });
    let mut net = End::new("gate", &settings);
    let (_task, _) = start_dialling(relay_addr, &net.peer, who("net"), SECRET);
    assert_eq!(
        (gate.news().await, net.news().await),
        ("up 1".into(), "up 1".into())
    );
    swallow.send(true).unwrap();
    assert!(gate.news().await.contains("nothing was heard"));
    assert!(net.news().await.contains("nothing was heard"));
    swallow.send(false).unwrap();
    assert!(net.news().await.starts_with("up"));
    assert!(gate.news().await.starts_with("up"));
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    swallowing: watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; 4096];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        if !*swallowing.borrow() && to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn ten_thousand_calls_end_in_order() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let calls: Vec<_> = (0..10_000_u32)
        .map(|n| call(&pair.net.peer, KEEP, &n.to_be_bytes(), PATIENCE))
        .collect();
    for n in 0..10_000_u32 {
        let kept = pair.gate.kept().await;
        assert_eq!(kept.body, n.to_be_bytes()[..]);
        kept.reply.reply_bytes(kept.body);
    }
    for (n, waiting) in (0..10_000_u32).zip(calls) {
        assert_eq!(answer(waiting).await.unwrap(), n.to_be_bytes()[..]);
    }
}

#[tokio::test]
async fn a_short_call_that_comes_later_does_not_wait_as_long_as_the_first() {
    let end = End::new("game1", &LinkSettings::default());
    let _long = call(&end.peer, ECHO, b"1", PATIENCE);
    // Whoever looks after the times sleeps until the first call's is up.
    tokio::task::yield_now().await;
    let before = clock();
    let short = call(&end.peer, ECHO, b"2", Duration::from_millis(20));
    assert_eq!(answer(short).await.unwrap_err().kind, ErrorKind::NotSent);
    assert!(clock() - before < end.peer.settings().wait / 2);
}

#[tokio::test]
async fn a_call_without_a_limit_is_a_call() {
    let pair = pair_with(LinkSettings::default()).await;
    let endless = call(&pair.net.peer, ECHO, b"x", Duration::MAX);
    assert_eq!(answer(endless).await.unwrap(), "x");
}

#[tokio::test]
async fn a_deadline_holds_while_the_socket_takes_nothing() {
    let settings = LinkSettings {
        heartbeat: Duration::from_secs(60),
        suspect_after: Duration::from_secs(120),
        down_after: Duration::from_secs(180),
        ..LinkSettings::default()
    };
    let mut end = End::new("game1", &settings);
    let conn = conn(&settings);
    let (ours, _theirs) = tokio::io::duplex(16);
    let peer = end.peer.clone();
    let seated = peer.attach(&conn, clock());
    let task = tokio::spawn(task::run(ours, seated, BytesMut::new()));
    assert_eq!(end.news().await, "up 1");
    let mut write = |out: &mut BytesMut| {
        out.extend_from_slice(&[0; 1000]);
        Ok(Wrote::Reply)
    };
    end.peer.notify(ECHO, clock(), &mut write).unwrap();
    // Now the task hangs on a socket that takes nothing, and has no deadline to look after.
    tokio::task::yield_now().await;
    let before = clock();
    let waiting = call(&end.peer, ECHO, b"", Duration::from_millis(20));
    assert_eq!(answer(waiting).await.unwrap_err().kind, ErrorKind::Timeout);
    assert!(clock() - before < Duration::from_secs(5));
    task.abort();
}

#[tokio::test]
async fn who_asks_without_reading_does_not_fill_the_outbox() {
    let conn = conn(&LinkSettings::default());
    conn.confirm_drained();
    let once = conn.queued();
    for token in 0..100_000 {
        conn.confirm_drained();
        conn.pong(token);
    }
    assert_eq!(conn.queued(), once);
    let mut stage = std::collections::VecDeque::new();
    assert_eq!(
        std::future::poll_fn(|task| conn.poll_staging(&mut stage, task)).await,
        None
    );
    assert!(stage.iter().map(Bytes::len).sum::<usize>() < 8 * 1024);
}

#[tokio::test]
async fn a_link_that_is_being_closed_takes_no_call() {
    let settings = LinkSettings::default();
    let end = End::new("game1", &settings);
    let conn = conn(&settings);
    let _seated = end.peer.attach(&conn, clock());
    conn.close(crate::wire::Goodbye::Stopping);
    let late = answer(call(&end.peer, ECHO, b"", PATIENCE)).await.unwrap_err();
    assert_eq!(late.kind, ErrorKind::NotSent, "it was certainly not handled");
}

fn conn(settings: &LinkSettings) -> Arc<Conn> {
    let id = LinkId {
        peer: who("game1"),
        epoch: 1,
        addr: SocketAddr::from(([127, 0, 0, 1], 1)),
    };
    Conn::new(id, Arc::new(settings.clone()), clock())
}

#[tokio::test]
async fn a_peer_that_asks_and_never_reads_is_cut_off() {
    use tokio::io::AsyncWriteExt;
    let settings = LinkSettings {
        max_queue: 1 << 20,
        ..LinkSettings::default()
    };
    let mut gate = End::new("net", &settings);
    let (addr, _accepting) = listen(&gate.peer).await;
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (dialing, hello) = handshake::Dialing::begin(&who("net"), &NodeName::new("gate").unwrap()).unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut buffer = BytesMut::new();
    let challenge = super::dial::receive(&mut stream, &mut buffer)
        .await
        .unwrap()
        .unwrap();
    let (_, proof) = dialing.prove(SECRET, &challenge).unwrap();
    stream.write_all(&proof).await.unwrap();
    assert_eq!(gate.news().await, "up 1");
    for call in 0..200 {
        let mut frame = BytesMut::new();
        let head = crate::wire::Head::Request {
            call,
            budget: 60_000,
            handler: KEEP,
            trace: None,
        };
        crate::wire::put_message(head, &mut |_| Ok(Wrote::Reply), 10, &mut frame).unwrap();
        stream.write_all(&frame).await.unwrap();
        gate.kept().await.reply.reply_bytes(vec![0; 128 * 1024].into());
    }
    assert_eq!(gate.news().await, "down the other end does not read its answers");
}

#[tokio::test]
async fn a_forgotten_peer_gets_no_new_calls_but_its_answers() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let under_way = call(&pair.gate.peer, KEEP, b"", PATIENCE);
    let kept = pair.net.kept().await;
    let conn = pair.gate.peer.forget().expect("its link was up");
    assert!(pair.gate.news().await.starts_with("down"));
    let refused = answer(call(&pair.gate.peer, ECHO, b"", PATIENCE)).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::NoSuchNode);
    kept.reply.reply_bytes("answered".into());
    assert_eq!(answer(under_way).await.unwrap(), "answered");
    conn.close(crate::wire::Goodbye::Stopping);
    assert!(pair.net.news().await.starts_with("down"));
    // A link that comes up all the same is closed; known again, the peer has the next.
    pair.gate.peer.remember();
    assert_eq!(
        answer(call(&pair.gate.peer, ECHO, b"again", PATIENCE))
            .await
            .unwrap(),
        "again"
    );
}

#[tokio::test]
async fn calls_that_waited_for_a_forgotten_peer_end_at_once() {
    let end = End::new("game2", &LinkSettings::default());
    let waiting = call(&end.peer, ECHO, b"", PATIENCE);
    assert!(end.peer.forget().is_none());
    assert_eq!(answer(waiting).await.unwrap_err().kind, ErrorKind::NoSuchNode);
}
