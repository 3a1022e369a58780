//! What a step does to the weights: lanes added up, the norm, and the optimizers' steps, on a part of a tensor.

use crate::numbers::some;
use crate::rate::OfPeak;
use criterion::{Criterion, Throughput};
use percept_kernels::descent::{self, AdamStep, MomentumStep};
use percept_kernels::isa::Isa;
use percept_kernels::slices;

/// Numbers that a thread takes at once.
const PART: usize = 8192;

const MOMENTUM: MomentumStep =
    MomentumStep { learning_rate: 1e-6, momentum: 0.9, nesterov: true, weight_decay: 1e-4 };

const ADAM: AdamStep = AdamStep {
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    rate: 1e-6,
    root_scale: 1.0,
    coupled_decay: 0.0,
    keep: 1.0,
};

pub(crate) fn measure(criterion: &mut Criterion<OfPeak>, isa: Isa) {
    let mut group = criterion.benchmark_group(format!("{isa}/descent"));
    let bytes = |arrays: usize| Throughput::BytesDecimal((arrays * PART * size_of::<f32>()) as u64);
    let gradient = some(PART);
    let (mut weights, mut first, mut second) = (some(PART), some(PART), some(PART));
    // The second moment is a mean of squares.
    second.iter_mut().for_each(|v| *v *= *v);
    group.throughput(bytes(3));
    group.bench_function("add a lane", |bencher| {
        bencher.iter(|| slices::add(isa, &gradient, &mut first));
    });
    group.throughput(bytes(1));
    group.bench_function("norm", |bencher| {
        bencher.iter(|| slices::norm_squared(isa, &gradient));
    });
    group.throughput(bytes(3));
    group.bench_function("plain step", |bencher| {
        bencher.iter(|| descent::plain_step(isa, 1e-6, 1e-4, &mut weights, &gradient));
    });
    group.throughput(bytes(5));
    group.bench_function("momentum step", |bencher| {
        bencher.iter(|| {
            descent::momentum_step(isa, MOMENTUM, &mut weights, &gradient, &mut first);
        });
    });
    group.throughput(bytes(7));
    group.bench_function("adam step", |bencher| {
        bencher.iter(|| {
            descent::adam_step(isa, ADAM, &mut weights, &gradient, &mut first, &mut second);
        });
    });
}
