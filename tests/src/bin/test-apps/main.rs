//! Applications that misbehave on request: what the tests need and no game should have.
//!
//! | app | what it is |
//! | --- | --- |
//! | `test.net` | commands that echo, wait, never answer, push and kick |
//! | `test.gate` | hands on to the game; pushes and kicks from above the net node |
//! | `test.game` | waits, panics, exits, blocks, chatters, keeps a ledger; pushes and kicks from beside the net node |
//! | `test.manyN` | a net node with N commands, all alike |
//! | `test.exit` | exits at its start, as a file in the run folder says |

mod chatter;
mod exit;
mod game;
mod gate;
mod ledger;
mod many;
mod net;

use std::process::ExitCode;

/// As the demo has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let apps = [gate::app(), net::app(), game::app(), exit::app()];
    lampyris::main(apps.into_iter().chain(many::apps()))
}
