//! The AVX512-BF16 bodies of the layouts. Their rounding flushes numbers below 2^-126 to zero, as the products do.

use super::super::added::Spread;
use super::super::{Bf16, COLUMNS, SEGMENT, TILE};
use core::arch::x86_64::*;

/// The mask of the first `lanes` of 16 lanes.
fn mask(lanes: usize) -> __mmask16 {
    if lanes >= 16 { 0xffff } else { (1 << lanes) - 1 }
}

/// # Safety
/// The processor has the features; the lengths are those that `convert` checks.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn convert(from: &[f32], channels: usize, to: &mut [Bf16], to_channels: usize) {
    if channels == to_channels {
        // SAFETY: as many numbers on both sides.
        unsafe { convert_run(from.as_ptr(), from.len(), to.as_mut_ptr()) };
        return;
    }
    let rows = from.chunks_exact(channels).zip(to.chunks_exact_mut(to_channels));
    if channels > 2 * COLUMNS {
        for (from, to) in rows {
            // SAFETY: a row of `to` has more numbers.
            unsafe { convert_run(from.as_ptr(), from.len(), to.as_mut_ptr()) };
            to[from.len()..].fill(Bf16::ZERO);
        }
        return;
    }
    for (from, to) in rows {
        for start in (0..to_channels).step_by(16) {
            let lanes = mask(channels.saturating_sub(start));
            // SAFETY: the mask ends with `from`; `to` is whole 16s.
            unsafe {
                let numbers = _mm512_maskz_loadu_ps(lanes, from.as_ptr().wrapping_add(start));
                let rounded: __m256i = core::mem::transmute(_mm512_cvtneps_pbh(numbers));
                _mm256_storeu_si256(to.as_mut_ptr().add(start).cast(), rounded);
            }
        }
    }
}

/// How many numbers before it converts them a row of numbers is fetched: images come from memory.
const AHEAD: usize = 1024;

/// # Safety
/// As [`convert`]; `len` numbers can be read and written.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn convert_run(from: *const f32, len: usize, to: *mut Bf16) {
    // SAFETY: whole 32s below `len`, then 16s under a mask that ends with it.
    unsafe {
        let whole = len / 32 * 32;
        for start in (0..whole).step_by(32) {
            for line in [0, 16] {
                let ahead = from.wrapping_add(start + line + AHEAD);
                _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
            }
            let low = _mm512_loadu_ps(from.add(start));
            let high = _mm512_loadu_ps(from.add(start + 16));
            let rounded: __m512i = core::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
            _mm512_storeu_si512(to.add(start).cast(), rounded);
        }
        for start in (whole..len).step_by(16) {
            let lanes = mask(len - start);
            let numbers = _mm512_maskz_loadu_ps(lanes, from.add(start));
            let rounded: __m256i = core::mem::transmute(_mm512_cvtneps_pbh(numbers));
            _mm256_mask_storeu_epi16(to.add(start).cast(), lanes, rounded);
        }
    }
}

/// # Safety
/// The processor has the features; the lengths are those that `spread` checks.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(crate) unsafe fn spread(to_pixels: &Spread, marks: &[f32], grad: &[f32], to: &mut [Bf16]) {
    let Spread { output: [height, width], channels, padded, pitches: [down, across] } = *to_pixels;
    let (marks, grad, to) = (marks.as_ptr(), grad.as_ptr(), to.as_mut_ptr());
    for pixel in 0..height * width {
        let first = 2 * (pixel / width * down + pixel % width * across);
        for channel in (0..channels).step_by(COLUMNS) {
            let at = pixel * channels + channel;
            let (lanes, padded) = (mask(channels - channel), mask(padded - channel));
            // SAFETY: all pixels and channels lie inside the checked slices; masks end with them.
            unsafe {
                let mark = _mm512_maskz_loadu_ps(lanes, marks.add(at));
                let numbers = _mm512_maskz_loadu_ps(lanes, grad.add(at));
                let rounded: __m256i = core::mem::transmute(_mm512_cvtneps_pbh(numbers));
                for (place, of_place) in [0, across, down, down + across].into_iter().enumerate() {
                    let place = _mm512_set1_ps(place as f32);
                    let marked = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(mark, place);
                    let to = to.add(first + of_place + channel).cast();
                    _mm256_mask_storeu_epi16(to, padded, _mm256_maskz_mov_epi16(marked, rounded));
                }
            }
        }
    }
}

/// The permutation that interleaves the two halves of 32 numbers.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn interleaving() -> __m512i {
    let mut order = [0_i16; 32];
    for (lane, from) in order.iter_mut().enumerate() {
        *from = (lane / 2 + 16 * (lane % 2)) as i16;
    }
    // SAFETY: both are 64 bytes of plain numbers.
    unsafe { core::mem::transmute(order) }
}

/// 16 numbers of each of two rows, rounded and interleaved.
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(crate) fn pairs(first: __m512, second: __m512, order: __m512i) -> __m512i {
    // SAFETY: both are 32 numbers of 16 bits.
    let rounded: __m512i = unsafe { core::mem::transmute(_mm512_cvtne2ps_pbh(second, first)) };
    _mm512_permutexvar_epi16(order, rounded)
}

