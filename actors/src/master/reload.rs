//! A reload of the configuration: wholly, or not at all.
//!
//! 1. The file is read and checked, as at a start. A fault, or a key that only a new master can take over, and nothing
//!    has happened but an answer that names every fault with its place.
//! 2. It is the applied one from here on: a copy of its text is kept for the nodes that start, the master goes by it,
//!    and the nodes that run are asked to.
//! 3. When they have, nodes that are new are started, and those that are gone are stopped: their neighbours know.
//!
//! Of several reloads at one time each begins when the one before is done.

use std::sync::Arc;

use actix::{ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use lampyris_runtime::config::{
    Change, Config, Effect, Finding, Rejected, diff, keep_applied, refused_while_running, render_human,
};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::Event;
use serde::Serialize;
use tokio::time::{Duration, Instant, timeout_at};

use super::messages::Reload;
use super::run::spec;
use super::{Closing, Master, links};
use crate::protocol;
use crate::records::{EventKind, News};
use crate::remote::Call;

/// How long the nodes may take to apply a configuration before the answer is given without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the end of a reload is told.
const APPLIED: &str = "the configuration has been applied";

/// What a reload has done. All empty: the cluster went by this configuration already.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Reloaded {
    /// Whether anything is different now.
    pub(crate) changed: bool,
    /// Keys that hold now.
    pub(crate) applied: Vec<Change>,
    /// Nodes that are being started.
    pub(crate) added: Vec<NodeName>,
    /// Nodes that are being stopped, and then forgotten.
    pub(crate) removed: Vec<NodeName>,
    /// Keys that hold from the next life of some nodes on.
    pub(crate) restart: Vec<Waiting>,
    /// Nodes that run and have not said that they go by it. One that this master has started will when it is linked.
    pub(crate) unreached: Vec<NodeName>,
}

/// A key that waits for a restart.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Waiting {
    /// Which, with both values.
    #[serde(flatten)]
    pub(crate) change: Change,
    /// Whose restart.
    pub(crate) of: Vec<NodeName>,
}

/// Why nothing has been changed.
#[derive(Debug, Clone)]
pub(crate) enum NotReloaded {
    /// The configuration has faults, or cannot follow the present one while this master runs.
    Faults {
        /// All of them.
        findings: Vec<Finding>,
        /// The same for people.
        text: String,
    },
    /// The whole tree is stopping.
    Stopping,
    /// The run folder cannot be written to.
    RunDir(String),
}

impl Reloaded {
    /// What is different now, in one line.
    fn in_words(&self) -> String {
        let applied = self.applied.iter().map(text);
        let waiting = self
            .restart
            .iter()
            .map(|Waiting { change, .. }| format!("{} (after a restart)", text(change)));
        let changes: Vec<String> = applied.chain(waiting).collect();
        format!("{APPLIED}: {}", changes.join("; "))
    }
}

impl NotReloaded {
    fn faults(findings: Vec<Finding>, source: &str) -> Self {
        let blocks: Vec<String> = findings
            .iter()
            .map(|finding| render_human(finding, source))
            .collect();
        Self::Faults {
            text: blocks.join("\n"),
            findings,
        }
    }
}

impl From<Rejected> for NotReloaded {
    fn from(rejected: Rejected) -> Self {
        Self::Faults {
            text: rejected.to_string(),
            findings: rejected.findings,
        }
    }
}

impl Handler<Reload> for Master {
    type Result = ResponseActFuture<Self, Result<Reloaded, NotReloaded>>;

    fn handle(&mut self, _: Reload, _: &mut Context<Self>) -> Self::Result {
        let turn = Arc::clone(&self.reloads);
        Box::pin(
            async move { turn.lock_owned().await }
                .into_actor(self)
                .then(|turn, master, _| {
                    let begun = master.begin_reload();
                    let (calls, done) = match begun {
                        Ok(Some(done)) => (links::ask_to_reload(&master.links, PATIENCE), Ok(done)),
                        Ok(None) => (Vec::new(), Ok(Reloaded::default())),
                        Err(why) => (Vec::new(), Err(why)),
                    };
                    answers(calls).into_actor(master).map(move |told, master, ctx| {
                        let mut done = done?;
                        if done.changed {
                            master.end_reload(&mut done, &told, ctx);
                        }
                        drop(turn);
                        Ok(done)
                    })
                }),
        )
    }
}

