//! One life after the other: what was acknowledged is there, and an entity has one owner.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

mod stage;

use lampyris_store::{Ran, StoreError};

use stage::{LIMIT, Player, lazy, player, players};

#[tokio::test]
async fn what_was_acknowledged_is_there_in_the_next_life_although_nothing_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, all) = players(lazy("game1", folder.path()));
    let ann = all.load_or_insert("ann", || player("ann")).await.unwrap();
    for _ in 0..10 {
        ann.update(|ann| ann.gold += 3).await.unwrap();
    }
    let bob = all.load_or_insert("bob", || player("bob")).await.unwrap();
    bob.delete().await.unwrap();
    assert!(matches!(bob.get(), Err(StoreError::Absent { .. })));
    assert_eq!(
        (
            store.snapshot().unwrap().backlog,
            store.snapshot().unwrap().written
        ),
        (2, 0)
    );
    // Without a close: as after a kill.
    drop((ann, bob, all, store));
    let (store, all) = players(lazy("game1", folder.path()));
    let ann = all.load("ann").await.unwrap().unwrap();
    assert_eq!(
        ann.get().unwrap(),
        Player {
            gold: 30,
            version: 10,
            ..player("ann")
        }
    );
    assert!(all.load("bob").await.unwrap().is_none());
    assert_eq!(store.snapshot().unwrap().backlog, 0);
}

#[tokio::test]
async fn an_entity_has_one_owner_until_its_journal_is_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (first, of_first) = players(lazy("game1", folder.path()));
    let ann = of_first.load_or_insert("ann", || player("ann")).await.unwrap();
    ann.update(|ann| ann.gold = 7).await.unwrap();
    let (second, of_second) = players(lazy("game2", folder.path()));
    let refused = of_second.load("ann").await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::OwnedElsewhere { owner, .. } if owner.starts_with("game1#")),
        "{refused}"
    );
    assert_eq!(refused.ran(), Ran::No);
    // Dead, with a change in its journal: still not.
    drop((ann, of_first, first));
    assert!(of_second.load("ann").await.is_err());
    let (first, of_first) = players(lazy("game1", folder.path()));
    first.opened().await.unwrap();
    let ann = of_second.load("ann").await.unwrap().unwrap();
    assert_eq!(ann.read(|ann| ann.gold), Ok(7));
    // And back, once it is given up.
    ann.update(|ann| ann.gold = 8).await.unwrap();
    of_second.release("ann").await.unwrap();
    assert!(of_first.load("ann").await.is_err(), "an object of it is kept");
    drop(ann);
    of_second.release("ann").await.unwrap();
    assert_eq!(
        of_first.load("ann").await.unwrap().unwrap().read(|ann| ann.gold),
        Ok(8)
    );
    second.close(LIMIT).await.unwrap();
}

#[tokio::test]
async fn a_replay_does_not_bring_back_what_was_written_under_an_earlier_lease() {
    let folder = tempfile::tempdir().unwrap();
    let (first, of_first) = players(lazy("game1", folder.path()));
    let ann = of_first.load_or_insert("ann", || player("ann")).await.unwrap();
    ann.update(|ann| ann.gold = 10).await.unwrap();
    drop(ann);
    of_first.release("ann").await.unwrap();
    let (second, of_second) = players(lazy("game2", folder.path()));
    let ann = of_second.load("ann").await.unwrap().unwrap();
    ann.update(|ann| ann.gold = 20).await.unwrap();
    drop(ann);
    of_second.release("ann").await.unwrap();
    let ann = of_first.load("ann").await.unwrap().unwrap();
    ann.update(|ann| ann.guild = Some(5)).await.unwrap();
    // As after a kill: its journal has both of its changes.
    drop((ann, of_first, first));
    let (first, of_first) = players(lazy("game1", folder.path()));
    first.opened().await.unwrap();
    let expected = Player {
        guild: Some(5),
        gold: 20,
        version: 3,
        ..player("ann")
    };
    let ann = of_first.load("ann").await.unwrap().unwrap();
    assert_eq!(ann.get().unwrap(), expected);
    drop(second);
}

#[tokio::test]
async fn what_was_not_written_when_a_lease_was_taken_away_is_no_part_of_what_comes_after() {
    let folder = tempfile::tempdir().unwrap();
    let (first, of_first) = players(lazy("game1", folder.path()));
    let ann = of_first.load_or_insert("ann", || player("ann")).await.unwrap();
    first.flush().await.unwrap();
    ann.update(|ann| ann.gold = 10).await.unwrap();
    let (second, of_second) = players(lazy("game2", folder.path()));
    assert_eq!(second.force("game1", "it was thought dead").await, Ok(1));
    let taken = of_second.load("ann").await.unwrap().unwrap();
    taken.update(|ann| ann.gold = 20).await.unwrap();
    drop(taken);
    of_second.release("ann").await.unwrap();
    // It learns of it when it writes, and has the next change under a lease of its own.
    first.flush().await.unwrap();
    assert_eq!(first.snapshot().unwrap().fenced, 1);
    drop(ann);
    let ann = of_first.load("ann").await.unwrap().unwrap();
    assert_eq!(ann.get().unwrap().gold, 20);
    ann.update(|ann| ann.guild = Some(5)).await.unwrap();
    first.flush().await.unwrap();
    let seen = of_first.view("ann").await.unwrap().unwrap();
    assert_eq!((seen.gold, seen.guild), (20, Some(5)));
    drop((ann, of_first, first));
    let (first, of_first) = players(lazy("game1", folder.path()));
    first.opened().await.unwrap();
    let seen = of_first.view("ann").await.unwrap().unwrap();
    assert_eq!((seen.gold, seen.guild), (20, Some(5)));
}

