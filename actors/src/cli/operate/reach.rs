//! Where the master is and what opens its door: flags first, then variables, then the configuration and its run folder.
//!
//! A token is never an argument, which every user of the machine could read: it comes from a file or a variable.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use lampyris_runtime::config::{Config, applied_copy};

use super::api::Api;
use super::trouble::Trouble;
use crate::admin::known_token;

/// Above these flags in the help.
const HEADING: &str = "Where the master is";

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
    /// The API of the cluster whose configuration is `file`. With an address and a token no configuration is needed.
    ///
    /// # Errors
    /// The configuration or the token cannot be read.
    pub(super) fn api(&self, file: &Path) -> Result<Api, Trouble> {
        let addr = match &self.addr {
            Some(addr) => bare(addr),
            None => web_address(&known_config(file)?)?.to_string(),
        };
        Ok(Api::new(addr, self.token(file)?))
    }

    fn token(&self, file: &Path) -> Result<String, Trouble> {
        if let Some(path) = &self.token_file {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|why| Trouble::Token(path.display().to_string(), why))?;
            return Ok(text.trim().to_owned());
        }
        if let Some(token) = crate::admin::token_of_environment() {
            return Ok(token);
        }
        let config = known_config(file)?;
        known_token(&config).map_err(|why| {
            let path = config.run_dir.join("admin.token").display().to_string();
            match why.kind() {
                io::ErrorKind::NotFound => Trouble::NoToken(path),
                _ => Trouble::Token(path, why),
            }
        })
    }
}

/// The configuration by which the cluster runs: what its master has applied, or the file. A file that cannot be used as
/// it now stands is no reason to be unable to look at the cluster.
///
/// # Errors
/// Neither can be used.
pub(super) fn known_config(file: &Path) -> Result<Config, Trouble> {
    let variables = super::super::variables;
    match Config::load(file, variables()) {
        Ok(config) => Ok(config
            .load_copy_again(&applied_copy(&config.run_dir))
            .unwrap_or(config)),
        Err(rejected) => {
            let stem = file.file_stem().unwrap_or_default();
            let folder = file.parent().unwrap_or(Path::new("")).join("run").join(stem);
            let copy = Config::load_copy(file, &applied_copy(&folder), variables());
            copy.map_err(|_| Trouble::Config(rejected.to_string()))
        }
    }
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
    Ok(SocketAddr::new(reachable(section.webbind), port))
}

/// An address to connect to, for one that is bound.
fn reachable(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
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
