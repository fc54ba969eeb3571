//! What a value may be, as the reader of its key declares it; and the list of all that the readers declare.
//!
//! One declaration serves three ends: the words of a fault, the check itself, and the schema. What a key means is not
//! its business.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::units;

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Looked at as it is written: only its reader knows the form.
    Own,
    Boolean,
    Text,
    Secret,
    Path,
    Port,
    /// An address to bind.
    Bind,
    /// An address or a name at which a host is reached.
    Host,
    /// The address of an HTTP server without TLS.
    Server,
    Integer(RangeInclusive<i128>),
    Duration(RangeInclusive<Duration>),
    Size(RangeInclusive<u64>),
    Words(Vec<String>),
    /// The elements are told in the words of a fault.
    List(String),
    Section,
}

impl Shape {
    /// What may stand there, for the message of a fault.
    pub(super) fn allowed(&self) -> String {
        let words = match self {
            Self::Own => "",
            Self::Boolean => "true or false",
            Self::Text | Self::Secret => "a text that is not empty",
            Self::Path => "a path; it is relative to the folder of this file",
            Self::Port => "a port from 1 to 65535",
            Self::Bind => "an IP address of this machine, such as \"127.0.0.1\", or \"0.0.0.0\" for all",
            Self::Host => "an IP address or the name of a host, without a port",
            Self::Server => {
                "the address of a server without TLS, such as \"http://127.0.0.1:4318\"; where https is wanted, \
                 a collector on this host can send on what it gets"
            }
            Self::Section => "a section of keys",
            Self::List(allowed) => allowed,
            Self::Integer(bounds) => {
                return format!("a whole number from {} to {}", bounds.start(), bounds.end());
            }
            Self::Duration(bounds) => {
                let (low, high) = (
                    units::show_duration(*bounds.start()),
                    units::show_duration(*bounds.end()),
                );
                return format!("{}; from {low} to {high}", units::DURATION_FORM);
            }
            Self::Size(bounds) => {
                let (low, high) = (units::show_size(*bounds.start()), units::show_size(*bounds.end()));
                return format!("{}; from {low} to {high}", units::SIZE_FORM);
            }
            Self::Words(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
                return words.join(", ");
            }
        };
        words.to_owned()
    }
}

/// Every key that was asked for while a configuration was read, with its shape.
#[derive(Debug, Default)]
pub(super) struct Outline(RefCell<Vec<(String, Shape)>>);

impl Outline {
    /// Notes a key. What was declared first counts, unless nothing was said then.
    pub(super) fn note(&self, path: String, shape: Shape) {
        let mut keys = self.0.borrow_mut();
        match keys.iter_mut().find(|(known, _)| *known == path) {
            Some((_, known)) if *known == Shape::Own => *known = shape,
            Some(_) => {}
            None => keys.push((path, shape)),
        }
    }

    /// All of them, in the order in which they were asked for.
    pub(super) fn into_keys(self) -> Vec<(String, Shape)> {
        self.0.into_inner()
    }
}