/// Waits for the answers of the nodes; gives the names of those that go by the new configuration.
async fn answers(calls: Vec<(NodeName, Call<protocol::Reload>)>) -> Vec<NodeName> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = Vec::new();
    for (name, call) in calls {
        match timeout_at(deadline, call).await {
            Ok(Ok(())) => told.push(name),
            Ok(Err(error)) => {
                tracing::warn!(node = %name, %error, "a node has not applied the configuration")
            }
            Err(_) => tracing::warn!(node = %name, "a node has not applied the configuration in time"),
        }
    }
    told
}

impl Master {
    /// Reads and checks, and makes the new configuration the applied one. `None` if it is the same.
    fn begin_reload(&mut self) -> Result<Option<Reloaded>, NotReloaded> {
        if self.closing != Closing::No {
            return Err(NotReloaded::Stopping);
        }
        let config = self.config.load_again()?;
        let apps: Vec<&str> = self.apps.iter().map(String::as_str).collect();
        let mut faults = config.check_apps(&apps);
        faults.extend(refused_while_running(&self.config, &config));
        if !faults.is_empty() {
            return Err(NotReloaded::faults(faults, config.source_text()));
        }
        let changes = diff(&self.config, &config);
        keep_applied(&config).map_err(|error| NotReloaded::RunDir(error.to_string()))?;
        let done = sorted(changes, &self.config, &config);
        self.go_by(config);
        Ok(done.changed.then_some(done))
    }

    fn go_by(&mut self, config: Config) {
        let config = Arc::new(config);
        self.processes.go_by(&config);
        self.terminal.go_by(&config);
        self.log.set(&config.log.level);
        config.nodes.iter().for_each(|node| self.links.add(&node.name));
        self.applied.store(Arc::clone(&config));
        self.config = config;
    }

    /// Starts and stops nodes, now that their neighbours know of them, and says what was done.
    fn end_reload(&mut self, done: &mut Reloaded, told: &[NodeName], ctx: &mut Context<Self>) {
        let nodes = &self.config.nodes;
        let unreached = nodes.iter().map(|node| &node.name);
        done.unreached = unreached
            .filter(|name| self.is_alive(name) && !told.contains(name))
            .cloned()
            .collect();
        for change in &done.applied {
            if let Some(name) = moved(&change.key).and_then(|name| NodeName::new(name).ok()) {
                links::introduce(&self.config, &self.links, &self.ports, &name);
            }
        }
        let specs = nodes.iter().map(|node| spec(node, self.only)).collect();
        self.terminal.say(APPLIED);
        for change in &done.applied {
            self.terminal.say(&text(change));
        }
        self.tell_waiting(&done.restart);
        self.records.note(News::new(EventKind::Config, done.in_words()));
        self.on_event(Event::Configure(specs), ctx);
    }

    /// Says which keys wait for a restart.
    pub(super) fn tell_waiting(&self, waiting: &[Waiting]) {
        for Waiting { change, of } in waiting {
            let of: Vec<&str> = of.iter().map(NodeName::as_str).collect();
            self.terminal.say(&format!(
                "{}; holds after a restart of {}",
                text(change),
                of.join(", ")
            ));
        }
    }
}

/// The node whose links change with a key, if it is such a key.
fn moved(key: &str) -> Option<&str> {
    let (name, key) = key.strip_prefix("servers.")?.split_once('.')?;
    matches!(key, "remoteport" | "host").then_some(name)
}

/// A change for people: `link.wait: 2s -> 1s`.
fn text(change: &Change) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    format!("{}: {} -> {}", change.key, shown(&change.old), shown(&change.new))
}

/// The changes by what becomes of them.
pub(super) fn sorted(changes: Vec<Change>, before: &Config, after: &Config) -> Reloaded {
    let lacks = |config: &Config, name: &NodeName| config.node(name.as_str()).is_none();
    let missing = |these: &Config, those: &Config| -> Vec<NodeName> {
        let names = these.nodes.iter().map(|node| &node.name);
        names.filter(|name| lacks(those, name)).cloned().collect()
    };
    let mut done = Reloaded {
        changed: !changes.is_empty(),
        added: missing(after, before),
        removed: missing(before, after),
        ..Reloaded::default()
    };
    for change in changes {
        let of = match &change.effect {
            Effect::AtOnce => {
                done.applied.push(change);
                continue;
            }
            Effect::Node(name) => vec![name.clone()],
            // Also what would need a new master, when one has come and the nodes are those of the former.
            Effect::EveryNode | Effect::Master => after.nodes.iter().map(|node| node.name.clone()).collect(),
        };
        done.restart.push(Waiting { change, of });
    }
    done
}
