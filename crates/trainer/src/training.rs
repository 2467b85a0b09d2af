//! A run from its images to its summary.

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use augmentation::Augmenter;
use burn::module::Module;
use burn::tensor::Device;
use burn::train::metric::LearningRateMetric;
use burn::train::{Interrupter, Learner, SupervisedTraining, TrainingStrategy};
use data::{EpochLoader, LabelledImages, Scaling, Split, Thousands};
use files::remove_partial;
use model::Task;
use serde::Serialize;

use crate::averaging::Average;
use crate::backend::Processor;
use crate::checkpoint::{
    Position, RecordSender, Restored, RunState, WheneverAsked, record_channel,
};
use crate::classifier::Classifier;
use crate::config::RunConfig;
use crate::console::{Console, print_error};
use crate::epoch_loop::{Ending, EpochLoop, LoopOutcome, LoopStart};
use crate::evaluation::{self, Evaluation};
use crate::history::{self, EpochRecord};
use crate::interrupt::Signals;
use crate::measuring::{self, MeasuredImages, Measuring};
use crate::metrics::{AccuracyMetric, LossMetric, NoMetricLog, SharedTally, ThroughputMetric};
use crate::run_directory::RunDirectory;
use crate::saved_model::{self, SavedNetwork};
use crate::schedule::Schedule;
use crate::shell::as_argument;
use crate::summary::{self, Program, Seconds, Summary};
use crate::text::count;

/// All that a training needs.
pub struct Training {
    /// Where its results go. Its configuration is saved already.
    pub run: RunDirectory,
    /// What it does.
    pub config: RunConfig,
    /// Compute backend and device.
    pub processor: Processor,
    /// The labelled images, which are split into those for training, for validation and for a test.
    pub images: LabelledImages,
    /// What the user sees of it.
    pub console: Console,
    /// What stops it early.
    pub signals: Signals,
    /// What a study measures; without one, the run's networks are saved instead.
    pub study: Option<StudyRun>,
}

/// A training that is a run of a study.
#[derive(Clone, Copy, Debug)]
pub struct StudyRun {
    /// Whether the test images are scored.
    pub score_test: bool,
}

/// What came of a training.
pub struct Trained {
    /// What the loop ended with.
    pub outcome: LoopOutcome,
    /// Number of images trained on, for validation and for the test.
    pub images: [usize; 3],
    /// Share of the commonest class among those for the test, if there are any.
    pub commonest_class_share: Option<f64>,
    /// What one of these changes in balanced accuracy at most.
    pub balanced_accuracy_step: Option<f64>,
}

/// The images and the network of a run, before the first step.
struct Prepared {
    split: Split,
    state: RunState,
    learner: Learner<Classifier>,
    average: Option<Average>,
}

/// The user has chosen the dashboard's "stop immediately".
#[derive(Debug, thiserror::Error)]
#[error("stopped at once")]
struct StoppedAtOnce;

/// Every class is too small for its share to make one image.
#[derive(Debug, thiserror::Error)]
#[error(
    "no class has enough images for one of them to be held out for validation: raise --validation-fraction, set it to \
     0 to do without, or add images"
)]
pub struct NoValidationImages;

/// What Burn's dashboard panics with then.
const STOP_IMMEDIATELY: &str = "Killing training from user input.";

const MISFIT: &str = "the network cannot be built for these images";

/// With fewer steps networks have hardly begun to learn.
pub const FEW_STEPS: usize = 100;

/// The optimizer steps of a whole run.
pub fn steps(config: &RunConfig, split: &Split) -> usize {
    config.total_epochs() * steps_per_epoch(config, split)
}

fn steps_per_epoch(config: &RunConfig, split: &Split) -> usize {
    split.training.rows().len().div_ceil(config.batch_size)
}

/// The images of a run in their three parts, and what its network has to tell apart.
///
/// # Errors
///
/// If the configuration does not fit the images, or all have the same label; [`NoValidationImages`].
pub fn split(config: &RunConfig, images: &LabelledImages) -> Result<(Split, Task)> {
    let mut labels = images.labels();
    if let Some(label) = labels.next()
        && labels.all(|other| other == label)
    {
        bail!(
            "{}: all images have the label {label}: there is nothing to tell apart",
            images.source()
        );
    }
    let split = config.split(images)?;
    if split.validation.labels().len() == 0 && config.data.validation_fraction > 0.0 {
        return Err(NoValidationImages.into());
    }
    let task = Task {
        height: images.side(),
        width: images.side(),
        classes: images.classes(),
    };
    config
        .network
        .check([task.height, task.width])
        .context(MISFIT)?;
    let training = split.training.labels().len();
    let batches = training.div_ceil(config.batch_size).max(1);
    // Batches differ in size by one image at most.
    let smallest = training / batches;
    config
        .network
        .check_batches(smallest, [task.height, task.width])?;
    if !config.augmentation.is_identity() {
        Augmenter::new(&config.augmentation, images.side(), config.seed)?;
    }
    Ok((split, task))
}

