//! What is asked of nodes: start, stop, restart, reload of their program, drain, undrain, kill; and where each leads.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Ground;
use super::doing::{Deed, How, Reached, carry_out, nodes};
use super::trouble::Trouble;
use super::views::Node;

/// An action of nodes that must be named.
#[derive(Debug, Args)]
pub(in crate::cli) struct Named {
    /// The nodes
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    #[command(flatten)]
    how: How,
}

/// The arguments of `restart`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Restart {
    /// The nodes; all of them if none is named
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// One after the other, each when the one before is ready; stops at the first that fails. Of all nodes, parents
    /// come first
    #[arg(long, conflicts_with = "no_wait")]
    rolling: bool,
    #[command(flatten)]
    how: How,
}

/// The arguments of `kill`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Kill {
    /// The nodes
    #[arg(required = true, value_name = "NODE")]
    nodes: Vec<String>,
    /// The signal
    #[arg(short, long, value_enum, ignore_case = true, default_value_t = Signal::Kill)]
    signal: Signal,
    #[command(flatten)]
    how: How,
}

/// The signals that a master sends.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Signal {
    /// End at once
    #[value(alias = "sigkill", alias = "9")]
    Kill,
    /// Stop in order
    #[value(alias = "sigterm", alias = "15")]
    Term,
    /// End with a trace
    #[value(alias = "sigabrt", alias = "6")]
    Abrt,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Abrt => "abrt",
        }
    }
}

pub(super) fn restart(args: &Restart, ground: &mut Ground) -> Result<u8, Trouble> {
    let make = |node| deed(node, &["restart"], json!({}), "restarted", is_up_again);
    let api = args.how.reach.api(&ground.file)?;
    let mut wanted = nodes(&api, &args.nodes)?;
    if args.nodes.is_empty() {
        // A node that somebody has stopped stays stopped.
        wanted.retain(Node::is_up);
        if args.rolling {
            sort_parents_first(&mut wanted);
        }
    }
    let deeds: Vec<Deed> = wanted.into_iter().map(make).collect();
    carry_out(&deeds, args.rolling, &args.how, &api, ground)
}

/// No node before one of its parents, as far as those are among them; else as they were.
fn sort_parents_first(nodes: &mut Vec<Node>) {
    let mut left = std::mem::take(nodes);
    while !left.is_empty() {
        let waits = |node: &Node| left.iter().any(|other| node.parents.contains(&other.name));
        let (later, next): (Vec<Node>, Vec<Node>) = left.iter().cloned().partition(waits);
        // A circle, which no master takes, would wait for ever.
        let next_is_none = next.is_empty();
        nodes.extend(next);
        left = later;
        if next_is_none {
            nodes.append(&mut left);
        }
    }
}

/// A restart with the program that is on the disk now.
pub(super) fn renew(names: &[String], how: &How, ground: &mut Ground) -> Result<u8, Trouble> {
    let make = |node| deed(node, &["reload"], json!({}), "reloaded", is_up_again);
    each(names, how, ground, make)
}

pub(super) fn start(names: &[String], how: &How, ground: &mut Ground) -> Result<u8, Trouble> {
    let make = |node| deed(node, &["start"], json!({}), "ready", is_up_again);
    each(names, how, ground, make)
}

/// Stops nodes; with `force`, their processes are killed once the master knows that they are not to come back.
pub(super) fn stop(names: &[String], force: bool, how: &How, ground: &mut Ground) -> Result<u8, Trouble> {
    let actions: &[&str] = if force { &["stop", "kill"] } else { &["stop"] };
    let make = |node| deed(node, actions, json!({}), "stopped", is_stopped);
    each(names, how, ground, make)
}

pub(super) fn drain(args: &Named, drained: bool, ground: &mut Ground) -> Result<u8, Trouble> {
    let make = |node| match drained {
        true => deed(node, &["drain"], json!({}), "out of service", is_drained),
        false => deed(node, &["undrain"], json!({}), "back in service", is_undrained),
    };
    each(&args.nodes, &args.how, ground, make)
}

