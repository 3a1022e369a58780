//! The gradient of a convolution by its input, by adding overlapping windows.
//!
//! An output pixel's gradient times the transposed weights is the gradient of its whole window; the windows of
//! neighbours overlap and are added. One row of a window is `kernel width * channels` neighbouring numbers, so where an
//! image has few channels the vectors are filled far better than with one pixel's channels, and nothing is
//! multiplied with padding.
//!
//! A row of the image is finished at a time: it receives kernel row `y + padding - oy` of every output row oy that sees
//! it. Windows that are a kernel's width apart do not touch: they make one product, together with those of the other
//! images, so that a sum is not read back right after it was written.

use super::conv::Geometry;
use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::product::{Finish, Grid, Left, Panels, multiply};
use std::ops::Range;

/// Images that are worked on together.
pub(super) const IMAGES: usize = 16;

/// The rows and windows of the form, whatever multiplies them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overlap {
    geometry: Geometry,
}

/// One product: what some windows of each of some images add to row y.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// The rows of the output gradient that see row y.
    pub seen: Range<usize>,
    /// Rows of the kernel, from the last one on, that come before the one that the first seen row meets.
    pub first: usize,
    /// The first column of the output gradient.
    pub phase: usize,
    /// Columns from one window to the next.
    pub step: usize,
    /// Windows.
    pub apart: usize,
}

impl Overlap {
    /// Where the form is possible: vertical strides would leave gaps in the kernel's rows.
    pub(super) fn new(geometry: &Geometry) -> Option<Self> {
        let possible = geometry.groups == 1 && geometry.stride.height == 1;
        possible.then_some(Self { geometry: *geometry })
    }

    /// Numbers of a row of a window.
    pub(super) fn columns(&self) -> usize {
        self.geometry.kernel.width * self.geometry.input.channels
    }

    /// The weight that output channel `k % outputs` of the kernel's row `k / outputs`, counted from the last one, has for number
    /// `n` of a window's row.
    pub(super) fn weight<T: Copy>(&self, weight: &[T], k: usize, n: usize) -> T {
        let Geometry { output, kernel, .. } = self.geometry;
        let ky = kernel.height - 1 - k / output.channels;
        weight[(ky * self.columns() + n) * output.channels + k % output.channels]
    }

    /// Numbers of a row of the image with its padding.
    fn row_len(&self) -> usize {
        let Geometry { input, padding, .. } = self.geometry;
        (input.width + 2 * padding.width) * input.channels
    }

    pub(super) fn scratch_len(&self, chunk: usize) -> usize {
        chunk.min(IMAGES) * self.row_len()
    }

    /// Writes the gradient by up to [`IMAGES`] images: `add` adds a product to one row for each.
    pub(super) fn run<T: Element>(
        &self,
        grad_input: &mut [T],
        scratch: &mut [T],
        mut add: impl FnMut(&Added, &mut [T]),
    ) {
        let Geometry { input, padding, .. } = self.geometry;
        let (row, count) = (self.row_len(), input.width * input.channels);
        let rows = &mut scratch[..grad_input.len() / input.len() * row];
        for y in 0..input.height {
            rows.fill(T::ZERO);
            self.add_windows(y, rows, &mut add);
            let images = rows.chunks_exact(row).zip(grad_input.chunks_exact_mut(input.len()));
            for (row, out) in images {
                let row = &row[padding.width * input.channels..][..count];
                out[y * count..][..count].copy_from_slice(row);
            }
        }
    }

    /// Adds what reaches row y.
    fn add_windows<T>(&self, y: usize, rows: &mut [T], add: &mut impl FnMut(&Added, &mut [T])) {
        let Geometry { input, output, kernel, stride, padding, .. } = self.geometry;
        let bottom = y + padding.height;
        let seen = bottom.saturating_sub(kernel.height - 1)..output.height.min(bottom + 1);
        if seen.is_empty() {
            return;
        }
        let first = kernel.height - 1 - (bottom - seen.start);
        let step = kernel.width.div_ceil(stride.width);
        for phase in 0..step.min(output.width) {
            let apart = (output.width - phase).div_ceil(step);
            let added = Added { seen: seen.clone(), first, phase, step, apart };
            add(&added, &mut rows[phase * stride.width * input.channels..]);
        }
    }

