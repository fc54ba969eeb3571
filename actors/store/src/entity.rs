//! What an entity is to the store: a row of a table, with a key. `#[derive(Entity)]` writes the impl.

use crate::value::{Key, Kind, Value};

/// When a change counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// When the database has it.
    #[default]
    Through,
    /// When the journal has it; the database gets it with the next batch.
    Behind,
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name, `[A-Za-z_][A-Za-z0-9_]*`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it may hold nothing.
    pub nullable: bool,
}

/// A table, as the entity's struct describes it.
#[derive(Debug)]
pub struct Table {
    /// Its name, `[A-Za-z_][A-Za-z0-9_]*`.
    pub name: &'static str,
    /// Its columns, in the order of the struct's fields.
    pub columns: &'static [Column],
    /// Which column is the primary key.
    pub key: usize,
    /// Which column is the foreign key.
    pub foreign: Option<usize>,
    /// Whether the database draws the primary key.
    pub generated: bool,
    /// When a change counts as done.
    pub mode: Mode,
}

impl Table {
    pub(crate) fn key_column(&self) -> &'static Column {
        &self.columns[self.key]
    }

    pub(crate) fn kinds(&self) -> Vec<Kind> {
        self.columns.iter().map(|column| column.kind).collect()
    }
}

/// A struct whose instances are rows of a table. Derived:
///
/// ```
/// use lampyris_store::Entity;
///
/// #[derive(Clone, Entity)]
/// // Programs that use it by way of `lampyris` leave `crate` out.
/// #[entity(table = "players", mode = "behind", crate = lampyris_store)]
/// struct Player {
///     #[entity(key)]
///     id: String,
///     #[entity(foreign)]
///     guild: Option<i64>,
///     gold: i64,
///     #[entity(version)]
///     version: i64,
/// }
/// ```
pub trait Entity: Clone + Send + Sync + 'static {
    /// Its table.
    const TABLE: &'static Table;

    /// Its primary key.
    fn key(&self) -> Key;

    /// Its columns, in the order of the table's.
    fn to_row(&self) -> Vec<Value>;

    /// The entity of a row, whose columns have the order of the table's.
    ///
    /// # Errors
    /// Which column does not fit, and why.
    fn from_row(row: Vec<Value>) -> Result<Self, String>;

    /// The columns in which it differs from `before`, by their places in the table's, with what they are now.
    fn changes(&self, before: &Self) -> Vec<(usize, Value)>;

    /// Counts a change in the field that is marked as version, if there is one, and gives that column, by its place,
    /// with what it is now.
    fn touch(&mut self) -> Option<(usize, Value)> {
        None
    }
}

/// What the derive macro writes for one field of [`Entity::from_row`].
///
/// # Errors
/// The column's name, and what is wrong with it.
#[doc(hidden)]
pub fn field<T: crate::value::Field>(
    row: &mut impl Iterator<Item = Value>,
    column: &str,
) -> Result<T, String> {
    let value = row.next().ok_or_else(|| format!("{column}: no such column"))?;
    T::from_value(value).map_err(|why| format!("{column}: {why}"))
}
