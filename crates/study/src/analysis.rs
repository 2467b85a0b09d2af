//! What follows from the records of a study.

mod cell;
mod claim;
mod conclusion;
mod tracks;
mod warnings;
mod wording;

use std::collections::BTreeSet;

use statistics::{Criteria, Direction, Powers, RankSummary, median};
use toml::Table;

use crate::definition::Study;
use crate::metric::Metric;
use crate::plan::{Plan, RateChoice, RunSpec, Stage, Track};
use crate::record::{Environment, RunRecord, Status};
use crate::records::{Dataset, Records};

pub use cell::{
    Arm, COSTS, Cell, Estimate, Pair, RankRange, RelativeCost, SeedRun, TimeToAccuracy, Versus,
};
pub use claim::{ClaimResult, ClaimStatus};
pub use conclusion::Conclusion;
pub use tracks::{TrackComparison, TrackShift};
pub(crate) use wording::{Bound, Wording, difference_number, has_smallest_p_value, sign};

/// What follows from the records of a study.
#[derive(Clone, Debug)]
pub struct Analysis<'a> {
    /// What is compared.
    pub metric: Metric,
    /// Which of its scores are good, if that is said.
    pub direction: Option<Direction>,
    /// How verdicts are reached.
    pub criteria: Criteria,
    /// Name of the contender that the others are compared with.
    pub baseline: String,
    /// The verdict in words.
    pub conclusion: Conclusion,
    /// How many of its runs are done.
    pub run_counts: RunCounts,
    /// Results by track and setting, in the study's order.
    pub cells: Vec<Cell<'a>>,
    /// Ranks of the contenders over all settings, by track; none of a single setting.
    pub ranks: Vec<TrackRanks>,
    /// How the results move between the tracks, by setting; none with one track.
    pub track_comparisons: Vec<TrackComparison>,
    /// How the learning rates of the tuned track were chosen.
    pub choices: Vec<RateChoice>,
    /// What the runs are trained and tested on, if that was noted.
    pub dataset: Option<Dataset>,
    /// The configuration that the study changes, if that was noted.
    pub base: Option<Table>,
    /// Whether the images are split alike for all seeds.
    pub(crate) has_one_split: bool,
    /// What the runs were made with and on.
    pub environments: Vec<Environment>,
    /// Share of the run's time that measuring took: the median of the runs.
    pub measuring_share: Option<f64>,
    /// What a reader should know before believing anything.
    pub warnings: Vec<String>,
}

/// How many runs a study has, and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Runs that the study has in all.
    pub planned: usize,
    /// Those that are done, however they ended.
    pub done: usize,
    /// Final runs that diverged.
    pub diverged: usize,
    /// Trials that diverged.
    pub diverged_trials: usize,
    /// Those that failed.
    pub failed: usize,
}

/// Ranks of contenders over all settings of a track.
#[derive(Clone, Debug)]
pub struct TrackRanks {
    /// The track.
    pub track: Track,
    /// Names of the contenders, in the order of the summary's ranks. One that lacks a score in some
    /// setting is left out.
    pub contenders: Vec<String>,
    /// The ranks of their means, and how far apart they must be.
    pub summary: RankSummary,
}

impl RunCounts {
    /// Whether all planned runs are done.
    pub fn is_complete(&self) -> bool {
        self.done >= self.planned
    }
}

