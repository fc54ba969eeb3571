//! The API does what its description says, whatever it is sent. The cases are drawn by schemathesis, which is
//! taken from the variable SCHEMATHESIS or the path; without it nothing is tested, and the test says so.

use std::time::Duration;

use cluster_tests::Cluster;
use cluster_tests::process::{End, tool};
use cluster_tests::wait::within;

/// Cases for each operation, unless SCHEMATHESIS_CASES says otherwise.
const CASES: &str = "40";

/// How long all cases may take.
const PATIENCE: Duration = Duration::from_secs(600);

#[test]
fn no_request_that_can_be_described_is_answered_in_another_way_than_described() {
    let program = std::env::var("SCHEMATHESIS").unwrap_or_else(|_| "schemathesis".to_owned());
    if tool(&program, &["--version"]).is_none() {
        eprintln!(
            "SKIPPED: schemathesis is not installed (pip install schemathesis), so the API is not tried"
        );
        return;
    }
    let cases = std::env::var("SCHEMATHESIS_CASES").unwrap_or_else(|_| CASES.to_owned());
    let cluster = Cluster::study();
    cluster.start();
    let admin = cluster.admin();
    let mut command = cluster.command(&program);
    command
        .arg("run")
        .arg(format!("http://{}/api/v1/openapi.json", cluster.webport()))
        .args(["--header", &format!("Authorization: Bearer {}", cluster.token())])
        // The stream has no end, and the cluster is not to be stopped.
        .args([
            "--exclude-path",
            "/api/v1/stream",
            "--exclude-path",
            "/api/v1/cluster/actions/{action}",
        ])
        .args([
            "--max-examples",
            &cases,
            "--phases",
            "examples,coverage,fuzzing",
            "--no-color",
        ]);
    let run = cluster.run_command("schemathesis", command);
    let end = within(PATIENCE, || run.has_ended()).expect("it ends");
    assert_eq!(end, End::Code(0), "{}", run.output());
    assert_eq!(admin.nodes().len(), 3, "the master is well");
}
