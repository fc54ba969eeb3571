//! The table is whole, and every experiment is also a test.

use std::collections::BTreeSet;

use super::*;

/// The numbers of the table that are measured by experiments.
fn promised() -> impl Iterator<Item = u32> {
    let numbers = (1..=33).chain(35..=39).chain(50..=54).chain([58]);
    numbers.chain(59..=62).chain(70..=75).chain(80..=86)
}

fn ids(numbers: impl Iterator<Item = u32>) -> BTreeSet<String> {
    numbers.map(|number| format!("R-{number:02}")).collect()
}

#[test]
fn every_experiment_is_in_the_table_of_promises() {
    let there: BTreeSet<String> = all().iter().map(|experiment| experiment.id.to_owned()).collect();
    assert_eq!(there, ids(promised()));
}

#[test]
fn every_number_is_there_once() {
    let ids: Vec<&str> = all().iter().map(|experiment| experiment.id).collect();
    let different: BTreeSet<&str> = ids.iter().copied().collect();
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
