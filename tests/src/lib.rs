//! What the tests with real processes stand on: clusters of their own, and clients from outside.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`cluster`] | one cluster in a folder of its own, with ports of its own, that leaves nothing behind |
//! | [`admin`] | what the master's API says of a cluster |
//! | [`attacks`] | what brought Firefly down |
//! | [`bare`] | the least that could serve clients |
//! | [`callers`] | clients that always have calls under way |
//! | [`process`] | one started program, its output and its end |
//! | [`changes`] | another configuration for a cluster that runs, and whom that concerned |
//! | [`checker`] | joins what clients saw with a node's ledger, and finds broken promises |
//! | [`client`] | a game client: Firefly's frames over a plain socket |
//! | [`documents`] | what is prose in the documents, and what is code |
//! | [`experiments`] | the table of promises under faults, and what was measured |
//! | [`crowd`] | many clients that come back when they are disconnected |
//! | [`frames`] | frames in bytes that come in pieces |
//! | [`fuzzing`] | what reads bytes from outside, as functions of any bytes |
//! | [`guests`] | thousands of clients in a process of their own |
//! | [`http`] | a plain HTTP client |
//! | [`load`] | clients that ask for rows in the ledger |
//! | [`namespace`] | hosts of one's own: network namespaces joined by a cable |
//! | `parts` | parts that this program plays beside a cluster |
//! | [`plot`] | a curve, as SVG |
//! | [`ports`] | ports that nobody else takes |
//! | [`programs`] | where the programs are, built when they are missing or old |
//! | [`proxy`] | a bad network between two ends |
//! | [`rig`] | a cluster under load, and the checker's word |
//! | [`spread`] | what most of many times were |
//! | [`stage`] | entities, and stores over a database of the test's own |
//! | [`servers`] | databases and caches of a test's own |
//! | [`stranger`] | a dialer at a link port, made by hand |
//! | [`tell`] | lines that everybody sees, also from tests that pass |
//! | [`visitors`] | thousands of clients that hardly do anything |
//! | [`vitals`] | what the operating system knows of a process |
//! | [`wait`] | waiting with a deadline |
//!
//! It must not know the runtime's types: it sees a cluster as players, operators and the shell do. [`fuzzing`] alone reaches inside,
//! and [`stage`] uses the data layer as a handler does.

pub mod admin;
pub mod attacks;
pub mod bare;
pub mod callers;
pub mod changes;
pub mod checker;
pub mod client;
pub mod cluster;
pub mod crowd;
pub mod documents;
pub mod experiments;
pub mod frames;
pub mod fuzzing;
pub mod guests;
pub mod http;
pub mod load;
pub mod namespace;
mod parts;
pub mod plot;
pub mod ports;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod rig;
pub mod servers;
pub mod spread;
pub mod stage;
pub mod stranger;
pub mod tell;
pub mod visitors;
pub mod vitals;
pub mod wait;

pub use cluster::Cluster;
