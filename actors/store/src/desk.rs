//! Loads entities with their leases, and gives them up. One task, so that no two acquisitions cross.
//!
//! All loads that have come while the last ones were under way are one transaction for each table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};

use crate::database::rows::{self, Outcome};
use crate::database::{leases, tx::Tx};
use crate::error::StoreError;
use crate::shared::Core;
use crate::shelf::AnyShelf;
use crate::value::Key;

/// Loads that may wait.
pub(crate) const QUEUE: usize = 16_384;
/// Most entities of one transaction.
const BATCH: usize = 1024;
/// How often idle entities are looked for.
const LOOK: Duration = Duration::from_secs(5);

pub(crate) type Answer = oneshot::Sender<Result<(), StoreError>>;

/// What the desk is asked for.
pub(crate) enum Command {
    /// The entity shall be on the shelf.
    Load {
        shelf: Arc<dyn AnyShelf>,
        key: Key,
        answer: Answer,
    },
    /// The entity shall leave the shelf, if nothing speaks against it.
    Release {
        shelf: Arc<dyn AnyShelf>,
        key: Key,
        answer: Answer,
    },
}

/// Loads of one table.
struct Loads {
    shelf: Arc<dyn AnyShelf>,
    wanted: Vec<(Key, Answer)>,
}

pub(crate) async fn run(core: Arc<Core>, mut queue: mpsc::Receiver<Command>) {
    let mut commands = Vec::new();
    let mut look = interval(LOOK.min(core.settings.idle.max(Duration::from_millis(10))));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            count = queue.recv_many(&mut commands, BATCH) => {
                if count == 0 {
                    return;
                }
                serve(&core, &mut commands).await;
            }
            _ = look.tick() => evict_idle(&core).await,
        }
    }
}

async fn serve(core: &Core, commands: &mut Vec<Command>) {
    let mut loads: BTreeMap<&'static str, Loads> = BTreeMap::new();
    for command in commands.drain(..) {
        match command {
            Command::Load { shelf, key, answer } => {
                let loads = loads.entry(shelf.table().name).or_insert(Loads {
                    shelf,
                    wanted: Vec::new(),
                });
                loads.wanted.push((key, answer));
            }
            Command::Release { shelf, key, answer } => {
                let left = core.evict(&*shelf, Duration::ZERO, Some(&key));
                // Whoever does not wait any more need not know.
                drop(answer.send(give_up(core, &shelf, &left).await));
            }
        }
    }
    for (_, Loads { shelf, wanted }) in loads {
        let mut keys: Vec<Key> = wanted
            .iter()
            .map(|(key, _)| key.clone())
            .filter(|key| !shelf.has(key))
            .collect();
        // In one order for all nodes, so that they do not wait for each other in a circle.
        keys.sort_unstable();
        keys.dedup();
        let results = load(core, &shelf, &keys).await;
        for (key, answer) in wanted {
            let result = match (&results, keys.binary_search(&key)) {
                (Err(why), Ok(_)) => Err(why.clone()),
                (Ok(results), Ok(at)) => results[at].clone(),
                (_, Err(_)) => Ok(()),
            };
            drop(answer.send(result));
        }
    }
}

/// Puts entities on the shelf; each has a result of its own.
async fn load(
    core: &Core,
    shelf: &Arc<dyn AnyShelf>,
    keys: &[Key],
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let table = shelf.table();
    if !shelf.created().load(Ordering::Acquire) {
        rows::create(&core.db, table).await?;
        shelf.created().store(true, Ordering::Release);
    }
    let outcomes = rows::load(&core.db, core.me(), table, keys).await?;
    core.counters
        .loads
        .fetch_add(keys.len() as u64, Ordering::Relaxed);
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    // The database may lack something that this node has acknowledged.
    let backlog = core.unwritten.backlog();
    let place = |(key, outcome): (&Key, Outcome)| match outcome {
        Outcome::OwnedElsewhere(owner) => Err(StoreError::OwnedElsewhere {
            table: table.name,
            key: key.clone(),
            owner,
        }),
        Outcome::Loaded((fence, row)) => {
            let unwritten = backlog.of(table.name, key).into_iter().flatten();
            // Under an earlier lease, which was taken away: the row is as others have left it.
            let valid = unwritten.filter(|change| change.fence == fence);
            let row = valid.fold(row, |row, change| {
                change.op.overlay(row, &columns, table.key, key)
            });
            shelf.place(key, fence, row)
        }
    };
    Ok(keys.iter().zip(outcomes).map(place).collect())
}

async fn evict_idle(core: &Core) {
    for shelf in core.shelves() {
        let left = core.evict(&*shelf, core.settings.idle, None);
        if left.is_empty() {
            continue;
        }
        core.counters
            .evicted
            .fetch_add(left.len() as u64, Ordering::Relaxed);
        if let Err(why) = give_up(core, &shelf, &left).await {
            // They stay this node's; it gives them up when it loads them again, or starts again.
            tracing::warn!(table = shelf.table().name, count = left.len(), %why, "leases are kept");
        }
    }
}

async fn give_up(core: &Core, shelf: &Arc<dyn AnyShelf>, keys: &[Key]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut tx: Tx = core.db.begin().await?;
    leases::release(&mut tx, core.me(), shelf.table().name, keys).await?;
    tx.commit().await
}
