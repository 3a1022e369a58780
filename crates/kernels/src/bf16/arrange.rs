//! Brings fp32 numbers into the layouts that bf16 products read.

use super::{Bf16, COLUMNS, SEGMENT, TILE};
use crate::body::per_isa;
use crate::isa::{Bf16Unit, Isa};
use std::ops::Range;

#[cfg(target_arch = "x86_64")]
pub(crate) mod simd;

/// `to[pixel, c]` = `from[pixel, c]` rounded; channels beyond those of `from` become 0.
///
/// # Shapes
/// from `[pixels, channels]`, to `[pixels, to_channels]`; `to_channels` is `channels`, or greater and whole 16s.
///
/// # Panics
/// When the lengths do not fit.
pub fn convert(isa: Isa, from: &[f32], channels: usize, to: &mut [Bf16], to_channels: usize) {
    assert!(
        to_channels == channels || (to_channels > channels && to_channels.is_multiple_of(16)),
        "channels are kept, or padded to whole 16s"
    );
    let pixels = from.len() / channels.max(1);
    assert_eq!(pixels * channels, from.len(), "whole pixels");
    assert_eq!(pixels * to_channels, to.len(), "as many pixels");
    match isa.bf16_unit() {
        Bf16Unit::Widened => convert_portable(isa, from, channels, to, to_channels),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe { simd::convert(from, channels, to, to_channels) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => convert_portable(isa, from, channels, to, to_channels),
    }
}

/// Packs the right operand of [`multiply`](super::product::multiply): row k of its `segments` * [`SEGMENT`] rows is `row(k)`,
/// which is `columns` long, or empty for a row of zeros. Two rows are rounded and interleaved, 16 columns at a time.
///
/// # Shapes
/// packed `[columns rounded up / 16, segments, 16 pairs of rows, 16, 2]`.
///
/// # Panics
/// When `packed` is not [`packed_len`](super::product::packed_len) long or a row has another length.
pub fn pack<'a>(
    isa: Isa,
    segments: usize,
    columns: usize,
    row: impl Fn(usize) -> &'a [f32],
    packed: &mut [Bf16],
) {
    let len = super::product::packed_len(segments, columns);
    assert_eq!(packed.len(), len, "length of the packed operand");
    match isa.bf16_unit() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the length is checked above.
        Bf16Unit::Dot | Bf16Unit::Tiles => unsafe { simd::pack(segments, columns, row, packed) },
        _ => pack_portable(isa, segments, columns, row, packed),
    }
}

/// Brings tiles that [`pack`] or [`turn`] has written into the order in which the unit reads them: those of `some` of an
/// operand's `columns`, whole 16s but for the last ones. Most stay as they are.
///
/// # Panics
/// When there are not as many whole tiles for each 16 columns.
pub fn order(isa: Isa, columns: usize, some: Range<usize>, tiles: &mut [Bf16]) {
    let last = columns.saturating_sub(1) / COLUMNS * COLUMNS;
    if isa.bf16_unit() != Bf16Unit::Dot || !some.contains(&last) {
        return;
    }
    let panels = some.len().div_ceil(COLUMNS);
    assert!(tiles.len().is_multiple_of(panels * TILE), "whole tiles for each 16 columns");
    if let Some(narrow) = Narrow::of(columns) {
        let of_last = tiles.len() / panels * (last - some.start) / COLUMNS;
        tiles[of_last..].chunks_exact_mut(TILE).for_each(|tile| narrow.order(tile));
    }
}

/// How the pairs of a tile lie in vectors where its columns have no neighbours to share a broadcast pair with: lane l of
/// vector (g, h) is pair g * `pairs` + l mod `pairs` of column h * 16 / `pairs` + l / `pairs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Narrow {
    /// Pairs of the left operand that are broadcast together.
    pub pairs: usize,
    /// Vectors that they are multiplied with.
    pub vectors: usize,
}

impl Narrow {
    /// For the last of so many columns; none where they have neighbours.
    pub(super) fn of(columns: usize) -> Option<Self> {
        let panels = columns.div_ceil(COLUMNS);
        if panels.is_multiple_of(2) {
            return None;
        }
        Some(match columns - (panels - 1) * COLUMNS {
            few @ ..=12 => Self { pairs: 4, vectors: few.div_ceil(4) },
            _ => Self { pairs: 2, vectors: 2 },
        })
    }

