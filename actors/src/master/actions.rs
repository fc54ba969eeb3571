//! What operators ask the master for: actions of one node, and the restart of all, one after the other.
//!
//! A restart is the roster's to decide; here its operation begins and ends, and who has to know of a successor is told.

use actix::{Context, Handler};
use lampyris_runtime::config::Config;
use lampyris_runtime::link::Identity;
use lampyris_runtime::name::{Incarnation, NodeName};
use lampyris_runtime::supervisor::roster::{Event, Role, State};

use super::messages::{Act, Action, Refused, RollingRestart};
use super::{Closing, Master, links, now};
use crate::protocol::Expect;

impl Handler<Act> for Master {
    type Result = Result<Option<String>, Refused>;

    fn handle(&mut self, Act { name, action }: Act, ctx: &mut Context<Self>) -> Self::Result {
        let node = self.config.node(name.as_str()).ok_or(Refused::NoSuchNode)?;
        if action == Action::Start && (self.only || !node.start) {
            return Err(Refused::NotStartedHere);
        }
        if action != Action::Stop && self.closing != Closing::No {
            return Err(Refused::Stopping);
        }
        let (event, operation) = match action {
            Action::Start => (Event::Start(name.clone()), None),
            Action::Stop => (Event::Stop(name.clone()), None),
            Action::Restart => (Event::Restart(name.clone()), Some("restart")),
            Action::Reload => (Event::Restart(name.clone()), Some("reload")),
        };
        match operation {
            Some(_) => drop(self.restarting.insert(name.clone())),
            None => drop(self.restarting.remove(&name)),
        }
        let operation = operation.map(|action| self.operations.begin(action, Some(&name)));
        self.on_event(event, ctx);
        Ok(operation)
    }
}

impl Handler<RollingRestart> for Master {
    type Result = Result<String, Refused>;

    fn handle(&mut self, _: RollingRestart, ctx: &mut Context<Self>) -> Self::Result {
        if self.closing != Closing::No {
            return Err(Refused::Stopping);
        }
        let id = self.operations.begin_rolling(self.parents_first());
        if let Some(event) = self.next_of_the_roll() {
            self.on_event(event, ctx);
        }
        Ok(id)
    }
}

impl Master {
    /// A successor may have links beside those of the life that it succeeds: here, and at its parents.
    pub(super) fn expect_successor(&self, name: &NodeName, of: Incarnation) {
        let Some(node) = self.config.node(name.as_str()) else {
            return;
        };
        let time = node.start_timeout.saturating_add(node.stop_timeout);
        if let (Some(peer), Some(until)) = (self.links.get(name), now().checked_add(time)) {
            peer.expect_successor(of, until);
        }
        let expect = Expect {
            node: name.clone(),
            of,
            millis: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        };
        links::announce_successor(&self.config, &self.links, &expect);
    }

    /// Says how a restart went; gives the next one of a rolling restart.
    pub(super) fn restart_ended(&mut self, name: &NodeName, error: Option<String>) -> Option<Event> {
        self.restarting.remove(name);
        self.terminal.restarted(name, error.as_deref());
        self.operations.restart_ended(name, error.as_deref());
        self.next_of_the_roll()
    }

    fn next_of_the_roll(&mut self) -> Option<Event> {
        let Self {
            operations,
            roster,
            config,
            ..
        } = self;
        let serves = |name: &NodeName| {
            let starts = config.node(name.as_str()).is_some_and(|node| node.start);
            starts && roster.state(name).is_some_and(State::is_up)
        };
        let name = operations.next_to_restart(serves)?;
        self.restarting.insert(name.clone());
        Some(Event::Restart(name))
    }

    /// All nodes, none before one of its parents.
    fn parents_first(&self) -> Vec<NodeName> {
        fn depth(config: &Config, name: &NodeName) -> usize {
            let parents = config
                .parents_of(name)
                .map(|parent| depth(config, &parent.name) + 1);
            parents.max().unwrap_or(0)
        }
        let mut all: Vec<NodeName> = self.config.nodes.iter().map(|node| node.name.clone()).collect();
        all.sort_by_cached_key(|name| depth(&self.config, name));
        all
    }

    /// Lets the node's process in beside one that leaves, if that came first after an adoption.
    pub(super) fn make_way(&self, joined: &Identity) {
        let nodes = self.roster.snapshot(now());
        let beside = nodes
            .iter()
            .find(|node| node.name == joined.name)
            .and_then(|node| node.beside.as_ref());
        if beside.is_some_and(|beside| beside.role == Role::Leaving && beside.pid == Some(joined.pid)) {
            self.expect_successor(&joined.name, joined.incarnation);
        }
    }
}
