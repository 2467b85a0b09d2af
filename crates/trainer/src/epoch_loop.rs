//! The training loop: epochs of training and validation on Burn's Learner, with a checkpoint after
//! each and wherever the training is stopped.
//!
//! Burn's own loop saves only after whole epochs and cannot begin within one; this one is its equal
//! otherwise and feeds the same events to the same metrics and dashboard.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::train::metric::store::EventStoreClient;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent,
    LearningCheckpointer, SupervisedLearningStrategy, SupervisedTrainingEventProcessor,
    TrainLoader, TrainingComponents, TrainingItem, ValidLoader,
};
use data::LabelledBatch;
use measurement::gradient_norms;

use crate::averaging::Average;
use crate::checkpoint::{self, Position, Progress, RecordReceiver, Records};
use crate::classifier::Classifier;
use crate::console::Console;
use crate::history::{self, EpochRecord, PassTime, SplitRecord};
use crate::measuring::{self, GradientsSoFar, Measuring};
use crate::metrics::{SharedTally, Tally};
use crate::run_directory::RunDirectory;
use crate::saved_model::{self, Which};

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// After its last epoch.
    Finished,
    /// On request; it can be continued.
    Interrupted,
    /// The loss of this epoch was not a number.
    Diverged {
        /// Number of the epoch, from 1.
        epoch: usize,
    },
}

/// Burn's strategy for [`burn::train::SupervisedTraining`] that runs the training loop.
pub struct EpochLoop {
    run: RunDirectory,
    console: Console,
    /// The training metrics' and the validation metrics' sums.
    tallies: [SharedTally; 2],
    records: Mutex<RecordReceiver>,
    measuring: Option<Measuring>,
    /// Where the run stands.
    progress: Mutex<Progress>,
    average: Mutex<Option<Average>>,
    /// Wall-clock seconds of every training step that this process has made.
    step_seconds: Mutex<Vec<f64>>,
    ending: Mutex<Option<Result<(Ending, Classifier)>>>,
}

/// What the loop works with.
struct Fit<'a> {
    of: &'a EpochLoop,
    progress: &'a mut Progress,
    average: &'a mut Option<Average>,
    learner: Learner<Classifier>,
    processor: SupervisedTrainingEventProcessor<Classifier>,
    interrupter: Interrupter,
    checkpointer: LearningCheckpointer<Classifier>,
    store: Arc<EventStoreClient>,
    /// Where the newest checkpoint stands.
    saved: Position,
    /// When it was taken, or the loop began.
    saved_at: Instant,
    step_seconds: Vec<f64>,
}

/// Runs of studies are short and many: they are saved after so long, and leave no networks.
const PAUSE_BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(60);

type Loader = Arc<dyn DataLoader<LabelledBatch>>;

impl EpochLoop {
    /// A loop that continues from `progress`.
    ///
    /// `tallies` are those of the training and the validation metrics; `records` is where the
    /// learner's checkpointers send to; `measuring` is for the runs of studies; `average` stands
    /// where `progress` does.
    pub fn new(
        run: RunDirectory,
        console: Console,
        tallies: [SharedTally; 2],
        records: RecordReceiver,
        measuring: Option<Measuring>,
        progress: Progress,
        average: Option<Average>,
    ) -> Self {
        Self {
            run,
            console,
            tallies,
            records: Mutex::new(records),
            measuring,
            step_seconds: Mutex::default(),
            progress: Mutex::new(progress),
            average: Mutex::new(average),
            ending: Mutex::new(None),
        }
    }

    /// Median wall-clock seconds of the training steps of this process, if it has made any.
    pub fn median_step_seconds(&self) -> Option<f64> {
        let seconds = self.step_seconds.lock();
        let mut seconds = seconds.unwrap_or_else(PoisonError::into_inner).clone();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }

    /// How the training ended, where the run stands, and the network that it has come to: the
    /// moving average, where there is one. It is not in training.
    ///
    /// # Errors
    ///
    /// What stopped the training.
    pub fn ending(&self) -> Result<(Ending, Progress, Classifier)> {
        let ending = self
            .ending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (ending, network) = ending.context("the training has not run")??;
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((ending, progress.clone(), network))
    }
}

impl SupervisedLearningStrategy<Classifier> for EpochLoop {
    fn fit(
        &self,
        components: TrainingComponents<Classifier>,
        learner: Learner<Classifier>,
        train_loader: TrainLoader<Classifier>,
        valid_loader: ValidLoader<Classifier>,
        _starting_epoch: usize,
    ) -> (Classifier, SupervisedTrainingEventProcessor<Classifier>) {
        let Some(checkpointer) = components.checkpointer else {
            unreachable!("`train` gives every training its checkpointers")
        };
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let mut average = self.average.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fit = Fit {
            of: self,
            saved: progress.position,
            progress: &mut progress,
            average: &mut average,
            learner,
            processor: components.event_processor,
            interrupter: components.interrupter,
            checkpointer,
            store: components.event_store,
            saved_at: Instant::now(),
            step_seconds: Vec::new(),
        };
        let ending = fit.run(&train_loader, &valid_loader);
        let ending = ending.map(|ending| (ending, fit.network()));
        let step_seconds = self.step_seconds.lock();
        *step_seconds.unwrap_or_else(PoisonError::into_inner) =
            std::mem::take(&mut fit.step_seconds);
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = Some(ending);
        (fit.learner.model(), fit.processor)
    }
}

