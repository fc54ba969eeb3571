//! The net node's commands about players: 401, 402 and 403, answered by game1 by way of the gate.

use lampyris::prelude::*;

use crate::gate::{Gate, GatePlayers};
use crate::players::Ask;

/// A player, by id.
#[derive(Command)]
#[command(401, reply = Payload)]
pub(crate) struct NetShow401(String);

/// Gold for a player: `ID AMOUNT`.
#[derive(Command)]
#[command(402, reply = Payload)]
pub(crate) struct NetEarn402(String);

/// The ten richest.
#[derive(Command)]
#[command(403, reply = Payload)]
pub(crate) struct NetRichest403;

/// The net node's actor for them.
#[derive(Service)]
#[service(name = "net.players", commands(NetShow401, NetEarn402, NetRichest403))]
pub(crate) struct NetPlayers {
    pub(crate) gate: RemoteAddr<Gate>,
}

impl Actor for NetPlayers {
    type Context = Context<Self>;
}

impl Handler<NetShow401> for NetPlayers {
    type Result = Forward<GatePlayers>;

    fn handle(&mut self, NetShow401(id): NetShow401, _: &mut Context<Self>) -> Self::Result {
        self.gate.forward(GatePlayers(Ask::Show(id)))
    }
}

impl Handler<NetEarn402> for NetPlayers {
    type Result = Forward<GatePlayers>;

    fn handle(&mut self, NetEarn402(text): NetEarn402, _: &mut Context<Self>) -> Self::Result {
        self.gate.forward(GatePlayers(Ask::Earn(text)))
    }
}

impl Handler<NetRichest403> for NetPlayers {
    type Result = Forward<GatePlayers>;

    fn handle(&mut self, _: NetRichest403, _: &mut Context<Self>) -> Self::Result {
        self.gate.forward(GatePlayers(Ask::Richest))
    }
}
