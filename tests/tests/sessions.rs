//! Any node of the tree can push to a client and disconnect it; services hear of each client once.

use cluster_tests::Cluster;
use cluster_tests::client::{Client, Frame};
use cluster_tests::process::kill_pid;
use cluster_tests::wait::until;

const ECHO: u32 = 1;
const WHO_AM_I: u32 = 7;
const PUSH_ALL: u32 = 8;
const PUSH_ME: u32 = 9;
const PUSH_BY_GATE: u32 = 10;
const PUSH_BY_GAME: u32 = 11;
const KICK_BY_GATE: u32 = 12;
const KICK_BY_GAME: u32 = 13;
const KICK_ME: u32 = 14;
const COUNT: u32 = 15;
const PUSHED: u32 = 9000;

fn started() -> Cluster {
    let cluster = Cluster::of_test_apps();
    cluster.start();
    cluster
}

/// The id of a client's session.
#[track_caller]
fn session(client: &mut Client) -> String {
    let frame = client.ask(WHO_AM_I, "").expect("an answer");
    assert_eq!(frame.command, WHO_AM_I, "{frame:?}");
    frame.payload
}

#[test]
fn a_push_to_ones_own_client_comes_before_the_answer() {
    let cluster = started();
    let mut client = cluster.client();
    assert_eq!(
        client.ask(PUSH_ME, "news").expect("the push"),
        Frame::new(PUSHED, "news")
    );
    assert_eq!(
        client.receive().expect("the answer"),
        Frame::new(PUSH_ME, "pushed")
    );
}

#[test]
fn a_push_to_all_reaches_all() {
    let cluster = started();
    let mut clients: Vec<Client> = (0..5).map(|_| cluster.client()).collect();
    for client in &mut clients {
        session(client);
    }
    let mut asking = cluster.client();
    asking.send(PUSH_ALL, "to everybody").expect("to send");
    assert_eq!(
        asking.receive().expect("the push"),
        Frame::new(PUSHED, "to everybody")
    );
    assert_eq!(
        asking.receive().expect("the answer"),
        Frame::new(PUSH_ALL, "pushed to 6")
    );
    for client in &mut clients {
        assert_eq!(
            client.receive().expect("the push"),
            Frame::new(PUSHED, "to everybody")
        );
    }
}

#[test]
fn the_gate_and_the_game_push_to_a_client_of_the_net_node_in_order() {
    let cluster = started();
    let (mut client, mut asking, mut bystander) = (cluster.client(), cluster.client(), cluster.client());
    let id = session(&mut client);
    session(&mut bystander);
    for (command, by) in [(PUSH_BY_GATE, "gate"), (PUSH_BY_GAME, "game1")] {
        for number in 0..20 {
            asking
                .send(command, &format!("{id} {by} {number}"))
                .expect("to send");
        }
        for number in 0..20 {
            assert_eq!(
                client.receive().expect("the push"),
                Frame::new(PUSHED, format!("{by} {number}"))
            );
            let answer = asking.receive().expect("the answer");
            assert_eq!(answer, Frame::new(command, format!("pushed by {by}")));
        }
    }
    let next = bystander.ask(ECHO, "nothing for me").expect("an answer");
    assert_eq!(next, Frame::new(ECHO, "nothing for me"));
}

#[test]
fn a_push_to_a_client_that_is_gone_is_dropped() {
    let cluster = started();
    let mut asking = cluster.client();
    let id = {
        let mut client = cluster.client();
        session(&mut client)
    };
    until("the client is gone", || {
        (asking.ask(COUNT, "").ok()?.payload == "2 opened, 1 closed, 0 odd").then_some(())
    });
    for (command, by) in [(PUSH_BY_GATE, "gate"), (PUSH_BY_GAME, "game1")] {
        let answer = asking.ask(command, &format!("{id} late")).expect("an answer");
        assert_eq!(answer, Frame::new(command, format!("pushed by {by}")));
    }
    assert_eq!(
        asking.ask(ECHO, "fine").expect("an answer"),
        Frame::new(ECHO, "fine")
    );
}

#[test]
fn a_push_to_a_node_that_does_not_exist_is_an_error() {
    let cluster = started();
    let error = cluster
        .ask(PUSH_BY_GATE, "nowhere#1 x")
        .expect("an error frame")
        .error_of();
    assert_eq!(
        error,
        (u64::from(PUSH_BY_GATE), "no_such_node".into(), "no".into())
    );
}

#[test]
fn every_node_can_disconnect_a_client() {
    let cluster = started();
    let mut asking = cluster.client();
    for (command, by) in [(KICK_BY_GATE, "gate"), (KICK_BY_GAME, "game1")] {
        let (mut client, mut bystander) = (cluster.client(), cluster.client());
        let id = session(&mut client);
        session(&mut bystander);
        let answer = asking.ask(command, &id).expect("an answer");
        assert_eq!(answer, Frame::new(command, format!("kicked by {by}")));
        assert!(client.is_closed_by_server());
        assert_eq!(
            bystander.ask(ECHO, "x").expect("an answer"),
            Frame::new(ECHO, "x")
        );
    }
    let mut client = cluster.client();
    client.send(KICK_ME, "").expect("to send");
    assert!(client.is_closed_by_server());
}

#[test]
fn services_hear_of_each_client_once_however_it_leaves() {
    let cluster = started();
    let mut asking = cluster.client();
    let mut clients: Vec<Client> = (0..10).map(|_| cluster.client()).collect();
    let ids: Vec<String> = clients.iter_mut().map(session).collect();
    let mut different = ids.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 10);

    // Four leave by themselves, two of them with a call in flight; three are disconnected; one talks nonsense.
    clients[0].send(3, "100 nobody").expect("to send");
    clients[1].send(4, "never").expect("to send");
    clients.drain(..4);
    asking.ask(KICK_BY_GATE, &ids[4]).expect("an answer");
    asking.ask(KICK_BY_GAME, &ids[5]).expect("an answer");
    clients[2].send(KICK_ME, "").expect("to send");
    clients[3].send_bytes(&[0xff; 17]).expect("to send");
    until("eight clients are gone", || {
        (asking.ask(COUNT, "").ok()?.payload == "11 opened, 8 closed, 0 odd").then_some(())
    });
    for client in &mut clients[4..] {
        session(client);
    }
}

#[test]
fn numbers_of_sessions_are_not_reused_by_the_next_process() {
    let cluster = started();
    let first = session(&mut cluster.client());
    kill_pid(cluster.admin().pid("net"));
    cluster.admin().until("net", "back", |node| {
        node["restarts"] == 1 && node["state"] == "ready"
    });
    let second = session(&mut cluster.client());
    assert_ne!(first, second);
}
