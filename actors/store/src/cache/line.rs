//! One server of a cache: a few connections, a time-out for each question, a breaker for all.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{memcached, redis};
use crate::breaker::Breaker;
use crate::lock;

/// Idle connections that are kept.
const KEPT: usize = 4;

/// A connection.
pub(super) type Stream = BufStream<TcpStream>;

/// What is said on it.
#[derive(Debug, Clone)]
pub(super) enum Protocol {
    Memcached,
    /// With what is to be said first.
    Redis {
        login: Vec<Vec<Vec<u8>>>,
    },
}

#[derive(Debug)]
pub(super) struct Line {
    server: String,
    protocol: Protocol,
    timeout: Duration,
    idle: Mutex<Vec<Stream>>,
    breaker: Mutex<Breaker>,
}

impl Line {
    pub(super) fn new(server: String, protocol: Protocol, timeout: Duration) -> Self {
        Self {
            server,
            protocol,
            timeout,
            idle: Mutex::default(),
            breaker: Mutex::default(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        !lock(&self.breaker).is_open()
    }

    pub(super) async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let mut stream = self.stream().await?;
        let asked = match &self.protocol {
            Protocol::Memcached => timeout(self.timeout, memcached::get(&mut stream, key)).await,
            Protocol::Redis { .. } => timeout(self.timeout, redis::get(&mut stream, key)).await,
        };
        self.judge(stream, asked)?
    }

    /// Sets a value, or deletes it.
    pub(super) async fn put(&self, key: &str, value: Option<&[u8]>, ttl: Duration) {
        let Some(mut stream) = self.stream().await else {
            return;
        };
        let asked = match &self.protocol {
            Protocol::Memcached => timeout(self.timeout, memcached::put(&mut stream, key, value, ttl)).await,
            Protocol::Redis { .. } => timeout(self.timeout, redis::put(&mut stream, key, value, ttl)).await,
        };
        self.judge(stream, asked);
    }

    /// A connection, unless the breaker is open.
    async fn stream(&self) -> Option<Stream> {
        if !lock(&self.breaker).admits(Instant::now()) {
            return None;
        }
        let kept = lock(&self.idle).pop();
        if kept.is_some() {
            return kept;
        }
        match timeout(self.timeout, self.connect()).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(why)) => self.failed(&why),
            Err(_) => self.failed(&io::ErrorKind::TimedOut.into()),
        }
    }

    async fn connect(&self) -> io::Result<Stream> {
        let stream = TcpStream::connect(&self.server).await?;
        stream.set_nodelay(true)?;
        let mut stream = BufStream::new(stream);
        if let Protocol::Redis { login } = &self.protocol {
            redis::log_in(&mut stream, login).await?;
        }
        Ok(stream)
    }

    /// Keeps a connection that is fine, and drops one on which an answer may still come.
    fn judge<T>(
        &self,
        stream: Stream,
        asked: Result<io::Result<T>, tokio::time::error::Elapsed>,
    ) -> Option<T> {
        match asked {
            Ok(Ok(answer)) => {
                lock(&self.breaker).succeeded();
                let mut idle = lock(&self.idle);
                if idle.len() < KEPT {
                    idle.push(stream);
                }
                Some(answer)
            }
            Ok(Err(why)) => self.failed(&why),
            Err(_) => self.failed(&io::ErrorKind::TimedOut.into()),
        }
    }

    fn failed<T>(&self, why: &io::Error) -> Option<T> {
        // The others are likely to be dead as well.
        lock(&self.idle).clear();
        if lock(&self.breaker).failed(Instant::now()) {
            tracing::warn!(server = %self.server, %why, "the cache does not answer; it is left alone for a while");
        }
        None
    }
}

/// What an answer that makes no sense is.
pub(super) fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
