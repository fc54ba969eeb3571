//! `check-config`: all that is wrong with a configuration, for people, for programs, or as remarks on a pull request.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lampyris_runtime::config::{Config, Finding, Severity, render_human};

use super::{Here, deep, print_json};
use crate::cli::{names, variables};
use crate::console::{Paint, eprint_line, print_line};
use crate::exit;

/// Checks the configuration.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// The file, instead of --config
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Try it on this machine as well: bind the ports, look at the modes of files, connect to database and cache
    #[arg(long)]
    deep: bool,
    /// How faults are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// For programs
    Json,
    /// As commands of GitHub's workflows, which puts them beside the lines
    Github,
}

/// What was found.
struct Found {
    findings: Vec<Finding>,
    /// The text of the file.
    text: String,
    nodes: usize,
}

impl Check {
    /// Checks; gives the exit code.
    pub(super) fn run(&self, here: &Here<'_>) -> u8 {
        let path = self.file.as_deref().unwrap_or(here.config);
        let found = self.look(path, here);
        let usable = found
            .findings
            .iter()
            .all(|finding| finding.severity == Severity::Warning);
        match self.format {
            Format::Json => drop(print_json(&found.findings)),
            Format::Github => found
                .findings
                .iter()
                .for_each(|finding| print_line(&annotation(finding))),
            Format::Human => {
                let colours = here.colour.applies(io::stderr().is_terminal());
                for finding in &found.findings {
                    eprint_line(&painted(finding, &found.text, colours));
                }
                if usable {
                    print_line(&format!("{}: {} nodes, no faults", path.display(), found.nodes));
                } else {
                    eprint_line(&summary(&found.findings));
                }
            }
        }
        if usable { 0 } else { exit::CONFIG }
    }

    fn look(&self, path: &Path, here: &Here<'_>) -> Found {
        match Config::load(path, variables()) {
            Err(rejected) => Found {
                findings: rejected.findings.clone(),
                text: rejected.source_text().to_owned(),
                nodes: 0,
            },
            Ok(config) => {
                let missing = config.check_apps(&names(here.apps));
                let of_machine = if self.deep {
                    deep::findings(&config)
                } else {
                    Vec::new()
                };
                Found {
                    findings: config
                        .warnings
                        .iter()
                        .cloned()
                        .chain(missing)
                        .chain(of_machine)
                        .collect(),
                    text: config.source_text().to_owned(),
                    nodes: config.nodes.len(),
                }
            }
        }
    }
}

/// The finding as people see it, its first word in colour.
fn painted(finding: &Finding, text: &str, colours: bool) -> String {
    let shown = render_human(finding, text);
    let (word, paint) = match finding.severity {
        Severity::Fault => ("error", Paint::Red),
        Severity::Warning => ("warning", Paint::Yellow),
    };
    match shown.strip_prefix(word) {
        Some(rest) => format!("{}{rest}", paint.paint(word, colours)),
        None => shown,
    }
}

/// How many there are, and where to read on.
fn summary(findings: &[Finding]) -> String {
    let faults: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Fault)
        .collect();
    let many = if faults.len() == 1 { "fault" } else { "faults" };
    let first = faults.first().map_or("E001", |finding| finding.code.as_str());
    format!(
        "{} {many}; more about the first one: explain {first}",
        faults.len()
    )
}

/// One line for GitHub: `::error file=…,line=…::…`.
fn annotation(finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Fault => "error",
        Severity::Warning => "warning",
    };
    let mut place = format!("file={}", property(&finding.place.origin.to_string()));
    if let Some(at) = finding.place.stretch {
        place += &format!(
            ",line={},col={},endColumn={}",
            at.line,
            at.column,
            at.column + at.width
        );
    }
    let title = property(&format!("{} {}", finding.code, finding.title));
    let parts = [
        Some(finding.key.clone()),
        Some(format!("found {}", finding.found)).filter(|_| !finding.found.is_empty()),
        Some(format!("allowed: {}", finding.allowed)).filter(|_| !finding.allowed.is_empty()),
        finding.help.clone(),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    format!("::{level} {place},title={title}::{}", escaped(&parts.join("; ")))
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_for_github_has_its_place_and_no_sign_that_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a,b.json");
        std::fs::write(
            &file,
            "{\"master\": {\"rootport\": \"50%\\n\"}, \"servers\": {\"a\": {\"app\": \"x\"}}}",
        )
        .unwrap();
        let rejected = Config::load(&file, std::iter::empty()).unwrap_err();
        let line = annotation(&rejected.findings[0]);
        assert!(line.starts_with("::error file="), "{line}");
        assert!(line.contains("a%2Cb.json,line=1,col=25,"), "{line}");
        assert!(
            line.contains(",title=E009 a value of the wrong type::master.rootport; "),
            "{line}"
        );
        assert!(line.contains("50%25") && !line.contains('\n'), "{line}");
    }
}
