//! The data layer keeps its promises over each database and each cache, also when they die.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

use std::time::{Duration, Instant};

use cluster_tests::servers::{Kind, Server};
use cluster_tests::tell::{measured, skipped};
use lampyris::prelude::*;
use lampyris::store::{
    CacheSettings, CacheTarget, DatabaseSettings, Health, Hidden, Key, Ran, Settings, Store, Target, Value,
};

#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "players", mode = "behind")]
struct Player {
    #[entity(key)]
    id: String,
    #[entity(foreign)]
    guild: Option<i64>,
    gold: i64,
    #[entity(version)]
    version: i64,
}

/// Every type of column, and a key that the database draws.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "guilds")]
struct Guild {
    #[entity(key, generated)]
    id: i64,
    name: String,
    open: bool,
    share: f64,
    badge: Option<Vec<u8>>,
    motto: Option<String>,
}

/// What a test with a store has.
struct Stage {
    folder: tempfile::TempDir,
    target: Target,
}

impl Stage {
    fn over(target: impl FnOnce(&std::path::Path) -> Target) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let target = target(folder.path());
        Self { folder, target }
    }

    fn of(server: &Server) -> Self {
        Self::over(|_| Target::Url(Hidden(server.url())))
    }

    fn settings(&self, node: &str) -> Settings {
        let mut settings = Settings::in_folder(node, self.folder.path().join(node));
        settings.database = DatabaseSettings::new(self.target.clone());
        settings.journal.interval = Duration::from_millis(50);
        // A server that has just been started on a busy machine.
        settings.wait = Duration::from_secs(20);
        settings
    }

    fn open(&self, node: &str) -> (Store, Entities<Player>) {
        let store = Store::open(self.settings(node)).expect("a store");
        let players = store.entities();
        (store, players)
    }
}

fn player(id: &str) -> Player {
    Player {
        id: id.to_owned(),
        guild: None,
        gold: 0,
        version: 0,
    }
}

fn guild() -> Guild {
    let name = "größe 'x' \"y\" `z`".to_owned();
    Guild {
        id: 0,
        name,
        open: true,
        share: -0.5,
        badge: Some(vec![0, 255, 39]),
        motto: None,
    }
}

/// Runs a test with a server, or says that it is not there.
fn with_server(test: &str, kind: Kind, run: impl AsyncFnOnce(Server)) {
    let Some(server) = Server::start(kind) else {
        return skipped(test, &format!("no {kind:?} on this machine"));
    };
    block_on(run(server));
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(test);
}

/// What every database has to do.
async fn everything(stage: Stage) {
    let (store, players) = stage.open("game1");
    let ids: Vec<String> = (0..600).map(|id| format!("p{id}")).collect();
    assert!(players.load_many(&ids).await.unwrap().iter().all(Option::is_none));
    for (at, id) in ids.iter().enumerate() {
        let guild = (at % 3 == 0).then_some(7);
        players.insert(Player { guild, ..player(id) }).await.unwrap();
    }
    let first = players.load("p0").await.unwrap().unwrap();
    for _ in 0..50 {
        first.update(|player| player.gold += 2).await.unwrap();
    }
    assert_eq!(players.keys_of(7).await.unwrap().len(), 200);
    let richest = players
        .select("WHERE gold > ? ORDER BY gold DESC", vec![Value::Int(1)])
        .await
        .unwrap();
    assert_eq!(
        richest,
        [Player {
            guild: Some(7),
            gold: 100,
            version: 50,
            ..player("p0")
        }]
    );
    players.load("p1").await.unwrap().unwrap().delete().await.unwrap();
    guilds(&store).await;
    // Its case and its umlauts are the key's own.
    for key in ["Ann", "ann", "änn"] {
        players.insert(player(key)).await.unwrap();
    }
    let (other, theirs) = stage.open("game2");
    assert!(matches!(
        theirs.load("p0").await,
        Err(StoreError::OwnedElsewhere { .. })
    ));
    store.flush().await.unwrap();
    assert_eq!(theirs.view("p0").await.unwrap().unwrap().gold, 100);
    store.close(Duration::from_secs(20)).await.unwrap();
    let taken = theirs.load_many(["p0", "p1", "Ann", "ann", "änn"]).await.unwrap();
    assert_eq!(
        taken.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, true, true, true]
    );
    assert_eq!(taken[0].as_ref().unwrap().get().unwrap().version, 50);
    // A life that ends without a close, with everything in its journal.
    taken[2]
        .as_ref()
        .unwrap()
        .update(|ann| ann.gold = 4)
        .await
        .unwrap();
    drop((taken, theirs, other));
    let (_again, theirs) = stage.open("game2");
    assert_eq!(
        theirs.load("Ann").await.unwrap().unwrap().read(|ann| ann.gold),
        Ok(4)
    );
}

