//! A training run: the cycle of steps over epochs, its folder, its checkpoints and its end.
//!
//! The folder holds `config.toml`, `skipped.csv` (where files could not be read), `checkpoint/`, what the [observers](crate::observers) write, and at the end
//! `model.safetensors`. A checkpoint is written at the end of each epoch, every minute, and when the run is interrupted;
//! a run that goes on from it ends with the bits of one that never stopped.

pub mod range_test;
pub mod time_budget;
mod trial;

use crate::batch::{LoaderSource, scratch};
use crate::config::Config;
use crate::error::TrainError;
use crate::evaluator::Evaluator;
use crate::event::{EpochRecord, Event, Observer, Outcome, Plan, StepRecord};
use crate::keep::{Best, Keep};
use crate::observers::{History, HtmlReport, TensorBoard};
use crate::progress::{Progress, Speed};
use crate::session::LoadedModel;
use crate::sources::Opened;
use crate::transfer::{self, Transfer};
use crate::{saved, skipped, sources, whitening};
use percept_data::{
    Dataset, Decoding, Loader, LoaderScratch, Part, Preprocessing, Skipped, Splits, TestPart,
};
use percept_eval::error::EvalError;
use percept_eval::report::Report;
use percept_kernels::isa::Isa;
use percept_model::checkpoint::Checkpoint;
use percept_model::provenance::DataFingerprint;
use percept_nn::describe::Description;
use percept_nn::diverged::{Culprit, Diverged};
use percept_nn::engine::Engine;
use percept_nn::network::Network;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use time_budget::TimeBudget;

/// Time between checkpoints within an epoch.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// A run that is ready to start or to go on.
#[derive(Debug)]
pub struct Run {
    config: Config,
    folder: PathBuf,
    isa: Isa,
    threads: usize,
    data: DataFingerprint,
    notes: Vec<String>,
    skipped: Vec<(&'static str, Skipped)>,
    class_names: Vec<String>,
    preprocessing: Preprocessing,
    validation: Part,
    test: Option<TestPart>,
    loader: Loader,
    scratch: Vec<Mutex<LoaderScratch>>,
    engine: Engine,
    evaluator: Evaluator,
    progress: Progress,
    history: Vec<EpochRecord>,
    best: Option<Best>,
}

/// What a new run begins from besides its configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beginning<'m> {
    /// The model that the training starts from: what becomes of it is told by [`Config::transfer`], with the
    /// [usual settings](Transfer::of) where there is none.
    pub model: Option<&'m LoadedModel>,
    /// The time that the run may take: as much training is chosen as fits into it, whatever the configuration says.
    pub time: Option<TimeBudget>,
}

/// Where a network's first numbers come from.
#[derive(Clone, Copy)]
enum Start<'m> {
    /// Its seed, and for whitening the images.
    Fresh,
    /// A model.
    Model(&'m LoadedModel),
    /// A checkpoint, which is read afterwards.
    Checkpoint,
}

/// How the loop over the steps ended.
enum End {
    Complete,
    Stopped,
}

impl Run {
    /// Prepares a run in a new folder: opens the data, makes the network, and writes `config.toml`. The network is trained on as
    /// many threads as the data are read on; a number of threads (0 means one per processor) will do for `decoding`.
    ///
    /// # Errors
    /// [`TrainError`] where a setting is out of range, the data cannot be used or do not fit the network, or the folder
    /// exists already or cannot be made.
    pub fn new(
        config: Config,
        folder: PathBuf,
        decoding: impl Into<Decoding>,
    ) -> Result<Self, TrainError> {
        let decoding = decoding.into();
        let threads = decoding.threads;
        let opened = sources::open(&config.data, &config.images, decoding)?;
        Self::with_data(config, opened, folder, threads)
    }

