//! Logs in a temporary directory, written as a node would.

use std::fs::OpenOptions;
use std::io::Write;

use super::rotation::{numbered, rotate};
use super::*;

struct Log {
    dir: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("game1.log")
    }

    fn write(&self, text: &[u8]) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path())
            .expect("a log");
        file.write_all(text).expect("a disk with room");
    }

    fn last(&self, start: u64) -> Vec<String> {
        last_lines(&self.path(), &File::open(self.path()).expect("a log"), start).expect("a readable log")
    }
}

#[test]
fn last_lines_are_of_this_life_cleaned_and_cut() {
    let log = Log::new();
    log.write(b"old\nnew \xff\r\n\x1b[2J\n");
    assert_eq!(log.last(4), ["new \u{fffd}", "\\u{1b}[2J"]);
    assert_eq!(
        log.last(1000),
        ["old", "new \u{fffd}", "\\u{1b}[2J"],
        "emptied and written again"
    );
    log.write(&vec![b'x'; 10_000]);
    let last = log.last(0).pop().expect("a line");
    assert_eq!(last.len(), MAX_LINE + '…'.len_utf8());
    log.write(&vec![b'\n'; 1_000_000]);
    assert_eq!(log.last(0), vec![String::new(); LAST_LINES]);
}

#[test]
fn logs_rotate_by_size_and_the_oldest_goes() {
    let log = Log::new();
    assert!(!rotate(&log.path(), 10, 2).expect("no log is no error"));
    for life in 1..=4 {
        log.write(format!("life {life} has written this\n").as_bytes());
        assert!(rotate(&log.path(), 10, 2).expect("a rotation"));
    }
    let read = |number| std::fs::read_to_string(numbered(&log.path(), number)).unwrap_or_default();
    assert!(!log.path().exists());
    assert!(read(1).starts_with("life 4") && read(2).starts_with("life 3") && read(3).is_empty());
    log.write(b"short\n");
    assert!(!rotate(&log.path(), 10, 2).expect("nothing to do"));
    log.write(b"longer than ten\n");
    assert!(rotate(&log.path(), 10, 0).expect("a removal") && !log.path().exists());
}

#[tokio::test]
async fn a_followed_log_gives_whole_lines_through_truncation_and_rotation() {
    let log = Log::new();
    log.write(b"before\n");
    let (send, mut lines) = mpsc::channel(1);
    let (end, ended) = oneshot::channel();
    let task = tokio::spawn(follow(log.path(), 7, send, ended));
    log.write(b"one\ntw");
    assert_eq!(lines.recv().await.as_deref(), Some("one"));
    log.write(b"o\nthree\n");
    assert_eq!(lines.recv().await.as_deref(), Some("two"));
    assert_eq!(lines.recv().await.as_deref(), Some("three"));
    File::create(log.path()).expect("an emptied log");
    log.write(b"four\n");
    assert_eq!(lines.recv().await.as_deref(), Some("four"));
    rotate(&log.path(), 0, 3).expect("a rotation");
    log.write(b"five\nsix");
    assert_eq!(lines.recv().await.as_deref(), Some("five"));
    end.send(()).expect("it follows");
    assert_eq!(
        lines.recv().await.as_deref(),
        Some("six"),
        "the rest comes at the end"
    );
    assert_eq!(lines.recv().await, None);
    task.await.expect("it ends");
}

#[tokio::test]
async fn following_ends_when_nobody_reads_and_waits_for_a_log_that_is_not_there_yet() {
    let log = Log::new();
    let (send, mut lines) = mpsc::channel(1);
    let (_end, ended) = oneshot::channel();
    let task = tokio::spawn(follow(log.path(), 0, send, ended));
    tokio::task::yield_now().await;
    log.write(&[b"x".repeat(200_000), b"\nnext\n".to_vec()].concat());
    assert_eq!(
        lines.recv().await.map(|line| line.len()),
        Some(MAX_LINE + '…'.len_utf8())
    );
    assert_eq!(lines.recv().await.as_deref(), Some("next"));
    drop(lines);
    log.write(b"nobody wants this\n");
    task.await.expect("it ends");
}

#[test]
fn the_tail_has_whole_lines_and_nothing_that_steers_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.log");
    let read = |end: u64, bytes: u64| {
        let mut lines = Vec::new();
        tail(&log, end, bytes, |line| lines.push(line)).unwrap();
        lines
    };
    assert_eq!(read(u64::MAX, 100), Vec::<String>::new());
    let mut text = b"one\ntwo \x1b[31mred\x1b[0m\nthree \xff\xfe\n".to_vec();
    text.extend(vec![b'x'; 1 << 20]);
    text.extend(b"\nfour\nfive");
    std::fs::write(&log, &text).unwrap();
    let all = read(u64::MAX, u64::MAX);
    assert_eq!(all.len(), 6);
    assert_eq!(all[1], "two \\u{1b}[31mred\\u{1b}[0m");
    assert_eq!(all[2], "three \u{fffd}\u{fffd}");
    assert!(all[3].len() <= MAX_LINE + '…'.len_utf8());
    assert_eq!(all[4..], ["four", "five"]);
    assert_eq!(read(u64::MAX, 100), ["four", "five"], "no half line");
    assert_eq!(read(4, u64::MAX), ["one"], "what is behind the end is not read");
}

#[test]
fn last_lines_are_found_on_both_sides_of_a_rotation() {
    let log = Log::new();
    log.write(b"of an older life\nfirst\n");
    let opened = File::open(log.path()).expect("a log");
    rotate(&log.path(), 0, 2).expect("a rotation");
    let last = |start| last_lines(&log.path(), &opened, start).expect("readable logs");
    assert_eq!(last(17), ["first"], "not opened anew yet");
    log.write(b"second\n");
    assert_eq!(last(17), ["first", "second"]);
    rotate(&log.path(), 0, 2).expect("a rotation");
    log.write(b"third\n");
    assert_eq!(last(17), ["second", "third"], "those before are two files away");
}

#[tokio::test]
async fn of_a_log_that_grows_too_fast_the_end_is_followed() {
    let log = Log::new();
    log.write(&b"a line of the flood\n".repeat(300_000));
    log.write(b"the last\n");
    let (send, mut lines) = mpsc::channel(10_000);
    let (end, ended) = oneshot::channel();
    end.send(()).expect("it will follow");
    follow(log.path(), 0, send, ended).await;
    let mut followed = Vec::new();
    while let Some(line) = lines.recv().await {
        followed.push(line);
    }
    assert!(
        followed[0].contains("6000009 bytes of the log are not shown"),
        "{}",
        followed[0]
    );
    assert!(followed.len() < 4000 && followed.last().is_some_and(|line| line == "the last"));
}