/// # Safety
/// The processor has the features; `packed` has the length that `pack` checks.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn pack<'a>(
    segments: usize,
    columns: usize,
    row: impl Fn(usize) -> &'a [f32],
    packed: &mut [Bf16],
) {
    let order = interleaving();
    let panel = segments * TILE;
    for k in 0..segments * SEGMENT / 2 {
        let rows = [row(2 * k), row(2 * k + 1)];
        for row in rows {
            assert!(row.is_empty() || row.len() == columns, "length of a row");
        }
        let whole = if rows.iter().any(|row| row.is_empty()) { 0 } else { columns / COLUMNS };
        let to = packed.as_mut_ptr().wrapping_add(k * 2 * COLUMNS);
        // SAFETY: whole vectors lie inside the rows, and so do the others' first lanes; a panel has 64 bytes for each pair of
        // rows.
        unsafe {
            for index in 0..whole {
                let [first, second] =
                    rows.map(|row| _mm512_loadu_ps(row.as_ptr().add(index * COLUMNS)));
                _mm512_storeu_si512(to.add(index * panel).cast(), pairs(first, second, order));
            }
            for index in whole..columns.div_ceil(COLUMNS) {
                let [first, second] = rows.map(|row| some_of(row, index * COLUMNS));
                _mm512_storeu_si512(to.add(index * panel).cast(), pairs(first, second, order));
            }
        }
    }
}

/// Up to 16 numbers of a row from `start` on; zeros of an empty one, which is not touched: a load without lanes from an
/// address that does not exist takes a hundred cycles.
///
/// # Safety
/// The processor has the features; `start` is less than a row's length.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn some_of(row: &[f32], start: usize) -> __m512 {
    if row.is_empty() {
        return _mm512_setzero_ps();
    }
    // SAFETY: the mask ends with the row.
    unsafe { _mm512_maskz_loadu_ps(mask(row.len() - start), row.as_ptr().add(start)) }
}

/// # Safety
/// The processor has the features; the lengths are those that `turn` checks.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn turn(
    from: &[f32],
    pitch: usize,
    rows: usize,
    columns: usize,
    to: &mut [Bf16],
) {
    let (low, high) = (mask(columns), mask(columns.saturating_sub(16)));
    let mut tile = [_mm512_setzero_si512(); 16];
    for (row, pairs) in tile.iter_mut().enumerate().take(rows) {
        let at = from.as_ptr().wrapping_add(row * pitch);
        // SAFETY: the masks end with the columns of an existing row; both types are 64 bytes.
        unsafe {
            let low = _mm512_maskz_loadu_ps(low, at);
            let high = _mm512_maskz_loadu_ps(high, at.wrapping_add(16));
            *pairs = core::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
        }
    }
    for (to, pairs) in to.chunks_exact_mut(32).zip(transposed(tile)) {
        // SAFETY: `to` is 64 bytes.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), pairs) };
    }
}

/// The 16 channels from `channel` on of a pixel, zeros where it or they do not exist.
///
/// # Safety
/// Called from a function with the features; the pixel's channels under the mask lie inside `from`.
#[inline(always)]
unsafe fn load(from: &[f32], pixel: Option<usize>, channel: usize, lanes: __mmask16) -> __m512 {
    let (at, lanes) = pixel.map_or((0, 0), |at| (at, lanes));
    // SAFETY: the mask ends with the channels of an existing pixel, and is empty for others.
    unsafe { _mm512_maskz_loadu_ps(lanes, from.as_ptr().wrapping_add(at + channel)) }
}

/// # Safety
/// The processor has the features; the lengths are those that `gather_planes` checks.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn gather_planes(
    from: &[f32],
    place: impl Fn(usize) -> Option<usize>,
    channels: usize,
    segments: usize,
    to: &mut [Bf16],
) {
    let order = interleaving();
    // Pixel by pixel, so that all of a pixel's channels are read while its cache lines are near.
    let groups = channels.div_ceil(16);
    for (segment, group) in (0..segments).flat_map(|s| (0..groups).map(move |g| (s, g))) {
        let (channel, lanes) = (16 * group, mask(channels - 16 * group));
        let mut rows = [_mm512_setzero_si512(); 16];
        for (index, row) in rows.iter_mut().enumerate() {
            let first = segment * SEGMENT + 2 * index;
            // SAFETY: the pixels lie inside `from`.
            *row = unsafe {
                let [a, b] =
                    [first, first + 1].map(|pixel| load(from, place(pixel), channel, lanes));
                pairs(a, b, order)
            };
        }
        let tile = &mut to[(group * segments + segment) * TILE..][..TILE];
        for (to, row) in tile.chunks_exact_mut(SEGMENT).zip(transposed(rows)) {
            // SAFETY: `to` is 64 bytes.
            unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), row) };
        }
    }
}

