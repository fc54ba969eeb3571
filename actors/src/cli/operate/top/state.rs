//! What is shown, and what keys do. Pure: keys and news come in, wishes go out.

use clap::ValueEnum;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::fetch::{News, Snapshot, Wish};
use super::rows::{Table, table_of};

/// The pages, in the order of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Page {
    /// The whole
    Overview,
    /// All nodes
    Nodes,
    /// The links between them
    Links,
    /// What is called, how often, how long it takes
    Handlers,
    /// What has happened
    Events,
}

pub(super) const PAGES: [(Page, &str); 5] = [
    (Page::Overview, "overview"),
    (Page::Nodes, "nodes"),
    (Page::Links, "links"),
    (Page::Handlers, "handlers"),
    (Page::Events, "events"),
];

/// What the keys go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    Look,
    Help,
    /// The filter is being written.
    Filter,
    /// Whether it is really wished for.
    Confirm(Wish),
}

/// What is shown.
pub(super) struct State {
    pub(super) page: Page,
    pub(super) mode: Mode,
    pub(super) snapshot: Snapshot,
    /// Only rows that contain it are shown.
    pub(super) filter: String,
    pub(super) selected: usize,
    /// By which column rows are sorted, if not as they come.
    pub(super) sort: Option<usize>,
    pub(super) reverse: bool,
    pub(super) paused: bool,
    /// What was said last: what came of a wish.
    pub(super) said: String,
    /// Why what is shown is old.
    pub(super) lost: Option<String>,
    pub(super) over: bool,
}

impl State {
    pub(super) fn new(page: Page) -> Self {
        Self {
            page,
            mode: Mode::Look,
            snapshot: Snapshot::default(),
            filter: String::new(),
            selected: 0,
            sort: None,
            reverse: false,
            paused: false,
            said: String::new(),
            lost: None,
            over: false,
        }
    }

    /// What is known now.
    pub(super) fn show(&mut self, snapshot: Snapshot) {
        self.lost = None;
        self.snapshot = snapshot;
        self.keep_selected();
    }

    /// Takes news.
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Snapshot(snapshot) if !self.paused => self.show(*snapshot),
            News::Snapshot(_) => {}
            News::Lost(why) => self.lost = Some(why),
            News::Done(text) => self.said = text,
        }
    }

    /// The rows of the page, filtered and sorted.
    pub(super) fn table(&self) -> Table {
        table_of(self.page, &self.snapshot).arranged(&self.filter, self.sort, self.reverse)
    }

    /// What there is to say of the selected node, which its row may have no room for.
    pub(super) fn remark(&self) -> String {
        let table = self.table();
        let name = table.rows.get(self.selected).and_then(|row| row.first());
        let nodes = matches!(self.page, Page::Overview | Page::Nodes).then_some(&self.snapshot.nodes);
        let node = nodes
            .zip(name)
            .and_then(|(nodes, name)| nodes.iter().find(|node| node.name == name.text));
        node.filter(|node| !node.remark().is_empty())
            .map(|node| format!("{}: {}", node.name, node.remark()))
            .unwrap_or_default()
    }

    /// Takes a key; gives what is wished for.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Wish> {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && key.code == KeyCode::Char('c') {
            self.over = true;
            return None;
        }
        match std::mem::replace(&mut self.mode, Mode::Look) {
            Mode::Look => self.press_while_looking(key.code),
            Mode::Help => None,
            Mode::Filter => {
                self.write_filter(key.code);
                None
            }
            Mode::Confirm(wish) if matches!(key.code, KeyCode::Char('y' | 'Y')) => {
                self.said = format!("{} of {} …", wish.action, wish.node);
                Some(wish)
            }
            Mode::Confirm(_) => None,
        }
    }

    fn press_while_looking(&mut self, key: KeyCode) -> Option<Wish> {
        match key {
            KeyCode::Char('q') | KeyCode::Esc => self.over = true,
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char(digit @ '1'..='5') => self.go_to(digit as usize - '1' as usize),
            KeyCode::Tab | KeyCode::Right => self.go_to((self.place() + 1) % PAGES.len()),
            KeyCode::BackTab | KeyCode::Left => self.go_to((self.place() + PAGES.len() - 1) % PAGES.len()),
            KeyCode::Char('j') | KeyCode::Down => self.selected = self.selected.saturating_add(1),
            KeyCode::Char('k') | KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.selected = self.selected.saturating_add(10),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(10),
            KeyCode::Home | KeyCode::Char('g') => self.selected = 0,
            KeyCode::End | KeyCode::Char('G') => self.selected = usize::MAX,
            KeyCode::Char('s') => self.sort_by_next(),
            KeyCode::Char('S') => self.reverse = !self.reverse,
            KeyCode::Char('r') => self.confirm("restart"),
            KeyCode::Char('x') => self.confirm("stop"),
            KeyCode::Char('t') => self.confirm("start"),
            KeyCode::Char('d') => self.confirm("drain"),
            KeyCode::Char('u') => self.confirm("undrain"),
            _ => {}
        }
        self.keep_selected();
        None
    }

    fn write_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => return,
            KeyCode::Esc => {
                self.filter.clear();
                return;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(one) if self.filter.len() < 64 => self.filter.push(one),
            _ => {}
        }
        self.mode = Mode::Filter;
        self.keep_selected();
    }

    fn place(&self) -> usize {
        PAGES.iter().position(|(page, _)| *page == self.page).unwrap_or(0)
    }

    fn go_to(&mut self, place: usize) {
        self.page = PAGES[place].0;
        (self.selected, self.sort, self.reverse) = (0, None, false);
        self.filter.clear();
    }

    fn sort_by_next(&mut self) {
        let columns = self.table().head.len();
        self.sort = match self.sort {
            None => Some(0),
            Some(column) => Some(column + 1).filter(|next| *next < columns),
        };
    }

    /// Asks whether an action of the selected row's node is really wished for.
    fn confirm(&mut self, action: &'static str) {
        if !matches!(self.page, Page::Overview | Page::Nodes) {
            "actions are for the pages 1 and 2".clone_into(&mut self.said);
            return;
        }
        if let Some(node) = self.table().rows.get(self.selected).and_then(|row| row.first()) {
            self.mode = Mode::Confirm(Wish {
                action,
                node: node.text.clone(),
            });
        }
    }

    fn keep_selected(&mut self) {
        let last = self.table().rows.len().saturating_sub(1);
        self.selected = self.selected.min(last);
    }
}
