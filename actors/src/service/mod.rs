//! A service: the handlers that a node offers under one name, and the actor behind them.
//!
//! The way of a message: [`Router`] finds the service by the number on the wire → its [`Inbox`] → one [`Wake`]
//! to the actor → [`drain`] takes a slice → the table's entry reads the message and calls the ordinary
//! [`Handler::handle`] → [`Respond`] sends the answer, at once or when the future ends.

mod contract;
mod drain;
mod forward;
mod host;
mod inbox;
pub(crate) mod outgoing;
mod respond;
mod router;
mod stride;
#[cfg(test)]
mod tests;
mod visitor;

use std::time::Instant;

use actix::{Actor, Handler};

pub use drain::{ServiceContext, drain};
pub use forward::Forward;
pub(crate) use host::{Hosted, host, host_pool};
pub use inbox::{Inbox, Invocation, Wake};
pub(crate) use inbox::{Measured, Taking};
pub use respond::{Answer, Outcome, Respond, Responder};
pub use router::{Clash, Route, Router};
pub(crate) use visitor::{Arrival, Nobody, Visitor, Visits, origin_of};

use crate::message::{Callable, Command, Remote};
use lampyris_runtime::name::HandlerId;

/// A service that answers `M`. Written by `#[derive(Service)]` and [`service!`](macro@crate::service).
///
/// A [`RemoteAddr<S>`](crate::remote::RemoteAddr) takes only messages that `S` serves.
#[diagnostic::on_unimplemented(
    message = "the service `{Self}` does not serve `{M}`",
    label = "`{M}` is not in the list of `{Self}`",
    note = "add `{M}` to the actor's `serves(...)` or to the contract's `service!`, and write `impl Handler<{M}>` for the actor"
)]
pub trait Serves<M: Remote> {}

/// An actor that is a service: a name and a table of its handlers. Derive it:
///
/// ```
/// use lampyris::prelude::*;
///
/// #[derive(Serialize, Deserialize, Remote)]
/// #[remote(name = "dice.roll", reply = u8)]
/// pub struct Roll;
///
/// #[derive(Service)]
/// #[service(name = "dice", serves(Roll))]
/// pub struct Dice;
///
/// impl Actor for Dice {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Roll> for Dice {
///     type Result = Result<u8, CallError>;
///
///     fn handle(&mut self, _: Roll, _: &mut Context<Self>) -> Self::Result {
///         Ok(4)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no service",
    note = "derive it: `#[derive(Service)]` with `#[service(name = \"...\", serves(...))]`"
)]
pub trait Service: Actor + Handler<Wake> {
    /// The service's name in logs and metrics.
    const NAME: &'static str;

    /// Its handlers, in the order in which they were listed.
    const TABLE: &'static [Entry<Self>];
}

/// What an entry of a table answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// A message from another node.
    Remote(HandlerId),
    /// A client's command.
    Command {
        /// Its number.
        number: u32,
        /// Whether one waits for the answer of the one before.
        serial: bool,
    },
    /// A client has connected.
    Opened,
    /// A client is gone.
    Closed,
}

/// One handler of a service.
pub struct Entry<A: Actor> {
    /// The message's name.
    pub name: &'static str,
    /// What it answers to.
    pub address: Address,
    pub(crate) run: fn(&mut A, Invocation, Instant, &mut A::Context) -> drain::Ended,
}

impl<A: Actor> Clone for Entry<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Actor> Copy for Entry<A> {}

impl<A: Actor> Entry<A> {
    /// The entry of a message from other nodes.
    pub const fn remote<M: Remote>() -> Self
    where
        A: Handler<M, Result: Respond<A, M>>,
    {
        Self::new::<M>(Address::Remote(M::ID))
    }

    /// The entry of a client's command.
    pub const fn command<M: Command>() -> Self
    where
        A: Handler<M, Result: Respond<A, M>>,
    {
        Self::new::<M>(Address::Command {
            number: M::NUMBER,
            serial: M::SERIAL,
        })
    }

    /// The entry of [`SessionOpened`](crate::net::SessionOpened).
    pub const fn opened() -> Self
    where
        A: Handler<crate::net::SessionOpened, Result: Respond<A, crate::net::SessionOpened>>,
    {
        Self::new::<crate::net::SessionOpened>(Address::Opened)
    }

    /// The entry of [`SessionClosed`](crate::net::SessionClosed).
    pub const fn closed() -> Self
    where
        A: Handler<crate::net::SessionClosed, Result: Respond<A, crate::net::SessionClosed>>,
    {
        Self::new::<crate::net::SessionClosed>(Address::Closed)
    }

    /// A contract's entries with the actor's own behind them; what the derive macro calls. `ALL` is `N + M`, and
    /// a contract has at least one message.
    pub const fn join<const N: usize, const M: usize, const ALL: usize>(
        contract: [Self; N],
        own: [Self; M],
    ) -> [Self; ALL] {
        let mut all = [contract[0]; ALL];
        let mut at = 0;
        while at < ALL {
            all[at] = if at < N { contract[at] } else { own[at - N] };
            at += 1;
        }
        all
    }

    const fn new<M: Callable>(address: Address) -> Self
    where
        A: Handler<M, Result: Respond<A, M>>,
    {
        Self {
            name: M::NAME,
            address,
            run: drain::run::<A, M>,
        }
    }
}
