//! The products of Muon's iteration with bf16 operands, from row-major matrices in slices, without allocation.

use percept_kernels::bf16::arrange::{convert, pack, turn};
use percept_kernels::bf16::product::{Output, TileOrder, Windows, multiply, packed_len};
use percept_kernels::bf16::{Bf16, COLUMNS, SEGMENT, TILE, storage, storage_len};
use percept_kernels::isa::Isa;
use percept_kernels::product::Grid;

/// The most segments that a row may have.
const MOST_SEGMENTS: usize = 512;

/// Where each segment of a row begins.
static SEGMENTS: [usize; MOST_SEGMENTS] = {
    let mut starts = [0; MOST_SEGMENTS];
    let mut index = 0;
    while index < MOST_SEGMENTS {
        starts[index] = index * SEGMENT;
        index += 1;
    }
    starts
};

/// Memory for both operands of a product, rounded, and for the bias of zeros that the kernel begins its sums with.
pub(super) struct Rounded<'m> {
    isa: Isa,
    side: usize,
    length: usize,
    left: &'m mut [Bf16],
    right: &'m mut [Bf16],
    zeros: &'m [f32],
}

/// Rows of so many numbers, in whole segments.
fn rows(count: usize, columns: usize) -> Windows<'static> {
    let segments = &SEGMENTS[..columns.div_ceil(SEGMENT)];
    Windows {
        image_pitch: 0,
        rows: Grid::line(count, columns.next_multiple_of(SEGMENT)),
        segments,
        tiles: TileOrder::ByColumns,
    }
}

/// bf16 numbers of the left operand.
fn left_len(side: usize, length: usize) -> usize {
    rows(side, length).span(1).expect("the matrix itself is in memory")
}

/// bf16 numbers of the right operand: of X^T, or of X.
fn right_len(side: usize, length: usize) -> usize {
    packed_len(length.div_ceil(SEGMENT), side).max(packed_len(side.div_ceil(SEGMENT), length))
}

impl<'m> Rounded<'m> {
    /// Whether a matrix [side, length] is not too long.
    pub(super) fn fits(side: usize, length: usize) -> bool {
        side <= length && length.div_ceil(SEGMENT) <= MOST_SEGMENTS
    }

    /// fp32 numbers of memory for the products of a matrix [side, length] that [`fits`](Self::fits).
    pub(super) fn len(side: usize, length: usize) -> usize {
        storage_len(left_len(side, length))
            + storage_len(right_len(side, length))
            + length.next_multiple_of(COLUMNS)
    }

    /// Takes [`len`](Self::len) numbers of memory.
    pub(super) fn new(isa: Isa, side: usize, length: usize, memory: &'m mut [f32]) -> Self {
        let (left, rest) = memory.split_at_mut(storage_len(left_len(side, length)));
        let (right, rest) = rest.split_at_mut(storage_len(right_len(side, length)));
        let zeros = &mut rest[..length.next_multiple_of(COLUMNS)];
        zeros.fill(0.0);
        Self { isa, side, length, left: storage(left), right: storage(right), zeros }
    }

    /// `out [side, side] = x x^T`.
    ///
    /// # Shapes
    /// x [side, columns].
    pub(super) fn gram(&mut self, columns: usize, x: &[f32], out: &mut [f32]) {
        let tiles =
            self.right[..packed_len(columns.div_ceil(SEGMENT), self.side)].chunks_exact_mut(TILE);
        let firsts = (0..self.side).step_by(COLUMNS);
        let places =
            firsts.flat_map(|row| (0..columns).step_by(SEGMENT).map(move |column| (row, column)));
        for ((row, column), tile) in places.zip(tiles) {
            let count = [COLUMNS.min(self.side - row), SEGMENT.min(columns - column)];
            turn(self.isa, &x[row * columns + column..], columns, count[0], count[1], tile);
        }
        self.multiply(columns, x, self.side, out);
    }

    /// `out [side, length] = square x`.
    ///
    /// # Shapes
    /// square [side, side], x [side, length].
    pub(super) fn product(&mut self, square: &[f32], x: &[f32], out: &mut [f32]) {
        let (side, length, segments) = (self.side, self.length, self.side.div_ceil(SEGMENT));
        let row = |row: usize| if row < side { &x[row * length..][..length] } else { &[][..] };
        pack(self.isa, segments, length, row, &mut self.right[..packed_len(segments, length)]);
        self.multiply(side, square, length, out);
    }

    /// `out [side, columns] = x right`, with the right operand that is packed.
    ///
    /// # Shapes
    /// x [side, inner].
    fn multiply(&mut self, inner: usize, x: &[f32], columns: usize, out: &mut [f32]) {
        let windows = rows(self.side, inner);
        let pitch = windows.rows.inner_pitch;
        let (rounded, behind) = self.left.split_at_mut(self.side * pitch);
        convert(self.isa, x, inner, rounded, pitch);
        behind.fill(Bf16::ZERO);
        let output =
            Output { image_pitch: 0, rows: Grid::line(self.side, columns), columns, relu: false };
        let right = &self.right[..packed_len(windows.segments.len(), columns)];
        let bias = &self.zeros[..columns.next_multiple_of(COLUMNS)];
        multiply(self.isa, 1, &windows, self.left, right, bias, &output, out);
    }
}
