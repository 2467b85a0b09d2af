//! What follows from the records of a study.

mod cell;
mod claim;
mod conclusion;
mod tracks;
mod wording;

use std::collections::BTreeSet;

use statistics::{Criteria, Direction, RankSummary};

use crate::metric::{Metric, Value};
use crate::plan::{Plan, RateChoice, Stage, Track};
use crate::record::{Environment, RunRecord, Status};
use crate::records::Records;

pub use cell::{Arm, Cell, Estimate, Pair, RankRange, SeedRun, TimeToAccuracy};
pub use claim::{ClaimResult, ClaimStatus};
pub use conclusion::Conclusion;
pub use tracks::{TrackComparison, TrackShift};
pub(crate) use wording::{Wording, sign};

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
    /// What the runs were made with and on.
    pub environments: Vec<Environment>,
    /// Share of the run's time that measuring took, the median of the runs.
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
    /// Those that diverged.
    pub diverged: usize,
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
        let (metric, criteria) = (study.verdict.metric, study.verdict.statistics());
        let specs = plan.known(records);
        let mut cells = Vec::new();
        for track in study.tracks() {
            for setting in plan.settings() {
                let decides = track == study.deciding_track() && plan.decides(setting);
                let runs = specs.iter().filter(|spec| {
                    spec.stage == Stage::Final && spec.track == track && spec.setting == *setting
                });
                cells.push(Cell::new(study, track, setting, decides, runs, records)?);
            }
        }
        cell::compare_with_baseline(&mut cells, study.baseline(), &criteria)?;
        let mut choices = plan.choices(records);
        choices.retain(|choice| choice.is_begun());
        let ranks = track_ranks(&cells, &study.tracks(), &criteria)?;
        let track_comparisons = tracks::compare_tracks(&cells, &criteria)?;

        let done: Vec<_> = specs
            .iter()
            .filter_map(|spec| records.answering(spec))
            .collect();
        let count =
            |matches: fn(&Status) -> bool| done.iter().filter(|run| matches(&run.status)).count();
        let run_counts = RunCounts {
            planned: plan.total(),
            done: done.len(),
            diverged: count(|status| matches!(status, Status::Diverged { .. })),
            failed: count(|status| matches!(status, Status::Failed { .. })),
        };
        let environments: BTreeSet<_> = done
            .iter()
            .filter_map(|run| run.environment.clone())
            .collect();
        let mut shares: Vec<f64> = done
            .iter()
            .filter_map(|run| run.measuring_share())
            .collect();
        shares.sort_by(f64::total_cmp);
        let measuring_share = shares.get(shares.len() / 2).copied();
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
            environments: environments.into_iter().collect(),
            measuring_share,
            warnings: Vec::new(),
        };
        analysis.warnings = warnings(&analysis, &done, records);
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

    /// The cells that the verdict is taken from.
    pub fn deciding(&self) -> impl Iterator<Item = &Cell<'a>> {
        self.cells.iter().filter(|cell| cell.decides)
    }
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

fn warnings(analysis: &Analysis<'_>, done: &[&RunRecord], records: &Records) -> Vec<String> {
    use crate::format::count;
    let mut warnings = Vec::new();
    let RunCounts {
        planned,
        done: made,
        diverged,
        failed,
    } = analysis.run_counts;
    if made < planned {
        warnings.push(format!(
            "{made} of {} done: everything below is preliminary, and seeds that are added until a verdict pleases make its level meaningless.",
            count(planned, "run")
        ));
    }
    if diverged > 0 {
        let treatment = analysis.metric.treatment_of_diverged();
        warnings.push(format!("{} diverged. {treatment}", count(diverged, "run")));
    }
    let failures = done.iter().filter_map(|run| match &run.status {
        Status::Failed { reason } => Some((run, reason)),
        _ => None,
    });
    if let Some((run, reason)) = failures.min_by_key(|(run, _)| run.id.clone()) {
        warnings.push(format!(
            "{} failed, for reasons that say nothing about the contender, and {} left out together with the run that {} paired with; `trainer study run … --retry-failed` makes {} again. Run {}: {}.",
            count(failed, "run"),
            if failed == 1 { "is" } else { "are" },
            if failed == 1 { "it is" } else { "they are" },
            if failed == 1 { "it" } else { "them" },
            run.id,
            reason.trim_end_matches('.').replace('\n', "; "),
        ));
    }
    let environments: BTreeSet<_> = analysis
        .deciding()
        .flat_map(|cell| &cell.arms)
        .flat_map(|arm| arm.records())
        .filter_map(|run| run.environment.as_ref())
        .collect();
    if analysis.metric.is_time() && environments.len() > 1 {
        warnings.push(String::from(
            "The times are of several machines, numbers of threads or versions of the program, as listed at the end; a difference may be theirs.",
        ));
    }
    let runs = analysis.cells.iter().flat_map(|cell| &cell.arms);
    let assumed = runs
        .flat_map(|arm| &arm.runs)
        .filter(|run| matches!(run.score, Value::Assumed(_)))
        .filter(|run| run.run.is_some_and(|run| run.status == Status::Finished))
        .count();
    if assumed > 0 {
        warnings.push(format!(
            "{} never reached the accuracy; the score of such a run is that of one epoch more than it had.",
            count(assumed, "run"),
        ));
    }
    let place = |choice: &RateChoice| match choice.setting.to_string() {
        setting if setting.is_empty() => choice.contender.clone(),
        setting => format!("{} ({setting})", choice.contender),
    };
    let stuck: Vec<String> = analysis
        .choices
        .iter()
        .filter(|choice| choice.is_stuck())
        .map(place)
        .collect();
    if !stuck.is_empty() {
        warnings.push(format!(
            "All trials failed, so that no learning rate can be chosen and there are no final runs on the tuned track, of {}.",
            crate::definition::listed(&stuck)
        ));
    }
    let edges: Vec<String> = analysis
        .choices
        .iter()
        .filter(|choice| choice.at_edge)
        .map(place)
        .collect();
    if !edges.is_empty() {
        warnings.push(format!(
            "The best learning rate lies at the end of the grid, and a better one may lie outside, for {}.",
            crate::definition::listed(&edges)
        ));
    }
    let chosen = analysis
        .choices
        .iter()
        .filter(|choice| choice.chosen.is_some());
    let open = chosen
        .clone()
        .filter(|choice| choice.rivals().next().is_some());
    let (chosen, open) = (chosen.count(), open.count());
    if open > 0 {
        warnings.push(format!(
            "In {open} of {chosen} choices of a learning rate the trials do not tell the chosen one from some other; the table of trials marks those with ≈, and more trials (seeds_per_rate) might tell.",
        ));
    }
    if let Some(share) = analysis.measuring_share.filter(|&share| share > 0.05) {
        warnings.push(format!(
            "Measuring took {} of a run's time (median).",
            crate::format::percent(share, 1)
        ));
    }
    warnings.extend(records.warnings().iter().cloned());
    warnings
}
