//! Every SIMD body of the products against the scalar truth in f64, on grids that convolutions and dense layers use.
#![allow(clippy::print_stdout)] // which bodies ran

use percept_kernels::isa::Isa;
use percept_kernels::product::{
    Finish, Grid, Left, Panels, finish_transposed, multiply, multiply_transposed,
};
use percept_kernels::random::{Draws, Purpose};

fn random(len: usize, example: u64) -> Vec<f32> {
    let mut draws = Draws::new(11, Purpose::Test, 0, example);
    (0..len).map(|_| draws.uniform_in(-1.0, 1.0)).collect()
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f64::from(*x)).collect()
}

/// Sums of up to 1000 products of numbers below 1 in f32: an error of 1000 roundings of numbers below about 30.
const TOLERANCE: f64 = 1e-4;

fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (index, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*f) - e).abs() < TOLERANCE, "{what}: [{index}] is {f}, should be {e}");
    }
}

/// Miri takes ten thousand times as long: it sees fewer sizes of each kind.
const MIRI: bool = cfg!(miri);

/// Dense layers of awkward sizes, and windows of convolutions over padded images.
fn geometries() -> Vec<Left> {
    let mut all = Vec::new();
    let (ms, ks): (&[usize], &[usize]) = match MIRI {
        true => (&[1, 7, 15], &[3]),
        false => (&[1, 2, 5, 6, 7, 9, 13, 14, 15, 29, 43], &[1, 2, 3, 17, 64]),
    };
    for &m in ms {
        for &k in ks {
            let rows = Grid::line(m, k + 3);
            all.push(Left { rows, runs: Grid::line(1, 0), run: k });
        }
    }
    let images = [(9, 1, 3, 1), (11, 3, 5, 2), (8, 16, 3, 1), (7, 6, 2, 2), (16, 2, 1, 3)];
    for (side, channels, kernel, stride) in images.into_iter().take(if MIRI { 2 } else { 5 }) {
        let pitch = side * channels;
        let out = (side - kernel) / stride + 1;
        let rows = Grid {
            outer: out,
            outer_pitch: stride * pitch,
            inner: out,
            inner_pitch: stride * channels,
        };
        all.push(Left { rows, runs: Grid::line(kernel, pitch), run: kernel * channels });
        // One channel of several, as in a grouped convolution.
        let runs = Grid { outer: kernel, outer_pitch: pitch, inner: kernel, inner_pitch: channels };
        all.push(Left { rows, runs, run: 1 });
    }
    all
}

/// Whole vectors, parts of one, and panels of several.
fn columns() -> Vec<usize> {
    match MIRI {
        true => vec![3, 17, 48],
        false => vec![1, 3, 6, 8, 10, 15, 16, 17, 24, 32, 33, 48, 64, 80, 96, 130],
    }
}

fn left_len(left: &Left) -> usize {
    let span = |g: &Grid| (g.outer - 1) * g.outer_pitch + (g.inner - 1) * g.inner_pitch;
    span(&left.rows) + span(&left.runs) + left.run
}

fn out_rows(left: &Left, n: usize) -> Grid {
    // A gap of one number between rows: nothing may be written there.
    let Grid { outer, inner, .. } = left.rows;
    Grid { outer, outer_pitch: inner * (n + 1), inner, inner_pitch: n + 1 }
}

#[test]
fn multiply_agrees_with_the_scalar_truth() {
    for isa in Isa::available() {
        println!("multiply: body {isa}");
        for geometry in geometries() {
            for n in columns() {
                check_multiply(isa, &geometry, n);
            }
        }
    }
}

fn packed(isa: Isa, [k, n]: [usize; 2], right: &[f32], plain: bool) -> (Panels, Vec<f32>) {
    if plain {
        return (Panels::plain::<f32>(isa, k, n), right.to_vec());
    }
    let panels = Panels::new::<f32>(isa, k, n);
    let mut packed = vec![0.0; panels.len()];
    panels.pack(&mut packed, |k, j| right[k * n + j]);
    (panels, packed)
}

