//! The numbers of a report.

use statistics::{Comparison, Interval, Reason, Verdict, median};

use super::document::Table;
use crate::analysis::{
    Arm, COSTS, Cell, Estimate, RankRange, TrackComparison, difference_number, has_smallest_p_value,
};
use crate::figures::Source;
use crate::format::{
    brackets, capital, chosen_accuracy, confidence, decimals, p_number, percent, scientific,
};
use crate::metric::Metric;
use crate::record::RunRecord;

const NONE: &str = "–";

pub(super) fn or_none(text: Option<String>) -> String {
    text.unwrap_or_else(|| NONE.to_owned())
}

/// How contenders did in one cell, best first.
pub(super) fn results(source: Source<'_>, cell: &Cell<'_>) -> Table {
    let analysis = source.analysis;
    let (metric, criteria) = (analysis.metric, &analysis.criteria);
    let baseline = source.study.baseline();
    let rows = cell
        .full_order(criteria)
        .into_iter()
        .map(|index| {
            let arm = &cell.arms[index];
            // A score that is a bound has no spread.
            let is_bound = arm.never_reached(metric) > 0;
            let comparison = arm.comparison.as_ref();
            let exact = comparison.filter(|_| !is_bound);
            vec![
                arm.name.clone(),
                or_none(arm.rank.map(rank)),
                verdict(source, arm),
                ended(arm),
                mean(metric, arm),
                or_none(difference(source, cell, arm)),
                or_none(comparison.map(p_of_difference)),
                or_none(
                    comparison.map(|comparison| percent(comparison.probability_of_improvement, 0)),
                ),
                or_none(
                    arm.summary
                        .filter(|_| !is_bound)
                        .and_then(|summary| summary.standard_deviation)
                        .map(|deviation| metric.number(deviation)),
                ),
                or_none(
                    arm.summary
                        .filter(|_| !is_bound)
                        .map(|summary| metric.number(summary.interquartile_mean)),
                ),
                or_none(
                    exact
                        .and_then(|comparison| comparison.minimum_detectable_effect)
                        .map(|effect| metric.number(effect)),
                ),
                or_none(new_study(comparison)),
            ]
        })
        .collect();
    Table {
        caption: format!(
            "{}: every contender, {} mean first; differences are those to {baseline}.{}",
            capital(&metric.title()),
            analysis.wording().best(),
            about_smallest([cell]),
        ),
        head: head(&[
            "contender",
            "rank",
            "verdict",
            "runs",
            &format!(
                "mean{} [{} interval]",
                metric.unit(),
                confidence(criteria.level)
            ),
            &format!("mean difference{} [interval]", metric.unit_of_differences()),
            "p (Holm)",
            &format!("P({})", analysis.wording().better()),
            &format!("SD{}", metric.unit_of_differences()),
            &format!("interquartile mean{}", metric.unit()),
            &format!("detectable{}", metric.unit_of_differences()),
            "new study, seeds",
        ]),
        rows,
    }
}

/// One line for each contender and cell; none without several cells.
pub(super) fn all_results(source: Source<'_>) -> Option<Table> {
    let analysis = source.analysis;
    let (metric, criteria) = (analysis.metric, &analysis.criteria);
    if analysis.cells.len() < 2 {
        return None;
    }
    let mut rows = Vec::new();
    for cell in &analysis.cells {
        for index in cell.full_order(criteria) {
            let arm = &cell.arms[index];
            let comparison = arm.comparison.as_ref();
            rows.push(vec![
                source.place(cell),
                arm.name.clone(),
                ended(arm),
                mean(metric, arm),
                or_none(difference(source, cell, arm)),
                or_none(comparison.map(p_of_difference)),
                verdict(source, arm),
                String::from(if cell.decides {
                    "deciding"
                } else {
                    "exploratory"
                }),
            ]);
        }
    }
    Some(Table {
        caption: format!(
            "{}, all results.{}",
            capital(&metric.title()),
            about_smallest(&analysis.cells)
        ),
        head: head(&[
            "setting",
            "contender",
            "runs",
            &format!("mean{} [interval]", metric.unit()),
            &format!("mean difference{} [interval]", metric.unit_of_differences()),
            "p (Holm)",
            "verdict",
            "role",
        ]),
        rows,
    })
}

