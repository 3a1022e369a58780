//! The truth of both passes: the transforms as matrices, the products by their own scalar truth.

use super::block::{Block, HALF};
use super::{
    Convolution, Convolve, Correlate, FAR, LINE, Layout, NEAR, Operands, Place, Side, Tile,
    points_len,
};
use crate::bf16::Bf16;
use crate::element::Element;
use crate::isa::Isa;
use crate::product::{Finish, Grid, Left, multiply, multiply_transposed};

/// Channels that are transformed together.
const LANES: usize = 16;

/// The squares of the points of F(4, 3).
const NN: f64 = NEAR * NEAR;
const FF: f64 = FAR * FAR;

/// Rows of a matrix.
type Matrix<'a> = &'a [&'a [f64]];

/// Numbers of up to 6x6 pixels or points of some channels.
type Numbers<T> = [[T; LANES]; 36];

/// A line of a tile, or of one of two pixels that is the half of a tile of four.
#[derive(Clone, Copy)]
struct Kind {
    tile: Tile,
    is_half: bool,
}

impl Kind {
    /// Those of a tile's rows and columns.
    fn of(tile: Tile, halves: [bool; 2]) -> [Self; 2] {
        halves.map(|is_half| Self { tile, is_half })
    }

    /// Which of a whole tile's line of points a point of this line is.
    const fn place(self, point: usize) -> usize {
        if self.is_half { HALF[point] } else { point }
    }
}

/// Bt: a window to points.
const fn window(kind: Kind) -> Matrix<'static> {
    match kind.tile {
        Tile::Four if kind.is_half => &[
            &[1.0, 0.0, -FF, 0.0],
            &[0.0, -65.0 / 54.0, -65.0 / 36.0, 0.0],
            &[0.0, 65.0 / 54.0, -65.0 / 36.0, 0.0],
            &[0.0, -NN, 0.0, 1.0],
        ],
        Tile::Two => &[
            &[1.0, 0.0, -1.0, 0.0],
            &[0.0, 1.0, 1.0, 0.0],
            &[0.0, -1.0, 1.0, 0.0],
            &[0.0, 1.0, 0.0, -1.0],
        ],
        Tile::Four => &[
            &[1.0, 0.0, -NN - FF, 0.0, 1.0, 0.0],
            &[0.0, -NEAR * FF, -FF, NEAR, 1.0, 0.0],
            &[0.0, NEAR * FF, -FF, -NEAR, 1.0, 0.0],
            &[0.0, -FAR * NN, -NN, FAR, 1.0, 0.0],
            &[0.0, FAR * NN, -NN, -FAR, 1.0, 0.0],
            &[0.0, 1.0, 0.0, -NN - FF, 0.0, 1.0],
        ],
    }
}

/// At: points to pixels.
const fn pixels(kind: Kind) -> Matrix<'static> {
    match kind.tile {
        Tile::Four if kind.is_half => &[&[1.0, FAR, -FAR, 0.0], &[0.0, 1.0, 1.0, 1.0]],
        Tile::Two => &[&[1.0, 1.0, 1.0, 0.0], &[0.0, 1.0, -1.0, -1.0]],
        Tile::Four => &[
            &[1.0, FAR, -FAR, NN, NN, 0.0],
            &[0.0, 1.0, 1.0, NEAR, -NEAR, 0.0],
            &[0.0, NEAR, -NEAR, 1.0, 1.0, 0.0],
            &[0.0, NN, NN, FAR, -FAR, 1.0],
        ],
    }
}

/// A: the gradient by pixels to that by points.
const fn gradient(kind: Kind) -> Matrix<'static> {
    match kind.tile {
        Tile::Four if kind.is_half => &[&[1.0, 0.0], &[FAR, 1.0], &[-FAR, 1.0], &[0.0, 1.0]],
        Tile::Two => &[&[1.0, 0.0], &[1.0, 1.0], &[1.0, -1.0], &[0.0, -1.0]],
        Tile::Four => &[
            &[1.0, 0.0, 0.0, 0.0],
            &[FAR, 1.0, NEAR, NN],
            &[-FAR, 1.0, -NEAR, NN],
            &[NN, NEAR, 1.0, FAR],
            &[NN, -NEAR, 1.0, -FAR],
            &[0.0, 0.0, 0.0, 1.0],
        ],
    }
}

