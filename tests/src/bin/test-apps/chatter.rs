//! A service that writes into its node's log: what somebody says, or many lines a second.

use std::time::Duration;

use lampyris::prelude::*;

/// How often the lines of a flood are written.
const STEP: Duration = Duration::from_millis(20);

/// Writes a text as one line.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "chatter.say", reply = String)]
pub(crate) struct Say(pub(crate) String);

/// Writes so many lines a second for so many milliseconds, and answers at once. The lines are numbered: `WORD 1 of 100`.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "chatter.flood", reply = String)]
pub(crate) struct Flood {
    pub(crate) word: String,
    pub(crate) per_second: u64,
    pub(crate) millis: u64,
}

#[derive(Service)]
#[service(name = "chatter", serves(Say, Flood))]
pub(crate) struct Chatter;

impl Actor for Chatter {
    type Context = Context<Self>;
}

impl Handler<Say> for Chatter {
    type Result = Result<String, CallError>;

    fn handle(&mut self, Say(text): Say, _: &mut Context<Self>) -> Self::Result {
        tracing::info!("{text}");
        Ok("said".to_owned())
    }
}

impl Handler<Flood> for Chatter {
    type Result = Result<String, CallError>;

    fn handle(&mut self, flood: Flood, _: &mut Context<Self>) -> Self::Result {
        let all = flood.per_second.saturating_mul(flood.millis) / 1000;
        tokio::spawn(write(flood, all));
        Ok(format!("{all} lines"))
    }
}

/// What is due by the clock, so that the rate holds on a busy machine too.
async fn write(flood: Flood, all: u64) {
    let begin = tokio::time::Instant::now();
    let mut written = 0;
    while written < all {
        tokio::time::sleep(STEP).await;
        let passed = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = passed.saturating_mul(flood.per_second) / 1000;
        while written < due.min(all) {
            written += 1;
            tracing::info!("{} {written} of {all}", flood.word);
        }
    }
}
