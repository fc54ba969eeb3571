//! What is gathered in a slice leaves together, in order, and whatever happens to others.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lampyris_runtime::link::{Conn, Inbound, Intake, LinkId, LinkSettings, Peer, Request, Term};
use lampyris_runtime::name::HandlerId;

use super::*;
use crate::service::{Responder, outgoing};

struct Side;

impl Intake for Side {
    fn request(&mut self, _: Request) {}
}

impl Inbound for Side {
    fn intake(&self, _: &Arc<Conn>) -> Box<dyn Intake> {
        Box::new(Self)
    }

    fn up(&self, _: &LinkId) {}

    fn down(&self, _: &LinkId, _: &str) {}
}

/// A peer whose link is down: what is sent to it can be counted, as it waits.
fn peer() -> Peer {
    let settings = Arc::new(LinkSettings::default());
    Peer::new(NodeName::new("game1").unwrap(), settings, Arc::new(Side))
}

fn call(peer: &Peer, write: Write<'_>) {
    let term = Term::new(Instant::now(), PATIENCE);
    outgoing::call(peer, HandlerId(1), term, write, ReplyTo::nobody());
}

fn byte(out: &mut BytesMut) -> Result<Wrote, Fault> {
    out.extend_from_slice(b"x");
    Ok(Wrote::Reply)
}

#[tokio::test]
async fn calls_of_a_slice_leave_at_its_end_or_before_anything_else_does() {
    let (one, other) = (peer(), peer());
    call(&one, &mut byte);
    assert_eq!(one.held().0, 1, "nobody gathers");
    let gathering = outgoing::gather();
    call(&one, &mut byte);
    call(&one, &mut byte);
    assert_eq!(one.held().0, 1, "they are gathered");
    outgoing::flush();
    assert_eq!(one.held().0, 3);
    call(&one, &mut byte);
    call(&other, &mut byte);
    assert_eq!(
        (one.held().0, other.held().0),
        (4, 0),
        "those for another wait for nobody"
    );
    drop(gathering);
    assert_eq!((one.held().0, other.held().0), (4, 1));
    call(&other, &mut byte);
    assert_eq!(other.held().0, 2, "nobody gathers any more");
}

#[tokio::test]
async fn an_answer_does_not_overtake_what_was_sent_before_it() {
    let one = peer();
    let gathering = outgoing::gather();
    call(&one, &mut byte);
    let working = crate::scope::Working {
        deadline: Instant::now() + PATIENCE,
        started: Instant::now(),
        reply: ReplyTo::nobody(),
    };
    Responder::<Add>::new(working).send(Ok(7));
    assert_eq!(one.held().0, 1);
    drop(gathering);
}

#[tokio::test]
async fn a_message_that_panics_while_it_is_written_takes_no_other_with_it() {
    let one = peer();
    let gathering = outgoing::gather();
    call(&one, &mut byte);
    let panics = catch_unwind(AssertUnwindSafe(|| call(&one, &mut |_| panic!("as intended"))));
    assert!(panics.is_err());
    call(&one, &mut byte);
    drop(gathering);
    assert_eq!(one.held(), (2, 2));
}

#[tokio::test]
async fn a_message_that_sends_while_it_is_written_sends_at_once() {
    let one = peer();
    let gathering = outgoing::gather();
    call(&one, &mut |out| {
        call(&one, &mut byte);
        byte(out)
    });
    assert_eq!(one.held().0, 1);
    drop(gathering);
    assert_eq!(one.held().0, 2);
}

#[tokio::test]
async fn much_leaves_before_the_end_of_the_slice() {
    let one = peer();
    let gathering = outgoing::gather();
    for _ in 0..3 {
        call(&one, &mut |out| {
            out.resize(out.len() + 30_000, 0);
            Ok(Wrote::Reply)
        });
    }
    assert_eq!(one.held().0, 3);
    call(&one, &mut |out| {
        out.resize(out.len() + 100_000, 0);
        Ok(Wrote::Reply)
    });
    assert_eq!(one.held().0, 4, "longer than a frame");
    drop(gathering);
    assert_eq!(one.held().0, 4);
}
