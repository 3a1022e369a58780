//! Convolutions with 3x3 windows and stride 1 by Winograd's minimal filtering F(m x m, 3x3) (Lavin and Gray 2016,
//! "Fast Algorithms for Convolutional Neural Networks").
//!
//! The output is cut into tiles of m x m pixels, which see windows of n x n input pixels, n = m + 2. For each tile,
//!
//! y = At [ (G g Gt) .* (Bt d B) ] A, summed over the input channels inside the brackets,
//!
//! with d the window, g the 3x3 weights, .* the product number by number. The brackets hold n * n "points", and the sum
//! over channels makes each point a matrix product: `[tiles, in_channels]` times `[in_channels, out_channels]`. So a tile
//! costs n * n multiplications for each pair of channels where the direct form takes 9 * m * m: 36 for 144 with m = 4,
//! 16 for 36 with m = 2. The transforms Bt d B and At [..] A are additions and small factors.
//!
//! - [`convolve`]: the convolution; the gradient by the input is one too, with turned weights.
//! - [`add_weight_gradient`]: the gradient by the weights is Gt [ (Bt d B)t (A dy At) ] G, again one matrix product a
//!   point, summed over the tiles of all images.
//!
//! The operands of the products are rounded to bf16 where that is asked for ([`Operands`]); transforms and sums are not.
//!
//! A block of tiles goes through transform, products and transform at a time, so that its points stay in the second
//! cache. Tiles that reach past the image read zeros and write nothing there, and what only pixels there are made of is not
//! multiplied. Every output number is computed the same
//! way whatever block and whatever other images it is computed with.

use crate::bf16::Bf16;
use crate::element::Element;
use crate::isa::{Bf16Unit, Isa, IsaName};
use crate::product::{Finish, Panels};
use core::ops::Range;

mod block;
mod lines;
#[cfg(target_arch = "x86_64")]
mod pairs;
mod products;
mod scalar;
mod simd;
mod weights;

pub use weights::pack_weights;

/// The pixels that are computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tile {
    /// F(2x2, 3x3): 16 multiplications for 4 pixels; rounds about as the direct form does.
    Two,
    /// F(4x4, 3x3): 36 multiplications for 16 pixels; loses about half a decimal digit.
    Four,
}

impl Tile {
    /// Every size.
    pub const ALL: [Self; 2] = [Self::Two, Self::Four];

    /// Pixels of its side.
    #[must_use]
    pub const fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Pixels of the side of the window that it sees.
    #[must_use]
    pub const fn window(self) -> usize {
        self.side() + 2
    }

    /// Numbers of a transformed window, of one channel.
    #[must_use]
    pub const fn points(self) -> usize {
        self.window() * self.window()
    }

    /// Points of all tiles of an output of this height and width that are multiplied: tiles at an edge have fewer.
    #[must_use]
    pub fn products(self, output: [usize; 2]) -> usize {
        let line = |size: usize| {
            let (tiles, rest) = (size / self.side(), size % self.side());
            tiles * self.window() + if rest == 0 { 0 } else { rest + 2 }
        };
        output.map(line).iter().product()
    }
}

/// What the products of the points multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operands {
    /// The points as they are.
    Exact,
    /// The points rounded to bf16. AVX512-BF16 multiplies them in pairs; the scalar truth serves every other processor.
    Bf16,
}

/// The points where F(4x4, 3x3) evaluates polynomials, beside 0 and infinity: plus and minus these two, whose product is 1. They
/// lose less than half as much as the usual 1 and 2 (docs/decisions/winograd.md).
const NEAR: f64 = 2.0 / 3.0;
const FAR: f64 = 3.0 / 2.0;

/// Words that a block's points may take: measured; a fifth of a second cache of 2 MiB, with weights and images beside.
const BLOCK: usize = 3 << 15;

/// Numbers of a cache line.
const LINE: usize = 16;

/// The most input channels whose gradients the bodies sum together.
const GROUP: usize = 16;

/// Fewest and most tiles of a block, where there are so many.
const TILES: Range<usize> = 14..113;

