//! `cluster-tests`: runs the experiments at full strength, and writes down what was measured.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cluster_tests::attacks::table;
use cluster_tests::experiments::report::{Results, Setting, Status};
use cluster_tests::experiments::{Experiment, Strength, all, find, run};
use cluster_tests::{bare, guests};

/// As the nodes have it that the bare servers are compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is promised, and whether it holds.
#[derive(Parser)]
#[command(name = "cluster-tests")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run experiments one by one, and write results.json and results.md.
    ///
    /// Results of the same revision, build and strength that are there already are kept, so that the table can be
    /// run in parts. Exits with 1 if an experiment failed or fell short.
    Experiments {
        /// Which, such as R-01; all of them if none is named.
        #[arg(value_name = "ID")]
        ids: Vec<String>,
        /// Fewer repetitions: seconds in place of minutes.
        #[arg(long)]
        short: bool,
        /// Where the results are written.
        #[arg(long, value_name = "FOLDER", default_value = "results")]
        out: PathBuf,
        /// Where the plots are drawn; nowhere if no folder is named.
        #[arg(long, value_name = "FOLDER")]
        plots: Option<PathBuf>,
    },
    /// List the experiments.
    List,
    /// Try what brought Firefly down, and print the table of docs/attacks.md.
    Attacks,
    /// The part of a bare server beside a cluster.
    #[command(hide = true)]
    Bare,
    /// The part of very many clients.
    #[command(hide = true)]
    Guests {
        /// Where they connect.
        to: SocketAddr,
        /// How many they are.
        count: usize,
        /// What each asks for.
        command: u32,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::List => {
            list();
            Ok(true)
        }
        Command::Attacks => {
            print!("{}", table());
            Ok(true)
        }
        Command::Experiments {
            ids,
            short,
            out,
            plots,
        } => {
            let strength = if short { Strength::Short } else { Strength::Full };
            chosen(&ids).and_then(|chosen| experiments(&chosen, strength, &out, plots.as_deref()))
        }
        Command::Bare => played(bare::serve()),
        Command::Guests { to, count, command } => played(guests::attend(to, count, command)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// How a part beside a cluster ended.
fn played(ended: io::Result<()>) -> Result<bool, String> {
    ended.map(|()| true).map_err(|why| why.to_string())
}

fn list() {
    for Experiment { id, title, .. } in all() {
        println!("{id}  {title}");
    }
}

fn chosen(ids: &[String]) -> Result<Vec<&'static Experiment>, String> {
    if ids.is_empty() {
        return Ok(all());
    }
    let found = |id: &String| find(id).ok_or_else(|| format!("there is no experiment {id}; see `list`"));
    ids.iter().map(found).collect()
}

/// Whether all promises were kept.
fn experiments(
    chosen: &[&Experiment],
    strength: Strength,
    out: &Path,
    plots: Option<&Path>,
) -> Result<bool, String> {
    let told = |why: io::Error| format!("{}: {why}", out.display());
    let mut results = Results::load(out, Setting::here(strength)).map_err(told)?;
    let mut kept = true;
    for (number, experiment) in chosen.iter().enumerate() {
        let Experiment { id, title, .. } = experiment;
        println!("{id} ({} of {}): {title} ...", number + 1, chosen.len());
        let entry = run::run(experiment, strength);
        for figure in &entry.figures {
            println!("     {}: {:.3} {}", figure.what, figure.value, figure.unit);
        }
        println!("{id} {} after {} s", entry.status.word(), entry.seconds);
        if let Some(why) = entry.status.text() {
            println!("     {why}");
        }
        if let Some(plots) = plots {
            let told = |why: io::Error| format!("{}: {why}", plots.display());
            entry.draw(plots).map_err(told)?;
        }
        kept &= matches!(entry.status, Status::Held | Status::Skipped(_));
        results.put(entry);
        results.save(out).map_err(told)?;
    }
    println!("{}; written to {}", results.summary(), out.display());
    Ok(kept)
}
