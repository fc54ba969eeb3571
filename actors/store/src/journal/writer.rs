//! The thread that writes the journal: takes what has come, writes it in one go, syncs, acknowledges.
//!
//! It is a thread because a sync blocks. A sync is cheap where it has nothing to tell the file system: no new blocks, no
//! new length. So groups overwrite what is there: the file of a segment that nobody needs is spared for a later one, and
//! where there is none, room is made long before it is needed, as zeros, in few and large steps. A segment that is full
//! is cut to its length before the next one begins. After a failure all of the group is refused; the next write begins
//! a new segment, as the state of the old one is not known.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::codec::{END, put_record, seal};
use super::files::{EMPTY, Folder};
use super::group::{Fate, Group, Ticket};
use super::queue::{Batch, Receiver, Sender, queue};
use crate::error::StoreError;
use crate::settings::{JournalSettings, Sync};
use crate::unwritten::Unwritten;

/// Room that is made for records at once, in bytes, if not as much as there is already.
const ROOM: u64 = 1 << 20;
/// With so many changes of one sync, the next one waits for more of them, ...
const CROWD: usize = 16;
/// ... until so much time has gone by since the last. Else as many syncs are made as the disk can do, each for few
/// changes, and all who take part in an update are woken for a few at a time.
const PACE: Duration = Duration::from_micros(500);

/// With so many full segments, what the database has refused is written once more, so that the oldest can go; ...
const MANY: usize = 4;
/// ... looked at no more often than this.
const LOOK: Duration = Duration::from_millis(250);

/// Most files of segments that are spared for later ones.
const SPARES: usize = 4;

/// Numbers for people.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes: AtomicU64,
    pub(crate) appended: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) failures: AtomicU64,
    /// Changes that have had their outcome.
    settled: AtomicU64,
}

/// The way to the thread.
#[derive(Clone)]
pub(crate) struct Journal {
    queue: Sender,
    pub(crate) counters: Arc<Counters>,
    max_size: u64,
}

impl Journal {
    /// Starts the thread. It ends when all [`Journal`]s are gone, and gives the folder back with its end.
    pub(crate) fn start(
        folder: Arc<Folder>,
        settings: &JournalSettings,
        unwritten: Arc<Unwritten>,
    ) -> io::Result<Self> {
        let (queue, taken) = queue();
        let counters = Arc::new(Counters::default());
        let (segments, mut spares) = (folder.segments()?, folder.spares()?);
        // Above all that records were summed with, in whatever file they still stand.
        let newest = segments.last().map(|(number, _)| number).max(spares.last());
        let next = newest.map_or(1, |number| number + 1);
        while spares.len() > SPARES {
            folder.remove_spare(spares.remove(0))?;
        }
        counters
            .bytes
            .store(segments.iter().map(|(_, length)| length).sum(), Ordering::Relaxed);
        // What stands in earlier segments was replayed.
        unwritten.begin_segment(next);
        let writer = Writer {
            folder,
            unwritten,
            counters: Arc::clone(&counters),
            segment_size: settings.segment_size,
            sync: settings.sync,
            next,
            current: None,
            old: segments.into_iter().map(Full::sound).collect(),
            spares,
            looked: None,
        };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&taken))?;
        Ok(Self {
            queue,
            counters,
            max_size: settings.max_size,
        })
    }

    /// Sends a change on its way, at once or never; `put` appends its record.
    pub(crate) fn append(
        &self,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), &'static str>,
    ) -> Result<Ticket, StoreError> {
        if self.counters.bytes.load(Ordering::Relaxed) >= self.max_size {
            // Nothing else may come to pass after which a look is asked for.
            self.tidy();
            return Err(StoreError::Overloaded(
                "the journal is full, as the database does not take what is in it",
            ));
        }
        self.queue.append(put)
    }

    /// Takes no more changes in.
    pub(crate) fn seal(&self) {
        self.queue.seal();
    }

    /// How many changes have had their outcome.
    fn settled(&self) -> u64 {
        self.counters.settled.load(Ordering::Acquire)
    }

    /// Whether changes wait for the thread.
    pub(crate) fn has_waiting(&self) -> bool {
        self.queue.came() > self.settled()
    }

    /// Has segments put away that are needed no more.
    pub(crate) fn tidy(&self) {
        self.queue.tidy();
    }
}

