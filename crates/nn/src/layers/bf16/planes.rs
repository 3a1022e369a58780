//! The gradient of a convolution by its weights: planes of the input's pixels against pairs of the output gradient's.
//!
//! The sum over an image's windows runs along one line of pixels, row after row. Both sides have rows of the same, even
//! width, so kernel cell (ky, kx) meets the pixel of the input with the one of the output gradient that lies ky rows and kx
//! pixels before. The shift is the output gradient's: a second copy, one pixel on, serves odd shifts, and then all that
//! the units read lies on cache lines. With a stride, the input is dealt to planes by the remainders of rows and columns.
//! Few channels would leave most rows of a tile empty: there, the kernel's columns are rows too.

use super::super::conv::Geometry;
use percept_kernels::bf16::arrange::{PixelTable, Pixels, gather_pairs, gather_planes};
use percept_kernels::bf16::product::{Planes, ROWS, RowTile, Tap, multiply_transposed};
use percept_kernels::bf16::{Bf16, COLUMNS, SEGMENT, TILE, storage, storage_len};
use percept_kernels::isa::Isa;
use percept_kernels::pad::Frame;

#[derive(Debug)]
pub(super) struct WeightGradient {
    geometry: Geometry,
    /// The images in frames, where the kernel's columns are rows.
    frame: Option<Frame>,
    /// The pixels of each remainder's planes.
    planes: Vec<PixelTable>,
    /// Numbers of each pixel that become rows.
    row_count: usize,
    tiles: Vec<RowTile>,
    taps: Vec<Tap>,
    segments: usize,
    /// The output gradient's pixels.
    pixels: PixelTable,
    /// Pixels of zeros before the first one.
    before: usize,
    pairs: usize,
    /// Whether there are odd shifts.
    has_odd: bool,
    /// Images that are prepared at once.
    group: usize,
}

/// The most numbers of a window's row that become rows of a tile together.
const FEW: usize = 48;

/// How kernel cells and pixels are dealt to remainders and shifts.
struct Layout {
    /// Whether the kernel's columns are rows of the planes.
    merges_columns: bool,
    /// Remainders down and across.
    remainders: [usize; 2],
    /// Pixels of a row on both sides.
    width: usize,
}

impl Layout {
    fn new(geometry: &Geometry) -> Self {
        let Geometry { input, output, kernel, stride, .. } = *geometry;
        let merges_columns = input.channels < ROWS && kernel.width * input.channels <= FEW;
        let across = if merges_columns { 0 } else { (kernel.width - 1) / stride.width };
        let columns = if merges_columns { 1 } else { stride.width.min(kernel.width) };
        Self {
            merges_columns,
            remainders: [stride.height.min(kernel.height), columns],
            width: (output.width + across).next_multiple_of(2),
        }
    }

    /// Kernel cells along each axis of a remainder.
    fn cells(&self, geometry: &Geometry, remainder: [usize; 2]) -> [usize; 2] {
        let Geometry { kernel, stride, .. } = *geometry;
        let across = (kernel.width - remainder[1]).div_ceil(stride.width);
        [
            (kernel.height - remainder[0]).div_ceil(stride.height),
            if self.merges_columns { 1 } else { across },
        ]
    }
}

