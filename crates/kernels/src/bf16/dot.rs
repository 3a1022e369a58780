//! The AVX512-BF16 bodies: a tile of sums in registers, a pair of numbers of the left operand for each dot product.

use super::added::AddedRows;
use super::arrange::Narrow;
use super::product::{Product, RowTile, Target, Transposed};
use super::{Bf16, COLUMNS, SEGMENT};
use crate::product::Grid;
use crate::product::simd::cuts;
use core::arch::x86_64::*;

/// The most rows of a tile of so many vectors of sums. A dot product takes six cycles and two begin in each (Zen 5): a
/// tile needs twelve sums or more to keep the unit busy, and has 32 registers for them and the operands.
const fn most_rows(vectors: usize) -> usize {
    match vectors {
        1 => 16,
        2 => 14,
        _ => 9,
    }
}

/// Calls a tile function with its rows and vectors as constants.
macro_rules! with_sizes {
    ($rows:expr, 2, $tile:ident($($arg:expr),*)) => {
        with_sizes!(@ $rows, 2_usize, $tile($($arg),*), [2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14])
    };
    ($rows:expr, $vectors:expr, $tile:ident($($arg:expr),*) $(, [3: $($m:literal)*])?) => {
        with_sizes!(
            @ $rows, $vectors, $tile($($arg),*),
            [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16]
            [2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
            $([3: $($m)*])?
        )
    };
    (@ $rows:expr, $vectors:expr, $tile:ident $args:tt, $([$v:literal: $($m:literal)*])*) => {
        match ($vectors, $rows) {
            // SAFETY: the caller's, said where the macro is used.
            $($(($v, $m) => unsafe { $tile::<$m, $v> $args },)*)*
            (vectors, rows) => unreachable!("a tile of {rows} rows and {vectors} vectors"),
        }
    };
}

/// The first columns of the tiles that `columns` are cut into, with their vectors.
fn column_tiles(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let left = move |start: usize| (columns - start).div_ceil(COLUMNS).min(2);
    (0..columns).step_by(2 * COLUMNS).map(move |start| (start, left(start)))
}

/// The mask of the columns of vector `v` of the tile at `start`.
fn mask(columns: usize, start: usize, v: usize) -> __mmask16 {
    let count = columns.saturating_sub(start + v * COLUMNS);
    if count >= COLUMNS { 0xffff } else { (1 << count) - 1 }
}

/// # Safety
/// The processor has the features; the operands are checked.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn multiply(product: &Product<'_, f32>, out: &mut [f32]) {
    let Product { images, windows, left, output, .. } = *product;
    let Grid { outer, outer_pitch, inner, inner_pitch } = windows.rows;
    let out = out.as_mut_ptr();
    let narrow = Narrow::of(output.columns);
    for (start, vectors) in column_tiles(output.columns) {
        let narrow = narrow.filter(|_| vectors == 1);
        let most = most_rows(narrow.map_or(vectors, |narrow| narrow.vectors));
        for row in 0..images * outer {
            let (image, y) = (row / outer, row % outer);
            let from = image * windows.image_pitch + y * outer_pitch;
            let to = image * output.image_pitch + y * output.rows.outer_pitch + start;
            for (first, rows) in cuts(inner, most) {
                let from = left.as_ptr().wrapping_add(from + first * inner_pitch);
                let to = out.wrapping_add(to + first * output.rows.inner_pitch);
                // SAFETY: the rows and columns lie inside the checked operands; lone columns are in their order.
                match narrow {
                    None => with_sizes!(rows, 2, tile(product, start, from, to)),
                    Some(Narrow { pairs: 2, .. }) => {
                        with_sizes!(rows, 2, pairs_tile(product, start, from, to));
                    }
                    Some(Narrow { vectors, .. }) => {
                        with_sizes!(
                            rows, vectors, quads_tile(product, start, from, to), [3: 1 2 3 4 5 6 7 8 9]
                        );
                    }
                }
            }
        }
    }
}

/// # Safety
/// As [`multiply`]; `from` is the first of M rows of the left operand, `to` of the output, at column `start`.
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn tile<const M: usize, const N: usize>(
    product: &Product<'_, f32>,
    start: usize,
    from: *const Bf16,
    to: *mut f32,
) {
    let Product { windows, right, bias, output, .. } = *product;
    let pitch = windows.rows.inner_pitch;
    let [of_columns, of_segment] = product.tile_pitches();
    // SAFETY: the offsets stay inside the operands, whose lengths `multiply` has checked; stores are masked where the
    // columns end.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        for v in 0..N {
            let bias = _mm512_loadu_ps(bias.as_ptr().add(start + v * COLUMNS));
            sums.iter_mut().for_each(|row| row[v] = bias);
        }
        for (index, segment) in windows.segments.iter().enumerate() {
            let left = from.add(*segment);
            let right = right.as_ptr().add(start / COLUMNS * of_columns + index * of_segment);
            for pair in 0..SEGMENT / 2 {
                let mut weights = [_mm512_setzero_si512(); N];
                for (v, weight) in weights.iter_mut().enumerate() {
                    *weight = load(right.add(v * of_columns + pair * 2 * COLUMNS));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let x = broadcast(left.add(m * pitch + 2 * pair));
                    for (sum, weight) in row.iter_mut().zip(weights) {
                        *sum = dot(*sum, x, weight);
                    }
                }
            }
        }
        for (m, row) in sums.into_iter().enumerate() {
            for (v, sum) in row.into_iter().enumerate() {
                let sum = if output.relu { _mm512_max_ps(_mm512_setzero_ps(), sum) } else { sum };
                let to = to.add(m * output.rows.inner_pitch + v * COLUMNS);
                _mm512_mask_storeu_ps(to, mask(output.columns, start, v), sum);
            }
        }
    }
}