pub(super) fn kill(args: &Kill, ground: &mut Ground) -> Result<u8, Trouble> {
    let signal = json!({ "signal": args.signal.name() });
    let make = |node| {
        deed(
            node,
            &["kill"],
            signal.clone(),
            "its process has ended",
            is_another,
        )
    };
    each(&args.nodes, &args.how, ground, make)
}

fn each(
    names: &[String],
    how: &How,
    ground: &mut Ground,
    make: impl Fn(Node) -> Deed,
) -> Result<u8, Trouble> {
    let api = how.reach.api(&ground.file)?;
    let deeds: Vec<Deed> = nodes(&api, names)?.into_iter().map(make).collect();
    carry_out(&deeds, false, how, &api, ground)
}

fn deed(
    node: Node,
    actions: &'static [&'static str],
    extra: Value,
    done: &'static str,
    goal: fn(&Node, &Node) -> Reached,
) -> Deed {
    Deed {
        node: node.name,
        actions,
        extra,
        done,
        goal,
    }
}

fn reached(is_reached: bool) -> Reached {
    if is_reached { Reached::Yes } else { Reached::NotYet }
}

fn is_up_again(_: &Node, now: &Node) -> Reached {
    match now.state.as_str() {
        "failed" => Reached::Never(now.reason.clone()),
        _ => reached(now.is_up()),
    }
}

fn is_stopped(_: &Node, now: &Node) -> Reached {
    reached(now.state == "stopped" || now.state == "failed")
}

/// Its calls have ended too.
fn is_drained(_: &Node, now: &Node) -> Reached {
    reached(now.drained == Some(true) && now.mailbox.unwrap_or(0) == 0)
}

fn is_undrained(_: &Node, now: &Node) -> Reached {
    reached(now.drained == Some(false))
}

/// It has another process than before, or none.
fn is_another(before: &Node, now: &Node) -> Reached {
    reached(now.pid.is_none() || now.pid != before.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(state: &str, pid: Option<u32>) -> Node {
        Node {
            state: state.to_owned(),
            pid,
            ..Node::default()
        }
    }

    #[test]
    fn parents_come_first_and_a_circle_does_not_hang() {
        let named = |name: &str, parents: &[&str]| Node {
            name: name.to_owned(),
            parents: parents.iter().map(|&name| name.to_owned()).collect(),
            ..Node::default()
        };
        let names = |nodes: &[Node]| nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        let mut nodes = vec![
            named("game", &["gate"]),
            named("net", &["gate", "gone"]),
            named("gate", &[]),
        ];
        sort_parents_first(&mut nodes);
        assert_eq!(names(&nodes), ["gate", "game", "net"]);
        let mut circle = vec![named("a", &["b"]), named("b", &["a"]), named("c", &[])];
        sort_parents_first(&mut circle);
        assert_eq!(names(&circle), ["c", "a", "b"]);
    }

    #[test]
    fn actions_are_done_when_the_node_is_where_they_lead() {
        let before = node("ready", Some(1));
        assert!(matches!(
            is_up_again(&before, &node("starting", Some(2))),
            Reached::NotYet
        ));
        assert!(matches!(
            is_up_again(&before, &node("ready", Some(2))),
            Reached::Yes
        ));
        assert!(matches!(
            is_up_again(&before, &node("failed", None)),
            Reached::Never(_)
        ));
        assert!(matches!(
            is_stopped(&before, &node("stopping", Some(1))),
            Reached::NotYet
        ));
        assert!(matches!(
            is_stopped(&before, &node("stopped", None)),
            Reached::Yes
        ));
        assert!(matches!(is_another(&before, &before), Reached::NotYet));
        assert!(matches!(
            is_another(&before, &node("ready", Some(2))),
            Reached::Yes
        ));
        let mut drained = before.clone();
        (drained.drained, drained.mailbox) = (Some(true), Some(3));
        assert!(
            matches!(is_drained(&before, &drained), Reached::NotYet),
            "calls go on"
        );
        drained.mailbox = Some(0);
        assert!(matches!(is_drained(&before, &drained), Reached::Yes));
        assert!(matches!(is_undrained(&before, &drained), Reached::NotYet));
    }
}
