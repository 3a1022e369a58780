//! The SIMD bodies of both passes: one algorithm over [`Vector`], one instance per instruction set.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use super::block::Block;
use super::lines::{Four, HalfGradient, HalfPixels, HalfWindow, Line, Scheme, Two};
#[cfg(target_arch = "x86_64")]
use super::pairs::Pairs;
use super::products::{Exact, Form, Operand};
use super::{Convolution, Convolve, Correlate, LINE, Layout, Place, Side, Tile, points_len};
use crate::isa::{Isa, IsaName};
use crate::product::Finish;
use crate::product::simd::fetch;
use crate::vector::{Last, Vector};
#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::float32x4_t;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512};
use core::cell::Cell;
use core::hint::select_unpredictable;
use core::ops::Range;
use core::sync::atomic::{Ordering, compiler_fence};

/// [`super::convolve`] on an instruction set with vectors.
pub(super) fn convolve(
    isa: Isa,
    pass: &Convolve<'_, f32>,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    let (scratch, output) = (scratch.as_mut_ptr(), output.as_mut_ptr());
    match isa.name() {
        // SAFETY: the `Isa` proves the features where there are pairs, `convolve` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        _ if pass.convolution.is_paired => unsafe { convolve_pairs(pass, scratch, output) },
        // SAFETY: the `Isa` proves the features, `convolve` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx2 => unsafe { convolve_avx2(pass, scratch, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx512 => unsafe { convolve_avx512(pass, scratch, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        IsaName::Neon => unsafe { convolve_neon(pass, scratch, output) },
        _ => unreachable!("{isa} has no vectors on this processor"),
    }
}

/// The products of [`super::add_weight_gradient`] on an instruction set with vectors.
pub(super) fn correlate(
    isa: Isa,
    pass: &Correlate<'_, f32>,
    scratch: &mut [f32],
    points: &mut [f32],
) {
    let (scratch, points) = (scratch.as_mut_ptr(), points.as_mut_ptr());
    match isa.name() {
        // SAFETY: the `Isa` proves the features where there are pairs, `add_weight_gradient` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        _ if pass.convolution.is_paired => unsafe { correlate_pairs(pass, scratch, points) },
        // SAFETY: the `Isa` proves the features, `add_weight_gradient` has checked the operands' lengths.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx2 => unsafe { correlate_avx2(pass, scratch, points) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        IsaName::Avx512 => unsafe { correlate_avx512(pass, scratch, points) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        IsaName::Neon => unsafe { correlate_neon(pass, scratch, points) },
        _ => unreachable!("{isa} has no vectors on this processor"),
    }
}

/// Both sides' points of a block.
struct Points {
    windows: Operand,
    pixels: Operand,
}

impl Points {
    /// The points of a block in scratch memory.
    fn new(layouts: [Layout; 2], tiles: usize, scratch: *mut f32) -> Self {
        let after = scratch.wrapping_add(points_len(&layouts, tiles)[0]);
        let [windows, pixels] = layouts;
        Self {
            windows: Operand { start: scratch, layout: windows },
            pixels: Operand { start: after, layout: pixels },
        }
    }
}

