//! Tells the master how many lines of the node's log could not be written, so that an operator sees it where the log
//! cannot say it.

use std::time::Duration;

use lampyris_runtime::beat::Beat;
use lampyris_runtime::link::Peer;
use tokio::time::{Instant, sleep_until};

use super::Node;
use crate::logging::Lost;
use crate::protocol::{LostLines, MasterControl};
use crate::remote::RemoteAddr;

/// How often the count is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Tells the master whenever there are more; for ever.
pub(super) async fn tell_of_lost_lines(node: Node, master: Peer, lost: Lost) {
    let address: RemoteAddr<MasterControl> = node.remote(master.clone());
    let incarnation = node.incarnation();
    let mut told = 0;
    let beat = Beat::of_process();
    loop {
        sleep_until(beat.next(EVERY, Instant::now().into_std()).into()).await;
        let lines = lost.lines();
        // A master that is away is told when it is back.
        let more = lines > told && master.is_up();
        if more && address.notify(LostLines { incarnation, lines }).is_ok() {
            told = lines;
        }
    }
}
