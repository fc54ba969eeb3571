//! Where the programs under test are: beside the running test, in the same profile of the same target folder.
//!
//! A program that is missing, or older than one of its sources, is built once, whoever needs it first; the list
//! of sources is the one that cargo wrote beside it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::process::command;

/// The study's cluster.
///
/// # Panics
/// When it cannot be built.
pub fn demo() -> PathBuf {
    program("demo")
}

/// The applications that were made for these tests.
///
/// # Panics
/// When it cannot be built.
pub fn test_apps() -> PathBuf {
    program("test-apps")
}

/// The program of the experiments, which plays parts of its own beside a cluster.
///
/// # Panics
/// When it cannot be built.
pub fn cluster_tests() -> PathBuf {
    program("cluster-tests")
}

/// cargo as a shell would start it: without what the cargo that runs this test says of its package. Build scripts look
/// at that, and all that hangs on them would be built again, now and the next time.
pub fn cargo() -> Command {
    let of_package = |name: &str| {
        let kinds = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"];
        let others = [
            "CARGO_CRATE_NAME",
            "CARGO_PRIMARY_PACKAGE",
            "CARGO_TARGET_TMPDIR",
            "OUT_DIR",
        ];
        kinds.iter().any(|kind| name.starts_with(kind)) || others.contains(&name)
    };
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn program(name: &str) -> PathBuf {
    let folder = programs_folder();
    let program = folder.join(name);
    let lock = File::create(folder.join(".cluster-tests.lock")).expect("because the target folder is ours");
    lock.lock().expect("because files can be locked here");
    if !is_fresh(&program) {
        build(&folder);
    }
    program
}

/// The running test lies in `deps`, below the programs.
fn programs_folder() -> PathBuf {
    let test = std::env::current_exe().expect("because the test runs");
    let folder = test.parent().expect("because files lie in folders");
    let folder = if folder.ends_with("deps") {
        folder.parent().expect("because deps lies in a profile's folder")
    } else {
        folder
    };
    folder.to_owned()
}

fn is_fresh(program: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    let Some(built) = changed(program) else {
        return false;
    };
    // `PROGRAM: SOURCE SOURCE …`, with spaces in names escaped.
    let Ok(rule) = std::fs::read_to_string(program.with_extension("d")) else {
        return false;
    };
    let Some((_, sources)) = rule.split_once(": ") else {
        return false;
    };
    let sources = sources.trim().replace("\\ ", "\0");
    let newest = |time: SystemTime| time <= built;
    sources
        .split(' ')
        .map(|source| PathBuf::from(source.replace('\0', " ")))
        .all(|source| changed(&source).is_some_and(newest))
}

/// Builds all programs: together they need the same features of their dependencies as the running test.
fn build(folder: &Path) {
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let target = folder
        .parent()
        .expect("because a profile's folder lies in the target folder");
    let built = cargo()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--quiet",
            "--bins",
            "--package",
            "demo",
            "--package",
            "cluster-tests",
        ])
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .output()
        .expect("because cargo runs the tests");
    assert!(
        built.status.success(),
        "the programs could not be built:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
}
