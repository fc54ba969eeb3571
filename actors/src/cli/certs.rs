//! `certs init`: an authority of one's own, and a certificate for the master and each node.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use lampyris_runtime::config::{Code, Config};
use lampyris_runtime::name::MASTER;
use lampyris_runtime::tls::authority::{Wanted, init};

use crate::console::{eprint_line, print_line};
use crate::exit;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Subcommand)]
pub(super) enum Certs {
    /// Make an authority, and a certificate for the links of the master and of each node, where there is none that
    /// holds for 30 days more
    Init(Init),
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder, instead of link.certs or `certs` beside the configuration
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// How long the certificates hold, in days
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Make all certificates anew, but for the authority's
    #[arg(long)]
    renew: bool,
    /// Make one for this DNS name or address as well, such as that of a port for game clients
    #[arg(long, value_name = "NAME")]
    also: Vec<String>,
}

/// Does it; gives the exit code.
pub(super) fn run(path: &Path, config: Result<Config, u8>, wish: &Certs) -> u8 {
    let Certs::Init(wish) = wish;
    let config = match config {
        Ok(config) => config,
        Err(code) => return code,
    };
    let beside = || path.parent().unwrap_or(Path::new("")).join("certs");
    let folder = wish
        .dir
        .clone()
        .or(config.link.certs.clone())
        .unwrap_or_else(beside);
    let nodes = config.nodes.iter().map(|node| node.name.to_string());
    let wanted = Wanted {
        folder: &folder,
        nodes: std::iter::once(MASTER.to_owned())
            .chain(nodes)
            .chain(wish.also.iter().cloned())
            .collect(),
        time: DAY * wish.days,
        renew: wish.renew,
    };
    match init(&wanted) {
        Ok(outcomes) => {
            for outcome in outcomes {
                let word = if outcome.made { "made" } else { "kept" };
                print_line(&format!("{word} {}", outcome.cert.display()));
            }
            if config.link.certs.is_none() {
                print_line(&format!(
                    "links use them with link.certs = {:?}",
                    folder.display().to_string()
                ));
            }
            0
        }
        Err(error) => {
            eprint_line(&format!("error: {error}"));
            exit::CANTCREAT
        }
    }
}

/// The faults that it is there to mend.
pub(super) const MENDED: [Code; 3] = [Code::Certificate, Code::Expiry, Code::Plaintext];
