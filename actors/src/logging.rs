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
use tracing_subscriber::{EnvFilter, Layer};

type Output = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts the log of this process: of the master if there is a console, else of a node.
///
/// # Errors
/// A file cannot be opened, or the level is no filter.
pub(crate) fn start(
    config: &Config,
    role: &str,
    errors: Option<&Path>,
    console: Option<Console>,
) -> io::Result<()> {
    make_run_dir(&config.run_dir)?;
    let mut outputs = Vec::new();
    if let Some(console) = console {
        outputs.push(output(
            config,
            file(&config.log.dir.join("master.log"))?,
            filter(config)?,
        ));
        outputs.push(output(
            config,
            BoxMakeWriter::new(move || console.clone()),
            LevelFilter::WARN,
        ));
    } else if config.log.terminal || !io::stderr().is_terminal() {
        outputs.push(output(config, BoxMakeWriter::new(io::stderr), filter(config)?));
    } else {
        outputs.push(output(
            config,
            file(&config.log.dir.join(format!("{role}.log")))?,
            filter(config)?,
        ));
    }
    if let Some(path) = errors {
        outputs.push(output(config, file(path)?, LevelFilter::ERROR));
    }
    tracing_subscriber::registry()
        .with(outputs)
        .try_init()
        .map_err(io::Error::other)
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

fn filter(config: &Config) -> io::Result<EnvFilter> {
    EnvFilter::try_new(&config.log.level).map_err(|why| io::Error::other(format!("log.level: {why}")))
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
