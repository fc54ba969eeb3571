//! One section at a time: each key as a checked value, or a finding.
//!
//! A [`Section`] remembers which keys were asked for, so the keys nobody knows are those that are left over.
//! What the keys mean is not its business.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::finding::{Code, Finding, Findings, Place, did_you_mean, quoted};
use super::render::is_sensitive;
use super::secret::Secret;
use super::shape::{Outline, Shape};
use super::tree::{Kind, Node, Source, Spot, Table, join};
use super::units;

/// What reading needs besides the tree.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) findings: &'a Findings,
    /// The folder that paths are relative to.
    pub(super) base: &'a Path,
    /// Where the keys that are asked for are noted, if anybody wants to know.
    pub(super) outline: Option<&'a Outline>,
}

/// A table of the tree that is being read.
pub(super) struct Section<'a> {
    reader: Reader<'a>,
    table: &'a Table,
    spot: Spot,
    path: String,
    asked: RefCell<Vec<&'static str>>,
}

/// Puts a value where its default stood, if there is one.
pub(super) fn put<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

impl<'a> Section<'a> {
    /// The section at `path`; `spot` is where a missing key is reported.
    pub(super) fn new(reader: Reader<'a>, table: &'a Table, spot: Spot, path: String) -> Self {
        Self {
            reader,
            table,
            spot,
            path,
            asked: RefCell::default(),
        }
    }

