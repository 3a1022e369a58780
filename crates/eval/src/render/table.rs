//! Columns that line up in a terminal, whatever script the names are written in.

use unicode_width::UnicodeWidthStr;

/// Which side of a column its cells keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Makes a name safe for one cell: characters that could move the cursor or turn the line around become U+FFFD, and
/// what is wider than `width` columns is cut with an ellipsis.
pub(super) fn cell(name: &str, width: usize) -> String {
    let clean: String =
        name.chars().map(|c| if c.is_control() || is_bidi(c) { '\u{FFFD}' } else { c }).collect();
    if clean.width() <= width {
        return clean;
    }
    let mut cut = String::new();
    for c in clean.chars() {
        cut.push(c);
        if cut.width() >= width {
            cut.pop();
            break;
        }
    }
    cut.push('…');
    cut
}

/// Characters that reorder what follows them, and so could turn a row of numbers around.
pub(super) fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Lines of `rows`, each column as wide as its widest cell and two spaces from the next, no spaces at the ends.
pub(super) fn lines(sides: &[Side], rows: &[Vec<String>]) -> Vec<String> {
    let widths: Vec<usize> = (0..sides.len())
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|c| c.width()).max().unwrap_or(0)
        })
        .collect();
    rows.iter().map(|row| line(sides, &widths, row)).collect()
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
    fn wide_and_combining_letters_line_up() {
        let rows = [["猫", "1"], ["cafe\u{301}", "22"], ["d", "333"]]
            .map(|row| row.map(str::to_owned).to_vec());
        let lines = lines(&[Side::Left, Side::Right], &rows);
        assert_eq!(lines, ["猫      1", "cafe\u{301}   22", "d     333"]);
    }

    #[test]
    fn long_names_are_cut_by_columns() {
        assert_eq!(cell("abcdef", 6), "abcdef");
        assert_eq!(cell("abcdefg", 6), "abcde…");
        assert_eq!(cell("猫猫猫猫", 6), "猫猫…");
        assert_eq!(cell("", 6), "");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(cell("a\x1b[2J\nb", 20), "a\u{FFFD}[2J\u{FFFD}b");
        assert_eq!(cell("a\u{202E}b", 20), "a\u{FFFD}b");
    }
}
