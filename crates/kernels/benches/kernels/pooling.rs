//! Pooling, forward and back.

use crate::numbers::{IMAGES, some};
use crate::rate::OfPeak;
use criterion::{Criterion, Throughput};
use percept_kernels::isa::Isa;
use percept_kernels::pool::{
    Windows, average_backward, average_forward, max_backward, max_forward,
};

/// Side of the image and channels: LeNet's two, the CNN's two; then an odd side and the windows over a whole image.
const HALVED: [[usize; 2]; 4] = [[28, 6], [10, 16], [28, 32], [14, 64]];

fn halving(side: usize, channels: usize) -> Windows {
    Windows {
        input: [side; 2],
        output: [side / 2; 2],
        kernel: [2; 2],
        stride: [2; 2],
        padding: [0; 2],
        channels,
    }
}

/// ResNet-20's average over all pixels.
const GLOBAL: Windows = Windows {
    input: [8; 2],
    output: [1; 2],
    kernel: [8; 2],
    stride: [8; 2],
    padding: [0; 2],
    channels: 64,
};

pub(crate) fn measure(criterion: &mut Criterion<OfPeak>, isa: Isa) {
    let mut group = criterion.benchmark_group(format!("{isa}/pool"));
    // The last window of an odd side is cut off: the general body.
    let odd = Windows { input: [29; 2], ..halving(28, 32) };
    let windows = HALVED.map(|[side, channels]| halving(side, channels)).into_iter().chain([odd]);
    for windows in windows {
        let Windows { input: [side, _], channels, .. } = windows;
        let (input, output) = lens(&windows);
        let (x, grad_y, mut y, mut grad_x) = (some(input), some(output), some(output), some(input));
        let mut scratch = some(output / IMAGES);
        group.throughput(bytes(input + output));
        group.bench_function(format!("max forward {side}x{side}x{channels}"), |bencher| {
            bencher.iter(|| max_forward(isa, &windows, &x, &mut y));
        });
        group.throughput(bytes(2 * input + 2 * output));
        group.bench_function(format!("max backward {side}x{side}x{channels}"), |bencher| {
            bencher.iter(|| {
                max_backward(isa, &windows, &x, &y, &grad_y, &mut grad_x, &mut scratch);
            });
        });
    }
    let (input, output) = lens(&GLOBAL);
    let (x, mut y, mut grad_x) = (some(input), some(output), some(input));
    group.throughput(bytes(input + output));
    group.bench_function("average forward 8x8x64", |bencher| {
        bencher.iter(|| average_forward(isa, &GLOBAL, &x, &mut y));
    });
    group.bench_function("average backward 8x8x64", |bencher| {
        bencher.iter(|| average_backward(isa, &GLOBAL, &y, &mut grad_x));
    });
}

/// Numbers of a chunk, before and behind the pooling.
fn lens(windows: &Windows) -> (usize, usize) {
    let pixels = |side: [usize; 2]| IMAGES * side[0] * side[1] * windows.channels;
    (pixels(windows.input), pixels(windows.output))
}

fn bytes(numbers: usize) -> Throughput {
    Throughput::BytesDecimal((numbers * size_of::<f32>()) as u64)
}
