//! What a link keeps for a peer is bounded, whatever the peer does.

use super::*;

#[tokio::test]
async fn a_call_waits_a_bounded_time_in_a_bounded_queue() {
    let wait = Duration::from_millis(100);
    let settings = LinkSettings {
        wait,
        held_calls: 2,
        ..LinkSettings::default()
    };
    let end = End::new("game1", &settings);
    let before = clock();
    let first = call(&end.peer, ECHO, b"1", PATIENCE);
    let second = call(&end.peer, ECHO, b"2", Duration::from_millis(10));
    let third = call(&end.peer, ECHO, b"3", PATIENCE);
    assert_eq!(answer(third).await.unwrap_err().kind, ErrorKind::Overloaded);
    assert_eq!(answer(second).await.unwrap_err().kind, ErrorKind::NotSent);
    assert!(
        clock() - before < wait,
        "its deadline came before the wait was over"
    );
    assert_eq!(answer(first).await.unwrap_err().kind, ErrorKind::NotSent);
    assert!(clock() - before >= wait);
    let side = Arc::clone(end.peer.inbound());
    let nobody = Peer::unknown(NodeName::new("nobody").unwrap(), Arc::new(settings), side);
    assert_eq!(
        answer(call(&nobody, ECHO, b"", PATIENCE)).await.unwrap_err().kind,
        ErrorKind::NoSuchNode
    );
}

#[tokio::test]
async fn who_asks_without_reading_does_not_fill_the_outbox() {
    let conn = conn(&LinkSettings::default());
    conn.confirm_drained();
    let once = conn.queued();
    for token in 0..100_000 {
        conn.confirm_drained();
        conn.pong(token);
    }
    assert_eq!(conn.queued(), once);
    let mut stage = std::collections::VecDeque::new();
    assert_eq!(
        std::future::poll_fn(|task| conn.poll_staging(&mut stage, task)).await,
        None
    );
    assert!(stage.iter().map(Bytes::len).sum::<usize>() < 8 * 1024);
}

#[tokio::test]
async fn a_peer_that_asks_and_never_reads_is_cut_off() {
    use tokio::io::AsyncWriteExt;
    let settings = LinkSettings {
        max_queue: 1 << 20,
        ..LinkSettings::default()
    };
    let mut gate = End::new("net", &settings);
    let (addr, _accepting) = listen(&gate.peer).await;
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let (dialing, hello) = handshake::Dialing::begin(&who("net"), &NodeName::new("gate").unwrap()).unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut buffer = BytesMut::new();
    let challenge = super::dial::receive(&mut stream, &mut buffer)
        .await
        .unwrap()
        .unwrap();
    let (_, proof) = dialing.prove(SECRET, &challenge).unwrap();
    stream.write_all(&proof).await.unwrap();
    assert_eq!(gate.news().await, "up 1");
    for call in 0..200 {
        let mut frame = BytesMut::new();
        let head = crate::wire::Head::Request {
            call,
            budget: 60_000,
            handler: KEEP,
        };
        crate::wire::put_message(head, &mut |_| Ok(Wrote::Reply), 10, &mut frame).unwrap();
        stream.write_all(&frame).await.unwrap();
        gate.kept().await.reply.reply_bytes(vec![0; 128 * 1024].into());
    }
    assert_eq!(gate.news().await, "down the other end does not read its answers");
}