#[tokio::test]
async fn a_forced_lease_ends_the_right_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let (first, of_first) = players(lazy("game1", folder.path()));
    let ann = of_first.load_or_insert("ann", || player("ann")).await.unwrap();
    first.flush().await.unwrap();
    ann.update(|ann| ann.gold = 7).await.unwrap();
    let (second, of_second) = players(lazy("game2", folder.path()));
    assert_eq!(second.forceable("game1").await, Ok(1));
    assert_eq!(second.force("game1", "its host burnt down").await, Ok(1));
    assert_eq!(second.forceable("game1").await, Ok(0));
    let taken = of_second.load("ann").await.unwrap().unwrap();
    taken.update(|ann| ann.gold = 1).await.unwrap();
    first.flush().await.unwrap();
    assert_eq!(first.snapshot().unwrap().fenced, 1);
    assert!(matches!(
        ann.update(|ann| ann.gold = 9).await,
        Err(StoreError::Lost { .. })
    ));
    second.flush().await.unwrap();
    assert_eq!(of_first.view("ann").await.unwrap().unwrap().gold, 1);
}

#[tokio::test]
async fn leases_are_forced_few_at_a_time_of_all_journals_of_a_node() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (0..1500).map(|id| format!("p{id}")).collect();
    for ids in [&ids[..1300], &ids[1300..]] {
        let (store, all) = players(lazy("game1", folder.path()));
        all.load_many(ids).await.unwrap();
        drop((all, store));
        std::fs::remove_dir_all(folder.path().join("game1-journal")).unwrap();
    }
    let (second, of_second) = players(lazy("game2", folder.path()));
    assert_eq!(second.forceable("game1").await, Ok(1500));
    assert_eq!(second.force("game1", "its disk is broken").await, Ok(1500));
    assert_eq!(second.force("game1", "once more").await, Ok(0));
    assert!(of_second.load_many(&ids).await.is_ok());
    assert_eq!(second.forceable("game2").await, Ok(0), "its own are spared");
}

#[tokio::test]
async fn a_node_that_lost_its_journal_is_given_back_what_was_its_own_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let of_node = async |node: &str, ids: &[&str]| {
        let (store, all) = players(lazy(node, folder.path()));
        let mut objects = Vec::new();
        for &id in ids {
            objects.push(all.load_or_insert(id, || player(id)).await.unwrap());
        }
        store.flush().await.unwrap();
        (store, all, objects)
    };
    let (lost, ..) = of_node("game_1", &["ann", "bob"]).await;
    // Names that a pattern would take for the same one.
    let others = (
        of_node("gamex1", &["cid"]).await,
        of_node("GAME_1", &["dan"]).await,
    );
    drop(lost);
    std::fs::remove_dir_all(folder.path().join("game_1-journal")).unwrap();
    let (store, all, _eve) = of_node("game_1", &["eve"]).await;
    let refused = all.load("ann").await.unwrap_err();
    assert!(matches!(&refused, StoreError::OwnedElsewhere { owner, .. } if owner.starts_with("game_1#")));
    assert_eq!(store.forceable("game_1").await, Ok(2));
    assert_eq!(store.force("game_1", "its disk is broken").await, Ok(2));
    assert!(all.load("ann").await.unwrap().is_some());
    let eve = all.load("eve").await.unwrap().unwrap();
    eve.update(|eve| eve.gold = 3).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(
        store.snapshot().unwrap().fenced,
        0,
        "what is its own stays its own"
    );
    for id in ["cid", "dan"] {
        assert!(
            matches!(all.load(id).await, Err(StoreError::OwnedElsewhere { .. })),
            "{id}"
        );
    }
    assert!(matches!(store.force("", "").await, Err(StoreError::BadKey(_))));
    drop(others);
}

#[tokio::test]
async fn a_closed_store_leaves_everything_written_and_free() {
    let folder = tempfile::tempdir().unwrap();
    let (store, all) = players(lazy("game1", folder.path()));
    let ids: Vec<String> = (0..300).map(|id| format!("p{id}")).collect();
    assert!(all.load_many(&ids).await.unwrap().iter().all(Option::is_none));
    for id in &ids {
        all.insert(Player {
            guild: Some(4),
            ..player(id)
        })
        .await
        .unwrap();
    }
    store.close(LIMIT).await.unwrap();
    assert_eq!(all.load("new").await.unwrap_err(), StoreError::Closed);
    let (store, all) = players(lazy("game2", folder.path()));
    assert_eq!(
        all.load_many(&ids).await.unwrap().into_iter().flatten().count(),
        300
    );
    assert_eq!(store.snapshot().unwrap().entities, 300);
}
