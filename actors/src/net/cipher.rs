//! TLS of one connection: bytes of the socket to bytes of the client and back. It touches no socket.
//!
//! Only whole records are handed to the library, so that it is known here whether the client is in the middle of one:
//! a record that begins must end in time, as a frame must.

use std::io::{Read, Write};

use bytes::{Buf, BufMut, BytesMut};
use lampyris_runtime::tls::ClientTls;
use rustls::ServerConnection;

/// Content type, version, length.
const RECORD_HEADER: usize = 5;

/// Longest record: 16 KiB, and what encryption may add.
const LONGEST_RECORD: usize = (16 << 10) + 256;

/// Content types: change of cipher, alert, handshake, data.
const TYPES: std::ops::RangeInclusive<u8> = 20..=23;

/// So many sealed bytes are made ahead of the socket.
const AHEAD: usize = 64 * 1024;

/// Why the bytes of a client are no TLS that can be spoken here.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadTls {
    /// The bytes are no record.
    #[error("the bytes are no TLS")]
    NoRecord,
    /// The library refuses what the client says.
    #[error(transparent)]
    Refused(#[from] rustls::Error),
}

/// Where a connection stands after some records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The handshake has begun and is not over.
    Handshake,
    /// The client may send frames.
    Open,
    /// The client has said that it sends no more.
    Closed,
}

/// The state of a connection's TLS.
pub(super) struct Cipher {
    session: ServerConnection,
    /// What waits for the socket.
    pub(super) sealed: BytesMut,
}

impl Cipher {
    pub(super) fn new(tls: &ClientTls) -> Result<Self, BadTls> {
        let mut session = tls.connection()?;
        // What may wait is limited by the connection, for plain ones too.
        session.set_buffer_limit(None);
        Ok(Self {
            session,
            sealed: BytesMut::new(),
        })
    }

    /// Takes whole records out of `raw`; what the client said in them is added to `plain`.
    pub(super) fn open(&mut self, raw: &mut BytesMut, plain: &mut BytesMut) -> Result<Progress, BadTls> {
        let mut closed = false;
        while let Some(length) = whole_record(raw)? {
            let record = raw.split_to(length);
            let mut rest = &record[..];
            while !rest.is_empty() {
                self.session.read_tls(&mut rest).map_err(|_| BadTls::NoRecord)?;
                let state = self.session.process_new_packets()?;
                closed |= state.peer_has_closed();
                let length = state.plaintext_bytes_to_read();
                let start = plain.len();
                plain.resize(start + length, 0);
                self.session
                    .reader()
                    .read_exact(&mut plain[start..])
                    .map_err(|_| BadTls::NoRecord)?;
            }
        }
        if raw.is_empty() {
            *raw = BytesMut::new();
        }
        Ok(match (closed, self.session.is_handshaking()) {
            (true, _) => Progress::Closed,
            (false, true) => Progress::Handshake,
            (false, false) => Progress::Open,
        })
    }

    /// Seals some of what waits in `out`, and what the handshake has to say; gives what waits for the socket.
    pub(super) fn seal(&mut self, out: &mut BytesMut) -> &mut BytesMut {
        while self.sealed.len() < AHEAD && !out.is_empty() && !self.session.is_handshaking() {
            let part = out.len().min(AHEAD);
            match self.session.writer().write(&out[..part]) {
                Ok(taken @ 1..) => out.advance(taken),
                _ => break,
            }
            self.write_records();
        }
        self.write_records();
        &mut self.sealed
    }

    /// The last that the client hears: that nothing more comes.
    pub(super) fn say_end(&mut self) {
        self.session.send_close_notify();
    }

    fn write_records(&mut self) {
        while self.session.wants_write() {
            // A buffer takes everything.
            if !matches!(self.session.write_tls(&mut (&mut self.sealed).writer()), Ok(1..)) {
                return;
            }
        }
    }
}

/// The length of the record at the front, if it is whole.
fn whole_record(raw: &[u8]) -> Result<Option<usize>, BadTls> {
    let version = raw.get(1).is_none_or(|major| *major == 3);
    if raw.first().is_some_and(|kind| !TYPES.contains(kind)) || !version {
        return Err(BadTls::NoRecord);
    }
    let Some([_, _, _, high, low]) = raw.first_chunk::<RECORD_HEADER>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > LONGEST_RECORD {
        return Err(BadTls::NoRecord);
    }
    Ok(Some(RECORD_HEADER + length).filter(|length| raw.len() >= *length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_known_by_their_first_bytes() {
        assert!(whole_record(b"GET / HTTP/1.1").is_err());
        assert!(whole_record(&[22, 2]).is_err());
        assert!(whole_record(&[23, 3, 3, 0x41, 1]).is_err(), "longer than any");
        assert!(matches!(whole_record(&[]), Ok(None)));
        assert!(matches!(whole_record(&[22, 3, 1, 0, 1]), Ok(None)));
        assert!(matches!(whole_record(&[22, 3, 1, 0, 1, 9, 9]), Ok(Some(6))));
    }
}
