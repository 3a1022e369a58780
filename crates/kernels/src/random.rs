//! Counter-based random numbers: every draw is a pure function of what it is for.
//!
//! The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//! A [`Draws`] stream is named by (seed, purpose, epoch, example); two streams with different names are independent,
//! and a stream does not depend on which thread asks, or on what was drawn before it.

/// What random numbers are drawn for. Two purposes never share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Initial values of parameters; the "example" is the index of the parameter.
    Initialisation = 1,
    /// The choice of validation examples.
    Split = 2,
    /// The order of the examples within an epoch.
    Shuffle = 3,
    /// Augmentation of one example in one epoch.
    Augmentation = 4,
    /// Dropout masks; the "epoch" is the step, the "example" is the position in the batch.
    Dropout = 5,
    /// Bootstrap resampling and other statistics.
    Statistics = 6,
    /// Which images are mirrored; in epoch 0 where that alternates.
    Mirror = 8,
    /// By how many whole pixels an image is moved.
    Crop = 9,
    /// Where an image is erased.
    Erase = 10,
    /// Brightness and colour.
    Colour = 11,
    /// Operations of RandAugment.
    Operations = 12,
    /// Which examples are mixed, and in what shares.
    Mix = 13,
    /// Values made up by tests.
    Test = 7,
}

/// A stream of random numbers named by (seed, purpose, epoch, example).
///
/// ```
/// use percept_kernels::random::{Draws, Purpose};
/// let mut a = Draws::new(42, Purpose::Test, 0, 7);
/// let mut b = Draws::new(42, Purpose::Test, 0, 7);
/// assert_eq!(a.next_u32(), b.next_u32());
/// ```
#[derive(Clone, Debug)]
pub struct Draws {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Draws {
    /// The stream for `example` (any index) in `epoch`, for one purpose under one seed.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, epoch: u32, example: u64) -> Self {
        let key = [seed as u32, (seed >> 32) as u32];
        // The counter's words: block number, purpose and high example bits, epoch, low example bits.
        let purpose = (purpose as u32) << 24 | ((example >> 32) as u32 & 0x00ff_ffff);
        Self { key, counter: [0, purpose, epoch, example as u32], block: [0; 4], used: 4 }
    }

    /// 32 uniform random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox4x32_10(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// A uniform number in [0, 1), a multiple of 2^-24.
    pub fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// A uniform number in [low, high).
    pub fn uniform_in(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// A uniform integer in 0..bound (Lemire's multiplication, biased by less than bound / 2^32).
    ///
    /// # Panics
    /// When `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "below(0) has no answer");
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A standard normal number (Box and Muller 1958, the cosine half, computed in f64).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - f64::from(self.uniform())).ln()).sqrt();
        let angle = core::f64::consts::TAU * f64::from(self.uniform());
        (radius * angle.cos()) as f32
    }

    /// A uniformly random order of `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u32 + 1) as usize);
        }
    }
}

/// One block of Philox4x32 with 10 rounds.
fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let low = u64::from(counter[0]) * 0xD251_1F53;
        let high = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (high >> 32) as u32 ^ counter[1] ^ key[0],
            high as u32,
            (low >> 32) as u32 ^ counter[3] ^ key[1],
            low as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers from the Random123 distribution (kat_vectors, philox4x32-10).
    #[test]
    fn philox_known_answers() {
        assert_eq!(
            philox4x32_10([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32_10([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32_10(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn streams_differ_by_each_part_of_their_name() {
        let base = Draws::new(1, Purpose::Test, 2, 3).next_u32();
        for other in [
            Draws::new(2, Purpose::Test, 2, 3).next_u32(),
            Draws::new(1 << 32 | 1, Purpose::Test, 2, 3).next_u32(),
            Draws::new(1, Purpose::Dropout, 2, 3).next_u32(),
            Draws::new(1, Purpose::Test, 3, 3).next_u32(),
            Draws::new(1, Purpose::Test, 2, 4).next_u32(),
            Draws::new(1, Purpose::Test, 2, 1 << 32 | 3).next_u32(),
        ] {
            assert_ne!(base, other);
        }
    }

    #[cfg_attr(miri, ignore = "takes a hundred thousand draws")]
    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut draws = Draws::new(5, Purpose::Test, 0, 0);
        let n = 100_000;
        let normals: Vec<f64> = (0..n).map(|_| f64::from(draws.normal())).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        // Five standard errors: 5/sqrt(n) = 0.016 and 5*sqrt(2/n) = 0.022.
        assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.022, "{mean} {variance}");
        let uniform_mean = (0..n).map(|_| f64::from(draws.uniform())).sum::<f64>() / f64::from(n);
        assert!((uniform_mean - 0.5).abs() < 0.005, "{uniform_mean}");
    }

    #[test]
    fn shuffle_keeps_every_item_and_below_stays_below() {
        let mut items: Vec<u32> = (0..1000).collect();
        Draws::new(1, Purpose::Shuffle, 0, 0).shuffle(&mut items);
        assert_ne!(items, (0..1000).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..1000).collect::<Vec<_>>());
        let mut draws = Draws::new(1, Purpose::Test, 0, 0);
        assert!((0..1000).all(|_| draws.below(3) < 3));
    }
}
