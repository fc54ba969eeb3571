//! stub
use std::time::Instant;
use crate::{name::{NodeName,HandlerId}, reply::{Write, ReplyTo}, error::Fault};
/// stub
#[derive(Clone)]
pub struct Peer;
#[allow(missing_docs)]
impl Peer {
    pub fn name(&self) -> &NodeName { todo!() }
    pub fn is_up(&self) -> bool { todo!() }
    pub fn call(&self, _h: HandlerId, _d: Instant, _w: Write<'_>, _r: ReplyTo) { todo!() }
    pub fn notify(&self, _h: HandlerId, _w: Write<'_>) -> Result<(), Fault> { todo!() }
}
