//! The net node: one command for each thing that a test wants to see.
//!
//! Payloads are words with a space between: `MILLIS TEXT`, or `NODE#NUMBER TEXT` for a session and a text.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use lampyris::message::{IntoClient, Wrote};
use lampyris::prelude::*;
use lampyris::{App, Node};
use lampyris_runtime::error::Fault;

use crate::gate::{AskGame, EchoFromGate, Gate, KickFromGate, PushFromGate};

/// The command id of pushed frames.
pub(crate) const PUSHED: u32 = 9000;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        $($(#[$doc])*
        #[derive(Command)]
        #[command($number, reply = String)]
        pub(crate) struct $name {
            session: Session,
            text: String,
        })*
    };
}

commands! {
    /// Answers with the payload.
    Echo = 1;
    /// `MILLIS TEXT`: answers after a while, here.
    WaitHere = 2;
    /// `MILLIS TEXT`: answers after a while, in the game.
    WaitInGame = 3;
    /// Never answers.
    Never = 4;
    /// Panics in the game.
    PanicInGame = 5;
    /// Panics here.
    PanicHere = 6;
    /// Answers with the session's id.
    WhoAmI = 7;
    /// Pushes the payload to all clients.
    PushAll = 8;
    /// Pushes the payload to this client, and answers behind it.
    PushMe = 9;
    /// `SESSION TEXT`: a push from the gate.
    PushByGate = 10;
    /// `SESSION TEXT`: a push from the game.
    PushByGame = 11;
    /// `SESSION`: disconnected by the gate.
    KickByGate = 12;
    /// `SESSION`: disconnected by the game.
    KickByGame = 13;
    /// Disconnected from here.
    KickMe = 14;
    /// Answers with how many sessions were opened, closed, and opened or closed more than once.
    Count = 15;
    /// The game's handler answers with an error of its own.
    RefuseInGame = 16;
    /// `CODE`: the game's process exits.
    ExitGame = 17;
    /// `MILLIS`: blocks a thread of the game's pool.
    BlockInGame = 18;
    /// Writes the payload into the game's ledger, and answers with it.
    Record = 19;
    /// `MILLIS TEXT`: writes the text into the game's ledger, and answers with it after a while.
    RecordAndWait = 20;
    /// `BYTES`: so many go from the gate to the game.
    LargeToGame = 40;
    /// Answers with the round trip of the last heartbeat between the gate and the game, in microseconds.
    RoundTrip = 41;
    /// `MILLIS`: the game's handler keeps its thread busy.
    SpinInGame = 21;
    /// `MIB`: the game keeps so much more memory.
    LeakInGame = 22;
    /// `SECONDS`: the game starts a process that sleeps; answers with its number.
    SleeperOfGame = 23;
    /// Asks the gate alone, and answers with the payload.
    EchoOfGate = 24;
    /// `MILLIS`: after a while, which process of the game this is, and which version of the program it runs.
    WhoInGame = 26;
    /// Answers with the name of the game that was asked, each in turn.
    NameOfAny = 27;
    /// Pushes the payload to all clients, and answers with how often it was written for that.
    PushCounted = 28;
}

/// A shape that knows no end.
#[derive(Serialize, Deserialize)]
pub(crate) enum Tree {
    Leaf,
    Node(Box<Tree>),
}

/// Takes a tree, and answers with its height.
#[derive(Command)]
#[command(42, reply = String)]
pub(crate) struct Height {
    tree: Msgpack<Tree>,
}

/// A payload that knows how often it was written.
struct Counted {
    text: String,
    written: Cell<usize>,
}

impl IntoClient for Counted {
    fn write_client(&self, out: &mut BytesMut) -> Result<Wrote, Fault> {
        self.written.set(self.written.get() + 1);
        self.text.write_client(out)
    }
}

/// What happened to one session.
#[derive(Default)]
struct Seen {
    opened: usize,
    closed: usize,
}

/// How many sessions are remembered one by one after their end.
const REMEMBERED: usize = 2000;

/// What happened to all sessions. Bounded, as some tests come with a million of them.
#[derive(Default)]
struct Sessions {
    seen: HashMap<u64, Seen>,
    ended: VecDeque<u64>,
    /// Those that are not remembered: how many were opened, closed, and either not once.
    others: [usize; 3],
}

