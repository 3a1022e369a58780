//! The weights' transforms: G g Gt into packed points, and Gt u G back from the points' gradients.

use super::scalar::operand;
use super::{Convolution, Operands, Tile};
use crate::body::per_isa;
use crate::element::Element;
use crate::isa::Isa;
use core::ops::Range;

/// Output channels that are transformed together.
const LANES: usize = 16;

/// The 3x3 weights of some output channels.
type Kernel<T> = [[T; LANES]; 9];

/// The points of some output channels; the smaller tile uses the first 16.
type Points<T> = [[T; LANES]; 36];

/// Transforms and packs the weights whose number for kernel row and column `ky`, `kx`, input channel `c` and output
/// channel `o` is `at([ky, kx], c, o)`.
///
/// # Panics
/// When `packed` is not [`Convolution::weights_len`] long.
pub fn pack_weights<T: Element>(
    isa: Isa,
    convolution: &Convolution,
    at: impl Fn([usize; 2], usize, usize) -> T,
    packed: &mut [T],
) {
    assert_eq!(packed.len(), convolution.weights_len(), "length of the packed weights");
    let panels = convolution.panels;
    let mut points = [[[T::ZERO; LANES]; 36]; 2];
    // What the words of one row of panels hold: one input channel, or two as pairs.
    let together = if convolution.is_paired { 2 } else { 1 };
    let mut panel = 0;
    for (start, width) in panels.panels() {
        for k in 0..panels.k {
            for first in (0..width).step_by(LANES) {
                let outputs = start + first..(start + width).min(start + first + LANES);
                for (half, points) in points[..together].iter_mut().enumerate() {
                    let c = k * together + half;
                    let at = |cell: [usize; 2], o| {
                        let exists = c < convolution.in_channels() && o < panels.n;
                        if exists { at(cell, c, o) } else { T::ZERO }
                    };
                    transform(isa, convolution, at, outputs.clone(), points);
                }
                let place = panel + k * width + first;
                for (point, packed) in packed.chunks_exact_mut(panels.len()).enumerate() {
                    let packed = &mut packed[place..place + outputs.len()];
                    match together {
                        1 => packed.copy_from_slice(&points[0][point][..outputs.len()]),
                        _ => pair(isa, &points[0][point], &points[1][point], packed),
                    }
                }
            }
        }
        panel += panels.k * width;
    }
}

/// The points of the weights `at(cell, output)` of some output channels, as the products take them.
fn transform<T: Element>(
    isa: Isa,
    convolution: &Convolution,
    at: impl Fn([usize; 2], usize) -> T,
    outputs: Range<usize>,
    points: &mut Points<T>,
) {
    let mut kernel = [[T::ZERO; LANES]; 9];
    for (cell, row) in kernel.iter_mut().enumerate() {
        for (o, to) in outputs.clone().zip(row) {
            *to = at([cell / 3, cell % 3], o);
        }
    }
    to_points(isa, convolution.tile, &kernel, points);
    if convolution.operands == Operands::Bf16 && !convolution.is_paired {
        points.as_flattened_mut().iter_mut().for_each(|x| *x = operand(Operands::Bf16, *x));
    }
}

per_isa! {
    /// Adds the gradient by the weights `[3, 3, in, out]` that the gradients by the points `[points, in, padded out]` make.
    pub fn add_gradient<T>(convolution: &Convolution, gradients: &[T], grad_weight: &mut [T]) {
        let (inputs, outputs) = (convolution.in_channels(), convolution.out_channels());
        let (mut kernel, mut points) = ([[T::ZERO; LANES]; 9], [[T::ZERO; LANES]; 36]);
        for c in 0..inputs {
            for first in (0..outputs).step_by(LANES) {
                let count = LANES.min(outputs - first);
                let place = c * convolution.padded_out_channels() + first;
                let of_points = gradients.chunks_exact(convolution.point_gradient_len());
                for (row, gradient) in points.iter_mut().zip(of_points) {
                    // Whole lines, whatever the last one has behind the channels.
                    match gradient[place..].first_chunk() {
                        Some(numbers) => *row = *numbers,
                        None => row[..count].copy_from_slice(&gradient[place..place + count]),
                    }
                }
                match convolution.tile {
                    Tile::Two => back::<T, 4>(gather_two, &points, &mut kernel),
                    Tile::Four => back::<T, 6>(gather_four, &points, &mut kernel),
                }
                for (cell, row) in kernel.iter().enumerate() {
                    let to = &mut grad_weight[(cell * inputs + c) * outputs + first..][..count];
                    to.iter_mut().zip(row).for_each(|(to, from)| *to += *from);
                }
            }
        }
    }
}

