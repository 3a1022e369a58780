//! Whitening weights: what a first convolution sees is decorrelated, and each direction has the same variance.
//!
//! The patches of the training images have a covariance matrix; its eigenvectors, each divided by the root of its
//! eigenvalue, are filters whose outputs have variance 1 and are uncorrelated. Each filter stands there twice, with both
//! signs, so that a ReLU behind it loses nothing (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", after Page 2019, "How to
//! train your ResNet 8").

use percept_data::{ImageShape, Normalisation, Splits};
use percept_nn::network::Network;
use percept_nn::shape::Size;
use percept_nn::spec::{Conv, LayerSpec};

/// Training images whose patches are looked at; directions of a few pixels need no more.
const IMAGES: usize = 5000;

/// Added to each eigenvalue, so that directions in which nothing happens are not blown up: Jordan's.
const EPS: f64 = 5e-4;

/// Gives the first layer its whitening weights, where it is a convolution that asks for them. Filters beyond two a direction
/// stay as they were; where there are fewer, those of the greatest variance are taken.
pub(crate) fn start(network: &mut Network, splits: &Splits, normalisation: &Normalisation) {
    let Some(LayerSpec::Conv(conv)) = network.spec().layers.first() else { return };
    let parameter = &network.parameters()[0];
    if parameter.learns() {
        return;
    }
    let (range, outputs) = (parameter.range.clone(), conv.out_channels);
    let covariance = covariance(conv, splits, normalisation);
    let directions = eigen(covariance, conv_rows(conv, splits.dataset().shape()));
    let weights = &mut network.values_mut()[range];
    for (output, (direction, sign)) in both_signs(&directions, outputs) {
        let scale = sign / (direction.value + EPS).sqrt();
        for (row, number) in direction.vector.iter().enumerate() {
            weights[row * outputs + output] = (scale * number) as f32;
        }
    }
}

/// Which direction, and with which sign, is which output's: first all directions, then their negatives.
fn both_signs(
    directions: &[Direction],
    outputs: usize,
) -> impl Iterator<Item = (usize, (&Direction, f64))> {
    let kept = directions.len().min(outputs / 2);
    let signed = |sign| directions[..kept].iter().map(move |direction| (direction, sign));
    signed(1.0).chain(signed(-1.0)).enumerate()
}

fn conv_rows(conv: &Conv, shape: ImageShape) -> usize {
    conv.kernel_size.height * conv.kernel_size.width * shape.channels
}

/// The covariance of the patches, all of them inside the images: [rows, rows] in the order of a weight's rows.
fn covariance(conv: &Conv, splits: &Splits, normalisation: &Normalisation) -> Vec<f64> {
    let dataset = splits.dataset();
    let rows = conv_rows(conv, dataset.shape());
    let (mut sums, mut squares, mut count) = (vec![0.0; rows], vec![0.0; rows * rows], 0.0);
    let mut pixels = vec![0.0; dataset.shape().len()];
    let mut patch = Vec::with_capacity(rows);
    for example in splits.train().iter().take(IMAGES) {
        normalisation.apply(dataset.image(*example as usize), &mut pixels);
        each_patch(&pixels, dataset.shape(), conv.kernel_size, &mut patch, |patch| {
            count += 1.0;
            for (row, left) in patch.iter().enumerate() {
                sums[row] += left;
                let line = &mut squares[row * rows..][..=row];
                line.iter_mut().zip(patch).for_each(|(sum, right)| *sum += left * right);
            }
        });
    }
    let mean: Vec<f64> = sums.iter().map(|sum| sum / f64::max(count, 1.0)).collect();
    let entry = |row: usize, column: usize| {
        let (low, high) = (row.min(column), row.max(column));
        squares[high * rows + low] / f64::max(count, 1.0) - mean[row] * mean[column]
    };
    (0..rows * rows).map(|index| entry(index / rows, index % rows)).collect()
}

/// Calls `take` with each patch of an image.
fn each_patch(
    pixels: &[f32],
    shape: ImageShape,
    kernel: Size,
    patch: &mut Vec<f64>,
    mut take: impl FnMut(&[f64]),
) {
    let ImageShape { height, width, channels } = shape;
    for top in 0..(height + 1).saturating_sub(kernel.height) {
        for left in 0..(width + 1).saturating_sub(kernel.width) {
            patch.clear();
            for line in top..top + kernel.height {
                let line = &pixels[(line * width + left) * channels..][..kernel.width * channels];
                patch.extend(line.iter().map(|pixel| f64::from(*pixel)));
            }
            take(patch);
        }
    }
}

/// An eigenvector of length 1 with its eigenvalue.
#[derive(Debug)]
struct Direction {
    value: f64,
    vector: Vec<f64>,
}

/// Eigenvalues and eigenvectors of a symmetric matrix, the greatest first, by Jacobi's cyclic rotations (Golub and Van Loan,
/// "Matrix Computations", 4th edition, 8.5). The sign of a vector is that in which its greatest number is positive.
fn eigen(mut matrix: Vec<f64>, size: usize) -> Vec<Direction> {
    let mut vectors: Vec<f64> =
        (0..size * size).map(|index| f64::from(u8::from(index / size == index % size))).collect();
    for _ in 0..SWEEPS {
        for p in 0..size {
            for q in p + 1..size {
                if let Some(rotation) = Rotation::that_clears(&matrix, size, p, q) {
                    rotation.of_columns(&mut matrix, size);
                    rotation.of_rows(&mut matrix, size);
                    rotation.of_columns(&mut vectors, size);
                }
            }
        }
    }
    let direction = |column: usize| {
        let mut vector: Vec<f64> = (0..size).map(|row| vectors[row * size + column]).collect();
        let greatest = vector.iter().fold(0.0_f64, |a, b| if b.abs() > a.abs() { *b } else { a });
        vector.iter_mut().for_each(|number| *number *= greatest.signum());
        Direction { value: matrix[column * size + column].max(0.0), vector }
    };
    let mut directions: Vec<Direction> = (0..size).map(direction).collect();
    directions.sort_by(|a, b| b.value.total_cmp(&a.value));
    directions
}

