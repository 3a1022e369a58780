//! Pictures that are the same, or nearly.
//!
//! Near duplicates are found by their difference hash (dHash, 64 bits; Krawetz 2013): candidates differ in at most seven bits.
//! They are confirmed when their 12x12 colour copies, each channel without its mean, correlate by at least 0.96. So a picture that was
//! saved again, made smaller, moved by a little, brightened or tinted is found; one that was turned or mirrored is not.
//!
//! In some sets all pictures are alike: digits, garments, faces of one person. There the bound rises until at most one pair for a
//! hundred pictures is left, for more would be what the set is like rather than what is wrong with it. Pictures with hardly any
//! steps between bright and dark have no such hash and are left out. See `docs/decisions/near-duplicates.md` for what was measured.

use std::collections::HashMap;

use super::look::{Look, SMALL};

/// Bits in which the hashes of near duplicates may differ.
const MOST_BITS: u32 = 7;
/// Width of the pieces of a hash: of four pieces, one at least differs by no more than a bit where seven bits differ.
const PIECE: u32 = 16;
/// The least correlation of the small copies, and what it rises to where there are too many pairs.
const CORRELATIONS: [f32; 6] = [0.96, 0.97, 0.98, 0.985, 0.99, 0.995];
/// For so many pictures there may be one pair.
const PICTURES_A_PAIR: usize = 100;
/// So many pairs there may be in any set.
const FEW_PAIRS: usize = 10;
/// The least number of steps between bright and dark, of 64, that makes a hash mean something.
const TELLING: u8 = 48;
/// The least contrast of a picture that is not blank, in grey levels.
pub(super) const CONTRAST: u8 = 12;
/// With how many others a picture's hash is compared that have the same piece, or one with a certain bit flipped; how many of those
/// within reach have their copies compared, the nearest first; and how many pairs are kept. In a set of a million pictures that all
/// look alike, not all pairs can be.
const MOST_COMPARED: usize = 1000;
const MOST_CORRELATED: usize = 32;
const MOST_KEPT: usize = 8;

/// Groups of pictures that are the same, by index, each of two or more, in the order of their first.
pub(super) fn exact(looks: &[&Look]) -> Vec<Vec<usize>> {
    let mut groups: HashMap<[u64; 2], Vec<usize>> = HashMap::new();
    for (at, look) in looks.iter().enumerate() {
        groups.entry(look.exact).or_default().push(at);
    }
    let mut groups: Vec<Vec<usize>> =
        groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    groups
}

/// Pairs of pictures that are nearly the same but not the same; of each group of the same, only the first counts.
pub(super) fn near(looks: &[&Look], same: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let mut counts = vec![true; looks.len()];
    same.iter().flat_map(|group| &group[1..]).for_each(|&at| counts[at] = false);
    let telling = |at: &usize| counts[*at] && looks[*at].telling >= TELLING;
    let telling: Vec<usize> = (0..looks.len()).filter(telling).collect();
    let alike = alike(looks, &telling);
    let most = (looks.len() / PICTURES_A_PAIR).max(FEW_PAIRS);
    let count =
        |bound: f32| alike.iter().filter(|(_, _, correlation)| *correlation >= bound).count();
    let highest = CORRELATIONS[CORRELATIONS.len() - 1];
    let bound = CORRELATIONS.into_iter().find(|&bound| count(bound) <= most).unwrap_or(highest);
    let near = alike.into_iter().filter(|(_, _, correlation)| *correlation >= bound);
    near.map(|(a, b, _)| (a, b)).collect()
}

/// Pairs of these pictures whose hashes are near and whose copies correlate by at least the lowest bound, in order.
fn alike(looks: &[&Look], telling: &[usize]) -> Vec<(usize, usize, f32)> {
    let mut pairs = Vec::new();
    for shift in (0..u64::BITS).step_by(PIECE as usize) {
        let piece = |at: usize| (looks[at].difference >> shift) as u16;
        let mut groups: HashMap<u16, Vec<usize>> = HashMap::new();
        telling.iter().for_each(|&at| groups.entry(piece(at)).or_default().push(at));
        for &a in telling {
            let flips = std::iter::once(0).chain((0..PIECE).map(|bit| 1u16 << bit));
            let sharing = flips.filter_map(|flip| groups.get(&(piece(a) ^ flip)));
            let near = sharing.flat_map(|group| nearest(looks, a, group));
            let mut near: Vec<(u32, usize)> = near.collect();
            near.sort_unstable();
            let correlated = near
                .into_iter()
                .take(MOST_CORRELATED)
                .map(|(_, b)| (a, b, correlation(&looks[a].small, &looks[b].small)));
            pairs.extend(correlated.filter(|pair| pair.2 >= CORRELATIONS[0]).take(MOST_KEPT));
        }
        pairs.sort_unstable_by_key(|&(a, b, _)| (a, b));
        pairs.dedup_by_key(|&mut (a, b, _)| (a, b));
    }
    pairs
}

/// Those of a group behind `a` whose hashes differ from its own in at most [`MOST_BITS`] bits, each with their number.
fn nearest(looks: &[&Look], a: usize, group: &[usize]) -> impl Iterator<Item = (u32, usize)> {
    let later = group.partition_point(|&b| b <= a);
    let bits = move |b: usize| (looks[a].difference ^ looks[b].difference).count_ones();
    let others = group[later..].iter().take(MOST_COMPARED).map(move |&b| (bits(b), b));
    others.filter(|(bits, _)| *bits <= MOST_BITS)
}

