//! Letters of 5x9 pixels, drawn for this project: two rows for marks, five for small letters, two for what hangs below the line.
//! Capitals take the seven rows from the top.

/// Width of a letter in pixels.
pub const WIDTH: usize = 5;
/// Height of a line in pixels: a letter and a gap.
pub const HEIGHT: usize = 10;

/// The rows of a letter from the top; the highest of five bits is the left pixel.
pub type Glyph = [u8; 9];

/// A letter that is not drawn here.
const BOX: Glyph = tall([0b11111, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11111]);

/// The letters of a text. A mark that follows its letter (U+0300 to U+036F) is drawn with it.
#[must_use]
pub fn glyphs(text: &str) -> Vec<Glyph> {
    let mut glyphs: Vec<(char, Glyph)> = Vec::new();
    for letter in text.chars() {
        match (Mark::combining(letter), glyphs.last_mut()) {
            (Some(mark), Some((base, glyph))) => *glyph = marked(*base, mark),
            (None, Some(_)) if matches!(letter, '\u{300}'..='\u{36f}') => {}
            _ => glyphs.push((letter, glyph(letter))),
        }
    }
    glyphs.into_iter().map(|(_, glyph)| glyph).collect()
}

/// A letter: of Latin script, also with marks; a digit or a usual sign; a box for all others.
#[must_use]
pub fn glyph(letter: char) -> Glyph {
    match Mark::split(letter) {
        Some((base, mark)) => marked(base, mark),
        None => plain(letter).unwrap_or(BOX),
    }
}

/// What stands over or under a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Grave,
    Acute,
    Circumflex,
    Tilde,
    Macron,
    Breve,
    Dot,
    Diaeresis,
    Ring,
    DoubleAcute,
    Caron,
    Cedilla,
    Ogonek,
}

/// Each mark with the small letters that Unicode has with it, and these without it.
const MARKED: [(Mark, char, &str, &str); 13] = [
    (Mark::Grave, '\u{300}', "àèìòùǹ", "aeioun"),
    (Mark::Acute, '\u{301}', "áéíóúýćńśźĺŕ", "aeiouycnszlr"),
    (Mark::Circumflex, '\u{302}', "âêîôûĉĝĥĵŝŵŷ", "aeioucghjswy"),
    (Mark::Tilde, '\u{303}', "ãñõĩũ", "anoiu"),
    (Mark::Macron, '\u{304}', "āēīōū", "aeiou"),
    (Mark::Breve, '\u{306}', "ăĕğĭŏŭ", "aegiou"),
    (Mark::Dot, '\u{307}', "ċėġż", "cegz"),
    (Mark::Diaeresis, '\u{308}', "äëïöüÿ", "aeiouy"),
    (Mark::Ring, '\u{30a}', "åů", "au"),
    (Mark::DoubleAcute, '\u{30b}', "őű", "ou"),
    (Mark::Caron, '\u{30c}', "čďěňřšťžǎǐǒǔ", "cdenrstzaiou"),
    (Mark::Cedilla, '\u{327}', "çşţģķļņ", "cstgkln"),
    (Mark::Ogonek, '\u{328}', "ąęįų", "aeiu"),
];

impl Mark {
    fn combining(letter: char) -> Option<Self> {
        MARKED.iter().find(|row| row.1 == letter).map(|row| row.0)
    }

    /// A letter without its mark, and the mark. Commas below are drawn as cedillas; the dot of a capital I as that of any letter.
    fn split(letter: char) -> Option<(char, Self)> {
        match letter {
            'ș' => return Some(('s', Self::Cedilla)),
            'ț' => return Some(('t', Self::Cedilla)),
            'Ș' => return Some(('S', Self::Cedilla)),
            'Ț' => return Some(('T', Self::Cedilla)),
            'İ' => return Some(('I', Self::Dot)),
            _ => {}
        }
        let small = letter.to_lowercase().next()?;
        let base = |&(mark, _, with, without): &(Self, char, &str, &str)| {
            let at = with.chars().position(|marked| marked == small)?;
            Some((without.chars().nth(at)?, mark))
        };
        let (base, mark) = MARKED.iter().find_map(base)?;
        Some((if letter == small { base } else { base.to_ascii_uppercase() }, mark))
    }

