//! The master: a supervisor actor that starts the nodes, restarts the crashed ones, and stops them in order.
//!
//! ```text
//!   links ────┐                       ┌───> processes (spawn, signal)
//!   processes ┼─ events ─> [Roster] ──┼───> terminal (who is ready, why not)
//!   admin ────┘     pure  commands    └───> links (stop, where a parent is)
//! ```
//!
//! All decisions are the [`Roster`]'s, which is pure; this actor carries them out and reports what happened. Nodes
//! outlive a master that is killed; one that ends by its own will leaves none behind.

mod actions;
mod adoption;
mod handover;
mod links;
pub(crate) mod lock;
mod lost_lines;
mod messages;
mod operations;
mod ports;
mod processes;
mod rehearsal;
mod reload;
mod reports;
mod run;
mod seat;
mod state;
mod stop;
mod terminal;
mod view;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};
use arc_swap::ArcSwap;
use lampyris_runtime::config::Config;
use lampyris_runtime::link::Identity;
use lampyris_runtime::name::{Incarnation, NodeName};
use lampyris_runtime::supervisor::roster::{Command, Event, Roster, State, StateChange};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) use messages::{
    Act, Action, Adopt, Happened, Joined, Leave, Refused, Reload, RollingRestart, StopCluster,
};
pub(crate) use operations::{FindOperation, Operation};
pub(crate) use processes::APPLIED;
#[doc(hidden)]
pub use rehearsal::Rehearsal;
pub(crate) use reload::NotReloaded;
pub use run::MasterError;
pub(crate) use run::{RunOptions, run};
pub(crate) use seat::{HowStands, Kill, LinkTo, Standing};
pub(crate) use state::left_behind;
pub use view::{NodeView, Nodes};

use crate::logging::LogLevel;
use lampyris_runtime::supervisor::orphans::reap_orphans;
use lampyris_runtime::supervisor::process::Sign;
use links::Links;
use lost_lines::Losses;
use operations::Operations;
use ports::Ports;
use processes::{Output, Processes};
use state::State as SavedState;
use stop::Closing;
use terminal::Terminal;

use crate::protocol::{Stop, TakeOver};
use crate::records::Records;

/// The supervisor actor.
pub struct Master {
    config: Arc<Config>,
    /// The same, for the admin side.
    applied: Arc<ArcSwap<Config>>,
    roster: Roster,
    links: Links,
    /// The applications of this program.
    apps: Vec<String>,
    log: LogLevel,
    /// The configuration that a former master had applied, if there was one.
    former: Option<Config>,
    /// Held by the reload that is under way.
    reloads: Arc<tokio::sync::Mutex<()>>,
    processes: Processes,
    ports: Ports,
    /// Nodes between two lives that an operator wants; their ports stay open.
    restarting: HashSet<NodeName>,
    /// Adopted nodes that have been asked for their sockets, and whether they say that they are ready.
    handing_over: HashMap<NodeName, Option<Event>>,
    saved: SavedState,
    losses: Losses,
    operations: Operations,
    terminal: Terminal,
    /// Ends the master's process with an exit code.
    done: mpsc::Sender<u8>,
    closing: Closing,
    timer: Option<SpawnHandle>,
    unclean: bool,
    /// No node is started here.
    only: bool,
    admin: Option<String>,
    records: Records,
    started: std::time::Instant,
}

/// How often processes are looked for that outlived the node which had started them.
const ORPHANS: Duration = Duration::from_secs(1);

impl Actor for Master {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(ORPHANS, |master, _| {
            for pid in reap_orphans(|pid| master.processes.is_known(pid)) {
                tracing::info!(pid, "a process that had outlived its node has ended");
            }
        });
    }
}

impl Master {
    /// Hands an event to the roster and does what it says.
    fn on_event(&mut self, event: Event, ctx: &mut Context<Self>) {
        self.note(&event);
        if let Event::Exited { exit, .. } = &event
            && self.closing != Closing::No
        {
            self.unclean |= exit.code.is_some_and(|code| code != 0);
        }
        let mut news = vec![event];
        while let Some(event) = news.pop().or_else(|| self.next_of_the_stop()) {
            for command in self.roster.on_event(now(), event) {
                news.extend(self.carry_out(command, ctx));
            }
        }
        self.set_timer(ctx);
        self.saved
            .write(self.processes.known(&self.roster.snapshot(now())));
        self.processes.let_go();
    }

