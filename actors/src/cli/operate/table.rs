//! Tables: what stands in them, and columns that stand below each other. Pure.

use super::units::or_dash;
use super::views::Tone;

/// What stands in one place of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    /// What a number is sorted by.
    pub(super) size: Option<f64>,
    /// Of a state: how it stands.
    pub(super) tone: Option<Tone>,
}

impl Cell {
    /// Words.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A state in words.
    pub(super) fn state(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            tone: Some(tone),
            ..Self::text(text)
        }
    }

    /// A whole number as it is; a dash if it is not known.
    pub(super) fn count(number: Option<u64>) -> Self {
        Self::whole(number, |number| number.to_string())
    }

    /// A whole number in a form of its own.
    pub(super) fn whole(number: Option<u64>, show: impl Fn(u64) -> String) -> Self {
        Self {
            size: number.map(|number| number as f64),
            ..Self::text(or_dash(number, show))
        }
    }

    /// Something measured, in a form of its own.
    pub(super) fn measured(number: Option<f64>, show: impl Fn(f64) -> String) -> Self {
        Self {
            size: number,
            ..Self::text(or_dash(number, show))
        }
    }

    /// How wide it is, in characters.
    pub(super) fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// How wide each column is: as its heading or its widest cell.
pub(super) fn widths(head: &[&str], rows: &[Vec<Cell>]) -> Vec<usize> {
    let width = |(column, title): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(Cell::width).fold(title.chars().count(), usize::max)
    };
    head.iter().enumerate().map(width).collect()
}

/// Lays rows out below their heading, which `paint` gets first, with [`Tone::Idle`]; then the cells that have a tone.
/// Widths are those of the texts before they are painted, and the last column is as long as it likes.
pub(super) fn lines(head: &[&str], rows: &[Vec<Cell>], paint: impl Fn(Tone, &str) -> String) -> Vec<String> {
    let widths = widths(head, rows);
    let line = |row: &Vec<Cell>| {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line += &cell
                .tone
                .map_or_else(|| cell.text.clone(), |tone| paint(tone, &cell.text));
            if column + 1 < row.len() {
                line += &" ".repeat(widths[column] - cell.width() + 2);
            }
        }
        line.trim_end().to_owned()
    };
    let head = head.iter().map(|&title| Cell::state(title, Tone::Idle)).collect();
    std::iter::once(&head).chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_however_they_are_painted() {
        let rows = [
            vec![
                Cell::text("gate"),
                Cell::state("ready", Tone::Good),
                Cell::text(""),
            ],
            vec![Cell::text("game1"), Cell::text("é"), Cell::text("why")],
        ];
        let head = ["NODE", "STATE", ""];
        let plain = lines(&head, &rows, |_, text| text.to_owned());
        assert_eq!(plain, ["NODE   STATE", "gate   ready", "game1  é      why"]);
        let loud = lines(&head, &rows, |tone, text| match tone {
            Tone::Good => format!("<{text}>"),
            _ => text.to_owned(),
        });
        assert_eq!(loud[1], "gate   <ready>");
    }

    #[test]
    fn what_is_not_known_is_a_dash_without_a_size() {
        assert_eq!(Cell::count(None), Cell::text("-"));
        let some = Cell::measured(Some(0.25), |part| format!("{:.0}%", part * 100.0));
        assert_eq!((some.text.as_str(), some.size), ("25%", Some(0.25)));
    }
}
