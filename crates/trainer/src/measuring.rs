//! What a study wants to know of every epoch beside its score.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use burn::data::dataloader::DataLoader;
use data::LabelledBatch;
use measurement::{GradientTally, Survey, Surveyed};
use serde::{Deserialize, Serialize};
use study::record::{Histogram, LossPoint, Score, SiteEpoch};

use crate::classifier::{BatchScore, Classifier};
use crate::evaluation::{self, Evaluation, Probabilities, read_logits};
use crate::metrics::Tally;

/// Validation images per batch: so few that their pre-activations stay in cache until they are
/// looked at.
pub const BATCH_SIZE: NonZeroUsize = NonZeroUsize::new(50).unwrap();

/// In how many batches of an epoch the gradients are measured; the first is one of them.
const GRADIENT_BATCHES: usize = 8;

/// In how many parts, at most, the loss of a training is noted.
const LOSS_POINTS: usize = 60;

/// The images that are looked at after every epoch.
#[derive(Clone)]
pub struct Measuring {
    /// Surveyed, and scored again for their calibration.
    pub validation: MeasuredImages,
    /// As many of the training images as there are for validation, at most.
    pub training: MeasuredImages,
    /// Scored only; none in trials.
    pub test: Option<MeasuredImages>,
    /// Number of classes.
    pub classes: usize,
}

/// Some images in order, with their labels.
#[derive(Clone)]
pub struct MeasuredImages {
    /// Batches of the images.
    pub loader: Arc<dyn DataLoader<LabelledBatch>>,
    /// Their labels.
    pub labels: Vec<u8>,
}

/// What was measured at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMeasurement {
    /// The validation images.
    pub validation: Score,
    /// A sample of the training images, read without dropout.
    pub training: Score,
    /// The test images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Score>,
    /// Effective rank of the last hidden layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_rank: Option<f64>,
    /// Wall-clock seconds of scoring the test images and the sample.
    pub scoring_seconds: f64,
    /// Wall-clock seconds of looking at the validation images.
    pub survey_seconds: f64,
    /// Wall-clock seconds of the gradients' norms, in the epoch's training.
    pub gradient_seconds: f64,
    /// The sites, input first.
    pub sites: Vec<MeasuredSite>,
}

/// One site at the end of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredSite {
    /// What it is called: `stage 1, layer 2`, `hidden`.
    pub name: String,
    /// Number of its units.
    pub units: usize,
    /// Shares, means and norms.
    pub measured: SiteEpoch,
    /// The pre-activations of the first validation images.
    pub pre_activations: Histogram,
}

/// The gradients of an epoch so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GradientsSoFar {
    /// Sums of their norms.
    pub tally: GradientTally,
    /// Wall-clock seconds that took.
    pub seconds: f64,
}

/// The loss of a training so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossCurve {
    /// First step of the part that has not ended.
    start: usize,
    /// The images of that part.
    tally: Tally,
    /// The parts that have.
    points: Vec<LossPoint>,
}

/// A training step's place in its run.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Its number, from 0.
    pub number: usize,
    /// Number of steps of an epoch.
    pub per_epoch: usize,
    /// Number of steps of the run.
    pub total: usize,
}

impl LossCurve {
    /// Takes in the score of the next step.
    pub fn add(&mut self, step: Step, score: BatchScore) {
        if self.tally.images == 0 {
            self.start = step.number;
        }
        self.tally.add(score);
        let parts = LOSS_POINTS.min(step.total);
        let end = step.number + 1;
        if end * parts / step.total == step.number * parts / step.total {
            return;
        }
        let loss = self.tally.mean_loss();
        // A training whose loss is no number ends; and JSON has no such numbers.
        if loss.is_finite() {
            let middle = (self.start + end) as f64 / 2.0;
            let epochs = middle / step.per_epoch as f64;
            self.points.push(LossPoint { epochs, loss });
        }
        self.tally = Tally::default();
    }

    /// Whether no step was taken in yet.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.tally.images == 0
    }

    /// The parts that have ended.
    pub fn points(&self) -> &[LossPoint] {
        &self.points
    }
}

/// Whether the gradients of batch number `batch` (from 0) of `batches` are measured: of so many
/// batches, evenly over the epoch.
pub fn is_measured(batch: usize, batches: usize) -> bool {
    batch * GRADIENT_BATCHES % batches < GRADIENT_BATCHES
}

