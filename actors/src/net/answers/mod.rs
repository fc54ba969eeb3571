//! The calls in flight of one connection, and the order in which their answers leave. Pure.
//!
//! Each call has a slot, in order of arrival. Clients have no request ids, they match answers by command and order:
//! so an answer leaves when no older call of its command is in flight, and waits in its slot until then. Between
//! commands there is no order.
//!
//! Invariants: slots stand in order of number and of deadline; before a slot that has ended stands one of the same
//! command that has not. So the first slot has not ended, and has the nearest deadline.
//!
//! Finding a slot and its place among its command's is a walk over a few dozen neighbours in memory; there are no
//! more than a connection may have in flight.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

/// Calls for which room is made when an idle connection opens one.
const ROOM: usize = 8;

/// A command that may go to its handler.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its slot.
    pub(super) number: u64,
    pub(super) command: u32,
    pub(super) payload: Bytes,
    pub(super) deadline: Instant,
}

/// An answer that waits for its turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// A whole frame, or nothing when it is empty.
    Frame(Bytes),
    /// The connection ends here.
    HangUp,
}

impl Ended {
    fn size(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.len(),
            Self::HangUp => 0,
        }
    }
}

/// Where a call stands, until the calls change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(usize);

/// Whether an answer may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is the oldest of its command.
    Now,
    /// An older one is in flight.
    Later,
}

#[derive(Debug)]
enum Progress {
    /// Waits for the end of the one before.
    Held(Bytes),
    /// May go to its handler.
    Ready(Bytes),
    /// Its handler has it.
    Running,
    /// Has an answer that waits.
    Ended(Ended),
}

#[derive(Debug)]
struct Slot {
    number: u64,
    command: u32,
    deadline: Instant,
    progress: Progress,
}

/// The calls in flight of one connection.
#[derive(Debug)]
pub(super) struct Answers {
    slots: VecDeque<Slot>,
    next: u64,
    /// Every command waits for the one before, not only those that are serial themselves.
    serial: bool,
    /// How many slots are [`Progress::Ready`].
    ready: usize,
    /// Bytes of answers that wait for their turn.
    waiting: usize,
}

impl Answers {
    pub(super) const fn new(serial: bool) -> Self {
        Self {
            slots: VecDeque::new(),
            next: 0,
            serial,
            ready: 0,
            waiting: 0,
        }
    }

    /// How many calls have no answer that left.
    pub(super) fn in_flight(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of answers that wait for their turn.
    pub(super) const fn waiting_bytes(&self) -> usize {
        self.waiting
    }

    /// The nearest deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.slots.front().map(|slot| slot.deadline)
    }

    /// A command has arrived. `None` when it is held until an older one has ended.
    ///
    /// `serial` says whether it waits for the older ones of its own number; deadlines must not decrease.
    pub(super) fn open(
        &mut self,
        command: u32,
        payload: Bytes,
        deadline: Instant,
        serial: bool,
    ) -> Option<Call> {
        let number = self.next;
        self.next += 1;
        let held = if self.serial {
            !self.slots.is_empty()
        } else {
            serial && self.slots.iter().any(|slot| slot.command == command)
        };
        let (progress, call) = if held {
            (Progress::Held(payload), None)
        } else {
            (
                Progress::Running,
                Some(Call {
                    number,
                    command,
                    payload,
                    deadline,
                }),
            )
        };
        if self.slots.capacity() == 0 {
            self.slots.reserve(ROOM);
        }
        self.slots.push_back(Slot {
            number,
            command,
            deadline,
            progress,
        });
        call
    }

    /// The next command that was held and may now go to its handler.
    pub(super) fn take_ready(&mut self) -> Option<Call> {
        if self.ready == 0 {
            return None;
        }
        self.ready -= 1;
        let slot = self
            .slots
            .iter_mut()
            .find(|slot| matches!(slot.progress, Progress::Ready(_)))?;
        match std::mem::replace(&mut slot.progress, Progress::Running) {
            Progress::Ready(payload) => Some(Call {
                number: slot.number,
                command: slot.command,
                payload,
                deadline: slot.deadline,
            }),
            _ => None,
        }
    }

    /// A call whose time has run out, and whether its handler has had it.
    pub(super) fn due(&self, now: Instant) -> Option<(u64, bool)> {
        let slot = self.slots.front().filter(|slot| slot.deadline <= now)?;
        Some((slot.number, matches!(slot.progress, Progress::Running)))
    }

    /// A call that has now been answered: where it stands, its command, and whether the answer may leave. `None` when
    /// the call had ended before.
    pub(super) fn turn(&self, number: u64) -> Option<(At, u32, Turn)> {
        let at = self.find(number)?;
        let command = self.slots[at].command;
        let older = at > 0 && self.slots.range(..at).any(|slot| slot.command == command);
        Some((At(at), command, if older { Turn::Later } else { Turn::Now }))
    }

    /// Lays the answer aside until it is [`Turn::Now`].
    pub(super) fn stash(&mut self, At(at): At, ended: Ended) {
        self.waiting += ended.size();
        self.started(at);
        self.slots[at].progress = Progress::Ended(ended);
    }

    /// Ends a call whose answer has left, and gives the answers that waited for it, in order.
    pub(super) fn finish(&mut self, At(mut at): At, mut leave: impl FnMut(Ended)) {
        self.started(at);
        let Some(Slot { command, .. }) = self.take_out(at) else {
            return;
        };
        let next = loop {
            let Some(next) = self.next_of(command, at) else {
                break None;
            };
            at = next;
            if !matches!(self.slots[at].progress, Progress::Ended(_)) {
                break Some(at);
            }
            if let Some(Slot {
                progress: Progress::Ended(ended),
                ..
            }) = self.slots.remove(at)
            {
                self.waiting -= ended.size();
                leave(ended);
            }
        };
        if let Some(next) = if self.serial { Some(0) } else { next } {
            self.make_ready(next);
        }
    }

    /// Forgets all calls.
    pub(super) fn clear(&mut self) {
        self.slots = VecDeque::new();
        self.ready = 0;
        self.waiting = 0;
    }

    /// Numbers are given out one by one, so the distance from the first is never less than the place; it is the
    /// place when nothing between them has ended.
    fn find(&self, number: u64) -> Option<usize> {
        let distance = number.checked_sub(self.slots.front()?.number)?;
        let at = usize::try_from(distance).ok()?;
        if self.slots.get(at).is_some_and(|slot| slot.number == number) {
            return Some(at);
        }
        self.slots.binary_search_by_key(&number, |slot| slot.number).ok()
    }

    /// Takes a slot out; mostly it is the first.
    fn take_out(&mut self, at: usize) -> Option<Slot> {
        if at == 0 {
            self.slots.pop_front()
        } else {
            self.slots.remove(at)
        }
    }

    /// The first slot of a command, from a place on; mostly it is the one there.
    fn next_of(&self, command: u32, from: usize) -> Option<usize> {
        if self.slots.get(from)?.command == command {
            return Some(from);
        }
        let skip = self
            .slots
            .range(from..)
            .position(|slot| slot.command == command)?;
        Some(from + skip)
    }

    /// A held slot whose turn it is may go.
    fn make_ready(&mut self, at: usize) {
        if let Some(slot) = self.slots.get_mut(at)
            && let Progress::Held(payload) = &mut slot.progress
        {
            slot.progress = Progress::Ready(std::mem::take(payload));
            self.ready += 1;
        }
    }

    /// A slot that ends without having been taken needs not be taken any more.
    fn started(&mut self, at: usize) {
        if matches!(self.slots[at].progress, Progress::Ready(_)) {
            self.ready -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