/// Pearson's correlation of two small copies, each channel without its mean.
fn correlation(a: &[u8; SMALL * SMALL * 3], b: &[u8; SMALL * SMALL * 3]) -> f32 {
    let (mut together, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    let mean = |copy: &[u8], channel: usize| {
        let values = copy[channel..].iter().step_by(3).map(|&value| u32::from(value));
        values.sum::<u32>() as f32 / (SMALL * SMALL) as f32
    };
    for channel in 0..3 {
        let (mean_a, mean_b) = (mean(a, channel), mean(b, channel));
        for (&a, &b) in a[channel..].iter().zip(&b[channel..]).step_by(3) {
            let (a, b) = (f32::from(a) - mean_a, f32::from(b) - mean_b);
            together += a * b;
            of_a += a * a;
            of_b += b * b;
        }
    }
    together / (of_a * of_b).sqrt().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImageShape, Picture, StoredPicture};
    use percept_kernels::random::{Draws, Purpose};

    #[test]
    fn correlation_by_hand() {
        let (mut a, mut b) = ([7; SMALL * SMALL * 3], [90; SMALL * SMALL * 3]);
        assert_eq!(correlation(&a, &b), 0.0);
        // Two pixels of one channel leave the mean: deviations of 144 values, (d, e) from (0, 0), multiply to
        // d1 e1 + d2 e2 - (d1 + d2)(e1 + e2) / 144.
        (a[0], a[3]) = (7 + 10, 7 + 20);
        (b[0], b[3]) = (90 + 30, 90 - 10);
        let product = |d: [f32; 2], e: [f32; 2]| {
            d[0] * e[0] + d[1] * e[1] - (d[0] + d[1]) * (e[0] + e[1]) / 144.0
        };
        let (d, e) = ([10.0, 20.0], [30.0, -10.0]);
        let expected = product(d, e) / (product(d, d) * product(e, e)).sqrt();
        assert!((correlation(&a, &b) - expected).abs() < 1e-6);
    }

    /// A picture of blocks of random levels from 40 to 199.
    fn look(seed: u64, change: impl Fn(u8) -> u8) -> Look {
        let mut draws = Draws::new(seed, Purpose::Test, 0, 0);
        let levels: Vec<u8> = (0..9 * 8).map(|_| 40 + draws.below(160) as u8).collect();
        let level = |at: usize| change(levels[at / 36 / 4 * 9 + at % 36 / 4]);
        let pixels = (0..36 * 32).map(level).collect();
        let picture = Picture::new(ImageShape::grey(32, 36), pixels).unwrap();
        let stored = StoredPicture { picture, format: "pixels", mode: "grey", turned: false };
        Look::at(&stored, 0)
    }

    fn near_of(looks: &[Look]) -> Vec<(usize, usize)> {
        let looks: Vec<&Look> = looks.iter().collect();
        near(&looks, &exact(&looks))
    }

    #[test]
    fn brighter_and_dimmer_copies_are_found_and_others_are_not() {
        let mut looks: Vec<Look> = (0..50).map(|seed| look(seed, |level| level)).collect();
        assert!(looks.iter().all(|look| look.telling >= TELLING));
        assert_eq!(near_of(&looks), []);
        looks.push(look(7, |level| level + 30));
        looks.push(look(9, |level| level / 2));
        looks.push(look(11, |level| 255 - level));
        looks.push(look(13, |level| level));
        // The last is the same, not nearly; the one before is its negative.
        assert_eq!(near_of(&looks), [(7, 50), (9, 51)]);
    }

    /// What all pictures of a set have in common makes none of them a duplicate.
    #[test]
    fn in_a_set_of_like_pictures_the_bound_rises() {
        let noisy =
            |at: u8| move |level: u8| level + (level.wrapping_mul(at.wrapping_mul(29)) % 24);
        let looks: Vec<Look> = (1..60).map(|at| look(3, noisy(at))).collect();
        let all: Vec<&Look> = looks.iter().collect();
        let (alike, pairs) = (alike(&all, &Vec::from_iter(0..looks.len())), near_of(&looks));
        println!("{} alike, {} pairs", alike.len(), pairs.len());
        assert!(alike.len() > 10 * pairs.len() && alike.len() <= 4 * MOST_KEPT * looks.len());
    }

    /// Whatever seven bits differ, the pair is found.
    #[test]
    fn all_hashes_within_seven_bits_are_compared() {
        let mut looks = vec![look(1, |level| level)];
        for flips in [
            0x7f,
            0x8040_2010_0804_0201 & 0x00ff_ffff_ffff_fffe,
            0x0101_0101_0101_0100,
            3 << 62 | 3 << 40 | 3 << 20 | 1,
        ] {
            let mut other = looks[0].clone();
            other.difference ^= flips;
            looks.push(other);
        }
        let mut far = looks[0].clone();
        far.difference ^= 0xff00_0000;
        looks.push(far);
        let looks: Vec<&Look> = looks.iter().collect();
        let pairs = alike(&looks, &[0, 1, 2, 3, 4, 5]);
        let with_first: Vec<usize> =
            pairs.iter().filter(|pair| pair.0 == 0).map(|pair| pair.1).collect();
        assert_eq!(with_first, [1, 2, 3, 4]);
    }
}
