//! `status`: how the cluster and its nodes are, for people, for `cut`, and for programs.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::api::Api;
use super::doing::chosen;
use super::reach::Reach;
use super::screen::Screen;
use super::table::{self, Cell};
use super::trouble::Trouble;
use super::units::{bytes, or_dash, rate, short_time, time};
use super::views::{Cluster, Data, Node, Tone};
use super::{Ground, data, pause};
use crate::exit;

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(1);

/// The arguments of `status`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// Only these nodes, with their databases
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// Look again every second, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    #[command(flatten)]
    reach: Reach,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Columns, with the verdict below
    Table,
    /// One object
    Json,
    /// A line for each node, with tabs between: name, state, pid, restarts, application, reason
    Plain,
}

/// What was seen at one moment.
struct Seen {
    cluster: Cluster,
    nodes: Vec<Node>,
    /// Of those nodes that are named and have a database.
    data: Vec<(String, Data)>,
    /// The same, as it came.
    raw: (Value, Vec<Value>),
}

pub(super) fn run(args: &Status, ground: &mut Ground) -> Result<u8, Trouble> {
    let api = args.reach.api(&ground.file)?;
    let mut former: Vec<String> = Vec::new();
    let with_data = !args.nodes.is_empty() && args.format != Shape::Plain;
    loop {
        let seen = see(&api, &args.nodes, with_data)?;
        let lines = match args.format {
            Shape::Table => as_table(&seen, &ground.screen),
            Shape::Plain => seen.nodes.iter().map(plain).collect(),
            Shape::Json => vec![json!({"cluster": seen.raw.0, "nodes": seen.raw.1}).to_string()],
        };
        if !args.watch {
            lines.iter().try_for_each(|line| ground.screen.line(line))?;
            return Ok(verdict(args, &seen, ground));
        }
        if ground.screen.is_terminal() && args.format == Shape::Table {
            let text = lines.join("\x1b[K\n");
            ground.screen.write(&format!("\x1b[H{text}\x1b[K\n\x1b[J"))?;
        } else {
            // Who reads this wants to know what changes, not what the time is.
            let states = states(&seen);
            if states != former {
                lines.iter().try_for_each(|line| ground.screen.line(line))?;
                former = states;
            }
        }
        pause(WATCH);
    }
}

/// What is news when it is another one.
fn states(seen: &Seen) -> Vec<String> {
    let nodes = seen
        .nodes
        .iter()
        .map(|node| format!("{}{:?}", node.state, node.pid));
    let data = seen.data.iter();
    let data = data.map(|(name, data)| format!("{name} {}", data.is_current && data.database_up));
    nodes.chain(data).collect()
}

fn see(api: &Api, names: &[String], with_data: bool) -> Result<Seen, Trouble> {
    let (cluster, list) = (api.get("cluster")?, api.get("nodes")?);
    let nodes = chosen(api.parse(&list)?, names)?;
    let is_chosen = |value: &&Value| nodes.iter().any(|node| value["name"] == node.name);
    let mut raw: Vec<Value> = list
        .as_array()
        .into_iter()
        .flatten()
        .filter(is_chosen)
        .cloned()
        .collect();
    // Of all nodes it would be a request for each.
    let data = match with_data {
        true => add_data(api, &mut raw)?,
        false => Vec::new(),
    };
    Ok(Seen {
        nodes,
        data,
        cluster: api.parse(&cluster)?,
        raw: (cluster.clone(), raw),
    })
}

/// Adds the databases to nodes as they came; gives those that there are.
fn add_data(api: &Api, nodes: &mut [Value]) -> Result<Vec<(String, Data)>, Trouble> {
    let mut all = Vec::new();
    for node in nodes {
        let name = node["name"].as_str().unwrap_or_default().to_owned();
        // It may have gone since the list was made.
        let mut detail = match api.get(&format!("nodes/{name}")) {
            Err(Trouble::Refused { status: 404, .. }) => Value::Null,
            answered => answered?,
        };
        for key in ["data", "data_current"] {
            node[key] = detail[key].take();
        }
        if let Some(data) = api.parse::<Option<Data>>(&node["data"])? {
            let is_current = node["data_current"] == true;
            all.push((name, Data { is_current, ..data }));
        }
    }
    Ok(all)
}

/// The exit code; and on standard error what to look at next.
fn verdict(args: &Status, seen: &Seen, ground: &mut Ground) -> u8 {
    let is_well = match args.nodes.is_empty() {
        true => seen.cluster.verdict.health == "healthy",
        false => seen.nodes.iter().all(|node| node.state == "ready"),
    };
    if is_well {
        return 0;
    }
    let worst = ["failed", "backoff", "unreachable", "degraded", "stopped"]
        .iter()
        .find_map(|state| seen.nodes.iter().find(|node| node.state == *state));
    if let Some(node) = worst {
        let (program, name) = (&ground.program, &node.name);
        let next = match node.state.as_str() {
            "stopped" => format!("start it with: {program} start {name}"),
            _ => format!("see: {program} logs {name} --since 5m"),
        };
        ground.screen.note(&next);
    }
    exit::DEGRADED
}

fn plain(node: &Node) -> String {
    let pid = or_dash(node.pid, |pid| pid.to_string());
    let restarts = node.restarts.to_string();
    [&node.name, &node.state, &pid, &restarts, &node.app, node.remark()].join("\t")
}

fn as_table(seen: &Seen, screen: &Screen) -> Vec<String> {
    let head = [
        "NODE", "STATE", "PID", "UPTIME", "RESTARTS", "CLIENTS", "CALLS/S", "P99", "MEMORY", "",
    ];
    let rows: Vec<Vec<Cell>> = seen.nodes.iter().map(row).collect();
    let mut lines = table::lines(&head, &rows, |tone, text| screen.paint(text, tone.paint()));
    let data = data::lines(&seen.data, |text, paint| screen.paint(text, paint));
    if !data.is_empty() {
        lines.push(String::new());
        lines.extend(data);
    }
    let verdict = &seen.cluster.verdict;
    lines.push(String::new());
    lines.push(screen.paint(&verdict.line, Tone::of_health(&verdict.health).paint()));
    lines
}

/// A node as a row; `top` has the same.
pub(super) fn row(node: &Node) -> Vec<Cell> {
    let last = node.last.clone().unwrap_or_default();
    vec![
        Cell::text(&node.name),
        node.standing(),
        Cell::count(node.pid.map(u64::from)),
        Cell::measured(node.uptime, time),
        Cell::count(Some(node.restarts)),
        Cell::count(node.clients),
        Cell::measured(last.calls_per_second, rate),
        Cell::measured(last.p99, short_time),
        Cell::whole(node.rss, bytes),
        Cell::text(node.remark()),
    ]
}
