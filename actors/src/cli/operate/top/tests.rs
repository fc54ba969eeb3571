//! Pictures of each page, and what keys do.

use std::fmt::Write as _;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::super::fetch::{News, Snapshot, Wish};
use super::super::plain;
use super::super::state::{Mode, Page, State};
use super::Picture;

fn snapshot() -> Snapshot {
    let nodes = json!([
        {"name": "gate", "state": "ready", "reason": "", "app": "app.gateserver", "pid": 4711, "restarts": 0,
         "uptime": 3723.0, "rss": 12582912, "mailbox": 0,
         "last": {"calls_per_second": 1234.5, "errors_per_second": 0.0, "p99": 0.0021, "cpu": 0.25}},
        {"name": "net", "state": "ready", "reason": "", "app": "app.netserver", "pid": 4712, "restarts": 0,
         "uptime": 3723.0, "rss": 25165824, "clients": 1200, "mailbox": 37,
         "last": {"calls_per_second": 1234.5, "errors_per_second": 0.4, "p99": 0.0032, "cpu": 0.5}},
        {"name": "game1", "state": "backoff", "reason": "exit code 101: panicked at src/game.rs:7:5",
         "app": "app.game1server", "pid": null, "restarts": 7, "uptime": null, "rss": null, "last": null}
    ]);
    let cluster = json!({
        "name": "demo", "version": "0.1.0", "uptime": 3725.0,
        "verdict": {"health": "degraded", "line": "Degraded: game1 is backoff: exit code 101 (2 of 3 nodes ready)",
                    "reasons": ["game1 is backoff: exit code 101"]},
        "totals": {"nodes": 3, "ready": 2, "clients": 1200, "calls_per_second": 2469.0, "errors_per_second": 0.4,
                   "p50": 0.0004, "p99": 0.0032, "restarts": 7, "rss": 37748736}
    });
    let links = json!([
        {"node": "net", "peer": "gate", "relation": "parent", "up": true, "epoch": 1, "rtt_us": 85, "calls": 12,
         "queued": 2048, "held": 0, "why_down": null},
        {"node": "gate", "peer": "net", "relation": "child", "up": true, "epoch": 1, "rtt_us": 90, "calls": 0,
         "queued": 0, "held": 0, "why_down": null},
        {"node": "game1", "peer": "gate", "relation": "parent", "up": false, "epoch": 8, "rtt_us": null, "calls": 0,
         "queued": 0, "held": 5, "why_down": "closed by the peer"}
    ]);
    let handlers = json!([
        {"node": "net", "name": "NetHandle300", "command": 300, "calls": 123456,
         "errors": {"timeout": 2, "link_lost": 5}, "calls_per_second": 800.0, "p50": 0.0004, "p99": 0.0032},
        {"node": "gate", "name": "gate.handle2", "command": null, "calls": 99, "errors": {},
         "calls_per_second": null, "p50": null, "p99": null}
    ]);
    let events = json!([
        {"seq": 1, "at_ms": 1_769_853_600_000_u64, "kind": "state", "node": "gate", "text": "ready: its link is up",
         "from": "starting", "to": "ready"},
        {"seq": 2, "at_ms": 1_769_853_661_000_u64, "kind": "action", "node": "game1", "text": "restart", "by": "admin"}
    ]);
    Snapshot {
        cluster: serde_json::from_value(cluster).unwrap(),
        nodes: serde_json::from_value(nodes).unwrap(),
        links: serde_json::from_value(links).unwrap(),
        handlers: serde_json::from_value(handlers).unwrap(),
        events: serde_json::from_value(events).unwrap(),
    }
}

fn state(page: Page) -> State {
    let mut state = State::new(page);
    state.show(snapshot());
    state
}

fn press(state: &mut State, keys: &str) -> Option<Wish> {
    let code = |key: char| match key {
        '\n' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        '\x1b' => KeyCode::Esc,
        key => KeyCode::Char(key),
    };
    let mut wish = None;
    for key in keys.chars() {
        wish = state.press(KeyEvent::new(code(key), KeyModifiers::NONE));
    }
    wish
}

