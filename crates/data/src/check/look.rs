//! What is kept of a picture that was looked at.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::resize::resize;
use crate::{ImageShape, Picture, StoredPicture};

/// Side of the small copy that near duplicates are confirmed by.
pub(super) const SMALL: usize = 12;
/// From a step of how many grey levels on a bit of the hash means something.
const STEP: f32 = 2.0;

/// What is kept of a picture.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub label: u32,
    pub height: usize,
    pub width: usize,
    pub format: &'static str,
    pub mode: &'static str,
    pub turned: bool,
    /// A hash of size and pixels: two pictures with the same one are taken for the same (by chance once in 2^128 pairs).
    pub exact: [u64; 2],
    /// The difference hash (dHash): bit 8 y + x says whether the picture, scaled to 9x8 grey, gets brighter from x to x + 1.
    pub difference: u64,
    /// How many bits of the difference hash stand for a step that can be seen.
    pub telling: u8,
    /// The picture in colour, scaled to 12x12.
    pub small: [u8; SMALL * SMALL * 3],
    /// The grey levels that 1 % and 99 % of the pixels are at most as bright as.
    pub dark: u8,
    pub bright: u8,
}

impl Look {
    pub(super) fn at(stored: &StoredPicture, label: u32) -> Self {
        let picture = &stored.picture;
        let ImageShape { height, width, channels } = picture.shape();
        let grey = match channels {
            1 => Cow::Borrowed(picture),
            _ => Cow::Owned(picture.to_grey()),
        };
        let small = resize(picture.pixels(), picture.shape(), SMALL, SMALL);
        let (difference, telling) = difference(&grey);
        let (dark, bright) = range(grey.pixels());
        Self {
            label,
            height,
            width,
            format: stored.format,
            mode: stored.mode,
            turned: stored.turned,
            exact: exact(picture),
            difference,
            telling,
            // A grey picture has three equal channels.
            small: std::array::from_fn(|at| small[at * channels / 3].round() as u8),
            dark,
            bright,
        }
    }
}

/// Two hashes over different beginnings. `DefaultHasher` has fixed keys: the same pixels have the same hash in any run.
fn exact(picture: &Picture) -> [u64; 2] {
    let shape = picture.shape();
    let (mut hash, mut again) = (DefaultHasher::new(), DefaultHasher::new());
    ImageShape { channels: 3, ..shape }.hash(&mut hash);
    again.write_u64(0x9e37_79b9_7f4a_7c15);
    for row in picture.pixels().chunks(shape.width * shape.channels) {
        // A grey picture stored in colour is the same picture.
        let row = match shape.channels {
            3 => Cow::Borrowed(row),
            _ => Cow::Owned(row.iter().flat_map(|&grey| [grey; 3]).collect()),
        };
        hash.write(&row);
        again.write(&row);
    }
    let first = hash.finish();
    hash.write_u64(first);
    [hash.finish(), again.finish()]
}

/// The difference hash, and how many of its bits stand for more than a [`STEP`].
fn difference(grey: &Picture) -> (u64, u8) {
    let small = resize(grey.pixels(), grey.shape(), 8, 9);
    let (mut bits, mut telling) = (0, 0);
    for (y, row) in small.chunks_exact(9).enumerate() {
        for (x, pair) in row.windows(2).enumerate() {
            bits |= u64::from(pair[1] > pair[0]) << (8 * y + x);
            telling += u8::from((pair[1] - pair[0]).abs() > STEP);
        }
    }
    (bits, telling)
}

/// The grey levels at 1 % and at 99 % of the pixels.
fn range(grey: &[u8]) -> (u8, u8) {
    let mut counts = [0usize; 256];
    grey.iter().for_each(|&level| counts[usize::from(level)] += 1);
    let at = |rank: usize| {
        let mut below = 0;
        let level = counts.iter().position(|count| {
            below += count;
            below > rank
        });
        level.unwrap_or(255) as u8
    };
    (at(grey.len() / 100), at(grey.len() - 1 - grey.len() / 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(shape: ImageShape, pixels: Vec<u8>) -> Look {
        let picture = Picture::new(shape, pixels).unwrap();
        Look::at(&StoredPicture { picture, format: "PNG", mode: "grey", turned: false }, 0)
    }

    #[test]
    fn a_hash_by_hand() {
        // 8 rows of 9 pixels need no scaling: brighter from the first to the second column, and from the eighth to the ninth.
        let row = [0, 9, 8, 7, 6, 5, 4, 3, 200];
        let look_at = |row: [u8; 9]| look(ImageShape::grey(8, 9), row.repeat(8));
        assert_eq!(look_at(row).difference, 0x8181_8181_8181_8181);
        let falling = [9, 8, 7, 6, 5, 4, 3, 2, 1];
        assert_eq!(look_at(falling).difference, 0);
        // Steps of more than two levels: two of a row, and none.
        assert_eq!((look_at(row).telling, look_at(falling).telling), (16, 0));
    }

    #[test]
    fn grey_levels_that_few_pixels_pass() {
        let mut pixels = vec![10; 1000];
        pixels[..9].fill(0);
        pixels[991..].fill(255);
        let look = look(ImageShape::grey(10, 100), pixels);
        assert_eq!((look.dark, look.bright), (10, 10));
    }

    #[test]
    fn the_same_pixels_have_the_same_hash_and_others_another() {
        let grey = look(ImageShape::grey(1, 2), vec![1, 2]);
        assert_eq!(grey.exact, look(ImageShape::colour(1, 2), vec![1, 1, 1, 2, 2, 2]).exact);
        assert_ne!(grey.exact, look(ImageShape::grey(2, 1), vec![1, 2]).exact);
        assert_ne!(grey.exact, look(ImageShape::grey(1, 2), vec![1, 3]).exact);
        assert_ne!(grey.exact[0], grey.exact[1]);
    }
}
