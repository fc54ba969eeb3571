//! The configuration as it was written, kept beside its typed form so that later findings and questions have
//! places too.

use std::fmt;

use super::finding::Place;
use super::tree::{Entry, Kind, Node, Source, Spot};

/// The tree of file and environment, and the text of the file.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) source: Source,
    pub(super) root: Node,
}

impl fmt::Debug for Written {
    /// The tree may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Written({:?})", self.source)
    }
}

impl Written {
    /// The entry at a path such as `servers.gate.rootport`.
    pub(super) fn entry(&self, path: &str) -> Option<&Entry> {
        let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
        let section = if section.is_empty() {
            &self.root
        } else {
            self.value(section)?
        };
        section.as_table()?.get(key)
    }

    /// The value at a path such as `servers.net.remoteport[0].rootname`.
    pub(super) fn value(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(&self.root, |node, part| {
            let (key, index) = part
                .split_once('[')
                .map_or((part, None), |(key, index)| (key, Some(index)));
            let value = &node.as_table()?.get(key)?.value;
            match (index, &value.kind) {
                (None, _) => Some(value),
                (Some(index), Kind::List(elements)) => {
                    elements.get(index.strip_suffix(']')?.parse::<usize>().ok()?)
                }
                (Some(_), _) => None,
            }
        })
    }

    /// Whether a path is given.
    pub(super) fn has(&self, path: &str) -> bool {
        self.value(path).is_some()
    }

    /// The place of a value, if it is given. A section stands at its key.
    pub(super) fn value_place(&self, path: &str) -> Option<Place> {
        self.value(path).map(|node| self.place(&node.spot))
    }

    /// The place of a key, if it is given.
    pub(super) fn key_place(&self, path: &str) -> Option<Place> {
        self.entry(path).map(|entry| self.place(&entry.key_spot))
    }

    /// Lines and columns of a spot.
    pub(super) fn place(&self, spot: &Spot) -> Place {
        self.source.place(spot)
    }

    /// The place of a value, or that of the file when it has its default.
    pub(super) fn value_place_or_file(&self, path: &str) -> Place {
        self.value_place(path).unwrap_or_else(|| self.source.whole())
    }
}
