//! The commands that need no running cluster: they look at the configuration, at this machine, or make files.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `check`, `deep` | whether the configuration can be used; whether this machine can use it |
//! | `show` | what holds, and where each value comes from |
//! | `explain` | what a code or an error means |
//! | `graph` | the tree of nodes as a picture |
//! | `doctor` | whether this machine is fit for the cluster |
//! | `completions` | completion for shells |
//! | `new` | the beginning of a game |
//! | `version` | which versions these are |

mod check;
mod completions;
mod deep;
mod doctor;
mod explain;
mod graph;
mod new;
mod show;
mod version;

use std::path::Path;

use clap::{Args, Subcommand};
use lampyris_runtime::config::{Config, schema};

use super::args::Format;
use super::{rejected, variables};
use crate::app::App;
use crate::console::{Colour, print_line};

/// The commands.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Local {
    /// Check the configuration without starting anything
    CheckConfig(check::Check),
    /// Look at the configuration that holds
    #[command(subcommand)]
    Config(Look),
    /// Explain a code of the configuration, such as E012, or an error of a call, such as overloaded
    Explain(explain::Explain),
    /// Print the JSON Schema of the configuration, which editors complete and check by
    Schema,
    /// Draw the tree of nodes
    Graph(graph::Graph),
    /// Look whether this machine is fit for the cluster, and say what to do where it is not
    Doctor(Report),
    /// Print a script that completes commands, options and names of nodes in a shell
    Completions(completions::Completions),
    /// Begin a game: a folder with a program, its configuration and its test
    New(new::New),
    /// Print the versions of Lampyris and of this machine
    Version(Report),
}

/// What to look at.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Look {
    /// Show every key with its value; secrets are covered
    Show(show::Show),
    /// Print the names of the nodes, one a line
    Nodes,
}

/// How a report is written.
#[derive(Debug, Args)]
pub(in crate::cli) struct Report {
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// What the commands go by.
pub(in crate::cli) struct Here<'a> {
    /// The configuration, unless the command names one.
    pub(in crate::cli) config: &'a Path,
    /// What the program has.
    pub(in crate::cli) apps: &'a [App],
    /// Whether text has colours.
    pub(in crate::cli) colour: Colour,
}

impl Local {
    /// Does it; gives the exit code.
    pub(in crate::cli) fn run(&self, here: &Here<'_>) -> u8 {
        match self {
            Self::CheckConfig(check) => check.run(here),
            Self::Config(Look::Show(show)) => with_config(here, |config| show.run(config)),
            Self::Config(Look::Nodes) => with_config(here, |config| {
                config
                    .nodes
                    .iter()
                    .for_each(|node| print_line(node.name.as_str()));
                0
            }),
            Self::Explain(explain) => explain.run(),
            Self::Schema => print_json(&schema()),
            Self::Graph(graph) => with_config(here, |config| graph.run(config)),
            Self::Doctor(report) => doctor::run(here, report.format),
            Self::Completions(completions) => completions.run(),
            Self::New(new) => new.run(),
            Self::Version(report) => version::run(report.format),
        }
    }
}

/// Reads the configuration for `work`, or says what is wrong with it. Warnings are the business of `check-config`.
fn with_config(here: &Here<'_>, work: impl FnOnce(&Config) -> u8) -> u8 {
    match Config::load(here.config, variables()) {
        Ok(config) => work(&config),
        Err(why) => rejected(&why),
    }
}

/// Prints a value for programs.
fn print_json(value: &impl serde::Serialize) -> u8 {
    print_line(&serde_json::to_string_pretty(value).unwrap_or_default());
    0
}
