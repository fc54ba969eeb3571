//! One key is one object, and whoever has it sees its changes: in memory, in the journal, in the database.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

mod stage;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use lampyris_store::{Key, Store, StoreError, Value};

use stage::{Guild, Player, guild, lazy, player, players};

#[tokio::test]
async fn two_loads_of_one_key_are_one_object_and_changes_are_seen_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let (store, players) = players(lazy("game1", folder.path()));
    assert!(players.load("ann").await.unwrap().is_none());
    let (one, two) = tokio::join!(
        players.load_or_insert("ann", || player("ann")),
        players.load_or_insert("ann", || player("ann"))
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.is(&two) && one.is(&players.load("ann").await.unwrap().unwrap()));
    assert!(one.is(&store.entities::<Player>().held("ann").unwrap()));
    assert_eq!(
        one.update(|ann| std::mem::replace(&mut ann.gold, 5))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        two.get().unwrap(),
        Player {
            gold: 5,
            version: 1,
            ..player("ann")
        }
    );
    assert_eq!(
        one.update(|_| ()).await,
        Ok(()),
        "what changes nothing is no version"
    );
    assert_eq!(two.read(|ann| ann.version), Ok(1));
    let spend = |amount: i64| {
        move |ann: &mut Player| {
            if ann.gold < amount {
                return Err("too poor");
            }
            ann.gold -= amount;
            Ok(())
        }
    };
    assert_eq!(one.try_update(spend(9)).await.unwrap(), Err("too poor"));
    let left = Player {
        gold: 3,
        version: 2,
        ..player("ann")
    };
    assert_eq!(one.try_update(spend(2)).await.unwrap(), Ok(left));
    assert!(matches!(
        players.insert(player("ann")).await,
        Err(StoreError::Exists { .. })
    ));
    let renamed = one.update(|ann| ann.id.push('a')).await;
    assert!(matches!(renamed, Err(StoreError::BadKey(_))));
}

#[tokio::test]
async fn lists_and_questions_see_what_is_only_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, all) = players(lazy("game1", folder.path()));
    for (id, gold) in [("a", 3), ("b", 9), ("c", 5)] {
        all.insert(Player {
            gold,
            guild: Some(1),
            ..player(id)
        })
        .await
        .unwrap();
    }
    all.insert(player("d")).await.unwrap();
    assert_eq!(all.keys_of(1).await.unwrap(), ["a", "b", "c"].map(Key::from));
    let richest = all
        .select("WHERE gold > ? ORDER BY gold DESC LIMIT 2", vec![Value::Int(1)])
        .await
        .unwrap();
    assert_eq!(
        richest.iter().map(|player| player.gold).collect::<Vec<_>>(),
        [9, 5]
    );
    assert_eq!(all.load_of(1).await.unwrap().len(), 3);
    let nonsense = all.select("WHERE nonsense = 1", Vec::new()).await.unwrap_err();
    assert!(matches!(nonsense, StoreError::Refused(_)), "{nonsense}");
}

#[tokio::test]
async fn written_through_means_in_the_database_and_keys_can_be_drawn_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(lazy("game1", folder.path())).unwrap();
    let guilds = store.entities::<Guild>();
    let (one, two) = (
        guilds.insert(guild("a")).await.unwrap(),
        guilds.insert(guild("b")).await.unwrap(),
    );
    let (first, second) = (one.get().unwrap().id, two.get().unwrap().id);
    assert!(second > first, "{first} {second}");
    one.update(|guild| guild.badge = None).await.unwrap();
    let locked = two.lock().await;
    let waiting = tokio::spawn({
        let two = two.clone();
        async move { two.update(|guild| guild.name.push('!')).await }
    });
    locked.update(|guild| guild.name.push('?')).await.unwrap();
    drop(locked);
    waiting.await.unwrap().unwrap();
    drop((one, two, guilds, store));
    let store = Store::open(lazy("game2", folder.path())).unwrap();
    let guilds = store.entities::<Guild>();
    assert_eq!(
        guilds.view(first).await.unwrap().unwrap(),
        Guild {
            id: first,
            badge: None,
            ..guild("a")
        }
    );
    assert_eq!(guilds.view(second).await.unwrap().unwrap().name, "b?!");
    // The node that died was the owner; what it wrote through needs no replay, but it has not come back.
    assert!(matches!(
        guilds.load(first).await,
        Err(StoreError::OwnedElsewhere { .. })
    ));
}

async fn is_waiting<F: Future>(waits: &mut Pin<Box<F>>) -> bool {
    poll_fn(|task| Poll::Ready(waits.as_mut().poll(task).is_pending())).await
}

