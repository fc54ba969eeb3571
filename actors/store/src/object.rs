//! One entity in the hands of a handler.

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::cell::{Cell, State, Turn};
use crate::change::{Assignment, Change, Op};
use crate::database::rows::{self, Written};
use crate::entity::{Entity, Mode};
use crate::error::StoreError;
use crate::lock;
use crate::shared::{Core, Working};
use crate::unsaved::{Settling, Unsaved};
use crate::value::{Key, Value};

/// An entity that this node owns. All objects of one key are the same entity; cheap to clone.
///
/// While one is kept, the entity stays in memory.
pub struct Object<E> {
    pub(crate) cell: Arc<Cell<E>>,
    pub(crate) core: Arc<Core>,
}

impl<E> Clone for Object<E> {
    fn clone(&self) -> Self {
        Self {
            cell: Arc::clone(&self.cell),
            core: Arc::clone(&self.core),
        }
    }
}

impl<E: Entity> fmt::Debug for Object<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", E::TABLE.name, self.cell.key)
    }
}

/// The right to change an entity.
struct Entered<'a, E> {
    // Before the turn, so that it is dropped before that.
    state: MutexGuard<'a, State<E>>,
    /// Whether one more entity may wait to be written.
    room: Result<(), StoreError>,
    /// None is needed as long as the state is locked, when nobody else has one.
    held: Option<Held<E>>,
}

/// Goes along with the task that writes, so that a change that nobody waits for is not overtaken.
struct Held<E> {
    _turn: Arc<Turn<E>>,
    /// Of several changes under one lock one is written at a time, as each begins from what the last has left.
    _writing: Option<OwnedMutexGuard<()>>,
}

impl<E: Entity> Object<E> {
    /// The primary key.
    pub fn key(&self) -> &Key {
        &self.cell.key
    }

    /// Whether both are the same entity.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }

    /// Looks at the entity as it is now.
    ///
    /// # Errors
    /// [`StoreError::Lost`], [`StoreError::Absent`] when it was deleted.
    pub fn read<R>(&self, look: impl FnOnce(&E) -> R) -> Result<R, StoreError> {
        if self.cell.is_lost() {
            return Err(self.lost());
        }
        lock(&self.cell.state)
            .entity
            .as_ref()
            .map(look)
            .ok_or_else(|| self.absent())
    }

    /// A copy of the entity as it is now.
    ///
    /// # Errors
    /// As [`Object::read`].
    pub fn get(&self) -> Result<E, StoreError> {
        self.read(E::clone)
    }

    /// Changes the entity, and gives what `change` gives once the change is safe: with [`Mode::Behind`] in the
    /// journal, with [`Mode::Through`] in the database. Waits while somebody has it locked.
    ///
    /// The entity is locked while `change` works on it, so that it shall ask nothing of the store. With [`Mode::Behind`]
    /// others see the change at once, and later changes need not wait for it. A change that changes nothing costs
    /// nothing. The change takes place also if nobody waits for its end.
    ///
    /// # Errors
    /// After [`StoreError::Uncertain`] the change may have become safe all the same; the object is then
    /// [`StoreError::Lost`], and the entity is to be loaded again. After any other nothing has changed.
    pub async fn update<R>(&self, change: impl FnOnce(&mut E) -> R) -> Result<R, StoreError> {
        let change = |entity: &mut E| Ok::<R, Infallible>(change(entity));
        let Ok(unsaved) = self.change(self.enter().await?, change, |_| ())?;
        unsaved.saved().await.map(|(result, ())| result)
    }

    /// As [`Object::update`], with a change that may decide otherwise: after its `Err` nothing has changed. Gives the
    /// entity as this change has left it.
    ///
    /// # Errors
    /// As [`Object::update`].
    pub async fn try_update<X>(
        &self,
        change: impl FnOnce(&mut E) -> Result<(), X>,
    ) -> Result<Result<E, X>, StoreError> {
        match self.begin_update(change, E::clone).await? {
            Ok(unsaved) => unsaved.saved().await.map(Ok),
            Err(otherwise) => Ok(Err(otherwise)),
        }
    }

