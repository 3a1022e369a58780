//! A plan that fits into a time: how fast this machine trains the network on the data is measured, and so long a training
//! is chosen that its schedule ends, and all is measured and written, before the time is over.

use super::Run;
use super::trial::Trial;
use crate::error::TrainError;
use crate::saved;
use percept_data::Part;
use std::fs;
use std::time::{Duration, Instant};

/// The fewest steps that are counted, where they take no more of the time than [`PATIENCE`].
const COUNTED: u32 = 3;
const PATIENCE: f64 = 0.1;
/// The share of the time that is spent on measuring steps, within bounds, and as much again on evaluating images.
const MEASURING: f64 = 0.02;
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// What the learning rate of a measured step is multiplied by: it must not diverge where a schedule begins slowly.
const FACTOR: f64 = 1e-6;
/// How many images an evaluation is timed on, where they take no more of the time than [`PATIENCE`].
const EVALUATED: [usize; 2] = [256, 2000];
/// Those before that are timed only to know how many there is time for.
const FIRST_IMAGES: usize = 16;
/// What is left of the time for what was not foreseen, as where something else begins to run on the machine.
const MARGIN: f64 = 0.1;
/// The most epochs, as a multiple of the configured ones.
const MOST: u32 = 10;
/// Seconds for what belongs to no step or epoch: the observers' last words and the model file.
const LAST_WORDS: f64 = 0.1;

/// The time that a run may take, from when it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct TimeBudget {
    /// When that was.
    pub asked: Instant,
    /// The time that it may take: opening the data, training, evaluating.
    pub total: Duration,
}

/// What was measured on this machine, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// A step.
    pub step: f64,
    /// What is done at the end of an epoch: validation and checkpoint.
    pub epoch_end: f64,
    /// What is done at the end of the run: validation, test, model file.
    pub end: f64,
}

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanLength {
    /// Whole epochs, at least 1.
    Epochs(u32),
    /// So many steps, at least 1: a part of an epoch.
    Steps(u64),
}

impl Speed {
    /// As much training as fits into so many seconds: whole epochs, up to `most`; where not even one fits, steps. `None`
    /// where there is no time for a step.
    #[must_use]
    pub fn fitting(&self, seconds: f64, steps_per_epoch: u64, most: u32) -> Option<PlanLength> {
        let left = seconds - self.end;
        let epoch = self.step * steps_per_epoch as f64 + self.epoch_end;
        let epochs = (left / epoch).floor();
        if epochs >= 1.0 {
            return Some(PlanLength::Epochs(epochs.min(f64::from(most)) as u32));
        }
        let steps = ((left - self.epoch_end) / self.step).floor();
        (steps >= 1.0).then_some(PlanLength::Steps(steps as u64))
    }
}

/// Fits a run that has not begun, whose folder exists; where that cannot be, the folder is taken away again.
pub(super) fn fit(run: &mut Run, budget: &TimeBudget) -> Result<(), TrainError> {
    let fitted = try_to_fit(run, budget);
    if fitted.is_err() {
        // Only where nothing is in it; the error is what counts.
        let _ = fs::remove_dir(&run.folder);
    }
    fitted
}

fn try_to_fit(run: &mut Run, budget: &TimeBudget) -> Result<(), TrainError> {
    let opening = budget.asked.elapsed();
    let fresh = run.engine.network().clone();
    run.config.steps = None;
    let speed = measure(run, budget.total, opening)?;
    let measured = budget.asked.elapsed();
    let left = budget.total.saturating_sub(measured).as_secs_f64();
    let (per_epoch, usual) = (run.steps_per_epoch(), run.config.epochs);
    let seconds = budget.total.as_secs();
    let most = usual.saturating_mul(MOST);
    let note = match speed.fitting(left * (1.0 - MARGIN), per_epoch, most) {
        Some(PlanLength::Epochs(epochs)) => {
            run.config.epochs = epochs;
            let why = match epochs == most {
                true => format!("{MOST} times the usual {usual}, which take less than"),
                false => format!("instead of {usual}, as many as fit into"),
            };
            let words = if epochs == 1 { "epoch" } else { "epochs" };
            format!(
                "{epochs} {words}, {why} {seconds} s on this machine (--epochs decides otherwise)"
            )
        }
        Some(PlanLength::Steps(steps)) => {
            (run.config.epochs, run.config.steps) = (1, Some(steps));
            format!(
                "{steps} of the {per_epoch} steps of an epoch, as many as fit into {seconds} s on this machine; a smaller \
                 network (--network) would see all images"
            )
        }
        None => {
            let trials = measured.saturating_sub(opening);
            return Err(too_short(&speed, seconds, opening.as_secs_f64(), trials.as_secs_f64()));
        }
    };
    run.notes.push(note);
    run.begin_with(fresh)
}

fn too_short(speed: &Speed, seconds: u64, opening: f64, trials: f64) -> TrainError {
    let Speed { step, epoch_end, end } = *speed;
    let reason = format!(
        "a time of {seconds} s is too short: opening the data took {opening:.1} s, trials to measure the speed {trials:.1} s, a step \
         takes {step:.2} s, and measuring the result {:.1} s; give it {:.0} s or more, a smaller network or a smaller batch",
        epoch_end + end,
        least(speed, opening, trials)
    );
    TrainError::Config { reason }
}

/// The least time, in whole seconds, in which a step is done after trials that are longer where there is more time.
fn least(speed: &Speed, opening: f64, trials: f64) -> f64 {
    let rest = (speed.step + speed.epoch_end + speed.end) / (1.0 - MARGIN);
    ((opening + trials + rest) / (1.0 - 2.0 * PATIENCE)).ceil()
}

