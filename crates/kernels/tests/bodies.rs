//! Every SIMD body of the elementwise, channel and pooling kernels against the scalar truth, at sizes around whole
//! vectors, with NaN and infinity among the numbers.
#![allow(clippy::print_stdout)] // which bodies ran

use percept_kernels::activation::Activation;
use percept_kernels::channels;
use percept_kernels::isa::Isa;
use percept_kernels::pool::{self, Windows};
use percept_kernels::random::{Draws, Purpose};
use percept_kernels::slices;

fn random(len: usize, example: u64) -> Vec<f32> {
    let mut draws = Draws::new(21, Purpose::Test, 0, example);
    (0..len).map(|_| draws.normal()).collect()
}

/// The same bits, NaN equal to NaN.
fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (index, (f, e)) in found.iter().zip(expected).enumerate() {
        let same = f.to_bits() == e.to_bits() || f.is_nan() && e.is_nan();
        assert!(same, "{what}: [{index}] is {f}, should be {e}");
    }
}

fn bodies(what: &str) -> Vec<Isa> {
    let bodies = Isa::available();
    println!("{what}: bodies {}", bodies.iter().map(Isa::to_string).collect::<Vec<_>>().join(", "));
    bodies
}

const SIZES: [usize; 10] = [0, 1, 7, 8, 15, 16, 17, 33, 48, 100];

fn with_extremes(mut values: Vec<f32>) -> Vec<f32> {
    for (value, extreme) in
        values.iter_mut().zip([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX])
    {
        *value = extreme;
    }
    values
}

#[test]
fn activations() {
    let all = [
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Gelu,
        Activation::Silu,
        Activation::Tanh,
        Activation::Sigmoid,
    ];
    for isa in bodies("activations") {
        for (activation, len) in all.iter().flat_map(|a| SIZES.map(|len| (*a, len))) {
            let (x, g) = (with_extremes(random(len, 1)), random(len, 2));
            let forward = |isa| {
                let mut y = vec![9.0; len];
                activation.forward(isa, &x, &mut y);
                y
            };
            let y = forward(isa);
            assert_same(&y, &forward(Isa::SCALAR), &format!("{isa} {activation:?}"));
            let backward = |isa| {
                let mut grad = vec![9.0; len];
                activation.backward(isa, &x, &y, &g, &mut grad);
                grad
            };
            assert_same(&backward(isa), &backward(Isa::SCALAR), &format!("{isa} {activation:?}"));
        }
    }
}

#[test]
fn relu_keeps_nan_and_masks_by_sign() {
    for isa in bodies("relu") {
        let mut y = [0.0; 3];
        Activation::Relu.forward(isa, &[f32::NAN, -1.0, 2.0], &mut y);
        assert!(y[0].is_nan() && y[1..] == [0.0, 2.0], "{isa}: {y:?}");
        let mut y = [0.0; 4];
        let (a, b) = ([f32::NAN, -1.0, 2.0, -1.0], [1.0, -2.0, -1.0, 4.0]);
        percept_kernels::activation::relu_of_sum(isa, &a, &b, &mut y);
        assert!(y[0].is_nan() && y[1..] == [0.0, 1.0, 3.0], "{isa}: {y:?}");
        let mut grad = [5.0, 6.0, 7.0];
        percept_kernels::activation::relu_mask(isa, &[0.0, -1.0, 2.0], &mut grad);
        assert_eq!(grad, [0.0, 0.0, 7.0]);
    }
}

/// Sums of up to 500 numbers of about 1 in other orders: within 500 roundings of numbers below 100.
const TOLERANCE: f64 = 1e-3;