/// Tiles up to which a block of the gradient by the weights grows for wide layers, the most that was measured; no block has more.
const MOST_CORRELATED: usize = 224;

/// The sizes of a convolution with 3x3 windows and stride 1.
///
/// Lengths of packed weights and scratch memory are in words: a word holds a number, or two bf16 numbers that are
/// multiplied as a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    tile: Tile,
    operands: Operands,
    /// Whether a word of the operands is a pair.
    is_paired: bool,
    in_channels: usize,
    /// Height and width.
    input: [usize; 2],
    output: [usize; 2],
    padding: [isize; 2],
    /// One point's words of weights.
    panels: Panels,
}

/// The layout of one point's words of weights, and whether they are pairs.
fn panels<T: Element>(isa: Isa, operands: Operands, channels: [usize; 2]) -> (Panels, bool) {
    let isa = T::isa(isa);
    let [inputs, outputs] = channels;
    match (operands, isa.bf16_unit()) {
        (Operands::Exact, _) => (Panels::new::<T>(isa, inputs, outputs), false),
        (Operands::Bf16, Bf16Unit::Widened) => {
            (Panels::new::<T>(Isa::SCALAR, inputs, outputs), false)
        }
        (Operands::Bf16, _) => (Panels::new::<T>(isa, inputs.div_ceil(2), outputs), true),
    }
}

impl Convolution {
    /// A convolution of images of `input` height and width with `padding` zeros before the first and behind the last
    /// row and column, and as many channels in and out; negative padding crops.
    ///
    /// # Panics
    /// When no window fits into the padded image.
    #[must_use]
    pub fn new<T: Element>(
        isa: Isa,
        tile: Tile,
        operands: Operands,
        input: [usize; 2],
        padding: [isize; 2],
        channels: [usize; 2],
    ) -> Self {
        let output = [0, 1].map(|axis| {
            let size = input[axis].checked_add_signed(2 * padding[axis] - 2);
            size.filter(|size| *size > 0).expect("a 3x3 window fits into the padded image")
        });
        let (panels, is_paired) = panels::<T>(isa, operands, channels);
        Self { tile, operands, is_paired, in_channels: channels[0], input, output, padding, panels }
    }

    /// Height and width of the output.
    #[must_use]
    pub const fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Input channels.
    #[must_use]
    pub const fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Output channels.
    #[must_use]
    pub const fn out_channels(&self) -> usize {
        self.panels.n
    }

    /// Numbers of the packed bias: the output channels in whole vectors.
    #[must_use]
    pub fn padded_out_channels(&self) -> usize {
        self.panels.padded_columns()
    }

    /// Words of the packed weights.
    #[must_use]
    pub fn weights_len(&self) -> usize {
        self.tile.points() * self.panels.len()
    }

    /// Tiles down and across an image.
    fn grid(&self) -> [usize; 2] {
        self.output.map(|size| size.div_ceil(self.tile.side()))
    }

    /// Tiles of one image.
    #[must_use]
    pub fn tiles(&self) -> usize {
        self.grid().iter().product()
    }

    fn input_len(&self) -> usize {
        self.input.iter().product::<usize>() * self.in_channels()
    }

    fn output_len(&self) -> usize {
        self.output.iter().product::<usize>() * self.out_channels()
    }

    /// The input, as the windows of the tiles see it.
    fn windows(&self) -> Side {
        let [height, width] = self.input;
        Side { height, width, channels: self.in_channels(), origin: self.padding }
    }

    /// The output, tile beside tile.
    fn pixels(&self) -> Side {
        let [height, width] = self.output;
        Side { height, width, channels: self.out_channels(), origin: [0, 0] }
    }

    /// How the points of windows and pixels lie in [`convolve`].
    fn convolved(&self) -> [Layout; 2] {
        let line = if self.is_paired { LINE / 2 } else { LINE };
        let windows = Layout::new(self.tile, self.in_channels(), line, 1);
        [windows, Layout::new(self.tile, self.out_channels(), LINE, 1)]
    }

