//! The results of one track in one setting.

use statistics::{
    Comparison, Criteria, Interval, Powers, RESAMPLES, Reason, Summary, Verdict, bca_interval,
    compare_in_family, mean, median,
};

use super::wording::nearest;
use crate::definition::Study;
use crate::metric::{Metric, Value};
use crate::plan::{RunSpec, Setting, Track};
use crate::record::{RunRecord, Status};
use crate::records::Records;

/// A function that takes less than this, in nanoseconds per element, costs nothing that can be measured: half of what
/// it takes to fill the array that it is applied to, which is taken off.
const NO_COST: f64 = 0.02;

/// The results of one track in one setting.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    /// The track.
    pub track: Track,
    /// The values of the factors.
    pub setting: Setting,
    /// Whether the verdict is taken from it; otherwise it is exploratory.
    pub decides: bool,
    /// One for each contender, in the study's order.
    pub arms: Vec<Arm<'a>>,
    /// All pairs of contenders that have runs with common seeds, with p-values corrected for the number of
    /// all pairs.
    pub pairs: Vec<Pair>,
}

/// An arm of the comparison: the runs of one contender in one cell.
#[derive(Clone, Debug)]
pub struct Arm<'a> {
    /// Name of the contender.
    pub name: String,
    /// Its activation function.
    pub activation: String,
    /// One for each seed, in the study's order.
    pub runs: Vec<SeedRun<'a>>,
    /// Runs that came to their end.
    pub finished: usize,
    /// Runs that diverged.
    pub diverged: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Runs that are not there yet.
    pub missing: usize,
    /// Scores that stand for what a run lacks.
    pub assumed: usize,
    /// The scores; none without any.
    pub summary: Option<Summary>,
    /// Their mean.
    pub mean: Option<Estimate>,
    /// The comparison with the baseline; none for the baseline itself, and without common seeds. In
    /// deciding cells the p-values are corrected for all comparisons of all of them, in the others for
    /// those of the cell, also for those of contenders that have no score.
    pub comparison: Option<Comparison>,
    /// Which ranks are possible, by the comparisons of all pairs; none if the seeds are too few for any
    /// ranking.
    pub rank: Option<RankRange>,
    /// By how much choosing the epoch on the test images would have flattered, on average.
    pub inflation: Option<Estimate>,
    /// How soon accuracies were reached.
    pub times_to_accuracy: Vec<TimeToAccuracy>,
    /// How many times as much as the baseline it costs, by each metric of [`COSTS`] that is known of both;
    /// none for the baseline itself.
    pub relative_costs: Vec<RelativeCost>,
}

/// The metrics of what a contender costs, in the order in which they are shown.
pub const COSTS: [Metric; 4] = [
    Metric::SecondsPerStep,
    Metric::ForwardNanoseconds,
    Metric::BackwardNanoseconds,
    Metric::TrainingSeconds,
];

/// Times of the steps of one contender with a larger ratio are those of the machine.
const UNEVEN_TIMES: f64 = 1.3;

/// How many times as much as the baseline a contender costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelativeCost {
    /// What is compared, one of [`COSTS`].
    pub metric: Metric,
    /// The geometric mean of the ratios of runs with a common seed.
    pub ratio: Estimate,
}

/// One seed of a contender.
#[derive(Clone, Copy, Debug)]
pub struct SeedRun<'a> {
    /// The seed.
    pub seed: u64,
    /// The run; none if it is not there yet.
    pub run: Option<&'a RunRecord>,
    /// Its score.
    pub score: Value,
}

/// A statistic with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The statistic.
    pub value: f64,
    /// The BCa interval; none of a single number.
    pub interval: Option<Interval>,
    /// How many numbers it is of.
    pub count: usize,
}

/// The ranks that a contender may have, 1 being best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankRange {
    /// 1 more than the number of contenders that are better.
    pub best: usize,
    /// The number of contenders less those that are worse.
    pub worst: usize,
}

/// How soon an accuracy was reached.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeToAccuracy {
    /// The validation accuracy.
    pub accuracy: f64,
    /// Runs that reached it.
    pub reached: usize,
    /// Runs that finished or diverged.
    pub runs: usize,
    /// Seconds of training of each run that reached it, by seed.
    pub seconds: Vec<(u64, f64)>,
    /// Median number of epochs, if more than half of the runs reached it.
    pub median_epochs: Option<f64>,
    /// Median seconds, if more than half of the runs reached it.
    pub median_seconds: Option<f64>,
}

