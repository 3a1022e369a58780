//! The gradient of a convolution by its weights: planes of the input's pixels against pairs of the output gradient's.
//!
//! The sum over all windows runs along one line of pixels, row after row and image after image. Both sides have rows of the
//! same, even width, so kernel cell (ky, kx) meets the pixel of the input with the one of the output gradient that lies ky
//! rows and kx pixels before. The zeros behind a row or an image are those before the next one too. The shift is the output gradient's: a second copy, one pixel on, serves odd shifts, and then all that
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
    /// The output gradient's pixels.
    pixels: PixelTable,
    /// Pixels of the line from one image to the next.
    image_pixels: usize,
    /// Pixels of zeros before the first one.
    before: usize,
    /// Whether there are odd shifts.
    has_odd: bool,
    /// The most images that are prepared at once.
    group: usize,
}

/// The most numbers of a window's row that become rows of a tile together.
const FEW: usize = 48;

/// Bytes of the planes and pairs that are made at once. Every sum over them is then added to the gradient, which may be far
/// larger than the second cache.
const PLANES_BYTES: usize = 3 << 19;

/// How kernel cells and pixels are dealt to remainders and shifts.
struct Layout {
    /// Whether the kernel's columns are rows of the planes.
    merges_columns: bool,
    /// Remainders down and across.
    remainders: [usize; 2],
    /// Pixels of a row on both sides.
    width: usize,
    /// Rows of an image on both sides.
    height: usize,
}

impl Layout {
    fn new(geometry: &Geometry) -> Self {
        let Geometry { input, output, kernel, stride, padding, .. } = *geometry;
        let merges_columns = input.channels < ROWS && kernel.width * input.channels <= FEW;
        let columns = if merges_columns { 1 } else { stride.width.min(kernel.width) };
        // A window ends before the padding does, so what it sees behind this many pixels is the next row's padding.
        let reach = |pixels: usize, padding: usize, stride| (pixels + padding).div_ceil(stride);
        let across = reach(input.width, padding.width, stride.width);
        let width = if merges_columns { output.width } else { output.width.max(across) };
        Self {
            merges_columns,
            remainders: [stride.height.min(kernel.height), columns],
            width: width.next_multiple_of(2),
            height: output.height.max(reach(input.height, padding.height, stride.height)),
        }
    }

    /// The row and column of each pixel of so many images' line, with its image.
    fn pixels(&self, images: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (width, height) = (self.width, self.height);
        (0..images * height * width)
            .map(move |pixel| (pixel / (width * height), pixel / width % height, pixel % width))
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
        let mut gradient = Self {
            geometry: *geometry,
            frame: layout.merges_columns.then(|| geometry.frame()),
            planes: Vec::new(),
            row_count: input.channels * if layout.merges_columns { kernel.width } else { 1 },
            tiles: Vec::new(),
            taps: Vec::new(),
            pixels: PixelTable::default(),
            image_pixels: layout.width * layout.height,
            // One more, so that the second copy has a pixel before the first one too.
            before: (last_shift + 1).next_multiple_of(2),
            has_odd: !layout.merges_columns && kernel.width > stride.width,
            group: 1,
        };
        gradient.group = gradient.most_images();
        let place = |(image, y, x): (usize, usize, usize)| {
            let pixel = (image * output.height + y) * output.width + x;
            (y < output.height && x < output.width).then_some(pixel * output.channels)
        };
        gradient.pixels = PixelTable::new(layout.pixels(gradient.group).map(place));
        let [down, across] = layout.remainders;
        for remainder in (0..down * across).map(|index| [index / across, index % across]) {
            gradient.add_remainder(&layout, remainder);
        }
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
                // An odd shift reads the second copy, whose pair q is pixels 2q - 1 and 2q.
                offset: (self.before / 2 - shift / 2) * 2 * COLUMNS,
                copy: shift % 2,
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
        let pixels = layout.pixels(self.group).map(|(image, row, column)| {
            let place = self.place(layout, remainder, row, column);
            place.map(|place| image * self.image_len() + place)
        });
        self.planes.push(PixelTable::new(pixels));
    }

