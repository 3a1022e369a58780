//! The two products of bf16 numbers with fp32 sums: [`multiply`] for layers and their input gradients,
//! [`multiply_transposed`] for the gradients by the weights.

use super::{Bf16, COLUMNS, SEGMENT, TILE};
use crate::body::per_isa;
use crate::isa::{Bf16Unit, Isa};
use crate::product::Grid;
use std::ops::Range;

/// Rows of a tile: what a unit may read at once, beginning at any row of the left operand.
pub const ROWS: usize = 16;

/// How the left operand of [`multiply`] lies in memory: row m of an image begins at `rows(m)`, its K columns come in
/// segments of [`SEGMENT`] numbers that begin at `segments` from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows<'a> {
    /// Numbers from one image to the next.
    pub image_pitch: usize,
    /// The rows of one image.
    pub rows: Grid,
    /// Where each segment begins.
    pub segments: &'a [usize],
    /// In which order the right operand has its tiles.
    pub tiles: TileOrder,
}

/// In which order the right operand of [`multiply`] has its tiles, each of a segment's 32 rows and 16 columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileOrder {
    /// All segments of the first 16 columns, then those of the next: what a product reads lies together.
    ByColumns,
    /// All columns of the first segment, then those of the next: what comes from neighbouring rows lies together.
    BySegments,
}

/// Where the rows of the output lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Numbers from one image to the next.
    pub image_pitch: usize,
    /// The rows of one image: the grid of the left operand with other pitches.
    pub rows: Grid,
    /// Columns.
    pub columns: usize,
    /// Whether the greater of a sum and zero is stored.
    pub relu: bool,
}

impl Windows<'_> {
    /// Numbers of the left operand for so many images. Units read 16 rows at a time, so there must be numbers behind
    /// the last row; they are not used, but must be finite. `None` where they pass the address space.
    #[must_use]
    pub fn span(&self, images: usize) -> Option<usize> {
        let Grid { outer, outer_pitch, inner, inner_pitch } = self.rows;
        let last_image = images.checked_sub(1)?.checked_mul(self.image_pitch)?;
        let last_row = outer.checked_sub(1)?.checked_mul(outer_pitch)?;
        let last_pixel = (inner.checked_add(ROWS)?).checked_mul(inner_pitch)?;
        let last_segment = self.segments.iter().max().copied().unwrap_or(0).checked_add(SEGMENT)?;
        last_image.checked_add(last_row)?.checked_add(last_pixel)?.checked_add(last_segment)
    }
}

impl Output {
    /// Numbers of the output for so many images.
    fn span(&self, images: usize) -> Option<usize> {
        let Grid { outer, outer_pitch, inner, inner_pitch } = self.rows;
        let last_image = images.checked_sub(1)?.checked_mul(self.image_pitch)?;
        let last_row = outer.checked_sub(1)?.checked_mul(outer_pitch)?;
        let last_pixel = inner.checked_sub(1)?.checked_mul(inner_pitch)?;
        last_image.checked_add(last_row)?.checked_add(last_pixel)?.checked_add(self.columns)
    }
}

/// Numbers of the right operand of [`multiply`] for so many segments and columns, as [`pack`](super::arrange::pack) packs it.
#[must_use]
pub const fn packed_len(segments: usize, columns: usize) -> usize {
    segments * columns.div_ceil(COLUMNS) * TILE
}

