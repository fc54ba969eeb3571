//! Every database does the same: rows, keys, lists, lives, owners.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

use std::time::Duration;

use cluster_tests::servers::Kind;
use cluster_tests::stage::{Guild, Player, Stage, block_on, guild, player, with_server};
use lampyris::prelude::*;
use lampyris::store::{Key, Store, Target, Value};

/// What every database has to do.
async fn everything(stage: Stage) {
    let (store, players) = stage.open("game1");
    let ids: Vec<String> = (0..600).map(|id| format!("p{id}")).collect();
    assert!(players.load_many(&ids).await.unwrap().iter().all(Option::is_none));
    for (at, id) in ids.iter().enumerate() {
        let guild = (at % 3 == 0).then_some(7);
        players.insert(Player { guild, ..player(id) }).await.unwrap();
    }
    many_at_once(&store, &players, &ids).await;
    many_come_and_go(&store, &players).await;
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
    keys_alone(&store).await;
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
    let (again, theirs) = stage.open("game2");
    assert_eq!(
        theirs.load("Ann").await.unwrap().unwrap().read(|ann| ann.gold),
        Ok(4)
    );
    forced(&stage, &again).await;
}

/// Changes that are alike, and some that are not, go to the database by few statements; each reaches its own row.
async fn many_at_once(store: &Store, players: &Entities<Player>, ids: &[String]) {
    store.flush().await.unwrap();
    let objects = players.load_many(&ids[10..310]).await.unwrap();
    for (at, object) in objects.iter().flatten().enumerate() {
        let change = |player: &mut Player| {
            player.gold = -(at as i64) - 1;
            if at % 7 == 0 {
                player.guild = None;
            }
        };
        object.update(change).await.unwrap();
    }
    store.flush().await.unwrap();
    let changed = players
        .select("WHERE gold < ? ORDER BY gold DESC", vec![Value::Int(0)])
        .await
        .unwrap();
    assert_eq!(changed.len(), 300);
    for (at, player) in changed.iter().enumerate() {
        let guild = ((at + 10) % 3 == 0 && at % 7 != 0).then_some(7);
        let expected = Player {
            id: ids[at + 10].clone(),
            guild,
            gold: -(at as i64) - 1,
            version: 1,
        };
        assert_eq!(*player, expected);
    }
    assert_eq!(store.snapshot().unwrap().last_failure, None);
    for object in objects.iter().flatten() {
        let back = |player: &mut Player| {
            player.gold = 0;
            player.guild = (player.id[1..].parse::<i64>().unwrap() % 3 == 0).then_some(7);
        };
        object.update(back).await.unwrap();
    }
}

/// Rows come, some of them a second time, and leave, by few statements.
async fn many_come_and_go(store: &Store, players: &Entities<Player>) {
    let ids: Vec<String> = (0..150).map(|id| format!("guest{id}")).collect();
    players.load_many(&ids).await.unwrap();
    for gold in [1, 2] {
        for id in &ids {
            let guild = (gold == 1).then_some(9);
            let guest = Player {
                guild,
                gold,
                ..player(id)
            };
            players.insert(guest).await.unwrap();
        }
        store.flush().await.unwrap();
        let guests = players.select("WHERE id LIKE ?", vec![Value::Text("guest%".to_owned())]);
        let guests = guests.await.unwrap();
        assert_eq!(guests.len(), ids.len());
        let is_as_inserted = |guest: &Player| (guest.gold, guest.guild.is_some()) == (gold, gold == 1);
        assert!(guests.iter().all(is_as_inserted), "{guests:?}");
        for guest in players.load_many(&ids).await.unwrap().iter().flatten() {
            guest.delete().await.unwrap();
        }
        // The first time, they are back before the database has learnt that they were gone.
        if gold == 2 {
            store.flush().await.unwrap();
        }
    }
    let left = players.select("WHERE id LIKE ?", vec![Value::Text("guest%".to_owned())]);
    assert_eq!(left.await.unwrap(), []);
    assert_eq!(store.snapshot().unwrap().last_failure, None);
}

