//! Every frame of a client is answered, in order, with the answer or with one error that says what happened.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::client::{Client, Frame, HEADER, encode};
use cluster_tests::process::kill_pid;
use cluster_tests::tell::measured;
use cluster_tests::wait::until;

const ECHO: u32 = 1;
const WAIT_HERE: u32 = 2;
const WAIT_IN_GAME: u32 = 3;
const NEVER: u32 = 4;
const PANIC_IN_GAME: u32 = 5;
const PANIC_HERE: u32 = 6;
const REFUSE_IN_GAME: u32 = 16;
const EXIT_GAME: u32 = 17;
const BLOCK_IN_GAME: u32 = 18;

fn started(change: impl FnOnce(&mut Cluster)) -> Cluster {
    let mut cluster = Cluster::of_test_apps();
    change(&mut cluster);
    cluster.start();
    cluster
}

#[track_caller]
fn assert_echoes(client: &mut Client) {
    assert_eq!(
        client.ask(ECHO, "still here").expect("an answer"),
        Frame::new(ECHO, "still here")
    );
}

#[test]
fn answers_to_one_command_come_in_the_order_of_the_requests_a_hundred_deep() {
    let cluster = started(|_| {});
    let mut client = cluster.client();
    // The later the request, the sooner its handler is done.
    for number in 0..100 {
        let command = [WAIT_HERE, WAIT_IN_GAME][number % 2];
        client
            .send(command, &format!("{} {number}", 200 - 2 * number))
            .expect("to send");
    }
    let frames: Vec<Frame> = (0..100).map(|_| client.receive().expect("an answer")).collect();
    for (first, command) in [(0, WAIT_HERE), (1, WAIT_IN_GAME)] {
        let answers: Vec<&str> = frames
            .iter()
            .filter(|frame| frame.command == command)
            .map(|frame| frame.payload.as_str())
            .collect();
        let wanted: Vec<String> = (first..100).step_by(2).map(|number| number.to_string()).collect();
        assert_eq!(answers, wanted);
    }
}

#[test]
fn frames_may_come_in_one_piece_or_in_many() {
    let cluster = started(|_| {});
    let mut client = cluster.client();
    let glued: Vec<u8> = (0..50)
        .flat_map(|number| encode(ECHO, &format!("glued {number}")))
        .collect();
    client.send_bytes(&glued).expect("to send");
    for number in 0..50 {
        assert_eq!(
            client.receive().expect("an answer"),
            Frame::new(ECHO, format!("glued {number}"))
        );
    }
    let mut other = cluster.client();
    let frame = encode(ECHO, "in two pieces");
    for at in 1..frame.len() {
        client.send_bytes(&frame[..at]).expect("to send");
        // The node has seen the first piece when it has answered somebody else.
        assert_echoes(&mut other);
        client.send_bytes(&frame[at..]).expect("to send");
        let answer = client.receive().expect("an answer");
        assert_eq!(answer, Frame::new(ECHO, "in two pieces"), "cut at {at}");
    }
    assert!(frame.len() > HEADER);
}

#[test]
fn headers_that_no_client_sends_end_the_connection_and_nothing_else() {
    let cluster = started(|cluster| {
        cluster.set("servers.net.max_frame", "4KiB");
    });
    let mut bystander = cluster.client();
    for length in [0, 1, 2, 3, 4097, 1 << 31, u32::MAX] {
        let mut client = cluster.client();
        let mut header = encode(ECHO, "");
        header[9..13].copy_from_slice(&length.to_be_bytes());
        client.send_bytes(&header).expect("to send");
        assert!(client.is_closed_by_server(), "length {length}");
        assert_echoes(&mut bystander);
    }
    let mut client = cluster.client();
    let mut frame = encode(ECHO, "x");
    frame[0] = 7;
    client.send_bytes(&frame).expect("to send");
    assert!(client.is_closed_by_server(), "another magic");
    assert_echoes(&mut bystander);
}

#[test]
fn calls_in_flight_to_a_killed_node_end_at_once_with_link_lost() {
    let cluster = started(|cluster| {
        cluster.set("servers.net.call_timeout", "60s");
    });
    let mut client = cluster.client();
    for _ in 0..10 {
        client.send(WAIT_IN_GAME, "60000 never").expect("to send");
    }
    until("ten calls", || {
        (cluster.log("game1").matches("waiting").count() == 10).then_some(())
    });
    let killed = Instant::now();
    kill_pid(cluster.admin().pid("game1"));
    for _ in 0..10 {
        let error = client.receive().expect("an error frame").error_of();
        assert_eq!(
            error,
            (u64::from(WAIT_IN_GAME), "link_lost".into(), "maybe".into())
        );
    }
    measured(format_args!(
        "kill to the last link_lost: {} ms",
        killed.elapsed().as_millis()
    ));
    assert!(
        killed.elapsed() < Duration::from_secs(2),
        "{:?}",
        killed.elapsed()
    );
    let next = client.ask(WAIT_IN_GAME, "1 back").expect("an answer");
    assert_eq!(
        next,
        Frame::new(WAIT_IN_GAME, "back"),
        "a new call waits for the new process"
    );
    assert_eq!(
        cluster.log("game1").matches("waiting 60000").count(),
        10,
        "no call was made twice"
    );
}

#[test]
fn a_call_that_ends_its_own_node_is_lost() {
    let cluster = started(|_| {});
    let mut client = cluster.client();
    let error = client.ask(EXIT_GAME, "3").expect("an error frame").error_of();
    assert_eq!(error, (u64::from(EXIT_GAME), "link_lost".into(), "maybe".into()));
    let node = cluster
        .admin()
        .until("game1", "the end", |node| node["last_exits"][0]["code"] == 3);
    let lines = node["last_exits"][0]["last_lines"].to_string();
    assert!(lines.contains("asked to exit with 3"), "{lines}");
}

