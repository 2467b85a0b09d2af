//! Do paired runs differ by less than matters?

use crate::check;
use crate::distribution::t_sf;
use crate::error::Error;
use crate::summary::{mean_of, standard_deviation_of};

/// The p-value of two one-sided t tests of paired differences, how probable a mean as far inside the margin
/// is if the true difference is at the margin or beyond it; above 0, at most 1: Schuirmann 1987 (doi:10.1007/BF01068419), Lakens
/// 2017 (doi:10.1177/1948550617697177).
///
/// Equivalent means that the true mean difference is more than −`margin` and less than `margin`. With
/// d̄ and s the mean and the standard deviation of n differences, the p-value is the larger of
/// P(T > (d̄ + margin) √n / s) and P(T < (d̄ − margin) √n / s), T with n − 1 degrees of freedom. The
/// differences are taken to be normal, or n to be large enough that their mean is.
///
/// Differences that are all the same, but for rounding, have no t. Each one-sided p-value is then
/// that of the sign-flip test, 2⁻ⁿ inside the margin: that few runs came out the same is no proof
/// that all will.
///
/// # Errors
///
/// [`Error::TooFew`] for less than two differences, [`Error::Value`] for one that is not finite,
/// [`Error::Parameter`] unless 0 ≤ `margin`.
pub fn equivalence_test(differences: &[f64], margin: f64) -> Result<f64, Error> {
    check::values(differences, 2)?;
    check::size("the margin", margin)?;

    let n = differences.len() as f64;
    let mean = mean_of(differences);
    let error = standard_deviation_of(differences) / n.sqrt();
    // How far inside the margin the mean is, from its nearer end.
    let inside = margin - mean.abs();
    let p_value = if error == 0.0 || all_the_same(differences) {
        if inside > 0.0 { 0.5_f64.powf(n) } else { 1.0 }
    } else {
        t_sf(inside / error, n - 1.0)
    };
    Ok(p_value.max(f64::MIN_POSITIVE))
}

/// But for rounding.
fn all_the_same(differences: &[f64]) -> bool {
    let first = differences[0];
    let rounding = check::ROUNDING * first.abs();
    differences.iter().all(|d| (d - first).abs() <= rounding)
}
