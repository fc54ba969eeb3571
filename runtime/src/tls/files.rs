//! Certificates and keys as they lie in files, in PEM.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::provider;

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// A file that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct BadFile {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl BadFile {
    pub(super) fn new(file: &Path, why: impl ToString) -> Self {
        Self {
            file: file.to_owned(),
            why: why.to_string(),
        }
    }
}

/// A certificate, with those that vouch for it, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The file with the certificates, the own one first.
    pub cert: PathBuf,
    /// The file with the key of the first. Not for everybody's eyes.
    pub key: PathBuf,
}

/// From when until when a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: SystemTime,
    /// Not after.
    pub until: SystemTime,
}

impl Validity {
    /// Time that is left, zero when it is over.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.until.duration_since(now).unwrap_or_default()
    }

    /// Whether it holds at a moment.
    pub fn holds(&self, now: SystemTime) -> bool {
        (self.from..=self.until).contains(&now)
    }
}

/// The authority's certificate in the folder that `certs init` fills.
pub fn authority_in(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

/// A node's certificate and key in that folder.
pub fn pair_in(folder: &Path, name: &str) -> Pair {
    Pair {
        cert: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    }
}

/// How long the first certificate of a file holds.
///
/// # Errors
/// It cannot be read, or holds no certificate.
pub fn validity(cert: &Path) -> Result<Validity, BadFile> {
    let chain = chain(cert)?;
    let bad = || BadFile::new(cert, "its certificate cannot be understood");
    let (_, parsed) = x509_parser::parse_x509_certificate(&chain[0]).map_err(|_| bad())?;
    let time = |seconds: i64| {
        let seconds = u64::try_from(seconds).unwrap_or_default();
        SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(seconds))
            .ok_or_else(bad)
    };
    Ok(Validity {
        from: time(parsed.validity().not_before.timestamp())?,
        until: time(parsed.validity().not_after.timestamp())?,
    })
}

impl Pair {
    /// Reads both, and sees that they belong together.
    ///
    /// # Errors
    /// One of the files cannot be used, or the key is that of another certificate.
    pub(super) fn read(&self) -> Result<Arc<CertifiedKey>, BadFile> {
        let key = key(&self.key)?;
        let pair = CertifiedKey::from_der(chain(&self.cert)?, key, &provider());
        pair.map(Arc::new).map_err(|why| match why {
            rustls::Error::InconsistentKeys(_) => {
                BadFile::new(&self.key, format!("it is not the key of {}", self.cert.display()))
            }
            why => BadFile::new(&self.cert, why),
        })
    }

    /// Sees whether both can be used together.
    ///
    /// # Errors
    /// As it says.
    pub fn check(&self) -> Result<(), BadFile> {
        self.read().map(drop)
    }
}

/// The authorities in a file.
pub(super) fn roots(file: &Path) -> Result<Arc<RootCertStore>, BadFile> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots.add(certificate).map_err(|why| BadFile::new(file, why))?;
    }
    Ok(Arc::new(roots))
}

/// The certificates in a file; at least one.
fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, BadFile> {
    let text = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(BadFile::new(file, "there is no certificate in it (PEM)")),
        Err(why) => Err(BadFile::new(file, format!("it is no PEM: {why}"))),
    }
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, BadFile> {
    let text = read(file)?;
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| BadFile::new(file, "there is no private key in it (PEM)"))?;
    let mode = fs::metadata(file).map_err(|why| BadFile::new(file, why))?.mode() & 0o7777;
    if mode & 0o007 != 0 {
        let why = format!("mode {mode:04o}: everybody can use the key (chmod 600)");
        return Err(BadFile::new(file, why));
    }
    Ok(key)
}

fn read(file: &Path) -> Result<Vec<u8>, BadFile> {
    let bad = |why: std::io::Error| BadFile::new(file, why);
    // Asked before opening: to open a pipe would wait for its writer.
    if !fs::metadata(file).map_err(bad)?.is_file() {
        return Err(BadFile::new(file, "it is no file"));
    }
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(bad)?;
    opened.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(bad)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(BadFile::new(file, "it has more than 1 MiB"));
    }
    Ok(bytes)
}
