//! Opens the store, and then looks after its database. One task.
//!
//! Open means: the journal's folder is this process's, the database has been reached, migrated and has a table of
//! leases, the journal of the last life has been replayed, and that life's leases have been given up. What the database
//! refuses of the journal waits in the backlog, with its segments and leases, as it does in life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::Migrator;
use tokio::time::sleep;

use crate::backlog::{Backlog, Taken};
use crate::backoff::delay;
use crate::change::Change;
use crate::database::conn::Pool;
use crate::database::health::{Health, HealthBoard};
use crate::database::leases;
use crate::database::rows::Written;
use crate::database::tx::Database;
use crate::error::StoreError;
use crate::flusher;
use crate::journal::files::Folder;
use crate::journal::writer::Journal;
use crate::shared::{Core, Opened};

/// How often a folder is tried that another process has.
const LOOK: Duration = Duration::from_millis(20);
/// How often the database is asked whether it is up.
const PING: Duration = Duration::from_secs(1);
/// Longest pause between attempts to open the store.
const LONGEST: Duration = Duration::from_secs(1);

pub(crate) async fn run(core: Arc<Core>) {
    let folder = own_folder(&core).await;
    let mut failures = 0;
    while let Err(why) = open(&core, &folder).await {
        if core.check_open().is_err() {
            return;
        }
        core.db.health.down(&why.to_string());
        failures += 1;
        sleep(delay(failures, LONGEST)).await;
    }
    core.db.health.up();
    loop {
        sleep(PING).await;
        match core.db.health.now() {
            Health::Closed => return,
            _ => look_after(&core.db).await,
        }
    }
}

async fn look_after(db: &Database) {
    // What fails here says so on the board.
    let answered = async { db.begin_anyway().await?.commit().await };
    if answered.await.is_ok() {
        db.health.up();
    }
}

/// The journal's folder, as soon as no other process has it: a predecessor may still be writing.
async fn own_folder(core: &Core) -> Arc<Folder> {
    let path = &core.settings.journal.folder;
    let mut told = false;
    loop {
        match Folder::open(path) {
            Ok(Some(folder)) => return Arc::new(folder),
            Ok(None) if !told => {
                tracing::info!(folder = %path.display(), "another process still has the journal");
                told = true;
            }
            Ok(None) => {}
            Err(why) => core
                .db
                .health
                .down(&format!("the journal's folder {}: {why}", path.display())),
        }
        sleep(LOOK).await;
    }
}

async fn open(core: &Arc<Core>, folder: &Arc<Folder>) -> Result<(), StoreError> {
    // Whether it is up is said once all of this is done.
    let db = Database {
        health: HealthBoard::new(),
        ..core.db.clone()
    };
    let mut tx = db.begin_anyway().await?;
    tx.execute(db.dialect().create_leases(), &[]).await?;
    tx.commit().await?;
    index_leases(&db.patient()).await;
    migrate(core, &db).await?;
    let me = format!("{}#{}", core.settings.node, folder.id());
    let refused = replay(core, &db, folder, &me).await?;
    let kept: Vec<Change> = refused.iter().map(|taken| taken.change.clone()).collect();
    let mut tx = db.begin_anyway().await?;
    leases::release_all_but(&mut tx, &me, &kept).await?;
    tx.commit().await?;
    let disk = |why: std::io::Error| StoreError::unavailable(format!("the journal: {why}"));
    let needed = refused.iter().map(Taken::segment).min().unwrap_or(u64::MAX);
    for (segment, _) in folder.segments().map_err(disk)? {
        if segment < needed {
            folder.remove(segment).map_err(disk)?;
        }
    }
    let unwritten = &core.unwritten;
    // The thread ends with the last handle to it, which the core has.
    let journal = Journal::start(Arc::clone(folder), &core.settings.journal, Arc::clone(unwritten));
    let journal = journal.map_err(disk)?;
    let now = Instant::now();
    for taken in refused {
        let segment = taken.segment();
        unwritten.backlog().add(now, taken.change, segment);
    }
    let opened = Opened {
        me,
        journal,
        _folder: Arc::clone(folder),
    };
    // It is empty: this is the one place that fills it, and comes here once.
    drop(core.opened.set(opened));
    Ok(())
}

/// Without it all works, and some of it slowly.
async fn index_leases(db: &Database) {
    let made = async {
        let mut tx = db.begin_anyway().await?;
        match tx.execute(db.dialect().index_leases(), &[]).await {
            Ok(_) => tx.commit().await,
            Err(why) => {
                tx.roll_back().await;
                Err(why)
            }
        }
    };
    if let Err(why) = made.await {
        tracing::debug!(%why, "no index of the leases is made; it is there already, or cannot be");
    }
}

async fn migrate(core: &Core, db: &Database) -> Result<(), StoreError> {
    let Some(folder) = &core.settings.database.migrations else {
        return Ok(());
    };
    let failed = |why: sqlx::migrate::MigrateError| {
        StoreError::unavailable(format!("the migrations in {}: {why}", folder.display()))
    };
    let migrator = Migrator::new(folder.clone()).await.map_err(failed)?;
    match &db.pool {
        Pool::Sqlite(pool) => migrator.run(pool).await,
        Pool::MySql(pool) => migrator.run(pool).await,
        Pool::Postgres(pool) => migrator.run(pool).await,
    }
    .map_err(failed)
}

/// Writes what the last life of the node has acknowledged, as far as it is still the owner. Gives the changes that the
/// database refuses, with the oldest segments that they need: they are no reason to be without a store.
async fn replay(core: &Core, db: &Database, folder: &Folder, me: &str) -> Result<Vec<Taken>, StoreError> {
    let changes = folder
        .read()
        .map_err(|why| StoreError::unavailable(format!("the journal: {why}")))?;
    let found = changes.len();
    // The newest versions alone, by the same rules as in life.
    let mut backlog = Backlog::default();
    let now = Instant::now();
    changes
        .into_iter()
        .for_each(|(segment, change)| backlog.add(now, change, segment));
    // Those of an earlier lease had been written before that was given up; or it was taken away, which was logged.
    let (mut written, mut passed, mut refused) = (0, backlog.overtaken(), Vec::new());
    loop {
        let batch = backlog.take(now, core.settings.journal.batch);
        if batch.is_empty() {
            break;
        }
        for (part, outcome) in flusher::write(core, db, me, batch).await {
            match outcome {
                Ok(done) => {
                    let fenced = done.iter().filter(|done| **done == Written::Fenced).count() as u64;
                    passed += fenced;
                    written += done.len() as u64 - fenced;
                }
                Err(why @ StoreError::Refused(_)) => {
                    core.failed(&why);
                    part.iter()
                        .for_each(|one| flusher::tell_refused(&one.change, &why));
                    refused.extend(part);
                }
                Err(why) => return Err(why),
            }
        }
    }
    if found > 0 {
        let refused = refused.len();
        tracing::info!(found, written, passed, refused, "the journal has been replayed");
    }
    Ok(refused)
}
