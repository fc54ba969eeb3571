//! `logs`: what nodes write. On the cluster's own host the files are read, with or without a master; elsewhere the master
//! is asked.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use lampyris_runtime::name::MASTER;
use lampyris_runtime::supervisor::output;
use tokio::sync::{mpsc, oneshot};

use super::Ground;
use super::api::Api;
use super::doing::nodes;
use super::reach::{Reach, known_config};
use super::screen::Screen;
use super::trouble::Trouble;
use super::units::{ago, parse_time, timestamp};
use crate::console::Paint;
use crate::lines::{Level, LogLine, MOST, Reader, Wanted, last_lines, newest};

/// Lines that are shown unless a number or a time is given.
const USUAL: usize = 100;

/// Lines that are followed and may wait to be shown; the reading of the files waits for room.
const WAITING: usize = 1024;

/// For how long lines of several nodes are gathered, so that they stand in the order of their times.
const GATHER: Duration = Duration::from_millis(100);

/// The arguments of `logs`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Logs {
    /// Nodes, or `master`; all of them if none is named
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// Go on with what is written from now on, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines: 100, or with --since as many as there are
    #[arg(short = 'n', long, value_name = "COUNT")]
    lines: Option<usize>,
    /// Only lines that are no older than this
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Duration>,
    /// Only lines that are at least so severe
    #[arg(long, value_enum, hide_possible_values = false)]
    level: Option<Level>,
    /// Only lines that contain this
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    /// An object a line
    #[arg(long)]
    json: bool,
    /// Without the names before the lines
    #[arg(long)]
    no_prefix: bool,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(args: &Logs, ground: &mut Ground) -> Result<u8, Trouble> {
    let wanted = Wanted {
        level: args.level,
        text: args.grep.clone(),
        since: args.since.map(|time| timestamp(ago(time))),
        before: None,
    };
    let usual = if args.since.is_some() { MOST } else { USUAL };
    let most = args.lines.unwrap_or(usual);
    let source = Source::of(args, ground)?;
    let mut printer = Printer::new(args, source.names());
    let ends = source.ends();
    for line in source.last(&wanted, most, &ends)? {
        printer.print(&line, &mut ground.screen)?;
    }
    if args.follow {
        source.follow(&wanted, ends, &mut printer, ground)?;
    }
    Ok(0)
}

/// Where the lines come from.
enum Source {
    Files { folder: PathBuf, names: Vec<String> },
    Master { api: Api, names: Vec<String> },
}

impl Source {
    fn of(args: &Logs, ground: &Ground) -> Result<Self, Trouble> {
        if args.reach.addr.is_some() {
            let api = args.reach.api(&ground.file)?;
            let all = nodes(&api, &[])?.into_iter().map(|node| node.name).collect();
            let names = chosen(all, &args.nodes)?;
            return Ok(Self::Master { api, names });
        }
        let config = known_config(&ground.file)?;
        let all = config.nodes.iter().map(|node| node.name.to_string()).collect();
        Ok(Self::Files {
            names: chosen(all, &args.nodes)?,
            folder: config.log.dir,
        })
    }

    fn names(&self) -> &[String] {
        match self {
            Self::Files { names, .. } | Self::Master { names, .. } => names,
        }
    }

    /// Where each file ends now: what is before is shown once, what is behind is followed.
    fn ends(&self) -> Vec<u64> {
        match self {
            Self::Master { .. } => Vec::new(),
            Self::Files { folder, names } => names
                .iter()
                .map(|name| {
                    std::fs::metadata(folder.join(format!("{name}.log"))).map_or(0, |file| file.len())
                })
                .collect(),
        }
    }

    fn last(&self, wanted: &Wanted, most: usize, ends: &[u64]) -> Result<Vec<LogLine>, Trouble> {
        let all = match self {
            Self::Files { folder, names } => {
                let mut all = Vec::new();
                for (name, end) in names.iter().zip(ends) {
                    let lines = last_lines(folder, name, wanted, most, *end);
                    let lines = lines
                        .map_err(|why| Trouble::Failed(format!("{}/{name}.log: {why}", folder.display())))?;
                    all.extend(lines);
                }
                all
            }
            Self::Master { api, names } => {
                let answer = api.get_by("logs", &query(names, wanted, most))?;
                let lines: Vec<LogLine> = api.parse(&answer)?;
                // The time is not among what the master goes by.
                lines.into_iter().filter(|line| wanted.fits(line)).collect()
            }
        };
        Ok(newest(all, most))
    }

    fn follow(
        self,
        wanted: &Wanted,
        ends: Vec<u64>,
        printer: &mut Printer,
        ground: &mut Ground,
    ) -> Result<(), Trouble> {
        match self {
            Self::Files { folder, names } => {
                let files = names.into_iter().zip(ends).collect();
                follow_files(&folder, files, wanted, printer, &mut ground.screen)
            }
            Self::Master { api, names } => {
                let topics: Vec<String> = names.iter().map(|name| format!("logs:{name}")).collect();
                for told in api
                    .stream(&topics.join(","), None)?
                    .filter(|told| told.kind == "log")
                {
                    let line: LogLine = serde_json::from_value(told.data)
                        .map_err(|why| Trouble::Unreachable(format!("this is no line of a log: {why}")))?;
                    if wanted.fits(&line) {
                        printer.print(&line, &mut ground.screen)?;
                    }
                }
                Err(Trouble::Unreachable(format!(
                    "{} has ended the stream",
                    api.addr()
                )))
            }
        }
    }
}

