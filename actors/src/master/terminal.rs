//! What the person at the master's terminal sees: one line per node that becomes ready, what goes wrong and why, and
//! the nodes' own lines behind their names.
//!
//! News of the cluster go to standard output, lines of nodes to standard error. A terminal that is gone is no
//! reason to fail, so errors of writing are dropped.

use std::io::IsTerminal;
use std::time::Duration;

use lampyris_runtime::config::Config;
use lampyris_runtime::name::NodeName;
use lampyris_runtime::supervisor::roster::{NodeSnapshot, State, StateChange};

use super::processes::Output;
use crate::console::{Colour, Console, Paint};

/// The master's terminal.
pub(super) struct Terminal {
    names: Vec<NodeName>,
    width: usize,
    colour: bool,
    show_output: bool,
    console: Console,
}

impl Terminal {
    pub(super) fn new(config: &Config, console: Console, colour: Colour) -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let mut terminal = Self {
            names: Vec::new(),
            width: "master".len(),
            colour: colour.applies(terminal),
            show_output: config.log.terminal,
            console,
        };
        terminal.go_by(config);
        terminal
    }

    /// Names that are new get a colour; those that are gone keep theirs until the master ends.
    pub(super) fn go_by(&mut self, config: &Config) {
        for node in &config.nodes {
            if !self.names.contains(&node.name) {
                self.names.push(node.name.clone());
                self.width = self.width.max(node.name.as_str().len());
            }
        }
    }

    /// A line about the cluster.
    pub(super) fn say(&self, text: &str) {
        self.console
            .out(format!("{} | {text}", self.label("master", None)));
    }

    /// Every node is ready.
    pub(super) fn all_ready(&self, after: Duration, admin: Option<&str>) {
        let page = admin
            .map(|address| format!(", admin page {address}"))
            .unwrap_or_default();
        self.say(&format!("ready in {} ms{page}", after.as_millis()));
    }

    /// A restart that an operator has asked for is over.
    pub(super) fn restarted(&self, name: &NodeName, error: Option<&str>) {
        let label = self.label(name.as_str(), self.colour_of(name));
        self.console.out(match error {
            Some(error) => format!("{label} | not restarted: {error}"),
            None => format!("{label} | restarted"),
        });
    }

    /// A node's step that a person should know of.
    pub(super) fn state(&self, change: &StateChange, node: &NodeSnapshot) {
        let label = self.label(change.name.as_str(), self.colour_of(&change.name));
        let pid = node
            .pid
            .map(|pid| format!("pid {pid}"))
            .unwrap_or_else(|| "no process".into());
        let took = node
            .uptime
            .map(|up| format!(", {:.0} ms after its start", up * 1e3))
            .unwrap_or_default();
        match change.to {
            State::Ready if matches!(change.from, State::Starting | State::Unreachable) => {
                self.console.out(format!("{label} | ready ({pid}{took})"));
            }
            State::Starting
                if !node.adopted
                    && matches!(change.from, State::Unreachable | State::Ready | State::Degraded) =>
            {
                let end = node
                    .last_exits
                    .last()
                    .map_or("an unknown end", |past| past.reason.as_str());
                self.console.out(format!("{label} | starting again after: {end}"));
                self.last_lines(&label, node);
            }
            State::Backoff | State::Failed | State::Unreachable | State::Stopped | State::Degraded => {
                self.console
                    .out(format!("{label} | {}: {}", change.to, change.reason));
                self.last_lines(&label, node);
            }
            _ => {}
        }
    }

    /// What a node that died printed last; its lines are on the terminal already, unless they are not shown.
    fn last_lines(&self, label: &str, node: &NodeSnapshot) {
        if self.show_output {
            return;
        }
        let lines = node.last_exits.last().map(|past| past.exit.last_lines.clone());
        for line in lines.iter().flat_map(|lines| lines.iter()) {
            self.console.out(format!("{label} |   {line}"));
        }
    }

    /// Shows the lines that a node prints, until its process has ended.
    pub(super) fn follow(&self, name: NodeName, mut output: Output) {
        if !self.show_output {
            // Whoever follows the log ends with the first line that nobody takes.
            return;
        }
        let label = self.label(name.as_str(), self.colour_of(&name));
        let console = self.console.clone();
        tokio::spawn(async move {
            while let Some(line) = output.recv().await {
                console.minor(&format!("{label} | {line}"));
            }
        });
    }

    fn colour_of(&self, name: &NodeName) -> Option<Paint> {
        let at = self.names.iter().position(|known| known == name)?;
        Some(Paint::NAMES[at % Paint::NAMES.len()])
    }

    fn label(&self, name: &str, colour: Option<Paint>) -> String {
        let padded = format!("{name:width$}", width = self.width);
        match colour {
            Some(paint) => paint.paint(&padded, self.colour),
            None => padded,
        }
    }
}
