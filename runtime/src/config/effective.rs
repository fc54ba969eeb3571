//! What holds for a node, key by key, with where each value comes from. Secrets are covered.

use serde::Serialize;

use super::diff::{Item, items};
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
        self.settings(|item| item.node.as_ref() == Some(&node.name) && !item.is_node())
    }

    /// Every key of the cluster itself, section `servers` not among them.
    pub fn effective_cluster(&self) -> Vec<Setting> {
        self.settings(|item| item.node.is_none())
    }

    fn settings(&self, wanted: impl Fn(&Item) -> bool) -> Vec<Setting> {
        let setting = |item: Item| Setting {
            value: item.shown().unwrap_or_else(|| "none".to_owned()),
            origin: self.origin(&item.key),
            key: item.key,
        };
        items(self).into_iter().filter(wanted).map(setting).collect()
    }
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