/// # Safety
/// The processor has the features; the lengths are those that `turn_rows` checks.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn turn_rows(from: &[Bf16], pitch: usize, count: usize, to: &mut [Bf16]) {
    let order = core::array::from_fn(|lane: usize| (lane / 2 + 32 * (lane % 2)) as u16);
    // SAFETY: both are 64 bytes of plain numbers.
    let first_half: __m512i = unsafe { core::mem::transmute::<[u16; 32], _>(order) };
    let second_half = _mm512_add_epi16(first_half, _mm512_set1_epi16(16));
    for (index, two) in to.chunks_mut(2 * TILE).enumerate() {
        let mut halves = [[_mm512_setzero_si512(); 16]; 2];
        let [low, high] = &mut halves;
        for (pair, (low, high)) in low.iter_mut().zip(high).enumerate() {
            let read = |row: usize| match from.get(row * pitch + index * SEGMENT..) {
                // SAFETY: a row has whole 32s.
                Some(at) if row < count => unsafe { _mm512_loadu_si512(at.as_ptr().cast()) },
                _ => _mm512_setzero_si512(),
            };
            let (a, b) = (read(2 * pair), read(2 * pair + 1));
            *low = _mm512_permutex2var_epi16(a, first_half, b);
            *high = _mm512_permutex2var_epi16(a, second_half, b);
        }
        for (tile, rows) in two.chunks_exact_mut(TILE).zip(halves) {
            for (to, row) in tile.chunks_exact_mut(SEGMENT).zip(transposed(rows)) {
                // SAFETY: `to` is 64 bytes.
                unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), row) };
            }
        }
    }
}

/// Pairs of pixels that are gathered together: their channels are read in order, and what is written lies together too.
const PAIRS: usize = 8;

/// # Safety
/// The processor has the features; the lengths are those that `gather_pairs` checks.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn gather_pairs(
    from: &[f32],
    place: impl Fn(usize) -> Option<usize>,
    channels: usize,
    count: usize,
    to: &mut [Bf16],
) {
    let order = interleaving();
    let groups = channels.div_ceil(16);
    let (to, copy) = to.split_at_mut(32 * groups * count);
    for start in (0..count).step_by(PAIRS) {
        let some = PAIRS.min(count - start);
        // The pixel before the first pair, and those of the pairs.
        let places: [_; 2 * PAIRS + 1] =
            core::array::from_fn(|index| place((2 * start + index).wrapping_sub(1)));
        for group in 0..groups {
            let (channel, lanes) = (16 * group, mask(channels - 16 * group));
            let here = 32 * (group * count + start)..32 * (group * count + start + some);
            let (to, copy) = (&mut to[here.clone()], copy.get_mut(here).unwrap_or_default());
            // SAFETY: the pixels lie inside `from`; each pair of `to`, and of the copy, is 64 bytes.
            unsafe {
                let mut before = load(from, places[0], channel, lanes);
                for (index, to) in to.chunks_exact_mut(32).enumerate() {
                    let first = load(from, places[2 * index + 1], channel, lanes);
                    let second = load(from, places[2 * index + 2], channel, lanes);
                    _mm512_storeu_si512(to.as_mut_ptr().cast(), pairs(first, second, order));
                    if let Some(copy) = copy.get_mut(32 * index..32 * (index + 1)) {
                        let shifted = pairs(before, first, order);
                        _mm512_storeu_si512(copy.as_mut_ptr().cast(), shifted);
                    }
                    before = second;
                }
            }
        }
    }
}

/// The transpose of 16 rows of 16 numbers of 32 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512i; 16]) -> [__m512i; 16] {
    let mut a = rows;
    for i in 0..8 {
        a[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // b[4i + j]: column j of each 128-bit lane, of rows 4i to 4i + 3.
    let mut b = a;
    for i in 0..4 {
        let [r0, r1, r2, r3] = [a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3]];
        b[4 * i] = _mm512_unpacklo_epi64(r0, r2);
        b[4 * i + 1] = _mm512_unpackhi_epi64(r0, r2);
        b[4 * i + 2] = _mm512_unpacklo_epi64(r1, r3);
        b[4 * i + 3] = _mm512_unpackhi_epi64(r1, r3);
    }
    let mut out = b;
    for j in 0..4 {
        let even_low = _mm512_shuffle_i32x4::<0x88>(b[j], b[4 + j]);
        let odd_low = _mm512_shuffle_i32x4::<0xdd>(b[j], b[4 + j]);
        let even_high = _mm512_shuffle_i32x4::<0x88>(b[8 + j], b[12 + j]);
        let odd_high = _mm512_shuffle_i32x4::<0xdd>(b[8 + j], b[12 + j]);
        out[j] = _mm512_shuffle_i32x4::<0x88>(even_low, even_high);
        out[8 + j] = _mm512_shuffle_i32x4::<0xdd>(even_low, even_high);
        out[4 + j] = _mm512_shuffle_i32x4::<0x88>(odd_low, odd_high);
        out[12 + j] = _mm512_shuffle_i32x4::<0xdd>(odd_low, odd_high);
    }
    out
}