    /// How the points of windows and pixels lie in [`add_weight_gradient`].
    fn correlated(&self) -> [Layout; 2] {
        let together = if self.is_paired { 2 } else { 1 };
        [self.in_channels(), self.out_channels()]
            .map(|channels| Layout::new(self.tile, channels, LINE, together))
    }

    /// The most tiles of a block in a pass whose points lie like that.
    fn most_tiles(&self, layouts: &[Layout; 2], least: usize, images: usize) -> usize {
        let of_two = points_len(layouts, 2).iter().sum::<usize>();
        let most = (2 * BLOCK / of_two).clamp(TILES.start, TILES.end - 1);
        most.max(least).next_multiple_of(2).min(images * self.tiles())
    }

    /// Tiles that a block of the gradient by the weights should have: it reads and writes the gradient of all points once, which
    /// is as many numbers as the points of that many tiles.
    fn least_correlated(&self) -> usize {
        let (inputs, outputs) = (self.in_channels(), self.out_channels());
        (2 * inputs * outputs / (inputs + outputs).max(1)).min(MOST_CORRELATED)
    }

    /// Words of scratch memory for the largest block.
    fn block_len(&self, layouts: &[Layout; 2], least: usize, images: usize) -> usize {
        points_len(layouts, self.most_tiles(layouts, least, images)).iter().sum()
    }

    /// Words of scratch memory that [`convolve`] asks for, for up to `images` images.
    #[must_use]
    pub fn scratch_len(&self, images: usize) -> usize {
        self.block_len(&self.convolved(), 0, images)
    }

    /// Words of scratch memory that [`add_weight_gradient`] asks for, for up to `images` images.
    #[must_use]
    pub fn gradient_scratch_len(&self, images: usize) -> usize {
        let block = self.block_len(&self.correlated(), self.least_correlated(), images);
        block + self.tile.points() * self.point_gradient_len()
    }

    /// Numbers of the gradient by one point's weights, `[in_channels in whole groups, padded out_channels]`, and a cache line
    /// behind them, so that the same weight's numbers of all points lie in different sets of the caches.
    fn point_gradient_len(&self) -> usize {
        self.in_channels().next_multiple_of(GROUP) * self.padded_out_channels() + LINE
    }

    /// All tiles of so many images, in blocks that differ by at most one tile; [`block::Block`] orders them.
    fn blocks(
        &self,
        layouts: &[Layout; 2],
        least: usize,
        images: usize,
    ) -> impl Iterator<Item = Range<usize>> + use<> {
        let tiles = images * self.tiles();
        let blocks = tiles.div_ceil(self.most_tiles(layouts, least, images).max(1));
        (0..blocks).map(move |block| block * tiles / blocks..(block + 1) * tiles / blocks)
    }
}

/// How one side's points lie: `[tiles, lines of channels, points, words]`, with a gap behind each tile.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Tiles whose numbers lie beside each other, as pairs where they are two.
    together: usize,
    /// Words of one point of a line of channels.
    line: usize,
    /// Words from one tile, or so many together, to the next: an odd number of cache lines, so that one point of many tiles
    /// lies in different sets of the first cache.
    pitch: usize,
}

impl Layout {
    fn new(tile: Tile, channels: usize, line: usize, together: usize) -> Self {
        let words = channels.div_ceil(LINE) * tile.points() * line;
        Self { together, line, pitch: (words.div_ceil(LINE) | 1) * LINE }
    }

    /// Words of so many tiles.
    const fn len(&self, tiles: usize) -> usize {
        tiles.div_ceil(self.together) * self.pitch
    }
}

/// Words of both sides' points of so many tiles.
fn points_len(layouts: &[Layout; 2], tiles: usize) -> [usize; 2] {
    layouts.map(|layout| layout.len(tiles))
}

/// The images of one side of a convolution, and where its tiles lie.
#[derive(Clone, Copy, Debug)]
struct Side {
    height: usize,
    width: usize,
    channels: usize,
    /// The row and column of a tile's first pixel is that much before the tile's place.
    origin: [isize; 2],
}

