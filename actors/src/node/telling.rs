//! Tells the master once a second how the node fares, and of every traced call at once; keeps a drained node out of
//! service.
//!
//! What cannot be told is dropped: the next report has the newer numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lampyris_runtime::beat::Beat;
use lampyris_runtime::link::{Conn, Peer};
use lampyris_runtime::wire::Goodbye;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Node;
use crate::protocol::{MasterControl, Report, Spans};
use crate::remote::RemoteAddr;
use crate::report::{Gatherer, SpanLog};

/// How often it tells.
///
/// An idle node is woken for little else, and each waking costs it more than what it then does.
const TELL: Duration = Duration::from_secs(1);

/// How often the links with its parents are looked after, while the node is drained or just was; and a master for, while
/// there is none.
const LOOK: Duration = Duration::from_millis(250);

/// What the node's own service and the telling task share.
#[derive(Debug)]
pub(crate) struct Telling {
    pub(crate) spans: Arc<SpanLog>,
    wanted: Notify,
    drained: AtomicBool,
}

impl Telling {
    pub(crate) fn new(spans: Arc<SpanLog>) -> Arc<Self> {
        Arc::new(Self {
            spans,
            wanted: Notify::new(),
            drained: AtomicBool::new(false),
        })
    }

    /// Asks for a report now.
    pub(crate) fn report_now(&self) {
        self.wanted.notify_one();
    }

    /// Takes the node out of service, or back into it.
    pub(crate) fn set_drained(&self, drained: bool) {
        self.drained.store(drained, Ordering::Relaxed);
        self.wanted.notify_one();
    }

    fn is_drained(&self) -> bool {
        self.drained.load(Ordering::Relaxed)
    }
}

/// Tells until the node ends.
pub(super) async fn tell(node: Node, master: Peer, mut gatherer: Gatherer, telling: Arc<Telling>) {
    let address: RemoteAddr<MasterControl> = node.remote(master.clone());
    let incarnation = node.incarnation();
    let mut aside = Aside::default();
    let beat = Beat::of_process();
    // Not right behind one that came late, or was asked for.
    let next_report = |now: Instant| Instant::from_std(beat.next(TELL, (now + TELL / 2).into_std()));
    let mut report_at = next_report(Instant::now());
    loop {
        let watches = telling.is_drained() || !aside.asked.is_empty();
        let look_at = if watches { Instant::now() + LOOK } else { report_at };
        tokio::select! {
            () = sleep_until(look_at.min(report_at)) => {}
            () = telling.wanted.notified() => report_at = Instant::now(),
            () = telling.spans.news() => {}
        }
        aside.keep(&node, telling.is_drained());
        let spans = telling.spans.take();
        let (now, is_up) = (Instant::now(), master.is_up());
        let is_due = report_at <= now;
        if is_due {
            // A new master is not to wait for its first one.
            report_at = if is_up { next_report(now) } else { now + LOOK };
        }
        // Reports of the time without a master are of no use to it later.
        if !is_up {
            continue;
        }
        if !spans.is_empty() {
            drop(address.notify(Spans { incarnation, spans }));
        }
        if is_due {
            let report = gatherer.report(telling.is_drained());
            drop(address.notify(Report { report }));
        }
    }
}

/// The links with the parents of a node that is out of service, which has no children: the parents hold their calls
/// back, as for a node that restarts.
#[derive(Default)]
struct Aside {
    asked: Vec<Arc<Conn>>,
}

impl Aside {
    /// Asks the parents for no more calls; or, back in service, closes the links that were asked, once the node's own
    /// calls on them are answered: the dialers make new ones.
    fn keep(&mut self, node: &Node, drained: bool) {
        self.asked.retain(|conn| !conn.has_ended());
        if !drained {
            self.asked
                .iter()
                .filter(|conn| conn.is_drained())
                .for_each(|conn| conn.close(Goodbye::Replaced));
            return;
        }
        for conn in node.parents().iter().filter_map(Peer::conn) {
            if !self.asked.iter().any(|known| Arc::ptr_eq(known, &conn)) {
                conn.drain();
                self.asked.push(conn);
            }
        }
    }
}
