//! Two texts, and what differs between them.

use std::collections::BTreeSet;

use super::*;
use crate::config::Machine;

fn config(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, format!("run_dir = '/tmp/run'\n{text}")).unwrap();
    let machine = Machine {
        lowest_port: 1024,
        open_files: 20_000,
    };
    let mut config = Config::load_on(&machine, &file, std::iter::empty()).unwrap();
    config.file = "config.toml".into();
    config
}

const TREE: &str = "
secret = 'qwzu3u8hf73hf7dhs83jd'
[master]
rootport = 9999
[servers.gate]
app = 'app.gate'
rootport = 10000
[servers.game1]
app = 'app.game'
remoteport = [{ rootname = 'gate' }]
drain_timeout = '10s'
[db]
passwd = 'hunter2'
";

/// The changes when pieces of the tree's text are replaced: key, old, new, effect.
fn changes(replaced: &[(&str, &str)]) -> Vec<(String, String, String, Effect)> {
    let text = replaced.iter().fold(TREE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let flat = |change: Change| {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        (change.key, shown(change.old), shown(change.new), change.effect)
    };
    diff(&config(TREE), &config(&text))
        .into_iter()
        .map(flat)
        .collect()
}

fn one(key: &str, old: &str, new: &str, effect: Effect) -> Vec<(String, String, String, Effect)> {
    vec![(key.to_owned(), old.to_owned(), new.to_owned(), effect)]
}

#[test]
fn every_key_has_a_rule_and_every_rule_a_key() {
    let keys: BTreeSet<String> = items(&config(TREE)).iter().map(Item::pattern).collect();
    let rules: BTreeSet<String> = RULES.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(keys, rules);
    assert_eq!(rules.len(), RULES.len(), "a key has two rules");
}

#[test]
fn the_same_values_are_no_change_however_they_are_written() {
    assert_eq!(changes(&[]), []);
    assert_eq!(
        changes(&[("'10s'", "'10000ms'"), ("[master]", "# a remark\n[master]")]),
        []
    );
    assert_eq!(changes(&[("drain_timeout = '10s'\n", "")]), [], "the default");
}

#[test]
fn a_changed_key_is_told_with_both_values_and_whose_restart_it_takes() {
    let game1 = || Effect::Node(NodeName::new("game1").unwrap());
    assert_eq!(
        changes(&[("'10s'", "'5s'")]),
        one("servers.game1.drain_timeout", "10s", "5s", Effect::AtOnce)
    );
    assert_eq!(
        changes(&[("'app.game'", "'app.other'")]),
        one("servers.game1.app", "app.game", "app.other", game1())
    );
    assert_eq!(
        changes(&[("[db]", "[link]\nwait = '1s'\n[db]")]),
        one("link.wait", "2s", "1s", Effect::EveryNode)
    );
    assert_eq!(
        changes(&[("9999", "9998")]),
        one("master.rootport", "9999", "9998", Effect::Master)
    );
    assert_eq!(
        changes(&[("[{ rootname = 'gate' }]", "[]")]),
        one("servers.game1.remoteport", "gate", "-", Effect::AtOnce)
    );
}

#[test]
fn the_port_of_a_parent_is_the_parents_change_alone() {
    let gate = Effect::Node(NodeName::new("gate").unwrap());
    assert_eq!(
        changes(&[("10000", "10001")]),
        one("servers.gate.rootport", "10000", "10001", gate)
    );
}

#[test]
fn nodes_come_and_go_as_a_whole() {
    let second = "[servers.game2]\napp = 'app.game'\nremoteport = [{ rootname = 'gate' }]\n[db]";
    assert_eq!(
        changes(&[("[db]", second)]),
        one("servers.game2", "-", "app.game", Effect::AtOnce)
    );
    let (with, without) = (config(&TREE.replace("[db]", second)), config(TREE));
    let gone = diff(&with, &without);
    assert_eq!(gone.len(), 1);
    assert_eq!(
        (gone[0].key.as_str(), gone[0].new.as_ref()),
        ("servers.game2", None)
    );
}

#[test]
fn secrets_are_covered() {
    assert_eq!(
        changes(&[("hunter2", "hunter3")]),
        one("db.passwd", "***", "***", Effect::EveryNode)
    );
    assert_eq!(
        changes(&[("qwzu3u8hf", "qwzu3u8hg")]),
        one("secret", "***", "***", Effect::Master)
    );
}

#[test]
fn what_needs_a_new_master_is_a_fault_with_its_place() {
    let new = config(&TREE.replace("9999", "9998").replace("'10s'", "'5s'"));
    let faults = refused_while_running(&config(TREE), &new);
    assert_eq!(faults.len(), 1);
    let text = crate::config::render_human(&faults[0], new.source_text());
    for part in [
        "error[E038]",
        "master.rootport",
        "config.toml:5:12",
        "found: 9998",
        "allowed: 9999",
    ] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}
