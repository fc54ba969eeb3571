//! A database that is not there, refuses, or does not keep up.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

mod stage;

use std::path::Path;
use std::time::{Duration, Instant};

use lampyris_store::{Health, StoreError, Value};

use stage::{LIMIT, lazy, player, players};

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_told_at_once_and_found_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    let missing = folder.path().join("later");
    settings.database.target = lampyris_store::Target::Sqlite(missing.join("store.sqlite"));
    let (store, all) = players(settings);
    let mut health = store.health().unwrap();
    health
        .wait_for(|health| matches!(health, Health::Down { .. }))
        .await
        .unwrap();
    let asked = Instant::now();
    let why = all.load("ann").await.unwrap_err();
    assert!(matches!(why, StoreError::Unavailable(_)), "{why}");
    assert!(asked.elapsed() < Duration::from_millis(50));
    std::fs::create_dir(&missing).unwrap();
    let found = Instant::now();
    health.wait_for(|health| *health == Health::Up).await.unwrap();
    assert!(found.elapsed() < Duration::from_secs(5));
    assert!(all.load("ann").await.unwrap().is_none());
}

#[tokio::test]
async fn too_much_to_write_is_overloaded_and_what_is_refused_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    settings.journal.max_backlog = 3;
    let (store, all) = players(settings);
    for id in ["a", "b", "c"] {
        all.insert(player(id)).await.unwrap();
    }
    let full = all.insert(player("d")).await.unwrap_err();
    assert!(matches!(full, StoreError::Overloaded(_)), "{full}");
    let first = all.held("a").unwrap();
    first.update(|player| player.gold = 1).await.unwrap();
    store.flush().await.unwrap();
    all.insert(player("d")).await.unwrap();
    // A rule of the database that this program does not know.
    drop((first, all, store));
    let (store, all) = players(lazy("game1", folder.path()));
    store.opened().await.unwrap();
    forbid_gold_13(folder.path()).await;
    for (id, gold) in [("a", 12), ("b", 13), ("c", 14)] {
        all.load(id)
            .await
            .unwrap()
            .unwrap()
            .update(|player| player.gold = gold)
            .await
            .unwrap();
    }
    store.flush().await.unwrap();
    let now = store.snapshot().unwrap();
    assert_eq!((now.backlog, now.written), (1, 2), "{now:?}");
    assert!(now.last_failure.unwrap().contains("unlucky"));
}

#[tokio::test]
async fn what_is_refused_of_a_journal_waits_with_its_lease_and_the_rest_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, all) = players(lazy("game1", folder.path()));
    for id in ["a", "b", "c"] {
        all.insert(player(id)).await.unwrap();
    }
    store.flush().await.unwrap();
    forbid_gold_13(folder.path()).await;
    for (id, gold) in [("a", 12), ("b", 13), ("c", 14)] {
        let player = all.load(id).await.unwrap().unwrap();
        player.update(|player| player.gold = gold).await.unwrap();
    }
    drop((all, store));
    for life in 1..=2 {
        let (store, all) = players(lazy("game1", folder.path()));
        store.opened().await.unwrap();
        let now = store.snapshot().unwrap();
        assert_eq!((now.backlog, now.write_failures), (1, 1), "life {life}");
        assert!(now.last_failure.unwrap().contains("unlucky"));
        for (id, gold) in [("a", 12), ("b", 13), ("c", 14)] {
            let player = all.load(id).await.unwrap().unwrap();
            assert_eq!(player.read(|player| player.gold), Ok(gold), "{id}, life {life}");
        }
        let (other, theirs) = players(lazy("game2", folder.path()));
        let refused = theirs.load("b").await.unwrap_err();
        assert!(matches!(refused, StoreError::OwnedElsewhere { .. }), "{refused}");
        all.release("a").await.unwrap();
        assert!(theirs.load("a").await.is_ok(), "it is written");
        theirs.release("a").await.unwrap();
        other.close(LIMIT).await.unwrap();
        if life == 1 {
            // Also when it is closed: the rest is everybody's.
            let left = store.close(LIMIT).await.unwrap_err();
            assert!(matches!(left, StoreError::Refused(_)), "{left}");
        }
    }
    let (store, all) = players(lazy("game1", folder.path()));
    store.opened().await.unwrap();
    run(folder.path(), "DROP TRIGGER unlucky").await;
    let begun = Instant::now();
    while store.snapshot().unwrap().backlog > 0 {
        assert!(begun.elapsed() < LIMIT);
        store.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(all.view("b").await.unwrap().unwrap().gold, 13);
    store.close(LIMIT).await.unwrap();
}

