//! Clients that are slow, broken or too many.

use super::*;

#[actix::test]
async fn a_connection_with_too_many_calls_in_flight_is_not_read_from_for_a_while() {
    let mut port = Port::open(NetSettings {
        in_flight: 2,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    let glued: Vec<u8> = ["1", "2", "3", "4"]
        .iter()
        .flat_map(|p| frame(100, p.as_bytes()))
        .collect();
    client.send_bytes(&glued).await;
    let (one, two) = (port.asked().await, port.asked().await);
    // A second connection's call is handled all the way meanwhile.
    let mut other = Client::connect(port.addr).await;
    other.send(200, "x").await;
    port.asked().await.reply("x");
    other.got(200, "x").await;
    assert!(port.events.try_recv().is_err());
    two.reply("2");
    one.reply("1");
    for payload in ["3", "4"] {
        let asked = port.asked().await;
        assert_eq!(asked.payload, payload);
        asked.reply(payload);
    }
    for payload in ["1", "2", "3", "4"] {
        client.got(100, payload).await;
    }
}

#[actix::test]
async fn a_call_without_an_answer_times_out_and_its_late_answer_is_dropped() {
    let mut port = Port::open(NetSettings {
        call_timeout: millis(50),
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(300, "1").await;
    client.send(300, "2").await;
    let late = port.asked().await;
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["ran"]),
        (&"timeout".into(), &"maybe".into())
    );
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["ran"]),
        (&"expired".into(), &"no".into())
    );
    late.reply("late");
    client.send(300, "3").await;
    port.asked().await.reply("3");
    client.got(300, "3").await;
    assert_eq!(port.clients.counters().late_answers, 1);
}

#[actix::test]
async fn one_client_too_many_is_closed_at_once() {
    let mut port = Port::open(NetSettings {
        max_clients: 1,
        ..NetSettings::default()
    });
    let (client, _) = port.join().await;
    Client::connect(port.addr).await.closed().await;
    let counters = port.clients.counters();
    assert_eq!(
        (counters.accepted, counters.rejected_full, port.clients.count()),
        (1, 1, 1)
    );
    drop(client);
    port.ended(Reason::Left).await;
    port.join().await;
}

#[actix::test]
async fn a_client_that_does_not_read_is_closed() {
    let settings = NetSettings {
        out_buffer: 64 * 1024,
        ..NetSettings::default()
    };
    let mut port = Port::open(settings);
    let (_client, session) = port.join().await;
    let payload = vec![7_u8; 16 * 1024];
    let refused = (0..100_000).find_map(|_| session.push(1, &payload[..]).err());
    assert_eq!(refused.map(|fault| fault.kind), Some(ErrorKind::Overloaded));
    assert!(!session.is_open());
    assert_eq!(
        session.push(1, "more").map_err(|fault| fault.kind),
        Err(ErrorKind::NotSent)
    );
    port.ended(Reason::SlowReader).await;
    assert_eq!(port.clients.counters().dropped_pushes, 2);
}

#[actix::test]
async fn a_client_that_stops_reading_is_closed_when_nothing_has_moved_for_a_while() {
    let settings = NetSettings {
        out_buffer: 16 << 20,
        write_stall: millis(50),
        ..NetSettings::default()
    };
    let mut port = Port::open(settings);
    let (_client, session) = port.join().await;
    for _ in 0..12 {
        session.push(1, vec![7_u8; 1 << 20]).unwrap();
    }
    port.ended(Reason::SlowReader).await;
}

#[actix::test]
async fn a_burst_far_over_the_buffer_reaches_a_client_that_reads() {
    let mut port = Port::open(NetSettings::default());
    let (mut client, session) = port.join().await;
    let payload = vec![7_u8; 1000];
    for _ in 0..1500 {
        session.push(1, &payload[..]).unwrap();
    }
    for _ in 0..1500 {
        client.got(1, payload.clone()).await;
    }
}