/// How contenders move between the tracks.
pub(super) fn tracks(source: Source<'_>, comparison: &TrackComparison) -> Table {
    let metric = source.analysis.metric;
    let setting = comparison.setting.to_string();
    let place = if setting.is_empty() {
        setting
    } else {
        format!(", {setting}")
    };
    let agreement = or_none(
        comparison
            .agreement
            .map(|agreement| scientific(agreement, 2)),
    );
    let besides = source.study.recipe_differences_text();
    let rows = comparison
        .shifts
        .iter()
        .map(|shift| {
            vec![
                shift.name.clone(),
                estimate(metric, Some(shift.common)),
                estimate(metric, Some(shift.tuned)),
                or_none(
                    shift
                        .difference
                        .map(|estimate| signed(metric, estimate.value, estimate.interval)),
                ),
                format!("{} → {}", shift.common_place, shift.tuned_place),
            ]
        })
        .collect();
    Table {
        caption: format!(
            "From the common recipe to tuned learning rates{besides}{place}: gain paired by seed, and place of the mean; agreement of the two orders: Kendall's τ = {agreement}."
        ),
        head: head(&[
            "contender",
            &format!("common mean{} [interval]", metric.unit()),
            &format!("tuned mean{} [interval]", metric.unit()),
            &format!(
                "mean of tuned − common{} [interval]",
                metric.unit_of_differences()
            ),
            "place",
        ]),
        rows,
    }
}

/// What the trials found.
pub(super) fn choices(source: Source<'_>) -> Table {
    let choices = &source.analysis.choices;
    let rates: Vec<String> = choices
        .first()
        .map(|choice| {
            choice
                .trials
                .iter()
                .map(|trial| format!("mean with {}", trial.learning_rate))
                .collect()
        })
        .unwrap_or_default();
    let mut columns = vec![String::from("contender")];
    let settings = choices.iter().any(|choice| !choice.setting.0.is_empty());
    if settings {
        columns.push(String::from("setting"));
    }
    columns.push(String::from("chosen"));
    columns.extend(rates);
    let rows = choices
        .iter()
        .map(|choice| {
            let mut row = vec![choice.contender.clone()];
            if settings {
                row.push(choice.setting.to_string());
            }
            let edge = if choice.at_edge {
                " (end of the grid)"
            } else {
                ""
            };
            row.push(or_none(choice.chosen.map(|rate| format!("{rate}{edge}"))));
            row.extend(choice.trials.iter().map(|trial| {
                let missing = match trial.missing {
                    0 => String::new(),
                    missing => format!(" ({missing} missing)"),
                };
                let is_rival = choice.rivals().any(|rival| rival == trial);
                format!(
                    "{}{missing}{}",
                    or_none(trial.mean().map(|mean| percent(mean, 2))),
                    if is_rival { " ≈" } else { "" }
                )
            }));
            row
        })
        .collect();
    Table {
        caption: String::from(
            "Trials of the tuned track: mean validation accuracy with each learning rate. ≈: may be as good as the chosen rate, as the 95 % interval of the mean difference (Student's t over the trials' seeds) includes zero, or there is none. A rate of which trials are missing is chosen only if some of every rate are.",
        ),
        head: columns,
        rows,
    }
}

/// How soon accuracies were reached.
pub(super) fn times_to_accuracy(source: Source<'_>, cell: &Cell<'_>) -> Table {
    let mut columns = vec![String::from("contender")];
    columns.extend(
        source
            .study
            .accuracies
            .iter()
            .map(|&accuracy| format!("median to {}", chosen_accuracy(accuracy))),
    );
    let rows = cell
        .arms
        .iter()
        .map(|arm| {
            let mut row = vec![arm.name.clone()];
            row.extend(arm.times_to_accuracy.iter().map(|time| {
                if time.runs == 0 {
                    return NONE.to_owned();
                }
                let share = if time.reached < time.runs {
                    format!("{} of {} runs", time.reached, time.runs)
                } else {
                    String::new()
                };
                let parts: Vec<String> = [
                    time.median_epochs
                        .map(|epochs| format!("epoch {}", decimals(epochs, 0))),
                    time.median_seconds
                        .map(|seconds| format!("{} s", decimals(seconds, 1))),
                    Some(share).filter(|share| !share.is_empty()),
                ]
                .into_iter()
                .flatten()
                .collect();
                parts.join(", ")
            }));
            row
        })
        .collect();
    Table {
        caption: String::from(
            "Median epoch and seconds of training until a validation accuracy was reached; runs that never got there count as slowest.",
        ),
        head: columns,
        rows,
    }
}

