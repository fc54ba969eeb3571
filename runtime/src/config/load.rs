//! From file and environment to a checked configuration, or to all that speaks against it; and the same once more.
//!
//! It reads no section itself, and knows no rule.

use std::fmt;
use std::path::{Path, PathBuf};

use super::env::{self, Substitution, Variables};
use super::file::{self, Format};
use super::finding::{Code, Finding, Findings, Severity};
use super::machine::Machine;
use super::read::{Reader, Section};
use super::render::render_human;
use super::shape::Outline;
use super::tree::{self, Kind, Node, Source, Spot};
use super::written::Written;
use super::{Config, admin, check, data, exposure, json, nodes, sections, toml};

/// Where a configuration came from, so that it can be read again.
#[derive(Clone)]
pub(super) struct Loaded {
    /// The file that was read; another than the one that findings name if that is a copy.
    pub(super) from: PathBuf,
    pub(super) variables: Variables,
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

    /// The same as [`Config::load`] of `path`, but with the text of `copy`, such as that of
    /// [`applied_copy`](super::applied_copy) of a master.
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
pub(super) fn typed(
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
