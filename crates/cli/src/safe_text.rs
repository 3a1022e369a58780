//! Text from outside, made safe for a terminal.

/// The text with everything replaced that could move the cursor, change colours or turn the line around. Line ends and
/// tabs are kept where `lines` is true.
fn clean(text: &str, lines: bool) -> String {
    let replace = |c: char| match c {
        '\n' | '\t' if lines => c,
        _ if c.is_control() || is_bidi(c) => char::REPLACEMENT_CHARACTER,
        _ => c,
    };
    text.chars().map(replace).collect()
}

/// Outside text (a file name, a class name) that stays on its line.
pub(crate) fn one_line(text: &str) -> String {
    clean(text, false)
}

/// Outside text of several lines, such as an error message that quotes a file.
pub(crate) fn lines(text: &str) -> String {
    clean(text, true)
}

/// Characters that reorder what follows them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_cannot_be_led_astray() {
        assert_eq!(one_line("a\x1b[2J\nb\u{202E}猫"), "a\u{FFFD}[2J\u{FFFD}b\u{FFFD}猫");
        assert_eq!(lines("1 | x\n\t^\r"), "1 | x\n\t^\u{FFFD}");
    }
}