/// `out[m, n]` = `bias[n]` + sum over k of `left[m, k]` * `right[k, n]`, then the greater of it and zero where asked for.
///
/// # Shapes
/// `left` of at least [`Windows::span`] numbers, `right` packed by [`pack`](super::arrange::pack) (which gives the tiles by
/// columns, or, for one segment at a time, by segments) and in the unit's [`order`](super::arrange::order), `bias`
/// `[columns rounded up to whole 16s]`.
///
/// # Panics
/// When a slice is too short or the grids of rows differ.
#[allow(clippy::too_many_arguments)]
pub fn multiply(
    isa: Isa,
    images: usize,
    windows: &Windows<'_>,
    left: &[Bf16],
    right: &[Bf16],
    bias: &[f32],
    output: &Output,
    out: &mut [f32],
) {
    if images == 0 || windows.rows.is_empty() || output.columns == 0 {
        return;
    }
    let grid = |grid: &Grid| (grid.outer, grid.inner);
    assert_eq!(
        grid(&windows.rows),
        grid(&output.rows),
        "the grid of rows is the same on both sides"
    );
    assert!(reaches(left.len(), windows.span(images)), "left is too short");
    assert!(reaches(out.len(), output.span(images)), "out is too short");
    let packed = packed_len(windows.segments.len(), output.columns);
    assert_eq!(right.len(), packed, "length of the packed right operand");
    assert_eq!(bias.len(), output.columns.next_multiple_of(COLUMNS), "length of the bias");
    let product = Product { images, windows, left, right, bias, output };
    match isa.bf16_unit() {
        Bf16Unit::Widened => widened(isa, &product, out),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        Bf16Unit::Dot => unsafe { super::dot::multiply(&product, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Bf16Unit::Tiles => unsafe { super::amx::multiply(&product, out) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => widened(isa, &product, out),
    }
}

/// The operands of [`multiply`], checked.
pub(super) struct Product<'a, T> {
    pub images: usize,
    pub windows: &'a Windows<'a>,
    pub left: &'a [Bf16],
    pub right: &'a [Bf16],
    pub bias: &'a [T],
    pub output: &'a Output,
}

impl<T> Product<'_, T> {
    /// Numbers of the right operand from the tile of 16 columns to that of the next, and from that of a segment to that of the
    /// next.
    pub(super) fn tile_pitches(&self) -> [usize; 2] {
        let segments = self.windows.segments.len();
        match self.windows.tiles {
            TileOrder::ByColumns => [segments * TILE, TILE],
            TileOrder::BySegments => [TILE, self.output.columns.div_ceil(COLUMNS) * TILE],
        }
    }
}

/// Up to 16 rows of the left operand of [`multiply_transposed`] that lie together, tile by tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowTile {
    /// Which of the left operand's row tiles it is; the tiles of its segments follow each other.
    pub index: usize,
    /// Rows that exist.
    pub rows: usize,
    /// The output row of each row, from that of the tap on.
    pub out_rows: [u32; ROWS],
    /// The first of its taps.
    pub first_tap: usize,
    /// Its taps.
    pub taps: usize,
}

/// Pixels of the right operand that the rows of a tile meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// Where the pair that the first pixel of the left operand meets begins, in the pairs of 16 columns; whole pairs.
    pub offset: usize,
    /// Which copy of the right operand that is.
    pub copy: usize,
    /// Added to a row's output row.
    pub out_row: usize,
}

/// How the operands of [`multiply_transposed`] lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes<'a> {
    /// Segments of pixels that are summed over.
    pub segments: usize,
    /// Numbers of both operands from one segment to the next; whole tiles.
    pub segment_pitch: usize,
    /// The row tiles; the left operand has a tile of 16 rows by a segment of pixels for each of their segments.
    pub tiles: &'a [RowTile],
    /// Numbers of the left operand from one row tile to the next.
    pub tile_pitch: usize,
    /// The taps of all row tiles.
    pub taps: &'a [Tap],
    /// Numbers of the right operand from 16 columns to the next.
    pub column_pitch: usize,
    /// Numbers of the right operand from one copy to the next.
    pub copy_pitch: usize,
}