impl Side {
    /// Numbers of one image.
    fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether all of so many rows and columns of pixels at a place lie inside the image.
    #[inline(always)]
    fn holds(&self, place: &Place, sizes: [usize; 2]) -> bool {
        let axis = |at: usize, size: usize, origin: isize, len: usize| {
            let first = at.cast_signed() - origin;
            first >= 0 && first + size.cast_signed() <= len.cast_signed()
        };
        axis(place.row, sizes[0], self.origin[0], self.height)
            & axis(place.column, sizes[1], self.origin[1], self.width)
    }

    /// Which of so many rows and columns of pixels at a place lie inside the image, counted from their first.
    fn inside(&self, place: &Place, sizes: [usize; 2]) -> [Range<usize>; 2] {
        let axis = |at: usize, size: usize, origin: isize, len: usize| {
            let first = at.cast_signed() - origin;
            let start = first.min(0).unsigned_abs().min(size);
            start
                ..(len.cast_signed() - first)
                    .clamp(start.cast_signed(), size.cast_signed())
                    .unsigned_abs()
        };
        [
            axis(place.row, sizes[0], self.origin[0], self.height),
            axis(place.column, sizes[1], self.origin[1], self.width),
        ]
    }

    /// Offset in the images of the first pixel at a place; meaningless, and wrapped, where it lies outside.
    fn offset(&self, place: &Place) -> usize {
        let row = place.row.wrapping_sub_signed(self.origin[0]);
        let column = place.column.wrapping_sub_signed(self.origin[1]);
        let pixel = row.wrapping_mul(self.width).wrapping_add(column);
        (place.image * self.len()).wrapping_add(pixel.wrapping_mul(self.channels))
    }
}

/// Where a tile lies: its image, and row and column of its first pixel.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    image: usize,
    row: usize,
    column: usize,
}

/// `output` = finish(bias + the convolution of `input`).
///
/// # Shapes
/// `input` `[images, height, width, in_channels]`, `weights` from [`pack_weights`], `bias`, where there is one,
/// [`Convolution::padded_out_channels`], `output` `[images, .., .., out_channels]`, `scratch` at least
/// [`Convolution::scratch_len`] of the images.
///
/// # Panics
/// When a slice has another length, or the convolution is for another instruction set.
#[allow(clippy::too_many_arguments)]
pub fn convolve<T: Element>(
    isa: Isa,
    convolution: &Convolution,
    input: &[T],
    weights: &[T],
    bias: Option<&[T]>,
    finish: Finish,
    scratch: &mut [T],
    output: &mut [T],
) {
    let images = check_images(isa, convolution, input, output);
    assert_eq!(weights.len(), convolution.weights_len(), "length of the packed weights");
    let padded = convolution.padded_out_channels();
    assert!(bias.is_none_or(|bias| bias.len() == padded), "length of the bias");
    assert!(scratch.len() >= convolution.scratch_len(images), "scratch is too short");
    let pass = Convolve { convolution, images, input, weights, bias, finish };
    T::run_convolve(T::isa(isa), &pass, scratch, output);
}

/// `grad_weight` += the gradient by the weights.
///
/// # Shapes
/// `input` as for [`convolve`], `grad_output` as its output, `grad_weight` `[3, 3, in_channels, out_channels]`, `scratch`
/// at least [`Convolution::gradient_scratch_len`] of the images.
///
/// # Panics
/// When a slice has another length, or the convolution is for another instruction set.
pub fn add_weight_gradient<T: Element>(
    isa: Isa,
    convolution: &Convolution,
    input: &[T],
    grad_output: &[T],
    scratch: &mut [T],
    grad_weight: &mut [T],
) {
    let images = check_images(isa, convolution, input, grad_output);
    if images == 0 {
        return;
    }
    let weight_len = 9 * convolution.in_channels() * convolution.out_channels();
    assert_eq!(grad_weight.len(), weight_len, "length of the weights' gradient");
    assert!(scratch.len() >= convolution.gradient_scratch_len(images), "scratch is too short");
    let gradient_len = convolution.tile.points() * convolution.point_gradient_len();
    let (points, scratch) = scratch.split_at_mut(gradient_len);
    let pass = Correlate { convolution, images, input, grad_output };
    T::run_correlate(T::isa(isa), &pass, scratch, points);
    weights::add_gradient(isa, convolution, points, grad_weight);
}

