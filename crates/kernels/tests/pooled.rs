//! Convolutions right before a 2x2 max-pooling: every body against the plain way, which unfolds nothing but convolves,
//! pools and spreads one after the other. All numbers are small whole numbers, so that every sum is exact and the bits
//! must be the same.
#![allow(clippy::print_stdout)] // which bodies ran

use percept_kernels::isa::Isa;
use percept_kernels::pad::Frame;
use percept_kernels::pixel_conv::PixelConv;
use percept_kernels::pool::{self, Windows};
use percept_kernels::pooled_gradient::PooledWindows;
use percept_kernels::product::{Finish, Grid, Left, Panels, multiply, multiply_transposed};
use percept_kernels::random::{Draws, Purpose};

fn whole(len: usize, example: u64) -> Vec<f32> {
    let mut draws = Draws::new(17, Purpose::Test, 0, example);
    (0..len).map(|_| draws.below(7) as f32 - 3.0).collect()
}

fn shapes() -> Vec<PixelConv> {
    let shape = |input, channels, outputs, kernel, padding| PixelConv {
        input,
        channels,
        outputs,
        kernel,
        padding,
    };
    let mut all = vec![
        shape([28, 28], 1, 6, [5, 5], [2, 2]),
        shape([14, 14], 6, 16, [5, 5], [0, 0]),
        shape([6, 9], 3, 8, [3, 2], [1, 0]),
        shape([4, 70], 1, 3, [3, 3], [1, 1]),
        shape([5, 7], 2, 7, [2, 4], [0, 0]),
        shape([2, 2], 1, 1, [1, 1], [0, 0]),
        shape([4, 40], 1, 5, [5, 7], [3, 2]),
        shape([8, 8], 24, 2, [3, 3], [1, 1]),
        shape([40, 28], 6, 16, [5, 5], [0, 0]),
        shape([4, 4], 1, 8, [5, 5], [2, 2]),
        shape([6, 6], 3, 7, [5, 5], [0, 0]),
    ];
    // Miri takes ten thousand times as long.
    if cfg!(miri) {
        all.retain(|shape| shape.input[0] * shape.input[1] * shape.channels <= 108);
    }
    all
}

const IMAGES: usize = 3;

fn frame(conv: &PixelConv) -> Frame {
    let [top, left] = conv.padding;
    Frame {
        height: conv.input[0],
        width: conv.input[1],
        channels: conv.channels,
        top: top.cast_signed(),
        left: left.cast_signed(),
        frame_height: conv.input[0] + 2 * top,
        frame_width: conv.input[1] + 2 * left,
    }
}

fn framed(conv: &PixelConv, x: &[f32]) -> Vec<f32> {
    let frame = frame(conv);
    let mut frames = vec![0.0; IMAGES * frame.len()];
    for (image, out) in x.chunks_exact(conv.input_len()).zip(frames.chunks_exact_mut(frame.len())) {
        frame.place(image, 0.0, out);
    }
    frames
}

/// The windows of one framed image, and the rows of what is convolved from it.
fn geometry(conv: &PixelConv) -> (Left, Grid) {
    let pitch = frame(conv).frame_width * conv.channels;
    let [height, width] = conv.output().map(|size| 2 * size);
    let rows = Grid { outer: height, outer_pitch: pitch, inner: width, inner_pitch: conv.channels };
    let run = conv.kernel[1] * conv.channels;
    let out = Grid {
        outer: height,
        outer_pitch: width * conv.outputs,
        inner: width,
        inner_pitch: conv.outputs,
    };
    (Left { rows, runs: Grid::line(conv.kernel[0], pitch), run }, out)
}

fn pooling(conv: &PixelConv) -> Windows {
    Windows {
        input: conv.output().map(|size| 2 * size),
        output: conv.output(),
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
        channels: conv.outputs,
    }
}

/// y and the marks, channels last.
fn plainly(isa: Isa, conv: &PixelConv, x: &[f32], w: &[f32], bias: &[f32]) -> [Vec<f32>; 2] {
    let ((left, rows), frames) = (geometry(conv), framed(conv, x));
    let (k, n) = (left.columns(), conv.outputs);
    let panels = Panels::new::<f32>(isa, k, n);
    let mut packed = vec![0.0; panels.len()];
    panels.pack(&mut packed, |k, o| w[k * n + o]);
    let mut padded = bias.to_vec();
    padded.resize(panels.padded_columns(), 0.0);
    let mut sums = vec![0.0; IMAGES * 4 * conv.output_len()];
    let images = frames.chunks_exact(frame(conv).len());
    for (image, out) in images.zip(sums.chunks_exact_mut(4 * conv.output_len())) {
        let bias = Some(&*padded);
        multiply(isa, &left, image, &panels, &packed, bias, Finish::Store, &rows, out);
    }
    let mut found = [vec![9.0; IMAGES * conv.output_len()], vec![9.0; IMAGES * conv.output_len()]];
    let [y, marks] = &mut found;
    pool::halve_marked(isa, &pooling(conv), true, &sums, y, marks);
    found
}

