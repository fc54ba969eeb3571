//! What is wrong with a configuration, and where: one [`Finding`] for each fault or warning.
//!
//! It does not know how a finding came about, nor how it is shown.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// So many findings are reported; a file with more has another problem than those.
pub(super) const MAX_FINDINGS: usize = 200;

/// Longest piece of the user's text in a finding, in characters.
const MAX_QUOTE: usize = 80;

/// Longest key of a finding, in characters.
const MAX_KEY: usize = 200;

/// So many names of a list are told.
const MAX_LISTED: usize = 20;

/// Whether a finding keeps the configuration from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Fault,
    /// It is used; the finding is a hint.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $number:literal, $title:literal;)*) => {
        /// The kinds of findings. The numbers are stable; docs/codes.md explains each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $code = $number,)*
        }

        impl Code {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// What is wrong, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }
        }
    };
}

codes! {
    /// There is no such file.
    Missing = 1, "the configuration file does not exist";
    /// The file cannot be read.
    Unreadable = 2, "the configuration file cannot be read";
    /// A folder, a device, a file of another kind or size.
    NoConfigFile = 3, "this is no configuration file";
    /// Nothing in it.
    Empty = 4, "the configuration file is empty";
    /// Not UTF-8, or a byte order mark.
    Encoding = 5, "the file is not plain UTF-8";
    /// Not JSON, or not TOML.
    Syntax = 6, "the file breaks the rules of its format";
    /// One key given twice.
    DuplicateKey = 7, "a key is given twice";
    /// A key that means nothing here.
    UnknownKey = 8, "unknown key";
    /// A value of another type.
    WrongType = 9, "a value of the wrong type";
    /// A number outside its bounds.
    OutOfRange = 10, "a number outside its bounds";
    /// Not a port.
    BadPort = 11, "not a port";
    /// One port for two uses.
    PortClash = 12, "a port is used twice";
    /// A port that needs a right.
    PrivilegedPort = 13, "a port that this user may not bind";
    /// Not an address.
    BadAddress = 14, "not an address";
    /// Two nodes of one name.
    DuplicateNode = 15, "two nodes have one name";
    /// A name that may not be.
    BadName = 16, "a bad name";
    /// A parent that is not configured.
    UnknownParent = 17, "the parent does not exist";
    /// Nodes that are each other's parents.
    ParentCycle = 18, "the parents form a circle";
    /// A node that dials itself.
    OwnParent = 19, "a node is its own parent";
    /// A section that must be there.
    MissingSection = 20, "a section is missing";
    /// The port of a parent.
    ParentPort = 21, "the parent does not listen there";
    /// Clients that can reach nothing.
    NoLinks = 22, "clients of this node reach no other node";
    /// An application that is missing, or not in the program.
    BadApp = 23, "no such application";
    /// Not a duration.
    BadDuration = 24, "not a duration that is allowed here";
    /// Not a size.
    BadSize = 25, "not a size that is allowed here";
    /// Two values that contradict each other.
    Contradiction = 26, "two values contradict each other";
    /// A secret that is missing, short or known.
    WeakSecret = 27, "no sufficient secret";
    /// A file that others can read.
    SecretFile = 28, "the secret file is not fit";
    /// A link that anyone can listen to.
    Plaintext = 29, "links between hosts are not encrypted";
    /// A folder that cannot be written to.
    Folder = 30, "a folder cannot be used";
    /// Not a database.
    BadDatabase = 31, "no such database";
    /// Not a cache server.
    BadCacheServer = 32, "not a cache server";
    /// No cache server.
    NoCacheServer = 33, "no cache server is named";
    /// A variable that is not set.
    UnsetVariable = 34, "an environment variable is not set";
    /// Not a set of processors.
    BadCpu = 35, "not a set of processors";
    /// Fewer file descriptors than clients.
    FewDescriptors = 36, "the limit of open files is below the clients wanted";
    /// Not one of the words.
    UnknownWord = 37, "not one of the words that are allowed";
    /// A change that a running cluster cannot take over.
    NeedsMaster = 38, "this cannot change while the master runs";
    /// A certificate or key that cannot be used.
    Certificate = 39, "a certificate cannot be used";
    /// A certificate that does not hold, or not for long.
    Expiry = 40, "a certificate does not hold for long enough";
    /// A port that somebody has already.
    PortInUse = 41, "a port is in use";
    /// A file with something secret in it that others can read.
    OpenFile = 42, "others can read what is secret";
    /// A database or cache that cannot be reached.
    NoAnswer = 43, "a server of the data layer does not answer";
}

