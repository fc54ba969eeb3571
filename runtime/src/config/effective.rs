//! What holds for a node, key by key, with where each value comes from. Secrets are covered.

use std::fmt::Debug;
use std::time::Duration;

use serde::Serialize;

use super::units::{show_duration, show_size};
use super::{Config, NodeConfig};

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key, such as `servers.gate.rootport`.
    pub key: String,
    /// The value as a person would write it; `none` where nothing is configured and there is no default.
    pub value: String,
    /// `file config.json:3:5`, `env LAMPYRIS__SERVERS__GATE__ROOTPORT`, or `default`.
    pub origin: String,
}

impl Config {
    /// Every key of a node.
    pub fn effective(&self, node: &NodeConfig) -> Vec<Setting> {
        let section = format!("servers.{}", node.name);
        let setting = |(key, value): (&str, String)| {
            let key = format!("{section}.{key}");
            let origin = self.origin(&key);
            Setting { key, value, origin }
        };
        of_node(node)
            .into_iter()
            .chain(of_life(node))
            .chain(of_clients(node))
            .map(setting)
            .collect()
    }

    /// Every key of the cluster itself, sections `servers`, `db` and `memcached` not among them.
    pub fn effective_cluster(&self) -> Vec<Setting> {
        let (master, link, log) = (&self.master, &self.link, &self.log);
        let secret = self.secret.as_ref().map_or("none", |_| "***");
        let tokens = self
            .admin
            .tokens
            .iter()
            .map(|token| format!("{} ({})", token.name, token.role.name()));
        let all = [
            ("name", self.name.clone()),
            ("run_dir", self.run_dir.display().to_string()),
            ("secret", secret.to_owned()),
            ("master.roothost", master.roothost.clone()),
            ("master.rootport", master.rootport.to_string()),
            ("master.rootbind", master.rootbind.to_string()),
            ("master.webport", some(master.webport)),
            ("master.webbind", master.webbind.to_string()),
            ("admin.tokens", tokens.collect::<Vec<_>>().join(", ")),
            ("admin.hosts", self.admin.hosts.join(", ")),
            ("admin.open_metrics", self.admin.open_metrics.to_string()),
            ("admin.calls", some(self.admin.calls)),
            ("admin.behind_proxy", self.admin.behind_proxy.to_string()),
            ("trace.sample", self.trace.sample.to_string()),
            ("link.heartbeat", show_duration(link.heartbeat)),
            ("link.suspect_after", show_duration(link.suspect_after)),
            ("link.down_after", show_duration(link.down_after)),
            ("link.wait", show_duration(link.wait)),
            ("link.held_calls", link.held_calls.to_string()),
            ("link.held_bytes", show_size(link.held_bytes)),
            ("link.max_message", show_size(link.max_message)),
            ("link.max_queue", show_size(link.max_queue)),
            ("link.max_calls", link.max_calls.to_string()),
            ("link.handshake_timeout", show_duration(link.handshake_timeout)),
            ("link.allow_plaintext", link.allow_plaintext.to_string()),
            ("log.level", log.level.clone()),
            ("log.format", word(log.format)),
            ("log.dir", log.dir.display().to_string()),
            ("log.max_size", show_size(log.max_size)),
            ("log.max_files", log.max_files.to_string()),
        ];
        let setting = |(key, value): (&str, String)| Setting {
            key: key.to_owned(),
            value,
            origin: self.origin(key),
        };
        all.into_iter().map(setting).collect()
    }
}

fn of_node(node: &NodeConfig) -> [(&'static str, String); 15] {
    let parents = node
        .parents
        .iter()
        .map(|parent| format!("{}:{}", parent.name, parent.port));
    [
        ("app", node.app.clone()),
        ("netport", some(node.netport)),
        ("netbind", node.netbind.to_string()),
        ("rootport", some(node.rootport)),
        ("rootbind", node.rootbind.to_string()),
        ("webport", some(node.webport)),
        ("webbind", node.webbind.to_string()),
        ("remoteport", parents.collect::<Vec<_>>().join(", ")),
        ("host", some(node.host.as_deref())),
        ("db", node.db.to_string()),
        ("mem", node.mem.to_string()),
        ("log", some(node.log.as_ref().map(|path| path.display()))),
        (
            "cpu",
            node.cpu
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        ),
        ("reload", node.reload.to_string()),
        ("start", node.start.to_string()),
    ]
}

fn of_life(node: &NodeConfig) -> [(&'static str, String); 11] {
    [
        ("restart", word(node.restart.restart)),
        ("intensity", node.restart.intensity.to_string()),
        ("period", show_duration(node.restart.period)),
        ("restart_children", node.restart_children.to_string()),
        ("on_master_loss", word(node.on_master_loss)),
        ("start_timeout", show_duration(node.start_timeout)),
        ("drain_timeout", show_duration(node.drain_timeout)),
        ("stop_timeout", show_duration(node.stop_timeout)),
        ("hang_kill", show_duration(node.hang_kill)),
        ("call_timeout", show_duration(node.call_timeout)),
        ("max_in_flight", node.max_in_flight.to_string()),
    ]
}

fn of_clients(node: &NodeConfig) -> [(&'static str, String); 8] {
    let clients = &node.clients;
    [
        ("errors", word(clients.errors)),
        ("max_clients", clients.max_clients.to_string()),
        ("max_frame", show_size(clients.max_frame)),
        ("client_in_flight", clients.in_flight.to_string()),
        ("idle_timeout", time(clients.idle_timeout)),
        ("rate", some(clients.rate)),
        ("out_buffer", show_size(clients.out_buffer)),
        ("serial", clients.serial.to_string()),
    ]
}

fn some(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn time(value: Option<Duration>) -> String {
    value.map_or_else(|| "none".to_owned(), show_duration)
}

/// The word of the configuration for one of its choices.
fn word(choice: impl Debug) -> String {
    format!("{choice:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_told_with_its_origin_and_no_secret_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.toml");
        let text = "secret = \"k8D2mQ0vT5xZ7aLp\"\n[master]\nrootport = 7001\n[admin]\ntokens = [{name = \"eve\", \
                    role = \"viewer\", token = \"s3cr3t-0123-4567-89\"}]\n[trace]\nsample = 100\n[servers.a]\napp = \"x\"\nrootport = 7002\n";
        std::fs::write(&file, text).unwrap();
        let variable = ("LAMPYRIS__SERVERS__A__CALL_TIMEOUT".to_owned(), "2s".to_owned());
        let config = Config::load(&file, std::iter::once(variable)).unwrap();
        let all = config.effective(&config.nodes[0]);
        let find = |key: &str| all.iter().find(|one| one.key == key).unwrap();
        assert!(
            find("servers.a.rootport").origin.contains("c.toml:10:"),
            "{:?}",
            find("servers.a.rootport")
        );
        let timeout = find("servers.a.call_timeout");
        assert_eq!(
            (&timeout.value[..], timeout.origin.starts_with("env ")),
            ("2s", true)
        );
        assert_eq!(find("servers.a.db").origin, "default");
        let cluster = format!("{:?}", config.effective_cluster());
        assert!(
            cluster.contains("eve (viewer)") && cluster.contains("***"),
            "{cluster}"
        );
        assert!(
            !cluster.contains("s3cr3t") && !cluster.contains("k8D2"),
            "{cluster}"
        );
        assert_eq!(config.trace.sample, 100);
    }
}
