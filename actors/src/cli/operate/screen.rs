//! Where results and messages go: results to standard output, messages and progress to standard error.
//!
//! A reader that has closed its end (`| head -1`) ends the command quietly. Colours and the one line of progress that is
//! written over are for terminals alone.

use std::io::{self, IsTerminal, Write};

use super::trouble::Trouble;
use crate::console::{Colour, Paint, eprint_line};

/// The two streams of this process.
pub(super) struct Screen {
    colour: bool,
    terminal: bool,
    messages_terminal: bool,
    shown: String,
}

impl Screen {
    pub(super) fn new(colour: Colour) -> Self {
        let terminal = io::stdout().is_terminal();
        Self {
            colour: colour.applies(terminal),
            terminal,
            messages_terminal: io::stderr().is_terminal(),
            shown: String::new(),
        }
    }

    /// Whether results are read by a person.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The text in a colour, if results have colours.
    pub(super) fn paint(&self, text: &str, paint: Paint) -> String {
        paint.paint(text, self.colour)
    }

    /// A line of the result.
    ///
    /// # Errors
    /// [`Trouble::Closed`] when nobody reads any more.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Trouble> {
        self.write(&format!("{text}\n"))
    }

    /// A piece of the result.
    ///
    /// # Errors
    /// [`Trouble::Closed`] when nobody reads any more.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Trouble> {
        self.end_progress();
        let mut out = io::stdout();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Trouble::Closed),
            Err(error) => Err(Trouble::Failed(format!("standard output: {error}"))),
        }
    }

    /// A message.
    pub(super) fn note(&mut self, text: &str) {
        self.end_progress();
        eprint_line(text);
    }

    /// How far it is: one line that is written over on a terminal, else a line whenever it is another.
    pub(super) fn progress(&mut self, text: &str) {
        if text == self.shown {
            return;
        }
        if self.messages_terminal {
            // A line that the terminal would break in two could not be written over.
            let short: String = text.chars().take(78).collect();
            io::stderr()
                .write_all(format!("\r\x1b[2K{short}").as_bytes())
                .unwrap_or(());
        } else {
            eprint_line(text);
        }
        text.clone_into(&mut self.shown);
    }

    fn end_progress(&mut self) {
        if self.messages_terminal && !self.shown.is_empty() {
            io::stderr().write_all(b"\r\x1b[2K").unwrap_or(());
        }
        self.shown.clear();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.end_progress();
    }
}
