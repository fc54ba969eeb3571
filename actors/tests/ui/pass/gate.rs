//! A gate in few lines: one handler of its own, one that hands on to a game, known by its contract alone.

use lampyris::prelude::*;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.chat", reply = String)]
struct Chat(String);

lampyris::service! { Game { Chat } }

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.hello", reply = String)]
struct Hello;

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.say", reply = String)]
struct Say(String);

// The gate begins here.
#[derive(Service)]
#[service(name = "gate", serves(Hello, Say))]
struct Gate {
    game: RemoteAddr<Game>,
}

impl Actor for Gate {
    type Context = Context<Self>;
}

impl Handler<Hello> for Gate {
    type Result = Result<String, CallError>;
    fn handle(&mut self, _: Hello, _: &mut Context<Self>) -> Self::Result {
        Ok("welcome".to_owned())
    }
}

impl Handler<Say> for Gate {
    type Result = Answer<Say>;
    fn handle(&mut self, Say(text): Say, _: &mut Context<Self>) -> Self::Result {
        self.game.call(Chat(text)).into()
    }
}
// And ends here: 23 lines.

fn main() {
    let _ = |game| Gate { game };
}
