//! A configuration as a flat list: every key with its value as text.
//!
//! Each type of the model is taken apart field by field, so that a new field does not compile before it is here.

use crate::config::Config;
use crate::config::admin::{AdminConfig, AdminToken, TraceConfig};
use crate::config::model::{
    ClientConfig, ClientErrors, LinkConfig, LogConfig, LogFormat, MasterConfig, NodeConfig, OnMasterLoss,
};
use crate::config::units::{show_duration, show_size};
use crate::name::NodeName;
use crate::supervisor::policy::{OnCrashLoop, RestartPolicy};

use super::{Effect, RULES, Rule, data};

/// One key.
#[derive(Debug)]
pub(in crate::config) struct Item {
    pub(in crate::config) key: String,
    /// The node whose key it is.
    pub(in crate::config) node: Option<NodeName>,
    /// `None` where nothing is configured, and there is no default.
    pub(super) value: Option<String>,
    /// What is shown in place of the value.
    cover: Option<String>,
}

impl Item {
    /// Whether it stands for a node as a whole.
    pub(in crate::config) fn is_node(&self) -> bool {
        self.node
            .as_ref()
            .is_some_and(|node| self.key.len() == "servers.".len() + node.as_str().len())
    }

    /// The value as it may be shown.
    pub(in crate::config) fn shown(&self) -> Option<String> {
        let cover = self.cover.as_ref().filter(|_| self.value.is_some());
        cover.or(self.value.as_ref()).cloned()
    }

    /// The key with `NAME` for the node's name.
    pub(in crate::config) fn pattern(&self) -> String {
        match &self.node {
            Some(node) => {
                let rest = self.key.get("servers.".len() + node.as_str().len()..);
                format!("servers.NAME{}", rest.unwrap_or_default())
            }
            None => self.key.clone(),
        }
    }

    pub(super) fn effect(&self) -> Effect {
        let pattern = self.pattern();
        let rule = RULES
            .iter()
            .find(|(key, _)| *key == pattern)
            .map(|(_, rule)| *rule);
        match (rule, &self.node) {
            (Some(Rule::AtOnce), _) => Effect::AtOnce,
            (Some(Rule::Node), Some(node)) => Effect::Node(node.clone()),
            (Some(Rule::EveryNode), _) => Effect::EveryNode,
            // A key without a rule, which the tests exclude, is treated with the most care.
            (Some(Rule::Master | Rule::Node) | None, _) => Effect::Master,
        }
    }
}

/// Keys that are gathered under one section.
pub(super) struct Gather {
    section: String,
    node: Option<NodeName>,
    pub(super) items: Vec<Item>,
}

impl Gather {
    pub(super) fn into(mut self, section: &str) -> Self {
        self.section = section.to_owned();
        self
    }

    fn add(&mut self, key: &str, value: Option<String>, cover: Option<String>) {
        self.items.push(Item {
            key: crate::config::tree::join(&self.section, key),
            node: self.node.clone(),
            value,
            cover,
        });
    }

    pub(super) fn put(&mut self, key: &str, value: impl ToString) {
        self.add(key, Some(value.to_string()), None);
    }

    pub(super) fn may(&mut self, key: &str, value: Option<impl ToString>) {
        self.add(key, value.map(|value| value.to_string()), None);
    }

    /// The texts of tokens count, and are not shown.
    fn tokens(&mut self, key: &str, tokens: &[AdminToken]) {
        let shown = tokens
            .iter()
            .map(|token| format!("{} ({})", token.name, token.role.name()));
        let texts = tokens
            .iter()
            .map(|token| format!("{} {} {}", token.name, token.role.name(), token.token.expose()));
        let value = (!tokens.is_empty()).then(|| texts.collect::<Vec<_>>().join(", "));
        self.add(key, value, Some(shown.collect::<Vec<_>>().join(", ")));
    }

    pub(super) fn secret(&mut self, key: &str, value: Option<&str>) {
        self.add(key, value.map(str::to_owned), Some("***".to_owned()));
    }
}