    /// As [`Object::try_update`], but does not wait until the change is safe. Gives what `look` sees of the entity as
    /// this change has left it.
    ///
    /// # Errors
    /// As [`Object::update`], but for those that its [`Unsaved`] has.
    pub async fn begin_update<R, X>(
        &self,
        change: impl FnOnce(&mut E) -> Result<(), X>,
        look: impl FnOnce(&E) -> R,
    ) -> Result<Result<Unsaved<R>, X>, StoreError> {
        let begun = self.change(self.enter().await?, change, look)?;
        Ok(begun.map(|unsaved| unsaved.map(|((), seen)| seen)))
    }

    /// Deletes the row. The object stays, and is absent.
    ///
    /// # Errors
    /// As [`Object::update`].
    pub async fn delete(&self) -> Result<(), StoreError> {
        let decide = |entity: &Option<E>| match entity {
            Some(_) => Ok(Some((Op::Delete, None))),
            None => Ok(None),
        };
        let settling = self.replace(self.enter().await?, decide)?;
        self.unsaved((), settling).saved().await
    }

    /// Keeps everybody else from changing the entity, until what is returned is dropped.
    pub async fn lock(&self) -> Locked<E> {
        Locked {
            object: self.clone(),
            turn: Arc::new(Turn::of(&self.cell).await),
            writing: Arc::default(),
        }
    }

    pub(crate) async fn insert(&self, entity: E) -> Result<(), StoreError> {
        let decide = |known: &Option<E>| match known {
            Some(_) => Err(StoreError::Exists {
                table: E::TABLE.name,
                key: self.cell.key.clone(),
            }),
            None => Ok(Some((Op::Put(assignments::<E>(entity.to_row())), Some(entity)))),
        };
        let settling = self.replace(self.enter().await?, decide)?;
        self.unsaved((), settling).saved().await
    }

