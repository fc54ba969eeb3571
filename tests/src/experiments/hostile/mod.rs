//! Strangers and clumsy clients: what they send harms them alone.
//!
//! | module | what is done |
//! | --- | --- |
//! | `readers` | clients that do not read what they are sent |
//! | `slow` | connections that send a byte a second |
//! | `headers` | headers that cannot be |
//! | `payloads` | payloads that cannot be |
//! | `noise` | any bytes, at every port |
//! | `links` | dialers at a link port that are no nodes, or not the right one, or of another version |
//! | `overload` | three times the load that can be carried |
//! | `regulars` | ordinary clients, who should not notice |

mod headers;
mod links;
mod noise;
mod overload;
mod payloads;
mod readers;
mod regulars;
mod slow;

use super::Experiment;

/// The experiments of this group.
pub const EXPERIMENTS: &[Experiment] = &[
    links::VERSIONS,
    readers::EXPERIMENT,
    slow::EXPERIMENT,
    headers::EXPERIMENT,
    noise::EXPERIMENT,
    links::STRANGERS,
    links::SECOND,
    payloads::EXPERIMENT,
    overload::EXPERIMENT,
];

/// The command of the test's net node that echoes.
const ECHO: u32 = 1;
