//! The ring of events. Pure; each has a number, one more than the one before, also after a restart of the master.

use std::collections::VecDeque;

use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::report::{NodeReport, Relation};

/// Events that are kept.
pub(super) const MOST: usize = 5_000;

/// The longest text of an event, in characters; the rest is cut.
const MAX_TEXT: usize = 1_000;

/// What kind of thing has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventKind {
    /// A node has another state.
    State,
    /// A node's process has ended.
    Exit,
    /// An operator has asked for something.
    Action,
    /// A link is up.
    LinkUp,
    /// A link is down.
    LinkDown,
    /// The configuration has been applied anew.
    Config,
    /// Somebody has come in, or was refused.
    Session,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Event {
    /// Its number.
    pub(crate) seq: u64,
    /// When, in milliseconds of Unix time.
    pub(crate) at_ms: u64,
    /// What kind.
    pub(crate) kind: EventKind,
    /// Whose; `null` for the cluster's.
    pub(crate) node: Option<String>,
    /// What happened, in words.
    pub(crate) text: String,
    /// The state before, of a change of state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The state after, of a change of state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
}

/// An event before it has a number and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    kind: EventKind,
    node: Option<String>,
    text: String,
    states: Option<(State, State)>,
    by: Option<String>,
}

impl News {
    /// News of the cluster.
    pub(crate) fn new(kind: EventKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            node: None,
            text: text.into(),
            states: None,
            by: None,
        }
    }

    /// It is about a node.
    pub(crate) fn node(mut self, node: impl ToString) -> Self {
        self.node = Some(node.to_string());
        self
    }

    /// Somebody asked for it.
    pub(crate) fn by(mut self, who: impl Into<String>) -> Self {
        self.by = Some(who.into());
        self
    }

    /// It is a change of state.
    pub(crate) fn states(mut self, from: State, to: State) -> Self {
        self.states = Some((from, to));
        self
    }
}

/// The ring.
#[derive(Debug)]
pub(super) struct Events {
    kept: VecDeque<Event>,
    last: u64,
}

impl Events {
    /// A ring that goes on where former events end.
    pub(super) fn new(mut former: Vec<Event>) -> Self {
        let last = former.last().map_or(0, |event| event.seq);
        former.drain(..former.len().saturating_sub(MOST));
        Self {
            kept: former.into(),
            last,
        }
    }

    /// The number of the last event; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn add(&mut self, news: News, at_ms: u64) -> &Event {
        if self.kept.len() == MOST {
            self.kept.pop_front();
        }
        self.last += 1;
        let text = match news.text.char_indices().nth(MAX_TEXT) {
            Some((end, _)) => format!("{}…", &news.text[..end]),
            None => news.text,
        };
        self.kept.push_back(Event {
            seq: self.last,
            at_ms,
            kind: news.kind,
            node: news.node,
            text,
            from: news.states.map(|(from, _)| from.name().to_owned()),
            to: news.states.map(|(_, to)| to.name().to_owned()),
            by: news.by,
        });
        self.kept.back().expect("because it was just put there")
    }

    pub(super) fn since(&self, since: u64, most: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let behind = self.kept.iter().rev().take_while(|event| event.seq > since);
        let mut found: Vec<_> = behind.filter(|event| wanted(event)).take(most).cloned().collect();
        found.reverse();
        found
    }
}

/// The news of links between nodes in a report: what is different from the one before. Told by the parents alone, as
/// both ends see the same.
pub(super) fn of_links(node: &NodeName, former: Option<&NodeReport>, report: &NodeReport) -> Vec<News> {
    let same_life = former.filter(|former| former.incarnation == report.incarnation);
    let mut news = Vec::new();
    for link in report
        .links
        .iter()
        .filter(|link| link.relation == Relation::Child)
    {
        let before = same_life.and_then(|former| former.links.iter().find(|known| known.peer == link.peer));
        let (was_up, epoch) = before.map_or((false, 0), |known| (known.up, known.epoch));
        let peer = &link.peer;
        if was_up && (!link.up || link.epoch != epoch) {
            let why = link.why_down.as_deref().unwrap_or("it was made anew");
            let text = format!("the link of {peer} to {node} is down: {why}");
            news.push(News::new(EventKind::LinkDown, text).node(peer));
        }
        if link.up && (!was_up || link.epoch != epoch) {
            let text = format!("the link of {peer} to {node} is up (connection {})", link.epoch);
            news.push(News::new(EventKind::LinkUp, text).node(peer));
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_forgets_the_oldest_and_numbers_go_on() {
        let mut events = Events::new(Vec::new());
        for at in 0..MOST as u64 + 10 {
            events.add(News::new(EventKind::Config, format!("{at}")), at);
        }
        let all = events.since(0, usize::MAX, |_| true);
        assert_eq!((all.len(), all[0].seq), (MOST, 11));
        let newest = events.since(0, 2, |event| event.text.ends_with('0'));
        assert_eq!(
            newest.iter().map(|event| event.seq).collect::<Vec<_>>(),
            [4991, 5001]
        );
        let next = Events::new(all)
            .add(News::new(EventKind::Action, "x".repeat(5000)), 0)
            .clone();
        assert_eq!(next.seq, MOST as u64 + 11);
        assert_eq!(next.text.chars().count(), MAX_TEXT + 1);
    }
}