    /// Carries out one command; gives what came of it at once.
    fn carry_out(&mut self, command: Command, ctx: &mut Context<Self>) -> Option<Event> {
        match command {
            Command::Spawn(name) => return Some(self.spawn(name, None, ctx)),
            Command::SpawnSuccessor { name, of } => {
                self.expect_successor(&name, of);
                return Some(self.spawn(name, Some(of), ctx));
            }
            Command::TakeOver { name, incarnation } => {
                let is_meant = |process: &Identity| process.incarnation == incarnation;
                links::tell_process(self.links.get(&name), is_meant, &TakeOver);
            }
            Command::RestartEnded { name, error } => return self.restart_ended(&name, error),
            Command::Terminate { name, pid } => self.terminate(&name, pid),
            Command::Abort { name, pid } => self.processes.sign(&name, pid, Sign::Abort),
            Command::Kill { name, pid } => {
                self.unclean = true;
                self.processes.sign(&name, pid, Sign::Kill);
            }
            Command::Announce(change) => self.announce(&change),
            Command::Forget(name) => self.forget(&name),
            Command::AllReady { .. } => self
                .terminal
                .all_ready(self.started.elapsed(), self.admin.as_deref()),
            Command::AllStopped => self.all_stopped(),
        }
        None
    }

    fn spawn(&mut self, name: NodeName, succeeds: Option<Incarnation>, ctx: &Context<Self>) -> Event {
        let Some(node) = self.config.node(name.as_str()) else {
            return Event::SpawnFailed {
                error: "it is not configured".into(),
                retry: false,
                name,
            };
        };
        let sockets = match self.ports.of(&self.config, node) {
            Ok(sockets) => sockets,
            Err(taken) => {
                return Event::SpawnFailed {
                    name,
                    retry: true,
                    error: taken.to_string(),
                };
            }
        };
        match self.processes.spawn(&name, succeeds, sockets, ctx.address()) {
            Ok((pid, output)) => {
                self.follow(&name, output);
                Event::Spawned { name, pid }
            }
            Err(error) => Event::SpawnFailed {
                name,
                retry: error.may_pass(),
                error: error.to_string(),
            },
        }
    }

    /// Asks by the link; a node without one gets the signal instead. Never both: a second wish means "at once".
    fn terminate(&mut self, name: &NodeName, pid: Option<u32>) {
        // One that was started elsewhere has one link and no number that means anything here.
        let is_meant = |process: &Identity| pid.is_none_or(|pid| process.pid == pid);
        if links::tell_process(self.links.get(name), is_meant, &Stop) {
            return;
        }
        if let Some(pid) = pid {
            self.processes.sign(name, pid, Sign::Terminate);
        }
    }

    fn announce(&mut self, change: &StateChange) {
        self.note_state(change);
        tracing::info!(node = %change.name, from = %change.from, to = %change.to, reason = change.reason, "state");
        match change.to {
            State::Stopped if self.restarting.contains(&change.name) => {}
            // It stays down, and who connects to it is to know that.
            State::Stopped | State::Failed => self.ports.close(&change.name),
            _ => {}
        }
        let snapshot = self.roster.snapshot(now());
        if let Some(node) = snapshot.iter().find(|node| node.name == change.name) {
            self.terminal.state(change, node);
        }
    }

    fn follow(&self, name: &NodeName, output: Option<Output>) {
        if let Some(output) = output {
            self.terminal.follow(name.clone(), output);
        }
    }

    /// The node is configured no more, and has ended.
    fn forget(&mut self, name: &NodeName) {
        self.links.remove(name);
        self.ports.close(name);
        self.restarting.remove(name);
    }

    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(at) = self.roster.next_deadline() {
            let wait = at.saturating_duration_since(now()).max(Duration::from_millis(1));
            self.timer = Some(ctx.run_later(wait, |master, ctx| master.on_event(Event::Tick, ctx)));
        }
    }
}

impl Handler<Happened> for Master {
    type Result = ();

    fn handle(&mut self, Happened(event): Happened, ctx: &mut Context<Self>) {
        if let Event::Exited { pid, .. } = &event {
            self.processes.forget(*pid);
        }
        if !self.keep_back(&event) {
            self.on_event(event, ctx);
        }
    }
}

impl Handler<Joined> for Master {
    type Result = ();

    fn handle(&mut self, Joined(link): Joined, ctx: &mut Context<Self>) {
        let peer = link.peer.clone();
        links::introduce(&self.config, &self.links, &self.ports, &peer.name);
        let own = self.processes.is_own(&peer.name, peer.pid);
        let is_meant = |process: &Identity| process.incarnation == peer.incarnation;
        if own {
            links::remind(self.links.get(&peer.name), is_meant);
        }
        if self
            .config
            .node(peer.name.as_str())
            .is_some_and(|node| own && !self.ports.has_all(node))
        {
            self.ask_for_sockets(&peer, ctx);
        }
        self.make_way(&peer);
        self.on_event(
            Event::Joined {
                name: peer.name,
                incarnation: peer.incarnation,
                pid: peer.pid,
            },
            ctx,
        );
    }
}

/// Now; with the paused clock of a test, the test's now.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}
