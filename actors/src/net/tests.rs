//! Game clients over real sockets of this machine, against a service whose answers the test gives by hand.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use bytes::{Bytes, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::packet::{Decoded, Dialect, Firefly, Packet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::{Clients, ErrorsMode, NetSettings, Reason, Session, SessionClosed, SessionOpened, serve};
use crate::error::{CallError, Failure};
use crate::message::{Callable, Command, IntoClient, Origin, Wrote};
use crate::service::{Entry, Hosted, Inbox, Router, Service, Taking, Wake, drain, host};

const LIMIT: usize = 16 << 20;

type Reply = Result<Option<Bytes>, CallError>;

/// A command of any number, with whatever payload.
struct Ask<const NUMBER: u32, const SERIAL: bool> {
    session: Session,
    payload: Bytes,
}

impl<const NUMBER: u32, const SERIAL: bool> Message for Ask<NUMBER, SERIAL> {
    type Result = Reply;
}

impl<const NUMBER: u32, const SERIAL: bool> Callable for Ask<NUMBER, SERIAL> {
    type Reply = Option<Bytes>;
    type Error = Failure;
    const NAME: &'static str = "ask";

    fn read(body: &Bytes, origin: &Origin) -> Result<Self, Fault> {
        match origin {
            Origin::Client(session) => Ok(Self {
                session: session.clone(),
                payload: body.clone(),
            }),
            Origin::Node(_) => Err(Fault::new(ErrorKind::BadPayload, "only clients ask")),
        }
    }

    fn write(reply: &Option<Bytes>, out: &mut BytesMut) -> Result<Wrote, Fault> {
        reply.into_client(out)
    }

    fn relay(_body: &Bytes, _out: &mut BytesMut) -> Result<Wrote, Fault> {
        Ok(Wrote::Nothing)
    }
}

impl<const NUMBER: u32, const SERIAL: bool> Command for Ask<NUMBER, SERIAL> {
    const NUMBER: u32 = NUMBER;
    const SERIAL: bool = SERIAL;
}

/// What the service saw.
enum Event {
    Opened(Session),
    Closed(Session),
    Asked(Asked),
}

struct Asked {
    command: u32,
    session: Session,
    payload: Bytes,
    answer: oneshot::Sender<Reply>,
}

impl Asked {
    fn reply(self, payload: impl Into<Bytes>) {
        self.end(Ok(Some(payload.into())));
    }

    fn end(self, reply: Reply) {
        // The call may have ended before, which some tests are about.
        drop(self.answer.send(reply));
    }
}

/// Hands everything to the test.
struct Probe(mpsc::Sender<Event>);

impl Actor for Probe {
    type Context = Context<Self>;
}

impl Service for Probe {
    const NAME: &'static str = "probe";
    const TABLE: &'static [Entry<Self>] = &[
        Entry::command::<Ask<100, false>>(),
        Entry::command::<Ask<200, false>>(),
        Entry::command::<Ask<300, true>>(),
        Entry::opened(),
        Entry::closed(),
    ];
}

impl Handler<Wake> for Probe {
    type Result = ();

    fn handle(&mut self, wake: Wake, ctx: &mut Context<Self>) {
        drain(self, &wake, ctx);
    }
}

impl<const NUMBER: u32, const SERIAL: bool> Handler<Ask<NUMBER, SERIAL>> for Probe {
    type Result = ResponseFuture<Reply>;

    fn handle(&mut self, ask: Ask<NUMBER, SERIAL>, _: &mut Context<Self>) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            command: NUMBER,
            session: ask.session,
            payload: ask.payload,
            answer,
        };
        self.0
            .try_send(Event::Asked(asked))
            .expect("the test reads its events");
        Box::pin(async move {
            let gone = || Fault::new(ErrorKind::Cancelled, "the test did not answer");
            answered.await.unwrap_or_else(|_| Err(gone().into()))
        })
    }
}

impl Handler<SessionOpened> for Probe {
    type Result = Result<(), CallError>;

