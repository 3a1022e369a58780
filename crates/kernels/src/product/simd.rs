//! The SIMD bodies of the products: one algorithm over [`Vector`], one instance per instruction set.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use super::{Finish, Grid, Left, Panels, Product, Transposed};
use crate::isa::{Isa, IsaName};
use crate::vector::{Last, Vector};
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::float32x4_t;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512, _MM_HINT_T0, _mm_prefetch};

/// [`super::multiply`] on an instruction set with vectors.
pub(super) fn product(isa: Isa, product: &Product<'_, f32>, out: &mut [f32]) {
    match isa.name() {
        // SAFETY: the `Isa` proves the features, `multiply` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx2 => unsafe { product_avx2(product, out.as_mut_ptr()) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx512 => unsafe { product_avx512(product, out.as_mut_ptr()) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        IsaName::Neon => unsafe { product_neon(product, out.as_mut_ptr()) },
        _ => unreachable!("{isa} has no vectors on this processor"),
    }
}

/// [`super::multiply_transposed`] on an instruction set with vectors.
pub(super) fn transposed(isa: Isa, product: &Transposed<'_, f32>, out: &mut [f32]) {
    match isa.name() {
        // SAFETY: the `Isa` proves the features, `multiply_transposed` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx2 => unsafe { transposed_avx2(product, out.as_mut_ptr()) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx512 => unsafe { transposed_avx512(product, out.as_mut_ptr()) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        IsaName::Neon => unsafe { transposed_neon(product, out.as_mut_ptr()) },
        _ => unreachable!("{isa} has no vectors on this processor"),
    }
}

/// The most rows of a tile of `vectors` vectors: what fits into the registers beside the operands.
pub(crate) const fn most_rows(lanes: usize, vectors: usize) -> usize {
    match (lanes, vectors) {
        (16, 1 | 2) => 14,
        (16, _) => 9,
        (4, 1) => 14,
        (4, 2 | 3) => 8,
        _ => 6,
    }
}

/// Calls a tile function with its sizes as constants.
macro_rules! with_sizes {
    ($rows:expr, $vectors:expr, $tile:ident::<$V:ty>, $args:tt, $([$v:literal: $($m:literal)*])*) => {
        match ($vectors, $rows) {
            // SAFETY: the caller's, said where the macro is used.
            $($(($v, $m) => unsafe { $tile::<$V, $m, $v> $args },)*)*
            _ => unreachable!("a tile of {} rows and {} vectors", $rows, $vectors),
        }
    };
}
pub(crate) use with_sizes;