fn check_multiply(isa: Isa, geometry: &Left, n: usize) {
    let k = geometry.columns();
    let left = random(left_len(geometry), 1);
    let right = random(k * n, 2);
    let bias = random(n, 3);
    let rows = out_rows(geometry, n);
    let len = rows.outer * rows.outer_pitch;
    let finishes = [
        (false, Finish::Store),
        (true, Finish::StoreRelu),
        (false, Finish::Add),
        (true, Finish::Add),
    ];
    for ((biased, finish), plain) in finishes.iter().flat_map(|f| [(*f, true), (*f, false)]) {
        let (panels, packed) = packed(isa, [k, n], &right, plain);
        let mut padded_bias = bias.clone();
        padded_bias.resize(panels.padded_columns(), 0.0);
        let mut found = vec![7.0_f32; len];
        let found_bias = biased.then_some(&*padded_bias);
        multiply(isa, geometry, &left, &panels, &packed, found_bias, finish, &rows, &mut found);

        let truth = Panels::new::<f64>(Isa::SCALAR, k, n);
        let wide_bias = widen(&bias);
        let mut expected = vec![7.0_f64; len];
        multiply(
            Isa::SCALAR,
            geometry,
            &widen(&left),
            &truth,
            &widen(&right),
            biased.then_some(&*wide_bias),
            finish,
            &rows,
            &mut expected,
        );
        assert_close(&found, &expected, &format!("{isa} {geometry:?} n={n} {finish:?}"));
    }
}

/// Batches of one equal a batch, bit for bit: a single row takes a body of its own.
#[test]
fn a_row_alone_has_the_bits_of_a_row_among_others() {
    for isa in Isa::available() {
        for (k, n) in [(1, 1), (7, 10), (31, 84), (64, 120), (50, 128), (33, 130), (20, 500)] {
            let left = random(3 * k, 1);
            let right = random(k * n, 2);
            let panels = Panels::new::<f32>(isa, k, n);
            let mut packed = vec![0.0; panels.len()];
            panels.pack(&mut packed, |k, j| right[k * n + j]);
            let mut bias = random(n, 3);
            bias.resize(panels.padded_columns(), 0.0);
            let run = |left: &[f32], rows: usize| {
                let mut out = vec![0.0; rows * n];
                let geometry = Left { rows: Grid::line(rows, k), runs: Grid::line(1, 0), run: k };
                let (to, finish) = (Grid::line(rows, n), Finish::StoreRelu);
                multiply(
                    isa,
                    &geometry,
                    left,
                    &panels,
                    &packed,
                    Some(&bias),
                    finish,
                    &to,
                    &mut out,
                );
                out
            };
            let alone: Vec<f32> = left.chunks(k).flat_map(|row| run(row, 1)).collect();
            assert_eq!(alone, run(&left, 3), "{isa}, {k} to {n}");
        }
    }
}

#[test]
fn multiply_transposed_agrees_with_the_scalar_truth() {
    for isa in Isa::available() {
        println!("multiply_transposed: body {isa}");
        for geometry in geometries() {
            for n in columns() {
                let left = random(left_len(&geometry), 1);
                let rows = out_rows(&geometry, n);
                // The last row ends the slice: a body that reads past it would fault or fail the length check.
                let right = random(rows.outer * rows.outer_pitch - 1, 2);
                let k = geometry.columns();
                let start = random(k * (n + 2), 3);
                for finish in [Finish::Add, Finish::Store, Finish::StoreRelu] {
                    let mut found = start.clone();
                    let out = &mut found;
                    finish_transposed(isa, &geometry, &left, &rows, &right, n, finish, out, n + 2);
                    let mut expected = widen(&start);
                    let (left, right, out) = (widen(&left), widen(&right), &mut expected);
                    let scalar = Isa::SCALAR;
                    finish_transposed(
                        scalar,
                        &geometry,
                        &left,
                        &rows,
                        &right,
                        n,
                        finish,
                        out,
                        n + 2,
                    );
                    assert_close(
                        &found,
                        &expected,
                        &format!("{isa} {geometry:?} n={n} {finish:?}"),
                    );
                }
            }
        }
    }
}