/// Every key of a configuration.
pub(in crate::config) fn items(config: &Config) -> Vec<Item> {
    let Config {
        name,
        file: _,
        run_dir,
        master: section,
        nodes,
        link: links,
        log: logs,
        data,
        admin: desk,
        trace: tracing,
        secret,
        warnings: _,
        written,
        loaded: _,
    } = config;
    let mut all = Gather {
        section: String::new(),
        node: None,
        items: Vec::new(),
    };
    all.put("name", name);
    all.put("run_dir", run_dir.display());
    // The text counts, wherever it stands.
    let key = if written.has("secret_file") {
        "secret_file"
    } else {
        "secret"
    };
    for known in ["secret", "secret_file"] {
        let text = secret.as_ref().filter(|_| known == key);
        all.secret(known, text.map(|secret| secret.expose()));
    }
    all = all.into("master");
    master(&mut all, section);
    for one in nodes {
        all.section = String::new();
        all.node = Some(one.name.clone());
        all.put(&format!("servers.{}", one.name), &one.app);
        all = all.into(&format!("servers.{}", one.name));
        node(&mut all, one);
    }
    all.node = None;
    all = all.into("link");
    link(&mut all, links);
    all = all.into("log");
    log(&mut all, logs);
    all = all.into("admin");
    admin(&mut all, desk);
    all = all.into("trace");
    let TraceConfig { sample, otlp } = tracing;
    all.put("sample", sample);
    all.may("otlp", otlp.as_ref());
    data::gather(all, data)
}

fn master(to: &mut Gather, section: &MasterConfig) {
    let MasterConfig {
        roothost,
        rootport,
        rootbind,
        webport,
        webbind,
        log,
        restart,
    } = section;
    // How a crash loop ends is each node's own key.
    let RestartPolicy {
        restart,
        intensity,
        period,
        on_crash_loop: _,
    } = restart;
    to.put("roothost", roothost);
    to.put("rootport", rootport);
    to.put("rootbind", rootbind);
    to.may("webport", webport.as_ref());
    to.put("webbind", webbind);
    to.may("log", log.as_ref().map(|path| path.display()));
    to.put("restart", restart);
    to.put("intensity", intensity);
    to.put("period", show_duration(*period));
}

fn node(to: &mut Gather, node: &NodeConfig) {
    let NodeConfig {
        name: _,
        app,
        netport,
        netbind,
        rootport,
        rootbind,
        webport,
        webbind,
        parents,
        host,
        db,
        mem,
        log,
        cpu,
        busy_poll,
        reload,
        start,
        restart,
        restart_children,
        on_master_loss,
        start_timeout,
        drain_timeout,
        stop_timeout,
        hang_kill,
        call_timeout,
        max_in_flight,
        clients: keys,
    } = node;
    to.put("app", app);
    to.may("netport", netport.as_ref());
    to.put("netbind", netbind);
    to.may("rootport", rootport.as_ref());
    to.put("rootbind", rootbind);
    to.may("webport", webport.as_ref());
    to.put("webbind", webbind);
    // The port is the parent's own, and changes with that.
    let parent = |parent: &crate::config::Parent| match &parent.host {
        Some(host) => format!("{} at {host}", parent.name),
        None => parent.name.to_string(),
    };
    let mut parents: Vec<String> = parents.iter().map(parent).collect();
    parents.sort();
    to.may("remoteport", (!parents.is_empty()).then(|| parents.join(", ")));
    to.may("host", host.as_ref());
    to.put("db", db);
    to.put("mem", mem);
    to.may("log", log.as_ref().map(|path| path.display()));
    let cpu: Vec<String> = cpu.iter().map(usize::to_string).collect();
    to.may("cpu", (!cpu.is_empty()).then(|| cpu.join(", ")));
    to.put("busy_poll", busy_poll);
    to.put("reload", reload);
    to.put("start", start);
    policy(to, restart);
    to.put("restart_children", restart_children);
    to.put(
        "on_master_loss",
        match on_master_loss {
            OnMasterLoss::Keep => "keep",
            OnMasterLoss::Exit => "exit",
        },
    );
    to.put("start_timeout", show_duration(*start_timeout));
    to.put("drain_timeout", show_duration(*drain_timeout));
    to.put("stop_timeout", show_duration(*stop_timeout));
    to.put("hang_kill", show_duration(*hang_kill));
    to.put("call_timeout", show_duration(*call_timeout));
    to.put("max_in_flight", max_in_flight);
    clients(to, keys);
}

