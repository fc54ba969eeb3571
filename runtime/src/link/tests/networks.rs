//! The real tasks of a link, dialler and acceptor over turmoil's network of hosts: partitions, held messages,
//! crashes. Time is the simulated network's, and so is all that happens; a seed tells the same story.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::ready;
use std::rc::Rc;

use turmoil::net::{TcpListener, TcpStream};
use turmoil::{Builder, Sim};

use super::*;
use crate::error::Ran;
use crate::link::accept::welcome;
use crate::link::dial::dial_by;

const PORT: u16 = 7000;
const TIMEOUT: Duration = Duration::from_millis(800);
/// How late a call may end: a tick of the calls and one of the simulated network.
const SLACK: Duration = Duration::from_millis(50);
const ROUNDS: u64 = 3;
const SEEDS: u64 = 3;

/// Whose handler ran for what, over all lives of the gate.
#[derive(Default)]
struct Ledger(Arc<Mutex<Vec<u32>>>);

impl Inbound for Ledger {
    fn intake(&self, conn: &Arc<Conn>) -> Box<dyn Intake> {
        let ledger = Arc::clone(&self.0);
        Asked::intake(conn, move |asked| {
            let number = u32::from_be_bytes(asked.body[..].try_into().unwrap());
            ledger.lock().unwrap().push(number);
            asked.reply.reply_bytes(asked.body);
        })
    }

    fn up(&self, _: &LinkId) {}

    fn down(&self, _: &LinkId, _: &str) {}
}

/// One life of the gate: it takes in the net, and its handlers write into the ledger.
async fn gate(ledger: Arc<Ledger>) -> turmoil::Result {
    let settings = Arc::new(LinkSettings::default());
    let peer = Peer::new(NodeName::new("net")?, settings, ledger);
    let acceptor = Arc::new(Acceptor {
        me: who("gate"),
        secret: SECRET.into(),
        tls: None,
        handshake: Duration::from_secs(2),
        gatekeeper: Arc::new(Admit(peer)),
        strangers: Arc::default(),
        spawn: |task| tokio::spawn(task).abort_handle(),
    });
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, addr) = listener.accept().await?;
        welcome(ready(Ok(stream)), addr, |_, _| true, &acceptor);
    }
}

async fn connect(target: String) -> Result<(TcpStream, SocketAddr), DialError> {
    let connected = TcpStream::connect(("gate", PORT)).await;
    connected
        .and_then(|stream| stream.peer_addr().map(|addr| (stream, addr)))
        .map_err(|why| DialError::Connect(target, why))
}

/// What became of a call, and how long that took.
type Ended = (Result<Bytes, Fault>, Duration);

/// The net: it calls the gate all the time until it is told to stop, and then until a call is answered.
async fn net(ended: Rc<RefCell<Vec<Ended>>>, stop: Rc<RefCell<bool>>) -> turmoil::Result {
    let settings = Arc::new(LinkSettings::default());
    let peer = Peer::new(NodeName::new("gate")?, settings, Arc::new(Ledger::default()));
    let (target, known) = watch::channel(Some("gate".to_owned()));
    let dialer = Dialer {
        me: who("net"),
        secret: SECRET.into(),
        tls: None,
        target: known,
        on_failure: Box::new(|_| {}),
    };
    let dialling = tokio::task::spawn_local(dial_by(dialer, peer.clone(), connect));
    loop {
        let begun = clock();
        let number = u32::try_from(ended.borrow().len())?;
        let calls: Vec<_> = (number..number + 3)
            .map(|number| call(&peer, ECHO, &number.to_be_bytes(), TIMEOUT))
            .collect();
        let mut last = None;
        for call in calls {
            let outcome = call.await?;
            last = Some(outcome.is_ok());
            ended.borrow_mut().push((outcome, clock() - begun));
        }
        if *stop.borrow() && last == Some(true) {
            dialling.abort();
            drop(target);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
}

/// Gate and net, disturbed again and again; then the faults end, and calls are answered again.
fn run(seed: u64, disturb: impl Fn(&mut Sim<'_>), repair: impl Fn(&mut Sim<'_>)) -> Vec<Ended> {
    let mut sim = Builder::new()
        .rng_seed(seed)
        .simulation_duration(Duration::from_secs(300))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(20))
        .tcp_capacity(1024)
        .build();
    let ledger = Arc::new(Ledger::default());
    let (ended, stop) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(false)));
    let lives = Arc::clone(&ledger);
    sim.host("gate", move || gate(Arc::clone(&lives)));
    sim.client("net", net(Rc::clone(&ended), Rc::clone(&stop)));
    for round in 0..ROUNDS {
        pass(&mut sim, Duration::from_millis(1500));
        disturb(&mut sim);
        // Shorter and longer than a link stands silence.
        pass(&mut sim, Duration::from_millis(700 + 2300 * (round % 3)));
        repair(&mut sim);
    }
    *stop.borrow_mut() = true;
    let healed = sim.elapsed();
    sim.run().expect("after the last fault calls are answered again");
    assert!(
        sim.elapsed() - healed < Duration::from_secs(5),
        "the link returns late"
    );
    let ended = ended.take();
    check(&ledger.0.lock().unwrap(), &ended);
    ended
}

