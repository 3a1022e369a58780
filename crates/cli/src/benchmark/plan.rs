//! What is measured, in order, and for how long.

use super::findings::{Findings, NetworkFindings, Peak, Timed};
use super::machine;
use super::progress::Progress;
use crate::failure::Failure;
use percept::kernels::isa::Isa;
use percept::kernels::peak;
use percept::train::benchmark::{Bench, Workload, prediction_operations, training_operations};
use std::thread::available_parallelism;
use std::time::Duration;

/// Images of the predictions whose throughput is measured.
const BATCH: usize = 256;

/// For how long each thing is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    peak: Duration,
    training: Duration,
    prediction: Duration,
}

impl Times {
    /// What suits the standard networks within half a minute, or a quarter of it.
    pub(crate) fn new(quick: bool) -> Self {
        let milliseconds = |time: u64| Duration::from_millis(if quick { time / 4 } else { time });
        Self { peak: milliseconds(200), training: milliseconds(900), prediction: milliseconds(300) }
    }
}

/// What is going to be measured.
#[derive(Debug)]
pub(crate) struct Plan {
    benches: Vec<Bench>,
    isa: Isa,
    threads: Vec<usize>,
    times: Times,
}

impl Plan {
    /// Everything of each workload, on one thread and on `threads` (0: one per processor).
    ///
    /// # Errors
    /// Exit code 2 where a network cannot be, or there are too many threads.
    pub(crate) fn new(
        workloads: Vec<Workload>,
        isa: Isa,
        threads: usize,
        times: Times,
    ) -> Result<Self, Failure> {
        let all = match threads {
            0 => available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let benches = workloads
            .into_iter()
            .map(|workload| Bench::new(workload, isa, BATCH).map_err(Failure::from))
            .collect::<Result<_, _>>()?;
        let threads = if all > 1 { vec![1, all] } else { vec![1] };
        Ok(Self { benches, isa, threads, times })
    }

    /// About how long everything takes.
    fn time(&self) -> Duration {
        let threads = self.threads.len() as u32;
        let peaks = self.times.peak * threads * Isa::available().len() as u32;
        let predictions = self.times.prediction * (1 + threads);
        peaks + (self.times.training * threads + predictions) * self.benches.len() as u32
    }
}

/// Measures.
///
/// # Errors
/// Exit code 2 where a network cannot be trained, 4 where a number is not finite.
pub(crate) fn run(plan: Plan) -> Result<Findings, Failure> {
    let mut progress = Progress::new(plan.time());
    let peaks = peaks(&plan, &mut progress);
    let networks = plan
        .benches
        .iter()
        .map(|bench| network(bench, &plan, &mut progress))
        .collect::<Result<_, _>>()?;
    progress.end();
    let processor = machine::processor();
    Ok(Findings { processor, isa: plan.isa, threads: plan.threads, peaks, networks })
}

fn peaks(plan: &Plan, progress: &mut Progress) -> Vec<Peak> {
    let mut peaks = Vec::new();
    for isa in Isa::available() {
        for threads in &plan.threads {
            progress.begin(&format!("peak of {isa}"), *threads, plan.times.peak);
            let rate = peak::operations_per_second(isa, *threads, plan.times.peak);
            peaks.push(Peak { isa, threads: *threads, rate });
        }
    }
    peaks
}

fn network(
    bench: &Bench,
    plan: &Plan,
    progress: &mut Progress,
) -> Result<NetworkFindings, Failure> {
    let Workload { name, kind, config } = bench.workload();
    let mut training = Vec::new();
    for threads in &plan.threads {
        progress.begin(&format!("{name}: training"), *threads, plan.times.training);
        let seconds = bench.training_step(*threads, plan.times.training)?;
        training.push(Timed { threads: *threads, images: config.batch_size, seconds });
    }
    let one = (1, 1);
    let many = plan.threads.iter().map(|threads| (BATCH, *threads));
    let mut prediction = Vec::new();
    for (images, threads) in std::iter::once(one).chain(many) {
        progress.begin(&format!("{name}: predicting {images}"), threads, plan.times.prediction);
        let seconds = bench.prediction(images, threads, plan.times.prediction);
        prediction.push(Timed { threads, images, seconds });
    }
    let description = bench.description();
    Ok(NetworkFindings {
        name: name.clone(),
        kind: *kind,
        precision: bench.precision(),
        parameters: description.parameter_len(),
        operations: prediction_operations(description),
        training_operations: training_operations(description),
        batch: config.batch_size,
        training,
        prediction,
    })
}
