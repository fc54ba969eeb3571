//! Game clients over real sockets of this machine, against a service whose answers the test gives by hand.

mod calls;
mod limits;
mod tls;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use bytes::{Bytes, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::link::Stream;
use lampyris_runtime::packet::{Decoded, Dialect, Firefly, Packet};
use lampyris_runtime::tls::ClientTls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::{Clients, ErrorsMode, NetSettings, Reason, Session, SessionClosed, SessionOpened, serve};
use crate::error::{CallError, Failure};
use crate::message::{Callable, Command, IntoClient, Origin, Relay, Wrote};
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
    const RELAY: Option<Relay> = None;

    fn read(body: Bytes, origin: &Origin) -> Result<Self, Fault> {
        match origin {
            Origin::Client(session) => Ok(Self {
                session: session.clone(),
                payload: body.clone(),
            }),
            Origin::Node(_) => Err(Fault::new(ErrorKind::BadPayload, "only clients ask")),
        }
    }

    fn write(reply: &Option<Bytes>, out: &mut BytesMut) -> Result<Wrote, Fault> {
        reply.write_client(out)
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
        Self::with(settings, None)
    }

    fn with(settings: NetSettings, tls: Option<Arc<ClientTls>>) -> Self {
        let (sender, events) = mpsc::channel(100_000);
        let inbox = Inbox::new(Probe::NAME, 100_000, Taking::Batch);
        let mut router = Router::default();
        router.add::<Probe>(&inbox).unwrap();
        let probe = host(inbox, move || Probe(sender.clone()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let clients = serve(listener, settings, Arc::new(router), tls).unwrap();
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
    addr: std::net::SocketAddr,
    stream: Box<dyn Stream>,
    buffer: BytesMut,
}

fn frame(command: u32, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    Firefly::default()
        .encode(command, &mut |out| payload.write_client(out), LIMIT, &mut out)
        .unwrap();
    out
}

impl Client {
    async fn connect(addr: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        Self::over(stream.local_addr().unwrap(), stream)
    }

    fn over(addr: std::net::SocketAddr, stream: impl Stream) -> Self {
        Self {
            addr,
            stream: Box::new(stream),
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
