//! Sessions that outlive their master: a file in the run folder, which the next one reads.
//!
//! Whoever reads the file cannot log in with it: it has hashes in place of ids. Tokens go into them, so that with other
//! tokens than before no session is good any more. It must not know how long sessions last.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lampyris_runtime::files::{self, Outlives};
use lampyris_runtime::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Who;
use super::sessions::{Session, Sessions};

/// The file's name in the run folder.
const FILE: &str = "sessions.json";

/// A session in the file.
#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    /// The name of whose it is.
    who: String,
    /// When it began, in seconds since 1970.
    opened: u64,
    /// When it was used last, likewise; a minute may be missing.
    used: u64,
}

/// The file.
pub(super) struct Kept {
    path: PathBuf,
    tokens: [u8; 32],
}

impl Kept {
    /// The file of a run folder, for sessions that were opened with these tokens.
    pub(super) fn new(run_dir: &Path, tokens: [u8; 32]) -> Self {
        Self {
            path: run_dir.join(FILE),
            tokens,
        }
    }

    /// What stands for the id of a session.
    pub(super) fn key(&self, id: &str) -> String {
        let hash = Sha256::new().chain_update(self.tokens).chain_update(id);
        hex::encode(hash.finalize())
    }

    /// The sessions that an earlier master has left, of those people that there still are. A file that is not as it
    /// should be costs the sessions, and a warning.
    pub(super) fn read(&self, people: &[Who]) -> Sessions {
        let mut sessions = Sessions::default();
        let lines = fs::read(&self.path).and_then(|bytes| Ok(serde_json::from_slice::<Vec<Line>>(&bytes)?));
        let lines = match lines {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return sessions,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "sessions of the page cannot be read");
                return sessions;
            }
        };
        for line in lines {
            let who = people.iter().find(|who| who.name == line.who);
            let times = instant(line.opened).zip(instant(line.used));
            if let (Some(who), Some((opened, used))) = (who, times) {
                let who = who.clone();
                sessions.resume(line.key, Session { who, opened, used });
            }
        }
        sessions
    }

    /// Writes the sessions down. If that fails they end with this master.
    pub(super) fn write(&self, sessions: &Sessions) {
        let lines = sessions.all().map(|(key, session)| Line {
            key: key.to_owned(),
            who: session.who.name.clone(),
            opened: seconds(session.opened),
            used: seconds(session.used),
        });
        let written = serde_json::to_vec(&lines.collect::<Vec<_>>())
            .map_err(io::Error::other)
            .and_then(|text| files::replace(&self.path, 0o600, &text, Outlives::Process));
        if let Err(error) = written {
            tracing::warn!(path = %self.path.display(), %error, "sessions of the page cannot be kept");
        }
    }
}

/// A moment by the clock on the wall, which the next master shares.
fn seconds(moment: Instant) -> u64 {
    let at = SystemTime::now().checked_sub(moment.elapsed());
    let since = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs())
}

/// The reverse; `None` for what was before the start of the machine, or is still to come.
fn instant(seconds: u64) -> Option<Instant> {
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    let ago = SystemTime::now().duration_since(at).ok()?;
    Instant::now().checked_sub(ago)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lampyris_runtime::config::Role;

    fn who(name: &str) -> Who {
        Who {
            name: name.into(),
            role: Role::Viewer,
        }
    }

    #[test]
    fn the_next_master_knows_the_sessions_of_those_who_are_still_there() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path(), [1; 32]);
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        sessions.open(kept.key("a"), who("eve"), now);
        sessions.open(kept.key("b"), who("bob"), now);
        kept.write(&sessions);
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains("\"a\""), "an id in {text}");
        let mut next = kept.read(&[who("eve")]);
        assert_eq!(next.whose(&kept.key("a"), Instant::now()), Some(who("eve")));
        assert_eq!(next.whose(&kept.key("b"), Instant::now()), None, "no such token");
        let other = Kept::new(folder.path(), [2; 32]);
        let mut next = other.read(&[who("eve")]);
        assert_eq!(next.whose(&other.key("a"), Instant::now()), None, "other tokens");
    }

    #[test]
    fn times_go_on_and_a_broken_file_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path(), [1; 32]);
        let old = instant(seconds(Instant::now()).saturating_sub(7200)).unwrap();
        let mut sessions = Sessions::default();
        sessions.open(kept.key("idle"), who("eve"), old);
        kept.write(&sessions);
        let mut next = kept.read(&[who("eve")]);
        assert_eq!(
            next.whose(&kept.key("idle"), Instant::now()),
            None,
            "idle for too long"
        );
        for broken in [
            "",
            "{",
            "[1]",
            "[{\"key\":\"a\",\"who\":\"eve\",\"opened\":18446744073709551615,\"used\":0}]",
        ] {
            fs::write(folder.path().join(FILE), broken).unwrap();
            assert_eq!(kept.read(&[who("eve")]).all().count(), 0, "{broken}");
        }
    }
}