    /// Numbers of an image, or of its frame.
    fn image_len(&self) -> usize {
        self.frame.map_or(self.geometry.input.len(), |frame| frame.len())
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

    /// Images whose planes and pairs are made at once: as many as fit into the second cache.
    fn most_images(&self) -> usize {
        let rows = self.geometry.stride.height * self.geometry.stride.width * self.row_count;
        let numbers = rows.next_multiple_of(ROWS) + 2 * self.columns() * COLUMNS;
        (PLANES_BYTES / 2 / (numbers * self.image_pixels)).max(1)
    }

    /// Groups of 16 output channels.
    fn columns(&self) -> usize {
        self.geometry.output.channels.div_ceil(COLUMNS)
    }

    /// Segments of so many images' line.
    fn segments(&self, images: usize) -> usize {
        (images * self.image_pixels).div_ceil(SEGMENT)
    }

    /// bf16 numbers of so many images' planes.
    fn planes_len(&self, images: usize) -> usize {
        self.planes.len() * self.row_count.div_ceil(ROWS) * self.segments(images) * TILE
    }

    fn pairs(&self, images: usize) -> usize {
        self.before / 2 + self.segments(images) * SEGMENT / 2
    }

    fn copy_len(&self, images: usize) -> usize {
        self.columns() * self.pairs(images) * 2 * COLUMNS
    }

    /// bf16 numbers of so many images' pairs.
    fn pairs_len(&self, images: usize) -> usize {
        self.copy_len(images) * if self.has_odd { 2 } else { 1 }
    }

    fn frames_len(&self, images: usize) -> usize {
        self.frame.map_or(0, |frame| (images * frame.len()).next_multiple_of(COLUMNS))
    }

    /// fp32 numbers of scratch memory for chunks of up to `chunk` images.
    pub(super) fn scratch_len(&self, chunk: usize) -> usize {
        let images = self.group.min(chunk);
        let pairs = storage_len(self.pairs_len(images));
        storage_len(self.planes_len(images)) + pairs + self.frames_len(images)
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
        let images = input.chunks(self.group * input_shape.len());
        for (images, grads) in images.zip(grad_output.chunks(self.group * output.len())) {
            let count = images.len() / input_shape.len();
            let (frames, scratch) = scratch.split_at_mut(self.frames_len(count));
            let (planes, pairs) = scratch.split_at_mut(storage_len(self.planes_len(count)));
            let planes = &mut storage(planes)[..self.planes_len(count)];
            let pairs = &mut storage(pairs)[..self.pairs_len(count)];
            self.fill_planes(isa, count, images, frames, planes);
            self.fill_pairs(isa, count, grads, pairs);
            let segments = self.segments(count);
            let layout = Planes {
                segments,
                segment_pitch: TILE,
                tiles: &self.tiles,
                tile_pitch: segments * TILE,
                taps: &self.taps,
                column_pitch: self.pairs(count) * 2 * COLUMNS,
                copy_pitch: self.copy_len(count),
            };
            multiply_transposed(isa, &layout, planes, pairs, output.channels, true, grad_weight);
        }
    }

    fn fill_planes(
        &self,
        isa: Isa,
        count: usize,
        images: &[f32],
        frames: &mut [f32],
        to: &mut [Bf16],
    ) {
        let images = match &self.frame {
            Some(frame) => {
                let all = images.chunks_exact(self.geometry.input.len());
                for (image, to) in all.zip(frames.chunks_exact_mut(frame.len())) {
                    frame.place(image, 0.0, to);
                }
                &*frames
            }
            None => images,
        };
        let (len, segments) = (to.len() / self.planes.len(), self.segments(count));
        for (table, to) in self.planes.iter().zip(to.chunks_exact_mut(len)) {
            let pixels = Pixels::Table { table, count: count * self.image_pixels };
            gather_planes(isa, images, pixels, self.row_count, segments, to);
        }
    }

    fn fill_pairs(&self, isa: Isa, count: usize, grads: &[f32], to: &mut [Bf16]) {
        let pixels = Pixels::Table { table: &self.pixels, count: count * self.image_pixels };
        let channels = self.geometry.output.channels;
        let first = -self.before.cast_signed();
        gather_pairs(isa, grads, pixels, first, channels, self.pairs(count), to);
    }
}
