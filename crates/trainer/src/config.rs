//! Everything that decides what a run computes, in one file.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use augmentation::AugmentationConfig;
use clap::ValueEnum;
use data::{Fractions, LabelledImages, Source, Split};
use model::{Activation, CnnConfig, Kernels};
use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::text::{note_on_archive, note_on_copies};

/// A whole run. Saved as `config.toml` before the first step; with the same data and backend it is
/// enough to repeat the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Every random draw of the run comes from this number.
    pub seed: u64,
    /// Compute backend.
    pub backend: Backend,
    /// Kernels of the network's layers and the optimizer's steps on CPUs.
    pub kernels: Kernels,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per training step, at most: the batches of an epoch differ in size by one image at most.
    pub batch_size: usize,
    /// What is trained on.
    pub data: DataConfig,
    /// What may happen to a training image, anew in every epoch.
    #[serde(skip_serializing_if = "AugmentationConfig::is_identity")]
    pub augmentation: AugmentationConfig,
    /// Optimizer.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes from step to step.
    pub schedule: ScheduleConfig,
    /// Training loss.
    #[serde(skip_serializing_if = "is_default")]
    pub loss: Loss,
    /// Share of every target that is spread evenly over all classes in training, in 0..1 (label
    /// smoothing; Szegedy et al. 2016, arXiv:1512.00567). Validation losses are without it.
    #[serde(skip_serializing_if = "is_default")]
    pub label_smoothing: f64,
    /// The moving average of the weights, which is then validated and saved instead of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub averaging: Option<AveragingConfig>,
    /// What ends the run before its last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStoppingConfig>,
    /// What the network looks like.
    pub network: CnnConfig,
    /// What `trainer ensemble` makes of the file; no part of a single run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<EnsembleConfig>,
    /// Later lengthenings of the run, by `trainer resume --epochs`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Extension>,
}

/// Where the images come from and which of them are held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// A file or folder, or `built-in`; without one, the folder `data`, or else the built-in
    /// digits. A run notes what it found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Share of the labelled images that is held out for validation, in 0..1.
    pub validation_fraction: f64,
    /// Share of the labelled images that is held out for a test, in 0..1. Nothing is chosen by it.
    #[serde(skip_serializing_if = "is_default_test_fraction")]
    pub test_fraction: f64,
    /// Share of the other images that is trained on, above 0 and at most 1.
    #[serde(skip_serializing_if = "is_default_training_fraction")]
    pub training_fraction: f64,
    /// What the parts are drawn from instead of the run's seed, so that runs with other seeds hold
    /// out the same images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// SHA-256 of the labelled images; filled in when the run starts, checked when it resumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// An optimizer and its constants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Which one.
    pub kind: OptimizerKind,
    /// The schedule's highest learning rate.
    pub learning_rate: f64,
    /// Weight decay per step: decoupled for AdamW, part of the gradient for the others. Only
    /// matrices and kernels decay: not biases, the scales and shifts of normalisations, nor the
    /// parameters of activation functions.
    pub weight_decay: f32,
}

/// The optimizers to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam (Kingma and Ba 2015), β = 0.9 and 0.999, ε = 1e-8
    #[default]
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019)
    Adamw,
    /// Stochastic gradient descent with Nesterov momentum 0.9
    Sgd,
    /// RMSprop (Hinton 2012), α = 0.99, ε = 1e-8
    Rmsprop,
}

/// A training loss, as the mean over images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy of the softmax of the logits
    #[default]
    CrossEntropy,
    /// One sigmoid per class: the sum of their binary cross-entropies
    BinaryCrossEntropy,
}

/// An exponential moving average of weights and running statistics (Polyak and Juditsky 1992).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table such as { decay = 0.999 }"
)]
pub struct AveragingConfig {
    /// Share of the average that a step leaves, in 0..1. After `t` steps it is (1 + t) / (10 + t)
    /// where that is less, so that the first weights are soon forgotten.
    pub decay: f64,
}

/// More than anybody could wait for; the number of their steps is still one that can be counted.
const MOST_EPOCHS: usize = 1_000_000;
/// More than fit into any memory, and a number that a configuration can hold.
const MOST_IMAGES_OF_A_BATCH: usize = 1_000_000_000;

/// More networks than anybody could train; they are listed in memory.
const MOST_MEMBERS: usize = 1000;

/// Several runs of one recipe, whose probabilities are averaged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnsembleConfig {
    /// Number of networks, at most 1000, with the seeds from the recipe's on.
    pub members: usize,
    /// The members' activation functions, in turn; without any, all have that of the network.
    pub activations: Vec<Activation>,
}

