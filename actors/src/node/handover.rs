//! The node's side of a hand-over: copies of its listening sockets for a master that has adopted it.
//!
//! They go to a Unix socket in the run folder, which is the owner's alone. Each key in the message ([`sockets`]) is
//! the node's name, a blank, and the port's key.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use lampyris_runtime::name::NodeName;
use lampyris_runtime::sockets::{self, Listeners};

/// What keys in a hand-over begin with, behind the node's name.
pub(crate) const SEPARATOR: char = ' ';

/// Where the socket lies.
pub(crate) fn path(run_dir: &Path) -> PathBuf {
    run_dir.join("master.sock")
}

/// Sends copies of a node's sockets.
pub(crate) fn hand_over(run_dir: &Path, name: &NodeName, listeners: &Listeners) -> io::Result<()> {
    let stream = UnixStream::connect(path(run_dir))?;
    let named: Vec<_> = listeners
        .iter()
        .map(|(key, socket)| (format!("{name}{SEPARATOR}{key}"), socket))
        .collect();
    sockets::send(&stream, named.iter().map(|(key, socket)| (key.as_str(), *socket)))
}
