//! Batch norm, ReLU and pooling in one pass, against plain loops over one window after the other.
#![allow(clippy::print_stdout)] // which bodies ran

use percept_kernels::channels;
use percept_kernels::isa::Isa;
use percept_kernels::norm_pool::{self, Halving, NONE};
use percept_kernels::random::{Draws, Purpose};

fn random(len: usize, name: u64) -> Vec<f32> {
    let mut draws = Draws::new(11, Purpose::Test, 0, name);
    (0..len).map(|_| draws.normal()).collect()
}

/// The four pixels of each window: their numbers in x, row by row, and the window's in y.
fn windows(rows: usize, size: Halving) -> Vec<([usize; 4], usize)> {
    let Halving { columns, channels } = size;
    let mut all = Vec::new();
    for (y, x, c) in (0..rows / 2)
        .flat_map(|y| (0..columns / 2).flat_map(move |x| (0..channels).map(move |c| (y, x, c))))
    {
        let at = |dy: usize, dx: usize| ((2 * y + dy) * columns + 2 * x + dx) * channels + c;
        all.push(([at(0, 0), at(0, 1), at(1, 0), at(1, 1)], (y * columns / 2 + x) * channels + c));
    }
    all
}

const SIZES: [(usize, usize, usize); 5] =
    [(2, 2, 1), (4, 6, 3), (2, 14, 16), (6, 4, 24), (8, 2, 65)];

/// Sums of up to 200 products of normal numbers in other orders.
const TOLERANCE: f64 = 1e-3;

#[test]
fn one_pass_is_that_of_plain_loops() {
    let isas = Isa::available();
    println!("norm_pool: {}", isas.iter().map(Isa::to_string).collect::<Vec<_>>().join(", "));
    for isa in isas {
        for (rows, columns, channels) in SIZES {
            let size = Halving { columns, channels };
            let mut x = random(rows * columns * channels, 1);
            // Equal numbers: the first one is the greatest.
            let second = x.len() / 2;
            x[second] = x[0];
            let [scale, shift, slope, rest, center] = [2, 3, 4, 5, 6].map(|n| random(channels, n));
            let pooled = x.len() / 4;
            let [mut y, mut marks, mut chosen] = [0; 3].map(|_| vec![7.0; pooled]);
            norm_pool::forward(isa, size, &x, &scale, &shift, &mut y, &mut marks, &mut chosen);
            let grad_y = random(pooled, 7);
            let (mut grad_sum, mut product_sum) = (vec![7.0; channels], vec![7.0; channels]);
            channels::gradient_sums(
                isa,
                &chosen,
                &center,
                Some((&scale, &shift)),
                &grad_y,
                &mut grad_sum,
                &mut product_sum,
                &mut vec![f32::NAN; channels::scratch_len(channels)],
            );
            let mut grad_x = vec![7.0; x.len()];
            norm_pool::gradient_combine(
                isa,
                size,
                &x,
                &marks,
                &grad_y,
                &scale,
                &slope,
                &rest,
                &mut grad_x,
            );
            let (mut sums, mut products) = (vec![0.0_f64; channels], vec![0.0_f64; channels]);
            for (pixels, to) in windows(rows, size) {
                let c = to % channels;
                let normal = pixels.map(|pixel| (x[pixel] * scale[c] + shift[c]).max(0.0));
                let greatest = normal.iter().copied().fold(0.0, f32::max);
                assert_eq!(y[to], greatest, "{isa} {rows}x{columns}x{channels}");
                let first = normal.iter().position(|y| *y == greatest && greatest > 0.0);
                if let Some(place) = first {
                    assert_eq!(chosen[to], x[pixels[place]], "{isa} {rows}x{columns}x{channels}");
                }
                let mark = first.map_or(NONE, |place| place as f64);
                assert_eq!(f64::from(marks[to]), mark, "{isa} {rows}x{columns}x{channels}");
                for (place, pixel) in pixels.into_iter().enumerate() {
                    let g = if first == Some(place) { grad_y[to] } else { 0.0 };
                    sums[c] += f64::from(g);
                    products[c] += f64::from(g) * (f64::from(x[pixel]) - f64::from(center[c]));
                    let expected = scale[c] * g + slope[c] * x[pixel] + rest[c];
                    assert_eq!(grad_x[pixel], expected, "{isa} {rows}x{columns}x{channels}");
                }
            }
            for c in 0..channels {
                assert!((f64::from(grad_sum[c]) - sums[c]).abs() < TOLERANCE, "{isa}");
                assert!((f64::from(product_sum[c]) - products[c]).abs() < TOLERANCE, "{isa}");
            }
        }
    }
}

#[test]
fn what_is_not_a_number_stays_so() {
    for isa in Isa::available() {
        for place in 0..4 {
            let mut x = [1.0_f32; 4];
            x[place] = f32::NAN;
            let [mut y, mut marks, mut chosen] = [[0.0]; 3];
            let size = Halving { columns: 2, channels: 1 };
            norm_pool::forward(isa, size, &x, &[1.0], &[0.0], &mut y, &mut marks, &mut chosen);
            assert!(y[0].is_nan(), "{isa} {place}");
        }
    }
}
