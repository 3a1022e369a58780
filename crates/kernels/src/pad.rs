//! Copies images into a larger or shifted frame.

use crate::element::Element;

/// Where an image lies within a frame; a negative offset crops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Channels of both.
    pub channels: usize,
    /// Row of the frame at which the image's first row lies.
    pub top: isize,
    /// Column of the frame at which the image's first column lies.
    pub left: isize,
    /// Rows of the frame.
    pub frame_height: usize,
    /// Columns of the frame.
    pub frame_width: usize,
}

impl Frame {
    /// Numbers of the frame.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.frame_height * self.frame_width * self.channels
    }

    /// Whether the frame has no number.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the frame is the image.
    #[must_use]
    pub const fn is_identity(&self) -> bool {
        self.top == 0
            && self.left == 0
            && self.frame_height == self.height
            && self.frame_width == self.width
    }

    /// Copies the part of the image that the frame shows, and fills the rest of the frame.
    ///
    /// # Shapes
    /// `image` `[height, width, channels]`, `out` `[frame_height, frame_width, channels]`.
    ///
    /// # Panics
    /// When a slice is too short.
    pub fn place<T: Element>(&self, image: &[T], fill: T, out: &mut [T]) {
        let row = self.width * self.channels;
        let out = &mut out[..self.len()];
        let (before, columns, skip) = overlap(self.left, self.width, self.frame_width);
        let (before, count) = (before * self.channels, columns * self.channels);
        for (y, to) in out.chunks_exact_mut((self.frame_width * self.channels).max(1)).enumerate() {
            match y.checked_add_signed(-self.top).filter(|y| *y < self.height) {
                Some(y) => {
                    let from = &image[y * row + skip * self.channels..][..count];
                    to[..before].fill(fill);
                    to[before..before + count].copy_from_slice(from);
                    to[before + count..].fill(fill);
                }
                None => to.fill(fill),
            }
        }
    }
}

/// Along one axis: cells of the frame before the image, cells of the image seen, cells of the image cropped before.
fn overlap(offset: isize, size: usize, frame: usize) -> (usize, usize, usize) {
    let before = offset.max(0).unsigned_abs().min(frame);
    let skip = offset.min(0).unsigned_abs().min(size);
    (before, (size - skip).min(frame - before), skip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_crops_and_shifts() {
        let image = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0];
        let frame = |top, left, frame_height, frame_width| Frame {
            height: 2,
            width: 3,
            channels: 1,
            top,
            left,
            frame_height,
            frame_width,
        };
        let mut out = [9.0; 12];
        frame(1, 0, 3, 4).place(&image, 0.0, &mut out);
        assert_eq!(out, [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
        let mut out = [9.0; 4];
        frame(-1, -1, 2, 2).place(&image, 0.0, &mut out);
        assert_eq!(out, [5.0, 6.0, 0.0, 0.0]);
        let mut out = [9.0; 2];
        frame(0, 5, 1, 2).place(&image, 7.0, &mut out);
        assert_eq!(out, [7.0, 7.0]);
    }
}