    /// Waits while somebody has it locked, or writes it through.
    async fn enter(&self) -> Result<Entered<'_, E>, StoreError> {
        if E::TABLE.mode == Mode::Behind {
            let entered = self.enter_with(None)?;
            if self.cell.is_free() {
                return Ok(entered);
            }
        }
        // In a box: few need it, and all would have it in their futures.
        let turn = Box::pin(Turn::of(&self.cell)).await;
        self.enter_with(Some(Held {
            _turn: Arc::new(turn),
            _writing: None,
        }))
    }

    fn enter_with(&self, held: Option<Held<E>>) -> Result<Entered<'_, E>, StoreError> {
        self.core.check_open()?;
        // Before the entity is locked, which whoever has the backlog may wait for.
        let room = self.core.check_room(E::TABLE.name, &self.cell.key);
        let state = lock(&self.cell.state);
        if self.cell.is_lost() {
            return Err(self.lost());
        }
        Ok(Entered { state, room, held })
    }

    /// Has `change` done to a copy, and the difference on its way; `look` is shown what it has left.
    fn change<R, L, X>(
        &self,
        entered: Entered<'_, E>,
        change: impl FnOnce(&mut E) -> Result<R, X>,
        look: impl FnOnce(&E) -> L,
    ) -> Result<Result<Unsaved<(R, L)>, X>, StoreError> {
        let (mut outcome, mut left) = (None, None);
        let settling = self.replace(entered, |entity| {
            let before = entity.as_ref().ok_or_else(|| self.absent())?;
            let mut after = before.clone();
            let changed = change(&mut after);
            let wanted = changed.is_ok();
            outcome = Some(changed);
            if !wanted {
                return Ok(None);
            }
            let mut columns = after.changes(before);
            if columns.is_empty() {
                left = Some(look(&after));
                return Ok(None);
            }
            if columns.iter().any(|(at, _)| *at == E::TABLE.key) {
                return Err(StoreError::BadKey(format!(
                    "an update may not change {}",
                    self.cell.key
                )));
            }
            if let Some(version) = after.touch() {
                columns.retain(|(at, _)| *at != version.0);
                columns.push(version);
            }
            left = Some(look(&after));
            Ok(Some((Op::Set(columns), Some(after))))
        })?;
        let outcome = outcome.expect("because replace has called the closure");
        Ok(outcome.map(|result| {
            let left = left.expect("because what was wanted was looked at");
            self.unsaved((result, left), settling)
        }))
    }

    fn unsaved<T>(&self, value: T, settling: Settling) -> Unsaved<T> {
        Unsaved {
            value,
            settling,
            other: self.core.handle.clone(),
        }
    }

    /// Has `decide` say what becomes of the entity. Behind, it becomes so at once.
    fn replace(
        &self,
        mut entered: Entered<'_, E>,
        decide: impl FnOnce(&Option<E>) -> Result<Option<(Op<usize>, Option<E>)>, StoreError>,
    ) -> Result<Settling, StoreError> {
        let state = &mut *entered.state;
        let Some((op, next)) = decide(&state.entity)? else {
            return Ok(Settling::Settled);
        };
        if E::TABLE.mode == Mode::Through {
            drop(entered.state);
            let change = self.cell.change(op.named(E::TABLE));
            return Ok(Settling::Through(self.write_through(change, next, entered.held)));
        }
        if state.coming.is_empty() {
            entered.room?;
        }
        if !state.coming.listed {
            state.coming.listed = true;
            self.core.unwritten.touch(Arc::<Cell<E>>::clone(&self.cell));
        }
        // While the entity is locked, so that the journal has the changes in their order.
        let put = |out: &mut Vec<u8>| self.cell.put_record(&op, out);
        let ticket = self.core.journal()?.append(put)?;
        let before = std::mem::replace(&mut state.entity, next);
        state.coming.add(&op, &ticket, before);
        Ok(Settling::Behind(ticket))
    }

    fn write_through(&self, change: Change, next: Option<E>, held: Option<Held<E>>) -> Working<()> {
        let (core, cell) = (Arc::clone(&self.core), Arc::clone(&self.cell));
        self.core.run(async move {
            let _held = held;
            match rows::write(&core.db, core.me(), &[&change]).await.as_deref() {
                Ok([Written::Yes]) => {
                    lock(&cell.state).entity = next;
                    core.tell_cache_of(&change);
                    Ok(())
                }
                Ok(_) => {
                    core.fenced(&change);
                    Err(StoreError::Lost {
                        table: E::TABLE.name,
                        key: change.key.clone(),
                    })
                }
                Err(why) => {
                    core.failed(why);
                    let uncertain = matches!(why, StoreError::Uncertain(_));
                    cell.lost.fetch_or(uncertain, Ordering::AcqRel);
                    Err(why.clone())
                }
            }
        })
    }

    fn lost(&self) -> StoreError {
        StoreError::Lost {
            table: E::TABLE.name,
            key: self.cell.key.clone(),
        }
    }

    fn absent(&self) -> StoreError {
        StoreError::Absent {
            table: E::TABLE.name,
            key: self.cell.key.clone(),
        }
    }
}

/// An entity that nobody else can change. Others can look at it.
pub struct Locked<E> {
    object: Object<E>,
    turn: Arc<Turn<E>>,
    /// Held by whoever writes through.
    writing: Arc<Mutex<()>>,
}

impl<E: Entity> Locked<E> {
    /// The entity.
    pub fn object(&self) -> &Object<E> {
        &self.object
    }

    /// As [`Object::update`].
    ///
    /// # Errors
    /// As [`Object::update`].
    pub async fn update<R>(&self, change: impl FnOnce(&mut E) -> R) -> Result<R, StoreError> {
        let change = |entity: &mut E| Ok::<R, Infallible>(change(entity));
        let writing = match E::TABLE.mode {
            Mode::Through => Some(Arc::clone(&self.writing).lock_owned().await),
            Mode::Behind => None,
        };
        let entered = self.object.enter_with(Some(Held {
            _turn: Arc::clone(&self.turn),
            _writing: writing,
        }))?;
        let Ok(unsaved) = self.object.change(entered, change, |_| ())?;
        unsaved.saved().await.map(|(result, ())| result)
    }
}

/// The columns of a row but for its key.
fn assignments<E: Entity>(row: Vec<Value>) -> Vec<Assignment<usize>> {
    let columns = row.into_iter().enumerate();
    columns.filter(|(at, _)| *at != E::TABLE.key).collect()
}