/// Two contenders of a cell.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Position of the first in [`Cell::arms`].
    pub first: usize,
    /// Position of the second, which comes later.
    pub second: usize,
    /// The first compared with the second.
    pub comparison: Comparison,
}

/// What one contender is to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Versus {
    /// In a word.
    pub verdict: Verdict,
    /// The mean difference of their scores.
    pub difference: f64,
    /// The end of its interval that is nearest to no difference; the mean where there is no interval.
    pub nearest: f64,
}

impl<'a> Cell<'a> {
    /// Collects the runs of a cell.
    pub(super) fn new<'s>(
        study: &Study,
        track: Track,
        setting: &Setting,
        decides: bool,
        specs: impl Iterator<Item = &'s RunSpec>,
        records: &'a Records,
    ) -> Result<Self, statistics::Error> {
        let metric = study.verdict.metric;
        let criteria = study.verdict.statistics();
        let specs: Vec<&RunSpec> = specs.collect();
        let mut arms = Vec::new();
        for contender in &study.contenders {
            let runs = study.seeds.list().into_iter().map(|seed| {
                let planned = specs
                    .iter()
                    .find(|spec| spec.seed == seed && spec.contender == contender.name());
                let run = planned.and_then(|spec| records.answering(spec));
                SeedRun {
                    seed,
                    run,
                    score: run.map_or(Value::Missing, |run| metric.value(run)),
                }
            });
            let runs = runs.collect();
            let mut arm = Arm::new(contender.name(), &contender.activation, runs, &criteria)?;
            arm.times_to_accuracy = study
                .accuracies
                .iter()
                .map(|&accuracy| arm.time_to_accuracy(accuracy))
                .collect();
            arms.push(arm);
        }
        if let Some(baseline) = arms.iter().position(|arm| arm.name == study.baseline()) {
            for index in (0..arms.len()).filter(|&index| index != baseline) {
                arms[index].relative_costs =
                    arms[index].costs_relative_to(&arms[baseline], &criteria)?;
            }
        }
        Ok(Self {
            track,
            setting: setting.clone(),
            decides,
            arms,
            pairs: Vec::new(),
        })
    }

    /// The positions of the contenders that have scores, best mean first.
    pub fn order(&self, criteria: &Criteria) -> Vec<usize> {
        let improvement = |index: &usize| {
            let mean = self.arms[*index].mean.map_or(f64::NAN, |mean| mean.value);
            criteria.direction.improvement(mean)
        };
        let mut order: Vec<usize> = (0..self.arms.len())
            .filter(|&index| self.arms[index].mean.is_some())
            .collect();
        order.sort_by(|a, b| improvement(b).total_cmp(&improvement(a)));
        order
    }

    /// The names of the contenders with exactly this mean.
    pub fn with_mean(&self, mean: f64) -> Vec<&str> {
        let arms = self.arms.iter();
        let are_equal = arms.filter(|arm| arm.mean.is_some_and(|of_arm| of_arm.value == mean));
        are_equal.map(|arm| arm.name.as_str()).collect()
    }

    /// The positions of all contenders, those without scores last.
    pub fn full_order(&self, criteria: &Criteria) -> Vec<usize> {
        let mut order = self.order(criteria);
        let without = (0..self.arms.len()).filter(|&index| self.arms[index].mean.is_none());
        order.extend(without);
        order
    }

    /// Most scores that a contender has.
    pub fn n(&self) -> usize {
        let counts = self.arms.iter().filter_map(|arm| arm.summary);
        counts.map(|summary| summary.count).max().unwrap_or(0)
    }

    /// How many times as long as in the fastest run a step takes in the slowest run of the same contender, and
    /// of which: what the contender does not explain.
    pub fn spread_of_steps(&self) -> Option<(f64, &str)> {
        let spreads = self.arms.iter().filter_map(|arm| {
            let seconds = arm.values(Metric::SecondsPerStep);
            let least = seconds.iter().copied().reduce(f64::min)?;
            let most = seconds.iter().copied().reduce(f64::max)?;
            (seconds.len() > 1 && least > 0.0).then(|| (most / least, arm.name.as_str()))
        });
        spreads.max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Whether the times of training say more about the machine than about the contenders.
    pub fn has_uneven_times(&self) -> bool {
        self.spread_of_steps()
            .is_some_and(|(ratio, _)| ratio > UNEVEN_TIMES)
    }

    /// What the first of two contenders is to the second.
    pub fn versus(&self, first: usize, second: usize) -> Option<Versus> {
        let find = |a, b| {
            let mut pairs = self.pairs.iter();
            let pair = pairs.find(|pair| (pair.first, pair.second) == (a, b))?;
            Some(Versus {
                verdict: pair.comparison.verdict,
                difference: pair.comparison.differences.mean,
                nearest: nearest(&pair.comparison),
            })
        };
        find(first, second).or_else(|| {
            let versus = find(second, first)?;
            Some(Versus {
                verdict: match versus.verdict {
                    Verdict::Better => Verdict::Worse,
                    Verdict::Worse => Verdict::Better,
                    other => other,
                },
                difference: -versus.difference,
                nearest: -versus.nearest,
            })
        })
    }

    /// How many pairs of contenders there are, whether they can be compared or not.
    pub fn number_of_pairs(&self) -> usize {
        self.arms.len() * self.arms.len().saturating_sub(1) / 2
    }

    /// Compares all pairs of contenders, and ranks those that have seeds enough.
    pub(super) fn compare_pairs(
        &mut self,
        criteria: &Criteria,
        powers: &mut Powers,
    ) -> Result<(), statistics::Error> {
        let mut places = Vec::new();
        let mut differences = Vec::new();
        for second in 0..self.arms.len() {
            for first in 0..second {
                let paired = self.arms[first].differences(&self.arms[second]);
                if !paired.is_empty() {
                    places.push((first, second));
                    differences.push(paired);
                }
            }
        }
        self.pairs = places
            .into_iter()
            .zip(compare_in_family(
                self.number_of_pairs(),
                &differences,
                criteria,
                powers,
            )?)
            .map(|((first, second), comparison)| Pair {
                first,
                second,
                comparison: self.arms[first].by_measured_scores(
                    &self.arms[second],
                    comparison,
                    criteria,
                ),
            })
            .collect();
        let contenders = self.order(criteria);
        if contenders.len() < 2 {
            return Ok(());
        }
        for &index in &contenders {
            let of_this = |pair: &&Pair| pair.first == index || pair.second == index;
            let mut pairs = self.pairs.iter().filter(of_this);
            if pairs.all(|pair| has_too_few_seeds(&pair.comparison)) {
                continue;
            }
            let others = |verdict| {
                let is = |other: &&usize| {
                    let versus = self.versus(**other, index);
                    versus.is_some_and(|versus| versus.verdict == verdict)
                };
                contenders.iter().filter(is).count()
            };
            let rank = RankRange {
                best: 1 + others(Verdict::Better),
                worst: contenders.len() - others(Verdict::Worse),
            };
            self.arms[index].rank = Some(rank);
        }
        Ok(())
    }
}

