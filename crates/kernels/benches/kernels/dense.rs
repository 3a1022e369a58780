//! Dense layers on a chunk of 32 images: forward, and both gradients.

use crate::numbers::some;
use crate::rate::OfPeak;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use percept_kernels::isa::Isa;
use percept_kernels::product::{Finish, Grid, Left, Panels, multiply, multiply_transposed};

const IMAGES: usize = 32;

/// in_features and out_features.
const SHAPES: [[usize; 2]; 6] =
    [[784, 128], [400, 120], [120, 84], [3136, 128], [4704, 96], [128, 10]];

pub(crate) fn measure(criterion: &mut Criterion<OfPeak>, isa: Isa) {
    let mut group = criterion.benchmark_group(format!("{isa}/dense forward"));
    SHAPES.iter().for_each(|[inputs, outputs]| multiplied(&mut group, isa, *inputs, *outputs));
    group.finish();
    let mut group = criterion.benchmark_group(format!("{isa}/dense input gradient"));
    SHAPES.iter().for_each(|[inputs, outputs]| multiplied(&mut group, isa, *outputs, *inputs));
    group.finish();
    let mut group = criterion.benchmark_group(format!("{isa}/dense weight gradient"));
    SHAPES.iter().for_each(|[inputs, outputs]| transposed(&mut group, isa, *inputs, *outputs));
}

type Group<'a> = BenchmarkGroup<'a, OfPeak>;

fn operations(k: usize, n: usize) -> Throughput {
    Throughput::Elements((2 * IMAGES * k * n) as u64)
}

fn rows_of(features: usize) -> Left {
    Left { rows: Grid::line(IMAGES, features), runs: Grid::line(1, 0), run: features }
}

/// [images, k] times [k, n].
fn multiplied(group: &mut Group<'_>, isa: Isa, k: usize, n: usize) {
    let panels = Panels::new::<f32>(isa, k, n);
    let (weight, bias) = (some(panels.len()), some(panels.padded_columns()));
    let (left, mut out) = (some(IMAGES * k), some(IMAGES * n));
    let (geometry, rows) = (rows_of(k), Grid::line(IMAGES, n));
    group.throughput(operations(k, n));
    group.bench_function(format!("{k}-{n}"), |bencher| {
        bencher.iter(|| {
            let (bias, finish) = (Some(&*bias), Finish::StoreRelu);
            multiply(isa, &geometry, &left, &panels, &weight, bias, finish, &rows, &mut out);
        });
    });
}

/// [k, images] times [images, n].
fn transposed(group: &mut Group<'_>, isa: Isa, k: usize, n: usize) {
    let (left, right) = (some(IMAGES * k), some(IMAGES * n));
    let mut weight = some(k * n);
    let (geometry, rows) = (rows_of(k), Grid::line(IMAGES, n));
    group.throughput(operations(k, n));
    group.bench_function(format!("{k}-{n}"), |bencher| {
        bencher.iter(|| {
            multiply_transposed(isa, &geometry, &left, &rows, &right, n, &mut weight, n);
        });
    });
}
