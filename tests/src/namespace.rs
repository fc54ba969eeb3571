//! Hosts of one's own: network namespaces joined by a cable. Needs root and iproute2.

use std::fs::File;
use std::process::Command;

use nix::sched::{CloneFlags, setns};

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
        self.names.iter().for_each(|name| delete(name));
    }
}

/// Two hosts with a router between them, which may lose what it is to pass on. They are gone when this is dropped.
pub struct Routed {
    hosts: [String; 2],
    router: String,
}

impl Routed {
    /// Addresses of the two.
    pub const ADDRESSES: [&'static str; 2] = ["10.213.1.1", "10.213.2.1"];

    const GATEWAYS: [&'static str; 2] = ["10.213.1.254", "10.213.2.254"];

    /// Makes them, or says why that cannot be.
    ///
    /// # Errors
    /// The tool is missing, or the right to use it.
    pub fn new() -> Result<Self, String> {
        let number = random() % 0xff_ffff;
        let name = |side: &str| format!("lt{number:06x}{side}");
        let routed = Self {
            hosts: [name("a"), name("b")],
            router: name("r"),
        };
        ip(&["netns", "add", &routed.router])?;
        for (host, name) in routed.hosts.iter().enumerate() {
            let (there, gateway) = (routed.interface(host), Self::GATEWAYS[host]);
            ip(&["netns", "add", name])?;
            ip(&[
                "link",
                "add",
                name,
                "netns",
                name,
                "type",
                "veth",
                "peer",
                "name",
                &there,
                "netns",
                &routed.router,
            ])?;
            for (at, interface, address) in [
                (name, name, Self::ADDRESSES[host]),
                (&routed.router, &there, gateway),
            ] {
                let address = format!("{address}/24");
                ip(&["-n", at, "address", "add", &address, "dev", interface])?;
                ip(&["-n", at, "link", "set", "lo", "up"])?;
                ip(&["-n", at, "link", "set", interface, "up"])?;
            }
            ip(&["-n", name, "route", "add", "default", "via", gateway])?;
        }
        routed.pass([true, true])?;
        Ok(routed)
    }

    /// Whether the router passes on what the first host sends, and what the second sends.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn pass(&self, from: [bool; 2]) -> Result<(), String> {
        let settings = from.iter().enumerate().map(|(host, passes)| {
            let interface = self.interface(host);
            (
                format!("/proc/sys/net/ipv4/conf/{interface}/forwarding"),
                u8::from(*passes),
            )
        });
        let settings: Vec<(String, u8)> = settings.collect();
        within(&self.router, move || {
            settings
                .iter()
                .try_for_each(|(file, value)| std::fs::write(file, format!("{value}\n")))
        })?
        .map_err(|why| format!("forwarding: {why}"))
    }

    /// Has the router pass on no more than so much in each direction, as `tc` says it: `1mbit`.
    ///
    /// # Errors
    /// The tool or the kernel's part of it is missing.
    pub fn narrow(&self, rate: &str) -> Result<(), String> {
        for host in 0..2 {
            let there = self.interface(host);
            run(
                "tc",
                &[
                    "-n",
                    &self.router,
                    "qdisc",
                    "replace",
                    "dev",
                    &there,
                    "root",
                    "tbf",
                    "rate",
                    rate,
                    "burst",
                    "16kb",
                    "latency",
                    "300ms",
                ],
            )?;
        }
        Ok(())
    }

    /// Does something on one of the hosts, 0 or 1: sockets, threads and processes that it makes are there.
    ///
    /// # Errors
    /// The host cannot be entered.
    pub fn on<T: Send>(&self, host: usize, work: impl FnOnce() -> T + Send) -> Result<T, String> {
        within(&self.hosts[host], work)
    }

    fn interface(&self, host: usize) -> String {
        format!("{}{host}", self.router)
    }
}

impl Drop for Routed {
    fn drop(&mut self) {
        self.hosts.iter().for_each(|name| delete(name));
        delete(&self.router);
    }
}

/// Does something on a thread of a namespace; a panic goes on here.
fn within<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> Result<T, String> {
    let entrance = File::open(format!("/run/netns/{namespace}")).map_err(|why| why.to_string())?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            setns(entrance, CloneFlags::CLONE_NEWNET).map_err(|why| format!("{namespace}: {why}"))?;
            Ok(work())
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn delete(namespace: &str) {
    // One that could not be made cannot be deleted either.
    drop(ip(&["netns", "delete", namespace]));
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    run("ip", arguments)
}

fn run(name: &str, arguments: &[&str]) -> Result<(), String> {
    let output = tool(name, arguments).ok_or_else(|| format!("there is no program `{name}`"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name} {}: {}", arguments.join(" "), said.trim()))
}
