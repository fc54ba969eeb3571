//! The game: answers what the gate hands on.

use lampyris::App;
use lampyris::prelude::*;

use crate::players::Players;

/// What the gate calls.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game1.handle", reply = Payload)]
pub(crate) struct Game1Handle(pub(crate) Payload);

/// The game's actor.
#[derive(Service)]
#[service(name = "game1", serves(Game1Handle))]
pub(crate) struct Game1;

impl Actor for Game1 {
    type Context = Context<Self>;
}

impl Handler<Game1Handle> for Game1 {
    type Result = Result<Payload, CallError>;

    fn handle(&mut self, Game1Handle(_data): Game1Handle, _: &mut Context<Self>) -> Self::Result {
        Ok("game1Handle completed".into())
    }
}

/// `"app": "app.game1server"` in the configuration.
pub(crate) fn app() -> App {
    App::new("app.game1server")
        .service(|_node| Game1)
        .service(Players::of)
}
