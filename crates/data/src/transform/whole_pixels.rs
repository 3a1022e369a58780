//! Moving and mirroring an image by whole pixels, which leaves every grey level as it was.

use super::Outside;
use super::mirror::reverse;
use crate::ImageShape;

/// A movement by whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    /// Pixels to the right, and down, after mirroring.
    pub by: [i32; 2],
    pub mirrored: bool,
    pub outside: Outside,
}

impl Move {
    /// Writes the moved image into `out`.
    ///
    /// # Shapes
    /// image and out u8 [height, width, channels].
    pub(super) fn apply(&self, image: &[u8], shape: ImageShape, out: &mut [u8]) {
        let ImageShape { height, width, channels } = shape;
        let [right, down] = self.by.map(i64::from);
        let right = if self.mirrored { -right } else { right };
        for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
            match self.outside.pixel(y as i64 - down, height) {
                Some(y) => {
                    let row = &image[y * width * channels..][..width * channels];
                    self.move_row(row, right, channels, out);
                    if self.mirrored {
                        reverse(out, channels);
                    }
                }
                None => out.fill(0),
            }
        }
    }

    /// The middle of a row is copied whole; what comes in from outside, pixel by pixel.
    fn move_row(&self, row: &[u8], right: i64, channels: usize, out: &mut [u8]) {
        let width = row.len() / channels;
        let by = right.clamp(-(width as i64), width as i64) as isize;
        let first = by.max(0) as usize;
        let end = width - (-by).max(0) as usize;
        let from = (-by).max(0) as usize;
        out[first * channels..end * channels]
            .copy_from_slice(&row[from * channels..][..(end - first) * channels]);
        for x in (0..first).chain(end..width) {
            let out = &mut out[x * channels..][..channels];
            match self.outside.pixel(x as i64 - right, width) {
                Some(x) => out.copy_from_slice(&row[x * channels..][..channels]),
                None => out.fill(0),
            }
        }
    }
}

impl Outside {
    /// The pixel that is seen at a position along an axis of `size` pixels; nothing where it is black.
    fn pixel(self, at: i64, size: usize) -> Option<usize> {
        let last = size as i64 - 1;
        if (0..=last).contains(&at) {
            return Some(at as usize);
        }
        match self {
            Self::Black => None,
            Self::Reflect => {
                let within = at.rem_euclid((2 * last).max(1));
                Some(within.min(2 * last - within).max(0) as usize)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(image: &[u8], shape: ImageShape, by: [i32; 2], outside: Outside) -> Vec<u8> {
        let mut out = vec![7; image.len()];
        Move { by, mirrored: false, outside }.apply(image, shape, &mut out);
        out
    }

    /// By hand: a row of 1, 2, 3 goes on with 2, 1, 2, 3 at both ends.
    #[test]
    fn rows_and_columns_by_hand() {
        let (image, shape) = ([1, 2, 3, 4, 5, 6], ImageShape::grey(2, 3));
        for (by, black, reflected) in [
            ([0, 0], [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]),
            ([1, 0], [0, 1, 2, 0, 4, 5], [2, 1, 2, 5, 4, 5]),
            ([-2, 0], [3, 0, 0, 6, 0, 0], [3, 2, 1, 6, 5, 4]),
            ([0, -1], [4, 5, 6, 0, 0, 0], [4, 5, 6, 1, 2, 3]),
            ([5, 4], [0; 6], [2, 1, 2, 5, 4, 5]),
            ([i32::MIN, i32::MAX], [0; 6], [4, 5, 6, 1, 2, 3]),
        ] {
            assert_eq!(moved(&image, shape, by, Outside::Black), black, "{by:?}");
            assert_eq!(moved(&image, shape, by, Outside::Reflect), reflected, "{by:?}");
        }
        assert_eq!(moved(&[9], ImageShape::grey(1, 1), [3, -8], Outside::Reflect), [9]);
    }
}
