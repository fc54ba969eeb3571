//! The line as the place where handlers' answers go: straight into the buffer of what leaves, in their turn.

use bytes::BytesMut;
use lampyris_runtime::error::{ErrorKind, Fault};
use lampyris_runtime::reply::{Passing, ReplySink, Write, Wrote};

use super::super::answers::{Ended, Turn};
use super::super::error_frame;
use super::super::settings::{ErrorsMode, NetSettings};
use super::Line;
use super::state::State;

/// Room that is made for answers when an idle connection gets one, in bytes: several small ones seldom come alone.
const ROOM: usize = 512;

impl Line {
    /// A call has ended; `put` writes what the client gets for it.
    fn answer(&self, number: u64, put: impl FnOnce(&NetSettings, u32, &mut BytesMut) -> Put) {
        let mut state = self.lock();
        self.put_answer(&mut state, number, put);
        self.tell(state);
    }

    fn put_answer(
        &self,
        state: &mut State,
        number: u64,
        put: impl FnOnce(&NetSettings, u32, &mut BytesMut) -> Put,
    ) {
        match state.answers.turn(number) {
            None => return self.net.counters.late_answers.add(),
            Some((at, command, Turn::Now)) => {
                if state.out.capacity() == 0 {
                    state.out.reserve(ROOM);
                }
                let put = put(&self.settings, command, &mut state.out);
                state.leave(at, put);
            }
            Some((at, command, Turn::Later)) => {
                let mut frame = BytesMut::new();
                let ended = match put(&self.settings, command, &mut frame) {
                    Put::Written => Ended::Frame(frame.freeze()),
                    Put::HangUp => Ended::HangUp,
                };
                state.answers.stash(at, ended);
            }
        }
        state.check_room(self.settings.out_buffer);
    }
}

impl ReplySink for Line {
    fn reply(&self, id: u64, write: Write<'_>) -> Option<ErrorKind> {
        let mut lost = None;
        self.answer(id, |settings, command, out| {
            put_reply(settings, command, write, out, &mut lost)
        });
        lost
    }

    fn pass(&self, replies: &mut [Passing<'_>]) {
        let mut state = self.lock();
        for reply in replies {
            let mut lost = None;
            self.put_answer(&mut state, reply.id(), |settings, command, out| {
                put_reply(settings, command, &mut |out| reply.write(out), out, &mut lost)
            });
            reply.lost = lost;
        }
        self.tell(state);
    }

    fn fault(&self, id: u64, fault: Fault) {
        self.answer(id, |settings, command, out| {
            put_fault(settings, command, &fault, out)
        });
    }
}

/// Writes a reply, or the fault that takes its place, which is then `lost`.
fn put_reply(
    settings: &NetSettings,
    command: u32,
    write: Write<'_>,
    out: &mut BytesMut,
    lost: &mut Option<ErrorKind>,
) -> Put {
    match settings.dialect.encode(command, write, settings.out_buffer, out) {
        Ok(Wrote::Reply | Wrote::Nothing) => Put::Written,
        Err(fault) => {
            let fault = fault.of_a_reply();
            *lost = Some(fault.kind);
            put_fault(settings, command, &fault, out)
        }
    }
}

/// What stands for an answer now.
pub(super) enum Put {
    /// A frame or nothing, in the buffer.
    Written,
    /// The end of the connection.
    HangUp,
}

fn put_fault(settings: &NetSettings, command: u32, fault: &Fault, out: &mut BytesMut) -> Put {
    match settings.errors {
        ErrorsMode::Silent => Put::Written,
        ErrorsMode::Close => Put::HangUp,
        ErrorsMode::Frame => {
            let mut write = |out: &mut BytesMut| error_frame::write(command, fault, out);
            match settings
                .dialect
                .encode(error_frame::COMMAND, &mut write, settings.out_buffer, out)
            {
                Ok(_) => Put::Written,
                Err(why) => {
                    tracing::warn!(command, %fault, %why, "an error frame cannot be written; the connection ends");
                    Put::HangUp
                }
            }
        }
    }
}
