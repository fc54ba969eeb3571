//! What the macros write, as a user's crate sees it: names, numbers, tables, and bodies both ways.

use bytes::{Bytes, BytesMut};
use lampyris::error::Failure;
use lampyris::export::runtime::codec;
use lampyris::export::runtime::error::{ErrorKind, Fault};
use lampyris::export::runtime::name::{HandlerId, NodeName};
use lampyris::message::{Callable, Command as _, Origin, Remote as _, Wrote};
use lampyris::prelude::*;
use lampyris::service::Address;

#[derive(Debug, PartialEq, Serialize, Deserialize, Remote)]
#[remote(name = "game.move", reply = Vec<u32>)]
struct Move {
    to: (i32, i32),
    #[serde(default)]
    note: Payload,
}

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.leave")]
struct Leave;

#[derive(Debug, PartialEq, Command)]
#[command(100, reply = String, serial)]
struct Hello {
    name: String,
}

#[derive(Debug, PartialEq, Command)]
#[command(101)]
struct Jump(Json<Vec<i32>>);

#[derive(Debug, Command)]
#[command(102, reply = Option<Json<u32>>)]
struct Who {
    session: Session,
}

lampyris::service! {
    /// A game.
    Game { Move, Leave }
}

fn node() -> Origin {
    Origin::Node(NodeName::new("gate").expect("a name"))
}

fn read<M: Callable>(body: impl Into<Bytes>) -> Result<M, Fault> {
    M::read(body.into(), &node())
}

/// What `write` appends, and what it says of it.
fn written(write: impl FnOnce(&mut BytesMut) -> Result<Wrote, Fault>) -> (Wrote, Bytes) {
    let mut out = BytesMut::from("head ");
    let wrote = write(&mut out).expect("it can be written");
    (wrote, out.freeze().slice("head ".len()..))
}

#[test]
fn a_remote_message_travels_as_messagepack_under_its_name() {
    assert_eq!((Move::NAME, Move::ID), ("game.move", HandlerId::of("game.move")));
    let sent = Move {
        to: (1, -1),
        note: Payload::from("x"),
    };
    assert_eq!(read::<Move>(codec::to_bytes(&sent).expect("bytes")), Ok(sent));
    let fault = read::<Move>(&b"\xc0"[..]).expect_err("nil is no move");
    assert_eq!(fault.kind, ErrorKind::BadPayload);
}

#[test]
fn a_reply_to_a_node_is_messagepack_and_is_handed_on_as_it_is() {
    let (wrote, body) = written(|out| Move::write(&vec![7, 8], out));
    assert_eq!(wrote, Wrote::Reply);
    assert_eq!(codec::decode::<Vec<u32>>(&body), Ok(vec![7, 8]));
    assert!(Move::RELAY.is_none());
    let (wrote, nil) = written(|out| Leave::write(&(), out));
    assert_eq!((wrote, nil.as_ref()), (Wrote::Reply, &b"\xc0"[..]));
}

#[test]
fn a_command_takes_the_bare_payload_and_answers_with_one() {
    assert_eq!(
        (Hello::NUMBER, Hello::SERIAL, Hello::NAME),
        (100, true, "command.100")
    );
    assert_eq!((Jump::NUMBER, Jump::SERIAL), (101, false));
    assert_eq!(
        read::<Hello>("lisa"),
        Ok(Hello {
            name: "lisa".to_owned()
        })
    );
    assert_eq!(
        read::<Hello>(&b"\xff"[..]).expect_err("no text").kind,
        ErrorKind::BadPayload
    );
    assert_eq!(read::<Jump>("[1, -2]"), Ok(Jump(Json(vec![1, -2]))));
    let (wrote, text) = written(|out| Hello::write(&"hi".to_owned(), out));
    assert_eq!((wrote, text.as_ref()), (Wrote::Reply, &b"hi"[..]));
    assert_eq!(
        written(|out| Jump::write(&(), out)),
        (Wrote::Nothing, Bytes::new())
    );
    assert_eq!(
        written(|out| Who::write(&None, out)),
        (Wrote::Nothing, Bytes::new())
    );
    assert_eq!(
        written(|out| Who::write(&Some(Json(5)), out)),
        (Wrote::Reply, Bytes::from("5"))
    );
}

#[test]
fn a_nodes_reply_becomes_a_clients_payload() {
    let relay = Hello::RELAY.expect("a payload is no MessagePack");
    let text = codec::to_bytes("hi").expect("bytes");
    assert_eq!(
        written(|out| relay(&text, out)),
        (Wrote::Reply, Bytes::from("hi"))
    );
    let mut out = BytesMut::new();
    let fault = relay(&codec::to_bytes(&1).expect("bytes"), &mut out).expect_err("a number is no text");
    assert_eq!((fault.kind, out.len()), (ErrorKind::BadPayload, 0));
}

#[test]
fn a_command_with_a_session_comes_from_clients_alone() {
    let fault = read("")
        .map(|Who { session }| session)
        .expect_err("a node has no session");
    assert_eq!(fault.kind, ErrorKind::BadPayload);
    assert!(fault.message.contains("gate"), "{}", fault.message);
}

#[derive(Service)]
#[service(commands(Hello, Jump), name = "game1", contract = Game)]
struct Game1;

impl Actor for Game1 {
    type Context = Context<Self>;
}

/// Handlers whose results nobody looks at.
macro_rules! refuse {
    ($($message:ident)*) => {
        $(impl Handler<$message> for Game1 {
            type Result = Result<<$message as Callable>::Reply, CallError>;

            fn handle(&mut self, _: $message, _: &mut Context<Self>) -> Self::Result {
                Err(CallError::Handler(Failure("closed".to_owned())))
            }
        })*
    };
}

refuse!(Move Leave Hello Jump);

#[test]
fn a_table_has_the_contract_first_and_then_the_actors_own() {
    let table: Vec<_> = Game1::TABLE
        .iter()
        .map(|entry| (entry.name, entry.address))
        .collect();
    let expected = [
        ("game.move", Address::Remote(Move::ID)),
        ("game.leave", Address::Remote(Leave::ID)),
        (
            "command.100",
            Address::Command {
                number: 100,
                serial: true,
            },
        ),
        (
            "command.101",
            Address::Command {
                number: 101,
                serial: false,
            },
        ),
    ];
    assert_eq!(table, expected);
    assert_eq!(Game1::NAME, "game1");
    assert_eq!(size_of::<Game>(), 0);
}
