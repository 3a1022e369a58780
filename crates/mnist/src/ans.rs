//! Range asymmetric numeral systems (Duda, "Asymmetric numeral systems", 2013): the state of the coder is one number,
//! written and read in pieces of 16 bits. What is encoded last is decoded first.

/// Probabilities are multiples of 1 / 128: small tables stay in the cache, and for MNIST finer ones save less than one
/// byte in a hundred.
const PRECISION: u32 = 7;
/// All slots of a context.
pub const SLOTS: usize = 1 << PRECISION;
/// The state stays in 2^16..2^32.
const LOWEST: u32 = 1 << 16;

/// Bits of what a decoded token stands for.
const MEANING: u32 = 12;
/// Bits of a share.
const SHARE: u32 = 10;

/// For each slot of one context what is decoded there, in one number: what the token stands for, its share, and how far
/// into the share the slot lies.
pub type Slots = [u32; SLOTS];

/// The slots of a context with such shares; `meaning` says what a token stands for, in 12 bits. In a context that never
/// occurs all shares are 0.
#[must_use]
pub fn slots(shares: &[u16], meaning: impl Fn(usize) -> u16) -> Slots {
    let mut slots = [0; SLOTS];
    let mut rest = &mut slots[..];
    for (token, &share) in shares.iter().enumerate() {
        let count = usize::from(share).min(rest.len());
        let (of_token, after) = rest.split_at_mut(count);
        let token = u32::from(meaning(token)) | (count as u32) << MEANING;
        for (offset, slot) in (0..).zip(of_token) {
            *slot = token | offset << (MEANING + SHARE);
        }
        rest = after;
    }
    slots
}

/// Shares of 128 proportional to counts, at least 1 for each token that occurs.
#[must_use]
pub fn shares<const N: usize>(counts: &[u64; N]) -> [u16; N] {
    let total: u64 = counts.iter().sum();
    let slots = SLOTS as u64;
    let mut shares = counts.map(|count| match count {
        0 => 0,
        _ => ((count * slots + total / 2) / total).max(1) as u16,
    });
    if total == 0 {
        return shares;
    }
    // What rounding has added or lost goes to the largest share, where it matters least.
    loop {
        let excess = shares.iter().map(|&share| i64::from(share)).sum::<i64>() - slots as i64;
        if excess == 0 {
            return shares;
        }
        let largest = (0..N).max_by_key(|&token| shares[token]).unwrap_or(0);
        shares[largest] = (i64::from(shares[largest]) - excess).max(1) as u16;
    }
}

/// Collects tokens in the order in which they are to be decoded.
#[derive(Debug, Default)]
pub struct Encoder {
    /// First slot and share of each.
    steps: Vec<(u32, u32)>,
}

impl Encoder {
    /// Adds a token of a context with such shares.
    pub fn token(&mut self, shares: &[u16], token: usize) {
        let low = shares[..token].iter().map(|&share| u32::from(share)).sum();
        self.steps.push((low, shares[token].into()));
    }

    /// The encoded bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let (mut state, mut words) = (LOWEST, Vec::new());
        for (low, share) in self.steps.into_iter().rev() {
            let most = u64::from(LOWEST >> PRECISION << 16) * u64::from(share);
            if u64::from(state) >= most {
                words.push(state as u16);
                state >>= 16;
            }
            state = ((state / share) << PRECISION) + state % share + low;
        }
        words.extend([state as u16, (state >> 16) as u16]);
        words.iter().rev().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Reads tokens. Past the end of its bytes it reads zeros; a checksum tells.
#[derive(Debug)]
pub struct Decoder<'a> {
    state: u32,
    words: &'a [[u8; 2]],
    at: usize,
}

impl<'a> Decoder<'a> {
    /// Starts at the beginning of what [`Encoder::finish`] wrote.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { state: 0, words: bytes.as_chunks().0, at: 0 };
        decoder.state = decoder.next_word() << 16;
        decoder.at = 1;
        decoder.state |= decoder.next_word();
        decoder.at = 2;
        decoder
    }

    #[inline]
    fn next_word(&self) -> u32 {
        self.words.get(self.at).map_or(0, |&word| u16::from_le_bytes(word).into())
    }

    /// What the next token stands for.
    #[inline]
    pub fn token(&mut self, slots: &Slots) -> u32 {
        let slot = slots[(self.state % SLOTS as u32) as usize];
        let share = slot >> MEANING & ((1 << SHARE) - 1);
        let state = share.wrapping_mul(self.state >> PRECISION) + (slot >> (MEANING + SHARE));
        // No branch: whether a word is due can hardly be foretold.
        let due = u32::from(state < LOWEST);
        self.state = state << (16 * due) | self.next_word() & due.wrapping_neg();
        self.at += due as usize;
        slot & ((1 << MEANING) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1/3 and 2/3 of 128, rounded; what occurs at all keeps at least one slot.
    #[test]
    fn shares_add_up_and_none_vanishes() {
        assert_eq!(shares(&[1, 2, 0]), [43, 85, 0]);
        assert_eq!(shares(&[0, 1_000_000, 1]), [0, 127, 1]);
        assert_eq!(shares(&[0; 3]), [0; 3]);
        assert_eq!(shares(&[1; 29]).iter().sum::<u16>(), 128);
    }

    fn meaning(token: usize) -> u16 {
        4000 + token as u16
    }

    #[test]
    fn tokens_come_back_in_order() {
        let shares = shares(&[70, 0, 25, 5]);
        let tokens: Vec<usize> = (0..1000).map(|i| [0, 2, 0, 3, 0][i * i % 5]).collect();
        let mut encoder = Encoder::default();
        tokens.iter().for_each(|&token| encoder.token(&shares, token));
        let (bytes, slots) = (encoder.finish(), slots(&shares, meaning));
        let mut decoder = Decoder::new(&bytes);
        for &token in &tokens {
            assert_eq!(decoder.token(&slots), u32::from(meaning(token)));
        }
    }

    /// A thousand draws of 1 in 8 cost 0.544 bits each (Shannon), and the state 32 bits.
    #[test]
    fn the_length_is_near_the_entropy() {
        let shares = shares(&[7, 1]);
        let mut encoder = Encoder::default();
        (0..8000).for_each(|i| encoder.token(&shares, usize::from(i % 8 == 0)));
        let bits = 8 * encoder.finish().len();
        assert!((4348..4348 + 64).contains(&bits), "{bits}");
    }

    /// A token that is certain costs nothing and changes nothing.
    #[test]
    fn certainty_costs_no_bits() {
        let mut encoder = Encoder::default();
        (0..1000).for_each(|_| encoder.token(&[128], 0));
        assert_eq!(encoder.finish(), [1, 0, 0, 0]);
    }

    #[test]
    fn the_end_of_the_bytes_is_no_panic() {
        let slots = slots(&shares(&[1, 1]), meaning);
        let mut decoder = Decoder::new(&[1]);
        (0..100).for_each(|_| assert!((4000..4002).contains(&decoder.token(&slots))));
    }
}
