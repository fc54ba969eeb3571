//! The store over SQLite: identity, journal, leases, one life after the other.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use lampyris_store::{Entities, Entity, Health, Key, Ran, Settings, Store, StoreError, Value};

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "players", mode = "behind", crate = lampyris_store)]
struct Player {
    #[entity(key)]
    id: String,
    #[entity(foreign)]
    guild: Option<i64>,
    gold: i64,
    #[entity(version)]
    version: i64,
}

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "guilds", crate = lampyris_store)]
struct Guild {
    #[entity(key, generated)]
    id: i64,
    name: String,
    open: bool,
    share: f64,
    badge: Option<Vec<u8>>,
}

const LIMIT: Duration = Duration::from_secs(20);

fn player(id: &str) -> Player {
    Player {
        id: id.to_owned(),
        guild: None,
        gold: 0,
        version: 0,
    }
}

fn guild(name: &str) -> Guild {
    Guild {
        id: 0,
        name: name.to_owned(),
        open: true,
        share: 0.5,
        badge: Some(vec![0, 1]),
    }
}

/// A store whose changes stay in the journal unless they are flushed.
fn lazy(node: &str, folder: &Path) -> Settings {
    let mut settings = Settings::in_folder(node, folder);
    settings.journal.folder = folder.join(format!("{node}-journal"));
    settings.journal.interval = Duration::from_secs(3600);
    settings
}

fn players(settings: Settings) -> (Store, Entities<Player>) {
    let store = Store::open(settings).unwrap();
    let players = store.entities();
    (store, players)
}

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
async fn a_forced_lease_ends_the_right_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let (first, of_first) = players(lazy("game1", folder.path()));
    let ann = of_first.load_or_insert("ann", || player("ann")).await.unwrap();
    first.flush().await.unwrap();
    ann.update(|ann| ann.gold = 7).await.unwrap();
    let (second, of_second) = players(lazy("game2", folder.path()));
    assert_eq!(second.force("game1", "its host burnt down").await, Ok(1));
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

#[tokio::test]
async fn a_node_without_a_store_says_so() {
    let all = Store::none().entities::<Player>();
    assert_eq!(all.load("ann").await.unwrap_err(), StoreError::NotConfigured);
    assert!(all.held("ann").is_none());
}

/// The segments of a node's journal, oldest first.
fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(folder.join("game1-journal")).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "journal"));
    paths.sort();
    paths
}

#[tokio::test]
async fn full_segments_are_deleted_once_the_database_has_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = lazy("game1", folder.path());
    settings.journal.segment_size = 4096;
    let (store, all) = players(settings);
    let ann = all.load_or_insert("ann", || player("ann")).await.unwrap();
    for _ in 0..400 {
        ann.update(|ann| ann.gold += 1).await.unwrap();
    }
    assert!(segments(folder.path()).len() > 3);
    store.flush().await.unwrap();
    let begun = Instant::now();
    while segments(folder.path()).len() > 1 {
        assert!(begun.elapsed() < LIMIT, "{:?}", segments(folder.path()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(store.snapshot().unwrap().journal_bytes < 8192);
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
