//! An application that ends at its start, never gets through it, or prints and prints, as a file says.

use std::io::Write;
use std::time::{Duration, Instant};

use lampyris::prelude::*;
use lampyris::{App, Node};

/// Asks for nothing.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "exit.nothing")]
struct Nothing;

#[derive(Service)]
#[service(name = "exit", serves(Nothing))]
struct Exit;

impl Actor for Exit {
    type Context = Context<Self>;
}

impl Handler<Nothing> for Exit {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: Nothing, _: &mut Context<Self>) -> Self::Result {
        Ok(())
    }
}

/// What is in the node's file.
fn told(node: &Node) -> String {
    let file = node.cluster().run_dir.join(format!("exit-{}", node.name()));
    std::fs::read_to_string(file).unwrap_or_default()
}

/// With `never` in the file the start takes for ever.
async fn start(node: Node) -> Result<(), String> {
    if told(&node) == "never" {
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Ends the process with the code in the file `exit-NAME` of the run folder, if there is one, and leaves a line in
/// `starts-NAME` before. With `stuck` in it nothing more is done, not even a link to the master; with `print BYTES LINES SECONDS` so many lines
/// of so many bytes are printed each second.
fn exit_if_told(node: &Node) {
    let told = told(node);
    if told == "stuck" {
        loop {
            std::thread::park();
        }
    }
    if let ["print", numbers @ ..] = &told.split_whitespace().collect::<Vec<_>>()[..] {
        let numbers: Vec<u64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
        if let [bytes, lines, seconds] = numbers[..] {
            std::thread::spawn(move || print(bytes, lines, Duration::from_secs(seconds)));
        }
    }
    if let Ok(code) = told.parse() {
        let starts = node.cluster().run_dir.join(format!("starts-{}", node.name()));
        let starts = std::fs::File::options().append(true).create(true).open(starts);
        writeln!(starts.expect("because the run folder is ours"), "{code}").expect("because there is room");
        // More lines than the master shows.
        for line in 0..25 {
            eprintln!("line {line} before the end");
        }
        eprintln!("{} was told to exit with {code}", node.name());
        std::process::exit(code);
    }
}

/// Prints numbered lines, `printed NUMBER xxx`, by turns to standard output and to the log.
fn print(bytes: u64, lines_a_second: u64, time: Duration) {
    let filling = "x".repeat(usize::try_from(bytes).unwrap_or_default());
    let (begin, mut number) = (Instant::now(), 0);
    while begin.elapsed() < time {
        let due = begin.elapsed().as_micros() * u128::from(lines_a_second) / 1_000_000;
        while number < due {
            number += 1;
            if number % 2 == 0 {
                println!("printed {number} {filling}");
            } else {
                tracing::info!("printed {number} {filling}");
            }
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    println!("printed all {number}");
}

pub(crate) fn app() -> App {
    let app = App::new("test.exit").service(|node| {
        exit_if_told(node);
        Exit
    });
    app.before_ready(start)
}
