//! The study's cluster: a net node for the clients, a gate, a game, all in this one program; and players with gold.
//!
//! `cargo run -p demo` starts all of them; `-- --role client` sends the study's three commands.

mod game1;
mod gate;
mod net;
mod net_players;
mod players;

use std::process::ExitCode;

/// Messages live shorter than a millisecond and come by the hundred thousand a second: the system's allocator took a
/// quarter of a net node's instructions.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lampyris::main([gate::app(), net::app(), game1::app()])
}