impl<'a> Analysis<'a> {
    /// Analyses the records of a study.
    ///
    /// # Errors
    ///
    /// If a statistic cannot be had, for scores beyond 10¹⁰⁰.
    pub fn new(plan: &Plan, records: &'a Records) -> Result<Self, statistics::Error> {
        let study = plan.study();
        let metric = study.verdict.metric;
        let specs = plan.known(records);
        let criteria = criteria(study, &specs, records);
        let mut powers = Powers::default();
        let mut cells = Vec::new();
        for track in study.tracks() {
            for setting in plan.settings() {
                let decides = track == study.deciding_track() && plan.decides(setting);
                let runs = specs.iter().filter(|spec| {
                    spec.stage == Stage::Final && spec.track == track && spec.setting == *setting
                });
                let mut cell = Cell::new(study, track, setting, decides, runs, records)?;
                cell.compare_pairs(&criteria, &mut powers)?;
                cells.push(cell);
            }
        }
        cell::compare_with_baseline(&mut cells, study.baseline(), &criteria, &mut powers)?;
        let mut choices = plan.choices(records);
        choices.retain(|choice| choice.is_begun());
        let ranks = track_ranks(&cells, &study.tracks(), &criteria)?;
        let track_comparisons = tracks::compare_tracks(&cells, &criteria)?;

        let answered: Vec<(Stage, &RunRecord)> = specs
            .iter()
            .filter_map(|spec| Some((spec.stage, records.answering(spec)?)))
            .collect();
        let done: Vec<&RunRecord> = answered.iter().map(|&(_, run)| run).collect();
        // A run may answer for both tracks, and is one run.
        let count = |matches: &dyn Fn(Stage, &Status) -> bool| {
            let runs = answered
                .iter()
                .filter(|(stage, run)| matches(*stage, &run.status));
            runs.map(|(_, run)| &run.id).collect::<BTreeSet<_>>().len()
        };
        let has_diverged = |status: &Status| matches!(status, Status::Diverged { .. });
        let run_counts = RunCounts {
            planned: plan.total(),
            done: done.len(),
            diverged: count(&|stage, status| stage == Stage::Final && has_diverged(status)),
            diverged_trials: count(&|stage, status| stage == Stage::Trial && has_diverged(status)),
            failed: count(&|_, status| matches!(status, Status::Failed { .. })),
        };
        let environments: BTreeSet<_> = done
            .iter()
            .filter_map(|run| run.environment.clone())
            .collect();
        let shares: Vec<f64> = done
            .iter()
            .filter_map(|run| run.measuring_share())
            .collect();
        let measuring_share = median(&shares).ok();
        let mut analysis = Self {
            metric,
            direction: study.verdict.direction(),
            criteria,
            baseline: study.baseline().to_owned(),
            conclusion: Conclusion::default(),
            run_counts,
            cells,
            ranks,
            track_comparisons,
            choices,
            dataset: records.dataset().cloned(),
            base: records.base().cloned(),
            has_one_split: specs.iter().any(has_split_seed),
            environments: environments.into_iter().collect(),
            measuring_share,
            warnings: Vec::new(),
        };
        analysis.warnings = warnings::warnings(study, &analysis, &done, records);
        analysis.conclusion = Conclusion::new(study, &analysis);
        Ok(analysis)
    }

    /// What became of the study's claim, as a row of a table of claims; `None` if it expects nothing.
    pub fn claim(&self) -> Option<&ClaimResult> {
        self.conclusion.claim.as_ref()
    }

    /// What outcomes are called.
    pub(crate) fn wording(&self) -> Wording {
        Wording::new(self.direction)
    }

