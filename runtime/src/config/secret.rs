//! The secret that proves membership of a cluster, and how it is kept from being seen.
//!
//! It knows nothing of links: who wants to prove something asks [`link_secret`] for the bytes.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::Config;
use crate::hex;

/// Shortest secret, in bytes.
pub const MIN_SECRET: usize = 16;

/// Longest file that is read for a secret, in bytes.
const MAX_SECRET_FILE: u64 = 64 * 1024;

/// Random bytes of a secret that is made here; in the file they stand as twice as many hexadecimal digits.
const DRAWN_BYTES: usize = 32;

/// A text that no log, error or debug output shows.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes the text into custody.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a file is not fit to hold a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadSecretFile {
    /// It could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Others than its owner may read or write it; the mode is given.
    #[error("mode {0:04o}")]
    TooOpen(u32),
    /// It is too large, or no text.
    #[error("no text of at most 64 KiB")]
    NoText,
}

/// Reads a secret file that only its owner may read. White space around the text does not count.
pub(super) fn read_secret_file(path: &Path) -> Result<Secret, BadSecretFile> {
    // Asked before opening: to open a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(BadSecretFile::NoText);
    }
    let file = File::open(path)?;
    let meta = file.metadata()?;
    let mode = meta.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(BadSecretFile::TooOpen(mode));
    }
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SECRET_FILE {
        return Err(BadSecretFile::NoText);
    }
    let text = String::from_utf8(bytes).map_err(|_| BadSecretFile::NoText)?;
    Ok(Secret::new(text.trim()))
}

/// The secret of the cluster's links: the configured one, or that of `run_dir`, which is drawn when there is none.
///
/// Whichever process needs it first creates it; of several at once, all get the same.
///
/// # Errors
/// The run folder or the file in it cannot be made or read, or others than its owner could have changed them.
pub fn link_secret(config: &Config) -> io::Result<Secret> {
    match &config.secret {
        Some(secret) => Ok(secret.clone()),
        None => kept_or_drawn(&config.run_dir),
    }
}

/// Makes the run folder, for its owner alone.
///
/// # Errors
/// It cannot be made, or others than its owner could change it.
pub fn make_run_dir(run_dir: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(run_dir)
        .map_err(|e| about(run_dir, &e))?;
    let meta = fs::metadata(run_dir).map_err(|e| about(run_dir, &e))?;
    if meta.uid() != nix::unistd::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        return Err(refused(
            run_dir,
            "belongs to another user, or others may write to it (chmod 700)",
        ));
    }
    Ok(())
}

/// Leaves a secret that came by an environment variable in the run folder, where the nodes find it: they are
/// started without the variable, as the environment of a process can be read by others.
///
/// # Errors
/// The file cannot be written.
pub fn share_secret(config: &Config) -> io::Result<()> {
    let Some(secret) = config
        .secret
        .as_ref()
        .filter(|_| config.origin("secret").starts_with("env"))
    else {
        return Ok(());
    };
    make_run_dir(&config.run_dir)?;
    let draft = config.run_dir.join(format!(".secret.{}", std::process::id()));
    write_draft(&draft, secret.expose()).and_then(|()| fs::rename(&draft, config.run_dir.join("secret")))
}

fn kept_or_drawn(run_dir: &Path) -> io::Result<Secret> {
    make_run_dir(run_dir)?;
    let path = run_dir.join("secret");
    if !path.exists() {
        draw_into(run_dir, &path).map_err(|e| about(&path, &e))?;
    }
    let secret = read_secret_file(&path).map_err(|e| refused(&path, &e.to_string()))?;
    if secret.expose().len() < MIN_SECRET {
        return Err(refused(
            &path,
            "is shorter than 16 bytes; delete it and a new one is made",
        ));
    }
    Ok(secret)
}

/// Writes a fresh secret beside `path` and links it there, so that nobody ever reads half of it. A file that
/// another process linked first stays.
fn draw_into(run_dir: &Path, path: &Path) -> io::Result<()> {
    let mut drawn = [0; DRAWN_BYTES + 8];
    getrandom::fill(&mut drawn).map_err(io::Error::other)?;
    let (key, label) = drawn.split_at(DRAWN_BYTES);
    let draft = run_dir.join(format!(".secret.{}", hex::encode(label)));
    let written = write_draft(&draft, &hex::encode(key)).and_then(|()| match fs::hard_link(&draft, path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    });
    fs::remove_file(&draft).and(written)
}

fn write_draft(draft: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{}: {why}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2hunter2hunter2")), "***");
    }

    #[test]
    fn a_race_for_the_first_secret_ends_with_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let run = dir.path().join("run/config");
        let seen: BTreeSet<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| kept_or_drawn(&run).expect("a secret")))
                .collect();
            threads
                .into_iter()
                .map(|t| t.join().expect("no panic").expose().to_owned())
                .collect()
        });
        assert_eq!(seen.len(), 1);
        assert_eq!(seen.first().map(String::len), Some(2 * DRAWN_BYTES));
        assert_eq!(
            fs::read_dir(&run).expect("the folder").count(),
            1,
            "no draft is left"
        );
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!((mode(&run), mode(&run.join("secret"))), (0o700, 0o600));
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        kept_or_drawn(dir.path()).expect("a secret");
        let open = fs::Permissions::from_mode(0o640);
        fs::set_permissions(dir.path().join("secret"), open).expect("chmod");
        let refusal = kept_or_drawn(dir.path()).expect_err("too open");
        assert!(refusal.to_string().contains("mode 0640"), "{refusal}");
    }

    #[test]
    fn a_run_folder_that_others_can_write_to_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
        assert!(kept_or_drawn(dir.path()).is_err());
    }
}
