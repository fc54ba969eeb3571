//! From settings to a pool. Nothing is connected here: a database that is down is found out later.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::conn::Pool;
use crate::error::StoreError;
use crate::settings::{DatabaseSettings, Target};

/// A pool of the database that is meant.
///
/// # Errors
/// [`StoreError::Refused`] for a text that is no database's.
pub(crate) fn open(settings: &DatabaseSettings) -> Result<Pool, StoreError> {
    let bad =
        |why: sqlx::Error| StoreError::Refused(format!("the database's address is not usable: {why}").into());
    match &settings.target {
        Target::Sqlite(path) => Ok(sqlite(SqliteConnectOptions::new().filename(path), settings)),
        Target::MySql {
            host,
            port,
            user,
            passwd,
            db,
            charset,
        } => {
            let mut options = MySqlConnectOptions::new();
            match host {
                Some(path) if path.starts_with('/') => options = options.socket(path),
                Some(host) => options = options.host(host),
                None => {}
            }
            if let Some(port) = port {
                options = options.port(*port);
            }
            if let Some(user) = user {
                options = options.username(user);
            }
            if let Some(passwd) = passwd {
                options = options.password(&passwd.0);
            }
            if let Some(db) = db {
                options = options.database(db);
            }
            if let Some(charset) = charset {
                options = options.charset(charset);
            }
            Ok(mysql(options, settings))
        }
        Target::Url(url) => match url.0.split(':').next().unwrap_or_default() {
            "sqlite" => Ok(sqlite(
                SqliteConnectOptions::from_str(&url.0).map_err(bad)?,
                settings,
            )),
            "mysql" | "mariadb" => Ok(mysql(
                MySqlConnectOptions::from_str(&url.0).map_err(bad)?,
                settings,
            )),
            "postgres" | "postgresql" => {
                let options = PgConnectOptions::from_str(&url.0).map_err(bad)?;
                let options = options.application_name("lampyris").disable_statement_logging();
                Ok(Pool::Postgres(
                    limits(PgPoolOptions::new(), settings).connect_lazy_with(options),
                ))
            }
            other => Err(StoreError::Refused(
                format!("no database {other:?}; there are sqlite, mysql, mariadb, postgres").into(),
            )),
        },
    }
}

/// One connection: there can be one transaction at a time anyway. Waiting for the connection is fair, whereas connections
/// that wait for the file's lock look at it now and then, and those that have bad luck time out.
fn sqlite(options: SqliteConnectOptions, settings: &DatabaseSettings) -> Pool {
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What is committed outlives a loss of power, as it does with the others.
        .synchronous(SqliteSynchronous::Full)
        // For other processes that have the file open; ends before the transaction's own time.
        .busy_timeout(settings.timeout.mul_f64(0.8))
        .disable_statement_logging();
    let one = limits(SqlitePoolOptions::new(), settings)
        .max_connections(1)
        .acquire_timeout(settings.timeout);
    Pool::Sqlite(one.connect_lazy_with(options))
}

fn mysql(options: MySqlConnectOptions, settings: &DatabaseSettings) -> Pool {
    let options = options.disable_statement_logging();
    Pool::MySql(limits(MySqlPoolOptions::new(), settings).connect_lazy_with(options))
}

fn limits<DB: sqlx::Database>(options: PoolOptions<DB>, settings: &DatabaseSettings) -> PoolOptions<DB> {
    options
        .max_connections(settings.connections)
        .acquire_timeout(settings.acquire_timeout)
        // A dead connection is found out by its first use, without a question more before each.
        .test_before_acquire(false)
}
