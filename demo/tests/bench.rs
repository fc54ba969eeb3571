//! `bench` measures the demo's cluster and leaves nothing behind.

use std::process::Command;

#[test]
fn a_short_run_measures_every_point_without_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let (json, svg) = (
        folder.path().join("results.json"),
        folder.path().join("picture.svg"),
    );
    #[allow(
        clippy::disallowed_methods,
        reason = "the test is the user, who starts the program"
    )]
    let run = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["bench", "--duration", "0.3s", "--rounds", "1", "--config"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/config.json"))
        .arg("--json")
        .arg(&json)
        .arg("--svg")
        .arg(&svg)
        .env("TMPDIR", folder.path())
        .output()
        .expect("the program runs");
    let (out, error) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(run.status.success(), "{out}\n{error}");
    assert!(out.contains("Every request had its answer."), "{out}");

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