/// What choosing the epoch on the test images would have made of it; none where that is not known.
pub(super) fn inflation(cell: &Cell<'_>) -> Option<Table> {
    if cell.arms.iter().all(|arm| arm.inflation.is_none()) {
        return None;
    }
    let rows = cell
        .arms
        .iter()
        .filter_map(|arm| {
            let inflation = arm.inflation?;
            let points = |share: f64| decimals(100.0 * share, 3);
            let interval = brackets(inflation.interval, points);
            Some(vec![
                arm.name.clone(),
                inflation.count.to_string(),
                format!("{}{interval}", points(inflation.value)),
            ])
        })
        .collect();
    Some(Table {
        caption: String::from(
            "Test accuracy of the epoch that is best on the test images, less that of the epoch chosen on the validation images, in percentage points.",
        ),
        head: head(&["contender", "runs", "mean inflation [interval]"]),
        rows,
    })
}

/// What it costs; none if nothing was timed.
pub(super) fn costs(source: Source<'_>, cell: &Cell<'_>) -> Option<Table> {
    let known = |metric: &Metric| cell.arms.iter().any(|arm| !arm.values(*metric).is_empty());
    let metrics: Vec<Metric> = COSTS.into_iter().filter(known).collect();
    if metrics.is_empty() {
        return None;
    }
    // Intervals of what is that of the machine would look like knowledge.
    let uneven = source.analysis.has_uneven_times() || cell.has_uneven_times();
    let with_interval = |metric: &Metric| !(uneven && is_of_training(*metric));
    let interval = match metrics.iter().any(with_interval) {
        true => format!(
            " with its {} interval{}",
            confidence(source.analysis.criteria.level),
            if uneven {
                " (without one for the times of training, which say little)"
            } else {
                ""
            }
        ),
        false => String::new(),
    };
    let mut columns = vec![String::from("contender"), String::from("parameters")];
    for metric in &metrics {
        columns.push(match metric {
            Metric::SecondsPerStep => String::from("median step"),
            Metric::ForwardNanoseconds => String::from("median forward, per element"),
            Metric::BackwardNanoseconds => String::from("median backward, per element"),
            _ => String::from("median training"),
        });
    }
    let rows = cell
        .arms
        .iter()
        .map(|arm| {
            let parameters = arm.records().find_map(|run| run.parameters);
            let mut row = vec![
                arm.name.clone(),
                or_none(parameters.map(|parameters| parameters.to_string())),
            ];
            row.extend(metrics.iter().map(|&metric| {
                let own = median(&arm.values(metric)).ok();
                let ratio = ratio(arm, metric, with_interval(&metric));
                let cost = own.map(|own| format!("{}{ratio}", metric.format(own)));
                or_none(cost)
            }));
            row
        })
        .collect();
    Some(Table {
        caption: format!(
            "Medians over the seeds; in parentheses how many times as much as {}, the geometric mean of the ratios by seed{interval}. Each run is timed when it is made, whatever else the machine does then: {}",
            source.study.baseline(),
            spread_of_steps(cell)
        ),
        head: columns,
        rows,
    })
}

/// Whether it is the time of steps of training, and not of the activation alone.
fn is_of_training(metric: Metric) -> bool {
    matches!(metric, Metric::SecondsPerStep | Metric::TrainingSeconds)
}

/// How many times as much as the baseline a contender costs, in parentheses after a space; empty if that is
/// not known.
fn ratio(arm: &Arm<'_>, metric: Metric, with_interval: bool) -> String {
    let mut costs = arm.relative_costs.iter();
    let Some(cost) = costs.find(|cost| cost.metric == metric) else {
        return String::new();
    };
    let interval = cost.ratio.interval.filter(|_| with_interval);
    let interval = brackets(interval, |end| decimals(end, 2));
    // Seeds of which one of the two took no time that could be measured have no ratio.
    let of = match (cost.ratio.count, arm.values(metric).len()) {
        (ratios, all) if ratios < all => format!(", of {ratios} of {all} seeds"),
        _ => String::new(),
    };
    format!(" (× {}{interval}{of})", decimals(cost.ratio.value, 2))
}

