//! The study's client prints what it printed in the study, character for character.

use cluster_tests::Cluster;
use cluster_tests::process::End;

const TRANSCRIPT: &str = "\
----------------
send commandId: 100
netHandle_100 completed
----------------
send commandId: 200
gateHandle Completed
----------------
send commandId: 300
game1Handle completed
";

#[test]
fn the_client_prints_the_transcript_of_the_study() {
    let cluster = Cluster::study();
    cluster.start();
    let client = cluster.run(&["--role", "client"]);
    assert_eq!(client.end(), End::Code(0));
    assert_eq!(client.stdout(), TRANSCRIPT);
    assert_eq!(client.stderr(), "");
}
