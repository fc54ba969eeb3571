//! `stop`: the cluster as a whole, or nodes of it.

use std::path::Path;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::super::args::Format;
use super::api::Api;
use super::doing::{How, LOOK, ask, show_effect};
use super::reach::known_config;
use super::trouble::Trouble;
use super::units::time;
use super::views::Node;
use super::{Ground, actions, pause};
use crate::exit;
use crate::master::{left_behind, lock};

/// The arguments of `stop`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Stop {
    /// Only these nodes; they stay stopped until somebody starts them
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// Kill instead of waiting for calls to end
    #[arg(long)]
    force: bool,
    /// End the master alone; its nodes go on for the next one
    #[arg(long, conflicts_with_all = ["nodes", "force"])]
    keep_nodes: bool,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(args: &Stop, ground: &mut Ground) -> Result<u8, Trouble> {
    if !args.nodes.is_empty() {
        return actions::stop(&args.nodes, args.force, &args.how, ground);
    }
    let how = &args.how;
    let api = match how.reach.api(&ground.file) {
        Err(Trouble::NoToken(_)) => return nothing_to_stop(how, ground),
        api => api?,
    };
    // Who ends, so that its end can be waited for; of a master elsewhere it is not known.
    let local = || known_config(&ground.file).ok();
    let run_dir = local()
        .filter(|_| how.reach.addr.is_none())
        .map(|config| config.run_dir);
    let mut extra = json!({"keep_nodes": args.keep_nodes});
    if args.force {
        extra["now"] = json!(true);
    }
    let answer = match ask(&api, None, "stop", how, &extra) {
        Err(Trouble::NotRunning(_)) => return nothing_to_stop(how, ground),
        answer => answer?,
    };
    if how.dry_run {
        show_effect(&answer, how.format, &mut ground.screen)?;
        return Ok(0);
    }
    let begun = Instant::now();
    if !how.no_wait {
        wait(&api, run_dir.as_deref(), args, ground)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let what = match (args.keep_nodes, how.no_wait) {
        (_, true) => "the stop is begun".to_owned(),
        (true, _) => format!("the master has ended in {}; its nodes go on", time(seconds)),
        (false, _) => format!("stopped in {}", time(seconds)),
    };
    ground.screen.line(&match how.format {
        Format::Human => what,
        Format::Json => json!({"action": "stop", "ok": true, "seconds": seconds}).to_string(),
    })?;
    Ok(0)
}

/// A stop of what does not run is done; but nodes that have lost their master are none that nobody needs to know of.
fn nothing_to_stop(how: &How, ground: &mut Ground) -> Result<u8, Trouble> {
    let left = match how.reach.addr {
        None => left_behind(&known_config(&ground.file)?.run_dir),
        Some(_) => Vec::new(),
    };
    if left.is_empty() {
        ground.screen.note("nothing to stop: no master runs");
        return Ok(0);
    }
    let nodes = left.iter().map(|(name, pid)| format!("{name} (pid {pid})"));
    let nodes: Vec<String> = nodes.collect();
    let program = &ground.program;
    let text = format!(
        "error: no master runs, but nodes that it has left do: {}\nhint: {program} start --detach takes them over; then \
         {program} stop",
        nodes.join(", ")
    );
    ground.screen.note(&text);
    Ok(exit::NOT_RUNNING)
}

fn wait(api: &Api, run_dir: Option<&Path>, args: &Stop, ground: &mut Ground) -> Result<(), Trouble> {
    let timeout = args.how.timeout;
    let until = Instant::now() + timeout;
    loop {
        let nodes: Option<Vec<Node>> = api.get_as("nodes").ok();
        let doing = match &nodes {
            Some(nodes) => progress(nodes),
            // Its port is closed a moment before its end.
            None if run_dir.is_none_or(|folder| lock::holder(folder).is_none()) => return Ok(()),
            None => "the master is ending".to_owned(),
        };
        ground.screen.progress(&format!("stop: {doing}"));
        if Instant::now() >= until {
            let waited = time(timeout.as_secs_f64());
            return Err(Trouble::TooLate(format!(
                "it is not stopped after {waited}: {doing}"
            )));
        }
        pause(LOOK);
    }
}

fn progress(nodes: &[Node]) -> String {
    let has_ended = |node: &&Node| node.pid.is_none();
    let ended = nodes.iter().filter(has_ended).count();
    let left = nodes.iter().filter(|node| node.pid.is_some()).map(|node| {
        let calls = node.mailbox.filter(|calls| *calls > 0);
        let calls = calls.map(|calls| format!(", {calls} calls")).unwrap_or_default();
        let clients = node.clients.filter(|clients| *clients > 0);
        let clients = clients
            .map(|count| format!(", {count} clients"))
            .unwrap_or_default();
        format!("{} {}{calls}{clients}", node.name, node.state)
    });
    let left: Vec<String> = left.take(4).collect();
    format!("{ended} of {} nodes have ended; {}", nodes.len(), left.join("; "))
}
