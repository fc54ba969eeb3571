//! Lets cargo-fuzz drive the target `admin`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cluster_tests::fuzzing::ADMIN.run)(input));
