use lampyris::prelude::*;

#[derive(Command)]
struct NoAttribute;

#[derive(Command)]
#[command()]
struct NoNumber;

#[derive(Command)]
#[command(reply = String)]
struct OnlyReply;

#[derive(Command)]
#[command(0)]
struct Zero;

#[derive(Command)]
#[command(4294967296)]
struct TooLarge;

#[derive(Command)]
#[command(-1)]
struct Negative;

#[derive(Command)]
#[command(1 reply = String)]
struct NoComma;

#[derive(Command)]
#[command(1, name = "hello")]
struct Named;

fn main() {}
