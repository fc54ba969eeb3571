//! The gate: between the net node and the game.

use std::sync::atomic::Ordering;

use lampyris::node::Children;
use lampyris::prelude::*;
use lampyris::{App, Node};

use crate::game::{
    Block, ExitWith, Game, Kick, Large, Leak, Name, Panic, Push, Refuse, Sleeper, Spin, Wait, Who, Workers,
};
use crate::ledger::{Ledger, Record};

/// What the game is to be asked.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.ask_game", reply = String)]
pub(crate) enum AskGame {
    Wait { millis: u64, text: String },
    Who { millis: u64 },
    Panic(String),
    Exit(i32),
    Refuse(String),
    Push { to: SessionId, text: String },
    Kick { who: SessionId },
    Block { millis: u64 },
    Record { millis: u64, text: String },
    Large { bytes: u64 },
    Spin { millis: u64 },
    Leak { mib: u64 },
    Sleeper { seconds: u64 },
    NameOfAny,
}

/// Answers with the round trip of the last heartbeat on the link to the game, in microseconds.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.round_trip", reply = String)]
pub(crate) struct RoundTrip;

/// Answers with its text, from here.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.echo", reply = String)]
pub(crate) struct EchoFromGate(pub(crate) String);

/// Pushes to a client of a child.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.push", reply = String)]
pub(crate) struct PushFromGate {
    pub(crate) to: SessionId,
    pub(crate) text: String,
}

/// Disconnects a client of a child.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.kick", reply = String)]
pub(crate) struct KickFromGate {
    pub(crate) who: SessionId,
}

#[derive(Service)]
#[service(
    name = "gate",
    serves(AskGame, EchoFromGate, RoundTrip, PushFromGate, KickFromGate)
)]
pub(crate) struct Gate {
    node: Node,
    game: RemoteAddr<Game>,
    games: Children<Game>,
    workers: RemoteAddr<Workers>,
    ledger: RemoteAddr<Ledger>,
}

impl Actor for Gate {
    type Context = Context<Self>;
}

impl Handler<AskGame> for Gate {
    type Result = ResponseFuture<Result<String, CallError>>;

    fn handle(&mut self, ask: AskGame, _: &mut Context<Self>) -> Self::Result {
        let game = &self.game;
        match ask {
            AskGame::Wait { millis, text } => Box::pin(game.call(Wait { millis, text })),
            AskGame::Who { millis } => Box::pin(game.call(Who { millis })),
            AskGame::Panic(text) => Box::pin(game.call(Panic(text))),
            AskGame::Exit(code) => Box::pin(game.call(ExitWith(code))),
            AskGame::Refuse(text) => Box::pin(game.call(Refuse(text))),
            AskGame::Push { to, text } => Box::pin(game.call(Push { to, text })),
            AskGame::Kick { who } => Box::pin(game.call(Kick { who })),
            AskGame::Block { millis } => Box::pin(self.workers.call(Block { millis })),
            AskGame::Large { bytes } => {
                let length = usize::try_from(bytes).unwrap_or_default();
                Box::pin(game.call(Large("x".repeat(length))))
            }
            AskGame::Spin { millis } => Box::pin(game.call(Spin { millis })),
            AskGame::Leak { mib } => Box::pin(game.call(Leak { mib })),
            AskGame::Sleeper { seconds } => Box::pin(game.call(Sleeper { seconds })),
            AskGame::NameOfAny => match self.games.any() {
                Some(game) => Box::pin(game.call(Name)),
                None => Box::pin(std::future::ready(Err("no game is configured".into()))),
            },
            AskGame::Record { millis, text } => Box::pin(self.ledger.call(Record { millis, text })),
        }
    }
}

impl Handler<EchoFromGate> for Gate {
    type Result = Result<String, CallError>;

    fn handle(&mut self, EchoFromGate(text): EchoFromGate, _: &mut Context<Self>) -> Self::Result {
        Ok(text)
    }
}

impl Handler<PushFromGate> for Gate {
    type Result = Result<String, CallError>;

    fn handle(&mut self, PushFromGate { to, text }: PushFromGate, _: &mut Context<Self>) -> Self::Result {
        self.node.push(&to, crate::net::PUSHED, &text)?;
        Ok("pushed by gate".to_owned())
    }
}

impl Handler<KickFromGate> for Gate {
    type Result = Result<String, CallError>;

    fn handle(&mut self, KickFromGate { who }: KickFromGate, _: &mut Context<Self>) -> Self::Result {
        self.node.kick(&who, "the gate says so")?;
        Ok("kicked by gate".to_owned())
    }
}

impl Handler<RoundTrip> for Gate {
    type Result = Result<String, CallError>;

    fn handle(&mut self, RoundTrip: RoundTrip, _: &mut Context<Self>) -> Self::Result {
        let link = self.node.peer("game1").and_then(|peer| peer.conn());
        let link = link.ok_or_else(|| CallError::from("no link"))?;
        Ok(link.counters.round_trip.load(Ordering::Relaxed).to_string())
    }
}

pub(crate) fn app() -> App {
    App::new("test.gate")
        .service(|node| Gate {
            node: node.clone(),
            game: node.child("game1"),
            games: node.children("test.game"),
            workers: node.child("game1"),
            ledger: node.child("game1"),
        })
        .on_node_down(|_, name| println!("{name} is down"))
}
