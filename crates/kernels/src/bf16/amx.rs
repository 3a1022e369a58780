//! The AMX bodies: tiles of 16 rows by 16 columns of sums, 32 numbers of K an instruction.
//!
//! Rust has no stable intrinsics for AMX, so each instruction is an assembler line. The compiler never uses tile
//! registers itself. A body configures them when it begins and releases them when it ends. In
//! `multiply`, tile registers 0 to 3 hold sums (two row tiles by two column tiles), 4 and 5 the left operand, 6 and 7 the
//! right one; in `multiply_transposed`, 0 to 5 hold the sums of six targets, 6 the left operand, 7 the right one.

use super::product::{Product, RowTile, Target, Transposed};
use super::{COLUMNS, TILE};
use crate::product::Grid;
use core::arch::asm;
use core::arch::x86_64::{
    __cpuid, __cpuid_count, _mm512_loadu_ps, _mm512_max_ps, _mm512_setzero_ps,
};
use core::arch::x86_64::{_mm512_add_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};
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

/// Up to 16 rows next to each other: where they begin in both operands, and how many exist.
#[derive(Clone, Copy)]
struct Rows {
    from: usize,
    to: usize,
    count: usize,
}

/// The row tiles of a product, in order.
fn row_tiles<'a>(product: &'a Product<'_, f32>) -> impl Iterator<Item = Rows> + 'a {
    let Product { images, windows, output, .. } = *product;
    let Grid { outer, outer_pitch, inner, inner_pitch } = windows.rows;
    (0..images * outer).flat_map(move |row| {
        let (image, y) = (row / outer, row % outer);
        let from = image * windows.image_pitch + y * outer_pitch;
        let to = image * output.image_pitch + y * output.rows.outer_pitch;
        (0..inner).step_by(ROWS).map(move |x| Rows {
            from: from + x * inner_pitch,
            to: to + x * output.rows.inner_pitch,
            count: ROWS.min(inner - x),
        })
    })
}

/// # Safety
/// The processor has AMX, granted, and AVX-512; the operands are checked.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn multiply(product: &Product<'_, f32>, out: &mut [f32]) {
    // SAFETY: the caller's promise.
    let _tiles = unsafe { Tiles::new() };
    let columns = product.output.columns;
    for start in (0..columns).step_by(2 * COLUMNS) {
        let two_columns = columns - start > COLUMNS;
        let mut tiles = row_tiles(product);
        while let Some(first) = tiles.next() {
            let second = tiles.next();
            // SAFETY: the rows and columns lie inside the checked operands.
            unsafe {
                match (second, two_columns) {
                    (Some(second), true) => block::<true, true>(product, start, first, second),
                    (Some(second), false) => block::<true, false>(product, start, first, second),
                    (None, true) => block::<false, true>(product, start, first, first),
                    (None, false) => block::<false, false>(product, start, first, first),
                }
                let writer = Writer { product, start, out: out.as_mut_ptr(), len: out.len() };
                writer.write(first, 0, store_0);
                if two_columns {
                    writer.write(first, 1, store_1);
                }
                if let Some(second) = second {
                    writer.write(second, 0, store_2);
                    if two_columns {
                        writer.write(second, 1, store_3);
                    }
                }
            }
        }
    }
}