/// out = rows x columns^t, for each channel.
fn sandwich<T: Element>([rows, columns]: [Matrix<'_>; 2], x: &Numbers<T>) -> Numbers<T> {
    let (width, out_width) = (columns[0].len(), columns.len());
    let mut half = [[T::ZERO; LANES]; 36];
    let mut out = [[T::ZERO; LANES]; 36];
    for (row, factors) in rows.iter().enumerate() {
        for column in 0..width {
            let numbers = (0..factors.len()).map(|k| &x[k * width + column]);
            combine(factors, numbers, &mut half[row * width + column]);
        }
        for (column, factors) in columns.iter().enumerate() {
            let numbers = half[row * width..][..width].iter();
            combine(factors, numbers, &mut out[row * out_width + column]);
        }
    }
    out
}

/// sum = the sum of factors times numbers.
fn combine<'a, T: Element>(
    factors: &[f64],
    numbers: impl Iterator<Item = &'a [T; LANES]>,
    sum: &mut [T; LANES],
) {
    for (factor, numbers) in factors.iter().zip(numbers).filter(|(factor, _)| **factor != 0.0) {
        let factor = T::from_f64(*factor);
        sum.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += factor * *x);
    }
}

/// The truth of [`super::convolve`].
pub(super) fn convolve<T: Element>(pass: &Convolve<'_, T>, scratch: &mut [T], output: &mut [T]) {
    let Convolve { convolution, images, input, weights, bias, finish } = *pass;
    let (windows, layouts) = (convolution.windows(), convolution.convolved());
    let [window_pitch, pixel_pitch] = point_pitches(convolution);
    for block in convolution.blocks(&layouts, 0, images) {
        let block = Block::new(convolution, block);
        let tiles = block.len();
        let (from, to) = scratch.split_at_mut(points_len(&layouts, tiles)[0]);
        let halves = |tile| block.halves(tile);
        to_points(convolution, &windows, &layouts[0], window, halves, &block, input, from);
        let left = left(convolution, &layouts[0], tiles);
        let (panels, rows) = (&convolution.panels, Grid::line(tiles, layouts[1].pitch));
        for (point, weights) in weights.chunks_exact(panels.len()).enumerate() {
            let (from, to) = (&from[point * window_pitch..], &mut to[point * pixel_pitch..]);
            multiply(Isa::SCALAR, &left, from, panels, weights, None, Finish::Store, &rows, to);
        }
        from_points(convolution, &layouts[1], &block, to, bias, finish, output);
    }
}

/// The truth of the products of [`super::add_weight_gradient`].
pub(super) fn correlate<T: Element>(pass: &Correlate<'_, T>, scratch: &mut [T], points: &mut [T]) {
    let Correlate { convolution, images, input, grad_output } = *pass;
    let (windows, pixels) = (convolution.windows(), convolution.pixels());
    let layouts = convolution.correlated();
    points.fill(T::ZERO);
    let [window_pitch, pixel_pitch] = point_pitches(convolution);
    for block in convolution.blocks(&layouts, convolution.least_correlated(), images) {
        let block = Block::new(convolution, block);
        let tiles = block.len();
        let (from, to) = scratch.split_at_mut(points_len(&layouts, tiles)[0]);
        let halves = |tile| match convolution.operands {
            Operands::Exact => block.halves(tile),
            Operands::Bf16 => block.halves_of_pair(tile / 2),
        };
        to_points(convolution, &windows, &layouts[0], window, halves, &block, input, from);
        to_points(convolution, &pixels, &layouts[1], gradient, halves, &block, grad_output, to);
        let left = left(convolution, &layouts[0], tiles);
        let rows = Grid::line(tiles, layouts[1].pitch);
        let gradients = points.chunks_exact_mut(convolution.point_gradient_len());
        for (point, gradient) in gradients.enumerate() {
            let (from, to) = (&from[point * window_pitch..], &to[point * pixel_pitch..]);
            let (columns, pitch) = (pixels.channels, convolution.padded_out_channels());
            multiply_transposed(Isa::SCALAR, &left, from, &rows, to, columns, gradient, pitch);
        }
    }
}

/// One point of a block's windows as a left matrix: a row a tile, a column a channel.
fn left(convolution: &Convolution, layout: &Layout, tiles: usize) -> Left {
    let rows = Grid::line(tiles, layout.pitch);
    Left { rows, runs: Grid::line(1, 0), run: convolution.in_channels() }
}

