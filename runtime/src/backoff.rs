//! stub
use std::time::Duration;
/// stub
#[derive(Clone, Copy)]
pub struct Backoff;
#[allow(missing_docs)]
impl Backoff {
    pub const fn new(_f: Duration, _c: Duration) -> Self { Self }
    pub fn next(&mut self, _r: u64) -> Duration { todo!() }
    pub fn reset(&mut self) {}
}