per_isa! {
    /// The words of the pairs of two rows.
    pub fn pair<T>(low: &[T; LANES], high: &[T; LANES], words: &mut [T]) {
        let rows = low.iter().zip(high);
        words.iter_mut().zip(rows).for_each(|(word, (low, high))| *word = T::pair([*low, *high]));
    }
}

per_isa! {
    /// points = G kernel Gt.
    pub fn to_points<T>(tile: Tile, kernel: &Kernel<T>, points: &mut Points<T>) {
        match tile {
            Tile::Two => forth::<T, 4>(spread_two, kernel, points),
            Tile::Four => forth::<T, 6>(spread_four, kernel, points),
        }
    }
}

#[inline(always)]
fn forth<T: Element, const N: usize>(
    line: impl Fn([T; 3]) -> [T; N],
    kernel: &Kernel<T>,
    points: &mut Points<T>,
) {
    for lane in 0..LANES {
        let mut half = [[T::ZERO; 3]; N];
        for x in 0..3 {
            let column = line([kernel[x][lane], kernel[3 + x][lane], kernel[6 + x][lane]]);
            half.iter_mut().zip(column).for_each(|(row, number)| row[x] = number);
        }
        for (y, row) in half.into_iter().enumerate() {
            let row = line(row);
            row.into_iter().enumerate().for_each(|(x, number)| points[y * N + x][lane] = number);
        }
    }
}

#[inline(always)]
fn back<T: Element, const N: usize>(
    line: impl Fn([T; N]) -> [T; 3],
    points: &Points<T>,
    kernel: &mut Kernel<T>,
) {
    for lane in 0..LANES {
        let mut half = [[T::ZERO; N]; 3];
        for x in 0..N {
            let mut column = [T::ZERO; N];
            column.iter_mut().enumerate().for_each(|(y, to)| *to = points[y * N + x][lane]);
            half.iter_mut().zip(line(column)).for_each(|(row, number)| row[x] = number);
        }
        for (y, row) in half.into_iter().enumerate() {
            let row = line(row);
            row.into_iter().enumerate().for_each(|(x, number)| kernel[y * 3 + x][lane] = number);
        }
    }
}

/// G of F(2, 3): rows (1 0 0), (1 1 1) / 2, (1 -1 1) / 2, (0 0 1).
#[inline(always)]
fn spread_two<T: Element>([a, b, c]: [T; 3]) -> [T; 4] {
    let half = T::from_f64(0.5);
    let (even, odd) = (half * (a + c), half * b);
    [a, even + odd, even - odd, c]
}

/// Gt of F(2, 3).
#[inline(always)]
fn gather_two<T: Element>([a, b, c, d]: [T; 4]) -> [T; 3] {
    let half = T::from_f64(0.5);
    let (sum, difference) = (half * (b + c), half * (b - c));
    [a + sum, difference, sum + d]
}

/// 1 / 65 of a whole number: what the points of F(4, 3) make of the weights' factors.
fn of_65<T: Element>(number: f64) -> T {
    T::from_f64(number / 65.0)
}

/// G of F(4, 3): rows (65 0 0), (-27 -18 -12), (27 -18 12), (18 27 40.5), (18 -27 40.5), (0 0 65), all / 65.
#[inline(always)]
fn spread_four<T: Element>([a, b, c]: [T; 3]) -> [T; 6] {
    let [twelve, eighteen, more, most] = [12.0, 18.0, 27.0, 40.5].map(of_65::<T>);
    let (near_even, near_odd) = (more * a + twelve * c, eighteen * b);
    let (far_even, far_odd) = (eighteen * a + most * c, more * b);
    let near = [-near_odd - near_even, near_even - near_odd];
    [a, near[0], near[1], far_even + far_odd, far_even - far_odd, c]
}

/// Gt of F(4, 3).
#[inline(always)]
fn gather_four<T: Element>([a, b, c, d, e, f]: [T; 6]) -> [T; 3] {
    let [twelve, eighteen, more, most] = [12.0, 18.0, 27.0, 40.5].map(of_65::<T>);
    let (near_even, near_odd) = (c - b, b + c);
    let (far_even, far_odd) = (d + e, d - e);
    [
        a + more * near_even + eighteen * far_even,
        more * far_odd - eighteen * near_odd,
        twelve * near_even + most * far_even + f,
    ]
}