    /// Paths, files, and where findings go.
    pub(super) fn reader(&self) -> Reader<'a> {
        self.reader
    }

    /// The keys as written.
    pub(super) fn table(&self) -> &'a Table {
        self.table
    }

    /// The full path of a key.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Where the section stands.
    pub(super) fn place(&self) -> Place {
        self.reader.source.place(&self.spot)
    }

    /// The value of a key as written, and the key counts as known.
    pub(super) fn raw(&self, key: &'static str) -> Option<&'a Node> {
        self.ask(key, &Shape::Own)
    }

    /// The value of a key that is declared to be of a shape, as written.
    fn ask(&self, key: &'static str, shape: &Shape) -> Option<&'a Node> {
        self.asked.borrow_mut().push(key);
        if let Some(outline) = self.reader.outline {
            outline.note(self.path_of(key), shape.clone());
        }
        self.table.get(key).map(|entry| &entry.value)
    }

    /// Whether the key is given, be it well or badly.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    /// Reports a finding.
    pub(super) fn add(&self, finding: Finding) {
        self.reader.findings.add(finding);
    }

    /// A fault about the value of a key.
    pub(super) fn fault_at(&self, code: Code, key: &str, node: &Node) -> Finding {
        let found = if is_sensitive(key) {
            "***".to_owned()
        } else {
            node.shown()
        };
        Finding::fault(code, self.reader.source.place(&node.spot), self.path_of(key)).found(found)
    }

    /// The value of a key by `parse`, which answers with the kind of fault when it cannot be used.
    fn take<T>(
        &self,
        key: &'static str,
        shape: &Shape,
        parse: impl FnOnce(&'a Node) -> Result<T, Code>,
    ) -> Option<T> {
        let node = self
            .ask(key, shape)
            .filter(|node| !matches!(node.kind, Kind::Faulty))?;
        parse(node)
            .map_err(|code| self.add(self.fault_at(code, key, node).allowed(shape.allowed())))
            .ok()
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &'static str) -> Option<bool> {
        self.take(key, &Shape::Boolean, |node| match &node.kind {
            Kind::Bool(value) => Ok(*value),
            Kind::Text(text) if node.loose => text.parse().map_err(|_| Code::WrongType),
            _ => Err(Code::WrongType),
        })
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        self.take(key, &Shape::Text, |node| text_of(node).map(str::to_owned))
    }

    /// A text that nobody shall see.
    pub(super) fn secret(&self, key: &'static str) -> Option<Secret> {
        self.take(key, &Shape::Secret, |node| text_of(node).map(Secret::new))
    }

    /// A path, made absolute from the folder of the file.
    pub(super) fn path(&self, key: &'static str) -> Option<PathBuf> {
        let absolute = |text: &str| self.reader.base.join(text);
        self.take(key, &Shape::Path, |node| text_of(node).map(absolute))
    }

    /// A whole number within bounds.
    pub(super) fn integer<T: TryFrom<i128>>(
        &self,
        key: &'static str,
        bounds: RangeInclusive<i128>,
    ) -> Option<T> {
        self.take(key, &Shape::Integer(bounds.clone()), |node| {
            let value = integer_of(node).ok_or(Code::WrongType)?;
            let value = Some(value)
                .filter(|value| bounds.contains(value))
                .ok_or(Code::OutOfRange)?;
            T::try_from(value).map_err(|_| Code::OutOfRange)
        })
    }

    /// A port.
    pub(super) fn port(&self, key: &'static str) -> Option<u16> {
        self.take(key, &Shape::Port, |node| {
            let value = integer_of(node).ok_or(Code::WrongType)?;
            u16::try_from(value)
                .ok()
                .filter(|port| *port > 0)
                .ok_or(Code::BadPort)
        })
    }

    /// A duration within bounds.
    pub(super) fn duration(&self, key: &'static str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        self.take(key, &Shape::Duration(bounds.clone()), |node| {
            let text = text_of(node).map_err(|_| Code::BadDuration)?;
            units::parse_duration(text)
                .filter(|value| bounds.contains(value))
                .ok_or(Code::BadDuration)
        })
    }

    /// A size in bytes within bounds.
    pub(super) fn size(&self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<u64> {
        self.take(key, &Shape::Size(bounds.clone()), |node| {
            let size = match integer_of(node) {
                Some(bytes) => u64::try_from(bytes).ok(),
                None => text_of(node).ok().and_then(units::parse_size),
            };
            size.filter(|size| bounds.contains(size)).ok_or(Code::BadSize)
        })
    }

    /// An address to bind.
    pub(super) fn bind(&self, key: &'static str) -> Option<IpAddr> {
        self.take(key, &Shape::Bind, |node| {
            text_of(node)?.parse().map_err(|_| Code::BadAddress)
        })
    }

    /// An address or a name at which a host is reached.
    pub(super) fn host(&self, key: &'static str) -> Option<String> {
        self.take(key, &Shape::Host, |node| {
            let text = text_of(node)?;
            if is_host(text) {
                Ok(text.to_owned())
            } else {
                Err(Code::BadAddress)
            }
        })
    }

    /// The address of an HTTP server: no TLS, no user, nothing behind the path.
    pub(super) fn server(&self, key: &'static str) -> Option<String> {
        self.take(key, &Shape::Server, |node| {
            let text = text_of(node)?;
            if is_server(text) {
                Ok(text.trim_end_matches('/').to_owned())
            } else {
                Err(Code::BadAddress)
            }
        })
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let shape = Shape::Words(words.iter().map(|(word, _)| (*word).to_owned()).collect());
        let node = self
            .ask(key, &shape)
            .filter(|node| !matches!(node.kind, Kind::Faulty))?;
        let text = text_of(node).unwrap_or_default();
        let known = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if known.is_none() {
            let fault = self.fault_at(Code::UnknownWord, key, node);
            let help = did_you_mean(text, words.iter().map(|(word, _)| *word));
            self.add(fault.allowed(shape.allowed()).help(help));
        }
        known
    }

    /// The elements of a list.
    pub(super) fn list(&self, key: &'static str, allowed: &str) -> Option<&'a [Node]> {
        self.take(key, &Shape::List(allowed.to_owned()), |node| match &node.kind {
            Kind::List(elements) => Ok(elements.as_slice()),
            _ => Err(Code::WrongType),
        })
    }

    /// A section inside of this one.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        let spot = self.table.get(key).map(|entry| entry.key_spot.clone());
        let table = self.take(key, &Shape::Section, |node| {
            node.as_table().ok_or(Code::WrongType)
        })?;
        Some(Section::new(self.reader, table, spot?, self.path_of(key)))
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self) {
        let mut known = self.asked.into_inner();
        known.sort_unstable();
        known.dedup();
        for entry in self.table.entries() {
            if self.reader.findings.full() {
                return;
            }
            if known.contains(&entry.key.as_str()) {
                continue;
            }
            let place = self.reader.source.place(&entry.key_spot);
            let fault = Finding::fault(Code::UnknownKey, place, join(&self.path, &entry.key));
            let help = did_you_mean(&entry.key, known.iter().copied());
            let allowed = known
                .iter()
                .filter(|key| **key != "$schema")
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            self.reader
                .findings
                .add(fault.found(quoted(&entry.key)).allowed(allowed).help(help));
        }
    }
}

/// The text of a value, unless it is empty.
pub(super) fn text_of(node: &Node) -> Result<&str, Code> {
    match &node.kind {
        Kind::Text(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(Code::WrongType),
    }
}

/// The whole number that a value is; of a variable, its text may be one.
pub(super) fn integer_of(node: &Node) -> Option<i128> {
    match &node.kind {
        Kind::Integer(value) => Some(*value),
        Kind::Text(text) if node.loose => text.trim().parse().ok(),
        _ => None,
    }
}

/// Whether a text is an IP address or follows the rules for names of hosts.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let inner = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && !digits_only && text.split('.').all(label))
}

/// Whether a text is `http://HOST`, perhaps with a port and a path.
fn is_server(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, "80"),
    };
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match inside {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_host(host) && !host.contains(':'),
    };
    let path_fits = rest
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"?#@".contains(&byte));
    host_fits && path_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_reached_without_tls_and_without_a_user() {
        for good in [
            "http://127.0.0.1:4318",
            "http://collector",
            "http://[::1]:4318",
            "http://[::1]",
            "http://collector.example.com:4318/otlp/",
        ] {
            assert!(is_server(good), "{good}");
        }
        for bad in [
            "https://collector:4318",
            "collector:4318",
            "http://",
            "http://:4318",
            "http://a:0",
            "http://a:65536",
            "http://a:b",
            "http://user@a",
            "http://a/?x",
            "http://a b",
            "http://::1:4318",
        ] {
            assert!(!is_server(bad), "{bad}");
        }
    }

    #[test]
    fn hosts_are_addresses_or_names() {
        for good in ["127.0.0.1", "::1", "localhost", "game-1.example.com", "db_1"] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "1.2.3",
            "1.2.3.256",
            "host:80",
            "http://host",
            "-a",
            "a..b",
            "[::1]",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
