//! Two processes of one name: who gets a link, and where the calls go while one takes the other's place.

use super::*;

/// A gate with net linked, and a successor of that net, which dials.
struct Swap {
    pair: Pair,
    successor: End,
    _dialling: JoinHandle<()>,
    failures: mpsc::Receiver<String>,
}

async fn swap(announced: bool) -> Swap {
    let pair = pair_with(LinkSettings::default()).await;
    let first = pair.gate.peer.conn().unwrap().id().peer.incarnation;
    if announced {
        pair.gate.peer.expect_successor(first, clock() + PATIENCE);
    }
    let me = Identity {
        succeeds: Some(first),
        ..who("net")
    };
    let successor = End::new("gate", &LinkSettings::default());
    let (dialling, failures) = start_dialling(pair.addr, &successor.peer, me, SECRET);
    Swap {
        pair,
        successor,
        _dialling: dialling,
        failures,
    }
}

#[tokio::test]
async fn a_successor_that_nobody_announced_is_refused() {
    let mut swap = swap(false).await;
    let failure = timeout(PATIENCE, swap.failures.recv()).await.unwrap().unwrap();
    assert!(failure.contains("net is already connected (pid "), "{failure}");
    assert!(
        swap.pair.gate.news.try_recv().is_err(),
        "the first link never went down"
    );
}

#[tokio::test]
async fn an_announcement_has_an_end() {
    let pair = pair_with(LinkSettings::default()).await;
    let first = pair.gate.peer.conn().unwrap().id().peer.incarnation;
    pair.gate.peer.expect_successor(first, clock());
    let me = Identity {
        succeeds: Some(first),
        ..who("net")
    };
    let late = End::new("gate", &LinkSettings::default());
    let (_dialling, mut failures) = start_dialling(pair.addr, &late.peer, me, SECRET);
    assert!(timeout(PATIENCE, failures.recv()).await.unwrap().is_some());
}

#[tokio::test]
async fn new_calls_go_to_the_first_until_it_drains_and_then_to_the_successor() {
    let mut swap = swap(true).await;
    assert_eq!(swap.successor.news().await, "up 1");
    assert_eq!(swap.pair.gate.news().await, "stands by 2");
    let early = call(&swap.successor.peer, ECHO, b"from the successor", PATIENCE);
    assert_eq!(
        answer(early).await.unwrap(),
        "from the successor",
        "its own calls are served"
    );
    let open = call(&swap.pair.gate.peer, KEEP, b"open", PATIENCE);
    let kept = swap.pair.net.kept().await;
    assert_eq!(swap.pair.gate.peer.conns().len(), 2);

    swap.pair.net.peer.conn().unwrap().drain();
    assert!(swap.pair.gate.news().await.contains("stopping"));
    assert_eq!(swap.pair.gate.news().await, "up 2");
    let new = call(&swap.pair.gate.peer, KEEP, b"new", PATIENCE);
    let at_successor = swap.successor.kept().await;
    at_successor.reply.reply_bytes(at_successor.body);
    assert_eq!(answer(new).await.unwrap(), "new");
    kept.reply.reply_bytes(kept.body);
    assert_eq!(answer(open).await.unwrap(), "open", "it ended where it had begun");
}

#[tokio::test]
async fn a_successor_is_there_at_once_when_the_first_dies() {
    let mut swap = swap(true).await;
    assert_eq!(swap.pair.gate.news().await, "stands by 2");
    swap.pair.dialling.abort();
    drop(swap.pair.dialling);
    assert!(swap.pair.gate.news().await.starts_with("down"));
    assert_eq!(swap.pair.gate.news().await, "up 2");
    let new = call(&swap.pair.gate.peer, ECHO, b"new", PATIENCE);
    assert_eq!(answer(new).await.unwrap(), "new");
}

#[tokio::test]
async fn a_successor_that_ends_first_changes_nothing() {
    let mut swap = swap(true).await;
    assert_eq!(swap.pair.gate.news().await, "stands by 2");
    swap.successor.news().await;
    swap.successor
        .peer
        .conn()
        .unwrap()
        .close(crate::wire::Goodbye::Stopping);
    assert_eq!(swap.pair.gate.news().await, "stood in vain 2");
    assert_eq!(swap.pair.gate.peer.conns().len(), 1);
    let call = call(&swap.pair.gate.peer, ECHO, b"first", PATIENCE);
    assert_eq!(answer(call).await.unwrap(), "first");
}

#[tokio::test]
async fn a_child_of_a_parent_that_drains_has_a_new_link_before_the_old_one_ends() {
    let mut pair = pair_with(LinkSettings::default()).await;
    let open = call(&pair.net.peer, KEEP, b"up", PATIENCE);
    let kept = pair.gate.kept().await;
    let down = call(&pair.gate.peer, KEEP, b"down", PATIENCE);
    let kept_below = pair.net.kept().await;
    // Another process takes the port over: who connects waits in the kernel's queue meanwhile.
    pair.accepting.abort();
    drop(pair.accepting.await);
    let successor = End::new("net", &LinkSettings::default());
    let listener = TcpListener::bind(pair.addr).await.unwrap();
    let _accepting = serve(listener, &successor.peer);
    pair.gate.peer.conn().unwrap().drain();
    assert!(pair.net.news().await.contains("stopping"));
    assert_eq!(pair.net.news().await, "up 2");
    let new = call(&pair.net.peer, ECHO, b"new", PATIENCE);
    assert_eq!(answer(new).await.unwrap(), "new");
    kept.reply.reply_bytes(kept.body);
    kept_below.reply.reply_bytes(kept_below.body);
    assert_eq!(answer(open).await.unwrap(), "up");
    assert_eq!(answer(down).await.unwrap(), "down");
}

#[tokio::test]
async fn of_two_processes_that_dial_at_the_same_moment_one_gets_the_name() {
    let gate = End::new("net", &LinkSettings::default());
    let (addr, _accepting) = listen(&gate.peer).await;
    let twins = [0, 1].map(|_| {
        let twin = End::new("gate", &LinkSettings::default());
        let (task, failures) = start_dialling(addr, &twin.peer, who("net"), SECRET);
        (twin, task, failures)
    });
    let [(one, _first, mut one_failed), (other, _second, mut other_failed)] = twins;
    let refused = timeout(PATIENCE, async {
        tokio::select! {
            why = one_failed.recv() => (why, &other),
            why = other_failed.recv() => (why, &one),
        }
    });
    let (why, winner) = refused.await.unwrap();
    assert!(why.unwrap().contains("already connected"));
    let asked = call(&winner.peer, ECHO, b"winner", PATIENCE);
    assert_eq!(answer(asked).await.unwrap(), "winner");
    assert_eq!(gate.peer.conns().len(), 1);
}
