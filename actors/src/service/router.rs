//! From the number on the wire to the service that answers it.
//!
//! Built once, before the node's first link; two handlers of one number are refused then.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use lampyris_runtime::name::HandlerId;

use super::{Address, Entry, Inbox, Service};

/// Where one kind of message goes.
#[derive(Clone)]
pub struct Route {
    /// The service's queue.
    pub inbox: Arc<Inbox>,
    /// The entry in the service's table.
    pub entry: u16,
    /// The message's name.
    pub name: &'static str,
    /// Whether a connection's next command of this number waits for the answer of the one before.
    pub serial: bool,
}

/// Hashes the small numbers of a node's own handlers. No peer chooses which are in the table, so a hash that an
/// attacker could steer does no harm.
type Numbers = BuildHasherDefault<NumberHasher>;

#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        // The golden ratio's bits (Knuth, multiplicative hashing); the table takes the high ones too.
        self.0 = (self.0 ^ u64::from(number))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(32);
    }
}

/// All routes of a node.
#[derive(Default)]
pub struct Router {
    remote: HashMap<HandlerId, Route, Numbers>,
    commands: HashMap<u32, Route, Numbers>,
    opened: Vec<Route>,
    closed: Vec<Route>,
}

/// Two handlers of one node answer to the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    /// One name in two services, or two names with one number on the wire.
    #[error("handlers {0} and {1} have the same number on the wire; rename one")]
    Handler(&'static str, &'static str),
    /// One command in two services.
    #[error("command {0} is answered by {1} and by {2}; keep one")]
    Command(u32, &'static str, &'static str),
}

impl Router {
    /// Adds every entry of a service.
    ///
    /// # Errors
    /// [`Clash`] when another service has one of them.
    pub fn add<A: Service>(&mut self, inbox: &Arc<Inbox>) -> Result<(), Clash> {
        inbox.measure(A::TABLE);
        for (at, entry) in A::TABLE.iter().enumerate() {
            self.add_entry(inbox, at, entry)?;
        }
        Ok(())
    }

    fn add_entry<A: actix::Actor>(
        &mut self,
        inbox: &Arc<Inbox>,
        at: usize,
        entry: &Entry<A>,
    ) -> Result<(), Clash> {
        let at = u16::try_from(at).expect("because a list of handlers in source text is shorter than 65,536");
        let mut route = Route {
            inbox: Arc::clone(inbox),
            entry: at,
            name: entry.name,
            serial: false,
        };
        match entry.address {
            Address::Remote(id) => match self.remote.insert(id, route) {
                Some(other) => return Err(Clash::Handler(other.name, entry.name)),
                None => return Ok(()),
            },
            Address::Command { number, serial } => {
                route.serial = serial;
                if let Some(other) = self.commands.insert(number, route) {
                    return Err(Clash::Command(number, other.name, entry.name));
                }
            }
            Address::Opened => self.opened.push(route),
            Address::Closed => self.closed.push(route),
        }
        Ok(())
    }

    /// The route of a message from another node.
    pub fn remote(&self, id: HandlerId) -> Option<&Route> {
        self.remote.get(&id)
    }

    /// The route of a client's command.
    pub fn command(&self, number: u32) -> Option<&Route> {
        self.commands.get(&number)
    }

    /// Who wants to hear of a new client.
    pub fn opened(&self) -> &[Route] {
        &self.opened
    }

    /// Who wants to hear of a client that is gone.
    pub fn closed(&self) -> &[Route] {
        &self.closed
    }

    /// The names of all handlers for other nodes, sorted.
    pub fn remote_names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.remote.values().map(|route| route.name).collect();
        names.sort_unstable();
        names
    }

    /// The numbers of all commands, sorted.
    pub fn command_numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<_> = self.commands.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }
}
