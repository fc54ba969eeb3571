//! Game clients: the port, the sessions, pushes to them.

mod session;

pub use session::{Session, SessionClosed, SessionId, SessionOpened};
