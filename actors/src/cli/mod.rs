//! The command line of a user's program: the roles, and what tools need.
//!
//! `main` is one call: `lampyris::main([gate::app(), net::app()])`. The same program is the master, every node,
//! and a client.

mod args;
mod certs;
mod client;
mod local;
mod operate;

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use lampyris_runtime::config::{BusyPoll, Config, Rejected, render_human};
use lampyris_runtime::name::MASTER;
use lampyris_runtime::supervisor::limits;

use crate::app::App;
use crate::console::{Colour, Console, eprint_line};
use crate::master::APPLIED;
use crate::node::Process;
use crate::system::Busy;
use crate::{bench, exit, logging, master, node, system};
use args::{Args, Task};
use local::Here;
use operate::{Foreground, Ground};

/// How long the end waits for a terminal that is not read.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs the program as its arguments say, with these applications in it; the exit code is for the shell.
///
/// The exit codes are listed in docs/cli.md.
pub fn main(apps: impl IntoIterator<Item = App>) -> ExitCode {
    let started = Instant::now();
    let mut args = Args::parse();
    // Before the configuration is read, which compares it with the number of clients.
    limits::raise_open_files();
    let apps: Vec<App> = apps.into_iter().collect();
    let task = args.task();
    ExitCode::from(match task {
        Task::Local(command) => command.run(&Here {
            config: &args.config,
            apps: &apps,
            colour: args.color,
        }),
        Task::Certs(wish) => certs::run(&args.config, load_to_mend(&args.config), &wish),
        Task::Operate(operate) => operate::run(&operate, Ground::new(args.config, args.color)),
        Task::Client(request) => match load(&args.config, &apps, false) {
            Ok(config) => client::run(&config, &request),
            Err(code) => code,
        },
        Task::Bench(wanted) => match load(&args.config, &apps, false) {
            Ok(config) => bench::run(&config, &wanted),
            Err(code) => code,
        },
        Task::BenchReference(reference) => bench::reference::run(&reference),
        Task::Master(wish) => match load(&args.config, &apps, true) {
            Ok(config) => run_master(config, &apps, &wish, args.color, started),
            Err(code) => code,
        },
        Task::Node(name) => match load_of_node(&args.config, &apps) {
            Ok(config) => run_node(config, &name, apps),
            Err(code) => code,
        },
    })
}

/// Reads the configuration, or says on standard error what is wrong with it.
fn load(path: &Path, apps: &[App], is_master: bool) -> Result<Arc<Config>, u8> {
    checked(Config::load(path, variables()), apps, is_master)
}

/// The configuration of a node: what its master has applied, if one has started it, else the file.
fn load_of_node(path: &Path, apps: &[App]) -> Result<Arc<Config>, u8> {
    match std::env::var_os(APPLIED) {
        Some(copy) => checked(
            Config::load_copy(path, Path::new(&copy), variables()),
            apps,
            false,
        ),
        None => load(path, apps, false),
    }
}

fn checked(loaded: Result<Config, Rejected>, apps: &[App], is_master: bool) -> Result<Arc<Config>, u8> {
    let config = loaded.map_err(|why| rejected(&why))?;
    // Nodes under a master write to a file; the master has said it for all of them.
    if is_master || std::io::stderr().is_terminal() {
        for warning in &config.warnings {
            eprint_line(&render_human(warning, config.source_text()));
        }
    }
    let missing = config.check_apps(&names(apps));
    if missing.is_empty() {
        return Ok(Arc::new(config));
    }
    for fault in &missing {
        eprint_line(&render_human(fault, config.source_text()));
    }
    Err(exit::CONFIG)
}

/// Reads the configuration although its certificates cannot be used.
fn load_to_mend(path: &Path) -> Result<Config, u8> {
    let loaded = Config::load(path, variables()).or_else(|rejected| rejected.but_for(&certs::MENDED));
    loaded.map_err(|why| rejected(&why))
}

/// Says what is wrong with a configuration; gives the exit code.
fn rejected(why: &Rejected) -> u8 {
    eprint_line(&why.to_string());
    exit::CONFIG
}

