//! Frames of game clients in bytes that come in pieces: their commands, and where each ends. For clients that are many
//! and must cost little: nothing is kept of a payload.

use std::io;

use crate::client::{HEADER, decode};

/// Where one connection stands in its bytes.
#[derive(Debug, Default)]
pub struct Frames {
    header: [u8; HEADER],
    /// Bytes of the header that are here.
    filled: usize,
    /// Bytes of the payload that are to come.
    rest: usize,
}

impl Frames {
    /// Takes what has come; `came` hears the command of each frame that is whole now.
    ///
    /// # Errors
    /// The bytes are no frames.
    pub fn take(&mut self, mut bytes: &[u8], mut came: impl FnMut(u32)) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.filled < HEADER {
                let part = bytes.len().min(HEADER - self.filled);
                let (head, behind) = bytes.split_at(part);
                self.header[self.filled..self.filled + part].copy_from_slice(head);
                self.filled += part;
                bytes = behind;
                if self.filled < HEADER {
                    break;
                }
                self.rest = decode(&self.header)?.1;
            }
            let part = bytes.len().min(self.rest);
            self.rest -= part;
            bytes = &bytes[part..];
            if self.rest == 0 {
                came(decode(&self.header)?.0);
                self.filled = 0;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::encode;

    #[test]
    fn frames_are_counted_however_their_bytes_are_cut() {
        let bytes = [encode(7, "seven"), encode(8, ""), encode(9, "x")].concat();
        for step in 1..=bytes.len() {
            let (mut frames, mut commands) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(step) {
                frames.take(piece, |command| commands.push(command)).unwrap();
            }
            assert_eq!(commands, [7, 8, 9], "in pieces of {step}");
        }
    }
}
