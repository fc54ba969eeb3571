//! What a client gets for what it sends, and in which order.

use super::*;

#[actix::test]
async fn a_command_reaches_its_handler_and_the_answer_its_client() {
    let mut port = Port::open(NetSettings::default());
    let (mut client, session) = port.join().await;
    client.send(100, "hello").await;
    let asked = port.asked().await;
    assert_eq!((asked.command, &asked.payload[..]), (100, &b"hello"[..]));
    assert_eq!(asked.session.id(), session.id());
    assert_eq!(session.addr(), client.addr);
    asked.reply("world");
    client.got(100, "world").await;
    let [info] = &port.clients.list()[..] else {
        panic!("one client")
    };
    assert_eq!(
        (info.number, info.bytes_in, info.bytes_out),
        (session.id().number, 22, 22)
    );
    assert_eq!((info.in_flight, info.unsent), (0, 0));
}

#[actix::test]
async fn frames_may_be_split_and_glued_anywhere() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    let large = "x".repeat(40_000);
    let sent = ["a", "", &large, "b"];
    let mut stream = BytesMut::new();
    sent.iter()
        .for_each(|payload| stream.extend_from_slice(&frame(100, payload.as_bytes())));
    let (first, rest) = stream.split_at(23);
    for byte in first {
        client.send_bytes(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    client.send_bytes(rest).await;
    for payload in sent {
        let asked = port.asked().await;
        assert_eq!(asked.payload, payload);
        asked.reply(payload.to_owned());
    }
    for payload in sent {
        client.got(100, payload.to_owned()).await;
    }
}

#[actix::test]
async fn answers_of_a_command_keep_the_order_of_its_calls_and_other_commands_overtake() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    for (command, payload) in [(100, "1"), (100, "2"), (200, "x"), (100, "3")] {
        client.send(command, payload).await;
    }
    let (one, two, x, three) = (
        port.asked().await,
        port.asked().await,
        port.asked().await,
        port.asked().await,
    );
    assert_eq!(
        (&one.payload[..], &x.payload[..], &three.payload[..]),
        (&b"1"[..], &b"x"[..], &b"3"[..])
    );
    three.reply("3");
    two.end(Err("no".into()));
    x.reply("x");
    client.got(200, "x").await;
    one.reply("1");
    client.got(100, "1").await;
    assert_eq!(client.error().await["command"], 100);
    client.got(100, "3").await;
}

#[actix::test]
async fn a_serial_command_waits_for_the_one_before_and_lets_others_pass() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    for (command, payload) in [(300, "1"), (300, "2"), (200, "x"), (300, "3")] {
        client.send(command, payload).await;
    }
    let one = port.asked().await;
    let x = port.asked().await;
    assert_eq!((&one.payload[..], &x.payload[..]), (&b"1"[..], &b"x"[..]));
    x.reply("x");
    client.got(200, "x").await;
    assert!(port.events.try_recv().is_err(), "the second waits for the first");
    one.reply("1");
    for payload in ["2", "3"] {
        let asked = port.asked().await;
        assert_eq!(asked.payload, payload);
        assert!(port.events.try_recv().is_err());
        asked.reply(payload);
    }
    for payload in ["1", "2", "3"] {
        client.got(300, payload).await;
    }
}

#[actix::test]
async fn in_a_serial_session_every_command_waits() {
    let mut port = Port::open(NetSettings {
        serial: true,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(100, "1").await;
    client.send(200, "2").await;
    client.send(999, "unknown").await;
    let one = port.asked().await;
    assert!(port.events.try_recv().is_err());
    one.reply("1");
    client.got(100, "1").await;
    port.asked().await.reply("2");
    client.got(200, "2").await;
    assert_eq!(client.error().await["error"], "no_such_command");
}

#[actix::test]
async fn a_failed_call_is_answered_with_an_error_frame() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(777, "").await;
    let error = client.error().await;
    assert_eq!(
        (&error["command"], &error["error"], &error["ran"]),
        (&777.into(), &"no_such_command".into(), &"no".into())
    );
    client.send(100, "").await;
    port.asked()
        .await
        .end(Err(Fault::new(ErrorKind::LinkLost, "x".repeat(5000)).into()));
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["ran"]),
        (&"link_lost".into(), &"maybe".into())
    );
    assert_eq!(error["message"].as_str().map(str::len), Some(1024));
    client.send(100, "").await;
    port.asked().await.end(Err("too poor".into()));
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["message"]),
        (&"handler_error".into(), &"too poor".into())
    );
}

