//! The AMX bodies: tiles of 16 rows by 16 columns of sums, 32 numbers of K an instruction.
//!
//! Rust has no stable intrinsics for AMX, so each instruction is an assembler line. The compiler never uses tile
//! registers itself. A body configures them when it begins and releases them when it ends. In
//! `multiply`, tile registers 0 to 3 hold sums (two row tiles by two column tiles), 4 and 5 the left operand, 6 and 7 the
//! right one; in `multiply_transposed`, 0 to 5 hold the sums of six targets, 6 the left operand, 7 the right one.

use super::COLUMNS;
use super::product::{Product, RowTile, Target, Transposed};
use crate::product::Grid;
use core::arch::asm;
use core::arch::x86_64::{
    __cpuid, __cpuid_count, _MM_HINT_ET0, _mm_prefetch, _mm512_add_ps, _mm512_loadu_ps,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_max_ps, _mm512_setzero_ps,
};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;

/// Rows of a tile.
const ROWS: usize = 16;

/// Whether the processor has AMX-BF16 and the system lets this process use it. Asked once.
pub(crate) fn tiles_are_granted() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| has_tiles() && request_tiles())
}

fn has_tiles() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    // The state components of the tile configuration and of the tiles.
    const TILE_STATE: u32 = 3 << 17;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let features = __cpuid_count(7, 0).edx;
    if features & AMX_BF16 == 0 || features & AMX_TILE == 0 {
        return false;
    }
    let enabled: u32;
    // SAFETY: OSXSAVE says that the instruction exists; it only reads.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") enabled, out("edx") _, options(nomem, nostack));
    }
    enabled & TILE_STATE == TILE_STATE
}

/// Linux keeps the tiles' 8 KiB of state from processes that have not asked for it.
#[cfg(target_os = "linux")]
fn request_tiles() -> bool {
    const ARCH_PRCTL: u64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const TILE_DATA: u64 = 18;
    let result: i64;
    // SAFETY: the system call changes nothing but the permission, for all threads of this process.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack)
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn request_tiles() -> bool {
    false
}

/// The tile registers set up as 8 tiles of 16 rows of 64 bytes; released when dropped.
struct Tiles;

impl Tiles {
    /// # Safety
    /// The processor has AMX and the system has granted it.
    unsafe fn new() -> Self {
        #[repr(C, align(64))]
        struct Configuration {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        let mut configuration = Configuration {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        configuration.row_bytes[..8].fill(64);
        configuration.rows[..8].fill(ROWS as u8);
        // SAFETY: a valid configuration of 64 bytes, by the caller's promise on a processor that has it.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &configuration, options(nostack, preserves_flags, readonly));
        }
        Self
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the tiles were configured in `new`.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) }
    }
}

/// Loads tile `$tile` with 16 rows of 64 bytes, `$stride` bytes apart. To be called where all of them can be read.
macro_rules! load {
    ($tile:literal, $from:expr, $stride:expr) => {
        asm!(
            concat!("tileloadd tmm", $tile, ", [{from} + {stride}*1]"),
            from = in(reg) $from,
            stride = in(reg) $stride,
            options(nostack, preserves_flags, readonly)
        )
    };
}

/// Stores tile `$tile` to 16 rows of 64 bytes, `$stride` bytes apart. To be called where all of them can be written.
macro_rules! store {
    ($tile:literal, $to:expr, $stride:expr) => {
        asm!(
            concat!("tilestored [{to} + {stride}*1], tmm", $tile),
            to = in(reg) $to,
            stride = in(reg) $stride,
            options(nostack, preserves_flags)
        )
    };
}

/// Tile `$sum` += tile `$left` * tile `$right`.
macro_rules! multiply_add {
    ($sum:literal, $left:literal, $right:literal) => {
        asm!(
            concat!("tdpbf16ps tmm", $sum, ", tmm", $left, ", tmm", $right),
            options(nomem, nostack, preserves_flags)
        )
    };
}

macro_rules! clear {
    ($($tile:literal)*) => {
        $(asm!(concat!("tilezero tmm", $tile), options(nomem, nostack, preserves_flags));)*
    };
}

/// Up to 16 rows next to each other in the left operand.
#[derive(Clone, Copy)]
struct Rows {
    /// Where they begin.
    from: usize,
    /// Where their line begins in the output.
    to: usize,
    /// The first row's place in its line.
    x: usize,
    count: usize,
}