#[tokio::test]
async fn what_is_refused_does_not_fill_the_journal_and_outlives_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    (settings.journal.segment_size, settings.journal.max_size) = (1024, 16_384);
    let (store, all) = players(settings.clone());
    let unlucky = all.insert(player("unlucky")).await.unwrap();
    let ann = all.insert(player("ann")).await.unwrap();
    store.flush().await.unwrap();
    forbid_gold_13(folder.path()).await;
    unlucky.update(|player| player.gold = 13).await.unwrap();
    // More than the journal can have at once, three times over.
    let (mut written, begun) = (0, Instant::now());
    while written < 600 {
        assert!(begun.elapsed() < LIMIT, "{:?}", store.snapshot());
        match ann.update(|ann| ann.gold += 20).await {
            Ok(()) => written += 1,
            Err(StoreError::Overloaded(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(why) => panic!("{why}"),
        }
        store.flush().await.unwrap();
    }
    assert_eq!(store.snapshot().unwrap().backlog, 1);
    drop((unlucky, ann, all, store));
    let (store, all) = players(settings);
    store.opened().await.unwrap();
    for (id, gold) in [("unlucky", 13), ("ann", 12_000)] {
        let player = all.load(id).await.unwrap().unwrap();
        assert_eq!(player.read(|player| player.gold), Ok(gold), "{id}");
    }
}

/// A row of a table that others refer to. Its table is the last in the alphabet.
#[derive(Debug, Clone, PartialEq, lampyris_store::Entity)]
#[entity(table = "zones", mode = "behind", crate = lampyris_store)]
struct Zone {
    #[entity(key)]
    id: i64,
}

/// One that refers to a zone.
#[derive(Debug, Clone, PartialEq, lampyris_store::Entity)]
#[entity(table = "houses", mode = "behind", crate = lampyris_store)]
struct House {
    #[entity(key)]
    id: i64,
    zone: i64,
}

#[tokio::test]
async fn rows_that_refer_to_others_come_after_them_and_leave_before_them_in_one_batch() {
    let folder = tempfile::tempdir().unwrap();
    run(
        folder.path(),
        "PRAGMA journal_mode = WAL; CREATE TABLE zones (id INTEGER NOT NULL PRIMARY KEY); \
         CREATE TABLE houses (id INTEGER NOT NULL PRIMARY KEY, zone INTEGER NOT NULL REFERENCES zones (id))",
    )
    .await;
    let (store, _) = players(lazy("game1", folder.path()));
    let (zones, houses) = (store.entities::<Zone>(), store.entities::<House>());
    for id in 0..20 {
        zones.insert(Zone { id }).await.unwrap();
        houses.insert(House { id, zone: id }).await.unwrap();
    }
    store.flush().await.unwrap();
    let now = store.snapshot().unwrap();
    assert_eq!((now.written, now.refused_batches), (40, 0), "{now:?}");
    for id in 0..20 {
        houses.load(id).await.unwrap().unwrap().delete().await.unwrap();
        zones.load(id).await.unwrap().unwrap().delete().await.unwrap();
    }
    store.flush().await.unwrap();
    let now = store.snapshot().unwrap();
    assert_eq!((now.written, now.refused_batches), (80, 0), "{now:?}");
    // The other way round it takes a second attempt, and no harm is done.
    let orphan = houses.insert(House { id: 1, zone: 1 }).await.unwrap();
    zones.insert(Zone { id: 1 }).await.unwrap();
    let begun = Instant::now();
    while store.snapshot().unwrap().backlog > 0 {
        assert!(begun.elapsed() < LIMIT);
        store.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(store.snapshot().unwrap().refused_batches, 1);
    assert_eq!(orphan.get().unwrap().zone, 1);
    assert_eq!(houses.select("", Vec::new()).await.unwrap().len(), 1);
}

async fn forbid_gold_13(folder: &Path) {
    run(
        folder,
        "CREATE TRIGGER unlucky BEFORE UPDATE ON players WHEN NEW.gold = 13 \
         BEGIN SELECT RAISE(ABORT, 'unlucky'); END",
    )
    .await;
}

/// Has the database do what this program does not know of.
async fn run(folder: &Path, sql: &'static str) {
    let url = format!("sqlite:{}?mode=rwc", folder.join("store.sqlite").display());
    let mut conn = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url)
        .await
        .unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

/// A transaction of SQLite locks the whole file, so that each load and each flush waits for all others.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn loads_and_flushes_over_sqlite_wait_for_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    settings.database.acquire_timeout = Duration::from_millis(1);
    settings.database.timeout = LIMIT;
    let (store, all) = players(settings);
    store.opened().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for crowd in 0..8 {
        let (store, all) = (store.clone(), all.clone());
        tasks.spawn(async move {
            for number in 0..20 {
                let id = format!("{crowd}-{number}");
                let player = all.load_or_insert(id.as_str(), || player(&id)).await?;
                player.update(|player| player.gold += 1).await?;
                store.flush().await?;
                all.select("WHERE id = ?", vec![Value::Text(id)]).await?;
                all.release(format!("{crowd}-{}", number - 1)).await?;
            }
            Ok::<_, StoreError>(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap().unwrap();
    }
    let (size, _) = store.snapshot().unwrap().connections;
    assert_eq!(size, 1);
}
