//! The table is whole, and every experiment is also a test.

use std::collections::HashSet;

use super::*;

#[test]
fn every_number_is_there_once() {
    let ids: Vec<&str> = all().iter().map(|experiment| experiment.id).collect();
    let different: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
}

#[test]
fn every_experiment_has_a_test_of_its_short_form() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let files = std::fs::read_dir(folder).expect("the folder of the tests");
    let texts: String = files
        .map(|file| std::fs::read_to_string(file.expect("a file").path()).unwrap_or_default())
        .collect();
    let missing: Vec<&str> = all()
        .iter()
        .map(|experiment| experiment.id)
        .filter(|id| !texts.contains(&format!("short(\"{id}\")")))
        .collect();
    assert_eq!(missing, [""; 0], "no test calls experiments::short");
}
