//! Whether a database answers, for those who want to know before anything is started.

use crate::error::StoreError;
use crate::settings::DatabaseSettings;

use super::conn::Pool;
use super::open::open;

/// Connects to the database once, within its `acquire_timeout`. SQLite has no server that could answer, and its file
/// is not made.
///
/// # Errors
/// [`StoreError::Refused`] for a text that is no database's, [`StoreError::Unavailable`] when it does not answer.
pub async fn ping(settings: &DatabaseSettings) -> Result<(), StoreError> {
    let pool = open(settings)?;
    if matches!(pool, Pool::Sqlite(_)) {
        return Ok(());
    }
    let answered = pool.acquire().await.map(drop);
    pool.close().await;
    answered.map_err(|why| StoreError::Unavailable(why.to_string().into()))
}
