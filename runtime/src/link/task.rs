//! The loop that owns one connection's socket. It reads frames, writes what gathers, and keeps time.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

use super::calls::TICK;
use super::conn::{Conn, count};
use super::liveness::{Liveness, Verdict};
use super::outbox::Stage;
use super::peer::{Peer, Request, Seated};
use crate::error::{ErrorKind, Fault};
use crate::reply::ReplyTo;
use crate::wire::{Broken, Decoder, Frame, Goodbye};

/// What a link can run over: TCP, TLS, or memory in tests.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Bytes that one read may bring.
const READ: usize = 64 * 1024;

/// A notification has no caller whose patience ends; one that waited so long for its handler is stale.
const NOTIFICATION_LIFE: Duration = Duration::from_secs(60);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The other end closed without a word: its process died, or the network cut it off.
    #[error("the other end closed the connection")]
    Eof,
    /// The other end said goodbye.
    #[error("the other end {}", match .0 { Goodbye::Stopping => "is stopping", Goodbye::Replaced => "has a newer link" })]
    Farewell(Goodbye),
    /// This end closed it.
    #[error("closed by this end: {}", match .0 { Goodbye::Stopping => "stopping", Goodbye::Replaced => "a newer link took its place" })]
    Closed(Goodbye),
    /// The other end was silent for too long.
    #[error("nothing was heard for {0:?}")]
    Silent(Duration),
    /// The other end does not read the answers to its calls.
    #[error("the other end does not read its answers")]
    Flooded,
    /// The other end sent what is no frame.
    #[error("broken framing: {0}")]
    Broken(#[from] Broken),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Ended {
    /// Whether one of the ends wanted it.
    const fn was_orderly(&self) -> bool {
        matches!(self, Self::Farewell(_) | Self::Closed(_))
    }
}

/// Runs a connection until it ends; it has its seat with its peer meanwhile.
pub(super) async fn run<S: Stream>(stream: S, mut seated: Seated, early: BytesMut) -> Ended {
    let now = clock();
    let (reader, writer) = tokio::io::split(stream);
    let (peer, conn) = (seated.peer.clone(), Arc::clone(&seated.conn));
    let task = Task {
        liveness: Liveness::new(peer.settings(), now),
        decoder: Decoder::new(peer.settings().max_message),
        buffer: early,
        stage: Stage::new(),
        reader,
        writer,
        peer: peer.clone(),
        conn: Arc::clone(&conn),
        started: now,
    };
    let ended = task.run().await.unwrap_or_else(|ended| ended);
    seated.ended = Some(ended.to_string());
    if ended.was_orderly() {
        tracing::info!(peer = %peer.name(), epoch = conn.id().epoch, why = %ended, "link closed");
    } else {
        tracing::warn!(peer = %peer.name(), epoch = conn.id().epoch, why = %ended, "link lost");
    }
    ended
}

struct Task<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    peer: Peer,
    conn: Arc<Conn>,
    liveness: Liveness,
    decoder: Decoder,
    buffer: BytesMut,
    stage: Stage,
    started: Instant,
}

enum Event {
    Read(io::Result<usize>),
    Wrote(io::Result<Option<Goodbye>>),
    Heartbeat,
    Tick,
}

impl<S: Stream> Task<S> {
    async fn run(mut self) -> Result<Ended, Ended> {
        self.on_bytes(self.buffer.len(), self.started)?;
        let mut heartbeat = pin!(tokio::time::sleep_until(self.liveness.next().into()));
        let mut tick = pin!(tokio::time::sleep(TICK));
        let mut ticking = false;
        loop {
            if ticking != (self.conn.calls() > 0) {
                ticking = !ticking;
                tick.as_mut().reset(tokio::time::Instant::now() + TICK);
            }
            let conn = Arc::clone(&self.conn);
            // In no fixed order: a socket that never stops taking or giving must not keep the rest from its turn.
            let event = tokio::select! {
                () = &mut heartbeat => Event::Heartbeat,
                () = &mut tick, if ticking => Event::Tick,
                () = conn.first_call(), if !ticking => continue,
                wrote = write_next(&mut self.writer, &mut self.stage, &conn) => Event::Wrote(wrote),
                read = read_some(&mut self.reader, &mut self.buffer) => Event::Read(read),
            };
            let now = clock();
            match event {
                Event::Wrote(wrote) => {
                    if let Some(goodbye) = wrote? {
                        return self.on_close(goodbye).await;
                    }
                }
                Event::Read(Ok(0)) => return Ok(Ended::Eof),
                Event::Read(read) => self.on_bytes(read?, now)?,
                Event::Heartbeat => {
                    self.on_heartbeat(now)?;
                    heartbeat.as_mut().reset(self.liveness.next().into());
                }
                Event::Tick => {
                    conn.expire(now);
                    tick.as_mut().reset(tokio::time::Instant::now() + TICK);
                }
            }
        }
    }

