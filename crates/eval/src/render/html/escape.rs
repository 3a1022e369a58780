//! Outside text made safe for HTML.

use crate::render::table::is_bidi;
use std::fmt::Write;

/// The text for HTML content or a quoted attribute. Control characters and those that hide or reorder text become
/// their number: a name that holds `U+202E` reads `⟨U+202E⟩`.
pub(super) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() || is_bidi(c) || is_invisible(c) => {
                let _ = write!(safe, "⟨U+{:04X}⟩", u32::from(c));
            }
            c => safe.push(c),
        }
        safe
    })
}

/// Characters without ink by which two names could look alike. The joiners U+200C and U+200D are none of them: some
/// scripts and emoji are written with them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{61C}' | '\u{200B}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}'
    ) || matches!(c, '\u{206A}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(
            escape("<img src=x onerror='a(\"&\")'>"),
            "&lt;img src=x onerror=&#39;a(&quot;&amp;&quot;)&#39;&gt;"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(escape("a\u{202E}b\0\n"), "a⟨U+202E⟩b⟨U+0000⟩⟨U+000A⟩");
        assert_eq!(escape("\u{200B}\u{61C}\u{E0041}"), "⟨U+200B⟩⟨U+061C⟩⟨U+E0041⟩");
    }

    #[test]
    fn letters_of_all_scripts_stay() {
        for text in ["naïve 猫 قطة", "👩\u{200D}🔬", "می\u{200C}خواهم"] {
            assert_eq!(escape(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_can_end_its_place(text: String) {
            let safe = escape(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            prop_assert!(!safe.chars().any(|c| c.is_control() || is_bidi(c)));
        }
    }
}
