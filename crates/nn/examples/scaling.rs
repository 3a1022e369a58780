//! How a training step would scale to more cores than this machine has:
//!
//! ```text
//! scaling NETWORK.toml|PRESET.toml BATCH CHUNK LANES [sgd|adam|adamw|muon]
//! ```
//!
//! Measures on one thread what each item of each of the step's jobs takes (see [`Job`]), and between two threads what it
//! takes a cache line to travel, then plays the crew's rule for any number of threads: a thread takes the next item when
//! it is free, a job begins when the one before is done. The rows for the threads that the machine does have also tell
//! what the step takes in truth.
//!
//! The play knows neither of shared caches nor of memory bandwidth, nor that processors slow down with more cores at
//! work: it says what the schedule allows.
#![allow(clippy::print_stdout)]

use percept_kernels::isa::Isa;
use percept_kernels::random::{Draws, Purpose};
use percept_nn::engine::jobs::Job;
use percept_nn::engine::{Engine, EngineSettings};
use percept_nn::loss::LossSettings;
use percept_nn::network::Network;
use percept_nn::optim::OptimizerSpec;
use percept_nn::source::InMemory;
use percept_nn::spec::NetworkSpec;
use std::error::Error;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Repetitions of each measurement; the median counts.
const TIMES: usize = 5;

const THREADS: [usize; 9] = [1, 2, 4, 8, 12, 16, 24, 32, 64];

/// A step to be measured: a network, how it is trained, and a batch in memory.
struct Case {
    network: Network,
    settings: EngineSettings,
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

/// A job and the seconds of each of its items, in the order in which the crew takes them.
struct Measured {
    job: Job,
    items: Vec<f64>,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let case = Case::new(&arguments)?;
    let jobs = case.jobs()?;
    let travel = line_travel();
    println!("| job | items | longest item | all items |\n|---|---|---|---|");
    for Measured { job, items } in &jobs {
        let longest = items.iter().copied().fold(0.0, f64::max);
        let all: f64 = items.iter().sum();
        println!("| {job:?} | {} | {} | {} |", items.len(), us(longest), us(all));
    }
    println!("\nA cache line travels between two threads in {:.0} ns.\n", travel * 1e9);
    println!("| threads | step | speed-up | of ideal | longest jobs | measured | speed-up |");
    println!("|---|---|---|---|---|---|---|");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let one = step(&jobs, 1, travel).0;
    let mut measured_one = None;
    for threads in THREADS {
        let (seconds, shares) = step(&jobs, threads, travel);
        let speed_up = one / seconds;
        let ideal = 100.0 * speed_up / threads as f64;
        let (mut truth, mut gain) = (String::new(), String::new());
        if threads <= processors {
            let seconds = case.step_seconds(threads)?;
            let one = *measured_one.get_or_insert(seconds);
            (truth, gain) = (us(seconds), format!("{:.2}", one / seconds));
        }
        let shares = shares.join(", ");
        println!(
            "| {threads} | {} | {speed_up:.2} | {ideal:.0} % | {shares} | {truth} | {gain} |",
            us(seconds)
        );
    }
    Ok(())
}

/// The network of a network file, or of a training configuration.
fn spec(text: &str) -> Outcome<NetworkSpec> {
    let table: toml::Table = text.parse()?;
    match table.get("network") {
        Some(network) => Ok(network.clone().try_into()?),
        None => Ok(NetworkSpec::from_toml(text)?),
    }
}

/// Microseconds, as people read them.
fn us(seconds: f64) -> String {
    format!("{:.1} us", seconds * 1e6)
}

impl Case {
    fn new(arguments: &[String]) -> Outcome<Self> {
        let text =
            |at: usize| arguments.get(at).ok_or("see the head of the file for the arguments");
        let number = |at: usize| -> Outcome<usize> { Ok(text(at)?.parse()?) };
        let kind = text(4).map_or("sgd", String::as_str);
        let optimizer: OptimizerSpec = serde_json::from_value(serde_json::json!({ "kind": kind }))?;
        let spec = spec(&std::fs::read_to_string(text(0)?)?)?;
        let network = Network::<f32>::new(spec, 1)?;
        let batch_size = number(1)?;
        let settings = EngineSettings {
            compute: Isa::chosen()?.into(),
            threads: 1,
            batch_size,
            chunk_size: number(2)?,
            lanes: number(3)?,
            loss: LossSettings::default(),
            optimizer: optimizer.with_learning_rate(1e-4),
            clip_norm: None,
            average: None,
            seed: 1,
        };
        let mut draws = Draws::new(1, Purpose::Test, 0, 0);
        let len = batch_size * network.description().input.len();
        let classes = u32::try_from(network.description().output.len())?;
        let pixels = (0..len).map(|_| draws.uniform_in(-1.0, 1.0)).collect();
        let labels = (0..classes).cycle().take(batch_size).collect();
        Ok(Self { network, settings, pixels, labels })
    }

    fn engine(&self, threads: usize) -> Outcome<Engine> {
        let settings = EngineSettings { threads, ..self.settings.clone() };
        Ok(Engine::new(self.network.clone(), settings)?)
    }

    fn source(&self) -> InMemory<'_, f32> {
        InMemory { pixels: &self.pixels, labels: &self.labels }
    }

    /// Seconds of a whole step.
    fn step_seconds(&self, threads: usize) -> Outcome<f64> {
        let (mut engine, source) = (self.engine(threads)?, self.source());
        engine.step(&source, self.labels.len(), 1.0)?;
        Ok(median(|| {
            // Sound numbers in, so the step cannot diverge at this learning rate; a wrong one would show in its time.
            let _ = engine.step(&source, self.labels.len(), 1.0);
        }))
    }

