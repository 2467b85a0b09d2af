//! What one run leaves behind: `result.json`.
//!
//! The trainer writes it, everything else here reads it. What a run lacks is left out, and what a
//! reader does not know is skipped, so that older and newer files of one [`VERSION`] can be read.
//!
//! # Definitions
//!
//! Below, f is the activation function, z = (z₁ …) its inputs (the pre-activations), taken over the
//! whole validation set with the network of the end of the epoch. A *site* is a place in the network
//! where an activation stands; its *units* are the channels of a convolution, whose positions are the
//! pixels of its output, or the units of a dense layer. None of the definitions asks that f be like a
//! rectifier.
//!
//! - **Dead** unit: f′(z) = 0 (to 32-bit precision) for every validation image and position, so that no
//!   gradient reaches it. For rectifiers that is a unit that is never active.
//! - **Saturated** pre-activation: |f′(z)| < 0.01 · max |f′|. The share is one of all pre-activations of
//!   the site. A pre-activation of a dead unit is saturated.
//! - **Sparsity**: share of activations that are exactly zero, f(z) = 0.
//! - **Gradient norm** of a layer: ‖∂L/∂W‖₂ of the mean loss L of a batch by the weights W (without
//!   biases) of the layer in front of the site, averaged over the batches of the epoch that were
//!   measured.
//! - **Effective rank** of the last hidden layer: exp(−Σ pᵢ ln pᵢ) with pᵢ = σᵢ / Σσ, σ the singular
//!   values of the matrix of its activations, one row per validation image: Roy and Vetterli 2007,
//!   "The effective rank: a measure of effective dimensionality". From 1 to the number of units.
//! - **Expected calibration error**: Σ_b (n_b / n) |accuracy_b − confidence_b| over 15 bins of equal
//!   width of the highest probability: Guo et al. 2017, <https://arxiv.org/abs/1706.04599>.

use serde::{Deserialize, Serialize};

use crate::id::RunId;
use crate::plan::{RunSpec, Stage};

/// The version of the format that this program writes, and the only one that it reads.
pub const VERSION: u32 = 1;

/// The least that a gradient norm, or a ratio of two, counts as: 32-bit numbers end there, and zero has
/// no logarithm.
pub(crate) const SMALLEST_GRADIENT: f64 = 1e-45;

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// The run's name, from its whole configuration.
    pub id: RunId,
    /// The planned runs that this one answers: the one that it was made for, then others with the same
    /// configuration.
    pub specs: Vec<RunSpec>,
    /// How the run ended.
    pub status: Status,
    /// Number of classes; a network that has learnt nothing reads 1 / classes of the images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Share of the commonest class among the test images: what is read right by always naming it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commonest_class_share: Option<f64>,
    /// What one test image of the rarest class changes in balanced accuracy, the most that any does, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy_step: Option<f64>,
    /// Number of trainable parameters of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<u64>,
    /// How many images there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImageCounts>,
    /// The epoch (from 1) whose network was chosen by its validation accuracy, and scored on the test
    /// images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_epoch: Option<usize>,
    /// The score of the chosen network on the test images, which nothing was chosen by. Trials have
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Score>,
    /// The places where activations stand, input first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<Site>,
    /// What happened in each epoch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<Epoch>,
    /// The loss in the course of the training, part by part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loss_curve: Vec<LossPoint>,
    /// SHA-256 of the last network's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// What it was computed with and on. Not part of the results file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// How long it took. Not part of the results file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Status {
    /// It came to its end.
    Finished,
    /// The loss was no number any more. That is a result of the contender.
    Diverged {
        /// In which epoch, from 1.
        epoch: usize,
    },
    /// Something else went wrong, such as a full disk. That says nothing about the contender.
    Failed {
        /// What.
        reason: String,
    },
}

/// Numbers of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCounts {
    /// Trained on.
    pub training: usize,
    /// Held out to choose the learning rate and the epoch.
    pub validation: usize,
    /// Held out to be scored once.
    pub test: usize,
}

/// How well a network reads some images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of images read correctly, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The mean over the classes of the share of their images read correctly, 0 to 1, which does not depend on how common
    /// a class is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<f64>,
    /// Mean cross-entropy per image, in nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Expected calibration error, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ece: Option<f64>,
}

