//! What so many runs can show, and how many it takes.
//!
//! Power is computed for t tests of paired differences. The sign-flip test that decides has nearly the
//! same power with normal differences, once it has pairs enough to reach the level at all
//! ([`pairs_for_significance`](crate::pairs_for_significance)).

use crate::check;
use crate::distribution::{chi_mean, noncentral_t_sf, normal_cdf, t_isf, threshold};
use crate::error::Error;

/// Where the search for a sufficient number of pairs ends.
pub const MOST_PAIRS: usize = 10_000;

/// The probability that a two-sided t test of so many paired differences finds a true mean difference
/// of `effect` when their standard deviation is `deviation`: P(|T| > t) of the noncentral t with
/// noncentrality effect · √n / deviation, t being the critical value at `level` (Cohen 1988,
/// *Statistical Power Analysis for the Behavioral Sciences*, ch. 2).
///
/// # Errors
///
/// [`Error::Parameter`] unless 2 ≤ `pairs` ≤ 1,000,000, `deviation` ≥ 0 and 10⁻¹² ≤ `level` < 1;
/// [`Error::Value`] for an `effect` that is not finite.
pub fn power(pairs: usize, effect: f64, deviation: f64, level: f64) -> Result<f64, Error> {
    check::pairs(pairs)?;
    check::values(&[effect], 1)?;
    check::size("the standard deviation", deviation)?;
    check::level(level)?;
    Ok(power_of(pairs, standardised(effect, deviation), level))
}

/// The true mean difference that a two-sided t test of so many paired differences finds with
/// probability `power` when their standard deviation is `deviation`; see [`power`](fn@power). Zero if
/// the deviation is.
///
/// # Errors
///
/// [`Error::Parameter`] unless 2 ≤ `pairs` ≤ 1,000,000, `deviation` ≥ 0 and
/// 10⁻¹² ≤ `level` < `power` < 1.
pub fn minimum_detectable_effect(
    pairs: usize,
    deviation: f64,
    level: f64,
    power: f64,
) -> Result<f64, Error> {
    check::pairs(pairs)?;
    check::size("the standard deviation", deviation)?;
    check::power(level, power)?;
    let effect = threshold(|effect| power_of(pairs, effect, level) >= power);
    Ok(effect * deviation)
}

/// The smallest number of pairs with which a two-sided t test finds a true mean difference of `effect`
/// with probability `power`; see [`power`](fn@power). `None` if there is no effect, or if it takes more
/// than [`MOST_PAIRS`].
///
/// # Errors
///
/// [`Error::Parameter`] unless `deviation` ≥ 0 and 10⁻¹² ≤ `level` < `power` < 1; [`Error::Value`] for
/// an `effect` that is not finite.
pub fn pairs_for_difference(
    effect: f64,
    deviation: f64,
    level: f64,
    power: f64,
) -> Result<Option<usize>, Error> {
    check::values(&[effect], 1)?;
    check::size("the standard deviation", deviation)?;
    check::power(level, power)?;
    let effect = standardised(effect, deviation);
    Ok(smallest(|pairs| power_of(pairs, effect, level) >= power))
}

/// The probability that [`equivalence_test`](crate::equivalence_test) finds so many paired
/// differences equivalent when their true mean is `effect` and their standard deviation `deviation`:
/// the mean of Φ((m − e) √n / s − t u) − Φ(t u − (m + e) √n / s), where positive, over the
/// distribution of u, the sample's standard deviation divided by s (Phillips 1990,
/// doi:10.1007/BF01063556).
///
/// # Errors
///
/// As of [`power`](fn@power); [`Error::Parameter`] also unless `margin` ≥ 0 and `level` < ½.
pub fn equivalence_power(
    pairs: usize,
    effect: f64,
    deviation: f64,
    margin: f64,
    level: f64,
) -> Result<f64, Error> {
    check::pairs(pairs)?;
    check_equivalence(effect, deviation, margin, level)?;
    Ok(equivalence_power_of(
        pairs, effect, deviation, margin, level,
    ))
}

/// The smallest number of pairs with which [`equivalence_test`](crate::equivalence_test) finds a true
/// mean difference of `effect` to be within the margin with probability `power`; see
/// [`equivalence_power`]. `None` if it is not within the margin, or if it takes more than
/// [`MOST_PAIRS`].
///
/// # Errors
///
/// As of [`pairs_for_difference`]; [`Error::Parameter`] also unless `margin` ≥ 0 and `level` < ½.
pub fn pairs_for_equivalence(
    effect: f64,
    deviation: f64,
    margin: f64,
    level: f64,
    power: f64,
) -> Result<Option<usize>, Error> {
    check_equivalence(effect, deviation, margin, level)?;
    check::power(level, power)?;
    if effect.abs() >= margin {
        return Ok(None);
    }
    Ok(smallest(|pairs| {
        equivalence_power_of(pairs, effect, deviation, margin, level) >= power
    }))
}

fn check_equivalence(effect: f64, deviation: f64, margin: f64, level: f64) -> Result<(), Error> {
    check::values(&[effect], 1)?;
    check::size("the standard deviation", deviation)?;
    check::size("the margin", margin)?;
    check::level_of_equivalence(level)
}

/// The effect in standard deviations.
fn standardised(effect: f64, deviation: f64) -> f64 {
    if effect == 0.0 {
        0.0
    } else {
        effect.abs() / deviation
    }
}

fn power_of(pairs: usize, effect: f64, level: f64) -> f64 {
    let freedom = (pairs - 1) as f64;
    let shift = effect * (pairs as f64).sqrt();
    let critical = t_isf(level / 2.0, freedom);
    let above = noncentral_t_sf(critical, freedom, shift);
    let below = noncentral_t_sf(critical, freedom, -shift);
    (above + below).min(1.0)
}

fn equivalence_power_of(pairs: usize, effect: f64, deviation: f64, margin: f64, level: f64) -> f64 {
    let inside = margin - effect.abs();
    if deviation == 0.0 {
        return if inside > 0.0 { 1.0 } else { 0.0 };
    }
    let freedom = (pairs - 1) as f64;
    let errors = (pairs as f64).sqrt() / deviation;
    let (near, far) = (inside * errors, (margin + effect.abs()) * errors);
    let critical = t_isf(level, freedom);
    let share = |u: f64| normal_cdf(near - critical * u) + normal_cdf(far - critical * u) - 1.0;
    // The sample's deviation may be this large at most; the share has a kink there.
    let largest = (near + far) / (2.0 * critical);
    chi_mean(freedom, largest, critical, |u| share(u).max(0.0)).clamp(0.0, 1.0)
}

/// The smallest sufficient number of pairs, if more are always sufficient too.
fn smallest(sufficient: impl Fn(usize) -> bool) -> Option<usize> {
    let mut enough = 2;
    while !sufficient(enough) {
        if enough == MOST_PAIRS {
            return None;
        }
        enough = (2 * enough).min(MOST_PAIRS);
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = (too_few + enough) / 2;
        if sufficient(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}
