//! What a line keeps behind its lock: what waits to be written, the calls in flight, and how far the end has come.
//!
//! Must not know who is told of changes.

use std::io;
use std::task::Waker;

use bytes::{Buf, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault};
use tokio::net::tcp::OwnedWriteHalf;

use super::super::answers::{Answers, At, Ended};
use super::super::cipher::Cipher;
use super::super::counters::Reason;
use super::answer::Put;

/// What is behind the lock.
pub(super) struct State {
    /// `None` once closed, which tells the client's side that nothing more comes.
    pub(super) socket: Option<OwnedWriteHalf>,
    /// With TLS, what stands between `out` and the socket.
    pub(super) cipher: Option<Box<Cipher>>,
    /// Whole frames that wait to be written.
    pub(super) out: BytesMut,
    pub(super) bytes_out: u64,
    pub(super) answers: Answers,
    pub(super) ending: Option<Reason>,
    pub(super) closing: Option<Reason>,
    /// The connection's task, once it has had a turn.
    pub(super) task: Option<Waker>,
    /// It has been told of news that it has not looked at yet.
    pub(super) told: bool,
}

impl State {
    pub(super) fn check_open(&self) -> Result<(), Fault> {
        match self.closing {
            None => Ok(()),
            Some(_) => Err(Fault::new(ErrorKind::NotSent, "the client is gone")),
        }
    }

    /// The answer to a call stands in the buffer; those that waited for it follow.
    pub(super) fn leave(&mut self, at: At, put: Put) {
        let mut hung_up = matches!(put, Put::HangUp);
        let out = &mut self.out;
        self.answers.finish(at, |ended| match ended {
            Ended::Frame(frame) if !hung_up => out.extend_from_slice(&frame),
            Ended::Frame(_) => {}
            Ended::HangUp => hung_up = true,
        });
        if hung_up {
            self.close(Reason::CallFailed);
        }
    }

    /// Nothing more is taken in.
    pub(super) fn close(&mut self, reason: Reason) {
        self.closing.get_or_insert(reason);
        self.answers.clear();
    }

    /// Closes a connection whose client lets too much gather.
    pub(super) fn check_room(&mut self, limit: usize) {
        if self.out.len() > limit / 4 && self.flush().is_err() {
            self.close(Reason::Lost);
        }
        if self.unsent() + self.answers.waiting_bytes() > limit {
            self.close(Reason::SlowReader);
            self.out = BytesMut::new();
        }
    }

    /// Bytes that wait to be written, sealed or not.
    pub(super) fn unsent(&self) -> usize {
        self.out.len() + self.cipher.as_ref().map_or(0, |cipher| cipher.sealed.len())
    }

    /// Whether the socket took less than there was for it when it was last written to.
    pub(super) fn blocked(&self) -> bool {
        self.cipher
            .as_ref()
            .map_or(!self.out.is_empty(), |cipher| !cipher.sealed.is_empty())
    }

    /// The client learns that nothing more comes, if the socket takes it at once.
    pub(super) fn say_end(&mut self) {
        if let Some(cipher) = &mut self.cipher {
            cipher.say_end();
            self.flush().unwrap_or_default();
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        loop {
            let bytes = match &mut self.cipher {
                Some(cipher) => cipher.seal(&mut self.out),
                None => &mut self.out,
            };
            if bytes.is_empty() {
                return Ok(());
            }
            match socket.try_write(bytes) {
                Ok(written) => {
                    bytes.advance(written);
                    self.bytes_out += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