impl<'a> SeedRun<'a> {
    /// The run, if it finished or diverged.
    fn ended(&self) -> Option<&'a RunRecord> {
        self.run
            .filter(|run| !matches!(run.status, Status::Failed { .. }))
    }
}

fn inflations(runs: &[SeedRun<'_>]) -> Vec<f64> {
    let runs = runs.iter().filter_map(|run| run.run);
    let finished = runs.filter(|run| run.status == Status::Finished);
    finished.filter_map(RunRecord::inflation).collect()
}

impl<'a> Arm<'a> {
    fn new(
        name: &str,
        activation: &str,
        runs: Vec<SeedRun<'a>>,
        criteria: &Criteria,
    ) -> Result<Self, statistics::Error> {
        let scores: Vec<f64> = runs.iter().filter_map(|run| run.score.number()).collect();
        let ended = |matches: fn(&Status) -> bool| {
            let statuses = runs.iter().filter_map(|run| Some(&run.run?.status));
            statuses.filter(|status| matches(status)).count()
        };
        Ok(Self {
            name: name.to_owned(),
            activation: activation.to_owned(),
            finished: ended(|status| *status == Status::Finished),
            diverged: ended(|status| matches!(status, Status::Diverged { .. })),
            failed: ended(|status| matches!(status, Status::Failed { .. })),
            missing: runs.iter().filter(|run| run.run.is_none()).count(),
            assumed: runs
                .iter()
                .filter(|run| matches!(run.score, Value::Assumed(_)))
                .count(),
            summary: if scores.is_empty() {
                None
            } else {
                Some(Summary::new(&scores)?)
            },
            mean: Estimate::new(&scores, mean, criteria)?,
            inflation: Estimate::new(&inflations(&runs), mean, criteria)?,
            runs,
            comparison: None,
            rank: None,
            times_to_accuracy: Vec::new(),
            relative_costs: Vec::new(),
        })
    }

    /// [`RunRecord::inflation`] of each finished run.
    pub fn inflations(&self) -> Vec<f64> {
        inflations(&self.runs)
    }

    /// The runs that finished or diverged. What failed says nothing about the contender.
    pub fn records(&self) -> impl Iterator<Item = &'a RunRecord> {
        self.runs.iter().filter_map(SeedRun::ended)
    }

    /// Runs that came to their end without reaching the accuracy that they are compared by.
    pub fn never_reached(&self, metric: Metric) -> usize {
        let runs = self.records();
        runs.filter(|run| metric.is_out_of_reach_of(run)).count()
    }

    /// Whether the runs are so few that nothing can be told from the baseline, whatever the results.
    pub(crate) fn has_too_few_seeds(&self) -> bool {
        self.comparison.as_ref().is_some_and(has_too_few_seeds)
    }

    /// The numbers of another metric, of the runs that have one.
    pub fn values(&self, metric: Metric) -> Vec<f64> {
        self.records()
            .filter_map(|run| metric.value(run).number())
            .collect()
    }

    /// The scores of this contender and another, for the seeds that both have scores of.
    fn paired_scores<'s>(&'s self, other: &'s Self) -> impl Iterator<Item = (Value, Value)> {
        self.paired(other)
            .map(|(run, other)| (run.score, other.score))
            .filter(|scores| !matches!(scores, (Value::Missing, _) | (_, Value::Missing)))
    }

    /// Its scores less those of another contender, for the seeds that both have scores of. Of two that are
    /// assumed nothing is known, not even which is larger.
    pub(super) fn differences(&self, other: &Self) -> Vec<f64> {
        self.paired_scores(other)
            .filter_map(|scores| match scores {
                (Value::Assumed(_), Value::Assumed(_)) => Some(0.0),
                (score, other) => Some(score.number()? - other.number()?),
            })
            .collect()
    }

    /// The comparison with another contender, of which no assumed score can show that they are equivalent, nor how
    /// many seeds would decide.
    fn by_measured_scores(
        &self,
        other: &Self,
        mut comparison: Comparison,
        criteria: &Criteria,
    ) -> Comparison {
        let is_assumed = |score| matches!(score, Value::Assumed(_));
        let mut scores = self.paired_scores(other);
        if !scores.any(|(score, other)| is_assumed(score) || is_assumed(other)) {
            return comparison;
        }
        let improvement = criteria.direction.improvement(comparison.differences.mean);
        let differs = comparison.adjusted.difference <= criteria.level;
        comparison.verdict = match comparison.verdict {
            Verdict::Equivalent if differs && improvement > 0.0 => Verdict::Better,
            Verdict::Equivalent if differs && improvement < 0.0 => Verdict::Worse,
            Verdict::Equivalent
            | Verdict::Undecided {
                reason: Reason::Inconclusive,
                ..
            } => Verdict::Undecided {
                reason: Reason::AssumedScores,
                new_study: None,
            },
            other => other,
        };
        comparison
    }

    /// The runs of this contender and another with the same seed.
    fn paired<'s>(
        &'s self,
        other: &'s Self,
    ) -> impl Iterator<Item = (&'s SeedRun<'a>, &'s SeedRun<'a>)> {
        self.runs.iter().filter_map(|run| {
            let other = other.runs.iter().find(|other| other.seed == run.seed)?;
            Some((run, other))
        })
    }

    /// How many times as much as another contender it costs.
    fn costs_relative_to(
        &self,
        other: &Self,
        criteria: &Criteria,
    ) -> Result<Vec<RelativeCost>, statistics::Error> {
        let mut costs = Vec::new();
        for metric in COSTS {
            if self.costs_nothing(metric) || other.costs_nothing(metric) {
                continue;
            }
            let logarithm = |run: &SeedRun<'_>| {
                let cost = metric.value(run.ended()?).number()?;
                (cost > 0.0).then(|| cost.ln())
            };
            let logarithms: Vec<f64> = self
                .paired(other)
                .filter_map(|(run, other)| Some(logarithm(run)? - logarithm(other)?))
                .collect();
            if let Some(logarithm) = Estimate::new(&logarithms, mean, criteria)? {
                let ratio = logarithm.map(f64::exp);
                costs.push(RelativeCost { metric, ratio });
            }
        }
        Ok(costs)
    }

    /// Whether it takes no time that can be measured.
    fn costs_nothing(&self, metric: Metric) -> bool {
        let is_of_an_element = matches!(
            metric,
            Metric::ForwardNanoseconds | Metric::BackwardNanoseconds
        );
        let median = median(&self.values(metric));
        is_of_an_element && median.is_ok_and(|median| median < NO_COST)
    }

    fn time_to_accuracy(&self, accuracy: f64) -> TimeToAccuracy {
        let runs = self.records().count();
        let epochs: Vec<f64> = self
            .records()
            .filter_map(|run| run.epochs_to(accuracy))
            .map(|epochs| epochs as f64)
            .collect();
        let seconds: Vec<(u64, f64)> = self
            .runs
            .iter()
            .filter_map(|run| Some((run.seed, run.ended()?.seconds_to(accuracy)?)))
            .collect();
        // The median over all runs, those that never got there being the slowest: none of its two
        // middle ones may be among them.
        let median_of = |values: &[f64]| {
            let mut all = values.to_vec();
            all.resize(runs, f64::from(f32::MAX));
            median(&all).ok().filter(|_| 2 * values.len() > runs)
        };
        let numbers: Vec<f64> = seconds.iter().map(|&(_, seconds)| seconds).collect();
        TimeToAccuracy {
            accuracy,
            reached: epochs.len(),
            runs,
            median_epochs: median_of(&epochs),
            median_seconds: median_of(&numbers),
            seconds,
        }
    }
}

