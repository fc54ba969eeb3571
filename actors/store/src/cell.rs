//! One entity in this node's memory: the row that there is or is not, what becomes of it, and the right to change it.
//!
//! Of ten thousand entities that are used in turn, none is in the processor's cache when its turn comes. So what a
//! change needs stands together, in the order in which it is needed.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use crate::change::{Change, Name, Op};
use crate::coming::{Coming, Safe};
use crate::entity::Entity;
use crate::journal::body::Of;
use crate::journal::codec::put_record_of;
use crate::journal::group::Group;
use crate::lock;
use crate::unwritten::Touched;
use crate::value::Key;

/// One entity, and the lease under which this node has it.
#[repr(C)]
pub(crate) struct Cell<E> {
    pub(crate) key: Key,
    /// What is here is not what was acknowledged, or not this node's any more.
    pub(crate) lost: AtomicBool,
    /// Whether it was used since it was last looked for idle ones.
    pub(crate) used: AtomicBool,
    /// How many have a turn, or wait for one. Grows only while the state is locked.
    turns: AtomicUsize,
    pub(crate) state: Mutex<State<E>>,
    pub(crate) fence: i64,
    /// When it was last found used, in milliseconds since the shelf was made.
    pub(crate) seen: AtomicU64,
    /// One permit: the turn.
    turn: Semaphore,
}

/// What becomes of an entity with a change.
#[repr(C)]
pub(crate) struct State<E> {
    /// `None` when there is no such row.
    pub(crate) entity: Option<E>,
    /// What the backlog does not know yet.
    pub(crate) coming: Coming<E>,
}

impl<E: Entity> Cell<E> {
    pub(crate) fn new(key: Key, fence: i64, entity: Option<E>) -> Self {
        Self {
            key,
            lost: AtomicBool::new(false),
            used: AtomicBool::new(true),
            turns: AtomicUsize::new(0),
            state: Mutex::new(State {
                entity,
                coming: Coming::default(),
            }),
            fence,
            seen: AtomicU64::new(0),
            turn: Semaphore::new(1),
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether nobody has a turn, nor waits for one; stays so as long as whoever asks keeps the state locked.
    pub(crate) fn is_free(&self) -> bool {
        self.turns.load(Ordering::Acquire) == 0
    }

    pub(crate) fn change(&self, op: Op) -> Change {
        Change {
            table: Name::Borrowed(E::TABLE.name),
            key_column: Name::Borrowed(E::TABLE.key_column().name),
            key: self.key.clone(),
            fence: self.fence,
            op,
        }
    }

    /// Appends the journal's record of a change.
    pub(crate) fn put_record(&self, op: &Op<usize>, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let of = Of {
            table: E::TABLE.name,
            key_column: E::TABLE.key_column().name,
            key: &self.key,
            fence: self.fence,
        };
        put_record_of(&of, op, |at| E::TABLE.columns[*at].name, out)
    }
}

impl<E: Entity> Touched for Cell<E> {
    fn collect(&self, safe: &mut Vec<Safe>) -> bool {
        let State { entity, coming, .. } = &mut *lock(&self.state);
        coming.collect(entity.as_ref(), |op| self.change(op), safe);
        coming.listed = !coming.is_empty();
        coming.listed
    }

    fn fail(&self, group: &Arc<Group>) {
        let mut state = lock(&self.state);
        if state.coming.fail(group) {
            // While nobody can change it.
            self.lost.store(true, Ordering::Release);
        }
    }
}

/// Keeps everybody else from changing an entity, until it is dropped. They come one after the other.
pub(crate) struct Turn<E> {
    cell: Arc<Cell<E>>,
    has_come: bool,
}

impl<E> Turn<E> {
    /// Waits for a turn. Who has seen, with the state locked, that nobody has one or waits for one may change the
    /// entity without, as long as he keeps it locked.
    pub(crate) async fn of(cell: &Arc<Cell<E>>) -> Self {
        {
            let _state = lock(&cell.state);
            cell.turns.fetch_add(1, Ordering::AcqRel);
        }
        let mut turn = Self {
            cell: Arc::clone(cell),
            has_come: false,
        };
        let permit = cell.turn.acquire().await;
        permit.expect("because nobody closes it").forget();
        turn.has_come = true;
        turn
    }
}

impl<E> Drop for Turn<E> {
    fn drop(&mut self) {
        if self.has_come {
            self.cell.turn.add_permits(1);
        }
        // With no lock: it may be dropped by a change, which has the state locked.
        self.cell.turns.fetch_sub(1, Ordering::AcqRel);
    }
}
