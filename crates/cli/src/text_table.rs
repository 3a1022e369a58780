//! Columns that line up.

use unicode_width::UnicodeWidthStr;

/// Which side of a column its cells keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// The rows as lines, each column as wide as its widest cell and two spaces from the next.
pub(crate) fn text(sides: &[Side], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..sides.len()).map(width).collect();
    rows.iter().map(|row| line(sides, &widths, row) + "\n").collect()
}

fn line(sides: &[Side], widths: &[usize], row: &[String]) -> String {
    let cells = row.iter().zip(sides).zip(widths).map(|((text, side), width)| {
        let space = " ".repeat(width.saturating_sub(text.width()));
        match side {
            Side::Left => format!("{text}{space}"),
            Side::Right => format!("{space}{text}"),
        }
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_line_up() {
        let rows = [["猫", "1"], ["dog", "22"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(text(&[Side::Left, Side::Right], &rows), "猫    1\ndog  22\n");
    }
}