    fn order(self, tile: &mut [Bf16]) {
        let mut from = [Bf16::ZERO; TILE];
        from.copy_from_slice(tile);
        for (vector, to) in tile.chunks_exact_mut(2 * COLUMNS).enumerate() {
            let (group, first) =
                (vector / self.vectors, vector % self.vectors * COLUMNS / self.pairs);
            if group * self.pairs >= SEGMENT / 2 {
                return;
            }
            for (lane, to) in to.chunks_exact_mut(2).enumerate() {
                let pair = group * self.pairs + lane % self.pairs;
                let at = 2 * (pair * COLUMNS + first + lane / self.pairs);
                to.copy_from_slice(&from[at..at + 2]);
            }
        }
    }
}

/// The truth of [`pack`].
fn pack_portable<'a>(
    isa: Isa,
    segments: usize,
    columns: usize,
    row: impl Fn(usize) -> &'a [f32],
    packed: &mut [Bf16],
) {
    let starts = (0..columns).step_by(COLUMNS);
    for (start, panel) in starts.zip(packed.chunks_exact_mut((segments * TILE).max(1))) {
        for (k, pair) in panel.chunks_exact_mut(2 * COLUMNS).enumerate() {
            let [first, second] = [2 * k, 2 * k + 1].map(|k| some_of(row(k), start, columns));
            interleave_portable(isa, first, second, pair);
        }
    }
}

/// Up to 16 numbers of a row from `start` on; none of an empty one.
#[inline(always)]
fn some_of(row: &[f32], start: usize, columns: usize) -> &[f32] {
    if row.is_empty() {
        return row;
    }
    assert_eq!(row.len(), columns, "length of a row");
    &row[start..(start + COLUMNS).min(columns)]
}

/// A tile of the right operand of a product from up to 16 rows that are its columns: `to[k / 2][row][k % 2]` =
/// `from[row * pitch + k]` rounded, zeros for rows and numbers that do not exist.
///
/// # Panics
/// When there are more than 16 rows or 32 columns, or a slice is too short.
pub fn turn(isa: Isa, from: &[f32], pitch: usize, rows: usize, columns: usize, to: &mut [Bf16]) {
    assert!((1..=COLUMNS).contains(&rows) && columns <= SEGMENT, "at most a tile");
    assert!(from.len() >= (rows - 1) * pitch + columns, "from is too short");
    assert_eq!(to.len(), TILE, "a tile");
    match isa.bf16_unit() {
        Bf16Unit::Widened => turn_portable(isa, from, pitch, rows, columns, to),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe { simd::turn(from, pitch, rows, columns, to) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => turn_portable(isa, from, pitch, rows, columns, to),
    }
}

/// Where the numbers of each of a line of pixels begin.
#[derive(Clone, Copy, Debug)]
pub enum Pixels<'a> {
    /// Each pixel's place by itself, for the first `count` of a table; zeros behind them.
    Table {
        /// The places.
        table: &'a PixelTable,
        /// Pixels, at most as many as the table has.
        count: usize,
    },
    /// `count` pixels `pitch` apart; zeros behind them.
    Line {
        /// Numbers from one pixel to the next.
        pitch: usize,
        /// Pixels.
        count: usize,
    },
}

/// The places of a line of pixels.
#[derive(Clone, Debug, Default)]
pub struct PixelTable(Vec<u32>);

/// Marks a pixel of zeros.
const NO_PIXEL: u32 = u32::MAX;

impl PixelTable {
    /// The places of pixels, in order; `None` for a pixel of zeros.
    ///
    /// # Panics
    /// When a place is beyond 2^32 - 2.
    #[must_use]
    pub fn new(places: impl Iterator<Item = Option<usize>>) -> Self {
        let place = |at: usize| u32::try_from(at).ok().filter(|at| *at != NO_PIXEL);
        let place = |at: usize| place(at).expect("fewer than 2^32 numbers");
        Self(places.map(|at| at.map_or(NO_PIXEL, place)).collect())
    }
}

/// The place of a pixel of a table's first ones.
#[inline(always)]
fn placed(places: &[u32], index: usize) -> Option<usize> {
    match places.get(index) {
        None | Some(&NO_PIXEL) => None,
        Some(at) => Some(*at as usize),
    }
}