/// Up to two row tiles times up to two column tiles, over all K, into tiles 0 to 3.
///
/// # Safety
/// As [`multiply`]; the tiles are configured.
#[inline(always)]
unsafe fn block<const TWO_ROWS: bool, const TWO_COLUMNS: bool>(
    product: &Product<'_, f32>,
    start: usize,
    first: Rows,
    second: Rows,
) {
    let Product { windows, left, right, bias, .. } = *product;
    let stride = 2 * windows.rows.inner_pitch;
    let panel = windows.segments.len() * TILE;
    // SAFETY: the left operand has 16 rows behind every row, the right one whole tiles, the bias whole 16s.
    unsafe {
        let bias = bias.as_ptr().add(start);
        load!("0", bias, 0_usize);
        if TWO_COLUMNS {
            load!("1", bias.add(COLUMNS), 0_usize);
        }
        if TWO_ROWS {
            load!("2", bias, 0_usize);
            if TWO_COLUMNS {
                load!("3", bias.add(COLUMNS), 0_usize);
            }
        }
        let (first, second) = (left.as_ptr().add(first.from), left.as_ptr().add(second.from));
        let mut right = right.as_ptr().add(start / COLUMNS * panel);
        for segment in windows.segments {
            load!("4", first.add(*segment), stride);
            load!("6", right, 64_usize);
            multiply_add!("0", "4", "6");
            if TWO_COLUMNS {
                load!("7", right.add(panel), 64_usize);
                multiply_add!("1", "4", "7");
            }
            if TWO_ROWS {
                load!("5", second.add(*segment), stride);
                multiply_add!("2", "5", "6");
                if TWO_COLUMNS {
                    multiply_add!("3", "5", "7");
                }
            }
            right = right.add(TILE);
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
        let (pitch, columns) = (output.rows.inner_pitch, COLUMNS.min(output.columns - start));
        let to = rows.to + start;
        // Rows that do not exist may be written over those that follow: these are stored later.
        let fits = rows.count == ROWS
            || (self.rows_follow_each_other() && to + (ROWS - 1) * pitch + COLUMNS <= self.len);
        // SAFETY: inside the output, or the scratch tile; the rows that exist are inside the output.
        unsafe {
            if fits && columns == COLUMNS && !output.relu {
                store(self.out.add(to), 4 * pitch);
                return;
            }
            let mut tile = Scratch([0.0; ROWS * COLUMNS]);
            store(tile.0.as_mut_ptr(), 4 * COLUMNS);
            let mask = ((1_u32 << columns) - 1) as u16;
            for row in 0..rows.count {
                let sums = _mm512_loadu_ps(tile.0.as_ptr().add(row * COLUMNS));
                let sums =
                    if output.relu { _mm512_max_ps(_mm512_setzero_ps(), sums) } else { sums };
                _mm512_mask_storeu_ps(self.out.add(to + row * pitch), mask, sums);
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

/// # Safety
/// The processor has AMX, granted, and AVX-512; the operands are checked.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(super) unsafe fn multiply_transposed(product: &Transposed<'_>, out: &mut [f32]) {
    // SAFETY: the caller's promise.
    let _tiles = unsafe { Tiles::new() };
    for tile in product.planes.tiles {
        let mut targets = product.targets(tile);
        loop {
            let mut some = [Target { right: 0, out: 0, columns: 0 }; TARGETS];
            let mut count = 0;
            for (slot, target) in some.iter_mut().zip(targets.by_ref()) {
                *slot = target;
                count += 1;
            }
            // SAFETY: the rows and targets lie inside the checked operands.
            unsafe {
                match count {
                    0 => break,
                    1 => transposed_block::<1>(product, tile, &some),
                    2 => transposed_block::<2>(product, tile, &some),
                    3 => transposed_block::<3>(product, tile, &some),
                    4 => transposed_block::<4>(product, tile, &some),
                    5 => transposed_block::<5>(product, tile, &some),
                    _ => transposed_block::<6>(product, tile, &some),
                }
                let stores = [store_0, store_1, store_2, store_3, store_4, store_5];
                for (target, store) in some[..count].iter().zip(stores) {
                    add_tile(product, tile, *target, store, out);
                }
            }
        }
    }
}

/// The sums of a row tile for N targets, over all pixels of all images, into tiles 0 to N - 1.
///
/// # Safety
/// As [`multiply_transposed`]; the tiles are configured.
#[inline(always)]
unsafe fn transposed_block<const N: usize>(
    product: &Transposed<'_>,
    tile: &RowTile,
    targets: &[Target; TARGETS],
) {
    let Transposed { images, planes, left, right, .. } = *product;
    // SAFETY: both operands have whole tiles for every segment from their offsets on.
    unsafe {
        clear!("0" "1" "2" "3" "4" "5");
        for image in 0..images {
            let left = left.as_ptr().add(image * planes.left_pitch + product.start(tile));
            let right = right.as_ptr().add(image * planes.right_pitch);
            for segment in 0..planes.segments {
                load!("6", left.add(segment * TILE), 64_usize);
                let right = right.add(segment * TILE);
                macro_rules! target {
                    ($index:literal $tile:literal) => {
                        if N > $index {
                            load!("7", right.add(targets[$index].right), 64_usize);
                            multiply_add!($tile, "6", "7");
                        }
                    };
                }
                target!(0 "0");
                target!(1 "1");
                target!(2 "2");
                target!(3 "3");
                target!(4 "4");
                target!(5 "5");
            }
        }
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
