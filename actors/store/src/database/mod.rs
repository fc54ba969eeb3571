//! The database: a pool of connections, statements in its dialect, and whether it is up.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `open` | from settings to a pool |
//! | `ping` | whether it answers |
//! | `conn` | one connection of any of the three kinds; values to columns and back |
//! | `sql` | the statements, in three dialects; pure |
//! | `health` | whether it is up |
//! | `tx` | a transaction with a deadline |
//! | `leases` | acquires, checks and releases leases |
//! | `rows` | reads rows, carries out changes |
//! | `batch` | many changes as few statements; pure |
//!
//! It knows tables by name and rows as values, and no entities.

mod batch;
pub(crate) mod conn;
pub(crate) mod health;
pub(crate) mod leases;
pub(crate) mod open;
pub(crate) mod ping;
pub(crate) mod rows;
pub(crate) mod sql;
pub(crate) mod tx;
