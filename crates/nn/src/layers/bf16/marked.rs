//! The gradients of a small convolution of few input channels with a 2x2 max-pooling behind, where bf16 comes in pairs.
//!
//! By the weights: that of fp32, which adds the marked pixels' windows alone and is faster than pairs of all pixels. By the
//! input: overlapping windows are added, as in [`conv_overlap`](super::super::conv_overlap), whose vectors few channels fill.
//! The pooled gradient is spread and rounded in one pass, one column of pixels after the other, so that the rows of the
//! gradient that see a row of the image are neighbours, and their channels one sum.

use super::super::Backward;
use super::super::conv::{Geometry, bias_scratch_len};
use super::super::conv_overlap::{Added, IMAGES, Overlap};
use super::super::pooled_gradient::PooledGradient;
use percept_kernels::bf16::added::{AddedRows, Spread, multiply_add, spread};
use percept_kernels::bf16::arrange::turn;
use percept_kernels::bf16::{Bf16, COLUMNS, SEGMENT, TILE, storage, storage_len, stored};
use percept_kernels::isa::{Bf16Unit, Isa};
use percept_kernels::pool::Windows;

#[derive(Debug)]
pub(super) struct MarkedGradients {
    isa: Isa,
    geometry: Geometry,
    pooled: [usize; 2],
    weights: PooledGradient,
    /// The gradient by the input, where it is wanted.
    overlap: Option<Overlap>,
}

impl MarkedGradients {
    /// Where it is the faster way.
    pub(super) fn new(
        isa: Isa,
        geometry: &Geometry,
        pooling: &Windows,
        wants_input: bool,
    ) -> Option<Self> {
        let weights = PooledGradient::new(isa, geometry, pooling, false);
        let overlap = Overlap::new(geometry);
        let suits = isa.bf16_unit() != Bf16Unit::Tiles
            && geometry.input.channels < COLUMNS
            && weights.copies::<f32>()
            && (overlap.is_some() || !wants_input);
        suits.then_some(Self {
            isa,
            geometry: *geometry,
            pooled: pooling.output,
            weights,
            overlap: overlap.filter(|_| wants_input),
        })
    }

    /// Numbers of a pixel of the spread gradient: whole pairs.
    fn channels(&self) -> usize {
        self.geometry.output.channels.next_multiple_of(2)
    }

    /// bf16 numbers of the packed weights from 16 columns to the next.
    fn column_pitch(&self) -> usize {
        self.geometry.kernel.height * self.channels() * COLUMNS
    }

    /// bf16 numbers of the packed weights.
    fn weight_len(&self) -> usize {
        let columns = |overlap: &Overlap| overlap.columns().div_ceil(COLUMNS);
        self.overlap.as_ref().map_or(0, columns) * self.column_pitch()
    }

    /// fp32 numbers of the packed weights.
    pub(super) fn packed_len(&self) -> usize {
        storage_len(self.weight_len())
    }

    /// bf16 numbers of the spread gradient of a column of pixels.
    fn column_len(&self) -> usize {
        self.geometry.output.height * self.channels()
    }

    /// bf16 numbers of the spread gradient of an image.
    fn image_len(&self) -> usize {
        self.geometry.output.width * self.column_len()
    }

    pub(super) fn scratch_len(&self, chunk: usize) -> usize {
        let of_input = |overlap: &Overlap| {
            storage_len(chunk.min(IMAGES) * self.image_len()) + overlap.scratch_len(chunk)
        };
        self.weights
            .scratch_len::<f32>()
            .max(self.overlap.as_ref().map_or(0, of_input))
            .max(bias_scratch_len(self.geometry.output.channels))
    }