impl Pixels<'_> {
    /// Where pixel `index` begins.
    #[inline(always)]
    fn at(&self, index: usize) -> Option<usize> {
        match self {
            Self::Table { table, count } => placed(&table.0[..*count], index),
            Self::Line { pitch, count } => (index < *count).then_some(index * pitch),
        }
    }

    /// Where the last pixel in memory begins.
    fn last(&self) -> Option<usize> {
        match self {
            Self::Table { table, count } => {
                // NO_PIXEL becomes 0, and every place one more than it is.
                let last = table.0[..*count].iter().map(|at| at.wrapping_add(1)).max()?;
                (last as usize).checked_sub(1)
            }
            Self::Line { pitch, count } => count.checked_sub(1).map(|last| last * pitch),
        }
    }
}

fn check_pixels(from: &[f32], pixels: Pixels<'_>, channels: usize) {
    let end = pixels.last().map_or(0, |last| last + channels);
    assert!(from.len() >= end, "from is too short");
}

/// Pixels turned into tiles of 16 channels by 32 pixels: `to[channel / 16][pixel / 32][channel % 16][pixel % 32]` is channel
/// `channel` of pixel `pixel`, rounded; zeros for channels and pixels that do not exist.
///
/// # Shapes
/// to `[channels rounded up / 16, segments, 16, 32]`.
///
/// # Panics
/// When the lengths do not fit, or a table has fewer pixels.
pub fn gather_planes(
    isa: Isa,
    from: &[f32],
    pixels: Pixels<'_>,
    channels: usize,
    segments: usize,
    to: &mut [Bf16],
) {
    check_pixels(from, pixels, channels);
    assert_eq!(to.len(), channels.div_ceil(COLUMNS) * segments * TILE, "whole tiles");
    match isa.bf16_unit() {
        Bf16Unit::Widened => gather_planes_portable(isa, from, pixels, channels, segments, to),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe {
            match pixels {
                Pixels::Table { table, count } => {
                    let places = &table.0[..count];
                    let place = |index: usize| placed(places, index);
                    simd::gather_planes(from, place, channels, segments, to);
                }
                Pixels::Line { pitch, count } => {
                    let place = |index: usize| (index < count).then_some(index * pitch);
                    simd::gather_planes(from, place, channels, segments, to);
                }
            }
        },
        #[cfg(not(target_arch = "x86_64"))]
        _ => gather_planes_portable(isa, from, pixels, channels, segments, to),
    }
}