/// The last 13 to 16 columns where they have no neighbours: 8 of them and 2 pairs in a vector, so that two broadcast pairs serve
/// for two products.
///
/// # Safety
/// As [`tile`].
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn pairs_tile<const M: usize, const N: usize>(
    product: &Product<'_, f32>,
    start: usize,
    from: *const Bf16,
    to: *mut f32,
) {
    // SAFETY: the caller's; two pairs can be read wherever a segment's two next ones begin.
    unsafe {
        let two = |at: *const Bf16| _mm512_set1_epi64(at.cast::<i64>().read_unaligned());
        narrow_tile::<M, N, 2>(product, start, from, to, two, |sums: &[__m512; N]| {
            folded(sums[0], sums[1])
        });
    }
}

/// The last 1 to 12 columns where they have no neighbours: 4 of them and 4 pairs in a vector.
///
/// # Safety
/// As [`tile`].
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn quads_tile<const M: usize, const N: usize>(
    product: &Product<'_, f32>,
    start: usize,
    from: *const Bf16,
    to: *mut f32,
) {
    // SAFETY: the caller's; four pairs can be read wherever a segment's four next ones begin.
    unsafe {
        let four = |at: *const Bf16| _mm512_broadcast_i32x4(_mm_loadu_si128(at.cast()));
        narrow_tile::<M, N, 4>(product, start, from, to, four, |sums: &[__m512; N]| {
            let [a, b, c] = [0, 1, 2].map(|v| sums[v.min(N - 1)]);
            folded(folded(a, b), folded(c, c))
        });
    }
}

/// The sums of neighbouring lanes, first of `a`, then of `b`.
#[inline]
#[target_feature(enable = "avx512f")]
fn folded(a: __m512, b: __m512) -> __m512 {
    let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    _mm512_add_ps(_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b))
}

/// M rows with the last columns in [`Narrow`] order: `read` broadcasts PAIRS pairs, `sum` makes a row's sums of its N vectors.
///
/// # Safety
/// As [`tile`]; called from a function with the features.
#[inline(always)]
unsafe fn narrow_tile<const M: usize, const N: usize, const PAIRS: usize>(
    product: &Product<'_, f32>,
    start: usize,
    from: *const Bf16,
    to: *mut f32,
    read: impl Fn(*const Bf16) -> __m512i,
    sum: impl Fn(&[__m512; N]) -> __m512,
) {
    let Product { windows, right, bias, output, .. } = *product;
    let pitch = windows.rows.inner_pitch;
    let [of_columns, of_segment] = product.tile_pitches();
    // The compiler would unroll so short a loop, and run out of registers.
    let groups = core::hint::black_box(SEGMENT / 2 / PAIRS);
    // SAFETY: the offsets stay inside the operands, whose lengths `multiply` has checked; stores are masked where the
    // columns end.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        for (index, segment) in windows.segments.iter().enumerate() {
            let left = from.add(*segment);
            let right = right.as_ptr().add(start / COLUMNS * of_columns + index * of_segment);
            for group in 0..groups {
                let mut weights = [_mm512_setzero_si512(); N];
                for (v, weight) in weights.iter_mut().enumerate() {
                    *weight = load(right.add((group * N + v) * 2 * COLUMNS));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let x = read(left.add(m * pitch + 2 * PAIRS * group));
                    for (sum, weight) in row.iter_mut().zip(weights) {
                        *sum = dot(*sum, x, weight);
                    }
                }
            }
        }
        let bias = _mm512_loadu_ps(bias.as_ptr().add(start));
        for (m, row) in sums.iter().enumerate() {
            let sum = _mm512_add_ps(sum(row), bias);
            let sum = if output.relu { _mm512_max_ps(_mm512_setzero_ps(), sum) } else { sum };
            let to = to.add(m * output.rows.inner_pitch);
            _mm512_mask_storeu_ps(to, mask(output.columns, start, 0), sum);
        }
    }
}

/// # Safety
/// The processor has the features; the operands are checked.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn multiply_transposed(product: &Transposed<'_>, out: &mut [f32]) {
    for tile in product.planes.tiles {
        let mut targets = product.targets(tile, 0..product.columns);
        while let Some(first) = targets.next() {
            let (pair, count) = match targets.next() {
                Some(second) => ([first, second], 2),
                None => ([first, first], 1),
            };
            for (row, rows) in cuts(tile.rows, most_rows(count)) {
                // SAFETY: the rows and targets lie inside the checked operands.
                with_sizes!(rows, count, transposed_tile(product, tile, row, &pair, out));
            }
        }
    }
}