/// How much the steps of a contender's runs differ.
fn spread_of_steps(cell: &Cell<'_>) -> String {
    cell.spread_of_steps().map_or_else(
        || String::from("differences may be those of the machine."),
        |(ratio, name)| {
            format!(
                "of one contender's runs ({name}) the slowest takes {} times as long for a step as the fastest.",
                decimals(ratio, 2)
            )
        },
    )
}

/// A column of a table of medians.
struct Measurement {
    name: &'static str,
    /// The number of a run, however it ended.
    read: fn(&RunRecord) -> Option<f64>,
    format: fn(f64) -> String,
}

const MEASUREMENTS: [Measurement; 8] = [
    Measurement {
        name: "dead units",
        read: |run| Metric::DeadShare.recorded(run),
        format: share,
    },
    Measurement {
        name: "saturated",
        read: |run| Metric::SaturatedShare.recorded(run),
        format: share,
    },
    Measurement {
        name: "zero activations",
        read: |run| Metric::Sparsity.recorded(run),
        format: share,
    },
    Measurement {
        name: "pre-activation SD",
        read: |run| run.mean_over_sites(|site| site.pre_activation_sd),
        format: number,
    },
    Measurement {
        name: "activation mean",
        read: |run| run.mean_over_sites(|site| site.activation_mean),
        format: number,
    },
    Measurement {
        name: "gradient first / last layer, first epoch",
        read: RunRecord::first_gradient_ratio,
        format: number,
    },
    Measurement {
        name: "effective rank",
        read: |run| Metric::EffectiveRank.recorded(run),
        format: number,
    },
    Measurement {
        name: "gap",
        read: |run| Metric::AccuracyGap.recorded(run),
        format: share,
    },
];

const SCORES: [Measurement; 8] = [
    Measurement {
        name: "test accuracy",
        read: |run| Metric::TestAccuracy.recorded(run),
        format: share,
    },
    Measurement {
        name: "test loss",
        read: |run| Metric::TestLoss.recorded(run),
        format: number,
    },
    Measurement {
        name: "test calibration error",
        read: |run| Metric::TestEce.recorded(run),
        format: share,
    },
    Measurement {
        name: "validation accuracy",
        read: |run| run.chosen()?.validation.accuracy,
        format: share,
    },
    Measurement {
        name: "validation loss",
        read: |run| run.chosen()?.validation.loss,
        format: number,
    },
    Measurement {
        name: "validation calibration error",
        read: |run| run.chosen()?.validation.ece,
        format: share,
    },
    Measurement {
        name: "training accuracy",
        read: |run| run.chosen()?.training_at_end?.accuracy,
        format: share,
    },
    Measurement {
        name: "training loss",
        read: |run| run.chosen()?.training_at_end?.loss,
        format: number,
    },
];

fn share(value: f64) -> String {
    percent(value, 2)
}

fn number(value: f64) -> String {
    scientific(value, 3)
}

impl Measurement {
    /// The median over an arm's runs that say a number.
    fn median(&self, arm: &Arm<'_>) -> Option<f64> {
        let values: Vec<f64> = arm
            .records()
            .filter_map(self.read)
            .filter(|value| value.is_finite())
            .collect();
        median(&values).ok()
    }
}

/// What was seen inside the networks; none if nothing was.
pub(super) fn inside(cell: &Cell<'_>) -> Option<Table> {
    let caption = "Means over the sites after the last epoch unless the column says otherwise; medians over the seeds.";
    medians(cell, MEASUREMENTS, caption)
}

/// How well the chosen networks read, and how well their probabilities fit; none if nothing was scored.
pub(super) fn scores(cell: &Cell<'_>) -> Option<Table> {
    let caption = "The networks of the chosen epochs, without dropout; losses are cross-entropies in nats; medians over the seeds.";
    medians(cell, SCORES, caption)
}