/// What a master is asked for: it looks for lines that fit before it cuts.
fn query(names: &[String], wanted: &Wanted, most: usize) -> Vec<(&'static str, String)> {
    let level = wanted.level.and_then(|level| level.to_possible_value());
    let level = level.map(|level| ("level", level.get_name().to_owned()));
    let text = wanted.text.clone().map(|text| ("q", text));
    let all = [
        ("node", names.join(",")),
        ("lines", most.clamp(1, MOST).to_string()),
    ];
    all.into_iter().chain(level).chain(text).collect()
}

/// The names that are asked for, with the master's among those that there are.
fn chosen(mut all: Vec<String>, wanted: &[String]) -> Result<Vec<String>, Trouble> {
    all.push(MASTER.to_owned());
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        let text = format!("no node is called {unknown:?}; there are {}", all.join(", "));
        return Err(Trouble::Usage(text));
    }
    all.retain(|name| wanted.is_empty() || wanted.contains(name));
    Ok(all)
}

fn follow_files(
    folder: &std::path::Path,
    files: Vec<(String, u64)>,
    wanted: &Wanted,
    printer: &mut Printer,
    screen: &mut Screen,
) -> Result<(), Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| Trouble::Failed(format!("the logs cannot be followed: {why}")))?;
    runtime.block_on(async {
        let (sender, mut lines) = mpsc::channel(WAITING);
        // Each file is followed until its sender is dropped.
        let mut followed: Vec<oneshot::Sender<()>> = Vec::new();
        for (name, end) in files {
            let (ended, until) = oneshot::channel();
            followed.push(ended);
            let (raw, mut news) = mpsc::channel(WAITING);
            tokio::spawn(output::follow(
                folder.join(format!("{name}.log")),
                end,
                raw,
                until,
            ));
            let (sender, mut reader) = (sender.clone(), Reader::new(&name));
            tokio::spawn(async move {
                while let Some(text) = news.recv().await {
                    if sender.send(reader.read(text)).await.is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut some = Vec::new();
        while lines.recv_many(&mut some, WAITING).await > 0 {
            tokio::time::sleep(GATHER).await;
            while let Ok(line) = lines.try_recv() {
                some.push(line);
            }
            some.sort_by(|left: &LogLine, right| left.at.cmp(&right.at));
            for line in some.drain(..).filter(|line| wanted.fits(line)) {
                printer.print(&line, screen)?;
            }
        }
        Ok(())
    })
}

/// Writes lines behind the names of those who wrote them.
struct Printer {
    json: bool,
    no_prefix: bool,
    width: usize,
    colours: HashMap<String, Paint>,
}

impl Printer {
    fn new(args: &Logs, names: &[String]) -> Self {
        let colours = names.iter().cloned().zip(Paint::NAMES.into_iter().cycle());
        Self {
            json: args.json,
            no_prefix: args.no_prefix,
            width: names.iter().map(String::len).max().unwrap_or(0),
            colours: colours.collect(),
        }
    }

    fn print(&self, line: &LogLine, screen: &mut Screen) -> Result<(), Trouble> {
        if self.json {
            return screen.line(&serde_json::to_string(line).unwrap_or_default());
        }
        let text = match line.level {
            Some(Level::Error) => screen.paint(&line.text, Paint::Red),
            Some(Level::Warn) => screen.paint(&line.text, Paint::Yellow),
            _ => line.text.clone(),
        };
        if self.no_prefix {
            return screen.line(&text);
        }
        let name = format!("{:width$}", line.node, width = self.width);
        let name = match self.colours.get(&line.node) {
            Some(paint) => screen.paint(&name, *paint),
            None => name,
        };
        screen.line(&format!("{name} | {text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_asked_for_lines_that_fit_not_for_all() {
        let names = ["gate".to_owned(), "net".to_owned()];
        let mut wanted = Wanted::default();
        let lines = |most: &str| ("lines", most.to_owned());
        let node = ("node", "gate,net".to_owned());
        assert_eq!(query(&names, &wanted, 0), [node.clone(), lines("1")]);
        (wanted.level, wanted.text) = (Some(Level::Warn), Some("a & b".to_owned()));
        let both = [("level", "warn".to_owned()), ("q", "a & b".to_owned())];
        assert_eq!(
            query(&names, &wanted, 9_999),
            [&[node, lines("5000")], &both[..]].concat()
        );
    }

    #[test]
    fn names_are_all_or_those_that_are_given_and_known() {
        let all = || vec!["gate".to_owned(), "net".to_owned()];
        assert_eq!(chosen(all(), &[]).unwrap(), ["gate", "net", "master"]);
        assert_eq!(chosen(all(), &["master".to_owned()]).unwrap(), ["master"]);
        let error = chosen(all(), &["gatte".to_owned()]).unwrap_err();
        assert_eq!(error.code(), 2);
        assert!(error.to_string().contains("gate, net, master"), "{error}");
    }
}
