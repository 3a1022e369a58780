//! Batch norm's passes over a chunk: the sums and the scaling forward, the sums and the combination back.

use crate::numbers::{IMAGES, some};
use crate::rate::OfPeak;
use criterion::{Criterion, Throughput};
use percept_kernels::channels;
use percept_kernels::isa::Isa;

/// Side of the image and channels.
const SHAPES: [[usize; 2]; 6] = [[28, 32], [14, 64], [32, 16], [16, 32], [14, 24], [7, 96]];

pub(crate) fn measure(criterion: &mut Criterion<OfPeak>, isa: Isa) {
    for [side, channels] in SHAPES {
        one(criterion, isa, side, channels);
    }
}

fn one(criterion: &mut Criterion<OfPeak>, isa: Isa, side: usize, c: usize) {
    let mut group = criterion.benchmark_group(format!("{isa}/batch norm {side}x{side}x{c}"));
    let len = IMAGES * side * side * c;
    let pass = (len * size_of::<f32>()) as u64;
    let (x, grad_y, mut y) = (some(len), some(len), some(len));
    let (a, b, d) = (some(c), some(c), some(c));
    let (mut sums, mut products) = (some(c), some(c));
    let mut scratch = some(channels::scratch_len(c));
    group.throughput(Throughput::BytesDecimal(pass));
    group.bench_function("sum", |bencher| {
        bencher.iter(|| channels::sum(isa, &x, &mut sums, &mut scratch));
    });
    group.bench_function("sum of squares", |bencher| {
        bencher.iter(|| channels::sum_of_squares(isa, &x, &a, &mut sums, &mut scratch));
    });
    group.throughput(Throughput::BytesDecimal(2 * pass));
    group.bench_function("scale, shift, relu", |bencher| {
        bencher.iter(|| channels::scale_shift(isa, &x, &a, &b, true, &mut y, &mut scratch));
    });
    group.throughput(Throughput::BytesDecimal(2 * pass));
    group.bench_function("gradient sums", |bencher| {
        bencher.iter(|| {
            let (sums, products) = (&mut sums, &mut products);
            let relu = Some((&a[..], &b[..]));
            channels::gradient_sums(isa, &x, &a, relu, &grad_y, sums, products, &mut scratch);
        });
    });
    let mut grad_x = some(len);
    group.throughput(Throughput::BytesDecimal(3 * pass));
    group.bench_function("gradient combine", |bencher| {
        bencher.iter(|| {
            let (relu, grad_x) = (Some((&a[..], &b[..])), &mut grad_x);
            channels::gradient_combine(isa, &x, relu, &grad_y, &a, &b, &d, grad_x, &mut scratch);
        });
    });
}
