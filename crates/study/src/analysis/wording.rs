//! What outcomes are called: better and worse, or higher and lower where neither is good in itself.

use statistics::{Comparison, Direction, Interval, Reason, Verdict};

use super::{Analysis, RunCounts};
use crate::format::{brackets, confidence, count, p_value};
use crate::metric::Metric;

/// P-values from here on look like weak evidence.
const WEAK: f64 = 0.01;

/// Words for a metric that has a good direction, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wording {
    has_direction: bool,
}

impl Wording {
    pub(super) fn new(direction: Option<Direction>) -> Self {
        Self {
            has_direction: direction.is_some(),
        }
    }

    fn choose(self, directed: &'static str, undirected: &'static str) -> &'static str {
        if self.has_direction {
            directed
        } else {
            undirected
        }
    }

    pub(crate) fn better(self) -> &'static str {
        self.choose("better", "higher")
    }

    pub(crate) fn worse(self) -> &'static str {
        self.choose("worse", "lower")
    }

    /// What the first in the order of the means is.
    pub(crate) fn best(self) -> &'static str {
        self.choose("best", "highest")
    }

    /// A verdict in a word.
    pub(crate) fn word(self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Better => self.better(),
            Verdict::Worse => self.worse(),
            Verdict::Equivalent => "equivalent",
            Verdict::Undecided { .. } => "undecided",
        }
    }

    /// A verdict in a word, after a sign that says the same.
    pub(crate) fn sign_and_word(self, verdict: Verdict) -> String {
        format!("{} {}", sign(verdict), self.word(verdict))
    }
}

/// What a difference that was found says of the true one, where runs never reached the accuracy that they are
/// compared by, and their scores are the least that they can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// It is an estimate like any other.
    None,
    /// The true one is this or more.
    Least,
    /// The true one is this or less.
    Most,
}

impl Bound {
    /// Whether it goes further in the direction of the difference `mean`, so that an interval would say too little.
    pub(crate) fn is_further(self, mean: f64) -> bool {
        match self {
            Self::None => false,
            Self::Least => mean > 0.0,
            Self::Most => mean < 0.0,
        }
    }

    /// What stands before a number in a table: `at least `, `at most `, or nothing.
    fn before(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Least => "at least ",
            Self::Most => "at most ",
        }
    }

    /// The same as a sign: `≥`, `≤`, or nothing.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Least => "≥",
            Self::Most => "≤",
        }
    }
}

/// How far a contender is from the baseline, without units: `+0.42 [+0.40, +0.44]`, or `at least +10.7`.
pub(crate) fn difference_number(metric: Metric, comparison: &Comparison, bound: Bound) -> String {
    let mean = comparison.differences.mean;
    if bound.is_further(mean) {
        return format!("{}{}", bound.before(), metric.signed(nearest(comparison)));
    }
    let interval = brackets(comparison.interval, |end| metric.signed(end));
    format!("{}{interval}", metric.signed(mean))
}

/// The end of the interval that is nearest to no difference, as sure as the interval is: of a difference that is
/// further from none than what was found, what it is at least. Without an interval the mean.
pub(super) fn nearest(comparison: &Comparison) -> f64 {
    let mean = comparison.differences.mean;
    let end = |interval: Interval| match mean < 0.0 {
        true => interval.upper,
        false => interval.lower,
    };
    comparison.interval.map_or(mean, end)
}

/// A sign for a verdict.
pub(crate) fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "▲",
        Verdict::Worse => "▼",
        Verdict::Equivalent => "=",
        Verdict::Undecided { .. } => "·",
    }
}

/// What was found of a contender: `tanh is better than relu: +0.42 points of test accuracy (95 %
/// interval +0.40 to +0.44, n = 9 of 10 seeds, p = 0.004)`. `place` names it, and where it is compared.
pub(super) fn found(
    analysis: &Analysis<'_>,
    place: &str,
    comparison: &Comparison,
    planned: usize,
    bound: Bound,
) -> String {
    let baseline = &analysis.baseline;
    let metric = analysis.metric;
    let relation = match comparison.verdict {
        verdict @ (Verdict::Better | Verdict::Worse) => {
            let word = analysis.wording().word(verdict);
            format!("{place} is {word} than {baseline}:")
        }
        Verdict::Equivalent => format!(
            "{place} is equivalent to {baseline} within ±{}:",
            metric.format_margin(analysis.criteria.margin)
        ),
        Verdict::Undecided {
            reason: Reason::TooFewSeeds,
            ..
        } => format!("the seeds are too few to tell {place} from {baseline}:"),
        Verdict::Undecided { .. } => format!("{place} is not shown to differ from {baseline}:"),
    };
    format!(
        "{relation} {}",
        amount(analysis, comparison, planned, bound)
    )
}

