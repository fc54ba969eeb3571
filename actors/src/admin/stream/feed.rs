//! Writes the news of one stream: events and lines as they come; what changes is looked at twice a second, and whenever
//! something has happened, so that a state is seen in the moment in which it changes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use lampyris_runtime::supervisor::output;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::pipe::Writer;
use super::told::Told;
use super::topics::Topics;
use crate::admin::api::{cluster, links};
use crate::admin::seat::Seat;
use crate::admin::views::{detail, summary};
use crate::lines::{LogLine, Reader};

/// How often numbers are looked at.
const STEP: Duration = Duration::from_millis(500);

/// Shortest time between two looks, however much happens.
const PAUSE: Duration = Duration::from_millis(50);

/// How often something is written when there is no news.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Lines of logs that may wait; the reading of the files waits for room.
const LINES: usize = 256;

/// Writes until nobody reads.
pub(super) async fn run(seat: Seat, topics: Topics, since: Option<u64>, writer: Writer) {
    let mut last = seat.records.last_event();
    // Each follower ends when its sender is dropped with this function.
    let (lines, mut news) = mpsc::channel(LINES);
    let _followers: Vec<oneshot::Sender<()>> = topics
        .logs
        .iter()
        .map(|name| follow(&seat, name, lines.clone()))
        .collect();
    let told = Told::new(since, *last.borrow_and_update());
    let mut feed = Feed {
        seat,
        topics,
        writer,
        told,
        written: HashMap::new(),
        spoke: Instant::now(),
    };
    if !feed.write(": welcome\n\n".to_owned()) {
        return;
    }
    let (mut looked, mut pause) = (Instant::now(), Duration::ZERO);
    loop {
        let alive = tokio::select! {
            () = tokio::time::sleep_until((looked + pause).into()) => {
                (looked, pause) = (Instant::now(), STEP);
                feed.look().await
            }
            changed = last.changed() => {
                pause = pause.min(PAUSE);
                changed.is_ok() && feed.events()
            }
            line = news.recv() => line.is_some_and(|line| feed.say("log", None, &json(&line))),
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
    told: Told,
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
        if !self.topics.events {
            return true;
        }
        let (skipped, events) = self.told.next(&self.seat.records);
        if skipped > 0 && !self.say("skipped", None, &json(&skipped)) {
            return false;
        }
        events
            .iter()
            .all(|event| self.say("event", Some(event.seq), &json(event)))
    }

    /// `None` when the master is ending.
    async fn snapshots(&mut self) -> Option<bool> {
        if self.topics.cluster {
            let mut view = cluster::view(&self.seat).await.ok()?;
            view.uptime = view.uptime.floor();
            if !self.say_changed("cluster", "cluster".to_owned(), &view) {
                return Some(false);
            }
        }
        if self.topics.links {
            let links = links::view(&self.seat, None).await.ok()?;
            if !self.say_changed("links", "links".to_owned(), &links) {
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
                whole.summary.settle();
                if !self.say_changed("node", format!("node:{name}"), &whole) {
                    return Some(false);
                }
            }
            if self.topics.nodes {
                let mut summary = summary(&self.seat, node);
                summary.settle();
                changed.extend(self.if_changed(format!("nodes:{name}"), &summary));
            }
        }
        Some(changed.is_empty() || self.say("nodes", None, &format!("[{}]", changed.join(","))))
    }

    fn say_changed(&mut self, event: &str, key: String, data: &impl Serialize) -> bool {
        let changed = self.if_changed(key, data);
        changed.is_none_or(|data| self.say(event, None, &data))
    }

    /// The JSON of a thing, if it is another than when it was written last.
    fn if_changed(&mut self, key: String, data: &impl Serialize) -> Option<String> {
        let data = json(data);
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        let hash = hasher.finish();
        (self.written.insert(key, hash) != Some(hash)).then_some(data)
    }

    /// Writes an event whose data is this JSON.
    fn say(&mut self, event: &str, id: Option<u64>, data: &str) -> bool {
        let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
        self.write(format!("{id}event: {event}\ndata: {data}\n\n"))
    }

    fn write(&mut self, text: String) -> bool {
        self.spoke = Instant::now();
        self.writer.write(text, self.spoke)
    }
}

/// In one line: JSON without spaces has no line breaks.
fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("because what is shown is plain data, and its keys are texts")
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