#[test]
fn channel_sums_are_those_of_plain_loops_in_f64() {
    for isa in bodies("channels") {
        for (pixels, c) in [(1, 1), (5, 3), (49, 6), (100, 16), (30, 24), (64, 33), (3, 200)] {
            let (x, g) = (random(pixels * c, 1), random(pixels * c, 3));
            let [center, scale, shift] = [4, 5, 6].map(|example| random(c, example));
            let y = |i: usize| x[i] * scale[i % c] + shift[i % c];
            let mut scratch = vec![f32::NAN; channels::scratch_len(c)];
            let column = |of: &dyn Fn(usize) -> f64, channel: usize| -> f64 {
                (0..pixels).map(|p| of(p * c + channel)).sum()
            };
            let check = |found: &[f32], of: &dyn Fn(usize) -> f64, what: &str| {
                for (channel, found) in found.iter().enumerate() {
                    let expected = column(of, channel);
                    let distance = (f64::from(*found) - expected).abs();
                    assert!(distance < TOLERANCE, "{isa} {what} {pixels}x{c}: {found} {expected}");
                }
            };
            let wide = |values: &[f32], i: usize| f64::from(values[i]);
            let mut sums = vec![7.0; c];
            channels::sum(isa, &x, &mut sums, &mut scratch);
            check(&sums, &|i| wide(&x, i), "sum");
            channels::sum_of_squares(isa, &x, &center, &mut sums, &mut scratch);
            check(&sums, &|i| (wide(&x, i) - wide(&center, i % c)).powi(2), "sum of squares");
            for masked in [false, true] {
                let relu = masked.then_some((&scale[..], &shift[..]));
                let mut products = vec![7.0; c];
                channels::gradient_sums(
                    isa,
                    &x,
                    &center,
                    relu,
                    &g,
                    &mut sums,
                    &mut products,
                    &mut scratch,
                );
                let g = |i: usize| if masked && y(i) <= 0.0 { 0.0 } else { wide(&g, i) };
                check(&sums, &g, "gradient sum");
                check(&products, &|i| g(i) * (wide(&x, i) - wide(&center, i % c)), "product sum");
            }
        }
    }
}

#[test]
fn channel_maps_are_those_of_plain_loops() {
    for isa in bodies("channel maps") {
        for (pixels, c) in [(1, 1), (5, 3), (49, 6), (100, 16), (30, 24), (64, 33), (3, 200)] {
            let len = pixels * c;
            let (x, g) = (random(len, 1), random(len, 3));
            let [scale, slope, shift, y_scale, y_shift] =
                [4, 5, 6, 7, 8].map(|example| random(c, example));
            let y = |i: usize| x[i] * y_scale[i % c] + y_shift[i % c];
            let mut scratch = vec![f32::NAN; channels::scratch_len(c)];
            for on in [false, true] {
                let mut out = vec![7.0; len];
                channels::scale_shift(isa, &x, &scale, &shift, on, &mut out, &mut scratch);
                let expected: Vec<f32> = (0..len)
                    .map(|i| x[i] * scale[i % c] + shift[i % c])
                    .map(|v| if on && v < 0.0 { 0.0 } else { v })
                    .collect();
                assert_same(&out, &expected, &format!("{isa} scale_shift {pixels}x{c}"));
                let mut out = vec![7.0; len];
                channels::scale_shift_add(isa, &x, &scale, &shift, &g, on, &mut out, &mut scratch);
                let expected: Vec<f32> = (0..len)
                    .map(|i| x[i] * scale[i % c] + shift[i % c] + g[i])
                    .map(|v| if on && v < 0.0 { 0.0 } else { v })
                    .collect();
                assert_same(&out, &expected, &format!("{isa} scale_shift_add {pixels}x{c}"));
                let mut out = x.clone();
                channels::add_bias(isa, &shift, on, &mut out);
                let expected: Vec<f32> = (0..len)
                    .map(|i| x[i] + shift[i % c])
                    .map(|v| if on && v < 0.0 { 0.0 } else { v })
                    .collect();
                assert_same(&out, &expected, &format!("{isa} add_bias {pixels}x{c}"));
                let mut out = vec![7.0; len];
                let relu = on.then_some((&y_scale[..], &y_shift[..]));
                channels::gradient_combine(
                    isa,
                    &x,
                    relu,
                    &g,
                    &scale,
                    &slope,
                    &shift,
                    &mut out,
                    &mut scratch,
                );
                let expected: Vec<f32> = (0..len)
                    .map(|i| {
                        let g = if on && y(i) <= 0.0 { 0.0 } else { g[i] };
                        scale[i % c] * g + slope[i % c] * x[i] + shift[i % c]
                    })
                    .collect();
                assert_same(&out, &expected, &format!("{isa} gradient_combine {pixels}x{c}"));
            }
        }
    }
}