    fn handle(&mut self, news: SessionOpened, _: &mut Context<Self>) -> Self::Result {
        self.0
            .try_send(Event::Opened(news.session))
            .expect("the test reads its events");
        Ok(())
    }
}

impl Handler<SessionClosed> for Probe {
    type Result = Result<(), CallError>;

    fn handle(&mut self, news: SessionClosed, _: &mut Context<Self>) -> Self::Result {
        self.0
            .try_send(Event::Closed(news.session))
            .expect("the test reads its events");
        Ok(())
    }
}

/// A port with the probe behind it.
struct Port {
    addr: std::net::SocketAddr,
    clients: Clients,
    events: mpsc::Receiver<Event>,
    _probe: Hosted,
}

impl Port {
    fn open(settings: NetSettings) -> Self {
        let (sender, events) = mpsc::channel(100_000);
        let inbox = Inbox::new(Probe::NAME, 100_000, Taking::Batch);
        let mut router = Router::default();
        router.add::<Probe>(&inbox).unwrap();
        let probe = host(inbox, move || Probe(sender.clone()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let clients = serve(listener, settings, Arc::new(router)).unwrap();
        Self {
            addr,
            clients,
            events,
            _probe: probe,
        }
    }

    async fn event(&mut self) -> Event {
        soon(self.events.recv()).await.expect("the probe lives")
    }

    /// The next call; sessions may come before it.
    async fn asked(&mut self) -> Asked {
        loop {
            if let Event::Asked(asked) = self.event().await {
                return asked;
            }
        }
    }

    async fn opened(&mut self) -> Session {
        match self.event().await {
            Event::Opened(session) => session,
            _ => panic!("a session should have begun"),
        }
    }

    /// A client and its session.
    async fn join(&mut self) -> (Client, Session) {
        (Client::connect(self.addr).await, self.opened().await)
    }

    /// Waits until a connection has ended for the reason.
    async fn ended(&mut self, reason: Reason) {
        loop {
            if let Event::Closed(_) = self.event().await {
                break;
            }
        }
        soon(self.clients.none_left()).await;
        assert_eq!(
            self.clients.counters().closed(reason),
            1,
            "{:?}",
            self.clients.counters()
        );
    }
}

/// Fails the test instead of hanging.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it should have happened")
}

/// A game client.
struct Client {
    stream: TcpStream,
    buffer: BytesMut,
}

fn frame(command: u32, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    Firefly::default()
        .encode(command, &mut |out| payload.into_client(out), LIMIT, &mut out)
        .unwrap();
    out
}

impl Client {
    async fn connect(addr: std::net::SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(addr).await.unwrap(),
            buffer: BytesMut::new(),
        }
    }

    async fn send(&mut self, command: u32, payload: &str) {
        self.send_bytes(&frame(command, payload.as_bytes())).await;
    }