    /// Which cell it is, where there are several: `common track, depth 8`.
    pub(crate) fn place(&self, cell: &Cell<'_>) -> String {
        let has_tracks = self.cells.iter().any(|other| other.track != cell.track);
        let parts = [
            has_tracks.then(|| format!("{} track", cell.track)),
            Some(cell.setting.to_string()).filter(|setting| !setting.is_empty()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// How a contender's difference from the baseline stands to the one that was found.
    pub(crate) fn bound(&self, arm: &Arm<'_>, cell: &Cell<'_>) -> Bound {
        let baseline = cell.arms.iter().find(|other| other.name == self.baseline);
        baseline.map_or(Bound::None, |baseline| self.bound_between(arm, baseline))
    }

    /// How the difference of `arm` from `other` stands to the one that was found.
    pub(crate) fn bound_between(&self, arm: &Arm<'_>, other: &Arm<'_>) -> Bound {
        let has_missed = |arm: &Arm<'_>| arm.never_reached(self.metric) > 0;
        match (has_missed(arm), has_missed(other)) {
            (true, false) => Bound::Least,
            (false, true) => Bound::Most,
            (false, false) | (true, true) => Bound::None,
        }
    }

    /// The cells that the verdict is taken from.
    pub fn deciding(&self) -> impl Iterator<Item = &Cell<'a>> {
        self.cells.iter().filter(|cell| cell.decides)
    }

    /// Whether a caveat says that times of training say little.
    pub fn has_uneven_times(&self) -> bool {
        self.deciding().any(Cell::has_uneven_times)
    }
}

/// The study's criteria, without a margin where one image is more than it: equal scores then show no more than
/// that differences cannot be seen.
fn criteria(study: &Study, specs: &[RunSpec], records: &Records) -> Criteria {
    let criteria = study.verdict.statistics();
    let finals = specs.iter().filter(|spec| spec.stage == Stage::Final);
    let runs = finals.filter_map(|spec| records.answering(spec));
    match coarsest_score(study, runs) {
        Some(scored) if scored.step > criteria.margin => Criteria {
            margin: 0.0,
            ..criteria
        },
        _ => criteria,
    }
}

/// Whether the run's images are split by another seed than its own.
fn has_split_seed(spec: &RunSpec) -> bool {
    let data = spec.overrides.get("data");
    data.is_some_and(|data| data.get("split_seed").is_some())
}

/// What a network is scored on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ScoredImages {
    /// How they are used: "tested" or "validated".
    purpose: &'static str,
    count: usize,
    /// Which of them changes the score most: "one image" or "one image of the rarest class".
    coarsest: &'static str,
    /// By how much it does, 0 to 1.
    step: f64,
}

impl ScoredImages {
    /// What `run` is scored on; `None` where accuracies are not compared, or the run does not say.
    fn of(metric: Metric, run: &RunRecord) -> Option<Self> {
        let images = run.images?;
        let (purpose, count) = match metric {
            Metric::TestAccuracy | Metric::BalancedAccuracy => ("tested", images.test),
            Metric::ValidationAccuracy | Metric::AccuracyGap => ("validated", images.validation),
            _ => return None,
        };
        let of_class = run.balanced_accuracy_step;
        let of_class = of_class.filter(|_| metric == Metric::BalancedAccuracy);
        let (coarsest, step) = match of_class {
            Some(step) => ("one image of the rarest class", step),
            None => ("one image", 1.0 / count as f64),
        };
        (count > 0).then_some(Self {
            purpose,
            count,
            coarsest,
            step,
        })
    }
}

/// What the run is scored on whose score one image changes most; `None` where accuracies are not compared, or no
/// run says.
fn coarsest_score<'a>(
    study: &Study,
    runs: impl IntoIterator<Item = &'a RunRecord>,
) -> Option<ScoredImages> {
    let metric = study.verdict.metric;
    let scored = runs.into_iter();
    let scored = scored.filter_map(|run| ScoredImages::of(metric, run));
    scored.max_by(|a, b| a.step.total_cmp(&b.step))
}

fn track_ranks(
    cells: &[Cell<'_>],
    tracks: &[Track],
    criteria: &Criteria,
) -> Result<Vec<TrackRanks>, statistics::Error> {
    let mut ranks = Vec::new();
    for &track in tracks {
        let cells: Vec<_> = cells.iter().filter(|cell| cell.track == track).collect();
        let complete: Vec<usize> = (0..cells.first().map_or(0, |cell| cell.arms.len()))
            .filter(|&index| cells.iter().all(|cell| cell.arms[index].mean.is_some()))
            .collect();
        if cells.len() < 2 || complete.len() < 2 {
            continue;
        }
        let table: Vec<Vec<f64>> = cells
            .iter()
            .map(|cell| {
                let means = complete.iter().filter_map(|&index| cell.arms[index].mean);
                means.map(|mean| mean.value).collect()
            })
            .collect();
        ranks.push(TrackRanks {
            track,
            contenders: complete
                .iter()
                .map(|&index| cells[0].arms[index].name.clone())
                .collect(),
            summary: RankSummary::new(&table, criteria.direction, criteria.level)?,
        });
    }
    Ok(ranks)
}