/// How the rows of an image are cut into tiles.
#[derive(Clone, Copy)]
struct Cut {
    /// Lines of tiles, and rows of each.
    lines: usize,
    len: usize,
    /// Rows from one line of the grid to the next where a tile may run on there. Those beyond the grid's `inner` are
    /// computed and not written: the pixels of a frame.
    pitch: usize,
}

impl Cut {
    /// Line by line, or all lines as one where that takes fewer tiles.
    fn new(rows: &Grid) -> Self {
        let Grid { outer, outer_pitch, inner, inner_pitch } = *rows;
        let alone = Self { lines: outer, len: inner, pitch: usize::MAX };
        if inner_pitch == 0 || !outer_pitch.is_multiple_of(inner_pitch) {
            return alone;
        }
        let pitch = outer_pitch / inner_pitch;
        let together = Self { lines: 1, len: (outer - 1) * pitch + inner, pitch };
        let runs_on = pitch >= inner && together.tiles() < alone.tiles();
        if runs_on { together } else { alone }
    }

    fn tiles(&self) -> usize {
        self.lines * self.len.div_ceil(ROWS)
    }
}

/// The row tiles of a product, in order.
fn row_tiles<'a>(product: &'a Product<'_, f32>, cut: Cut) -> impl Iterator<Item = Rows> + 'a {
    let Product { images, windows, output, .. } = *product;
    let Grid { outer_pitch, inner_pitch, .. } = windows.rows;
    (0..images * cut.lines).flat_map(move |line| {
        let (image, line) = (line / cut.lines, line % cut.lines);
        let from = image * windows.image_pitch + line * outer_pitch;
        let to = image * output.image_pitch;
        (0..cut.len).step_by(ROWS).map(move |first| Rows {
            from: from + first * inner_pitch,
            to: to + (line + first / cut.pitch) * output.rows.outer_pitch,
            x: first % cut.pitch,
            count: ROWS.min(cut.len - first),
        })
    })
}

/// Segments that are multiplied at once: their tiles of two column tiles stay in the first cache.
const BLOCK: usize = 18;

/// Pairs of row tiles whose sums wait for the next block of segments.
const PAIRS: usize = 8;

/// Memory for N tiles of sums that wait for the next block of segments. It takes time to fill, so nothing is there before
/// it is stored.
#[repr(C, align(64))]
struct Sums<const N: usize>(MaybeUninit<[[f32; ROWS * COLUMNS]; N]>);

impl<const N: usize> Sums<N> {
    fn new() -> Self {
        Self(MaybeUninit::uninit())
    }

    /// Where the tiles from `index` on lie.
    fn tile(&mut self, index: usize) -> *mut f32 {
        assert!(index < N, "a tile of {N}");
        self.0.as_mut_ptr().cast::<f32>().wrapping_add(index * ROWS * COLUMNS)
    }
}

/// # Safety
/// The processor has AMX, granted, and AVX-512; the operands are checked.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn multiply(product: &Product<'_, f32>, out: &mut [f32]) {
    // SAFETY: the caller's promise.
    let _tiles = unsafe { Tiles::new() };
    let columns = product.output.columns;
    let cut = Cut::new(&product.windows.rows);
    let segments = product.windows.segments.len();
    let block = segments.div_ceil(segments.div_ceil(BLOCK).max(1)).max(1);
    let mut sums = Sums::<{ 4 * PAIRS }>::new();
    for start in (0..columns).step_by(2 * COLUMNS) {
        let mut tiles = row_tiles(product, cut);
        let (to, len) = (out.as_mut_ptr(), out.len());
        let writer = Writer { product, pitch: cut.pitch, start, out: to, len };
        loop {
            let mut pairs = [None; PAIRS];
            for pair in &mut pairs {
                *pair = tiles.next().map(|first| (first, tiles.next()));
            }
            if pairs[0].is_none() {
                break;
            }
            for first in (0..segments.max(1)).step_by(block) {
                let part = first..(first + block).min(segments);
                for (index, pair) in pairs.iter().flatten().enumerate() {
                    // SAFETY: the rows and columns lie inside the checked operands; each pair has its four tiles of sums.
                    unsafe { multiply_pair(&writer, *pair, part.clone(), sums.tile(4 * index)) }
                }
            }
        }
    }
}

