//! The frame that a client gets instead of an answer: command id 0, and JSON that a person can read.
//!
//! `{"command":300,"error":"link_lost","ran":"maybe","message":"..."}`

use bytes::{BufMut, BytesMut};
use lampyris_runtime::error::{ErrorKind, Fault, MAX_MESSAGE};
use lampyris_runtime::reply::Wrote;
use serde::Serialize;

/// The command id of error frames.
pub(super) const COMMAND: u32 = 0;

#[derive(Serialize)]
struct Error<'a> {
    command: u32,
    error: &'static str,
    ran: &'static str,
    message: &'a str,
}

/// Appends the payload of the frame that says how the call of `command` ended.
pub(super) fn write(command: u32, fault: &Fault, out: &mut BytesMut) -> Result<Wrote, Fault> {
    let error = Error {
        command,
        error: fault.kind.name(),
        ran: fault.ran().name(),
        message: cut(&fault.message),
    };
    serde_json::to_writer(out.writer(), &error)
        .map(|()| Wrote::Reply)
        .map_err(|why| Fault::new(ErrorKind::BadPayload, why.to_string()))
}

/// The text, cut at a character when it is longer than [`MAX_MESSAGE`] bytes.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_MESSAGE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_names_command_error_and_whether_it_ran() {
        let mut out = BytesMut::new();
        let fault = Fault::new(ErrorKind::LinkLost, "the link to \"game1\" broke");
        assert_eq!(write(300, &fault, &mut out), Ok(Wrote::Reply));
        let text =
            r#"{"command":300,"error":"link_lost","ran":"maybe","message":"the link to \"game1\" broke"}"#;
        assert_eq!(out, text);
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let text = "ä".repeat(MAX_MESSAGE);
        assert_eq!(cut(&text), "ä".repeat(MAX_MESSAGE / 2));
        let odd = format!("x{text}");
        assert_eq!(cut(&odd).len(), MAX_MESSAGE - 1);
        assert_eq!(cut("short"), "short");
    }
}
