//! An application that ends at its start, or never gets through it, as often as a file says so.

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

/// Ends the process with the code in the file `exit-NAME` of the run folder, if there is one. With `never` in it
/// the start takes for ever.
fn exit_if_told(node: &Node) {
    let file = node.cluster().run_dir.join(format!("exit-{}", node.name()));
    let told = std::fs::read_to_string(file).unwrap_or_default();
    if told == "never" {
        loop {
            std::thread::park();
        }
    }
    if let Ok(code) = told.parse() {
        // More lines than the master shows.
        for line in 0..25 {
            eprintln!("line {line} before the end");
        }
        eprintln!("{} was told to exit with {code}", node.name());
        std::process::exit(code);
    }
}

pub(crate) fn app() -> App {
    App::new("test.exit").service(|node| {
        exit_if_told(node);
        Exit
    })
}