    /// Packs the weights: columns are the numbers of a window's row, rows (kernel row from the last to the first, output
    /// channel).
    pub(super) fn pack(&self, weight: &[f32], packed: &mut [f32]) {
        let Some(overlap) = &self.overlap else { return };
        let (columns, outputs) = (overlap.columns(), self.geometry.output.channels);
        let mut tile = [Bf16::ZERO; TILE];
        let panels = storage(packed)[..self.weight_len()].chunks_exact_mut(self.column_pitch());
        for (start, panel) in (0..columns).step_by(COLUMNS).zip(panels) {
            let kernel_rows = panel.chunks_exact_mut(self.channels() * COLUMNS);
            for (ky, row) in (0..self.geometry.kernel.height).rev().zip(kernel_rows) {
                for (k, to) in (0..outputs).step_by(SEGMENT).zip(row.chunks_mut(TILE)) {
                    let from = &weight[(ky * columns + start) * outputs + k..];
                    let (some, sums) = (COLUMNS.min(columns - start), SEGMENT.min(outputs - k));
                    turn(self.isa, from, outputs, some, sums, &mut tile);
                    to.copy_from_slice(&tile[..to.len()]);
                }
            }
        }
    }

    /// Adds the gradient by the weights.
    pub(super) fn add_weights(&self, pass: &mut Backward<'_, f32>) {
        self.weights.add(pass);
    }

    /// Writes the gradient by every image.
    pub(super) fn write_input(&self, packed: &[f32], pass: &mut Backward<'_, f32>) {
        let Some(overlap) = &self.overlap else { return };
        let Geometry { input, output, .. } = self.geometry;
        let weight = &stored(packed)[..self.weight_len()];
        let to_pixels = Spread {
            output: self.pooled,
            channels: output.channels,
            padded: self.channels(),
            pitches: [self.channels(), self.column_len()],
        };
        let left_len = storage_len(pass.images.min(IMAGES) * self.image_len());
        let (left, scratch) = pass.scratch.split_at_mut(left_len);
        let left = storage(left);
        let pooled = output.len() / 4;
        let results =
            pass.grad_output.chunks(IMAGES * pooled).zip(pass.saved.chunks(IMAGES * pooled));
        let images = pass.grad_input.chunks_mut(IMAGES * input.len()).zip(results);
        for (grad_input, (grad, marks)) in images {
            let each = grad.chunks_exact(pooled).zip(marks.chunks_exact(pooled));
            for ((grad, marks), left) in each.zip(left.chunks_exact_mut(self.image_len())) {
                spread(self.isa, &to_pixels, marks, grad, left);
            }
            let images = grad.len() / pooled;
            overlap.run(grad_input, scratch, |added, rows| {
                self.add_product(overlap, images, added, left, weight, rows);
            });
        }
    }

    fn add_product(
        &self,
        overlap: &Overlap,
        images: usize,
        added: &Added,
        left: &[Bf16],
        weight: &[Bf16],
        rows: &mut [f32],
    ) {
        let (channels, column) = (self.channels(), self.column_len());
        let product = AddedRows {
            rows: Overlap::grid(added, images, column, self.image_len()),
            out_rows: overlap.out_grid(added, images),
            pairs: added.seen.len() * channels / 2,
            columns: overlap.columns(),
            column_pitch: self.column_pitch(),
        };
        let left = &left[added.phase * column + added.seen.start * channels..];
        let weight = &weight[added.first * channels * COLUMNS..];
        multiply_add(self.isa, &product, left, weight, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Shape, Size};

    fn suits(isa: Isa, inputs: usize, outputs: usize, side: usize) -> bool {
        let out = side - 4;
        let geometry = Geometry {
            input: Shape { height: side, width: side, channels: inputs },
            output: Shape { height: out, width: out, channels: outputs },
            kernel: Size { height: 5, width: 5 },
            stride: Size { height: 1, width: 1 },
            padding: Size { height: 0, width: 0 },
            groups: 1,
        };
        let pooling = Windows {
            input: [out; 2],
            output: [out / 2; 2],
            kernel: [2, 2],
            stride: [2, 2],
            padding: [0, 0],
            channels: outputs,
        };
        MarkedGradients::new(isa, &geometry, &pooling, true).is_some()
    }

    #[test]
    fn small_convolutions_of_few_channels_are_served() {
        for isa in Isa::available_with_units() {
            let pairs = isa.bf16_unit() != Bf16Unit::Tiles && isa.lanes() > 1;
            assert_eq!(suits(isa, 6, 16, 14), pairs, "{isa}: LeNet's second convolution");
            assert!(!suits(isa, 16, 16, 14), "{isa}: 16 channels fill a vector");
            assert!(!suits(isa, 6, 16, 64), "{isa}: copies of 64x64 pixels leave the first cache");
        }
    }
}
