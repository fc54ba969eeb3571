//! `start`: the master in the foreground, which is this process; or in the background; or nodes of the cluster that runs.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use clap::Args;
use lampyris_runtime::config::Config;
use serde_json::json;

use super::super::args::Format;
use super::api::Api;
use super::doing::{How, LOOK};
use super::reach::{known_config, web_address};
use super::trouble::Trouble;
use super::units::{parse_time, time};
use super::views::Node;
use super::{Ground, actions};
use crate::exit;
use crate::master::lock;

/// How long a master in the background may take to answer, when nobody waits for its nodes.
const FIRST_ANSWER: Duration = Duration::from_secs(30);

/// Lines of a master in the background that are kept for the case that it ends.
const KEPT: usize = 40;

/// The arguments of `start`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Start {
    /// Nodes of the cluster that runs; if none is named, the cluster itself
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// In the background: return when the master answers
    #[arg(short, long, conflicts_with = "nodes")]
    detach: bool,
    /// In the background: return when every node is ready, or say after TIME (30s) why one is not
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "30s",
        value_parser = parse_time,
        conflicts_with = "nodes"
    )]
    wait: Option<Duration>,
    /// Start no nodes; those that come are welcome
    #[arg(long, conflicts_with = "nodes")]
    only: bool,
    /// A signal ends the master alone; the next one takes its nodes over
    #[arg(long, conflicts_with = "nodes")]
    keep_nodes: bool,
    /// This process is the master in the background
    #[arg(long, hide = true)]
    detached: bool,
    #[command(flatten)]
    how: How,
}

/// How the master is to run that is this process.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Foreground {
    pub(in crate::cli) only: bool,
    pub(in crate::cli) keep_nodes: bool,
    /// Nobody's terminal ends it.
    pub(in crate::cli) detached: bool,
}

impl Start {
    pub(super) fn foreground(&self) -> Option<Foreground> {
        let is_wanted = self.nodes.is_empty() && !self.detach && self.wait.is_none() && !self.how.dry_run;
        is_wanted.then_some(Foreground {
            only: self.only,
            keep_nodes: self.keep_nodes,
            detached: self.detached,
        })
    }
}

pub(super) fn run(args: &Start, ground: &mut Ground) -> Result<u8, Trouble> {
    if !args.nodes.is_empty() {
        return actions::start(&args.nodes, &args.how, ground);
    }
    let loaded = Config::load(&ground.file, super::super::variables());
    let config = loaded.map_err(|rejected| Trouble::Config(rejected.to_string()))?;
    // Before anything is started: nobody could ask it whether it runs.
    web_address(&config)?;
    if args.how.dry_run {
        let (count, names) = (config.nodes.len(), names(&config));
        let text = format!("Starts the master and {count} nodes: {names}.");
        ground.screen.line(&text)?;
        return Ok(0);
    }
    let begun = Instant::now();
    let (mut launched, config) = match lock::holder(&config.run_dir) {
        Some(pid) => {
            ground.screen.note(&format!("a master runs already (pid {pid})"));
            // The file may have changed since it has started.
            (None, known_config(&ground.file)?)
        }
        None => (Some(Launched::start(args, &ground.file)?), config),
    };
    let addr = web_address(&config)?;
    let api = || args.how.reach.api_in(addr.to_string(), &config.run_dir);
    if let Some(code) = wait(args, begun, launched.as_mut(), api, ground)? {
        return Ok(code);
    }
    let took = time(begun.elapsed().as_secs_f64());
    if args.how.format == Format::Json {
        let seconds = begun.elapsed().as_secs_f64();
        let done =
            json!({"action": "start", "ok": true, "seconds": seconds, "admin": format!("http://{addr}/")});
        ground.screen.line(&done.to_string())?;
        return Ok(0);
    }
    let what = match args.wait {
        Some(_) => format!("ready in {took}: {}", names(&config)),
        None => format!("started in {took}"),
    };
    ground.screen.line(&what)?;
    ground.screen.line(&format!("admin page http://{addr}/"))?;
    let program = &ground.program;
    let next = format!("open it with: {program} dashboard --open; stop with: {program} stop");
    ground.screen.note(&next);
    Ok(0)
}

