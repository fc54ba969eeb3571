//! Lets cargo-fuzz drive the target `client_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cluster_tests::fuzzing::CLIENT_FRAME.run)(input));