    /// Two rows, and whether they stand below the letter.
    fn rows(self) -> ([u8; 2], bool) {
        match self {
            Self::Grave => ([0b01000, 0b00100], false),
            Self::Acute => ([0b00010, 0b00100], false),
            Self::Circumflex => ([0b00100, 0b01010], false),
            Self::Tilde => ([0b01101, 0b10110], false),
            Self::Macron => ([0b01110, 0b00000], false),
            Self::Breve => ([0b10001, 0b01110], false),
            Self::Dot => ([0b00100, 0b00000], false),
            Self::Diaeresis => ([0b01010, 0b00000], false),
            Self::Ring => ([0b00110, 0b00110], false),
            Self::DoubleAcute => ([0b00101, 0b01010], false),
            Self::Caron => ([0b01010, 0b00100], false),
            Self::Cedilla => ([0b00100, 0b01000], true),
            Self::Ogonek => ([0b00010, 0b00011], true),
        }
    }
}

/// A letter with a mark. Capitals make room for a mark above by leaving out two of their rows, small letters by leaving out their dot.
fn marked(base: char, mark: Mark) -> Glyph {
    let (rows, below) = mark.rows();
    let dotless = base == 'i' && !below;
    let mut glyph = plain(if dotless { 'ı' } else { base }).unwrap_or(BOX);
    if below {
        glyph[7..].copy_from_slice(&rows);
    } else if matches!(base, 'b' | 'd' | 'f' | 'h' | 'k' | 'l' | 't') || !base.is_lowercase() {
        let [first, second, _, fourth, _, sixth, seventh, ..] = glyph;
        glyph[2..7].copy_from_slice(&[first, second, fourth, sixth, seventh]);
        glyph[..2].copy_from_slice(&rows);
    } else {
        glyph[..2].copy_from_slice(&rows);
    }
    glyph
}

/// A letter of seven rows from the top.
const fn tall([a, b, c, d, e, f, g]: [u8; 7]) -> Glyph {
    [a, b, c, d, e, f, g, 0, 0]
}

/// A letter of seven rows from the third: a small one, and what hangs below.
const fn small([a, b, c, d, e, f, g]: [u8; 7]) -> Glyph {
    [0, 0, a, b, c, d, e, f, g]
}