fn windows(
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Windows {
    let output = [0, 1].map(|a| (input[a] + 2 * padding[a] - kernel[a]) / stride[a] + 1);
    Windows { input, output, kernel, stride, padding, channels: 0 }
}

#[test]
fn pools() {
    let shapes = [
        windows([4, 6], [2, 2], [2, 2], [0, 0]),
        windows([5, 7], [2, 2], [2, 2], [0, 0]),
        windows([7, 6], [3, 3], [2, 2], [1, 1]),
        windows([6, 5], [3, 2], [1, 3], [0, 1]),
    ];
    for isa in bodies("pools") {
        for (shape, c) in shapes.iter().flat_map(|shape| [1, 3, 16, 24, 33].map(|c| (*shape, c))) {
            let windows = Windows { channels: c, ..shape };
            let images = 2;
            let (len, pooled) = (
                images * windows.input[0] * windows.input[1] * c,
                images * windows.output[0] * windows.output[1] * c,
            );
            // Few different values, so that windows have ties.
            let x: Vec<f32> = random(len, 1).iter().map(|x| (2.0 * x).round()).collect();
            let g = random(pooled, 2);
            let run = |isa| {
                let (mut y, mut grad, mut scratch) =
                    (vec![7.0; pooled], vec![7.0; len], vec![7.0; pooled]);
                pool::max_forward(isa, &windows, &x, &mut y);
                pool::max_backward(isa, &windows, &x, &y, &g, &mut grad, &mut scratch);
                let (mut mean, mut spread) = (vec![7.0; pooled], vec![7.0; len]);
                pool::average_forward(isa, &windows, &x, &mut mean);
                pool::average_backward(isa, &windows, &g, &mut spread);
                [y, grad, mean, spread]
            };
            for (found, expected) in run(isa).iter().zip(&run(Isa::SCALAR)) {
                assert_same(found, expected, &format!("{isa} {windows:?}"));
            }
        }
    }
}

/// By hand: the first of equals gets the gradient, as in PyTorch; NaN wins.
#[test]
fn max_pool_by_hand() {
    for isa in bodies("max pool") {
        let windows = Windows { channels: 1, ..windows([2, 4], [2, 2], [2, 2], [0, 0]) };
        let x = [1.0, 3.0, f32::NAN, 0.0, 3.0, 2.0, 9.0, 0.0];
        let mut y = [0.0; 2];
        pool::max_forward(isa, &windows, &x, &mut y);
        assert!(y[0] == 3.0 && y[1].is_nan(), "{isa}: {y:?}");
        let x = [1.0, 3.0, 4.0, 0.0, 3.0, 2.0, 9.0, 0.0];
        let (mut y, mut grad) = ([0.0; 2], [7.0; 8]);
        pool::max_forward(isa, &windows, &x, &mut y);
        pool::max_backward(isa, &windows, &x, &y, &[5.0, 6.0], &mut grad, &mut [0.0; 2]);
        assert_eq!(grad, [0.0, 5.0, 0.0, 0.0, 0.0, 0.0, 6.0, 0.0]);
    }
}

#[test]
fn whole_slices() {
    for isa in bodies("slices") {
        for len in SIZES {
            let (a, b) = (random(len, 1), random(len, 2));
            let mut out = vec![7.0; len];
            slices::sum_of(isa, &a, &b, &mut out);
            assert_same(&out, &a.iter().zip(&b).map(|(a, b)| a + b).collect::<Vec<_>>(), "sum_of");
            slices::product_of(isa, &a, &b, &mut out);
            assert_same(
                &out,
                &a.iter().zip(&b).map(|(a, b)| a * b).collect::<Vec<_>>(),
                "product_of",
            );
            out.copy_from_slice(&b);
            slices::add(isa, &a, &mut out);
            assert_same(&out, &a.iter().zip(&b).map(|(a, b)| b + a).collect::<Vec<_>>(), "add");
            slices::scale(isa, 3.0, &mut out);
            assert_same(
                &out,
                &a.iter().zip(&b).map(|(a, b)| (b + a) * 3.0).collect::<Vec<_>>(),
                "scale",
            );
            let truth: f64 = a.iter().map(|x| f64::from(*x).powi(2)).sum();
            let found = slices::norm_squared(isa, &a);
            assert_eq!(found.to_bits(), slices::norm_squared(Isa::SCALAR, &a).to_bits());
            // f64 sums of a hundred numbers in another order.
            assert!((found - truth).abs() <= 1e-12 * truth.max(1.0), "{found} {truth}");
        }
    }
    assert_eq!(slices::first_not_finite(&[1.0_f32, f32::NAN, f32::INFINITY]), Some(1));
    assert_eq!(slices::first_not_finite::<f32>(&[]), None);
}
