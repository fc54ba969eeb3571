//! What operators have asked for that takes its time: how far it is, and how it ended.
//!
//! A restart is under way once for each node, and a rolling restart once: who asks for it meanwhile gets the same
//! operation. Must not know how a restart is done.

use std::collections::VecDeque;

use actix::{Context, Handler, Message};
use lampyris_runtime::name::NodeName;
use serde::Serialize;
use utoipa::ToSchema;

use super::Master;

/// How many operations are remembered; the oldest that are over are forgotten.
const REMEMBERED: usize = 256;

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    /// It is under way.
    Running,
    /// It has succeeded.
    Done,
    /// It has not.
    Failed,
}

/// Something that was asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Operation {
    /// Its number, which no operation of another master has.
    pub(crate) id: String,
    /// What was asked for first.
    pub(crate) action: &'static str,
    /// Of which node; `None` for the cluster.
    #[schema(value_type = Option<String>)]
    pub(crate) node: Option<NodeName>,
    /// How far it is.
    pub(crate) state: Progress,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// Of a rolling restart: the nodes that are done.
    #[schema(value_type = Vec<String>)]
    pub(crate) done: Vec<NodeName>,
    /// Of a rolling restart: the nodes that are not, the one under way first.
    #[schema(value_type = Vec<String>)]
    pub(crate) left: Vec<NodeName>,
}

/// Asks for an operation by its id.
#[derive(Message)]
#[rtype(result = "Option<Operation>")]
pub(crate) struct FindOperation(pub(crate) String);

/// The operations of this master.
#[derive(Default)]
pub(super) struct Operations {
    begun: u64,
    all: VecDeque<Operation>,
    /// The restart of every node that is under way; which nodes are left, its operation says.
    rolling: Option<Rolling>,
}

/// Where a restart of every node, one after the other, is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rolling {
    /// The next node may be restarted.
    Between,
    /// The first of those that are left is being restarted.
    Underway,
}

impl Operations {
    /// The operation that is under way for a node, or for the cluster; if there is none, a new one.
    pub(super) fn begin(&mut self, action: &'static str, node: Option<&NodeName>) -> String {
        if let Some(running) = self.running(node) {
            return running.id.clone();
        }
        self.begun += 1;
        let id = format!("{}-{}", std::process::id(), self.begun);
        let over = |operation: &Operation| operation.state != Progress::Running;
        if self.all.len() >= REMEMBERED
            && let Some(oldest) = self.all.iter().position(over)
        {
            self.all.remove(oldest);
        }
        self.all.push_back(Operation {
            id: id.clone(),
            action,
            node: node.cloned(),
            state: Progress::Running,
            error: None,
            done: Vec::new(),
            left: Vec::new(),
        });
        id
    }

    /// Begins a restart of all these nodes, in this order, unless one is under way; [`Operations::next_to_restart`]
    /// has the first.
    pub(super) fn begin_rolling(&mut self, nodes: Vec<NodeName>) -> String {
        let id = self.begin("rolling-restart", None);
        if self.rolling.is_none() {
            self.rolling = Some(Rolling::Between);
            if let Some(operation) = self.running(None) {
                operation.left = nodes;
            }
        }
        id
    }

    /// The restart of a node is over.
    pub(super) fn restart_ended(&mut self, node: &NodeName, error: Option<&str>) {
        self.end(Some(node), error.map(str::to_owned));
        let underway = self.rolling == Some(Rolling::Underway);
        let Some(operation) = self
            .running(None)
            .filter(|operation| underway && operation.left.first() == Some(node))
        else {
            return;
        };
        match error {
            None => {
                let done = operation.left.remove(0);
                operation.done.push(done);
                self.rolling = Some(Rolling::Between);
            }
            Some(error) => {
                self.rolling = None;
                self.end(None, Some(format!("{node}: {error}")));
            }
        }
    }

    /// The node that a rolling restart goes on with, if it is its turn now. Those that `may` not are left out.
    pub(super) fn next_to_restart(&mut self, may: impl Fn(&NodeName) -> bool) -> Option<NodeName> {
        if self.rolling != Some(Rolling::Between) {
            return None;
        }
        let left = &mut self.running(None)?.left;
        let out = left.iter().take_while(|node| !may(node)).count();
        left.drain(..out);
        match left.first().cloned() {
            Some(node) => {
                self.rolling = Some(Rolling::Underway);
                self.begin("restart", Some(&node));
                Some(node)
            }
            None => {
                self.rolling = None;
                self.end(None, None);
                None
            }
        }
    }

