//! The game: below the gate, beside the net node.

use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use actix_web::web;
use cluster_tests::process::command;
use lampyris::prelude::*;
use lampyris::{App, Node};

use crate::chatter::Chatter;
use crate::ledger::Ledger;

/// Answers with its text after a while.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.wait", reply = String)]
pub(crate) struct Wait {
    pub(crate) millis: u64,
    pub(crate) text: String,
}

/// Answers after a while which process this is, and which version of the program it runs.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.who", reply = String)]
pub(crate) struct Who {
    pub(crate) millis: u64,
}

/// Panics.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.panic", reply = String)]
pub(crate) struct Panic(pub(crate) String);

/// Ends the process with a code.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.exit", reply = String)]
pub(crate) struct ExitWith(pub(crate) i32);

/// Says no.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.refuse", reply = String)]
pub(crate) struct Refuse(pub(crate) String);

/// Pushes to a client of another node.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.push", reply = String)]
pub(crate) struct Push {
    pub(crate) to: SessionId,
    pub(crate) text: String,
}

/// Disconnects a client of another node.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.kick", reply = String)]
pub(crate) struct Kick {
    pub(crate) who: SessionId,
}

/// Blocks a thread of the pool for a while.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.block", reply = String)]
pub(crate) struct Block {
    pub(crate) millis: u64,
}

/// A text of any length; answers with its length.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.large", reply = String)]
pub(crate) struct Large(pub(crate) String);

/// Keeps the node's thread busy.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.spin", reply = String)]
pub(crate) struct Spin {
    pub(crate) millis: u64,
}

/// Keeps memory for ever.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.leak", reply = String)]
pub(crate) struct Leak {
    pub(crate) mib: u64,
}

/// Starts a process that sleeps, and answers with its number.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.sleeper", reply = String)]
pub(crate) struct Sleeper {
    pub(crate) seconds: u64,
}

/// Answers with its node's name.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "game.name", reply = String)]
pub(crate) struct Name;

#[derive(Service)]
#[service(
    name = "game",
    serves(
        Wait, Who, Panic, ExitWith, Refuse, Push, Kick, Name, Spin, Leak, Sleeper, Large
    )
)]
pub(crate) struct Game {
    node: Node,
    version: String,
    leaked: Vec<Vec<u8>>,
}

/// What a test has written behind the end of the program: another version, as far as anybody can see.
fn version() -> String {
    let program = std::fs::File::open("/proc/self/exe").and_then(|mut file| {
        let mut end = [0; 8];
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut end).map(|()| end)
    });
    let end = program.unwrap_or_default();
    let text = std::str::from_utf8(&end)
        .ok()
        .and_then(|end| end.strip_prefix("version"));
    text.unwrap_or("0").to_owned()
}

impl Actor for Game {
    type Context = Context<Self>;
}

impl Handler<Wait> for Game {
    type Result = ResponseFuture<Result<String, CallError>>;

    fn handle(&mut self, Wait { millis, text }: Wait, _: &mut Context<Self>) -> Self::Result {
        println!("waiting {millis} ms");
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(text)
        })
    }
}

impl Handler<Who> for Game {
    type Result = ResponseFuture<Result<String, CallError>>;

    fn handle(&mut self, Who { millis }: Who, _: &mut Context<Self>) -> Self::Result {
        println!("asked who this is");
        let answer = format!("{} {}", std::process::id(), self.version);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(answer)
        })
    }
}

impl Handler<Panic> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Panic(text): Panic, _: &mut Context<Self>) -> Self::Result {
        panic!("asked to panic: {text}");
    }
}

impl Handler<ExitWith> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, ExitWith(code): ExitWith, _: &mut Context<Self>) -> Self::Result {
        println!("asked to exit with {code}");
        std::process::exit(code);
    }
}

impl Handler<Refuse> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Refuse(text): Refuse, _: &mut Context<Self>) -> Self::Result {
        Err(format!("no {text} here").into())
    }
}

impl Handler<Push> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Push { to, text }: Push, _: &mut Context<Self>) -> Self::Result {
        self.node.push(&to, crate::net::PUSHED, &text)?;
        Ok("pushed by game1".to_owned())
    }
}

impl Handler<Kick> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Kick { who }: Kick, _: &mut Context<Self>) -> Self::Result {
        self.node.kick(&who, "the game says so")?;
        Ok("kicked by game1".to_owned())
    }
}

impl Handler<Large> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Large(text): Large, _: &mut Context<Self>) -> Self::Result {
        Ok(text.len().to_string())
    }
}

impl Handler<Spin> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Spin { millis }: Spin, _: &mut Context<Self>) -> Self::Result {
        println!("spinning for {millis} ms");
        let end = Instant::now() + Duration::from_millis(millis);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        Ok(format!("spun {millis} ms"))
    }
}

impl Handler<Leak> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Leak { mib }: Leak, _: &mut Context<Self>) -> Self::Result {
        // Not zero, so that every page is really there.
        self.leaked.extend((0..mib).map(|_| vec![1; 1024 * 1024]));
        Ok(format!("{} MiB kept", self.leaked.len()))
    }
}

impl Handler<Sleeper> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Sleeper { seconds }: Sleeper, _: &mut Context<Self>) -> Self::Result {
        let sleeper = command("sleep").arg(seconds.to_string()).spawn();
        let sleeper = sleeper.map_err(|why| CallError::from(why.to_string()))?;
        Ok(sleeper.id().to_string())
    }
}

impl Handler<Name> for Game {
    type Result = Result<String, CallError>;

    fn handle(&mut self, _: Name, _: &mut Context<Self>) -> Self::Result {
        Ok(self.node.name().to_string())
    }
}

/// Work that blocks, on threads of its own.
#[derive(Service)]
#[service(name = "workers", serves(Block))]
pub(crate) struct Workers;

impl Actor for Workers {
    type Context = SyncContext<Self>;
}

impl Handler<Block> for Workers {
    type Result = Result<String, CallError>;

    #[allow(clippy::disallowed_methods, reason = "blocking is what it is for")]
    fn handle(&mut self, Block { millis }: Block, _: &mut SyncContext<Self>) -> Self::Result {
        std::thread::sleep(Duration::from_millis(millis));
        Ok(format!("blocked {millis} ms"))
    }
}

/// The node's own page.
async fn hello(node: web::Data<Node>) -> String {
    format!("hello from {}\n", node.name())
}

/// Leaves a file that says that the hook has run.
async fn leave_a_note(node: Node) {
    let file = node.cluster().run_dir.join(format!("stopped-{}", node.name()));
    if let Err(error) = std::fs::write(file, "in order\n") {
        eprintln!("no note: {error}");
    }
}

pub(crate) fn app() -> App {
    App::new("test.game")
        .service(|node| Game {
            node: node.clone(),
            leaked: Vec::new(),
            version: version(),
        })
        .service(Ledger::open)
        .service(|_node| Chatter)
        .pool(2, |_node| Workers)
        .routes(|config| {
            config.route("/hello", web::get().to(hello));
        })
        .on_node_up(|_, name| println!("{name} is up"))
        .on_node_down(|_, name| println!("{name} is down"))
        .on_reload(|node| println!("told of a reload: drains for {:?}", node.config().drain_timeout))
        .before_stop(leave_a_note)
}
