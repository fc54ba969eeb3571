//! What an operator asks of a node, by way of the master: a report, its clients, a trace, a pause, entities that a node
//! left behind.

use std::future::ready;

use actix::{Context, Handler, ResponseFuture};
use lampyris_runtime::error::{ErrorKind, Fault};

use super::control::{Control, from_master};
use crate::error::CallError;
use crate::net::{ClientInfo, Clients};
use crate::protocol::{Disconnect, FollowClient, Force, ListClients, ReportNow, SetDrained};
use crate::report::trace_of;

/// Most clients in one answer.
const MOST_CLIENTS: usize = 1000;

impl Control {
    fn clients(&self) -> Result<&Clients, CallError> {
        let none = || Fault::new(ErrorKind::NoSuchNode, "this node has no port for game clients");
        self.node.clients().ok_or_else(|| CallError::Runtime(none()))
    }
}

impl Handler<ReportNow> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, _: ReportNow, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        self.telling.report_now();
        Ok(())
    }
}

impl Handler<SetDrained> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, wish: SetDrained, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        tracing::info!(
            drained = wish.drained,
            "an operator decides whether this node takes calls"
        );
        self.telling.set_drained(wish.drained);
        Ok(())
    }
}

impl Handler<Force> for Control {
    type Result = ResponseFuture<Result<u64, CallError>>;

    fn handle(&mut self, wish: Force, _: &mut Context<Self>) -> Self::Result {
        // Its admin side has looked whether the owner is dead, and who wants it.
        if let Err(refused) = from_master() {
            return Box::pin(ready(Err(refused)));
        }
        let store = self.node.store().clone();
        Box::pin(async move {
            let Force { owner, reason, .. } = &wish;
            Ok(match wish.dry_run {
                true => store.forceable(owner).await?,
                false => store.force(owner, reason).await?,
            })
        })
    }
}

impl Handler<ListClients> for Control {
    type Result = Result<Vec<ClientInfo>, CallError>;

    fn handle(&mut self, wish: ListClients, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        let all = self.clients()?.list().into_iter();
        let wanted =
            all.filter(|client| client.number > wish.after && client.addr.to_string().contains(&wish.text));
        Ok(wanted.take(MOST_CLIENTS.min(wish.most as usize)).collect())
    }
}

impl Handler<Disconnect> for Control {
    type Result = Result<bool, CallError>;

    fn handle(&mut self, wish: Disconnect, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        Ok(self.clients()?.kick(wish.number, wish.reason))
    }
}

impl Handler<FollowClient> for Control {
    type Result = Result<(), CallError>;

    fn handle(&mut self, wish: FollowClient, _: &mut Context<Self>) -> Self::Result {
        from_master()?;
        let bad = || Fault::new(ErrorKind::BadPayload, "a trace is 32 hexadecimal digits");
        let trace = trace_of(&wish.trace).ok_or_else(|| CallError::Runtime(bad()))?;
        self.clients()?.follow(wish.addr, trace);
        Ok(())
    }
}
