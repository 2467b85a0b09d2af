//! The training loop: epochs of training and validation on Burn's Learner, with a checkpoint after
//! each and wherever the training is stopped.
//!
//! Burn's own loop saves only after whole epochs and cannot begin within one; this one is its equal
//! otherwise and feeds the same events to the same metrics and dashboard.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use burn::data::dataloader::DataLoader;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Device;
use burn::train::metric::Adaptor;
use burn::train::metric::store::EventStoreClient;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent,
    LearningCheckpointer, SupervisedLearningStrategy, SupervisedTrainingEventProcessor,
    TrainLoader, TrainingComponents, TrainingItem, ValidLoader,
};
use data::LabelledBatch;
use measurement::gradient_norms;

use crate::averaging::Average;
use crate::checkpoint::{self, Position, RecordKind, RecordReceiver, Records, RunState};
use crate::classifier::{BatchInput, Classifier, StepOutput};
use crate::console::Console;
use crate::history::{self, EpochRecord, PassTime, SplitRecord};
use crate::measuring::{self, Measuring, Step};
use crate::metrics::{SharedTally, Tally};
use crate::run_directory::RunDirectory;
use crate::saved_model::{self, SavedNetwork};

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

/// Burn's strategy for [`burn::train::SupervisedTraining`] that runs the training loop, once.
///
/// Burn shares its strategy between threads; hence the locks, around what goes in and what comes out.
pub struct EpochLoop {
    start: Mutex<Option<LoopStart>>,
    outcome: Mutex<Option<Result<LoopOutcome>>>,
}

/// What a loop begins with.
pub struct LoopStart {
    /// Where networks and checkpoints are saved.
    pub run: RunDirectory,
    /// What the user sees of it.
    pub console: Console,
    /// The training metrics' and the validation metrics' sums.
    pub tallies: [SharedTally; 2],
    /// Where the learner's checkpointers send to.
    pub records: RecordReceiver,
    /// For the runs of studies, which are measured, and leave no networks.
    pub measuring: Option<Measuring>,
    /// Where the run stands.
    pub state: RunState,
    /// The moving average of the network, where there is one, as of `state`.
    pub average: Option<Average>,
}

/// What a loop ends with.
pub struct LoopOutcome {
    /// How the training ended.
    pub ending: Ending,
    /// Where the run stands.
    pub state: RunState,
    /// The network that it has come to, in inference mode: the moving average, where there is one.
    pub network: Classifier,
    /// Median wall-clock seconds of the training steps of this process, if it has made any in a study.
    pub seconds_per_step: Option<f64>,
}

/// The loop with what Burn gives it.
struct Fit {
    run: RunDirectory,
    console: Console,
    tallies: [SharedTally; 2],
    records: RecordReceiver,
    measuring: Option<Measuring>,
    state: RunState,
    average: Option<Average>,
    learner: Learner<Classifier>,
    steps_per_epoch: usize,
    processor: SupervisedTrainingEventProcessor<Classifier>,
    interrupter: Interrupter,
    checkpointer: LearningCheckpointer<Classifier>,
    store: Arc<EventStoreClient>,
    /// Where the newest checkpoint stands.
    saved: Position,
    /// When it was taken, or the loop began.
    saved_at: Instant,
    /// What the latest training step learnt from, until the network is seen to have come through it.
    unproven: Option<LabelledBatch>,
    /// Wall-clock seconds of every training step, in a study.
    step_seconds: Vec<f64>,
}

/// Runs of studies are short and many: they are saved after so long, and leave no networks.
const PAUSE_BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(60);

type Loader = Arc<dyn DataLoader<LabelledBatch>>;

impl EpochLoop {
    /// A loop that continues from `start`.
    pub fn new(start: LoopStart) -> Self {
        Self {
            start: Mutex::new(Some(start)),
            outcome: Mutex::new(None),
        }
    }

    /// What came of the loop.
    ///
    /// # Errors
    ///
    /// What stopped the training.
    pub fn outcome(&self) -> Result<LoopOutcome> {
        let outcome = lock(&self.outcome).take();
        outcome.context("the training has not run")?
    }
}

/// Where a thread panicked with the lock, the training has ended, and nobody reads what it left.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        let Some(start) = lock(&self.start).take() else {
            unreachable!("a loop runs once")
        };
        let Some(checkpointer) = components.checkpointer else {
            unreachable!("`Training::supervised` gives every training its checkpointers")
        };
        let batch_size = start.state.config.batch_size;
        let mut fit = Fit {
            run: start.run,
            console: start.console,
            tallies: start.tallies,
            records: start.records,
            measuring: start.measuring,
            saved: start.state.position,
            state: start.state,
            average: start.average,
            learner,
            steps_per_epoch: train_loader.num_items().div_ceil(batch_size),
            processor: components.event_processor,
            interrupter: components.interrupter,
            checkpointer,
            store: components.event_store,
            saved_at: Instant::now(),
            unproven: None,
            step_seconds: Vec::new(),
        };
        let outcome = match fit.run(&train_loader, &valid_loader) {
            Ok(ending) => {
                let network = fit.network();
                Ok(LoopOutcome {
                    ending,
                    state: fit.state,
                    network,
                    seconds_per_step: statistics::median(&fit.step_seconds).ok(),
                })
            }
            Err(error) => Err(error),
        };
        *lock(&self.outcome) = Some(outcome);
        (fit.learner.model(), fit.processor)
    }
}

