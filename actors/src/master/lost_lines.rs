//! How many lines of the nodes' logs are lost, as the nodes have told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::{Context, Handler, Message};
use lampyris_runtime::name::{Incarnation, NodeName};

use super::{Master, now};

/// For how long after the last lost line an operator is warned.
const RECENT: Duration = Duration::from_secs(60);

/// A node has lost lines of its log.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LinesLost {
    pub(super) name: NodeName,
    pub(super) incarnation: Incarnation,
    /// All since the start of its process.
    pub(super) lines: u64,
}

/// What the nodes have told.
#[derive(Default)]
pub(super) struct Losses(HashMap<NodeName, Loss>);

struct Loss {
    incarnation: Incarnation,
    lines: u64,
    told: Instant,
}

impl Losses {
    /// How many lines of this life of a node's log are lost.
    pub(super) fn of(&self, name: &NodeName, incarnation: Option<Incarnation>) -> u64 {
        self.loss(name, incarnation).map_or(0, |loss| loss.lines)
    }

    /// What an operator is to know at this moment.
    pub(super) fn warning(
        &self,
        name: &NodeName,
        incarnation: Option<Incarnation>,
        now: Instant,
    ) -> Option<String> {
        let loss = self.loss(name, incarnation)?;
        let ago = now.saturating_duration_since(loss.told);
        (ago < RECENT).then(|| {
            let (lines, ago) = (loss.lines, ago.as_secs());
            format!(
                "its log cannot be written ({lines} lines are lost, the last {ago} s ago): is the disk full?"
            )
        })
    }

    fn loss(&self, name: &NodeName, incarnation: Option<Incarnation>) -> Option<&Loss> {
        self.0
            .get(name)
            .filter(|loss| Some(loss.incarnation) == incarnation)
    }
}

impl Handler<LinesLost> for Master {
    type Result = ();

    fn handle(&mut self, news: LinesLost, _: &mut Context<Self>) {
        if self.config.node(news.name.as_str()).is_none() {
            return;
        }
        tracing::warn!(node = %news.name, lines = news.lines, "lines of the node's log are lost");
        let loss = Loss {
            incarnation: news.incarnation,
            lines: news.lines,
            told: now(),
        };
        self.losses.0.insert(news.name, loss);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_warned_of_for_a_while_and_belongs_to_one_life() {
        let (name, now) = (NodeName::new("game1").unwrap(), Instant::now());
        let [life, next] = [[1; 16], [2; 16]].map(|bytes| Some(Incarnation::from_bytes(bytes)));
        let loss = Loss {
            incarnation: life.unwrap(),
            lines: 7,
            told: now,
        };
        let losses = Losses([(name.clone(), loss)].into());
        assert_eq!((losses.of(&name, life), losses.of(&name, next)), (7, 0));
        assert!(losses.warning(&name, life, now).unwrap().contains("7 lines"));
        assert_eq!(losses.warning(&name, next, now), None);
        assert_eq!(losses.warning(&name, life, now + RECENT), None);
    }
}
