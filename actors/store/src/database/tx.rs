//! A transaction with a deadline, whose failures are sorted by what they mean.

use std::future::Future;
use std::time::Duration;

use sqlx::Error;
use sqlx::mysql::MySqlDatabaseError;
use tokio::time::{Instant, timeout_at};

use super::conn::{Conn, Done, Pool};
use super::health::{Health, HealthBoard};
use super::sql::Dialect;
use crate::error::StoreError;
use crate::value::{Kind, Value};

/// The database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) pool: Pool,
    pub(crate) health: HealthBoard,
    pub(crate) timeout: Duration,
}

/// A transaction. Dropped before its commit, it takes its connection with it, and the database forgets it.
pub(crate) struct Tx {
    conn: Conn,
    health: HealthBoard,
    deadline: Instant,
    wrote: bool,
    ended: bool,
}

/// How long work may take at least that goes through many leases.
const PATIENCE: Duration = Duration::from_secs(30);

impl Database {
    /// The same for work that may take its time: that it takes too long does not make the database seem down. Its
    /// transactions begin anyway.
    pub(crate) fn patient(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            health: HealthBoard::deaf(),
            timeout: self.timeout.max(PATIENCE),
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.pool.dialect()
    }

    /// Begins a transaction, at once refused while the database is known to be down.
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        match self.health.now() {
            Health::Down { why, .. } => Err(StoreError::Unavailable(why)),
            Health::Closed => Err(StoreError::Closed),
            Health::Opening | Health::Up => self.begin_anyway().await,
        }
    }

    /// Begins a transaction, also while the database seems to be down.
    pub(crate) async fn begin_anyway(&self) -> Result<Tx, StoreError> {
        let conn = self.pool.acquire().await.map_err(|why| {
            // The one connection of SQLite is in use for long. That is no reason to think it down.
            let busy = matches!(why, Error::PoolTimedOut) && self.dialect() == Dialect::Sqlite;
            let why = format!("no connection: {why}");
            if !busy {
                self.health.down(&why);
            }
            StoreError::unavailable(why)
        })?;
        let deadline = Instant::now() + self.timeout;
        let mut tx = Tx {
            conn,
            health: self.health.clone(),
            deadline,
            wrote: false,
            ended: false,
        };
        let begin = tx.dialect().begin();
        timed(&tx.health, tx.deadline, false, tx.conn.run(begin)).await?;
        Ok(tx)
    }
}

impl Tx {
    pub(crate) fn dialect(&self) -> Dialect {
        self.conn.dialect()
    }

    pub(crate) async fn execute(&mut self, sql: String, values: &[Value]) -> Result<Done, StoreError> {
        self.wrote = true;
        timed(&self.health, self.deadline, true, self.conn.execute(sql, values)).await
    }

    pub(crate) async fn fetch(
        &mut self,
        sql: String,
        values: &[Value],
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        timed(
            &self.health,
            self.deadline,
            self.wrote,
            self.conn.fetch(sql, values, kinds),
        )
        .await
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        timed(&self.health, self.deadline, self.wrote, self.conn.run("COMMIT")).await?;
        self.ended = true;
        Ok(())
    }

    /// Ends it without effect; for transactions that the database has refused something in.
    pub(crate) async fn roll_back(mut self) {
        let ended = timed(&self.health, self.deadline, false, self.conn.run("ROLLBACK")).await;
        self.ended = ended.is_ok();
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if !self.ended {
            self.conn.abandon();
        }
    }
}

async fn timed<T>(
    health: &HealthBoard,
    deadline: Instant,
    wrote: bool,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, StoreError> {
    let lost = |why: String| {
        health.down(&why);
        if wrote {
            StoreError::Uncertain(why.into())
        } else {
            StoreError::unavailable(why)
        }
    };
    match timeout_at(deadline, work).await {
        Err(_) => Err(lost("it does not answer".to_owned())),
        Ok(Ok(done)) => Ok(done),
        Ok(Err(why)) => Err(match meaning(&why) {
            Meaning::Gone => lost(why.to_string()),
            Meaning::Busy => StoreError::unavailable(why),
            Meaning::Refused => StoreError::Refused(why.to_string().into()),
        }),
    }
}

enum Meaning {
    /// The connection is of no use any more.
    Gone,
    /// The database has rolled back, and may agree the next time.
    Busy,
    /// It never will.
    Refused,
}

fn meaning(why: &Error) -> Meaning {
    let Error::Database(error) = why else {
        return match why {
            Error::Encode(_) | Error::Decode(_) | Error::ColumnDecode { .. } | Error::ColumnNotFound(_) => {
                Meaning::Refused
            }
            Error::ColumnIndexOutOfBounds { .. } | Error::TypeNotFound { .. } | Error::RowNotFound => {
                Meaning::Refused
            }
            _ => Meaning::Gone,
        };
    };
    if let Some(mysql) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return match mysql.number() {
            // Deadlock, no lock in time, too many connections.
            1213 | 1205 | 1040 | 1203 => Meaning::Busy,
            // It shuts down, or has cut the connection off.
            1053 | 1077 | 1079 | 1152 | 1158..=1161 | 1927 => Meaning::Gone,
            _ => Meaning::Refused,
        };
    }
    match error.code().as_deref().unwrap_or_default() {
        // SQLite: busy and locked, with their variants; input and output, full, cannot open.
        "5" | "6" | "261" | "262" | "517" => Meaning::Busy,
        "10" | "13" | "14" => Meaning::Gone,
        // PostgreSQL: serialization, deadlock, too many connections; it shuts down or starts.
        "40001" | "40P01" | "53300" => Meaning::Busy,
        "57P01" | "57P02" | "57P03" => Meaning::Gone,
        code if code.starts_with("08") => Meaning::Gone,
        _ => Meaning::Refused,
    }
}
