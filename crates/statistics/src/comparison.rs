//! Everything about contenders and their baselines, at once.

use crate::bootstrap::{Interval, RESAMPLES, bca_interval};
use crate::check;
use crate::equivalence::equivalence_test;
use crate::error::Error;
use crate::holm::holm;
use crate::improvement::paired_probability_of_improvement;
use crate::permutation::{EXACT_UP_TO, corrected, sign_flip_test, smallest_p_value};
use crate::power::Powers;
use crate::summary::{Summary, mean};
use crate::verdict::{AdjustedPValues, Criteria, Verdict, verdict};

/// What the runs say about one contender and its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The differences, contender minus baseline.
    pub differences: Summary,
    /// The BCa interval of their mean with confidence 1 − level, not corrected for the number of
    /// comparisons; none of a single pair.
    pub interval: Option<Interval>,
    /// The share of seeds with which the contender is ahead, ties counting half.
    pub probability_of_improvement: f64,
    /// The p-value of the two-sided [`sign_flip_test`].
    pub difference: f64,
    /// The p-value of the [`equivalence_test`]; none of a single pair.
    pub equivalence: Option<f64>,
    /// The p-values of both tests after Holm's correction, each over all comparisons.
    pub adjusted: AdjustedPValues,
    /// The true difference that this many seeds find with the power of the criteria, at
    /// level / comparisons; none if they are too few to find any. Compare it with the margin.
    pub minimum_detectable_effect: Option<f64>,
    /// The conclusion.
    pub verdict: Verdict,
}

impl Comparison {
    /// Whether all differences have one sign, so that no smaller p-value was possible with so many pairs, nor a
    /// smaller corrected one with so many comparisons, whatever their results. Where signs are drawn, it is not
    /// the pairs that it is limited by.
    pub fn has_smallest_p_value(&self) -> bool {
        let AdjustedPValues {
            difference,
            smallest_difference,
            ..
        } = self.adjusted;
        let pairs = self.differences.count;
        pairs <= EXACT_UP_TO
            && self.difference <= smallest_p_value(pairs)
            && difference <= smallest_difference
            && difference < 1.0
    }
}

/// Compares contenders with their baselines. Each item of `differences` belongs to one contender and
/// holds its scores minus the baseline's, seed by seed, from
/// [`paired_differences`](crate::paired_differences). All comparisons that were asked for must be in
/// one call, as the p-values are corrected for their number.
///
/// # Errors
///
/// [`Error::TooFew`] for a contender without differences, [`Error::Value`] for a difference that is not
/// finite, [`Error::Parameter`] for criteria out of range.
pub fn compare(
    differences: &[impl AsRef<[f64]>],
    criteria: &Criteria,
) -> Result<Vec<Comparison>, Error> {
    compare_in_family(
        differences.len(),
        differences,
        criteria,
        &mut Powers::default(),
    )
}

/// The same as [`compare`], of a family of `family_size` comparisons, of which some may have no differences: the
/// p-values are corrected for them too, as otherwise a contender without scores would make the others'
/// differences easier to show. With one `powers` for several families nothing is simulated twice.
///
/// # Errors
///
/// As of [`compare`]; [`Error::Parameter`] for a family that is smaller than the comparisons in it.
pub fn compare_in_family(
    family_size: usize,
    differences: &[impl AsRef<[f64]>],
    criteria: &Criteria,
    powers: &mut Powers,
) -> Result<Vec<Comparison>, Error> {
    criteria.check()?;
    check::parameter(
        "the size of a family",
        family_size as f64,
        family_size >= differences.len(),
        "at least the number of comparisons in it",
    )?;
    let tests = differences
        .iter()
        .map(|differences| tests(differences.as_ref(), criteria))
        .collect::<Result<Vec<_>, _>>()?;
    let adjusted = |p_value: &dyn Fn(usize) -> f64| {
        let mut p_values: Vec<f64> = (0..tests.len()).map(p_value).collect();
        // Without differences nothing is shown.
        p_values.resize(family_size, 1.0);
        holm(&p_values)
    };
    let difference = adjusted(&|index| tests[index].0)?;
    let equivalence = adjusted(&|index| tests[index].1.unwrap_or(1.0))?;
    let smallest_difference =
        adjusted(&|index| smallest_p_value(differences[index].as_ref().len()))?;

    (0..tests.len())
        .map(|index| {
            let adjusted = AdjustedPValues {
                difference: difference[index],
                smallest_difference: smallest_difference[index],
                equivalence: equivalence[index],
            };
            let differences = differences[index].as_ref();
            comparison(
                differences,
                tests[index],
                adjusted,
                family_size,
                criteria,
                powers,
            )
        })
        .collect()
}

/// The p-values of difference and equivalence.
type Tests = (f64, Option<f64>);

fn tests(differences: &[f64], criteria: &Criteria) -> Result<Tests, Error> {
    let difference = sign_flip_test(differences, criteria.seed)?;
    let equivalence =
        (differences.len() > 1).then(|| equivalence_test(differences, criteria.margin));
    Ok((difference, equivalence.transpose()?))
}

fn comparison(
    differences: &[f64],
    (difference, equivalence): Tests,
    adjusted: AdjustedPValues,
    comparisons: usize,
    criteria: &Criteria,
    powers: &mut Powers,
) -> Result<Comparison, Error> {
    let Criteria {
        direction,
        level,
        power,
        seed,
        ..
    } = *criteria;
    let pairs = differences.len();
    let summary = Summary::new(differences)?;
    let interval = (pairs > 1)
        .then(|| bca_interval(differences, mean, 1.0 - level, RESAMPLES, seed))
        .transpose()?;
    let each = corrected(level, comparisons)?;
    let minimum_detectable_effect = match summary.standard_deviation {
        Some(deviation) => powers.minimum_detectable_effect(pairs, deviation, each, power)?,
        None => None,
    };
    Ok(Comparison {
        differences: summary,
        interval,
        probability_of_improvement: paired_probability_of_improvement(differences, direction)?,
        difference,
        equivalence,
        adjusted,
        minimum_detectable_effect,
        verdict: verdict(differences, adjusted, comparisons, criteria, powers)?,
    })
}
