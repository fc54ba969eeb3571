//! Listening sockets that are handed from one process to another, so that they outlive the process that serves
//! them: clients that connect meanwhile wait in the kernel's queue instead of being refused.
//!
//! They travel as file descriptors in one message on a Unix socket (SCM_RIGHTS, unix(7)): from the master to a
//! node it starts, on the node's standard input; and from a node to a master that has adopted it.
//!
//! ```text
//!  "lampyris sockets 1\n"  then per socket, in the order of the descriptors:  key "\n"
//!                          then, for a node:  ["succeeds " incarnation "\n"]  "wait\n"
//!  "go\n"                  for a node, later: the master has written down that it has started this process
//! ```
//!
//! A node that finds `wait` and then the end of the stream has been started by a master that died before anybody could
//! know of the process; so it must not go on.

use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::str::FromStr;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::AsyncReadExt;

use crate::name::Incarnation;

const HEADING: &str = "lampyris sockets 1\n";

/// What comes before the life that a node succeeds.
const SUCCEEDS: &str = "succeeds ";

/// There is one more message to come.
const WAIT: &str = "wait";

/// That message.
const GO: &str = "go";

/// Most sockets in one message: a node has at most three ports.
const MOST: usize = 8;

/// Longest text of a message, in bytes.
const TEXT: usize = 512;

/// Listening sockets by the key of their port, such as `netport`.
pub type Listeners = HashMap<String, TcpListener>;

/// Sends copies of listening sockets. The receiver may read them later, even after this end is closed.
///
/// # Errors
/// The message cannot be sent.
pub fn send<'a>(
    to: &UnixStream,
    listeners: impl IntoIterator<Item = (&'a str, &'a TcpListener)>,
) -> io::Result<()> {
    send_with(to, listeners, "")
}

/// Sends a node that is being started copies of its listening sockets, and whose place it is to take. It waits until
/// [`let_go`].
///
/// # Errors
/// The message cannot be sent.
pub fn send_to_node(to: &UnixStream, listeners: &Listeners, succeeds: Option<Incarnation>) -> io::Result<()> {
    let sockets = listeners.iter().map(|(key, socket)| (key.as_str(), socket));
    let succeeds = succeeds.map_or_else(String::new, |of| format!("{SUCCEEDS}{of}\n"));
    send_with(to, sockets, &format!("{succeeds}{WAIT}\n"))
}

/// Lets a node go on that was sent its sockets. One that has ended meanwhile does not mind.
pub fn let_go(mut node: UnixStream) {
    if let Err(error) = node.write_all(format!("{GO}\n").as_bytes()) {
        tracing::debug!(%error, "a node has ended before it could go on");
    }
}

fn send_with<'a>(
    to: &UnixStream,
    listeners: impl IntoIterator<Item = (&'a str, &'a TcpListener)>,
    rest: &str,
) -> io::Result<()> {
    let mut text = String::from(HEADING);
    let mut descriptors: Vec<BorrowedFd<'a>> = Vec::new();
    for (key, listener) in listeners.into_iter().take(MOST) {
        text.push_str(key);
        text.push('\n');
        descriptors.push(listener.as_fd());
    }
    text.push_str(rest);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("too many sockets for one message"));
    }
    sendmsg(
        to,
        &[IoSlice::new(text.as_bytes())],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

/// Takes the sockets that have been sent to this end; does not wait. Something else than sockets gives none.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when nothing is there yet; or the socket failed.
pub fn receive(from: impl AsFd) -> io::Result<Listeners> {
    receive_all(from).map(|(listeners, _)| listeners)
}

/// The sockets, and the lines behind their keys.
fn receive_all(from: impl AsFd) -> io::Result<(Listeners, Vec<String>)> {
    let mut text = [0; TEXT];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(from, &mut [IoSliceMut::new(&mut text)], &mut ancillary, flags)?;
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = rights.flatten().collect();
    let text = std::str::from_utf8(&text[..received.bytes]).unwrap_or_default();
    let Some(lines) = text.strip_prefix(HEADING) else {
        return Ok(Default::default());
    };
    let rest = lines.lines().skip(descriptors.len()).map(str::to_owned).collect();
    let sockets = lines
        .lines()
        .zip(descriptors)
        .map(|(key, socket)| (key.to_owned(), TcpListener::from(socket)));
    Ok((sockets.collect(), rest))
}

/// What whoever started this process has put on its standard input.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Its listening sockets.
    pub listeners: Listeners,
    /// Whose place it is to take, when it is told to.
    pub succeeds: Option<Incarnation>,
    leave: Option<UnixStream>,
}