#[test]
fn pixels_are_convolved_and_pooled_as_plainly() {
    for isa in Isa::available() {
        println!("pixel_conv: body {isa}");
        for conv in shapes() {
            let n = conv.outputs;
            let x = whole(IMAGES * conv.input_len(), 1);
            let w = whole(conv.kernel.iter().product::<usize>() * conv.channels * n, 2);
            let bias = whole(n, 3);
            let [expected, expected_marks] = plainly(Isa::SCALAR, &conv, &x, &w, &bias);
            assert_eq!(plainly(isa, &conv, &x, &w, &bias)[0], expected, "{isa} {conv:?}");
            for marked in [true, false] {
                let mut y = vec![9.0; expected.len()];
                let mut marks = vec![9.0; y.len()];
                let mut scratch = vec![f32::NAN; conv.scratch_len()];
                let wanted = marked.then_some(&mut *marks);
                conv.forward(isa, &x, &w, &bias, &mut y, wanted, &mut scratch);
                assert_eq!(y, expected, "{isa} {conv:?}");
                let pixels = conv.output_len() / n;
                for (at, mark) in expected_marks.iter().enumerate().filter(|_| marked) {
                    let (image, pixel, o) = (at / (pixels * n), at / n % pixels, at % n);
                    let found = marks[(image * n + o) * pixels + pixel];
                    assert_eq!(found, *mark, "{isa} {conv:?} mark {at}");
                }
            }
        }
    }
}

#[test]
fn nan_reaches_the_pooled_result() {
    let conv =
        PixelConv { input: [2, 4], channels: 1, outputs: 2, kernel: [1, 1], padding: [0, 0] };
    for isa in Isa::available() {
        let mut scratch = vec![0.0; conv.scratch_len()];
        for place in [0, 1, 4, 5] {
            let mut x = [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
            x[place] = f32::NAN;
            let mut y = [0.0; 4];
            conv.forward(isa, &x, &[1.0, -1.0], &[0.0; 2], &mut y, None, &mut scratch);
            assert!(y[0].is_nan() && y[1].is_nan(), "{isa}: {y:?}");
            assert_eq!(y[2..], [8.0, 0.0], "{isa}");
        }
    }
}

/// The sums of all images, which begin at 1, with zeros beyond a run.
fn add_images(
    isa: Isa,
    windows: &PooledWindows,
    frames: &[f32],
    grad: &[f32],
    marks: &[f32],
) -> Vec<f32> {
    let mut sums = vec![1.0; windows.sums_len::<f32>(isa)];
    let mut scratch = vec![f32::NAN; windows.scratch_len::<f32>(isa)];
    windows.prepare(isa, &mut scratch);
    let pooled = grad.len() / IMAGES;
    let results = grad.chunks_exact(pooled).zip(marks.chunks_exact(pooled));
    for (frame, (grad, marks)) in frames.chunks_exact(windows.frame_len).zip(results) {
        let mut frame = frame.to_vec();
        frame.resize(windows.framed_len::<f32>(isa), f32::NAN);
        windows.add(isa, &frame, grad, marks, &mut sums, &mut scratch);
    }
    for run in sums.chunks_exact_mut(windows.padded_run::<f32>(isa)) {
        run[windows.run..].fill(0.0);
    }
    sums
}

/// The marks of each image, one channel after the other.
fn channels_first(windows: &PooledWindows, marks: &[f32]) -> Vec<f32> {
    let images = marks.chunks_exact(marks.len() / IMAGES);
    images
        .flat_map(|marks| {
            let channel = |o: usize| marks[o..].iter().step_by(windows.outputs);
            (0..windows.outputs).flat_map(channel)
        })
        .copied()
        .collect()
}

#[test]
fn the_gradient_through_the_pool_is_that_of_the_spread_one() {
    for isa in Isa::available() {
        println!("pooled_gradient: body {isa}");
        for conv in shapes() {
            let ((left, rows), pooled) = (geometry(&conv), conv.output_len());
            let x = framed(&conv, &whole(IMAGES * conv.input_len(), 1));
            let grad = whole(IMAGES * pooled, 2);
            let mut draws = Draws::new(5, Purpose::Test, 0, 0);
            let marks: Vec<f32> = grad.iter().map(|_| draws.below(4) as f32).collect();

            let mut spread = vec![9.0; 4 * grad.len()];
            pool::halve_spread(isa, &pooling(&conv), &marks, &grad, &mut spread);
            let (k, n) = (left.columns(), conv.outputs);
            let mut expected = vec![0.0; k * n];
            let images = x.chunks_exact(frame(&conv).len());
            for (image, grad) in images.zip(spread.chunks_exact(4 * pooled)) {
                let scalar = Isa::SCALAR;
                multiply_transposed(scalar, &left, image, &rows, grad, n, &mut expected, n);
            }
            let windows = PooledWindows {
                output: conv.output(),
                outputs: n,
                rows: conv.kernel[0],
                run: left.run,
                row_pitch: left.runs.inner_pitch,
                frame_len: frame(&conv).len(),
                steps: [left.rows.outer_pitch, left.rows.inner_pitch],
                channels_first: false,
            };
            let sums = add_images(isa, &windows, &x, &grad, &marks);
            let first = PooledWindows { channels_first: true, ..windows };
            let turned = channels_first(&windows, &marks);
            assert_eq!(add_images(isa, &first, &x, &grad, &turned), sums, "{isa} {conv:?}");
            let padded = windows.padded_run::<f32>(isa);
            for (at, expected) in expected.iter().enumerate() {
                let (row, i, o) = (at / n / left.run, at / n % left.run, at % n);
                let found = sums[(o * windows.rows + row) * padded + i];
                assert_eq!(found, expected + 1.0, "{isa} {conv:?} [{row}, {i}, {o}]");
            }
        }
    }
}
