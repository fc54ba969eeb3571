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
use crate::error::StoreError;
use crate::lock;
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
    let mut left = lock(&core.backlog).len();
    while left > 0 {
        let batch = lock(&core.backlog).take(Instant::now(), core.settings.journal.batch.min(left));
        if batch.is_empty() {
            return Ok(());
        }
        left -= batch.len();
        write_batch(core, batch).await?;
    }
    Ok(())
}

async fn write_batch(core: &Core, batch: Vec<Taken>) -> Result<(), StoreError> {
    let changes: Vec<&Change> = batch.iter().map(|taken| &taken.change).collect();
    let result = match rows::write(&core.db, core.me(), &changes).await {
        // One of them is to blame; the others shall not suffer for it.
        Err(StoreError::Refused(_)) if batch.len() > 1 => {
            let mut batch = batch.into_iter();
            while let Some(one) = batch.next() {
                let result = rows::write(&core.db, core.me(), &[&one.change]).await;
                if let Err(why) = settle(core, vec![one], result) {
                    let mut backlog = lock(&core.backlog);
                    batch.for_each(|taken| backlog.failed(Instant::now(), taken, false));
                    return Err(why);
                }
            }
            return Ok(());
        }
        result => result,
    };
    settle(core, batch, result)
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
            for (taken, written) in batch.iter().zip(written) {
                if written == Written::Fenced {
                    core.fenced(&taken.change);
                }
                lock(&core.backlog).done(taken);
            }
            core.counters.written.fetch_add(count, Ordering::Relaxed);
            core.tidy();
            core.tell_cache(&batch);
            Ok(())
        }
        Err(why) => {
            core.failed(&why);
            let refused = matches!(why, StoreError::Refused(_));
            if refused {
                let change = &batch[0].change;
                tracing::error!(table = %change.table, key = %change.key, %why, "a change is refused");
            }
            let now = Instant::now();
            let mut backlog = lock(&core.backlog);
            batch
                .into_iter()
                .for_each(|taken| backlog.failed(now, taken, refused));
            if refused { Ok(()) } else { Err(why) }
        }
    }
}
