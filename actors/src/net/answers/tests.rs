//! Orders of calls, their answers and their deadlines.

use std::time::Duration;

use super::*;

fn later(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

fn open(answers: &mut Answers, command: u32) -> u64 {
    answers
        .open(command, Bytes::new(), later(5), false)
        .expect("it is not serial")
        .number
}

fn frame(text: &'static str) -> Ended {
    Ended::Frame(Bytes::from_static(text.as_bytes()))
}

fn turn(answers: &Answers, number: u64) -> Option<(u32, Turn)> {
    answers.turn(number).map(|(_, command, turn)| (command, turn))
}

fn stash(answers: &mut Answers, number: u64, ended: Ended) {
    let (at, ..) = answers.turn(number).expect("it is in flight");
    answers.stash(at, ended);
}

/// Finishes the call and gives what left because of it.
fn finish(answers: &mut Answers, number: u64) -> Vec<Ended> {
    let mut left = Vec::new();
    if let Some((at, ..)) = answers.turn(number) {
        answers.finish(at, |ended| left.push(ended));
    }
    left
}

#[test]
fn answers_of_a_command_leave_in_order_and_others_overtake() {
    let mut answers = Answers::new(false);
    let (a1, b1, a2, a3) = (
        open(&mut answers, 1),
        open(&mut answers, 2),
        open(&mut answers, 1),
        open(&mut answers, 1),
    );
    assert_eq!(turn(&answers, a3), Some((1, Turn::Later)));
    stash(&mut answers, a3, frame("a3"));
    assert_eq!(turn(&answers, b1), Some((2, Turn::Now)));
    assert_eq!(finish(&mut answers, b1), []);
    stash(&mut answers, a2, frame("a2"));
    assert_eq!(answers.waiting_bytes(), 4);
    assert_eq!(turn(&answers, a1), Some((1, Turn::Now)));
    assert_eq!(finish(&mut answers, a1), [frame("a2"), frame("a3")]);
    assert_eq!((answers.in_flight(), answers.waiting_bytes()), (0, 0));
}

#[test]
fn an_answer_that_waits_stops_at_the_next_unanswered_call() {
    let mut answers = Answers::new(false);
    let calls: Vec<u64> = (0..4).map(|_| open(&mut answers, 1)).collect();
    stash(&mut answers, calls[1], frame("1"));
    stash(&mut answers, calls[3], Ended::HangUp);
    assert_eq!(finish(&mut answers, calls[0]), [frame("1")]);
    assert_eq!(finish(&mut answers, calls[2]), [Ended::HangUp]);
}

#[test]
fn a_call_that_has_ended_is_unknown() {
    let mut answers = Answers::new(false);
    let call = open(&mut answers, 1);
    finish(&mut answers, call);
    assert_eq!(answers.turn(call), None);
    assert_eq!(finish(&mut answers, call), []);
}

#[test]
fn a_serial_command_is_held_until_the_one_before_has_ended() {
    let mut answers = Answers::new(false);
    let first = answers
        .open(1, Bytes::new(), later(5), true)
        .expect("nothing is before it");
    assert_eq!(answers.open(1, "second".into(), later(5), true), None);
    let other = open(&mut answers, 2);
    assert_eq!(answers.open(1, "third".into(), later(5), true), None);
    finish(&mut answers, other);
    assert_eq!(answers.take_ready(), None);
    finish(&mut answers, first.number);
    let second = answers.take_ready().expect("the first has ended");
    assert_eq!(second.payload, "second");
    assert_eq!(answers.take_ready(), None);
    finish(&mut answers, second.number);
    assert_eq!(
        answers.take_ready().map(|call| call.payload),
        Some("third".into())
    );
}

#[test]
fn in_a_serial_session_every_command_waits() {
    let mut answers = Answers::new(true);
    let first = answers
        .open(1, Bytes::new(), later(5), false)
        .expect("nothing is before it");
    assert_eq!(answers.open(2, "second".into(), later(5), false), None);
    assert_eq!(answers.open(1, "third".into(), later(5), false), None);
    for payload in ["second", "third"] {
        assert_eq!(answers.take_ready(), None);
        let front = answers.slots[0].number;
        finish(&mut answers, front);
        assert_eq!(
            answers.take_ready().map(|call| call.payload),
            Some(payload.into())
        );
    }
    assert!(answers.turn(first.number).is_none());
}

#[test]
fn the_oldest_call_is_due_first_and_says_whether_it_ran() {
    let mut answers = Answers::new(true);
    let now = Instant::now();
    let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
    assert!(answers.open(1, Bytes::new(), soon, false).is_some());
    assert!(answers.open(1, Bytes::new(), late, false).is_none());
    assert_eq!((answers.deadline(), answers.due(now)), (Some(soon), None));
    assert_eq!(answers.due(late), Some((0, true)));
    finish(&mut answers, 0);
    assert_eq!(
        answers.due(late),
        Some((1, false)),
        "it was ready, but no handler had it"
    );
    finish(&mut answers, 1);
    assert_eq!((answers.take_ready(), answers.due(late)), (None, None));
}
