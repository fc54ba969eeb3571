//! A master whose output nobody reads goes on with its work.

use std::io::Write;

use cluster_tests::Cluster;
use cluster_tests::wait::until;

/// What a pipe holds on Linux (pipe(7)); one byte more would block.
const FULL: usize = 64 * 1024;

#[test]
fn a_master_behind_a_stopped_terminal_starts_answers_and_stops() {
    let cluster = Cluster::study();
    let (_unread, mut full) = std::io::pipe().expect("a pipe");
    full.write_all(&[b'.'; FULL]).expect("room for what a pipe holds");
    let mut command = cluster.command(cluster.program());
    command.arg("--config").arg(cluster.config_file());
    command.stdout(full.try_clone().expect("a copy")).stderr(full);
    let mut master = command.spawn().expect("a master");
    let admin = cluster.admin();
    admin.until_all_ready();
    cluster.until_answered(300, "x", "game1Handle completed");
    admin.act("cluster/actions/stop");
    let ended = until("the end of the master", || master.try_wait().expect("a child"));
    assert_eq!(ended.code(), Some(0));
    cluster.assert_nothing_left();
}
