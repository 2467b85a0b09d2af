//! What Burn's dashboard shows of every batch, and what the run remembers of every epoch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use burn::tensor::TensorReadError;
use burn::train::Interrupter;
use burn::train::logger::MetricLogger;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{
    Metric, MetricAttributes, MetricDefinition, MetricMetadata, MetricName, Numeric,
    NumericAttributes, NumericEntry, SerializedEntry,
};
use serde::{Deserialize, Serialize};

use crate::classifier::{BatchInput, BatchScore};

/// Sums over the images of an epoch so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Sum of the losses, in nats.
    pub loss: f64,
    /// Images read correctly.
    pub correct: usize,
    /// Images seen.
    pub images: usize,
}

impl Tally {
    /// Mean loss per image.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.images as f64
    }

    /// Share of images read correctly, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images as f64
    }

    /// Adds a batch.
    pub fn add(&mut self, batch: BatchScore) {
        self.loss += batch.loss * batch.images as f64;
        self.correct += batch.correct;
        self.images += batch.images;
    }
}

/// A tally that the metrics write and the training loop reads.
#[derive(Clone, Debug, Default)]
pub struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    /// The sums so far.
    pub fn get(&self) -> Tally {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Continues from `tally`.
    pub fn set(&self, tally: Tally) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = tally;
    }
}

/// Mean per image of the loss that is trained with. It also keeps the epoch's [`Tally`], and stops a training whose
/// loss is no longer a number.
#[derive(Clone)]
pub struct LossMetric {
    state: NumericMetricState,
    tally: SharedTally,
    interrupter: Interrupter,
}

impl LossMetric {
    /// A metric that adds to `tally`.
    pub fn new(tally: SharedTally, interrupter: Interrupter) -> Self {
        Self {
            state: NumericMetricState::new(),
            tally,
            interrupter,
        }
    }
}

impl Metric for LossMetric {
    type Input = Arc<BatchInput>;

    fn name(&self) -> MetricName {
        Arc::new(String::from("Loss"))
    }

    fn attributes(&self) -> MetricAttributes {
        attributes(None, false)
    }

    fn update(
        &mut self,
        batch: &Self::Input,
        _: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let score = batch.score()?;
        let mut tally = self.tally.get();
        tally.add(score);
        self.tally.set(tally);
        if !score.loss.is_finite() {
            self.interrupter.stop(Some("the loss is not a number"));
        }
        self.state.update(score.loss, score.images);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl LossMetric {
    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).precision(4)
    }
}

/// Share of images read correctly, in percent.
#[derive(Clone, Default)]
pub struct AccuracyMetric {
    state: NumericMetricState,
}

impl Metric for AccuracyMetric {
    type Input = Arc<BatchInput>;

    fn name(&self) -> MetricName {
        Arc::new(String::from("Accuracy"))
    }

    fn attributes(&self) -> MetricAttributes {
        attributes(Some("%"), true)
    }

    fn update(
        &mut self,
        batch: &Self::Input,
        _: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        let score = batch.score()?;
        let percent = 100.0 * score.correct as f64 / score.images as f64;
        self.state.update(percent, score.images);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl AccuracyMetric {
    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).unit("%").precision(2)
    }
}

/// Images per second, from one batch to the next.
#[derive(Clone, Default)]
pub struct ThroughputMetric {
    state: NumericMetricState,
    last: Option<Instant>,
}

impl Metric for ThroughputMetric {
    type Input = Arc<BatchInput>;

    fn name(&self) -> MetricName {
        Arc::new(String::from("Images per second"))
    }

    fn attributes(&self) -> MetricAttributes {
        attributes(Some("/s"), true)
    }

    fn update(
        &mut self,
        batch: &Self::Input,
        _: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        // Waits for the batch to be computed; the first has no predecessor to count from.
        let score = batch.score()?;
        let now = Instant::now();
        let Some(last) = self.last.replace(now) else {
            return Ok(SerializedEntry::not_available(Some("/s")));
        };
        let seconds = now.duration_since(last).as_secs_f64().max(1e-9);
        // Weighted by time, so that the epoch's mean is its images over its seconds.
        let weight = (seconds * 1e6) as usize;
        self.state.update(score.images as f64 / seconds, weight);
        self.compute()
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        let format = FormatOptions::new(self.name()).unit("/s").precision(0);
        Ok(self.state.compute_update(format))
    }

    fn clear(&mut self) {
        self.state.reset();
        self.last = None;
    }
}

fn attributes(unit: Option<&str>, higher_is_better: bool) -> MetricAttributes {
    NumericAttributes {
        unit: unit.map(String::from),
        higher_is_better,
    }
    .into()
}

/// Whether there has been anything to count: otherwise the state's mean is 0 / 0.
fn is_counted(entry: &NumericEntry) -> bool {
    match entry {
        NumericEntry::Aggregated { count, .. } => *count > 0,
        NumericEntry::Value(_) | NumericEntry::Final(_) => true,
    }
}

macro_rules! numeric_from_state {
    ($($metric:ty),+) => {$(
        impl Numeric for $metric {
            fn value(&self) -> Option<NumericEntry> {
                Some(self.state.current_value()).filter(is_counted)
            }

            fn running_value(&self) -> Option<NumericEntry> {
                Some(self.state.running_value()).filter(is_counted)
            }

            fn final_value(&self) -> NumericEntry {
                self.state.final_value()
            }
        }
    )+};
}

numeric_from_state!(LossMetric, AccuracyMetric, ThroughputMetric);

/// Keeps nothing of what Burn's Learner logs: `history.rs` has what an epoch gave, and the dashboard its
/// own curves. Burn's logger in memory would hold the numbers of every step until the end.
pub struct NoMetricLog;

impl MetricLogger for NoMetricLog {
    fn log(&mut self, _: MetricsUpdate, _: usize, _: &Split) {}

    fn read_numeric(
        &mut self,
        name: &str,
        _: usize,
        _: &Split,
    ) -> Result<Vec<NumericEntry>, String> {
        Err(format!("{name} is not kept"))
    }

    fn log_metric_definition(&mut self, _: MetricDefinition) {}

    fn log_epoch_summary(&mut self, _: EpochSummary) {}
}
