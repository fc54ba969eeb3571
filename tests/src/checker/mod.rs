//! The checker: joins what clients saw with what a node's ledger says, and finds every broken promise about calls.
//!
//! - Every request has exactly one end, and no frame comes that nobody waits for.
//! - No request runs twice, and nothing runs that nobody asked for.
//! - `ok` and `ran=yes` have a row in the ledger; `ran=no` has none.
//! - Per connection and command, answers come in request order, and so do the rows of requests whose handler is
//!   known to have run. Of a request that ended with `ran=maybe` the link was lost, which ends the order.
//!
//! Pure: it must not know where histories and ledger come from.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A request, as its client and the ledger name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    /// Who asked.
    pub client: u32,
    /// Which of the client's requests: each is greater than the one before, also on another connection.
    pub seq: u32,
    /// Drawn for this request, so that a row of an earlier run does not count.
    pub nonce: u64,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:016x}", self.client, self.seq, self.nonce)
    }
}

impl FromStr for Request {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let broken = || format!("not CLIENT SEQ NONCE: {text:?}");
        let [client, seq, nonce] = words[..] else {
            return Err(broken());
        };
        Ok(Self {
            client: client.parse().map_err(|_| broken())?,
            seq: seq.parse().map_err(|_| broken())?,
            nonce: u64::from_str_radix(nonce, 16).map_err(|_| broken())?,
        })
    }
}

/// Whether the handler of a failed request ran, as the error frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It did not.
    No,
    /// It did.
    Yes,
    /// Nobody knows.
    Maybe,
}

/// Something that one client did or saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request was sent, or at least begun to be sent.
    Sent {
        /// Its command.
        command: u32,
        /// What it asked for.
        request: Request,
    },
    /// An answer came.
    Answered {
        /// Its command.
        command: u32,
        /// Its payload.
        text: String,
    },
    /// An error frame came.
    Failed {
        /// The command of which it speaks.
        command: u32,
        /// The error.
        error: String,
        /// Whether the handler ran.
        ran: Ran,
    },
    /// The server closed the connection, or it broke.
    Closed,
    /// No connection could be made.
    Refused,
}

/// An event, and when and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// On which of the client's connections.
    pub connection: u32,
    /// What.
    pub event: Event,
}

/// All that one client did and saw, in order.
pub type History = Vec<Entry>;

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which life of the node wrote it.
    pub incarnation: String,
    /// What it was asked for.
    pub request: Request,
}

/// Reads a ledger of lines `INCARNATION CLIENT SEQ NONCE`.
///
/// # Errors
/// A line is none.
pub fn read_ledger(text: &str) -> Result<Vec<Row>, String> {
    let row = |line: &str| {
        let (incarnation, request) = line
            .split_once(' ')
            .ok_or_else(|| format!("half a line: {line:?}"))?;
        Ok(Row {
            incarnation: incarnation.to_owned(),
            request: request.parse()?,
        })
    };
    text.lines().map(row).collect()
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With its answer.
    Ok,
    /// With an error frame.
    Failed {
        /// The error.
        error: String,
        /// Whether its handler ran.
        ran: Ran,
    },
    /// With its connection; its handler ran or did not.
    Closed,
}

impl End {
    /// Whether the handler ran.
    pub fn ran(&self) -> Ran {
        match self {
            Self::Ok => Ran::Yes,
            Self::Failed { ran, .. } => *ran,
            Self::Closed => Ran::Maybe,
        }
    }
}

/// One request from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked for.
    pub request: Request,
    /// On which of the client's connections.
    pub connection: u32,
    /// By which command.
    pub command: u32,
    /// When it was sent.
    pub sent: Instant,
    /// When it ended.
    pub ended: Instant,
    /// How.
    pub end: End,
}

impl Call {
    /// How long it took.
    pub fn took(&self) -> Duration {
        self.ended.saturating_duration_since(self.sent)
    }
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A request never ended.
    NoEnd(Request),
    /// A frame came that is not the answer to the oldest open request of its connection and command.
    NotAwaited(Entry, Option<Request>),
    /// A request stands in the ledger more than once.
    RanTwice(Request),
    /// Something stands in the ledger that no client asked for.
    NotAskedFor(Row),
    /// The handler of this request ran, says its end; the ledger does not have it.
    NoRow(Call),
    /// The handler of this request did not run, says its end; the ledger has it.
    RanAfterAll(Call),
    /// The second request was sent later, and stands in the ledger before the first.
    RowsOutOfOrder(Request, Request),
}

