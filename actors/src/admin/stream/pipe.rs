//! From the task that writes news to the connection that sends them: bounded, and a reader that is too slow is cut off.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use lampyris_runtime::reply::Permit;

/// Bytes that may wait for a reader; one more, and it is cut off.
pub(super) const MOST_WAITING: usize = 1024 * 1024;

/// How long a reader may take nothing while something waits.
const STALL: Duration = Duration::from_secs(10);

/// A handle of a connection's socket, to end it under a server that waits for a reader.
#[derive(Clone)]
pub(super) struct Socket(Arc<socket2::Socket>);

impl Socket {
    pub(super) fn of(stream: &tokio::net::TcpStream) -> Option<Self> {
        let socket = socket2::SockRef::from(stream).try_clone().ok()?;
        Some(Self(Arc::new(socket)))
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    /// Since when something has been waiting that the reader has not taken.
    waits_since: Option<Instant>,
    reader: Option<Waker>,
    ended: bool,
}

/// The end that writes.
pub(super) struct Writer {
    queue: Arc<Mutex<Queue>>,
    socket: Option<Socket>,
}

/// The end that is the body of the answer.
pub(super) struct Reader {
    queue: Arc<Mutex<Queue>>,
    _place: Permit,
}

/// Both ends; the socket is the one that the reader's bytes leave by, the place is kept for as long as it reads.
pub(super) fn open(socket: Option<Socket>, place: Permit) -> (Writer, Reader) {
    let queue = Arc::<Mutex<Queue>>::default();
    let reader = Reader {
        queue: Arc::clone(&queue),
        _place: place,
    };
    (Writer { queue, socket }, reader)
}

impl Writer {
    /// Writes. Whether the reader is still there, and keeps up.
    pub(super) fn write(&self, text: String, now: Instant) -> bool {
        let mut queue = lock(&self.queue);
        if queue.ended {
            return false;
        }
        queue.bytes += text.len();
        queue.waiting.push_back(Bytes::from(text));
        let since = *queue.waits_since.get_or_insert(now);
        let too_slow = queue.bytes > MOST_WAITING || now.saturating_duration_since(since) > STALL;
        if too_slow {
            queue.ended = true;
            (queue.waiting, queue.bytes) = (VecDeque::new(), 0);
        }
        let reader = queue.reader.take();
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
        if too_slow {
            tracing::warn!("a reader of the stream is too slow; it is cut off");
            self.cut();
        }
        !too_slow
    }

    /// Whether nobody reads any more.
    pub(super) fn is_over(&self) -> bool {
        lock(&self.queue).ended
    }

    /// The server waits for a socket that takes nothing: only the end of the socket wakes it.
    fn cut(&self) {
        let cut = self
            .socket
            .as_ref()
            .map(|Socket(socket)| socket.shutdown(Shutdown::Both));
        if let Some(Err(error)) = cut {
            tracing::debug!(%error, "the connection of a slow reader has ended by itself");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        queue.ended = true;
        let reader = queue.reader.take();
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        lock(&self.queue).ended = true;
    }
}

impl MessageBody for Reader {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let mut queue = lock(&self.queue);
        let Some(next) = queue.waiting.pop_front() else {
            if queue.ended {
                return Poll::Ready(None);
            }
            queue.reader = Some(task.waker().clone());
            return Poll::Pending;
        };
        queue.bytes -= next.len();
        queue.waits_since = (!queue.waiting.is_empty()).then(Instant::now);
        Poll::Ready(Some(Ok(next)))
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lampyris_runtime::reply::Desk;

    fn both() -> (Writer, Reader, Arc<Desk>) {
        let places = Arc::new(Desk::new());
        let (writer, reader) = open(None, Permit::acquire(&places, 1).unwrap());
        (writer, reader, places)
    }

    fn next(reader: &mut Reader) -> Poll<Option<Result<Bytes, Infallible>>> {
        Pin::new(reader).poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_is_written_comes_out_and_then_the_end() {
        let (writer, mut reader, places) = both();
        let now = Instant::now();
        assert!(writer.write("a".into(), now) && writer.write("b".into(), now));
        assert_eq!(next(&mut reader), Poll::Ready(Some(Ok("a".into()))));
        assert_eq!(next(&mut reader), Poll::Ready(Some(Ok("b".into()))));
        assert_eq!(next(&mut reader), Poll::Pending);
        drop(writer);
        assert_eq!(next(&mut reader), Poll::Ready(None));
        drop(reader);
        assert_eq!(places.taken(), 0, "the place is free");
    }

    #[test]
    fn a_reader_that_lets_a_mebibyte_gather_is_cut_off() {
        let (writer, mut reader, _places) = both();
        let now = Instant::now();
        let kept = (0..200)
            .take_while(|_| writer.write("x".repeat(10_000), now))
            .count();
        assert_eq!(kept, MOST_WAITING / 10_000);
        assert!(writer.is_over());
        assert_eq!(next(&mut reader), Poll::Ready(None));
    }

    #[test]
    fn a_reader_that_takes_nothing_for_ten_seconds_is_cut_off() {
        let (writer, _reader, _places) = both();
        let now = Instant::now();
        assert!(writer.write("a".into(), now));
        assert!(writer.write("b".into(), now + STALL));
        assert!(!writer.write("c".into(), now + STALL + Duration::from_millis(1)));
    }

    #[test]
    fn a_writer_learns_that_its_reader_is_gone() {
        let (writer, reader, _places) = both();
        drop(reader);
        assert!(!writer.write("a".into(), Instant::now()));
    }
}
