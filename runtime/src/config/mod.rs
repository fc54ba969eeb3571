//! File and environment to a checked tree of nodes, or all faults at once, each with its place.
//!
//! ```text
//! file ── json / toml ──┐
//!                       ├─ tree (every value with its spot) ── sections ── model ── check ── Config
//! environment ── env ───┘
//! ```
//!
//! | module | what it is for |
//! | --- | --- |
//! | `file` | the bytes of the file, or why not |
//! | `json`, `toml` | a text to the tree |
//! | `env` | overrides by variables, `${VARIABLE}` in texts |
//! | `tree` | values with their spots |
//! | `read`, `shape`, `units` | one key of a section as a checked value |
//! | `sections`, `nodes`, `data`, `admin` | which keys there are |
//! | `model` | the typed result, with the defaults |
//! | `check`, `parents`, `ports`, `exposure`, `certificates` | rules that concern several values, or the machine |
//! | `machine` | what this process may do here |
//! | `effective` | what holds for a node, with where each value comes from |
//! | `written` | the tree and the text, kept for later questions |
//! | `diff` | what differs between two configurations, and what it takes for that to hold |
//! | `applied` | the text that a master has applied, kept for the nodes that it starts |
//! | `finding`, `render`, `explain` | one fault or warning, how people see it, and what its code means |
//! | `schema` | the same keys as a JSON Schema, for editors |
//! | `secret` | the secret of the links |
//!
//! It starts nothing and binds nothing.

mod admin;
mod applied;
mod certificates;
mod check;
mod data;
mod diff;
mod effective;
mod env;
mod explain;
mod exposure;
mod file;
mod finding;
mod json;
mod machine;
mod model;
mod nodes;
mod parents;
mod ports;
mod read;
mod render;
mod schema;
mod secret;
mod sections;
mod shape;
mod toml;
mod tree;
mod units;
mod written;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::name::NodeName;

use env::{Substitution, Variables};
use file::Format;
use finding::Findings;
use read::{Reader, Section};
use shape::Outline;
use tree::{Kind, Node, Source, Spot};
use written::Written;

pub use admin::{AdminConfig, AdminToken, Role, TraceConfig};
pub use applied::{applied_copy, keep_applied};
pub use certificates::{BadCertificate, EXPIRES_SOON, NamedCertificate};
pub use data::{DataConfig, DbConfig, JournalConfig, MemcachedConfig, RedisConfig, StoreConfig};
pub use diff::{Change, Effect, RULES, Rule, diff, refused_while_running};
pub use effective::Setting;
pub use finding::{Code, Finding, Origin, Place, Severity, Stretch};
pub use machine::Machine;
pub use model::{
    ClientConfig, ClientErrors, DEFAULT_MASTER_PORT, LinkConfig, LogConfig, LogFormat, MasterConfig,
    NodeConfig, OnMasterLoss, Parent,
};
pub use render::render_human;
pub use schema::schema;
pub use secret::{MIN_SECRET, Secret, link_secret, make_run_dir, share_secret};

/// A configuration that has passed every check.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of the cluster: key `name`, else the file's name without its ending.
    pub name: String,
    /// The file, as an absolute path.
    pub file: PathBuf,
    /// Where secret, tokens, locks, logs and sockets are kept, as an absolute path.
    pub run_dir: PathBuf,
    /// Section `master`.
    pub master: MasterConfig,
    /// Section `servers`, in the order of the file.
    pub nodes: Vec<NodeConfig>,
    /// Section `link`.
    pub link: LinkConfig,
    /// Section `log`.
    pub log: LogConfig,
    /// Sections `db`, `memcached`, `redis`, `store` and `journal`.
    pub data: DataConfig,
    /// Section `admin`.
    pub admin: AdminConfig,
    /// Section `trace`.
    pub trace: TraceConfig,
    /// The secret of the links as configured (`secret`, or the content of `secret_file`); see [`link_secret`].
    pub secret: Option<Secret>,
    /// What is odd, but no fault.
    pub warnings: Vec<Finding>,
    written: Written,
    loaded: Loaded,
}

/// Where a configuration came from, so that it can be read again.
#[derive(Clone)]
struct Loaded {
    /// The file that was read; another than the one that findings name if that is a copy.
    from: PathBuf,
    variables: Variables,
}

impl fmt::Debug for Loaded {
    /// The variables may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loaded({})", self.from.display())
    }
}

/// Why a configuration cannot be used: every fault in it, and the warnings, sorted by line.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// At least one of them is a fault.
    pub findings: Vec<Finding>,
    source: Source,
    /// What could be read all the same.
    rest: Option<Box<Config>>,
}

