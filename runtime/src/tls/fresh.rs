//! Files that change are read again, without a restart.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use super::BadFile;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// What shows that a file is another one, or has been written: device, number, length, time in nanoseconds.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// Looks at the files for ever, and calls `renew` when one has changed. A certificate and its key are two files: while
/// only one of them is new, `renew` fails, everything stays as it was, and the other one is waited for.
pub async fn keep_fresh(files: Vec<PathBuf>, renew: impl Fn() -> Result<(), BadFile>) {
    let mut known: Vec<Stamp> = files.iter().map(stamp).collect();
    loop {
        tokio::time::sleep(EVERY).await;
        let now: Vec<Stamp> = files.iter().map(stamp).collect();
        if std::mem::replace(&mut known, now) == known {
            continue;
        }
        match renew() {
            Ok(()) => tracing::info!(?files, "certificates were renewed"),
            Err(why) => tracing::warn!(%why, "new certificates cannot be used; the old ones stay"),
        }
    }
}

fn stamp(file: &PathBuf) -> Stamp {
    let meta = std::fs::metadata(file).ok()?;
    Some((
        meta.dev(),
        meta.ino(),
        meta.len(),
        meta.mtime(),
        meta.mtime_nsec(),
    ))
}