/// Numbers from one point of a tile's windows, and pixels, to the next: the truth has all channels of a point together.
fn point_pitches(convolution: &Convolution) -> [usize; 2] {
    [convolution.in_channels(), convolution.out_channels()]
        .map(|channels| channels.next_multiple_of(LINE))
}

/// A point as the products take it.
pub(super) fn operand<T: Element>(operands: Operands, x: T) -> T {
    match operands {
        Operands::Exact => x,
        Operands::Bf16 => T::from_f64(f64::from(Bf16::from_element(x).to_f32())),
    }
}

/// Transforms what a block's tiles have on one side; points that a tile is not multiplied at are zeros.
#[allow(clippy::too_many_arguments)]
fn to_points<T: Element>(
    convolution: &Convolution,
    side: &Side,
    layout: &Layout,
    matrix: impl Fn(Kind) -> Matrix<'static>,
    halves: impl Fn(usize) -> [bool; 2],
    block: &Block,
    images: &[T],
    points: &mut [T],
) {
    let point_pitch = side.channels.next_multiple_of(LINE);
    let tiles = points.chunks_exact_mut(layout.pitch).zip(block.places());
    for (tile, (points, place)) in tiles.enumerate() {
        let kinds = Kind::of(convolution.tile, halves(tile));
        let matrices = kinds.map(&matrix);
        points.fill(T::ZERO);
        for first in (0..side.channels).step_by(LANES) {
            let channels = LANES.min(side.channels - first);
            let mut x = [[T::ZERO; LANES]; 36];
            for (pixel, at) in inside(side, place, matrices.map(|matrix| matrix[0].len())) {
                x[pixel][..channels].copy_from_slice(&images[at + first..][..channels]);
            }
            let out = sandwich(matrices, &x);
            for (index, numbers) in out[..matrices[0].len() * matrices[1].len()].iter().enumerate()
            {
                let point = point_of(convolution.tile, kinds, index, matrices[1].len());
                let points = &mut points[point * point_pitch + first..][..channels];
                points
                    .iter_mut()
                    .zip(numbers)
                    .for_each(|(to, x)| *to = operand(convolution.operands, *x));
            }
        }
    }
}

/// The point of a whole tile that a number of `width` in a row of points is.
fn point_of(tile: Tile, [rows, columns]: [Kind; 2], index: usize, width: usize) -> usize {
    rows.place(index / width) * tile.window() + columns.place(index % width)
}

/// Transforms a block's sums back and writes the pixels that exist.
fn from_points<T: Element>(
    convolution: &Convolution,
    layout: &Layout,
    block: &Block,
    points: &[T],
    bias: Option<&[T]>,
    finish: Finish,
    output: &mut [T],
) {
    let side = convolution.pixels();
    let point_pitch = side.channels.next_multiple_of(LINE);
    let tiles = points.chunks_exact(layout.pitch).zip(block.places());
    for (tile, (points, place)) in tiles.enumerate() {
        let kinds = Kind::of(convolution.tile, block.halves(tile));
        let matrices = kinds.map(pixels);
        let [height, width] = matrices.map(|matrix| matrix[0].len());
        for first in (0..side.channels).step_by(LANES) {
            let channels = LANES.min(side.channels - first);
            let mut x = [[T::ZERO; LANES]; 36];
            for (index, numbers) in x[..height * width].iter_mut().enumerate() {
                let point = point_of(convolution.tile, kinds, index, width);
                let points = &points[point * point_pitch + first..][..channels];
                numbers[..channels].copy_from_slice(points);
            }
            let out = sandwich(matrices, &x);
            for (pixel, at) in inside(&side, place, matrices.map(<[_]>::len)) {
                for (c, to) in output[at + first..][..channels].iter_mut().enumerate() {
                    let sum = out[pixel][c] + bias.map_or(T::ZERO, |bias| bias[first + c]);
                    *to = if finish == Finish::StoreRelu { sum.relu() } else { sum };
                }
            }
        }
    }
}

/// The pixels of so many rows and columns at a place that lie in the image: their index, and where their channels begin.
fn inside(
    side: &Side,
    place: &Place,
    sizes: [usize; 2],
) -> impl Iterator<Item = (usize, usize)> + use<> {
    let [rows, columns] = side.inside(place, sizes);
    let (start, side) = (side.offset(place), *side);
    rows.flat_map(move |row| {
        columns.clone().map(move |column| {
            let pixel = (row * side.width + column) * side.channels;
            (row * sizes[1] + column, start.wrapping_add(pixel))
        })
    })
}
