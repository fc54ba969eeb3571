//! The results of one revision of the sources: `results.json`, and `results.md` for people.
//!
//! Experiments may be run in parts: results of the same revision, build and strength are kept, others are replaced.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record::{Figure, Record, Verdict};
use super::{Strength, all};
use crate::plot::Plot;
use crate::process::tool;

/// What became of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status", content = "text")]
pub enum Status {
    /// Every promise was kept.
    Held,
    /// A limit was exceeded.
    FallsShort,
    /// It could not be done here, for this reason.
    Skipped(String),
    /// A promise was broken that is no matter of speed, or the experiment itself failed.
    Failed(String),
}

impl Status {
    /// Of an experiment that came to its end.
    pub fn of(record: &Record) -> Self {
        match record.skipped() {
            Some(why) => Self::Skipped(why.to_owned()),
            None if record.falls_short() => Self::FallsShort,
            None => Self::Held,
        }
    }

    /// In a word or two.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::FallsShort => "falls short",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
        }
    }

    /// Why, if that is to be told.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Held | Self::FallsShort => None,
            Self::Skipped(text) | Self::Failed(text) => Some(text),
        }
    }
}

/// The result of one experiment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub id: String,
    /// What was done.
    pub title: String,
    /// What is promised.
    pub must: String,
    /// What nobody does better.
    pub best: String,
    /// When it began.
    pub date: String,
    /// How long it took.
    pub seconds: f64,
    /// What became of it.
    #[serde(flatten)]
    pub status: Status,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// Pictures of it, which are files of their own.
    #[serde(skip)]
    pub plots: Vec<Plot>,
}

/// What the results are results of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The revision of the sources, with `+` if there are changes beside it.
    pub revision: String,
    /// `full` or `short`.
    pub strength: String,
    /// `release` or `debug`.
    pub build: String,
    /// Kernel and processor cores.
    pub machine: String,
}

impl Setting {
    /// Of this program, here.
    pub fn here(strength: Strength) -> Self {
        let sources = env!("CARGO_MANIFEST_DIR");
        let revision = said("git", &["-C", sources, "rev-parse", "--short=12", "HEAD"]);
        let changed = said("git", &["-C", sources, "status", "--porcelain"]);
        let plus = if changed.is_empty() { "" } else { "+" };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        Self {
            revision: format!("{revision}{plus}"),
            strength: strength.pick("short", "full").to_owned(),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
            machine: format!("{}, {cores} cores", said("uname", &["-srm"])),
        }
    }
}

/// All results of one setting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// What they are results of.
    #[serde(flatten)]
    pub setting: Setting,
    /// One for each experiment that was run, in the order of their numbers.
    pub experiments: Vec<Entry>,
}

impl Results {
    /// Those in a folder if they are of this setting, else none.
    ///
    /// # Errors
    /// There is a file that cannot be read, or is none of ours.
    pub fn load(folder: &Path, setting: Setting) -> io::Result<Self> {
        let none = Self {
            setting,
            experiments: Vec::new(),
        };
        match std::fs::read_to_string(folder.join("results.json")) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(none),
            Err(why) => Err(why),
            Ok(text) => {
                let found: Self = serde_json::from_str(&text)?;
                Ok(if found.setting == none.setting {
                    found
                } else {
                    none
                })
            }
        }
    }

    /// Takes a result in, in place of an older one.
    pub fn put(&mut self, entry: Entry) {
        self.experiments.retain(|known| known.id != entry.id);
        self.experiments.push(entry);
        self.experiments.sort_by(|a, b| a.id.cmp(&b.id));
    }

    /// Writes both files.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(folder.join("results.json"), json + "\n")?;
        std::fs::write(folder.join("results.md"), self.markdown())
    }

    /// How many were held, fell short, were skipped, failed.
    pub fn summary(&self) -> String {
        let words = ["held", "falls short", "skipped", "failed"];
        let count = |word| {
            self.experiments
                .iter()
                .filter(|entry| entry.status.word() == word)
                .count()
        };
        let parts: Vec<String> = words.map(|word| format!("{} {word}", count(word))).into();
        let (run, known) = (self.experiments.len(), all().len());
        format!("{run} of {known} experiments: {}", parts.join(", "))
    }

    fn markdown(&self) -> String {
        let Setting {
            revision,
            strength,
            build,
            machine,
        } = &self.setting;
        let summary = self.summary();
        let mut text = format!(
            "# Results\n\n{summary}.\n\nRevision {revision}, {strength} form, {build} build, on {machine}.\n\n\
             | id | experiment | result | s |\n| --- | --- | --- | --- |\n"
        );
        for entry in &self.experiments {
            let Entry {
                id, title, seconds, ..
            } = entry;
            // A `String` takes every line.
            let (link, word) = (anchor(&format!("{id}: {title}")), entry.status.word());
            writeln!(text, "| [{id}](#{link}) | {title} | {word} | {seconds} |").unwrap_or_default();
        }
        text + &self.experiments.iter().map(Entry::markdown).collect::<String>()
    }
}

impl Entry {
    /// Writes its plots into a folder, each as NAME.svg.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn draw(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let draw = |plot: &Plot| std::fs::write(folder.join(plot.name).with_extension("svg"), plot.svg());
        self.plots.iter().try_for_each(draw)
    }

    fn markdown(&self) -> String {
        let Self {
            id,
            title,
            must,
            date,
            ..
        } = self;
        let mut text = format!(
            "\n## {id}: {title}\n\n{}, {date}. Must: {must}.",
            self.status.word()
        );
        if !self.best.is_empty() {
            text += &format!(" Best: {}.", self.best);
        }
        text += "\n";
        if let Some(why) = self.status.text() {
            text += &format!("\n```text\n{why}\n```\n");
        }
        if !self.figures.is_empty() {
            text += "\n| figure | measured | must | best | |\n| --- | --- | --- | --- | --- |\n";
            text += &self.figures.iter().map(row).collect::<String>();
        }
        if !self.notes.is_empty() {
            text += "\n";
            text += &self
                .notes
                .iter()
                .map(|note| format!("- {note}\n"))
                .collect::<String>();
        }
        text
    }
}

fn row(figure: &Figure) -> String {
    let limit = |limit: Option<f64>| limit.map_or_else(String::new, number);
    let verdict = match figure.verdict {
        Verdict::Best => "best",
        Verdict::Held => "held",
        Verdict::FallsShort => "falls short",
        Verdict::Told => "",
    };
    let (what, value) = (&figure.what, number(figure.value));
    let measured = format!("{value} {}", figure.unit);
    let (must, best) = (limit(figure.must), limit(figure.best));
    format!(
        "| {what} | {} | {must} | {best} | {verdict} |\n",
        measured.trim_end()
    )
}

/// By what a link leads to a heading: its letters, digits and dashes, with dashes for spaces.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Whole numbers as such, others with as many places as say something.
fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value}")
    } else if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// The present time, by the clock on the wall.
pub fn now() -> String {
    said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])
}

/// What a tool says; empty if it is not there.
fn said(name: &str, args: &[&str]) -> String {
    let output = tool(name, args).filter(|output| output.status.success());
    output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}