fn drawn(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| frame.render_widget(Picture(state), frame.area()))
        .unwrap();
    let buffer = terminal.backend().buffer().clone();
    let mut text = String::new();
    for row in 0..height {
        let line: String = (0..width).map(|column| buffer[(column, row)].symbol()).collect();
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

/// Compares with the picture that is kept; with `UPDATE_PICTURES=1`, keeps this one instead.
#[track_caller]
fn assert_picture(name: &str, picture: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/operate/top/pictures");
    let file = folder.join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&file, picture).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(picture, kept, "{}:\n{picture}", file.display());
}

#[test]
fn every_page_is_drawn_as_it_is_kept_in_a_small_and_a_large_terminal() {
    for (page, name) in super::PAGES {
        for (width, height) in [(80, 24), (120, 40)] {
            let picture = drawn(&state(page), width, height);
            assert_picture(&format!("{name}_{width}x{height}"), &picture);
        }
    }
    let mut helped = state(Page::Nodes);
    press(&mut helped, "?");
    assert_picture("help_80x24", &drawn(&helped, 80, 24));
}

#[test]
fn no_terminal_is_too_small_and_no_cluster_too_empty() {
    for page in super::PAGES.map(|(page, _)| page) {
        let mut state = state(page);
        for (width, height) in [(1, 1), (20, 3), (2, 40), (200, 1)] {
            drawn(&state, width, height);
        }
        state.show(Snapshot::default());
        assert!(drawn(&state, 80, 24).contains("nothing to show"));
    }
    let mut helped = state(Page::Nodes);
    press(&mut helped, "?");
    drawn(&helped, 5, 2);
}

#[test]
fn once_is_the_same_picture_as_lines() {
    let lines = plain(&state(Page::Nodes), 120);
    assert!(lines[1].starts_with("Degraded: game1"), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("game1") && line.contains("exit code 101"))
    );
    assert!(lines.iter().all(|line| !line.contains('\x1b')));
}

#[test]
fn actions_are_asked_about_and_done_only_with_yes() {
    let mut state = state(Page::Nodes);
    assert_eq!(press(&mut state, "jr"), None);
    let wish = Wish {
        action: "restart",
        node: "net".to_owned(),
    };
    assert_eq!(state.mode, Mode::Confirm(wish.clone()));
    assert!(drawn(&state, 80, 24).contains("restart net? y for yes"));
    press(&mut state, "nj");
    assert!(
        drawn(&state, 80, 24).contains("game1: exit code 101: panicked"),
        "why"
    );
    press(&mut state, "kr");
    assert_eq!(press(&mut state, "n"), None);
    assert_eq!(press(&mut state, "y"), None, "there is no question any more");
    assert_eq!(press(&mut state, "ry"), Some(wish));
    press(&mut state, "3r");
    assert_eq!(state.mode, Mode::Look, "a link cannot be restarted");
}

#[test]
fn rows_are_filtered_sorted_and_chosen() {
    let mut state = state(Page::Overview);
    press(&mut state, "/ga");
    assert_eq!(state.table().rows.len(), 2, "gate and game1");
    press(&mut state, "\n");
    assert_eq!((&state.mode, &state.filter[..]), (&Mode::Look, "ga"));
    press(&mut state, "/\x1b");
    assert_eq!(state.table().rows.len(), 3);
    press(&mut state, "s");
    assert_eq!(state.table().rows[0][0].text, "game1");
    press(&mut state, "S");
    assert_eq!(state.table().rows[0][0].text, "net");
    press(&mut state, "jjjjjjjj");
    assert_eq!(state.selected, 2, "no row is behind the last");
    press(&mut state, "\t");
    assert_eq!((state.page, state.selected), (Page::Nodes, 0));
}

#[test]
fn a_lost_master_is_told_and_a_pause_holds_the_picture() {
    let mut state = state(Page::Overview);
    state.hear(News::Lost("no master answers at 127.0.0.1:9998".to_owned()));
    assert!(drawn(&state, 80, 24).contains("Lost: no master answers"));
    state.hear(News::Snapshot(Box::new(snapshot())));
    assert!(!drawn(&state, 80, 24).contains("Lost"));
    press(&mut state, " ");
    state.hear(News::Snapshot(Box::default()));
    assert_eq!(state.snapshot.nodes.len(), 3);
    assert!(drawn(&state, 80, 24).contains("paused"));
    press(&mut state, "q");
    assert!(state.over);
}