fn names(config: &Config) -> String {
    let names = config.nodes.iter().map(|node| node.name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// Waits until it runs, or is ready; gives the exit code of a master that has ended instead.
fn wait(
    args: &Start,
    begun: Instant,
    mut launched: Option<&mut Launched>,
    make_api: impl Fn() -> Result<Api, Trouble>,
    ground: &mut Ground,
) -> Result<Option<u8>, Trouble> {
    let until = begun + args.wait.unwrap_or(FIRST_ANSWER);
    let mut api = None;
    loop {
        match launched.as_mut() {
            Some(launched) => {
                launched.read();
                if let Some(code) = launched.ended() {
                    launched.lines.iter().for_each(|line| ground.screen.note(line));
                    return Ok(Some(code));
                }
            }
            None => super::pause(LOOK),
        }
        // The token is there before the first answer, but not from the beginning.
        let known = api.take().map_or_else(&make_api, Ok);
        let nodes: Vec<Node> = match known.and_then(|known| api.insert(known).get_as("nodes")) {
            Ok(nodes) => nodes,
            Err(Trouble::NotRunning(_) | Trouble::NoToken(_)) if Instant::now() < until => continue,
            Err(trouble) => return Err(trouble),
        };
        let waits: Vec<&Node> = nodes
            .iter()
            .filter(|node| node.start && node.state != "ready")
            .collect();
        if args.wait.is_none() || waits.is_empty() {
            return Ok(None);
        }
        let is_any = |state: &str| waits.iter().any(|node| node.state == state);
        // What has failed stays so, and holds up nobody but its children.
        let is_settled = is_any("failed") && !is_any("starting");
        if is_settled || Instant::now() >= until {
            for node in &waits {
                ground
                    .screen
                    .note(&format!("{} is {}: {}", node.name, node.state, node.reason));
            }
            let text = format!(
                "{} of {} nodes are not ready; the master runs on",
                waits.len(),
                nodes.len()
            );
            return Err(match waits.iter().find_map(|node| node.fatal_code()) {
                Some(code) => Trouble::Fatal(code, text),
                None => Trouble::Partly(text),
            });
        }
        let states = waits
            .iter()
            .take(4)
            .map(|node| format!("{} is {}", node.name, node.state));
        let states: Vec<String> = states.collect();
        let ready = nodes.len() - waits.len();
        let text = format!(
            "start: {ready} of {} nodes are ready; {}",
            nodes.len(),
            states.join(", ")
        );
        ground.screen.progress(&text);
    }
}

/// A master in the background, until somebody stops to listen to it. It goes on then: nobody needs to read its lines.
struct Launched {
    child: Child,
    said: Receiver<String>,
    lines: Vec<String>,
}

impl Launched {
    #[allow(
        clippy::disallowed_methods,
        reason = "a master, not a node: it is to outlive this process, in a session of its own"
    )]
    fn start(args: &Start, file: &Path) -> Result<Self, Trouble> {
        let failed = |why: std::io::Error| Trouble::Failed(format!("the master cannot be started: {why}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .args(["start", "--detached", "--color", "never", "--config"])
            .arg(file);
        let flags = [(args.only, "--only"), (args.keep_nodes, "--keep-nodes")];
        command.args(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (sender, said) = sync_channel(KEPT);
        if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
            listen(out, sender.clone());
            listen(err, sender);
        }
        Ok(Self {
            child,
            said,
            lines: Vec::new(),
        })
    }

    /// Takes what it says in the time between two looks.
    fn read(&mut self) {
        let until = Instant::now() + LOOK;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) => self.lines.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    super::pause(left);
                    break;
                }
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => break,
            }
        }
        let excess = self.lines.len().saturating_sub(KEPT);
        self.lines.drain(..excess);
    }

    /// The exit code, if it has ended.
    fn ended(&mut self) -> Option<u8> {
        let status = self.child.try_wait().ok()??;
        // What it said last may still be on its way.
        self.read();
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Some(code.unwrap_or(exit::FAILED))
    }
}

fn listen(from: impl Read + Send + 'static, to: SyncSender<String>) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(from).split(b'\n').map_while(Result::ok);
        lines.try_for_each(|line| to.send(String::from_utf8_lossy(&line).into_owned()))
    });
}
