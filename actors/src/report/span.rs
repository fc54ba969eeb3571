//! Spans: which handler worked on a traced call, how long the call waited for it, and how long it took.
//!
//! Only traced calls come here. A call is followed by a sink of its own that stands between the handler and whoever
//! waits for the answer, so that calls without a trace carry nothing.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::name::NodeName;
use lampyris_runtime::reply::{ReplySink, ReplyTo, Write};
use lampyris_runtime::trace::{Context, Traced};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use utoipa::ToSchema;

use crate::message::Origin;

/// Spans that may wait to be told; more are dropped.
const MOST: usize = 1024;

/// What one handler did for a traced call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Span {
    /// The trace, as 32 hexadecimal digits.
    pub(crate) trace: String,
    /// The span, as 16 hexadecimal digits.
    pub(crate) span: String,
    /// The span that made the call; `null` for the first.
    pub(crate) parent: Option<String>,
    /// Where it ran.
    #[schema(value_type = String)]
    pub(crate) node: NodeName,
    /// The service.
    pub(crate) service: String,
    /// The handler.
    pub(crate) handler: String,
    /// The client's command, if it was one.
    pub(crate) command: Option<u32>,
    /// When the call came to the node, in microseconds of Unix time.
    pub(crate) start_us: u64,
    /// How long it waited for the handler, in seconds.
    pub(crate) queue: f64,
    /// From the start of the handler to its answer, in seconds; with the calls that it made.
    pub(crate) run: f64,
    /// The fault that it ended with.
    pub(crate) fault: Option<String>,
}

/// The spans of a node that the master has not been told yet.
#[derive(Debug)]
pub(crate) struct SpanLog {
    node: NodeName,
    ended: Mutex<VecDeque<Span>>,
    news: Notify,
}

impl SpanLog {
    pub(crate) fn new(node: NodeName) -> Arc<Self> {
        Arc::new(Self {
            node,
            ended: Mutex::default(),
            news: Notify::new(),
        })
    }

    /// Begins the span of a call whose handler starts now: gives what the handler is to answer to.
    pub(crate) fn follow(
        self: &Arc<Self>,
        reply: ReplyTo,
        traced: Traced,
        (service, handler, command): (&'static str, &'static str, Option<u32>),
        now: Instant,
    ) -> ReplyTo {
        // Without random bytes there is no span: the call goes on as it came.
        let Ok(span) = getrandom::u64() else { return reply };
        let id = reply.id();
        let context = Context {
            trace: traced.context.trace,
            span,
        };
        let sink = Following {
            log: Arc::clone(self),
            origin: reply.origin().and_then(|origin| origin.downcast_ref()).cloned(),
            reply: Mutex::new(Some(reply)),
            traced,
            span,
            service,
            handler,
            command,
            started: now,
        };
        ReplyTo::new(Arc::new(sink), id).traced(Some(Traced { context, since: now }))
    }

    /// Waits until there are some.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Takes all there are.
    pub(crate) fn take(&self) -> Vec<Span> {
        self.lock().drain(..).collect()
    }

