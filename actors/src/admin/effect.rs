//! What an action will do, in words; for `dry_run`, and for whoever asks before he presses the button. Pure.

use lampyris_runtime::config::{Config, NodeConfig};
use lampyris_runtime::supervisor::roster::State;

use super::api::NodeAction;
use crate::master::NodeView;

/// What is known when an action is asked for.
pub(super) struct Situation<'a> {
    pub(super) config: &'a Config,
    pub(super) nodes: &'a [NodeView],
    /// Calls that the node works on.
    pub(super) in_flight: u64,
    /// Its game clients.
    pub(super) clients: u64,
}

impl Situation<'_> {
    /// What `action` does to a node.
    pub(super) fn of_node(&self, node: &NodeView, action: NodeAction) -> String {
        let name = &node.supervision.name;
        let state = node.supervision.state;
        let process = match node.supervision.pid {
            Some(pid) => format!("{name} (pid {pid}, {state})"),
            None => format!("{name} ({state})"),
        };
        let runs = node.supervision.pid.is_some();
        match action {
            NodeAction::Start if runs => format!("Nothing: {process} runs already."),
            NodeAction::Start => format!("Starts {process}."),
            NodeAction::Stop if !runs => format!("Nothing: {process} does not run; it stays stopped."),
            NodeAction::Stop => self.sentence(&format!("Stops {process}; it stays stopped."), node),
            NodeAction::Restart if !runs => format!("Starts {process}."),
            NodeAction::Restart => self.sentence(&format!("Restarts {process}."), node),
            NodeAction::Reload if !runs => format!("Starts {process}."),
            NodeAction::Reload => {
                let text = format!("Restarts {process} with the program that is on the disk now.");
                self.sentence(&text, node)
            }
            NodeAction::Drain => self.sentence(
                &format!("Takes {process} out of service; its process goes on."),
                node,
            ),
            NodeAction::Undrain => format!("Puts {process} back into service."),
            NodeAction::Kill if !runs => format!("Nothing: {process} has no process here."),
            NodeAction::Kill => format!(
                "Kills {process} at once. {} calls in flight end with link_lost; it is started again as its policy says.",
                self.in_flight
            ),
        }
    }

    /// What the stop of all does.
    pub(super) fn of_stop(&self) -> String {
        let running = self.running();
        format!(
            "Stops {running} nodes, those with clients first, each when its calls have ended; then the master."
        )
    }

    /// What the stop of all at once does.
    pub(super) fn of_kill(&self) -> String {
        let running = self.running();
        format!("Kills {running} nodes at once, and ends the master; calls in flight end with link_lost.")
    }

    /// What the end of the master alone does.
    pub(super) fn of_leave(&self) -> String {
        let running = self.running();
        format!("The master ends; {running} nodes go on, and the next master takes them over.")
    }

    /// What a restart of all does.
    pub(super) fn of_rolling_restart(&self) -> String {
        let serves = |node: &&NodeView| node.supervision.start && node.supervision.state.is_up();
        let count = self.nodes.iter().filter(serves).count();
        format!("Restarts {count} nodes one after the other, parents first; stops at the first that fails.")
    }

    /// What a reload of the configuration does.
    pub(super) fn of_reload(&self) -> String {
        let file = self.config.file.display();
        format!(
            "Reads {file}, and applies it as far as that is possible without restarts; with a fault, nothing."
        )
    }

    fn running(&self) -> usize {
        let runs = |node: &&NodeView| node.supervision.pid.is_some();
        self.nodes.iter().filter(runs).count()
    }

    fn sentence(&self, first: &str, node: &NodeView) -> String {
        let mut words = vec![first.to_owned()];
        let own = self.config.node(node.supervision.name.as_str());
        if let Some(own) = own.filter(|_| self.in_flight > 0) {
            let time = own.drain_timeout.as_secs_f64();
            words.push(format!(
                "{} calls in flight finish first (up to {time} s).",
                self.in_flight
            ));
        }
        if self.clients > 0 {
            words.push(format!("{} clients are disconnected.", self.clients));
        }
        words.push(match own.map_or(0, |own| self.siblings(own)) {
            0 => "No other node runs its application: calls to it wait.".to_owned(),
            count => format!("{count} other nodes of its application keep serving."),
        });
        words.join(" ")
    }

    /// Other nodes of the same application that serve.
    fn siblings(&self, own: &NodeConfig) -> usize {
        let serves = |node: &&NodeView| {
            let up = matches!(node.supervision.state, State::Ready | State::Degraded);
            up && node.app == own.app && node.supervision.name != own.name
        };
        self.nodes.iter().filter(serves).count()
    }
}
