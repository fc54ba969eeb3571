//! The journal's files: full, needless, torn, damaged.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

mod stage;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lampyris_store::{Health, Object, Store, StoreError};

use stage::{LIMIT, Player, lazy, player, players};

/// The segments of a node's journal, oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    files(folder, "journal")
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder.join("game1-journal")).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    paths.sort();
    paths
}

/// Adds so much gold one by one, has it written, and waits until the journal has put its full segments away.
async fn earn_and_flush(store: &Store, ann: &Object<Player>, gold: i64, folder: &Path) {
    for _ in 0..gold {
        ann.update(|ann| ann.gold += 1).await.unwrap();
    }
    assert!(segments(folder).len() > 3);
    store.flush().await.unwrap();
    let begun = Instant::now();
    while segments(folder).len() > 1 {
        assert!(begun.elapsed() < LIMIT, "{:?}", segments(folder));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn full_segments_are_put_away_once_the_database_has_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    settings.journal.segment_size = 4096;
    let (store, all) = players(settings);
    let ann = all.load_or_insert("ann", || player("ann")).await.unwrap();
    earn_and_flush(&store, &ann, 400, folder.path()).await;
    assert!(store.snapshot().unwrap().journal_bytes < 8192);
    assert_eq!(files(folder.path(), "spare").len(), 4);
}

#[tokio::test]
async fn a_spared_file_holds_what_was_written_to_it_last_and_may_be_empty_or_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    settings.journal.segment_size = 4096;
    for life in 1..=4 {
        let (store, all) = players(settings.clone());
        let ann = all.load_or_insert("ann", || player("ann")).await.unwrap();
        earn_and_flush(&store, &ann, 300, folder.path()).await;
        let spares = files(folder.path(), "spare");
        // As somebody might who is short of room.
        for spare in &spares {
            match life {
                2 => std::fs::write(spare, "").unwrap(),
                3 => std::fs::remove_file(spare).unwrap(),
                _ => {}
            }
        }
        // Over what they held, and not to their ends.
        for _ in 0..130 {
            ann.update(|ann| ann.gold += 1).await.unwrap();
        }
        let newest = segments(folder.path()).pop().unwrap().with_extension("");
        assert!(spares.iter().all(|spare| spare.with_extension("") < newest));
        // As after a kill: what is not in the database is in the journal.
        drop((ann, all, store));
        let (store, all) = players(settings.clone());
        let ann = all.load("ann").await.unwrap().unwrap();
        assert_eq!(ann.read(|ann| ann.gold), Ok(430 * life));
        drop((ann, all, store));
    }
}

#[tokio::test]
async fn a_full_journal_is_overloaded_until_the_database_has_taken_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    (settings.journal.segment_size, settings.journal.max_size) = (1024, 8192);
    let (store, all) = players(settings);
    let ann = all.load_or_insert("ann", || player("ann")).await.unwrap();
    let mut gold = 0;
    while ann.update(|ann| ann.gold += 1).await.is_ok() {
        gold += 1;
    }
    let full = ann.update(|ann| ann.gold += 1).await.unwrap_err();
    assert!(matches!(full, StoreError::Overloaded(_)), "{full}");
    assert_eq!(
        ann.read(|ann| ann.gold),
        Ok(gold),
        "what was refused has not happened"
    );
    store.flush().await.unwrap();
    let begun = Instant::now();
    while ann.update(|ann| ann.gold += 1).await.is_err() {
        assert!(begun.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_unfinished_end_of_the_journal_is_cut_off_and_damage_elsewhere_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    settings.journal.segment_size = 4096;
    let (store, all) = players(settings.clone());
    let ann = all.load_or_insert("ann", || player("ann")).await.unwrap();
    for _ in 0..200 {
        ann.update(|ann| ann.gold += 1).await.unwrap();
    }
    drop((ann, all, store));
    let files = segments(folder.path());
    let (oldest, newest) = (&files[0], files.last().unwrap());
    let torn = [std::fs::read(newest).unwrap(), b"half a reco".to_vec()].concat();
    std::fs::write(newest, torn).unwrap();
    let whole = std::fs::read(oldest).unwrap();
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    std::fs::write(oldest, damaged).unwrap();
    let (store, all) = players(settings.clone());
    let mut health = store.health().unwrap();
    let told = health
        .wait_for(|health| matches!(health, Health::Down { .. }))
        .await
        .unwrap()
        .clone();
    let Health::Down { why, .. } = told else {
        unreachable!()
    };
    assert!(why.contains("0000000000000001.journal: damaged at byte"), "{why}");
    // Once it is mended, the same life goes on.
    std::fs::write(oldest, whole).unwrap();
    health.wait_for(|health| *health == Health::Up).await.unwrap();
    assert_eq!(
        all.load("ann").await.unwrap().unwrap().read(|ann| ann.gold),
        Ok(200)
    );
}
