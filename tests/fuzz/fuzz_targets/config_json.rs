//! Lets cargo-fuzz drive the target `config_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cluster_tests::fuzzing::CONFIG_JSON.run)(input));
