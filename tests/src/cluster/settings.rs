//! What a cluster is configured by: keys, ports, variables, and the file that they become.

use std::path::PathBuf;

use serde_json::Value;

use super::{Cluster, random};
use crate::ports::Port;

impl Cluster {
    /// Draws a port that is the cluster's own.
    pub fn port(&mut self) -> u16 {
        let port = Port::draw();
        let number = port.number();
        self.ports.push(port);
        number
    }

    /// Sets a key of the configuration, such as `servers.net.errors`. Processes started later see it.
    ///
    /// # Panics
    /// When the path leads through a value that is no section.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) -> &mut Self {
        let mut at = &mut self.config;
        for key in path.split('.') {
            at = &mut at[key];
        }
        *at = value.into();
        self
    }

    /// Takes a key or a section out of the configuration.
    pub fn unset(&mut self, path: &str) -> &mut Self {
        let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
        let keys = section.split('.').filter(|key| !key.is_empty());
        if let Value::Object(section) = keys.fold(&mut self.config, |at, key| &mut at[key]) {
            section.remove(key);
        }
        self
    }

    /// The value of a key, `null` if it is not there.
    pub fn get(&self, path: &str) -> &Value {
        path.split('.').fold(&self.config, |at, key| &at[key])
    }

    /// Gives all processes started later a variable.
    pub fn variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Takes a variable away again.
    pub fn without_variable(&mut self, name: &str) -> &mut Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// The port under a key of the configuration.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn port_of(&self, path: &str) -> u16 {
        let port = self.get(path).as_u64().and_then(|port| port.try_into().ok());
        port.unwrap_or_else(|| panic!("no port at {path}"))
    }

    /// The configuration's file, written as it now stands.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn config_file(&self) -> PathBuf {
        let file = self.folder().join("config.json");
        let text = serde_json::to_string_pretty(&self.config).expect("because it is plain JSON");
        // Whole or not at all: processes that were started before may be reading it.
        let aside = file.with_extension(format!("{:016x}", random()));
        std::fs::write(&aside, text).expect("because the folder is ours");
        std::fs::rename(aside, &file).expect("because the folder is ours");
        file
    }
}