impl Sessions {
    fn opened(&mut self, number: u64) {
        self.seen.entry(number).or_default().opened += 1;
    }

    fn closed(&mut self, number: u64) {
        self.seen.entry(number).or_default().closed += 1;
        self.ended.push_back(number);
        if self.ended.len() > REMEMBERED
            && let Some(seen) = self
                .ended
                .pop_front()
                .and_then(|oldest| self.seen.remove(&oldest))
        {
            self.others = sum(self.others, &seen);
        }
    }

    fn count(&self) -> [usize; 3] {
        self.seen.values().fold(self.others, sum)
    }
}

fn sum([opened, closed, odd]: [usize; 3], seen: &Seen) -> [usize; 3] {
    let is_odd = seen.opened != 1 || seen.closed > 1;
    [
        opened + seen.opened,
        closed + seen.closed,
        odd + usize::from(is_odd),
    ]
}

#[derive(Service)]
#[service(
    name = "net",
    commands(
        Echo,
        WaitHere,
        WaitInGame,
        Never,
        PanicInGame,
        PanicHere,
        WhoAmI,
        PushAll,
        PushMe,
        PushByGate,
        PushByGame,
        KickByGate,
        KickByGame,
        KickMe,
        Count,
        RefuseInGame,
        ExitGame,
        BlockInGame,
        Record,
        RecordAndWait,
        LargeToGame,
        RoundTrip,
        SpinInGame,
        LeakInGame,
        SleeperOfGame,
        EchoOfGate,
        WhoInGame,
        NameOfAny,
        PushCounted,
        Height
    ),
    sessions
)]
pub(crate) struct Net {
    node: Node,
    gate: RemoteAddr<Gate>,
    sessions: Sessions,
}

impl Actor for Net {
    type Context = Context<Self>;
}

/// What every command's handler does: it has the actor, the session and the text, and gives the answer.
macro_rules! handlers {
    ($($name:ident($net:ident, $session:ident, $text:ident) $body:block)*) => {
        $(impl Handler<$name> for Net {
            type Result = ResponseFuture<Result<String, CallError>>;

            fn handle(&mut self, command: $name, _: &mut Context<Self>) -> Self::Result {
                let ($net, $session, $text) = (self, command.session, command.text);
                $body
            }
        })*
    };
}