    fn add(&self, span: Span) {
        let mut ended = self.lock();
        if ended.len() < MOST {
            ended.push_back(span);
        }
        drop(ended);
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stands between a handler and whoever waits for its answer.
struct Following {
    log: Arc<SpanLog>,
    /// Who waits.
    origin: Option<Origin>,
    reply: Mutex<Option<ReplyTo>>,
    traced: Traced,
    span: u64,
    service: &'static str,
    handler: &'static str,
    command: Option<u32>,
    started: Instant,
}

impl Following {
    /// The handler has answered: the answer goes on by `deliver`, which gives the fault that the caller is told, and the
    /// span ends.
    fn end(&self, deliver: impl FnOnce(ReplyTo) -> Option<ErrorKind>) -> Option<ErrorKind> {
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let fault = deliver(reply);
        let run = self.started.elapsed();
        let queue = self.started.saturating_duration_since(self.traced.since);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let parent = self.traced.context.span;
        self.log.add(Span {
            trace: trace_text(self.traced.context.trace),
            span: format!("{:016x}", self.span),
            parent: (parent != 0).then(|| format!("{parent:016x}")),
            node: self.log.node.clone(),
            service: self.service.to_owned(),
            handler: self.handler.to_owned(),
            command: self.command,
            start_us: micros(now.saturating_sub(run + queue)),
            queue: queue.as_secs_f64(),
            run: run.as_secs_f64(),
            fault: fault.map(|kind| kind.name().to_owned()),
        });
        fault
    }
}

impl ReplySink for Following {
    fn reply(&self, _: u64, write: Write<'_>) -> Option<ErrorKind> {
        self.end(|reply| reply.reply(write))
    }

    fn reply_bytes(&self, _: u64, body: Bytes) -> Option<ErrorKind> {
        self.end(|reply| reply.reply_bytes(body))
    }

    fn fault(&self, _: u64, fault: Fault) {
        self.end(|reply| {
            let kind = fault.kind;
            reply.fault(fault);
            Some(kind)
        });
    }

    fn origin(&self) -> Option<&dyn Any> {
        self.origin.as_ref().map(|origin| origin as &dyn Any)
    }
}

/// A trace as text: 32 hexadecimal digits.
pub(crate) fn trace_text(trace: u128) -> String {
    format!("{trace:032x}")
}

/// The trace of a text.
pub(crate) fn trace_of(text: &str) -> Option<u128> {
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let trace = digits.then(|| u128::from_str_radix(text, 16).ok())?;
    trace.filter(|trace| *trace != 0)
}

/// A new trace, if there are random bytes.
pub(crate) fn new_trace() -> Option<u128> {
    let (high, low) = (getrandom::u64().ok()?, getrandom::u64().ok()?);
    Some(u128::from(high) << 64 | u128::from(low)).filter(|trace| *trace != 0)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use lampyris_runtime::reply::Wrote;

    struct Caller(Mutex<Vec<String>>);

    impl ReplySink for Caller {
        fn reply(&self, id: u64, write: Write<'_>) -> Option<ErrorKind> {
            self.0.lock().unwrap().push(format!("reply {id}"));
            write(&mut BytesMut::new()).err().map(|fault| fault.kind)
        }

        fn fault(&self, id: u64, fault: Fault) {
            self.0.lock().unwrap().push(format!("{} {id}", fault.kind));
        }
    }

    #[test]
    fn a_followed_call_is_answered_once_and_leaves_one_span() {
        let caller = Arc::new(Caller(Mutex::default()));
        let log = SpanLog::new(NodeName::new("game1").unwrap());
        let now = Instant::now();
        let traced = Traced {
            context: Context { trace: 7, span: 9 },
            since: now,
        };
        let of = ("game", "game.play", None);
        let reply = log.follow(ReplyTo::new(caller.clone(), 3), traced, of, now);
        assert_eq!(reply.trace().unwrap().context.trace, 7);
        assert_ne!(
            reply.trace().unwrap().context.span,
            9,
            "calls from inside are this span's"
        );
        reply.fault(Fault::new(ErrorKind::Timeout, "late"));
        drop(log.follow(ReplyTo::new(caller.clone(), 4), traced, of, now));
        let reply = |id| log.follow(ReplyTo::new(caller.clone(), id), traced, of, now);
        reply(5).reply(&mut |_| Ok(Wrote::Nothing));
        reply(6).reply(&mut |_| {
            Err(Fault::new(
                ErrorKind::HandlerError,
                "no reply of this can be written",
            ))
        });
        let told = ["timeout 3", "cancelled 4", "reply 5", "reply 6"];
        assert_eq!(*caller.0.lock().unwrap(), told);
        let spans = log.take();
        let faults: Vec<_> = spans.iter().map(|span| span.fault.as_deref()).collect();
        assert_eq!(
            faults,
            [Some("timeout"), Some("cancelled"), None, Some("handler_error")]
        );
        assert_eq!(spans[0].parent.as_deref(), Some("0000000000000009"));
        assert_eq!(trace_of(&spans[0].trace), Some(7));
    }

    #[test]
    fn only_whole_traces_are_read() {
        let text = trace_text(u128::MAX - 1);
        assert_eq!(trace_of(&text), Some(u128::MAX - 1));
        for bad in [
            "",
            "7",
            &text[1..],
            "+0000000000000000000000000000001",
            &"0".repeat(32),
        ] {
            assert_eq!(trace_of(bad), None, "{bad}");
        }
    }
}