#[tokio::test]
async fn who_has_it_locked_changes_it_alone_and_who_gives_up_waiting_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, all) = players(lazy("game1", folder.path()));
    let ann = all.insert(player("ann")).await.unwrap();
    let more = |ann: &mut Player| ann.gold = ann.gold * 10 + 1;
    let locked = ann.lock().await;
    let mut given_up = Box::pin(ann.update(more));
    let (mut first, mut second) = (Box::pin(ann.update(more)), Box::pin(ann.delete()));
    assert!(is_waiting(&mut given_up).await);
    assert!(is_waiting(&mut first).await);
    assert!(is_waiting(&mut second).await);
    drop(given_up);
    locked.update(|ann| ann.gold = 5).await.unwrap();
    assert_eq!(ann.read(|ann| ann.gold), Ok(5));
    assert!(is_waiting(&mut first).await, "it is still locked");
    drop(locked);
    first.await.unwrap();
    assert_eq!(ann.read(|ann| ann.gold), Ok(51));
    second.await.unwrap();
    assert!(matches!(ann.get(), Err(StoreError::Absent { .. })));
    let again = all.insert(player("ann")).await.unwrap();
    again.update(more).await.unwrap();
    assert_eq!(ann.read(|ann| ann.gold), Ok(1), "nobody has it locked any more");
}

#[tokio::test]
async fn changes_under_one_lock_that_are_written_through_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(lazy("game1", folder.path())).unwrap();
    let owls = store.entities::<Guild>().insert(guild("owls")).await.unwrap();
    let more = |guild: &mut Guild| guild.share += 1.0;
    let locked = owls.lock().await;
    let (one, two) = tokio::join!(locked.update(more), locked.update(more));
    assert_eq!((one, two), (Ok(()), Ok(())));
    assert_eq!(owls.read(|guild| guild.share), Ok(2.5));
    // It takes place although nobody waits for it, and the next one begins from what it has left.
    let mut given_up = Box::pin(locked.update(more));
    assert!(is_waiting(&mut given_up).await);
    drop(given_up);
    locked.update(more).await.unwrap();
    assert_eq!(owls.read(|guild| guild.share), Ok(4.5));
}

#[tokio::test]
async fn a_wait_for_a_turn_may_end_within_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, all) = players(lazy("game1", folder.path()));
    let ann = all.insert(player("ann")).await.unwrap();
    let locked = ann.lock().await;
    let mut waiting = Box::pin(ann.update(|ann| ann.gold = 1));
    assert!(is_waiting(&mut waiting).await);
    locked.update(move |_| drop(waiting)).await.unwrap();
    drop(locked);
    ann.update(|ann| ann.gold += 2).await.unwrap();
    assert_eq!(ann.read(|ann| ann.gold), Ok(2));
}

#[tokio::test]
async fn a_node_without_a_store_says_so() {
    let all = Store::none().entities::<Player>();
    assert_eq!(all.load("ann").await.unwrap_err(), StoreError::NotConfigured);
    assert!(all.held("ann").is_none());
}

#[tokio::test]
async fn a_change_that_begins_is_seen_at_once_and_told_once_it_is_safe() {
    let folder = tempfile::tempdir().unwrap();
    let (store, all) = players(lazy("game1", folder.path()));
    let ann = all.insert(player("ann")).await.unwrap();
    let guild = store.entities::<Guild>().insert(guild("owls")).await.unwrap();
    let (told, mut news) = tokio::sync::mpsc::channel(9);
    let work = async {
        for gold in 1..=3 {
            let (told, more) = (told.clone(), |ann: &mut Player| {
                ann.gold = gold;
                Ok::<_, ()>(())
            });
            let begun = ann
                .begin_update(more, |ann| (ann.gold, ann.version))
                .await
                .unwrap();
            begun
                .unwrap()
                .then(move |saved| told.try_send(saved.unwrap()).unwrap());
            assert_eq!(ann.read(|ann| ann.gold), Ok(gold));
        }
        let refused = ann.begin_update(|_| Err("no"), |_| ()).await.unwrap();
        assert_eq!(refused.err(), Some("no"));
        // Written through it is seen once the database has it.
        let close = |guild: &mut Guild| {
            guild.open = false;
            Ok::<_, ()>(())
        };
        let begun = guild.begin_update(close, |guild| guild.open).await.unwrap();
        assert!(guild.get().unwrap().open);
        assert_eq!(begun.unwrap().saved().await, Ok(false));
        assert!(!guild.get().unwrap().open);
        for seen in [(1, 1), (2, 2), (3, 3)] {
            assert_eq!(news.recv().await, Some(seen));
        }
    };
    tokio::task::LocalSet::new().run_until(work).await;
}
