//! The network as Burn's Learner sees it: a training step, and a validation step.

use std::sync::{Arc, OnceLock};

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{ExecutionError, Int, Tensor, TensorReadError};
use burn::train::metric::Adaptor;
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use data::LabelledBatch;
use model::Cnn;

use crate::config::Loss;

/// A network that is trained to tell classes apart.
#[derive(Module, Debug)]
pub struct Classifier {
    /// The network, whose outputs are logits.
    pub network: Cnn,
    /// The training loss.
    #[module(skip)]
    pub loss: Loss,
    /// Share of every target that is spread evenly over the classes in training, in 0..1.
    #[module(skip)]
    pub label_smoothing: f64,
}

/// Loss and hits of one batch, on the device until they are asked for.
pub struct StepOutput {
    /// `[2]`: the mean loss of the batch, and the number of images read correctly.
    loss_and_correct: Tensor<1>,
    images: usize,
}

/// Loss and hits of one batch, for metrics. All metrics of a batch share one read from the device.
#[derive(Clone)]
pub struct BatchInput {
    loss_and_correct: Tensor<1>,
    read: Arc<OnceLock<BatchScore>>,
    /// Number of images in the batch.
    pub images: usize,
}

/// Loss and hits of one batch, on the host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchScore {
    /// Mean over the batch of the loss that is trained with, in nats; label smoothing is included in training
    /// steps alone.
    pub loss: f64,
    /// Number of images read correctly.
    pub correct: usize,
    /// Number of images in the batch.
    pub images: usize,
}

impl Classifier {
    /// Mean loss `[1]`, with `smoothing` of the targets, and score of `logits` `[batch, classes]`
    /// against `labels` `[batch]`.
    fn score(
        &self,
        logits: Tensor<2>,
        labels: Tensor<1, Int>,
        smoothing: f64,
    ) -> (Tensor<1>, StepOutput) {
        let [images, _] = logits.dims();
        let loss = self.loss.mean(logits.clone(), labels.clone(), smoothing);
        let hits = logits.argmax(1).reshape([images]).equal(labels);
        let correct = hits.int().float().sum();
        let loss_and_correct = Tensor::cat(vec![loss.clone(), correct], 0).detach();
        let output = StepOutput {
            loss_and_correct,
            images,
        };
        (loss, output)
    }
}

impl Loss {
    /// Mean over the batch, `[1]`, of the loss of `logits` `[batch, classes]` against `labels`
    /// `[batch]`, where a share of `smoothing`, in 0..1, of each target is spread evenly over the
    /// classes.
    fn mean(self, logits: Tensor<2>, labels: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
        match self {
            Self::CrossEntropy => CrossEntropyLossConfig::new()
                .with_smoothing((smoothing > 0.0).then_some(smoothing as f32))
                .init(&logits.device())
                .forward(logits, labels),
            Self::BinaryCrossEntropy => {
                let [_, classes] = logits.dims();
                let targets = labels.one_hot::<2>(classes).float();
                let targets = targets * (1.0 - smoothing) + smoothing / classes as f64;
                binary_cross_entropy(logits, targets)
            }
        }
    }
}

/// −Σ ln(σ(z) where the target is 1, else 1 − σ(z)) over the classes, the mean over the images: `[1]`.
/// `logits` and `targets`, from 0 to 1: `[batch, classes]`.
fn binary_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [images, _] = logits.dims();
    // ln(1 + eᶻ) − target · z, without a large exponential.
    let softplus = log_sigmoid(logits.clone().neg()).neg();
    (softplus - targets * logits).sum() / images as f64
}

impl TrainStep for Classifier {
    type Input = LabelledBatch;
    type Output = StepOutput;

