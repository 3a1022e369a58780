//! Range asymmetric numeral systems (Duda, "Asymmetric numeral systems", 2013): the state of the coder is one number,
//! written and read in pieces of 16 bits. What is encoded last is decoded first.

/// Probabilities are multiples of 2^-12.
const PRECISION: u32 = 12;
/// The state stays in 2^16..2^32.
const LOWEST: u32 = 1 << 16;

/// Probabilities of tokens 0..N in one context, as upper bounds of their shares of 0..4096; ascending.
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    upper: [i16; N],
}

impl<const N: usize> Table<N> {
    /// From each token's share; shares add up to 4096, or are all 0 in a context that never occurs.
    #[must_use]
    pub fn new(shares: [u16; N]) -> Self {
        let mut sum = 0;
        Self {
            upper: shares.map(|share| {
                sum += share;
                sum as i16
            }),
        }
    }

    /// A token's first slot and number of slots.
    fn share(&self, token: usize) -> (u32, u32) {
        let low = if token == 0 { 0 } else { self.upper[token - 1] as u32 };
        (low, self.upper[token] as u32 - low)
    }

    /// The token whose share `slot` lies in.
    fn token(&self, slot: i16) -> usize {
        // No early exit: the compiler makes this a few vector comparisons.
        let below: i16 = self.upper.iter().map(|&upper| i16::from(upper <= slot)).sum();
        (below as usize).min(N - 1)
    }
}

/// Shares of 4096 proportional to counts, at least 1 for each token that occurs.
#[must_use]
pub fn shares<const N: usize>(counts: &[u64; N]) -> [u16; N] {
    let total: u64 = counts.iter().sum();
    let slots = 1u64 << PRECISION;
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

/// One thing to encode: its first slot, its number of slots, and the logarithm of all slots.
#[derive(Clone, Copy, Debug)]
struct Step {
    low: u32,
    size: u32,
    precision: u32,
}

/// Collects tokens and bits in the order in which they are to be decoded.
#[derive(Debug, Default)]
pub struct Encoder {
    steps: Vec<Step>,
}

impl Encoder {
    /// Adds a token.
    pub fn token<const N: usize>(&mut self, table: &Table<N>, token: usize) {
        let (low, size) = table.share(token);
        self.steps.push(Step { low, size, precision: PRECISION });
    }

    /// Adds `count` bits, all values of which are taken as equally likely.
    pub fn bits(&mut self, value: u32, count: u32) {
        self.steps.push(Step { low: value, size: 1, precision: count });
    }

    /// The encoded bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let (mut state, mut words) = (LOWEST, Vec::new());
        for Step { low, size, precision } in self.steps.into_iter().rev() {
            let most = u64::from(LOWEST >> precision << 16) * u64::from(size);
            if u64::from(state) >= most {
                words.push(state as u16);
                state >>= 16;
            }
            state = ((state / size) << precision) + state % size + low;
        }
        words.extend([state as u16, (state >> 16) as u16]);
        words.iter().rev().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// Reads tokens and bits. Past the end of its bytes it reads zeros; a checksum tells.
#[derive(Debug)]
pub struct Decoder<'a> {
    state: u32,
    words: std::slice::Iter<'a, [u8; 2]>,
}

impl<'a> Decoder<'a> {
    /// Starts at the beginning of what [`Encoder::finish`] wrote.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { state: 0, words: bytes.as_chunks().0.iter() };
        decoder.state = decoder.word() << 16 | decoder.word();
        decoder
    }

    fn word(&mut self) -> u32 {
        self.words.next().map_or(0, |&word| u16::from_le_bytes(word).into())
    }

    /// The next token.
    #[inline]
    pub fn token<const N: usize>(&mut self, table: &Table<N>) -> usize {
        let slot = self.state & ((1 << PRECISION) - 1);
        let token = table.token(slot as i16);
        let (low, size) = table.share(token);
        self.advance(
            (self.state >> PRECISION).wrapping_mul(size).wrapping_add(slot - low.min(slot)),
        );
        token
    }

    /// The next `count` bits.
    #[inline]
    pub fn bits(&mut self, count: u32) -> u32 {
        let value = self.state & ((1 << count) - 1);
        self.advance(self.state >> count);
        value
    }

    #[inline]
    fn advance(&mut self, state: u32) {
        self.state = if state < LOWEST { state << 16 | self.word() } else { state };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1/3 and 2/3 of 4096, rounded; what occurs at all keeps at least one slot.
    #[test]
    fn shares_add_up_and_none_vanishes() {
        assert_eq!(shares(&[1, 2, 0]), [1365, 2731, 0]);
        assert_eq!(shares(&[0, 1_000_000, 1]), [0, 4095, 1]);
        assert_eq!(shares(&[0; 3]), [0; 3]);
        assert_eq!(shares(&[1; 29]).iter().sum::<u16>(), 4096);
    }

    #[test]
    fn tokens_and_bits_come_back_in_order() {
        let table = Table::new(shares(&[70, 0, 25, 5]));
        let tokens: Vec<usize> = (0..1000).map(|i| [0, 2, 0, 3, 0][i * i % 5]).collect();
        let mut encoder = Encoder::default();
        for (i, &token) in tokens.iter().enumerate() {
            encoder.token(&table, token);
            encoder.bits(i as u32 % 16, 4);
        }
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        for (i, &token) in tokens.iter().enumerate() {
            assert_eq!((decoder.token(&table), decoder.bits(4)), (token, i as u32 % 16));
        }
    }

    /// A thousand draws of 1 in 8 cost 0.544 bits each (Shannon), and the state 32 bits.
    #[test]
    fn the_length_is_near_the_entropy() {
        let table = Table::new(shares(&[7, 1]));
        let mut encoder = Encoder::default();
        (0..8000).for_each(|i| encoder.token(&table, usize::from(i % 8 == 0)));
        let bits = 8 * encoder.finish().len();
        assert!((4348..4348 + 64).contains(&bits), "{bits}");
    }

    #[test]
    fn the_end_of_the_bytes_is_no_panic() {
        let table = Table::new(shares(&[1, 1]));
        let mut decoder = Decoder::new(&[1]);
        (0..100).for_each(|_| assert!(decoder.token(&table) < 2));
    }
}