impl MeasuredImages {
    /// The score of `classifier` on these images.
    fn score(&self, classifier: &Classifier, classes: usize) -> Result<Score> {
        let probabilities = evaluation::predict(classifier, &*self.loader, classes)?;
        Ok(score(&probabilities, &self.labels))
    }
}

impl Measuring {
    /// Looks at the network at the end of an epoch.
    ///
    /// # Errors
    ///
    /// If the data cannot be loaded, or the device's results not be copied.
    pub fn measure(
        &self,
        classifier: &Classifier,
        gradients: &GradientsSoFar,
    ) -> Result<EpochMeasurement> {
        let start = Instant::now();
        let mut survey = Survey::new();
        let mut logits = Vec::new();
        for batch in self.validation.loader.iter() {
            let output = classifier
                .network
                .forward_observed(batch?.images, &mut survey);
            logits.extend(read_logits(output)?);
        }
        let probabilities = Probabilities::of(classifier.loss, &logits, self.classes);
        let validation = score(&probabilities, &self.validation.labels);
        let Surveyed {
            sites,
            effective_rank,
        } = survey.finish().context("cannot read the pre-activations")?;
        let sites = (0..)
            .zip(sites)
            .map(|(layer, site)| MeasuredSite {
                name: site.site.to_string(),
                units: site.units,
                measured: SiteEpoch {
                    gradient_norm: gradients.tally.mean(layer),
                    ..site.measured
                },
                pre_activations: site.pre_activations,
            })
            .collect();
        let survey_seconds = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let training = self.training.score(classifier, self.classes)?;
        let test = self.test.as_ref();
        let test = test
            .map(|test| test.score(classifier, self.classes))
            .transpose()?;
        Ok(EpochMeasurement {
            validation,
            training,
            test,
            effective_rank,
            scoring_seconds: start.elapsed().as_secs_f64(),
            survey_seconds,
            gradient_seconds: gradients.seconds,
            sites,
        })
    }
}

/// What `probabilities` are worth against the true labels.
fn score(probabilities: &Probabilities, labels: &[u8]) -> Score {
    let evaluation = Evaluation::new(probabilities, labels);
    Score {
        accuracy: Some(evaluation.accuracy),
        balanced_accuracy: evaluation.balanced_accuracy(),
        loss: Some(evaluation.loss),
        ece: evaluation.calibration_error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 7 epochs of 30 steps, 210 in all, 60 parts have 3 or 4.
    #[test]
    fn the_loss_is_noted_in_equal_parts_up_to_the_last_step() {
        let curve = |steps: usize, per_epoch: usize| {
            let mut curve = LossCurve::default();
            for number in 0..steps {
                let step = Step {
                    number,
                    per_epoch,
                    total: steps,
                };
                let score = BatchScore {
                    loss: number as f64,
                    correct: 1,
                    images: 2,
                };
                curve.add(step, score);
            }
            assert_eq!(curve.tally, Tally::default());
            curve.points
        };
        let points = curve(210, 30);
        assert_eq!(points.len(), 60);
        // Steps 0 to 3, 4 to 6, …, 207 to 209.
        let [first, second] = [points[0], points[1]];
        assert_eq!((first.epochs, first.loss), (2.0 / 30.0, 1.5));
        assert_eq!((second.epochs, second.loss), (5.5 / 30.0, 5.0));
        let last = points[59];
        assert_eq!((last.epochs, last.loss), (208.5 / 30.0, 208.0));
        // Fewer steps than parts: a point for each.
        let points = curve(5, 5);
        let losses: Vec<f64> = points.iter().map(|point| point.loss).collect();
        assert_eq!(losses, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(points[4].epochs, 0.9);
    }

    #[test]
    fn gradients_are_measured_evenly_from_the_first_batch_on() {
        let measured = |batches| -> Vec<usize> {
            (0..batches)
                .filter(|&batch| is_measured(batch, batches))
                .collect()
        };
        assert_eq!(measured(3), [0, 1, 2]);
        assert_eq!(measured(16), [0, 2, 4, 6, 8, 10, 12, 14]);
        for batches in 8..200 {
            let measured = measured(batches);
            assert_eq!((measured.len(), measured[0]), (8, 0), "{batches}");
        }
    }
}
