//! Keys and signals in, pictures out. However it ends, a panic and SIGTERM included, the terminal is as it was before.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use ratatui::DefaultTerminal;
use ratatui::crossterm::QueueableCommand;
use ratatui::crossterm::event::{Event, KeyEventKind, poll, read};
use ratatui::crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};

use super::draw::Picture;
use super::fetch::{self, Fetcher};
use super::state::State;
use crate::cli::operate::api::Api;
use crate::cli::operate::trouble::Trouble;

/// How long a key is waited for before news are looked at.
const STEP: Duration = Duration::from_millis(50);

/// Shows it until the person has seen enough, or a signal comes; gives the exit code.
pub(super) fn run(mut state: State, api: Api, interval: Duration) -> Result<u8, Trouble> {
    let failed = |why: io::Error| Trouble::Failed(format!("the terminal: {why}"));
    // Before there is any other thread, which would take a signal as usual and end with the terminal as it is.
    let signal = signals().map_err(failed)?;
    let fetcher = fetch::start(api, interval);
    // Restores the terminal in a panic as well.
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let done = show(&mut terminal, &mut state, &fetcher, &signal);
    ratatui::restore();
    done.map_err(failed)?;
    match signal.load(Ordering::Relaxed) {
        0 => Ok(0),
        number => Ok(128 + u8::try_from(number).unwrap_or(0)),
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    state: &mut State,
    fetcher: &Fetcher,
    signal: &AtomicI32,
) -> io::Result<()> {
    draw(terminal, state)?;
    while !state.over && signal.load(Ordering::Relaxed) == 0 {
        let mut is_new = false;
        while poll(if is_new { Duration::ZERO } else { STEP })? {
            match read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    if let Some(wish) = state.press(key) {
                        // The thread lives as long as its news are listened to.
                        fetcher.wishes.send(wish).unwrap_or(());
                    }
                }
                _ => {}
            }
            is_new = true;
        }
        while let Ok(news) = fetcher.news.try_recv() {
            state.hear(news);
            is_new = true;
        }
        if is_new {
            draw(terminal, state)?;
        }
    }
    Ok(())
}

/// One picture, which the terminal shows as a whole.
fn draw(terminal: &mut DefaultTerminal, state: &State) -> io::Result<()> {
    io::stdout().queue(BeginSynchronizedUpdate)?;
    terminal.draw(|frame| frame.render_widget(Picture(state), frame.area()))?;
    io::stdout().queue(EndSynchronizedUpdate)?.flush()
}

/// The number of the signal that has come to end this process; 0 as long as none has.
fn signals() -> io::Result<Arc<AtomicI32>> {
    let mut ending = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT]
        .iter()
        .for_each(|signal| ending.add(*signal));
    // Here and in all threads that are started from here: one waits for them.
    ending.thread_block()?;
    let came = Arc::new(AtomicI32::new(0));
    let tell = Arc::clone(&came);
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Ok(signal) = ending.wait() {
                tell.store(signal as i32, Ordering::Relaxed);
            }
        })?;
    Ok(came)
}