fn policy(to: &mut Gather, policy: &RestartPolicy) {
    let RestartPolicy {
        restart,
        intensity,
        period,
        on_crash_loop,
    } = policy;
    to.put("restart", restart);
    to.put("intensity", intensity);
    to.put("period", show_duration(*period));
    to.put(
        "on_crash_loop",
        match on_crash_loop {
            OnCrashLoop::Backoff => "backoff",
            OnCrashLoop::Failed => "failed",
        },
    );
}

fn clients(to: &mut Gather, keys: &ClientConfig) {
    let ClientConfig {
        errors,
        max_clients,
        max_frame,
        in_flight,
        idle_timeout,
        rate,
        out_buffer,
        head,
        protocol_version,
        server_version,
        serial,
        tls,
    } = keys;
    to.may("tls.cert", tls.as_ref().map(|pair| pair.cert.display()));
    to.may("tls.key", tls.as_ref().map(|pair| pair.key.display()));
    to.put(
        "errors",
        match errors {
            ClientErrors::Frame => "frame",
            ClientErrors::Silent => "silent",
            ClientErrors::Close => "close",
        },
    );
    to.put("max_clients", max_clients);
    to.put("max_frame", show_size(*max_frame));
    to.put("client_in_flight", in_flight);
    to.may("idle_timeout", idle_timeout.map(show_duration));
    to.may("rate", rate.as_ref());
    to.put("out_buffer", show_size(*out_buffer));
    let [a, b, c, d] = head;
    to.put("head", format!("{a}, {b}, {c}, {d}"));
    to.put("protocol_version", protocol_version);
    to.put("server_version", server_version);
    to.put("serial", serial);
}

fn admin(to: &mut Gather, section: &AdminConfig) {
    let AdminConfig {
        tokens,
        hosts,
        open_metrics,
        calls,
        behind_proxy,
    } = section;
    to.tokens("tokens", tokens);
    to.may("hosts", (!hosts.is_empty()).then(|| hosts.join(", ")));
    to.put("open_metrics", open_metrics);
    to.may("calls", calls.as_ref());
    to.put("behind_proxy", behind_proxy);
}

fn link(to: &mut Gather, section: &LinkConfig) {
    let LinkConfig {
        heartbeat,
        suspect_after,
        down_after,
        wait,
        held_calls,
        held_bytes,
        max_message,
        max_queue,
        max_calls,
        handshake_timeout,
        allow_plaintext,
        certs,
    } = section;
    to.may("certs", certs.as_ref().map(|folder| folder.display()));
    to.put("heartbeat", show_duration(*heartbeat));
    to.put("suspect_after", show_duration(*suspect_after));
    to.put("down_after", show_duration(*down_after));
    to.put("wait", show_duration(*wait));
    to.put("held_calls", held_calls);
    to.put("held_bytes", show_size(*held_bytes));
    to.put("max_message", show_size(*max_message));
    to.put("max_queue", show_size(*max_queue));
    to.put("max_calls", max_calls);
    to.put("handshake_timeout", show_duration(*handshake_timeout));
    to.put("allow_plaintext", allow_plaintext);
}

fn log(to: &mut Gather, section: &LogConfig) {
    let LogConfig {
        level,
        format,
        terminal,
        dir,
        max_size,
        max_files,
    } = section;
    to.put("level", level);
    to.put(
        "format",
        match format {
            LogFormat::Human => "human",
            LogFormat::Json => "json",
        },
    );
    to.put("terminal", terminal);
    to.put("dir", dir.display());
    to.put("max_size", show_size(*max_size));
    to.put("max_files", max_files);
}
