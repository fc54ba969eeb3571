//! `config show`: what holds, key by key, as the admin API tells it of a cluster that runs.

use clap::Args;
use lampyris_runtime::config::{Config, Setting};

use super::{Format, print_json};
use crate::admin::ConfigView;
use crate::console::print_line;

/// Shows the configuration.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Say where each value comes from: a line of the file, a variable, or the default
    #[arg(long)]
    origin: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

impl Show {
    /// Shows it; gives the exit code.
    pub(super) fn run(&self, config: &Config) -> u8 {
        if self.format == Format::Json {
            return print_json(&ConfigView::of(config));
        }
        let nodes = config.nodes.iter().flat_map(|node| config.effective(node));
        let all: Vec<Setting> = config.effective_cluster().into_iter().chain(nodes).collect();
        self.lines(&all).iter().for_each(|line| print_line(line));
        0
    }

    fn lines(&self, all: &[Setting]) -> Vec<String> {
        let pairs: Vec<String> = all
            .iter()
            .map(|one| format!("{} = {}", one.key, one.value))
            .collect();
        if !self.origin {
            return pairs;
        }
        let width = pairs
            .iter()
            .map(|pair| pair.chars().count())
            .filter(|width| *width <= 60)
            .max()
            .unwrap_or(0);
        let with_origin = |(pair, one): (String, &Setting)| format!("{pair:width$}  # {}", one.origin);
        pairs.into_iter().zip(all).map(with_origin).collect()
    }
}