impl Rejected {
    /// The configuration all the same, if it has no faults but of these kinds.
    ///
    /// # Errors
    /// It has others.
    pub fn but_for(self, codes: &[Code]) -> Result<Config, Self> {
        let mendable =
            |finding: &Finding| finding.severity == Severity::Warning || codes.contains(&finding.kind);
        match self.rest {
            Some(config) if self.findings.iter().all(mendable) => Ok(*config),
            rest => Err(Self { rest, ..self }),
        }
    }

    /// The text of the file for [`render_human`]; empty when it could not be read. It may hold secrets.
    pub fn source_text(&self) -> &str {
        self.source.text()
    }
}

impl fmt::Display for Rejected {
    /// All findings in the form for people, with an empty line between two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks: Vec<String> = self
            .findings
            .iter()
            .map(|finding| render_human(finding, self.source.text()))
            .collect();
        f.write_str(&blocks.join("\n"))
    }
}

impl std::error::Error for Rejected {}

impl Config {
    /// Reads the file at `path` and the environment.
    ///
    /// Files end in `.json` or `.toml`. Variables `LAMPYRIS__A__B` override the key `a.b`; `${NAME}` in a text of
    /// the file is replaced by the variable `NAME`.
    ///
    /// # Errors
    /// [`Rejected`] has all faults of file and environment, not only the first.
    pub fn load(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Self, Rejected> {
        Self::load_on(&Machine::this(), path, env)
    }

    /// The same as [`Config::load`], judged for another machine than this.
    ///
    /// # Errors
    /// [`Rejected`] has all faults of file and environment, not only the first.
    pub fn load_on(
        machine: &Machine,
        path: &Path,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Rejected> {
        let loaded = Loaded {
            from: path.to_owned(),
            variables: env.collect(),
        };
        Self::read(machine, path, loaded)
    }

    /// The same as [`Config::load`] of `path`, but with the text of `copy`, such as [`applied_copy`] of a master.
    ///
    /// # Errors
    /// [`Rejected`] has all faults of the copy and the environment; their places are in `path`.
    pub fn load_copy(
        path: &Path,
        copy: &Path,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Rejected> {
        let loaded = Loaded {
            from: copy.to_owned(),
            variables: env.collect(),
        };
        Self::read(&Machine::this(), path, loaded)
    }

    /// Reads the same file once more, or the same copy, with the variables that this one was read with.
    ///
    /// # Errors
    /// [`Rejected`] has all faults.
    pub fn load_again(&self) -> Result<Self, Rejected> {
        Self::read(&Machine::this(), &self.file, self.loaded.clone())
    }

    /// The same file as it stands in a copy, with the variables that this one was read with.
    ///
    /// # Errors
    /// [`Rejected`] has all faults.
    pub fn load_copy_again(&self, copy: &Path) -> Result<Self, Rejected> {
        let loaded = Loaded {
            from: copy.to_owned(),
            variables: self.loaded.variables.clone(),
        };
        Self::read(&Machine::this(), &self.file, loaded)
    }

    fn read(machine: &Machine, path: &Path, loaded: Loaded) -> Result<Self, Rejected> {
        let findings = Findings::default();
        let (source, format) = file::open(path, &loaded.from, &findings);
        let root = format.and_then(|format| match format {
            Format::Json => json::parse(&source, &findings),
            Format::Toml => toml::parse(&source, &findings),
        });
        let config = root.and_then(|root| {
            let root = with_environment(root, &loaded.variables, &source, &findings)?;
            let config = typed(
                path,
                Written {
                    source: source.clone(),
                    root,
                },
                loaded,
                &findings,
                None,
            );
            check::check(&config, machine, &findings);
            Some(config)
        });
        let findings = findings.into_sorted();
        match config {
            Some(config)
                if findings
                    .iter()
                    .all(|finding| finding.severity == Severity::Warning) =>
            {
                Ok(Self {
                    warnings: findings,
                    ..config
                })
            }
            rest => Err(Rejected {
                findings,
                source,
                rest: rest.map(Box::new),
            }),
        }
    }

    /// The nodes whose application is not among those that the program has registered, a fault for each.
    pub fn check_apps(&self, registered: &[&str]) -> Vec<Finding> {
        check::apps(self, registered)
    }

    /// A fault of the value of a key that others have found, such as those who have tried to use it.
    pub fn fault(&self, kind: Code, key: &str) -> Finding {
        Finding::fault(kind, self.written.value_place_or_file(key), key)
    }

    /// The keys whose secret texts stand in the file itself, and do not come from a variable.
    pub fn written_secrets(&self) -> Vec<String> {
        let tokens = (0..self.admin.tokens.len()).map(|at| format!("admin.tokens[{at}].token"));
        let others = ["secret", "db.passwd", "db.url", "redis.passwd"].map(str::to_owned);
        let stands_there = |key: &String| {
            let value = self.written.value(key);
            value.is_some_and(|node| !node.loose && matches!(node.spot, Spot::File(_)))
        };
        others.into_iter().chain(tokens).filter(stands_there).collect()
    }

    /// Where the value of a key such as `servers.gate.rootport` comes from: `file config.json:3:5`,
    /// `env LAMPYRIS__SERVERS__GATE__ROOTPORT`, or `default`.
    pub fn origin(&self, key: &str) -> String {
        match self.written.value_place(key) {
            Some(
                place @ Place {
                    origin: Origin::File(_),
                    ..
                },
            ) => format!("file {place}"),
            Some(place) => place.to_string(),
            None => "default".to_owned(),
        }
    }

    /// The text of the file for [`render_human`]. It may hold secrets.
    pub fn source_text(&self) -> &str {
        self.written.source.text()
    }

    /// The node of a name.
    pub fn node(&self, name: &str) -> Option<&NodeConfig> {
        self.nodes.iter().find(|node| node.name.as_str() == name)
    }

    /// The nodes that dial `parent`, in the order of the file.
    pub fn children_of<'a>(&'a self, parent: &'a NodeName) -> impl Iterator<Item = &'a NodeConfig> {
        self.nodes
            .iter()
            .filter(move |node| node.parents.iter().any(|p| p.name == *parent))
    }

    /// The nodes that `child` dials, in the order of its `remoteport`.
    pub fn parents_of<'a>(&'a self, child: &'a NodeName) -> impl Iterator<Item = &'a NodeConfig> {
        let parents = self.node(child.as_str()).map_or(&[][..], |node| &node.parents);
        parents
            .iter()
            .filter_map(|parent| self.node(parent.name.as_str()))
    }

    /// The nodes in the order in which they can be started: nodes of one level do not need each other, and the
    /// parents of each stand in an earlier level.
    pub fn start_order(&self) -> Vec<Vec<NodeName>> {
        let mut left: Vec<&NodeConfig> = self.nodes.iter().collect();
        let mut levels = Vec::new();
        while !left.is_empty() {
            let waits = |node: &NodeConfig| {
                node.parents
                    .iter()
                    .any(|parent| left.iter().any(|other| other.name == parent.name))
            };
            let (later, ready): (Vec<_>, Vec<_>) = left.iter().copied().partition(|node| waits(node));
            // No level can be empty: a circle of parents is a fault.
            let level = if ready.is_empty() { &left } else { &ready };
            levels.push(level.iter().map(|node| node.name.clone()).collect());
            left = if ready.is_empty() { Vec::new() } else { later };
        }
        levels
    }
}

/// The tree with the variables put into texts and over values; `None` when it is no table, which is reported.
fn with_environment(
    mut root: Node,
    variables: &Variables,
    source: &Source,
    findings: &Findings,
) -> Option<Node> {
    env::substitute(
        &mut root,
        "",
        &Substitution {
            variables,
            source,
            findings,
        },
    );
    if let Kind::Table(table) = &mut root.kind {
        env::overlay(table, variables, source, findings);
        return Some(root);
    }
    let fault = Finding::fault(Code::WrongType, source.place(&root.spot), "").found(root.shown());
    findings.add(fault.allowed("the sections `master`, `servers` and others"));
    None
}

/// Everything that can be read, with defaults where a value is absent or faulty.
fn typed(
    path: &Path,
    written: Written,
    loaded: Loaded,
    findings: &Findings,
    outline: Option<&Outline>,
) -> Config {
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let base = file.parent().unwrap_or(Path::new("/")).to_owned();
    let stem = file
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let empty = tree::Table::default();
    let table = written.root.as_table().unwrap_or(&empty);
    let reader = Reader {
        source: &written.source,
        findings,
        base: &base,
        outline,
    };
    let root = Section::new(reader, table, Spot::File(0..0), String::new());

    let top = sections::top(&root);
    let run_dir = top.run_dir.unwrap_or_else(|| base.join("run").join(&stem));
    let master = sections::master(&root);
    let nodes = nodes::nodes(&root, master.restart);
    let link = sections::link(&root);
    let log = sections::log(&root, &run_dir);
    let data = data::data(&root);
    let administration = admin::admin(&root);
    let trace = admin::trace(&root);
    root.finish();
    let secret = exposure::secret(&written, top.secret, top.secret_file.as_deref(), findings);
    let name = top.name.unwrap_or(stem);
    Config {
        name,
        file,
        run_dir,
        master,
        nodes,
        link,
        log,
        data,
        admin: administration,
        trace,
        secret,
        warnings: Vec::new(),
        written,
        loaded,
    }
}
