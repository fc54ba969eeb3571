//! Which keys there are, but for the nodes' and the data layer's: each section of the tree to its type in `model`.
//!
//! Rules that concern more than one value are not here but in `check`.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use crate::name::MAX_NAME;

use super::finding::{Code, Finding, did_you_mean};
use super::model::{LinkConfig, LogConfig, LogFormat, MasterConfig};
use super::read::{Section, put};
use super::secret::Secret;
use crate::supervisor::policy::{Restart, RestartPolicy};

const RESTART_WORDS: [(&str, Restart); 3] = [
    ("permanent", Restart::Permanent),
    ("transient", Restart::Transient),
    ("temporary", Restart::Temporary),
];

/// The five levels of the log and silence.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "off"];

/// Bounds of most durations.
pub(super) const SOME_TIME: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);

/// Bounds of durations that count in days as well.
pub(super) const LONG_TIME: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(7 * 24 * 3600);

/// Bounds of most sizes.
pub(super) const SOME_BYTES: RangeInclusive<u64> = 1024..=1 << 30;

/// Bounds of most counts.
pub(super) const SOME: RangeInclusive<i128> = 1..=10_000_000;

/// What the file says at its top, beside the sections.
pub(super) struct Top {
    pub(super) name: Option<String>,
    pub(super) run_dir: Option<std::path::PathBuf>,
    pub(super) secret: Option<Secret>,
    pub(super) secret_file: Option<std::path::PathBuf>,
}

/// The keys at the top that are no sections.
pub(super) fn top(root: &Section<'_>) -> Top {
    root.raw("$schema");
    Top {
        name: root.text("name").and_then(|name| {
            let fits = name.len() <= MAX_NAME && !name.contains(|c: char| c.is_control() || c == '/');
            if !fits && let Some(node) = root.raw("name") {
                let fault = root.fault_at(Code::BadName, "name", node);
                root.add(fault.allowed("at most 64 bytes, no '/' and no control characters"));
            }
            fits.then_some(name)
        }),
        run_dir: root.path("run_dir"),
        secret: root.secret("secret"),
        secret_file: root.path("secret_file"),
    }
}

/// Section `master`. Without one the master has its defaults, and there is a fault.
pub(super) fn master(root: &Section<'_>) -> MasterConfig {
    let mut master = MasterConfig::default();
    if !root.has("master") {
        missing(root, "master", "a section `master`, if only {\"rootport\": 9999}");
    }
    let Some(section) = root.section("master") else {
        return master;
    };
    put(&mut master.roothost, section.host("roothost"));
    put(&mut master.rootport, section.port("rootport"));
    put(&mut master.rootbind, section.bind("rootbind"));
    master.webport = section.port("webport");
    put(&mut master.webbind, section.bind("webbind"));
    master.log = section.path("log");
    restart(&section, &mut master.restart);
    section.finish();
    master
}

/// Reports that a section is absent.
pub(super) fn missing(root: &Section<'_>, key: &str, allowed: &str) {
    let fault = Finding::fault(Code::MissingSection, root.reader().source.whole(), key);
    root.add(fault.found("nothing").allowed(allowed));
}

/// The keys that the master has for all nodes, and each node for itself.
pub(super) fn restart(section: &Section<'_>, policy: &mut RestartPolicy) {
    put(&mut policy.restart, section.word("restart", &RESTART_WORDS));
    put(&mut policy.intensity, section.integer("intensity", 0..=1000));
    put(&mut policy.period, section.duration("period", LONG_TIME));
}

/// Section `link`.
pub(super) fn link(root: &Section<'_>) -> LinkConfig {
    let mut link = LinkConfig::default();
    let Some(section) = root.section("link") else {
        return link;
    };
    put(&mut link.heartbeat, section.duration("heartbeat", SOME_TIME));
    put(
        &mut link.suspect_after,
        section.duration("suspect_after", SOME_TIME),
    );
    put(&mut link.down_after, section.duration("down_after", SOME_TIME));
    put(
        &mut link.wait,
        section.duration("wait", Duration::ZERO..=Duration::from_secs(600)),
    );
    put(
        &mut link.held_calls,
        section.integer("held_calls", 0..=10_000_000),
    );
    put(&mut link.held_bytes, section.size("held_bytes", 0..=1 << 32));
    put(&mut link.max_message, section.size("max_message", SOME_BYTES));
    put(&mut link.max_queue, section.size("max_queue", 1024..=1 << 34));
    put(&mut link.max_calls, section.integer("max_calls", SOME));
    put(
        &mut link.handshake_timeout,
        section.duration("handshake_timeout", SOME_TIME),
    );
    link.certs = section.path("certs");
    put(&mut link.allow_plaintext, section.boolean("allow_plaintext"));
    section.finish();
    link
}

/// Section `log`.
pub(super) fn log(root: &Section<'_>, run_dir: &Path) -> LogConfig {
    let mut log = LogConfig::under(run_dir);
    let Some(section) = root.section("log") else {
        return log;
    };
    put(&mut log.level, level(&section));
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    put(&mut log.format, section.word("format", &formats));
    put(&mut log.terminal, section.boolean("terminal"));
    put(&mut log.dir, section.path("dir"));
    put(&mut log.max_size, section.size("max_size", 1024..=1 << 40));
    put(&mut log.max_files, section.integer("max_files", 1..=10_000));
    section.finish();
    log
}

/// `level`: a level, or a filter such as `info,lampyris=debug`. A lone word must be a level, else a slip of the
/// finger would name a module and silence the rest.
fn level(section: &Section<'_>) -> Option<String> {
    let text = section.text("level")?;
    let is_level = |word: &str| LEVELS.contains(&word.to_lowercase().as_str());
    let bad = text
        .split(',')
        .map(str::trim)
        .find(|part| match part.rsplit_once('=') {
            _ if part.contains('[') => false,
            Some((target, level)) => target.is_empty() || !is_level(level),
            None => !is_level(part),
        });
    let Some(bad) = bad else { return Some(text) };
    if let Some(value) = section.raw("level") {
        let word = bad.rsplit('=').next().unwrap_or(bad);
        let allowed = format!(
            "{}, or a filter such as \"info,lampyris=debug\"",
            LEVELS.join(", ")
        );
        let fault = section
            .fault_at(Code::UnknownWord, "level", value)
            .allowed(allowed);
        section.add(fault.help(did_you_mean(word, LEVELS)));
    }
    None
}