/// What a place is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration file, as it was named.
    File(Arc<Path>),
    /// An environment variable.
    Env(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(variable) => write!(f, "env {variable}"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A stretch of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stretch {
    /// The line, from 1.
    pub line: usize,
    /// Its first character, from 1.
    pub column: usize,
    /// How many characters, at least 1; not beyond the line.
    pub width: usize,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file or the variable.
    pub origin: Origin,
    /// The characters in the file; absent for a variable, and for the file as a whole.
    #[serde(flatten)]
    pub stretch: Option<Stretch>,
}

impl fmt::Display for Place {
    /// `config.json:4:33`, `config.json` or `env LAMPYRIS__LINK__WAIT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stretch {
            Some(at) => write!(f, "{}:{}:{}", self.origin, at.line, at.column),
            None => write!(f, "{}", self.origin),
        }
    }
}

/// One fault or warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it keeps the configuration from being used.
    pub severity: Severity,
    /// What kind it is.
    #[serde(skip)]
    pub kind: Code,
    /// The stable code: `E012` of a fault, `W007` of a warning.
    pub code: String,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Where.
    pub place: Place,
    /// The key, such as `servers.net.remoteport[0].rootname`; empty for the file as a whole.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
    /// What to do, when it can be guessed.
    pub help: Option<String>,
    /// Other places that have to do with it, such as the other line of a clash.
    pub also: Vec<Place>,
}

impl Finding {
    /// A fault.
    pub(super) fn fault(kind: Code, place: Place, key: impl Into<String>) -> Self {
        Self {
            severity: Severity::Fault,
            kind,
            code: format!("E{:03}", kind as u32),
            title: kind.title(),
            place,
            key: shortened(key.into()),
            found: String::new(),
            allowed: String::new(),
            help: None,
            also: Vec::new(),
        }
    }

    /// A warning.
    pub(super) fn warning(kind: Code, place: Place, key: impl Into<String>) -> Self {
        let code = format!("W{:03}", kind as u32);
        Self {
            severity: Severity::Warning,
            code,
            ..Self::fault(kind, place, key)
        }
    }

    /// The same finding with the words for: what stands there.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    /// The same finding with the words for: what may stand there.
    #[must_use]
    pub fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = allowed.into();
        self
    }

    /// The same finding with the words for: what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    pub(super) fn also(mut self, place: Option<Place>) -> Self {
        self.also.extend(place);
        self
    }
}

/// All findings of one run, collected while the configuration is read.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Vec<Finding>>);

impl Findings {
    /// Takes one more, up to [`MAX_FINDINGS`].
    pub(super) fn add(&self, finding: Finding) {
        let mut list = self.0.borrow_mut();
        if list.len() < MAX_FINDINGS {
            list.push(finding);
        }
    }

    /// Whether no more are taken.
    pub(super) fn full(&self) -> bool {
        self.0.borrow().len() >= MAX_FINDINGS
    }

    /// All of them, sorted by place.
    pub(super) fn into_sorted(self) -> Vec<Finding> {
        let mut list = self.0.into_inner();
        list.sort_by(|a, b| (&a.place, a.kind).cmp(&(&b.place, b.kind)));
        list
    }
}

/// A piece of the user's text in quotation marks: control characters escaped, what is long cut.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= MAX_QUOTE {
        return format!("{text:?}");
    }
    let cut: String = text.chars().take(MAX_QUOTE).collect();
    format!("{cut:?}…")
}

/// A key that nobody would read to its end is cut.
fn shortened(mut key: String) -> String {
    if let Some((at, _)) = key.char_indices().nth(MAX_KEY) {
        key.truncate(at);
        key.push('…');
    }
    key
}

/// The names of a list with commas, the first of them when it is long.
pub(super) fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_LISTED)
        .map(|name| quoted(name).trim_matches('"').to_owned())
        .collect();
    match names.len().saturating_sub(MAX_LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `did you mean "…"?` for the candidate that is at most two edits away from `text`.
pub(super) fn did_you_mean<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if text.len() > 100 {
        return None;
    }
    let near = candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&text.to_lowercase(), candidate),
                candidate,
            )
        })
        .filter(|(edits, candidate)| *edits <= 2 && *edits < candidate.chars().count())
        .min_by_key(|(edits, _)| *edits);
    near.map(|(_, candidate)| format!("did you mean {candidate:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(
            did_you_mean("rotport", ["netport", "rootport"]),
            Some("did you mean \"rootport\"?".into())
        );
        assert_eq!(
            did_you_mean("Gate", ["gate"]),
            Some("did you mean \"gate\"?".into())
        );
        assert_eq!(did_you_mean("cheese", ["netport", "rootport"]), None);
        assert_eq!(did_you_mean("ab", ["db"]), Some("did you mean \"db\"?".into()));
        assert_eq!(did_you_mean("xy", ["db"]), None);
    }

    #[test]
    fn quotes_are_short_and_show_no_control_characters() {
        assert_eq!(quoted("a\u{1b}[2J"), "\"a\\u{1b}[2J\"");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), MAX_QUOTE + 3);
    }
}
