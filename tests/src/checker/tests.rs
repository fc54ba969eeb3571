//! A clean run passes; each planted fault is found, and nothing else.

use super::*;

const COMMAND: u32 = 19;

fn request(seq: u32) -> Request {
    Request {
        client: 1,
        seq,
        nonce: 7,
    }
}

fn on(connection: u32, event: Event) -> Entry {
    let at = Instant::now();
    Entry {
        at,
        connection,
        event,
    }
}

fn sent(seq: u32) -> Entry {
    let request = request(seq);
    on(
        0,
        Event::Sent {
            command: COMMAND,
            request,
        },
    )
}

fn ok(seq: u32) -> Entry {
    let text = request(seq).to_string();
    on(
        0,
        Event::Answered {
            command: COMMAND,
            text,
        },
    )
}

fn failed(error: &str, ran: Ran) -> Entry {
    let error = error.to_owned();
    on(
        0,
        Event::Failed {
            command: COMMAND,
            error,
            ran,
        },
    )
}

fn row(seq: u32) -> Row {
    Row {
        incarnation: "a".into(),
        request: request(seq),
    }
}

#[track_caller]
fn found(history: History, ledger: &[Row]) -> Violation {
    let mut violations = check(&[history], ledger).expect_err("a violation");
    assert_eq!(violations.len(), 1, "{violations:?}");
    violations.remove(0)
}

#[test]
fn a_clean_history_passes() {
    let history = vec![
        sent(1),
        sent(2),
        sent(3),
        ok(1),
        failed("not_sent", Ran::No),
        failed("link_lost", Ran::Maybe),
        sent(4),
        on(0, Event::Closed),
        on(1, Event::Refused),
        on(
            1,
            Event::Sent {
                command: COMMAND,
                request: request(5),
            },
        ),
        on(
            1,
            Event::Sent {
                command: COMMAND + 1,
                request: request(6),
            },
        ),
        on(
            1,
            Event::Answered {
                command: COMMAND + 1,
                text: request(6).to_string(),
            },
        ),
        on(
            1,
            Event::Answered {
                command: COMMAND,
                text: request(5).to_string(),
            },
        ),
    ];
    // The third ran late, behind a reconnection; the fourth was lost on its way.
    let calls = check(&[history], &[row(1), row(6), row(5), row(3)]).expect("a clean run");
    let ends: Vec<Ran> = calls.iter().map(|call| call.end.ran()).collect();
    let expected = [Ran::Yes, Ran::No, Ran::Maybe, Ran::Maybe, Ran::Yes, Ran::Yes];
    assert_eq!(ends, expected);
}

#[test]
fn a_request_that_runs_twice_is_found() {
    let violation = found(vec![sent(1), ok(1)], &[row(1), row(1)]);
    assert_eq!(violation, Violation::RanTwice(request(1)));
}

#[test]
fn a_request_without_an_end_is_found() {
    let violation = found(vec![sent(1), sent(2), ok(1)], &[row(1), row(2)]);
    assert_eq!(violation, Violation::NoEnd(request(2)));
}

#[test]
fn a_second_end_is_found() {
    let second = ok(1);
    let violation = found(vec![sent(1), ok(1), second.clone()], &[row(1)]);
    assert!(matches!(violation, Violation::NotAwaited(entry, None) if entry.event == second.event));
}

#[test]
fn answers_out_of_order_are_found() {
    let history = vec![sent(1), sent(2), ok(2), ok(1)];
    let violations = check(&[history], &[row(1), row(2)]).expect_err("violations");
    assert!(
        violations
            .iter()
            .all(|one| matches!(one, Violation::NotAwaited(..))),
        "{violations:?}"
    );
    assert_eq!(violations.len(), 2);
}

#[test]
fn rows_out_of_order_are_found() {
    let violation = found(vec![sent(1), sent(2), ok(1), ok(2)], &[row(2), row(1)]);
    assert_eq!(violation, Violation::RowsOutOfOrder(request(1), request(2)));
}

#[test]
fn an_answer_without_a_row_is_found() {
    let violation = found(vec![sent(1), ok(1)], &[]);
    assert!(matches!(violation, Violation::NoRow(call) if call.request == request(1)));
    let violation = found(vec![sent(1), failed("handler_panic", Ran::Yes)], &[]);
    assert!(matches!(violation, Violation::NoRow(call) if call.request == request(1)));
}

#[test]
fn a_row_of_a_request_that_did_not_run_is_found() {
    let violation = found(vec![sent(1), failed("not_sent", Ran::No)], &[row(1)]);
    assert!(matches!(violation, Violation::RanAfterAll(call) if call.request == request(1)));
}

#[test]
fn a_row_that_nobody_asked_for_is_found() {
    let mut other = row(1);
    other.request.nonce += 1;
    let violation = found(vec![sent(1), ok(1)], &[row(1), other.clone()]);
    assert_eq!(violation, Violation::NotAskedFor(other));
}

#[test]
fn a_ledger_is_read_and_half_a_line_is_not() {
    let text = format!("a {}\na {}\n", request(1), request(2));
    assert_eq!(read_ledger(&text), Ok(vec![row(1), row(2)]));
    assert!(read_ledger(&format!("{text}a 1 3")).is_err());
    assert!(read_ledger("a\n").is_err());
}
