//! Panics and stops: the caller learns of it, the others are answered, the next actor starts fresh.

use super::*;

#[actix::test]
async fn after_a_panic_a_fresh_actor_answers_what_waited() {
    let bench = Bench::new(100);
    let before = bench.ask(Add { n: 1 });
    let poison = bench.ask(Add { n: POISON });
    let after = [bench.ask(Add { n: 2 }), bench.ask(Add { n: 5 })];
    assert_eq!(before.reply().await, 1);
    let told = poison.told().await;
    let fault = told.outcome.expect_err("a fault");
    assert_eq!(fault.kind, ErrorKind::HandlerPanic);
    assert!(
        fault.message.contains("counter.add") && !fault.message.contains("poison"),
        "{}",
        fault.message
    );
    assert_eq!(told.lives, 1, "the caller was told before the successor was made");
    let [second, third] = after;
    assert_eq!(second.reply().await, 2);
    assert_eq!(third.reply().await, 7);
    assert_eq!(bench.lives.load(Ordering::Relaxed), 2);
    assert_eq!(bench.inbox.unanswered(), 0);
}

#[actix::test]
async fn an_actor_that_panics_at_every_message_is_made_anew_without_delay() {
    let bench = Bench::new(100);
    let begin = tokio::time::Instant::now();
    for _ in 0..50 {
        let poison = bench.ask(Add { n: POISON });
        poison.fails_with(ErrorKind::HandlerPanic).await;
    }
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 1);
    // With a delay that grows from one life to the next it would be minutes.
    let took = begin.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}

#[actix::test]
async fn a_panic_in_a_future_of_its_own_leaves_the_actor_alone() {
    let bench = Bench::new(100);
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 1);
    bench.ask(Soon(POISON)).fails_with(ErrorKind::HandlerPanic).await;
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 2);
    assert_eq!(bench.lives.load(Ordering::Relaxed), 1);
}

#[actix::test]
async fn a_panic_in_a_future_of_the_actor_ends_the_actor() {
    let bench = Bench::new(100);
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 1);
    bench
        .ask(Inside(POISON))
        .fails_with(ErrorKind::HandlerPanic)
        .await;
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 1);
    assert_eq!(bench.lives.load(Ordering::Relaxed), 2);
}

#[actix::test]
async fn a_panic_in_an_atomic_future_ends_the_actor_and_cancels_the_call() {
    let bench = Bench::new(100);
    let poison = bench.ask(Alone(POISON));
    let after = bench.ask(Add { n: 1 });
    poison.fails_with(ErrorKind::Cancelled).await;
    assert_eq!(after.reply().await, 1);
    assert_eq!(bench.lives.load(Ordering::Relaxed), 2);
}

#[actix::test]
async fn after_a_stop_a_fresh_actor_answers_what_waited() {
    let bench = Bench::new(100);
    let before = bench.ask(Add { n: 1 });
    let stop = bench.ask(Stop);
    let after = bench.ask(Add { n: 2 });
    assert_eq!(before.reply().await, 1);
    stop.reply().await;
    assert_eq!(after.reply().await, 2);
    assert_eq!(bench.lives.load(Ordering::Relaxed), 2);
}

#[actix::test]
async fn an_answer_that_ends_with_its_actor_is_cancelled() {
    let bench = Bench::new(100);
    let never = bench.ask(Never);
    let stop = bench.ask(Stop);
    stop.reply().await;
    never.fails_with(ErrorKind::Cancelled).await;
    assert_eq!(bench.inbox.unanswered(), 0);
}

/// An actor that will not stop.
#[derive(Service)]
#[service(name = "stubborn", serves(Add, Stop))]
struct Stubborn(u64);

impl Actor for Stubborn {
    type Context = Context<Self>;

    fn stopping(&mut self, _: &mut Context<Self>) -> actix::Running {
        actix::Running::Continue
    }
}

impl Handler<Add> for Stubborn {
    type Result = Result<u64, CallError>;

    fn handle(&mut self, Add { n }: Add, _: &mut Context<Self>) -> Self::Result {
        assert_ne!(n, POISON, "poison");
        self.0 += n;
        Ok(self.0)
    }
}

impl Handler<Stop> for Stubborn {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) -> Self::Result {
        actix::ActorContext::stop(ctx);
        Ok(())
    }
}

#[actix::test]
async fn an_actor_may_refuse_to_stop_but_does_not_outlive_its_panic() {
    let inbox = Inbox::new(Stubborn::NAME, 100, Taking::Batch);
    let hosted = host(Arc::clone(&inbox), || Stubborn(0));
    let bench: Bench<Stubborn> = Bench {
        inbox,
        hosted,
        lives: Arc::default(),
        actor: PhantomData,
    };
    let first = bench.ask(Add { n: 1 });
    let stop = bench.ask(Stop);
    let second = bench.ask(Add { n: 1 });
    let poison = bench.ask(Add { n: POISON });
    let third = bench.ask(Add { n: 1 });
    assert_eq!(first.reply().await, 1);
    stop.reply().await;
    assert_eq!(second.reply().await, 2);
    poison.fails_with(ErrorKind::HandlerPanic).await;
    assert_eq!(third.reply().await, 1);
}

#[actix::test]
async fn a_factory_that_panics_is_tried_again() {
    let inbox = Inbox::new(Stubborn::NAME, 100, Taking::Batch);
    let lives = Arc::new(AtomicUsize::default());
    let made = Arc::clone(&lives);
    let hosted = host(Arc::clone(&inbox), move || {
        assert_ne!(made.fetch_add(1, Ordering::Relaxed), 1, "no second life");
        Stubborn(0)
    });
    let bench: Bench<Stubborn> = Bench {
        inbox,
        hosted,
        lives,
        actor: PhantomData,
    };
    bench
        .ask(Add { n: POISON })
        .fails_with(ErrorKind::HandlerPanic)
        .await;
    assert_eq!(bench.ask(Add { n: 1 }).reply().await, 1);
    assert_eq!(bench.lives.load(Ordering::Relaxed), 3);
}