/// A part of the sums of a pair of row tiles: begun with the bias or with the four tiles at `sums`, and written to the output,
/// or to `sums` if there is more to come.
///
/// # Safety
/// As [`multiply`]; the tiles are configured.
#[inline(always)]
unsafe fn multiply_pair(
    writer: &Writer<'_>,
    (first, second): (Rows, Option<Rows>),
    part: Range<usize>,
    sums: *mut f32,
) {
    let Writer { product, start, .. } = *writer;
    let two_columns = product.output.columns - start > COLUMNS;
    // SAFETY: the caller's promise.
    unsafe {
        match (second, two_columns) {
            (Some(second), true) => block::<true, true>(writer, first, second, part, sums),
            (Some(second), false) => block::<true, false>(writer, first, second, part, sums),
            (None, true) => block::<false, true>(writer, first, first, part, sums),
            (None, false) => block::<false, false>(writer, first, first, part, sums),
        }
    }
}

/// Up to two row tiles times up to two column tiles, over a part of the segments, in tiles 0 to 3.
///
/// # Safety
/// As [`multiply_pair`].
#[inline(always)]
unsafe fn block<const TWO_ROWS: bool, const TWO_COLUMNS: bool>(
    writer: &Writer<'_>,
    first: Rows,
    second: Rows,
    part: Range<usize>,
    sums: *mut f32,
) {
    let Writer { product, start, .. } = *writer;
    let Product { windows, left, right, bias, .. } = *product;
    let stride = 2 * windows.rows.inner_pitch;
    let [of_columns, of_segment] = product.tile_pitches();
    let (begins, ends) = (part.start == 0, part.end == windows.segments.len());
    // Numbers from a sum's row, its column tile and its row tile to the next; every row begins with the same bias.
    let [row, column_tile, row_tile] =
        if begins { [0, COLUMNS, 0] } else { [COLUMNS, ROWS * COLUMNS, 2 * ROWS * COLUMNS] };
    // SAFETY: the left operand has 16 rows behind every row, the right one whole tiles, the bias whole 16s; `sums` has four
    // tiles, which an earlier part has stored where this one does not begin.
    unsafe {
        let from = if begins { bias.as_ptr().add(start) } else { sums.cast_const() };
        load!("0", from, 4 * row);
        if TWO_COLUMNS {
            load!("1", from.add(column_tile), 4 * row);
        }
        if TWO_ROWS {
            load!("2", from.add(row_tile), 4 * row);
            if TWO_COLUMNS {
                load!("3", from.add(row_tile + column_tile), 4 * row);
            }
        }
        let (left_first, left_second) =
            (left.as_ptr().add(first.from), left.as_ptr().add(second.from));
        let mut right = right.as_ptr().add(start / COLUMNS * of_columns + part.start * of_segment);
        for segment in &windows.segments[part] {
            load!("4", left_first.add(*segment), stride);
            load!("6", right, 64_usize);
            multiply_add!("0", "4", "6");
            if TWO_COLUMNS {
                load!("7", right.add(of_columns), 64_usize);
                multiply_add!("1", "4", "7");
            }
            if TWO_ROWS {
                load!("5", left_second.add(*segment), stride);
                multiply_add!("2", "5", "6");
                if TWO_COLUMNS {
                    multiply_add!("3", "5", "7");
                }
            }
            right = right.wrapping_add(of_segment);
        }
        if !ends {
            let stores = [store_0, store_1, store_2, store_3];
            for (index, store) in stores.into_iter().enumerate() {
                store(sums.add(index * ROWS * COLUMNS), 4 * COLUMNS);
            }
            return;
        }
        writer.write(first, 0, store_0);
        if TWO_COLUMNS {
            writer.write(first, 1, store_1);
        }
        if TWO_ROWS {
            writer.write(second, 0, store_2);
            if TWO_COLUMNS {
                writer.write(second, 1, store_3);
            }
        }
    }
}

macro_rules! stores {
    ($($name:ident $tile:literal)*) => {
        $(
            /// # Safety
            /// 16 rows of 64 bytes, `stride` bytes apart, can be written; the tiles are configured.
            #[inline(always)]
            unsafe fn $name(to: *mut f32, stride: usize) {
                // SAFETY: the caller's.
                unsafe { store!($tile, to, stride) }
            }
        )*
    };
}
stores!(store_0 "0" store_1 "1" store_2 "2" store_3 "3" store_4 "4" store_5 "5");

/// Writes tiles of sums to the output.
struct Writer<'a> {
    product: &'a Product<'a, f32>,
    /// That of the [`Cut`].
    pitch: usize,
    start: usize,
    out: *mut f32,
    len: usize,
}

