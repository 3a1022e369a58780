//! Two images in one: mixup (Zhang, Cisse, Dauphin and Lopez-Paz 2018) and CutMix (Yun et al. 2019).
//!
//! The examples of a batch are mixed with each other: each with the one that stands so many places after it, a number that is
//! drawn for the batch. An example is then once the first and once the second of a pair, as with the random order of the
//! papers, and who is mixed with whom does not depend on how the batch is cut. Unlike there, each example draws a share
//! of its own.

use percept_kernels::random::{Draws, Purpose};

use crate::transform::Showing;
use crate::transform::erase::Area;
use crate::{Augmentation, ImageShape};

/// How an example of a batch is mixed with another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// The other one's position in the batch.
    pub partner: usize,
    /// The share of the example itself, in pixels and in the label; the partner has the rest.
    pub share: f32,
    /// What the partner's pixels fill; where it is none, all pixels are mixed.
    area: Option<Area>,
}

impl Mix {
    /// Draws the mix of the example at a position of a batch; none where nothing is mixed or the batch is one example.
    pub(crate) fn draw(
        augmentation: &Augmentation,
        shape: ImageShape,
        batch: &[u32],
        position: usize,
        (seed, epoch): (u64, u32),
    ) -> Option<Self> {
        let Augmentation { mixup, cutmix, .. } = *augmentation;
        if !augmentation.mixes() || batch.len() < 2 {
            return None;
        }
        let draws = |example: u64| Showing { seed, epoch, example }.draws(Purpose::Mix);
        // Numbers beyond those of examples name batches.
        let mut of_batch = draws(u64::from(batch[0]) + (1 << 32));
        let places = 1 + of_batch.below(batch.len() as u32 - 1) as usize;
        let cuts = cutmix > 0.0 && (mixup == 0.0 || of_batch.below(2) == 1);
        let partner = (position + places) % batch.len();
        let mut draws = draws(batch[position].into());
        let share = beta(if cuts { cutmix } else { mixup }, &mut draws);
        Some(match cuts {
            true => Self::cut(partner, share, shape, &mut draws),
            false => Self { partner, share: share as f32, area: None },
        })
    }

    /// A rectangle of the image's proportions with about 1 - `share` of its pixels; what lies outside is cut off, and the
    /// share is counted anew.
    fn cut(partner: usize, share: f64, shape: ImageShape, draws: &mut Draws) -> Self {
        let side = |side: usize| (side as f64 * (1.0 - share).sqrt()) as usize;
        let area = Area::draw([side(shape.height), side(shape.width)], shape, draws);
        let all = shape.height * shape.width;
        let share = (all - area.pixels()) as f32 / all as f32;
        Self { partner, share, area: Some(area) }
    }

    /// Mixes the partner's pixels into the image; both [height, width, channels].
    pub(crate) fn apply(&self, image: &mut [f32], partner: &mut [f32], shape: ImageShape) {
        let Some(area) = self.area else {
            let (own, others) = (self.share, 1.0 - self.share);
            for (x, other) in image.iter_mut().zip(partner) {
                *x = own * *x + others * *other;
            }
            return;
        };
        for (row, other) in area.rows_of(image, shape).zip(area.rows_of(partner, shape)) {
            row.copy_from_slice(other);
        }
    }
}