    async fn send_bytes(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// The next frame, `None` at the end.
    async fn next(&mut self) -> Option<Packet> {
        loop {
            if let Decoded::Packet(packet) = Firefly::default().decode(&mut self.buffer, LIMIT).unwrap() {
                return Some(packet);
            }
            // A reset is an end too.
            if soon(self.stream.read_buf(&mut self.buffer)).await.unwrap_or(0) == 0 {
                assert!(self.buffer.is_empty(), "the stream ends inside a frame");
                return None;
            }
        }
    }

    async fn got(&mut self, command: u32, payload: impl Into<Bytes>) {
        assert_eq!(
            self.next().await,
            Some(Packet {
                command,
                payload: payload.into()
            })
        );
    }

    async fn error(&mut self) -> serde_json::Value {
        let packet = self.next().await.expect("an error frame");
        assert_eq!(packet.command, 0);
        serde_json::from_slice(&packet.payload).unwrap()
    }

    async fn closed(&mut self) {
        assert_eq!(self.next().await, None);
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[actix::test]
async fn a_command_reaches_its_handler_and_the_answer_its_client() {
    let mut port = Port::open(NetSettings::default());
    let (mut client, session) = port.join().await;
    client.send(100, "hello").await;
    let asked = port.asked().await;
    assert_eq!((asked.command, &asked.payload[..]), (100, &b"hello"[..]));
    assert_eq!(asked.session.id(), session.id());
    assert_eq!(session.addr(), client.stream.local_addr().unwrap());
    asked.reply("world");
    client.got(100, "world").await;
    let [info] = &port.clients.list()[..] else {
        panic!("one client")
    };
    assert_eq!(
        (info.number, info.bytes_in, info.bytes_out),
        (session.id().number, 22, 22)
    );
    assert_eq!((info.in_flight, info.unsent), (0, 0));
}

#[actix::test]
async fn frames_may_be_split_and_glued_anywhere() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    let large = "x".repeat(40_000);
    let sent = ["a", "", &large, "b"];
    let mut stream = BytesMut::new();
    sent.iter()
        .for_each(|payload| stream.extend_from_slice(&frame(100, payload.as_bytes())));
    let (first, rest) = stream.split_at(23);
    for byte in first {
        client.send_bytes(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    client.send_bytes(rest).await;
    for payload in sent {
        let asked = port.asked().await;
        assert_eq!(asked.payload, payload);
        asked.reply(payload.to_owned());
    }
    for payload in sent {
        client.got(100, payload.to_owned()).await;
    }
}

#[actix::test]
async fn answers_of_a_command_keep_the_order_of_its_calls_and_other_commands_overtake() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    for (command, payload) in [(100, "1"), (100, "2"), (200, "x"), (100, "3")] {
        client.send(command, payload).await;
    }
    let (one, two, x, three) = (
        port.asked().await,
        port.asked().await,
        port.asked().await,
        port.asked().await,
    );
    assert_eq!(
        (&one.payload[..], &x.payload[..], &three.payload[..]),
        (&b"1"[..], &b"x"[..], &b"3"[..])
    );
    three.reply("3");
    two.end(Err("no".into()));
    x.reply("x");
    client.got(200, "x").await;
    one.reply("1");
    client.got(100, "1").await;
    assert_eq!(client.error().await["command"], 100);
    client.got(100, "3").await;
}

#[actix::test]
async fn a_serial_command_waits_for_the_one_before_and_lets_others_pass() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    for (command, payload) in [(300, "1"), (300, "2"), (200, "x"), (300, "3")] {
        client.send(command, payload).await;
    }
    let one = port.asked().await;
    let x = port.asked().await;
    assert_eq!((&one.payload[..], &x.payload[..]), (&b"1"[..], &b"x"[..]));
    x.reply("x");
    client.got(200, "x").await;
    assert!(port.events.try_recv().is_err(), "the second waits for the first");
    one.reply("1");
    for payload in ["2", "3"] {
        let asked = port.asked().await;
        assert_eq!(asked.payload, payload);
        assert!(port.events.try_recv().is_err());
        asked.reply(payload);
    }
    for payload in ["1", "2", "3"] {
        client.got(300, payload).await;
    }
}

#[actix::test]
async fn in_a_serial_session_every_command_waits() {
    let mut port = Port::open(NetSettings {
        serial: true,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(100, "1").await;
    client.send(200, "2").await;
    client.send(999, "unknown").await;
    let one = port.asked().await;
    assert!(port.events.try_recv().is_err());
    one.reply("1");
    client.got(100, "1").await;
    port.asked().await.reply("2");
    client.got(200, "2").await;
    assert_eq!(client.error().await["error"], "no_such_command");
}

#[actix::test]
async fn a_connection_with_too_many_calls_in_flight_is_not_read_from_for_a_while() {
    let mut port = Port::open(NetSettings {
        in_flight: 2,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    let glued: Vec<u8> = ["1", "2", "3", "4"]
        .iter()
        .flat_map(|p| frame(100, p.as_bytes()))
        .collect();
    client.send_bytes(&glued).await;
    let (one, two) = (port.asked().await, port.asked().await);
    // A second connection's call is handled all the way meanwhile.
    let mut other = Client::connect(port.addr).await;
    other.send(200, "x").await;
    port.asked().await.reply("x");
    other.got(200, "x").await;
    assert!(port.events.try_recv().is_err());
    two.reply("2");
    one.reply("1");
    for payload in ["3", "4"] {
        let asked = port.asked().await;
        assert_eq!(asked.payload, payload);
        asked.reply(payload);
    }
    for payload in ["1", "2", "3", "4"] {
        client.got(100, payload).await;
    }
}

#[actix::test]
async fn a_failed_call_is_answered_with_an_error_frame() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(777, "").await;
    let error = client.error().await;
    assert_eq!(
        (&error["command"], &error["error"], &error["ran"]),
        (&777.into(), &"no_such_command".into(), &"no".into())
    );
    client.send(100, "").await;
    port.asked()
        .await
        .end(Err(Fault::new(ErrorKind::LinkLost, "x".repeat(5000)).into()));
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["ran"]),
        (&"link_lost".into(), &"maybe".into())
    );
    assert_eq!(error["message"].as_str().map(str::len), Some(1024));
    client.send(100, "").await;
    port.asked().await.end(Err("too poor".into()));
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["message"]),
        (&"handler_error".into(), &"too poor".into())
    );
}

#[actix::test]
async fn a_failed_call_may_be_silent() {
    let mut port = Port::open(NetSettings {
        errors: ErrorsMode::Silent,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(777, "").await;
    client.send(100, "").await;
    client.send(100, "").await;
    let (first, second) = (port.asked().await, port.asked().await);
    second.reply("second");
    first.end(Err("no".into()));
    client.got(100, "second").await;
}

#[actix::test]
async fn a_failed_call_may_end_the_connection_after_the_answers_before_it() {
    let mut port = Port::open(NetSettings {
        errors: ErrorsMode::Close,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    for payload in ["1", "2", "3"] {
        client.send(100, payload).await;
    }
    let (one, two, three) = (port.asked().await, port.asked().await, port.asked().await);
    three.reply("3");
    two.end(Err("no".into()));
    one.reply("1");
    client.got(100, "1").await;
    client.closed().await;
    port.ended(Reason::CallFailed).await;
}

#[actix::test]
async fn a_call_without_an_answer_times_out_and_its_late_answer_is_dropped() {
    let mut port = Port::open(NetSettings {
        call_timeout: millis(50),
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(300, "1").await;
    client.send(300, "2").await;
    let late = port.asked().await;
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["ran"]),
        (&"timeout".into(), &"maybe".into())
    );
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["ran"]),
        (&"expired".into(), &"no".into())
    );
    late.reply("late");
    client.send(300, "3").await;
    port.asked().await.reply("3");
    client.got(300, "3").await;
    assert_eq!(port.clients.counters().late_answers, 1);
}

#[actix::test]
async fn one_client_too_many_is_closed_at_once() {
    let mut port = Port::open(NetSettings {
        max_clients: 1,
        ..NetSettings::default()
    });
    let (client, _) = port.join().await;
    Client::connect(port.addr).await.closed().await;
    let counters = port.clients.counters();
    assert_eq!(
        (counters.accepted, counters.rejected_full, port.clients.count()),
        (1, 1, 1)
    );
    drop(client);
    port.ended(Reason::Left).await;
    port.join().await;
}

#[actix::test]
async fn a_client_that_does_not_read_is_closed() {
    let settings = NetSettings {
        out_buffer: 64 * 1024,
        ..NetSettings::default()
    };
    let mut port = Port::open(settings);
    let (_client, session) = port.join().await;
    let payload = vec![7_u8; 16 * 1024];
    let refused = (0..100_000).find_map(|_| session.push(1, &payload[..]).err());
    assert_eq!(refused.map(|fault| fault.kind), Some(ErrorKind::Overloaded));
    assert!(!session.is_open());
    assert_eq!(
        session.push(1, "more").map_err(|fault| fault.kind),
        Err(ErrorKind::NotSent)
    );
    port.ended(Reason::SlowReader).await;
    assert_eq!(port.clients.counters().dropped_pushes, 2);
}

#[actix::test]
async fn a_client_that_stops_reading_is_closed_when_nothing_has_moved_for_a_while() {
    let settings = NetSettings {
        out_buffer: 16 << 20,
        write_stall: millis(50),
        ..NetSettings::default()
    };
    let mut port = Port::open(settings);
    let (_client, session) = port.join().await;
    for _ in 0..12 {
        session.push(1, vec![7_u8; 1 << 20]).unwrap();
    }
    port.ended(Reason::SlowReader).await;
}

#[actix::test]
async fn a_burst_far_over_the_buffer_reaches_a_client_that_reads() {
    let mut port = Port::open(NetSettings::default());
    let (mut client, session) = port.join().await;
    let payload = vec![7_u8; 1000];
    for _ in 0..1500 {
        session.push(1, &payload[..]).unwrap();
    }
    for _ in 0..1500 {
        client.got(1, payload.clone()).await;
    }
}

#[actix::test]
async fn a_reply_over_the_limit_is_an_error_and_the_connection_goes_on() {
    let mut port = Port::open(NetSettings {
        out_buffer: 64 * 1024,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(100, "").await;
    port.asked().await.reply(vec![0; 65 * 1024]);
    assert_eq!(client.error().await["error"], "too_large");
    client.send(100, "").await;
    port.asked().await.reply("fine");
    client.got(100, "fine").await;
}

#[actix::test]
async fn a_kicked_client_gets_what_was_sent_before() {
    let mut port = Port::open(NetSettings::default());
    let (mut client, session) = port.join().await;
    client.send(100, "never read").await;
    session.push(9, "bye").unwrap();
    session.kick("a test");
    assert!(!session.is_open());
    client.got(9, "bye").await;
    client.closed().await;
    port.ended(Reason::Kicked).await;
    assert!(!port.clients.kick(session.id().number, "twice"));
}

#[actix::test]
async fn pushes_arrive_in_their_order_and_before_a_later_answer() {
    let mut port = Port::open(NetSettings::default());
    let (mut one, first) = port.join().await;
    let (mut two, second) = port.join().await;
    let (first_number, second_number) = (first.id().number, second.id().number);
    one.send(100, "").await;
    let asked = port.asked().await;
    first.push(1, "a").unwrap();
    first.push(1, ()).unwrap();
    port.clients.push(first_number, 2, "b").unwrap();
    assert_eq!(
        port.clients
            .push_many(&[first_number, 12345, second_number], 3, "c"),
        Ok(2)
    );
    assert_eq!(port.clients.push_all(4, "d"), Ok(2));
    asked.reply("e");
    for (command, payload) in [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (100, "e")] {
        one.got(command, payload).await;
    }
    two.got(3, "c").await;
    two.got(4, "d").await;
    let gone = port.clients.push(12345, 1, "x").unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotSent);
}

#[actix::test]
async fn a_session_begins_before_its_first_command_and_ends_after_its_last() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(100, "only").await;
    drop(client);
    let Event::Opened(opened) = port.event().await else {
        panic!("the session begins first")
    };
    let Event::Asked(asked) = port.event().await else {
        panic!("then comes the command")
    };
    asked.reply("nobody reads it");
    let Event::Closed(closed) = port.event().await else {
        panic!("then the session ends")
    };
    assert_eq!(opened.id(), closed.id());
    assert!(!closed.is_open());
}

#[actix::test]
async fn a_client_that_only_listens_any_more_gets_its_answers() {
    let mut port = Port::open(NetSettings {
        in_flight: 1,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(100, "1").await;
    client.send(200, "2").await;
    client.stream.shutdown().await.unwrap();
    port.asked().await.reply("1");
    port.asked().await.reply("2");
    client.got(100, "1").await;
    client.got(200, "2").await;
    client.closed().await;
    port.ended(Reason::Left).await;
}

#[actix::test]
async fn a_handler_that_has_nothing_to_say_sends_no_frame() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(100, "1").await;
    client.send(100, "2").await;
    client.send(100, "3").await;
    let (one, two, three) = (port.asked().await, port.asked().await, port.asked().await);
    two.end(Ok(None));
    one.end(Ok(None));
    three.reply("3");
    client.got(100, "3").await;
}

#[actix::test]
async fn idle_clients_are_closed_only_when_configured() {
    let mut port = Port::open(NetSettings {
        idle_timeout: Some(millis(60)),
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(100, "").await;
    let asked = port.asked().await;
    tokio::time::sleep(millis(100)).await;
    asked.reply("a client that waits for its answer is not idle");
    client
        .got(100, "a client that waits for its answer is not idle")
        .await;
    client.closed().await;
    port.ended(Reason::Idle).await;
}

#[actix::test]
async fn a_client_over_its_rate_is_read_from_more_slowly() {
    let mut port = Port::open(NetSettings {
        rate: Some(20),
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    let started = std::time::Instant::now();
    for _ in 0..24 {
        client.send(100, "").await;
    }
    for _ in 0..24 {
        port.asked().await.reply("");
    }
    assert!(started.elapsed() >= millis(150), "{:?}", started.elapsed());
}

#[actix::test]
async fn bytes_that_are_no_frame_end_the_connection_and_are_counted() {
    let mut port = Port::open(NetSettings {
        max_frame: 1000,
        ..NetSettings::default()
    });
    let header = |length: u32| [&[0; 9][..], &length.to_be_bytes()].concat();
    let cases = [
        (b"GET /".to_vec(), Reason::BadHead),
        (vec![0, 0, 0, 0, 9], Reason::BadVersion),
        (header(3), Reason::BadLength),
        (header(1001), Reason::TooLarge),
    ];
    for (bytes, reason) in cases {
        let mut client = Client::connect(port.addr).await;
        client.send_bytes(&bytes).await;
        client.closed().await;
        port.ended(reason).await;
    }
    let mut client = Client::connect(port.addr).await;
    client.send_bytes(&frame(100, b"")[..16]).await;
    client.stream.shutdown().await.unwrap();
    client.closed().await;
    port.ended(Reason::Truncated).await;
}

#[actix::test]
async fn a_frame_that_does_not_come_to_its_end_is_given_up() {
    let mut port = Port::open(NetSettings {
        frame_timeout: millis(50),
        ..NetSettings::default()
    });
    let (silent, _) = port.join().await;
    let mut slow = Client::connect(port.addr).await;
    slow.send_bytes(&[0; 3]).await;
    slow.closed().await;
    drop(silent);
    let counters = loop {
        if let Event::Closed(_) = port.event().await
            && port.clients.count() == 0
        {
            break port.clients.counters();
        }
    };
    assert_eq!(
        (counters.closed(Reason::SlowFrame), counters.closed(Reason::Left)),
        (1, 1)
    );
}

#[actix::test]
async fn a_stop_answers_what_is_in_flight_and_cuts_off_the_rest() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(100, "").await;
    let asked = port.asked().await;
    let clients = port.clients.clone();
    let stopping = actix::spawn(async move { clients.close_all(Duration::from_secs(10)).await });
    tokio::task::yield_now().await;
    client.send(100, "too late").await;
    asked.reply("in time");
    client.got(100, "in time").await;
    client.closed().await;
    assert_eq!(soon(stopping).await.unwrap(), 0);
    assert!(TcpStream::connect(port.addr).await.is_err(), "the port is closed");

    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(100, "").await;
    let _unanswered = port.asked().await;
    assert_eq!(soon(port.clients.close_all(millis(20))).await, 1);
    assert_eq!(port.clients.count(), 0);
    client.closed().await;
}

#[actix::test]
async fn a_session_keeps_one_value_of_each_type() {
    let mut port = Port::open(NetSettings::default());
    let (_client, session) = port.join().await;
    assert!(session.set(7_u32).is_none());
    assert!(session.set("name".to_owned()).is_none());
    assert_eq!(session.set(8_u32).as_deref(), Some(&7));
    let same = session.clone();
    assert_eq!(same.get::<u32>().as_deref(), Some(&8));
    assert_eq!(
        same.remove::<String>().as_deref().map(String::as_str),
        Some("name")
    );
    assert!(session.get::<String>().is_none());
}
