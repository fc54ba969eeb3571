//! The entities of one table, as handlers use them.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::database::rows;
use crate::desk::Command;
use crate::entity::Entity;
use crate::error::StoreError;
use crate::flusher::flush;
use crate::object::Object;
use crate::shared::Core;
use crate::shelf::{AnyShelf, Shelf};
use crate::value::{Key, Value};

/// A table's entities. Cheap to clone; any number of them is the same.
pub struct Entities<E: Entity> {
    core: Option<Arc<Core>>,
    shelf: Arc<Shelf<E>>,
}

impl<E: Entity> Clone for Entities<E> {
    fn clone(&self) -> Self {
        Self {
            core: self.core.clone(),
            shelf: Arc::clone(&self.shelf),
        }
    }
}

impl<E: Entity> fmt::Debug for Entities<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the entities of {}", E::TABLE.name)
    }
}

impl<E: Entity> Entities<E> {
    pub(crate) fn new(core: Option<Arc<Core>>, shelf: Arc<Shelf<E>>) -> Self {
        Self { core, shelf }
    }

    /// The entity of a key if it is in memory: no waiting, no database.
    pub fn held(&self, key: impl Into<Key>) -> Option<Object<E>> {
        self.on_shelf(&key.into()).ok()?
    }

    /// The entity of a key, `None` when there is none. This node owns it from then on, also when there is none.
    ///
    /// Any number of loads of one key, one after the other or at once, give the same object.
    ///
    /// # Errors
    /// [`StoreError::OwnedElsewhere`] when it is another node's, [`StoreError::Unavailable`] at once when the
    /// database is down and the entity is not in memory.
    pub async fn load(&self, key: impl Into<Key>) -> Result<Option<Object<E>>, StoreError> {
        let object = self.own(key.into()).await?;
        Ok(object.read(|_| ()).is_ok().then_some(object))
    }

    /// Several entities, in the order of the keys; in one transaction, as far as they are not in memory.
    ///
    /// # Errors
    /// The first error of any of them.
    pub async fn load_many(
        &self,
        keys: impl IntoIterator<Item = impl Into<Key>>,
    ) -> Result<Vec<Option<Object<E>>>, StoreError> {
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        self.core()?.opened().await?;
        let waiting: Vec<_> = keys.iter().map(|key| self.ask(key)).collect::<Result<_, _>>()?;
        for loading in waiting.into_iter().flatten() {
            loading.await.unwrap_or(Err(StoreError::Closed))?;
        }
        let mut objects = Vec::with_capacity(keys.len());
        for key in keys {
            objects.push(self.load(key).await?);
        }
        Ok(objects)
    }

    /// The primary keys of the entities with a foreign key, ascending. What this node has changed is written to the
    /// database before it is asked.
    ///
    /// # Errors
    /// As [`Entities::select`]; [`StoreError::BadKey`] without a foreign key.
    pub async fn keys_of(&self, foreign: impl Into<Key>) -> Result<Vec<Key>, StoreError> {
        let foreign = foreign.into();
        self.ask_database(move |core| async move { rows::keys_of(&core.db, E::TABLE, &foreign).await })
            .await
    }

    /// All entities with a foreign key, by their keys: loads them.
    ///
    /// # Errors
    /// As [`Entities::keys_of`] and [`Entities::load_many`].
    pub async fn load_of(&self, foreign: impl Into<Key>) -> Result<Vec<Object<E>>, StoreError> {
        let keys = self.keys_of(foreign).await?;
        Ok(self.load_many(keys).await?.into_iter().flatten().collect())
    }

    /// Makes an entity. Where the database draws keys, the one given is passed over.
    ///
    /// # Errors
    /// [`StoreError::Exists`]; else as [`Entities::load`] and [`Object::update`].
    pub async fn insert(&self, entity: E) -> Result<Object<E>, StoreError> {
        if E::TABLE.generated {
            let row = entity.to_row();
            let insert =
                move |core: Arc<Core>| async move { rows::insert_generated(&core.db, E::TABLE, row).await };
            let key = self.ask_database(insert).await?;
            return self.own(key).await;
        }
        let object = self.own(entity.key()).await?;
        object.insert(entity).await?;
        Ok(object)
    }

    /// The entity of a key, made by `make` when there is none.
    ///
    /// # Errors
    /// As [`Entities::insert`].
    pub async fn load_or_insert(
        &self,
        key: impl Into<Key>,
        make: impl FnOnce() -> E,
    ) -> Result<Object<E>, StoreError> {
        let object = self.own(key.into()).await?;
        if object.read(|_| ()).is_err() {
            // In a box, as above.
            match Box::pin(object.insert(make())).await {
                // Somebody was quicker.
                Ok(()) | Err(StoreError::Exists { .. }) => {}
                Err(why) => return Err(why),
            }
        }
        Ok(object)
    }

