//! The gradient of a convolution by its weights: planes of the input's pixels against pairs of the output gradient's.
//!
//! The sum over an image's windows runs along one line of pixels, row after row. Both sides have the same width, an even
//! one, and the output gradient has zeros where a row is shorter; so kernel cell (ky, kx) meets the same line of the
//! input's plane, begun ky rows and kx pixels later. With a stride, the input is dealt to one plane for each remainder.

use super::super::conv::Geometry;
use percept_kernels::bf16::product::{Planes, Tap, multiply_transposed, pairs_len};
use percept_kernels::bf16::{Bf16, SEGMENT, arrange, storage, storage_len};
use percept_kernels::isa::Isa;

/// Rows that the units read at once.
const ROWS: usize = 16;

#[derive(Debug)]
pub(super) struct WeightGradient {
    geometry: Geometry,
    /// Pixels of a row on both sides.
    width: usize,
    /// Rows of a plane.
    height: usize,
    /// Numbers of a plane.
    plane: usize,
    /// Planes of one remainder: the channels, up to whole tiles of rows.
    channel_planes: usize,
    /// Pixels that are summed over.
    pixels: usize,
    row_pitch: usize,
    taps: Vec<Tap>,
    /// Images that are prepared at once.
    group: usize,
}

impl WeightGradient {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let Geometry { input, output, kernel, stride, .. } = *geometry;
        let (down, across) =
            ((kernel.height - 1) / stride.height, (kernel.width - 1) / stride.width);
        let width = (output.width + across).next_multiple_of(2);
        let height = output.height + down;
        let pixels = ((output.height - 1) * width + output.width).next_multiple_of(SEGMENT);
        // Room for the last line that is read from, for one that is written in whole segments, and, with one channel,
        // for the rows of a tile that begin one pixel after another.
        let plane = (down * width + across + pixels).max(height * width + SEGMENT) + ROWS;
        // An odd number of cache lines, so that planes do not meet in the same sets of the cache.
        let plane = (plane.div_ceil(SEGMENT) | 1) * SEGMENT;
        let channel_planes = match input.channels {
            1 => 1,
            channels => channels.next_multiple_of(ROWS),
        };
        let mut gradient = Self {
            geometry: *geometry,
            width,
            height,
            plane,
            channel_planes,
            pixels,
            row_pitch: if input.channels == 1 { 1 } else { plane },
            taps: Vec::new(),
            group: 1,
        };
        gradient.taps = gradient.taps();
        let numbers = gradient.image_pitch() + pairs_len(pixels, output.channels);
        gradient.group = super::group(numbers);
        gradient
    }

    fn taps(&self) -> Vec<Tap> {
        let Geometry { input, kernel, stride, .. } = self.geometry;
        let cells = (0..kernel.height).flat_map(|y| (0..kernel.width).map(move |x| (y, x)));
        let tap = |(y, x): (usize, usize)| {
            let remainder = y % stride.height * self.remainders()[1] + x % stride.width;
            let offset = remainder * self.channel_planes * self.plane
                + y / stride.height * self.width
                + x / stride.width;
            let cell = y * kernel.width + x;
            if input.channels > 1 {
                let out_row = cell * input.channels;
                return Some(Tap { offset, rows: input.channels, out_row, out_step: 1 });
            }
            // One channel: the cells of a row with the same remainder are the rows, one pixel apart.
            let rows = (kernel.width - x).div_ceil(stride.width);
            (x < stride.width).then_some(Tap {
                offset,
                rows,
                out_row: cell,
                out_step: stride.width,
            })
        };
        cells.filter_map(tap).collect()
    }

    /// Remainders of kernel cells by the stride, down and across.
    fn remainders(&self) -> [usize; 2] {
        let Geometry { kernel, stride, .. } = self.geometry;
        [stride.height.min(kernel.height), stride.width.min(kernel.width)]
    }

    fn image_pitch(&self) -> usize {
        self.remainders().iter().product::<usize>() * self.channel_planes * self.plane
    }

    /// fp32 numbers that hold the planes of so many images.
    fn planes_len(&self, images: usize) -> usize {
        // Behind the last plane: the rows of a tile that begin one pixel after another.
        storage_len(images * self.image_pitch() + SEGMENT)
    }

    /// fp32 numbers of scratch memory for chunks of up to `chunk` images.
    pub(super) fn scratch_len(&self, chunk: usize) -> usize {
        let images = self.group.min(chunk);
        let pairs = images * pairs_len(self.pixels, self.geometry.output.channels);
        self.planes_len(images) + storage_len(pairs)
    }

    /// Adds the gradient of a chunk.
    pub(super) fn add(
        &self,
        isa: Isa,
        input: &[f32],
        grad_output: &[f32],
        grad_weight: &mut [f32],
        scratch: &mut [f32],
    ) {
        let Geometry { input: input_shape, output, .. } = self.geometry;
        let most = self.group.min(input.len() / input_shape.len());
        let (planes, pairs) = scratch.split_at_mut(self.planes_len(most));
        let (planes, pairs) = (storage(planes), storage(pairs));
        let images = input.chunks(self.group * input_shape.len());
        for (images, grads) in images.zip(grad_output.chunks(self.group * output.len())) {
            let count = images.len() / input_shape.len();
            planes.fill(Bf16::ZERO);
            for (image, to) in images
                .chunks_exact(input_shape.len())
                .zip(planes.chunks_exact_mut(self.image_pitch()))
            {
                self.fill_planes(isa, image, to);
            }
            let pitch = pairs_len(self.pixels, output.channels);
            for (grad, to) in grads.chunks_exact(output.len()).zip(pairs.chunks_exact_mut(pitch)) {
                self.fill_pairs(isa, grad, to);
            }
            let layout = Planes {
                image_pitch: self.image_pitch(),
                row_pitch: self.row_pitch,
                pixels: self.pixels,
                taps: &self.taps,
            };
            multiply_transposed(isa, count, &layout, planes, pairs, output.channels, grad_weight);
        }
    }

    /// Deals an image to its planes, which hold zeros before.
    fn fill_planes(&self, isa: Isa, image: &[f32], to: &mut [Bf16]) {
        let Geometry { input, stride, padding, .. } = self.geometry;
        let [rows, columns] = self.remainders();
        for remainder in 0..rows * columns {
            let (down, across) = (remainder / columns, remainder % columns);
            let planes = &mut to[remainder * self.channel_planes * self.plane..];
            // The first column of the plane with a pixel, and that pixel.
            let first = padding.width.saturating_sub(across).div_ceil(stride.width);
            let pixel = first * stride.width + across - padding.width;
            if pixel >= input.width || first >= self.width {
                continue;
            }
            let count = (input.width - pixel).div_ceil(stride.width).min(self.width - first);
            for row in 0..self.height {
                let y = (row * stride.height + down).checked_sub(padding.height);
                let Some(y) = y.filter(|y| *y < input.height) else { continue };
                let from = &image[(y * input.width + pixel) * input.channels..];
                // Zeros that are written behind the row are the next row's padding, or its pixels follow.
                arrange::transpose(
                    isa,
                    from,
                    stride.width * input.channels,
                    count,
                    input.channels,
                    &mut planes[row * self.width + first..],
                    self.plane,
                );
            }
        }
    }

    /// The output gradient's rows as pairs, zeros up to the common width.
    fn fill_pairs(&self, isa: Isa, grad: &[f32], to: &mut [Bf16]) {
        let output = self.geometry.output;
        let pair = 2 * output.channels.next_multiple_of(16);
        let used = output.width.div_ceil(2) * pair;
        let mut rest = to;
        for (index, row) in grad.chunks_exact(output.width * output.channels).enumerate() {
            let last = index + 1 == output.height;
            let width = if last { rest.len() } else { self.width / 2 * pair };
            let (to, after) = rest.split_at_mut(width);
            let (to, gap) = to.split_at_mut(used);
            arrange::interleave_rows(isa, row, output.channels, to);
            gap.fill(Bf16::ZERO);
            rest = after;
        }
    }
}