impl Planes<'_> {
    /// Numbers of the left operand. `None` where they pass the address space.
    fn left_span(&self) -> Option<usize> {
        let last = self.tiles.iter().map(|tile| tile.index).max()?;
        last.checked_mul(self.tile_pitch)?.checked_add(self.segments_span()?)
    }

    /// Numbers from the first segment's first to the last one's last.
    fn segments_span(&self) -> Option<usize> {
        self.segments.checked_sub(1)?.checked_mul(self.segment_pitch)?.checked_add(TILE)
    }

    fn right_span(&self, columns: usize) -> Option<usize> {
        let last_columns = (columns.div_ceil(COLUMNS) - 1).checked_mul(self.column_pitch)?;
        let start = |tap: &Tap| tap.copy.checked_mul(self.copy_pitch)?.checked_add(tap.offset);
        let last_tap = self.taps.iter().map(start).reduce(|a, b| Some(a?.max(b?)))??;
        let before = last_columns.checked_add(last_tap)?;
        before.checked_add(self.segments_span()?)
    }

    fn out_span(&self, columns: usize) -> Option<usize> {
        let last_row = |tile: &RowTile| {
            let taps = self.taps.get(tile.first_tap..)?.get(..tile.taps)?;
            let tap = taps.iter().map(|tap| tap.out_row).max().unwrap_or(0);
            let row = tile.out_rows.get(..tile.rows)?.iter().max().copied().unwrap_or(0);
            tap.checked_add(row as usize)
        };
        let last = self.tiles.iter().map(last_row).reduce(|a, b| Some(a?.max(b?)))??;
        last.checked_add(1)?.checked_mul(columns)
    }
}

/// `out[row, n]` = sum over pixels of `left[row, pixel]` * `right[pixel, n]`, for each row and tap, added to what is there where
/// `adds` says so; else no two may have the same output row.
///
/// # Shapes
/// left `[tiles, segments, 16, 32]` as [`gather_planes`](super::arrange::gather_planes) writes it, right
/// `[copies, columns / 16, pairs, 16, 2]` as [`gather_pairs`](super::arrange::gather_pairs) writes it, with the
/// pitches of `planes`; out `[rows, columns]`. All numbers of whole tiles must be finite.
///
/// # Panics
/// When a slice is too short.
pub fn multiply_transposed(
    isa: Isa,
    planes: &Planes<'_>,
    left: &[Bf16],
    right: &[Bf16],
    columns: usize,
    adds: bool,
    out: &mut [f32],
) {
    if planes.tiles.is_empty() || planes.taps.is_empty() || columns == 0 {
        return;
    }
    let product = Transposed { planes, left, right, columns, adds };
    assert!(reaches(out.len(), planes.out_span(columns)), "out is too short");
    let writes = isa.bf16_unit() == Bf16Unit::Dot && planes.segments > 0;
    if !adds && !writes {
        product.clear(out);
    }
    if planes.segments == 0 {
        return;
    }
    assert!(reaches(left.len(), planes.left_span()), "left is too short");
    assert!(reaches(right.len(), planes.right_span(columns)), "right is too short");
    match isa.bf16_unit() {
        Bf16Unit::Widened => widened_transposed(isa, &product, out),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        Bf16Unit::Dot => unsafe { super::dot::multiply_transposed(&product, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Bf16Unit::Tiles => unsafe { super::amx::multiply_transposed(&product, out) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => widened_transposed(isa, &product, out),
    }
}

/// The operands of [`multiply_transposed`], checked.
pub(super) struct Transposed<'a> {
    pub planes: &'a Planes<'a>,
    pub left: &'a [Bf16],
    pub right: &'a [Bf16],
    pub columns: usize,
    /// Whether the sums are added to what is there; for the units that always do, [`clear`](Self::clear) comes before.
    pub adds: bool,
}

/// The sums of one row tile with one tap and 16 columns: where the right operand begins, and where the sums go.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub right: usize,
    /// The output's number of the tile's row 0 but for its `out_rows`.
    pub out: usize,
    pub columns: usize,
}

impl Transposed<'_> {
    /// Where a row tile begins.
    pub(super) fn start(&self, tile: &RowTile) -> usize {
        tile.index * self.planes.tile_pitch
    }

    /// Sets the output to zeros, for the units that only add.
    fn clear(&self, out: &mut [f32]) {
        for tile in self.planes.tiles {
            for tap in &self.planes.taps[tile.first_tap..][..tile.taps] {
                for out_row in &tile.out_rows[..tile.rows] {
                    let row = tap.out_row + *out_row as usize;
                    out[row * self.columns..][..self.columns].fill(0.0);
                }
            }
        }
    }

    /// The targets of a row tile in some columns, which begin with a tile's.
    pub(super) fn targets(
        &self,
        tile: &RowTile,
        range: Range<usize>,
    ) -> impl Iterator<Item = Target> {
        let (planes, columns) = (self.planes, self.columns);
        let taps = &planes.taps[tile.first_tap..][..tile.taps];
        range.step_by(COLUMNS).flat_map(move |start| {
            taps.iter().map(move |tap| Target {
                right: tap.copy * planes.copy_pitch
                    + start / COLUMNS * planes.column_pitch
                    + tap.offset,
                out: tap.out_row * columns + start,
                columns: COLUMNS.min(columns - start),
            })
        })
    }
}

