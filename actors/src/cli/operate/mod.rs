//! The operator's commands: what a person does to a cluster that runs, by its admin API.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `reach`, `api` | where the master is, and talking to it |
//! | `trouble` | why something could not be done; exit codes, what to try next |
//! | `screen`, `table`, `units` | how results, messages and progress look |
//! | `views` | what the API tells |
//! | `start`, `stop` | the cluster as a whole begins and ends |
//! | `actions`, `doing` | what is asked of nodes, and waiting until it is done |
//! | `status`, `data`, `logs`, `events`, `top` | looking |
//! | `reload`, `force`, `call`, `dashboard` | a command each |
//!
//! It knows the API alone, not the master's insides: what these commands do, a script with curl can do.

mod actions;
mod api;
mod call;
mod dashboard;
mod data;
mod doing;
mod events;
mod force;
mod logs;
mod reach;
mod reload;
mod screen;
mod start;
mod status;
mod stop;
mod table;
mod top;
mod trouble;
mod units;
mod views;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use crate::console::Colour;
use screen::Screen;
pub(super) use start::Foreground;
use trouble::Trouble;

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Operate {
    /// Start the cluster, or nodes of the one that runs
    Start(start::Start),
    /// Stop the cluster, or nodes of it, in order
    Stop(stop::Stop),
    /// Show how the cluster and its nodes are
    Status(status::Status),
    /// Restart all nodes, or some
    Restart(actions::Restart),
    /// Take nodes out of service; their processes go on
    Drain(actions::Named),
    /// Put drained nodes back into service
    Undrain(actions::Named),
    /// Apply the configuration as it now stands, or restart nodes with the program that is on the disk now
    Reload(reload::Reload),
    /// Send the processes of nodes a signal
    Kill(actions::Kill),
    /// Free the entities of a node that does not come back; what is in its journal alone is lost
    Force(force::Force),
    /// Show what nodes write, merged by time
    Logs(logs::Logs),
    /// Show what has happened in the cluster
    Events(events::Events),
    /// Make one call, and show its way
    Call(call::Call),
    /// Print the address of the admin page, with a code that opens it once
    Dashboard(dashboard::Dashboard),
    /// Watch the cluster in the terminal
    Top(top::Top),
}

impl Operate {
    /// The master in the foreground is no operator's command: it is this process.
    pub(super) fn foreground(&self) -> Option<Foreground> {
        match self {
            Self::Start(start) => start.foreground(),
            _ => None,
        }
    }
}

/// What every command is given.
pub(super) struct Ground {
    /// The configuration's file.
    file: PathBuf,
    /// What this program is called.
    program: String,
    screen: Screen,
}

impl Ground {
    pub(super) fn new(file: PathBuf, colour: Colour) -> Self {
        Self {
            file,
            program: super::program(),
            screen: Screen::new(colour),
        }
    }
}

/// Does it; gives the exit code.
pub(super) fn run(operate: &Operate, mut ground: Ground) -> u8 {
    let ground = &mut ground;
    let done = match operate {
        Operate::Start(args) => start::run(args, ground),
        Operate::Stop(args) => stop::run(args, ground),
        Operate::Status(args) => status::run(args, ground),
        Operate::Restart(args) => actions::restart(args, ground),
        Operate::Drain(args) => actions::drain(args, true, ground),
        Operate::Undrain(args) => actions::drain(args, false, ground),
        Operate::Reload(args) => reload::run(args, ground),
        Operate::Kill(args) => actions::kill(args, ground),
        Operate::Force(args) => force::run(args, ground),
        Operate::Logs(args) => logs::run(args, ground),
        Operate::Events(args) => events::run(args, ground),
        Operate::Call(args) => call::run(args, ground),
        Operate::Dashboard(args) => dashboard::run(args, ground),
        Operate::Top(args) => top::run(args, ground),
    };
    done.unwrap_or_else(|trouble| {
        tell(&trouble, ground);
        trouble.code()
    })
}

fn tell(trouble: &Trouble, ground: &mut Ground) {
    if matches!(trouble, Trouble::Closed) {
        return;
    }
    let before = if trouble.is_whole() { "" } else { "error: " };
    ground.screen.note(format!("{before}{trouble}").trim_end());
    if let Some(hint) = trouble.hint(&ground.program) {
        ground.screen.note(&format!("hint: {hint}"));
    }
}

/// Waits until it is time to look again.
#[allow(
    clippy::disallowed_methods,
    reason = "a command is a process of its own, without actors"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
