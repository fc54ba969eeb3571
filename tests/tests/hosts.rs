//! One cluster may live on several hosts: here on several addresses of one machine, or in network namespaces.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use cluster_tests::Cluster;
use cluster_tests::namespace::Hosts;
use cluster_tests::process::End;
use cluster_tests::tell::skipped;
use nix::sys::signal::Signal;

/// Gives the cluster a secret that all hosts share, and lets its links leave loopback.
fn share_secret(cluster: &mut Cluster) {
    let file = cluster.folder().join("hosts.secret");
    let mut options = std::fs::OpenOptions::new();
    let mut open = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)
        .expect("to open");
    let secret = format!(
        "{:016x}{:016x}",
        cluster_tests::cluster::random(),
        cluster_tests::cluster::random()
    );
    open.write_all(secret.as_bytes()).expect("to write");
    cluster.set("secret_file", file.to_string_lossy().into_owned());
    cluster.set("link.allow_plaintext", true);
}

#[test]
fn nodes_on_other_addresses_are_found_by_what_the_configuration_says() {
    let mut cluster = Cluster::study();
    share_secret(&mut cluster);
    cluster
        .set("master.rootbind", "127.0.0.2")
        .set("master.roothost", "127.0.0.2")
        .set("servers.gate.rootbind", "127.0.0.3")
        .set("servers.gate.host", "127.0.0.3");
    cluster.start();
    cluster.until_answered(300, "x", "game1Handle completed");
    let admin = cluster.admin();
    admin.until_all_ready();
    // The children have found the gate on its own address, not on 127.0.0.1.
    for name in ["net", "game1"] {
        let log = cluster.log(name);
        let gate = format!(
            "link up peer=gate epoch=1 addr=127.0.0.3:{}",
            cluster.port_of("servers.gate.rootport")
        );
        assert!(log.contains(&gate), "{name}: {log}");
        let master = format!(
            "peer=master epoch=1 addr=127.0.0.2:{}",
            cluster.port_of("master.rootport")
        );
        assert!(log.contains(&master), "{name}: {log}");
    }
}

#[test]
fn a_childs_own_address_for_its_parent_counts_for_more() {
    let mut cluster = Cluster::study();
    share_secret(&mut cluster);
    let port = cluster.port_of("servers.gate.rootport");
    cluster
        .set("servers.gate.rootbind", "127.0.0.3")
        .set("servers.gate.host", "127.0.0.9");
    cluster.set(
        "servers.game1.remoteport",
        serde_json::json!([{"rootname": "gate", "roothost": "127.0.0.3"}]),
    );
    cluster.set(
        "servers.net.remoteport",
        serde_json::json!([{"rootname": "gate", "roothost": "127.0.0.3"}]),
    );
    cluster.start();
    cluster.until_answered(300, "x", "game1Handle completed");
    assert!(
        cluster.log("game1").contains(&format!("addr=127.0.0.3:{port}")),
        "{}",
        cluster.log("game1")
    );
}

#[test]
fn nodes_on_two_hosts_find_each_other_by_the_master() {
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(why) => {
            skipped("nodes_on_two_hosts_find_each_other_by_the_master", &why);
            return;
        }
    };
    let [here, _] = Hosts::ADDRESSES;
    let mut cluster = Cluster::study();
    share_secret(&mut cluster);
    cluster
        .set("master.rootbind", "0.0.0.0")
        .set("master.roothost", here)
        .set("servers.gate.rootbind", "0.0.0.0")
        .set("servers.game1.start", false);
    let master = cluster.run_command("master", hosts.command(0, &cluster, &[]));
    master.line("net    | ready");
    let game = cluster.run_command("game1", hosts.command(1, &cluster, &["--role", "game1"]));
    game.line(&format!("link up peer=gate epoch=1 addr={here}:"));
    master.line("game1  | ready");

    let client = cluster.run_command("client", hosts.command(0, &cluster, &["--role", "client"]));
    assert_eq!(client.end(), End::Code(0));
    assert!(
        client
            .stdout()
            .ends_with("send commandId: 300\ngame1Handle completed\n"),
        "{}",
        client.stdout()
    );

    // From the other host the clients' port is reached by its address.
    let addr = format!("{here}:{}", cluster.netport().port());
    let arguments = ["--role", "client", "--addr", &addr];
    let client = cluster.run_command("far client", hosts.command(1, &cluster, &arguments));
    assert_eq!(client.end(), End::Code(0));

    master.signal(Signal::SIGTERM);
    assert_eq!(master.end(), End::Code(0));
    assert_eq!(game.end(), End::Code(0), "the master asks it to stop as well");
}

#[test]
fn a_parent_on_another_host_than_the_master_is_found_by_its_children() {
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(why) => {
            skipped(
                "a_parent_on_another_host_than_the_master_is_found_by_its_children",
                &why,
            );
            return;
        }
    };
    let [here, there] = Hosts::ADDRESSES;
    let mut cluster = Cluster::study();
    share_secret(&mut cluster);
    cluster
        .set("master.rootbind", here)
        .set("master.roothost", here)
        .set("servers.gate.rootbind", "0.0.0.0")
        .set("servers.gate.start", false);
    let master = cluster.run_command("master", hosts.command(0, &cluster, &["--only"]));
    // Nobody wrote down where the gate is: the master sees where it comes from, and tells its children.
    let net = cluster.run_command("net", hosts.command(0, &cluster, &["--role", "net"]));
    net.line(" ready handlers=");
    let _gate = cluster.run_command("gate", hosts.command(1, &cluster, &["--role", "gate"]));
    let _game = cluster.run_command("game1", hosts.command(0, &cluster, &["--role", "game1"]));
    net.line(&format!("link up peer=gate epoch=1 addr={there}:"));
    master.line("game1  | ready");
    let client = cluster.run_command("client", hosts.command(0, &cluster, &["--role", "client"]));
    assert_eq!(client.end(), End::Code(0));
}
