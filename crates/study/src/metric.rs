//! What contenders are compared by.

mod facts;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use statistics::Direction;

use self::facts::WhenDiverged;
use crate::format::chosen_accuracy;
use crate::record::{RunRecord, Status};

/// One number of a run. Written as its name: `test-accuracy`, `seconds-to:0.98`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Metric {
    /// Share of the test images that the network chosen on the validation images reads correctly.
    #[default]
    TestAccuracy,
    /// The mean over the classes of the share of their test images that it reads correctly.
    BalancedAccuracy,
    /// Its mean cross-entropy per test image, in nats.
    TestLoss,
    /// Its expected calibration error on the test images.
    TestEce,
    /// Accuracy on the validation images at the chosen epoch.
    ValidationAccuracy,
    /// Training less validation accuracy after the last epoch; see [`RunRecord::gap`].
    AccuracyGap,
    /// Share of dead units after the last epoch, the mean over the sites.
    DeadShare,
    /// Share of saturated pre-activations after the last epoch, the mean over the sites.
    SaturatedShare,
    /// Share of activations that are zero after the last epoch, the mean over the sites.
    Sparsity,
    /// log₁₀ of the gradient norm of the first layer divided by that of the last, in the first epoch,
    /// which decides whether the first layer learns at all. −3: a thousandth arrives. At least −45.
    GradientDecades,
    /// Effective rank of the last hidden layer after the last epoch.
    EffectiveRank,
    /// Median seconds of a training step.
    SecondsPerStep,
    /// Nanoseconds per element of the activation alone, forward.
    ForwardNanoseconds,
    /// Nanoseconds per element of the activation alone, backward.
    BackwardNanoseconds,
    /// Seconds of training in all.
    TrainingSeconds,
    /// Epochs until the validation accuracy is this or more; a run that never gets there counts as one
    /// epoch more than it had.
    EpochsTo(f64),
    /// Seconds of training until the validation accuracy is this or more; a run that never gets there
    /// counts as one epoch longer than it was.
    SecondsTo(f64),
}

/// What a metric makes of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// The number.
    Measured(f64),
    /// A number that stands for what the run lacks: the accuracy of chance for one that diverged, one
    /// epoch more than it had for one that never reached the accuracy.
    Assumed(f64),
    /// The run does not say.
    Missing,
}

/// A text that names no metric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown metric `{name}`; expected one of {known}, or epochs-to:A or seconds-to:A with an accuracy A above 0 and at most 1"
)]
pub struct ParseMetricError {
    name: String,
    known: String,
}

/// All that take no accuracy.
const PLAIN: [Metric; 15] = [
    Metric::TestAccuracy,
    Metric::BalancedAccuracy,
    Metric::TestLoss,
    Metric::TestEce,
    Metric::ValidationAccuracy,
    Metric::AccuracyGap,
    Metric::DeadShare,
    Metric::SaturatedShare,
    Metric::Sparsity,
    Metric::GradientDecades,
    Metric::EffectiveRank,
    Metric::SecondsPerStep,
    Metric::ForwardNanoseconds,
    Metric::BackwardNanoseconds,
    Metric::TrainingSeconds,
];

impl Metric {
    /// Whether it is measured on test images.
    pub fn needs_test_images(self) -> bool {
        matches!(
            self,
            Self::TestAccuracy | Self::BalancedAccuracy | Self::TestLoss | Self::TestEce
        )
    }

    /// The accuracy that has to be reached, of those that take one.
    fn accuracy(self) -> Option<f64> {
        match self {
            Self::EpochsTo(accuracy) | Self::SecondsTo(accuracy) => Some(accuracy),
            _ => None,
        }
    }

    /// Whether it is how long it takes to reach an accuracy.
    pub fn is_time_to_accuracy(self) -> bool {
        self.accuracy().is_some()
    }

    /// In words, for headings: "test accuracy".
    pub fn title(self) -> String {
        let title = self.facts().title;
        match self.accuracy() {
            Some(accuracy) => format!(
                "{title} to {} validation accuracy",
                chosen_accuracy(accuracy)
            ),
            None => title.to_owned(),
        }
    }

    /// Which scores are good, unless a study says otherwise. `None` where neither more nor less is
    /// good in itself.
    pub fn direction(self) -> Option<Direction> {
        self.facts().direction
    }

