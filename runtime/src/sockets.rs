//! Listening sockets that are handed from one process to another, so that they outlive the process that serves
//! them: clients that connect meanwhile wait in the kernel's queue instead of being refused.
//!
//! They travel as file descriptors in one message on a Unix socket (SCM_RIGHTS, unix(7)): from the master to a
//! node it starts, on the node's standard input; and from a node to a master that has adopted it.
//!
//! ```text
//!  "lampyris sockets 1\n"  then per socket, in the order of the descriptors:  key "\n"
//! ```

use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

const HEADING: &str = "lampyris sockets 1\n";

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
    let mut text = String::from(HEADING);
    let mut descriptors: Vec<BorrowedFd<'a>> = Vec::new();
    for (key, listener) in listeners.into_iter().take(MOST) {
        text.push_str(key);
        text.push('\n');
        descriptors.push(listener.as_fd());
    }
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

/// Takes the sockets that have been sent to this end; does not wait. Nothing is there, or something else, gives
/// no sockets.
///
/// # Errors
/// The socket failed.
pub fn receive(from: impl AsFd) -> io::Result<Listeners> {
    let mut text = [0; TEXT];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = match recvmsg(from, &mut [IoSliceMut::new(&mut text)], &mut ancillary, flags) {
        Ok(received) => received,
        Err(rustix::io::Errno::AGAIN) => return Ok(Listeners::new()),
        Err(error) => return Err(error.into()),
    };
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = rights.flatten().collect();
    let text = std::str::from_utf8(&text[..received.bytes]).unwrap_or_default();
    let Some(keys) = text.strip_prefix(HEADING) else {
        return Ok(Listeners::new());
    };
    let sockets = keys
        .lines()
        .zip(descriptors)
        .map(|(key, socket)| (key.to_owned(), TcpListener::from(socket)));
    Ok(sockets.collect())
}

/// The sockets that whoever started this process has put on its standard input; none if it is no Unix socket.
///
/// # Errors
/// Standard input failed.
pub fn inherited() -> io::Result<Listeners> {
    let stdin = io::stdin();
    match rustix::net::getsockname(stdin.as_fd()) {
        Ok(name) if name.address_family() == AddressFamily::UNIX => receive(stdin.as_fd()),
        _ => Ok(Listeners::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::io::Write;
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
        assert!(receive(&there).unwrap().is_empty());
        here.write_all(b"GET / HTTP/1.1").unwrap();
        assert!(receive(&there).unwrap().is_empty());
    }
}
