//! A run from beginning to end: starts the systems, loads them in turns, reads the kernel's books, stops them.

use std::net::SocketAddr;
use std::time::Duration;

use lampyris_runtime::config::{ClientConfig, Config};
use lampyris_runtime::supervisor::usage;
use tokio::signal::unix::{SignalKind, signal};

use super::args::BenchArgs;
use super::load::{self, Load, Tally};
use super::plan::{PAYLOAD, Plan, Point, System};
use super::requests::{self, Requests};
use super::results::{Memory, PointResult, Results, Round, SystemResult};
use super::stage::Stage;
use super::systems::{self, Serving};
use super::{frame, progress};
use crate::console::eprint_line;

/// Measures until the end, a fault or a signal, and ends what was started.
pub(super) async fn run(config: &Config, args: &BenchArgs) -> Result<Results, String> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|why| why.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|why| why.to_string())?;
    let mut stage = Stage::new().map_err(|why| why.to_string())?;
    let results = tokio::select! {
        results = measure_on(&mut stage, config, args) => results,
        _ = interrupt.recv() => Err("interrupted".to_owned()),
        _ = terminate.recv() => Err("told to stop".to_owned()),
    };
    stage.stop().await;
    results
}

async fn measure_on(stage: &mut Stage, config: &Config, args: &BenchArgs) -> Result<Results, String> {
    let plan = args.plan();
    let clients = config
        .nodes
        .iter()
        .find(|node| node.netport.is_some())
        .map(|node| node.clients.clone())
        .unwrap_or_default();
    let servings = match args.addr {
        Some(addr) => vec![elsewhere(addr, System::Cluster), elsewhere(addr, System::Beside)],
        None => start_all(stage, &plan, config).await?,
    };
    let spinners = args.spinners && spin(stage).await;
    let idle = memory(&servings);
    let mut points = Vec::new();
    for point in &plan.points {
        points.push(measure_point(point, &plan, &servings, &clients).await?);
    }
    let mut memory_of_all = idle;
    for (before, after) in memory_of_all.iter_mut().zip(memory(&servings)) {
        before.after = after.idle;
    }
    Ok(Results {
        version: env!("CARGO_PKG_VERSION"),
        debug_build: cfg!(debug_assertions),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        spinners,
        rounds: plan.rounds,
        seconds: plan.duration.as_secs_f64(),
        points,
        memory: memory_of_all,
    })
}

/// A cluster that somebody else started.
fn elsewhere(addr: SocketAddr, system: System) -> Serving {
    Serving {
        system,
        addr,
        processes: Vec::new(),
    }
}

/// Starts every system that a point needs.
async fn start_all(stage: &mut Stage, plan: &Plan, config: &Config) -> Result<Vec<Serving>, String> {
    let mut systems: Vec<System> = plan.points.iter().flat_map(Point::systems).copied().collect();
    systems.sort_unstable();
    systems.dedup();
    let mut servings = Vec::new();
    for system in systems {
        progress(&format!("starting {}", system.name()));
        let serving = match servings.first() {
            // The cluster, which has been started before all others.
            Some(cluster) if system == System::Beside => Serving {
                system,
                ..Serving::clone(cluster)
            },
            _ => systems::start(stage, system, config).await?,
        };
        servings.push(serving);
    }
    Ok(servings)
}

async fn spin(stage: &mut Stage) -> bool {
    let spinning = systems::spin(stage).await;
    if let Err(why) = &spinning {
        eprint_line(&format!("warning: the processors may fall asleep: {why}"));
    }
    spinning.is_ok()
}

fn memory(servings: &[Serving]) -> Vec<Memory> {
    let of = |serving: &Serving| {
        let system = serving.system.name();
        let memory = serving.processes.iter().map(move |process| Memory {
            system,
            process: process.name.clone(),
            idle: usage::resident_bytes(process.pid),
            after: None,
        });
        memory.collect::<Vec<_>>()
    };
    let all = servings.iter().filter(|serving| serving.system != System::Beside);
    all.flat_map(of).collect()
}

