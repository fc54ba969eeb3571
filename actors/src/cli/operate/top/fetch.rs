//! Asks the master again and again, in a thread of its own, and carries out what the person at the keys wishes.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use serde_json::json;

use crate::cli::operate::api::Api;
use crate::cli::operate::events::parse;
use crate::cli::operate::trouble::Trouble;
use crate::cli::operate::views::{Cluster, Handler, Link, Node};
use crate::records::Event;

/// Pictures that may wait to be drawn.
const WAITING: usize = 4;

/// Events that are shown.
const EVENTS: usize = 200;

/// The cluster at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    pub(super) cluster: Cluster,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Link>,
    pub(super) handlers: Vec<Handler>,
    /// Oldest first.
    pub(super) events: Vec<Event>,
}

/// What the person wishes for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// As the API calls it.
    pub(super) action: &'static str,
    pub(super) node: String,
}

/// What came of asking.
pub(super) enum News {
    Snapshot(Box<Snapshot>),
    /// Nobody answers, or the master refuses.
    Lost(String),
    /// What came of a wish.
    Done(String),
}

/// The thread that asks.
pub(super) struct Fetcher {
    pub(super) news: Receiver<News>,
    pub(super) wishes: Sender<Wish>,
}

/// The cluster at this moment.
pub(super) fn look(api: &Api) -> Result<Snapshot, Trouble> {
    Ok(Snapshot {
        cluster: api.get_as("cluster")?,
        nodes: api.get_as("nodes")?,
        links: api.get_as("links")?,
        handlers: api.get_as("handlers?top=calls")?,
        events: parse(&api.get(&format!("events?limit={EVENTS}"))?["events"]),
    })
}

/// Begins to ask; ends when nobody listens any more.
pub(super) fn start(api: Api, interval: Duration) -> Fetcher {
    let (news_out, news) = sync_channel(WAITING);
    let (wishes, wished) = channel();
    std::thread::spawn(move || ask(&api, interval, &news_out, &wished));
    Fetcher { news, wishes }
}

fn ask(api: &Api, interval: Duration, news: &SyncSender<News>, wished: &Receiver<Wish>) {
    loop {
        match wished.recv_timeout(interval) {
            Ok(wish) => {
                if news.send(News::Done(carry_out(api, &wish))).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let one = match look(api) {
            Ok(snapshot) => News::Snapshot(Box::new(snapshot)),
            Err(trouble) => News::Lost(trouble.to_string()),
        };
        if news.send(one).is_err() {
            return;
        }
    }
}

fn carry_out(api: &Api, wish: &Wish) -> String {
    let Wish { action, node } = wish;
    let body = json!({"reason": "asked for in top"});
    match api.act(Some(node), action, &body) {
        Ok(answer) => answer["effect"].as_str().unwrap_or(action).to_owned(),
        Err(trouble) => format!("{action} of {node}: {trouble}"),
    }
}
