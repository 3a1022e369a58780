//! Winograd's convolutions: the scalar truth in f64 against the direct sum, every SIMD body against the scalar truth.
#![allow(clippy::print_stdout)] // which bodies ran

use percept_kernels::element::Element;
use percept_kernels::isa::Isa;
use percept_kernels::product::Finish;
use percept_kernels::random::{Draws, Purpose};
use percept_kernels::winograd::{
    Convolution, Operands, Tile, add_weight_gradient, convolve, pack_weights,
};

/// A layer's sizes: height, width, padding, channels in and out, images.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    input: [usize; 2],
    padding: [isize; 2],
    channels: [usize; 2],
    images: usize,
}

impl Sizes {
    fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            self.input[axis].checked_add_signed(2 * self.padding[axis] - 2).expect("a window")
        })
    }

    /// Numbers of an image, of an output and of the weights.
    fn lens(&self) -> [usize; 3] {
        let area = |size: [usize; 2]| size[0] * size[1];
        let [inputs, outputs] = self.channels;
        [area(self.input) * inputs, area(self.output()) * outputs, 9 * inputs * outputs]
    }

    /// Calls `term` with the places in an input image, an output image and the weights of every product.
    fn for_each_product(&self, mut term: impl FnMut(usize, usize, usize)) {
        let ([height, width], [inputs, outputs]) = (self.input, self.channels);
        let [out_height, out_width] = self.output();
        for (y, x) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
            for cell in 0..9 {
                let row = (y + cell / 3).checked_add_signed(-self.padding[0]);
                let column = (x + cell % 3).checked_add_signed(-self.padding[1]);
                let (Some(row), Some(column)) = (row, column) else { continue };
                if row >= height || column >= width {
                    continue;
                }
                for (i, o) in (0..inputs).flat_map(|i| (0..outputs).map(move |o| (i, o))) {
                    let from = (row * width + column) * inputs + i;
                    let to = (y * out_width + x) * outputs + o;
                    term(from, to, (cell * inputs + i) * outputs + o);
                }
            }
        }
    }
}

/// A layer's operands, and what the two passes make of them.
struct Case<T> {
    input: Vec<T>,
    weight: Vec<T>,
    bias: Vec<T>,
    grad_output: Vec<T>,
    output: Vec<T>,
    grad_weight: Vec<T>,
}

fn random(len: usize, example: u64) -> Vec<f32> {
    let mut draws = Draws::new(12, Purpose::Test, 0, example);
    (0..len).map(|_| draws.uniform_in(-1.0, 1.0)).collect()
}

fn convert<T: Element>(values: &[f32]) -> Vec<T> {
    values.iter().map(|x| T::from_f64(f64::from(*x))).collect()
}

/// Random operands, with results of a marker value.
fn case<T: Element>(sizes: &Sizes) -> Case<T> {
    let [input, output, weight] = sizes.lens();
    Case {
        input: convert(&random(sizes.images * input, 1)),
        weight: convert(&random(weight, 2)),
        bias: convert(&random(sizes.channels[1], 3)),
        grad_output: convert(&random(sizes.images * output, 4)),
        output: vec![T::from_f64(7.0); sizes.images * output],
        grad_weight: convert(&random(weight, 5)),
    }
}

/// Both passes as sums.
fn direct<T: Element>(sizes: &Sizes, finish: Finish, biased: bool) -> Case<T> {
    let mut case = case::<T>(sizes);
    let [input_len, output_len, _] = sizes.lens();
    for image in 0..sizes.images {
        let input = &case.input[image * input_len..][..input_len];
        let output = &mut case.output[image * output_len..][..output_len];
        let grad_output = &case.grad_output[image * output_len..][..output_len];
        output.iter_mut().enumerate().for_each(|(place, to)| {
            *to = if biased { case.bias[place % sizes.channels[1]] } else { T::ZERO };
        });
        sizes.for_each_product(|from, to, weight| {
            output[to] += input[from] * case.weight[weight];
            case.grad_weight[weight] += input[from] * grad_output[to];
        });
        if finish == Finish::StoreRelu {
            output.iter_mut().for_each(|x| *x = x.relu());
        }
    }
    case
}

