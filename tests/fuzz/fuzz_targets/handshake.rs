//! Lets cargo-fuzz drive the target `handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cluster_tests::fuzzing::HANDSHAKE.run)(input));