impl Fit {
    fn run(&mut self, train_loader: &Loader, valid_loader: &Loader) -> Result<Ending> {
        let epochs = self.state.config.total_epochs();
        let first = self.state.position.epoch;
        if first > 1 {
            // Burn believes that every training starts with its first epoch.
            let before = LearnerEvent::EndEpoch(first - 1);
            self.processor.process_train(before)?;
        }
        while self.state.position.epoch <= epochs && !self.state.has_stopped_early() {
            let epoch = self.state.position.epoch;
            let train = self.train(epoch, train_loader)?;
            if let Some(ending) = self.stopped(epoch)? {
                return Ok(ending);
            }
            let valid = if valid_loader.num_items() > 0 {
                let valid = self.validate(epoch, valid_loader)?;
                if let Some(ending) = self.stopped(epoch)? {
                    return Ok(ending);
                }
                Some(valid)
            } else {
                None
            };
            let end = LearnerEvent::EndEpoch(epoch);
            self.processor.process_train(end)?;
            self.processor.flush()?;
            if let Some(measuring) = &self.measuring {
                let measured = measuring.measure(&self.network(), &self.state.gradients)?;
                self.state.measurements.push(measured);
            }
            let record = EpochRecord {
                epoch,
                learning_rate: self.state.learning_rate,
                train,
                valid,
            };
            self.finish_epoch(record)?;
            self.console.epoch(&record, epochs);
        }
        Ok(Ending::Finished)
    }

    /// Trains on the batches that `epoch` still has.
    fn train(&mut self, epoch: usize, loader: &Loader) -> Result<SplitRecord> {
        let tally = self.tallies[0].clone();
        tally.set(self.state.tally);
        let mut clock = Clock::start(self.state.time);
        self.processor.process_train(LearnerEvent::StartSplit {
            epoch_number: epoch,
            total_items: loader.num_items(),
        })?;
        let mut batches = loader.iter();
        while !self.interrupter.should_stop() {
            let Some(batch) = clock.loading(|| batches.next()) else {
                break;
            };
            let batch = batch?;
            self.unproven = Some(batch.clone());
            let device = batch.images.device();
            let start = Instant::now();
            let output = self.learner.train_step(batch);
            self.wait_for(&device)?;
            let measuring = Instant::now();
            self.measure_gradients(&output.grads)?;
            let measuring = measuring.elapsed();
            self.learner.lr_step();
            self.state.learning_rate = self.learner.lr_current().base();
            self.learner.optimizer_step(output.grads);
            self.move_average(epoch);
            self.wait_for(&device)?;
            let step = start.elapsed().saturating_sub(measuring);
            if self.measuring.is_some() {
                self.step_seconds.push(step.as_secs_f64());
                self.note_loss(epoch, &output.item)?;
            }
            self.state.position.batch += 1;
            let item = TrainingItem::new(
                output.item,
                batches.progress(),
                Some(self.state.position.batch),
                Some(self.learner.lr_current()),
            );
            self.processor
                .process_train(LearnerEvent::ProcessedItem(item))?;
        }
        drop(batches);
        self.processor
            .process_train(LearnerEvent::EndSplit(epoch))?;
        self.processor.flush()?;
        self.state.tally = tally.get();
        self.state.time = clock.stop();
        Ok(SplitRecord::new(self.state.tally, self.state.time))
    }

    /// Waits for what is computed, where steps are timed: a GPU is only told what to do, and works meanwhile.
    fn wait_for(&self, device: &Device) -> Result<()> {
        if self.measuring.is_some() {
            device.sync().context("the device has failed")?;
        }
        Ok(())
    }

    /// The network that is validated and saved: the moving average, where there is one.
    fn network(&self) -> Classifier {
        match &self.average {
            Some(average) => average.network().clone(),
            None => self.learner.model().valid(),
        }
    }

    /// Takes the step just made in `epoch` into the moving average, where there is one.
    fn move_average(&mut self, epoch: usize) {
        let Some(average) = &mut self.average else {
            return;
        };
        let steps = (epoch - 1) * self.steps_per_epoch + self.state.position.batch + 1;
        average.take_in(&self.learner.model().valid(), steps);
    }

