//! Every form of a service: contract, commands, sessions, a pool, parameters, all results of handlers.

use lampyris::net::{SessionClosed, SessionOpened};
use lampyris::prelude::*;

mod room {
    use lampyris::prelude::*;

    #[derive(Serialize, Deserialize, Remote)]
    #[remote(name = "room.enter", reply = u32)]
    pub struct Enter;

    #[derive(Serialize, Deserialize, Remote)]
    #[remote(name = "room.leave")]
    pub struct Leave;

    lampyris::service! {
        /// A room.
        #[derive(Debug, Clone, Copy)]
        pub Room { Enter, Leave, }
    }
}

#[derive(Command)]
#[command(7, reply = String)]
struct Look;

#[derive(Service)]
#[service(name = "room", contract = room::Room, commands(Look), sessions)]
struct Cellar;

impl Actor for Cellar {
    type Context = Context<Self>;
}

impl Handler<room::Enter> for Cellar {
    type Result = ResponseFuture<Result<u32, CallError>>;

    fn handle(&mut self, _: room::Enter, _: &mut Context<Self>) -> Self::Result {
        Box::pin(async { Ok(1) })
    }
}

impl Handler<room::Leave> for Cellar {
    type Result = ResponseActFuture<Self, Result<(), CallError>>;

    fn handle(&mut self, _: room::Leave, _: &mut Context<Self>) -> Self::Result {
        Box::pin(async { Ok(()) }.into_actor(self))
    }
}

impl Handler<Look> for Cellar {
    type Result = AtomicResponse<Self, Result<String, CallError>>;

    fn handle(&mut self, _: Look, _: &mut Context<Self>) -> Self::Result {
        AtomicResponse::new(Box::pin(async { Ok("dark".to_owned()) }.into_actor(self)))
    }
}

impl Handler<SessionOpened> for Cellar {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: SessionOpened, _: &mut Context<Self>) -> Self::Result {
        Ok(())
    }
}

impl Handler<SessionClosed> for Cellar {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: SessionClosed, _: &mut Context<Self>) -> Self::Result {
        Ok(())
    }
}

/// A pool for work that blocks, with a parameter.
#[derive(Service)]
#[service(name = "pool", contract = room::Room)]
struct Pool<T: Send + Unpin + 'static>(T);

impl<T: Send + Unpin + 'static> Actor for Pool<T> {
    type Context = SyncContext<Self>;
}

impl<T: Send + Unpin + 'static> Handler<room::Enter> for Pool<T> {
    type Result = Result<u32, CallError>;

    fn handle(&mut self, _: room::Enter, _: &mut SyncContext<Self>) -> Self::Result {
        Err("full".into())
    }
}

impl<T: Send + Unpin + 'static> Handler<room::Leave> for Pool<T> {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: room::Leave, _: &mut SyncContext<Self>) -> Self::Result {
        Ok(())
    }
}

fn main() {
    let names: Vec<_> = Cellar::TABLE.iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["room.enter", "room.leave", "command.7", "session.opened", "session.closed"]);
    assert_eq!(Pool::<u8>::TABLE.len(), 2);
    assert_eq!((Cellar::NAME, Pool::<u8>::NAME), ("room", "pool"));
    let _ = (Look, Pool(1).0, Cellar, room::Room);
    let _ = |room: RemoteAddr<room::Room>| (room.call(room::Enter), room.notify(room::Leave));
}
