//! The gate: answers one call itself and hands the other on to game1.

use lampyris::App;
use lampyris::prelude::*;

use crate::game1::{Game1, Game1Handle};
use crate::players::{Ask, Players};

/// Answered here.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.handle1", reply = Payload)]
pub(crate) struct GateHandle1(pub(crate) Payload);

/// Answered by game1.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.handle2", reply = Payload)]
pub(crate) struct GateHandle2(pub(crate) Payload);

/// Answered by the players on game1.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.players", reply = Payload)]
pub(crate) struct GatePlayers(pub(crate) Ask);

/// The gate's actor.
#[derive(Service)]
#[service(name = "gate", serves(GateHandle1, GateHandle2, GatePlayers))]
pub(crate) struct Gate {
    game1: RemoteAddr<Game1>,
    players: RemoteAddr<Players>,
}

impl Actor for Gate {
    type Context = Context<Self>;
}

impl Handler<GateHandle1> for Gate {
    type Result = Result<Payload, CallError>;

    fn handle(&mut self, GateHandle1(_data): GateHandle1, _: &mut Context<Self>) -> Self::Result {
        Ok("gateHandle Completed".into())
    }
}

impl Handler<GateHandle2> for Gate {
    type Result = Forward<Game1Handle>;

    fn handle(&mut self, GateHandle2(data): GateHandle2, _: &mut Context<Self>) -> Self::Result {
        self.game1.forward(Game1Handle(data))
    }
}

impl Handler<GatePlayers> for Gate {
    type Result = Forward<Ask>;

    fn handle(&mut self, GatePlayers(ask): GatePlayers, _: &mut Context<Self>) -> Self::Result {
        self.players.forward(ask)
    }
}

/// `"app": "app.gateserver"` in the configuration.
pub(crate) fn app() -> App {
    App::new("app.gateserver").service(|node| Gate {
        game1: node.child("game1"),
        players: node.child("game1"),
    })
}
