//! Columns that stand below each other. Pure.

/// Lays rows out; the first is the heading. Widths are those of the texts before they are painted, and the last column
/// is as long as it likes. `paint` gets row (0 is the heading), column and text.
pub(super) fn table(rows: &[Vec<String>], paint: impl Fn(usize, usize, &str) -> String) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width_of).collect();
    let line = |(number, row): (usize, &Vec<String>)| {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(&paint(number, column, cell));
            if column + 1 < row.len() {
                let gap = widths[column] - cell.chars().count() + 2;
                line.push_str(&" ".repeat(gap));
            }
        }
        line.trim_end().to_owned()
    };
    rows.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_however_they_are_painted() {
        let rows = [
            ["NODE", "STATE", ""],
            ["gate", "ready", ""],
            ["game1", "é", "why"],
        ];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|&cell| cell.to_owned()).collect())
            .collect();
        let plain = table(&rows, |_, _, text| text.to_owned());
        assert_eq!(plain, ["NODE   STATE", "gate   ready", "game1  é      why"]);
        let loud = table(&rows, |row, _, text| match row {
            1 => format!("<{text}>"),
            _ => text.to_owned(),
        });
        assert_eq!(loud[1], "<gate>   <ready>  <>");
    }
}
