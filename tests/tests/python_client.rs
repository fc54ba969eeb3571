//! A client written for Firefly, in another language, works without a change.

use cluster_tests::Cluster;
use cluster_tests::process::{End, tool};
use cluster_tests::tell::skipped;

#[test]
fn a_client_in_python_prints_the_transcript_of_the_study() {
    if tool("python3", &["--version"]).is_none() {
        skipped(
            "a_client_in_python_prints_the_transcript_of_the_study",
            "there is no program `python3`",
        );
        return;
    }
    let cluster = Cluster::study();
    cluster.start();
    let mut command = cluster.command("python3");
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/client.py"))
        .arg(cluster.netport().ip().to_string())
        .arg(cluster.netport().port().to_string());
    let client = cluster.run_command("client.py", command);
    assert_eq!(client.end(), End::Code(0));
    let transcript: String = [
        (100, "netHandle_100 completed"),
        (200, "gateHandle Completed"),
        (300, "game1Handle completed"),
    ]
    .map(|(command, answer)| format!("----------------\nsend commandId: {command}\n{answer}\n"))
    .concat();
    assert_eq!(client.stdout(), transcript);
}