/// One epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Learning rate of its last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// The training images, each as it was met during the epoch, dropout included. Its loss is the one that
    /// is trained with, label smoothing included.
    pub training: Score,
    /// The training images, or a fixed sample of them, with the network of the end of the epoch and
    /// without dropout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training_at_end: Option<Score>,
    /// The validation images, with the network of the end of the epoch.
    pub validation: Score,
    /// Accuracy on the test images, 0 to 1. Nothing is chosen by it; it shows how much choosing by it
    /// would have flattered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// Effective rank of the last hidden layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_rank: Option<f64>,
    /// What was seen at each site, in the order of [`RunRecord::sites`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<SiteEpoch>,
}

/// The loss of consecutive training steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    /// How many epochs had passed in the middle of these steps.
    pub epochs: f64,
    /// Mean per image of the loss that is trained with, in nats, of the images as they were met: with dropout
    /// and label smoothing.
    pub loss: f64,
}

/// A place in the network where an activation stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// What it is called: `stage 1, layer 2`, `hidden`.
    pub name: String,
    /// Its place from the input, 1 for the first.
    pub depth: usize,
    /// Number of its units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<usize>,
    /// The pre-activations at the end of the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_activations: Option<Histogram>,
}

/// Numbers of values in bins of equal width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Lower end of the first bin.
    pub low: f64,
    /// Upper end of the last bin.
    pub high: f64,
    /// Number of values in each bin.
    pub counts: Vec<u64>,
    /// Number of values below the first bin.
    #[serde(default)]
    pub below: u64,
    /// Number of values above the last bin.
    #[serde(default)]
    pub above: u64,
}

/// What was seen at one site at the end of one epoch; see the [definitions](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteEpoch {
    /// Share of units that are dead, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead: Option<f64>,
    /// Share of pre-activations that are saturated, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturated: Option<f64>,
    /// Share of activations that are exactly zero, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparsity: Option<f64>,
    /// Mean of the pre-activations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_activation_mean: Option<f64>,
    /// Standard deviation of the pre-activations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_activation_sd: Option<f64>,
    /// Mean of the activations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_mean: Option<f64>,
    /// Standard deviation of the activations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_sd: Option<f64>,
    /// Gradient norm of the layer in front of the site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f64>,
    /// The learnable parameter of the activation: PReLU's slope, Swish's β.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<f64>,
}

/// What a run was computed with and on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Version of the program.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// Commit of its source, with `-dirty` behind it where that was changed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What computed: `flex`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub backend: String,
    /// Name of the processor.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub device: String,
    /// Operating system.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// Cores of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<usize>,
    /// Threads that the run computed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

/// How long a run took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Times {
    /// Wall-clock seconds of training, scoring and measuring in the epochs that ended, across interruptions; without
    /// checkpoints, and without measuring what the function costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_seconds: Option<f64>,
    /// Median seconds of a training step, with forward and backward pass and the optimizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_per_step: Option<f64>,
    /// Nanoseconds per element that the activation function alone takes forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_nanoseconds: Option<f64>,
    /// Nanoseconds per element that it takes backward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backward_nanoseconds: Option<f64>,
    /// One for each of [`RunRecord::epochs`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<EpochTimes>,
}

/// How long an epoch took, in wall-clock seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EpochTimes {
    /// Training, waiting for data included.
    pub training_seconds: f64,
    /// Scoring on validation and test images, and on the sample of training images.
    pub scoring_seconds: f64,
    /// Everything else that is measured for the study only: sites, gradients, ranks, calibration.
    pub measuring_seconds: f64,
}

impl RunRecord {
    /// Whether this run, which has the configuration of `spec`, has all that is wanted of it. One that was
    /// a trial of another study lacks the test images' score.
    pub(crate) fn suffices(&self, spec: &RunSpec) -> bool {
        let has_test_images = self.images.is_some_and(|images| images.test > 0);
        spec.stage == Stage::Trial
            || self.status != Status::Finished
            || self.test.is_some()
            || !has_test_images
    }

