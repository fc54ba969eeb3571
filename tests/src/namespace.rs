//! Hosts of one's own: network namespaces joined by a cable. Needs root and iproute2.

use std::process::Command;

use crate::cluster::{Cluster, random};
use crate::process::tool;

/// Two hosts, joined by a cable. They are gone when this is dropped.
pub struct Hosts {
    names: [String; 2],
}

impl Hosts {
    /// Addresses of the two.
    pub const ADDRESSES: [&'static str; 2] = ["10.213.0.1", "10.213.0.2"];

    /// Makes them, or says why that cannot be.
    ///
    /// # Errors
    /// The tool is missing, or the right to use it.
    pub fn new() -> Result<Self, String> {
        let number = random() % 0xff_ffff;
        let hosts = Self {
            names: ["a", "b"].map(|side| format!("lt{number:06x}{side}")),
        };
        let [a, b] = &hosts.names;
        ip(&["netns", "add", a])?;
        ip(&["netns", "add", b])?;
        ip(&[
            "link", "add", a, "netns", a, "type", "veth", "peer", "name", b, "netns", b,
        ])?;
        for (name, address) in hosts.names.iter().zip(Self::ADDRESSES) {
            ip(&[
                "-n",
                name,
                "address",
                "add",
                &format!("{address}/24"),
                "dev",
                name,
            ])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
            ip(&["-n", name, "link", "set", name, "up"])?;
        }
        Ok(hosts)
    }

    /// A command that runs on one of the hosts, 0 or 1, as one of the cluster's.
    pub fn command(&self, host: usize, cluster: &Cluster, arguments: &[&str]) -> Command {
        let mut command = cluster.command("ip");
        command
            .args(["netns", "exec", &self.names[host]])
            .arg(cluster.program())
            .args(arguments)
            .arg("--config")
            .arg(cluster.config_file());
        command
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.names {
            // One that could not be made cannot be deleted either.
            drop(ip(&["netns", "delete", name]));
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = tool("ip", arguments).ok_or("there is no program `ip`")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), said.trim()))
}
