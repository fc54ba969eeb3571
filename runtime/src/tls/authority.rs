//! An authority of one's own, and a certificate for each node: what `certs init` makes.
//!
//! For a development machine, or a cluster whose operator keeps `ca.key` somewhere safe. Where there is an authority
//! already, its certificates do as well: `ca.pem`, and for each node one with its name as DNS name, for server and client.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::files::{Outlives, replace};

use super::files::{BadFile, authority_in, pair_in, validity};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long an authority holds.
const AUTHORITY: Duration = DAY.saturating_mul(3650);

/// Clocks of other hosts may be so much behind.
const BEHIND: Duration = Duration::from_secs(3600);

/// A certificate that holds for less than this is made anew, and warned of.
pub const SOON: Duration = DAY.saturating_mul(30);

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Where.
    pub folder: &'a Path,
    /// A certificate for links of each name.
    pub nodes: Vec<String>,
    /// How long they hold.
    pub time: Duration,
    /// Whether those that hold for long enough are made anew too.
    pub renew: bool,
}

/// What has become of one of the certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its file.
    pub cert: PathBuf,
    /// Whether it was made now; else it was there, and holds.
    pub made: bool,
}

/// Makes what is missing or about to expire: the authority and the certificates. Keys are the owner's alone.
///
/// # Errors
/// A file cannot be read or written, or the authority that is there cannot be used.
pub fn init(wanted: &Wanted<'_>) -> Result<Vec<Outcome>, BadFile> {
    let folder = wanted.folder;
    let mut maker = DirBuilder::new();
    let made = maker.recursive(true).mode(0o700).create(folder);
    made.map_err(|why| BadFile::new(folder, why))?;
    let cert = authority_in(folder);
    let made = !cert.exists();
    let issuer = if made { found(folder)? } else { known(folder)? };
    let mut outcomes = vec![Outcome { cert, made }];
    for name in &wanted.nodes {
        let pair = pair_in(folder, name);
        let holds = validity(&pair.cert).is_ok_and(|holds| holds.left(SystemTime::now()) > SOON);
        let made = wanted.renew || !holds || pair.check().is_err();
        if made {
            let bad = |why| BadFile::new(&pair.cert, format!("no certificate for {name:?}: {why}"));
            let key = KeyPair::generate().map_err(bad)?;
            let signed = leaf(name, wanted.time).and_then(|leaf| leaf.signed_by(&key, &issuer));
            save(&pair.cert, &pair.key, &signed.map_err(bad)?, &key)?;
        }
        let cert = pair.cert;
        outcomes.push(Outcome { cert, made });
    }
    Ok(outcomes)
}

fn key_of_authority(folder: &Path) -> PathBuf {
    folder.join("ca.key")
}

/// A new authority.
fn found(folder: &Path) -> Result<Issuer<'static, KeyPair>, BadFile> {
    let file = authority_in(folder);
    let bad = |why: rcgen::Error| BadFile::new(&file, why);
    let mut params = of_time(
        CertificateParams::new(Vec::<String>::new()).map_err(bad)?,
        AUTHORITY,
    );
    params
        .distinguished_name
        .push(DnType::CommonName, "Lampyris cluster authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(bad)?;
    let certificate = params.self_signed(&key).map_err(bad)?;
    save(&file, &key_of_authority(folder), &certificate, &key)?;
    Ok(Issuer::new(params, key))
}

/// The authority that is there.
fn known(folder: &Path) -> Result<Issuer<'static, KeyPair>, BadFile> {
    let (file, key_file) = (authority_in(folder), key_of_authority(folder));
    let text = fs::read_to_string(&file).map_err(|why| BadFile::new(&file, why))?;
    let key = fs::read_to_string(&key_file).map_err(|why| BadFile::new(&key_file, why))?;
    let key = KeyPair::from_pem(&key).map_err(|why| BadFile::new(&key_file, why))?;
    Issuer::from_ca_cert_pem(&text, key).map_err(|why| BadFile::new(&file, why))
}

fn leaf(name: &str, time: Duration) -> Result<CertificateParams, rcgen::Error> {
    let mut params = of_time(CertificateParams::new(vec![name.to_owned()])?, time);
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn of_time(mut params: CertificateParams, time: Duration) -> CertificateParams {
    let now = SystemTime::now();
    params.not_before = (now - BEHIND).into();
    params.not_after = (now + time).into();
    params
}

fn save(cert: &Path, key: &Path, certificate: &Certificate, pair: &KeyPair) -> Result<(), BadFile> {
    // The key first: whoever looks at both in between finds a key that does not fit, and waits.
    let write = |file: &Path, mode, text: String| {
        replace(file, mode, text.as_bytes(), Outlives::PowerCut).map_err(|why| BadFile::new(file, why))
    };
    write(key, 0o600, pair.serialize_pem())?;
    write(cert, 0o644, certificate.pem())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn made(folder: &Path, nodes: &[&str], days: u32) -> Vec<bool> {
        let wanted = Wanted {
            folder,
            nodes: nodes.iter().map(|name| (*name).to_owned()).collect(),
            time: DAY * days,
            renew: false,
        };
        init(&wanted)
            .unwrap()
            .iter()
            .map(|outcome| outcome.made)
            .collect()
    }

    #[test]
    fn what_is_there_and_holds_is_kept_and_the_rest_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let certs = folder.path().join("certs");
        assert_eq!(made(&certs, &["master", "gate"], 20), [true, true, true]);
        assert_eq!(
            made(&certs, &["master", "gate", "game_1"], 365),
            [false, true, true, true]
        );
        assert_eq!(made(&certs, &["master", "gate", "game_1"], 365), [false; 4]);
        let mode = |name: &str| fs::metadata(certs.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode("ca.key"), mode("gate.key"), mode("gate.pem")),
            (0o600, 0o600, 0o644)
        );
        assert_eq!(fs::read_dir(&certs).unwrap().count(), 8, "no draft is left");
        let days = validity(&certs.join("gate.pem"))
            .unwrap()
            .left(SystemTime::now())
            .as_secs()
            / DAY.as_secs();
        assert!((363..=365).contains(&days), "{days}");
    }

    #[test]
    fn names_that_are_none_for_a_certificate_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = Wanted {
            folder: folder.path(),
            nodes: vec!["ü".to_owned()],
            time: DAY,
            renew: false,
        };
        assert!(init(&wanted).is_err());
    }
}
