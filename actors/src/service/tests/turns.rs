//! Who has a turn when: one service beside the thread's other tasks, one thread of a pool beside the other.

use std::sync::Barrier;

use super::super::drain::SLICE;
use super::super::host_pool;
use super::*;

#[actix::test]
async fn no_message_runs_beside_an_atomic_one() {
    let bench = Bench::new(100);
    let alone = bench.ask(Alone(1));
    let next = bench.ask(Add { n: 1 });
    let last = bench.ask(Add { n: 1 });
    assert_eq!(alone.reply().await, 1);
    assert_eq!(next.reply().await, 2);
    assert_eq!(last.reply().await, 3);
}

/// Each message holds the thread for 10 us, so every slice lasts longer than the timer's millisecond.
#[actix::test]
async fn a_long_queue_lets_timers_have_their_turn_between_slices() {
    const QUEUED: usize = 10_000;
    let bench = Bench::new(QUEUED);
    let asked: Vec<_> = (0..QUEUED).map(|_| bench.ask(Spin(10))).collect();
    let mut left = vec![bench.inbox.unanswered()];
    while left.last() != Some(&0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        left.push(bench.inbox.unanswered());
    }
    let most = left.windows(2).map(|pair| pair[0] - pair[1]).max();
    assert!(
        most <= Some(2 * SLICE),
        "{most:?} messages ran between two ticks of a timer"
    );
    for (at, asked) in asked.into_iter().enumerate() {
        assert_eq!(asked.reply().await, at as u64 + 1);
    }
}

/// A pool's actor: one message meets the test at its gate when it starts, and again to end.
#[derive(Service)]
#[service(name = "pool", serves(Block, Add))]
struct Blocking {
    gate: Arc<Barrier>,
    total: u64,
}

impl Actor for Blocking {
    type Context = SyncContext<Self>;
}

#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "pool.block")]
struct Block;

impl Handler<Block> for Blocking {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: Block, _: &mut SyncContext<Self>) -> Self::Result {
        self.gate.wait();
        self.gate.wait();
        Ok(())
    }
}

impl Handler<Add> for Blocking {
    type Result = Result<u64, CallError>;

    fn handle(&mut self, Add { n }: Add, _: &mut SyncContext<Self>) -> Self::Result {
        assert_ne!(n, POISON, "poison");
        self.total += n;
        Ok(self.total)
    }
}

fn pool(threads: usize) -> (Bench<Blocking>, Arc<Barrier>) {
    let gate = Arc::new(Barrier::new(2));
    let inbox = Inbox::new(Blocking::NAME, 100, Taking::Single);
    let own = Arc::clone(&gate);
    let factory = move || Blocking {
        gate: Arc::clone(&own),
        total: 0,
    };
    let hosted = host_pool(Arc::clone(&inbox), threads, factory);
    (
        Bench {
            inbox,
            hosted,
            lives: Arc::default(),
            actor: PhantomData,
        },
        gate,
    )
}

/// Waits at the gate without holding the thread that brings the pool its messages.
async fn meet(gate: &Arc<Barrier>) {
    let gate = Arc::clone(gate);
    tokio::task::spawn_blocking(move || gate.wait()).await.unwrap();
}

#[actix::test]
async fn one_thread_of_a_pool_answers_while_another_blocks() {
    let (bench, gate) = pool(2);
    let mut blocked = bench.ask(Block);
    meet(&gate).await;
    for n in 1..=50 {
        assert_eq!(bench.ask(Add { n: 1 }).reply().await, n);
    }
    assert!(blocked.is_open());
    meet(&gate).await;
    blocked.reply().await;
    bench.hosted.stop();
}

#[actix::test]
async fn a_pool_counts_each_time_once_however_its_calls_overlap() {
    const PAIRS: u64 = 10;
    let (bench, _gate) = pool(2);
    bench.inbox.measure(Blocking::TABLE);
    for _ in 0..PAIRS {
        // They meet each other at the gate.
        let pair = [bench.ask(Block), bench.ask(Block)];
        for blocked in pair {
            blocked.reply().await;
        }
    }
    let block = bench
        .inbox
        .handlers()
        .iter()
        .find(|known| known.name == "pool.block");
    let counted = block.unwrap().meter.times().count();
    // The last pair may not have been counted yet.
    assert!((2 * PAIRS - 2..=2 * PAIRS).contains(&counted), "{counted}");
    bench.hosted.stop();
}

#[actix::test]
async fn a_pools_thread_goes_on_after_a_panic_with_a_fresh_actor() {
    let (bench, _gate) = pool(1);
    let before = bench.ask(Add { n: 1 });
    let poison = bench.ask(Add { n: POISON });
    let after = [bench.ask(Add { n: 2 }), bench.ask(Add { n: 5 })];
    assert_eq!(before.reply().await, 1);
    poison.fails_with(ErrorKind::HandlerPanic).await;
    let [second, third] = after;
    assert_eq!(second.reply().await, 2);
    assert_eq!(third.reply().await, 7);
    bench.hosted.stop();
}
