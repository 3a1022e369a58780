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
//! A block of tiles goes through transform, products and transform at a time, so that its points stay in the second
//! cache. Tiles that reach past the image read zeros and write nothing there. Every output number is computed the same
//! way whatever block and whatever other images it is computed with.

use crate::element::Element;
use crate::isa::{Isa, IsaName};
use crate::product::{Finish, Panels};
use core::ops::Range;

mod lines;
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
}

/// The points where F(4x4, 3x3) evaluates polynomials, beside 0 and infinity: plus and minus these two, whose product is 1. They
/// lose less than half as much as the usual 1 and 2 (docs/decisions/winograd.md).
const NEAR: f64 = 2.0 / 3.0;
const FAR: f64 = 3.0 / 2.0;

/// Numbers that a block's points may take: measured; a fifth of a second cache of 2 MiB, with weights and images beside.
const BLOCK: usize = 3 << 15;

/// Numbers of a cache line.
const LINE: usize = 16;

/// Input channels whose gradients the bodies sum together.
const GROUP: usize = 8;

/// Fewest and most tiles of a block, where there are so many.
const TILES: Range<usize> = 14..113;

/// The sizes of a convolution with 3x3 windows and stride 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    tile: Tile,
    /// Height and width.
    input: [usize; 2],
    output: [usize; 2],
    padding: [isize; 2],
    /// One point's weights.
    panels: Panels,
}

impl Convolution {
    /// A convolution of images of `input` height and width with `padding` zeros before the first and behind the last
    /// row and column; negative padding crops.
    ///
    /// # Panics
    /// When no window fits into the padded image.
    #[must_use]
    pub fn new<T: Element>(
        isa: Isa,
        tile: Tile,
        input: [usize; 2],
        padding: [isize; 2],
        in_channels: usize,
        out_channels: usize,
    ) -> Self {
        let output = [0, 1].map(|axis| {
            let size = input[axis].checked_add_signed(2 * padding[axis] - 2);
            size.filter(|size| *size > 0).expect("a 3x3 window fits into the padded image")
        });
        Self {
            tile,
            input,
            output,
            padding,
            panels: Panels::new::<T>(isa, in_channels, out_channels),
        }
    }

    /// Height and width of the output.
    #[must_use]
    pub const fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Input channels.
    #[must_use]
    pub const fn in_channels(&self) -> usize {
        self.panels.k
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

    /// Numbers of the packed weights.
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
        let channels = self.in_channels();
        Side {
            height,
            width,
            channels,
            pitch: channels.next_multiple_of(LINE),
            origin: self.padding,
        }
    }

    /// The output, tile beside tile.
    fn pixels(&self) -> Side {
        let [height, width] = self.output;
        let channels = self.out_channels();
        let pitch = channels.next_multiple_of(LINE);
        Side { height, width, channels, pitch, origin: [0, 0] }
    }

    /// The most tiles of a block.
    fn most_tiles(&self, images: usize) -> usize {
        let one: usize = self.points_len(1).iter().sum();
        (BLOCK / one).clamp(TILES.start, TILES.end - 1).min(images * self.tiles())
    }

    /// Numbers from one tile's points to the next's: an odd number of cache lines, so that one point of many tiles lies
    /// in different sets of the first cache.
    fn tile_pitch(&self, side: &Side) -> usize {
        ((self.tile.points() * side.pitch / LINE) | 1) * LINE
    }

    /// Numbers of both sides' points in a block of `tiles` tiles.
    fn points_len(&self, tiles: usize) -> [usize; 2] {
        [self.windows(), self.pixels()].map(|side| tiles * self.tile_pitch(&side))
    }

    /// Numbers of scratch memory that [`convolve`] asks for, for up to `images` images.
    #[must_use]
    pub fn scratch_len(&self, images: usize) -> usize {
        self.points_len(self.most_tiles(images)).iter().sum()
    }

    /// Numbers of scratch memory that [`add_weight_gradient`] asks for, for up to `images` images.
    #[must_use]
    pub fn gradient_scratch_len(&self, images: usize) -> usize {
        self.scratch_len(images) + self.tile.points() * self.point_gradient_len()
    }

    /// Numbers of the gradient by one point's weights: `[in_channels in whole groups, padded out_channels]`.
    fn point_gradient_len(&self) -> usize {
        self.in_channels().next_multiple_of(GROUP) * self.padded_out_channels()
    }

