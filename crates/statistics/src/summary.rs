//! Numbers that describe one sample.

use crate::check;
use crate::distribution::t_isf;
use crate::error::Error;

/// What a sample of scores looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many scores there are.
    pub count: usize,
    /// See [`mean`].
    pub mean: f64,
    /// See [`standard_deviation`]; none of a single score.
    pub standard_deviation: Option<f64>,
    /// See [`median`].
    pub median: f64,
    /// See [`interquartile_mean`].
    pub interquartile_mean: f64,
    /// The smallest score.
    pub minimum: f64,
    /// The largest score.
    pub maximum: f64,
}

impl Summary {
    /// Describes one or more scores.
    ///
    /// # Errors
    ///
    /// [`Error::TooFew`] for none, [`Error::Value`] for a score that is not finite.
    pub fn new(scores: &[f64]) -> Result<Self, Error> {
        let sorted = sorted(scores)?;
        Ok(Self {
            count: scores.len(),
            mean: mean_of(scores),
            standard_deviation: (scores.len() > 1).then(|| standard_deviation_of(scores)),
            median: quantile_of(&sorted, 0.5),
            interquartile_mean: interquartile_mean_of(&sorted),
            minimum: quantile_of(&sorted, 0.0),
            maximum: quantile_of(&sorted, 1.0),
        })
    }
}

/// The arithmetic mean, Σx / n.
///
/// # Errors
///
/// [`Error::TooFew`] for no values, [`Error::Value`] for one that is not finite.
pub fn mean(values: &[f64]) -> Result<f64, Error> {
    check::values(values, 1)?;
    Ok(mean_of(values))
}

/// The standard deviation of the population, estimated from a sample: √(Σ(x − x̄)² / (n − 1)).
///
/// # Errors
///
/// [`Error::TooFew`] for less than two values, [`Error::Value`] for one that is not finite.
pub fn standard_deviation(values: &[f64]) -> Result<f64, Error> {
    check::values(values, 2)?;
    Ok(standard_deviation_of(values))
}

/// How many standard errors the two-sided confidence interval of a mean of `count` normal scores
/// reaches to either side, by Student's t: for three scores and 95 %, 4.3.
///
/// # Errors
///
/// [`Error::TooFew`] for less than two scores, [`Error::Parameter`] for a `level`, which is 1 less the
/// confidence, that is not from 10⁻¹² to below 1.
pub fn t_multiplier(count: usize, level: f64) -> Result<f64, Error> {
    check::level(level)?;
    if count < 2 {
        return Err(Error::TooFew {
            found: count,
            needed: 2,
        });
    }
    Ok(t_isf(level / 2.0, (count - 1) as f64))
}

/// The value below which a share `probability` of the sample lies, interpolated between the two
/// nearest values: definition 7 of Hyndman and Fan, 1996 (doi:10.2307/2684934), NumPy's and R's
/// default.
///
/// # Errors
///
/// [`Error::TooFew`] for no values, [`Error::Value`] for one that is not finite,
/// [`Error::Parameter`] unless 0 ≤ `probability` ≤ 1.
pub fn quantile(values: &[f64], probability: f64) -> Result<f64, Error> {
    let valid = (0.0..=1.0).contains(&probability);
    check::parameter(
        "the probability",
        probability,
        valid,
        "a number from 0 to 1",
    )?;
    Ok(quantile_of(&sorted(values)?, probability))
}

/// The value in the middle, or the mean of the two in the middle.
///
/// # Errors
///
/// [`Error::TooFew`] for no values, [`Error::Value`] for one that is not finite.
pub fn median(values: &[f64]) -> Result<f64, Error> {
    quantile(values, 0.5)
}

/// The mean of the middle half: of what is left without the ⌊n / 4⌋ smallest and largest values.
///
/// Less moved by a single bad run than the mean, and less wasteful than the median: Agarwal et al.
/// 2021 (arXiv:2108.13264), who compute it as SciPy's `trim_mean(values, 0.25)`.
///
/// # Errors
///
/// [`Error::TooFew`] for no values, [`Error::Value`] for one that is not finite.
pub fn interquartile_mean(values: &[f64]) -> Result<f64, Error> {
    Ok(interquartile_mean_of(&sorted(values)?))
}

fn sorted(values: &[f64]) -> Result<Vec<f64>, Error> {
    check::values(values, 1)?;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Ok(sorted)
}

/// Of one value or more. Never outside the values, so that equal values have exactly their value for
/// a mean, and no deviation.
pub(crate) fn mean_of(values: &[f64]) -> f64 {
    let (mut sum, mut low, mut high) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
    for &value in values {
        sum += value;
        low = value.min(low);
        high = value.max(high);
    }
    (sum / values.len() as f64).clamp(low, high)
}

/// Of two values or more.
pub(crate) fn standard_deviation_of(values: &[f64]) -> f64 {
    let mean = mean_of(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Of one value or more, in ascending order.
pub(crate) fn quantile_of(sorted: &[f64], probability: f64) -> f64 {
    let place = probability * (sorted.len() - 1) as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    below + (above - below) * place.fract()
}

fn interquartile_mean_of(sorted: &[f64]) -> f64 {
    let cut = sorted.len() / 4;
    mean_of(&sorted[cut..sorted.len() - cut])
}
