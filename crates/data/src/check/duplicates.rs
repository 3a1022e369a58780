//! Pictures that are the same, or nearly.
//!
//! Near duplicates are found by their difference hash (dHash, 64 bits; Krawetz 2013): candidates differ in at most seven bits.
//! They are confirmed when their 12x12 colour copies, each channel without its mean, correlate much more than pictures of this set do.
//! So a picture that was saved again, made smaller, brightened or tinted is found; one that was turned or mirrored is not.
//!
//! In some sets all pictures are alike: digits, garments, X-rays, faces of one person. So each picture is held against a sample of the
//! set, and a pair counts when the two are at least eight times as near to each other (by one minus the correlation) as either is to the
//! third nearest of the sample. A pair's bound depends on what the set is like, not on how many pairs there are: more copies are never
//! fewer findings. Pictures with hardly any steps between bright and dark have no such hash and are left out. See
//! `docs/decisions/near-duplicates.md` for what was measured.

use std::collections::HashMap;

use super::look::{Look, SMALL};
use crate::{Decoding, Doing};

/// Bits in which the hashes of near duplicates may differ.
const MOST_BITS: u32 = 7;
/// Width of the pieces of a hash: of four pieces, one at least differs by no more than a bit where seven bits differ.
const PIECE: u32 = 16;
/// The least correlation of the small copies of near duplicates in any set.
const LEAST_CORRELATION: f64 = 0.96;
/// From this correlation on two pictures count in any set, however alike its pictures are.
const CERTAIN: f64 = 0.995;
/// Near duplicates are at most this share as far from each other as from the [`ORDINARY`]-th nearest of the sample.
const NEARER: f64 = 0.125;
/// The third nearest, so that two copies in the sample do not pass for what the set is like.
const ORDINARY: usize = 3;
/// One of so many pictures is in the sample, within these limits.
const PICTURES_A_SAMPLE: usize = 8;
const SAMPLE: [usize; 2] = [200, 1000];
/// The least number of steps between bright and dark, of 64, that makes a hash mean something.
const TELLING: u8 = 48;
/// The least contrast of a picture that is not blank, in grey levels.
pub(super) const CONTRAST: u8 = 12;
/// With how many others a picture's hash is compared that have the same piece, or one with a certain bit flipped; how many of those
/// within reach have their copies compared, the nearest first; and how many pairs are kept, the most alike. In a set of a million
/// pictures that all look alike, not all pairs can be.
const MOST_COMPARED: usize = 1000;
const MOST_CORRELATED: usize = 32;
const MOST_KEPT: usize = 8;

/// What was found of pictures that are nearly the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Near {
    /// Pairs, by index.
    pub pairs: Vec<(usize, usize)>,
    /// Further pairs that look alike, but no more than pictures of this set do.
    pub ordinary: usize,
}

/// Two pictures and the correlation of their small copies.
type Alike = (usize, usize, f64);

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
pub(super) fn near(looks: &[&Look], same: &[Vec<usize>], threads: usize) -> Near {
    let mut counts = vec![true; looks.len()];
    same.iter().flat_map(|group| &group[1..]).for_each(|&at| counts[at] = false);
    let telling = |at: &usize| counts[*at] && looks[*at].telling >= TELLING;
    let telling: Vec<usize> = (0..looks.len()).filter(telling).collect();
    let copies: Vec<Copy<'_>> = looks.iter().map(|look| Copy::new(&look.small)).collect();
    let decoding = Decoding::from(threads);
    let alike = alike(looks, &copies, &telling, &decoding);
    let bounds = bounds(&copies, &telling, &alike, &decoding);
    let found = alike.iter().zip(bounds).filter(|((_, _, found), bound)| found >= bound);
    let pairs: Vec<(usize, usize)> = found.map(|(&(a, b, _), _)| (a, b)).collect();
    Near { ordinary: alike.len() - pairs.len(), pairs }
}

