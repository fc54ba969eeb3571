//! The certificates that a configuration names: whether they can be used, and until when.
//!
//! A file may serve several hosts, and each host has the certificates of its own nodes. So it is a fault here if one
//! that is there cannot be used; that one is missing is a fault of the node that needs it ([`Config::link_tls`]).

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::Config;
use super::finding::{Code, Finding, Findings};
use super::model::NodeConfig;
use crate::name::MASTER;
use crate::tls::{BadFile, ClientTls, LinkTls, Pair, authority_in, pair_in, validity};

/// A certificate that holds for less than this is warned of.
pub const EXPIRES_SOON: Duration = crate::tls::authority::SOON;

const DAY: u64 = 24 * 3600;

/// A certificate that a process needs cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {key}: {why}")]
pub struct BadCertificate {
    /// The key that names it.
    pub key: String,
    /// Where that key stands.
    pub origin: String,
    /// The file, and what is wrong with it.
    pub why: BadFile,
}

/// A certificate on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCertificate {
    /// The key that names it, such as `link.certs`.
    pub key: String,
    /// Its file.
    pub file: PathBuf,
}

impl Config {
    /// What the links of a node or the master need to be encrypted; `None` if they are not.
    ///
    /// # Errors
    /// A file is missing or cannot be used.
    pub fn link_tls(&self, name: &str) -> Result<Option<LinkTls>, BadCertificate> {
        let Some(folder) = &self.link.certs else {
            return Ok(None);
        };
        let tls = LinkTls::load(folder, name);
        tls.map(Some)
            .map_err(|why| self.bad_certificate("link.certs".to_owned(), why))
    }

    /// What a node's port for game clients needs to be encrypted; `None` if it is not.
    ///
    /// # Errors
    /// A file is missing or cannot be used.
    pub fn client_tls(&self, node: &NodeConfig) -> Result<Option<ClientTls>, BadCertificate> {
        let Some(pair) = &node.clients.tls else {
            return Ok(None);
        };
        let tls = ClientTls::load(pair.clone());
        tls.map(Some)
            .map_err(|why| self.bad_certificate(format!("servers.{}.tls", node.name), why))
    }

    fn bad_certificate(&self, key: String, why: BadFile) -> BadCertificate {
        BadCertificate {
            origin: self.origin(&key),
            key,
            why,
        }
    }

    /// The certificates that are on this host: the authority's, those of links, those for game clients.
    pub fn certificates(&self) -> Vec<NamedCertificate> {
        let of_links = self.link.certs.iter().flat_map(|folder| {
            let nodes = self.nodes.iter().map(|node| node.name.as_str());
            let pairs = std::iter::once(MASTER)
                .chain(nodes)
                .map(|name| pair_in(folder, name).cert);
            std::iter::once(authority_in(folder)).chain(pairs)
        });
        let of_links = of_links.map(|file| NamedCertificate {
            key: "link.certs".to_owned(),
            file,
        });
        let of_clients = self.nodes.iter().filter_map(|node| {
            Some(NamedCertificate {
                key: format!("servers.{}.tls.cert", node.name),
                file: node.clients.tls.as_ref()?.cert.clone(),
            })
        });
        of_links
            .chain(of_clients)
            .filter(|named| named.file.exists())
            .collect()
    }
}

/// Certificates that are there can be used, and hold.
pub(super) fn check(config: &Config, findings: &Findings) {
    if let Some(folder) = &config.link.certs {
        let nodes = config.nodes.iter().map(|node| node.name.as_str());
        let pairs = std::iter::once(MASTER)
            .chain(nodes)
            .map(|name| pair_in(folder, name));
        let there: Vec<Pair> = pairs
            .filter(|pair| pair.cert.exists() || pair.key.exists())
            .collect();
        let help = "`certs init` makes them";
        if there.is_empty() {
            let none = BadFile {
                file: folder.clone(),
                why: "there is no certificate of a node in it".to_owned(),
            };
            fault(config, "link.certs", &none, help, findings);
        } else if let Err(why) = validity(&authority_in(folder)) {
            fault(config, "link.certs", &why, help, findings);
        }
        for why in there.iter().filter_map(|pair| pair.check().err()) {
            fault(config, "link.certs", &why, help, findings);
        }
    }
    for node in config.nodes.iter() {
        let Some(pair) = &node.clients.tls else { continue };
        // On another host there may be others.
        let absent = !node.start && !pair.cert.exists() && !pair.key.exists();
        if let Some(why) = pair.check().err().filter(|_| !absent) {
            let which = if why.file == pair.key { "key" } else { "cert" };
            let key = format!("servers.{}.tls.{which}", node.name);
            fault(
                config,
                &key,
                &why,
                "both in PEM, the key for its owner alone (chmod 600)",
                findings,
            );
        }
    }
    let now = SystemTime::now();
    for named in config.certificates() {
        expiry(config, &named, now, findings);
    }
}

fn fault(config: &Config, key: &str, why: &BadFile, help: &str, findings: &Findings) {
    let fault = Finding::fault(Code::Certificate, config.written.value_place_or_file(key), key);
    let fault = fault
        .found(why.to_string())
        .allowed("files of a certificate and its key");
    findings.add(fault.help(help.to_owned()));
}

fn expiry(config: &Config, named: &NamedCertificate, now: SystemTime, findings: &Findings) {
    // What cannot be read has been reported.
    let Ok(validity) = validity(&named.file) else {
        return;
    };
    let left = validity.left(now);
    let holds = validity.holds(now);
    if holds && left >= EXPIRES_SOON {
        return;
    }
    let file = named.file.display();
    let place = config.written.value_place_or_file(&named.key);
    let finding = if holds {
        let found = format!("{file}: it expires in {} days", left.as_secs() / DAY);
        Finding::warning(Code::Expiry, place, named.key.clone()).found(found)
    } else if left.is_zero() {
        Finding::fault(Code::Expiry, place, named.key.clone()).found(format!("{file}: it has expired"))
    } else {
        Finding::fault(Code::Expiry, place, named.key.clone()).found(format!("{file}: it does not hold yet"))
    };
    findings.add(finding.allowed("a certificate that holds for at least 30 days more"));
}
