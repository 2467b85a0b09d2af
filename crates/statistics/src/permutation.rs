//! Do paired runs differ at all?

use rand::Rng;
use seed::Purpose;

use crate::check;
use crate::error::Error;

/// With no more differences than this, zeros not counted, all changes of signs are tried.
pub const EXACT_UP_TO: usize = 16;

/// How many changes of signs are drawn for more differences than [`EXACT_UP_TO`].
pub const DRAWS: usize = 99_999;

/// The p-value of the two-sided sign-flip permutation test of paired differences: Fisher 1935, *The Design of Experiments*,
/// §21; Ernst 2004 (doi:10.1214/088342304000000396).
///
/// If contender and baseline are alike, then each difference is as probable as its negative, and the
/// p-value is the share of all 2ⁿ ways to choose the signs whose mean is as far from zero as the one found,
/// or further. Differences of zero do not count. That is exact for every distribution, however few the pairs. Sums that differ in
/// rounding only count as equal.
///
/// Beyond [`EXACT_UP_TO`] differences, signs are drawn [`DRAWS`] times, and the p-value is
/// (b + 1) / (draws + 1) with b draws as extreme or more, which keeps the level: Phipson and Smyth
/// 2010 (doi:10.2202/1544-6115.1585). `seed` matters then only.
///
/// # Errors
///
/// [`Error::TooFew`] for no differences, [`Error::Value`] for one that is not finite.
pub fn sign_flip_test(differences: &[f64], seed: u64) -> Result<f64, Error> {
    check::values(differences, 1)?;
    let nonzero: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    Ok(if nonzero.len() <= EXACT_UP_TO {
        exact_p_value(&nonzero)
    } else {
        drawn_p_value(&nonzero, seed).max(smallest_p_value(nonzero.len()))
    })
}

/// The smallest p-value that [`sign_flip_test`] can give for so many pairs: 2¹⁻ⁿ, and at least
/// 1 / ([`DRAWS`] + 1) where signs are drawn. With 4 pairs it is 0.125, so that no result can reach 0.05.
pub fn smallest_p_value(pairs: usize) -> f64 {
    let share = (2.0 * 0.5_f64.powf(pairs as f64)).min(1.0);
    if pairs <= EXACT_UP_TO {
        share
    } else {
        share.max(1.0 / (DRAWS + 1) as f64)
    }
}

/// How many pairs it takes for [`sign_flip_test`] to be able to reach `level` after a correction for
/// so many `comparisons`, that is [`smallest_p_value`] ≤ `level` / `comparisons`: 6 for one
/// comparison at 0.05 and 10 for twenty. `None` if the test cannot, as it draws too few signs.
///
/// # Errors
///
/// [`Error::Parameter`] unless 10⁻¹² ≤ `level` < 1 and there are comparisons.
pub fn pairs_for_significance(level: f64, comparisons: usize) -> Result<Option<usize>, Error> {
    let level = corrected(level, comparisons)?;
    // Halving can take the p-value no further than 64 pairs do.
    Ok((1..=64).find(|&pairs| smallest_p_value(pairs) <= level))
}

/// The level of each of so many comparisons.
pub(crate) fn corrected(level: f64, comparisons: usize) -> Result<f64, Error> {
    check::level(level)?;
    let count = comparisons as f64;
    check::parameter(
        "the number of comparisons",
        count,
        comparisons > 0,
        "1 or more",
    )?;
    Ok(level / count)
}

/// Whether the mean of differences with other signs is as far from zero as that of the differences found.
fn as_extreme(differences: &[f64]) -> impl Fn(f64) -> bool {
    let found: f64 = differences.iter().sum();
    let rounding = check::ROUNDING * differences.iter().map(|d| d.abs()).sum::<f64>();
    move |sum| sum.abs() >= found.abs() - rounding
}

fn exact_p_value(differences: &[f64]) -> f64 {
    let as_extreme = as_extreme(differences);
    let ways = 1_u64 << differences.len();
    let extreme = (0..ways)
        .filter(|&signs| as_extreme(signed_sum(differences, signs)))
        .count();
    extreme as f64 / ways as f64
}

fn drawn_p_value(differences: &[f64], seed: u64) -> f64 {
    let as_extreme = as_extreme(differences);
    let mut random = seed::stream(seed, Purpose::SignFlip, 0, 0);
    let extreme = (0..DRAWS)
        .filter(|_| {
            let sums = differences
                .chunks(64)
                .map(|chunk| signed_sum(chunk, random.next_u64()));
            as_extreme(sums.sum())
        })
        .count();
    (extreme + 1) as f64 / (DRAWS + 1) as f64
}

/// The sum of up to 64 differences, each with the opposite sign if its bit is set.
fn signed_sum(differences: &[f64], signs: u64) -> f64 {
    let signed = |(bit, difference): (usize, &f64)| match signs >> bit & 1 {
        0 => *difference,
        _ => -difference,
    };
    differences.iter().enumerate().map(signed).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drawn signs give the exact p-value, but for the error of 99,999 draws: 5 standard errors.
    #[test]
    fn draws_agree_with_enumeration() {
        let differences: Vec<f64> = (0..14).map(|i| f64::from(i * i % 11) - 3.0).collect();
        let exact = exact_p_value(&differences);
        let drawn = drawn_p_value(&differences, 5);
        let error = (exact * (1.0 - exact) / DRAWS as f64).sqrt();
        assert!(
            (exact - drawn).abs() < 5.0 * error + 1e-5,
            "{exact} {drawn}"
        );
    }
}
