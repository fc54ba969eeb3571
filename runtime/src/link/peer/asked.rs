//! Requests one by one, each with the duty to answer it; for tests.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Intake, Request};
use crate::link::conn::Conn;
use crate::name::HandlerId;
use crate::reply::ReplyTo;

/// A message with the duty to answer it, for who takes messages in one by one.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) handler: HandlerId,
    pub(crate) body: Bytes,
    pub(crate) deadline: Instant,
    pub(crate) reply: ReplyTo,
}

impl Asked {
    /// Takes in the messages of a connection by giving them to a function.
    pub(crate) fn intake(conn: &Arc<Conn>, take: impl FnMut(Self) + Send + 'static) -> Box<dyn Intake> {
        struct Each<F>(Arc<Conn>, F);

        impl<F: FnMut(Asked) + Send> Intake for Each<F> {
            fn request(&mut self, request: Request) {
                let Request {
                    call,
                    handler,
                    body,
                    deadline,
                    traced,
                } = request;
                let reply = call.map_or_else(ReplyTo::nobody, |call| ReplyTo::new(self.0.clone(), call));
                let reply = reply.traced(traced);
                (self.1)(Asked {
                    handler,
                    body,
                    deadline,
                    reply,
                });
            }
        }

        Box::new(Each(Arc::clone(conn), take))
    }
}
