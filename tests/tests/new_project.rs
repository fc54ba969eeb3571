//! What `new` makes compiles without a network, passes its own test, which starts its cluster, and starts once more
//! by hand.
//!
//! It is built with the versions and, as far as they fit, the compiled crates of this workspace: cargo's build folder
//! is shared, the programs go to a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cluster_tests::ports::Port;
use cluster_tests::process::{End, Process, command};
use cluster_tests::programs;
use cluster_tests::wait::within;
use nix::sys::signal::Signal;

/// Longest time for all of it. Most of it is compiling on a machine that has never done so.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The folder of the build that this test belongs to.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("because the test runs");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("because it lies in deps");
    profile
        .parent()
        .expect("because a profile lies in the target folder")
        .to_owned()
}

/// cargo in the new project. Its processes are killed with it when the time is over.
fn cargo(project: &Path, args: &[&str], deadline: Instant) -> String {
    let mut cargo = programs::cargo();
    cargo
        .args(args)
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target().join("tmp/new-project"))
        .env("CARGO_BUILD_BUILD_DIR", target());
    let process = Process::start(format!("cargo {args:?}"), cargo);
    let left = deadline.saturating_duration_since(Instant::now());
    if within(left, || process.has_ended()).is_none() {
        process.signal_group(Signal::SIGKILL);
        panic!("it took longer than {LIMIT:?}:\n{}", process.output());
    }
    assert_eq!(
        process.end(),
        End::Code(0),
        "cargo {args:?}:\n{}",
        process.output()
    );
    process.stdout()
}

#[test]
fn a_new_game_compiles_passes_its_test_and_starts() {
    let deadline = Instant::now() + LIMIT;
    let folder = tempfile::tempdir().expect("a folder");
    let mut new = command(programs::demo());
    let made = new
        .args(["new", "fresh-game"])
        .current_dir(folder.path())
        .output();
    let made = made.expect("because the program was built");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let project = folder.path().join("fresh-game");
    for file in [
        "Cargo.lock",
        "Dockerfile",
        "deploy/fresh-game.service",
        "config/lampyris.schema.json",
    ] {
        assert!(project.join(file).is_file(), "{file}");
    }

    let tested = cargo(&project, &["test", "--offline", "--quiet"], deadline);
    assert_eq!(tested.matches("test result: ok. 1 passed").count(), 2, "{tested}");
    cargo(&project, &["fmt", "--check"], deadline);
    cargo(&project, &["build", "--offline", "--quiet"], deadline);

    let program = target().join("tmp/new-project/debug/fresh-game");
    let run = |args: &[&str]| {
        let mut game = command(&program);
        game.args(args).current_dir(&project);
        game
    };
    let checked = run(&["check-config"]).output().expect("because it was built");
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{checked:?}"
    );
    let schema = run(&["schema"]).output().expect("because it was built");
    let kept = fs::read(project.join("config/lampyris.schema.json")).expect("the schema");
    assert_eq!(
        String::from_utf8_lossy(&schema.stdout),
        String::from_utf8_lossy(&kept)
    );

    let ports = [(); 4].map(|()| Port::draw());
    let keys = [
        "MASTER__ROOTPORT",
        "MASTER__WEBPORT",
        "SERVERS__GATE__ROOTPORT",
        "SERVERS__NET__NETPORT",
    ];
    let mut start = run(&[]);
    for (key, port) in keys.iter().zip(&ports) {
        start.env(format!("LAMPYRIS__{key}"), port.number().to_string());
    }
    for node in ["GATE", "NET", "GAME1"] {
        start.env(format!("LAMPYRIS__SERVERS__{node}__ON_MASTER_LOSS"), "exit");
    }
    let master = Process::start("fresh-game", start);
    master.line("master | ready in");
    master.signal(Signal::SIGTERM);
    assert_eq!(master.end(), End::Code(0), "{}", master.output());
}
