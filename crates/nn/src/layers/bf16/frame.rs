//! Images in frames of bf16 numbers, whose windows come in segments.

use super::super::conv::Geometry;
use percept_kernels::bf16::product::Windows;
use percept_kernels::bf16::{Bf16, SEGMENT, arrange};
use percept_kernels::isa::Isa;
use percept_kernels::pad::Frame;
use percept_kernels::product::Grid;

/// Marks a row of the packed weights that is zeros.
pub(super) const NOTHING: u32 = u32::MAX;

/// A frame, with its channels padded so that segments begin on cache lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bf16Frame {
    pub(super) frame: Frame,
    pub(super) channels: usize,
}

/// The windows of one kernel size over a frame, cut into segments.
#[derive(Debug)]
pub(super) struct Segments {
    /// Where each begins, from a window's first number.
    pub(super) offsets: Vec<usize>,
    /// For each number of all segments: its (row of the kernel, column, channel) as one number, or [`NOTHING`].
    pub(super) cells: Vec<u32>,
}

/// bf16 numbers that the windows of so many images read.
pub(super) fn span(windows: &Windows<'_>, images: usize) -> usize {
    windows.span(images).expect("a checked layer's frames fit into the address space")
}

impl Bf16Frame {
    /// The frame of the pixels that a convolution's windows see.
    pub(super) fn of_windows(geometry: &Geometry) -> Self {
        let (Geometry { output, kernel, stride, .. }, frame) = (geometry, geometry.frame());
        let seen = |windows: usize, stride: usize, kernel: usize| (windows - 1) * stride + kernel;
        let height = seen(output.height, stride.height, kernel.height);
        let width = seen(output.width, stride.width, kernel.width);
        Self::new(Frame {
            frame_height: height.min(frame.frame_height),
            frame_width: width.min(frame.frame_width),
            ..frame
        })
    }

    pub(super) fn new(frame: Frame) -> Self {
        let channels = match frame.channels {
            few @ ..16 => few,
            16 => 16,
            many => many.next_multiple_of(SEGMENT),
        };
        Self { frame, channels }
    }

    /// Numbers of one row of pixels.
    pub(super) fn row_pitch(&self) -> usize {
        self.frame.frame_width * self.channels
    }

    /// Numbers from one image to the next.
    pub(super) fn image_pitch(&self) -> usize {
        (self.frame.frame_height * self.row_pitch()).next_multiple_of(SEGMENT)
    }

    /// Where each of the grid's rows of pixels begins, for windows `stride` pixels apart.
    pub(super) fn rows(&self, size: [usize; 2], stride: [usize; 2]) -> Grid {
        Grid {
            outer: size[0],
            outer_pitch: stride[0] * self.row_pitch(),
            inner: size[1],
            inner_pitch: stride[1] * self.channels,
        }
    }

    /// The windows of a kernel. Where a pixel has several segments, each comes for all cells of the kernel before the next
    /// one: windows overlap, so a product then reads the same lines again while they are in the first cache.
    pub(super) fn segments(&self, kernel: [usize; 2]) -> Segments {
        let run = kernel[1] * self.channels;
        let step = self.channels.max(SEGMENT);
        let mut segments = Segments { offsets: Vec::new(), cells: Vec::new() };
        for first in (0..step).step_by(SEGMENT) {
            for row in 0..kernel[0] {
                for start in (first..run).step_by(step) {
                    self.add_segment(kernel, row, start, &mut segments);
                }
            }
        }
        segments
    }

    fn add_segment(&self, kernel: [usize; 2], row: usize, start: usize, segments: &mut Segments) {
        segments.offsets.push(row * self.row_pitch() + start);
        segments.cells.extend((start..start + SEGMENT).map(|at| {
            let (column, channel) = (at / self.channels, at % self.channels);
            if column >= kernel[1] || channel >= self.frame.channels {
                return NOTHING;
            }
            let cell = (row * kernel[1] + column) * self.frame.channels + channel;
            u32::try_from(cell).expect("a weight tensor has fewer than 2^32 numbers")
        }));
    }

    /// Places images in their frames; zeros around them and behind the last one.
    pub(super) fn place(&self, isa: Isa, images: &[f32], to: &mut [Bf16]) {
        let len = self.frame.height * self.frame.width * self.frame.channels;
        let (mut rest, pitch) = (to, self.image_pitch());
        for image in images.chunks_exact(len) {
            let (frame, after) = rest.split_at_mut(pitch);
            self.place_one(isa, image, frame);
            rest = after;
        }
        rest.fill(Bf16::ZERO);
    }

    fn place_one(&self, isa: Isa, image: &[f32], to: &mut [Bf16]) {
        let Frame { height, width, channels, top, left, .. } = self.frame;
        let before = left.max(0).unsigned_abs().min(self.frame.frame_width);
        let skip = left.min(0).unsigned_abs().min(width);
        let count = (width - skip).min(self.frame.frame_width - before);
        let (frame, rest) = to.split_at_mut(self.frame.frame_height * self.row_pitch());
        rest.fill(Bf16::ZERO);
        for (y, row) in frame.chunks_exact_mut(self.row_pitch()).enumerate() {
            let Some(y) = y.checked_add_signed(-top).filter(|y| *y < height) else {
                row.fill(Bf16::ZERO);
                continue;
            };
            let from = &image[(y * width + skip) * channels..][..count * channels];
            let (start, end) = (before * self.channels, (before + count) * self.channels);
            row[..start].fill(Bf16::ZERO);
            arrange::convert(isa, from, channels, &mut row[start..end], self.channels);
            row[end..].fill(Bf16::ZERO);
        }
    }
}
