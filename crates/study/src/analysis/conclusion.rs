//! The verdict in words.

use statistics::{Comparison, Verdict, pairs_for_significance};

use super::claim::ClaimResult;
use super::wording::{found, preliminary};
use super::{Analysis, Arm, Cell};
use crate::definition::{Study, listed};
use crate::format::{capital, count, with_place};

/// So many contenders get a sentence of their own at most.
const SENTENCES: usize = 3;
/// So many contenders are named in the headline at most.
const NAMES: usize = 6;
/// So many settings get a sentence of their own at most.
const MOST_SETTINGS: usize = 8;

/// The verdict in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conclusion {
    /// What became of the claim; none if the study expects nothing.
    pub claim: Option<ClaimResult>,
    /// The verdict, in a sentence or two.
    pub headline: String,
    /// What it rests on, a sentence each.
    pub evidence: Vec<String>,
}

impl Conclusion {
    pub(super) fn new(study: &Study, analysis: &Analysis<'_>) -> Self {
        let cells: Vec<&Cell<'_>> = analysis.deciding().collect();
        let claim = ClaimResult::new(study, analysis);
        let n = cells.iter().map(|cell| cell.n()).max().unwrap_or(0);
        if n == 0 {
            let headline = match analysis.run_counts.is_complete() {
                true => nothing_to_compare(study.baseline(), analysis),
                false => format!(
                    "No verdict yet: no run of what decides has a score ({} of {} done).",
                    analysis.run_counts.done,
                    count(analysis.run_counts.planned, "run")
                ),
            };
            return Self {
                claim,
                headline,
                evidence: Vec::new(),
            };
        }
        let (headline, mut evidence) = match (&claim, &cells[..]) {
            (Some(result), _) => (result.sentence.clone(), result.comparisons.clone()),
            (None, _) if study.contenders.len() == 1 => (alone(&cells, analysis), Vec::new()),
            (None, [cell]) => overview(study, cell, analysis),
            (None, _) => several(study, &cells, analysis),
        };
        if let [cell] = &cells[..] {
            evidence.extend(leaders(cell, analysis));
        }
        let headline = match claim {
            Some(_) => headline,
            None => format!("{}{headline}", preliminary(analysis.run_counts)),
        };
        Self {
            claim,
            headline,
            evidence,
        }
    }
}

