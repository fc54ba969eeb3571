//! A cache is asked first; one that is down, stands still, or is slow, is a miss.

#![allow(
    clippy::unwrap_used,
    reason = "tests may; the steps that they share are not told from other functions"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cluster_tests::ports::Port;
use cluster_tests::proxy::{Faults, Proxy};
use cluster_tests::servers::{Kind, Server};
use cluster_tests::stage::{Player, Stage, block_on, player, with_server};
use cluster_tests::tell::measured;
use lampyris::store::{CacheSettings, CacheTarget, Entities, Store, Target};

/// One node has written a player; another one looks, by way of a cache. The database lies in the stage's folder.
async fn with_ann(cache: CacheTarget) -> (Stage, Store, Entities<Player>) {
    let stage = Stage::over(|folder| Target::Sqlite(folder.join("store.sqlite")));
    let (store, players) = stage.open("game1");
    players.insert(player("ann")).await.unwrap();
    store.close(Duration::from_secs(20)).await.unwrap();
    let mut settings = stage.settings("game2");
    settings.cache = Some(CacheSettings::new(cache));
    let store = Store::open(settings).expect("a store");
    let players = store.entities();
    (stage, store, players)
}

/// She is seen as often, although the cache does not help.
async fn ann_is_seen_in_time(players: &Entities<Player>, times: u32) {
    for round in 0..times {
        let asked = Instant::now();
        assert_eq!(players.view("ann").await.unwrap(), Some(player("ann")));
        // The question's miss, that of the answer's way back, and the database; then neither of the first two.
        let limit = if round < 3 { 400 } else { 250 };
        assert!(
            asked.elapsed() < Duration::from_millis(limit),
            "{round}: {:?}",
            asked.elapsed()
        );
    }
}

/// one node writes, another one looks, by way of a cache; which then dies and stands still.
async fn through_a_cache(mut server: Option<Server>, target: CacheTarget) {
    let (_stage, store, players) = with_ann(target).await;
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
        ann_is_seen_in_time(&players, 10).await;
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

/// R-57, slow: every answer takes far longer than a view may wait for it. Views are misses in time, the breaker opens
/// after three of them, and whoever needs no cache is not held up.
async fn a_slow_cache(server: Server, target: impl FnOnce(String) -> CacheTarget) {
    let port = Port::draw();
    let at = SocketAddr::from(([127, 0, 0, 1], port.number()));
    let proxy = Proxy::start(at, server.address().parse().unwrap());
    let (_stage, store, players) = with_ann(target(at.to_string())).await;
    assert_eq!(players.view("ann").await.unwrap(), Some(player("ann")));
    assert_eq!(store.snapshot().unwrap().cache_up, Some(true));
    let mut faults = Faults::default();
    faults.down.latency = Duration::from_secs(5);
    proxy.set(faults);

    let bob = players.load_or_insert("bob", || player("bob")).await.unwrap();
    let mut slowest = Duration::ZERO;
    let views = ann_is_seen_in_time(&players, 20);
    let updates = async {
        loop {
            let begun = Instant::now();
            bob.update(|bob| bob.gold += 1).await.unwrap();
            slowest = slowest.max(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        () = views => {}
        () = updates => unreachable!(),
    }
    assert_eq!(
        store.snapshot().unwrap().cache_up,
        Some(false),
        "the breaker is open"
    );
    measured(format_args!(
        "beside a slow cache an update took {slowest:?} at most"
    ));
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    proxy.heal();
    let hits = || store.snapshot().unwrap().cache_hits;
    let before = hits();
    let back = Instant::now();
    while hits() == before {
        assert!(
            back.elapsed() < Duration::from_secs(20),
            "the cache is back, and nobody asks it"
        );
        players.view("ann").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_slow_memcached_is_a_miss_within_its_time_and_delays_nobody() {
    with_server(
        "a_slow_memcached_is_a_miss_within_its_time_and_delays_nobody",
        Kind::Memcached,
        async |server| a_slow_cache(server, |at| CacheTarget::Memcached(vec![at])).await,
    );
}

#[test]
fn a_slow_redis_is_a_miss_within_its_time_and_delays_nobody() {
    let target = |server| CacheTarget::Redis {
        server,
        user: None,
        password: None,
        database: 0,
    };
    with_server(
        "a_slow_redis_is_a_miss_within_its_time_and_delays_nobody",
        Kind::Redis,
        async |server| a_slow_cache(server, target).await,
    );
}