/// Whether the pairs are so few that no result would be significant.
pub(crate) fn has_too_few_seeds(comparison: &Comparison) -> bool {
    matches!(
        comparison.verdict,
        Verdict::Undecided {
            reason: Reason::TooFewSeeds,
            ..
        }
    )
}

impl Estimate {
    /// The statistic of some numbers; none without any.
    pub(crate) fn new(
        values: &[f64],
        statistic: fn(&[f64]) -> Result<f64, statistics::Error>,
        criteria: &Criteria,
    ) -> Result<Option<Self>, statistics::Error> {
        if values.is_empty() {
            return Ok(None);
        }
        let confidence = 1.0 - criteria.level;
        let interval = (values.len() > 1)
            .then(|| bca_interval(values, statistic, confidence, RESAMPLES, criteria.seed))
            .transpose()?;
        Ok(Some(Self {
            value: statistic(values)?,
            interval,
            count: values.len(),
        }))
    }

    /// The same of another scale: `increasing` is applied to the value and to both ends.
    fn map(self, increasing: fn(f64) -> f64) -> Self {
        Self {
            value: increasing(self.value),
            interval: self.interval.map(|interval| Interval {
                lower: increasing(interval.lower),
                upper: increasing(interval.upper),
                ..interval
            }),
            count: self.count,
        }
    }
}