    /// As [`new`](Self::new), with data that are open already: those that `config` names.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_data(
        config: Config,
        opened: Opened,
        folder: PathBuf,
        threads: usize,
    ) -> Result<Self, TrainError> {
        Self::begin(config, opened, folder, threads, Beginning::default())
    }

    /// As [`with_data`](Self::with_data), with more to begin from than a configuration. What follows from it is written
    /// into `config.toml`.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`TrainError::Config`] where the time is too short for a step.
    pub fn begin(
        mut config: Config,
        opened: Opened,
        folder: PathBuf,
        threads: usize,
        beginning: Beginning<'_>,
    ) -> Result<Self, TrainError> {
        transfer::complete(&mut config, beginning.model, opened.train.class_names())?;
        let start = beginning.model.map_or(Start::Fresh, Start::Model);
        let mut run = Self::prepare(config, opened, folder, threads, start)?;
        make_folder(&run.folder)?;
        if let Some(budget) = &beginning.time {
            time_budget::fit(&mut run, budget)?;
        }
        let text = run.config.to_toml()?;
        percept_model::atomic::replace(&run.folder.join("config.toml"), |file| {
            file.write_all(text.as_bytes())
        })?;
        skipped::write(&run.folder, &run.skipped)?;
        Ok(run)
    }

    /// Prepares to go on with a run from its folder, or from a checkpoint file within it; threads as for [`new`](Self::new).
    ///
    /// # Errors
    /// [`TrainError::Model`] where there is no sound checkpoint, [`TrainError::Resume`] where the data are not those
    /// that the run began with.
    pub fn resume(folder: &Path, decoding: impl Into<Decoding>) -> Result<Self, TrainError> {
        let decoding = decoding.into();
        let threads = decoding.threads;
        let (folder, path) = saved::locate(folder);
        let checkpoint = Checkpoint::read(&path)?;
        let refuse = |reason: String| TrainError::Resume { path: path.clone(), reason };
        let config =
            Config::from_toml(&checkpoint.config).map_err(|error| refuse(error.to_string()))?;
        let description =
            Description::new(&config.network).map_err(|error| refuse(error.to_string()))?;
        let tensors = checkpoint.parameters.iter().chain(&checkpoint.buffers);
        saved::check_tensors(&path.display().to_string(), tensors, &description)?;
        let opened = sources::open(&config.data, &config.images, decoding)?;
        let mut run = Self::prepare(config, opened, folder, threads, Start::Checkpoint)?;
        if run.data != checkpoint.data {
            let reason = format!(
                "it was trained with {} (sha256 {}), `{}` now holds {} (sha256 {}); give it the data it began with",
                checkpoint.data.description,
                checkpoint.data.sha256,
                run.config.data,
                run.data.description,
                run.data.sha256
            );
            return Err(TrainError::Resume { path, reason });
        }
        saved::restore(&checkpoint, &path, &mut run.engine)?;
        let origin = path.display().to_string();
        run.best = Best::of(&checkpoint, &origin, run.engine.network())?;
        run.progress = Progress::from_checkpoint(&checkpoint);
        run.history = History::parse(&checkpoint.history)
            .map_err(|error| TrainError::Resume { path, reason: error.to_string() })?;
        Ok(run)
    }

    /// Begins anew with these numbers.
    fn begin_with(&mut self, network: Network) -> Result<(), TrainError> {
        self.engine = self.config.engine(network, self.loader.len(), self.isa, self.threads)?;
        Ok(())
    }

    fn prepare(
        mut config: Config,
        mut opened: Opened,
        folder: PathBuf,
        threads: usize,
        start: Start<'_>,
    ) -> Result<Self, TrainError> {
        let isa = Isa::chosen()?;
        config.precision = Some(config.compute(isa).precision);
        check(&config)?;
        let mut network = Network::new(config.network.clone(), config.seed)?;
        let notes = std::mem::take(&mut opened.notes);
        let mut splits = sources::splits(opened, config.validation, config.test, config.seed)?;
        check_fit(&config, &network, &splits)?;
        let preprocessing = match &config.transfer {
            Some(transfer) => transfer.preprocessing.clone(),
            None => sources::preprocessing(&splits),
        };
        let normalisation = preprocessing.normalisation.clone();
        match start {
            Start::Fresh => whitening::start(&mut network, &splits, &normalisation),
            Start::Model(model) => {
                transfer::take_over(&mut network, model, splits.dataset().class_names())?;
            }
            Start::Checkpoint => {}
        }
        let evaluator = Evaluator::new(&network, normalisation.clone(), isa, threads);
        let examples = splits.train().len();
        let engine = config.engine(network, examples, isa, threads)?;
        let dataset = splits.dataset().clone();
        let part =
            |examples: &[u32]| Part { dataset: dataset.clone(), examples: examples.to_vec() };
        let augmentation = config.augmentation;
        let loader = Loader::new(part(splits.train()), augmentation, normalisation, config.seed)?;
        Ok(Self {
            data: DataFingerprint {
                description: dataset.description().to_owned(),
                sha256: dataset.fingerprint().to_owned(),
            },
            notes,
            skipped: skipped::of("training", &dataset),
            class_names: dataset.class_names().to_vec(),
            validation: part(splits.validation()),
            test: splits.take_test(),
            scratch: scratch(engine.threads()),
            progress: Progress::default(),
            history: Vec::new(),
            best: None,
            config,
            folder,
            isa,
            threads,
            preprocessing,
            loader,
            engine,
            evaluator,
        })
    }

    /// All settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Trains until all epochs are done or the validation accuracy is the one to [stop at](Config::stop_at), or until
    /// `stop` is set: then a checkpoint is written first.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where a number was not finite; else what kept a file from being written.
    pub fn execute(
        mut self,
        watchers: &mut [&mut dyn Observer],
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        let started = Instant::now();
        let mut history = History::new(self.history.clone());
        let (mut board, mut page) = (TensorBoard::default(), HtmlReport::default());
        // Those who watch are told first, not after files are written.
        let mut observers: Vec<&mut dyn Observer> =
            watchers.iter_mut().map(|watcher| &mut **watcher as &mut dyn Observer).collect();
        observers.extend([&mut history as &mut dyn Observer, &mut board, &mut page]);
        self.announce(&mut observers)?;
        let end = match self.steps(&mut observers, stop, started) {
            Err(error) => return Err(self.explain(error)),
            Ok(end) => end,
        };
        let mut outcome = Outcome {
            complete: matches!(end, End::Complete),
            folder: self.folder.clone(),
            model: None,
            checkpoint: self.checkpoint_path(),
            history: self.history.clone(),
            kept_epoch: None,
            validation: None,
            test: None,
            test_notes: Vec::new(),
            elapsed: started.elapsed(),
        };
        if outcome.complete {
            self.finish(&mut outcome).map_err(|error| self.explain(error))?;
        }
        outcome.elapsed = started.elapsed();
        tell(&mut observers, &Event::Finished(&outcome))?;
        Ok(outcome)
    }

    fn announce(&self, observers: &mut [&mut dyn Observer]) -> Result<(), TrainError> {
        let plan = Plan {
            config: &self.config,
            network: self.engine.network().description(),
            data: &self.data.description,
            notes: &self.notes,
            class_names: &self.class_names,
            train_examples: self.loader.len(),
            validation_examples: self.validation.examples.len(),
            total_steps: self.total_steps(),
            done_steps: self.engine.step_count(),
            threads: self.engine.threads(),
            isa: &self.isa.to_string(),
            folder: &self.folder,
        };
        tell(observers, &Event::Started(&plan))
    }

    fn steps_per_epoch(&self) -> u64 {
        self.config.steps_per_epoch(self.loader.len())
    }

    fn total_steps(&self) -> u64 {
        self.config.total_steps(self.loader.len())
    }

    fn steps(
        &mut self,
        observers: &mut [&mut dyn Observer],
        stop: &AtomicBool,
        started: Instant,
    ) -> Result<End, TrainError> {
        let per_epoch = self.steps_per_epoch();
        let mut last_checkpoint = Instant::now();
        while self.engine.step_count() < self.total_steps() && !self.has_reached_its_aim() {
            let epoch = (self.engine.step_count() / per_epoch) as u32;
            let order = self.loader.order(epoch);
            let mut speed = Speed::start();
            let first = self.engine.step_count() % per_epoch;
            let left = self.total_steps() - self.engine.step_count();
            let batches = order.chunks(self.config.batch_size).skip(first as usize);
            for batch in batches.take(left as usize) {
                if stop.load(Ordering::Relaxed) {
                    self.checkpoint(observers)?;
                    return Ok(End::Stopped);
                }
                if last_checkpoint.elapsed() > CHECKPOINT_EVERY {
                    self.checkpoint(observers)?;
                    last_checkpoint = Instant::now();
                }
                let record = self.step(epoch, batch, started)?;
                speed.add(record.examples);
                tell(observers, &Event::Step(&record))?;
            }
            self.end_epoch(epoch, &speed, observers)?;
            last_checkpoint = Instant::now();
        }
        Ok(End::Complete)
    }

    /// Whether the last epoch brought the validation accuracy at which the run is over.
    fn has_reached_its_aim(&self) -> bool {
        let last = self.history.last().map_or(0.0, |record| record.validation_accuracy);
        self.config.stop_at.is_some_and(|aim| last >= aim)
    }

    fn step(
        &mut self,
        epoch: u32,
        examples: &[u32],
        started: Instant,
    ) -> Result<StepRecord, TrainError> {
        let (done, total_steps) = (self.engine.step_count(), self.total_steps());
        let factor = self.config.schedule.factor(done + 1, total_steps);
        let source = LoaderSource { loader: &self.loader, epoch, examples, scratch: &self.scratch };
        let report = self
            .engine
            .step(&source, examples.len(), factor)
            .map_err(|diverged| TrainError::Diverged { diverged, checkpoint: None })?;
        self.progress.add(&report);
        Ok(StepRecord {
            step: report.step,
            total_steps,
            epoch: epoch + 1,
            examples: report.examples,
            loss: report.loss,
            accuracy: report.correct as f64 / report.examples as f64,
            gradient_norm: report.gradient_norm,
            learning_rate: self.config.optimizer.learning_rate() * factor,
            elapsed: started.elapsed(),
        })
    }

    fn end_epoch(
        &mut self,
        epoch: u32,
        speed: &Speed,
        observers: &mut [&mut dyn Observer],
    ) -> Result<(), TrainError> {
        let images_per_second = speed.images_per_second();
        let network = self.engine.averaged();
        let validation = self.validate(&network)?;
        if let Some(score) = validation.as_ref().and_then(|report| self.config.keep.score(report)) {
            Best::update(&mut self.best, epoch + 1, score, network);
        }
        let done = self.engine.step_count();
        let factor = self.config.schedule.factor(done, self.total_steps());
        let record = EpochRecord {
            epoch: epoch + 1,
            step: done,
            train_loss: self.progress.mean_loss(),
            train_accuracy: self.progress.accuracy(),
            validation_loss: validation.as_ref().map_or(0.0, |report| report.loss),
            validation_accuracy: validation.as_ref().map_or(0.0, |report| report.accuracy.value),
            validation_auc: validation.as_ref().and_then(|report| report.auc),
            learning_rate: self.config.optimizer.learning_rate() * factor,
            seconds: speed.seconds(),
            images_per_second,
        };
        self.progress = Progress::default();
        self.history.push(record);
        tell(observers, &Event::Epoch(&record))?;
        self.checkpoint(observers)
    }

    /// Measures a network on the validation examples, where there are any.
    fn validate(&mut self, network: &Network) -> Result<Option<Report>, TrainError> {
        if self.validation.examples.is_empty() {
            return Ok(None);
        }
        let part = self.validation.clone();
        match self.measure(network, part) {
            Err(TrainError::Eval(EvalError::NotAProbability { .. })) => Err(self.diverged()),
            measured => measured.map(Some),
        }
    }

    /// Where the numbers of a network began to fail whose predictions are not finite.
    fn diverged(&mut self) -> TrainError {
        let examples = self.loader.examples();
        let examples = &examples[..examples.len().min(self.config.batch_size)];
        let source =
            LoaderSource { loader: &self.loader, epoch: 0, examples, scratch: &self.scratch };
        let found = self.engine.compute_gradient(&source, examples.len()).err();
        let step = self.engine.step_count();
        let diverged = found.unwrap_or(Diverged { step, culprit: Culprit::Prediction });
        TrainError::Diverged { diverged, checkpoint: None }
    }

    fn measure(&mut self, network: &Network, part: Part) -> Result<Report, TrainError> {
        self.evaluator.refresh(network);
        let predictions = self.evaluator.predictions(part, &self.class_names)?;
        Ok(Report::new(&predictions)?)
    }

    fn checkpoint_path(&self) -> PathBuf {
        saved::checkpoint_path(&self.folder)
    }

    fn checkpoint(&self, observers: &mut [&mut dyn Observer]) -> Result<(), TrainError> {
        let path = self.checkpoint_path();
        let mut checkpoint = saved::checkpoint(&self.engine);
        checkpoint.epoch = self.epoch_count();
        checkpoint.seed = self.config.seed;
        checkpoint.data = self.data.clone();
        checkpoint.config = self.config.to_toml()?;
        checkpoint.history = History::to_csv(&self.history);
        checkpoint.numbers = self.progress.numbers();
        if let Some(best) = &self.best {
            best.put(&mut checkpoint);
        }
        saved::write(&checkpoint, &path)?;
        tell(observers, &Event::Checkpoint { path: &path })
    }

    /// Measures the weights that are kept and writes the model, before the test images are looked at for the first time: whatever
    /// is wrong with them, there is a model.
    fn finish(&mut self, outcome: &mut Outcome) -> Result<(), TrainError> {
        outcome.kept_epoch = self.best.as_ref().map(Best::epoch);
        let network = match &self.best {
            Some(best) => best.network().clone(),
            None => self.engine.averaged(),
        };
        outcome.validation = self.validate(&network)?;
        self.write_model(&network, outcome)?;
        let Some(test) = self.test.take() else { return Ok(()) };
        match self.measure_test(&network, test, outcome) {
            Ok(()) => self.write_model(&network, outcome),
            Err(TrainError::Data(error)) => {
                let cause = std::error::Error::source(&error);
                let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
                outcome.test_notes.push(format!("the test part was not measured: {error}{cause}"));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn write_model(&self, network: &Network, outcome: &mut Outcome) -> Result<(), TrainError> {
        let model = saved::model(network, self, outcome)?;
        let path = self.folder.join("model.safetensors");
        model.write(&path)?;
        outcome.model = Some(path);
        Ok(())
    }

    /// Reads the test part and measures a network on it.
    fn measure_test(
        &mut self,
        network: &Network,
        test: TestPart,
        outcome: &mut Outcome,
    ) -> Result<(), TrainError> {
        let test = test.open()?;
        let learned = self.loader.dataset().clone();
        if !Arc::ptr_eq(&test.dataset, &learned) {
            self.skipped.extend(skipped::of("test", &test.dataset));
            skipped::write(&self.folder, &self.skipped)?;
            check_alike(&learned, &test.dataset)?;
        }
        let copies = percept_data::check::copies(&learned, self.loader.examples(), &test);
        if copies > 0 {
            let images = test.examples.len();
            outcome.test_notes.push(format!(
                "{copies} of the {images} test images are among those learned from too, so the accuracy says too much"
            ));
        }
        outcome.test = Some(self.measure(network, test)?);
        Ok(())
    }

    /// Tells a divergence where the last good checkpoint is.
    fn explain(&self, error: TrainError) -> TrainError {
        match error {
            TrainError::Diverged { diverged, .. } => {
                let path = self.checkpoint_path();
                TrainError::Diverged { diverged, checkpoint: path.exists().then_some(path) }
            }
            other => other,
        }
    }

    pub(crate) fn class_names(&self) -> &[String] {
        &self.class_names
    }

    pub(crate) fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    pub(crate) fn data(&self) -> &DataFingerprint {
        &self.data
    }

    /// Steps that made the weights that are kept.
    pub(crate) fn kept_steps(&self) -> u64 {
        let best = self.best.as_ref();
        let kept = best.and_then(|best| self.history.iter().find(|r| r.epoch == best.epoch()));
        kept.map_or(self.engine.step_count(), |record| record.step)
    }

    /// Epochs that made them.
    pub(crate) fn kept_epochs(&self) -> u64 {
        self.kept_steps() / self.steps_per_epoch()
    }

    /// Epochs done.
    fn epoch_count(&self) -> u64 {
        self.engine.step_count() / self.steps_per_epoch()
    }
}

/// Checks that the test images are of the size that was learned from.
fn check_alike(learned: &Dataset, test: &Dataset) -> Result<(), TrainError> {
    let (expected, found) = (learned.shape(), test.shape());
    if expected == found {
        return Ok(());
    }
    Err(TrainError::Data(percept_data::Error::Inconsistent {
        name: test.description().to_owned(),
        expected: format!("images of {expected}, as those to learn from"),
        found: format!("images of {found}"),
    }))
}

fn tell(observers: &mut [&mut dyn Observer], event: &Event<'_>) -> Result<(), TrainError> {
    observers.iter_mut().try_for_each(|observer| observer.notify(event))
}

fn make_folder(folder: &Path) -> Result<(), TrainError> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(|cause| TrainError::Io {
            action: "create",
            path: parent.into(),
            cause,
        })?;
    }
    fs::create_dir(folder).map_err(|cause| TrainError::Io {
        action: "create",
        path: folder.into(),
        cause,
    })
}

