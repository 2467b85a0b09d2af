//! What becomes of a claim.

use std::fmt;

use statistics::{Comparison, Direction, Verdict};

use super::wording::{Bound, difference, found, preliminary, seeds, short_amount};
use super::{Analysis, Cell};
use crate::definition::{Expectation, Study};
use crate::format::{confidence, count, p_value, with_place};

/// So many comparisons fit into a row of a table; of more, the smallest and the largest difference.
const SPELT_OUT: usize = 6;

/// What became of a claim. Written as a word or two: `partly supported`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimStatus {
    /// All comparisons come out as it expects.
    Supported,
    /// Some comparisons come out as it expects; others come out otherwise, or do not tell.
    PartlySupported,
    /// Some comparisons come out otherwise; none comes out as it expects, and the rest do not tell.
    PartlyContradicted,
    /// All comparisons come out otherwise.
    Contradicted,
    /// No comparison tells.
    Undecided,
}

impl fmt::Display for ClaimStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Supported => "supported",
            Self::PartlySupported => "partly supported",
            Self::PartlyContradicted => "partly contradicted",
            Self::Contradicted => "contradicted",
            Self::Undecided => "undecided",
        })
    }
}

/// A claim, what was measured, and what became of the claim: a row of a table of claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimResult {
    /// What is claimed; the title of a study that expects something without a claim.
    pub claim: String,
    /// Where; may be empty.
    pub source: String,
    /// What was measured, as short as a table asks for, with n and intervals: `test accuracy: relu
    /// 98.54 %; gelu undecided, +0.05 points [−0.01, +0.14], p = 0.200; n = 10 seeds`.
    pub measured: String,
    /// What became of it.
    pub status: ClaimStatus,
    /// The same in a sentence, with n and interval.
    pub sentence: String,
    /// What was expected of each contender in each deciding setting, and what was found, where that
    /// is more than one comparison.
    pub comparisons: Vec<String>,
}

/// One contender of one deciding setting.
struct Item<'a> {
    name: &'a str,
    setting: String,
    expectation: Expectation,
    /// None without common seeds.
    comparison: Option<&'a Comparison>,
    /// How the difference stands to the one that was found.
    bound: Bound,
    is_met: Option<bool>,
}

impl Expectation {
    /// Whether a verdict is what was expected; none if it does not say. Without a good direction,
    /// higher scores are what the verdict calls better.
    pub(crate) fn is_met(self, verdict: Verdict, direction: Direction) -> Option<bool> {
        let (higher, lower) = match direction {
            Direction::HigherIsBetter => (Verdict::Better, Verdict::Worse),
            Direction::LowerIsBetter => (Verdict::Worse, Verdict::Better),
        };
        if matches!(verdict, Verdict::Undecided { .. }) {
            return None;
        }
        Some(match self {
            Self::Better => verdict == Verdict::Better,
            Self::Worse => verdict == Verdict::Worse,
            Self::Equivalent => verdict == Verdict::Equivalent,
            Self::NotBetter => verdict != Verdict::Better,
            Self::NotWorse => verdict != Verdict::Worse,
            Self::Higher => verdict == higher,
            Self::Lower => verdict == lower,
            Self::NotHigher => verdict != higher,
            Self::NotLower => verdict != lower,
        })
    }
}

