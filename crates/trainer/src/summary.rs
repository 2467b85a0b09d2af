//! What came of a run, in one file.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::backend::Backend;
use crate::classifier::Classifier;
use crate::evaluation::Evaluation;
use crate::history::{EpochRecord, SplitRecord};

/// Contents of `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What computed the run.
    pub program: Program,
    /// What it was computed on at its end.
    pub backend: Backend,
    /// What it was computed on from its beginning on, in turn: more than one where it was resumed on another, so that
    /// its configuration alone does not give the same weights again.
    pub backends: Vec<Backend>,
    /// Name of the device.
    pub device: String,
    /// Where the images came from.
    pub data: String,
    /// SHA-256 of the labelled images.
    pub data_fingerprint: String,
    /// Number of trainable parameters of the network.
    pub parameters: usize,
    /// Epochs trained.
    pub epochs: usize,
    /// The epoch whose network is evaluated below: the one with the highest validation accuracy, or
    /// the last where nothing is held out.
    pub best_epoch: usize,
    /// The best network on the validation images. It was chosen on them: the accuracy on new
    /// images is a little lower. `None` if the run holds out none.
    pub validation: Option<Evaluation>,
    /// Validation accuracy after the last epoch, which nothing was chosen by.
    pub last_validation_accuracy: Option<f64>,
    /// Training images per second.
    pub images_per_second: f64,
    /// Where the time went, in seconds.
    pub seconds: Seconds,
    /// Most memory the process held at any time, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// SHA-256 of the last network's weights and running statistics: equal where two networks are
    /// equal to the last bit.
    pub weights_sha256: String,
}

/// Versions of the program.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// Of this program.
    pub version: &'static str,
    /// Of its source, if it was built in a git checkout; with `-dirty` behind it where files of the
    /// source were changed since.
    pub commit: Option<&'static str>,
    /// Of Burn.
    pub burn: &'static str,
}

impl Program {
    /// This program.
    pub const THIS: Self = Self {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("GIT_COMMIT"),
        burn: "0.22.1",
    };
}

/// Where the time of a run went.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seconds {
    /// Training, with waiting.
    #[serde(skip)]
    pub training_with_loading: f64,
    /// Waiting for batches, in training and validation.
    pub loading: f64,
    /// Training, without waiting.
    pub training: f64,
    /// Validation, without waiting.
    pub validating: f64,
}

impl Seconds {
    /// The sums over all epochs.
    pub fn of(history: &[EpochRecord]) -> Self {
        let train = history.iter().map(|epoch| &epoch.train);
        let valid = history.iter().filter_map(|epoch| epoch.valid.as_ref());
        let computing = |pass: &SplitRecord| pass.seconds - pass.loading_seconds;
        Self {
            training_with_loading: train.clone().map(|pass| pass.seconds).sum(),
            loading: train
                .clone()
                .chain(valid.clone())
                .map(|pass| pass.loading_seconds)
                .sum(),
            training: train.map(computing).sum(),
            validating: valid.map(computing).sum(),
        }
    }
}

/// Images per second over the whole training.
pub fn images_per_second(history: &[EpochRecord]) -> f64 {
    let images: usize = history.iter().map(|epoch| epoch.train.images).sum();
    images as f64 / Seconds::of(history).training_with_loading
}

/// The most memory that this process has held, in bytes; `None` where the system does not tell.
pub fn peak_memory_bytes() -> Option<u64> {
    // Linux; other systems have no such file.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

/// SHA-256 of all weights and running statistics in the order of the network.
pub fn weights_sha256(classifier: &Classifier) -> String {
    struct Hasher(Sha256);

    impl ModuleVisitor for Hasher {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.update(parameter.val().into_data().as_bytes());
        }
    }

    let mut hasher = Hasher(Sha256::new());
    classifier.visit(&mut hasher);
    files::hex(&hasher.0.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a run says that it was made with is what the workspace is built with.
    #[test]
    fn burns_version_is_that_of_the_workspace() {
        let manifest = include_str!("../../../Cargo.toml");
        let version = format!("version = \"={}\"", Program::THIS.burn);
        let burn = manifest.lines().find(|line| line.starts_with("burn = "));
        assert!(burn.is_some_and(|line| line.contains(&version)), "{burn:?}");
    }
}