/// What a node owned that does not come back is free for others, and no other node's.
async fn forced(stage: &Stage, store: &Store) {
    let ids: Vec<String> = (0..20).map(|id| format!("f{id}")).collect();
    let (dead, theirs) = stage.open("game_3");
    theirs.load_many(&ids).await.unwrap();
    let (_alive, others) = stage.open("gamex3");
    others.load("one").await.unwrap();
    drop((dead, theirs));
    assert_eq!(store.forceable("game_3").await, Ok(20));
    assert_eq!(store.force("game_3", "it burnt down").await, Ok(20));
    assert_eq!(store.forceable("game_3").await, Ok(0));
    let players = store.entities::<Player>();
    assert!(players.load_many(&ids).await.is_ok());
    assert!(matches!(
        players.load("one").await,
        Err(StoreError::OwnedElsewhere { .. })
    ));
}

/// An entity that is there or not, and has nothing else.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "tags", mode = "behind")]
struct Tag {
    #[entity(key)]
    id: String,
}

async fn keys_alone(store: &Store) {
    let tags = store.entities::<Tag>();
    let all: Vec<Tag> = (0..20).map(|id| Tag { id: format!("t{id}") }).collect();
    for tag in &all {
        tags.insert(tag.clone()).await.unwrap();
    }
    store.flush().await.unwrap();
    // Back before the database has learnt that they were gone.
    for tag in &all {
        tags.load(tag.id.as_str())
            .await
            .unwrap()
            .unwrap()
            .delete()
            .await
            .unwrap();
        tags.insert(tag.clone()).await.unwrap();
    }
    store.flush().await.unwrap();
    assert_eq!(tags.select("", Vec::new()).await.unwrap().len(), all.len());
    assert_eq!(store.snapshot().unwrap().last_failure, None);
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

/// An entity with a column that is unique besides its key: the table is the user's own.
#[derive(Debug, Clone, PartialEq, Entity)]
#[entity(table = "accounts", mode = "behind")]
struct Account {
    #[entity(key)]
    id: String,
    mail: String,
}

/// What has the same value as another row is refused, and neither takes that row's place nor holds others up.
async fn unique(stage: Stage) {
    let migrations = tempfile::tempdir().unwrap();
    let table =
        "CREATE TABLE accounts (id VARCHAR(64) NOT NULL PRIMARY KEY, mail VARCHAR(64) NOT NULL UNIQUE)";
    std::fs::write(migrations.path().join("1_accounts.sql"), table).unwrap();
    let mut settings = stage.settings("game1");
    settings.database.migrations = Some(migrations.path().to_owned());
    settings.journal.interval = Duration::from_secs(3600);
    let store = Store::open(settings).unwrap();
    let accounts = store.entities::<Account>();
    let account = |id: &str, mail: &str| Account {
        id: id.to_owned(),
        mail: mail.to_owned(),
    };
    let first = accounts.insert(account("first", "same")).await.unwrap();
    store.flush().await.unwrap();
    accounts.insert(account("second", "same")).await.unwrap();
    for at in 0..40 {
        let name = format!("other{at}");
        accounts.insert(account(&name, &name)).await.unwrap();
    }
    store.flush().await.unwrap();
    let all = async || accounts.select("ORDER BY id", Vec::new()).await.unwrap();
    let rows = all().await;
    assert_eq!((rows.len(), &rows[0]), (41, &account("first", "same")));
    let now = store.snapshot().unwrap();
    assert_eq!((now.backlog, now.written), (1, 41), "{now:?}");
    // A row that is written as a whole over its own one, and what was refused, once nothing speaks against it.
    first.delete().await.unwrap();
    accounts.insert(account("first", "other")).await.unwrap();
    let begun = std::time::Instant::now();
    while store.snapshot().unwrap().backlog > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        store.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rows = all().await;
    assert_eq!((rows.len(), &rows[0]), (42, &account("first", "other")));
    assert_eq!(rows[41], account("second", "same"));
}

#[test]
fn over_sqlite_no_row_takes_the_place_of_another_one() {
    block_on(unique(Stage::over(|folder| {
        Target::Sqlite(folder.join("store.sqlite"))
    })));
}

#[test]
fn over_mariadb_no_row_takes_the_place_of_another_one() {
    let test = "over_mariadb_no_row_takes_the_place_of_another_one";
    with_server(test, Kind::MariaDb, async |server| {
        unique(Stage::of(&server)).await
    });
}

#[test]
fn over_postgresql_no_row_takes_the_place_of_another_one() {
    let test = "over_postgresql_no_row_takes_the_place_of_another_one";
    with_server(test, Kind::Postgres, async |server| {
        unique(Stage::of(&server)).await
    });
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
