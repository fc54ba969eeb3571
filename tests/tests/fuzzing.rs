//! Readers of bytes from outside take any bytes. See docs/fuzzing.md.

use cluster_tests::fuzzing::admin;
use cluster_tests::fuzzing::replay::replay;
use cluster_tests::fuzzing::target;

#[test]
fn frames_of_clients() {
    assert!(replay(target("client_frame")) > 0);
}

#[test]
fn frames_of_links() {
    assert!(replay(target("link_frame")) > 0);
}

#[test]
fn handshakes() {
    assert!(replay(target("handshake")) > 0);
}

#[test]
fn bodies_of_messages() {
    assert!(replay(target("message_pack")) > 0);
}

#[test]
fn configurations_in_json() {
    assert!(replay(target("config_json")) > 0);
}

#[test]
fn configurations_in_toml() {
    assert!(replay(target("config_toml")) > 0);
}

#[test]
fn requests_to_the_admin_port() {
    assert!(admin::requests() > 0);
}
