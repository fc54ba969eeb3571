//! Every form of a message: structs of all kinds, enums, own errors, all payloads.

use lampyris::message::{Callable, Command as _, Remote as _};
use lampyris::prelude::*;

#[derive(Debug, Serialize, Deserialize)]
enum LoginError {
    WrongPassword,
}

impl std::fmt::Display for LoginError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("wrong password")
    }
}

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "gate.login", reply = Vec<String>, error = LoginError)]
struct Login {
    player: String,
}

#[derive(Serialize, Deserialize, Remote)]
#[remote(error = LoginError, name = "gate.move",)]
enum Move {
    Left,
    Right { steps: u8 },
}

#[derive(Command)]
#[command(1)]
struct Ping;

#[derive(Command)]
#[command(2, serial, reply = String, error = LoginError)]
struct Hello {
    session: Session,
    name: String,
}

#[derive(Command)]
#[command(0xffff_ffff, reply = Json<Vec<u8>>)]
struct Raw(Payload);

#[derive(Command)]
#[command(4, reply = Option<Msgpack<u32>>)]
struct Who {
    session: Session,
}

#[derive(Command)]
#[command(5, reply = Bytes)]
struct Typed {
    body: Json<Vec<u32>>,
}

/// Messages that a macro of the user's writes keep their own names apart from the derive's.
macro_rules! command {
    ($name:ident, $number:literal, $payload:ty) => {
        #[derive(Command)]
        #[command($number, reply = $payload)]
        struct $name {
            body: $payload,
            session: Session,
        }
    };
}

command!(Echo, 6, Vec<u8>);

fn main() {
    assert_eq!(Login::NAME, "gate.login");
    assert_ne!(Login::ID, Move::ID);
    assert_eq!((Ping::NUMBER, Ping::SERIAL, Ping::NAME), (1, false, "command.1"));
    assert_eq!((Hello::NUMBER, Hello::SERIAL), (2, true));
    assert_eq!(Raw::NUMBER, u32::MAX);
    assert_eq!((Who::NUMBER, Typed::NUMBER, Echo::NUMBER), (4, 5, 6));
    let _ = (Move::Left, Move::Right { steps: 1 });
    let _ = |session: Session| (Who { session: session.clone() }.session, Hello { session, name: String::new() }.name);
    let _ = |raw: Raw, typed: Typed, login: Login, echo: Echo| (raw.0, typed.body, login.player, echo.body, echo.session);
}