async fn guilds(store: &Store) {
    let guilds = store.entities::<Guild>();
    let (one, two) = (
        guilds.insert(guild()).await.unwrap(),
        guilds.insert(guild()).await.unwrap(),
    );
    let (first, second) = (one.get().unwrap(), two.get().unwrap());
    assert_eq!(
        first,
        Guild {
            id: first.id,
            ..guild()
        }
    );
    assert!(second.id > first.id);
    one.update(|guild| (guild.badge, guild.motto, guild.open) = (None, Some("!".to_owned()), false))
        .await
        .unwrap();
    let seen = guilds
        .select("WHERE id = ?", vec![Value::Int(first.id)])
        .await
        .unwrap();
    assert_eq!(seen, [one.get().unwrap()]);
    assert_eq!(one.key(), &Key::Int(first.id));
}

/// Two nodes that both want the same entities: each has one owner.
async fn contention(stage: Stage) {
    let (_one, of_one) = stage.open("game1");
    let (_two, of_two) = stage.open("game2");
    let ids: Vec<String> = (0..40).map(|id| format!("c{id}")).collect();
    let grab = async |players: Entities<Player>, ids: Vec<String>| {
        let mut owned = Vec::new();
        for id in ids {
            loop {
                match players.load_or_insert(id.as_str(), || player(&id)).await {
                    Ok(_) => owned.push(id.clone()),
                    Err(StoreError::OwnedElsewhere { .. }) => {}
                    // Both at once; a database may refuse one of them.
                    Err(StoreError::Unavailable(_) | StoreError::Uncertain(_)) => continue,
                    Err(why) => panic!("{why}"),
                }
                break;
            }
        }
        owned
    };
    let reversed = ids.iter().rev().cloned().collect();
    let (one, two) = tokio::join!(grab(of_one, ids.clone()), grab(of_two, reversed));
    assert_eq!(one.len() + two.len(), ids.len());
    assert!(one.iter().all(|id| !two.contains(id)));
}

/// The database dies, or stands still, and comes back.
async fn outage(mut server: Server) {
    let stage = Stage::of(&server);
    let (store, players) = stage.open("game1");
    let ann = players.load_or_insert("ann", || player("ann")).await.unwrap();
    store.flush().await.unwrap();
    for paused in [false, true] {
        if paused {
            server.pause(true)
        } else {
            server.kill()
        }
        let begun = Instant::now();
        let mut health = store.health().unwrap();
        let down = health.wait_for(|health| matches!(health, Health::Down { .. }));
        // A ping may take the time of a transaction.
        let noticed = tokio::time::timeout(Duration::from_secs(15), down).await;
        assert!(noticed.is_ok(), "after {:?}", begun.elapsed());
        drop(noticed);
        for _ in 0..20 {
            let asked = Instant::now();
            let why = players.load("bob").await.unwrap_err();
            assert!(
                matches!(why, StoreError::Unavailable(_)) && why.ran() == Ran::No,
                "{why}"
            );
            assert!(
                asked.elapsed() < Duration::from_millis(50),
                "{:?}",
                asked.elapsed()
            );
        }
        // What is in memory goes on, and is safe in the journal.
        ann.update(|ann| ann.gold += 1).await.unwrap();
        if paused {
            server.pause(false)
        } else {
            server.resume_after_kill()
        }
        let back = Instant::now();
        health.wait_for(|health| *health == Health::Up).await.unwrap();
        measured(format_args!(
            "a database that is back is found after {:?}",
            back.elapsed()
        ));
        assert!(back.elapsed() < Duration::from_secs(5));
        store.flush().await.unwrap();
        let (size, idle) = store.snapshot().unwrap().connections;
        assert!(size <= 8 && idle <= size as usize, "{size} {idle}");
    }
    let seen = players
        .select("WHERE gold = ?", vec![Value::Int(2)])
        .await
        .unwrap();
    assert_eq!(seen.len(), 1);
}

