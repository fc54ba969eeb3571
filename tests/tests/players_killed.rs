//! Gold that was acknowledged is there, none twice: game1, and its database, are killed at random moments under load.
//!
//! `DATA_KILLS=100 cargo test -p cluster-tests --test players_killed` is the long form.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use cluster_tests::Cluster;
use cluster_tests::client::Client;
use cluster_tests::cluster::random;
use cluster_tests::process::kill_pid;
use cluster_tests::servers::{Kind, Server};
use cluster_tests::tell::{measured, skipped};
use cluster_tests::wait::until;
use serde_json::Value;

/// Players that earn, a client each.
const PLAYERS: usize = 12;

fn kills() -> u64 {
    std::env::var("DATA_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(10)
}

/// What one player was told.
#[derive(Debug, Default)]
struct Earned {
    /// Answered with the new gold.
    sure: i64,
    /// Answered that it may have happened.
    unsure: i64,
    /// The gold of the last answer.
    last: i64,
}

/// Earns one piece after the other until it shall stop.
fn earn(
    player: String,
    connect: impl Fn() -> Client + Send + 'static,
    stop: Arc<AtomicBool>,
) -> JoinHandle<Earned> {
    spawn(move || {
        let (mut earned, mut client) = (Earned::default(), connect());
        while !stop.load(Ordering::Relaxed) {
            let answer = client
                .ask(402, &format!("{player} 1"))
                .expect("the net node lives");
            if answer.command == 402 {
                let player: Value = serde_json::from_str(&answer.payload).expect("JSON");
                let gold = player["gold"].as_i64().expect("gold");
                assert!(gold > earned.last, "{gold} after {}: {earned:?}", earned.last);
                earned.last = gold;
                earned.sure += 1;
            } else {
                let (_, error, ran) = answer.error_of();
                match ran.as_str() {
                    "maybe" => earned.unsure += 1,
                    "no" => {}
                    other => panic!("{error}, ran {other}: {answer:?}"),
                }
            }
        }
        earned
    })
}

/// `kill` again and again while everybody earns; then everybody has what he was told.
fn killed_again_and_again(name: &str, cluster: &Cluster, mut kill: impl FnMut(u64)) {
    cluster.start();
    let stop = Arc::new(AtomicBool::new(false));
    let players: Vec<_> = (0..PLAYERS)
        .map(|at| {
            let to = cluster.netport();
            let connect = move || Client::connect(to).expect("the net node lives");
            earn(format!("p{at}"), connect, Arc::clone(&stop))
        })
        .collect();
    for round in 1..=kills() {
        std::thread::park_timeout(Duration::from_millis(20 + random() % 300));
        kill(round);
    }
    std::thread::park_timeout(Duration::from_millis(300));
    stop.store(true, Ordering::Relaxed);
    let (mut sure, mut unsure) = (0, 0);
    for (at, player) in players.into_iter().enumerate() {
        let earned = player.join().expect("a player");
        let gold = until("the player is shown", || {
            let shown = cluster
                .ask(401, &format!("p{at}"))
                .ok()
                .filter(|answer| answer.command == 401)?;
            serde_json::from_str::<Value>(&shown.payload).ok()?["gold"].as_i64()
        });
        assert!(gold >= earned.sure, "p{at} lacks some: {gold}, {earned:?}");
        assert!(
            gold <= earned.sure + earned.unsure,
            "p{at} has some twice: {gold}, {earned:?}"
        );
        assert!(gold >= earned.last);
        (sure, unsure) = (sure + earned.sure, unsure + earned.unsure);
    }
    assert!(sure > 100, "hardly anybody earned: {sure}");
    measured(format_args!(
        "{name}: {} kills, {sure} earned, {unsure} unsure",
        kills()
    ));
}

/// Kills game1, and waits until it is there again.
fn kill_game1(cluster: &Cluster, round: u64) {
    let admin = cluster.admin();
    kill_pid(admin.pid("game1"));
    admin.until("game1", "ready again", |node| {
        node["state"] == "ready" && node["restarts"] == round
    });
}

fn players() -> Cluster {
    let mut cluster = Cluster::study();
    cluster
        .set("servers.game1.db", true)
        .set("servers.game1.mem", true);
    // Killed before it has been ready for a second, a node would be in a crash loop.
    cluster.set("servers.game1.intensity", 1000);
    cluster
}

#[test]
fn a_node_whose_database_is_down_is_degraded_and_does_everything_else() {
    let Some(mut server) = Server::start(Kind::MariaDb) else {
        let test = "a_node_whose_database_is_down_is_degraded_and_does_everything_else";
        return skipped(test, "no MariaDB on this machine");
    };
    let mut cluster = players();
    cluster.set("db", serde_json::json!({"url": server.url()}));
    server.kill();
    cluster.run(&[]);
    let node = cluster.admin().until_state("game1", "degraded");
    assert!(
        node["reason"]
            .as_str()
            .is_some_and(|why| why.contains("database")),
        "{node}"
    );
    cluster.until_answered(300, "msgdata", "game1Handle completed");
    let refused = cluster.ask(402, "ann 5").expect("an answer");
    assert_eq!(refused.error_of(), (402, "not_sent".to_owned(), "no".to_owned()));
    server.resume_after_kill();
    let node = cluster.admin().until_state("game1", "ready");
    assert_eq!(node["restarts"], 0);
    cluster.until_answered(402, "ann 5", r#"{"id":"ann","gold":5,"version":1}"#);
}

#[test]
fn game1_is_killed_over_sqlite() {
    let cluster = players();
    killed_again_and_again("game1 over SQLite", &cluster, |round| kill_game1(&cluster, round));
}

#[test]
fn game1_is_killed_over_mariadb() {
    let Some(server) = Server::start(Kind::MariaDb) else {
        return skipped("game1_is_killed_over_mariadb", "no MariaDB on this machine");
    };
    let mut cluster = players();
    cluster.set("db", serde_json::json!({"url": server.url()}));
    killed_again_and_again("game1 over MariaDB", &cluster, |round| {
        kill_game1(&cluster, round)
    });
}

#[test]
fn mariadb_and_game1_are_killed() {
    let Some(mut server) = Server::start(Kind::MariaDb) else {
        return skipped("mariadb_and_game1_are_killed", "no MariaDB on this machine");
    };
    let mut cluster = players();
    cluster.set("db", serde_json::json!({"url": server.url()}));
    let mut deaths = 0;
    killed_again_and_again("MariaDB and game1", &cluster, |round| {
        server.kill();
        if round % 2 == 0 {
            deaths += 1;
            kill_game1(&cluster, deaths);
        }
        server.resume_after_kill();
    });
}
