//! The verdict in words.

use statistics::{Alternative, Comparison, Reason, Verdict, pairs_for_significance};

use super::claim::ClaimResult;
use super::wording::{found, preliminary};
use super::{Analysis, Cell, Group};
use crate::definition::{Study, listed};
use crate::format::{capital, count};

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
            return Self {
                claim,
                headline: format!(
                    "No verdict yet: no run has a score ({} of {} done).",
                    analysis.progress.done,
                    count(analysis.progress.planned, "run")
                ),
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
            None => format!("{}{headline}", preliminary(analysis.progress)),
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
            let group = cell.groups.first()?;
            let mean = group.mean?;
            Some(format!(
                "{} {} (n = {})",
                group.name,
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
fn outcomes(groups: &[&Group<'_>], analysis: &Analysis<'_>) -> Vec<(&'static str, Vec<String>)> {
    let examples = [
        Verdict::Better,
        Verdict::Worse,
        Verdict::Equivalent,
        Verdict::Undecided {
            reason: Reason::Inconclusive,
            more_seeds: None,
        },
    ];
    let words = examples.map(|verdict| analysis.wording().word(verdict));
    let of = |word| {
        let names = groups.iter().filter(|group| {
            let verdict = group
                .comparison
                .as_ref()
                .map(|comparison| comparison.verdict);
            verdict.is_some_and(|verdict| analysis.wording().word(verdict) == word)
        });
        names.map(|group| group.name.clone()).collect()
    };
    let outcomes = words.map(|word| (word, of(word)));
    outcomes
        .into_iter()
        .filter(|(_, names): &(_, Vec<String>)| !names.is_empty())
        .collect()
}

/// One setting, no claim: how many are what, and who.
fn overview(study: &Study, cell: &Cell<'_>, analysis: &Analysis<'_>) -> (String, Vec<String>) {
    let groups: Vec<&Group<'_>> = cell
        .order(&analysis.criteria)
        .into_iter()
        .map(|index| &cell.groups[index])
        .collect();
    let baseline = study.baseline();
    if groups.iter().any(|group| group.has_too_few_seeds()) {
        let headline = format!(
            "Too few seeds to tell any contender from {baseline}: n = {} cannot reach the level {} in {}, whatever the results.",
            cell.n(),
            analysis.criteria.level,
            count(groups.len().saturating_sub(1), "comparison"),
        );
        return (headline, Vec::new());
    }
    let outcomes = outcomes(&groups, analysis);
    if outcomes.is_empty() {
        let nothing = format!("Nothing can be compared with {baseline} yet.");
        return (nothing, Vec::new());
    }
    let by_name = groups.len() <= NAMES;
    let parts: Vec<String> = outcomes
        .iter()
        .map(|(word, names)| {
            if by_name {
                format!("{word}: {}", listed(names))
            } else {
                format!("{} {word}", names.len())
            }
        })
        .collect();
    let track = if study.tracks().len() > 1 {
        format!("{} track, ", cell.track)
    } else {
        String::new()
    };
    let headline = format!(
        "Compared with {baseline} by {} ({track}n = {}) – {}.",
        analysis.metric.title(),
        count(cell.n(), "seed"),
        parts.join(if by_name { "; " } else { ", " })
    );
    let compared = groups
        .iter()
        .filter_map(|group| Some((*group, group.comparison.as_ref()?)));
    let evidence = if groups.len() <= SENTENCES + 1 {
        compared
            .map(|(group, comparison)| sentence(study, analysis, group, comparison))
            .collect()
    } else if by_name {
        Vec::new()
    } else {
        let named = outcomes.iter();
        named
            .map(|(word, names)| format!("{}: {}.", capital(word), listed(names)))
            .collect()
    };
    (headline, evidence)
}

/// Several settings, no claim: how many are what, in each.
fn several(study: &Study, cells: &[&Cell<'_>], analysis: &Analysis<'_>) -> (String, Vec<String>) {
    let tally = |groups: &[&Group<'_>]| {
        let parts: Vec<String> = outcomes(groups, analysis)
            .iter()
            .map(|(word, names)| format!("{} {word}", names.len()))
            .collect();
        parts.join(", ")
    };
    let groups: Vec<&Group<'_>> = cells.iter().flat_map(|cell| &cell.groups).collect();
    let compared = groups.iter().filter(|group| group.comparison.is_some());
    let number = compared.count();
    let baseline = study.baseline();
    if number == 0 {
        return (
            format!("Nothing can be compared with {baseline} yet."),
            Vec::new(),
        );
    }
    let n = cells.iter().map(|cell| cell.n()).max().unwrap_or(0);
    let headline = format!(
        "Compared with {baseline} by {} in {} (n = {}), of {}: {}.",
        analysis.metric.title(),
        count(cells.len(), "setting"),
        count(n, "seed"),
        count(number, "comparison"),
        tally(&groups),
    );
    let evidence = cells.iter().filter_map(|cell| {
        let groups: Vec<&Group<'_>> = cell.groups.iter().collect();
        let parts: Vec<String> = outcomes(&groups, analysis)
            .iter()
            .map(|(word, names)| format!("{} {word}", listed(names)))
            .collect();
        (!parts.is_empty()).then(|| format!("{}: {}.", cell.setting, parts.join("; ")))
    });
    (headline, evidence.take(MOST_SETTINGS).collect())
}

/// One comparison: `tanh is better than sigmoid: +0.42 points of test accuracy (…).`
fn sentence(
    study: &Study,
    analysis: &Analysis<'_>,
    group: &Group<'_>,
    comparison: &Comparison,
) -> String {
    let planned = study.seeds.list().len();
    found(analysis, &group.name, comparison, planned) + "."
}

/// Who may be first.
fn leaders(cell: &Cell<'_>, analysis: &Analysis<'_>) -> Option<String> {
    if cell.groups.len() < 3 {
        return None;
    }
    let order = cell.order(&analysis.criteria);
    let first: Vec<&str> = order
        .iter()
        .map(|&index| &cell.groups[index])
        .filter(|group| group.rank.is_some_and(|rank| rank.best == 1))
        .map(|group| group.name.as_str())
        .collect();
    let leader = &cell.groups[*order.first()?];
    let mean = analysis.metric.format(leader.mean?.value);
    let (best, better) = (analysis.wording().best(), analysis.wording().better());
    Some(match first[..] {
        [] => {
            let pairs = cell.pairs.len();
            let needed =
                pairs_for_significance(analysis.criteria.level, pairs, Alternative::TwoSided);
            let needed = needed.ok().flatten().map_or_else(String::new, |needed| {
                format!(", which takes {needed} seeds for {}", count(pairs, "pair"))
            });
            format!(
                "The {best} mean is that of {} ({mean}), but the seeds are too few to rank all contenders against each other{needed}.",
                leader.name
            )
        }
        [one] => format!("{one} is {better} than all others ({mean})."),
        _ => format!(
            "The {best} mean is that of {} ({mean}); first in rank may be {}, as the runs do not tell them apart.",
            leader.name,
            listed(&first)
        ),
    })
}
