//! Softmax, loss and gradient in one pass: `cargo bench -p percept-nn`.

use criterion::{Criterion, Throughput};
use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use percept_nn::loss::{LossSettings, Target, cross_entropy};
use std::time::Duration;

/// Examples of a chunk.
const EXAMPLES: usize = 32;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(600))
        .configure_from_args();
    let mut group = criterion.benchmark_group("softmax loss and gradient");
    group.throughput(Throughput::Elements(EXAMPLES as u64));
    for classes in [10, 100] {
        let mut draws = Draws::new(1, Purpose::Test, 0, 0);
        let logits: Vec<f32> = (0..EXAMPLES * classes).map(|_| draws.normal()).collect();
        let targets: Vec<Target> =
            (0..classes as u32).map(Target::from).cycle().take(EXAMPLES).collect();
        let (mut gradient, isa) =
            (vec![0.0; logits.len()], Isa::chosen().expect("an instruction set of this processor"));
        for label_smoothing in [0.0, 0.05] {
            let settings = LossSettings { label_smoothing, ..LossSettings::default() };
            let name = format!("{classes} classes, label smoothing {label_smoothing}");
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let examples = EXAMPLES as f64;
                    cross_entropy(
                        isa,
                        &settings,
                        classes,
                        &logits,
                        &targets,
                        examples,
                        &mut gradient,
                    )
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