/// Joins histories, one for each client, with the ledger.
///
/// # Errors
/// All broken promises.
pub fn check(histories: &[History], ledger: &[Row]) -> Result<Vec<Call>, Vec<Violation>> {
    let mut violations = Vec::new();
    let calls: Vec<Call> = histories
        .iter()
        .flat_map(|history| calls_of(history, &mut violations))
        .collect();
    let rows = rows_of(ledger, &calls, &mut violations);
    for call in &calls {
        match (call.end.ran(), rows.contains_key(&call.request)) {
            (Ran::Yes, false) => violations.push(Violation::NoRow(call.clone())),
            (Ran::No, true) => violations.push(Violation::RanAfterAll(call.clone())),
            _ => {}
        }
    }
    check_order(&calls, &rows, &mut violations);
    if violations.is_empty() {
        Ok(calls)
    } else {
        Err(violations)
    }
}

/// The calls of one client, in the order of their ends.
fn calls_of(history: &History, violations: &mut Vec<Violation>) -> Vec<Call> {
    let mut open: HashMap<(u32, u32), VecDeque<(Request, Instant)>> = HashMap::new();
    let mut calls = Vec::new();
    for entry in history {
        let Entry {
            at,
            connection,
            event,
        } = entry;
        let mut end = |command: u32, (request, sent): (Request, Instant), end: End| {
            calls.push(Call {
                request,
                connection: *connection,
                command,
                sent,
                ended: *at,
                end,
            });
        };
        match event {
            Event::Sent { command, request } => {
                let waiting = open.entry((*connection, *command)).or_default();
                waiting.push_back((*request, *at));
            }
            Event::Answered { command, text } => {
                let waiting = open.entry((*connection, *command)).or_default();
                match waiting.pop_front() {
                    Some(oldest) if oldest.0.to_string() == *text => end(*command, oldest, End::Ok),
                    other => {
                        violations.push(Violation::NotAwaited(
                            entry.clone(),
                            other.map(|(oldest, _)| oldest),
                        ));
                    }
                }
            }
            Event::Failed { command, error, ran } => {
                let failed = End::Failed {
                    error: error.clone(),
                    ran: *ran,
                };
                match open.entry((*connection, *command)).or_default().pop_front() {
                    Some(oldest) => end(*command, oldest, failed),
                    None => violations.push(Violation::NotAwaited(entry.clone(), None)),
                }
            }
            Event::Closed => {
                for ((_, command), waiting) in open.extract_if(|(on, _), _| on == connection) {
                    waiting
                        .into_iter()
                        .for_each(|oldest| end(command, oldest, End::Closed));
                }
            }
            Event::Refused => {}
        }
    }
    let left = open.into_values().flatten();
    violations.extend(left.map(|(request, _)| Violation::NoEnd(request)));
    calls
}

/// Where in the ledger each request stands.
fn rows_of(ledger: &[Row], calls: &[Call], violations: &mut Vec<Violation>) -> HashMap<Request, usize> {
    let lost = violations.iter().filter_map(|violation| match violation {
        Violation::NoEnd(request) | Violation::NotAwaited(_, Some(request)) => Some(*request),
        _ => None,
    });
    let asked: std::collections::HashSet<Request> =
        calls.iter().map(|call| call.request).chain(lost).collect();
    let mut rows = HashMap::new();
    for (at, row) in ledger.iter().enumerate() {
        if !asked.contains(&row.request) {
            violations.push(Violation::NotAskedFor(row.clone()));
        } else if rows.insert(row.request, at).is_some() {
            violations.push(Violation::RanTwice(row.request));
        }
    }
    rows
}

/// The rows of a connection's command, as far as their requests are known to have run, are in request order.
fn check_order(calls: &[Call], rows: &HashMap<Request, usize>, violations: &mut Vec<Violation>) {
    let mut known: Vec<(&Call, usize)> = calls
        .iter()
        .filter(|call| call.end.ran() == Ran::Yes)
        .filter_map(|call| Some((call, *rows.get(&call.request)?)))
        .collect();
    let line = |call: &Call| (call.request.client, call.connection, call.command);
    known.sort_by_key(|(call, _)| (line(call), call.request.seq));
    for pair in known.windows(2) {
        let [(before, before_row), (after, after_row)] = pair else {
            continue;
        };
        if line(before) == line(after) && before_row > after_row {
            violations.push(Violation::RowsOutOfOrder(before.request, after.request));
        }
    }
}

#[cfg(test)]
mod tests;
