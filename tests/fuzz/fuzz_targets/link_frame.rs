//! Lets cargo-fuzz drive the target `link_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cluster_tests::fuzzing::LINK_FRAME.run)(input));