/// The segment that is being written.
struct Current {
    number: u64,
    file: File,
    /// Bytes of its head and its records.
    length: u64,
    /// Bytes of the file. Behind the records there is the mark of their end, and whatever will be overwritten.
    room: u64,
}

impl Current {
    /// Writes records behind the others, and the mark of the end behind them; they are on stable storage if that is
    /// wanted.
    fn append(&mut self, records: &mut Vec<u8>, sync: Sync, segment_size: u64) -> io::Result<()> {
        let length = self.length + records.len() as u64;
        records.extend(END);
        let end = self.length + records.len() as u64;
        if sync == Sync::Always && end > self.room {
            let room = segment_size.min(ROOM.max(self.room * 2)).max(end);
            let zeros = usize::try_from(room - self.room).map_err(io::Error::other)?;
            self.file.write_all_at(&vec![0; zeros], self.room)?;
            self.room = room;
        }
        self.file.write_all_at(records, self.length)?;
        if sync == Sync::Always {
            self.file.sync_data()?;
        }
        self.length = length;
        Ok(())
    }

    /// Nothing is to stand behind the records that were acknowledged: neither room nor what failed.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.room = self.length;
        self.file.sync_all()
    }
}

/// A segment that nothing is written to any more.
struct Full {
    number: u64,
    /// Bytes of its head and its records.
    length: u64,
    /// Nothing that was written to it has failed.
    is_sound: bool,
}

impl Full {
    fn sound((number, length): (u64, u64)) -> Self {
        Self {
            number,
            length,
            is_sound: true,
        }
    }
}

struct Writer {
    folder: Arc<Folder>,
    unwritten: Arc<Unwritten>,
    counters: Arc<Counters>,
    segment_size: u64,
    sync: Sync,
    next: u64,
    current: Option<Current>,
    /// The others, oldest first.
    old: Vec<Full>,
    /// Files that are spared, oldest first.
    spares: Vec<u64>,
    /// When it was last looked for what is to be written once more.
    looked: Option<Instant>,
}

impl Writer {
    fn run(mut self, queue: &Receiver) {
        let mut next = Instant::now();
        while queue.wait() {
            wait_until(next);
            let began = Instant::now();
            let (batch, tidy) = queue.take();
            if let Some(batch) = batch {
                next = if batch.count >= CROWD { began + PACE } else { began };
                self.write_batch(batch);
            }
            if tidy {
                self.carry();
                self.retire();
            }
        }
    }

    /// Writes, syncs and settles a batch.
    fn write_batch(&mut self, mut batch: Batch) {
        let count = batch.count as u64;
        let written = self.write(&mut batch.records);
        match written {
            Ok(segment) => {
                self.counters.appended.fetch_add(count, Ordering::Relaxed);
                let since = Instant::now();
                batch.group.settle(Fate::Safe { segment, since });
            }
            Err(why) => self.fail(&batch.group, count, &why),
        }
        self.counters.settled.fetch_add(count, Ordering::Release);
    }

