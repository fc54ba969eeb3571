//! Spans for a collector of OpenTelemetry, by OTLP over HTTP in JSON, when `trace.otlp` names one.
//!
//! ```text
//!   links ── spans ──> [Queue] ── batch ──> [encode] ──> post ──> collector
//!                      bounded    pure               own thread
//! ```
//!
//! Who puts spans in never waits: while the collector is away the oldest are dropped, and counted. The endpoint is that
//! of the configuration that is applied at the moment of sending. It does not know how spans come about.
//!
//! Source: OTLP specification 1.10, "OTLP/HTTP" (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

mod encode;
mod post;
mod queue;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use lampyris_runtime::backoff::{Backoff, Random};
use lampyris_runtime::config::Config;
use lampyris_runtime::name::Incarnation;
use tokio::sync::oneshot;

use crate::report::Span;
use post::{Outcome, Post};
use queue::{Due, Queue};

/// How long a master that ends goes on sending.
const FLUSH: Duration = Duration::from_secs(2);

/// The delays between attempts, unless the collector says how long it wants to be left alone.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// At least so long between two lines of the log about a collector that does not take spans.
const QUIET: Duration = Duration::from_secs(60);

/// A span, and the life of the node that it is of.
#[derive(Debug, Clone, PartialEq)]
struct Ended {
    incarnation: Incarnation,
    span: Span,
}

/// What has become of the spans so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The collector has them.
    pub(crate) sent: u64,
    /// It never will: there were too many, or it refused them.
    pub(crate) dropped: u64,
    /// They wait.
    pub(crate) waiting: u64,
}

/// Where spans are put in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

struct Shared {
    applied: Arc<ArcSwap<Config>>,
    queue: Mutex<Queue>,
    news: Condvar,
}

impl Outbox {
    /// One whose spans nobody sends, until an exporter does.
    pub(crate) fn new(applied: Arc<ArcSwap<Config>>) -> Self {
        Self(Arc::new(Shared {
            applied,
            queue: Mutex::default(),
            news: Condvar::new(),
        }))
    }

    /// Spans of one life of a node have ended. Nothing happens unless a collector is configured.
    pub(crate) fn put(&self, incarnation: Incarnation, spans: &[Span]) {
        if self.0.applied.load().trace.otlp.is_none() {
            return;
        }
        let ended = spans.iter().cloned();
        let ended = ended.map(|span| Ended { incarnation, span });
        self.0.lock().put(ended, Instant::now());
        self.0.news.notify_one();
    }

    /// What has become of them.
    pub(crate) fn counts(&self) -> Counts {
        self.0.lock().counts()
    }
}

/// The thread that sends.
pub(crate) struct Exporter {
    outbox: Outbox,
    /// Its other half is dropped when the thread ends.
    ended: oneshot::Receiver<()>,
}

impl Exporter {
    /// Starts it; it follows the configuration that is applied.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(applied: Arc<ArcSwap<Config>>) -> io::Result<Self> {
        let outbox = Outbox::new(applied);
        let (running, ended) = oneshot::channel();
        let shared = Arc::clone(&outbox.0);
        std::thread::Builder::new().name("otlp".into()).spawn(move || {
            Courier::new(&shared).run();
            drop(running);
        })?;
        Ok(Self { outbox, ended })
    }

    /// Where spans are put in.
    pub(crate) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// Sends what waits, if the collector takes it at once, and ends the thread.
    pub(crate) async fn end(self) {
        let shared = &self.outbox.0;
        shared.lock().close(Instant::now() + FLUSH);
        shared.news.notify_one();
        // A thread that is still waiting for an answer ends with the process.
        drop(tokio::time::timeout(FLUSH, self.ended).await);
        let Counts { waiting, .. } = self.outbox.counts();
        if waiting > 0 {
            tracing::warn!(
                spans = waiting,
                "the collector has not taken all spans before the end"
            );
        }
    }
}

impl Shared {
    /// Waits for the next batch, and for the time at which it is to have been sent, if there is one; `None` at the end.
    fn next(&self) -> Option<(Vec<Ended>, Option<Instant>)> {
        let mut queue = self.lock();
        loop {
            let now = Instant::now();
            queue = match queue.due(now) {
                Due::Now => return Some((queue.take(), queue.closing())),
                Due::At(at) => {
                    let waited = self.news.wait_timeout(queue, at.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                Due::Never => self.news.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Due::End => return None,
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What runs on the thread.
struct Courier<'a> {
    shared: &'a Shared,
    post: Post,
    backoff: Backoff,
    random: Random,
    /// When the log was last told of trouble, while there is some.
    told: Option<Instant>,
}

impl<'a> Courier<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            post: Post::new(),
            backoff: Backoff::new(PAUSES.0, PAUSES.1),
            random: Random::new(getrandom::u64().unwrap_or_default()),
            told: None,
        }
    }

    fn run(&mut self) {
        while let Some((batch, until)) = self.shared.next() {
            let config = self.shared.applied.load_full();
            match &config.trace.otlp {
                Some(endpoint) => {
                    let body = encode::request(&config.name, &batch);
                    let outcome = self.post.send(endpoint, &body, until);
                    self.settle(endpoint, batch, outcome);
                }
                // Taken out of the configuration in the meantime.
                None => self.shared.lock().lost(batch.len()),
            }
        }
    }

    fn settle(&mut self, endpoint: &str, batch: Vec<Ended>, outcome: Outcome) {
        let now = Instant::now();
        let sent = batch.len();
        match outcome {
            Outcome::Taken { rejected: 0 } => {
                self.backoff.reset();
                self.shared.lock().sent(sent, 0);
                if self.told.take().is_some() {
                    tracing::info!(endpoint, "the collector takes spans again");
                }
            }
            Outcome::Taken { rejected } => {
                self.backoff.reset();
                self.shared.lock().sent(sent, rejected);
                self.tell(endpoint, &format!("it rejects {rejected} of {sent} spans"), now);
            }
            Outcome::Refused(why) => {
                self.backoff.reset();
                self.shared.lock().lost(sent);
                self.tell(endpoint, &why, now);
            }
            Outcome::Later { why, wait } => {
                let wait = wait.unwrap_or_else(|| self.backoff.next(self.random.next()));
                self.shared.lock().put_back(batch, now + wait);
                self.tell(endpoint, &why, now);
            }
        }
    }

    /// Tells the log, now and then.
    fn tell(&mut self, endpoint: &str, why: &str, now: Instant) {
        let again = self
            .told
            .is_none_or(|told| now.saturating_duration_since(told) >= QUIET);
        if again {
            let dropped = self.shared.lock().counts().dropped;
            tracing::warn!(endpoint, why, dropped, "the collector does not take spans");
            self.told = Some(now);
        }
    }
}