/// By hand: [1 2; 3 4] times [5 6; 7 8], and the transpose of the former times the latter.
#[test]
fn two_by_two_by_hand() {
    for isa in Isa::available() {
        let left = Left { rows: Grid::line(2, 2), runs: Grid::line(1, 0), run: 2 };
        let (a, b) = ([1.0_f32, 2.0, 3.0, 4.0], [5.0_f32, 6.0, 7.0, 8.0]);
        let panels = Panels::new::<f32>(isa, 2, 2);
        let mut packed = vec![0.0; panels.len()];
        panels.pack(&mut packed, |k, n| b[k * 2 + n]);
        let mut out = [0.0_f32; 4];
        let rows = Grid::line(2, 2);
        multiply(isa, &left, &a, &panels, &packed, None, Finish::Store, &rows, &mut out);
        assert_eq!(out, [19.0, 22.0, 43.0, 50.0]);
        let mut out = [1.0_f32; 4];
        multiply_transposed(isa, &left, &a, &rows, &b, 2, &mut out, 2);
        assert_eq!(out, [27.0, 31.0, 39.0, 45.0]);
    }
}

#[test]
fn empty_operands_write_nothing() {
    for isa in Isa::available() {
        let left = Left { rows: Grid::line(0, 4), runs: Grid::line(1, 0), run: 4 };
        let panels = Panels::new::<f32>(isa, 4, 3);
        let packed = vec![0.0; panels.len()];
        let mut out = [5.0_f32; 3];
        let rows = Grid::line(0, 3);
        multiply(isa, &left, &[], &panels, &packed, None, Finish::Store, &rows, &mut out);
        multiply_transposed(isa, &left, &[], &rows, &[], 3, &mut out, 3);
        assert_eq!(out, [5.0; 3]);
    }
}

#[test]
fn nan_and_infinity_pass_through_a_product() {
    for isa in Isa::available() {
        let left = Left { rows: Grid::line(2, 1), runs: Grid::line(1, 0), run: 1 };
        let panels = Panels::new::<f32>(isa, 1, 1);
        let mut packed = vec![0.0; panels.len()];
        panels.pack(&mut packed, |_, _| 1.0);
        let mut out = [0.0_f32; 2];
        let rows = Grid::line(2, 1);
        let a = [f32::NAN, f32::NEG_INFINITY];
        multiply(isa, &left, &a, &panels, &packed, None, Finish::Store, &rows, &mut out);
        assert!(out[0].is_nan() && out[1] == f32::NEG_INFINITY, "{isa}: {out:?}");
    }
}

/// Sizes whose products pass the address space must not be taken for small ones.
#[test]
fn sizes_beyond_the_address_space_are_refused() {
    const HALF: usize = 1 << (usize::BITS - 1);
    let refused = |what: &str, run: &mut dyn FnMut()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err(what);
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or(panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        assert!(!message.contains("overflow"), "{what}: {message}");
    };
    for isa in Isa::available() {
        let panels = Panels::new::<f32>(isa, 1, 1);
        let packed = vec![0.0; panels.len()];
        let (plain, mut out) = (Grid::line(3, 1), [0.0_f32; 4]);
        // The last of three rows lies at 2 * HALF, which is 0 in the numbers of the machine.
        let far = Grid::line(3, HALF);
        let [left_far, left] =
            [far, plain].map(|rows| Left { rows, runs: Grid::line(1, 0), run: 1 });
        let store = Finish::Store;
        refused("left", &mut || {
            multiply(isa, &left_far, &[1.0], &panels, &packed, None, store, &plain, &mut out);
        });
        refused("out", &mut || {
            multiply(isa, &left, &[1.0; 3], &panels, &packed, None, store, &far, &mut out);
        });
        refused("left, transposed", &mut || {
            multiply_transposed(isa, &left_far, &[1.0], &plain, &[1.0; 3], 1, &mut out, 1);
        });
        refused("right, transposed", &mut || {
            multiply_transposed(isa, &left, &[1.0; 3], &far, &[1.0], 1, &mut out, 1);
        });
        let wide = Left { rows: plain, runs: Grid::line(1, 0), run: 3 };
        refused("out, transposed", &mut || {
            multiply_transposed(isa, &wide, &[1.0; 8], &plain, &[1.0; 8], 1, &mut out, HALF);
        });
        // HALF rows of 2 columns or more: no number at all, in the numbers of the machine.
        let endless = Left { rows: Grid::line(1, 0), runs: Grid::line(HALF, 0), run: 1 };
        refused("panels", &mut || {
            let panels = Panels::new::<f32>(isa, HALF, 2);
            multiply(isa, &endless, &[1.0], &panels, &[], None, store, &Grid::line(1, 0), &mut out);
        });
    }
}