    fn step(&self, batch: LabelledBatch) -> TrainOutput<StepOutput> {
        // Dropout and randomised activations draw from the device's generator: set anew in every
        // step, it does not depend on what came before.
        batch.images.device().seed(batch.seed);
        let logits = self.network.forward(batch.images);
        let (loss, output) = self.score(logits, batch.labels, self.label_smoothing);
        TrainOutput::new(self, loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = LabelledBatch;
    type Output = StepOutput;

    fn step(&self, batch: LabelledBatch) -> StepOutput {
        let logits = self.network.forward(batch.images);
        self.score(logits, batch.labels, 0.0).1
    }
}

impl ItemLazy for StepOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        let loss_and_correct = self.loss_and_correct.without_autodiff();
        loss_and_correct.device().flush()?;
        Ok(Self {
            loss_and_correct,
            ..self
        })
    }
}

impl Adaptor<Arc<BatchInput>> for StepOutput {
    fn adapt(&self) -> Arc<BatchInput> {
        Arc::new(BatchInput {
            loss_and_correct: self.loss_and_correct.clone(),
            read: Arc::default(),
            images: self.images,
        })
    }
}

impl BatchInput {
    /// The numbers, read from the device at the first call.
    ///
    /// # Errors
    ///
    /// The device's, when it cannot compute or copy them.
    pub fn score(&self) -> Result<BatchScore, TensorReadError> {
        if let Some(score) = self.read.get() {
            return Ok(*score);
        }
        let values = self.loss_and_correct.clone().try_into_vec_as::<f64>()?;
        let [loss, correct] = values[..] else {
            unreachable!("`Classifier::score` makes two numbers")
        };
        let score = BatchScore {
            loss,
            correct: correct as usize,
            images: self.images,
        };
        Ok(*self.read.get_or_init(|| score))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// PyTorch 2.15: `binary_cross_entropy_with_logits(z, t, reduction="sum") / 2`, and the gradient.
    #[test]
    fn binary_cross_entropy_is_pytorchs() {
        let device = Device::flex().autodiff();
        let logits = Tensor::<2>::from_data([[1.5, -2.0, 0.0], [-0.5, 30.0, -40.0]], &device);
        let logits = logits.require_grad();
        let targets = Tensor::from_data([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], &device);
        let loss = binary_cross_entropy(logits.clone(), targets);
        let found: Vec<f32> = loss.clone().into_data().iter().collect();
        assert!((found[0] - LOSS).abs() < 1e-5, "{found:?}");
        let gradients = loss.backward();
        let found: Vec<f32> = logits
            .grad(&gradients)
            .unwrap()
            .into_data()
            .iter()
            .collect();
        for (found, expected) in found.iter().zip(GRADIENTS) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    /// PyTorch 2.15: `cross_entropy(z, [0, 2], label_smoothing=0.1)`, and
    /// `binary_cross_entropy_with_logits(z, 0.9 * t + 0.1 / 3, reduction="sum") / 2`.
    #[test]
    fn smoothed_losses_are_pytorchs() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_data([[1.5, -2.0, 0.0], [-0.5, 3.0, -4.0]], &device);
        let labels = Tensor::<1, Int>::from_data([0, 2], &device);
        for (loss, smoothing, expected) in [
            (Loss::CrossEntropy, 0.0, CROSS_ENTROPY),
            (Loss::CrossEntropy, 0.1, SMOOTHED),
            (Loss::BinaryCrossEntropy, 0.1, SMOOTHED_BINARY),
        ] {
            let found = loss.mean(logits.clone(), labels.clone(), smoothing);
            let found = found.into_scalar::<f32>();
            assert!(
                (found - expected).abs() < 1e-5,
                "{loss:?} {smoothing}: {found}"
            );
        }
    }

    const CROSS_ENTROPY: f32 = 3.628_218_7;
    const SMOOTHED: f32 = 3.536_551_7;
    const SMOOTHED_BINARY: f32 = 4.189_485;

    const LOSS: f32 = 35.747784;
    const GRADIENTS: [f32; 6] = [-0.09121278, 0.05960146, 0.25, 0.18877034, 0.5, -0.5];
}
