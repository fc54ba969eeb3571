//! A master whose administrator's port is asked in the same process: without sockets, links, or a node that starts.
//!
//! For whoever feeds that port any requests at a rate that no socket carries. It must not differ from [`run`](super::run)
//! in what it answers: the actor, the desk and the routes are the same.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use actix_web::web::ServiceConfig;
use arc_swap::ArcSwap;
use lampyris_runtime::config::{Config, keep_applied, make_run_dir};
use tokio::sync::mpsc;

use super::run::{RunOptions, Shown, start};
use crate::admin::{self, FrontDesk, Seat};
use crate::console::{Colour, Console};
use crate::logging::LogLevel;
use crate::otlp::Outbox;
use crate::records::Records;

/// A program that there is not: what is started nevertheless fails.
const NO_PROGRAM: &str = "/nonexistent";

/// The master, and the seat in front of it. It ends with the actix system that it was begun in.
pub struct Rehearsal {
    seat: Seat,
    done: mpsc::Receiver<u8>,
    _processes: mpsc::Receiver<()>,
}

impl Rehearsal {
    /// Begins one, in the run folder of the configuration. Must run inside an actix system.
    ///
    /// # Errors
    /// The run folder cannot be used, or the nodes are no tree.
    pub fn begin(config: Config) -> io::Result<Self> {
        let config = Arc::new(config);
        make_run_dir(&config.run_dir)?;
        std::fs::create_dir_all(&config.log.dir)?;
        keep_applied(&config)?;
        let applied = Arc::new(ArcSwap::from(Arc::clone(&config)));
        let records = Records::open(&config.run_dir);
        let outbox = Outbox::new(Arc::clone(&applied));
        let (desk, _) = FrontDesk::open(&config)?;
        let shown = Shown {
            applied: Arc::clone(&applied),
            records: records.clone(),
            outbox: outbox.clone(),
            address: None,
        };
        let options = RunOptions {
            program: PathBuf::from(NO_PROGRAM),
            only: false,
            keep_nodes: false,
            console: Console::unread(),
            colour: Colour::Never,
            apps: Vec::new(),
            log: LogLevel::unheard(&config.log.level)?,
            started: Instant::now(),
        };
        let (done, ended) = mpsc::channel(1);
        let (living, processes) = mpsc::channel(1);
        let started = start(&config, &options, None, shown, (done, living));
        let (master, _) = started.map_err(io::Error::other)?;
        Ok(Self {
            seat: Seat::new(applied, master, (records, outbox), desk, Arc::default()),
            done: ended,
            _processes: processes,
        })
    }

    /// The routes of the port.
    pub fn routes(&self, config: &mut ServiceConfig) {
        admin::routes(config, &self.seat);
    }

    /// Whether somebody has ended the master by a request: nothing more is to be learnt from it.
    pub fn has_ended(&mut self) -> bool {
        self.done.try_recv().is_ok()
    }
}
