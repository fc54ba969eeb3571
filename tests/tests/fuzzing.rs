//! Readers of bytes from outside take any bytes. See docs/fuzzing.md.

use cluster_tests::fuzzing::admin;
use cluster_tests::fuzzing::replay::replay;
use cluster_tests::fuzzing::{
    ADMIN, CLIENT_FRAME, CONFIG_JSON, CONFIG_TOML, HANDSHAKE, LINK_FRAME, MESSAGE_PACK,
};

#[test]
fn frames_of_clients() {
    assert!(replay(&CLIENT_FRAME) > 0);
}

#[test]
fn frames_of_links() {
    assert!(replay(&LINK_FRAME) > 0);
}

#[test]
fn handshakes() {
    assert!(replay(&HANDSHAKE) > 0);
}

#[test]
fn bodies_of_messages() {
    assert!(replay(&MESSAGE_PACK) > 0);
}

#[test]
fn configurations_in_json() {
    assert!(replay(&CONFIG_JSON) > 0);
}

#[test]
fn configurations_in_toml() {
    assert!(replay(&CONFIG_TOML) > 0);
}

#[test]
fn requests_to_the_administrator_without_a_socket() {
    assert!(replay(&ADMIN) > 0);
}

#[test]
fn requests_to_the_admin_port() {
    assert!(admin::requests() > 0);
}
