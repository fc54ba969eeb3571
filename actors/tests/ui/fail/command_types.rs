use lampyris::prelude::*;

#[derive(Command)]
#[command(1)]
struct NoPayload {
    number: u32,
}

#[derive(Command)]
#[command(2)]
struct NoSession {
    session: String,
}

#[derive(Command)]
#[command(3, reply = u32)]
struct NoReply;

fn main() {}
