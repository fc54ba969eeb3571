//! What the master's API says of a cluster, and what it is asked to do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{self, Answer};
use crate::process::kill_pid;
use crate::wait::until;

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
