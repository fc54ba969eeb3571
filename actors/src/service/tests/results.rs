//! Every kind of a handler's result reaches the caller, and so does every reason for not running it.

use super::*;
use crate::meter::HandlerMeter;

#[actix::test]
async fn every_kind_of_result_is_an_answer() {
    let bench = Bench::new(100);
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 1);
    assert_eq!(bench.ask(Soon(7)).reply().await, 7);
    assert_eq!(bench.ask(Inside(2)).reply().await, 3);
    assert_eq!(bench.ask(Alone(3)).reply().await, 6);
    assert_eq!(bench.ask(Either(4)).reply().await, 10);
    assert_eq!(bench.ask(Either(5)).reply().await, 5);
    assert_eq!(bench.inbox.unanswered(), 0);
    assert_eq!(bench.lives.load(Ordering::Relaxed), 1);
}

#[actix::test]
async fn handlers_run_in_the_order_of_arrival() {
    let bench = Bench::new(1_000);
    let asked: Vec<_> = (1..=600).map(|_| bench.ask(Add { n: 1 })).collect();
    for (at, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.reply().await, at as u64 + 1);
    }
}

#[actix::test]
async fn a_body_that_does_not_fit_is_refused_by_the_name_of_its_field() {
    let bench = Bench::new(100);
    let body = codec::to_bytes(&serde_json::json!({ "n": "seven" })).unwrap();
    let fault = bench.push::<Add>(body, Instant::now() + PATIENCE).fault().await;
    assert_eq!(fault.kind, ErrorKind::BadPayload);
    assert!(fault.message.starts_with("n: "), "{}", fault.message);
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 1);
}

#[actix::test]
async fn what_came_too_late_is_not_run() {
    let bench = Bench::new(100);
    let late = bench.ask_until(Add { n: 100 }, Instant::now());
    let next = bench.ask(Add { n: 1 });
    late.fails_with(ErrorKind::Expired).await;
    assert_eq!(next.reply().await, 1);
}

#[actix::test]
async fn how_long_calls_take_is_told_by_one_that_ran() {
    let bench = Bench::new(100);
    bench.inbox.measure(Counter::TABLE);
    // All in one slice, whose first call is timed.
    let late = bench.ask_until(Spin(0), Instant::now());
    let slow = bench.ask(Spin(20_000));
    late.fails_with(ErrorKind::Expired).await;
    assert_eq!(slow.reply().await, 1);
    let spin = meter(&bench, "counter.spin");
    assert_eq!(spin.started(), 2);
    assert_eq!(spin.faults(), [("expired".to_owned(), 1)]);
    assert!(spin.times().quantile(0.01) >= Some(0.01), "{:?}", spin.times());
}

#[actix::test]
async fn a_reply_that_cannot_be_written_counts_as_a_fault() {
    let bench = Bench::new(100);
    bench.inbox.measure(Counter::TABLE);
    bench.ask(Unspeakable).fault().await;
    let counted = meter(&bench, "counter.unspeakable").faults();
    assert_eq!(
        counted.iter().map(|(_, count)| count).sum::<u64>(),
        1,
        "{counted:?}"
    );
}

fn meter<'a>(bench: &'a Bench<Counter>, name: &str) -> &'a HandlerMeter {
    let mut handlers = bench.inbox.handlers().iter();
    &handlers.find(|handler| handler.name == name).unwrap().meter
}

#[actix::test]
async fn a_full_inbox_refuses_at_once_and_takes_again_when_one_is_answered() {
    let bench = Bench::new(2);
    let mut open = [bench.ask(Never), bench.ask(Never)];
    bench.ask(Add { n: 1 }).fails_with(ErrorKind::Overloaded).await;
    assert!(open.iter_mut().all(Asked::is_open));
    assert_eq!(bench.inbox.unanswered(), 2);
    bench.hosted.stop();

    let bench = Bench::new(2);
    let pair = [bench.ask(Add { n: 1 }), bench.ask(Add { n: 1 })];
    for (at, asked) in pair.into_iter().enumerate() {
        assert_eq!(asked.reply().await, at as u64 + 1);
    }
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 3);
}

#[actix::test]
async fn a_service_that_stops_takes_nothing_more() {
    let bench = Bench::new(100);
    // The actor has had no turn yet, so this one waits.
    let waits = bench.ask(Add { n: 1 });
    bench.hosted.stop();
    waits.fails_with(ErrorKind::Draining).await;
    bench.ask(Add { n: 1 }).fails_with(ErrorKind::Draining).await;
    assert_eq!(bench.inbox.unanswered(), 0);
}

#[actix::test]
async fn what_was_taken_and_not_started_when_a_service_stops_is_answered() {
    let bench = Bench::new(100);
    let asked = [bench.ask(Add { n: 1 }), bench.ask(Add { n: 2 })];
    let mut taken = VecDeque::new();
    bench.inbox.take(&mut taken);
    assert_eq!(taken.len(), 2);
    bench.hosted.stop();
    assert!(!bench.inbox.put_back(taken), "nobody is to be woken");
    for asked in asked {
        asked.fails_with(ErrorKind::Draining).await;
    }
    assert!(bench.inbox.is_idle());
}

#[actix::test]
async fn what_comes_while_a_slice_is_worked_on_is_woken_for_at_its_end() {
    let inbox = Inbox::new("none", 100, Taking::Batch);
    let wakes = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&wakes);
    inbox.attach(Arc::new(move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
    }));
    let invocation = || Invocation {
        entry: 0,
        body: Bytes::new(),
        deadline: Instant::now() + PATIENCE,
        reply: ReplyTo::nobody(),
    };
    let mut taken = VecDeque::new();
    inbox.take(&mut taken);
    let before = wakes.load(Ordering::Relaxed);
    inbox.push_all(&mut VecDeque::from([invocation(), invocation()]));
    assert_eq!(wakes.load(Ordering::Relaxed), before, "the actor is at work");
    assert!(inbox.put_back(taken));
    let mut taken = VecDeque::new();
    inbox.take(&mut taken);
    assert_eq!(taken.len(), 2);
    taken.pop_front();
    assert!(inbox.put_back(taken), "one is left");
    let mut taken = VecDeque::new();
    inbox.take(&mut taken);
    taken.clear();
    assert!(!inbox.put_back(taken), "nothing is");
    inbox.push_all(&mut VecDeque::from([invocation()]));
    assert_eq!(wakes.load(Ordering::Relaxed), before + 1);
}

#[actix::test]
async fn a_handler_and_its_future_know_whose_call_they_work_on() {
    let bench = Bench::new(100);
    assert_eq!(bench.ask(Scoped).reply().await, (true, true));
    assert!(crate::scope::current().is_none());
}
