//! Links that are encrypted: who shows the right certificate is let in, and nobody else.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cluster_tests::Cluster;
use cluster_tests::process::{End, kill_pid, tool};
use cluster_tests::tell::skipped;
use cluster_tests::wait::until;

/// The study's cluster with certificates, and their folder.
fn with_certificates() -> (Cluster, PathBuf) {
    let mut cluster = Cluster::study();
    let folder = cluster.folder().join("certs");
    let text = folder.to_string_lossy().into_owned();
    cluster.set("link.certs", text);
    make(&cluster, 4);
    (cluster, folder)
}

/// Runs `certs init`, which makes so many.
#[track_caller]
fn make(cluster: &Cluster, count: usize) {
    let made = cluster.run(&["certs", "init"]);
    assert_eq!(made.end(), End::Code(0), "{}", made.output());
    assert_eq!(
        made.stdout().matches("made ").count(),
        count + 1,
        "{}",
        made.stdout()
    );
}

fn copy(from: &Path, to: &Path) {
    for ending in ["pem", "key"] {
        std::fs::copy(from.with_extension(ending), to.with_extension(ending)).expect("to copy");
    }
}

#[test]
fn a_cluster_with_certificates_works_and_recovers_as_without() {
    let (cluster, _) = with_certificates();
    cluster.start();
    cluster.until_answered(300, "x", "game1Handle completed");
    let shown = cluster.admin().until_told("nodes/game1", "its report", |game1| {
        game1["certificates"]
            .as_array()
            .is_some_and(|all| !all.is_empty())
    });
    let shown = shown["certificates"].clone();
    let shown = shown.as_array().expect("a list").iter();
    let files: Vec<_> = shown
        .clone()
        .filter_map(|one| one["file"].as_str()?.rsplit('/').next())
        .collect();
    assert_eq!(files, ["ca.pem", "game1.pem"], "those that it uses");
    assert!(
        shown
            .clone()
            .all(|one| one["days_left"].as_u64() > Some(30) && one["soon"] == false)
    );
    kill_pid(cluster.admin().pid("game1"));
    cluster.until_answered(300, "x", "game1Handle completed");
    let again = cluster.run(&["certs", "init"]);
    assert_eq!(again.end(), End::Code(0));
    assert_eq!(again.stdout().matches("kept ").count(), 5, "{}", again.stdout());
}

#[test]
fn large_messages_pass_in_both_directions_at_once() {
    const ECHO_OF_GATE: u32 = 24;
    const CLIENTS: usize = 8;
    let mut cluster = Cluster::of_test_apps();
    let folder = cluster.folder().join("certs");
    cluster
        .set("link.certs", folder.to_string_lossy().into_owned())
        .set("servers.net.max_frame", "2MiB")
        .set("servers.net.out_buffer", "8MiB");
    make(&cluster, 4);
    cluster.start();
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let cluster = &cluster;
            scope.spawn(move || {
                let payload = number.to_string().repeat(1_500_000);
                let mut client = cluster.client();
                for _ in 0..3 {
                    let answer = client.ask(ECHO_OF_GATE, &payload).expect("an answer");
                    assert!(answer.command == ECHO_OF_GATE && answer.payload == payload);
                }
            });
        }
    });
}

/// Sends command 1 inside TLS, and prints the payload of the answer; in Python, which brings its own TLS.
const ENCRYPTED_CLIENT: &str = "
import socket, ssl, struct, sys
context = ssl.create_default_context(cafile=sys.argv[2])
plain = socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=10)
stream = context.wrap_socket(plain, server_hostname='play.example.com')
stream.sendall(bytes(9) + struct.pack('>II', 4 + 5, 1) + b'hello')
answer = stream.recv(17 + 5)
print(stream.version(), answer[17:].decode())
";

#[test]
fn game_clients_are_encrypted_where_a_node_has_a_certificate_for_them() {
    if tool("python3", &["--version"]).is_none() {
        return skipped("an encrypted client", "there is no program `python3`");
    }
    let mut cluster = Cluster::of_test_apps();
    let made = cluster.run(&["certs", "init", "--also", "play.example.com"]);
    assert_eq!(made.end(), End::Code(0), "{}", made.output());
    let folder = cluster.folder().join("certs");
    for (key, ending) in [("cert", "pem"), ("key", "key")] {
        let file = folder.join(format!("play.example.com.{ending}"));
        let text = file.to_string_lossy().into_owned();
        cluster.set(&format!("servers.net.tls.{key}"), text);
    }
    cluster.start();
    let port = cluster.netport().port().to_string();
    let mut python = cluster.command("python3");
    python
        .args(["-c", ENCRYPTED_CLIENT, &port])
        .arg(folder.join("ca.pem"));
    let client = cluster.run_command("an encrypted client", python);
    assert_eq!(client.end(), End::Code(0), "{}", client.output());
    assert_eq!(client.stdout().trim(), "TLSv1.3 hello");
    let mut plain = cluster.client();
    plain.send(1, "hello").expect("to send");
    assert!(plain.receive().is_err(), "a client without TLS was served");
}