    /// Each job's items. A job is timed as a whole and shared out by what its items are large; but the matrices of Muon
    /// take more the larger they are, so each is timed by itself.
    fn jobs(&self) -> Outcome<Vec<Measured>> {
        let examples = self.labels.len();
        let (mut engine, source) = (self.engine(1)?, self.source());
        engine.step(&source, examples, 1.0)?;
        let mut jobs = Vec::new();
        for job in Job::ALL {
            let whole = median(|| engine.repeat(job, &source, examples));
            let sizes = engine.items(job, examples);
            let total: usize = sizes.iter().sum();
            let mut items: Vec<f64> =
                sizes.iter().map(|size| whole * *size as f64 / total.max(1) as f64).collect();
            if job == Job::Update {
                self.time_matrices(whole, &sizes, &mut items);
            }
            jobs.push(Measured { job, items });
        }
        Ok(jobs)
    }

    /// Replaces the time of each part that is a whole matrix, and shares out the rest.
    fn time_matrices(&self, whole: f64, sizes: &[usize], items: &mut [f64]) {
        let optimizer = &self.settings.optimizer;
        let parameters = self.network.parameters().iter();
        let matrices: Vec<_> = parameters.filter(|p| !optimizer.is_elementwise(p)).collect();
        let mut rest = whole;
        let mut timed = vec![None; sizes.len()];
        for parameter in matrices {
            let seconds = self.matrix_seconds(parameter);
            rest -= seconds;
            let ends = sizes.iter().scan(0, |end, size| {
                *end += size;
                Some(*end)
            });
            let at = ends.zip(sizes).position(|(end, size)| {
                end == parameter.range.end && *size == parameter.range.len()
            });
            if let Some(at) = at {
                timed[at] = Some(seconds);
            }
        }
        let small: usize =
            timed.iter().zip(sizes).filter(|(t, _)| t.is_none()).map(|(_, size)| size).sum();
        for ((item, timed), size) in items.iter_mut().zip(timed).zip(sizes) {
            let share = rest.max(0.0) * *size as f64 / small.max(1) as f64;
            *item = timed.unwrap_or(share);
        }
    }

    fn matrix_seconds(&self, parameter: &percept_nn::parameter::Parameter) -> f64 {
        let Self { network, settings: EngineSettings { compute, optimizer, .. }, .. } = self;
        let isa = compute.isa;
        let mut weights = network.values()[parameter.range.clone()].to_vec();
        let gradient = weights.clone();
        let mut state = vec![0.0; optimizer.state_len(parameter)];
        let mut scratch = vec![0.0; optimizer.scratch_len(parameter)];
        let (state, scratch) = (&mut state, &mut scratch);
        median(|| {
            optimizer.update(isa, parameter, 1, 1e-4, &mut weights, &gradient, state, scratch);
        })
    }
}

/// Seconds of one call: the median of several windows of at least some milliseconds.
fn median(mut call: impl FnMut()) -> f64 {
    call();
    let mut seconds: Vec<f64> = (0..TIMES)
        .map(|_| {
            let (start, mut calls) = (Instant::now(), 0);
            loop {
                call();
                calls += 1;
                let taken = start.elapsed().as_secs_f64();
                if taken > 0.02 {
                    break taken / f64::from(calls);
                }
            }
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[TIMES / 2]
}

/// Seconds in which a line that one thread has written reaches another: half a round of ping and pong.
fn line_travel() -> f64 {
    const ROUNDS: usize = 200_000;
    let ball = AtomicUsize::new(0);
    let play = |mine: usize| {
        for round in 0..ROUNDS {
            while ball.load(Ordering::Acquire) != 2 * round + mine {
                spin_loop();
            }
            ball.store(2 * round + mine + 1, Ordering::Release);
        }
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
    start.elapsed().as_secs_f64() / (2 * ROUNDS) as f64
}

/// Seconds of a step, and the jobs that take more than a twentieth of it with their shares.
fn step(jobs: &[Measured], threads: usize, travel: f64) -> (f64, Vec<String>) {
    let times: Vec<f64> = jobs.iter().map(|job| job_seconds(&job.items, threads, travel)).collect();
    let total: f64 = times.iter().sum();
    let mut shares: Vec<(f64, String)> = jobs
        .iter()
        .zip(times)
        .map(|(job, time)| (time / total, format!("{:?} {:.0} %", job.job, 100.0 * time / total)))
        .filter(|(share, _)| *share >= 0.05)
        .collect();
    shares.sort_by(|a, b| b.0.total_cmp(&a.0));
    (total, shares.into_iter().map(|(_, words)| words).collect())
}

/// Seconds of one job. The hands come one after the other, since each writes the crew's line to enter; a thread that is
/// free takes the next item; at the end each hand writes the line again.
fn job_seconds(items: &[f64], threads: usize, travel: f64) -> f64 {
    if threads == 1 || items.len() <= 1 {
        return items.iter().sum();
    }
    let mut free: Vec<f64> = (0..threads).map(|hand| hand as f64 * travel).collect();
    let mut entered = vec![false; threads];
    for item in items {
        let next = (0..threads).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap_or(0);
        entered[next] = true;
        free[next] += item + travel;
    }
    let worked = free.iter().zip(&entered).filter(|(_, entered)| **entered);
    let last = worked.map(|(end, _)| *end).fold(0.0, f64::max);
    let hands = entered.iter().skip(1).filter(|entered| **entered).count();
    last + hands as f64 * travel
}
