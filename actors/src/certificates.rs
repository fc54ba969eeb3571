//! The certificates of a running process: renewed when their files change, and warned of before they expire.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lampyris_runtime::config::{Config, EXPIRES_SOON, NamedCertificate};
use lampyris_runtime::name::MASTER;
use lampyris_runtime::tls::{ClientTls, LinkTls, authority_in, keep_fresh, pair_in, validity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::unix_ms;

/// How often the dates are looked at.
const DAILY: Duration = Duration::from_secs(24 * 3600);

/// A certificate on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateInfo {
    /// The key of the configuration that names it.
    pub key: String,
    /// Its file.
    #[schema(value_type = String)]
    pub file: PathBuf,
    /// Until when it holds, in milliseconds of Unix time.
    pub until_ms: u64,
    /// Whole days until then; 0 if it has expired.
    pub days_left: u64,
    /// Whether it holds for less than 30 days.
    pub soon: bool,
}

/// The certificates that a configuration names and that are on this host, with their dates. Reads their files.
pub fn certificates(config: &Config) -> Vec<CertificateInfo> {
    with_dates(config.certificates())
}

/// Those of them that a process of this name uses.
pub(crate) fn certificates_of(config: &Config, name: &str) -> Vec<CertificateInfo> {
    let folder = config.link.certs.as_deref();
    let of_links = folder.map(|folder| [authority_in(folder), pair_in(folder, name).cert]);
    let of_clients = format!("servers.{name}.tls.cert");
    let mut named = config.certificates();
    named.retain(|named| {
        let of_links = of_links.as_ref();
        named.key == of_clients || of_links.is_some_and(|files| files.contains(&named.file))
    });
    with_dates(named)
}

fn with_dates(named: Vec<NamedCertificate>) -> Vec<CertificateInfo> {
    let now = SystemTime::now();
    let info = named.into_iter().filter_map(|named| {
        let validity = validity(&named.file).ok()?;
        let left = validity.left(now);
        Some(CertificateInfo {
            key: named.key,
            file: named.file,
            until_ms: unix_ms(validity.until),
            days_left: left.as_secs() / DAILY.as_secs(),
            soon: left < EXPIRES_SOON,
        })
    });
    info.collect()
}

/// What a process does about its certificates, for as long as it runs.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Renews what it uses when the files change. The master also warns, now and daily, of every certificate on its host
/// that expires soon.
pub(crate) fn tasks(
    config: &Arc<Config>,
    name: &str,
    links: Option<Arc<LinkTls>>,
    clients: Option<Arc<ClientTls>>,
) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    if name == MASTER && !config.certificates().is_empty() {
        tasks.push(Box::pin(warn_daily(Arc::clone(config))));
    }
    if let Some(tls) = links {
        tasks.push(Box::pin(keep_fresh(tls.files(), move || tls.renew())));
    }
    if let Some(tls) = clients {
        tasks.push(Box::pin(keep_fresh(tls.files(), move || tls.renew())));
    }
    tasks
}

async fn warn_daily(config: Arc<Config>) {
    loop {
        for certificate in certificates(&config)
            .iter()
            .filter(|certificate| certificate.soon)
        {
            let CertificateInfo {
                key, file, days_left, ..
            } = certificate;
            tracing::warn!(key, file = %file.display(), days_left, "a certificate expires soon");
        }
        tokio::time::sleep(DAILY).await;
    }
}