#[test]
fn a_node_that_shows_the_certificate_of_another_one_is_refused() {
    let (mut cluster, folder) = with_certificates();
    cluster.set("servers.game1.start", false);
    cluster.start();
    copy(&folder.join("net.pem"), &folder.join("game1.pem"));
    let wrong = cluster.run(&["--role", "game1"]);
    assert_eq!(wrong.end(), End::Code(77));
    assert!(wrong.stderr().contains("refuses this node"), "{}", wrong.stderr());
    let made = cluster.run(&["certs", "init", "--renew"]);
    assert_eq!(made.end(), End::Code(0));
    cluster.run_node("game1");
    cluster.until_answered(300, "x", "game1Handle completed");
}

#[test]
fn a_node_of_another_authority_gets_no_link_although_it_knows_the_secret() {
    let (mut cluster, _) = with_certificates();
    cluster.set("servers.game1.start", false);
    cluster.start();
    let elsewhere = cluster.folder().join("elsewhere");
    let text = elsewhere.to_string_lossy().into_owned();
    cluster.set("link.certs", text);
    make(&cluster, 4);
    let stranger = cluster.run(&["--role", "game1"]);
    stranger.line("TLS: invalid peer certificate");
    assert_eq!(
        cluster.admin().node("game1")["incarnation"],
        serde_json::Value::Null
    );
}

#[test]
fn without_its_certificate_nothing_starts_and_the_key_of_the_file_is_named() {
    let (cluster, folder) = with_certificates();
    std::fs::remove_file(folder.join("master.pem")).expect("it is there");
    std::fs::remove_file(folder.join("master.key")).expect("it is there");
    let begun = Instant::now();
    let master = cluster.run(&[]);
    assert_eq!(master.end(), End::Code(78));
    let said = master.output();
    for part in ["config.json:", "link.certs", "master.key"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_certificate_is_worth_nothing_once_its_name_is_out_of_the_tree() {
    let (mut cluster, _) = with_certificates();
    cluster.start();
    cluster.until_answered(300, "x", "game1Handle completed");
    let former = cluster.folder().join("former.json");
    std::fs::copy(cluster.config_file(), &former).expect("to copy");
    let game = cluster.get("servers.game1").clone();
    cluster
        .set("servers.game1b", game)
        .set("servers.game1b.name", "game1b")
        .unset("servers.game1");
    let made = cluster.run(&["certs", "init"]);
    assert_eq!(made.end(), End::Code(0), "{}", made.output());
    let reloaded = cluster.admin().request("POST", "/api/v1/cluster/actions/reload");
    assert_eq!(reloaded.status, 200, "{}", reloaded.body);
    cluster.admin().until_all_ready();
    // It has the secret, the key of game1, and the configuration of that time.
    let thief = cluster.run_with(&former, &["--role", "game1"]);
    assert_eq!(thief.end(), End::Code(77), "{}", thief.output());
    let nodes = cluster.admin().nodes();
    assert!(nodes.iter().all(|node| node["name"] != "game1"), "{nodes:?}");
}

#[test]
fn an_authority_is_replaced_without_a_restart() {
    let (cluster, folder) = with_certificates();
    cluster.start();
    let incarnations =
        || ["gate", "net", "game1"].map(|name| cluster.admin().node(name)["incarnation"].clone());
    let before = incarnations();
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).expect("it is there");
    let old = read("ca.pem");
    // Nothing else in the folder is as the old authority has made it.
    for file in std::fs::read_dir(&folder).expect("a folder").flatten() {
        std::fs::rename(file.path(), cluster.folder().join(file.file_name())).expect("to move");
    }
    make(&cluster, 4);
    let new = read("ca.pem");
    std::fs::write(folder.join("ca.pem"), format!("{old}{new}")).expect("to write");
    until_read_again(&cluster, 1);
    std::fs::write(folder.join("ca.pem"), new).expect("to write");
    until_read_again(&cluster, 2);
    kill_pid(cluster.admin().pid("game1"));
    cluster.until_answered(300, "x", "game1Handle completed");
    let after = incarnations();
    assert_eq!(before[..2], after[..2], "a node was restarted");
}

/// Waits until gate and net have read their files again so often.
#[track_caller]
fn until_read_again(cluster: &Cluster, times: usize) {
    for name in ["gate", "net"] {
        until("other certificates", || {
            let read = cluster.log(name).matches("certificates were renewed").count();
            (read >= times).then_some(())
        });
    }
}
