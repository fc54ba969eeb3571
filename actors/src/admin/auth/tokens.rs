//! The tokens: those of the configuration, and the administrator's, from LAMPYRIS_ADMIN_TOKEN or made at the first start
//! and kept in the run folder. None is ever printed.

use std::io;
use std::path::{Path, PathBuf};

use lampyris_runtime::config::{Config, Role, Secret};
use lampyris_runtime::files::{self, Outlives};
use lampyris_runtime::hex;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Who;

/// The variable that may hold the administrator's token.
const VARIABLE: &str = "LAMPYRIS_ADMIN_TOKEN";

/// Where it lies in the run folder.
pub(crate) const TOKEN_FILE: &str = "admin.token";

/// Random bytes of what is made here.
const DRAWN: usize = 24;

/// All tokens.
pub(super) struct Tokens(Vec<(Who, Secret)>);

impl Tokens {
    /// The tokens of a cluster.
    ///
    /// # Errors
    /// The file in the run folder cannot be read or written.
    pub(super) fn of(config: &Config) -> io::Result<Self> {
        let admin = Who {
            name: "admin".to_owned(),
            role: Role::Admin,
        };
        let configured = config.admin.tokens.iter().map(|token| {
            let who = Who {
                name: token.name.clone(),
                role: token.role,
            };
            (who, token.token.clone())
        });
        let own = (admin, Secret::new(administrators(&config.run_dir)?));
        Ok(Self(std::iter::once(own).chain(configured).collect()))
    }

    /// Whose a token is. All are compared, so that the time tells nothing.
    pub(super) fn whose(&self, given: &str) -> Option<Who> {
        let fits = |token: &Secret| bool::from(token.expose().as_bytes().ct_eq(given.as_bytes()));
        self.0
            .iter()
            .filter(|(_, token)| fits(token))
            .fold(None, |found, (who, _)| found.or_else(|| Some(who.clone())))
    }

    /// Those who have one.
    pub(super) fn people(&self) -> impl Iterator<Item = &Who> {
        self.0.iter().map(|(who, _)| who)
    }

    /// A hash of all of them; another one when one of them is another.
    pub(super) fn hash(&self) -> [u8; 32] {
        let each = self.0.iter().map(|(_, token)| Sha256::digest(token.expose()));
        let all = each.fold(Sha256::new(), |all, one| all.chain_update(one));
        all.finalize().into()
    }
}

/// Where the administrator's token lies that a master with this run folder has made.
pub(crate) fn token_file(run_dir: &Path) -> PathBuf {
    run_dir.join(TOKEN_FILE)
}

/// The token in a file.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read_token(file: &Path) -> io::Result<String> {
    std::fs::read_to_string(file).map(|token| token.trim().to_owned())
}

/// The token that a variable holds.
pub(crate) fn token_of_environment() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|token| !token.is_empty())
}

fn administrators(run_dir: &Path) -> io::Result<String> {
    if let Some(token) = token_of_environment() {
        return Ok(token);
    }
    let path = token_file(run_dir);
    match read_token(&path) {
        Ok(token) if !token.is_empty() => Ok(token),
        Ok(_) => make(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path),
        Err(error) => Err(error),
    }
}

fn make(path: &Path) -> io::Result<String> {
    let token = draw()?;
    files::replace(path, 0o600, format!("{token}\n").as_bytes(), Outlives::PowerCut)?;
    Ok(token)
}

/// Something that nobody can guess, in hexadecimal digits.
pub(super) fn draw() -> io::Result<String> {
    let mut bytes = [0; DRAWN];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}