impl ClaimResult {
    /// None if the study expects nothing.
    pub(super) fn new(study: &Study, analysis: &Analysis<'_>) -> Option<Self> {
        let items = items(study, analysis);
        if items.is_empty() {
            return None;
        }
        let number = |is_met| items.iter().filter(|item| item.is_met == is_met).count();
        let (met, contrary) = (number(Some(true)), number(Some(false)));
        let status = match (met, contrary) {
            (0, 0) => ClaimStatus::Undecided,
            (0, _) if contrary == items.len() => ClaimStatus::Contradicted,
            (0, _) => ClaimStatus::PartlyContradicted,
            _ if met == items.len() => ClaimStatus::Supported,
            _ => ClaimStatus::PartlySupported,
        };
        let subject = match study.claim {
            Some(_) => "claim",
            None => "expectation",
        };
        let preliminary = preliminary(analysis.run_counts);
        let planned = study.seeds.list().len();
        let contrary = match contrary {
            0 => String::new(),
            contrary => format!(", {contrary} contrary to it"),
        };
        let open = match number(None) {
            0 => String::new(),
            open => format!(", {open} undecided"),
        };
        let comparisons = count(items.len(), "comparison");
        let tally = format!("{met} of {comparisons} as expected{contrary}{open}");
        let found = match &items[..] {
            [item] => item.found(analysis, planned),
            _ => format!("{tally}, with {}", range(&items, analysis, planned)),
        };
        let measured = if items.len() <= SPELT_OUT {
            differences(&items, analysis, planned)
        } else {
            format!("{tally}: {}", range(&items, analysis, planned))
        };
        let statement = study.claim.as_ref();
        Some(Self {
            claim: statement.map_or(&study.title, |claim| &claim.text).clone(),
            source: statement.map_or_else(String::new, |claim| claim.source.clone()),
            measured: format!(
                "{}{measured}{}",
                preliminary.to_lowercase(),
                endings(&items, analysis)
            ),
            status,
            sentence: format!("{preliminary}The {subject} is {status}: {found}."),
            comparisons: match &items[..] {
                [_] => Vec::new(),
                items => items
                    .iter()
                    .map(|item| item.line(analysis, planned))
                    .collect(),
            },
        })
    }
}

fn items<'a>(study: &'a Study, analysis: &'a Analysis<'_>) -> Vec<Item<'a>> {
    let cells: Vec<&Cell<'_>> = analysis.deciding().collect();
    let mut items = Vec::new();
    for cell in &cells {
        // In the order of the study, not of the names.
        for arm in &cell.arms {
            let Some(&expectation) = study.verdict.expect.get(&arm.name) else {
                continue;
            };
            let comparison = arm.comparison.as_ref();
            items.push(Item {
                name: &arm.name,
                setting: if cells.len() > 1 {
                    cell.setting.to_string()
                } else {
                    String::new()
                },
                expectation,
                comparison,
                bound: analysis.bound(arm, cell),
                is_met: comparison.and_then(|comparison| {
                    expectation.is_met(comparison.verdict, analysis.criteria.direction)
                }),
            });
        }
    }
    items
}

impl Item<'_> {
    /// `depth 8, tanh`.
    fn place(&self) -> String {
        if self.setting.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}, {}", self.setting, self.name)
        }
    }

    /// What was found, in words.
    fn found(&self, analysis: &Analysis<'_>, planned: usize) -> String {
        let place = self.place();
        match self.comparison {
            Some(comparison) => found(analysis, &place, comparison, planned, self.bound),
            None => format!("no run of {place} to compare with {}", analysis.baseline),
        }
    }

    /// `tanh worse, −0.42 points [−0.44, −0.40], p = 0.004`.
    fn difference(&self, analysis: &Analysis<'_>) -> String {
        let place = self.place();
        let Some(comparison) = self.comparison else {
            return format!("{place} without a run to compare");
        };
        let word = analysis.wording().word(comparison.verdict);
        let within = match comparison.verdict {
            Verdict::Equivalent => format!(
                " within ±{}",
                analysis.metric.format_margin(analysis.criteria.margin)
            ),
            _ => String::new(),
        };
        let difference = difference(analysis.metric, comparison, self.bound);
        let adjusted = comparison.adjusted;
        let p = match (comparison.verdict, self.expectation) {
            (Verdict::Equivalent, _) | (Verdict::Undecided { .. }, Expectation::Equivalent) => {
                format!("{} for equivalence", p_value(adjusted.equivalence))
            }
            _ => p_value(adjusted.difference),
        };
        format!("{place} {word}{within}, {difference}, {p}")
    }

    /// `tanh, expected to be worse than relu: as expected; −0.42 points of test accuracy (…).`
    fn line(&self, analysis: &Analysis<'_>, planned: usize) -> String {
        let outcome = match self.is_met {
            Some(true) => String::from("as expected"),
            Some(false) => String::from("contrary to that"),
            None => self.comparison.map_or_else(
                || String::from("no run to compare yet"),
                |comparison| comparison.verdict.to_string(),
            ),
        };
        let than = match self.expectation {
            Expectation::Equivalent => "to",
            _ => "than",
        };
        let amount = self.comparison.map_or_else(String::new, |comparison| {
            format!(
                "; {}",
                short_amount(analysis, comparison, planned, self.bound)
            )
        });
        format!(
            "{}, expected to be {} {than} {}: {outcome}{amount}.",
            self.place(),
            self.expectation,
            analysis.baseline
        )
    }
}