/// When a run ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table such as { patience = 3 }"
)]
pub struct EarlyStoppingConfig {
    /// Epochs after the best one, by validation accuracy and then loss, before the run ends; at
    /// least 1.
    pub patience: usize,
}

/// A learning-rate schedule over the steps of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Its form.
    pub kind: ScheduleKind,
    /// Share of the run in which the rate rises to its highest value, in 0..1. Not used by
    /// `constant`.
    pub warmup: f64,
}

/// The schedules to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Up along a cosine from 1/25 of the rate, then down to nearly nothing (Smith 2018)
    #[default]
    OneCycle,
    /// Up along a line from nothing, then down along a cosine to nothing
    Cosine,
    /// Up along a line from nothing, then down along a line to nothing
    Linear,
    /// Always the same rate
    Constant,
}

// What is left out of files keeps those of earlier versions as they were.

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_default_test_fraction(fraction: &f64) -> bool {
    *fraction == DataConfig::default().test_fraction
}

fn is_default_training_fraction(fraction: &f64) -> bool {
    *fraction == DataConfig::default().training_fraction
}

/// A run that was made longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// The last epoch of the shorter run; later epochs follow a schedule over `epochs`.
    pub after_epoch: usize,
    /// The new number of epochs.
    pub epochs: usize,
}

/// A value of [`RunConfig`] that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// What may happen to training images.
    #[error("augmentation")]
    Augmentation(#[from] augmentation::Error),
    /// A count that must be at least one.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// Early stopping has no validation accuracy to go by.
    #[error("early_stopping needs validation images, but validation_fraction is 0")]
    NothingToStopBy,
    /// A rate or share outside its range.
    #[error("{name} is {value}, but must be {range}")]
    OutOfRange {
        /// Name of the value.
        name: &'static str,
        /// The value found.
        value: String,
        /// The range expected.
        range: String,
    },
}

fn in_range(
    holds: bool,
    name: &'static str,
    value: impl fmt::Display,
    range: impl fmt::Display,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        name,
        value: value.to_string(),
        range: range.to_string(),
    })
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            backend: Backend::default(),
            kernels: Kernels::default(),
            epochs: 3,
            batch_size: 256,
            data: DataConfig::default(),
            augmentation: AugmentationConfig::default(),
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            loss: Loss::default(),
            label_smoothing: 0.0,
            averaging: None,
            early_stopping: None,
            network: CnnConfig::default(),
            ensemble: None,
            extensions: Vec::new(),
        }
    }
}

impl DataConfig {
    /// The shares of the images' parts.
    pub fn fractions(&self) -> Fractions {
        Fractions {
            validation: self.validation_fraction,
            test: self.test_fraction,
            training: self.training_fraction,
        }
    }

    /// What `read` finds at `named`, or else where the images are by this file.
    ///
    /// # Errors
    ///
    /// That of `read`.
    pub fn read_images<T>(
        &self,
        named: Option<&Path>,
        read: impl FnOnce(Option<&Path>) -> Result<T, data::Error>,
    ) -> Result<T> {
        let images = read(named.or(self.path.as_deref()));
        if named.is_none() && self.fingerprint.is_some() {
            // A run has noted the path; that it is named by another is not known to the one who reads.
            return images.context(
                "cannot read the images of the run (if they were moved, name them with --data)",
            );
        }
        Ok(images?)
    }

    /// The images to train on, at `named` or else where this says, and what is to be known of them. Notes which they are;
    /// `file` is what this was read from, if it was.
    ///
    /// # Errors
    ///
    /// Images that cannot be read, or are others than `file` says; a path that no configuration can hold.
    pub fn training_images(
        &mut self,
        named: Option<&Path>,
        file: Option<&Path>,
    ) -> Result<(LabelledImages, Vec<String>)> {
        let images = self.read_images(named, data::training_images)?;
        let archive = note_on_archive(images.source(), named.or(self.path.as_deref()));
        let notes = note_on_copies(&images).into_iter().chain(archive).collect();
        let fingerprint = images.fingerprint();
        if let (Some(file), None) = (file, named) {
            self.check_unchanged(&fingerprint, images.source(), file)?;
        }
        self.fingerprint = Some(fingerprint);
        self.note_source(images.source())?;
        Ok((images, notes))
    }

