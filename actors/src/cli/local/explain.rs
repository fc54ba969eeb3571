//! `explain`: what a code of the configuration or an error of a call means. The texts are those of docs/codes.md and
//! docs/errors.md.

use clap::Args;
use lampyris_runtime::config::Code;
use lampyris_runtime::error::ErrorKind;

use crate::console::{eprint_line, print_line};
use crate::exit;

const ERRORS: &str = include_str!("errors.md");

/// Explains a code.
#[derive(Debug, Args)]
pub(in crate::cli) struct Explain {
    /// A code such as E012, or an error such as overloaded; without one, all are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

impl Explain {
    /// Explains it; gives the exit code.
    pub(super) fn run(&self) -> u8 {
        let Some(wanted) = &self.code else {
            list().iter().for_each(|line| print_line(line));
            return 0;
        };
        match explained(wanted) {
            Some(text) => print_line(&text),
            None => {
                eprint_line(&format!(
                    "error: there is neither a code nor an error {wanted:?}; `explain` alone lists them"
                ));
                return exit::USAGE;
            }
        }
        0
    }
}

fn list() -> Vec<String> {
    let codes = Code::ALL
        .iter()
        .map(|code| format!("{:15} {}", code.label(), code.title()));
    let errors = ErrorKind::ALL.iter().map(|kind| {
        let ran = kind.ran().name();
        format!(
            "{:15} a call without a reply; whether its handler ran: {ran}",
            kind.name()
        )
    });
    codes.chain(errors).collect()
}

fn explained(wanted: &str) -> Option<String> {
    if let Some(code) = Code::parse(wanted) {
        return Some(format!(
            "{}: {}\n\n{}",
            code.label(),
            code.title(),
            plain(code.explanation())
        ));
    }
    let name = wanted.to_lowercase().replace(['-', ' '], "_");
    let kind = ErrorKind::ALL.iter().find(|kind| kind.name() == name)?;
    let (_, text) = ERRORS.split_once(&format!("\n## {}\n", kind.name()))?;
    let text = text.split("\n## ").next().unwrap_or_default().trim();
    let head = format!(
        "{}: code {}, whether the handler ran: {}",
        kind.name(),
        kind.code(),
        kind.ran().name()
    );
    Some(format!("{head}\n\n{}", plain(text)))
}

/// Markdown as a terminal shows it: blocks of code indented, no stars, links as their text.
fn plain(markdown: &str) -> String {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in markdown.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            lines.push(format!("    {line}"));
        } else {
            lines.push(line.replace("**", "").replace('`', ""));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_listed_is_explained() {
        for line in list() {
            let name = line.split(' ').next().unwrap();
            let text = explained(name).unwrap_or_else(|| panic!("{name}"));
            assert!(text.contains("Cure.") || text.contains("Cause."), "{text}");
            assert!(!text.contains("```") && !text.contains("**"), "{text}");
        }
        assert_eq!(explained("e12"), explained("E012"));
        assert!(explained("handler-error").is_some());
        assert!(explained("E999").is_none() && explained("").is_none());
    }
}