/// Both passes by Winograd's algorithm; scratch memory holds NaN at first.
fn winograd<T: Element>(
    isa: Isa,
    (tile, operands): (Tile, Operands),
    sizes: &Sizes,
    finish: Finish,
    biased: bool,
) -> Case<T> {
    let mut case = case::<T>(sizes);
    let [inputs, outputs] = sizes.channels;
    let convolution =
        Convolution::new::<T>(isa, tile, operands, sizes.input, sizes.padding, sizes.channels);
    assert_eq!(convolution.output(), sizes.output());
    let mut packed = vec![T::ZERO; convolution.weights_len()];
    let at = |[y, x]: [usize; 2], c, o| case.weight[((y * 3 + x) * inputs + c) * outputs + o];
    pack_weights(isa, &convolution, at, &mut packed);
    let mut bias = case.bias.clone();
    bias.resize(convolution.padded_out_channels(), T::ZERO);
    let bias = biased.then_some(&*bias);
    let nan = T::from_f64(f64::NAN);
    let mut scratch = vec![nan; convolution.scratch_len(sizes.images)];
    let (input, output) = (&case.input, &mut case.output);
    convolve(isa, &convolution, input, &packed, bias, finish, &mut scratch, output);
    let mut scratch = vec![nan; convolution.gradient_scratch_len(sizes.images)];
    let (grad_output, grad_weight) = (&case.grad_output, &mut case.grad_weight);
    add_weight_gradient(isa, &convolution, &case.input, grad_output, &mut scratch, grad_weight);
    case
}

/// Small images of every size with every padding, channels about the widths of vectors, blocks of several images.
fn all_sizes() -> Vec<Sizes> {
    let mut all = Vec::new();
    for height in 1..=9 {
        for width in [1, 3, 4, 6, 9] {
            for padding in [[0, 0], [1, 1], [2, 2], [2, 0], [-1, 1]] {
                let fits = |size: usize, padding: isize| size.cast_signed() + 2 * padding >= 3;
                if fits(height, padding[0]) && fits(width, padding[1]) {
                    all.push(Sizes {
                        input: [height, width],
                        padding,
                        channels: [3, 5],
                        images: 2,
                    });
                }
            }
        }
    }
    for channels in [[1, 1], [8, 16], [16, 8], [17, 33], [24, 48], [32, 32], [15, 64], [64, 20]] {
        for (input, images) in [([6, 6], 1), ([5, 7], 3), ([14, 14], 9)] {
            all.push(Sizes { input, padding: [1, 1], channels, images });
        }
    }
    // Windows that see nothing but padding.
    for channels in [[16, 5], [3, 16]] {
        all.push(Sizes { input: [3, 4], padding: [7, 6], channels, images: 2 });
    }
    // Miri takes ten thousand times as long: it sees tiles at no edge, at both, and of every rest.
    if cfg!(miri) {
        all.retain(|sizes| {
            matches!(sizes.input, [3, 6] | [6, 9]) && sizes.padding == [1, 1] && sizes.images == 2
        });
    }
    all
}

fn assert_close<T: Element>(found: &[T], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let distance = (found.to_f64() - expected).abs();
        assert!(distance < tolerance, "{what}: [{index}] is {found}, should be {expected}");
    }
}

/// Sums of up to 9 * 196 * 9 products of numbers below 1, whose transforms grow the numbers up to a hundredfold: 1e-16
/// of 100, some 1000 times in random directions.
const TRUTH: f64 = 1e-11;

#[test]
fn the_truth_agrees_with_the_direct_sum() {
    for sizes in all_sizes() {
        for (finish, biased) in [(Finish::Store, false), (Finish::StoreRelu, true)] {
            let expected = direct::<f64>(&sizes, finish, biased);
            for tile in Tile::ALL {
                let what = format!("{tile:?} {sizes:?}");
                let found =
                    winograd::<f64>(Isa::SCALAR, (tile, Operands::Exact), &sizes, finish, biased);
                assert_close(&found.output, &expected.output, TRUTH, &what);
                assert_close(&found.grad_weight, &expected.grad_weight, TRUTH, &what);
            }
        }
    }
}

/// As above with 6e-8 for 1e-16.
const ROUNDED: f64 = 2e-3;

#[test]
fn every_body_agrees_with_the_truth() {
    for isa in Isa::available() {
        println!("winograd: body {isa}");
        for sizes in all_sizes() {
            for (finish, biased) in [(Finish::Store, false), (Finish::StoreRelu, true)] {
                for tile in Tile::ALL {
                    let what = format!("{isa} {tile:?} {sizes:?}");
                    let expected = winograd::<f64>(
                        Isa::SCALAR,
                        (tile, Operands::Exact),
                        &sizes,
                        finish,
                        biased,
                    );
                    let found =
                        winograd::<f32>(isa, (tile, Operands::Exact), &sizes, finish, biased);
                    assert_close(&found.output, &expected.output, ROUNDED, &what);
                    assert_close(&found.grad_weight, &expected.grad_weight, ROUNDED, &what);
                }
            }
        }
    }
}

