//! Links that come, are taken over, fall silent, and come again.

use super::*;

#[tokio::test]
async fn a_lost_link_ends_its_calls_at_once_and_new_ones_wait_for_the_next() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let waiting = call(&pair.gate.peer, KEEP, b"", PATIENCE);
    let _kept = pair.net.kept().await;
    let before = clock();
    pair.dialling.abort();
    let lost = answer(waiting).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::LinkLost);
    assert!(
        clock() - before < Duration::from_secs(1),
        "at once, not at the deadline"
    );
    assert!(pair.gate.news().await.starts_with("down"));
    let held = call(&pair.gate.peer, ECHO, b"patience", PATIENCE);
    let (_dialling, _) = start_dialling(pair.addr, &pair.net.peer, who("net"), SECRET);
    assert_eq!(answer(held).await.unwrap(), "patience");
    assert_eq!(pair.gate.news().await, "up 2");
}

#[tokio::test]
async fn a_second_node_of_a_living_name_is_refused_and_the_first_lives_on() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let twin = End::new("gate", &LinkSettings::default());
    let (_twins, mut failures) = start_dialling(pair.addr, &twin.peer, who("net"), SECRET);
    let failure = timeout(PATIENCE, failures.recv()).await.unwrap().unwrap();
    assert!(failure.contains("net is already connected (pid "), "{failure}");
    assert_eq!(
        answer(call(&pair.gate.peer, ECHO, b"first", PATIENCE))
            .await
            .unwrap(),
        "first"
    );
    assert!(
        pair.gate.news.try_recv().is_err(),
        "the first link never went down"
    );
}

#[tokio::test]
async fn the_same_process_takes_its_own_place() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let me = pair.gate.peer.conn().unwrap().id().peer.clone();
    let again = End::new("gate", &LinkSettings::default());
    let (_task, _) = start_dialling(pair.addr, &again.peer, me, SECRET);
    assert_eq!(pair.gate.news().await, "up 2");
    assert!(pair.net.news().await.contains("newer link"));
}

#[tokio::test]
async fn a_wrong_secret_keeps_the_link_down() {
    let gate = End::new("net", &LinkSettings::default());
    let net = End::new("gate", &LinkSettings::default());
    let (addr, _accepting) = listen(&gate.peer).await;
    let (_task, mut failures) = start_dialling(addr, &net.peer, who("net"), b"another secret of twenty");
    let failure = timeout(PATIENCE, failures.recv()).await.unwrap().unwrap();
    assert!(failure.contains("the shared secret differs"), "{failure}");
    assert!(!gate.peer.is_up() && !net.peer.is_up());
}

#[tokio::test]
async fn a_parent_that_comes_back_is_found_again() {
    let mut pair = pair_with(LinkSettings::default()).await;
    pair.accepting.abort();
    pair.gate
        .peer
        .conn()
        .unwrap()
        .close(crate::wire::Goodbye::Stopping);
    assert!(pair.net.news().await.contains("stopping"));
    assert!(pair.gate.news().await.contains("stopping"));
    drop(pair.accepting.await);
    let listener = TcpListener::bind(pair.addr).await.unwrap();
    let _accepting = serve(listener, &pair.gate.peer);
    assert_eq!(pair.net.news().await, "up 2");
    assert_eq!(
        answer(call(&pair.net.peer, ECHO, b"again", PATIENCE))
            .await
            .unwrap(),
        "again"
    );
}

#[tokio::test]
async fn silence_takes_the_link_down_on_both_ends() {
    let settings = LinkSettings {
        heartbeat: Duration::from_millis(20),
        suspect_after: Duration::from_millis(60),
        down_after: Duration::from_millis(120),
        ..LinkSettings::default()
    };
    let mut gate = End::new("net", &settings);
    let (addr, _accepting) = listen(&gate.peer).await;
    // A relay that forwards until it is told to swallow everything.
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay_addr = relay.local_addr().unwrap();
    let (swallow, swallowing) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((client, _)) = relay.accept().await {
            let server = tokio::net::TcpStream::connect(addr).await.unwrap();
            let ((cr, cw), (sr, sw)) = (client.into_split(), server.into_split());
            tokio::spawn(forward(cr, sw, swallowing.clone()));
            tokio::spawn(forward(sr, cw, swallowing.clone()));
        }
    });
    let mut net = End::new("gate", &settings);
    let (_task, _) = start_dialling(relay_addr, &net.peer, who("net"), SECRET);
    assert_eq!(
        (gate.news().await, net.news().await),
        ("up 1".into(), "up 1".into())
    );
    swallow.send(true).unwrap();
    assert!(gate.news().await.contains("nothing was heard"));
    assert!(net.news().await.contains("nothing was heard"));
    swallow.send(false).unwrap();
    assert!(net.news().await.starts_with("up"));
    assert!(gate.news().await.starts_with("up"));
}

#[tokio::test]
async fn a_link_that_is_being_closed_takes_no_call() {
    let settings = LinkSettings::default();
    let end = End::new("game1", &settings);
    let conn = conn(&settings);
    let _seated = end.peer.attach(&conn, clock());
    conn.close(crate::wire::Goodbye::Stopping);
    let late = answer(call(&end.peer, ECHO, b"", PATIENCE)).await.unwrap_err();
    assert_eq!(late.kind, ErrorKind::NotSent, "it was certainly not handled");
}

#[tokio::test]
async fn a_forgotten_peer_gets_no_new_calls_but_its_answers() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let under_way = call(&pair.gate.peer, KEEP, b"", PATIENCE);
    let kept = pair.net.kept().await;
    let conn = pair.gate.peer.forget().expect("its link was up");
    assert!(pair.gate.news().await.starts_with("down"));
    let refused = answer(call(&pair.gate.peer, ECHO, b"", PATIENCE)).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::NoSuchNode);
    kept.reply.reply_bytes("answered".into());
    assert_eq!(answer(under_way).await.unwrap(), "answered");
    conn.close(crate::wire::Goodbye::Stopping);
    assert!(pair.net.news().await.starts_with("down"));
    // A link that comes up all the same is closed; known again, the peer has the next.
    pair.gate.peer.remember();
    assert_eq!(
        answer(call(&pair.gate.peer, ECHO, b"again", PATIENCE))
            .await
            .unwrap(),
        "again"
    );
}

#[tokio::test]
async fn calls_that_waited_for_a_forgotten_peer_end_at_once() {
    let end = End::new("game2", &LinkSettings::default());
    let waiting = call(&end.peer, ECHO, b"", PATIENCE);
    assert!(end.peer.forget().is_none());
    assert_eq!(answer(waiting).await.unwrap_err().kind, ErrorKind::NoSuchNode);
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut swallowing: watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; 4096];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        if !*swallowing.borrow() && to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    // The end as well: each side is to find the silence by itself.
    drop(swallowing.wait_for(|swallows| !swallows).await);
}
