//! Every kind of a handler's result reaches the caller, and so does every reason for not running it.

use super::*;

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
async fn a_handler_and_its_future_know_whose_call_they_work_on() {
    let bench = Bench::new(100);
    assert_eq!(bench.ask(Scoped).reply().await, (true, true));
    assert!(crate::scope::current().is_none());
}
