//! `top`: the cluster in the terminal, as it is at this moment.
//!
//! | file | what it is for |
//! | --- | --- |
//! | `fetch` | asks the master, and carries out what is wished for, beside the terminal |
//! | `state` | what is shown and what keys do; pure |
//! | `rows` | what stands in the tables; pure |
//! | `draw` | how it looks; pure |
//! | `terminal` | keys and signals in, pictures out, and the terminal as it was before |

mod draw;
mod fetch;
mod rows;
mod state;
mod terminal;

use std::time::Duration;

use clap::Args;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::Ground;
use super::reach::Reach;
use super::trouble::Trouble;
use super::units::parse_time;
use crate::exit;
use draw::Picture;
use state::{Page, State};

/// Columns of `--once`, unless the terminal has another number.
const COLUMNS: u16 = 120;

/// The arguments of `top`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Top {
    /// Print it once, as plain text
    #[arg(long)]
    once: bool,
    /// The page to begin with
    #[arg(long, value_enum, default_value_t = Page::Overview)]
    page: Page,
    /// How often the master is asked
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_time)]
    interval: Duration,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(args: &Top, ground: &mut Ground) -> Result<u8, Trouble> {
    let api = args.reach.api(&ground.file)?;
    // Before the terminal is taken: what is wrong is better read in it as it is.
    let snapshot = fetch::look(&api)?;
    let mut state = State::new(args.page);
    state.show(snapshot);
    if args.once {
        let text = plain(&state, COLUMNS);
        text.iter().try_for_each(|line| ground.screen.line(line))?;
        let is_well = state.snapshot.cluster.verdict.health == "healthy";
        return Ok(if is_well { 0 } else { exit::DEGRADED });
    }
    if !ground.screen.is_terminal() {
        let text = format!("top needs a terminal; for a text: {} top --once", ground.program);
        return Err(Trouble::Usage(text));
    }
    // Not more often than it can be drawn and read.
    let interval = args.interval.max(Duration::from_millis(100));
    terminal::run(state, api, interval)
}

/// The same picture as lines.
fn plain(state: &State, columns: u16) -> Vec<String> {
    let area = Rect::new(0, 0, columns, draw::full_height(state));
    let mut buffer = Buffer::empty(area);
    Picture(state).render(area, &mut buffer);
    let line = |row: u16| {
        let cells = (0..columns).filter_map(|column| buffer.cell((column, row)));
        let line: String = cells.map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned()
    };
    // Without the line of keys, as there are none.
    (0..area.height.saturating_sub(1)).map(line).collect()
}
