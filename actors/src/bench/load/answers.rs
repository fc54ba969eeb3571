//! The answers of one connection: each belongs to its oldest request, and must be the frame that is expected.
//!
//! Length and command of every answer are compared, and the content of the first and of each [`SAMPLE`]th; where the
//! requests differ, the command alone.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::super::frame::{self, Front, HEADER};
use super::super::plan::Shape;
use super::{Load, Shared};

/// The content of one answer among so many is compared.
const SAMPLE: u64 = 16;

/// Room that is made for one read, in bytes.
const READ: usize = 16 * 1024;

/// What was sent and not answered, and what was read and not understood yet.
#[derive(Debug)]
pub(super) struct Answers {
    shared: Rc<Shared>,
    /// When each unanswered request was sent, or due.
    sent: VecDeque<Instant>,
    input: BytesMut,
    seen: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Error,
    Wrong,
}

impl Answers {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self {
            shared: Rc::clone(shared),
            sent: VecDeque::new(),
            input: BytesMut::new(),
            seen: 0,
        }
    }

    /// How many requests wait for their answers.
    pub(super) fn in_flight(&self) -> usize {
        self.sent.len()
    }

    /// A request has been sent, or was due.
    pub(super) fn sent(&mut self, at: Instant) {
        self.sent.push_back(at);
    }

    /// Where to read to.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        self.input.reserve(READ);
        &mut self.input
    }

    /// Bytes have come: takes the whole frames among them.
    ///
    /// # Errors
    /// They are no frames, or more than were asked for.
    pub(super) fn take(&mut self, now: Instant) -> io::Result<()> {
        let broken = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let mut tally = self.shared.tally.borrow_mut();
        loop {
            let size = match frame::front(&self.input) {
                Front::Whole(size) => size,
                Front::Part => return Ok(()),
                Front::Nonsense => return broken("what came is no frame"),
            };
            let verdict = judge(&self.input[..size], &self.shared.load, self.seen);
            if verdict == Verdict::Error {
                let said = || String::from_utf8_lossy(frame::payload(&self.input[..size])).into_owned();
                tally.first_error.get_or_insert_with(said);
            }
            self.input.advance(size);
            self.seen += 1;
            let Some(sent) = self.sent.pop_front() else {
                tally.wrong += 1;
                return broken("more answers came than there were requests");
            };
            let counted = match self.shared.load.shape {
                Shape::Closed { .. } => now,
                Shape::Open { .. } => sent,
            };
            match verdict {
                Verdict::Good if self.shared.is_measured(counted) => {
                    tally.answers += 1;
                    tally.latencies.record(now.saturating_duration_since(sent));
                }
                Verdict::Good => {}
                Verdict::Error => tally.errors += 1,
                Verdict::Wrong => tally.wrong += 1,
            }
        }
    }
}

fn judge(answer: &[u8], load: &Load, seen: u64) -> Verdict {
    let expected = &load.answer;
    let compared = if seen.is_multiple_of(SAMPLE) {
        expected.len()
    } else {
        HEADER
    };
    let good = if load.requests.differ() {
        frame::command(answer) == frame::command(expected)
    } else {
        answer.len() == expected.len() && answer[..compared] == expected[..compared]
    };
    if good {
        Verdict::Good
    } else if frame::command(answer) == frame::SPECIAL {
        Verdict::Error
    } else {
        Verdict::Wrong
    }
}