/// Up to 32 rows of rounded numbers turned into tiles of 16 columns by 32 rows: `to[column / 16][column % 16][row]`; zeros for
/// rows that do not exist. With what [`convert`] has written these are the numbers of [`gather_planes`].
///
/// # Shapes
/// from `[count, pitch]`, whole 32s to a row, to `[tiles, 16, 32]`.
///
/// # Panics
/// When the lengths do not fit or there are more than 32 rows.
pub fn turn_rows(isa: Isa, from: &[Bf16], pitch: usize, count: usize, to: &mut [Bf16]) {
    assert!(count <= SEGMENT && pitch.is_multiple_of(SEGMENT), "up to 32 rows of whole 32s");
    assert!(from.len() >= count * pitch, "from is too short");
    assert!(to.len().is_multiple_of(TILE) && to.len() / SEGMENT <= pitch, "tiles of the columns");
    match isa.bf16_unit() {
        Bf16Unit::Widened => turn_rows_portable(from, pitch, count, to),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe { simd::turn_rows(from, pitch, count, to) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => turn_rows_portable(from, pitch, count, to),
    }
}

/// The truth of [`turn_rows`].
fn turn_rows_portable(from: &[Bf16], pitch: usize, count: usize, to: &mut [Bf16]) {
    for (column, to) in to.chunks_exact_mut(SEGMENT).enumerate() {
        to.fill(Bf16::ZERO);
        let rows = from.chunks_exact(pitch.max(1)).take(count);
        to.iter_mut().zip(rows).for_each(|(to, row)| *to = row[column]);
    }
}

/// Pixels of `channels` numbers, rounded, each two neighbours interleaved: `to[channel / 16][pixel / 2][channel % 16][pixel %
/// 2]`; zeros for channels and pixels that do not exist. Pixel 0 of `to` is pixel `first` of `pixels`, which may lie before
/// the first one. A second copy, where there is one, begins a pixel earlier.
///
/// # Shapes
/// to `[copies, channels rounded up / 16, pairs, 16, 2]`, one or two copies.
///
/// # Panics
/// When the lengths do not fit, or a table has fewer pixels.
pub fn gather_pairs(
    isa: Isa,
    from: &[f32],
    pixels: Pixels<'_>,
    first: isize,
    channels: usize,
    pairs: usize,
    to: &mut [Bf16],
) {
    check_pixels(from, pixels, channels);
    let len = channels.div_ceil(COLUMNS) * pairs * 2 * COLUMNS;
    assert!(
        to.len() == len || to.len() == 2 * len,
        "one copy or two of whole pairs of 16 channels"
    );
    match isa.bf16_unit() {
        Bf16Unit::Widened => gather_pairs_portable(isa, from, pixels, first, channels, pairs, to),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the `Isa` proves the features; the lengths are checked above.
        _ => unsafe {
            match pixels {
                Pixels::Table { table, count } => {
                    let places = &table.0[..count];
                    let place = |index: usize| placed(places, index.wrapping_add_signed(first));
                    simd::gather_pairs(from, place, channels, pairs, to);
                }
                Pixels::Line { pitch, count } => {
                    let place = |index: usize| {
                        let index = index.wrapping_add_signed(first);
                        (index < count).then_some(index * pitch)
                    };
                    simd::gather_pairs(from, place, channels, pairs, to);
                }
            }
        },
        #[cfg(not(target_arch = "x86_64"))]
        _ => gather_pairs_portable(isa, from, pixels, first, channels, pairs, to),
    }
}

per_isa! {
    /// The truth of [`convert`].
    pub fn convert_portable<T>(from: &[T], channels: usize, to: &mut [Bf16], to_channels: usize) {
        for (from, to) in from.chunks_exact(channels).zip(to.chunks_exact_mut(to_channels)) {
            let (to, rest) = to.split_at_mut(channels);
            to.iter_mut().zip(from).for_each(|(to, from)| *to = Bf16::from_element(*from));
            rest.fill(Bf16::ZERO);
        }
    }
}

per_isa! {
    /// Two rows of up to 16 numbers, rounded and interleaved, with zeros behind them.
    fn interleave_portable<T>(first: &[T], second: &[T], to: &mut [Bf16]) {
        to.fill(Bf16::ZERO);
        for (pair, first) in to.chunks_exact_mut(2).zip(first) {
            pair[0] = Bf16::from_element(*first);
        }
        for (pair, second) in to.chunks_exact_mut(2).zip(second) {
            pair[1] = Bf16::from_element(*second);
        }
    }
}

per_isa! {
    /// The truth of [`turn`].
    pub fn turn_portable<T>(from: &[T], pitch: usize, rows: usize, columns: usize, to: &mut [Bf16]) {
        to.fill(Bf16::ZERO);
        for row in 0..rows {
            for (k, from) in from[row * pitch..][..columns].iter().enumerate() {
                to[k / 2 * 2 * COLUMNS + 2 * row + k % 2] = Bf16::from_element(*from);
            }
        }
    }
}

per_isa! {
    /// The truth of [`gather_planes`].
    pub(crate) fn gather_planes_portable<T>(
        from: &[T], pixels: Pixels<'_>, channels: usize, segments: usize, to: &mut [Bf16],
    ) {
        for (index, tile) in to.chunks_exact_mut(TILE).enumerate() {
            let (first, segment) = (index / segments * COLUMNS, index % segments);
            tile.fill(Bf16::ZERO);
            for pixel in 0..SEGMENT {
                let Some(at) = pixels.at(segment * SEGMENT + pixel) else { continue };
                let numbers = &from[at + first..][..COLUMNS.min(channels - first)];
                for (row, number) in tile.chunks_exact_mut(SEGMENT).zip(numbers) {
                    row[pixel] = Bf16::from_element(*number);
                }
            }
        }
    }
}

per_isa! {
    /// The truth of [`gather_pairs`].
    pub(crate) fn gather_pairs_portable<T>(
        from: &[T], pixels: Pixels<'_>, first: isize, channels: usize, pairs: usize, to: &mut [Bf16],
    ) {
        let groups = channels.div_ceil(COLUMNS);
        for (index, pair) in to.chunks_exact_mut(2 * COLUMNS).enumerate() {
            let (copy, group, pixel) = (index / pairs / groups, index / pairs % groups, 2 * (index % pairs));
            let (start, first) = (group * COLUMNS, first - copy.cast_signed());
            pair.fill(Bf16::ZERO);
            for side in 0..2 {
                let place = (pixel + side).checked_add_signed(first);
                let Some(at) = place.and_then(|place| pixels.at(place)) else { continue };
                let numbers = &from[at + start..][..COLUMNS.min(channels - start)];
                for (to, number) in pair.chunks_exact_mut(2).zip(numbers) {
                    to[side] = Bf16::from_element(*number);
                }
            }
        }
    }
}