fn pass(sim: &mut Sim<'_>, time: Duration) {
    let until = sim.elapsed() + time;
    while sim.elapsed() < until {
        assert!(!sim.step().unwrap(), "the net ends too early");
    }
}

/// Each call ended once and in time, no handler ran twice, and what the errors say of them is true.
fn check(ledger: &[u32], ended: &[Ended]) {
    let ran: BTreeSet<u32> = ledger.iter().copied().collect();
    assert_eq!(ran.len(), ledger.len(), "a handler ran twice for one call");
    for (number, (outcome, took)) in (0..).zip(ended) {
        assert!(*took <= TIMEOUT + SLACK, "call {number} ended after {took:?}");
        match outcome {
            Ok(body) => assert_eq!(body[..], u32::to_be_bytes(number)),
            Err(fault) => assert!(fault.ran() != Ran::No || !ran.contains(&number), "{fault}"),
        }
        assert!(outcome.is_err() || ran.contains(&number));
    }
}

fn kinds(ended: &[Ended]) -> BTreeSet<&'static str> {
    let name = |(outcome, _): &Ended| outcome.as_ref().map_or_else(|fault| fault.kind.name(), |_| "ok");
    ended.iter().map(name).collect()
}

#[test]
fn a_partition_that_heals_brings_the_link_back() {
    for seed in 0..SEEDS {
        let ended = run(
            seed,
            |sim| sim.partition("gate", "net"),
            |sim| sim.repair("gate", "net"),
        );
        assert!(
            kinds(&ended).is_superset(&["ok", "timeout"].into()),
            "{:?}",
            kinds(&ended)
        );
    }
}

#[test]
fn a_network_that_loses_one_direction_brings_the_link_back() {
    for seed in 0..SEEDS {
        let ended = run(
            seed,
            |sim| sim.partition_oneway("gate", "net"),
            |sim| sim.repair_oneway("gate", "net"),
        );
        assert!(
            kinds(&ended).is_superset(&["ok", "timeout"].into()),
            "{:?}",
            kinds(&ended)
        );
    }
}

#[test]
fn messages_that_are_held_and_come_late_are_handled_once() {
    for seed in 0..SEEDS {
        let ended = run(
            seed,
            |sim| sim.hold("gate", "net"),
            |sim| sim.release("gate", "net"),
        );
        assert!(
            kinds(&ended).is_superset(&["ok", "timeout"].into()),
            "{:?}",
            kinds(&ended)
        );
    }
}

#[test]
fn a_node_that_crashes_and_starts_again_is_found_again() {
    for seed in 0..SEEDS {
        let ended = run(seed, |sim| sim.crash("gate"), |sim| sim.bounce("gate"));
        assert!(
            kinds(&ended).contains("ok") && kinds(&ended).len() > 1,
            "{:?}",
            kinds(&ended)
        );
    }
}

#[test]
fn a_node_that_starts_again_at_once_is_found_again() {
    for seed in 0..SEEDS {
        run(seed, |sim| sim.bounce("gate"), |_| {});
    }
}
