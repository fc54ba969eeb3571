//! `stop`: the cluster as a whole, or nodes of it.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::super::args::Format;
use super::api::Api;
use super::doing::{How, LOOK, ask, show_effect};
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
    let run_dir = how.reach.run_dir(&ground.file);
    let mut extra = json!({"keep_nodes": args.keep_nodes});
    if args.force {
        extra["now"] = json!(true);
    }
    let holds_lock = || {
        run_dir
            .as_deref()
            .is_some_and(|folder| lock::holder(folder).is_some())
    };
    let until = Instant::now() + how.timeout;
    let answer = loop {
        match ask(&api, None, "stop", how, &extra) {
            Err(Trouble::NotRunning(_)) if !holds_lock() => return nothing_to_stop(how, ground),
            // Its port is not open yet, or no more.
            Err(Trouble::NotRunning(_)) if Instant::now() < until => pause(LOOK),
            answer => break answer?,
        }
    };
    if how.dry_run {
        show_effect(&answer, how.format, &mut ground.screen)?;
        return Ok(0);
    }
    let begun = Instant::now();
    if !how.no_wait {
        wait(&api, holds_lock, how.timeout, ground)?;
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
    let run_dir = how.reach.run_dir(&ground.file);
    let left = run_dir.as_deref().map(left_behind).unwrap_or_default();
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

fn wait(
    api: &Api,
    holds_lock: impl Fn() -> bool,
    timeout: Duration,
    ground: &mut Ground,
) -> Result<(), Trouble> {
    let until = Instant::now() + timeout;
    while let Some(doing) = seen(api.get_as("nodes"), &holds_lock)? {
        ground.screen.progress(&format!("stop: {doing}"));
        if Instant::now() >= until {
            let waited = time(timeout.as_secs_f64());
            return Err(Trouble::TooLate(format!(
                "it is not stopped after {waited}: {doing}"
            )));
        }
        pause(LOOK);
    }
    Ok(())
}

/// What a master that is to end is doing, by its answer to a look; `None` once it is gone. It is gone when nobody listens
/// and nobody holds its lock: to refuse or to be slow is not to be gone.
///
/// # Errors
/// It cannot be watched any longer.
fn seen(
    answer: Result<Vec<Node>, Trouble>,
    holds_lock: impl Fn() -> bool,
) -> Result<Option<String>, Trouble> {
    match answer {
        Ok(nodes) => Ok(Some(progress(&nodes))),
        Err(Trouble::NotRunning(_)) if !holds_lock() => Ok(None),
        // Its port is closed a moment before its end, and connections are cut then.
        Err(Trouble::NotRunning(_) | Trouble::Unreachable(_) | Trouble::Refused { status: 503, .. }) => {
            Ok(Some("the master is ending".to_owned()))
        }
        Err(trouble) => Err(trouble),
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

#[cfg(test)]
mod tests {
    use super::super::trouble::tests::refused;
    use super::*;

    #[test]
    fn a_master_is_gone_when_nobody_listens_and_nobody_holds_its_lock() {
        let silent = || Err(Trouble::NotRunning("x".to_owned()));
        assert!(matches!(seen(silent(), || false), Ok(None)));
        assert!(matches!(seen(silent(), || true), Ok(Some(_))));
    }

    #[test]
    fn a_master_that_refuses_or_is_slow_is_not_gone() {
        for trouble in [refused(503), Trouble::Unreachable("no answer in time".to_owned())] {
            assert!(matches!(seen(Err(trouble), || false), Ok(Some(_))));
        }
        for status in [401, 403, 500] {
            let watched = seen(Err(refused(status)), || false);
            assert!(watched.is_err(), "whether it ends is not known: {status}");
        }
        let node = Node {
            name: "gate".to_owned(),
            state: "draining".to_owned(),
            pid: Some(1),
            ..Node::default()
        };
        let doing = seen(Ok(vec![node]), || true).ok().flatten();
        assert_eq!(doing.as_deref(), Some("0 of 1 nodes have ended; gate draining"));
    }
}