/// Compares all contenders with the baseline, those of all deciding cells in one family.
pub(super) fn compare_with_baseline(
    cells: &mut [Cell<'_>],
    baseline: &str,
    criteria: &Criteria,
    powers: &mut Powers,
) -> Result<(), statistics::Error> {
    let deciding = (0..cells.len())
        .filter(|&index| cells[index].decides)
        .collect();
    let mut families: Vec<Vec<usize>> = vec![deciding];
    families.extend(
        (0..cells.len())
            .filter(|&index| !cells[index].decides)
            .map(|index| vec![index]),
    );
    for family in families {
        let mut places = Vec::new();
        let mut differences = Vec::new();
        let mut wanted = 0;
        for cell in family {
            let arms = &cells[cell].arms;
            wanted += arms.len().saturating_sub(1);
            let Some(reference) = arms.iter().find(|arm| arm.name == baseline) else {
                continue;
            };
            for (index, arm) in arms.iter().enumerate() {
                let paired = arm.differences(reference);
                if arm.name != baseline && !paired.is_empty() {
                    places.push((cell, index));
                    differences.push(paired);
                }
            }
        }
        let comparisons = compare_in_family(wanted, &differences, criteria, powers)?;
        for ((cell, index), comparison) in places.into_iter().zip(comparisons) {
            let arms = &mut cells[cell].arms;
            let reference = arms.iter().find(|arm| arm.name == baseline);
            let comparison = reference
                .map(|reference| arms[index].by_measured_scores(reference, comparison, criteria));
            arms[index].comparison = comparison;
        }
    }
    Ok(())
}
