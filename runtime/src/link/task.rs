//! The loop that owns one connection's socket: the shell around the [`Machine`], which decides. It must not know
//! what frames mean.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

use super::conn::Conn;
use super::ended::Ended;
use super::machine::{self, Machine, PARTS};
use super::outbox::Stage;
use super::peer::Seated;
use crate::beat::Beat;
use crate::wire::Goodbye;

/// What a link can run over: TCP, TLS, or memory in tests.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Bytes that one read may bring.
const READ: usize = 64 * 1024;

/// Runs a connection until it ends; it has its seat with its peer meanwhile. `early` came behind the handshake.
pub(super) async fn run<S: Stream>(stream: S, seated: Seated, early: BytesMut) -> Ended {
    let (peer, conn) = (seated.peer.clone(), Arc::clone(&seated.conn));
    let mut machine = Machine::new(seated, early, Beat::of_process(), clock());
    let ended = drive(stream, &conn, &mut machine)
        .await
        .unwrap_or_else(|ended| ended);
    machine.end(&ended);
    drop(machine);
    if ended.was_orderly() {
        tracing::info!(peer = %peer.name(), epoch = conn.id().epoch, why = %ended, "link closed");
    } else {
        tracing::warn!(peer = %peer.name(), epoch = conn.id().epoch, why = %ended, "link lost");
    }
    ended
}

enum Event {
    Read(io::Result<usize>),
    Wrote(io::Result<Option<Goodbye>>),
    Time,
    FirstCall,
}

async fn drive<S: Stream>(stream: S, conn: &Conn, machine: &mut Machine) -> Result<Ended, Ended> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut now = clock();
    machine.on_bytes(machine.buffer.len(), now)?;
    let mut alarm = pin!(tokio::time::sleep_until(machine.next().into()));
    loop {
        machine.mind_calls(now);
        // An alarm that comes early is harmless; so it is set anew for an earlier time, or when it has rung.
        let (next, armed) = (machine.next(), alarm.deadline().into_std());
        if next < armed || armed <= now {
            alarm.as_mut().reset(next.into());
        }
        // In no fixed order: a socket that never stops taking or giving must not keep the rest from its turn.
        let event = tokio::select! {
            () = &mut alarm => Event::Time,
            () = conn.first_call(), if machine.is_at_ease() => Event::FirstCall,
            wrote = write_next(&mut writer, &mut machine.stage, conn) => Event::Wrote(wrote),
            read = read_some(&mut reader, &mut machine.buffer) => Event::Read(read),
        };
        now = clock();
        match event {
            Event::Wrote(wrote) => {
                if let Some(goodbye) = wrote? {
                    return Ok(close(writer, conn, machine, goodbye).await);
                }
            }
            Event::Read(Ok(0)) => return Ok(Ended::Eof),
            Event::Read(read) => machine.on_bytes(read?, now)?,
            Event::Time => machine.on_time(now)?,
            Event::FirstCall => {}
        }
    }
}

/// Writes the goodbye and closes.
async fn close<S: Stream>(
    mut writer: WriteHalf<S>,
    conn: &Conn,
    machine: &mut Machine,
    goodbye: Goodbye,
) -> Ended {
    let patience = machine.say_goodbye(goodbye);
    let farewell = async {
        while !machine.stage.is_empty() {
            write_some(&mut writer, &mut machine.stage, conn).await?;
        }
        writer.shutdown().await
    };
    if let Ok(Err(error)) = tokio::time::timeout(patience, farewell).await {
        tracing::debug!(%error, "the goodbye could not be written");
    }
    Ended::Closed(goodbye)
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
    if let Some(goodbye) = poll_fn(|task| conn.poll_staging(stage, task)).await {
        return Ok(Some(goodbye));
    }
    write_some(writer, stage, conn).await.map(|()| None)
}

/// Writes as much of the stage as the socket takes at once.
async fn write_some<S: Stream>(writer: &mut WriteHalf<S>, stage: &mut Stage, conn: &Conn) -> io::Result<()> {
    let mut slices = [IoSlice::new(&[]); PARTS];
    let parts = machine::front(stage, &mut slices);
    let written = writer.write_vectored(&slices[..parts]).await?;
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    machine::written(conn, stage, written);
    Ok(())
}

/// Now; with the paused clock of a test, the test's now.
pub(super) fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}
