//! The conclusion from a comparison.

use std::fmt;

use crate::check;
use crate::error::Error;
use crate::improvement::Direction;
use crate::permutation::{corrected, pairs_for_significance};
use crate::power::{Powers, pairs_for_equivalence};
use crate::summary::{mean_of, standard_deviation_of};

/// How a verdict is reached, fixed before the runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criteria {
    /// Which scores are good.
    pub direction: Direction,
    /// The smallest difference that matters, in the unit of the scores. With 0 nothing is equivalent.
    pub margin: f64,
    /// How probable one or more wrong claims of a difference may be in all comparisons together, and
    /// as much for wrong claims of equivalence; from 10⁻¹² to below ½.
    pub level: f64,
    /// With what probability a difference should be found by the number of seeds that is advised, and
    /// by the minimum detectable effect; above the level, below 1.
    pub power: f64,
    /// The seed of the bootstrap and of sign flips that are drawn.
    pub seed: u64,
}

impl Default for Criteria {
    fn default() -> Self {
        Self {
            direction: Direction::HigherIsBetter,
            margin: 0.0,
            level: 0.05,
            power: 0.8,
            seed: 0,
        }
    }
}

impl Criteria {
    /// Whether all criteria are in their ranges.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`] for the first that is not, by the name of `the margin`, `the level` or `the power`.
    pub fn check(&self) -> Result<(), Error> {
        check::size("the margin", self.margin)?;
        check::level_of_equivalence(self.level)?;
        check::power(self.level, self.power)
    }
}

/// P-values of one comparison, corrected for the number of comparisons.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdjustedPValues {
    /// Of the two-sided [`sign_flip_test`](crate::sign_flip_test).
    pub difference: f64,
    /// The smallest that `difference` could have been: what it is where all comparisons have the
    /// [`smallest_p_value`](crate::smallest_p_value) that their pairs allow.
    pub smallest_difference: f64,
    /// Of the [`equivalence_test`](crate::equivalence_test); 1 where there is a single pair.
    pub equivalence: f64,
}

/// What the runs say about a contender. The first that holds:
///
/// 1. If no results could have brought the p-value of the difference down to the level, it is
///    [`Verdict::Undecided`] for [`Reason::TooFewSeeds`]. That includes equivalence, so that a small
///    experiment is not one which can only come out as "equivalent". Where numbers of pairs differ, it is
///    not the same as having fewer pairs than [`pairs_for_significance`] asks for: after those with more
///    pairs, Holm's correction may leave the last comparison the whole level.
/// 2. If the p-value of equivalence is at most the level: [`Verdict::Equivalent`], even if there is a
///    significant difference, as it is one that does not matter.
/// 3. If the p-value of the difference is at most the level: [`Verdict::Better`] or
///    [`Verdict::Worse`], by the sign of the mean difference.
/// 4. Otherwise [`Verdict::Undecided`], as [`Reason::Inconclusive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is better than the baseline.
    Better,
    /// It is worse than the baseline.
    Worse,
    /// It differs from the baseline by less than the margin, if at all.
    Equivalent,
    /// The runs do not tell.
    Undecided {
        /// Why not.
        reason: Reason,
        /// How many seeds a new study would need to decide it; `None` if no reasonable number would do.
        ///
        /// It takes the mean and the standard deviation of the differences found for the true ones, and is
        /// the number of pairs that find the difference or the equivalence, whichever takes fewer, at
        /// level / comparisons with the power of the criteria ([`pairs_for_difference`],
        /// [`pairs_for_equivalence`]), and never less than [`pairs_for_significance`] asks for. As the mean
        /// found is uncertain, so is this number. It is for another study with other seeds: seeds that are
        /// added to these because they did not decide make p-values too small.
        ///
        /// [`pairs_for_difference`]: crate::pairs_for_difference
        new_study: Option<usize>,
    },
}

/// Why the runs do not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// So few seeds cannot show a difference, whatever the results of all comparisons. Contenders must
    /// not be ranked by them.
    TooFewSeeds,
    /// Neither a difference nor equivalence is significant.
    Inconclusive,
    /// Neither is, and some scores stand for what a run lacks, so that how many seeds would do is not known. The
    /// program that assumes them says so; no function here does.
    AssumedScores,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (reason, new_study) = match self {
            Self::Better => return f.write_str("better"),
            Self::Worse => return f.write_str("worse"),
            Self::Equivalent => return f.write_str("equivalent within the margin"),
            Self::Undecided { reason, new_study } => (reason, new_study),
        };
        f.write_str("undecided")?;
        match (reason, new_study) {
            (Reason::TooFewSeeds, Some(seeds)) => {
                write!(f, ": too few seeds, a new study needs at least {seeds}")
            }
            (Reason::TooFewSeeds, None) => {
                f.write_str(": no number of seeds suffices for so many comparisons")
            }
            (Reason::Inconclusive, Some(seeds)) => {
                write!(
                    f,
                    ": a new study of about {seeds} seeds would probably decide it"
                )
            }
            (Reason::Inconclusive, None) => {
                f.write_str(": no reasonable number of seeds decides it")
            }
            (Reason::AssumedScores, _) => f.write_str(": some scores are assumed"),
        }
    }
}

/// The verdict on a contender, from its `differences` to the baseline (contender minus baseline), the
/// p-values that were corrected for the number of `comparisons`, and the criteria; see [`Verdict`].
///
/// # Errors
///
/// [`Error::TooFew`] for no differences, [`Error::Value`] for one that is not finite,
/// [`Error::Parameter`] for criteria, p-values or a number of comparisons out of range.
pub(crate) fn verdict(
    differences: &[f64],
    p_values: AdjustedPValues,
    comparisons: usize,
    criteria: &Criteria,
    powers: &mut Powers,
) -> Result<Verdict, Error> {
    check::values(differences, 1)?;
    criteria.check()?;
    check::p_value(p_values.difference)?;
    check::p_value(p_values.smallest_difference)?;
    check::p_value(p_values.equivalence)?;

    let needed = pairs_for_significance(criteria.level, comparisons)?;
    let sufficient = sufficient_pairs(differences, comparisons, criteria, powers)?;
    let advised = needed.map(|needed| needed.max(sufficient.unwrap_or(0)));
    let undecided = |reason, new_study| Verdict::Undecided { reason, new_study };
    let improvement = criteria.direction.improvement(mean_of(differences));
    Ok(if p_values.smallest_difference > criteria.level {
        undecided(Reason::TooFewSeeds, advised)
    } else if p_values.equivalence <= criteria.level {
        Verdict::Equivalent
    } else if p_values.difference <= criteria.level && improvement > 0.0 {
        Verdict::Better
    } else if p_values.difference <= criteria.level && improvement < 0.0 {
        Verdict::Worse
    } else {
        undecided(
            Reason::Inconclusive,
            advised.filter(|_| sufficient.is_some()),
        )
    })
}

/// How many pairs in all find a difference or equivalence, if the differences are what they seem.
fn sufficient_pairs(
    differences: &[f64],
    comparisons: usize,
    criteria: &Criteria,
    powers: &mut Powers,
) -> Result<Option<usize>, Error> {
    let level = corrected(criteria.level, comparisons)?;
    if differences.len() < 2 {
        return Ok(None);
    }
    let (mean, deviation) = (mean_of(differences), standard_deviation_of(differences));
    let Criteria { margin, power, .. } = *criteria;
    let difference = powers.pairs_for_difference(mean, deviation, level, power)?;
    let equivalence = pairs_for_equivalence(mean, deviation, margin, level, power)?;
    Ok(difference.into_iter().chain(equivalence).min())
}