    /// The rows of a product: `apart` windows of each of some images, `pitch` numbers from one column of pixels to the next and
    /// `image` from one image to the next.
    pub(super) fn grid(added: &Added, images: usize, pitch: usize, image: usize) -> Grid {
        Grid {
            outer: added.apart,
            outer_pitch: added.step * pitch,
            inner: images,
            inner_pitch: image,
        }
    }

    /// The same for the rows that are added to.
    pub(super) fn out_grid(&self, added: &Added, images: usize) -> Grid {
        let Geometry { input, stride, .. } = self.geometry;
        Self::grid(added, images, stride.width * input.channels, self.row_len())
    }
}

#[derive(Debug)]
pub(super) struct OverlapGradient {
    overlap: Overlap,
    geometry: Geometry,
    /// Columns of the window's row, cut so that each piece is one panel; its rows are (kernel row from the last to the
    /// first, output channel).
    pieces: Vec<Range<usize>>,
    isa: Isa,
}

impl OverlapGradient {
    /// Where the form is possible.
    pub(super) fn new<T: Element>(isa: Isa, geometry: &Geometry) -> Option<Self> {
        let overlap = Overlap::new(geometry)?;
        let (columns, widest) = (overlap.columns(), Panels::widest::<T>(isa));
        let pieces = (0..columns)
            .step_by(widest.min(columns.max(1)))
            .map(|start| start..columns.min(start.saturating_add(widest)))
            .collect();
        Some(Self { overlap, geometry: *geometry, pieces, isa: T::isa(isa) })
    }

    /// Multiply-adds of vectors for one image.
    pub(super) fn work(&self) -> usize {
        let Geometry { output, kernel, .. } = self.geometry;
        let vectors: usize =
            self.pieces.iter().map(|piece| piece.len().div_ceil(self.isa.lanes())).sum();
        output.len() * kernel.height * vectors
    }

    /// The weights that reach one piece of the window's row, from `rows` kernel rows.
    fn panels<T: Element>(&self, piece: &Range<usize>, rows: usize) -> Panels {
        Panels::new::<T>(self.isa, rows * self.geometry.output.channels, piece.len())
    }

    pub(super) fn packed_len<T: Element>(&self) -> usize {
        let rows = self.geometry.kernel.height;
        self.pieces.iter().map(|piece| self.panels::<T>(piece, rows).len()).sum()
    }

    pub(super) fn scratch_len(&self, chunk: usize) -> usize {
        self.overlap.scratch_len(chunk)
    }

    pub(super) fn pack<T: Element>(&self, weight: &[T], packed: &mut [T]) {
        let mut rest = packed;
        for piece in &self.pieces {
            let panels = self.panels::<T>(piece, self.geometry.kernel.height);
            let (packed, after) = rest.split_at_mut(panels.len());
            panels.pack(packed, |k, n| self.overlap.weight(weight, k, piece.start + n));
            rest = after;
        }
    }

    pub(super) fn run<T: Element>(
        &self,
        packed: &[T],
        grad_output: &[T],
        grad_input: &mut [T],
        scratch: &mut [T],
    ) {
        let Geometry { input, output, .. } = self.geometry;
        let images = grad_output.chunks(IMAGES * output.len());
        for (grad, out) in images.zip(grad_input.chunks_mut(IMAGES * input.len())) {
            self.overlap.run(out, scratch, |added, rows| self.add(packed, grad, added, rows));
        }
    }

