//! Replays the kept inputs of a target, then tries fresh ones for a while.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Target;
use super::mutate::Mutator;
use crate::tell::measured;

/// The variable that says for how many seconds fresh inputs are tried.
pub const SECONDS: &str = "LAMPYRIS_FUZZ_SECONDS";

/// Without it, so long.
const A_MOMENT: Duration = Duration::from_secs(2);

/// One input must not take longer than this on a busy machine.
const LONGEST: Duration = Duration::from_secs(2);

/// Between two looks at the clock.
const ROUND: usize = 64;

/// Replays and tries; gives the number of inputs.
///
/// # Panics
/// An input breaks a promise, or takes too long. It is written to a file first, which is named.
pub fn replay(target: &Target) -> u64 {
    let _end = End(target);
    let kept = kept(target.name);
    let known: Vec<Vec<u8>> = (target.seeds)().into_iter().chain(kept).collect();
    let started = Instant::now();
    let end = started + patience();
    let mut mutator =
        Mutator::new(u64::from(std::process::id()) << 32 | u64::from(started.elapsed().subsec_nanos()));
    let mut tried = 0;
    for input in &known {
        one(target, input);
        tried += 1;
    }
    while Instant::now() < end {
        for _ in 0..ROUND {
            one(target, &mutator.input(&known));
        }
        tried += ROUND as u64;
    }
    measured(format_args!(
        "{}: {tried} inputs in {:?}",
        target.name,
        started.elapsed()
    ));
    tried
}

fn one(target: &Target, input: &[u8]) {
    let begun = Instant::now();
    let broken = Broken { target, input };
    (target.run)(input);
    let took = begun.elapsed();
    assert!(took < LONGEST, "an input took {took:?}");
    drop(broken);
}

/// Ends what a target keeps, also when an input has broken it.
struct End<'a>(&'a Target);

impl Drop for End<'_> {
    fn drop(&mut self) {
        (self.0.end)();
    }
}

/// Leaves the input behind if it ends by a panic.
struct Broken<'a> {
    target: &'a Target,
    input: &'a [u8],
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let file = std::env::temp_dir().join(format!("{}-{}", self.target.name, std::process::id()));
        match std::fs::write(&file, self.input) {
            Ok(()) => eprintln!("the input is in {}", file.display()),
            Err(why) => eprintln!("the input {:02x?} could not be kept: {why}", self.input),
        }
    }
}

/// The inputs that the repository keeps for a target.
fn kept(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a kept input"))
        .collect()
}

/// For how long fresh inputs are tried.
pub(super) fn patience() -> Duration {
    let given = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok());
    given.map_or(A_MOMENT, Duration::from_secs)
}