    /// Makes sure that the images of this fingerprint are those of `file`, which this was read from, if it
    /// says which they are.
    ///
    /// # Errors
    ///
    /// If they are others. `source` is where they come from.
    fn check_unchanged(&self, fingerprint: &str, source: &Source, file: &Path) -> Result<()> {
        match &self.fingerprint {
            Some(noted) if noted != fingerprint => bail!(
                "{source} are not the images of {}; name with --data what to train on",
                file.display()
            ),
            _ => Ok(()),
        }
    }

    /// Notes what finds the images again, also from another folder and when more files have come.
    ///
    /// # Errors
    ///
    /// If their path is no text, which a configuration cannot hold.
    pub fn note_source(&mut self, source: &Source) -> Result<()> {
        self.path = match source {
            // Where the current folder is unknown, the path is kept as it is.
            Source::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            Source::BuiltIn { .. } => Some(PathBuf::from(data::BUILT_IN)),
            _ => None,
        };
        match &self.path {
            Some(path) if path.to_str().is_none() => bail!(
                "a configuration cannot hold the path {}, which is not UTF-8; rename what is not",
                path.display()
            ),
            _ => Ok(()),
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            path: None,
            validation_fraction: 0.1,
            test_fraction: 0.0,
            training_fraction: 1.0,
            split_seed: None,
            fingerprint: None,
        }
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::default(),
            learning_rate: 1e-2,
            weight_decay: 0.0,
        }
    }
}

impl Default for AveragingConfig {
    fn default() -> Self {
        Self { decay: 0.999 }
    }
}

impl Default for EnsembleConfig {
    fn default() -> Self {
        Self {
            members: 5,
            activations: Vec::new(),
        }
    }
}

impl Default for EarlyStoppingConfig {
    fn default() -> Self {
        Self { patience: 5 }
    }
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            kind: ScheduleKind::default(),
            warmup: 0.25,
        }
    }
}