    /// Adds a product.
    fn add<T: Element>(&self, packed: &[T], grad: &[T], added: &Added, rows: &mut [T]) {
        let Geometry { output, kernel, .. } = self.geometry;
        let images = grad.len() / output.len();
        let geometry = Left {
            rows: Overlap::grid(added, images, output.channels, output.len()),
            runs: Grid::line(added.seen.len(), output.width * output.channels),
            run: output.channels,
        };
        let first = (added.seen.start * output.width + added.phase) * output.channels;
        let mut rest = packed;
        for piece in &self.pieces {
            let panels = self.panels::<T>(piece, added.seen.len());
            let whole = self.panels::<T>(piece, kernel.height).len();
            let start = added.first * output.channels * panels.padded_columns();
            multiply(
                self.isa,
                &geometry,
                &grad[first..],
                &panels,
                &rest[start..][..panels.len()],
                None,
                Finish::Add,
                &self.overlap.out_grid(added, images),
                &mut rows[piece.start..],
            );
            rest = &rest[whole..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::conv_gradient::PhasedGradient;
    use super::*;
    use crate::shape::{Shape, Size};
    use percept_kernels::random::{Draws, Purpose};

    fn geometries() -> Vec<Geometry> {
        let mut all = Vec::new();
        for (side, channels, outputs, kernel, padding, stride) in [
            ([14, 14], 6, 16, [5, 5], [0, 0], 1),
            ([7, 9], 8, 5, [3, 3], [1, 1], 1),
            ([6, 11], 1, 3, [5, 2], [2, 0], 3),
            ([4, 5], 12, 2, [3, 5], [2, 2], 2),
            ([3, 3], 2, 4, [2, 2], [3, 3], 1),
            ([5, 40], 3, 20, [1, 7], [0, 3], 1),
        ] {
            let out = |axis: usize, stride: usize| {
                (side[axis] + 2 * padding[axis] - kernel[axis]) / stride + 1
            };
            all.push(Geometry {
                input: Shape { height: side[0], width: side[1], channels },
                output: Shape { height: out(0, 1), width: out(1, stride), channels: outputs },
                kernel: Size { height: kernel[0], width: kernel[1] },
                stride: Size { height: 1, width: stride },
                padding: Size { height: padding[0], width: padding[1] },
                groups: 1,
            });
        }
        all
    }

    fn run<T: Element>(isa: Isa, geometry: &Geometry, images: usize, overlap: bool) -> Vec<f64> {
        let random = |len: usize, example: u64| -> Vec<T> {
            let mut draws = Draws::new(3, Purpose::Test, 0, example);
            (0..len).map(|_| T::from_f64(f64::from(draws.uniform_in(-1.0, 1.0)))).collect()
        };
        let weight = random(geometry.rows() * geometry.output.channels, 0);
        let grad = random(images * geometry.output.len(), 1);
        let mut out = random(images * geometry.input.len(), 2);
        if overlap {
            let form = OverlapGradient::new::<T>(isa, geometry).unwrap();
            let mut packed = vec![T::ZERO; form.packed_len::<T>()];
            form.pack(&weight, &mut packed);
            let mut scratch = random(form.scratch_len(images), 3);
            form.run(&packed, &grad, &mut out, &mut scratch);
        } else {
            let form = PhasedGradient::new::<T>(isa, geometry);
            let mut packed = vec![T::ZERO; form.packed_len()];
            form.pack(&weight, &mut packed);
            let mut scratch = random(form.scratch_len(), 3);
            form.run(isa, &packed, &grad, &mut out, &mut scratch);
        }
        out.into_iter().map(Element::to_f64).collect()
    }

    #[test]
    fn both_forms_give_the_same_gradient() {
        for geometry in geometries() {
            for images in [1, 3, IMAGES + 1] {
                let expected = run::<f64>(Isa::SCALAR, &geometry, images, false);
                for isa in Isa::available() {
                    let found = run::<f32>(isa, &geometry, images, true);
                    for (index, (f, e)) in found.iter().zip(&expected).enumerate() {
                        // Sums of up to 400 products below 1 in f32.
                        assert!((f - e).abs() < 1e-4, "{isa} {geometry:?} [{index}]: {f}, not {e}");
                    }
                }
            }
        }
    }
}
