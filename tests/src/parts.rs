//! Parts that this program plays in processes of their own, beside a cluster: how they are started, and how they hear what
//! they are to do. What they do is in [`bare`](crate::bare) and [`guests`](crate::guests).

use std::io::BufRead;
use std::process::{Command, Stdio};

use tokio::sync::mpsc::{Receiver, channel};

use crate::process::command;
use crate::programs;

/// The command that has this program play a part.
pub(crate) fn part(name: &str) -> Command {
    let mut command = command(programs::cluster_tests());
    command.arg(name).stdin(Stdio::piped());
    command
}

/// What is said to a part, line by line; it ends when nobody is there any more to say something.
pub(crate) fn orders() -> Receiver<String> {
    let (said, orders) = channel(16);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        for line in lines {
            if said.blocking_send(line).is_err() {
                return;
            }
        }
    });
    orders
}