/// A letter without marks, where it is drawn here.
#[rustfmt::skip]
fn plain(letter: char) -> Option<Glyph> {
    Some(match letter {
        '0' => tall([0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110]),
        '1' => tall([0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
        '2' => tall([0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111]),
        '3' => tall([0b01110, 0b10001, 0b00001, 0b00110, 0b00001, 0b10001, 0b01110]),
        '4' => tall([0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010]),
        '5' => tall([0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110]),
        '6' => tall([0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110]),
        '7' => tall([0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000]),
        '8' => tall([0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110]),
        '9' => tall([0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100]),
        'A' => tall([0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001]),
        'B' => tall([0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110]),
        'C' => tall([0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110]),
        'D' => tall([0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110]),
        'E' => tall([0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111]),
        'F' => tall([0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000]),
        'G' => tall([0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01111]),
        'H' => tall([0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001]),
        'I' => tall([0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
        'J' => tall([0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100]),
        'K' => tall([0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001]),
        'L' => tall([0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111]),
        'M' => tall([0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001]),
        'N' => tall([0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001, 0b10001]),
        'O' => tall([0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
        'P' => tall([0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000]),
        'Q' => tall([0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101]),
        'R' => tall([0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001]),
        'S' => tall([0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110]),
        'T' => tall([0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100]),
        'U' => tall([0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110]),
        'V' => tall([0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100]),
        'W' => tall([0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b11011, 0b10001]),
        'X' => tall([0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001]),
        'Y' => tall([0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100]),
        'Z' => tall([0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111]),
        'a' => small([0b01110, 0b00001, 0b01111, 0b10001, 0b01111, 0b00000, 0b00000]),
        'b' => tall([0b10000, 0b10000, 0b11110, 0b10001, 0b10001, 0b10001, 0b11110]),
        'c' => small([0b01110, 0b10001, 0b10000, 0b10001, 0b01110, 0b00000, 0b00000]),
        'd' => tall([0b00001, 0b00001, 0b01111, 0b10001, 0b10001, 0b10001, 0b01111]),
        'e' => small([0b01110, 0b10001, 0b11111, 0b10000, 0b01110, 0b00000, 0b00000]),
        'f' => tall([0b00110, 0b01001, 0b01000, 0b11100, 0b01000, 0b01000, 0b01000]),
        'g' => small([0b01111, 0b10001, 0b10001, 0b10001, 0b01111, 0b00001, 0b01110]),
        'h' => tall([0b10000, 0b10000, 0b11110, 0b10001, 0b10001, 0b10001, 0b10001]),
        'i' => tall([0b00100, 0b00000, 0b01100, 0b00100, 0b00100, 0b00100, 0b01110]),
        'j' => [0b00010, 0b00000, 0b00110, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100],
        'k' => tall([0b10000, 0b10000, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010]),
        'l' => tall([0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110]),
        'm' => small([0b11010, 0b10101, 0b10101, 0b10101, 0b10101, 0b00000, 0b00000]),
        'n' => small([0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b00000, 0b00000]),
        'o' => small([0b01110, 0b10001, 0b10001, 0b10001, 0b01110, 0b00000, 0b00000]),
        'p' => small([0b11110, 0b10001, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000]),
        'q' => small([0b01111, 0b10001, 0b10001, 0b10001, 0b01111, 0b00001, 0b00001]),
        'r' => small([0b10110, 0b11001, 0b10000, 0b10000, 0b10000, 0b00000, 0b00000]),
        's' => small([0b01111, 0b10000, 0b01110, 0b00001, 0b11110, 0b00000, 0b00000]),
        't' => tall([0b01000, 0b01000, 0b11100, 0b01000, 0b01000, 0b01001, 0b00110]),
        'u' => small([0b10001, 0b10001, 0b10001, 0b10011, 0b01101, 0b00000, 0b00000]),
        'v' => small([0b10001, 0b10001, 0b10001, 0b01010, 0b00100, 0b00000, 0b00000]),
        'w' => small([0b10001, 0b10101, 0b10101, 0b10101, 0b01010, 0b00000, 0b00000]),
        'x' => small([0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b00000, 0b00000]),
        'y' => small([0b10001, 0b10001, 0b10001, 0b10001, 0b01111, 0b00001, 0b01110]),
        'z' => small([0b11111, 0b00010, 0b00100, 0b01000, 0b11111, 0b00000, 0b00000]),
        'ı' => small([0b01100, 0b00100, 0b00100, 0b00100, 0b01110, 0b00000, 0b00000]),
        'ß' => tall([0b01100, 0b10010, 0b10010, 0b10110, 0b10001, 0b10001, 0b10110]),
        'æ' => small([0b11010, 0b00101, 0b01111, 0b10100, 0b01111, 0b00000, 0b00000]),
        'œ' => small([0b01010, 0b10101, 0b10111, 0b10100, 0b01011, 0b00000, 0b00000]),
        'ø' => small([0b01110, 0b10011, 0b10101, 0b11001, 0b01110, 0b00000, 0b00000]),
        'Ø' => tall([0b01110, 0b10011, 0b10011, 0b10101, 0b11001, 0b11001, 0b01110]),
        'Æ' => tall([0b01111, 0b10100, 0b10100, 0b11111, 0b10100, 0b10100, 0b10111]),
        'ł' => tall([0b01100, 0b00100, 0b00110, 0b00100, 0b01100, 0b00100, 0b01110]),
        'Ł' => tall([0b10000, 0b10000, 0b10100, 0b11000, 0b10000, 0b10000, 0b11111]),
        'đ' => tall([0b00010, 0b00111, 0b00010, 0b01110, 0b10010, 0b10010, 0b01110]),
        '-' | '–' | '—' => tall([0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000]),
        '=' => tall([0b00000, 0b00000, 0b11111, 0b00000, 0b11111, 0b00000, 0b00000]),
        '_' => tall([0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b11111]),
        '.' => tall([0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100]),
        ',' => tall([0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b00100, 0b01000]),
        ' ' => tall([0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000]),
        '/' => tall([0b00001, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b10000]),
        '(' => tall([0b00010, 0b00100, 0b01000, 0b01000, 0b01000, 0b00100, 0b00010]),
        ')' => tall([0b01000, 0b00100, 0b00010, 0b00010, 0b00010, 0b00100, 0b01000]),
        '+' => tall([0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000]),
        ':' => tall([0b00000, 0b01100, 0b01100, 0b00000, 0b01100, 0b01100, 0b00000]),
        ';' => tall([0b00000, 0b01100, 0b01100, 0b00000, 0b01100, 0b00100, 0b01000]),
        '!' => tall([0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00000, 0b00100]),
        '?' => tall([0b01110, 0b10001, 0b00001, 0b00110, 0b00100, 0b00000, 0b00100]),
        '\'' => tall([0b00100, 0b00100, 0b01000, 0b00000, 0b00000, 0b00000, 0b00000]),
        '"' => tall([0b01010, 0b01010, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000]),
        '&' => tall([0b01100, 0b10010, 0b10100, 0b01000, 0b10101, 0b10010, 0b01101]),
        '#' => tall([0b01010, 0b01010, 0b11111, 0b01010, 0b11111, 0b01010, 0b01010]),
        '%' => tall([0b11001, 0b11001, 0b00010, 0b00100, 0b01000, 0b10011, 0b10011]),
        '*' => tall([0b00000, 0b00100, 0b10101, 0b01110, 0b10101, 0b00100, 0b00000]),
        '@' => tall([0b01110, 0b10001, 0b10111, 0b10101, 0b10111, 0b10000, 0b01110]),
        '[' => tall([0b01110, 0b01000, 0b01000, 0b01000, 0b01000, 0b01000, 0b01110]),
        ']' => tall([0b01110, 0b00010, 0b00010, 0b00010, 0b00010, 0b00010, 0b01110]),
        '<' => tall([0b00010, 0b00100, 0b01000, 0b10000, 0b01000, 0b00100, 0b00010]),
        '>' => tall([0b01000, 0b00100, 0b00010, 0b00001, 0b00010, 0b00100, 0b01000]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(glyph: Glyph) -> Vec<String> {
        let row = |row: u8| format!("{row:05b}").replace('0', ".").replace('1', "#");
        glyph.into_iter().map(row).collect()
    }

    #[test]
    fn small_letters_differ_from_capitals() {
        for capital in 'A'..='Z' {
            let small = capital.to_ascii_lowercase();
            assert_ne!(glyph(capital), glyph(small), "{capital}");
            assert!(![glyph(capital), glyph(small)].contains(&BOX), "{capital}");
        }
    }

    #[test]
    fn every_sign_of_ascii_names_is_drawn() {
        for sign in "0123456789 -_.,:;!?'\"&#%*@[]<>()/+=".chars() {
            assert_ne!(glyph(sign), BOX, "{sign}");
        }
    }

    #[test]
    fn marks_stand_over_and_under_letters() {
        let a = [".#.#.", ".....", ".###.", "....#", ".####", "#...#", ".####", ".....", "....."];
        assert_eq!(drawn(glyph('ä')), a);
        let c = ["#...#", "#...#", "#...#"];
        assert_eq!(drawn(glyph('U'))[..3], c);
        assert_eq!(drawn(glyph('Ü'))[..3], [".#.#.", ".....", "#...#"]);
        assert_eq!(drawn(glyph('ç'))[6..], [".###.", "..#..", ".#..."]);
        for (.., with, without) in MARKED {
            assert_eq!(with.chars().count(), without.chars().count(), "{with}");
            for letter in
                with.chars().flat_map(|small| std::iter::once(small).chain(small.to_uppercase()))
            {
                assert_ne!(glyph(letter), BOX, "{letter}");
            }
        }
        for letter in "ßæœøØÆłŁđıİșțȘȚ–—".chars() {
            assert_ne!(glyph(letter), BOX, "{letter}");
        }
        assert_eq!([glyph('Ж'), glyph('木')], [BOX, BOX]);
    }

    /// Names of files on macOS have their marks behind the letters.
    #[test]
    fn a_mark_behind_its_letter_is_drawn_with_it() {
        assert_eq!(glyphs("a\u{308}b"), glyphs("äb"));
        assert_eq!(glyphs("E\u{301}"), glyphs("É"));
        assert_eq!(glyphs("n\u{34f}o"), glyphs("no"));
    }
}