/// The baseline's mean, where there is one setting, and each difference from it:
/// `test accuracy: relu 98.54 %; tanh worse, −0.42 points [−0.44, −0.40], p = 0.004; n = 10 seeds`.
fn differences(items: &[Item<'_>], analysis: &Analysis<'_>, planned: usize) -> String {
    let (metric, baseline) = (analysis.metric, &analysis.baseline);
    let cells: Vec<&Cell<'_>> = analysis.deciding().collect();
    let mean = match cells[..] {
        [cell] => cell.arms.iter().find(|arm| arm.name == *baseline),
        _ => None,
    }
    .and_then(|arm| arm.mean);
    let reference = match mean {
        Some(mean) => format!("{baseline} {}", metric.format(mean.value)),
        None => format!("beside {baseline}"),
    };
    let each: Vec<String> = items.iter().map(|item| item.difference(analysis)).collect();
    let each = each.join("; ");
    let n = number_of_pairs(items, planned);
    format!("{}: {reference}; {each}; {n}", metric.title())
}

/// `n = 10 seeds`; where some comparisons have more of them than others, `at least n = 9 of 10 seeds`.
fn number_of_pairs(items: &[Item<'_>], planned: usize) -> String {
    let comparisons = items.iter().filter_map(|item| item.comparison);
    let pairs: Vec<usize> = comparisons
        .map(|comparison| comparison.differences.count)
        .collect();
    let fewest = pairs.iter().copied().min().unwrap_or(0);
    let at_least = match pairs.iter().all(|&one| one == fewest) {
        true => "",
        false => "at least ",
    };
    format!("{at_least}{}", seeds(fewest, planned))
}

/// From the smallest to the largest difference, each with its interval.
fn range(items: &[Item<'_>], analysis: &Analysis<'_>, planned: usize) -> String {
    let (metric, level) = (analysis.metric, analysis.criteria.level);
    let mut compared: Vec<(&Item<'_>, &Comparison)> = items
        .iter()
        .filter_map(|item| Some((item, item.comparison?)))
        .collect();
    compared.sort_by(|(_, a), (_, b)| a.differences.mean.total_cmp(&b.differences.mean));
    let (Some((low, smallest)), Some((high, largest))) = (compared.first(), compared.last()) else {
        return String::from("no run to compare");
    };
    let end = |item: &Item<'_>, comparison: &Comparison| {
        let difference = difference(metric, comparison, item.bound);
        format!("{difference} ({})", item.place())
    };
    let confidence = match smallest.interval {
        Some(_) => format!("{} intervals, ", confidence(level)),
        None => String::new(),
    };
    format!(
        "differences in {} from {} to {}; {confidence}{}",
        metric.title(),
        end(low, smallest),
        end(high, largest),
        number_of_pairs(items, planned),
    )
}

/// Runs of the contenders compared that did not come to their end, or never reached an accuracy.
fn endings(items: &[Item<'_>], analysis: &Analysis<'_>) -> String {
    let (mut diverged, mut failed) = (0, 0);
    for arm in analysis.deciding().flat_map(|cell| &cell.arms) {
        let is_compared = items.iter().any(|item| item.name == arm.name);
        if is_compared || arm.name == analysis.baseline {
            diverged += arm.diverged;
            failed += arm.failed;
        }
    }
    let mut text = String::new();
    let are_several = analysis.deciding().count() > 1;
    for cell in analysis.deciding() {
        for arm in &cell.arms {
            let is_compared = items.iter().any(|item| item.name == arm.name);
            let never = arm.never_reached(analysis.metric);
            if never > 0 && (is_compared || arm.name == analysis.baseline) {
                let runs = count(arm.runs.len(), "run");
                let place = match are_several {
                    true => with_place(&arm.name, &analysis.place(cell)),
                    false => arm.name.clone(),
                };
                text += &format!("; {never} of {runs} of {place} never got there");
            }
        }
    }
    for (number, what) in [(diverged, "diverged"), (failed, "failed")] {
        if number > 0 {
            text += &format!("; {} {what}", count(number, "run"));
        }
    }
    text
}
