//! Writes the news of one stream: looks twice a second, and at once when something has happened.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use lampyris_runtime::supervisor::output;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::pipe::Writer;
use super::topics::Topics;
use crate::admin::api::{cluster, links};
use crate::admin::seat::Seat;
use crate::admin::views::{detail, summary};
use crate::lines::{LogLine, Reader};

/// How often numbers are looked at.
const STEP: Duration = Duration::from_millis(500);

/// How often something is written when there is no news.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Most events that are told of those that were missed.
const MOST_MISSED: usize = 1000;

/// Lines of logs that may wait; the reading of the files waits for room.
const LINES: usize = 256;

/// Writes until nobody reads.
pub(super) async fn run(seat: Seat, topics: Topics, since: Option<u64>, writer: Writer) {
    let last = seat.records.last_event();
    // Each follower ends when its sender is dropped with this function.
    let (lines, mut news) = mpsc::channel(LINES);
    let _followers: Vec<oneshot::Sender<()>> = topics
        .logs
        .iter()
        .map(|name| follow(&seat, name, lines.clone()))
        .collect();
    let told = since.unwrap_or(*last.borrow());
    let mut feed = Feed {
        seat,
        topics,
        writer,
        told,
        last,
        written: HashMap::new(),
        spoke: Instant::now(),
    };
    if !feed.write(": welcome\n\n".to_owned()) {
        return;
    }
    let mut step = tokio::time::interval(STEP);
    step.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let alive = tokio::select! {
            _ = step.tick() => feed.look().await,
            changed = feed.last.changed() => changed.is_ok() && feed.look().await,
            line = news.recv() => line.is_some_and(|line| feed.say("log", None, &line)),
        };
        if !alive || feed.writer.is_over() {
            return;
        }
    }
}

struct Feed {
    seat: Seat,
    topics: Topics,
    writer: Writer,
    /// The last event that was told.
    told: u64,
    last: watch::Receiver<u64>,
    /// What was written last of each thing, as a hash.
    written: HashMap<String, u64>,
    spoke: Instant,
}

impl Feed {
    /// Writes what is new. Whether somebody still reads.
    async fn look(&mut self) -> bool {
        let alive = self.events() && self.snapshots().await.unwrap_or(false);
        if alive && self.spoke.elapsed() >= HEARTBEAT {
            return self.write(": still here\n\n".to_owned());
        }
        alive
    }

    fn events(&mut self) -> bool {
        let last = *self.last.borrow_and_update();
        if !self.topics.events || last <= self.told {
            self.told = self.told.max(last);
            return true;
        }
        let events = self.seat.records.events(self.told, MOST_MISSED, |_| true);
        let first = events.first().map_or(last, |event| event.seq);
        let skipped = first.saturating_sub(self.told + 1);
        self.told = last;
        if skipped > 0 && !self.say("skipped", None, &skipped) {
            return false;
        }
        events
            .iter()
            .all(|event| self.say("event", Some(event.seq), event))
    }

    /// `None` when the master is ending.
    async fn snapshots(&mut self) -> Option<bool> {
        if self.topics.cluster {
            let mut view = cluster::view(&self.seat).await.ok()?;
            view.uptime = view.uptime.floor();
            if !self.say_changed("cluster", "cluster", &view) {
                return Some(false);
            }
        }
        if self.topics.links {
            let links = links::view(&self.seat, None).await.ok()?;
            if !self.say_changed("links", "links", &links) {
                return Some(false);
            }
        }
        if !self.topics.nodes && self.topics.node.is_empty() {
            return Some(true);
        }
        let nodes = self.seat.nodes().await.ok()?;
        let mut changed = Vec::new();
        for node in nodes {
            let name = node.supervision.name.to_string();
            if self.topics.node.contains(&name) {
                let mut whole = detail(&self.seat, node.clone());
                whole.points.clear();
                whole.summary.settle();
                if !self.say_changed("node", &format!("node:{name}"), &whole) {
                    return Some(false);
                }
            }
            let mut summary = summary(&self.seat, node);
            summary.settle();
            if self.topics.nodes && self.is_new(&format!("nodes:{name}"), &summary) {
                changed.push(summary);
            }
        }
        Some(changed.is_empty() || self.say("nodes", None, &changed))
    }

    fn say_changed(&mut self, event: &str, key: &str, data: &impl Serialize) -> bool {
        !self.is_new(key, data) || self.say(event, None, data)
    }

    /// Whether a thing is another than when it was written last.
    fn is_new(&mut self, key: &str, data: &impl Serialize) -> bool {
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(data).unwrap_or_default().hash(&mut hasher);
        let hash = hasher.finish();
        self.written.insert(key.to_owned(), hash) != Some(hash)
    }

    fn say(&mut self, event: &str, id: Option<u64>, data: &impl Serialize) -> bool {
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        // JSON has no line breaks, so it is one line of data.
        let data = serde_json::to_string(data).unwrap_or_default();
        self.write(format!("{id}event: {event}\ndata: {data}\n\n"))
    }

    fn write(&mut self, text: String) -> bool {
        self.spoke = Instant::now();
        self.writer.write(text, self.spoke)
    }
}

/// Follows the log of a node from its end on.
fn follow(seat: &Seat, name: &str, lines: mpsc::Sender<LogLine>) -> oneshot::Sender<()> {
    let file = seat.config().log.dir.join(format!("{name}.log"));
    let start = std::fs::metadata(&file).map_or(0, |file| file.len());
    let (sender, mut raw) = mpsc::channel::<String>(LINES);
    let (ended, end) = oneshot::channel();
    tokio::spawn(output::follow(file, start, sender, end));
    let mut reader = Reader::new(name);
    tokio::spawn(async move {
        while let Some(text) = raw.recv().await {
            if lines.send(reader.read(text)).await.is_err() {
                return;
            }
        }
    });
    ended
}
