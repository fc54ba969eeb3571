//! The table is whole, and every experiment is also a test.

use std::collections::HashSet;

use super::*;

/// The numbers of the table that are measured by experiments.
fn promised() -> Vec<String> {
    let numbers = (1..=33)
        .chain(35..=39)
        .chain(50..=54)
        .chain([58])
        .chain(60..=62)
        .chain(70..=75);
    numbers.map(|number| format!("R-{number:02}")).collect()
}

#[test]
fn every_experiment_is_in_the_table_of_promises() {
    let promised = promised();
    let others: Vec<&str> = all()
        .iter()
        .map(|experiment| experiment.id)
        .filter(|id| !promised.iter().any(|one| one == id))
        .collect();
    assert_eq!(others, [""; 0]);
    let processes = (1..=19).chain([35, 74]).map(|number| format!("R-{number:02}"));
    let missing: Vec<String> = processes.filter(|id| find(id).is_none()).collect();
    assert_eq!(missing, [""; 0]);
}

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
