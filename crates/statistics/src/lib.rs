//! How sure one can be that one way of training is better than another, from repeated runs.
//!
//! Everything here is a pure function of numbers: the same numbers, criteria and seed give the same
//! result.
//!
//! The way through, file by file:
//!
//! 1. `summary` describes the runs of one contender ([`Summary`]), `bootstrap` says how far its mean
//!    or another statistic can be trusted ([`bca_interval`]);
//! 2. [`paired_differences`] takes contender minus baseline, seed by seed;
//! 3. `permutation` asks whether they differ at all ([`sign_flip_test`]), `equivalence` whether they
//!    differ by less than matters ([`equivalence_test`]), `improvement` how often one is ahead,
//!    `power` what so many runs could have found ([`minimum_detectable_effect`]);
//! 4. `holm` corrects the p-values for the number of comparisons ([`holm()`]);
//! 5. `verdict` draws the conclusion ([`Verdict`]), and `comparison` does all of this for every
//!    contender against its baseline ([`compare`]);
//! 6. `ranks` summarises many contenders over many data sets or settings ([`RankSummary`]);
//! 7. `mcnemar` asks whether two classifiers that read the same images are right equally often
//!    ([`mcnemar()`]), and `proportion` how far the accuracy of one, or its gain over another, can be
//!    trusted ([`proportion_interval`], [`paired_proportion_interval`]).
//!
//! ```
//! use statistics::{Criteria, Verdict, compare, paired_differences};
//!
//! let baseline = [99.58, 99.61, 99.60, 99.57, 99.63, 99.59];
//! let contender = [99.66, 99.65, 99.69, 99.67, 99.68, 99.64];
//! let differences = paired_differences(&contender, &baseline)?;
//! let comparisons = compare(&[differences], &Criteria::default())?;
//! assert_eq!(comparisons[0].verdict, Verdict::Better);
//! # Ok::<(), statistics::Error>(())
//! ```
//!
//! # Runs that diverged
//!
//! Every function refuses numbers that are not finite, so that a diverged run is never lost in
//! silence. A run that ended without a score still has one: the accuracy of a network that has learnt
//! nothing, 1 / classes. Pass that; a contender that diverges then loses by it, as it should. Where the
//! metric has no such worst value (a loss), leave the seed out for contender and baseline alike, say
//! so beside the result, and remember that the result then holds only for runs that do not diverge.
//! In a table of ranks give the diverged run any score worse than all others of its row.

mod bootstrap;
mod check;
mod comparison;
mod distribution;
mod equivalence;
mod error;
mod holm;
mod improvement;
mod mcnemar;
mod permutation;
mod power;
mod proportion;
mod ranks;
mod summary;
mod verdict;

pub use bootstrap::{Interval, RESAMPLES, bca_interval};
pub use comparison::{Comparison, compare, compare_in_family};
pub use equivalence::equivalence_test;
pub use error::Error;
pub use holm::holm;
pub use improvement::{Direction, paired_differences, paired_probability_of_improvement};
pub use mcnemar::mcnemar;
pub use permutation::{
    DRAWS, EXACT_UP_TO, pairs_for_significance, sign_flip_test, smallest_p_value,
};
pub use power::{
    MOST_PAIRS, Powers, equivalence_power, minimum_detectable_effect, pairs_for_difference,
    pairs_for_equivalence,
};
pub use proportion::{paired_proportion_interval, proportion_interval};
pub use ranks::{
    Friedman, RankSummary, friedman_test, nemenyi_critical_difference, ranks,
    studentized_range_quantile,
};
pub use summary::{
    Summary, interquartile_mean, mean, median, quantile, standard_deviation, t_multiplier,
};
pub use verdict::{AdjustedPValues, Criteria, Reason, Verdict};
