//! The signs of a number, three pixels wide and five high.

/// Each pixel of a sign becomes a square of this side.
pub(super) const ZOOM: usize = 2;
/// Height of a line.
pub(super) const HEIGHT: usize = 5 * ZOOM;

/// Width of a text.
pub(super) fn width(text: &str) -> usize {
    (text.chars().count() * 4).saturating_sub(1) * ZOOM
}

/// A sign's rows, the leftmost pixel in the highest of three bits.
pub(super) fn rows(sign: char) -> [u8; 5] {
    match sign {
        '0' => [0b111, 0b101, 0b101, 0b101, 0b111],
        '1' => [0b010, 0b110, 0b010, 0b010, 0b111],
        '2' => [0b111, 0b001, 0b111, 0b100, 0b111],
        '3' => [0b111, 0b001, 0b111, 0b001, 0b111],
        '4' => [0b101, 0b101, 0b111, 0b001, 0b001],
        '5' => [0b111, 0b100, 0b111, 0b001, 0b111],
        '6' => [0b111, 0b100, 0b111, 0b101, 0b111],
        '7' => [0b111, 0b001, 0b010, 0b010, 0b010],
        '8' => [0b111, 0b101, 0b111, 0b101, 0b111],
        '9' => [0b111, 0b101, 0b111, 0b001, 0b111],
        '.' => [0, 0, 0, 0, 0b010],
        '-' => [0, 0, 0b111, 0, 0],
        _ => [0; 5],
    }
}
