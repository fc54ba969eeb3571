//! Calls that are made together.

use super::*;
use crate::link::{Batch, TooLong};
use crate::wire::CHUNK;

/// Adds a call; gives where its answer comes, unless it has no place.
fn add(
    batch: &mut Batch,
    handler: HandlerId,
    body: &[u8],
    limit: Duration,
) -> Result<oneshot::Receiver<Result<Bytes, Fault>>, TooLong> {
    let (sender, receiver) = oneshot::channel();
    let reply = ReplyTo::new(Arc::new(Waiter(Mutex::new(Some(sender)))), 0);
    let mut write = |out: &mut BytesMut| {
        out.extend_from_slice(body);
        Ok(Wrote::Reply)
    };
    batch.add(handler, Term::new(clock(), limit), 1 << 20, &mut write, reply)?;
    Ok(receiver)
}

#[tokio::test]
async fn each_call_of_a_batch_has_its_own_answer() {
    let pair = pair_with(LinkSettings::default()).await;
    let mut batch = Batch::default();
    for round in 0..3_u8 {
        let body = |n: u8| vec![n + round; usize::from(n) * 7];
        let asked: Vec<_> = (0..100)
            .map(|n| add(&mut batch, ECHO, &body(n), PATIENCE).unwrap())
            .collect();
        assert!(!batch.is_empty());
        pair.net.peer.call_all(&mut batch);
        assert!(batch.is_empty() && batch.bytes() == 0);
        for (n, asked) in (0..100).zip(asked) {
            assert_eq!(answer(asked).await.unwrap(), body(n));
        }
    }
    assert_eq!(pair.net.peer.conn().unwrap().calls(), 0);
}

#[tokio::test]
async fn calls_that_find_no_room_are_refused_and_the_others_go() {
    let settings = LinkSettings {
        max_calls: 3,
        ..LinkSettings::default()
    };
    let conn = conn(&settings);
    let mut batch = Batch::default();
    let asked: Vec<_> = (0..5)
        .map(|n| add(&mut batch, ECHO, &[n], PATIENCE).unwrap())
        .collect();
    let before = batch.bytes();
    assert!(conn.call_all(&mut batch));
    assert!(batch.is_empty());
    assert_eq!((conn.calls(), conn.frames_out()), (3, 3));
    assert_eq!(conn.queued(), before / 5 * 3);
    conn.end("a test");
    let mut kinds = Vec::new();
    for asked in asked {
        kinds.push(answer(asked).await.unwrap_err().kind);
    }
    assert_eq!(
        kinds[..3],
        [ErrorKind::NotSent; 3],
        "nothing was handed to a socket"
    );
    assert_eq!(kinds[3..], [ErrorKind::Overloaded; 2]);
    let late = add(&mut batch, ECHO, b"late", PATIENCE).unwrap();
    assert!(!conn.call_all(&mut batch), "it has ended");
    assert!(!batch.is_empty());
    drop(batch);
    assert_eq!(answer(late).await.unwrap_err().kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn a_batch_waits_for_a_link_that_is_down_in_order() {
    let end = End::new("game1", &LinkSettings::default());
    let mut batch = Batch::default();
    let asked: Vec<_> = (0..4)
        .map(|n| add(&mut batch, ECHO, &[n; 3], PATIENCE).unwrap())
        .collect();
    end.peer.call_all(&mut batch);
    assert!(batch.is_empty());
    assert_eq!(end.peer.held(), (4, 12));
    drop(asked);
}

#[tokio::test]
async fn what_is_over_too_long_or_above_the_limit_has_no_place() {
    let mut batch = Batch::default();
    let over = add(&mut batch, ECHO, b"x", Duration::ZERO).unwrap();
    assert_eq!(answer(over).await.unwrap_err().kind, ErrorKind::Expired);
    let large = add(&mut batch, ECHO, &vec![0; (1 << 20) + 1], PATIENCE).unwrap();
    assert_eq!(answer(large).await.unwrap_err().kind, ErrorKind::TooLarge);
    let TooLong { body, .. } = add(&mut batch, ECHO, &vec![7; CHUNK + 1], PATIENCE).unwrap_err();
    assert_eq!(body, vec![7; CHUNK + 1]);
    assert!(batch.is_empty() && batch.bytes() == 0);
}
