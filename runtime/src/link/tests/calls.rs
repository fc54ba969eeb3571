//! Calls and messages over a link: both ways, of all sizes, in order, each with one end.

use super::*;

#[tokio::test]
async fn calls_go_both_ways_and_replies_come_out_of_order() {
    let mut pair = pair_with(LinkSettings::default()).await;
    assert_eq!(
        answer(call(&pair.net.peer, ECHO, b"up", PATIENCE)).await.unwrap(),
        "up"
    );
    assert_eq!(
        answer(call(&pair.gate.peer, ECHO, b"down", PATIENCE))
            .await
            .unwrap(),
        "down"
    );
    let first = call(&pair.net.peer, KEEP, b"1", PATIENCE);
    let second = call(&pair.net.peer, ECHO, b"2", PATIENCE);
    assert_eq!(answer(second).await.unwrap(), "2");
    let kept = pair.gate.kept().await;
    assert_eq!(kept.body, "1");
    kept.reply.reply_bytes("late".into());
    assert_eq!(answer(first).await.unwrap(), "late");
    let unknown = answer(call(&pair.net.peer, HandlerId(99), b"", PATIENCE))
        .await
        .unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NoSuchHandler);
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_its_late_answer_is_counted() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let waiting = call(&pair.net.peer, KEEP, b"", Duration::from_millis(50));
    let kept = pair.gate.kept().await;
    assert_eq!(answer(waiting).await.unwrap_err().kind, ErrorKind::Timeout);
    kept.reply.reply_bytes("too late".into());
    assert_eq!(
        answer(call(&pair.net.peer, ECHO, b"x", PATIENCE)).await.unwrap(),
        "x"
    );
    let late = &pair.net.peer.conn().unwrap().counters.late_replies;
    assert_eq!(late.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_dropped_handler_answers_cancelled() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let waiting = call(&pair.net.peer, KEEP, b"", PATIENCE);
    drop(pair.gate.kept().await);
    assert_eq!(answer(waiting).await.unwrap_err().kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn messages_of_all_sizes_arrive_whole() {
    let pair = pair_with(LinkSettings::default()).await;
    for size in [0, 1, 1000, 65_535, 65_536, 65_537, 1 << 20, 16 << 20] {
        let body: Vec<u8> = (0..size).map(|at: usize| at as u8).collect();
        assert!(
            answer(call(&pair.net.peer, ECHO, &body, PATIENCE)).await.unwrap() == body,
            "{size}"
        );
    }
    let over = answer(call(&pair.net.peer, ECHO, &vec![0; (16 << 20) + 1], PATIENCE))
        .await
        .unwrap_err();
    assert_eq!(over.kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn ten_thousand_calls_end_in_order() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let calls: Vec<_> = (0..10_000_u32)
        .map(|n| call(&pair.net.peer, KEEP, &n.to_be_bytes(), PATIENCE))
        .collect();
    for n in 0..10_000_u32 {
        let kept = pair.gate.kept().await;
        assert_eq!(kept.body, n.to_be_bytes()[..]);
        kept.reply.reply_bytes(kept.body);
    }
    for (n, waiting) in (0..10_000_u32).zip(calls) {
        assert_eq!(answer(waiting).await.unwrap(), n.to_be_bytes()[..]);
    }
}

#[tokio::test]
async fn a_short_call_that_comes_later_does_not_wait_as_long_as_the_first() {
    let end = End::new("game1", &LinkSettings::default());
    let _long = call(&end.peer, ECHO, b"1", PATIENCE);
    // Whoever looks after the times sleeps until the first call's is up.
    tokio::task::yield_now().await;
    let before = clock();
    let short = call(&end.peer, ECHO, b"2", Duration::from_millis(20));
    assert_eq!(answer(short).await.unwrap_err().kind, ErrorKind::NotSent);
    assert!(clock() - before < end.peer.settings().wait / 2);
}

#[tokio::test]
async fn a_call_without_a_limit_is_a_call() {
    let pair = pair_with(LinkSettings::default()).await;
    let endless = call(&pair.net.peer, ECHO, b"x", Duration::MAX);
    assert_eq!(answer(endless).await.unwrap(), "x");
}

#[tokio::test]
async fn a_deadline_holds_while_the_socket_takes_nothing() {
    let settings = LinkSettings {
        heartbeat: Duration::from_secs(60),
        suspect_after: Duration::from_secs(120),
        down_after: Duration::from_secs(180),
        ..LinkSettings::default()
    };
    let mut end = End::new("game1", &settings);
    let conn = conn(&settings);
    let (ours, _theirs) = tokio::io::duplex(16);
    let peer = end.peer.clone();
    let seated = peer.attach(&conn, clock());
    let task = tokio::spawn(task::run(ours, seated, BytesMut::new()));
    assert_eq!(end.news().await, "up 1");
    let mut write = |out: &mut BytesMut| {
        out.extend_from_slice(&[0; 1000]);
        Ok(Wrote::Reply)
    };
    end.peer.notify(ECHO, clock(), &mut write).unwrap();
    // Now the task hangs on a socket that takes nothing, and has no deadline to look after.
    tokio::task::yield_now().await;
    let before = clock();
    let waiting = call(&end.peer, ECHO, b"", Duration::from_millis(20));
    assert_eq!(answer(waiting).await.unwrap_err().kind, ErrorKind::Timeout);
    assert!(clock() - before < Duration::from_secs(5));
    task.abort();
}