fn reaches(len: usize, needed: Option<usize>) -> bool {
    needed.is_some_and(|needed| len >= needed)
}

per_isa! {
    /// The truth of [`multiply`].
    pub(super) fn widened<T>(product: &Product<'_, T>, out: &mut [T]) {
        let Product { images, windows, left, right, bias, output } = *product;
        let Grid { outer, outer_pitch, inner, inner_pitch } = windows.rows;
        let [of_columns, of_segment] = product.tile_pitches();
        for row in 0..images * outer * inner {
            let (image, y, x) = (row / inner / outer, row / inner % outer, row % inner);
            let left = &left[image * windows.image_pitch + y * outer_pitch + x * inner_pitch..];
            let to = image * output.image_pitch + y * output.rows.outer_pitch + x * output.rows.inner_pitch;
            for start in (0..output.columns).step_by(COLUMNS) {
                let mut sums = [0.0_f32; COLUMNS];
                let tiles = right[start / COLUMNS * of_columns..].chunks(of_segment);
                for (segment, tile) in windows.segments.iter().zip(tiles) {
                    let numbers = left[*segment..][..SEGMENT].chunks_exact(2);
                    for (pair, weights) in numbers.zip(tile[..TILE].chunks_exact(2 * COLUMNS)) {
                        add_pairs(&mut sums, [pair[0].to_f32(), pair[1].to_f32()], weights);
                    }
                }
                let columns = COLUMNS.min(output.columns - start);
                let out = out[to + start..][..columns].iter_mut().zip(&bias[start..]);
                for ((out, bias), sum) in out.zip(sums) {
                    let sum = T::from_f64(f64::from(sum)) + *bias;
                    *out = if output.relu { sum.relu() } else { sum };
                }
            }
        }
    }
}

per_isa! {
    /// The truth of [`multiply_transposed`].
    pub(super) fn widened_transposed<T>(product: &Transposed<'_>, out: &mut [T]) {
        let Transposed { planes, left, right, columns, .. } = *product;
        for tile in planes.tiles {
            for target in product.targets(tile, 0..columns) {
                for (row, out_row) in tile.out_rows.iter().enumerate().take(tile.rows) {
                    let mut sums = [0.0_f32; COLUMNS];
                    for segment in 0..planes.segments {
                        let at = segment * planes.segment_pitch;
                        let left = &left[product.start(tile) + at..][..TILE];
                        let right = &right[target.right + at..][..TILE];
                        let numbers = left[row * SEGMENT..][..SEGMENT].chunks_exact(2);
                        for (pair, right) in numbers.zip(right.chunks_exact(2 * COLUMNS)) {
                            add_pairs(&mut sums, [pair[0].to_f32(), pair[1].to_f32()], right);
                        }
                    }
                    let to = target.out + *out_row as usize * columns;
                    for (out, sum) in out[to..][..target.columns].iter_mut().zip(sums) {
                        *out += T::from_f64(f64::from(sum));
                    }
                }
            }
        }
    }
}

/// `sums[n]` += `pair[0]` * `weights[n][0]` + `pair[1]` * `weights[n][1]`.
#[inline(always)]
fn add_pairs(sums: &mut [f32; COLUMNS], pair: [f32; 2], weights: &[Bf16]) {
    for (sum, weight) in sums.iter_mut().zip(weights.chunks_exact(2)) {
        *sum += pair[0] * weight[0].to_f32() + pair[1] * weight[1].to_f32();
    }
}
