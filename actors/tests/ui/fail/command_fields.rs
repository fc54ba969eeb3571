use lampyris::prelude::*;

#[derive(Command)]
#[command(1)]
struct TwoPayloads {
    session: Session,
    name: String,
    password: String,
}

#[derive(Command)]
#[command(2)]
struct TwoUnnamed(Session, String);

#[derive(Command)]
#[command(3)]
enum Choice {
    Left,
}

fn main() {}