/// What a panic says, after a colon; empty if it says nothing.
fn cause_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref().map(String::as_str));
    text.map_or_else(String::new, |text| format!(": {text}"))
}

/// A fresh network on `device`, with what trains it.
///
/// # Errors
///
/// If the network does not fit the images.
pub fn learner(
    config: &RunConfig,
    task: Task,
    steps_per_epoch: usize,
    device: &Device,
) -> Result<Learner<Classifier>> {
    let network = config
        .network
        .init(task, config.seed, &device.clone().autodiff())
        .context(MISFIT)?;
    Ok(Learner::new(
        Classifier {
            network: network.with_kernels(config.kernels),
            loss: config.loss,
            label_smoothing: config.label_smoothing,
        },
        config.optimizer.init(config.kernels),
        Schedule::new(config, steps_per_epoch),
    ))
}

impl Training {
    /// Trains to the end of the run, or until it is stopped, from the beginning or from a
    /// checkpoint.
    ///
    /// # Errors
    ///
    /// If the configuration does not fit the images, or something fails on the way; what was saved
    /// by then is still there.
    pub fn run(&self, restored: Option<Restored>) -> Result<Ending> {
        let Trained { outcome, .. } = self.train(restored).map_err(|error| {
            let go_on = format!(
                "continue with `trainer resume {}`",
                as_argument(self.run.path())
            );
            if error.is::<StoppedAtOnce>() {
                // Burn sets the terminal back twice, the second time to before its own last words.
                print_error("\n");
                return anyhow!("{error}; {go_on} from the last checkpoint");
            }
            error.context(format!("stopped; once this is mended, {go_on}"))
        })?;
        if outcome.ending == Ending::Finished {
            let summary = self.summarize(&outcome.state)?;
            self.run.save_summary(&summary)?;
            self.report(&summary, &outcome.state.history);
        }
        Ok(outcome.ending)
    }

    /// Trains, and no more: [`Training::run`] without the summary.
    ///
    /// # Errors
    ///
    /// See [`Training::run`].
    pub fn train(&self, restored: Option<Restored>) -> Result<Trained> {
        remove_partial(self.run.path())?;
        if self.run.checkpoints().exists() {
            remove_partial(&self.run.checkpoints())?;
        }
        let prepared = self.prepare(restored)?;
        self.fit(prepared)
    }

    fn prepare(&self, restored: Option<Restored>) -> Result<Prepared> {
        let config = &self.config;
        let (split, task) = split(config, &self.images)?;
        let steps_per_epoch = steps_per_epoch(config, &split);
        let mut learner = learner(config, task, steps_per_epoch, &self.processor.device)?;
        let mut averaged = learner.model().valid();
        let mut state = match restored {
            None => RunState::new(config.clone(), task, split.training.scaling()),
            Some(restored) => {
                let misfit =
                    || format!("{} does not fit the run's network", restored.path.display());
                // `Learner::load_model` panics where this fails.
                let fits = learner.model().try_load_record(restored.network.clone());
                fits.with_context(misfit)?;
                if let Some(average) = restored.average {
                    averaged = averaged.try_load_record(average).with_context(misfit)?;
                }
                learner.load_model(restored.network);
                learner.load_optim(restored.optimizer);
                learner.load_scheduler(restored.schedule);
                RunState {
                    config: config.clone(),
                    ..restored.state
                }
            }
        };
        if state.backends.last() != Some(&self.processor.backend) {
            state.backends.push(self.processor.backend);
        }
        Ok(Prepared {
            split,
            state,
            learner,
            average: config.averaging.map(|of| Average::new(of, averaged)),
        })
    }

