//! A run from its images to its summary.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use augmentation::Augmenter;
use burn::module::Module;
use burn::train::metric::LearningRateMetric;
use burn::train::{Interrupter, Learner, SupervisedTraining, TrainingStrategy};
use data::{EpochLoader, LabelledImages, Split};
use model::Task;

use crate::averaging::Average;
use crate::backend::Processor;
use crate::checkpoint::{self, Position, Progress, Restored, WheneverAsked, record_channel};
use crate::classifier::Classifier;
use crate::config::RunConfig;
use crate::console::Console;
use crate::epoch_loop::{Ending, EpochLoop};
use crate::evaluation::{self, Evaluation};
use crate::files::remove_partial;
use crate::history::PassTime;
use crate::interrupt::Signals;
use crate::measuring::{self, GradientsSoFar, Measuring, Part};
use crate::metrics::{
    AccuracyMetric, LossMetric, NoMetricLog, SharedTally, Tally, ThroughputMetric,
};
use crate::run_directory::RunDirectory;
use crate::saved_model::{self, Which};
use crate::schedule::Schedule;
use crate::summary::{self, Program, Seconds, Summary};

/// All that a training needs.
pub struct Training {
    /// Where its results go. Its configuration is saved already.
    pub run: RunDirectory,
    /// What it does.
    pub config: RunConfig,
    /// What computes it.
    pub processor: Processor,
    /// The labelled images, split below into training and validation.
    pub images: LabelledImages,
    /// What the user sees of it.
    pub console: Console,
    /// What stops it early.
    pub signals: Signals,
    /// What a study measures; without one, the run's networks are saved instead.
    pub study: Option<ForStudy>,
}

/// A training that is a run of a study.
#[derive(Clone, Copy, Debug)]
pub struct ForStudy {
    /// Whether the test images are scored.
    pub score_test: bool,
}

/// What came of a training.
pub struct Trained {
    /// How it ended.
    pub ending: Ending,
    /// Where the run stands.
    pub progress: Progress,
    /// The last network, or its moving average; not in training.
    pub network: Classifier,
    /// Median wall-clock seconds of a step, if there was any.
    pub seconds_per_step: Option<f64>,
    /// Number of images trained on, for validation and for the test.
    pub images: [usize; 3],
}

/// The images and the network of a run, before the first step.
struct Prepared {
    split: Split,
    progress: Progress,
    learner: Learner<Classifier>,
    average: Option<Average>,
}

const MISFIT: &str = "the network does not fit the images";