impl Writer<'_> {
    /// # Safety
    /// `rows` lie inside the output; `store` stores the tile that belongs there.
    #[inline]
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn write(&self, rows: Rows, column_tile: usize, store: unsafe fn(*mut f32, usize)) {
        let output = self.product.output;
        let start = self.start + column_tile * COLUMNS;
        let (grid, columns) = (output.rows, COLUMNS.min(output.columns - start));
        let to = rows.to + rows.x * grid.inner_pitch + start;
        // Rows that do not exist may be written over those that follow: these are stored later.
        let fits = rows.x + ROWS <= grid.inner
            || (self.pitch == usize::MAX
                && self.rows_follow_each_other()
                && to + (ROWS - 1) * grid.inner_pitch + COLUMNS <= self.len);
        // SAFETY: inside the output, or the scratch tile; the rows that exist are inside the output.
        unsafe {
            if fits && columns == COLUMNS && !output.relu {
                store(self.out.add(to), 4 * grid.inner_pitch);
                return;
            }
            let mut tile = Scratch([0.0; ROWS * COLUMNS]);
            store(tile.0.as_mut_ptr(), 4 * COLUMNS);
            let mask = ((1_u32 << columns) - 1) as u16;
            let (mut line, mut x) = (rows.to + start, rows.x);
            for row in 0..rows.count {
                if x == self.pitch {
                    (line, x) = (line + grid.outer_pitch, 0);
                }
                if x < grid.inner {
                    let sums = _mm512_loadu_ps(tile.0.as_ptr().add(row * COLUMNS));
                    let sums =
                        if output.relu { _mm512_max_ps(_mm512_setzero_ps(), sums) } else { sums };
                    _mm512_mask_storeu_ps(self.out.add(line + x * grid.inner_pitch), mask, sums);
                }
                x += 1;
            }
        }
    }

    /// Whether the row behind the last one of a line of rows is the first one of the next line.
    fn rows_follow_each_other(&self) -> bool {
        let output = self.product.output;
        let Grid { outer, outer_pitch, inner, inner_pitch } = output.rows;
        outer_pitch == inner * inner_pitch && output.image_pitch == outer * outer_pitch
    }
}

#[repr(C, align(64))]
struct Scratch([f32; ROWS * COLUMNS]);

/// Targets whose sums are made at once: one tile each, beside the operands'.
const TARGETS: usize = 6;

/// Segments of pixels that are summed over at once: what 16 columns and a row tile have of them stays in the first cache.
const LINE: usize = 12;

/// Tiles of sums that wait for the next line, in the first cache too.
const WAITING: usize = 32;

/// # Safety
/// The processor has AMX, granted, and AVX-512; the operands are checked.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn multiply_transposed(product: &Transposed<'_>, out: &mut [f32]) {
    // SAFETY: the caller's promise.
    let _tiles = unsafe { Tiles::new() };
    let Transposed { planes, columns, .. } = *product;
    let mut sums = Sums::<WAITING>::new();
    for tile in planes.tiles {
        let width = (TARGETS / tile.taps.max(1)).max(1);
        // With more targets than may wait, all segments are one line.
        let most = if tile.taps * width <= WAITING { LINE } else { planes.segments };
        let line = planes.segments.div_ceil(planes.segments.div_ceil(most.max(1)).max(1)).max(1);
        for start in (0..columns).step_by(width * COLUMNS) {
            let columns = start..(start + width * COLUMNS).min(columns);
            for first in (0..planes.segments).step_by(line) {
                let line = first..(first + line).min(planes.segments);
                let part = Part { product, tile, line };
                // SAFETY: the caller's promise; there is a tile of sums for each target, or one line alone.
                unsafe { part.add(columns.clone(), sums.tile(0), out) }
            }
        }
    }
}

/// The products of a row tile and a line of segments.
struct Part<'a> {
    product: &'a Transposed<'a>,
    tile: &'a RowTile,
    line: Range<usize>,
}

