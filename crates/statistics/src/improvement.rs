//! Which way is better, and how often one is ahead.

use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::Error;

/// Which scores are good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Accuracy, for example.
    #[default]
    HigherIsBetter,
    /// Loss, for example.
    LowerIsBetter,
}

impl Direction {
    /// By how much better a contender is, given contender minus baseline.
    pub fn improvement(self, difference: f64) -> f64 {
        match self {
            Self::HigherIsBetter => difference,
            Self::LowerIsBetter => -difference,
        }
    }

    /// 1 for a contender that is ahead by more than `rounding`, ½ for a tie, 0 otherwise.
    fn ahead(self, difference: f64, rounding: f64) -> f64 {
        match self.improvement(difference) {
            improvement if improvement.abs() <= rounding => 0.5,
            improvement if improvement > 0.0 => 1.0,
            _ => 0.0,
        }
    }
}

/// Contender minus baseline, for runs paired by their seed: the i-th runs of both have the same.
///
/// # Errors
///
/// [`Error::Lengths`] unless there are as many of both, [`Error::TooFew`] for none, [`Error::Value`]
/// for a score that is not finite.
pub fn paired_differences(contender: &[f64], baseline: &[f64]) -> Result<Vec<f64>, Error> {
    if contender.len() != baseline.len() {
        return Err(Error::Lengths {
            left: contender.len(),
            right: baseline.len(),
        });
    }
    check::values(contender, 1)?;
    check::values(baseline, 1)?;
    Ok(contender.iter().zip(baseline).map(|(c, b)| c - b).collect())
}

/// The probability that the contender beats the baseline with the same seed: ties count half, and differences no larger
/// than rounding are ties. It is the share of `differences`, contender minus baseline, that are improvements, from 0 to 1:
/// the "probability of improvement" of Agarwal et al. 2021 (arXiv:2108.13264) for runs that are paired.
///
/// # Errors
///
/// [`Error::TooFew`] for no differences, [`Error::Value`] for one that is not finite.
pub fn paired_probability_of_improvement(
    differences: &[f64],
    direction: Direction,
) -> Result<f64, Error> {
    check::values(differences, 1)?;
    let largest = differences.iter().fold(0.0, |a: f64, d| a.max(d.abs()));
    let rounding = check::ROUNDING * largest;
    let wins: f64 = differences
        .iter()
        .map(|&d| direction.ahead(d, rounding))
        .sum();
    Ok(wins / differences.len() as f64)
}