/// The images of a run in their two parts, and what its network has to tell apart.
///
/// # Errors
///
/// If the configuration does not fit the images, or all have the same label.
pub fn split(config: &RunConfig, images: &LabelledImages) -> Result<(Split, Task)> {
    let mut labels = images.labels();
    if let Some(label) = labels.next()
        && labels.all(|other| other == label)
    {
        bail!("all images have the label {label}: there is nothing to tell apart");
    }
    let split = config.split(images)?;
    if split.validation.labels().len() == 0 && config.data.validation_fraction > 0.0 {
        bail!("no image is left for validation: raise validation_fraction or add images");
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
    Ok((split, task))
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
        let Trained {
            ending, progress, ..
        } = self.train(restored).with_context(|| {
            let run = self.run.path().display();
            format!("stopped; once this is mended, continue with `trainer resume {run}`")
        })?;
        if ending == Ending::Finished {
            let summary = self.summarize(&progress)?;
            self.run.save_summary(&summary)?;
            self.report(&summary);
        }
        Ok(ending)
    }

    /// Trains, and no more: [`Training::run`] without the summary.
    ///
    /// # Errors
    ///
    /// As of [`Training::run`].
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
        let device = self.processor.device.clone().autodiff();
        let network = config
            .network
            .init(task, config.seed, &device)
            .context(MISFIT)?
            .with_kernels(config.kernels);
        let steps_per_epoch = split.training.labels().len().div_ceil(config.batch_size);
        let mut learner = Learner::new(
            Classifier {
                network,
                loss: config.loss,
                label_smoothing: config.label_smoothing,
            },
            config.optimizer.init(config.kernels),
            Schedule::new(config, steps_per_epoch),
        );
        let mut averaged = learner.model().valid();
        let progress = match restored {
            None => Progress {
                format: checkpoint::FORMAT,
                config: config.clone(),
                task,
                scaling: split.training.scaling(),
                position: Position::START,
                tally: Tally::default(),
                time: PassTime::default(),
                learning_rate: 0.0,
                gradients: GradientsSoFar::default(),
                history: Vec::new(),
                measurements: Vec::new(),
                sha256: Default::default(),
            },
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
                Progress {
                    config: config.clone(),
                    ..restored.progress
                }
            }
        };
        Ok(Prepared {
            split,
            progress,
            learner,
            average: config.averaging.map(|of| Average::new(of, averaged)),
        })
    }

    fn fit(&self, prepared: Prepared) -> Result<Trained> {
        let Prepared {
            split,
            progress,
            learner,
            average,
        } = prepared;
        let config = &self.config;
        let device = self.processor.device.clone();
        let batch_size = NonZeroUsize::new(config.batch_size).context("batch_size is 0")?;
        let Position { epoch, batch } = progress.position;
        let images =
            [&split.training, &split.validation, &split.test].map(|part| part.labels().len());
        let measuring = self.measuring(&split, &progress);
        let mut train_loader = EpochLoader::shuffled(
            split.training,
            progress.scaling,
            batch_size,
            config.seed,
            epoch as u64,
            &device.clone().autodiff(),
        )
        .skipping(batch);
        if !config.augmentation.is_identity() {
            let side = self.images.side();
            let augmenter = Augmenter::new(&config.augmentation, side, config.seed)?;
            train_loader = train_loader.augmented(augmenter);
        }
        let valid_loader = EpochLoader::in_order(
            split.validation,
            progress.scaling,
            evaluation::BATCH_SIZE,
            &device,
        );
        let interrupter = Interrupter::new();
        self.signals.stop(&interrupter);
        let tallies = [SharedTally::default(), SharedTally::default()];
        let [train_loss, valid_loss] = tallies
            .clone()
            .map(|tally| LossMetric::new(tally, interrupter.clone()));
        let ([network, optimizer, schedule], records) = record_channel();
        let epoch_loop = Arc::new(EpochLoop::new(
            self.run.clone(),
            self.console.clone(),
            tallies,
            records,
            measuring,
            progress,
            average,
        ));
        let training = SupervisedTraining::<Classifier>::new(
            self.run.path(),
            Arc::new(train_loader),
            Arc::new(valid_loader),
        )
        .num_epochs(config.total_epochs())
        .metric_train_numeric(train_loss)
        .metric_valid_numeric(valid_loss)
        .metric_train_numeric(AccuracyMetric::default())
        .metric_valid_numeric(AccuracyMetric::default())
        .metric_train_numeric(LearningRateMetric::new())
        .metric_train_numeric(ThroughputMetric::default())
        .metric_valid_numeric(ThroughputMetric::default())
        .with_metric_logger(NoMetricLog)
        .with_application_logger(None)
        .with_custom_checkpointers(network, optimizer, schedule)
        .with_checkpointing_strategy(WheneverAsked)
        .with_training_strategy(TrainingStrategy::Custom(epoch_loop.clone()))
        .renderer(self.console.renderer(&interrupter, epoch))
        .with_interrupter(interrupter);
        // The dashboard's "stop immediately" panics in several threads.
        let launched = catch_unwind(AssertUnwindSafe(|| training.launch(learner)));
        self.signals.stop_nothing();
        if launched.is_err() {
            bail!("the training broke off");
        }
        let (ending, progress, network) = epoch_loop.ending()?;
        Ok(Trained {
            ending,
            progress,
            network,
            seconds_per_step: epoch_loop.median_step_seconds(),
            images,
        })
    }

    /// What is looked at after every epoch, in a study.
    fn measuring(&self, split: &Split, progress: &Progress) -> Option<Measuring> {
        let ForStudy { score_test } = self.study?;
        let part = |images: &LabelledImages, batch_size| Part {
            loader: Arc::new(EpochLoader::in_order(
                images.clone(),
                progress.scaling,
                batch_size,
                &self.processor.device,
            )),
            labels: images.labels().collect(),
        };
        let test = Some(&split.test).filter(|test| score_test && test.labels().len() > 0);
        Some(Measuring {
            training: part(
                &split.training.sample(split.validation.labels().len()),
                evaluation::BATCH_SIZE,
            ),
            validation: part(&split.validation, measuring::BATCH_SIZE),
            test: test.map(|test| part(test, evaluation::BATCH_SIZE)),
            classes: progress.task.classes,
        })
    }

    /// Evaluates the best network.
    fn summarize(&self, progress: &Progress) -> Result<Summary> {
        let (split, _) = split(&self.config, &self.images)?;
        let device = &self.processor.device;
        let history = &progress.history;
        let last = history.last().context("the run has no epochs")?;
        let kernels = self.config.kernels;
        let (best, card) = saved_model::load(&self.run, Which::Best, device, kernels)?;
        let labels: Vec<u8> = split.validation.labels().collect();
        let validation = if labels.is_empty() {
            None
        } else {
            let loader = EpochLoader::in_order(
                split.validation,
                progress.scaling,
                evaluation::BATCH_SIZE,
                device,
            );
            let probabilities = evaluation::predict(&best, &loader, progress.task.classes)?;
            Some(Evaluation::new(&probabilities, &labels))
        };
        let (last_network, _) = saved_model::load(&self.run, Which::Last, device, kernels)?;
        Ok(Summary {
            program: Program::THIS,
            backend: self.processor.backend,
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

    fn report(&self, summary: &Summary) {
        let Summary {
            validation,
            best_epoch,
            seconds,
            ..
        } = summary;
        let score = match validation {
            Some(validation) => format!(
                "best epoch {best_epoch}: {:.2} % ± {:.2} (standard error) of {} validation images read correctly",
                100.0 * validation.accuracy,
                100.0 * validation.accuracy_standard_error,
                validation.images,
            ),
            None => String::from("no image was held out for validation"),
        };
        if let Some(stopping) = self.config.early_stopping
            && summary.epochs < self.config.total_epochs()
        {
            let patience = stopping.patience;
            self.console.say(&format!(
                "stopped early: no better epoch than {best_epoch} in {patience} epochs"
            ));
        }
        self.console.say(&format!(
            "{score}; trained in {:.0} s at {:.0} images/s",
            seconds.training + seconds.loading,
            summary.images_per_second,
        ));
        self.console
            .say(&format!("everything is in {}", self.run.path().display()));
        self.console.event("summary", summary);
    }
}
