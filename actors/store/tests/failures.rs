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

async fn forbid_gold_13(folder: &Path) {
    let url = format!("sqlite:{}", folder.join("store.sqlite").display());
    let mut conn = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url)
        .await
        .unwrap();
    let rule = "CREATE TRIGGER unlucky BEFORE UPDATE ON players WHEN NEW.gold = 13 \
                BEGIN SELECT RAISE(ABORT, 'unlucky'); END";
    sqlx::raw_sql(rule).execute(&mut conn).await.unwrap();
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