macro_rules! bodies {
    ($form:ty, $features:literal, $convolve:ident, $correlate:ident) => {
        /// # Safety
        /// The processor has the features and the operands are checked.
        #[target_feature(enable = $features)]
        unsafe fn $convolve(pass: &Convolve<'_, f32>, scratch: *mut f32, output: *mut f32) {
            // SAFETY: the caller's.
            unsafe {
                match pass.convolution.tile {
                    Tile::Two => convolve_blocks::<$form, Two, 2, 4>(pass, scratch, output),
                    Tile::Four => convolve_blocks::<$form, Four, 4, 6>(pass, scratch, output),
                }
            }
        }

        /// # Safety
        /// The processor has the features and the operands are checked.
        #[target_feature(enable = $features)]
        unsafe fn $correlate(pass: &Correlate<'_, f32>, scratch: *mut f32, points: *mut f32) {
            // SAFETY: the caller's.
            unsafe {
                match pass.convolution.tile {
                    Tile::Two => correlate_blocks::<$form, Two, 2, 4>(pass, scratch, points),
                    Tile::Four => correlate_blocks::<$form, Four, 4, 6>(pass, scratch, points),
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
bodies!(Exact<__m256>, "avx2,fma", convolve_avx2, correlate_avx2);
#[cfg(target_arch = "x86_64")]
bodies!(
    Exact<__m512>,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl",
    convolve_avx512,
    correlate_avx512
);
#[cfg(target_arch = "x86_64")]
bodies!(
    Pairs,
    "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16",
    convolve_pairs,
    correlate_pairs
);
#[cfg(target_arch = "aarch64")]
bodies!(Exact<float32x4_t>, "neon", convolve_neon, correlate_neon);

/// Calls a function with the lines of a tile's rows and columns, by its [`halves`](Block::halves).
macro_rules! of_kind {
    (
        $halves:expr, [$whole:ty, $n:expr, $p:expr], [$half:ty, $hn:expr, $hp:expr],
        $function:ident::<$form:ty, $points:ident>($($arg:expr),* $(,)?)
    ) => {
        match $halves {
            [true, true] if <$whole as Line<{ $n }, { $p }>>::HAS_HALF => {
                $function::<$form, $half, $half, { $hn }, { $hp }, { $hn }, { $hp }, { $points }>($($arg),*)
            }
            [true, false] if <$whole as Line<{ $n }, { $p }>>::HAS_HALF => {
                $function::<$form, $half, $whole, { $hn }, { $hp }, { $n }, { $p }, { $points }>($($arg),*)
            }
            [false, true] if <$whole as Line<{ $n }, { $p }>>::HAS_HALF => {
                $function::<$form, $whole, $half, { $n }, { $p }, { $hn }, { $hp }, { $points }>($($arg),*)
            }
            _ => {
                $function::<$form, $whole, $whole, { $n }, { $p }, { $n }, { $p }, { $points }>($($arg),*)
            }
        }
    };
}
pub(super) use of_kind;

/// [`super::convolve`], block by block.
///
/// # Safety
/// Called from a function with F's features; the operands are checked.
#[inline(always)]
unsafe fn convolve_blocks<F: Form, S: Scheme<OUT, IN>, const OUT: usize, const IN: usize>(
    pass: &Convolve<'_, f32>,
    scratch: *mut f32,
    output: *mut f32,
) {
    let Convolve { convolution, images, input, weights, bias, finish } = *pass;
    let bias = bias.map_or(core::ptr::null(), <[f32]>::as_ptr);
    let layouts = convolution.convolved();
    for tiles in convolution.blocks(&layouts, 0, images) {
        let block = Block::new(convolution, tiles);
        let points = Points::new(layouts, block.len(), scratch);
        // SAFETY: the points lie inside the scratch memory, whose length is checked for the largest block, and the
        // images have the sizes of the convolution.
        unsafe {
            let (windows, input) = (convolution.windows(), input.as_ptr());
            for (halves, tiles) in block.kinds() {
                of_kind!(
                    halves,
                    [S::Window, IN, IN],
                    [HalfWindow, 4, 4],
                    to_points::<F, IN>(convolution, &windows, &block, tiles, input, points.windows)
                );
            }
            let Points { windows, pixels } = points;
            F::products(IN * IN, &block, &convolution.panels, windows, weights.as_ptr(), pixels);
            let write = Write { convolution, block: &block, points: points.pixels, bias, finish };
            for (halves, tiles) in block.kinds() {
                of_kind!(
                    halves,
                    [S::Pixels, IN, OUT],
                    [HalfPixels, 4, 2],
                    from_points::<F::Vector, IN>(&write, tiles, output)
                );
            }
        }
    }
}

/// The products of [`super::add_weight_gradient`], block by block.
///
/// # Safety
/// Called from a function with F's features; the operands are checked.
#[inline(always)]
unsafe fn correlate_blocks<F: Form, S: Scheme<OUT, IN>, const OUT: usize, const IN: usize>(
    pass: &Correlate<'_, f32>,
    scratch: *mut f32,
    gradients: *mut f32,
) {
    let Correlate { convolution, images, input, grad_output } = *pass;
    let (windows, pixels) = (convolution.windows(), convolution.pixels());
    let layouts = convolution.correlated();
    for tiles in convolution.blocks(&layouts, convolution.least_correlated(), images) {
        let is_first = tiles.start == 0;
        let block = Block::new(convolution, tiles);
        let points = Points::new(layouts, block.len(), scratch);
        // SAFETY: as in `convolve_blocks`.
        unsafe {
            let (input, grad_output) = (input.as_ptr(), grad_output.as_ptr());
            F::points_to_correlate::<S::Window, HalfWindow, IN, IN, 4>(
                convolution,
                &windows,
                &block,
                input,
                points.windows,
            );
            F::points_to_correlate::<S::Gradient, HalfGradient, OUT, IN, 2>(
                convolution,
                &pixels,
                &block,
                grad_output,
                points.pixels,
            );
            let Points { windows, pixels } = points;
            F::transposed_products(convolution, &block, windows, pixels, gradients, !is_first);
        }
    }
}

/// out(p, q) = the (p, q) of R x Ct, with the columns of x from `load`, first to last.
///
/// # Safety
/// [`Vector`]'s, and `load`'s and `store`'s for every place.
#[inline(always)]
unsafe fn sandwich<
    V: Vector,
    R: Line<NR, PR>,
    C: Line<NC, PC>,
    const NR: usize,
    const PR: usize,
    const NC: usize,
    const PC: usize,
>(
    mut load: impl FnMut(usize) -> [V; NR],
    store: impl Fn(usize, usize, V),
) {
    // SAFETY: the caller's.
    let zero = unsafe { V::zero() };
    let mut half = [[zero; NC]; PR];
    for column in 0..NC {
        // SAFETY: the caller's.
        let line = unsafe { R::apply(load(column)) };
        for (half, number) in half.iter_mut().zip(line) {
            half[column] = number;
        }
        // The compiler would load many columns ahead, and run out of registers.
        compiler_fence(Ordering::AcqRel);
    }
    for (row, half) in half.into_iter().enumerate() {
        // SAFETY: the caller's.
        let line = unsafe { C::apply(half) };
        for (column, number) in line.into_iter().enumerate() {
            store(row, column, number);
        }
        compiler_fence(Ordering::AcqRel);
    }
}

/// The pixels that a tile has on one side.
pub(super) struct Seen {
    from: *const f32,
    /// Numbers from one row of the image to the next.
    row: usize,
    channels: usize,
    /// A bit for each row, and each column, that lies inside the image; none where all do and the channels are whole vectors.
    inside: Option<[u32; 2]>,
}

impl Seen {
    #[inline(always)]
    pub(super) fn new<V: Vector>(
        side: &Side,
        place: &Place,
        sizes: [usize; 2],
        images: *const f32,
    ) -> Self {
        let channels = side.channels;
        let is_whole = channels.is_multiple_of(V::LANES) && side.holds(place, sizes);
        let bits = |range: Range<usize>| (1 << range.end) - (1 << range.start);
        Self {
            from: images.wrapping_add(side.offset(place)),
            row: side.width * channels,
            channels,
            inside: if is_whole { None } else { Some(side.inside(place, sizes).map(bits)) },
        }
    }

    /// Fetches what the tile below sees and this one does not: its last `side` rows, as far as no neighbour fetches them.
    #[inline(always)]
    pub(super) fn fetch_below(&self, rows: usize, side: usize) {
        let mut pixels = self.from.wrapping_add(rows * self.row);
        for _ in 0..side {
            let mut line = pixels;
            for _ in 0..(side * self.channels).div_ceil(LINE) {
                fetch(line);
                line = line.wrapping_add(LINE);
            }
            pixels = pixels.wrapping_add(self.row);
        }
    }

    /// Transforms a vector of channels and hands each point to `store`, line by line.
    ///
    /// # Safety
    /// Called from a function with V's features; the images have the side's sizes, and `store`'s for every point.
    #[inline(always)]
    pub(super) unsafe fn transform<
        V: Vector,
        R: Line<NR, PR>,
        C: Line<NC, PC>,
        const NR: usize,
        const PR: usize,
        const NC: usize,
        const PC: usize,
    >(
        &self,
        channel: usize,
        store: impl Fn(usize, usize, V),
    ) {
        let Self { row, channels, .. } = *self;
        let from = self.from.wrapping_add(channel);
        let Some([rows, columns]) = &self.inside else {
            // SAFETY: a whole window of whole vectors is read where it lies.
            unsafe {
                let mut pixel = from;
                let load = |_| {
                    let column = pixel;
                    pixel = pixel.wrapping_add(untold(&channels));
                    core::array::from_fn(|y| V::load(column.wrapping_add(y * row)))
                };
                return sandwich::<V, R, C, NR, PR, NC, PC>(load, store);
            }
        };
        let has = |bits: u32, index: usize| bits >> index & 1 == 1;
        // SAFETY: the pixels that exist are read, and under a mask the channels that exist.
        unsafe {
            let [all, none] = [V::LANES.min(channels - channel), 0].map(|lanes| V::mask(lanes));
            // A row outside is an empty mask over one inside: over no memory at all it would take a hundred cycles.
            let first = rows.trailing_zeros() as usize;
            let lines: [_; NR] = core::array::from_fn(|y| {
                let is_inside = has(*rows, y);
                let y = select_unpredictable(is_inside, y, first);
                (from.wrapping_add(y * row), if is_inside { all } else { none })
            });
            let is_whole = V::MASKS_COST && channels - channel >= V::LANES;
            let mut pixel = 0;
            let load = |x: usize| {
                let mut numbers = [V::zero(); NR];
                if has(*columns, x) {
                    for (number, &(line, mask)) in numbers.iter_mut().zip(&lines) {
                        let from = line.wrapping_add(pixel);
                        *number = if is_whole {
                            V::load(from).kept(mask)
                        } else {
                            V::load_masked(from, mask)
                        };
                    }
                }
                pixel += untold(&channels);
                numbers
            };
            sandwich::<V, R, C, NR, PR, NC, PC>(load, store);
        }
    }
}

/// A number of which the compiler is told nothing. From the step between two pixels it would compute the places of all pixels of a
/// tile before each tile, and keep them in memory, where one addition a column does.
#[inline(always)]
fn untold(number: &usize) -> usize {
    // SAFETY: a reference can be read.
    unsafe { core::ptr::from_ref(number).read_volatile() }
}

/// Transforms what some of a block's tiles have on one side to points, of T in a whole tile's line.
///
/// # Safety
/// Called from a function with F's features; `images` has the side's sizes, `points` room for the block.
#[inline(always)]
pub(super) unsafe fn to_points<
    F: Form,
    R: Line<NR, PR>,
    C: Line<NC, PC>,
    const NR: usize,
    const PR: usize,
    const NC: usize,
    const PC: usize,
    const T: usize,
>(
    convolution: &Convolution,
    side: &Side,
    block: &Block,
    tiles: Range<usize>,
    images: *const f32,
    points: Operand,
) {
    let lanes = F::Vector::LANES;
    for (tile, place) in tiles.clone().zip(&block.places()[tiles]) {
        let seen = Seen::new::<F::Vector>(side, place, [NR, NC], images);
        seen.fetch_below(NR, convolution.tile.side());
        for channel in (0..side.channels).step_by(lanes) {
            // SAFETY: the points have whole vectors.
            unsafe {
                let to = points.at(tile, T * T, 0, channel);
                // The first of two points that are written together: every second one, where it is the next of a whole line too.
                let first = Cell::new(F::Vector::zero());
                let is_first = |x: usize| x.is_multiple_of(2) && C::place(x + 1) == C::place(x) + 1;
                let store = |y: usize, x: usize, v: F::Vector| {
                    let to = to.add((R::place(y) * T + C::place(x)) * F::LINE);
                    if is_first(x) {
                        first.set(v);
                    } else if x % 2 == 1 && is_first(x - 1) {
                        F::store_two([first.get(), v], to.sub(F::LINE));
                    } else {
                        F::store(v, to);
                    }
                };
                seen.transform::<F::Vector, R, C, NR, PR, NC, PC>(channel, store);
            }
        }
    }
}

/// What becomes of a block's sums.
struct Write<'a> {
    convolution: &'a Convolution,
    block: &'a Block,
    points: Operand,
    /// Null where there is none.
    bias: *const f32,
    finish: Finish,
}

/// Transforms the sums of some of a block's tiles back, of T points in a whole tile's line, adds the bias and writes the pixels
/// that exist.
///
/// # Safety
/// Called from a function with V's features; the points hold the block, `images` has the output's sizes.
#[inline(always)]
unsafe fn from_points<
    V: Vector,
    R: Line<NR, PR>,
    C: Line<NC, PC>,
    const NR: usize,
    const PR: usize,
    const NC: usize,
    const PC: usize,
    const T: usize,
>(
    write: &Write<'_>,
    tiles: Range<usize>,
    images: *mut f32,
) {
    // SAFETY: the caller's; a bias has whole vectors.
    unsafe {
        if write.bias.is_null() {
            let add = |_, v| v;
            pixels::<V, R, C, NR, PR, NC, PC, T>(write, tiles, images, add);
        } else {
            let add = |channel, v: V| v.add(V::load(write.bias.add(channel)));
            pixels::<V, R, C, NR, PR, NC, PC, T>(write, tiles, images, add);
        }
    }
}

/// [`from_points`], where `add` adds the bias to a vector of channels.
///
/// # Safety
/// As [`from_points`].
#[inline(always)]
unsafe fn pixels<
    V: Vector,
    R: Line<NR, PR>,
    C: Line<NC, PC>,
    const NR: usize,
    const PR: usize,
    const NC: usize,
    const PC: usize,
    const T: usize,
>(
    write: &Write<'_>,
    tiles: Range<usize>,
    images: *mut f32,
    add: impl Fn(usize, V) -> V,
) {
    let Operand { start, layout } = write.points;
    let side = write.convolution.pixels();
    let pixel = side.channels;
    let row = side.width * pixel;
    // The ReLU as a maximum that may do nothing: one instruction, no branch.
    let least = if write.finish == Finish::StoreRelu { 0.0 } else { f32::NEG_INFINITY };
    let mut nowhere = [0.0; LINE];
    let sums = |from: *const f32, x: usize| {
        let point = |y: usize| (R::place(y) * T + C::place(x)) * LINE;
        // SAFETY: the points have whole vectors.
        core::array::from_fn(|y| unsafe { V::load(from.add(point(y))) })
    };
    // Every number behind the transform: no point adds the same to all pixels.
    let finished = |channel: usize, v: V| {
        // SAFETY: as this function's.
        unsafe { V::splat(least).max(add(channel, v)) }
    };
    for (tile, place) in tiles.clone().zip(&write.block.places()[tiles]) {
        let from = start.wrapping_add(tile * layout.pitch);
        let to = images.wrapping_add(side.offset(place));
        if side.channels.is_multiple_of(V::LANES) && side.holds(place, [PR, PC]) {
            for channel in (0..side.channels).step_by(V::LANES) {
                let line = channel / LINE * T * T * LINE + channel % LINE;
                let (from, to) = (from.wrapping_add(line), to.wrapping_add(channel));
                // SAFETY: a whole tile of whole vectors is written where it lies.
                unsafe {
                    let store = |y: usize, x: usize, v: V| {
                        finished(channel, v).store(to.add(y * row + x * pixel));
                    };
                    sandwich::<V, R, C, NR, PR, NC, PC>(|x| sums(from, x), store);
                }
            }
            continue;
        }
        let inside = side.inside(place, [PR, PC]);
        for channel in (0..side.channels).step_by(V::LANES) {
            let lanes = V::LANES.min(side.channels - channel);
            let line = channel / LINE * T * T * LINE + channel % LINE;
            let (from, to) = (from.wrapping_add(line), to.wrapping_add(channel));
            // SAFETY: the pixels that exist are written, and under a mask the channels that exist.
            unsafe {
                let (last, nowhere) = (Last::new(lanes), nowhere.as_mut_ptr());
                let store = |y: usize, x: usize, v: V| {
                    let pixel = to.wrapping_add(y * row + x * pixel);
                    let is_inside = inside[0].contains(&y) & inside[1].contains(&x);
                    let pixel = select_unpredictable(is_inside, pixel, nowhere);
                    last.store(finished(channel, v), pixel);
                };
                sandwich::<V, R, C, NR, PR, NC, PC>(|x| sums(from, x), store);
            }
        }
    }
}