/// The database is killed again and again while changes are written through to it.
async fn killed_while_writing(mut server: Server) {
    let stage = Stage::of(&server);
    let store = Store::open(stage.settings("game1")).expect("a store");
    let guilds = store.entities::<Guild>();
    let id = guilds.insert(guild()).await.unwrap().get().unwrap().id;
    let (mut sure, mut unsure) = (0, 0);
    for round in 0..5 {
        let writer = tokio::spawn({
            let guilds = guilds.clone();
            async move {
                let (mut sure, mut unsure) = (0, 0);
                loop {
                    let changed = async {
                        guilds
                            .load(id)
                            .await?
                            .unwrap()
                            .update(|guild| guild.share += 1.0)
                            .await
                    };
                    match changed.await {
                        Ok(()) => sure += 1,
                        Err(StoreError::Uncertain(_)) => unsure += 1,
                        Err(why) if why.ran() == Ran::No => return (sure, unsure),
                        Err(why) => panic!("{why}"),
                    }
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(30 + 17 * round)).await;
        server.kill();
        let (more, maybe) = tokio::time::timeout(Duration::from_secs(20), writer)
            .await
            .unwrap()
            .unwrap();
        (sure, unsure) = (sure + more, unsure + maybe);
        server.resume_after_kill();
        store
            .health()
            .unwrap()
            .wait_for(|health| *health == Health::Up)
            .await
            .unwrap();
    }
    let share = guilds.view(id).await.unwrap().unwrap().share + 0.5;
    assert!(
        share >= f64::from(sure) && share <= f64::from(sure + unsure),
        "{sure} {share} {unsure}"
    );
    assert!(sure > 0);
}

#[test]
fn sqlite_does_everything() {
    block_on(everything(Stage::over(|folder| {
        Target::Sqlite(folder.join("store.sqlite"))
    })));
}

#[test]
fn mariadb_does_everything() {
    with_server("mariadb_does_everything", Kind::MariaDb, async |server| {
        everything(Stage::of(&server)).await
    });
}

#[test]
fn postgresql_does_everything() {
    with_server("postgresql_does_everything", Kind::Postgres, async |server| {
        everything(Stage::of(&server)).await
    });
}

#[test]
fn over_sqlite_an_entity_has_one_owner() {
    block_on(contention(Stage::over(|folder| {
        Target::Sqlite(folder.join("store.sqlite"))
    })));
}

#[test]
fn over_mariadb_an_entity_has_one_owner() {
    let test = "over_mariadb_an_entity_has_one_owner";
    with_server(test, Kind::MariaDb, async |server| {
        contention(Stage::of(&server)).await
    });
}

#[test]
fn over_postgresql_an_entity_has_one_owner() {
    let test = "over_postgresql_an_entity_has_one_owner";
    with_server(test, Kind::Postgres, async |server| {
        contention(Stage::of(&server)).await
    });
}

#[test]
fn a_mariadb_that_is_down_or_stands_still_hurts_nobody_else() {
    with_server(
        "a_mariadb_that_is_down_or_stands_still_hurts_nobody_else",
        Kind::MariaDb,
        outage,
    );
}

#[test]
fn a_postgresql_that_is_down_or_stands_still_hurts_nobody_else() {
    with_server(
        "a_postgresql_that_is_down_or_stands_still_hurts_nobody_else",
        Kind::Postgres,
        outage,
    );
}

#[test]
fn what_mariadb_has_acknowledged_outlives_its_death() {
    with_server(
        "what_mariadb_has_acknowledged_outlives_its_death",
        Kind::MariaDb,
        killed_while_writing,
    );
}

#[test]
fn what_postgresql_has_acknowledged_outlives_its_death() {
    with_server(
        "what_postgresql_has_acknowledged_outlives_its_death",
        Kind::Postgres,
        killed_while_writing,
    );
}

/// One node writes, another one looks, by way of a cache; which then dies and stands still.
async fn through_a_cache(mut server: Option<Server>, target: CacheTarget) {
    let stage = Stage::over(|folder| Target::Sqlite(folder.join("store.sqlite")));
    let (store, players) = stage.open("game1");
    players.insert(player("ann")).await.unwrap();
    store.close(Duration::from_secs(20)).await.unwrap();
    let mut settings = stage.settings("game2");
    settings.cache = Some(CacheSettings::new(target));
    let store = Store::open(settings).expect("a store");
    let players = store.entities::<Player>();
    let hits = || store.snapshot().unwrap().cache_hits;
    assert_eq!(players.view("ann").await.unwrap(), Some(player("ann")));
    assert_eq!(
        (players.view("ann").await.unwrap(), hits()),
        (Some(player("ann")), 1)
    );
    let Some(server) = &mut server else { return };
    for paused in [false, true] {
        if paused {
            server.pause(true)
        } else {
            server.kill()
        }
        for round in 0..10 {
            let asked = Instant::now();
            assert_eq!(players.view("ann").await.unwrap(), Some(player("ann")));
            // The miss, twice for question and entry, and the database.
            let limit = if round < 3 { 400 } else { 250 };
            assert!(
                asked.elapsed() < Duration::from_millis(limit),
                "{round}: {:?}",
                asked.elapsed()
            );
        }
        assert_eq!(
            store.snapshot().unwrap().cache_up,
            Some(false),
            "the breaker is open"
        );
        if paused {
            server.pause(false)
        } else {
            server.resume_after_kill()
        }
        let before = hits();
        while hits() == before {
            players.view("ann").await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[test]
fn views_are_answered_from_the_nodes_own_memory() {
    block_on(through_a_cache(None, CacheTarget::Local { rows: 10 }));
}

#[test]
fn memcached_is_asked_first_and_missed_by_nobody() {
    with_server(
        "memcached_is_asked_first_and_missed_by_nobody",
        Kind::Memcached,
        async |server| {
            let target = CacheTarget::Memcached(vec![server.address()]);
            through_a_cache(Some(server), target).await;
        },
    );
}

#[test]
fn redis_is_asked_first_and_missed_by_nobody() {
    with_server(
        "redis_is_asked_first_and_missed_by_nobody",
        Kind::Redis,
        async |server| {
            let (server_at, user, password) = (server.address(), None, None);
            let target = CacheTarget::Redis {
                server: server_at,
                user,
                password,
                database: 1,
            };
            through_a_cache(Some(server), target).await;
        },
    );
}