    /// What becomes of runs that diverged, in a sentence.
    pub(crate) fn treatment_of_diverged(self) -> &'static str {
        self.facts().when_diverged.sentence()
    }

    /// The margin, unless a study says otherwise.
    pub fn margin(self) -> f64 {
        self.facts().kind.margin()
    }

    /// Whether the number is a share that is written in per cent.
    pub fn is_share(self) -> bool {
        self.facts().kind.is_share()
    }

    /// By what reports multiply the numbers: shares by 100, times per step by 1,000.
    pub fn reported_scale(self) -> f64 {
        self.facts().kind.reported_scale()
    }

    /// Whether the number is a time, which differs from one repetition of a run to the next.
    pub fn is_time(self) -> bool {
        self.facts().kind.is_time()
    }

    /// The unit of scores, after a comma: `, %`; empty for mere numbers.
    pub(crate) fn unit(self) -> &'static str {
        self.facts().kind.unit()
    }

    /// The unit of differences, alike.
    pub(crate) fn unit_of_differences(self) -> &'static str {
        if self.is_share() {
            ", points"
        } else {
            self.unit()
        }
    }

    /// A score or a difference without its unit: `99.10`.
    pub(crate) fn number(self, value: f64) -> String {
        self.facts().kind.number(value)
    }

    /// A difference with its sign, without its unit: `+0.42`.
    pub(crate) fn signed(self, difference: f64) -> String {
        let text = self.number(difference);
        let is_zero = text.bytes().all(|b| matches!(b, b'0' | b'.'));
        if difference > 0.0 && !is_zero {
            format!("+{text}")
        } else {
            text
        }
    }

    /// A score with its unit: `99.10 %`.
    pub fn format(self, value: f64) -> String {
        let unit = self.unit().trim_start_matches(',');
        format!("{}{unit}", self.number(value))
    }

    /// A difference of scores with its sign and unit: `+0.42 points`.
    pub fn format_difference(self, difference: f64) -> String {
        let unit = self.unit_of_differences().trim_start_matches(',');
        format!("{}{unit}", self.signed(difference))
    }

    /// A margin or a spread with its unit: `0.10 points`.
    pub fn format_margin(self, margin: f64) -> String {
        self.format_difference(margin)
            .trim_start_matches('+')
            .to_owned()
    }

    /// The number of a run.
    ///
    /// A run that failed has none. One that diverged has the accuracy of chance, its costs and its
    /// first gradients; no other metric has a value that is bad enough for it.
    pub fn value(self, run: &RunRecord) -> Value {
        match (&run.status, self.facts().when_diverged) {
            (Status::Failed { .. }, _) => Value::Missing,
            (Status::Diverged { .. }, WhenDiverged::LeftOut) => Value::Missing,
            (Status::Diverged { .. }, WhenDiverged::Chance) => {
                let classes = run.classes.filter(|&classes| classes > 0);
                classes.map_or(Value::Missing, |classes| {
                    Value::Assumed(1.0 / classes as f64)
                })
            }
            (Status::Diverged { .. }, WhenDiverged::MeasuredBefore) | (Status::Finished, _) => {
                self.measured(run)
            }
        }
    }

    /// Whether the run came to its end without reaching the accuracy that has to be reached.
    pub(crate) fn is_out_of_reach_of(self, run: &RunRecord) -> bool {
        self.is_time_to_accuracy()
            && run.status == Status::Finished
            && matches!(self.value(run), Value::Assumed(_))
    }

    fn measured(self, run: &RunRecord) -> Value {
        let epochs = run.epochs.len() as f64;
        match self {
            Self::EpochsTo(accuracy) => match run.epochs_to(accuracy) {
                Some(reached) => Value::Measured(reached as f64),
                None if run.epochs.is_empty() => Value::Missing,
                None => Value::Assumed(epochs + 1.0),
            },
            Self::SecondsTo(accuracy) => match (run.seconds_to(accuracy), run.training_seconds()) {
                (Some(seconds), _) => Value::Measured(seconds),
                (None, Some(all)) if epochs > 0.0 => Value::Assumed(all * (1.0 + 1.0 / epochs)),
                _ => Value::Missing,
            },
            _ => {
                let finite = self.recorded(run).filter(|value| value.is_finite());
                finite.map_or(Value::Missing, Value::Measured)
            }
        }
    }

    /// What the record itself says, however the run ended; none of a time to an accuracy, which
    /// follows from the epochs.
    pub(crate) fn recorded(self, run: &RunRecord) -> Option<f64> {
        let times = run.times.as_ref();
        match self {
            Self::TestAccuracy => run.test?.accuracy,
            Self::BalancedAccuracy => run.test?.balanced_accuracy,
            Self::TestLoss => run.test?.loss,
            Self::TestEce => run.test?.ece,
            Self::ValidationAccuracy => run.chosen()?.validation.accuracy,
            Self::AccuracyGap => run.gap(),
            Self::DeadShare => run.mean_over_sites(|site| site.dead),
            Self::SaturatedShare => run.mean_over_sites(|site| site.saturated),
            Self::Sparsity => run.mean_over_sites(|site| site.sparsity),
            Self::GradientDecades => run.first_gradient_ratio().map(f64::log10),
            Self::EffectiveRank => run.epochs.last()?.effective_rank,
            Self::SecondsPerStep => times?.seconds_per_step,
            Self::ForwardNanoseconds => times?.forward_nanoseconds,
            Self::BackwardNanoseconds => times?.backward_nanoseconds,
            Self::TrainingSeconds => run.training_seconds(),
            Self::EpochsTo(_) | Self::SecondsTo(_) => None,
        }
    }
}

impl Value {
    /// The number, measured or assumed.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Measured(number) | Self::Assumed(number) => Some(number),
            Self::Missing => None,
        }
    }
}

impl FromStr for Metric {
    type Err = ParseMetricError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseMetricError {
            name: text.to_owned(),
            known: PLAIN.map(|metric| metric.facts().name).join(", "),
        };
        let Some((name, accuracy)) = text.split_once(':') else {
            return PLAIN
                .into_iter()
                .find(|metric| metric.facts().name == text)
                .ok_or_else(error);
        };
        let accuracy = accuracy.parse().map_err(|_| error())?;
        if !(accuracy > 0.0 && accuracy <= 1.0) {
            return Err(error());
        }
        match name {
            "epochs-to" => Ok(Self::EpochsTo(accuracy)),
            "seconds-to" => Ok(Self::SecondsTo(accuracy)),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().name)?;
        match self.accuracy() {
            Some(accuracy) => write!(f, ":{accuracy}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for Metric {
    type Error = ParseMetricError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}
