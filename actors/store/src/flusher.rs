//! Writes what is in the backlog to the database: batches at an interval, newest versions only, with backoff.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::backlog::Taken;
use crate::backoff::delay;
use crate::change::Change;
use crate::database::health::Health;
use crate::database::rows::{self, Written};
use crate::database::tx::Database;
use crate::error::StoreError;
use crate::shared::Core;

/// Longest pause after failures. The database is looked after by others, so this is only for what it refuses.
const LONGEST: Duration = Duration::from_secs(2);

/// Flushes for ever.
pub(crate) async fn run(core: Arc<Core>) {
    let mut health = core.db.health.watch();
    let mut failures = 0;
    loop {
        sleep(core.settings.journal.interval).await;
        if health
            .wait_for(|health| matches!(health, Health::Up | Health::Closed))
            .await
            .is_err()
        {
            return;
        }
        match flush(&core).await {
            Ok(()) => failures = 0,
            Err(StoreError::Closed) => return,
            Err(why) => {
                failures += 1;
                tracing::warn!(%why, "changes cannot be written to the database; they stay in the journal");
                sleep(delay(failures, LONGEST)).await;
            }
        }
    }
}

/// Writes what waits now. The changes that the database refuses by themselves stay, and are no failure.
pub(crate) async fn flush(core: &Core) -> Result<(), StoreError> {
    // One flush at a time: whoever comes second finds that most is done.
    let _turn = core.flushing.lock().await;
    let mut left = core.unwritten.backlog().len();
    if left == 0 {
        return Ok(());
    }
    let mut result = Ok(());
    while left > 0 && result.is_ok() {
        let size = core.settings.journal.batch.min(left);
        let batch = core.unwritten.seen().take(Instant::now(), size);
        if batch.is_empty() {
            break;
        }
        left -= batch.len();
        result = write_batch(core, batch).await;
    }
    core.tidy();
    result
}

async fn write_batch(core: &Core, batch: Vec<Taken>) -> Result<(), StoreError> {
    let mut result = Ok(());
    for (part, outcome) in write(core, &core.db, core.me(), batch).await {
        result = result.and(settle(core, part, outcome));
    }
    result
}

/// A part of a batch and what came of it.
pub(crate) type Part = (Vec<Taken>, Result<Vec<Written>, StoreError>);

/// Writes a batch. If the database refuses it, one of the changes is to blame, and the others shall not suffer for it:
/// it is halved until that one is alone. Once the database is missed, the rest is not tried.
pub(crate) async fn write(core: &Core, db: &Database, me: &str, batch: Vec<Taken>) -> Vec<Part> {
    let (mut parts, mut written) = (vec![batch], Vec::new());
    let mut missed = None;
    while let Some(mut part) = parts.pop() {
        let changes: Vec<&Change> = part.iter().map(|taken| &taken.change).collect();
        let result = match &missed {
            Some(why) => Err(StoreError::clone(why)),
            None => rows::write(db, me, &changes).await,
        };
        match &result {
            Err(why @ StoreError::Refused(_)) if part.len() > 1 => {
                core.refused(part.len(), why);
                let second = part.split_off(part.len() / 2);
                // The older half first.
                parts.extend([second, part]);
                continue;
            }
            Ok(_) | Err(StoreError::Refused(_)) => {}
            Err(why) => missed = Some(why.clone()),
        }
        written.push((part, result));
    }
    written
}

/// Tells the backlog what came of changes.
fn settle(
    core: &Core,
    batch: Vec<Taken>,
    result: Result<Vec<Written>, StoreError>,
) -> Result<(), StoreError> {
    let count = batch.len() as u64;
    match result {
        Ok(written) => {
            for (taken, _) in batch
                .iter()
                .zip(written)
                .filter(|(_, written)| *written == Written::Fenced)
            {
                core.fenced(&taken.change);
            }
            let mut backlog = core.unwritten.seen();
            batch.iter().for_each(|taken| backlog.done(taken));
            drop(backlog);
            core.counters.written.fetch_add(count, Ordering::Relaxed);
            core.tell_cache(&batch);
            Ok(())
        }
        Err(why) => {
            core.failed(&why);
            let refused = matches!(why, StoreError::Refused(_));
            if refused {
                tell_refused(&batch[0].change, &why);
            }
            let now = Instant::now();
            let mut backlog = core.unwritten.seen();
            batch
                .into_iter()
                .for_each(|taken| backlog.failed(now, taken, refused));
            if refused { Ok(()) } else { Err(why) }
        }
    }
}

/// A change that is refused by itself stays in the journal until the database agrees.
pub(crate) fn tell_refused(change: &Change, why: &StoreError) {
    tracing::error!(table = %change.table, key = %change.key, %why, "a change is refused, and waits");
}