/// Measures one point, the systems taking turns.
async fn measure_point(
    point: &Point,
    plan: &Plan,
    servings: &[Serving],
    clients: &ClientConfig,
) -> Result<PointResult, String> {
    let mut taking_part: Vec<(&Serving, Load)> = Vec::new();
    for serving in servings {
        if point.systems().contains(&serving.system) {
            let cluster = taking_part.first().map(|(_, load)| load);
            let load = load_for(point, serving, cluster, clients).await?;
            taking_part.push((serving, load));
        }
    }
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); taking_part.len()];
    for number in 1..=plan.rounds {
        for ((serving, load), rounds) in taking_part.iter().zip(&mut rounds) {
            progress(&format!(
                "{point}: round {number} of {}, {}",
                plan.rounds,
                serving.system.name()
            ));
            rounds.push(measure_round(load.clone(), plan, serving).await?);
        }
    }
    let systems = taking_part.iter().zip(rounds);
    let systems = systems.map(|((serving, _), rounds)| SystemResult::new(serving.system, rounds));
    Ok(PointResult::new(point, systems.collect()))
}

/// The load of one system, which has answered once; `cluster` is the one of the cluster, which comes first.
async fn load_for(
    point: &Point,
    serving: &Serving,
    cluster: Option<&Load>,
    clients: &ClientConfig,
) -> Result<Load, String> {
    let requests = match (serving.system, point.beside) {
        (System::Beside, Some(command)) => Requests::same(clients, command, PAYLOAD)?,
        _ => point.requests(clients)?,
    };
    let answer = match (serving.system, cluster) {
        (System::Cluster | System::Beside, _) | (_, None) => {
            systems::ask_until_good(serving.addr, requests.first()).await?
        }
        (_, Some(cluster)) => {
            let lesson = requests::frame(clients, frame::SPECIAL, frame::payload(&cluster.answer))?;
            systems::ask(serving.addr, &lesson)
                .await
                .map_err(|why| format!("{} cannot be taught: {why}", serving.system.name()))?;
            cluster.answer.to_vec()
        }
    };
    Ok(Load {
        addr: serving.addr,
        requests,
        answer: answer.into(),
        connections: point.connections,
        shape: point.shape,
    })
}

/// Loads one system once.
async fn measure_round(load: Load, plan: &Plan, serving: &Serving) -> Result<Round, String> {
    let failed = |why: std::io::Error| format!("{} cannot be loaded: {why}", serving.system.name());
    let running = load::start(load, plan.warm_up, plan.duration)
        .await
        .map_err(failed)?;
    let (begin, end) = (running.begin, running.end);
    tokio::time::sleep_until(begin.into()).await;
    let before = Times::now(serving);
    tokio::time::sleep_until(end.into()).await;
    let after = Times::now(serving);
    let tally = running.finish().await;
    Ok(round(&tally, plan.duration, &before, &after, serving))
}

/// Processor time used so far.
struct Times {
    of_processes: Vec<Option<Duration>>,
    of_load: Option<Duration>,
}

impl Times {
    fn now(serving: &Serving) -> Self {
        Self {
            of_processes: serving
                .processes
                .iter()
                .map(|process| usage::processor_time(process.pid))
                .collect(),
            of_load: usage::processor_time(std::process::id()),
        }
    }
}

fn round(tally: &Tally, duration: Duration, before: &Times, after: &Times, serving: &Serving) -> Round {
    let answers = tally.answers.max(1) as f64;
    let each = |(before, after): (&Option<Duration>, &Option<Duration>)| {
        let used = after.as_ref()?.saturating_sub(*before.as_ref()?);
        Some(used.as_secs_f64() * 1e6 / answers)
    };
    let cpu: Vec<Option<f64>> = before
        .of_processes
        .iter()
        .zip(&after.of_processes)
        .map(each)
        .collect();
    let names = serving.processes.iter().map(|process| process.name.clone());
    let micros = |quantile| tally.latencies.quantile(quantile).as_secs_f64() * 1e6;
    Round {
        rate: tally.answers as f64 / duration.as_secs_f64(),
        p50: micros(0.5),
        p99: micros(0.99),
        p999: micros(0.999),
        cpu: (!cpu.is_empty()).then(|| cpu.iter().flatten().sum()),
        cpu_of: names
            .zip(cpu)
            .filter_map(|(name, cpu)| Some((name, cpu?)))
            .collect(),
        cpu_of_load: each((&before.of_load, &after.of_load)),
        answers: tally.answers,
        errors: tally.errors,
        first_error: tally.first_error.clone(),
        wrong: tally.wrong,
        lost: tally.lost,
        broken: tally.broken.clone(),
    }
}
