//! The ledger: one line for each request that a handler took, in a file that outlives the process.
//!
//! What was asked must not be judged here: the checker joins the lines with what the clients saw.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use lampyris::Node;
use lampyris::prelude::*;

/// Writes `INCARNATION TEXT` into the ledger, and answers with the text after a while.
#[derive(Serialize, Deserialize, Remote)]
#[remote(name = "ledger.record", reply = String)]
pub(crate) struct Record {
    pub(crate) millis: u64,
    pub(crate) text: String,
}

#[derive(Service)]
#[service(name = "ledger", serves(Record))]
pub(crate) struct Ledger {
    file: File,
    incarnation: String,
}

impl Ledger {
    /// Opens the file `ledger` of the run folder for lines at its end.
    pub(crate) fn open(node: &Node) -> Self {
        let file = node.cluster().run_dir.join("ledger");
        let open = File::options().append(true).create(true).open(file);
        Self {
            file: open.expect("because the run folder is ours"),
            incarnation: node.incarnation().to_string(),
        }
    }
}

impl Actor for Ledger {
    type Context = Context<Self>;
}

impl Handler<Record> for Ledger {
    type Result = ResponseFuture<Result<String, CallError>>;

    fn handle(&mut self, Record { millis, text }: Record, _: &mut Context<Self>) -> Self::Result {
        // One call for the whole line: a process that is killed leaves no half of one.
        let line = format!("{} {text}\n", self.incarnation);
        let written = self.file.write_all(line.as_bytes());
        Box::pin(async move {
            written.map_err(|why| CallError::from(why.to_string()))?;
            if millis > 0 {
                tokio::time::sleep(Duration::from_millis(millis)).await;
            }
            Ok(text)
        })
    }
}