    fn fit(&self, prepared: Prepared) -> Result<Trained> {
        let Prepared {
            split,
            state,
            learner,
            average,
        } = prepared;
        let epoch = state.position.epoch;
        let images =
            [&split.training, &split.validation, &split.test].map(|part| part.labels().len());
        let commonest_class_share = split.test.commonest_class_share();
        let balanced_accuracy_step = split.test.balanced_accuracy_step();
        let measuring = self.measuring(&split, &state);
        let training_loader = self.training_loader(split.training, &state)?;
        let validation_loader =
            self.scoring_loader(split.validation, state.scaling, evaluation::BATCH_SIZE);
        let interrupter = Interrupter::new();
        self.signals.call(self.stop(&interrupter));
        let tallies = [SharedTally::default(), SharedTally::default()];
        let (checkpointers, records) = record_channel();
        let epoch_loop = Arc::new(EpochLoop::new(LoopStart {
            run: self.run.clone(),
            console: self.console.clone(),
            tallies: tallies.clone(),
            records,
            measuring,
            state,
            average,
        }));
        let loaders = [training_loader, validation_loader];
        let training = self
            .supervised(loaders, tallies, checkpointers, &interrupter)
            .with_training_strategy(TrainingStrategy::Custom(epoch_loop.clone()))
            .renderer(self.console.renderer(&interrupter, epoch))
            .with_interrupter(interrupter.clone());
        // The dashboard's "stop immediately" panics in several threads.
        let launched = catch_unwind(AssertUnwindSafe(|| training.launch(learner)));
        match self.study {
            // What came of it is saved first; whoever makes the runs then asks whether to stop.
            Some(_) => self.signals.call(|| ()),
            None => self.signals.stop_nothing(),
        }
        if let Err(panic) = launched {
            return Err(match panic.downcast_ref() {
                Some(&STOP_IMMEDIATELY) => StoppedAtOnce.into(),
                _ => anyhow!("the training broke off{}", cause_of(&*panic)),
            });
        }
        let outcome = epoch_loop.outcome()?;
        Ok(Trained {
            outcome,
            images,
            commonest_class_share,
            balanced_accuracy_step,
        })
    }