/// A study of one contender has nothing to compare.
fn alone(cells: &[&Cell<'_>], analysis: &Analysis<'_>) -> String {
    let means: Vec<String> = cells
        .iter()
        .filter_map(|cell| {
            let arm = cell.arms.first()?;
            let mean = arm.mean?;
            Some(format!(
                "{} {} (n = {})",
                with_place(&arm.name, &analysis.place(cell)),
                analysis.metric.format(mean.value),
                mean.count
            ))
        })
        .collect();
    format!(
        "Nothing to compare; {}: {}.",
        analysis.metric.title(),
        listed(&means)
    )
}

/// The names of what has each verdict, best mean first.
fn outcomes(arms: &[&Arm<'_>], analysis: &Analysis<'_>) -> Vec<(&'static str, Vec<String>)> {
    let wording = analysis.wording();
    let words = [wording.better(), wording.worse(), "equivalent", "undecided"];
    let names_with = |word| {
        let names = arms.iter().filter(|arm| {
            let verdict = arm.comparison.as_ref().map(|comparison| comparison.verdict);
            verdict.is_some_and(|verdict| analysis.wording().word(verdict) == word)
        });
        names.map(|arm| arm.name.clone()).collect()
    };
    let outcomes = words.map(|word| (word, names_with(word)));
    outcomes
        .into_iter()
        .filter(|(_, names): &(_, Vec<String>)| !names.is_empty())
        .collect()
}

/// One setting, no claim: how many are what, and who.
fn overview(study: &Study, cell: &Cell<'_>, analysis: &Analysis<'_>) -> (String, Vec<String>) {
    let arms: Vec<&Arm<'_>> = cell
        .order(&analysis.criteria)
        .into_iter()
        .map(|index| &cell.arms[index])
        .collect();
    let baseline = study.baseline();
    if let Some(headline) = too_few_in_all(study, &arms, analysis) {
        return (headline, Vec::new());
    }
    let outcomes = outcomes(&arms, analysis);
    if outcomes.is_empty() {
        return (nothing_to_compare(baseline, analysis), Vec::new());
    }
    let headline = overview_headline(study, cell, &outcomes, analysis);
    let mut evidence: Vec<String> = if arms.len() <= SENTENCES + 1 {
        arms.iter()
            .filter_map(|arm| {
                Some(sentence(
                    study,
                    analysis,
                    cell,
                    arm,
                    arm.comparison.as_ref()?,
                ))
            })
            .collect()
    } else if arms.len() <= NAMES {
        Vec::new()
    } else {
        outcomes
            .iter()
            .map(|(word, names)| format!("{}: {}.", capital(word), listed(names)))
            .collect()
    };
    let named = arms.iter().map(|arm| (arm.name.clone(), *arm));
    evidence.extend(too_few_in_some(named));
    (headline, evidence)
}

/// `Compared with relu by test accuracy (n = 10 seeds) – better: gelu; worse: tanh.`, or how many are what.
fn overview_headline(
    study: &Study,
    cell: &Cell<'_>,
    outcomes: &[(&str, Vec<String>)],
    analysis: &Analysis<'_>,
) -> String {
    let by_name = cell.order(&analysis.criteria).len() <= NAMES;
    let parts: Vec<String> = outcomes
        .iter()
        .map(|(word, names)| match by_name {
            true => format!("{word}: {}", listed(names)),
            false => format!("{} {word}", names.len()),
        })
        .collect();
    let track = match study.tracks().len() {
        ..=1 => String::new(),
        _ => format!("{} track, ", cell.track),
    };
    format!(
        "Compared with {} by {} ({track}n = {}) – {}.",
        study.baseline(),
        analysis.metric.title(),
        count(cell.n(), "seed"),
        parts.join(if by_name { "; " } else { ", " })
    )
}

fn nothing_to_compare(baseline: &str, analysis: &Analysis<'_>) -> String {
    let has_scores = analysis
        .deciding()
        .flat_map(|cell| &cell.arms)
        .any(|arm| arm.name == baseline && arm.mean.is_some());
    match analysis.run_counts.is_complete() {
        false => format!("Nothing can be compared with {baseline} yet."),
        true if has_scores => format!(
            "Nothing can be compared with {baseline}, as no other has a score with the same seed."
        ),
        true => {
            format!("Nothing can be compared with {baseline}, as none of its runs has a score.")
        }
    }
}

/// That the seeds are too few for any of these contenders; none if they are enough for one.
fn too_few_in_all(study: &Study, arms: &[&Arm<'_>], analysis: &Analysis<'_>) -> Option<String> {
    let compared: Vec<_> = arms.iter().filter(|arm| arm.comparison.is_some()).collect();
    let n = compared.iter().map(|arm| pairs(arm)).max()?;
    let too_few = compared.iter().all(|arm| arm.has_too_few_seeds());
    too_few.then(|| {
        format!(
            "Too few seeds to tell any contender from {}: n = {n} cannot reach the level {} in {}, whatever the results{}.",
            study.baseline(),
            analysis.criteria.level,
            count(study.comparisons(), "comparison"),
            study
                .fewest_seeds()
                .map_or_else(String::new, |fewest| format!("; {fewest} can")),
        )
    })
}

/// For which of the contenders, each with what it is called, the seeds are too few; none if for none.
fn too_few_in_some<'c>(named: impl Iterator<Item = (String, &'c Arm<'c>)>) -> Option<String> {
    let too_few: Vec<String> = named
        .filter(|(_, arm)| arm.has_too_few_seeds())
        .map(|(name, arm)| format!("{name} (n = {})", pairs(arm)))
        .collect();
    (!too_few.is_empty()).then(|| {
        format!(
            "Too few seeds, whatever the results, for {}.",
            listed(&too_few)
        )
    })
}

/// The number of seeds with which a contender is compared with the baseline.
fn pairs(arm: &Arm<'_>) -> usize {
    let comparison = arm.comparison.as_ref();
    comparison.map_or(0, |comparison| comparison.differences.count)
}

/// Several settings, no claim: how many are what, in each.
fn several(study: &Study, cells: &[&Cell<'_>], analysis: &Analysis<'_>) -> (String, Vec<String>) {
    let tally = |arms: &[&Arm<'_>]| {
        let parts: Vec<String> = outcomes(arms, analysis)
            .iter()
            .map(|(word, names)| format!("{} {word}", names.len()))
            .collect();
        parts.join(", ")
    };
    let arms: Vec<&Arm<'_>> = cells.iter().flat_map(|cell| &cell.arms).collect();
    let compared = arms.iter().filter(|arm| arm.comparison.is_some());
    let number = compared.count();
    let baseline = study.baseline();
    if number == 0 {
        return (nothing_to_compare(baseline, analysis), Vec::new());
    }
    if let Some(headline) = too_few_in_all(study, &arms, analysis) {
        return (headline, Vec::new());
    }
    let n = cells.iter().map(|cell| cell.n()).max().unwrap_or(0);
    let headline = format!(
        "Compared with {baseline} by {} in {} (n = {}), of {}: {}.",
        analysis.metric.title(),
        count(cells.len(), "setting"),
        count(n, "seed"),
        count(number, "comparison"),
        tally(&arms),
    );
    let evidence = cells.iter().filter_map(|cell| {
        let arms: Vec<&Arm<'_>> = cell.arms.iter().collect();
        let parts: Vec<String> = outcomes(&arms, analysis)
            .iter()
            .map(|(word, names)| format!("{} {word}", listed(names)))
            .collect();
        (!parts.is_empty()).then(|| format!("{}: {}.", cell.setting, parts.join("; ")))
    });
    let mut evidence: Vec<String> = evidence.take(MOST_SETTINGS).collect();
    let named = cells.iter().flat_map(|cell| {
        let place = |arm: &Arm<'_>| format!("{}, {}", cell.setting, arm.name);
        cell.arms.iter().map(move |arm| (place(arm), arm))
    });
    evidence.extend(too_few_in_some(named));
    (headline, evidence)
}

/// One comparison: `tanh is better than sigmoid: +0.42 points of test accuracy (…).`
fn sentence(
    study: &Study,
    analysis: &Analysis<'_>,
    cell: &Cell<'_>,
    arm: &Arm<'_>,
    comparison: &Comparison,
) -> String {
    let planned = study.seeds.list().len();
    let bound = analysis.bound(arm, cell);
    found(analysis, &arm.name, comparison, planned, bound) + "."
}

/// Who may be first.
fn leaders(cell: &Cell<'_>, analysis: &Analysis<'_>) -> Option<String> {
    if cell.arms.len() < 3 {
        return None;
    }
    let order = cell.order(&analysis.criteria);
    let arms: Vec<&Arm<'_>> = order.iter().map(|&index| &cell.arms[index]).collect();
    let is_ranked = arms.iter().any(|arm| arm.rank.is_some());
    // One that has too few seeds for a rank may have any.
    let may_be_first = |arm: &&&Arm<'_>| arm.rank.is_none_or(|rank| rank.best == 1);
    let first: Vec<&Arm<'_>> = match is_ranked {
        true => arms.iter().filter(may_be_first).copied().collect(),
        false => Vec::new(),
    };
    let leader = *arms.first()?;
    let mean = mean_of(leader, cell, analysis)?;
    let leaders = cell.with_mean(leader.mean?.value);
    let pairs = count(cell.number_of_pairs(), "pair");
    let (best, better) = (analysis.wording().best(), analysis.wording().better());
    Some(match first[..] {
        [] => {
            let needed = pairs_for_significance(analysis.criteria.level, cell.number_of_pairs());
            let needed = needed.ok().flatten().map_or_else(String::new, |needed| {
                format!(", which takes {needed} seeds for {pairs}")
            });
            format!(
                "The {best} mean is that of {} ({mean}), but the seeds are too few to rank all contenders against each other{needed}.",
                listed(&leaders)
            )
        }
        [one] => {
            let mean = mean_of(one, cell, analysis)?;
            let others = match arms.len() < cell.arms.len() {
                true => "all others that have scores",
                false => "all others",
            };
            match not_beaten(one, cell, &arms)[..] {
                [] => format!("{} is {better} than {others} ({mean}).", one.name),
                ref others => format!(
                    "Only {} ({mean}) may be the {best}, as every other contender is {} than one or more; but it is not shown to be {better} than {}.",
                    one.name,
                    analysis.wording().worse(),
                    listed(others)
                ),
            }
        }
        _ => format!(
            "The {best} mean is that of {} ({mean}); the {best} may be any of {}: with p-values corrected for all {pairs}, more than the verdicts need, none of them is ruled out.",
            listed(&leaders),
            listed(
                &first
                    .iter()
                    .map(|arm| arm.name.as_str())
                    .collect::<Vec<_>>()
            )
        ),
    })
}

/// The names of those, of `arms`, that a contender of the cell is not better than in their own pair: that each
/// is worse than somebody does not say it.
fn not_beaten<'c>(arm: &Arm<'_>, cell: &'c Cell<'_>, arms: &[&'c Arm<'_>]) -> Vec<&'c str> {
    let position = |name: &str| cell.arms.iter().position(|other| other.name == name);
    let is_beaten = |other: &str| {
        let places = position(&arm.name).zip(position(other));
        let versus = places.and_then(|(first, second)| cell.versus(first, second));
        versus.is_some_and(|versus| versus.verdict == Verdict::Better)
    };
    let names = arms.iter().map(|other| other.name.as_str());
    names
        .filter(|&other| other != arm.name && !is_beaten(other))
        .collect()
}

/// A contender's mean, and of how many seeds it is where others have more.
fn mean_of(arm: &Arm<'_>, cell: &Cell<'_>, analysis: &Analysis<'_>) -> Option<String> {
    let mean = arm.mean?;
    let text = analysis.metric.format(mean.value);
    if mean.count == cell.n() {
        return Some(text);
    }
    Some(format!(
        "{text}, of {} of {}",
        mean.count,
        count(cell.n(), "seed")
    ))
}
