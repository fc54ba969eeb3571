//! A whole cluster in one thread, one clock and one seed: the master with the real roster, gate, net and two games,
//! each with real peers, handshakes, machines and waiting calls, over pipes and processes that fail in every way
//! they can. docs/simulation.md says what is simulated and how a seed is replayed.
//!
//! Invariants, checked at every step: S1 no handler runs twice; S2 each call ends once, in time; S4 `ran=no` is
//! true; S5 the order of each link; S6 nothing of another life or connection; S8 no queue above its limit; the
//! roster spawns and signals only what it may. When the faults end, the cluster becomes whole.

mod checker;
mod ends;
mod faults;
mod master;
mod pipe;
mod process;
mod shake;
mod work;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::panic_text;
use world::{MS, Plant, World};

const SEEDS: u64 = 512;
const STEPS: usize = 5_000;

/// The longest time, by the world's clock, in which the cluster becomes whole after the last fault.
const RECOVERY: u64 = 60_000 * MS;

/// What a world has to show.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    story: u64,
    replies: u64,
    faults: u64,
    recovered_in: u64,
}

fn live(seed: u64, plant: Plant, steps: usize, told: bool) -> Outcome {
    let mut world = World::new(seed, plant, told);
    let mut done = 0;
    while done < steps {
        done += usize::from(world.step());
    }
    world.calm_down();
    let healed = world.now;
    while let Some(missing) = world.missing() {
        if world.now > healed + RECOVERY {
            world.fail(&format!("the cluster does not become whole: {missing}"));
        }
        let until = world.now + 20 * MS;
        while world.now < until {
            world.step();
        }
    }
    let recovered_in = world.now - healed;
    every_way_is_open(&mut world);
    Outcome {
        story: world.hash(),
        replies: world.checker.replies,
        faults: world.checker.faults,
        recovered_in,
    }
}

/// In a whole cluster every call is answered.
fn every_way_is_open(world: &mut World) {
    for way in work::WAYS {
        // A handler may refuse, or think for longer than its caller has patience; not five times in a row.
        let open = (0..5).any(|_| {
            let pid = world.life(way.0).expect("a whole cluster");
            let uid = world.send_out(pid, way, Some(Duration::from_secs(1)), 10);
            while world.checker.open() > 0 {
                world.step();
            }
            world.checker.was_answered(uid)
        });
        if !open {
            world.fail(&format!("no answer comes on the way {way:?}"));
        }
    }
}

/// What became of a seed: its outcome, or what broke.
fn try_seed(seed: u64, plant: Plant, steps: usize) -> Result<Outcome, String> {
    catch_unwind(AssertUnwindSafe(|| live(seed, plant, steps, false)))
        .map_err(|panic| panic_text(&*panic).to_owned())
}

fn number<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs each seed twice, on all processors; tells the first that fails and how to see it again.
fn run_all(seeds: u64) -> Vec<Outcome> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return Ok(outcomes);
            }
            let [first, second] = [0; 2].map(|_| try_seed(seed, Plant::Nothing, STEPS));
            match (first, second) {
                (Ok(first), Ok(second)) if first == second => outcomes.push(first),
                (Ok(_), Ok(_)) => return Err((seed, "it told two stories".to_owned())),
                (Err(why), _) | (_, Err(why)) => return Err((seed, why)),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter()
            .map(|thread| thread.join().expect("a thread that catches panics"))
            .collect()
    });
    let mut outcomes = Vec::new();
    for result in results {
        match result {
            Ok(more) => outcomes.extend(more),
            Err((seed, why)) => panic!(
                "{why}\nreplay with: LAMPYRIS_SIM_SEED={seed} cargo test -p lampyris-runtime --lib simulation::whatever -- --nocapture"
            ),
        }
    }
    outcomes
}

#[test]
fn whatever_happens_the_promises_hold_and_the_cluster_becomes_whole() {
    if let Some(seed) = number("LAMPYRIS_SIM_SEED") {
        let outcome = live(seed, Plant::Nothing, STEPS, true);
        return println!("{outcome:?}");
    }
    let seeds = number("LAMPYRIS_SIM_SEEDS").unwrap_or(SEEDS);
    let outcomes = run_all(seeds);
    let sum = |part: fn(&Outcome) -> u64| outcomes.iter().map(part).sum::<u64>();
    let (replies, faults) = (sum(|one| one.replies), sum(|one| one.faults));
    let slowest = outcomes
        .iter()
        .map(|one| one.recovered_in)
        .max()
        .unwrap_or_default();
    println!(
        "{seeds} seeds: {replies} replies, {faults} errors, whole again within {} ms",
        slowest / MS
    );
    assert!(
        replies > 100 * seeds && faults > 20 * seeds,
        "a lame walk: {replies} replies, {faults} errors"
    );
}

/// The first of some seeds at which the planted error is found, in words.
fn found(plant: Plant) -> String {
    (0..64)
        .find_map(|seed| try_seed(seed, plant, STEPS).err())
        .unwrap_or_else(|| panic!("{plant:?} was not found"))
}

#[test]
fn bytes_that_come_twice_are_found() {
    let found = found(Plant::Duplicate);
    assert!(found.contains("S1: "), "{found}");
}

#[test]
fn a_call_that_is_silently_dropped_is_found() {
    let found = found(Plant::Lost);
    assert!(found.contains("S2: "), "{found}");
}

#[test]
fn an_answer_of_an_earlier_connection_is_found() {
    let found = found(Plant::Stale);
    assert!(found.contains("S6: "), "{found}");
}

#[test]
fn an_error_that_lies_about_its_handler_is_found() {
    let found = found(Plant::Liar);
    assert!(found.contains("S4: "), "{found}");
}
