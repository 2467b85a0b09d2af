//! What happened in each epoch.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::metrics::Tally;

/// One epoch: training, then validation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// The training images, each as it was met during the epoch.
    pub train: SplitRecord,
    /// The validation images, at the end of the epoch; `None` if the run holds out none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<SplitRecord>,
}

/// Score and time of one pass over some images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// Mean per image of the loss that is trained with, in nats; of training images with label smoothing, of
    /// validation images without.
    pub loss: f64,
    /// Share of images read correctly, 0 to 1.
    pub accuracy: f64,
    /// Number of images.
    pub images: usize,
    /// Wall-clock seconds of the pass.
    pub seconds: f64,
    /// Seconds of these in which the pass waited for data.
    pub loading_seconds: f64,
}

impl SplitRecord {
    /// The record of a pass with this tally and these times.
    pub fn new(tally: Tally, time: PassTime) -> Self {
        Self {
            loss: tally.mean_loss(),
            accuracy: tally.accuracy(),
            images: tally.images,
            seconds: time.seconds,
            loading_seconds: time.loading_seconds,
        }
    }

    /// Images per second of the pass.
    pub fn images_per_second(&self) -> f64 {
        self.images as f64 / self.seconds
    }
}

/// Time that a pass over images took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PassTime {
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Seconds of these in which the pass waited for data.
    pub loading_seconds: f64,
}

/// `metrics.csv`: one row per epoch and split.
///
/// # Errors
///
/// If a row cannot be written as CSV.
pub fn metrics_csv(history: &[EpochRecord]) -> Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Row {
        epoch: usize,
        split: &'static str,
        loss: f64,
        accuracy: f64,
        images: usize,
        learning_rate: Option<f64>,
        seconds: f64,
        loading_seconds: f64,
        images_per_second: f64,
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in history {
        let train = Some(("train", &record.train, Some(record.learning_rate)));
        let valid = record.valid.as_ref().map(|of| ("valid", of, None));
        for (split, of, learning_rate) in train.into_iter().chain(valid) {
            writer.serialize(Row {
                epoch: record.epoch,
                split,
                loss: of.loss,
                accuracy: of.accuracy,
                images: of.images,
                learning_rate,
                seconds: of.seconds,
                loading_seconds: of.loading_seconds,
                images_per_second: of.images_per_second(),
            })?;
        }
    }
    writer.into_inner().context("cannot write metrics as CSV")
}

/// The best of `history`: highest validation accuracy, then lowest validation loss, then earliest;
/// without validation the last.
pub fn best(history: &[EpochRecord]) -> Option<&EpochRecord> {
    let rank = |valid: &SplitRecord| (valid.accuracy, -valid.loss);
    history.iter().reduce(|best, record| {
        let better = match (&record.valid, &best.valid) {
            (Some(valid), Some(best)) => rank(valid) > rank(best),
            _ => true,
        };
        if better { record } else { best }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: usize, accuracy: f64, loss: f64) -> EpochRecord {
        let split = SplitRecord {
            loss,
            accuracy,
            images: 10,
            seconds: 2.0,
            loading_seconds: 0.5,
        };
        EpochRecord {
            epoch,
            learning_rate: 0.001,
            train: split,
            valid: Some(split),
        }
    }

    #[test]
    fn best_is_most_accurate_then_lowest_loss_then_earliest() {
        let history = [
            record(1, 0.9, 0.3),
            record(2, 0.9, 0.2),
            record(3, 0.9, 0.2),
            record(4, 0.8, 0.1),
        ];
        assert_eq!(best(&history).map(|record| record.epoch), Some(2));
        assert_eq!(best(&[]), None);
        let unvalidated = history.map(|record| EpochRecord {
            valid: None,
            ..record
        });
        assert_eq!(best(&unvalidated).map(|record| record.epoch), Some(4));
    }

    #[test]
    fn csv_has_one_row_per_epoch_and_split() {
        let text = String::from_utf8(metrics_csv(&[record(1, 0.9, 0.25)]).unwrap()).unwrap();
        assert_eq!(
            text,
            "epoch,split,loss,accuracy,images,learning_rate,seconds,loading_seconds,images_per_second\n\
             1,train,0.25,0.9,10,0.001,2.0,0.5,5.0\n\
             1,valid,0.25,0.9,10,,2.0,0.5,5.0\n"
        );
    }
}
