//! `doctor`: whether this machine is fit for the cluster, and what to do where it is not.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `kernel` | what the operating system allows; judgements are pure |
//!
//! What concerns the configuration's own values is the business of `deep`.

mod kernel;

use std::io::{self, IsTerminal};

use lampyris_runtime::config::{Config, Finding};
use serde::Serialize;

use super::{Format, Here, deep, print_json, version};
use crate::cli::variables;
use crate::console::{Paint, print_line};
use crate::exit;
use crate::master::lock;

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    /// As it should be.
    Ok,
    /// The cluster works, but not under all circumstances.
    Hint,
    /// The cluster does not work like this.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Remark {
    grade: Grade,
    about: &'static str,
    found: String,
    /// What to do; `None` if it is as it should be.
    fix: Option<String>,
}

impl Remark {
    fn ok(about: &'static str, found: impl Into<String>) -> Self {
        Self {
            grade: Grade::Ok,
            about,
            found: found.into(),
            fix: None,
        }
    }

    fn hint(about: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            grade: Grade::Hint,
            fix: Some(fix.into()),
            ..Self::ok(about, found)
        }
    }

    fn bad(about: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            grade: Grade::Bad,
            ..Self::hint(about, found, fix)
        }
    }
}

/// Looks at everything; gives the exit code.
pub(super) fn run(here: &Here<'_>, format: Format) -> u8 {
    let remarks = examine(here);
    match format {
        Format::Json => drop(print_json(&remarks)),
        Format::Human => {
            let colours = here.colour.applies(io::stdout().is_terminal());
            remarks
                .iter()
                .for_each(|remark| print_line(&line(remark, colours)));
        }
    }
    let bad = remarks.iter().any(|remark| remark.grade == Grade::Bad);
    if bad { exit::DEGRADED } else { 0 }
}

fn examine(here: &Here<'_>) -> Vec<Remark> {
    let mut remarks = vec![Remark::ok(
        "versions",
        format!(
            "lampyris {}, {} {}",
            version::LAMPYRIS,
            std::env::consts::OS,
            version::kernel()
        ),
    )];
    match Config::load(here.config, variables()) {
        Ok(config) => {
            let nodes = format!("{}: {} nodes", here.config.display(), config.nodes.len());
            remarks.push(match config.warnings.len() {
                0 => Remark::ok("configuration", nodes),
                many => Remark::hint(
                    "configuration",
                    format!("{nodes}, {many} warnings"),
                    "check-config tells them",
                ),
            });
            remarks.extend(of_config(&config));
            remarks.extend(kernel::examine(&config));
        }
        Err(rejected) => {
            let found = format!(
                "{}: {} faults and warnings",
                here.config.display(),
                rejected.findings.len()
            );
            remarks.push(Remark::bad(
                "configuration",
                found,
                "check-config tells them; or name another with --config",
            ));
        }
    }
    remarks.push(kernel::clock());
    remarks
}

/// What can only be tried: ports, files, servers.
fn of_config(config: &Config) -> Vec<Remark> {
    let ports = match lock::holder(&config.run_dir) {
        Some(pid) => format!("the cluster runs (master: pid {pid}) and has its ports"),
        None => format!("{} ports are free", deep::ports_here(config).len()),
    };
    let mut remarks = remark("ports", deep::ports_in_use(config), ports);
    let files = format!("{} and what is in it", config.run_dir.display());
    remarks.extend(remark("files", deep::open_files(config), files));
    if config
        .nodes
        .iter()
        .any(|node| node.start && (node.db || node.mem))
    {
        remarks.extend(remark(
            "data layer",
            deep::unanswered(config),
            "its servers answer".to_owned(),
        ));
    }
    remarks
}

/// One remark for each finding, or one that all is well.
fn remark(about: &'static str, findings: Vec<Finding>, well: String) -> Vec<Remark> {
    if findings.is_empty() {
        return vec![Remark::ok(about, well)];
    }
    let one = |finding: Finding| {
        let fix = finding
            .help
            .unwrap_or_else(|| format!("explain {}", finding.code));
        Remark::bad(
            about,
            format!("{} ({}): {}", finding.title, finding.key, finding.found),
            fix,
        )
    };
    findings.into_iter().map(one).collect()
}

fn line(remark: &Remark, colours: bool) -> String {
    let (word, paint) = match remark.grade {
        Grade::Ok => ("ok  ", Paint::Green),
        Grade::Hint => ("hint", Paint::Yellow),
        Grade::Bad => ("bad ", Paint::Red),
    };
    let head = format!(
        "{}  {:14} {}",
        paint.paint(word, colours),
        remark.about,
        remark.found
    );
    match &remark.fix {
        Some(fix) => format!("{head}\n      {:14} fix: {fix}", ""),
        None => head,
    }
}
