//! `bench`: how fast the cluster is, beside the least that could do the same work on the same machine.
//!
//! A rate alone says more about a machine than about a program, so everything is measured beside references that
//! answer the same requests with the same bytes (see [`mod@reference`]):
//!
//! - the **bare chain**, two processes that hand bytes on and one that answers: what the kernel takes for the way;
//! - the **hand-written** chain, net, gate and game in plain tokio for this one purpose: what the work itself takes;
//! - the **bare echo**, one process, for the command that the net node answers itself.
//!
//! Method:
//!
//! - This program starts all of them, as processes of their own on free ports, with the release build's options.
//! - Systems take turns within each point (A B C A B C …), so that what else the machine does strikes all alike. The
//!   tables show medians of the rounds; the spread between the best and the worst round says how far to trust them.
//! - **Closed loop**: each connection keeps its requests in flight; the rate is what the servers make of it.
//! - **Open loop**: requests are due at an even pace, and latency counts from then. Its latencies are those that
//!   players see; those of a full closed loop are mostly waiting.
//! - Processor time for each answer, of all processes of a system and from the kernel's books, is the figure that
//!   depends least on the load generator, which shares the processors. Its steps are 10 ms for each process.
//! - One command can be measured beside another one of the same cluster (`--beside`), the two taking the same turns.
//! - A processor that falls asleep between two requests takes a while to wake; `--spinners` prevents that.
//! - Every answer must have the expected length and command, and a sample the expected content; where requests
//!   differ, so do their answers, and the command alone is compared. An error frame, a wrong or a missing answer is a
//!   fault: it is shown, and the exit code is 1.
//!
//! | file | what it does |
//! | --- | --- |
//! | `args`, `plan`, `requests` | what is to be measured |
//! | `stage`, `systems`, `copy` | the processes, what they are, the cluster's configuration |
//! | `measure` | the run from beginning to end |
//! | `load`, `frame` | the clients |
//! | `histogram`, `results` | what was measured |
//! | `table`, `svg` | how it is shown |
//! | `reference` | what the cluster is compared with |

mod args;
mod copy;
mod frame;
mod histogram;
mod load;
mod measure;
mod plan;
pub(crate) mod reference;
mod requests;
mod results;
mod stage;
mod svg;
mod systems;
mod table;

use std::io::IsTerminal;
use std::path::Path;

use lampyris_runtime::config::Config;
use tokio::task::LocalSet;

use self::results::Results;
use crate::console::{eprint_line, print_line};
use crate::exit;

pub(crate) use self::args::BenchArgs;

/// Measures, and shows the results; gives the exit code.
pub(crate) fn run(config: &Config, args: &BenchArgs) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let measured = match runtime {
        Ok(runtime) => LocalSet::new().block_on(&runtime, measure::run(config, args)),
        Err(error) => Err(error.to_string()),
    };
    match measured.and_then(|results| show(&results, args).map(|()| results.faults())) {
        Ok(0) => 0,
        // A request without a good answer.
        Ok(_) => exit::FAILED,
        Err(error) => {
            eprint_line(&format!("error: {error}"));
            exit::FAILED
        }
    }
}

/// Says how far the run is: a line that the next replaces on a terminal, else a line of its own.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        drop(std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("\r\x1b[K{text}"),
        ));
    } else {
        eprint_line(text);
    }
}

/// Prints the table and writes the files.
fn show(results: &Results, args: &BenchArgs) -> Result<(), String> {
    if std::io::stderr().is_terminal() {
        progress("");
    }
    print_line(table::render(results).trim_end());
    if let Some(file) = &args.json {
        let json = serde_json::to_string_pretty(results).map_err(|why| why.to_string())?;
        write(file, &json)?;
    }
    if let Some(file) = &args.svg {
        write(file, &svg::render(results))?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|why| format!("{}: {why}", file.display()))
}