/// A number from Beta(`alpha`, `alpha`): a / (a + b) of two numbers from Gamma(`alpha`), by their logarithms, since for a
/// small alpha both may be too small for an f64.
fn beta(alpha: f32, draws: &mut Draws) -> f64 {
    let [a, b] = [0; 2].map(|_| ln_gamma_variate(f64::from(alpha), draws));
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a number from Gamma(`shape`): Marsaglia and Tsang 2000, and for a shape below 1 their section 6.
fn ln_gamma_variate(shape: f64, draws: &mut Draws) -> f64 {
    if shape < 1.0 {
        let boost = ln_uniform(draws) / shape;
        return ln_gamma_variate(shape + 1.0, draws) + boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = (9.0 * d).sqrt().recip();
    loop {
        let x = f64::from(draws.normal());
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && ln_uniform(draws) < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            return (d * v).ln();
        }
    }
}

/// The logarithm of a uniform number above 0.
fn ln_uniform(draws: &mut Draws) -> f64 {
    (1.0 - f64::from(draws.uniform())).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { height: 8, width: 10, channels: 3 };

    /// Beta(a, a) has mean 1/2 and variance 1 / (8 a + 4).
    #[test]
    fn shares_have_the_moments_of_their_distribution() {
        let count = 20_000;
        for alpha in [0.01_f32, 0.2, 0.5, 1.0, 3.0, 100.0] {
            let mut draws = Draws::new(1, Purpose::Test, 0, 0);
            let shares: Vec<f64> = (0..count).map(|_| beta(alpha, &mut draws)).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            let mean = shares.iter().sum::<f64>() / f64::from(count);
            let variance = shares.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / f64::from(count);
            let expected = 1.0 / (8.0 * f64::from(alpha) + 4.0);
            // Five standard errors of a mean of 20,000; the square's relative spread is at most that of a normal's, sqrt(2).
            assert!(
                (mean - 0.5).abs() < 5.0 * (expected / f64::from(count)).sqrt(),
                "{alpha}: {mean}"
            );
            assert!((variance / expected - 1.0).abs() < 0.05, "{alpha}: {variance} {expected}");
        }
    }

    fn mixes(augmentation: Augmentation, epoch: u32) -> Vec<Mix> {
        let batch: Vec<u32> = (10..26).rev().collect();
        let mix = |position| Mix::draw(&augmentation, SHAPE, &batch, position, (3, epoch));
        (0..16).map(|position| mix(position).unwrap()).collect()
    }

    #[test]
    fn every_example_is_once_a_partner_of_another() {
        for epoch in 0..20 {
            let mixes = mixes(Augmentation { mixup: 0.3, ..Augmentation::default() }, epoch);
            let mut partners: Vec<usize> = mixes.iter().map(|mix| mix.partner).collect();
            assert!(partners.iter().enumerate().all(|(own, partner)| own != *partner));
            partners.sort_unstable();
            assert_eq!(partners, (0..16).collect::<Vec<_>>());
        }
    }

    /// By counting: the share is that of the pixels which are still the example's own.
    #[test]
    fn shares_are_those_of_the_pixels() {
        let both = Augmentation { mixup: 1.0, cutmix: 1.0, ..Augmentation::default() };
        let mut cut = 0;
        for epoch in 0..20 {
            for mix in mixes(both, epoch) {
                let (mut own, mut other) = (vec![1.0; SHAPE.len()], vec![0.0; SHAPE.len()]);
                mix.apply(&mut own, &mut other, SHAPE);
                let mean = own.iter().sum::<f32>() / SHAPE.len() as f32;
                assert!((mean - mix.share).abs() < 1e-5, "{mix:?} {mean}");
                let whole = own.iter().all(|x| *x == 0.0 || *x == 1.0);
                assert_eq!(mix.area.is_some(), whole);
                cut += usize::from(whole);
            }
        }
        assert!(cut > 0 && cut < 320 && cut % 16 == 0, "{cut}: batches are mixed in one way");
    }

    #[test]
    fn nothing_is_mixed_alone_or_when_off() {
        let off = Augmentation::default();
        let on = Augmentation { cutmix: 1.0, ..off };
        assert_eq!(Mix::draw(&off, SHAPE, &[1, 2], 0, (1, 0)), None);
        assert_eq!(Mix::draw(&on, SHAPE, &[1], 0, (1, 0)), None);
        assert!(Mix::draw(&on, SHAPE, &[1, 2], 0, (1, 0)).is_some());
    }
}