    fn fail(&self, group: &Arc<Group>, changes: u64, why: &io::Error) {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%why, changes, "the journal cannot be written");
        // Before anybody is told, so that he finds his entity lost.
        self.unwritten.fail(group);
        let why = format!("the journal cannot be written: {why}");
        group.settle(Fate::Failed(StoreError::Uncertain(why.into())));
    }

    /// Takes out the segment to write to.
    fn segment(&mut self) -> io::Result<Current> {
        if let Some(mut current) = self.current.take() {
            if current.length < self.segment_size {
                return Ok(current);
            }
            // What comes will stand behind it, so that it has to be found whole.
            if let Err(why) = current.cut() {
                self.current = Some(current);
                return Err(why);
            }
            self.old.push(Full::sound((current.number, current.length)));
        }
        let number = self.next;
        // A number is used once, also when the file cannot be made whole.
        self.next += 1;
        let (file, room) = self.begin(number)?;
        self.counters.bytes.fetch_add(EMPTY, Ordering::Relaxed);
        self.unwritten.begin_segment(number);
        Ok(Current {
            number,
            file,
            length: EMPTY,
            room,
        })
    }

    /// The file of a new segment, and how long it is.
    fn begin(&mut self, number: u64) -> io::Result<(File, u64)> {
        if !self.spares.is_empty() {
            let spare = self.spares.remove(0);
            match self.folder.begin_with(spare, number) {
                Ok(begun) => return Ok(begun),
                Err(why) => {
                    tracing::warn!(%why, file = spare, "a spared file of the journal cannot be used");
                    self.folder.give_up(spare, number);
                }
            }
        }
        Ok((self.folder.begin(number)?, EMPTY))
    }

    /// Writes records to a segment, which they will be on stable storage in if that is wanted; gives its number.
    fn write(&mut self, records: &mut Vec<u8>) -> io::Result<u64> {
        let mut current = self.segment()?;
        seal(records, current.number);
        let bytes = records.len() as u64;
        if let Err(why) = current.append(records, self.sync, self.segment_size) {
            // What was not acknowledged shall not stand before what will be.
            if let Err(why) = current.cut() {
                tracing::error!(%why, segment = current.number, "the unfinished end of the journal cannot be cut off");
            }
            self.old.push(Full {
                number: current.number,
                length: current.length,
                is_sound: false,
            });
            return Err(why);
        }
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        let number = current.number;
        self.current = Some(current);
        Ok(number)
    }

    /// Writes once more what holds the oldest segment, if the database has refused it: else the journal would grow for
    /// as long as that lasts. All that the journal has of such a change is in the backlog, as nothing becomes safe while
    /// this thread is here.
    fn carry(&mut self) {
        let now = Instant::now();
        let is_early = |looked: Instant| now.saturating_duration_since(looked) < LOOK;
        let Some(&Full { number: oldest, .. }) = self.old.first() else {
            return;
        };
        if self.old.len() < MANY || self.looked.is_some_and(is_early) {
            return;
        }
        self.looked = Some(now);
        let refused = self.unwritten.backlog().refused_of(oldest);
        let Some(changes) = refused else {
            return;
        };
        let mut records = Vec::new();
        let put = |change| put_record(change, &mut records).map_err(io::Error::other);
        match changes
            .iter()
            .try_for_each(put)
            .and_then(|()| self.write(&mut records))
        {
            Ok(number) => self.unwritten.backlog().carried(&changes, oldest, number),
            Err(why) => {
                tracing::warn!(%why, segment = oldest, "what holds a segment of the journal cannot be written once more")
            }
        }
    }

    /// Puts the segments away that nobody needs, up to the first one that stays: what is replayed in the end has no gaps.
    fn retire(&mut self) {
        if self.old.is_empty() {
            return;
        }
        let needed = self.unwritten.oldest_segment();
        while let Some(&Full {
            number,
            length,
            is_sound,
        }) = self.old.first()
            && number < needed
        {
            let is_spared = is_sound && self.spares.len() < SPARES;
            let put_away = if is_spared {
                self.folder.spare(number)
            } else {
                self.folder.remove(number)
            };
            if let Err(why) = put_away {
                tracing::warn!(%why, segment = number, "a segment of the journal cannot be put away");
                return;
            }
            if is_spared {
                self.spares.push(number);
            }
            self.counters.bytes.fetch_sub(length, Ordering::Relaxed);
            self.old.remove(0);
        }
    }
}

fn wait_until(moment: Instant) {
    loop {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        // May return early.
        std::thread::park_timeout(left);
    }
}
