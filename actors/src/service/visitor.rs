//! Who asks a service. What all calls of one connection to one service have in common stands once, so that each call
//! carries a single reference; and what one read of the connection brings is handed over together.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::reply::{Desk, Passing, ReplySink, ReplyTo, Write};
use lampyris_runtime::trace::Traced;

use super::{Inbox, Invocation, Route};
use crate::message::Origin;

/// One connection in front of one service.
pub(crate) struct Visitor {
    origin: Origin,
    /// Where the service's calls are counted.
    desk: Arc<Desk>,
    /// Takes the answers.
    answers: Arc<dyn ReplySink>,
}

impl Visitor {
    /// One whose calls are counted at `desk`, and answered to `answers`.
    pub(crate) fn new(origin: Origin, desk: &Arc<Desk>, answers: Arc<dyn ReplySink>) -> Arc<Self> {
        Arc::new(Self {
            origin,
            desk: Arc::clone(desk),
            answers,
        })
    }
}

impl ReplySink for Visitor {
    fn reply(&self, id: u64, write: Write<'_>) -> Option<ErrorKind> {
        self.answers.reply(id, write)
    }

    fn reply_bytes(&self, id: u64, body: Bytes) -> Option<ErrorKind> {
        self.answers.reply_bytes(id, body)
    }

    fn pass(&self, replies: &mut [Passing<'_>]) {
        self.answers.pass(replies);
    }

    fn fault(&self, id: u64, fault: Fault) {
        self.answers.fault(id, fault);
    }

    fn desk(&self) -> Option<&Desk> {
        Some(&self.desk)
    }

    fn origin(&self) -> Option<&dyn Any> {
        Some(&self.origin)
    }
}

/// Who sent the message that is to be answered.
pub(crate) fn origin_of(reply: &ReplyTo) -> &Origin {
    let origin = reply.origin().and_then(|origin| origin.downcast_ref());
    origin.expect("because services are asked by visitors alone")
}

/// A message as a connection brings it.
pub(crate) struct Arrival {
    /// Its number at the connection; `None` when nobody waits for an answer.
    pub(crate) call: Option<u64>,
    pub(crate) body: Bytes,
    /// When its caller stops waiting.
    pub(crate) deadline: Instant,
    pub(crate) traced: Option<Traced>,
}

/// Whom no answer reaches: news of the node's own are asked by nobody.
pub(crate) struct Nobody;

impl ReplySink for Nobody {
    fn reply(&self, _: u64, _: Write<'_>) -> Option<ErrorKind> {
        None
    }

    fn fault(&self, _: u64, _: Fault) {}
}

/// What one connection brings to the services of this node.
pub(crate) struct Visits {
    origin: Origin,
    answers: Arc<dyn ReplySink>,
    /// One for each service that has been asked so far, and its inbox.
    visitors: Vec<(Arc<Inbox>, Arc<Visitor>)>,
    /// Which of them asks at present.
    asking: usize,
    /// What it asks, not handed over yet.
    batch: VecDeque<Invocation>,
}

impl Visits {
    pub(crate) const fn new(origin: Origin, answers: Arc<dyn ReplySink>) -> Self {
        Self {
            origin,
            answers,
            visitors: Vec::new(),
            asking: 0,
            batch: VecDeque::new(),
        }
    }

    /// Who it is.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Where the answers go.
    pub(crate) const fn answers(&self) -> &Arc<dyn ReplySink> {
        &self.answers
    }

    /// Makes room for so many messages.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.batch.reserve(count);
    }

    /// A message for the handler of a route. It is handed over with those that come behind it, by [`Visits::settle`] at the
    /// latest.
    #[inline]
    pub(crate) fn bring(&mut self, route: &Route, message: Arrival) {
        let sink: Arc<dyn ReplySink> = self.visitor_of(&route.inbox);
        let mut reply = match message.call {
            Some(call) => ReplyTo::new(sink, call),
            None => ReplyTo::unawaited(sink),
        };
        if message.traced.is_some() {
            reply = reply.traced(message.traced);
        }
        self.batch.push_back(Invocation {
            entry: route.entry,
            body: message.body,
            deadline: message.deadline,
            reply,
        });
    }

    /// Hands over what was brought.
    pub(crate) fn settle(&mut self) {
        if let Some((inbox, _)) = self.visitors.get(self.asking)
            && !self.batch.is_empty()
        {
            inbox.push_all(&mut self.batch);
        }
    }

    /// Gives back the memory that is not needed while nothing comes.
    pub(crate) fn rest(&mut self) {
        self.batch = VecDeque::new();
    }

    /// The visitor of a service. What another one has brought before is handed over first.
    fn visitor_of(&mut self, inbox: &Arc<Inbox>) -> Arc<Visitor> {
        let is_of = |(of, _): &(Arc<Inbox>, _)| Arc::ptr_eq(of, inbox);
        if !self.visitors.get(self.asking).is_some_and(is_of) {
            self.settle();
            let known = self.visitors.iter().position(is_of);
            self.asking = known.unwrap_or(self.visitors.len());
        }
        if let Some((_, visitor)) = self.visitors.get(self.asking) {
            return Arc::clone(visitor);
        }
        let answers = Arc::clone(&self.answers);
        let visitor = Visitor::new(self.origin.clone(), inbox.desk(), answers);
        self.visitors.push((Arc::clone(inbox), Arc::clone(&visitor)));
        visitor
    }
}
