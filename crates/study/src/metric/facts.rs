//! What is known of each metric.

use statistics::Direction;

use super::Metric;
use crate::format::{decimals, scientific};

const HIGHER: Option<Direction> = Some(Direction::HigherIsBetter);
const LOWER: Option<Direction> = Some(Direction::LowerIsBetter);

/// What is known of a metric.
pub(super) struct MetricFacts {
    /// How it is written, without the accuracy of those that take one.
    pub name: &'static str,
    /// In words, for headings; before the accuracy where it takes one.
    pub title: &'static str,
    /// Which scores are good. `None` where neither more nor less is good in itself: zero activations
    /// make a network sparse or starve it, gradients may vanish or explode.
    pub direction: Option<Direction>,
    pub kind: Kind,
    pub when_diverged: WhenDiverged,
}

/// What kind of number it is, which decides how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A share of images that are read correctly.
    Accuracy,
    /// Another share, or a difference of shares.
    Share,
    /// A time, in seconds; written in milliseconds.
    Milliseconds,
    /// A time, in nanoseconds.
    Nanoseconds,
    /// A time, in seconds.
    Seconds,
    /// A number of epochs, or of dimensions.
    Count,
    /// A power of ten.
    Decades,
    /// Any other number.
    Number,
}

/// What becomes of runs that diverged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenDiverged {
    /// They have the accuracy of chance.
    Chance,
    /// They have what was measured before they diverged.
    MeasuredBefore,
    /// No score is bad enough for them.
    LeftOut,
}

impl Metric {
    pub(super) fn facts(self) -> MetricFacts {
        match self {
            Self::TestAccuracy => MetricFacts {
                name: "test-accuracy",
                title: "test accuracy",
                direction: HIGHER,
                kind: Kind::Accuracy,
                when_diverged: WhenDiverged::Chance,
            },
            Self::BalancedAccuracy => MetricFacts {
                name: "balanced-accuracy",
                title: "balanced test accuracy",
                direction: HIGHER,
                kind: Kind::Accuracy,
                when_diverged: WhenDiverged::Chance,
            },
            Self::TestLoss => MetricFacts {
                name: "test-loss",
                title: "test loss",
                direction: LOWER,
                kind: Kind::Number,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::TestEce => MetricFacts {
                name: "test-ece",
                title: "expected calibration error on test images",
                direction: LOWER,
                kind: Kind::Share,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::ValidationAccuracy => MetricFacts {
                name: "validation-accuracy",
                title: "validation accuracy",
                direction: HIGHER,
                kind: Kind::Accuracy,
                when_diverged: WhenDiverged::Chance,
            },
            Self::AccuracyGap => MetricFacts {
                name: "accuracy-gap",
                title: "training minus validation accuracy",
                direction: None,
                kind: Kind::Share,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::DeadShare => MetricFacts {
                name: "dead-share",
                title: "share of dead units",
                direction: LOWER,
                kind: Kind::Share,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::SaturatedShare => MetricFacts {
                name: "saturated-share",
                title: "share of saturated pre-activations",
                direction: None,
                kind: Kind::Share,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::Sparsity => MetricFacts {
                name: "sparsity",
                title: "share of zero activations",
                direction: None,
                kind: Kind::Share,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::GradientDecades => MetricFacts {
                name: "gradient-decades",
                title: "gradient of first / last layer, log₁₀",
                direction: None,
                kind: Kind::Decades,
                when_diverged: WhenDiverged::MeasuredBefore,
            },
            Self::EffectiveRank => MetricFacts {
                name: "effective-rank",
                title: "effective rank",
                direction: None,
                kind: Kind::Count,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::SecondsPerStep => MetricFacts {
                name: "seconds-per-step",
                title: "time per step",
                direction: LOWER,
                kind: Kind::Milliseconds,
                when_diverged: WhenDiverged::MeasuredBefore,
            },
            Self::ForwardNanoseconds => MetricFacts {
                name: "forward-nanoseconds",
                title: "forward time per element",
                direction: LOWER,
                kind: Kind::Nanoseconds,
                when_diverged: WhenDiverged::MeasuredBefore,
            },
            Self::BackwardNanoseconds => MetricFacts {
                name: "backward-nanoseconds",
                title: "backward time per element",
                direction: LOWER,
                kind: Kind::Nanoseconds,
                when_diverged: WhenDiverged::MeasuredBefore,
            },
            Self::TrainingSeconds => MetricFacts {
                name: "training-seconds",
                title: "training time",
                direction: LOWER,
                kind: Kind::Seconds,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::EpochsTo(_) => MetricFacts {
                name: "epochs-to",
                title: "epochs",
                direction: LOWER,
                kind: Kind::Count,
                when_diverged: WhenDiverged::LeftOut,
            },
            Self::SecondsTo(_) => MetricFacts {
                name: "seconds-to",
                title: "training time",
                direction: LOWER,
                kind: Kind::Seconds,
                when_diverged: WhenDiverged::LeftOut,
            },
        }
    }
}

impl Kind {
    pub(super) fn is_share(self) -> bool {
        matches!(self, Self::Accuracy | Self::Share)
    }

    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Milliseconds | Self::Nanoseconds | Self::Seconds)
    }

    /// The unit, after a comma; empty for mere numbers.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Accuracy | Self::Share => ", %",
            Self::Milliseconds => ", ms",
            Self::Nanoseconds => ", ns",
            Self::Seconds => ", s",
            Self::Count | Self::Decades | Self::Number => "",
        }
    }

    /// By what numbers are multiplied where they have their unit.
    pub(super) fn reported_scale(self) -> f64 {
        match self {
            Self::Accuracy | Self::Share => 100.0,
            Self::Milliseconds => 1000.0,
            Self::Nanoseconds | Self::Seconds | Self::Count | Self::Decades | Self::Number => 1.0,
        }
    }

    /// A number without its unit.
    pub(super) fn number(self, value: f64) -> String {
        match self {
            Self::Accuracy
            | Self::Share
            | Self::Milliseconds
            | Self::Nanoseconds
            | Self::Decades => decimals(self.reported_scale() * value, 2),
            Self::Seconds | Self::Count => decimals(value, 1),
            Self::Number => scientific(value, 4),
        }
    }

    /// The difference that is none, unless a study says otherwise.
    pub(super) fn margin(self) -> f64 {
        match self {
            Self::Accuracy => 0.001,
            _ => 0.0,
        }
    }
}

impl WhenDiverged {
    /// The same in a sentence.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Chance => "Runs that diverge count with the accuracy of chance.",
            Self::MeasuredBefore => "Runs that diverge count with what was measured before.",
            Self::LeftOut => {
                "A run that diverged has no score of this kind. It is left out together with the run that it is paired with, so that the comparison holds only for runs that do not diverge."
            }
        }
    }
}