/// Measures on the run's own data. A step counts as one in which everything learns.
fn measure(run: &mut Run, total: Duration, opening: Duration) -> Result<Speed, TrainError> {
    if let Some(transfer) = run.config.transfer.take() {
        run.begin_with(run.engine.network().clone())?;
        run.config.transfer = Some(transfer);
    }
    let window = total.mul_f64(MEASURING).clamp(SHORTEST, LONGEST);
    let step = seconds_of_a_step(run, window, total.mul_f64(PATIENCE))?;
    let checkpoint = seconds_of_a_checkpoint(run)?;
    let images = window.as_secs_f64() * run.config.batch_size as f64 / step;
    let image = seconds_of_an_image(run, images as usize, total.mul_f64(PATIENCE))?;
    let validation = image * run.validation.examples.len() as f64;
    let test = run.test.as_ref().map_or(0.0, |part| {
        // Unless it is known, no more images than there are to learn from; they are read as fast as those.
        let images = part.expected().unwrap_or(run.loader.len()) as f64;
        let reading = opening.as_secs_f64() / run.loader.len() as f64;
        images * (image + if part.is_separate() { reading } else { 0.0 })
    });
    Ok(Speed { step, epoch_end: validation + checkpoint, end: validation + test + LAST_WORDS })
}

/// The mean over steps of about a `window`; the first is not counted, which finds memory and caches empty, unless it has
/// used up all patience.
fn seconds_of_a_step(
    run: &mut Run,
    window: Duration,
    patience: Duration,
) -> Result<f64, TrainError> {
    let mut trial = Trial::default();
    let mut steps_until = |enough: &dyn Fn(u32, Duration) -> bool| {
        let (started, mut steps) = (Instant::now(), 0);
        while steps == 0 || !enough(steps, started.elapsed()) {
            let done = trial.step(run, FACTOR);
            done.map_err(|diverged| TrainError::Diverged { diverged, checkpoint: None })?;
            steps += 1;
        }
        Ok::<_, TrainError>(started.elapsed() / steps)
    };
    let first = steps_until(&|_, _| true)?;
    if first > patience {
        return Ok(first.as_secs_f64());
    }
    let enough = |steps, taken| taken >= window && (steps >= COUNTED || taken >= patience);
    Ok(steps_until(&enough)?.as_secs_f64())
}

/// Writes one where the run will write its own, and takes it away again.
fn seconds_of_a_checkpoint(run: &mut Run) -> Result<f64, TrainError> {
    let started = Instant::now();
    run.checkpoint(&mut [])?;
    let seconds = started.elapsed().as_secs_f64();
    saved::remove(&run.checkpoint_path())?;
    Ok(seconds)
}

/// The time in which an image is evaluated, measured on about so many, after a few that find memory and caches empty; on those
/// few alone where more would use up all patience.
fn seconds_of_an_image(
    run: &mut Run,
    images: usize,
    patience: Duration,
) -> Result<f64, TrainError> {
    let [fewest, most] = EVALUATED;
    let examples = run.loader.examples();
    let examples = examples[..examples.len().min(images.clamp(fewest, most))].to_vec();
    let dataset = run.loader.dataset().clone();
    let network = run.engine.averaged();
    let mut seconds_of = |count: usize| {
        let part = Part { dataset: dataset.clone(), examples: examples[..count].to_vec() };
        let started = Instant::now();
        run.measure(&network, part).map(|_| started.elapsed().as_secs_f64())
    };
    let first = examples.len().min(FIRST_IMAGES);
    let rough = seconds_of(first)? / first as f64;
    let count = examples.len().min((patience.as_secs_f64() / rough) as usize);
    match count > first {
        true => Ok(seconds_of(count)? / count as f64),
        false => Ok(rough),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEED: Speed = Speed { step: 0.5, epoch_end: 2.0, end: 3.0 };

    /// By hand: an epoch of 16 steps takes 10 s, the end 3 s.
    #[test]
    fn whole_epochs_fit_with_validation_and_the_end() {
        let fitting = |seconds| SPEED.fitting(seconds, 16, 50);
        assert_eq!(fitting(13.0), Some(PlanLength::Epochs(1)));
        assert_eq!(fitting(22.9), Some(PlanLength::Epochs(1)));
        assert_eq!(fitting(23.0), Some(PlanLength::Epochs(2)));
        assert_eq!(fitting(103.5), Some(PlanLength::Epochs(10)));
        assert_eq!(fitting(1e9), Some(PlanLength::Epochs(50)));
        assert_eq!(fitting(f64::MAX), Some(PlanLength::Epochs(50)));
    }

    /// By hand: before the 5 s of validation and end, 2 steps a second.
    #[test]
    fn steps_fit_where_no_epoch_does() {
        let fitting = |seconds| SPEED.fitting(seconds, 16, 50);
        assert_eq!(fitting(12.9), Some(PlanLength::Steps(15)));
        assert_eq!(fitting(8.0), Some(PlanLength::Steps(6)));
        assert_eq!(fitting(5.5), Some(PlanLength::Steps(1)));
        assert_eq!(fitting(5.4), None);
        assert_eq!(fitting(0.0), None);
    }

    #[test]
    fn a_time_too_short_for_a_step_says_what_takes_how_long() {
        let words = too_short(&SPEED, 4, 1.25, 2.0).to_string();
        for part in [
            "a time of 4 s",
            "data took 1.2 s",
            "the speed 2.0 s",
            "a step takes 0.50 s",
            "result 5.0 s",
            // (1.25 + 2 + 5.5 / 0.9) / 0.8 = 11.7
            "give it 12 s or more",
        ] {
            assert!(words.contains(part), "no {part:?} in {words}");
        }
    }
}