/// `+0.42 points of test accuracy (95 % interval +0.40 to +0.44, n = 9 of 10 seeds, p = 0.004)`; without
/// an interval of a single pair.
fn amount(
    analysis: &Analysis<'_>,
    comparison: &Comparison,
    planned: usize,
    bound: Bound,
) -> String {
    let metric = analysis.metric;
    let joint = if metric.unit_of_differences().is_empty() {
        "in"
    } else {
        "of"
    };
    let least = least(metric, comparison, bound);
    let interval = comparison.interval.filter(|_| least.is_none());
    let interval = interval.map_or_else(String::new, |interval| {
        format!(
            "{} interval {} to {}, ",
            confidence(analysis.criteria.level),
            metric.signed(interval.lower),
            metric.signed(interval.upper)
        )
    });
    format!(
        "{} {joint} {} ({interval}{}, {})",
        least.unwrap_or_else(|| metric.format_difference(comparison.differences.mean)),
        metric.title(),
        seeds(comparison.differences.count, planned),
        verdict_p_value(comparison)
    )
}

/// The corrected p-value that the verdict rests on.
fn verdict_p_value(comparison: &Comparison) -> String {
    let adjusted = comparison.adjusted;
    match comparison.verdict {
        Verdict::Equivalent => format!("{} for equivalence", p_value(adjusted.equivalence)),
        _ if has_smallest_p_value(comparison) => format!(
            "{}, the smallest that {} can give",
            p_value(adjusted.difference),
            count(comparison.differences.count, "seed")
        ),
        _ => p_value(adjusted.difference),
    }
}

/// Whether a p-value that would be taken for weak evidence is the smallest that was possible.
pub(crate) fn has_smallest_p_value(comparison: &Comparison) -> bool {
    comparison.has_smallest_p_value() && comparison.adjusted.difference >= WEAK
}

/// The same where the metric is named already: `+0.42 points [+0.40, +0.44], n = 9 of 10 seeds, p = 0.004`.
pub(super) fn short_amount(
    analysis: &Analysis<'_>,
    comparison: &Comparison,
    planned: usize,
    bound: Bound,
) -> String {
    format!(
        "{}, {}, {}",
        difference(analysis.metric, comparison, bound),
        seeds(comparison.differences.count, planned),
        verdict_p_value(comparison)
    )
}

/// `at least 10.7 s`, or `at least 10.7 s less`, of a difference that may be larger than was found, and whose
/// interval would say how much.
fn least(metric: Metric, comparison: &Comparison, bound: Bound) -> Option<String> {
    let mean = comparison.differences.mean;
    let nearest = nearest(comparison);
    bound.is_further(mean).then(|| {
        if nearest.signum() != mean.signum() {
            return format!("{}{}", bound.before(), metric.format_difference(nearest));
        }
        let less = if mean < 0.0 { " less" } else { "" };
        format!("at least {}{less}", metric.format_margin(nearest.abs()))
    })
}

/// `+0.42 points [+0.40, +0.44]`, or `at least 10.7 s`.
pub(super) fn difference(metric: Metric, comparison: &Comparison, bound: Bound) -> String {
    if let Some(least) = least(metric, comparison, bound) {
        return least;
    }
    let interval = brackets(comparison.interval, |end| metric.signed(end));
    let difference = metric.format_difference(comparison.differences.mean);
    format!("{difference}{interval}")
}

/// `n = 10 seeds`, `n = 9 of 10 seeds`.
pub(super) fn seeds(pairs: usize, planned: usize) -> String {
    if pairs < planned {
        format!("n = {pairs} of {}", count(planned, "seed"))
    } else {
        format!("n = {}", count(pairs, "seed"))
    }
}

/// `Preliminary, 3 of 20 runs done: `, before what is said of a study that is under way.
pub(super) fn preliminary(run_counts: RunCounts) -> String {
    if run_counts.is_complete() {
        return String::new();
    }
    format!(
        "Preliminary, {} of {} done: ",
        run_counts.done,
        count(run_counts.planned, "run")
    )
}
