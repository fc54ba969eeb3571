//! One connection of any of the three databases: a statement with values goes in, rows of values come out.
//!
//! The three are spelt out once, in a macro, as sqlx's types have nothing in common that is as quick.

use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Error, MySql, MySqlPool, PgPool, Postgres, Row, Sqlite, SqlitePool};
use sqlx::{TypeInfo, ValueRef};

use super::sql::Dialect;
use crate::value::{Kind, Value};

/// The connections of one database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    MySql(MySqlPool),
    Postgres(PgPool),
}

/// One connection.
#[derive(Debug)]
pub(crate) enum Conn {
    Sqlite(PoolConnection<Sqlite>),
    MySql(PoolConnection<MySql>),
    Postgres(PoolConnection<Postgres>),
}

/// What a statement has done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    /// Rows that it has touched.
    pub(crate) rows: u64,
    /// The key that the database has drawn.
    pub(crate) id: i64,
}

impl Pool {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::MySql(_) => Dialect::MySql,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    pub(crate) async fn acquire(&self) -> Result<Conn, Error> {
        Ok(match self {
            Self::Sqlite(pool) => Conn::Sqlite(pool.acquire().await?),
            Self::MySql(pool) => Conn::MySql(pool.acquire().await?),
            Self::Postgres(pool) => Conn::Postgres(pool.acquire().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::MySql(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// Connections that there are, and how many of them are idle.
    pub(crate) fn size(&self) -> (u32, usize) {
        match self {
            Self::Sqlite(pool) => (pool.size(), pool.num_idle()),
            Self::MySql(pool) => (pool.size(), pool.num_idle()),
            Self::Postgres(pool) => (pool.size(), pool.num_idle()),
        }
    }
}

/// Adds values to the arguments of a statement.
macro_rules! arguments {
    ($type:ty, $values:expr) => {{
        let mut arguments = <$type>::default();
        for value in $values {
            match value {
                Value::Int(number) => arguments.add(*number),
                Value::Real(number) => arguments.add(*number),
                Value::Bool(truth) => arguments.add(*truth),
                Value::Text(text) => arguments.add(text.as_str()),
                Value::Blob(bytes) => arguments.add(bytes.as_slice()),
                Value::Null(Kind::Int) => arguments.add(None::<i64>),
                Value::Null(Kind::Real) => arguments.add(None::<f64>),
                Value::Null(Kind::Bool) => arguments.add(None::<bool>),
                Value::Null(Kind::Text) => arguments.add(None::<String>),
                Value::Null(Kind::Blob) => arguments.add(None::<Vec<u8>>),
            }
            .map_err(Error::Encode)?;
        }
        arguments
    }};
}

/// Reads a column of a kind, whatever width the table gave it.
macro_rules! column {
    ($row:expr, $at:expr, $kind:expr) => {{
        if $row.try_get_raw($at)?.is_null() {
            Value::Null($kind)
        } else {
            match $kind {
                Kind::Int => Value::Int($row.try_get_unchecked($at)?),
                Kind::Real => Value::Real($row.try_get_unchecked($at)?),
                Kind::Bool => Value::Bool($row.try_get_unchecked($at)?),
                Kind::Text => Value::Text($row.try_get_unchecked($at)?),
                Kind::Blob => Value::Blob($row.try_get_unchecked($at)?),
            }
        }
    }};
}

impl Conn {
    /// Carries out a statement.
    pub(crate) async fn execute(&mut self, sql: String, values: &[Value]) -> Result<Done, Error> {
        match self {
            Self::Sqlite(conn) => {
                let arguments = arguments!(SqliteArguments, values);
                let done = sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .execute(&mut **conn)
                    .await?;
                Ok(Done {
                    rows: done.rows_affected(),
                    id: done.last_insert_rowid(),
                })
            }
            Self::MySql(conn) => {
                let arguments = arguments!(MySqlArguments, values);
                let done = sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .execute(&mut **conn)
                    .await?;
                let id = i64::try_from(done.last_insert_id()).unwrap_or(i64::MAX);
                Ok(Done {
                    rows: done.rows_affected(),
                    id,
                })
            }
            Self::Postgres(conn) => {
                let arguments = arguments!(PgArguments, values);
                let sql = Dialect::Postgres.placeholders(&sql);
                let done = sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .execute(&mut **conn)
                    .await?;
                Ok(Done {
                    rows: done.rows_affected(),
                    id: 0,
                })
            }
        }
    }

    /// Carries out a statement that takes no values, without preparing it.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<(), Error> {
        match self {
            Self::Sqlite(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(drop),
            Self::MySql(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(drop),
            Self::Postgres(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(drop),
        }
    }

    /// The rows of a question, whose columns are of `kinds`.
    pub(crate) async fn fetch(
        &mut self,
        sql: String,
        values: &[Value],
        kinds: &[Kind],
    ) -> Result<Vec<Vec<Value>>, Error> {
        match self {
            Self::Sqlite(conn) => {
                let arguments = arguments!(SqliteArguments, values);
                let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .fetch_all(&mut **conn)
                    .await?;
                rows.iter().map(|row| sqlite_row(row, kinds)).collect()
            }
            Self::MySql(conn) => {
                let arguments = arguments!(MySqlArguments, values);
                let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .fetch_all(&mut **conn)
                    .await?;
                rows.iter().map(|row| mysql_row(row, kinds)).collect()
            }
            Self::Postgres(conn) => {
                let arguments = arguments!(PgArguments, values);
                let sql = Dialect::Postgres.placeholders(&sql);
                let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
                    .fetch_all(&mut **conn)
                    .await?;
                rows.iter().map(|row| postgres_row(row, kinds)).collect()
            }
        }
    }

    /// Has the connection closed, and not used again.
    pub(crate) fn abandon(&mut self) {
        match self {
            Self::Sqlite(conn) => conn.close_on_drop(),
            Self::MySql(conn) => conn.close_on_drop(),
            Self::Postgres(conn) => conn.close_on_drop(),
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::MySql(_) => Dialect::MySql,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

fn sqlite_row(row: &SqliteRow, kinds: &[Kind]) -> Result<Vec<Value>, Error> {
    kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| Ok(column!(row, at, *kind)))
        .collect()
}

fn mysql_row(row: &MySqlRow, kinds: &[Kind]) -> Result<Vec<Value>, Error> {
    kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| Ok(column!(row, at, *kind)))
        .collect()
}

/// PostgreSQL sends each type in bytes of its own, so that the width has to be known.
fn postgres_row(row: &PgRow, kinds: &[Kind]) -> Result<Vec<Value>, Error> {
    let read = |(at, kind): (usize, &Kind)| -> Result<Value, Error> {
        let raw = row.try_get_raw(at)?;
        let (is_null, name) = (raw.is_null(), raw.type_info().name().to_owned());
        Ok(match name.as_str() {
            _ if is_null => Value::Null(*kind),
            "INT2" => Value::Int(row.try_get_unchecked::<i16, _>(at)?.into()),
            "INT4" => Value::Int(row.try_get_unchecked::<i32, _>(at)?.into()),
            "FLOAT4" => Value::Real(row.try_get_unchecked::<f32, _>(at)?.into()),
            _ => column!(row, at, *kind),
        })
    };
    kinds.iter().enumerate().map(read).collect()
}
