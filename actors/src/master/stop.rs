//! The end of the whole tree, and of the master alone.

use actix::{Context, Handler};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::{Event, State};

use super::Master;
use super::messages::{Leave, Refused, StopCluster};

/// How far the stop of the whole tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    No,
    /// The nodes with clients go first: the calls of their clients still need all the others.
    Clients,
    All,
}

impl Handler<StopCluster> for Master {
    type Result = ();

    fn handle(&mut self, stop: StopCluster, ctx: &mut Context<Self>) {
        if stop.now {
            self.terminal.say("stopping at once");
            self.closing = Closing::All;
            return self.on_event(Event::KillAll, ctx);
        }
        if self.closing != Closing::No {
            return;
        }
        self.terminal.say(&format!("stopping ({})", stop.by));
        self.closing = Closing::Clients;
        let first: Vec<NodeName> = self.nodes_with_clients().cloned().collect();
        for name in first {
            self.on_event(Event::Stop(name), ctx);
        }
        // If no node has clients, the rest follows at once.
        self.on_event(Event::Tick, ctx);
    }
}

impl Handler<Leave> for Master {
    type Result = Result<(), Refused>;

    /// The processes are in `state.json`, where the next master finds them; nothing here ends them.
    fn handle(&mut self, Leave { by }: Leave, _: &mut Context<Self>) -> Self::Result {
        if self.closing != Closing::No {
            return Err(Refused::Stopping);
        }
        self.terminal
            .say(&format!("leaving the nodes to the next master ({by})"));
        self.end_with(0);
        Ok(())
    }
}

impl Master {
    pub(super) fn all_stopped(&self) {
        self.terminal.say("all nodes have stopped");
        self.end_with(u8::from(self.unclean));
    }

    /// Ends the master's process.
    fn end_with(&self, code: u8) {
        if self.done.try_send(code).is_err() {
            tracing::debug!("the end was announced before");
        }
    }

    /// The stop of the tree goes on once all nodes with clients are gone.
    pub(super) fn next_of_the_stop(&mut self) -> Option<Event> {
        let waits =
            self.closing != Closing::Clients || self.nodes_with_clients().any(|name| self.is_alive(name));
        (!waits).then(|| {
            self.closing = Closing::All;
            Event::StopAll
        })
    }

    fn nodes_with_clients(&self) -> impl Iterator<Item = &NodeName> {
        self.config
            .nodes
            .iter()
            .filter(|node| node.netport.is_some())
            .map(|node| &node.name)
    }

    pub(super) fn is_alive(&self, name: &NodeName) -> bool {
        let alive = |state| !matches!(state, State::Stopped | State::Failed | State::Backoff);
        self.roster.state(name).is_some_and(alive)
    }
}
