//! `events`: what has happened in the cluster, and why.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::api::Api;
use super::reach::{Reach, known_config};
use super::screen::Screen;
use super::trouble::Trouble;
use super::units::{ago, parse_time, timestamp};
use super::views::Tone;
use super::{Ground, pause};
use crate::console::Paint;
use crate::records::{Event, former};

/// Events that are shown, unless a number is given.
const USUAL: usize = 50;

/// The most that a master keeps.
const MOST: usize = 5_000;

/// How long it is before a stream that has ended is asked for again.
const AGAIN: Duration = Duration::from_millis(500);

/// The arguments of `events`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Events {
    /// Only those of these nodes
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// How many of the last
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = USUAL)]
    lines: usize,
    /// Only what is no longer ago than this
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Duration>,
    /// An object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(args: &Events, ground: &mut Ground) -> Result<u8, Trouble> {
    let (api, events) = match told(args, ground) {
        Ok((api, events)) => (Some(api), events),
        // What is in the run folder is what an operator wants to know of a master that has died.
        Err(Trouble::NotRunning(_)) if args.reach.addr.is_none() && !args.follow => {
            ground
                .screen
                .note("no master runs; this is what the run folder has");
            (None, former(&known_config(&ground.file)?.run_dir))
        }
        Err(trouble) => return Err(trouble),
    };
    let mut last = events.last().map_or(0, |event| event.seq);
    let since = args.since.map(ago);
    let is_wanted =
        |event: &&Event| is_of(event, &args.nodes) && since.is_none_or(|since| event.at_ms >= since);
    let wanted: Vec<&Event> = events.iter().filter(is_wanted).collect();
    for event in &wanted[wanted.len().saturating_sub(args.lines)..] {
        print(event, args.json, &mut ground.screen)?;
    }
    let Some(api) = api.filter(|_| args.follow) else {
        return Ok(0);
    };
    loop {
        match api.stream("events", Some(last)) {
            Ok(news) => {
                for told in news.filter(|told| told.kind == "event") {
                    let Ok(event) = serde_json::from_value::<Event>(told.data) else {
                        continue;
                    };
                    last = event.seq;
                    if is_of(&event, &args.nodes) {
                        print(&event, args.json, &mut ground.screen)?;
                    }
                }
                ground
                    .screen
                    .note("the master has ended the stream; waiting for one that answers");
            }
            Err(Trouble::NotRunning(_) | Trouble::Unreachable(_)) => {}
            Err(trouble) => return Err(trouble),
        }
        pause(AGAIN);
    }
}

fn told(args: &Events, ground: &Ground) -> Result<(Api, Vec<Event>), Trouble> {
    let api = args.reach.api(&ground.file)?;
    let page = api.get(&format!("events?limit={MOST}"))?;
    Ok((api, parse(&page["events"])))
}

/// The events of a list; those that this version does not know are left out.
pub(super) fn parse(list: &Value) -> Vec<Event> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(|event| serde_json::from_value(event.clone()).ok())
        .collect()
}

fn is_of(event: &Event, nodes: &[String]) -> bool {
    nodes.is_empty() || event.node.as_ref().is_some_and(|node| nodes.contains(node))
}

fn print(event: &Event, json: bool, screen: &mut Screen) -> Result<(), Trouble> {
    if json {
        return screen.line(&serde_json::to_string(event).unwrap_or_default());
    }
    let at = screen.paint(&timestamp(event.at_ms), Paint::Dim);
    let node = event.node.as_deref().unwrap_or("cluster");
    let text = sentence(event);
    let text = match &event.to {
        Some(state) => screen.paint(&text, Tone::of_state(state).paint()),
        None => text,
    };
    screen.line(&format!("{at}  {node:<8}  {text}"))
}

/// What has happened, and by whom.
pub(super) fn sentence(event: &Event) -> String {
    match &event.by {
        Some(who) => format!("{}, by {who}", event.text),
        None => event.text.clone(),
    }
}
