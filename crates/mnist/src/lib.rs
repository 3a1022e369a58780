//! The MNIST handwritten digits inside a crate: 60,000 images to train with, 10,000 to test with, 28x28 grey.
//!
//! MNIST is by Yann LeCun, Corinna Cortes and Christopher J.C. Burges, licensed CC BY-SA 3.0; see `LICENSE-DATA.md`.
//! Here it is losslessly compressed. Each part is unpacked and checked when it is first asked for, and then kept.
//!
//! ```
//! let test = percept_mnist::test()?;
//! assert_eq!((test.len(), test.labels[0]), (10_000, 7));
//! # Ok::<(), percept_mnist::Error>(())
//! ```

mod ans;
mod blob;
mod codec;
mod nibbles;

use std::sync::OnceLock;

/// Packs a part of MNIST; for the program that makes this crate's data.
#[doc(hidden)]
pub use blob::pack;

/// Height and width of every image, in pixels.
pub const SIDE: usize = codec::SIDE;

/// Images and their labels.
///
/// # Shapes
/// images u8 [N, 28, 28], 0 is black (paper) and 255 white (ink); labels u8 `[N]` in 0..=9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    /// The pixels, row by row.
    pub images: &'static [u8],
    /// Which digit each image shows.
    pub labels: &'static [u8],
}

impl Digits {
    /// How many images there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// The data inside this program is damaged: the program file itself must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The data ends too early.
    #[error(
        "the MNIST data inside the program is cut off: the program file is damaged, get it again"
    )]
    Truncated,
    /// The unpacked data is not what was packed.
    #[error(
        "the MNIST data inside the program does not match its checksum: the program file is \
         damaged, get it again"
    )]
    Checksum,
}

/// The 60,000 training images.
///
/// # Errors
/// When the data inside the program is damaged.
pub fn train() -> Result<Digits, Error> {
    static TRAIN: OnceLock<Result<Unpacked, Error>> = OnceLock::new();
    digits(&TRAIN, include_bytes!("../data/train.bin"))
}

/// The 10,000 test images. Only a final evaluation should ask for them.
///
/// # Errors
/// When the data inside the program is damaged.
pub fn test() -> Result<Digits, Error> {
    static TEST: OnceLock<Result<Unpacked, Error>> = OnceLock::new();
    digits(&TEST, include_bytes!("../data/test.bin"))
}

/// Labels and images.
type Unpacked = (Vec<u8>, Vec<u8>);

fn digits(kept: &'static OnceLock<Result<Unpacked, Error>>, blob: &[u8]) -> Result<Digits, Error> {
    match kept.get_or_init(|| blob::unpack(blob)) {
        Ok((labels, images)) => Ok(Digits { images, labels }),
        Err(error) => Err(*error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strokes and noise, so that every kind of row and grey level occurs.
    fn made_up(count: usize) -> (Vec<u8>, Vec<u8>) {
        let pixel = |i: usize| {
            let noise = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
            if (i / 7).is_multiple_of(3) || i % 784 < 56 { 0 } else { noise as u8 }
        };
        let images = (0..count * codec::IMAGE).map(pixel).collect();
        (images, (0..count).map(|i| (i % 10) as u8).collect())
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        for count in [1, 2, 3, 2501] {
            let (images, labels) = made_up(count);
            assert_eq!(blob::unpack(&pack(&images, &labels)), Ok((labels, images)));
        }
    }

    #[test]
    fn damage_is_noticed() {
        let (images, labels) = made_up(40);
        let blob = pack(&images, &labels);
        for at in (0..blob.len()).step_by(97) {
            assert_eq!(blob::unpack(&blob[..at]), Err(Error::Truncated), "cut at {at}");
        }
        // Inside the first piece, and inside the labels.
        for at in [9, blob.len() - 100] {
            let mut damaged = blob.clone();
            damaged[at] ^= 0x10;
            assert_eq!(blob::unpack(&damaged), Err(Error::Checksum), "changed at {at}");
        }
    }
}