    fn running(&mut self, node: Option<&NodeName>) -> Option<&mut Operation> {
        let is = |operation: &&mut Operation| {
            operation.state == Progress::Running && operation.node.as_ref() == node
        };
        self.all.iter_mut().find(is)
    }

    fn end(&mut self, node: Option<&NodeName>, error: Option<String>) {
        if let Some(operation) = self.running(node) {
            operation.state = match error {
                Some(_) => Progress::Failed,
                None => Progress::Done,
            };
            operation.error = error;
        }
    }
}

impl Handler<FindOperation> for Master {
    type Result = Option<Operation>;

    fn handle(&mut self, FindOperation(id): FindOperation, _: &mut Context<Self>) -> Self::Result {
        self.operations
            .all
            .iter()
            .find(|operation| operation.id == id)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<NodeName> {
        all.iter().map(|name| NodeName::new(name).unwrap()).collect()
    }

    fn progress(operations: &Operations, id: &str) -> (Progress, Option<String>) {
        let found = operations
            .all
            .iter()
            .find(|operation| operation.id == id)
            .unwrap();
        (found.state, found.error.clone())
    }

    #[test]
    fn who_asks_while_it_runs_gets_the_same_operation() {
        let mut operations = Operations::default();
        let gate = &names(&["gate"])[0];
        let first = operations.begin("restart", Some(gate));
        assert_eq!(operations.begin("reload", Some(gate)), first);
        operations.restart_ended(gate, Some("no"));
        assert_eq!(
            progress(&operations, &first),
            (Progress::Failed, Some("no".into()))
        );
        assert_ne!(operations.begin("restart", Some(gate)), first);
    }

    #[test]
    fn a_rolling_restart_goes_on_node_by_node_and_leaves_out_who_may_not() {
        let mut operations = Operations::default();
        let all = names(&["gate", "net", "game1"]);
        let id = operations.begin_rolling(all.clone());
        let may = |node: &NodeName| node.as_str() != "net";
        assert_eq!(operations.next_to_restart(may).as_ref(), Some(&all[0]));
        assert_eq!(operations.next_to_restart(may), None, "one at a time");
        assert_eq!(operations.begin_rolling(all.clone()), id);
        let steps = |operations: &Operations| {
            let found = operations
                .all
                .iter()
                .find(|operation| operation.id == id)
                .unwrap();
            (found.done.clone(), found.left.clone())
        };
        assert_eq!(steps(&operations), (vec![], all.clone()));
        operations.restart_ended(&all[0], None);
        assert_eq!(operations.next_to_restart(may).as_ref(), Some(&all[2]));
        assert_eq!(
            steps(&operations),
            (names(&["gate"]), names(&["game1"])),
            "net is left out"
        );
        operations.restart_ended(&all[2], None);
        assert_eq!(operations.next_to_restart(may), None);
        assert_eq!(progress(&operations, &id), (Progress::Done, None));
    }

    #[test]
    fn a_rolling_restart_stops_at_the_first_that_fails() {
        let mut operations = Operations::default();
        let all = names(&["gate", "game1"]);
        let id = operations.begin_rolling(all.clone());
        operations.next_to_restart(|_| true);
        operations.restart_ended(&all[0], Some("exit code 1"));
        assert_eq!(operations.next_to_restart(|_| true), None);
        assert_eq!(
            progress(&operations, &id),
            (Progress::Failed, Some("gate: exit code 1".into()))
        );
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut operations = Operations::default();
        let gate = &names(&["gate"])[0];
        let lasting = operations.begin_rolling(Vec::new());
        for _ in 0..2 * REMEMBERED {
            operations.begin("restart", Some(gate));
            operations.restart_ended(gate, None);
        }
        assert_eq!(operations.all.len(), REMEMBERED);
        assert_eq!(progress(&operations, &lasting).0, Progress::Running);
    }
}