fn medians(
    cell: &Cell<'_>,
    columns: impl IntoIterator<Item = Measurement>,
    caption: &str,
) -> Option<Table> {
    let is_known = |column: &Measurement| cell.arms.iter().any(|arm| column.median(arm).is_some());
    let known: Vec<Measurement> = columns.into_iter().filter(is_known).collect();
    if known.is_empty() {
        return None;
    }
    let mut names = vec![String::from("contender")];
    names.extend(known.iter().map(|column| format!("median {}", column.name)));
    let rows = cell
        .arms
        .iter()
        .map(|arm| {
            let mut row = vec![arm.name.clone()];
            row.extend(
                known
                    .iter()
                    .map(|column| or_none(column.median(arm).map(column.format))),
            );
            row
        })
        .collect();
    Some(Table {
        caption: caption.to_owned(),
        head: names,
        rows,
    })
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What a contender is to the baseline.
pub(super) fn verdict(source: Source<'_>, arm: &Arm<'_>) -> String {
    match &arm.comparison {
        Some(comparison) => {
            let wording = source.analysis.wording();
            wording.sign_and_word(comparison.verdict)
        }
        None if arm.name == source.study.baseline() => String::from("baseline"),
        None => NONE.to_owned(),
    }
}

/// The places that a contender may have: `2`, or `1–3`.
pub(super) fn rank(rank: RankRange) -> String {
    if rank.best == rank.worst {
        rank.best.to_string()
    } else {
        format!("{}–{}", rank.best, rank.worst)
    }
}

/// How many runs there are, and how many did not come to their end.
fn ended(arm: &Arm<'_>) -> String {
    let mut parts = vec![arm.finished.to_string()];
    parts.extend(losses(arm));
    parts.join(", ")
}

/// How many runs did not come to their end, by what became of them.
fn losses(arm: &Arm<'_>) -> impl Iterator<Item = String> {
    let numbers = [
        (arm.diverged, "diverged"),
        (arm.failed, "failed"),
        (arm.missing, "missing"),
    ];
    let some = numbers.into_iter().filter(|(number, _)| *number > 0);
    some.map(|(number, what)| format!("{number} {what}"))
}

/// The contender, and in parentheses how many of its runs did not come to their end.
pub(super) fn name_with_losses(arm: &Arm<'_>) -> String {
    match losses(arm).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => arm.name.clone(),
        some => format!("{} ({some})", arm.name),
    }
}

/// A contender's mean and its interval, or what it is at least, where runs never reached the accuracy that
/// they are compared by.
fn mean(metric: Metric, arm: &Arm<'_>) -> String {
    match arm.mean {
        Some(mean) if arm.never_reached(metric) > 0 => {
            format!("at least {}", metric.number(mean.value))
        }
        mean => estimate(metric, mean),
    }
}

/// A statistic and its interval, without units.
fn estimate(metric: Metric, estimate: Option<Estimate>) -> String {
    or_none(estimate.map(|estimate| {
        let interval = brackets(estimate.interval, |end| metric.number(end));
        format!("{}{interval}", metric.number(estimate.value))
    }))
}

/// A difference and its interval, without units.
fn signed(metric: Metric, mean: f64, interval: Option<Interval>) -> String {
    let interval = brackets(interval, |end| metric.signed(end));
    format!("{}{interval}", metric.signed(mean))
}

/// How far a contender is from the baseline, without units.
pub(super) fn difference(source: Source<'_>, cell: &Cell<'_>, arm: &Arm<'_>) -> Option<String> {
    let analysis = source.analysis;
    let bound = analysis.bound(arm, cell);
    let comparison = arm.comparison.as_ref()?;
    Some(difference_number(analysis.metric, comparison, bound))
}

/// The corrected p-value of a difference, and whether it could not have been smaller.
fn p_of_difference(comparison: &Comparison) -> String {
    let smallest = if has_smallest_p_value(comparison) {
        " (smallest)"
    } else {
        ""
    };
    format!("{}{smallest}", p_number(comparison.adjusted.difference))
}

/// What `(smallest)` means, as a sentence after another; empty where it does not occur.
fn about_smallest<'c>(cells: impl IntoIterator<Item = &'c Cell<'c>>) -> &'static str {
    let mut arms = cells.into_iter().flat_map(|cell| &cell.arms);
    if arms.any(|arm| arm.comparison.as_ref().is_some_and(has_smallest_p_value)) {
        " (smallest): so few seeds and so many comparisons can give no smaller p."
    } else {
        ""
    }
}

/// How many seeds a new study would need to decide what is undecided.
fn new_study(comparison: Option<&Comparison>) -> Option<String> {
    match comparison?.verdict {
        Verdict::Undecided {
            new_study: Some(seeds),
            ..
        } => Some(format!("about {seeds}")),
        Verdict::Undecided {
            reason: Reason::TooFewSeeds | Reason::Inconclusive,
            new_study: None,
        } => Some(String::from("no reasonable number")),
        _ => None,
    }
}
