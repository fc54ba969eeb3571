//! Gold that was acknowledged is there, none twice: game1, and its database, are killed at random moments under load.
//!
//! Some calls are sent right before each kill. Those that had no answer yet have happened once or not at all; what
//! their callers are told in the end is true.
//!
//! `DATA_KILLS=100 cargo test -p cluster-tests --test players_killed` is the long form.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::client::{Client, Frame};
use cluster_tests::cluster::random;
use cluster_tests::process::kill_pid;
use cluster_tests::servers::{Kind, Server};
use cluster_tests::tell::{measured, skipped};
use cluster_tests::wait::until;
use serde_json::Value;

/// Players that earn, a client each.
const PLAYERS: usize = 12;
/// Calls right before a kill, and the gold of each.
const BURST: usize = 8;
const AMOUNT: i64 = 7;

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

/// Calls that are sent right before a kill.
struct Burst {
    /// The players, each with his gold before.
    players: Vec<(String, i64)>,
    /// The answers in the order of the players, and when they came.
    answers: JoinHandle<Vec<(Frame, Instant)>>,
}

impl Burst {
    /// Every other player is one whom nobody has loaded yet.
    fn send(cluster: &Cluster, round: u64) -> Self {
        let player = |at| match at % 2 {
            0 => format!("known{at}"),
            _ => format!("new{round}-{at}"),
        };
        let gold = |id: String| {
            let gold = if id.starts_with("new") {
                0
            } else {
                gold_of(cluster, &id)
            };
            (id, gold)
        };
        let players: Vec<_> = (0..BURST).map(player).map(gold).collect();
        let mut client = cluster.client();
        for (id, _) in &players {
            client
                .send(402, &format!("{id} {AMOUNT}"))
                .expect("the net node lives");
        }
        let receive = move |_| (client.receive().expect("an answer or an error"), Instant::now());
        let answers = spawn(|| (0..BURST).map(receive).collect());
        Self { players, answers }
    }

    /// Whether everything is as it was told; gives how many calls had no answer at the kill, and how many of these
    /// have happened.
    fn check(self, cluster: &Cluster, killed: Instant) -> (u64, u64) {
        let (mut pending, mut happened) = (0, 0);
        let answers = self.answers.join().expect("answers");
        for ((id, before), (answer, came)) in self.players.into_iter().zip(answers) {
            let more = gold_of(cluster, &id) - before;
            let allowed: &[i64] = if answer.command == 402 {
                &[AMOUNT]
            } else {
                match answer.error_of().2.as_str() {
                    "no" => &[0],
                    _ => &[0, AMOUNT],
                }
            };
            assert!(allowed.contains(&more), "{id} got {more} by {answer:?}");
            if came > killed {
                (pending, happened) = (pending + 1, happened + u64::from(more > 0));
            }
        }
        (pending, happened)
    }
}

/// A player's gold, as soon as somebody can tell.
fn gold_of(cluster: &Cluster, player: &str) -> i64 {
    until("the player is shown", || {
        let shown = cluster.ask(401, player).ok()?;
        serde_json::from_str::<Value>(&shown.payload).ok()?["gold"].as_i64()
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
    let (mut pending, mut happened) = (0, 0);
    for round in 1..=kills() {
        std::thread::park_timeout(Duration::from_millis(20 + random() % 300));
        let burst = Burst::send(cluster, round);
        std::thread::park_timeout(Duration::from_micros(random() % 3000));
        let killed = Instant::now();
        kill(round);
        let (none_yet, all_the_same) = burst.check(cluster, killed);
        (pending, happened) = (pending + none_yet, happened + all_the_same);
    }
    std::thread::park_timeout(Duration::from_millis(300));
    stop.store(true, Ordering::Relaxed);
    let (mut sure, mut unsure) = (0, 0);
    for (at, player) in players.into_iter().enumerate() {
        let earned = player.join().expect("a player");
        let gold = gold_of(cluster, &format!("p{at}"));
        assert!(gold >= earned.sure, "p{at} lacks some: {gold}, {earned:?}");
        assert!(
            gold <= earned.sure + earned.unsure,
            "p{at} has some twice: {gold}, {earned:?}"
        );
        assert!(gold >= earned.last);
        (sure, unsure) = (sure + earned.sure, unsure + earned.unsure);
    }
    assert!(sure > 100, "hardly anybody earned: {sure}");
    assert!(pending > 0, "no call was pending at any kill");
    measured(format_args!(
        "{name}: {} kills, {sure} earned, {unsure} unsure; {pending} calls had no answer yet, {happened} of them happened",
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

/// R-55.
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
    game1_is_killed("game1_is_killed_over_mariadb", Kind::MariaDb);
}

#[test]
fn game1_is_killed_over_postgresql() {
    game1_is_killed("game1_is_killed_over_postgresql", Kind::Postgres);
}

fn game1_is_killed(test: &str, kind: Kind) {
    let Some(server) = Server::start(kind) else {
        return skipped(test, &format!("no {kind:?} on this machine"));
    };
    let mut cluster = players();
    cluster.set("db", serde_json::json!({"url": server.url()}));
    let name = format!("game1 over {kind:?}");
    killed_again_and_again(&name, &cluster, |round| kill_game1(&cluster, round));
}

#[test]
fn mariadb_and_sometimes_game1_are_killed() {
    both_are_killed("mariadb_and_sometimes_game1_are_killed", Kind::MariaDb);
}

#[test]
fn postgresql_and_sometimes_game1_are_killed() {
    both_are_killed("postgresql_and_sometimes_game1_are_killed", Kind::Postgres);
}

fn both_are_killed(test: &str, kind: Kind) {
    let Some(mut server) = Server::start(kind) else {
        return skipped(test, &format!("no {kind:?} on this machine"));
    };
    let mut cluster = players();
    cluster.set("db", serde_json::json!({"url": server.url()}));
    let mut deaths = 0;
    killed_again_and_again(&format!("{kind:?}"), &cluster, |round| {
        server.kill();
        if round % 2 == 0 {
            deaths += 1;
            kill_game1(&cluster, deaths);
        }
        server.resume_after_kill();
    });
}
