//! `bench` measures the demo's cluster and leaves nothing behind.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Measures for a moment, without a fault; gives what was printed.
fn bench(folder: &Path, config: &str, arguments: &[&OsStr]) -> String {
    #[allow(
        clippy::disallowed_methods,
        reason = "the test is the user, who starts the program"
    )]
    let run = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["bench", "--duration", "0.3s", "--rounds", "1", "--config", config])
        .args(arguments)
        .env("TMPDIR", folder)
        .output()
        .expect("the program runs");
    let (out, error) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(run.status.success(), "{out}\n{error}");
    assert!(out.contains("Every request had its answer."), "{out}");
    out.into_owned()
}

#[test]
fn a_short_run_measures_every_point_without_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, svg) = (
        folder.path().join("results.json"),
        folder.path().join("picture.svg"),
    );
    bench(
        folder.path(),
        concat!(env!("CARGO_MANIFEST_DIR"), "/../config/config.json"),
        &[
            "--json".as_ref(),
            json.as_os_str(),
            "--svg".as_ref(),
            svg.as_os_str(),
        ],
    );

    let results = std::fs::read_to_string(&json).expect("the results");
    let results: serde_json::Value = serde_json::from_str(&results).expect("JSON");
    let points = results["points"].as_array().expect("points");
    assert_eq!(points.len(), 8);
    for point in points {
        for system in point["systems"].as_array().expect("systems") {
            assert!(system["median"]["answers"].as_u64() > Some(100), "{point:#}");
        }
    }
    let memory = results["memory"].as_array().expect("memory");
    let processes: Vec<&str> = memory.iter().filter_map(|one| one["process"].as_str()).collect();
    assert!(
        processes.starts_with(&["game1", "gate", "net", "master"]),
        "{processes:?}"
    );
    assert!(
        std::fs::read_to_string(&svg)
            .expect("the picture")
            .starts_with("<svg ")
    );

    // Only the two files are left of the run.
    let left = std::fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 2);
}

#[test]
fn a_command_with_numbers_is_measured_in_turns_with_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = "--command 402 --beside 300 --connections 4 --depth 4 --payload";
    let mut arguments: Vec<&OsStr> = arguments.split(' ').map(OsStr::new).collect();
    arguments.push("p## 1".as_ref());
    let players = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/players.toml");
    let out = bench(folder.path(), players, &arguments);
    assert!(
        out.contains("command 402, 5 bytes, 4 x 4") && out.contains("/beside"),
        "{out}"
    );
    let left = std::fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 0);
}