impl WeightGradient {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let Geometry { input, output, kernel, stride, .. } = *geometry;
        let layout = Layout::new(geometry);
        let last_shift = (kernel.height - 1) / stride.height * layout.width
            + if layout.merges_columns { 0 } else { (kernel.width - 1) / stride.width };
        // One more, so that the second copy has a pixel before the first one too.
        let before = (last_shift + 1).next_multiple_of(2);
        let line = (output.height - 1) * layout.width + output.width;
        let segments = (line + last_shift).div_ceil(SEGMENT);
        let place = |pixel: usize| {
            let (y, x) = (pixel / layout.width, pixel % layout.width);
            (x < output.width).then_some((y * output.width + x) * output.channels)
        };
        let mut gradient = Self {
            geometry: *geometry,
            frame: layout.merges_columns.then(|| geometry.frame()),
            planes: Vec::new(),
            row_count: input.channels * if layout.merges_columns { kernel.width } else { 1 },
            tiles: Vec::new(),
            taps: Vec::new(),
            segments,
            pixels: PixelTable::new((0..line).map(place)),
            before,
            pairs: before / 2 + segments * SEGMENT / 2,
            has_odd: !layout.merges_columns && kernel.width > stride.width,
            group: 1,
        };
        let [down, across] = layout.remainders;
        for remainder in (0..down * across).map(|index| [index / across, index % across]) {
            gradient.add_remainder(&layout, remainder);
        }
        gradient.group = super::group(gradient.left_pitch() + gradient.right_pitch());
        gradient
    }

    /// The planes, row tiles and taps of a remainder.
    fn add_remainder(&mut self, layout: &Layout, remainder: [usize; 2]) {
        let Geometry { input, kernel, stride, .. } = self.geometry;
        let [down, across] = layout.cells(&self.geometry, remainder);
        let first_tap = self.taps.len();
        for (ky, kx) in (0..down).flat_map(|ky| (0..across).map(move |kx| (ky, kx))) {
            let shift = ky * layout.width + kx;
            let row = ky * stride.height + remainder[0];
            let column = kx * stride.width + remainder[1];
            self.taps.push(Tap {
                offset: self.pair_offset(shift),
                out_row: (row * kernel.width + column) * input.channels,
            });
        }
        for first in (0..self.row_count).step_by(ROWS) {
            self.tiles.push(RowTile {
                index: self.planes.len() * self.row_count.div_ceil(ROWS) + first / ROWS,
                rows: ROWS.min(self.row_count - first),
                out_rows: core::array::from_fn(|row| (first + row) as u32),
                first_tap,
                taps: down * across,
            });
        }
        let pixels = (0..self.segments * SEGMENT)
            .map(|pixel| self.place(layout, remainder, pixel / layout.width, pixel % layout.width));
        self.planes.push(PixelTable::new(pixels));
    }

    /// Where the pairs that meet the first pixel of the input begin, for a shift.
    fn pair_offset(&self, shift: usize) -> usize {
        // An odd shift reads the second copy, whose pair q is pixels 2q - 1 and 2q.
        let pair = self.before / 2 - shift / 2;
        let copy = if shift % 2 == 1 { self.columns() * self.pairs } else { 0 };
        (copy + pair) * 2 * COLUMNS
    }

    /// Where the pixel (row, column) of a remainder's planes begins in the image, or in its frame.
    fn place(
        &self,
        layout: &Layout,
        remainder: [usize; 2],
        row: usize,
        column: usize,
    ) -> Option<usize> {
        let Geometry { input, stride, padding, .. } = self.geometry;
        let (y, x) = (row * stride.height + remainder[0], column * stride.width + remainder[1]);
        if let Some(frame) = &self.frame {
            let fits = y < frame.frame_height && column < layout.width;
            let fits =
                fits && x * input.channels + self.row_count <= frame.frame_width * input.channels;
            return fits.then_some((y * frame.frame_width + x) * input.channels);
        }
        let y = y.checked_sub(padding.height).filter(|y| *y < input.height)?;
        let x = x.checked_sub(padding.width).filter(|x| *x < input.width)?;
        Some((y * input.width + x) * input.channels)
    }

    /// Groups of 16 output channels.
    fn columns(&self) -> usize {
        self.geometry.output.channels.div_ceil(COLUMNS)
    }

    fn left_pitch(&self) -> usize {
        self.planes.len() * self.row_count.div_ceil(ROWS) * self.segments * TILE
    }

    fn copy_len(&self) -> usize {
        self.columns() * self.pairs * 2 * COLUMNS
    }

    fn right_pitch(&self) -> usize {
        self.copy_len() * if self.has_odd { 2 } else { 1 }
    }

    fn frame_len(&self) -> usize {
        self.frame.map_or(0, |frame| frame.len().next_multiple_of(COLUMNS))
    }

    /// fp32 numbers of scratch memory for chunks of up to `chunk` images.
    pub(super) fn scratch_len(&self, chunk: usize) -> usize {
        let images = self.group.min(chunk);
        let pairs = storage_len(images * self.right_pitch());
        storage_len(images * self.left_pitch()) + pairs + self.frame_len()
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
        let (frame, scratch) = scratch.split_at_mut(self.frame_len());
        let (planes, pairs) = scratch.split_at_mut(storage_len(most * self.left_pitch()));
        let (planes, pairs) = (storage(planes), storage(pairs));
        let layout = Planes {
            segments: self.segments,
            tiles: &self.tiles,
            taps: &self.taps,
            left_pitch: self.left_pitch(),
            right_pitch: self.right_pitch(),
            column_pitch: self.pairs * 2 * COLUMNS,
        };
        let images = input.chunks(self.group * input_shape.len());
        for (images, grads) in images.zip(grad_output.chunks(self.group * output.len())) {
            let all = images.chunks_exact(input_shape.len());
            for (image, to) in all.zip(planes.chunks_exact_mut(self.left_pitch())) {
                self.fill_planes(isa, image, frame, to);
            }
            let all = grads.chunks_exact(output.len());
            for (grad, to) in all.zip(pairs.chunks_exact_mut(self.right_pitch())) {
                self.fill_pairs(isa, grad, to);
            }
            let count = images.len() / input_shape.len();
            multiply_transposed(isa, count, &layout, planes, pairs, output.channels, grad_weight);
        }
    }

    fn fill_planes(&self, isa: Isa, image: &[f32], frame: &mut [f32], to: &mut [Bf16]) {
        let image = match &self.frame {
            Some(place) => {
                place.place(image, 0.0, frame);
                &*frame
            }
            None => image,
        };
        let len = to.len() / self.planes.len();
        for (table, to) in self.planes.iter().zip(to.chunks_exact_mut(len)) {
            let pixels = Pixels::Table(table);
            gather_planes(isa, image, pixels, self.row_count, self.segments, to);
        }
    }

    fn fill_pairs(&self, isa: Isa, grad: &[f32], to: &mut [Bf16]) {
        let pixels = Pixels::Table(&self.pixels);
        let channels = self.geometry.output.channels;
        for (copy, to) in to.chunks_exact_mut(self.copy_len()).enumerate() {
            let first = -(self.before + copy).cast_signed();
            gather_pairs(isa, grad, pixels, first, channels, self.pairs, to);
        }
    }
}
