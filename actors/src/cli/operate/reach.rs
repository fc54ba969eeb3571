//! Where the master is and what opens its door: flags first, then variables, then the configuration and its run folder.
//!
//! A token is never an argument, which every user of the machine could read: it comes from a file or a variable.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use lampyris_runtime::config::{Code, Config, applied_copy};

use super::api::Api;
use super::trouble::Trouble;
use crate::admin::{read_token, token_file, token_of_environment};
use crate::cli::reachable;
use crate::master::lock;

/// Above these flags in the help.
const HEADING: &str = "Where the master is";

/// The variable that sets the key `run_dir`.
const RUN_DIR: &str = "LAMPYRIS__RUN_DIR";

/// How to reach the master.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Reach {
    /// Its admin API, instead of the one of the configuration
    #[arg(long, env = "LAMPYRIS_ADDR", hide_env_values = true, help_heading = HEADING, value_name = "HOST:PORT")]
    pub(super) addr: Option<String>,
    /// A file with a token, instead of LAMPYRIS_ADMIN_TOKEN or admin.token in the run folder
    #[arg(
        long,
        env = "LAMPYRIS_TOKEN_FILE",
        hide_env_values = true,
        help_heading = HEADING,
        value_name = "FILE"
    )]
    pub(super) token_file: Option<PathBuf>,
}

impl Reach {
    /// The API of the cluster whose configuration is `file`. What flags and variables tell need not be known otherwise.
    ///
    /// # Errors
    /// The configuration or the token is needed and cannot be read.
    pub(super) fn api(&self, file: &Path) -> Result<Api, Trouble> {
        let addr = self.addr.as_deref().map(bare);
        let token = self.given_token()?;
        if let (Some(addr), Some(token)) = (&addr, &token) {
            return Ok(Api::new(addr.clone(), token.clone()));
        }
        let Known { run_dir, config } = Known::of(file);
        let (addr, is_here, rejected) = match (addr, config) {
            (Some(addr), config) => (addr, false, config.err()),
            (None, config) => (web_address(&config?)?.to_string(), true, None),
        };
        let api = self.api_in(addr, &run_dir);
        api.map_err(|trouble| match trouble {
            Trouble::NoToken(path) => match rejected {
                // Where it should be is not known.
                Some(rejected) => rejected,
                None if is_here && lock::holder(&run_dir).is_none() => Trouble::NoToken(path),
                None => Trouble::Token(path, io::ErrorKind::NotFound.into()),
            },
            other => other,
        })
    }

    /// The API at an address, of a master with this run folder.
    ///
    /// # Errors
    /// The token cannot be read; [`Trouble::NoToken`] if none has been made yet.
    pub(super) fn api_in(&self, addr: String, run_dir: &Path) -> Result<Api, Trouble> {
        if let Some(token) = self.given_token()? {
            return Ok(Api::new(addr, token));
        }
        let path = token_file(run_dir);
        let token = read_token(&path).map_err(|why| {
            let path = path.display().to_string();
            match why.kind() {
                io::ErrorKind::NotFound => Trouble::NoToken(path),
                _ => Trouble::Token(path, why),
            }
        })?;
        Ok(Api::new(addr, token))
    }

    /// The run folder of the master; `None` if it may be elsewhere.
    pub(super) fn run_dir(&self, file: &Path) -> Option<PathBuf> {
        self.addr.is_none().then(|| Known::of(file).run_dir)
    }

    fn given_token(&self) -> Result<Option<String>, Trouble> {
        let Some(path) = &self.token_file else {
            return Ok(token_of_environment());
        };
        let token = read_token(path).map_err(|why| Trouble::Token(path.display().to_string(), why))?;
        Ok(Some(token))
    }
}

/// What is known of a cluster by the file of its configuration.
struct Known {
    /// Its run folder, as far as that can be known.
    run_dir: PathBuf,
    config: Result<Config, Trouble>,
}

impl Known {
    fn of(file: &Path) -> Self {
        let variables = crate::cli::variables;
        let rejected = match Config::load(file, variables()) {
            Ok(config) => {
                let applied = config.load_copy_again(&applied_copy(&config.run_dir));
                return Self {
                    run_dir: config.run_dir.clone(),
                    config: Ok(applied.unwrap_or(config)),
                };
            }
            Err(rejected) => rejected,
        };
        let text = rejected.to_string();
        let run_dir = match rejected.but_for(Code::ALL) {
            Ok(readable) => readable.run_dir,
            Err(_) => {
                let beside = file.parent().unwrap_or(Path::new(""));
                let told = variables().find(|(name, _)| name.eq_ignore_ascii_case(RUN_DIR));
                let usual = || Path::new("run").join(file.file_stem().unwrap_or_default());
                beside.join(told.map_or_else(usual, |(_, folder)| folder.into()))
            }
        };
        let copy = Config::load_copy(file, &applied_copy(&run_dir), variables());
        Self {
            run_dir,
            config: copy.map_err(|_| Trouble::Config(text)),
        }
    }
}

/// The configuration by which the cluster runs: what its master has applied, or the file. A file that cannot be used as
/// it now stands is no reason to be unable to look at the cluster.
///
/// # Errors
/// Neither can be used.
pub(super) fn known_config(file: &Path) -> Result<Config, Trouble> {
    Known::of(file).config
}

/// Where the API of a master with this configuration listens.
///
/// # Errors
/// It does not.
pub(super) fn web_address(config: &Config) -> Result<SocketAddr, Trouble> {
    let section = &config.master;
    let port = section.webport.ok_or_else(|| {
        let text = "error: the master has no webport, by which it could be asked; set master.webport";
        Trouble::Config(text.to_owned())
    })?;
    Ok(reachable(section.webbind, port))
}

/// An address as it is often copied: out of a browser.
fn bare(addr: &str) -> String {
    let addr = addr.strip_prefix("http://").unwrap_or(addr);
    addr.split(['/', '#', '?']).next().unwrap_or(addr).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_come_out_of_a_browser() {
        for addr in [
            "127.0.0.1:9998",
            "http://127.0.0.1:9998",
            "http://127.0.0.1:9998/#code=1",
        ] {
            assert_eq!(bare(addr), "127.0.0.1:9998");
        }
    }
}