/// The root of the mean square, and the greatest distance, of an error, in units of the root of the mean square of what is
/// expected.
fn errors(found: &[f32], expected: &[f64]) -> [f64; 2] {
    let distances = found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).abs());
    let rms = |squares: f64| (squares / expected.len() as f64).sqrt();
    let scale = rms(expected.iter().map(|e| e * e).sum());
    let worst = distances.clone().fold(0.0, f64::max);
    [rms(distances.map(|d| d * d).sum()) / scale, worst / scale]
}

/// The table of docs/decisions/winograd.md: what fp32 loses against f64. The bounds are twice what was measured.
#[test]
#[cfg_attr(miri, ignore = "measures errors, of millions of sums")]
fn fp32_loses_what_the_tile_costs() {
    let isa = Isa::available().pop().expect("the scalar body");
    for channels in [16, 32, 64, 128] {
        let sizes = Sizes { input: [14, 14], padding: [1, 1], channels: [channels; 2], images: 2 };
        let truth = direct::<f64>(&sizes, Finish::Store, false);
        let print = |name: &str, case: &Case<f32>, bounds: [f64; 2]| {
            let [rms, worst] = errors(&case.output, &truth.output);
            let [grad_rms, grad_worst] = errors(&case.grad_weight, &truth.grad_weight);
            println!("{isa}, {channels} channels, {name}: {rms:.1e}, at most {worst:.1e}");
            println!("    gradient by the weights: {grad_rms:.1e}, at most {grad_worst:.1e}");
            assert!(rms < bounds[0] && grad_rms < bounds[1], "{name}, {channels} channels");
        };
        print("direct", &direct::<f32>(&sizes, Finish::Store, false), [1e-6, 1e-6]);
        let winograd =
            |tile| winograd::<f32>(isa, (tile, Operands::Exact), &sizes, Finish::Store, false);
        print("2x2", &winograd(Tile::Two), [1e-6, 1e-6]);
        print("4x4", &winograd(Tile::Four), [2e-6, 1.2e-6]);
    }
}

/// Rounded operands: the transforms of a body round a few points to the other bf16 neighbour than the truth's, which moves single
/// results by some hundredths of their usual size, and few of them.
#[test]
fn every_bf16_unit_agrees_with_the_truth() {
    for isa in Isa::available_with_units() {
        println!("winograd in bf16: {isa}");
        for sizes in all_sizes() {
            for (finish, biased) in [(Finish::Store, false), (Finish::StoreRelu, true)] {
                for tile in Tile::ALL {
                    let what = format!("{isa} {tile:?} {sizes:?}");
                    let form = (tile, Operands::Bf16);
                    let expected = winograd::<f64>(Isa::SCALAR, form, &sizes, finish, biased);
                    let found = winograd::<f32>(isa, form, &sizes, finish, biased);
                    for (found, expected) in [
                        (&found.output, &expected.output),
                        (&found.grad_weight, &expected.grad_weight),
                    ] {
                        let [rms, worst] = errors(found, expected);
                        assert!(rms < 3e-3 && worst < 0.05, "{what}: {rms} {worst}");
                    }
                }
            }
        }
    }
}

/// The table of docs/decisions/winograd.md: what bf16 operands lose against f64, with 8 bits for 4e-3 a number. The bounds are
/// 1.5 times what was measured.
#[test]
#[cfg_attr(miri, ignore = "measures errors, of millions of sums")]
fn bf16_loses_what_the_tile_costs() {
    let isa = Isa::available_with_units().pop().expect("the scalar body");
    for channels in [16, 64] {
        let sizes = Sizes { input: [14, 14], padding: [1, 1], channels: [channels; 2], images: 2 };
        let truth = direct::<f64>(&sizes, Finish::Store, false);
        for (tile, bound) in [(Tile::Two, 0.006), (Tile::Four, 0.018)] {
            let case = winograd::<f32>(isa, (tile, Operands::Bf16), &sizes, Finish::Store, false);
            let [rms, worst] = errors(&case.output, &truth.output);
            let [grad_rms, grad_worst] = errors(&case.grad_weight, &truth.grad_weight);
            println!("{isa}, {channels} channels, {tile:?}: {rms:.1e}, at most {worst:.1e}");
            println!("    gradient by the weights: {grad_rms:.1e}, at most {grad_worst:.1e}");
            assert!(rms < bound && grad_rms < bound, "{tile:?}, {channels} channels");
        }
    }
}