#[actix::test]
async fn a_reply_over_the_limit_is_an_error_and_the_connection_goes_on() {
    let mut port = Port::open(NetSettings {
        out_buffer: 64 * 1024,
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(100, "").await;
    port.asked().await.reply(vec![0; 65 * 1024]);
    let error = client.error().await;
    assert_eq!(
        (&error["error"], &error["ran"]),
        (&"handler_error".into(), &"yes".into()),
        "the handler did run"
    );
    assert!(error["message"].to_string().contains("too_large"), "{error}");
    client.send(100, "").await;
    port.asked().await.reply("fine");
    client.got(100, "fine").await;
}

#[actix::test]
async fn idle_clients_are_closed_only_when_configured() {
    let mut port = Port::open(NetSettings {
        idle_timeout: Some(millis(60)),
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    client.send(100, "").await;
    let asked = port.asked().await;
    tokio::time::sleep(millis(100)).await;
    asked.reply("a client that waits for its answer is not idle");
    client
        .got(100, "a client that waits for its answer is not idle")
        .await;
    client.closed().await;
    port.ended(Reason::Idle).await;
}

#[actix::test]
async fn a_client_over_its_rate_is_read_from_more_slowly() {
    let mut port = Port::open(NetSettings {
        rate: Some(20),
        ..NetSettings::default()
    });
    let mut client = Client::connect(port.addr).await;
    let started = std::time::Instant::now();
    for _ in 0..24 {
        client.send(100, "").await;
    }
    for _ in 0..24 {
        port.asked().await.reply("");
    }
    assert!(started.elapsed() >= millis(150), "{:?}", started.elapsed());
}

#[actix::test]
async fn bytes_that_are_no_frame_end_the_connection_and_are_counted() {
    let mut port = Port::open(NetSettings {
        max_frame: 1000,
        ..NetSettings::default()
    });
    let header = |length: u32| [&[0; 9][..], &length.to_be_bytes()].concat();
    let cases = [
        (b"GET /".to_vec(), Reason::BadHead),
        (vec![0, 0, 0, 0, 9], Reason::BadVersion),
        (header(3), Reason::BadLength),
        (header(1001), Reason::TooLarge),
    ];
    for (bytes, reason) in cases {
        let mut client = Client::connect(port.addr).await;
        client.send_bytes(&bytes).await;
        client.closed().await;
        port.ended(reason).await;
    }
    let mut client = Client::connect(port.addr).await;
    client.send_bytes(&frame(100, b"")[..16]).await;
    client.stream.shutdown().await.unwrap();
    client.closed().await;
    port.ended(Reason::Truncated).await;
}

#[actix::test]
async fn a_frame_that_does_not_come_to_its_end_is_given_up() {
    let mut port = Port::open(NetSettings {
        frame_timeout: millis(50),
        ..NetSettings::default()
    });
    let (silent, _) = port.join().await;
    let mut slow = Client::connect(port.addr).await;
    slow.send_bytes(&[0; 3]).await;
    slow.closed().await;
    drop(silent);
    let counters = loop {
        if let Event::Closed(_) = port.event().await
            && port.clients.count() == 0
        {
            break port.clients.counters();
        }
    };
    assert_eq!(
        (counters.closed(Reason::SlowFrame), counters.closed(Reason::Left)),
        (1, 1)
    );
}

#[actix::test]
async fn who_comes_and_goes_is_turned_away_while_services_do_not_keep_up() {
    let inbox = Inbox::new(Probe::NAME, 10, Taking::Batch);
    let mut router = Router::default();
    router.add::<Probe>(&inbox).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let settings = NetSettings {
        max_clients: 3,
        ..NetSettings::default()
    };
    let clients = serve(listener, settings, Arc::new(router), None).unwrap();
    for _ in 0..100 {
        // Closed at once when it is turned away, else when it has said that it has nothing to say.
        let mut client = Client::connect(addr).await;
        client.stream.shutdown().await.ok();
        client.closed().await;
        soon(clients.none_left()).await;
    }
    let counters = clients.counters();
    assert_eq!(
        counters.accepted, 6,
        "two pieces of news each, for two times three clients"
    );
    assert_eq!(counters.rejected_full, 94);
    // A service that comes back finds them all, and the port is open again.
    let (sender, mut events) = mpsc::channel(100);
    let _probe = host(inbox, move || Probe(sender.clone()));
    for _ in 0..12 {
        soon(events.recv()).await.expect("the probe lives");
    }
    let _client = Client::connect(addr).await;
    assert!(matches!(soon(events.recv()).await, Some(Event::Opened(_))));
}
