//! The gradient of a convolution by its input: as in [`conv_gradient`](super::super::conv_gradient), with bf16 operands.

use super::super::conv::Geometry;
use super::super::conv_gradient::{Remainder, reach, remainders};
use super::frame::{Bf16Frame, NOTHING, span};
use percept_kernels::bf16::product::{Output, TileOrder, Windows, multiply, packed_len};
use percept_kernels::bf16::{Bf16, COLUMNS, SEGMENT, TILE, arrange, storage, storage_len, stored};
use percept_kernels::isa::Isa;
use percept_kernels::pad::Frame;
use percept_kernels::product::Grid;

#[derive(Debug)]
pub(super) struct InputGradient {
    geometry: Geometry,
    frame: Bf16Frame,
    phases: Vec<Phase>,
    /// Whether some pixels belong to no phase, because no window sees them.
    has_gaps: bool,
    zeros: Vec<f32>,
    /// Images that are prepared at once.
    group: usize,
}

#[derive(Debug)]
struct Phase {
    /// Where the phase's first window begins in the framed gradient.
    start: usize,
    rows: Grid,
    offsets: Vec<usize>,
    /// For each number of all segments: its weight's (kernel cell, output channel) as (cell * out_channels + channel), or
    /// [`NOTHING`].
    cells: Vec<u32>,
    /// Where the phase's first pixel lies in the image.
    out_start: usize,
    out_rows: Grid,
}

impl InputGradient {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let Geometry { input, output, kernel, stride, padding, .. } = *geometry;
        let down = remainders(input.height, kernel.height, stride.height, padding.height);
        let across = remainders(input.width, kernel.width, stride.width, padding.width);
        let ((top, frame_height), (left, frame_width)) = (reach(&down), reach(&across));
        let frame = Bf16Frame::new(Frame {
            height: output.height,
            width: output.width,
            channels: output.channels,
            top: -top,
            left: -left,
            frame_height,
            frame_width,
        });
        let pairs = down.iter().flat_map(|y| across.iter().map(move |x| (*y, *x)));
        Self {
            geometry: *geometry,
            frame,
            has_gaps: down.iter().chain(&across).any(|remainder| remainder.taps == 0),
            phases: pairs
                .filter(|(y, x)| y.taps > 0 && x.taps > 0)
                .map(|(y, x)| Phase::new(geometry, &frame, y, x))
                .collect(),
            zeros: vec![0.0; input.channels.next_multiple_of(COLUMNS)],
            group: super::group(frame.image_pitch()),
        }
    }

    /// fp32 numbers of the packed weights.
    pub(super) fn packed_len(&self) -> usize {
        let channels = self.geometry.input.channels;
        let one = |phase: &Phase| storage_len(packed_len(phase.offsets.len(), channels));
        self.phases.iter().map(one).sum()
    }

    /// bf16 numbers of the frames of a group of a chunk.
    fn frames_len(&self, chunk: usize) -> usize {
        let images = self.group.min(chunk);
        let phases = self.phases.iter();
        let spans = phases.map(|phase| phase.start + span(&phase.windows(&self.frame), images));
        spans.max().unwrap_or(0).max(images * self.frame.image_pitch())
    }

    /// fp32 numbers of scratch memory for chunks of up to `chunk` images.
    pub(super) fn scratch_len(&self, chunk: usize) -> usize {
        storage_len(self.frames_len(chunk))
    }

    /// Packs the turned weights of every phase.
    pub(super) fn pack(&self, isa: Isa, weight: &[f32], packed: &mut [f32]) {
        let channels = self.geometry.input.channels;
        let mut rest = packed;
        for phase in &self.phases {
            let len = packed_len(phase.offsets.len(), channels);
            let (to, after) = rest.split_at_mut(storage_len(len));
            let tiles = storage(to)[..len].chunks_exact_mut(TILE);
            let starts = (0..channels).step_by(COLUMNS);
            let places =
                starts.flat_map(|c| phase.cells.chunks_exact(SEGMENT).map(move |k| (c, k)));
            for ((channel, cells), tile) in places.zip(tiles) {
                self.pack_tile(isa, weight, channel, cells, tile);
                let columns = channel..(channel + COLUMNS).min(channels);
                arrange::order(isa, channels, columns, tile);
            }
            rest = after;
        }
    }

    /// One tile: its rows are the cells, its columns 16 input channels from `first`.
    fn pack_tile(&self, isa: Isa, weight: &[f32], first: usize, cells: &[u32], tile: &mut [Bf16]) {
        let (inputs, outputs) = (self.geometry.input.channels, self.geometry.output.channels);
        let columns = COLUMNS.min(inputs - first);
        let at = |cell: u32| {
            let (tap, channel) = (cell as usize / outputs, cell as usize % outputs);
            (tap * inputs + first) * outputs + channel
        };
        // A segment within one kernel cell: neighbouring numbers of the weights of each input channel.
        let count = cells.iter().take_while(|cell| **cell != NOTHING).count();
        let one_cell = count > 0
            && (cells[count - 1] - cells[0]) as usize == count - 1
            && cells[0] as usize / outputs == cells[count - 1] as usize / outputs
            && cells[count..].iter().all(|cell| *cell == NOTHING);
        if one_cell {
            arrange::turn(isa, &weight[at(cells[0])..], outputs, columns, count, tile);
            return;
        }
        tile.fill(Bf16::ZERO);
        for (k, cell) in cells.iter().enumerate().filter(|(_, cell)| **cell != NOTHING) {
            for column in 0..columns {
                let number = weight[at(*cell) + column * outputs];
                tile[k / 2 * 2 * COLUMNS + 2 * column + k % 2] = Bf16::from_f32(number);
            }
        }
    }

    pub(super) fn run(
        &self,
        isa: Isa,
        packed: &[f32],
        grad_output: &[f32],
        grad_input: &mut [f32],
        scratch: &mut [f32],
    ) {
        let Geometry { input, output, .. } = self.geometry;
        if self.has_gaps {
            grad_input.fill(0.0);
        }
        let framed = &mut storage(scratch)[..self.frames_len(grad_output.len() / output.len())];
        let grads = grad_output.chunks(self.group * output.len());
        for (grads, out) in grads.zip(grad_input.chunks_mut(self.group * input.len())) {
            self.frame.place(isa, grads, framed);
            let mut rest = packed;
            for phase in &self.phases {
                let len = packed_len(phase.offsets.len(), input.channels);
                let (weight, after) = rest.split_at(storage_len(len));
                let output = Output {
                    image_pitch: input.len(),
                    rows: phase.out_rows,
                    columns: input.channels,
                    relu: false,
                };
                multiply(
                    isa,
                    grads.len() / self.geometry.output.len(),
                    &phase.windows(&self.frame),
                    &framed[phase.start..],
                    &stored(weight)[..len],
                    &self.zeros,
                    &output,
                    &mut out[phase.out_start..],
                );
                rest = after;
            }
        }
    }
}