#[actix::test]
async fn a_failed_call_may_be_silent() {
    let mut port = Port::open(NetSettings {
        errors: ErrorsMode::Silent,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(777, "").await;
    client.send(100, "").await;
    client.send(100, "").await;
    let (first, second) = (port.asked().await, port.asked().await);
    second.reply("second");
    first.end(Err("no".into()));
    client.got(100, "second").await;
}

#[actix::test]
async fn a_failed_call_may_end_the_connection_after_the_answers_before_it() {
    let mut port = Port::open(NetSettings {
        errors: ErrorsMode::Close,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    for payload in ["1", "2", "3"] {
        client.send(100, payload).await;
    }
    let (one, two, three) = (port.asked().await, port.asked().await, port.asked().await);
    three.reply("3");
    two.end(Err("no".into()));
    one.reply("1");
    client.got(100, "1").await;
    client.closed().await;
    port.ended(Reason::CallFailed).await;
}

#[actix::test]
async fn a_kicked_client_gets_what_was_sent_before() {
    let mut port = Port::open(NetSettings::default());
    let (mut client, session) = port.join().await;
    client.send(100, "never read").await;
    session.push(9, "bye").unwrap();
    session.kick("a test");
    assert!(!session.is_open());
    client.got(9, "bye").await;
    client.closed().await;
    port.ended(Reason::Kicked).await;
    assert!(!port.clients.kick(session.id().number, "twice"));
}

#[actix::test]
async fn pushes_arrive_in_their_order_and_before_a_later_answer() {
    let mut port = Port::open(NetSettings::default());
    let (mut one, first) = port.join().await;
    let (mut two, second) = port.join().await;
    let (first_number, second_number) = (first.id().number, second.id().number);
    one.send(100, "").await;
    let asked = port.asked().await;
    first.push(1, "a").unwrap();
    first.push(1, ()).unwrap();
    port.clients.push(first_number, 2, "b").unwrap();
    assert_eq!(
        port.clients
            .push_many(&[first_number, 12345, second_number], 3, "c"),
        Ok(2)
    );
    assert_eq!(port.clients.push_all(4, "d"), Ok(2));
    asked.reply("e");
    for (command, payload) in [(1, "a"), (2, "b"), (3, "c"), (4, "d"), (100, "e")] {
        one.got(command, payload).await;
    }
    two.got(3, "c").await;
    two.got(4, "d").await;
    let gone = port.clients.push(12345, 1, "x").unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotSent);
}

#[actix::test]
async fn a_session_begins_before_its_first_command_and_ends_after_its_last() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(100, "only").await;
    drop(client);
    let Event::Opened(opened) = port.event().await else {
        panic!("the session begins first")
    };
    let Event::Asked(asked) = port.event().await else {
        panic!("then comes the command")
    };
    asked.reply("nobody reads it");
    let Event::Closed(closed) = port.event().await else {
        panic!("then the session ends")
    };
    assert_eq!(opened.id(), closed.id());
    assert!(!closed.is_open());
}

#[actix::test]
async fn a_client_that_only_listens_any_more_gets_its_answers() {
    let mut port = Port::open(NetSettings {
        in_flight: 1,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(100, "1").await;
    client.send(200, "2").await;
    client.stream.shutdown().await.unwrap();
    port.asked().await.reply("1");
    port.asked().await.reply("2");
    client.got(100, "1").await;
    client.got(200, "2").await;
    client.closed().await;
    port.ended(Reason::Left).await;
}

#[actix::test]
async fn a_handler_that_has_nothing_to_say_sends_no_frame() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(100, "1").await;
    client.send(100, "2").await;
    client.send(100, "3").await;
    let (one, two, three) = (port.asked().await, port.asked().await, port.asked().await);
    two.end(Ok(None));
    one.end(Ok(None));
    three.reply("3");
    client.got(100, "3").await;
}

#[actix::test]
async fn a_stop_answers_what_is_in_flight_and_cuts_off_the_rest() {
    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(100, "").await;
    let asked = port.asked().await;
    let clients = port.clients.clone();
    let stopping = actix::spawn(async move { clients.close_all(Duration::from_secs(10)).await });
    tokio::task::yield_now().await;
    client.send(100, "too late").await;
    asked.reply("in time");
    client.got(100, "in time").await;
    client.closed().await;
    assert_eq!(soon(stopping).await.unwrap(), 0);
    assert!(TcpStream::connect(port.addr).await.is_err(), "the port is closed");

    let mut port = Port::open(NetSettings::default());
    let mut client = Client::connect(port.addr).await;
    client.send(100, "").await;
    let _unanswered = port.asked().await;
    assert_eq!(soon(port.clients.close_all(millis(20))).await, 1);
    assert_eq!(port.clients.count(), 0);
    client.closed().await;
}

#[actix::test]
async fn a_session_keeps_one_value_of_each_type() {
    let mut port = Port::open(NetSettings::default());
    let (_client, session) = port.join().await;
    assert!(session.set(7_u32).is_none());
    assert!(session.set("name".to_owned()).is_none());
    assert_eq!(session.set(8_u32).as_deref(), Some(&7));
    let same = session.clone();
    assert_eq!(same.get::<u32>().as_deref(), Some(&8));
    assert_eq!(
        same.remove::<String>().as_deref().map(String::as_str),
        Some("name")
    );
    assert!(session.get::<String>().is_none());
}