    /// What the first signal does.
    fn stop(&self, interrupter: &Interrupter) -> impl FnOnce() + Send + 'static {
        let (console, interrupter) = (self.console.clone(), interrupter.clone());
        let line = format!(
            "stopping and saving; once more ends it at once, and `trainer resume {}` goes on from the last checkpoint",
            as_argument(self.run.path())
        );
        move || {
            // First, as nobody may read the line any more.
            interrupter.stop(Some("interrupted"));
            // By a thread of its own: this one has to hear the second signal, even if nobody reads.
            // Where there can be no other thread, the line is left out.
            drop(thread::Builder::new().spawn(move || console.say_beside_the_training(&line)));
        }
    }

    /// What Burn needs for a training, but for the loop: the images, the metrics, and where the
    /// checkpoints' records go.
    fn supervised(
        &self,
        [training_loader, validation_loader]: [EpochLoader<LabelledImages>; 2],
        tallies: [SharedTally; 2],
        [network, optimizer, schedule]: [RecordSender; 3],
        interrupter: &Interrupter,
    ) -> SupervisedTraining<Classifier> {
        let [train_loss, valid_loss] =
            tallies.map(|tally| LossMetric::new(tally, interrupter.clone()));
        SupervisedTraining::new(
            self.run.path(),
            Arc::new(training_loader),
            Arc::new(validation_loader),
        )
        .num_epochs(self.config.total_epochs())
        // The first one is what the dashboard shows, and all that has room in a terminal of 24 lines.
        .metric_train_numeric(AccuracyMetric::default())
        .metric_valid_numeric(AccuracyMetric::default())
        .metric_train_numeric(train_loss)
        .metric_valid_numeric(valid_loss)
        .metric_train_numeric(LearningRateMetric::new())
        .metric_train_numeric(ThroughputMetric::default())
        .metric_valid_numeric(ThroughputMetric::default())
        .with_metric_logger(NoMetricLog)
        .with_application_logger(None)
        .with_custom_checkpointers(network, optimizer, schedule)
        .with_checkpointing_strategy(WheneverAsked)
    }

    /// Batches of the training images from where `state` stands, augmented, in an order of its own
    /// for each epoch.
    fn training_loader(
        &self,
        images: LabelledImages,
        state: &RunState,
    ) -> Result<EpochLoader<LabelledImages>> {
        let config = &self.config;
        let batch_size = NonZeroUsize::new(config.batch_size).context("batch_size is 0")?;
        let Position { epoch, batch } = state.position;
        let device = self.processor.device.clone().autodiff();
        let side = images.side();
        let loader = EpochLoader::in_order(images, state.scaling, batch_size, &device).shuffled(
            config.seed,
            epoch as u64,
            batch,
        );
        if config.augmentation.is_identity() {
            return Ok(loader);
        }
        let augmenter = Augmenter::new(&config.augmentation, side, config.seed)?;
        Ok(loader.augmented(augmenter))
    }

    /// Batches of `images` as they are, in their order.
    fn scoring_loader(
        &self,
        images: LabelledImages,
        scaling: Scaling,
        batch_size: NonZeroUsize,
    ) -> EpochLoader<LabelledImages> {
        EpochLoader::in_order(images, scaling, batch_size, &self.processor.device)
    }

    /// What is looked at after every epoch, in a study.
    fn measuring(&self, split: &Split, state: &RunState) -> Option<Measuring> {
        let StudyRun { score_test } = self.study?;
        let measured = |images: &LabelledImages, batch_size| MeasuredImages {
            loader: Arc::new(self.scoring_loader(images.clone(), state.scaling, batch_size)),
            labels: images.labels().collect(),
        };
        let test = Some(&split.test).filter(|test| score_test && test.labels().len() > 0);
        Some(Measuring {
            training: measured(
                &split.training.sample(split.validation.labels().len()),
                evaluation::BATCH_SIZE,
            ),
            validation: measured(&split.validation, measuring::BATCH_SIZE),
            test: test.map(|test| measured(test, evaluation::BATCH_SIZE)),
            classes: state.task.classes,
        })
    }

    /// Evaluates the best network.
    fn summarize(&self, state: &RunState) -> Result<Summary> {
        let (split, _) = split(&self.config, &self.images)?;
        let device = &self.processor.device;
        let history = &state.history;
        let last = history.last().context("the run has no epochs")?;
        let kernels = self.config.kernels;
        let (best, card) = saved_model::load(&self.run, SavedNetwork::Best, device, kernels)?;
        let labels: Vec<u8> = split.validation.labels().collect();
        let validation = if labels.is_empty() {
            None
        } else {
            let loader =
                self.scoring_loader(split.validation, state.scaling, evaluation::BATCH_SIZE);
            let probabilities = evaluation::predict(&best, &loader, state.task.classes)?;
            Some(Evaluation::new(&probabilities, &labels))
        };
        let (last_network, _) = saved_model::load(&self.run, SavedNetwork::Last, device, kernels)?;
        Ok(Summary {
            program: Program::THIS,
            backend: self.processor.backend,
            backends: state.backends.clone(),
            device: self.processor.name.clone(),
            data: self.images.source().to_string(),
            data_fingerprint: self.config.data.fingerprint.clone().unwrap_or_default(),
            parameters: best.network.num_parameters(),
            epochs: history.len(),
            best_epoch: card.epoch.epoch,
            validation,
            last_validation_accuracy: last.valid.map(|valid| valid.accuracy),
            images_per_second: summary::images_per_second(history),
            seconds: Seconds::of(history),
            peak_memory_bytes: summary::peak_memory_bytes(),
            weights_sha256: summary::weights_sha256(&last_network),
        })
    }

    fn report(&self, summary: &Summary, history: &[EpochRecord]) {
        let Summary {
            validation,
            best_epoch,
            seconds,
            ..
        } = summary;
        let score = match validation {
            Some(validation) => format!(
                "best epoch {best_epoch}: {} of {} validation images classified correctly",
                validation.accuracy_text(),
                Thousands(validation.images),
            ),
            None => String::from("no image was held out for validation"),
        };
        let note = validation.as_ref().and_then(Evaluation::note_on_one_class);
        if let Some(stopping) = self.config.early_stopping
            && summary.epochs < self.config.total_epochs()
        {
            let patience = stopping.patience;
            self.console.say(&format!(
                "stopped early: no better epoch than {} in {}",
                history::best(history).map_or(*best_epoch, |best| best.epoch),
                count(patience, "epoch")
            ));
        }
        self.console.say(&format!(
            "{score}; trained in {:.1} s at {:.0} images/s",
            seconds.training_with_loading, summary.images_per_second,
        ));
        self.console
            .say(&format!("everything is in {}", self.run.path().display()));
        if let Some(note) = note {
            self.console.say(&note);
        }
        /// A summary, and where it is.
        #[derive(Serialize)]
        struct Summarized<'a> {
            run: &'a Path,
            #[serde(flatten)]
            summary: &'a Summary,
        }
        let run = self.run.path();
        self.console.event("summary", &Summarized { run, summary });
    }
}
