//! Lets cargo-fuzz drive the target `message_pack`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cluster_tests::fuzzing::MESSAGE_PACK.run)(input));
