//! Pictures that are the same, or nearly.
//!
//! Near duplicates are found by their difference hash (dHash, 64 bits; Krawetz 2013): candidates differ in at most four bits,
//! and are confirmed when their 16x16 grey copies correlate by at least 0.985 and their mean colours are alike. So a picture that
//! was saved again, made smaller, or made a little brighter is found; one that was cropped, turned or mirrored is not.
//! Pictures without contrast have no such hash and are left out.

use std::collections::HashMap;

use super::look::Look;

/// Bits in which the hashes of near duplicates may differ.
const MOST_BITS: u32 = 4;
/// Widths of the pieces of a hash: of five pieces, one at least is the same where four bits differ.
const PIECES: [u32; 5] = [13, 13, 13, 13, 12];
/// The least correlation of the small copies.
const CORRELATION: f32 = 0.985;
/// By how many levels the mean of a channel may differ.
const MEAN: f32 = 16.0;
/// The least contrast that makes a hash mean something, in grey levels.
pub(super) const CONTRAST: u8 = 12;
/// With how many others that share a piece of its hash a picture is compared: in a set of a million pictures that all look
/// alike, not all pairs can be.
const MOST_COMPARED: usize = 5000;

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
    let telling = |at: &usize| counts[*at] && looks[*at].bright - looks[*at].dark >= CONTRAST;
    let candidates: Vec<usize> = (0..looks.len()).filter(telling).collect();
    let mut pairs = Vec::new();
    let mut shift = 0;
    for width in PIECES {
        let piece = |at: usize| looks[at].difference >> shift & ((1 << width) - 1);
        let mut order = candidates.clone();
        order.sort_by_key(|&at| (piece(at), at));
        for group in order.chunk_by(|&a, &b| piece(a) == piece(b)) {
            for (first, &a) in group.iter().enumerate() {
                let others = group[first + 1..].iter().take(MOST_COMPARED);
                pairs.extend(others.filter(|&&b| alike(looks[a], looks[b])).map(|&b| (a, b)));
            }
        }
        shift += width;
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn alike(a: &Look, b: &Look) -> bool {
    (a.difference ^ b.difference).count_ones() <= MOST_BITS
        && a.mean.iter().zip(b.mean).all(|(a, b)| (a - b).abs() <= MEAN)
        && correlation(&a.small, &b.small) >= CORRELATION
}

/// Pearson's correlation.
fn correlation(a: &[u8], b: &[u8]) -> f32 {
    let mean =
        |values: &[u8]| values.iter().map(|&v| f32::from(v)).sum::<f32>() / values.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut together, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f32::from(a) - mean_a, f32::from(b) - mean_b);
        together += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    together / (of_a * of_b).sqrt().max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_by_hand() {
        // Deviations -3, -2, -1, 6 and -3, -1, 0, 4: 9 + 2 + 0 + 24 = 35 over sqrt(50 * 26).
        let expected = 35.0 / (50.0f32 * 26.0).sqrt();
        assert!((correlation(&[1, 2, 3, 10], &[2, 4, 5, 9]) - expected).abs() < 1e-6);
        assert_eq!(correlation(&[5, 5], &[1, 9]), 0.0);
    }

    /// Whatever four bits differ, one piece is the same.
    #[test]
    fn pieces_cover_the_hash() {
        assert_eq!(PIECES.iter().sum::<u32>(), 64);
        assert!(PIECES.len() as u32 > MOST_BITS);
    }
}