macro_rules! bodies {
    ($vector:ty, $features:literal, $product:ident, $row:ident, $transposed:ident, $($sizes:tt)*) => {
        /// # Safety
        /// The processor has the features and the operands are checked.
        #[target_feature(enable = $features)]
        unsafe fn $product(product: &Product<'_, f32>, out: *mut f32) {
            let Product { geometry, left, panels, right, bias, finish, out_rows } = *product;
            let Left { rows, .. } = *geometry;
            if rows.len() == 1 && !panels.plain && finish != Finish::Add {
                // SAFETY: as this function's.
                return unsafe { $row(product, out) };
            }
            let mut panel = right.as_ptr();
            for (start, width) in panels.panels() {
                let vectors = width / <$vector>::LANES;
                if panels.plain {
                    panel = right[start..].as_ptr();
                }
                let strip = Strip {
                    geometry,
                    panel,
                    bias: bias.map_or(core::ptr::null(), |bias| bias[start..].as_ptr()),
                    finish,
                    out_pitch: out_rows.inner_pitch,
                    columns: width.min(panels.n - start),
                    fetches: start == 0,
                };
                for outer in 0..rows.outer {
                    for (first, count) in cuts(rows.inner, most_rows(<$vector>::LANES, vectors)) {
                        let from = left.as_ptr().wrapping_add(outer * rows.outer_pitch + first * rows.inner_pitch);
                        let to = out.wrapping_add(outer * out_rows.outer_pitch + first * out_rows.inner_pitch + start);
                        // SAFETY: rows and panel lie inside the checked operands.
                        if panels.plain {
                            with_sizes!(count, vectors, plain_tile::<$vector>, (&strip, panels.n, from, to), $($sizes)*);
                        } else {
                            with_sizes!(count, vectors, product_tile::<$vector>, (&strip, from, to), $($sizes)*);
                        }
                    }
                }
                panel = panel.wrapping_add(panels.k * width);
            }
        }

        /// The product where the left operand has one row: several panels at once, since the sums of one alone would
        /// wait for each other.
        ///
        /// # Safety
        /// The processor has the features, the operands are checked, and there is one row.
        #[target_feature(enable = $features)]
        unsafe fn $row(product: &Product<'_, f32>, out: *mut f32) {
            let Product { geometry, left, panels, right, bias, finish, .. } = *product;
            let width = panels.vectors * <$vector>::LANES;
            let full = panels.padded_columns() / width;
            let last = panels.padded_columns() % width;
            let groups = cuts(full, ROW_PANELS).map(|(first, count)| (first, count, panels.vectors));
            let rest = (last > 0).then_some((full, 1, last / <$vector>::LANES));
            for (first, count, vectors) in groups.chain(rest) {
                let start = first * width;
                let row = Row {
                    geometry,
                    left: left.as_ptr(),
                    panel: right.as_ptr().wrapping_add(start * panels.k),
                    panel_len: panels.k * width,
                    bias: bias.map_or(core::ptr::null(), |bias| bias[start..].as_ptr()),
                    finish,
                    columns: panels.n - start,
                };
                let to = out.wrapping_add(start);
                // SAFETY: the panels lie inside the checked operand, the columns inside the output.
                with_sizes!(
                    count, vectors, row_tile::<$vector>, (&row, to),
                    [1: 1 2 3 4] [2: 1 2 3 4] [3: 1 2 3 4] [4: 1 2 3 4]
                );
            }
        }

        /// # Safety
        /// The processor has the features and the operands are checked.
        #[target_feature(enable = $features)]
        unsafe fn $transposed(product: &Transposed<'_, f32>, out: *mut f32) {
            let Transposed { geometry, left, right_rows, right, n, out_pitch, finish } = *product;
            let columns = Panels::with_lanes(geometry.columns(), n, <$vector>::LANES);
            for (start, width) in columns.panels() {
                let vectors = width / <$vector>::LANES;
                let strip = StripTransposed {
                    rows: geometry.rows,
                    right_rows: *right_rows,
                    right: right[start..].as_ptr(),
                    finish,
                    out_pitch,
                    columns: width.min(n - start),
                };
                for (index, run) in super::turns(geometry.runs).enumerate() {
                    for (first, count) in cuts(geometry.run, most_rows(<$vector>::LANES, vectors)) {
                        let from = left.as_ptr().wrapping_add(run + first);
                        let to = out.wrapping_add((index * geometry.run + first) * out_pitch + start);
                        // SAFETY: rows and columns lie inside the checked operands.
                        with_sizes!(count, vectors, transposed_tile::<$vector>, (&strip, from, to), $($sizes)*);
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
bodies!(__m256, "avx2,fma", product_avx2, row_avx2, transposed_avx2, [1: 1 2 3 4 5 6] [2: 1 2 3 4 5 6]);
#[cfg(target_arch = "x86_64")]
bodies!(
    __m512,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl",
    product_avx512,
    row_avx512,
    transposed_avx512,
    [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [3: 1 2 3 4 5 6 7 8 9]
);
#[cfg(target_arch = "aarch64")]
bodies!(
    float32x4_t,
    "neon",
    product_neon,
    row_neon,
    transposed_neon,
    [1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14]
    [2: 1 2 3 4 5 6 7 8]
    [3: 1 2 3 4 5 6 7 8]
    [4: 1 2 3 4 5 6]
);

/// Cuts 0..count into the fewest pieces of at most `most`, as equal as possible: (first, length) of each.
pub(crate) fn cuts(count: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let pieces = count.div_ceil(most);
    let (len, longer) = (count / pieces.max(1), count % pieces.max(1));
    (0..pieces)
        .map(move |piece| (piece * len + piece.min(longer), len + usize::from(piece < longer)))
}

/// What the tiles of one panel share.
struct Strip<'a> {
    geometry: &'a Left,
    panel: *const f32,
    /// Null where there is no bias.
    bias: *const f32,
    finish: Finish,
    out_pitch: usize,
    /// Columns that exist; the panel is padded to whole vectors.
    columns: usize,
    /// Whether the rows of the next tile are fetched meanwhile, where the panel is a part of a plain matrix: for the first
    /// panel they come from memory, for the others they are in the cache.
    fetches: bool,
}

/// Numbers of a cache line.
const LINE: usize = 16;

/// Brings a cache line near that will be read soon; any address may be given.
#[inline(always)]
pub(crate) fn fetch(at: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE belongs to every x86-64 processor, and a prefetch of no memory does nothing.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The most panels that a single row is multiplied with at once: with two vectors each, enough sums to keep two multipliers
/// busy for the four turns that one sum takes.
const ROW_PANELS: usize = 4;

/// A single row and some neighbouring panels.
struct Row<'a> {
    geometry: &'a Left,
    left: *const f32,
    panel: *const f32,
    /// Numbers from one panel to the next.
    panel_len: usize,
    /// Null where there is no bias.
    bias: *const f32,
    finish: Finish,
    /// Columns from the first panel's first to the matrix's last.
    columns: usize,
}

/// What the tiles of one strip of columns share.
struct StripTransposed {
    rows: Grid,
    right_rows: Grid,
    right: *const f32,
    finish: Finish,
    out_pitch: usize,
    columns: usize,
}

/// M rows times the vectors of one panel, over all K.
///
/// # Safety
/// Called from a function with V's features; `from` is the first of M rows of the left operand, `to` of the output.
#[inline(always)]
unsafe fn product_tile<V: Vector, const M: usize, const N: usize>(
    strip: &Strip<'_>,
    from: *const f32,
    to: *mut f32,
) {
    // SAFETY: the caller's; a packed panel's row is N vectors long.
    unsafe { tile::<V, M, N, false>(strip, N * V::LANES, from, to) }
}

/// As [`product_tile`], where the panel is a part of a plain matrix with rows of `pitch` numbers.
///
/// # Safety
/// As `product_tile`.
#[inline(always)]
unsafe fn plain_tile<V: Vector, const M: usize, const N: usize>(
    strip: &Strip<'_>,
    pitch: usize,
    from: *const f32,
    to: *mut f32,
) {
    // SAFETY: the caller's.
    unsafe { tile::<V, M, N, true>(strip, pitch, from, to) }
}

/// Vector v of N of a panel's row, of which the last one is `last` where the panel is PLAIN.
///
/// # Safety
/// Called from a function with V's features; the row is in a panel.
#[inline(always)]
unsafe fn panel_vector<V: Vector, const N: usize, const PLAIN: bool>(
    row: *const f32,
    v: usize,
    last: Last<V>,
) -> V {
    // SAFETY: the caller's.
    unsafe {
        let from = row.add(v * V::LANES);
        if PLAIN && v == N - 1 { last.load(from) } else { V::load(from) }
    }
}

/// Adds the products of one column of M rows, `pitch` apart, with one row of a panel.
///
/// # Safety
/// As [`product_tile`].
#[inline(always)]
unsafe fn add_products<V: Vector, const M: usize, const N: usize, const PLAIN: bool>(
    sums: &mut [[V; N]; M],
    left: *const f32,
    pitch: usize,
    right: *const f32,
    last: Last<V>,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut weights = [V::zero(); N];
        for (v, weight) in weights.iter_mut().enumerate() {
            *weight = panel_vector::<V, N, PLAIN>(right, v, last);
        }
        for (m, row) in sums.iter_mut().enumerate() {
            let x = V::splat(*left.add(m * pitch));
            for (sum, weight) in row.iter_mut().zip(weights) {
                *sum = sum.add_product(x, weight);
            }
        }
    }
}

/// [`product_tile`] of a panel whose rows are `panel_pitch` apart; without padding where it is PLAIN.
///
/// # Safety
/// As `product_tile`.
#[inline(always)]
unsafe fn tile<V: Vector, const M: usize, const N: usize, const PLAIN: bool>(
    strip: &Strip<'_>,
    panel_pitch: usize,
    from: *const f32,
    to: *mut f32,
) {
    let Left { rows, runs, run } = *strip.geometry;
    let pitch = rows.inner_pitch;
    // SAFETY: the offsets stay inside the left operand, the panel, the bias and the output, whose lengths `multiply`
    // has checked against the same geometry; of the last vector the lanes are touched that exist.
    unsafe {
        let last = Last::new(strip.columns - (N - 1) * V::LANES);
        let mut sums = [[V::zero(); N]; M];
        if !strip.bias.is_null() {
            for v in 0..N {
                let bias = panel_vector::<V, N, PLAIN>(strip.bias, v, last);
                for row in &mut sums {
                    row[v] = bias;
                }
            }
        }
        let mut right = strip.panel;
        for outer in 0..runs.outer {
            for inner in 0..runs.inner {
                let mut left =
                    from.wrapping_add(outer * runs.outer_pitch + inner * runs.inner_pitch);
                let mut rest = run;
                // With one vector a step has so few products that the addresses of its rows would be in their way.
                while N == 1 && rest >= 4 {
                    for k in 0..4 {
                        let right = right.wrapping_add(k * panel_pitch);
                        add_products::<V, M, N, PLAIN>(&mut sums, left.add(k), pitch, right, last);
                    }
                    left = left.add(4);
                    right = right.wrapping_add(4 * panel_pitch);
                    rest -= 4;
                }
                for step in 0..rest {
                    if PLAIN && strip.fetches && step % LINE == 0 {
                        (M..2 * M).for_each(|row| fetch(left.wrapping_add(row * pitch)));
                    }
                    add_products::<V, M, N, PLAIN>(&mut sums, left, pitch, right, last);
                    left = left.add(1);
                    right = right.wrapping_add(panel_pitch);
                }
            }
        }
        finish_tile(sums, strip.finish, to, strip.out_pitch, last);
    }
}

/// Brings finished sums to rows of the output that are `pitch` apart; the last vector of each is `last`.
///
/// # Safety
/// Called from a function with V's features; the rows lie inside the output.
#[inline(always)]
unsafe fn finish_tile<V: Vector, const M: usize, const N: usize>(
    mut sums: [[V; N]; M],
    finish: Finish,
    to: *mut f32,
    pitch: usize,
    last: Last<V>,
) {
    // SAFETY: the caller's.
    unsafe {
        if finish == Finish::StoreRelu {
            for row in &mut sums {
                for sum in row {
                    *sum = V::zero().max(*sum);
                }
            }
        }
        for (m, row) in sums.iter_mut().enumerate() {
            let to = to.add(m * pitch);
            let end = to.add((N - 1) * V::LANES);
            if finish == Finish::Add {
                for (v, sum) in row.iter_mut().enumerate().take(N - 1) {
                    *sum = V::load(to.add(v * V::LANES)).add(*sum);
                }
                row[N - 1] = last.load(end).add(row[N - 1]);
            }
            for (v, sum) in row.iter().enumerate().take(N - 1) {
                sum.store(to.add(v * V::LANES));
            }
            last.store(row[N - 1], end);
        }
    }
}

/// One row times P panels of N vectors, over all K, summed in the order of [`product_tile`].
///
/// # Safety
/// Called from a function with V's features; the operands are those of a checked product, `to` is the output of the
/// first panel's first column.
#[inline(always)]
unsafe fn row_tile<V: Vector, const P: usize, const N: usize>(row: &Row<'_>, to: *mut f32) {
    let Left { runs, run, .. } = *row.geometry;
    let width = N * V::LANES;
    // SAFETY: the offsets stay inside the row, the panels and the bias, whose lengths `multiply` has checked; a vector
    // is stored whole where it lies before the last column, else under a mask.
    unsafe {
        let mut sums = [[V::zero(); N]; P];
        if !row.bias.is_null() {
            for (v, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
                *sum = V::load(row.bias.add(v * V::LANES));
            }
        }
        let mut right = row.panel;
        for outer in 0..runs.outer {
            for inner in 0..runs.inner {
                let left = row.left.add(outer * runs.outer_pitch + inner * runs.inner_pitch);
                for k in 0..run {
                    let x = V::splat(*left.add(k));
                    for (p, sums) in sums.iter_mut().enumerate() {
                        let panel = right.wrapping_add(p * row.panel_len);
                        for (v, sum) in sums.iter_mut().enumerate() {
                            *sum = sum.add_product(x, V::load(panel.add(v * V::LANES)));
                        }
                    }
                    right = right.wrapping_add(width);
                }
            }
        }
        for (v, sum) in sums.as_flattened().iter().enumerate() {
            let sum = if row.finish == Finish::StoreRelu { V::zero().max(*sum) } else { *sum };
            let (to, left) =
                (to.wrapping_add(v * V::LANES), row.columns.saturating_sub(v * V::LANES));
            match left.min(V::LANES) {
                lanes if lanes == V::LANES => sum.store(to),
                lanes => sum.store_masked(to, V::mask(lanes)),
            }
        }
    }
}

/// M columns of the left operand times a strip of the right one, over all rows.
///
/// # Safety
/// Called from a function with V's features; `from` is the first of M columns in the left operand's first row, `to`
/// the first of M rows of the output.
#[inline(always)]
unsafe fn transposed_tile<V: Vector, const M: usize, const N: usize>(
    strip: &StripTransposed,
    from: *const f32,
    to: *mut f32,
) {
    let StripTransposed { rows, right_rows, right, finish, out_pitch, columns } = *strip;
    // SAFETY: the offsets stay inside both operands and the output, whose lengths `multiply_transposed` has checked
    // against the same geometry; of the last vector the lanes are touched that exist.
    unsafe {
        let last = Last::new(columns - (N - 1) * V::LANES);
        let mut sums = [[V::zero(); N]; M];
        for outer in 0..rows.outer {
            let mut left = from.add(outer * rows.outer_pitch);
            let mut right = right.add(outer * right_rows.outer_pitch);
            for _ in 0..rows.inner {
                let mut vectors = [V::zero(); N];
                for (v, vector) in vectors.iter_mut().enumerate().take(N - 1) {
                    *vector = V::load(right.add(v * V::LANES));
                }
                vectors[N - 1] = last.load(right.add((N - 1) * V::LANES));
                for (m, row) in sums.iter_mut().enumerate() {
                    let x = V::splat(*left.add(m));
                    for (sum, vector) in row.iter_mut().zip(vectors) {
                        *sum = sum.add_product(x, vector);
                    }
                }
                left = left.wrapping_add(rows.inner_pitch);
                right = right.wrapping_add(right_rows.inner_pitch);
            }
        }
        finish_tile(sums, finish, to, out_pitch, last);
    }
}

#[cfg(test)]
mod tests {
    use super::cuts;

    #[test]
    fn cuts_follow_one_another_and_cover_all() {
        for most in [1, 6, 9, 14] {
            for count in 0..100_usize {
                let pieces: Vec<_> = cuts(count, most).collect();
                assert_eq!(pieces.len(), count.div_ceil(most));
                let mut end = 0;
                for (first, len) in pieces {
                    assert!(first == end && (1..=most).contains(&len));
                    end = first + len;
                }
                assert_eq!(end, count);
            }
        }
    }
}
