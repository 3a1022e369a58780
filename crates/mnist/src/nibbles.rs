//! Half bytes in a row, two to a byte, the first in the low half.

/// Packs half bytes.
#[must_use]
pub fn pack(halves: &[u8]) -> Vec<u8> {
    halves.chunks(2).map(|two| two[0] | two.get(1).unwrap_or(&0) << 4).collect()
}

/// Reads half bytes. Past the end it reads zeros.
#[derive(Debug)]
pub struct Nibbles<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Nibbles<'a> {
    /// Starts at the beginning of what [`pack`] wrote.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next half byte where `count` is 1; 0, and nothing is read, where it is 0.
    #[inline]
    pub fn next(&mut self, count: u32) -> u8 {
        let byte = self.bytes.get(self.at / 2).copied().unwrap_or(0);
        let half = byte >> (self.at % 2 * 4) & 15;
        self.at += count as usize;
        half & (count as u8).wrapping_neg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_come_back_one_at_a_time_or_not_at_all() {
        let bytes = pack(&[1, 15, 7]);
        assert_eq!(bytes, [0xf1, 0x07]);
        let mut halves = Nibbles::new(&bytes);
        let read: Vec<u8> = [1, 0, 1, 1, 0, 1, 1].map(|count| halves.next(count)).to_vec();
        assert_eq!(read, [1, 0, 15, 7, 0, 0, 0]);
    }
}
