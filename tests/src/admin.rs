//! What the master's API says of a cluster, and what it is asked to do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{self, Answer};
use crate::process::kill_pid;
use crate::wait::until;

/// A node that ends within its first second of readiness counts as a failed start.
const PROVEN: f64 = 1.05;

/// The API, with a token.
pub struct Admin {
    to: SocketAddr,
    authorization: String,
}

impl Admin {
    /// The API at an address.
    pub fn new(to: SocketAddr, token: &str) -> Self {
        Self {
            to,
            authorization: format!("Bearer {token}"),
        }
    }

    /// One request.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str) -> Answer {
        self.request_with(method, path, "")
    }

    /// One request with a body.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn request_with(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers = [("Authorization", self.authorization.as_str())];
        http::request_with(self.to, method, path, &headers, body)
            .unwrap_or_else(|why| panic!("{method} {path}: {why}"))
    }

    /// Asks for an action: `nodes/game1/actions/restart`.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn act(&self, path: &str) {
        let answer = self.request("POST", &format!("/api/v1/{path}"));
        assert_eq!(answer.status, 202, "{path}: {}", answer.body);
    }

    /// Kills a node's process and waits until its next life is ready; gives how long that took.
    ///
    /// # Panics
    /// When it is not in time.
    #[track_caller]
    pub fn kill_and_await(&self, name: &str) -> Duration {
        let (old, pid) = (self.node(name), self.pid(name));
        let at = Instant::now();
        kill_pid(pid);
        self.until_next_life(name, &old);
        at.elapsed()
    }

    /// Waits until a node is ready in another life than that of this answer.
    ///
    /// # Panics
    /// When it is not in time.
    #[track_caller]
    pub fn until_next_life(&self, name: &str, old: &Value) -> Value {
        self.until(name, "its next life", |node| {
            node["state"] == "ready" && node["incarnation"] != old["incarnation"]
        })
    }

    /// Asks for an action that takes its time; gives the id of its operation.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn begin(&self, path: &str) -> String {
        let answer = self.request("POST", &format!("/api/v1/{path}"));
        assert_eq!(answer.status, 202, "{path}: {}", answer.body);
        let id = answer.json()["operation"].as_str().map(str::to_owned);
        id.unwrap_or_else(|| panic!("no operation: {}", answer.body))
    }

    /// Waits for the end of an operation, and gives it.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn end_of(&self, id: &str) -> Value {
        until("the end of an operation", || {
            let answer = self.request("GET", &format!("/api/v1/operations/{id}"));
            assert_eq!(answer.status, 200, "{}", answer.body);
            Some(answer.json()).filter(|operation| operation["state"] != "running")
        })
    }

    /// Asks for an action that takes its time, and waits until it has succeeded.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn succeed(&self, path: &str) {
        let end = self.end_of(&self.begin(path));
        assert_eq!(end["state"], "done", "{path}: {end}");
    }

    /// All nodes.
    ///
    /// # Panics
    /// When the answer is no array.
    #[track_caller]
    pub fn nodes(&self) -> Vec<Value> {
        let answer = self.request("GET", "/api/v1/nodes");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let Value::Array(nodes) = answer.json() else {
            panic!("no array: {}", answer.body)
        };
        nodes
    }

    /// How often all nodes together were started again.
    ///
    /// # Panics
    /// As [`Admin::nodes`].
    #[track_caller]
    pub fn restarts(&self) -> usize {
        let nodes = self.nodes();
        let restarts = nodes.iter().filter_map(|node| node["restarts"].as_u64());
        usize::try_from(restarts.sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// One node.
    ///
    /// # Panics
    /// When it is not in the list.
    #[track_caller]
    pub fn node(&self, name: &str) -> Value {
        let found = self.nodes().into_iter().find(|node| node["name"] == name);
        found.unwrap_or_else(|| panic!("no node {name}"))
    }

    /// The process of a node.
    ///
    /// # Panics
    /// When it has none.
    #[track_caller]
    pub fn pid(&self, name: &str) -> u32 {
        let node = self.node(name);
        let pid = node["pid"].as_u64().and_then(|pid| pid.try_into().ok());
        pid.unwrap_or_else(|| panic!("no process: {node}"))
    }

    /// Waits until a node is as wanted, and gives it.
    ///
    /// # Panics
    /// When it is not in time.
    #[track_caller]
    pub fn until(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        until(&format!("{name}: {what}"), || {
            Some(self.node(name)).filter(|node| is(node))
        })
    }

    /// Waits until a node is in a state, and gives it.
    ///
    /// # Panics
    /// When it is not in time.
    #[track_caller]
    pub fn until_state(&self, name: &str, state: &str) -> Value {
        self.until(name, state, |node| node["state"] == state)
    }

    /// Waits until every node has been ready for a second: its next end is then no failed start.
    ///
    /// # Panics
    /// When they are not in time.
    #[track_caller]
    pub fn until_proven(&self) {
        let proven = |node: &Value| {
            node["state"] == "ready" && node["since"].as_f64().is_some_and(|since| since > PROVEN)
        };
        until("all nodes ready for a second", || {
            self.nodes().iter().all(proven).then_some(())
        });
    }

    /// Waits until every node is ready.
    ///
    /// # Panics
    /// When they are not in time.
    #[track_caller]
    pub fn until_all_ready(&self) {
        until("all nodes ready", || {
            self.nodes()
                .iter()
                .all(|node| node["state"] == "ready")
                .then_some(())
        });
    }
}
