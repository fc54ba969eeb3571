//! Lets cargo-fuzz drive the target `client_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cluster_tests::fuzzing::target("client_frame").run)(input));
