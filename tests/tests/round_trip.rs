//! A client's command goes down the tree and its answer comes back.

use cluster_tests::Cluster;
use cluster_tests::client::Frame;
use cluster_tests::process::End;

#[test]
fn each_command_is_answered_by_the_node_that_it_is_for() {
    let cluster = Cluster::study();
    cluster.start();
    let mut client = cluster.client();
    for (command, answer) in [
        (100, "netHandle_100 completed"),
        (200, "gateHandle Completed"),
        (300, "game1Handle completed"),
    ] {
        let frame = client.ask(command, "msgdata").expect("an answer");
        assert_eq!(frame, Frame::new(command, answer));
    }
}

#[test]
fn the_client_of_the_program_sends_one_command_of_ones_own() {
    let cluster = Cluster::study();
    cluster.start();
    let client = cluster.run(&["--role", "client", "--command", "300", "--data", "x"]);
    assert_eq!(client.end(), End::Code(0));
    assert_eq!(
        client.stdout(),
        "----------------\nsend commandId: 300\ngame1Handle completed\n"
    );
}

#[test]
fn an_unknown_command_is_answered_with_an_error_that_says_so() {
    let cluster = Cluster::study();
    cluster.start();
    let client = cluster.run(&["--role", "client", "--command", "999"]);
    assert_eq!(client.end(), End::Code(5));
    assert_eq!(client.stdout(), "----------------\nsend commandId: 999\n");
    assert!(client.stderr().contains("no_such_command"), "{}", client.stderr());

    let mut connection = cluster.client();
    let error = connection.ask(999, "x").expect("an error frame").error();
    let object = error.as_object().expect("an object");
    assert_eq!(object["command"], 999);
    assert_eq!(object["error"], "no_such_command");
    assert_eq!(object["ran"], "no");
    assert!(
        object["message"]
            .as_str()
            .is_some_and(|text| text.contains("999")),
        "{error}"
    );
    assert_eq!(object.len(), 4);
    let next = connection.ask(100, "x").expect("the connection goes on");
    assert_eq!(next, Frame::new(100, "netHandle_100 completed"));
}

#[test]
fn without_a_cluster_the_client_says_that_nobody_listens() {
    let cluster = Cluster::study();
    let client = cluster.run(&["--role", "client"]);
    assert_eq!(client.end(), End::Code(6));
    let port = cluster.netport().to_string();
    assert!(client.stderr().contains(&port), "{}", client.stderr());
}