impl Drop for Answers {
    /// Whatever has no answer at the end has none at all.
    fn drop(&mut self) {
        self.shared.tally.borrow_mut().lost += self.sent.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use lampyris_runtime::config::ClientConfig;

    use super::super::super::requests::Requests;
    use super::super::Tally;
    use super::*;

    fn answer(command: u32, payload: &[u8]) -> Vec<u8> {
        let mut head = [0; HEADER];
        head[13..].copy_from_slice(&command.to_be_bytes());
        let mut out = Vec::new();
        frame::put_answer(&head, payload, &mut out);
        out
    }

    fn load(shape: Shape) -> Load {
        Load {
            addr: ([127, 0, 0, 1], 1).into(),
            requests: Requests::same(&ClientConfig::default(), 300, b"request").unwrap(),
            answer: answer(300, b"done").into(),
            connections: 1,
            shape,
        }
    }

    fn shared(shape: Shape, begin: Instant) -> Rc<Shared> {
        Rc::new(Shared {
            load: load(shape),
            begin,
            end: begin + Duration::from_secs(1),
            tally: RefCell::default(),
        })
    }

    fn take(answers: &mut Answers, frames: &[Vec<u8>], now: Instant) -> io::Result<()> {
        frames
            .iter()
            .for_each(|frame| answers.room().extend_from_slice(frame));
        answers.take(now)
    }

    fn tally(shared: &Rc<Shared>) -> Tally {
        shared.tally.take()
    }

    #[test]
    fn good_wrong_error_and_lost_answers_are_told_apart() {
        let start = Instant::now();
        let shared = shared(Shape::Closed { depth: 9 }, start);
        let mut answers = Answers::new(&shared);
        (0..5).for_each(|_| answers.sent(start));
        let frames = [
            answer(300, b"done"),
            answer(200, b"done"),
            answer(300, b"done!"),
            answer(0, b"{}"),
        ];
        take(&mut answers, &frames, start + Duration::from_millis(3)).unwrap();
        assert_eq!(answers.in_flight(), 1);
        drop(answers);
        let tally = tally(&shared);
        assert_eq!(
            (tally.answers, tally.wrong, tally.errors, tally.lost),
            (1, 2, 1, 1)
        );
        assert_eq!(tally.first_error.as_deref(), Some("{}"));
        assert!(tally.latencies.quantile(0.5) >= Duration::from_millis(3));
    }

    #[test]
    fn the_content_of_a_sample_is_compared() {
        let load = load(Shape::Closed { depth: 1 });
        assert_eq!(judge(&answer(300, b"dome"), &load, 0), Verdict::Wrong);
        assert_eq!(judge(&answer(300, b"dome"), &load, 1), Verdict::Good);
        assert_eq!(judge(&answer(300, b"dome"), &load, SAMPLE), Verdict::Wrong);
    }

    #[test]
    fn answers_to_requests_that_differ_are_known_by_their_command() {
        let mut load = load(Shape::Closed { depth: 1 });
        load.requests = Requests::numbered(&ClientConfig::default(), 300, b"p#").unwrap();
        assert_eq!(judge(&answer(300, b"another one"), &load, 0), Verdict::Good);
        assert_eq!(judge(&answer(200, b"done"), &load, 0), Verdict::Wrong);
        assert_eq!(judge(&answer(0, b"{}"), &load, 0), Verdict::Error);
    }

    #[test]
    fn only_the_measured_time_counts() {
        let begin = Instant::now() + Duration::from_secs(10);
        let (before, after) = (begin - Duration::from_millis(1), begin + Duration::from_millis(1));
        for (shape, counted) in [(Shape::Closed { depth: 1 }, 1), (Shape::Open { rate: 1 }, 0)] {
            let shared = shared(shape, begin);
            let mut answers = Answers::new(&shared);
            answers.sent(before);
            take(&mut answers, &[answer(300, b"done")], after).unwrap();
            drop(answers);
            assert_eq!(tally(&shared).answers, counted, "{shape:?}");
        }
    }

    #[test]
    fn bytes_that_nobody_asked_for_end_the_connection() {
        let start = Instant::now();
        let shared = shared(Shape::Closed { depth: 1 }, start);
        let mut answers = Answers::new(&shared);
        assert!(take(&mut answers, &[answer(300, b"done")], start).is_err());
        let mut answers = Answers::new(&shared);
        answers.sent(start);
        assert!(take(&mut answers, &[vec![0xff; HEADER]], start).is_err());
    }
}