    /// A copy of the entity of a key for looking at, whoever owns it: from this node's memory, else from the cache,
    /// else from the database. What another node has changed is seen once that node has written it, and with a
    /// cache no later than its `ttl` after that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when neither cache nor database has it ready.
    pub async fn view(&self, key: impl Into<Key>) -> Result<Option<E>, StoreError> {
        let key = key.into();
        if let Some(object) = self.on_shelf(&key)? {
            return Ok(object.get().ok());
        }
        let core = Arc::clone(self.core()?);
        let shelf: Arc<dyn AnyShelf> = self.shelf.clone();
        let row = self
            .core()?
            .run(async move { core.view(&*shelf, &key).await })
            .await?;
        row.map(E::from_row)
            .transpose()
            .map_err(|why| StoreError::BadRow {
                table: E::TABLE.name,
                why,
            })
    }

    /// Copies of the entities that a question finds; `tail` is what stands behind `FROM table`, such as
    /// `WHERE level > ? ORDER BY gold DESC LIMIT 10`, with a `?` for each value. What this node has changed is
    /// written to the database before it is asked; other nodes' changes are seen as far as they have been written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Refused`] for a question that the database does not understand.
    pub async fn select(&self, tail: &'static str, values: Vec<Value>) -> Result<Vec<E>, StoreError> {
        let select =
            move |core: Arc<Core>| async move { rows::select(&core.db, E::TABLE, tail, &values).await };
        let rows = self.ask_database(select).await?;
        let bad = |why| StoreError::BadRow {
            table: E::TABLE.name,
            why,
        };
        rows.into_iter()
            .map(|row| E::from_row(row).map_err(bad))
            .collect()
    }

    /// Gives an entity up, so that another node can own it: writes what is to be written, then frees the lease.
    /// While an [`Object`] of it is kept, it stays.
    ///
    /// # Errors
    /// The database is down, or refuses what is to be written.
    pub async fn release(&self, key: impl Into<Key>) -> Result<(), StoreError> {
        let (shelf, key): (Arc<dyn AnyShelf>, Key) = (self.shelf.clone(), key.into());
        self.ask_database(move |core| async move {
            let (answer, released) = oneshot::channel();
            core.ask_desk(Command::Release { shelf, key, answer })?;
            released.await.unwrap_or(Err(StoreError::Closed))
        })
        .await
    }

    fn core(&self) -> Result<&Arc<Core>, StoreError> {
        self.core.as_ref().ok_or(StoreError::NotConfigured)
    }

    fn on_shelf(&self, key: &Key) -> Result<Option<Object<E>>, StoreError> {
        let core = self.core()?;
        Ok(self.shelf.get(key).map(|cell| Object {
            cell,
            core: Arc::clone(core),
        }))
    }

    /// The object of a key, whether there is a row or not.
    async fn own(&self, key: Key) -> Result<Object<E>, StoreError> {
        match self.on_shelf(&key)? {
            Some(object) => Ok(object),
            // In a box: what few need shall not be part of every handler's future.
            None => Box::pin(self.own_from_database(key)).await,
        }
    }

    async fn own_from_database(&self, key: Key) -> Result<Object<E>, StoreError> {
        // Twice, as it may be lost again between its load and a look at it.
        for _ in 0..2 {
            if let Some(object) = self.on_shelf(&key)? {
                return Ok(object);
            }
            self.core()?.opened().await?;
            if let Some(loading) = self.ask(&key)? {
                loading.await.unwrap_or(Err(StoreError::Closed))?;
            }
        }
        self.on_shelf(&key)?.ok_or(StoreError::Lost {
            table: E::TABLE.name,
            key,
        })
    }

    fn ask(&self, key: &Key) -> Result<Option<oneshot::Receiver<Result<(), StoreError>>>, StoreError> {
        if self.shelf.has(key) {
            return Ok(None);
        }
        key.check()?;
        let (answer, loading) = oneshot::channel();
        let shelf: Arc<dyn AnyShelf> = self.shelf.clone();
        self.core()?.ask_desk(Command::Load {
            shelf,
            key: key.clone(),
            answer,
        })?;
        Ok(Some(loading))
    }

    /// Asks the database itself, once it has what this node has changed.
    async fn ask_database<R, W>(
        &self,
        work: impl FnOnce(Arc<Core>) -> W + Send + 'static,
    ) -> Result<R, StoreError>
    where
        R: Send + 'static,
        W: Future<Output = Result<R, StoreError>> + Send + 'static,
    {
        let core = Arc::clone(self.core()?);
        Box::pin(core.opened()).await?;
        let (inner, shelf): (_, Arc<dyn AnyShelf>) = (Arc::clone(&core), self.shelf.clone());
        core.run(async move {
            inner.make_table(&*shelf).await?;
            flush(&inner).await?;
            work(Arc::clone(&inner)).await
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, crate::Entity)]
    #[entity(table = "players", mode = "behind", crate = crate)]
    struct Player {
        #[entity(key)]
        id: String,
        gold: i64,
    }

    /// They are part of each handler's future, which is moved and allocated for each message.
    #[test]
    fn what_handlers_await_is_small() {
        let players = Entities::<Player>::new(None, Arc::new(Shelf::new()));
        let new = || Player {
            id: String::new(),
            gold: 0,
        };
        let sizes = [
            size_of_val(&players.load("ann")),
            size_of_val(&players.load_or_insert("ann", new)),
            size_of_val(&players.select("", Vec::new())),
            size_of_val(&players.view("ann")),
        ];
        assert!(sizes.iter().all(|size| *size <= 256), "{sizes:?}");
    }
}