    fn on_bytes(&mut self, bytes: usize, now: Instant) -> Result<(), Ended> {
        count(&self.conn.counters.bytes_in, bytes);
        self.liveness.heard(now);
        self.conn.note_heard(now);
        while let Some(frame) = self.decoder.next(&mut self.buffer)? {
            count(&self.conn.counters.frames_in, 1);
            self.on_frame(frame, now)?;
        }
        Ok(())
    }

    fn on_frame(&self, frame: Frame, now: Instant) -> Result<(), Ended> {
        match frame {
            Frame::Request {
                call,
                budget,
                handler,
                body,
            } => {
                let reply = ReplyTo::new(self.conn.clone(), call);
                if budget == 0 {
                    reply.fault(Fault::new(ErrorKind::Expired, "no time was left when it arrived"));
                    return Ok(());
                }
                let deadline = now + Duration::from_millis(budget.into());
                self.peer.inbound().request(Request {
                    handler,
                    body,
                    deadline,
                    reply,
                });
            }
            Frame::Notify { handler, body } => {
                let deadline = now + NOTIFICATION_LIFE;
                self.peer.inbound().request(Request {
                    handler,
                    body,
                    deadline,
                    reply: ReplyTo::nobody(),
                });
            }
            Frame::Reply { call, body } => {
                if let Some(reply) = self.conn.answered(call) {
                    reply.reply_bytes(body);
                }
            }
            Frame::Fault { call, fault } => {
                if let Some(reply) = self.conn.answered(call) {
                    reply.fault(fault);
                }
            }
            Frame::Ping(token) => self.conn.pong(token),
            Frame::Pong(token) => {
                let micros = micros(now.saturating_duration_since(self.started)).saturating_sub(token);
                self.conn
                    .counters
                    .round_trip
                    .store(micros.max(1), Ordering::Relaxed);
            }
            Frame::Goodbye(reason) => return Err(Ended::Farewell(reason)),
            Frame::Drain => self.peer.retire(&self.conn),
            Frame::Drained => self.conn.note_drained(),
        }
        Ok(())
    }

    fn on_heartbeat(&mut self, now: Instant) -> Result<(), Ended> {
        if self.conn.is_flooded() {
            return Err(Ended::Flooded);
        }
        match self.liveness.tick(now) {
            Verdict::Wait => {}
            Verdict::Down => return Err(Ended::Silent(self.peer.settings().down_after)),
            Verdict::Ping => self.conn.ping(micros(now - self.started)),
            Verdict::Suspect => {
                tracing::warn!(peer = %self.peer.name(), "nothing heard for a while; the link is suspect");
                self.conn.ping(micros(now - self.started));
            }
        }
        Ok(())
    }

    /// Everything is written: says goodbye and closes.
    async fn on_close(mut self, goodbye: Goodbye) -> Result<Ended, Ended> {
        self.conn.put_urgent(&Frame::Goodbye(goodbye));
        self.conn.staging(&mut self.stage).await;
        let patience = self.peer.settings().heartbeat;
        let farewell = async {
            while !self.stage.is_empty() {
                write_some(&mut self.writer, &mut self.stage, &self.conn).await?;
            }
            self.writer.shutdown().await
        };
        if let Ok(Err(error)) = tokio::time::timeout(patience, farewell).await {
            tracing::debug!(%error, "the goodbye could not be written");
        }
        Ok(Ended::Closed(goodbye))
    }
}

async fn read_some<S: Stream>(reader: &mut ReadHalf<S>, buffer: &mut BytesMut) -> io::Result<usize> {
    if buffer.capacity() - buffer.len() < READ / 4 {
        buffer.reserve(READ);
    }
    reader.read_buf(buffer).await
}

/// Waits for something to write and writes some of it; or says that the connection is to end. What is staged
/// stays staged when this future is dropped, so nothing is lost or written twice.
async fn write_next<S: Stream>(
    writer: &mut WriteHalf<S>,
    stage: &mut Stage,
    conn: &Conn,
) -> io::Result<Option<Goodbye>> {
    if stage.is_empty()
        && let Some(goodbye) = conn.staging(stage).await
    {
        return Ok(Some(goodbye));
    }
    write_some(writer, stage, conn).await.map(|()| None)
}

/// Writes as much of the stage as the socket takes at once.
async fn write_some<S: Stream>(writer: &mut WriteHalf<S>, stage: &mut Stage, conn: &Conn) -> io::Result<()> {
    const PARTS: usize = 16;
    let mut slices = [io::IoSlice::new(&[]); PARTS];
    let parts = stage.len().min(PARTS);
    for (slice, part) in slices.iter_mut().zip(stage.iter()) {
        *slice = io::IoSlice::new(part);
    }
    let mut written = writer.write_vectored(&slices[..parts]).await?;
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    count(&conn.counters.bytes_out, written);
    while let Some(first) = stage.front_mut() {
        if first.len() > written {
            first.advance(written);
            break;
        }
        written -= first.len();
        stage.pop_front();
    }
    Ok(())
}

/// Now; with the paused clock of a test, the test's now.
pub(super) fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