impl Inherited {
    /// Waits until this process may go on. `false`: it must not, as nobody knows of it.
    ///
    /// # Errors
    /// Standard input failed.
    pub async fn may_go_on(&mut self) -> io::Result<bool> {
        let Some(leave) = self.leave.take() else {
            return Ok(true);
        };
        leave.set_nonblocking(true)?;
        let mut leave = tokio::net::UnixStream::from_std(leave)?;
        Ok(leave.read(&mut [0; GO.len()]).await? > 0)
    }
}

/// What is on the standard input of this process; nothing if it is no Unix socket.
///
/// # Errors
/// Standard input failed.
pub fn inherited() -> io::Result<Inherited> {
    let stdin = io::stdin();
    match rustix::net::getsockname(stdin.as_fd()) {
        Ok(name) if name.address_family() == AddressFamily::UNIX => inherited_from(stdin.as_fd()),
        _ => Ok(Inherited::default()),
    }
}

fn inherited_from(from: BorrowedFd<'_>) -> io::Result<Inherited> {
    let (listeners, rest) = match receive_all(from) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Inherited::default()),
        received => received?,
    };
    let has = |word: &str| rest.iter().any(|line| line == word);
    let leave = (has(WAIT) && !has(GO))
        .then(|| from.try_clone_to_owned())
        .transpose()?;
    let succeeds = rest.iter().find_map(|line| line.strip_prefix(SUCCEEDS));
    Ok(Inherited {
        listeners,
        succeeds: succeeds.and_then(|of| Incarnation::from_str(of).ok()),
        leave: leave.map(UnixStream::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpStream;

    #[test]
    fn a_socket_that_was_handed_over_serves_who_connected_before() {
        let (here, there) = UnixStream::pair().unwrap();
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = first.local_addr().unwrap();
        send(&here, [("netport", &first)]).unwrap();
        drop((here, first));
        let mut early = TcpStream::connect(addr).unwrap();
        let mut received = receive(&there).unwrap();
        assert_eq!(received.keys().collect::<Vec<_>>(), ["netport"]);
        let (mut served, _) = received.remove("netport").unwrap().accept().unwrap();
        served.write_all(b"hello").unwrap();
        drop(served);
        let mut text = String::new();
        early.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[test]
    fn nothing_and_something_else_are_no_sockets() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let nothing = receive(&there).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        here.write_all(b"GET / HTTP/1.1").unwrap();
        assert!(receive(&there).unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_node_learns_whom_it_succeeds_and_goes_on_only_when_it_is_let_go() {
        let of = Incarnation::draw().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let sockets = Listeners::from([("rootport".to_owned(), port)]);
        for (sockets, succeeds) in [(sockets, Some(of)), (Listeners::new(), None)] {
            for lives in [true, false] {
                let (master, node) = UnixStream::pair().unwrap();
                send_to_node(&master, &sockets, succeeds).unwrap();
                let mut inherited = inherited_from(node.as_fd()).unwrap();
                assert_eq!(inherited.listeners.len(), sockets.len());
                assert_eq!(inherited.succeeds, succeeds);
                if lives {
                    let_go(master);
                } else {
                    drop(master);
                }
                assert_eq!(inherited.may_go_on().await.unwrap(), lives);
            }
        }
        let (master, node) = UnixStream::pair().unwrap();
        send_to_node(&master, &Listeners::new(), None).unwrap();
        let_go(master);
        assert!(inherited_from(node.as_fd()).unwrap().may_go_on().await.unwrap());
    }

    #[tokio::test]
    async fn who_was_not_started_by_a_master_waits_for_nobody() {
        let (master, node) = UnixStream::pair().unwrap();
        send(&master, []).unwrap();
        drop(master);
        assert!(inherited_from(node.as_fd()).unwrap().may_go_on().await.unwrap());
    }
}
