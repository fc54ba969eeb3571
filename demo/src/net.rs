//! The net node: the clients' commands 100, 200 and 300.

use lampyris::App;
use lampyris::prelude::*;

use crate::gate::{Gate, GateHandle1, GateHandle2};
use crate::net_players::NetPlayers;

/// Answered here.
#[derive(Command)]
#[command(100, reply = Payload)]
pub(crate) struct NetHandle100(Payload);

/// Answered by the gate.
#[derive(Command)]
#[command(200, reply = Payload)]
pub(crate) struct NetHandle200(Payload);

/// Answered by game1, by way of the gate.
#[derive(Command)]
#[command(300, reply = Payload)]
pub(crate) struct NetHandle300(Payload);

/// The net node's actor.
#[derive(Service)]
#[service(name = "net", commands(NetHandle100, NetHandle200, NetHandle300))]
pub(crate) struct Net {
    gate: RemoteAddr<Gate>,
}

impl Actor for Net {
    type Context = Context<Self>;
}

impl Handler<NetHandle100> for Net {
    type Result = Result<Payload, CallError>;

    fn handle(&mut self, NetHandle100(_data): NetHandle100, _: &mut Context<Self>) -> Self::Result {
        Ok("netHandle_100 completed".into())
    }
}

impl Handler<NetHandle200> for Net {
    type Result = Forward<GateHandle1>;

    fn handle(&mut self, NetHandle200(data): NetHandle200, _: &mut Context<Self>) -> Self::Result {
        self.gate.forward(GateHandle1(data))
    }
}

impl Handler<NetHandle300> for Net {
    type Result = Forward<GateHandle2>;

    fn handle(&mut self, NetHandle300(data): NetHandle300, _: &mut Context<Self>) -> Self::Result {
        self.gate.forward(GateHandle2(data))
    }
}

/// `"app": "app.netserver"` in the configuration.
pub(crate) fn app() -> App {
    App::new("app.netserver")
        .service(|node| Net {
            gate: node.parent("gate"),
        })
        .service(|node| NetPlayers {
            gate: node.parent("gate"),
        })
}