/// Pairs of these pictures whose hashes are near and whose copies correlate by at least the lowest bound, in order.
fn alike(
    looks: &[&Look],
    copies: &[Copy<'_>],
    telling: &[usize],
    decoding: &Decoding,
) -> Vec<Alike> {
    let mut pairs = Vec::new();
    for shift in (0..u64::BITS).step_by(PIECE as usize) {
        let piece = |at: usize| (looks[at].difference >> shift) as u16;
        let mut groups: HashMap<u16, Vec<usize>> = HashMap::new();
        telling.iter().for_each(|&at| groups.entry(piece(at)).or_default().push(at));
        let found = decoding.map(Doing::Looking, telling, |&a| {
            let flips = std::iter::once(0).chain((0..PIECE).map(|bit| 1u16 << bit));
            let sharing = flips.filter_map(|flip| groups.get(&(piece(a) ^ flip)));
            most_alike(copies, a, sharing.flat_map(|group| nearest(looks, a, group)).collect())
        });
        pairs.extend(found.into_iter().flatten());
        pairs.sort_unstable_by_key(|&(a, b, _)| (a, b));
        pairs.dedup_by_key(|&mut (a, b, _)| (a, b));
    }
    pairs
}

/// Of some pictures with near hashes, those that are the most alike to `a`.
fn most_alike(copies: &[Copy<'_>], a: usize, mut near: Vec<(u32, usize)>) -> Vec<Alike> {
    near.sort_unstable();
    near.truncate(MOST_CORRELATED);
    let pairs = near.into_iter().map(|(_, b)| (a, b, copies[a].correlation(&copies[b])));
    let mut pairs: Vec<Alike> = pairs.filter(|pair| pair.2 >= LEAST_CORRELATION).collect();
    pairs.sort_by(|a, b| b.2.total_cmp(&a.2));
    pairs.truncate(MOST_KEPT);
    pairs
}

/// Those of a group behind `a` whose hashes differ from its own in at most [`MOST_BITS`] bits, each with their number.
fn nearest(looks: &[&Look], a: usize, group: &[usize]) -> impl Iterator<Item = (u32, usize)> {
    let later = group.partition_point(|&b| b <= a);
    let bits = move |b: usize| (looks[a].difference ^ looks[b].difference).count_ones();
    let others = group[later..].iter().take(MOST_COMPARED).map(move |&b| (bits(b), b));
    others.filter(|(bits, _)| *bits <= MOST_BITS)
}

/// The correlation from which on each pair counts, by what its two pictures have in common with the set.
fn bounds(
    copies: &[Copy<'_>],
    telling: &[usize],
    pairs: &[Alike],
    decoding: &Decoding,
) -> Vec<f64> {
    let [least, most] = SAMPLE;
    let count = (telling.len() / PICTURES_A_SAMPLE).clamp(least, most);
    let sample: Vec<usize> =
        telling.iter().copied().step_by(telling.len().div_ceil(count).max(1)).collect();
    let mut paired: Vec<usize> = pairs.iter().flat_map(|&(a, b, _)| [a, b]).collect();
    paired.sort_unstable();
    paired.dedup();
    let ordinary = decoding.map(Doing::Looking, &paired, |&at| ordinary(copies, at, &sample));
    let ordinary: HashMap<usize, f64> = paired.into_iter().zip(ordinary).collect();
    let bound = |&(a, b, _): &Alike| {
        let distance = (1.0 - ordinary[&a]).min(1.0 - ordinary[&b]);
        (1.0 - NEARER * distance).clamp(LEAST_CORRELATION, CERTAIN)
    };
    pairs.iter().map(bound).collect()
}

/// By how much a picture correlates with the third nearest of a sample; by nothing where there are not so many.
fn ordinary(copies: &[Copy<'_>], at: usize, sample: &[usize]) -> f64 {
    let others = sample.iter().filter(|&&other| other != at);
    let mut all: Vec<f64> = others.map(|&other| copies[at].correlation(&copies[other])).collect();
    if all.len() < ORDINARY {
        return 0.0;
    }
    *all.select_nth_unstable_by(ORDINARY - 1, |a, b| b.total_cmp(a)).1
}

/// Pixels of a channel of a small copy.
const AREA: f64 = (SMALL * SMALL) as f64;

/// A small copy with the sums that its correlations need.
struct Copy<'a> {
    pixels: &'a [u8; SMALL * SMALL * 3],
    /// The sum of each channel.
    sums: [f64; 3],
    /// The sum of squares, each channel without its mean.
    spread: f64,
}

impl<'a> Copy<'a> {
    fn new(pixels: &'a [u8; SMALL * SMALL * 3]) -> Self {
        let sum = |channel: usize| {
            pixels[channel..].iter().step_by(3).map(|&level| f64::from(level)).sum()
        };
        let mut copy = Self { pixels, sums: [0, 1, 2].map(sum), spread: 0.0 };
        copy.spread = copy.product(&copy);
        copy
    }

    /// Pearson's correlation of two small copies, each channel without its mean; 0 where one has nothing but its mean.
    fn correlation(&self, other: &Self) -> f64 {
        self.product(other) / (self.spread * other.spread).sqrt().max(f64::MIN_POSITIVE)
    }

    /// The sum of products, each channel without its mean: sum(a b) - sum(a) sum(b) / area.
    fn product(&self, other: &Self) -> f64 {
        let both = self.pixels.iter().zip(other.pixels);
        let whole: u32 = both.map(|(&a, &b)| u32::from(a) * u32::from(b)).sum();
        let means: f64 = self.sums.iter().zip(other.sums).map(|(a, b)| a * b / AREA).sum();
        f64::from(whole) - means
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{ImageShape, Picture, StoredPicture};
    use percept_kernels::random::{Draws, Purpose};

    #[test]
    fn correlation_by_hand() {
        let (mut a, mut b) = ([7; SMALL * SMALL * 3], [90; SMALL * SMALL * 3]);
        let correlation =
            |a: &[u8; 432], b: &[u8; 432]| Copy::new(a).correlation(&Copy::new(b)) as f32;
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
        near(&looks, &exact(&looks), 2).pairs
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

    /// Pictures of one kind: the same blocks, and others of a tenth of their contrast.
    fn of_a_kind(seed: u64) -> Look {
        let mut draws = Draws::new(seed, Purpose::Test, 0, 0);
        let noise: Vec<u8> = (0..9 * 8).map(|_| draws.below(24) as u8).collect();
        let at = Cell::new(0);
        look(3, |level| {
            let pixel = at.replace(at.get() + 1);
            level + noise[pixel / 36 / 4 * 9 + pixel % 36 / 4]
        })
    }

    /// What all pictures of a set have in common makes none of them a duplicate; a copy of one is one.
    #[test]
    fn in_a_set_of_like_pictures_only_copies_count() {
        let mut looks: Vec<Look> = (0..60).map(of_a_kind).collect();
        let all: Vec<&Look> = looks.iter().collect();
        let found = near(&all, &[], 2);
        assert!(found.pairs.is_empty() && found.ordinary > 60, "{found:?}");
        for at in 0..10 {
            let mut copy = looks[at].clone();
            copy.exact = [at as u64; 2];
            copy.small.iter_mut().step_by(7).for_each(|level| *level += 1);
            looks.push(copy);
        }
        assert_eq!(near_of(&looks), (0..10).map(|at| (at, 60 + at)).collect::<Vec<_>>());
    }

    /// Ten of a hundred pictures are there again, or all of them: so many pairs are found.
    #[test]
    fn more_copies_are_more_findings() {
        for copies in [1, 10, 50, 100] {
            let mut looks: Vec<Look> = (0..100).map(|seed| look(seed, |level| level)).collect();
            looks.extend((0..copies).map(|seed| look(seed, |level| level / 2 + 60)));
            assert_eq!(near_of(&looks).len(), copies as usize);
        }
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
        let copies: Vec<Copy<'_>> = looks.iter().map(|look| Copy::new(&look.small)).collect();
        let pairs = alike(&looks, &copies, &[0, 1, 2, 3, 4, 5], &1.into());
        let with_first: Vec<usize> =
            pairs.iter().filter(|pair| pair.0 == 0).map(|pair| pair.1).collect();
        assert_eq!(with_first, [1, 2, 3, 4]);
    }
}