impl Phase {
    fn new(geometry: &Geometry, frame: &Bf16Frame, y: Remainder, x: Remainder) -> Self {
        let Geometry { input, output, kernel, stride, .. } = *geometry;
        let segments = frame.segments([y.taps, x.taps]);
        let cell = |place: u32| {
            if place == NOTHING {
                return NOTHING;
            }
            let (tap, channel) =
                (place as usize / output.channels, place as usize % output.channels);
            let ky = y.first_tap + stride.height * (y.taps - 1 - tap / x.taps);
            let kx = x.first_tap + stride.width * (x.taps - 1 - tap % x.taps);
            u32::try_from((ky * kernel.width + kx) * output.channels + channel)
                .expect("a weight tensor has fewer than 2^32 numbers")
        };
        let row = (y.first_read + frame.frame.top).unsigned_abs();
        let column = (x.first_read + frame.frame.left).unsigned_abs();
        Self {
            start: row * frame.row_pitch() + column * frame.channels,
            rows: frame.rows([y.pixels, x.pixels], [1, 1]),
            offsets: segments.offsets,
            cells: segments.cells.into_iter().map(cell).collect(),
            out_start: (y.first_pixel * input.width + x.first_pixel) * input.channels,
            out_rows: Grid {
                outer: y.pixels,
                outer_pitch: stride.height * input.width * input.channels,
                inner: x.pixels,
                inner_pitch: stride.width * input.channels,
            },
        }
    }

    fn windows(&self, frame: &Bf16Frame) -> Windows<'_> {
        Windows {
            image_pitch: frame.image_pitch(),
            rows: self.rows,
            segments: &self.offsets,
            tiles: TileOrder::ByColumns,
        }
    }
}