/// How many images there are on both sides.
fn check_images<T: Element>(
    isa: Isa,
    convolution: &Convolution,
    input: &[T],
    output: &[T],
) -> usize {
    let channels = [convolution.in_channels(), convolution.out_channels()];
    let for_isa = panels::<T>(isa, convolution.operands, channels);
    let made_for = (convolution.panels, convolution.is_paired);
    assert_eq!(made_for, for_isa, "a convolution for the same instruction set");
    let images = output.len() / convolution.output_len().max(1);
    assert_eq!(output.len(), images * convolution.output_len(), "whole images of output");
    assert_eq!(input.len(), images * convolution.input_len(), "as many images of input");
    images
}

/// The operands of [`convolve`], checked.
pub(crate) struct Convolve<'a, T> {
    convolution: &'a Convolution,
    images: usize,
    input: &'a [T],
    weights: &'a [T],
    bias: Option<&'a [T]>,
    finish: Finish,
}

/// The operands of [`add_weight_gradient`], checked.
pub(crate) struct Correlate<'a, T> {
    convolution: &'a Convolution,
    images: usize,
    input: &'a [T],
    grad_output: &'a [T],
}

/// The bodies of a number type.
pub trait WinogradBodies: Sized {
    /// The word of two numbers that are multiplied as a pair.
    #[doc(hidden)]
    fn pair(numbers: [Self; 2]) -> Self;
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn run_convolve(isa: Isa, pass: &Convolve<'_, Self>, scratch: &mut [Self], output: &mut [Self]);
    /// Writes to `points` the gradient by each point's weights, `point_gradient_len` numbers of the convolution a point.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn run_correlate(
        isa: Isa,
        pass: &Correlate<'_, Self>,
        scratch: &mut [Self],
        points: &mut [Self],
    );
}

/// Whether a convolution in f32 has no body but the truth.
fn has_only_the_truth(isa: Isa, convolution: &Convolution) -> bool {
    let has_vectors = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    let is_widened = convolution.operands == Operands::Bf16 && !convolution.is_paired;
    isa.name() == IsaName::Scalar || is_widened || !has_vectors
}

impl WinogradBodies for f32 {
    #[inline(always)]
    fn pair(numbers: [Self; 2]) -> Self {
        let [low, high] = numbers.map(|x| Bf16::from_f32(x).to_f32().to_bits());
        Self::from_bits(low >> 16 | high)
    }

    #[allow(private_interfaces)]
    fn run_convolve(
        isa: Isa,
        pass: &Convolve<'_, Self>,
        scratch: &mut [Self],
        output: &mut [Self],
    ) {
        if has_only_the_truth(isa, pass.convolution) {
            return scalar::convolve(pass, scratch, output);
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        simd::convolve(isa, pass, scratch, output);
    }

    #[allow(private_interfaces)]
    fn run_correlate(
        isa: Isa,
        pass: &Correlate<'_, Self>,
        scratch: &mut [Self],
        points: &mut [Self],
    ) {
        if has_only_the_truth(isa, pass.convolution) {
            return scalar::correlate(pass, scratch, points);
        }
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        simd::correlate(isa, pass, scratch, points);
    }
}

impl WinogradBodies for f64 {
    #[inline(always)]
    fn pair(_: [Self; 2]) -> Self {
        unreachable!("f64 is never paired: it has the scalar body alone")
    }

    #[allow(private_interfaces)]
    fn run_convolve(_: Isa, pass: &Convolve<'_, Self>, scratch: &mut [Self], output: &mut [Self]) {
        scalar::convolve(pass, scratch, output);
    }

    #[allow(private_interfaces)]
    fn run_correlate(
        _: Isa,
        pass: &Correlate<'_, Self>,
        scratch: &mut [Self],
        points: &mut [Self],
    ) {
        scalar::correlate(pass, scratch, points);
    }
}