/// M rows of a row tile from `first` on, for N targets.
///
/// # Safety
/// As [`multiply_transposed`].
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn transposed_tile<const M: usize, const N: usize>(
    product: &Transposed<'_>,
    tile: &RowTile,
    first: usize,
    targets: &[Target; 2],
    out: &mut [f32],
) {
    let Transposed { planes, left, right, columns, adds } = *product;
    let start = product.start(tile);
    // SAFETY: the offsets stay inside the operands, whose lengths `multiply_transposed` has checked; the output is
    // touched under a mask where its columns end.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        for segment in 0..planes.segments {
            let at = segment * planes.segment_pitch;
            let left = left.as_ptr().add(start + first * SEGMENT + at);
            for pair in 0..SEGMENT / 2 {
                let mut vectors = [_mm512_setzero_si512(); N];
                for (vector, target) in vectors.iter_mut().zip(targets) {
                    *vector = load(right.as_ptr().add(target.right + at + pair * 2 * COLUMNS));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let x = broadcast(left.add(m * SEGMENT + 2 * pair));
                    for (sum, vector) in row.iter_mut().zip(vectors) {
                        *sum = dot(*sum, x, vector);
                    }
                }
            }
        }
        for (row, out_row) in sums.into_iter().zip(&tile.out_rows[first..]) {
            for (sum, target) in row.into_iter().zip(targets) {
                let to = out.as_mut_ptr().add(target.out + *out_row as usize * columns);
                let mask = mask(target.columns, 0, 0);
                let before =
                    if adds { _mm512_maskz_loadu_ps(mask, to) } else { _mm512_setzero_ps() };
                _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(before, sum));
            }
        }
    }
}

/// # Safety
/// The processor has the features; the operands are checked.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn multiply_add(
    added: &AddedRows,
    left: &[Bf16],
    right: &[Bf16],
    out: &mut [f32],
) {
    let AddedRows { rows, out_rows, columns, column_pitch, .. } = *added;
    let out = out.as_mut_ptr();
    for (start, vectors) in column_tiles(columns) {
        let right = right.as_ptr().wrapping_add(start / COLUMNS * column_pitch);
        for outer in 0..rows.outer {
            for (first, count) in cuts(rows.inner, most_rows(vectors)) {
                let from = outer * rows.outer_pitch + first * rows.inner_pitch;
                let from = left.as_ptr().wrapping_add(from);
                let to = outer * out_rows.outer_pitch + first * out_rows.inner_pitch + start;
                let to = out.wrapping_add(to);
                // SAFETY: the rows and columns lie inside the checked operands.
                with_sizes!(count, vectors, added_tile(added, start, from, right, to));
            }
        }
    }
}

/// M rows of N vectors of columns from `start` on.
///
/// # Safety
/// As [`multiply_add`]; `from`, `right` and `to` are where the tile's operands begin.
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn added_tile<const M: usize, const N: usize>(
    added: &AddedRows,
    start: usize,
    from: *const Bf16,
    right: *const Bf16,
    to: *mut f32,
) {
    let (pitch, out_pitch) = (added.rows.inner_pitch, added.out_rows.inner_pitch);
    // SAFETY: the offsets stay inside the operands, whose lengths `multiply_add` has checked; the output is touched under a
    // mask where its columns end.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        for pair in 0..added.pairs {
            let mut weights = [_mm512_setzero_si512(); N];
            for (v, weight) in weights.iter_mut().enumerate() {
                *weight = load(right.add(v * added.column_pitch + pair * 2 * COLUMNS));
            }
            for (m, row) in sums.iter_mut().enumerate() {
                let x = broadcast(from.add(m * pitch + 2 * pair));
                for (sum, weight) in row.iter_mut().zip(weights) {
                    *sum = dot(*sum, x, weight);
                }
            }
        }
        for (m, row) in sums.into_iter().enumerate() {
            for (v, sum) in row.into_iter().enumerate() {
                let to = to.add(m * out_pitch + v * COLUMNS);
                let mask = mask(added.columns, start, v);
                let before = _mm512_maskz_loadu_ps(mask, to);
                _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(before, sum));
            }
        }
    }
}

/// 16 pairs.
///
/// # Safety
/// 32 numbers can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(from: *const Bf16) -> __m512i {
    // SAFETY: the caller's.
    unsafe { _mm512_loadu_si512(from.cast()) }
}

/// One pair, 16 times.
///
/// # Safety
/// 2 numbers can be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn broadcast(from: *const Bf16) -> __m512i {
    // SAFETY: the caller's.
    unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
}

/// sum + the dot products of pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn dot(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
    // SAFETY: both are 64 bytes, read as 32 bf16 numbers.
    let [a, b] = [a, b].map(|x| unsafe { core::mem::transmute::<__m512i, __m512bh>(x) });
    _mm512_dpbf16_ps(sum, a, b)
}