fn names(apps: &[App]) -> Vec<&str> {
    apps.iter().map(App::name).collect()
}

/// Where to connect to, for what is bound here.
fn reachable(bound: IpAddr, port: u16) -> SocketAddr {
    let ip = match bound {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(ip, port)
}

/// What this program is called.
fn program() -> String {
    let path = std::env::args_os().next().map(PathBuf::from);
    let name = path.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| "lampyris".to_owned())
}

/// The variables that are text; others are none of ours.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn run_master(config: Arc<Config>, apps: &[App], wish: &Foreground, colour: Colour, started: Instant) -> u8 {
    if wish.detached
        && let Err(error) = nix::unistd::setsid()
    {
        eprint_line(&format!("error: the terminal cannot be left: {error}"));
        return exit::OSERR;
    }
    let console = match Console::start() {
        Ok(console) => console,
        Err(error) => {
            eprint_line(&format!("error: {error}"));
            return exit::OSERR;
        }
    };
    let errors = config.master.log.as_deref();
    let log = match logging::start(&config, MASTER, errors, Some(console.clone())) {
        Ok(log) => log,
        Err(error) => {
            eprint_line(&format!("error: the log: {error}"));
            return exit::OSERR;
        }
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => {
            eprint_line(&format!("error: where is this program? {error}"));
            return exit::OSERR;
        }
    };
    let span = tracing::info_span!("master");
    let _in_span = span.enter();
    let options = master::RunOptions {
        program,
        only: wish.only,
        keep_nodes: wish.keep_nodes,
        console: console.clone(),
        colour,
        apps: names(apps).into_iter().map(str::to_owned).collect(),
        log: log.level,
        started,
    };
    let code = in_system(BusyPoll::Off, |_| async {
        master::run(config, options)
            .await
            .map_err(|error| (error.exit_code(), error.to_string()))
    });
    console.flush(LAST_WORDS);
    code
}

fn run_node(config: Arc<Config>, name: &str, apps: Vec<App>) -> u8 {
    let own = config.node(name);
    let log = match logging::start(&config, name, own.and_then(|node| node.log.as_deref()), None) {
        Ok(log) => log,
        Err(error) => {
            eprint_line(&format!("error: the log: {error}"));
            return exit::OSERR;
        }
    };
    let app = own.and_then(|node| apps.into_iter().find(|app| app.name() == node.app));
    // Without an entry there is no app either; the boot says which nodes there are.
    let app = app.unwrap_or_else(|| App::new(""));
    let span = tracing::info_span!("node", name);
    let _in_span = span.enter();
    let busy_poll = own.map_or(BusyPoll::Off, |node| node.busy_poll);
    in_system(busy_poll, |busy| async {
        let process = Process {
            log: log.level,
            lost: log.lost,
            busy,
        };
        node::boot(config, name, app, process)
            .await
            .map_err(|error| (error.exit_code(), error.to_string()))
    })
}

/// Runs the one actor system of this process, on this thread.
fn in_system<W>(busy_poll: BusyPoll, work: impl FnOnce(Busy) -> W) -> u8
where
    W: Future<Output = Result<u8, (u8, String)>>,
{
    let ended = system::run(busy_poll, work);
    match ended.unwrap_or_else(|why| Err((exit::OSERR, format!("the actor system does not start: {why}")))) {
        Ok(code) => code,
        Err((code, text)) => {
            // Both ways only if the first does not lead to the terminal.
            tracing::error!(exit_code = code, "{text}");
            if !tracing::enabled!(tracing::Level::ERROR) {
                eprint_line(&format!("error: {text}"));
            }
            code
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_on_all_addresses_is_reached_on_this_host() {
        for (bound, reached) in [
            ("0.0.0.0", "127.0.0.1:80"),
            ("::", "[::1]:80"),
            ("10.0.0.9", "10.0.0.9:80"),
            ("::1", "[::1]:80"),
        ] {
            let bound = bound.parse().expect("an address");
            assert_eq!(reachable(bound, 80).to_string(), reached);
        }
    }
}