    /// All tiles of so many images, in blocks that differ by at most one tile.
    fn blocks(&self, images: usize) -> impl Iterator<Item = Range<usize>> {
        let tiles = images * self.tiles();
        let blocks = tiles.div_ceil(self.most_tiles(images).max(1));
        (0..blocks).map(move |block| block * tiles / blocks..(block + 1) * tiles / blocks)
    }

    /// Where the tiles of a block lie.
    fn places(&self, block: Range<usize>) -> impl Iterator<Item = Place> {
        let ([down, across], side) = (self.grid(), self.tile.side());
        let (mut image, first) = (block.start / (down * across), block.start % (down * across));
        let (mut row, mut column) = (first / across, first % across);
        block.map(move |_| {
            let place = Place { image, row: row * side, column: column * side };
            column += 1;
            if column == across {
                (row, column) = (row + 1, 0);
            }
            if row == down {
                (image, row) = (image + 1, 0);
            }
            place
        })
    }
}

/// One side of a convolution: its images, and how a tile of them lies among the points.
#[derive(Clone, Copy, Debug)]
struct Side {
    height: usize,
    width: usize,
    channels: usize,
    /// Numbers of one point of a tile: the channels in whole lines.
    pitch: usize,
    /// The row and column of a tile's first pixel is that much before the tile's place.
    origin: [isize; 2],
}

impl Side {
    /// Numbers of one image.
    fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether all of `size` x `size` pixels at a place lie inside the image.
    #[inline(always)]
    fn holds(&self, place: &Place, size: usize) -> bool {
        let axis = |at: usize, origin: isize, len: usize| {
            let first = at.cast_signed() - origin;
            first >= 0 && first + size.cast_signed() <= len.cast_signed()
        };
        axis(place.row, self.origin[0], self.height)
            & axis(place.column, self.origin[1], self.width)
    }

    /// The rows and columns of `size` x `size` pixels at a place that lie inside the image, counted from their first.
    fn inside(&self, place: &Place, size: usize) -> [Range<usize>; 2] {
        let axis = |at: usize, origin: isize, len: usize| {
            let first = at.cast_signed() - origin;
            let start = first.min(0).unsigned_abs().min(size);
            start
                ..(len.cast_signed() - first)
                    .clamp(start.cast_signed(), size.cast_signed())
                    .unsigned_abs()
        };
        [
            axis(place.row, self.origin[0], self.height),
            axis(place.column, self.origin[1], self.width),
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
#[derive(Clone, Copy, Debug)]
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
    let weight_len = 9 * convolution.in_channels() * convolution.out_channels();
    assert_eq!(grad_weight.len(), weight_len, "length of the weights' gradient");
    assert!(scratch.len() >= convolution.gradient_scratch_len(images), "scratch is too short");
    let gradient_len = convolution.tile.points() * convolution.point_gradient_len();
    let (points, scratch) = scratch.split_at_mut(gradient_len);
    points.fill(T::ZERO);
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
    let for_isa = Panels::new::<T>(isa, convolution.in_channels(), convolution.out_channels());
    assert_eq!(convolution.panels, for_isa, "a convolution for the same instruction set");
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
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn run_convolve(isa: Isa, pass: &Convolve<'_, Self>, scratch: &mut [Self], output: &mut [Self]);
    /// Adds to `points` the gradient by each point's weights: `[points, in_channels in whole groups, padded
    /// out_channels]`.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn run_correlate(
        isa: Isa,
        pass: &Correlate<'_, Self>,
        scratch: &mut [Self],
        points: &mut [Self],
    );
}

impl WinogradBodies for f32 {
    #[allow(private_interfaces)]
    fn run_convolve(
        isa: Isa,
        pass: &Convolve<'_, Self>,
        scratch: &mut [Self],
        output: &mut [Self],
    ) {
        match isa.name() {
            IsaName::Scalar => scalar::convolve(pass, scratch, output),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => simd::convolve(isa, pass, scratch, output),
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            _ => scalar::convolve(pass, scratch, output),
        }
    }

    #[allow(private_interfaces)]
    fn run_correlate(
        isa: Isa,
        pass: &Correlate<'_, Self>,
        scratch: &mut [Self],
        points: &mut [Self],
    ) {
        match isa.name() {
            IsaName::Scalar => scalar::correlate(pass, scratch, points),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            _ => simd::correlate(isa, pass, scratch, points),
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            _ => scalar::correlate(pass, scratch, points),
        }
    }
}

impl WinogradBodies for f64 {
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
