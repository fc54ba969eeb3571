//! The dashboard in a real browser: the scenarios of tests/browser, against a real cluster of four processes.
//!
//! One cluster and one browser serve them all, so they run once, in their own order, whichever test asks first. They
//! need chromium, Node.js and the modules of tests/browser; a machine without says so and skips them, unless
//! `CLUSTER_TESTS_BROWSER` is `required`. It must not know what is on the pages.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use cluster_tests::Cluster;
use cluster_tests::process::Process;
use cluster_tests::tell::{measured, skipped};
use cluster_tests::wait::within;
use serde::Deserialize;
use serde_json::json;

/// What absence means: skipped, or with `required` a failure.
const NEED: &str = "CLUSTER_TESTS_BROWSER";

/// Set for the full form: a minute of log lines, and limits on time as they are promised.
const FULL: &str = "CLUSTER_TESTS_BROWSER_FULL";

/// Some scenarios alone, by their names with spaces between.
const ONLY: &str = "CLUSTER_TESTS_BROWSER_ONLY";

/// How many times as long as promised things may take in the short form, as machines that test are busy.
const SLACK: u32 = 10;

/// The longest that all scenarios may take together.
const LONGEST: Duration = Duration::from_secs(900);

/// The token of somebody who may only look.
const VIEWER: &str = "the-token-of-a-viewer";

/// How one scenario went.
#[derive(Debug, Clone, Deserialize)]
struct Outcome {
    id: String,
    seconds: f64,
    #[serde(default)]
    measured: Vec<String>,
    failed: Option<String>,
}

/// What the scenarios need of the machine.
struct Tools {
    node: PathBuf,
    chromium: PathBuf,
    scripts: PathBuf,
}

impl Tools {
    /// What is missing, in words, if something is.
    fn find() -> Result<Self, String> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
        if !scripts.join("node_modules").is_dir() {
            return Err("no modules: run `npm ci` in tests/browser".into());
        }
        let chromium = ["chromium", "chromium-browser", "google-chrome"];
        Ok(Self {
            node: find(&["node", "nodejs"]).ok_or("no Node.js on this machine")?,
            chromium: find(&chromium).ok_or("no chromium on this machine")?,
            scripts,
        })
    }
}

/// The first of these programs that is on the path.
fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut files = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.find(|file| file.is_file())
}

/// All scenarios, run once; or why they are not.
fn outcomes() -> &'static Result<HashMap<String, Outcome>, String> {
    static OUTCOMES: OnceLock<Result<HashMap<String, Outcome>, String>> = OnceLock::new();
    OUTCOMES.get_or_init(|| Tools::find().map(|tools| run(&tools)))
}

fn run(tools: &Tools) -> HashMap<String, Outcome> {
    let mut cluster = Cluster::of_test_apps();
    let viewer = json!([{"name": "guest", "role": "viewer", "token": VIEWER}]);
    cluster
        .set("name", "meadow")
        .set("servers.game1.db", true)
        .set("admin", json!({ "tokens": viewer }));
    let master = cluster.start();
    cluster.admin().until_all_ready();
    let mut command = cluster.command(&tools.node);
    // The browser's folders go with the cluster's.
    command
        .arg(tools.scripts.join("run.mjs"))
        .env("TMPDIR", cluster.folder())
        .env("BROWSER_TESTS", settings(tools, &cluster, &master).to_string());
    let scenarios = cluster.run_command("the scenarios", command);
    let end = within(LONGEST, || scenarios.has_ended());
    let outcomes = scenarios.stdout();
    let outcomes = outcomes
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let outcomes: HashMap<String, Outcome> = outcomes
        .map(|outcome: Outcome| (outcome.id.clone(), outcome))
        .collect();
    if outcomes.is_empty() {
        eprintln!("no scenario has run ({end:?}):\n{}", scenarios.output());
    }
    outcomes
}

fn settings(tools: &Tools, cluster: &Cluster, master: &Process) -> serde_json::Value {
    let full = std::env::var_os(FULL).is_some();
    let line = master.line("#code=");
    let address = line.split_whitespace().find(|word| word.contains("#code="));
    json!({
        "origin": format!("http://{}", cluster.webport()),
        "netport": cluster.netport().port(),
        "token": cluster.token(),
        "viewer": VIEWER,
        "address": address,
        "master": master.pid(),
        "program": cluster.program(),
        "config": cluster.config_file(),
        "chromium": tools.chromium,
        "pictures": Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard"),
        "slack": if full { 1 } else { SLACK },
        "floodSeconds": if full { 60 } else { 10 },
        "only": std::env::var(ONLY).ok(),
    })
}

/// One scenario went as it should.
#[track_caller]
fn holds(id: &str) {
    let outcomes = match outcomes() {
        Ok(outcomes) => outcomes,
        Err(why) if std::env::var(NEED).is_ok_and(|need| need == "required") => panic!("{why}"),
        Err(why) => return skipped(&format!("the dashboard in a browser, {id}"), why),
    };
    match outcomes.get(id) {
        Some(outcome) => {
            let figures = outcome.measured.iter();
            figures.for_each(|figure| measured(format_args!("{id}: {figure}")));
            let failed = outcome.failed.as_deref();
            assert!(
                failed.is_none(),
                "{id} after {} s: {}",
                outcome.seconds,
                failed.unwrap_or_default()
            );
        }
        None if std::env::var_os(ONLY).is_some() => skipped(id, "it was not asked for"),
        None => panic!("{id} has not run to its end"),
    }
}

#[test]
fn the_first_visit_is_small_and_quick() {
    holds("first-load");
}

#[test]
fn each_page_fits_three_widths_in_two_themes() {
    holds("U-01");
}

#[test]
fn a_node_that_is_killed_is_seen_to_go_and_to_come_back() {
    holds("U-02");
}

#[test]
fn each_action_works_by_mouse_and_by_keyboard_and_for_no_viewer() {
    holds("U-03");
}

#[test]
fn whoever_types_its_name_can_stop_the_cluster() {
    holds("stop");
}

#[test]
fn axe_finds_nothing_wrong_and_tab_reaches_everything() {
    holds("U-04");
}

#[test]
fn nothing_comes_from_elsewhere_and_no_error_is_left() {
    holds("U-05");
}

#[test]
fn the_page_goes_on_with_the_next_master() {
    holds("U-06");
}

#[test]
fn a_flood_of_lines_neither_slows_the_page_nor_runs_in_it() {
    holds("U-07");
}

#[test]
fn codes_cookies_other_pages_and_other_names_let_nobody_in() {
    holds("U-09");
}

#[test]
fn a_browser_without_programs_shows_a_table() {
    holds("U-11");
}