impl RunConfig {
    /// Whether the values make sense by themselves. What depends on the images, such as whether
    /// the network fits them, shows when they are there.
    ///
    /// # Errors
    ///
    /// The first value that does not.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_counts()?;
        self.check_seeds()?;
        self.check_optimizer()?;
        self.check_shares()?;
        if self.early_stopping.is_some() && self.data.validation_fraction == 0.0 {
            return Err(ConfigError::NothingToStopBy);
        }
        self.augmentation.check()?;
        self.check_extensions()
    }

    /// Whether a network is trained as by default, whichever function, seed, images, backend and kernels it has.
    pub fn is_default_recipe(&self) -> bool {
        let default = Self::default();
        *self
            == Self {
                seed: self.seed,
                backend: self.backend,
                kernels: self.kernels,
                data: self.data.clone(),
                network: CnnConfig {
                    activation: self.network.activation,
                    ..default.network.clone()
                },
                ..default
            }
    }

    fn check_counts(&self) -> Result<(), ConfigError> {
        let patience = self.early_stopping.unwrap_or_default().patience;
        let members = self
            .ensemble
            .as_ref()
            .map_or(1, |ensemble| ensemble.members);
        for (count, name) in [
            (self.epochs, "epochs"),
            (self.batch_size, "batch_size"),
            (patience, "early_stopping.patience"),
            (members, "ensemble.members"),
        ] {
            if count == 0 {
                return Err(ConfigError::Zero(name));
            }
        }
        for (name, number, most) in [
            ("epochs", self.total_epochs(), MOST_EPOCHS),
            ("batch_size", self.batch_size, MOST_IMAGES_OF_A_BATCH),
            ("early_stopping.patience", patience, MOST_EPOCHS),
            ("ensemble.members", members, MOST_MEMBERS),
        ] {
            in_range(number <= most, name, number, format!("at most {most}"))?;
        }
        Ok(())
    }

    fn check_seeds(&self) -> Result<(), ConfigError> {
        // TOML's integers are signed.
        let is_storable = |seed: u64| i64::try_from(seed).is_ok();
        in_range(is_storable(self.seed), "seed", self.seed, "below 2^63")?;
        let split_seed = self.data.split_seed.unwrap_or_default();
        in_range(
            is_storable(split_seed),
            "split_seed",
            split_seed,
            "below 2^63",
        )?;
        let others = self
            .ensemble
            .as_ref()
            .map_or(0, |ensemble| ensemble.members.saturating_sub(1));
        let last = self.seed.checked_add(others as u64);
        in_range(
            last.is_some_and(is_storable),
            "seed",
            self.seed,
            "so small that all members' are below 2^63",
        )
    }

    fn check_optimizer(&self) -> Result<(), ConfigError> {
        let OptimizerConfig {
            learning_rate,
            weight_decay,
            ..
        } = self.optimizer;
        let is_positive = learning_rate.is_finite() && learning_rate > 0.0;
        in_range(is_positive, "learning_rate", learning_rate, "positive")?;
        let is_not_negative = weight_decay.is_finite() && weight_decay >= 0.0;
        in_range(
            is_not_negative,
            "weight_decay",
            weight_decay,
            "0 or positive",
        )
    }

    fn check_shares(&self) -> Result<(), ConfigError> {
        let averaging = self.averaging.unwrap_or_default();
        for (share, name) in [
            (self.schedule.warmup, "warmup"),
            (self.label_smoothing, "label_smoothing"),
            (averaging.decay, "averaging.decay"),
            (self.data.validation_fraction, "validation_fraction"),
            (self.data.test_fraction, "test_fraction"),
        ] {
            let holds = (0.0..1.0).contains(&share);
            in_range(holds, name, share, "at least 0 and below 1")?;
        }
        let share = self.data.training_fraction;
        let holds = share > 0.0 && share <= 1.0;
        in_range(holds, "training_fraction", share, "above 0 and at most 1")
    }

    fn check_extensions(&self) -> Result<(), ConfigError> {
        let mut before = self.epochs;
        for extension in &self.extensions {
            in_range(
                extension.epochs > before,
                "extensions.epochs",
                extension.epochs,
                "more than the epochs before it; without [[extensions]], epochs alone counts",
            )?;
            in_range(
                extension.after_epoch <= before,
                "extensions.after_epoch",
                extension.after_epoch,
                "one of the epochs before it; without [[extensions]], epochs alone counts",
            )?;
            before = extension.epochs;
        }
        Ok(())
    }

    /// The run of one member of an ensemble, counted from 0. All members hold out the same images.
    pub fn member(&self, number: usize) -> Self {
        let mut config = self.clone();
        let ensemble = config.ensemble.take().unwrap_or_default();
        config.seed += number as u64;
        config.data.split_seed = self.data.split_seed.or(Some(self.seed));
        if let Some(turn) = number.checked_rem(ensemble.activations.len()) {
            config.network.activation = ensemble.activations[turn];
        }
        config
    }

    /// The images in their parts.
    ///
    /// # Errors
    ///
    /// If a share is outside its range.
    pub fn split(&self, images: &LabelledImages) -> Result<Split, data::Error> {
        let seed = self.data.split_seed.unwrap_or(self.seed);
        Split::new(images, self.data.fractions(), seed)
    }

    /// Number of epochs, lengthenings included.
    pub fn total_epochs(&self) -> usize {
        self.extensions
            .last()
            .map_or(self.epochs, |extension| extension.epochs)
    }

    /// The number of epochs that the schedule of `epoch` (from 1) stretches over.
    pub fn schedule_epochs(&self, epoch: usize) -> usize {
        self.extensions
            .iter()
            .rev()
            .find(|extension| extension.after_epoch < epoch)
            .map_or(self.epochs, |extension| extension.epochs)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::toml_file::read_toml;

    #[test]
    fn recipes_describe_runs() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/recipes");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let recipe: RunConfig = read_toml(&path).unwrap();
            recipe.check().unwrap();
            names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
        names.sort();
        assert_eq!(names, ["deotte", "ensemble", "kaggle", "quick"]);
    }

    #[test]
    fn more_epochs_than_can_be_counted_are_refused() {
        let of = |epochs| RunConfig {
            epochs,
            ..RunConfig::default()
        };
        assert_eq!(of(MOST_EPOCHS).check(), Ok(()));
        let error = of(MOST_EPOCHS + 1).check().unwrap_err();
        insta::assert_snapshot!(error, @"epochs is 1000001, but must be at most 1000000");
        let early_stopping = Some(EarlyStoppingConfig {
            patience: usize::MAX,
        });
        let config = RunConfig {
            early_stopping,
            ..RunConfig::default()
        };
        let error = config.check().unwrap_err();
        insta::assert_snapshot!(error, @"early_stopping.patience is 18446744073709551615, but must be at most 1000000");
    }

    #[test]
    fn the_ensemble_is_of_the_networks_of_the_single_recipe() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/recipes");
        let recipe = |name| -> toml::Table { read_toml(&folder.join(name)).unwrap() };
        let mut ensemble = recipe("ensemble.toml");
        assert!(ensemble.remove("ensemble").is_some());
        assert_eq!(ensemble, recipe("kaggle.toml"));
    }
}
