//! How fast the store is, against the same work as single statements of sqlx; the last column is the ratio.
//!
//! `cargo bench -p lampyris-store` measures over SQLite; with `DATABASE_URL` set over that database as well.

use std::path::Path;
use std::time::{Duration, Instant};

use lampyris_store::{Entities, Entity, Hidden, Settings, Store, Target};
use sqlx::{AnyPool, Connection};

/// Entities.
const PLAYERS: usize = 10_000;
/// Callers at one time.
const CALLERS: usize = 1024;
/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(4);

#[derive(Clone, Entity)]
#[entity(table = "bench_players", mode = "behind", crate = lampyris_store)]
struct Player {
    #[entity(key)]
    id: i64,
    gold: i64,
    #[entity(version)]
    version: i64,
}

/// A player who was not there before.
#[derive(Clone, Entity)]
#[entity(table = "bench_guests", mode = "behind", crate = lampyris_store)]
struct Guest {
    #[entity(key)]
    id: i64,
    gold: i64,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        sqlx::any::install_default_drivers();
        let file = folder.path().join("reference.sqlite");
        let own = Target::Sqlite(folder.path().join("store.sqlite"));
        run(
            "SQLite",
            folder.path(),
            own,
            format!("sqlite:{}?mode=rwc", file.display()),
        )
        .await;
        if let Ok(url) = std::env::var("DATABASE_URL") {
            run(
                "DATABASE_URL",
                folder.path(),
                Target::Url(Hidden(url.clone())),
                url,
            )
            .await;
        }
    });
}

async fn run(name: &str, folder: &Path, target: Target, reference: String) {
    let inserts = inserts(name, folder, target.clone()).await;
    println!("{name}: new rows, from journal to database {inserts:>12.0}/s");
    let mut settings = Settings::in_folder("bench", folder);
    settings.database.target = target;
    settings.journal.folder = folder.join(name);
    let store = Store::open(settings).expect("a store");
    let players = store.entities::<Player>();
    for id in 0..PLAYERS as i64 {
        players
            .load_or_insert(id, || Player {
                id,
                gold: 0,
                version: 0,
            })
            .await
            .expect("a player");
    }
    let reads = reads(&players).await;
    println!("{name}: reads of entities in memory       {reads:>12.0}/s");
    let single = single_statements(&reference).await;
    println!("{name}: updates as single statements      {single:>12.0}/s");
    let behind = updates(&store, &players).await;
    println!(
        "{name}: updates of entities, all written  {behind:>12.0}/s   {:.1}x",
        behind / single
    );
    store
        .close(Duration::from_secs(60))
        .await
        .expect("everything is written");
}

/// How fast new rows are written that the journal has.
async fn inserts(name: &str, folder: &Path, target: Target) -> f64 {
    let mut settings = Settings::in_folder("bench-guests", folder);
    settings.database.target = target;
    settings.journal.folder = folder.join(format!("{name} guests"));
    // Not before it is asked for.
    settings.journal.interval = Duration::from_secs(3600);
    let store = Store::open(settings).expect("a store");
    let guests = store.entities::<Guest>();
    let ids: Vec<i64> = (0..PLAYERS as i64).collect();
    guests.load_many(ids.clone()).await.expect("leases");
    let inserts: Vec<_> = ids
        .into_iter()
        .map(|id| {
            let guests = guests.clone();
            tokio::spawn(async move { guests.insert(Guest { id, gold: 1 }).await.map(drop) })
        })
        .collect();
    for insert in inserts {
        insert.await.expect("a caller").expect("an insert");
    }
    let begun = Instant::now();
    store.flush().await.expect("everything is written");
    let rate = PLAYERS as f64 / begun.elapsed().as_secs_f64();
    store.close(Duration::from_secs(60)).await.expect("an end");
    rate
}

async fn reads(players: &Entities<Player>) -> f64 {
    let (begun, mut count, mut gold) = (Instant::now(), 0_u64, 0);
    while begun.elapsed() < TIME {
        for id in 0..PLAYERS as i64 {
            let player = players.load(id).await.expect("a player").expect("a player");
            gold += player.read(|player| player.gold).expect("a player");
        }
        count += PLAYERS as u64;
    }
    assert!(gold >= 0);
    count as f64 / begun.elapsed().as_secs_f64()
}

/// Many callers at one time, as the handlers of a node; the end is when the database has everything.
async fn updates(store: &Store, players: &Entities<Player>) -> f64 {
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let players = players.clone();
            tokio::spawn(async move {
                let mut count = 0_u64;
                let mut at = caller;
                while begun.elapsed() < TIME {
                    at = (at * 31 + 7) % PLAYERS;
                    let player = players
                        .load(at as i64)
                        .await
                        .expect("a player")
                        .expect("a player");
                    player.update(|player| player.gold += 1).await.expect("an update");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for caller in callers {
        count += caller.await.expect("a caller");
    }
    store.flush().await.expect("everything is written");
    count as f64 / begun.elapsed().as_secs_f64()
}

/// The same updates, a statement and a transaction for each, over as many connections as the store has.
async fn single_statements(url: &str) -> f64 {
    const CONNECTIONS: u32 = 8;
    let pool = sqlx::any::AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect(url)
        .await
        .expect("a database");
    prepare(&pool, url).await;
    let begun = Instant::now();
    let writers: Vec<_> = (0..CONNECTIONS as usize)
        .map(|writer| {
            let pool = pool.clone();
            let sql = if url.starts_with("postgres") {
                "UPDATE bench_reference SET gold = gold + 1, version = version + 1 WHERE id = $1"
            } else {
                "UPDATE bench_reference SET gold = gold + 1, version = version + 1 WHERE id = ?"
            };
            tokio::spawn(async move {
                let mut count = 0_u64;
                let mut at = writer;
                while begun.elapsed() < TIME {
                    at = (at * 31 + 7) % PLAYERS;
                    sqlx::query(sql)
                        .bind(at as i64)
                        .execute(&pool)
                        .await
                        .expect("an update");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for writer in writers {
        count += writer.await.expect("a writer");
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn prepare(pool: &AnyPool, url: &str) {
    let mut conn = pool.acquire().await.expect("a connection");
    if url.starts_with("sqlite") {
        // The same durability as the store's own file. The journal's mode is the file's, the rest is SQLite's default.
        sqlx::raw_sql("PRAGMA journal_mode = WAL")
            .execute(&mut *conn)
            .await
            .expect("a pragma");
        sqlx::raw_sql("PRAGMA synchronous = FULL")
            .execute(&mut *conn)
            .await
            .expect("a pragma");
    }
    let table = "CREATE TABLE IF NOT EXISTS bench_reference \
                 (id BIGINT NOT NULL PRIMARY KEY, gold BIGINT NOT NULL, version BIGINT NOT NULL)";
    sqlx::raw_sql(table).execute(&mut *conn).await.expect("a table");
    sqlx::raw_sql("DELETE FROM bench_reference")
        .execute(&mut *conn)
        .await
        .expect("an empty table");
    let mut tx = conn.begin().await.expect("a transaction");
    for id in 0..PLAYERS {
        let row = sqlx::AssertSqlSafe(format!("INSERT INTO bench_reference VALUES ({id}, 0, 0)"));
        sqlx::raw_sql(row).execute(&mut *tx).await.expect("a row");
    }
    tx.commit().await.expect("a commit");
}