impl Part<'_> {
    /// Adds the products to the targets in some columns.
    ///
    /// # Safety
    /// As [`multiply_transposed`]; the tiles are configured; `sums` has a tile for each target, or the line is all segments.
    #[inline(always)]
    unsafe fn add(&self, columns: Range<usize>, sums: *mut f32, out: &mut [f32]) {
        let total = columns.len().div_ceil(COLUMNS) * self.tile.taps;
        // As equal as possible: a few targets alone would wait for their own sums.
        let most = total.div_ceil(total.div_ceil(TARGETS).max(1));
        let mut targets = self.product.targets(self.tile, columns);
        let mut sums = sums;
        loop {
            let mut some = [Target { right: 0, out: 0, columns: 0 }; TARGETS];
            let mut count = 0;
            for (slot, target) in some[..most].iter_mut().zip(targets.by_ref()) {
                *slot = target;
                count += 1;
            }
            // SAFETY: the caller's promise; the targets lie inside the checked operands.
            unsafe {
                match count {
                    0 => break,
                    1 => self.add_targets::<1>(&some, sums, out),
                    2 => self.add_targets::<2>(&some, sums, out),
                    3 => self.add_targets::<3>(&some, sums, out),
                    4 => self.add_targets::<4>(&some, sums, out),
                    5 => self.add_targets::<5>(&some, sums, out),
                    _ => self.add_targets::<6>(&some, sums, out),
                }
            }
            sums = sums.wrapping_add(count * ROWS * COLUMNS);
        }
    }

    /// Adds the products for N targets, in tiles 0 to N - 1, to what earlier lines have left at `sums`, and those of the last
    /// line with it to the output.
    ///
    /// # Safety
    /// As [`add`](Self::add).
    #[inline(always)]
    unsafe fn add_targets<const N: usize>(
        &self,
        targets: &[Target; TARGETS],
        sums: *mut f32,
        out: &mut [f32],
    ) {
        let Self { product, tile, .. } = *self;
        let Transposed { planes, left, right, .. } = *product;
        let (begins, ends) = (self.line.start == 0, self.line.end == planes.segments);
        if ends {
            targets[..N].iter().for_each(|target| fetch(product, tile, *target, out));
        }
        // SAFETY: both operands have whole tiles for every segment from their offsets on; an earlier line has stored what is
        // at `sums` where this one does not begin; the rows and columns that exist lie inside the output.
        unsafe {
            macro_rules! begin {
                ($($index:literal $tile:literal)*) => {
                    $(if N > $index {
                        if begins {
                            clear!($tile);
                        } else {
                            load!($tile, sums.add($index * ROWS * COLUMNS), 4 * COLUMNS);
                        }
                    })*
                };
            }
            begin!(0 "0" 1 "1" 2 "2" 3 "3" 4 "4" 5 "5");
            let left = left.as_ptr().add(product.start(tile));
            for segment in self.line.clone() {
                let at = segment * planes.segment_pitch;
                load!("6", left.add(at), 64_usize);
                let right = right.as_ptr().add(at);
                macro_rules! target {
                    ($($index:literal $tile:literal)*) => {
                        $(if N > $index {
                            load!("7", right.add(targets[$index].right), 64_usize);
                            multiply_add!($tile, "6", "7");
                        })*
                    };
                }
                target!(0 "0" 1 "1" 2 "2" 3 "3" 4 "4" 5 "5");
            }
            let stores = [store_0, store_1, store_2, store_3, store_4, store_5];
            for (index, (target, store)) in targets[..N].iter().zip(stores).enumerate() {
                if ends {
                    add_tile(product, tile, *target, store, out);
                } else {
                    store(sums.add(index * ROWS * COLUMNS), 4 * COLUMNS);
                }
            }
        }
    }
}

/// Begins to bring a target's numbers of the output into the cache: the gradient of a wide layer is larger than that.
#[inline(always)]
fn fetch(product: &Transposed<'_>, tile: &RowTile, target: Target, out: &[f32]) {
    for row in &tile.out_rows[..tile.rows] {
        let at = out.as_ptr().wrapping_add(target.out + *row as usize * product.columns);
        // SAFETY: a prefetch may be given any address, on every x86 processor.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(at.cast()) }
    }
}

/// Adds a tile of sums to the output.
///
/// # Safety
/// `store` stores the tile that holds the sums of the row tile and target; the tiles are configured.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn add_tile(
    product: &Transposed<'_>,
    tile: &RowTile,
    target: Target,
    store: unsafe fn(*mut f32, usize),
    out: &mut [f32],
) {
    let mut sums = Scratch([0.0; ROWS * COLUMNS]);
    let mask = ((1_u32 << target.columns) - 1) as u16;
    // SAFETY: the scratch tile is whole; the rows and columns that exist lie inside the checked output.
    unsafe {
        store(sums.0.as_mut_ptr(), 4 * COLUMNS);
        for (row, out_row) in tile.out_rows.iter().enumerate().take(tile.rows) {
            let to = target.out + *out_row as usize * product.columns;
            let to = out.as_mut_ptr().add(to);
            let sums = _mm512_loadu_ps(sums.0.as_ptr().add(row * COLUMNS));
            let before = _mm512_maskz_loadu_ps(mask, to);
            _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(before, sums));
        }
    }
}
