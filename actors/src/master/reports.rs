//! Whose reports are kept: during a swap two processes of a node report, and only one of them is the node.

use actix::{Context, Handler, Message};
use lampyris_runtime::name::NodeName;

use super::Master;
use crate::report::NodeReport;

/// A process of a node has reported.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Reported {
    pub(super) name: NodeName,
    pub(super) report: NodeReport,
}

impl Handler<Reported> for Master {
    type Result = ();

    fn handle(&mut self, Reported { name, report }: Reported, _: &mut Context<Self>) {
        if self.roster.incarnation(&name) == Some(report.incarnation) {
            self.records.report(name, report);
        }
    }
}