    /// Whether something went wrong that says nothing about the contender.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.status, Status::Failed { .. })
    }

    /// A record that says no more than how a planned run ended.
    pub fn new(id: RunId, spec: RunSpec, status: Status) -> Self {
        Self {
            version: VERSION,
            id,
            specs: vec![spec],
            status,
            classes: None,
            commonest_class_share: None,
            balanced_accuracy_step: None,
            parameters: None,
            images: None,
            chosen_epoch: None,
            test: None,
            sites: Vec::new(),
            epochs: Vec::new(),
            loss_curve: Vec::new(),
            weights_sha256: None,
            environment: None,
            times: None,
        }
    }

    /// The chosen epoch.
    pub fn chosen(&self) -> Option<&Epoch> {
        let number = self.chosen_epoch?;
        self.epochs.iter().find(|epoch| epoch.epoch == number)
    }

    /// By how much the accuracy would be higher if the epoch had been chosen on the test images: the
    /// highest test accuracy of any epoch less that of the chosen one, 0 or more. `None` where there was
    /// one epoch, and so no choice.
    pub fn inflation(&self) -> Option<f64> {
        if self.epochs.len() < 2 {
            return None;
        }
        let chosen = self.chosen()?.test_accuracy?;
        let accuracies = self.epochs.iter().filter_map(|epoch| epoch.test_accuracy);
        accuracies.reduce(f64::max).map(|best| best - chosen)
    }

    /// Accuracy on the training images less that on the validation images, after the last epoch. The
    /// former is that at the end of the epoch where it was measured, or else the one during it.
    pub fn gap(&self) -> Option<f64> {
        let last = self.epochs.last()?;
        let training = last.training_at_end.and_then(|score| score.accuracy);
        Some(training.or(last.training.accuracy)? - last.validation.accuracy?)
    }

    /// Number of the first epoch after which the validation accuracy is `accuracy` or more.
    pub fn epochs_to(&self, accuracy: f64) -> Option<usize> {
        let reached = |epoch: &&Epoch| epoch.validation.accuracy >= Some(accuracy);
        self.epochs.iter().find(reached).map(|epoch| epoch.epoch)
    }

    /// Seconds of training until the validation accuracy is `accuracy` or more, at the end of an epoch.
    pub fn seconds_to(&self, accuracy: f64) -> Option<f64> {
        let number = self.epochs_to(accuracy)?;
        let epochs = &self.times.as_ref()?.epochs;
        let seconds = |times: &EpochTimes| times.training_seconds;
        (epochs.len() >= number).then(|| epochs[..number].iter().map(seconds).sum())
    }

    /// Seconds of training.
    pub fn training_seconds(&self) -> Option<f64> {
        let epochs = &self.times.as_ref()?.epochs;
        let seconds = |times: &EpochTimes| times.training_seconds;
        (!epochs.is_empty()).then(|| epochs.iter().map(seconds).sum())
    }

    /// Share of the run's time that measuring took, 0 to 1.
    pub fn measuring_share(&self) -> Option<f64> {
        let times = self.times.as_ref()?;
        let total = times.total_seconds.filter(|&total| total > 0.0)?;
        let measuring: f64 = times
            .epochs
            .iter()
            .map(|times| times.measuring_seconds)
            .sum();
        (!times.epochs.is_empty()).then_some(measuring / total)
    }

    /// Gradient norm of the first layer divided by that of the last, in an epoch.
    pub fn gradient_ratio(epoch: &Epoch) -> Option<f64> {
        let mut norms = epoch.sites.iter().filter_map(|site| site.gradient_norm);
        let (first, last) = (norms.next()?, norms.next_back()?);
        (last > 0.0).then_some(first / last)
    }

    /// [`RunRecord::gradient_ratio`] in the first epoch, 10⁻⁴⁵ or more, so that it has a logarithm.
    pub fn first_gradient_ratio(&self) -> Option<f64> {
        let ratio = Self::gradient_ratio(self.epochs.first()?)?;
        Some(ratio.max(SMALLEST_GRADIENT))
    }

    /// The mean over all sites, after the last epoch, of what `measure` takes of each.
    pub fn mean_over_sites(&self, measure: impl Fn(&SiteEpoch) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self
            .epochs
            .last()?
            .sites
            .iter()
            .filter_map(measure)
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}
