//! Players with gold, kept in the database of game1: what Firefly's dbentrust was for.

use lampyris::Node;
use lampyris::prelude::*;
use lampyris::store::{Object, Text, Unsaved};

/// A row of the table `players`. A change counts when the journal has it.
#[derive(Clone, Serialize, Entity)]
#[entity(table = "players", mode = "behind")]
pub(crate) struct Player {
    #[entity(key)]
    id: Text,
    gold: i64,
    #[entity(version)]
    version: i64,
}

/// What the gate calls.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game1.players", reply = Payload)]
pub(crate) enum Ask {
    /// The player of an id; he begins with no gold.
    Show(String),
    /// More gold for one: `ID AMOUNT`.
    Earn(String),
    /// The ten richest.
    Richest,
}

/// The actor in front of the players.
#[derive(Service)]
#[service(name = "players", serves(Ask))]
pub(crate) struct Players(Entities<Player>);

impl Players {
    pub(crate) fn of(node: &Node) -> Self {
        Self(node.store().entities())
    }
}

impl Actor for Players {
    type Context = Context<Self>;
}

impl Handler<Ask> for Players {
    type Result = Answer<Ask>;

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Self::Result {
        let players = self.0.clone();
        match ask {
            Ask::Show(id) => Answer::later(async move { json(&player(&players, &id).await?.get()?) }),
            Ask::Earn(text) => Answer::once_saved(async move { earn(&players, &text).await }),
            Ask::Richest => Answer::later(async move {
                json(&players.select("ORDER BY gold DESC, id LIMIT 10", vec![]).await?)
            }),
        }
    }
}

async fn earn(players: &Entities<Player>, text: &str) -> Result<Unsaved<Payload>, CallError> {
    let (id, amount) = earning(text)?;
    let player = player(players, id).await?;
    let more = |player: &mut Player| {
        player.gold = player.gold.checked_add(amount).ok_or("more gold than fits")?;
        Ok(())
    };
    let earned = player.begin_update(more, json).await?;
    earned
        .map_err(|why: &str| CallError::bad_payload(why))?
        .transpose()
}

async fn player(players: &Entities<Player>, id: &str) -> Result<Object<Player>, StoreError> {
    let new = || Player {
        id: id.into(),
        gold: 0,
        version: 0,
    };
    players.load_or_insert(id, new).await
}

fn earning(text: &str) -> Result<(&str, i64), CallError> {
    let words = text
        .split_once(' ')
        .and_then(|(id, amount)| Some((id, amount.parse().ok()?)));
    words
        .filter(|(id, _)| !id.is_empty())
        .ok_or_else(|| CallError::bad_payload("expected \"ID AMOUNT\""))
}

fn json(value: &impl Serialize) -> Result<Payload, CallError> {
    serde_json::to_string(value)
        .map(Payload::from)
        .map_err(|why| why.to_string().into())
}