/// Passes over the matrix. Convergence is quadratic: six to ten passes reach the last bit of matrices of this size.
const SWEEPS: usize = 16;

/// A rotation in the plane of two axes.
struct Rotation {
    p: usize,
    q: usize,
    cosine: f64,
    sine: f64,
}

impl Rotation {
    /// The one after which the matrix has a zero at (p, q); none where it has one already.
    fn that_clears(matrix: &[f64], size: usize, p: usize, q: usize) -> Option<Self> {
        let (pp, pq, qq) = (matrix[p * size + p], matrix[p * size + q], matrix[q * size + q]);
        if pq.abs() <= f64::MIN_POSITIVE {
            return None;
        }
        let tau = (qq - pp) / (2.0 * pq);
        let tangent = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
        let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
        Some(Self { p, q, cosine, sine: tangent * cosine })
    }

    fn turn(&self, numbers: &mut [f64], at_p: usize, at_q: usize) {
        let (p, q) = (numbers[at_p], numbers[at_q]);
        numbers[at_p] = self.cosine * p - self.sine * q;
        numbers[at_q] = self.sine * p + self.cosine * q;
    }

    fn of_columns(&self, matrix: &mut [f64], size: usize) {
        (0..size).for_each(|row| self.turn(matrix, row * size + self.p, row * size + self.q));
    }

    fn of_rows(&self, matrix: &mut [f64], size: usize) {
        (0..size)
            .for_each(|column| self.turn(matrix, self.p * size + column, self.q * size + column));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percept_data::{Dataset, HoldOut};
    use percept_kernels::random::{Draws, Purpose};
    use percept_nn::spec::NetworkSpec;
    use std::sync::Arc;

    #[test]
    fn eigenvalues_are_those_of_a_matrix_known_by_hand() {
        // Of [[2, 1], [1, 2]]: 3 along (1, 1) and 1 along (1, -1).
        let found = eigen(vec![2.0, 1.0, 1.0, 2.0], 2);
        let half = f64::sqrt(0.5);
        for (direction, (value, vector)) in
            found.iter().zip([(3.0, [half, half]), (1.0, [half, -half])])
        {
            assert!((direction.value - value).abs() < 1e-12, "{found:?}");
            // The sign of a direction without a greatest number is free.
            let dot: f64 = direction.vector.iter().zip(vector).map(|(a, b)| a * b).sum();
            assert!((dot.abs() - 1.0).abs() < 1e-12, "{found:?}");
        }
    }

    /// Colour noise whose channels and neighbours have much in common.
    fn splits() -> Splits {
        let mut draws = Draws::new(5, Purpose::Test, 0, 0);
        let images: Vec<u8> = (0..200)
            .flat_map(|_| {
                let base = draws.below(150);
                (0..6 * 6 * 3).map(|_| (base + draws.below(100)) as u8).collect::<Vec<_>>()
            })
            .collect();
        let labels = (0..200).map(|index| index % 2).collect();
        let names = ["a", "b"].map(str::to_owned).to_vec();
        let dataset = Dataset::new("noise", ImageShape::colour(6, 6), images, labels, names);
        Splits::new(Arc::new(dataset.unwrap()), HoldOut::Count(0), None, 1).unwrap()
    }

    #[test]
    fn outputs_are_uncorrelated_with_variance_one() {
        let spec = NetworkSpec::from_toml(
            "input = [6, 6, 3]\nlayers = [{ kind = 'conv', out_channels = 26, kernel_size = 2, init = 'whitening' }]",
        );
        let mut network = Network::<f32>::new(spec.unwrap(), 1).unwrap();
        let before = network.values().to_vec();
        let (splits, normalisation) =
            (splits(), Normalisation { mean: vec![0.5; 3], std: vec![0.2; 3] });
        start(&mut network, &splits, &normalisation);
        let weights = &network.values()[..12 * 26];
        // Two filters more than there are directions stay as they were.
        for row in 0..12 {
            assert_eq!(weights[row * 26 + 24..][..2], before[row * 26 + 24..][..2]);
        }
        let LayerSpec::Conv(conv) = &network.spec().layers[0] else { panic!("a convolution") };
        let covariance = covariance(conv, &splits, &normalisation);
        let filter = |output: usize| (0..12).map(move |row| f64::from(weights[row * 26 + output]));
        for (left, right) in (0..24).flat_map(|left| (0..24).map(move |right| (left, right))) {
            let found: f64 = filter(left)
                .enumerate()
                .flat_map(|(i, a)| filter(right).enumerate().map(move |(j, b)| (i, a, j, b)))
                .map(|(i, a, j, b)| a * covariance[i * 12 + j] * b)
                .sum();
            let expected = match left.abs_diff(right) {
                0 => 1.0,
                12 => -1.0,
                _ => 0.0,
            };
            // The eigenvalues are above 0.03 and `EPS` stands beside them.
            assert!((found - expected).abs() < 0.02, "{left}, {right}: {found}");
        }
    }
}