handlers! {
    Echo(_net, _session, text) { now(Ok(text)) }
    WaitHere(_net, _session, text) {
        let (millis, text) = number_and_text(&text);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(text)
        })
    }
    WaitInGame(net, _session, text) {
        let (millis, text) = number_and_text(&text);
        net.ask_game(AskGame::Wait { millis, text })
    }
    WhoInGame(net, _session, text) {
        let (millis, _) = number_and_text(&text);
        net.ask_game(AskGame::Who { millis })
    }
    Never(_net, _session, _text) { Box::pin(std::future::pending()) }
    PanicInGame(net, _session, text) { net.ask_game(AskGame::Panic(text)) }
    PanicHere(_net, _session, text) { panic!("asked to panic: {text}") }
    WhoAmI(_net, session, _text) { now(Ok(session.id().to_string())) }
    PushAll(net, _session, text) {
        let clients = net.node.clients().expect("because this is the net node");
        now(clients.push_all(PUSHED, text).map(|count| format!("pushed to {count}")).map_err(CallError::from))
    }
    PushCounted(net, _session, text) {
        let clients = net.node.clients().expect("because this is the net node");
        let payload = Counted { text, written: Cell::new(0) };
        let pushed = clients.push_all(PUSHED, &payload).map_err(CallError::from);
        now(pushed.map(|count| format!("pushed to {count}, written {} times", payload.written.get())))
    }
    PushMe(_net, session, text) {
        now(session.push(PUSHED, text).map(|()| "pushed".to_owned()).map_err(CallError::from))
    }
    PushByGate(net, _session, text) {
        let (to, text) = session_and_text(&text);
        Box::pin(net.gate.call(PushFromGate { to, text }))
    }
    PushByGame(net, _session, text) {
        let (to, text) = session_and_text(&text);
        net.ask_game(AskGame::Push { to, text })
    }
    KickByGate(net, _session, text) {
        Box::pin(net.gate.call(KickFromGate { who: session_and_text(&text).0 }))
    }
    KickByGame(net, _session, text) { net.ask_game(AskGame::Kick { who: session_and_text(&text).0 }) }
    KickMe(_net, session, _text) {
        session.kick("it asked for it");
        now(Ok("too late".to_owned()))
    }
    Count(net, _session, _text) {
        let [opened, closed, odd] = net.sessions.count();
        now(Ok(format!("{opened} opened, {closed} closed, {odd} odd")))
    }
    RefuseInGame(net, _session, text) { net.ask_game(AskGame::Refuse(text)) }
    ExitGame(net, _session, text) { net.ask_game(AskGame::Exit(text.parse().unwrap_or(1))) }
    BlockInGame(net, _session, text) { net.ask_game(AskGame::Block { millis: number_and_text(&text).0 }) }
    Record(net, _session, text) { net.ask_game(AskGame::Record { millis: 0, text }) }
    RecordAndWait(net, _session, text) {
        let (millis, text) = number_and_text(&text);
        net.ask_game(AskGame::Record { millis, text })
    }
    LargeToGame(net, _session, text) { net.ask_game(AskGame::Large { bytes: number_and_text(&text).0 }) }
    RoundTrip(net, _session, _text) { Box::pin(net.gate.call(crate::gate::RoundTrip)) }
    SpinInGame(net, _session, text) { net.ask_game(AskGame::Spin { millis: number_and_text(&text).0 }) }
    LeakInGame(net, _session, text) { net.ask_game(AskGame::Leak { mib: number_and_text(&text).0 }) }
    SleeperOfGame(net, _session, text) {
        net.ask_game(AskGame::Sleeper { seconds: number_and_text(&text).0 })
    }
    EchoOfGate(net, _session, text) { Box::pin(net.gate.call(EchoFromGate(text))) }
    NameOfAny(net, _session, _text) { net.ask_game(AskGame::NameOfAny) }
}

impl Handler<Height> for Net {
    type Result = Result<String, CallError>;

    fn handle(
        &mut self,
        Height {
            tree: Msgpack(mut tree),
        }: Height,
        _: &mut Context<Self>,
    ) -> Self::Result {
        let mut height = 1;
        while let Tree::Node(below) = tree {
            (tree, height) = (*below, height + 1);
        }
        Ok(height.to_string())
    }
}

impl Net {
    fn ask_game(&self, ask: AskGame) -> ResponseFuture<Result<String, CallError>> {
        Box::pin(self.gate.call(ask))
    }
}

impl Handler<SessionOpened> for Net {
    type Result = Result<(), CallError>;

    fn handle(&mut self, SessionOpened { session }: SessionOpened, _: &mut Context<Self>) -> Self::Result {
        self.sessions.opened(session.id().number);
        Ok(())
    }
}

impl Handler<SessionClosed> for Net {
    type Result = Result<(), CallError>;

    fn handle(&mut self, SessionClosed { session }: SessionClosed, _: &mut Context<Self>) -> Self::Result {
        self.sessions.closed(session.id().number);
        Ok(())
    }
}

fn now(answer: Result<String, CallError>) -> ResponseFuture<Result<String, CallError>> {
    Box::pin(std::future::ready(answer))
}

fn number_and_text(payload: &str) -> (u64, String) {
    let (number, text) = payload.split_once(' ').unwrap_or((payload, ""));
    (number.parse().unwrap_or_default(), text.to_owned())
}

fn session_and_text(payload: &str) -> (SessionId, String) {
    let (session, text) = payload.split_once(' ').unwrap_or((payload, ""));
    let (node, number) = session.split_once('#').unwrap_or(("net", session));
    let id = serde_json::json!({ "node": node, "number": number.parse::<u64>().unwrap_or_default() });
    let id = serde_json::from_value(id).expect("because tests name sessions that they were told");
    (id, text.to_owned())
}

pub(crate) fn app() -> App {
    App::new("test.net").service(|node| Net {
        node: node.clone(),
        gate: node.parent("gate"),
        sessions: Sessions::default(),
    })
}