#[test]
fn a_call_without_an_answer_ends_after_five_seconds() {
    let cluster = started(|_| {});
    let mut client = cluster.client();
    let asked = Instant::now();
    let error = client.ask(NEVER, "x").expect("an error frame").error_of();
    let took = asked.elapsed();
    assert_eq!(error, (u64::from(NEVER), "timeout".into(), "maybe".into()));
    assert!(
        took > Duration::from_millis(4950) && took < Duration::from_secs(7),
        "{took:?}"
    );
    assert_echoes(&mut client);
}

#[test]
fn the_time_for_a_call_can_be_shorter_and_holds_down_the_tree() {
    let cluster = started(|cluster| {
        cluster.set("servers.net.call_timeout", "300ms");
    });
    let mut client = cluster.client();
    for (command, payload) in [(NEVER, "x"), (WAIT_IN_GAME, "60000 x")] {
        let asked = Instant::now();
        let error = client.ask(command, payload).expect("an error frame").error_of();
        let took = asked.elapsed();
        assert_eq!(error, (u64::from(command), "timeout".into(), "maybe".into()));
        assert!(
            took > Duration::from_millis(290) && took < Duration::from_secs(2),
            "{took:?}"
        );
    }
    assert_echoes(&mut client);
}

#[test]
fn a_handler_that_panics_or_refuses_is_an_error_to_its_caller_alone() {
    let cluster = started(|_| {});
    let admin = cluster.admin();
    let before = [admin.pid("game1"), admin.pid("net")];
    let mut client = cluster.client();
    for command in [PANIC_IN_GAME, PANIC_HERE] {
        for _ in 0..3 {
            let error = client.ask(command, "boo").expect("an error frame").error_of();
            assert_eq!(error, (u64::from(command), "handler_panic".into(), "yes".into()));
        }
        assert_echoes(&mut client);
        let answer = client.ask(WAIT_IN_GAME, "1 fine").expect("an answer");
        assert_eq!(answer, Frame::new(WAIT_IN_GAME, "fine"));
    }
    let refused = client
        .ask(REFUSE_IN_GAME, "bread")
        .expect("an error frame")
        .error();
    assert_eq!(
        (&refused["error"], &refused["ran"]),
        (&"handler_error".into(), &"yes".into())
    );
    assert!(
        refused["message"].to_string().contains("no bread here"),
        "{refused}"
    );
    assert_eq!([admin.pid("game1"), admin.pid("net")], before, "no process ended");
}

#[test]
fn silent_errors_send_nothing_as_in_firefly() {
    let cluster = started(|cluster| {
        cluster.set("servers.net.errors", "silent");
    });
    let mut client = cluster.client();
    client.send(999, "x").expect("to send");
    client.send(REFUSE_IN_GAME, "x").expect("to send");
    assert_eq!(
        client.ask(WAIT_IN_GAME, "1 next").expect("an answer"),
        Frame::new(WAIT_IN_GAME, "next")
    );
}

#[test]
fn closing_errors_end_the_connection() {
    let cluster = started(|cluster| {
        cluster.set("servers.net.errors", "close");
    });
    for command in [999, REFUSE_IN_GAME] {
        let mut client = cluster.client();
        assert_echoes(&mut client);
        client.send(command, "x").expect("to send");
        assert!(client.is_closed_by_server(), "{command}");
    }
    assert_echoes(&mut cluster.client());
}

#[test]
fn no_more_clients_come_in_than_configured() {
    let cluster = started(|cluster| {
        cluster.set("servers.net.max_clients", 2);
    });
    let mut clients = [cluster.client(), cluster.client()];
    clients.iter_mut().for_each(assert_echoes);
    let mut third = cluster.client();
    assert!(third.is_closed_by_server());
    clients.iter_mut().for_each(assert_echoes);
    let [first, _second] = clients;
    drop(first);
    until("room for another", || {
        cluster
            .ask(ECHO, "in")
            .is_ok_and(|frame| frame.payload == "in")
            .then_some(())
    });
}

#[test]
fn work_that_blocks_a_pool_does_not_hold_up_the_node() {
    let cluster = started(|_| {});
    let (mut blocked, mut other) = (cluster.client(), cluster.client());
    let asked = Instant::now();
    for _ in 0..4 {
        blocked.send(BLOCK_IN_GAME, "400").expect("to send");
    }
    let answer = other.ask(WAIT_IN_GAME, "1 quick").expect("an answer");
    assert_eq!(answer, Frame::new(WAIT_IN_GAME, "quick"));
    assert!(
        asked.elapsed() < Duration::from_millis(400),
        "{:?}",
        asked.elapsed()
    );
    for _ in 0..4 {
        assert_eq!(
            blocked.receive().expect("an answer"),
            Frame::new(BLOCK_IN_GAME, "blocked 400 ms")
        );
    }
    let took = asked.elapsed();
    assert!(
        took >= Duration::from_millis(800),
        "two threads, four times 400 ms: {took:?}"
    );
    assert!(took < Duration::from_millis(1500), "two at a time: {took:?}");
}

#[test]
fn a_client_that_leaves_with_calls_in_flight_harms_nobody() {
    let cluster = started(|_| {});
    for _ in 0..20 {
        let mut client = cluster.client();
        client.send(WAIT_IN_GAME, "50 nobody").expect("to send");
    }
    for _ in 0..20 {
        drop(TcpStream::connect(cluster.netport()).expect("it listens"));
    }
    assert_echoes(&mut cluster.client());
    assert_eq!(cluster.admin().node("net")["restarts"], 0);
}
