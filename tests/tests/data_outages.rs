//! A database that dies, or stands still, and comes back.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

use std::time::{Duration, Instant};

use cluster_tests::servers::{Kind, Server};
use cluster_tests::stage::{Guild, Stage, guild, player, with_server};
use cluster_tests::tell::measured;
use lampyris::prelude::*;
use lampyris::store::{Health, Ran, Store, Value};

/// the database dies, or stands still, and comes back.
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

/// the database is killed again and again while changes are written through to it.
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
