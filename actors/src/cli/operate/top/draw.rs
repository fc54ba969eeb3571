//! How it looks: a heading, the page's table, and a line of keys or of what was said. Pure.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Widget};

use super::rows::Table;
use super::state::{Mode, PAGES, Page, State};
use crate::cli::operate::table::{Cell, widths};
use crate::cli::operate::units::{bytes, or_dash, rate, short_time, time};
use crate::cli::operate::views::Tone;
use crate::console::Paint;

/// Columns between two columns.
const GAP: usize = 2;

/// Rows of the events on the overview, with their heading.
const NEWS: u16 = 7;

const KEYS: &str = "1-5 page  j/k move  / filter  s sort  space pause  r restart  ? help  q quit";

const HELP: [&str; 14] = [
    "1 to 5, Tab      pages",
    "j k, arrows      move; g G to the ends",
    "/                filter rows; Enter keeps it, Esc drops it",
    "s                sort by the next column; S the other way",
    "space            pause",
    "",
    "r                restart the node",
    "x                stop it; t starts it",
    "d                drain it; u puts it back into service",
    "                 each asks before it is done",
    "",
    "q, Esc, Ctrl-C   quit",
    "",
    "any key closes this",
];

/// The picture of a state.
pub(super) struct Picture<'a>(pub(super) &'a State);

/// The rows that show everything.
pub(super) fn full_height(state: &State) -> u16 {
    let rows = u16::try_from(state.table().rows.len()).unwrap_or(u16::MAX / 2);
    let news = if state.page == Page::Overview { NEWS } else { 0 };
    rows + news + 5
}

impl Widget for Picture<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let state = self.0;
        let [title, totals, body, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(2),
            Constraint::Min(1),
            Constraint::Length(1),
        ])
        .areas(area);
        pages(state, title, buffer);
        Paragraph::new(heading(state)).render(totals, buffer);
        let table = state.table();
        if state.page == Page::Overview && body.height > NEWS + 3 {
            let [nodes, news] = Layout::vertical([Constraint::Min(1), Constraint::Length(NEWS)]).areas(body);
            rows(&table, state, nodes, buffer);
            last_events(state, news, buffer);
        } else {
            rows(&table, state, body, buffer);
        }
        Paragraph::new(foot_line(state)).render(foot, buffer);
        if state.mode == Mode::Help {
            help(area, buffer);
        }
    }
}

fn pages(state: &State, area: Rect, buffer: &mut Buffer) {
    let name = format!("{} ", state.snapshot.cluster.name);
    let mut spans = vec![Span::styled(name, Style::new().add_modifier(Modifier::BOLD))];
    for (number, (page, title)) in PAGES.iter().enumerate() {
        let style = match *page == state.page {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        spans.push(Span::styled(format!(" {} {title} ", number + 1), style));
    }
    if state.paused {
        spans.push(Span::styled("  paused", Style::new().fg(Color::Yellow)));
    }
    Paragraph::new(Line::from(spans)).render(area, buffer);
}

fn heading(state: &State) -> Vec<Line<'static>> {
    let cluster = &state.snapshot.cluster;
    let verdict = match &state.lost {
        Some(why) => Line::styled(format!("Lost: {why}; this is old"), Style::new().fg(Color::Red)),
        None => {
            let colour = colour_of(Tone::of_health(&cluster.verdict.health));
            Line::styled(cluster.verdict.line.clone(), Style::new().fg(colour))
        }
    };
    let totals = &cluster.totals;
    let numbers = format!(
        "up {}  clients {}  calls/s {}  err/s {}  p99 {}  restarts {}  mem {}",
        time(cluster.uptime),
        totals.clients,
        rate(totals.calls_per_second),
        rate(totals.errors_per_second),
        or_dash(totals.p99, short_time),
        totals.restarts,
        bytes(totals.rss),
    );
    vec![verdict, Line::raw(numbers)]
}

/// The table, scrolled so that the selected row is seen.
fn rows(table: &Table, state: &State, area: Rect, buffer: &mut Buffer) {
    let widths = widths(&table.head, &table.rows);
    let mut head = String::new();
    for (column, (title, width)) in table.head.iter().zip(&widths).enumerate() {
        let mark = match state.sort == Some(column) {
            true => format!("{title}*"),
            false => (*title).to_owned(),
        };
        head.push_str(&format!("{mark:<width$}", width = width + GAP));
    }
    let bold = Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
    let mut lines = vec![Line::styled(head.trim_end().to_owned(), bold)];
    let room = usize::from(area.height.saturating_sub(1)).max(1);
    let first = (state.selected + 1).saturating_sub(room);
    for (number, row) in table.rows.iter().enumerate().skip(first).take(room) {
        let mut spans = Vec::new();
        for (cell, width) in row.iter().zip(&widths) {
            let style = cell
                .tone
                .map_or_else(Style::new, |tone| Style::new().fg(colour_of(tone)));
            let text = format!("{:<width$}", cell.text, width = width + GAP);
            spans.push(Span::styled(text, style));
        }
        let line = Line::from(spans);
        lines.push(match number == state.selected {
            true => line.patch_style(Style::new().add_modifier(Modifier::REVERSED)),
            false => line,
        });
    }
    if table.rows.is_empty() {
        lines.push(Line::raw("nothing to show"));
    }
    Paragraph::new(lines).render(area, buffer);
}

fn last_events(state: &State, area: Rect, buffer: &mut Buffer) {
    let shown = super::rows::table_of(Page::Events, &state.snapshot);
    let block = Block::new()
        .borders(ratatui::widgets::Borders::TOP)
        .title("last events");
    let inside = block.inner(area);
    block.render(area, buffer);
    let line = |row: &Vec<Cell>| Line::raw(format!("{}  {:<8}  {}", row[0].text, row[1].text, row[2].text));
    let most = usize::from(inside.height);
    let lines: Vec<Line<'_>> = shown.rows.iter().take(most).map(line).collect();
    Paragraph::new(lines).render(inside, buffer);
}

fn foot_line(state: &State) -> Line<'static> {
    let yellow = Style::new().fg(Color::Yellow);
    match &state.mode {
        Mode::Filter => Line::styled(format!("filter: {}_", state.filter), yellow),
        Mode::Confirm(wish) => Line::styled(
            format!("{} {}? y for yes, any other key for no", wish.action, wish.node),
            yellow,
        ),
        _ if !state.said.is_empty() => Line::raw(state.said.clone()),
        _ if !state.filter.is_empty() => Line::styled(format!("only rows with {:?}", state.filter), yellow),
        _ if !state.remark().is_empty() => Line::raw(state.remark()),
        _ => Line::styled(KEYS, Style::new().add_modifier(Modifier::DIM)),
    }
}

fn help(area: Rect, buffer: &mut Buffer) {
    let (width, height) = (area.width.min(62), area.height.min(HELP.len() as u16 + 2));
    let place = Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    );
    Clear.render(place, buffer);
    let lines: Vec<Line<'_>> = HELP.iter().map(|&line| Line::raw(line)).collect();
    Paragraph::new(lines)
        .block(Block::bordered().title(" keys "))
        .render(place, buffer);
}

/// The colours of the command line's other texts.
fn colour_of(tone: Tone) -> Color {
    match tone.paint() {
        Paint::Red => Color::Red,
        Paint::Green => Color::Green,
        Paint::Yellow => Color::Yellow,
        Paint::Blue => Color::Blue,
        Paint::Magenta => Color::Magenta,
        Paint::Cyan => Color::Cyan,
        Paint::BrightCyan => Color::LightCyan,
        Paint::Dim => Color::DarkGray,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
