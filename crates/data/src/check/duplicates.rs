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
/// With how many others that share a piece of its hash a picture is compared: in a set of a million pictures that all look
/// alike, not all pairs can be.
const MOST_COMPARED: usize = 1000;

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
    let pairs = candidates(looks, &telling);
    let alike =
        pairs.into_iter().map(|(a, b)| (a, b, correlation(&looks[a].small, &looks[b].small)));
    let alike: Vec<(usize, usize, f32)> =
        alike.filter(|(_, _, correlation)| *correlation >= CORRELATIONS[0]).collect();
    let most = (looks.len() / PICTURES_A_PAIR).max(FEW_PAIRS);
    let count =
        |bound: f32| alike.iter().filter(|(_, _, correlation)| *correlation >= bound).count();
    let highest = CORRELATIONS[CORRELATIONS.len() - 1];
    let bound = CORRELATIONS.into_iter().find(|&bound| count(bound) <= most).unwrap_or(highest);
    let near = alike.into_iter().filter(|(_, _, correlation)| *correlation >= bound);
    near.map(|(a, b, _)| (a, b)).collect()
}

/// Pairs of these pictures whose hashes differ in at most [`MOST_BITS`] bits, in order.
fn candidates(looks: &[&Look], telling: &[usize]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for shift in (0..u64::BITS).step_by(PIECE as usize) {
        let piece = |at: usize| (looks[at].difference >> shift) as u16;
        let mut groups: HashMap<u16, Vec<usize>> = HashMap::new();
        telling.iter().for_each(|&at| groups.entry(piece(at)).or_default().push(at));
        for &a in telling {
            let flips = (0..PIECE).map(|bit| 1u16 << bit);
            let near =
                std::iter::once(0).chain(flips).filter_map(|flip| groups.get(&(piece(a) ^ flip)));
            for group in near {
                let later = group.partition_point(|&b| b <= a);
                let others = group[later..].iter().take(MOST_COMPARED);
                let bits = |b: usize| (looks[a].difference ^ looks[b].difference).count_ones();
                pairs.extend(others.filter(|&&b| bits(b) <= MOST_BITS).map(|&b| (a, b)));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
    }
    pairs
}

/// Pearson's correlation of two small copies, each channel without its mean.
fn correlation(a: &[u8; SMALL * SMALL * 3], b: &[u8; SMALL * SMALL * 3]) -> f32 {
    let (mut together, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for channel in 0..3 {
        let values = |copy: &'_ [u8]| -> Vec<f32> {
            let values: Vec<f32> =
                copy[channel..].iter().step_by(3).map(|&v| f32::from(v)).collect();
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            values.into_iter().map(|value| value - mean).collect()
        };
        for (a, b) in values(a).into_iter().zip(values(b)) {
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
        let alike = candidates(&all, &(0..looks.len()).collect::<Vec<_>>());
        let pairs = near_of(&looks);
        println!("{} candidates, {} pairs", alike.len(), pairs.len());
        assert!(alike.len() > 10 * pairs.len());
    }

    /// Whatever seven bits differ, a candidate is found.
    #[test]
    fn all_hashes_within_seven_bits_are_candidates() {
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
        let pairs = candidates(&looks, &[0, 1, 2, 3, 4, 5]);
        let with_first: Vec<usize> =
            pairs.iter().filter(|(a, _)| *a == 0).map(|(_, b)| *b).collect();
        assert_eq!(with_first, [1, 2, 3, 4]);
    }
}