impl Fit<'_> {
    fn run(&mut self, train_loader: &Loader, valid_loader: &Loader) -> Result<Ending> {
        let epochs = self.progress.config.total_epochs();
        let first = self.progress.position.epoch;
        if first > 1 {
            // Burn believes that every training starts with its first epoch.
            let before = LearnerEvent::EndEpoch(first - 1);
            self.processor.process_train(before)?;
        }
        while self.progress.position.epoch <= epochs && !self.progress.has_stopped_early() {
            let epoch = self.progress.position.epoch;
            let train = self.train(epoch, train_loader)?;
            if let Some(ending) = self.stopped(epoch, train.loss)? {
                return Ok(ending);
            }
            let valid = if valid_loader.num_items() > 0 {
                let valid = self.validate(epoch, valid_loader)?;
                if let Some(ending) = self.stopped(epoch, valid.loss)? {
                    return Ok(ending);
                }
                Some(valid)
            } else {
                None
            };
            let end = LearnerEvent::EndEpoch(epoch);
            self.processor.process_train(end)?;
            self.processor.flush()?;
            if let Some(measuring) = &self.of.measuring {
                let measured = measuring.measure(&self.network(), &self.progress.gradients)?;
                self.progress.measurements.push(measured);
            }
            let record = EpochRecord {
                epoch,
                learning_rate: self.progress.learning_rate,
                train,
                valid,
            };
            self.finish_epoch(record)?;
            self.of.console.epoch(&record, epochs);
        }
        Ok(Ending::Finished)
    }

    /// Trains on the batches that `epoch` still has.
    fn train(&mut self, epoch: usize, loader: &Loader) -> Result<SplitRecord> {
        let tally = &self.of.tallies[0];
        tally.set(self.progress.tally);
        let mut clock = Clock::start(self.progress.time);
        self.processor.process_train(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: loader.num_items(),
        })?;
        let mut batches = loader.iter();
        while !self.interrupter.should_stop() {
            let Some(batch) = clock.loading(|| batches.next()) else {
                break;
            };
            let start = Instant::now();
            let output = self.learner.train_step(batch?);
            let measuring = Instant::now();
            self.measure_gradients(&output.grads, loader)?;
            let measuring = measuring.elapsed();
            self.learner.lr_step();
            self.progress.learning_rate = self.learner.lr_current().base();
            self.learner.optimizer_step(output.grads);
            self.move_average(epoch, loader);
            let step = start.elapsed().saturating_sub(measuring);
            self.step_seconds.push(step.as_secs_f64());
            self.progress.position.batch += 1;
            let item = TrainingItem::new(
                output.item,
                batches.progress(),
                Some(self.progress.position.batch),
                Some(self.learner.lr_current()),
            );
            self.processor
                .process_train(LearnerEvent::ProcessedItem(item))?;
        }
        drop(batches);
        self.processor
            .process_train(LearnerEvent::EndSplit(epoch))?;
        self.processor.flush()?;
        self.progress.tally = tally.get();
        self.progress.time = clock.stop();
        Ok(SplitRecord::new(self.progress.tally, self.progress.time))
    }

    /// The network that is validated and saved: the moving average, where there is one.
    fn network(&self) -> Classifier {
        match &*self.average {
            Some(average) => average.network().clone(),
            None => self.learner.model().valid(),
        }
    }

    /// Takes the step just made in `epoch` into the moving average, where there is one.
    fn move_average(&mut self, epoch: usize, loader: &Loader) {
        let Some(average) = &mut *self.average else {
            return;
        };
        let batches = loader.num_items().div_ceil(self.progress.config.batch_size);
        let steps = (epoch - 1) * batches + self.progress.position.batch + 1;
        average.take_in(&self.learner.model().valid(), steps);
    }

    /// Measures the gradients of a step, if this is one of those where that is done.
    fn measure_gradients(&mut self, gradients: &GradientsParams, loader: &Loader) -> Result<()> {
        let batches = loader.num_items().div_ceil(self.progress.config.batch_size);
        let batch = self.progress.position.batch;
        if self.of.measuring.is_some() && measuring::is_measured(batch, batches) {
            let start = Instant::now();
            let norms = gradient_norms(&self.learner.model().network, gradients)
                .context("cannot read the gradients")?;
            let so_far = &mut self.progress.gradients;
            so_far.tally.add(&norms);
            so_far.seconds += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    fn validate(&mut self, epoch: usize, loader: &Loader) -> Result<SplitRecord> {
        let tally = &self.of.tallies[1];
        tally.set(Tally::default());
        let mut clock = Clock::start(PassTime::default());
        self.processor.process_valid(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: loader.num_items(),
        })?;
        let model = self.network();
        let mut batches = loader.iter();
        let mut iteration = 0;
        while !self.interrupter.should_stop() {
            let Some(batch) = clock.loading(|| batches.next()) else {
                break;
            };
            iteration += 1;
            let output = InferenceStep::step(&model, batch?);
            let item = TrainingItem::new(output, batches.progress(), Some(iteration), None);
            self.processor
                .process_valid(LearnerEvent::ProcessedItem(item))?;
        }
        drop(batches);
        self.processor
            .process_valid(LearnerEvent::EndSplit(epoch))?;
        self.processor.flush()?;
        Ok(SplitRecord::new(tally.get(), clock.stop()))
    }

    /// Whether the training is to stop here. If so on request, saves where it stands.
    fn stopped(&mut self, epoch: usize, loss: f64) -> Result<Option<Ending>> {
        if let Some(error) = self.interrupter.error() {
            return Err(anyhow!("{error}"));
        }
        // An epoch cut short before its first batch has no loss, which is no divergence.
        let diverged =
            !loss.is_finite() && self.of.tallies.iter().any(|t| !t.get().loss.is_finite());
        if diverged {
            return Ok(Some(Ending::Diverged { epoch }));
        }
        if !self.interrupter.should_stop() {
            return Ok(None);
        }
        if self.progress.position != self.saved {
            let records = self.records()?;
            self.save_checkpoint(&records)?;
        }
        Ok(Some(Ending::Interrupted))
    }

    /// Notes the epoch and saves all that came of it: the checkpoint last, since a resumed run
    /// takes what stands before it as done.
    fn finish_epoch(&mut self, record: EpochRecord) -> Result<()> {
        self.progress.history.push(record);
        self.progress.position = Position {
            epoch: record.epoch + 1,
            batch: 0,
        };
        self.progress.tally = Tally::default();
        self.progress.time = PassTime::default();
        self.progress.gradients = GradientsSoFar::default();
        if self.of.measuring.is_some() {
            if self.saved_at.elapsed() < PAUSE_BETWEEN_CHECKPOINTS {
                return Ok(());
            }
            let records = self.records()?;
            return self.save_checkpoint(&records);
        }
        let records = self.records()?;
        use checkpoint::Part;
        let weights = records.get(&Part::Average).or(records.get(&Part::Network));
        let Some(weights) = weights else {
            unreachable!("`RecordReceiver::receive` gives all parts")
        };
        let Progress {
            config,
            task,
            scaling,
            history,
            ..
        } = &*self.progress;
        let about = (config, *task, *scaling);
        saved_model::save(&self.of.run, Which::Last, weights, about, record)?;
        // If the run went back to a checkpoint before the best epoch, that epoch's network is not of this
        // run any more: the best since then takes its place. One that cannot be read is replaced.
        let best = saved_model::card(&self.of.run, Which::Best);
        let best = best.ok().flatten().map(|card| card.epoch);
        let rivals = best.filter(|best| history.contains(best)).into_iter();
        let rivals: Vec<EpochRecord> = rivals.chain([record]).collect();
        if history::best(&rivals) == Some(&record) {
            saved_model::save(&self.of.run, Which::Best, weights, about, record)?;
        }
        self.of.run.save_metrics(history)?;
        self.save_checkpoint(&records)
    }

    /// What a checkpoint taken now holds.
    fn records(&mut self) -> Result<Records> {
        // Burn keeps each batch normalisation's latest running statistics aside until they are
        // asked for, and records those before. Here they are asked for.
        drop(self.learner.model().valid());
        let epoch = self.progress.position.epoch;
        self.checkpointer
            .checkpoint(&self.learner, epoch, &self.store);
        let receiver = self
            .of
            .records
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut records = receiver.receive()?;
        if let Some(average) = &*self.average {
            let bytes = average.network().clone().into_record().into_bytes();
            let bytes = bytes.context("cannot record the moving average")?;
            records.insert(checkpoint::Part::Average, bytes);
        }
        Ok(records)
    }

    fn save_checkpoint(&mut self, records: &Records) -> Result<()> {
        let folder = self.of.run.checkpoints();
        checkpoint::save(&folder, self.progress.clone(), records)?;
        self.saved = self.progress.position;
        self.saved_at = Instant::now();
        Ok(())
    }
}

/// Measures a pass over images.
struct Clock {
    before: PassTime,
    start: Instant,
    loading_seconds: f64,
}

impl Clock {
    /// Starts to count, from `before`.
    fn start(before: PassTime) -> Self {
        Self {
            before,
            start: Instant::now(),
            loading_seconds: 0.0,
        }
    }

    /// Counts what `load` takes as loading.
    fn loading<T>(&mut self, load: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let loaded = load();
        self.loading_seconds += start.elapsed().as_secs_f64();
        loaded
    }

    fn stop(self) -> PassTime {
        PassTime {
            seconds: self.before.seconds + self.start.elapsed().as_secs_f64(),
            loading_seconds: self.before.loading_seconds + self.loading_seconds,
        }
    }
}
