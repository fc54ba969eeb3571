//! What the master keeps for its operators: the last report of each node and a quarter of an hour of points, the
//! events of the cluster, the spans of traced calls. All of it is bounded.
//!
//! The master and its links write, the admin side reads, each from its own thread. Readers wait for nothing longer than
//! a copy: the file of the events has a lock of its own, which is taken first. What is unknown stays unknown: a node that does not report keeps its last numbers, with their age.

mod events;
mod history;
mod journal;
mod known;
mod traces;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use lampyris_runtime::name::NodeName;
use tokio::sync::watch;

pub(crate) use events::{Event, EventKind, News};
pub(crate) use history::Point;
pub(crate) use known::Known;

use crate::clock::unix_ms;
use crate::report::{NodeReport, Span};
use events::Events;
use journal::Journal;
use traces::Traces;

/// The handle. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Records(Arc<Shared>);

struct Shared {
    journal: Mutex<Journal>,
    kept: Mutex<Kept>,
    /// The number of the last event.
    last: watch::Sender<u64>,
}

struct Kept {
    events: Events,
    nodes: HashMap<NodeName, Known>,
    traces: Traces,
}

/// The events that the masters of a run folder have noted.
pub(crate) fn former(run_dir: &Path) -> Vec<Event> {
    journal::former(&run_dir.join("events.jsonl"))
}

impl Records {
    /// The records of a cluster; former events are read from the run folder.
    pub(crate) fn open(run_dir: &Path) -> Self {
        let (journal, former) = Journal::open(&run_dir.join("events.jsonl"));
        let events = Events::new(former);
        let (last, _) = watch::channel(events.last());
        Self(Arc::new(Shared {
            last,
            journal: Mutex::new(journal),
            kept: Mutex::new(Kept {
                events,
                nodes: HashMap::new(),
                traces: Traces::default(),
            }),
        }))
    }

    /// Something has happened.
    pub(crate) fn note(&self, news: News) {
        // From here on, so that the lines stand in the order of their numbers.
        let mut journal = self.0.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let event = self.lock().events.add(news, unix_ms(SystemTime::now())).clone();
        self.0.last.send_replace(event.seq);
        journal.write(&event);
    }

    /// A node has reported.
    pub(crate) fn report(&self, node: NodeName, report: NodeReport) {
        let now = Instant::now();
        let mut kept = self.lock();
        let former = kept.nodes.get(&node).map(|known| &*known.report);
        let news = events::of_links(&node, former, &report);
        kept.nodes
            .entry(node)
            .or_default()
            .take(report, now, unix_ms(SystemTime::now()));
        drop(kept);
        news.into_iter().for_each(|one| self.note(one));
    }

    /// Handlers have worked on traced calls.
    pub(crate) fn spans(&self, spans: Vec<Span>) {
        self.lock().traces.add(spans);
    }

    /// The spans of a trace, by their start.
    pub(crate) fn trace(&self, trace: &str) -> Vec<Span> {
        self.lock().traces.of(trace)
    }

    /// What is known of a node; `read` must be short.
    pub(crate) fn node<T>(&self, node: &str, read: impl FnOnce(&Known) -> T) -> Option<T> {
        self.lock().nodes.get(node).map(read)
    }

    /// The events behind a number, oldest first: those that `wanted` says, at most `most` of them, the newest.
    pub(crate) fn events(&self, since: u64, most: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        self.lock().events.since(since, most, wanted)
    }

    /// The number of the last event, and word of later ones.
    pub(crate) fn last_event(&self) -> watch::Receiver<u64> {
        self.0.last.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