fn check(config: &Config) -> Result<(), TrainError> {
    config.transfer.as_ref().map_or(Ok(()), Transfer::check)?;
    config.schedule.validate().map_err(|error| TrainError::Config { reason: error.to_string() })?;
    if config.epochs == 0 {
        return Err(TrainError::Config { reason: "epochs must be at least 1, found 0".to_owned() });
    }
    if config.steps == Some(0) {
        return Err(TrainError::Config { reason: "steps must be at least 1, found 0".to_owned() });
    }
    if let Some(aim) = config.stop_at {
        let reason = if !(aim > 0.0 && aim <= 1.0) {
            format!("stop_at must be above 0 and at most 1, found {aim}")
        } else if config.validation == 0 {
            "stop_at needs images for validation, found validation = 0".to_owned()
        } else {
            return Ok(config.augmentation.check()?);
        };
        return Err(TrainError::Config { reason });
    }
    Ok(config.augmentation.check()?)
}

fn check_fit(config: &Config, network: &Network, splits: &Splits) -> Result<(), TrainError> {
    let description = network.description();
    let (dataset, outputs) = (splits.dataset(), description.output.len());
    let (shape, classes) = (dataset.shape(), dataset.class_names().len());
    let input = <[usize; 3]>::from(description.input);
    let reason = if input != [shape.height, shape.width, shape.channels]
        && config.transfer.is_some()
    {
        format!(
            "the model takes images of {}, those of `{}` are {shape}; they have that size themselves, so it cannot be changed: \
             give pictures in files of their own, or a model for {shape}",
            description.input, config.data
        )
    } else if input != [shape.height, shape.width, shape.channels] {
        format!(
            "the network `{}` takes images of {}, those of `{}` are {shape}; set `input` in the network's file",
            config.network.name, description.input, config.data
        )
    } else if outputs != classes {
        format!(
            "the network `{}` has {outputs} outputs, `{}` has {classes} classes; set out_features of the last dense layer to {classes}",
            config.network.name, config.data
        )
    } else if config.keep != Keep::Last && splits.validation().is_empty() {
        format!(
            "keeping the epoch with the best validation {} needs images for validation, and none are set aside; keep the last \
             epoch, or set images aside",
            config.keep
        )
    } else {
        return Ok(());
    };
    Err(TrainError::Config { reason })
}
