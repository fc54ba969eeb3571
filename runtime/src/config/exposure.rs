//! What others could do to the links: secrets that are guessed or read, ports that the network can reach.

use std::net::IpAddr;
use std::path::Path;

use super::Config;
use super::finding::{Code, Finding, Findings};
use super::secret::{BadSecretFile, MIN_SECRET, Secret, read_secret_file};
use super::written::Written;

/// Pieces of texts that stand in documents for a secret of one's own.
const SAMPLE_WORDS: [&str; 10] = [
    "changeme",
    "change-me",
    "change_me",
    "change me",
    "example",
    "password",
    "replace",
    "sample",
    "your-secret",
    "your_secret",
];

/// Rows of characters that fingers type by themselves.
const ROWS: [&str; 3] = ["0123456789", "1234567890", "abcdefghij"];

/// A secret with fewer different characters was not drawn by chance.
const MIN_DIFFERENT: usize = 6;

/// Reads the configured secret, from the file or beside it, and judges it.
pub(super) fn secret(
    written: &Written,
    text: Option<Secret>,
    file: Option<&Path>,
    findings: &Findings,
) -> Option<Secret> {
    if let (Some(_), Some(_)) = (&text, file) {
        let fault = Finding::fault(
            Code::Contradiction,
            written.value_place_or_file("secret_file"),
            "secret_file",
        );
        let fault = fault
            .found("both `secret` and `secret_file`")
            .allowed("one of the two");
        findings.add(fault.also(written.value_place("secret")));
    }
    let (key, secret) = match (text, file) {
        (Some(text), _) => ("secret", text),
        (None, Some(path)) => ("secret_file", from_file(written, path, findings)?),
        (None, None) => return None,
    };
    if let Some(found) = weakness(secret.expose()) {
        let fault = Finding::fault(Code::WeakSecret, written.value_place_or_file(key), key).found(found);
        let fault = fault.allowed(format!("at least {MIN_SECRET} bytes, drawn by chance"));
        findings.add(fault.help("draw one: head -c 32 /dev/urandom | base64".to_owned()));
    }
    Some(secret)
}

fn from_file(written: &Written, path: &Path, findings: &Findings) -> Option<Secret> {
    let error = match read_secret_file(path) {
        Ok(secret) => return Some(secret),
        Err(error) => error,
    };
    let fault = Finding::fault(
        Code::SecretFile,
        written.value_place_or_file("secret_file"),
        "secret_file",
    );
    let allowed = "a text file that only its owner may read and write, mode 0600";
    let help = matches!(error, BadSecretFile::TooOpen(_)).then(|| format!("chmod 600 {}", path.display()));
    findings.add(fault.found(error.to_string()).allowed(allowed).help(help));
    None
}

/// What is wrong with a secret, without telling it.
fn weakness(secret: &str) -> Option<String> {
    let folded = secret.to_lowercase();
    let different = folded.chars().collect::<std::collections::BTreeSet<_>>().len();
    if secret.len() < MIN_SECRET {
        Some(format!("{} bytes", secret.len()))
    } else if SAMPLE_WORDS.iter().any(|word| folded.contains(word))
        || ROWS.iter().any(|row| folded.starts_with(row))
    {
        Some("a secret that everybody knows from examples".to_owned())
    } else if different < MIN_DIFFERENT {
        Some(format!("only {different} different characters"))
    } else {
        None
    }
}

/// A link port that other hosts can reach.
struct Reachable {
    bind_key: String,
    bind: IpAddr,
}

/// Link ports off loopback need a secret that all hosts have, and consent to plain text. An address that others
/// are told to dial should not belong to a port that only this host can reach.
pub(super) fn check(config: &Config, findings: &Findings) {
    let reachable = reachable(config);
    let configured = config.written.has("secret") || config.written.has("secret_file");
    if !configured {
        let help =
            "draw one (head -c 32 /dev/urandom | base64) into a file of mode 0600, the same on each host";
        let allowed = format!(
            "a `secret_file` or `secret` of at least {MIN_SECRET} bytes when a link port is off loopback"
        );
        findings_at_first(config, &reachable, Code::WeakSecret, &allowed, help, findings);
    }
    if config.link.certs.is_none() && !config.link.allow_plaintext {
        let allowed = "127.0.0.1, or link.certs, or link.allow_plaintext = true in a network that only you can listen to";
        let help = "`certs init` makes the certificates for link.certs";
        findings_at_first(config, &reachable, Code::Plaintext, allowed, help, findings);
    }
    unreachable_hosts(config, findings);
}

fn reachable(config: &Config) -> Vec<Reachable> {
    let of_master = Reachable {
        bind_key: "master.rootbind".to_owned(),
        bind: config.master.rootbind,
    };
    let of_nodes = config
        .nodes
        .iter()
        .filter(|node| node.rootport.is_some())
        .map(|node| Reachable {
            bind_key: format!("servers.{}.rootbind", node.name),
            bind: node.rootbind,
        });
    std::iter::once(of_master)
        .chain(of_nodes)
        .filter(|port| !port.bind.is_loopback())
        .collect()
}

fn findings_at_first(
    config: &Config,
    ports: &[Reachable],
    code: Code,
    allowed: &str,
    help: &str,
    findings: &Findings,
) {
    let Some((first, others)) = ports.split_first() else {
        return;
    };
    let place = config.written.value_place_or_file(&first.bind_key);
    let fault = Finding::fault(code, place, first.bind_key.clone());
    let mut fault = fault
        .found(format!("\"{}\"", first.bind))
        .allowed(allowed)
        .help(help.to_owned());
    fault.also = others
        .iter()
        .filter_map(|port| config.written.value_place(&port.bind_key))
        .collect();
    findings.add(fault);
}

fn unreachable_hosts(config: &Config, findings: &Findings) {
    let master = [(
        "master",
        Some(config.master.roothost.clone()),
        "roothost",
        config.master.rootbind,
    )];
    let of_master = master
        .into_iter()
        .map(|(path, host, key, bind)| (path.to_owned(), host, key, bind));
    let of_nodes = config.nodes.iter().filter(|node| node.rootport.is_some());
    let of_nodes = of_nodes.map(|node| {
        (
            format!("servers.{}", node.name),
            node.host.clone(),
            "host",
            node.rootbind,
        )
    });
    for (path, host, key, bind) in of_master.chain(of_nodes) {
        let far = host
            .and_then(|host| host.parse::<IpAddr>().ok())
            .filter(|host| !host.is_loopback());
        let Some(host) = far.filter(|_| bind.is_loopback()) else {
            continue;
        };
        let key = format!("{path}.{key}");
        let warning = Finding::warning(Code::Contradiction, config.written.value_place_or_file(&key), key);
        let warning = warning.found(format!("\"{host}\", while {path}.rootbind is \"{bind}\""));
        let allowed = "a rootbind that other hosts can reach, unless something forwards the port";
        findings.add(
            warning
                .allowed(allowed)
                .also(config.written.value_place(&format!("{path}.rootbind"))),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_known() {
        let weak = [
            "short",
            "changeme-changeme",
            "0123456789abcdef",
            "aaaaaaaaaaaaaaaa",
            "My-Password-Is-Long",
            "abababababababab",
        ];
        for secret in weak {
            assert!(weakness(secret).is_some(), "{secret}");
        }
        assert_eq!(weakness("9f3b1c77aa02de41"), None);
        assert_eq!(weakness("correct horse battery staple"), None);
    }
}
