//! Where a process writes its log, and how a line looks.
//!
//! A node writes to standard error, which under a master is its file in the run folder; the master writes to a
//! file of its own, and warnings to the terminal. The key `log` of a node or master names one more file, for
//! errors alone, as in Firefly. A log that cannot be written costs the line, nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::console::Console;
use lampyris_runtime::config::{Config, LogFormat, make_run_dir};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, reload};

type Output = Box<dyn Layer<Registry> + Send + Sync>;

/// The level of the log, which a reload may change. Clones are of one log.
#[derive(Clone)]
pub(crate) struct LogLevel(reload::Handle<EnvFilter, Registry>);

impl LogLevel {
    /// Lets through what this level or filter says, which has passed the checks of the configuration.
    pub(crate) fn set(&self, level: &str) {
        let set = filter(level).and_then(|filter| self.0.reload(filter).map_err(io::Error::other));
        if let Err(error) = set {
            tracing::error!(%error, "the level of the log stays as it was");
        }
    }
}

/// Starts the log of this process: of the master if there is a console, else of a node.
///
/// # Errors
/// A file cannot be opened, or the level is no filter.
pub(crate) fn start(
    config: &Config,
    role: &str,
    errors: Option<&Path>,
    console: Option<Console>,
) -> io::Result<LogLevel> {
    make_run_dir(&config.run_dir)?;
    let (level, handle) = reload::Layer::new(filter(&config.log.level)?);
    let mut outputs = Vec::new();
    if let Some(console) = console {
        outputs.push(output(config, file(&config.log.dir.join("master.log"))?, level));
        outputs.push(output(
            config,
            BoxMakeWriter::new(move || console.clone()),
            LevelFilter::WARN,
        ));
    } else if config.log.terminal || !io::stderr().is_terminal() {
        outputs.push(output(config, BoxMakeWriter::new(io::stderr), level));
    } else {
        outputs.push(output(
            config,
            file(&config.log.dir.join(format!("{role}.log")))?,
            level,
        ));
    }
    if let Some(path) = errors {
        outputs.push(output(config, file(path)?, LevelFilter::ERROR));
    }
    tracing_subscriber::registry()
        .with(outputs)
        .try_init()
        .map_err(io::Error::other)?;
    Ok(LogLevel(handle))
}

fn output<F>(config: &Config, writer: BoxMakeWriter, filter: F) -> Output
where
    F: tracing_subscriber::layer::Filter<Registry> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .log_internal_errors(false);
    match config.log.format {
        LogFormat::Human => lines.with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    }
}

fn filter(level: &str) -> io::Result<EnvFilter> {
    EnvFilter::try_new(level).map_err(|why| io::Error::other(format!("log.level: {why}")))
}

fn file(path: &Path) -> io::Result<BoxMakeWriter> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    let file: Arc<File> =
        Arc::new(opened.map_err(|why| io::Error::new(why.kind(), format!("{}: {why}", path.display())))?);
    Ok(BoxMakeWriter::new(file))
}
