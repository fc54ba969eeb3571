//! Another set of nodes than before: who comes, who goes, who is treated otherwise from now on. Pure.
//!
//! A node that is configured no more is asked to stop, and is forgotten when its life is over. Who stays keeps its
//! life; only what the roster itself goes by changes.

use std::time::Instant;

use super::event::{Command, NodeSpec};
use super::node::Node;
use super::{Closing, Roster};
use crate::backoff::Random;

/// The reason of the stop of a node that has gone from the configuration.
const CONFIGURED_NO_MORE: &str = "it is configured no more";

impl Roster {
    /// Goes by these nodes from now on. A set that is no tree changes nothing, and neither does one that comes while
    /// everything stops.
    pub(super) fn configure(&mut self, now: Instant, specs: Vec<NodeSpec>, out: &mut Vec<Command>) {
        if self.closing != Closing::No || Self::new(now, specs.clone(), 0).is_err() {
            return;
        }
        let mut former = std::mem::take(&mut self.nodes);
        for spec in specs {
            let known = former.iter().position(|node| node.spec.name == spec.name);
            let (mut node, comes) = match known {
                Some(at) => {
                    let node = former.remove(at);
                    let comes = node.dismissed || !node.spec.start;
                    (node, comes)
                }
                None => {
                    let random = Random::new(self.seeds.next());
                    (Node::new(now, spec.clone(), random), true)
                }
            };
            node.change(now, spec, out);
            if comes && self.started {
                node.start();
            }
            self.nodes.push(node);
        }
        for mut node in former {
            node.dismiss(now, CONFIGURED_NO_MORE, out);
            self.nodes.push(node);
        }
        self.find_families();
    }

    /// Forgets the nodes that are configured no more and whose life is over; asks those that have come again.
    pub(super) fn see_off(&mut self, now: Instant, out: &mut Vec<Command>) {
        let mut gone = Vec::new();
        for node in self.nodes.iter_mut().filter(|node| node.dismissed) {
            node.dismiss(now, CONFIGURED_NO_MORE, out);
            if !node.lives() {
                gone.push(node.spec.name.clone());
            }
        }
        if gone.is_empty() {
            return;
        }
        self.nodes.retain(|node| !node.dismissed || node.lives());
        self.find_families();
        out.extend(gone.into_iter().map(Command::Forget));
    }

    /// Places and families anew. Who leaves has none, so this cannot fail.
    fn find_families(&mut self) {
        self.places = self
            .nodes
            .iter()
            .enumerate()
            .map(|(at, node)| (node.spec.name.clone(), at))
            .collect();
        for node in &mut self.nodes {
            node.parents.clear();
            node.children.clear();
        }
        self.join_families()
            .expect("because the nodes were found to be a tree");
    }
}