    /// Measures the gradients of a step, if this is one of those where that is done.
    fn measure_gradients(&mut self, gradients: &GradientsParams) -> Result<()> {
        let batch = self.state.position.batch;
        if self.measuring.is_some() && measuring::is_measured(batch, self.steps_per_epoch) {
            let start = Instant::now();
            let norms = gradient_norms(&self.learner.model().network, gradients)
                .context("cannot read the gradients")?;
            let so_far = &mut self.state.gradients;
            so_far.tally.add(&norms);
            so_far.seconds += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// Notes the loss of the step just made in `epoch`.
    fn note_loss(&mut self, epoch: usize, output: &StepOutput) -> Result<()> {
        let step = Step {
            number: (epoch - 1) * self.steps_per_epoch + self.state.position.batch,
            per_epoch: self.steps_per_epoch,
            total: self.state.config.total_epochs() * self.steps_per_epoch,
        };
        let output: Arc<BatchInput> = output.adapt();
        self.state.loss_curve.add(step, output.score()?);
        Ok(())
    }

    fn validate(&mut self, epoch: usize, loader: &Loader) -> Result<SplitRecord> {
        let tally = self.tallies[1].clone();
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
    fn stopped(&mut self, epoch: usize) -> Result<Option<Ending>> {
        if let Some(error) = self.interrupter.error() {
            return Err(anyhow!("{error}"));
        }
        let is_finite = |tally: &SharedTally| tally.get().loss.is_finite();
        if !self.tallies.iter().all(is_finite) || self.is_broken_by_last_step()? {
            return Ok(Some(Ending::Diverged { epoch }));
        }
        if !self.interrupter.should_stop() {
            return Ok(None);
        }
        if self.state.position != self.saved {
            let records = self.records()?;
            self.save_checkpoint(&records)?;
        }
        Ok(Some(Ending::Interrupted))
    }

    /// Whether the latest training step has left a network that gives no numbers: a step's own loss is that
    /// of the network before it.
    fn is_broken_by_last_step(&mut self) -> Result<bool> {
        let Some(LabelledBatch {
            images,
            labels,
            seed,
        }) = self.unproven.take()
        else {
            return Ok(false);
        };
        let batch = LabelledBatch {
            images: images.without_autodiff(),
            labels,
            seed,
        };
        let output = InferenceStep::step(&self.network(), batch);
        let output: Arc<BatchInput> = output.adapt();
        Ok(!output.score()?.loss.is_finite())
    }

    /// Notes the epoch and saves all that came of it: the checkpoint last, since a resumed run
    /// takes what stands before it as done.
    fn finish_epoch(&mut self, record: EpochRecord) -> Result<()> {
        self.state.end_epoch(record);
        if self.measuring.is_some() && self.saved_at.elapsed() < PAUSE_BETWEEN_CHECKPOINTS {
            return Ok(());
        }
        let records = self.records()?;
        if self.measuring.is_none() {
            self.save_networks(record, &records)?;
            self.run.save_metrics(&self.state.history)?;
        }
        self.save_checkpoint(&records)
    }

    /// Saves the network after the epoch `record` as the last one, and as the best one if it is.
    fn save_networks(&self, record: EpochRecord, records: &Records) -> Result<()> {
        let average = records.get(&RecordKind::Average);
        let Some(weights) = average.or(records.get(&RecordKind::Network)) else {
            unreachable!("`RecordReceiver::receive` gives all kinds")
        };
        saved_model::save(&self.run, SavedNetwork::Last, weights, &self.state, record)?;
        // If the run went back to a checkpoint before the best epoch, that epoch's network is not of this
        // run any more: the best since then takes its place. One that cannot be read is replaced.
        let best = saved_model::card(&self.run, SavedNetwork::Best);
        let best = best.ok().flatten().map(|card| card.epoch);
        let rivals = best.filter(|best| self.state.history.contains(best));
        let rivals: Vec<EpochRecord> = rivals.into_iter().chain([record]).collect();
        if history::best(&rivals) == Some(&record) {
            saved_model::save(&self.run, SavedNetwork::Best, weights, &self.state, record)?;
        }
        Ok(())
    }

    /// What a checkpoint taken now holds.
    fn records(&mut self) -> Result<Records> {
        // Burn keeps each batch normalisation's latest running statistics aside until they are
        // asked for, and records those before. Here they are asked for.
        drop(self.learner.model().valid());
        let epoch = self.state.position.epoch;
        self.checkpointer
            .checkpoint(&self.learner, epoch, &self.store);
        let mut records = self.records.receive()?;
        if let Some(average) = &self.average {
            let bytes = average.network().clone().into_record().into_bytes();
            let bytes = bytes.context("cannot record the moving average")?;
            records.insert(RecordKind::Average, bytes);
        }
        Ok(records)
    }

    fn save_checkpoint(&mut self, records: &Records) -> Result<()> {
        let folder = self.run.checkpoints();
        checkpoint::save(&folder, self.state.clone(), records)?;
        self.saved = self.state.position;
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
