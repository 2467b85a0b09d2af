//! What so many runs can show, and how many it takes.
//!
//! Of few pairs the sign-flip test has less power than a t test, as its p-values are few: with ten pairs and
//! a level of 0.05 / 22 it asks for ten differences of one sign, and finds in 6 of 10 cases what a t test
//! finds in 8. So as long as no more than [`SIMULATED_UP_TO`] of the 2ⁿ⁻¹ possible p-values are at most the
//! level, its power is simulated, with normal differences; beyond, it is taken to be that of the t test, which
//! is then higher by about 0.01. Power for equivalence is that of the t tests that decide it.

use std::collections::BTreeMap;

use rand::Rng;
use seed::Purpose;

use crate::check;
use crate::distribution::{
    chi_mean, noncentral_t_sf, normal_cdf, normal_quantile, t_isf, threshold,
};
use crate::error::Error;
use crate::permutation::smallest_p_value;

/// Where the search for a sufficient number of pairs ends.
pub const MOST_PAIRS: usize = 10_000;

/// Power is simulated for a level that no more than so many changes of signs may be within.
const SIMULATED_UP_TO: usize = 32;

/// How many samples are simulated: the standard error of a power of 0.8 is then 0.006.
const SIMULATIONS: u64 = 4_000;

/// The true mean difference that the two-sided [`sign_flip_test`](crate::sign_flip_test) of so many normal
/// differences finds with probability `power` when their standard deviation is `deviation`. Zero if the
/// deviation is; `None` if so many pairs can find nothing at this level
/// ([`pairs_for_significance`](crate::pairs_for_significance)).
///
/// Of few pairs the power is simulated, with a standard error of 0.006 where it is 0.8, beyond it is that
/// of the t test: P(|T| > t) of the noncentral t with noncentrality effect · √n / deviation, t being the
/// critical value at `level` (Cohen 1988, *Statistical Power Analysis for the Behavioral Sciences*, ch. 2).
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
) -> Result<Option<f64>, Error> {
    Powers::default().minimum_detectable_effect(pairs, deviation, level, power)
}

/// The smallest number of pairs with which the two-sided [`sign_flip_test`](crate::sign_flip_test) finds a true
/// mean difference of `effect` with probability `power`; see [`minimum_detectable_effect`]. `None` if there
/// is no effect, or if it takes more than [`MOST_PAIRS`].
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
    Powers::default().pairs_for_difference(effect, deviation, level, power)
}

/// What was simulated for the power of the sign-flip test, which comparisons have in common.
#[derive(Clone, Debug, Default)]
pub struct Powers {
    /// The critical effects of the samples in ascending order, by the number of pairs and that of changes of
    /// signs that are within the level.
    simulated: BTreeMap<(usize, usize), Vec<f64>>,
}

impl Powers {
    /// See [`minimum_detectable_effect`].
    pub(crate) fn minimum_detectable_effect(
        &mut self,
        pairs: usize,
        deviation: f64,
        level: f64,
        power: f64,
    ) -> Result<Option<f64>, Error> {
        check::pairs(pairs)?;
        check::size("the standard deviation", deviation)?;
        check::power(level, power)?;
        let effect = threshold(|effect| self.power_of(pairs, effect, level) >= power);
        Ok(effect.is_finite().then_some(effect * deviation))
    }

    /// See [`pairs_for_difference`].
    pub(crate) fn pairs_for_difference(
        &mut self,
        effect: f64,
        deviation: f64,
        level: f64,
        power: f64,
    ) -> Result<Option<usize>, Error> {
        check::values(&[effect], 1)?;
        check::size("the standard deviation", deviation)?;
        check::power(level, power)?;
        let effect = standardised(effect, deviation);
        Ok(smallest(|pairs| {
            self.power_of(pairs, effect, level) >= power
        }))
    }

    /// The probability that so many pairs show an effect of so many standard deviations.
    fn power_of(&mut self, pairs: usize, effect: f64, level: f64) -> f64 {
        if smallest_p_value(pairs) > level {
            return 0.0;
        }
        // Exact, as a power of two is.
        let within = (level * 2_f64.powf(pairs as f64 - 1.0)).floor();
        if within > SIMULATED_UP_TO as f64 {
            return t_power(pairs, effect, level);
        }
        let within = within as usize;
        let critical = self
            .simulated
            .entry((pairs, within))
            .or_insert_with(|| critical_effects(pairs, within));
        critical.partition_point(|&critical| critical < effect) as f64 / critical.len() as f64
    }
}

/// Of simulated samples of so many normal differences with mean 0 and deviation 1, the effects that make
/// each significant when they are added to it, in ascending order, if so many of the 2ⁿ⁻¹ changes of signs
/// may have a mean as far from zero. That the sample is significant for the wrong sign is left out, which is
/// improbable where an effect is likely to be found.
///
/// One sample serves all effects, so that the power grows with them, and samples of fewer pairs are the
/// beginnings of those of more.
fn critical_effects(pairs: usize, within: usize) -> Vec<f64> {
    let mut critical: Vec<f64> = (0..SIMULATIONS)
        .map(|simulation| {
            let mut random = seed::stream(0, Purpose::SignFlip, 1, simulation);
            let mut sample: Vec<f64> = (0..pairs).map(|_| normal(&mut random)).collect();
            sample.sort_by(f64::total_cmp);
            critical_effect(&sample, within)
        })
        .collect();
    critical.sort_by(f64::total_cmp);
    critical
}

/// A standard normal number.
fn normal(random: &mut seed::ChaCha8Rng) -> f64 {
    let uniform = (random.next_u64() >> 11) as f64 + 0.5;
    normal_quantile(uniform / (1_u64 << 53) as f64)
}

/// What must be added to the numbers of a sample, in ascending order, for no more than `within` changes of
/// signs, that of none among them, to leave a sum as large as theirs.
///
/// The sum of x₁ + e, x₂ + e … is not larger than with other signs of a set of them if the mean of that
/// set is at most −e. So it is the `within`-th smallest mean of all sets, with the opposite sign. The sets
/// are met in the order of their means: the first is that of the smallest number alone; next to a set come
/// those that have one more number, the one after their largest, with it or in its place.
fn critical_effect(sample: &[f64], within: usize) -> f64 {
    struct Set {
        sum: f64,
        size: f64,
        /// The position of its largest number.
        last: usize,
    }
    let mean = |set: &Set| set.sum / set.size;
    let mut sets = vec![Set {
        sum: sample[0],
        size: 1.0,
        last: 0,
    }];
    let mut critical = f64::INFINITY;
    for _ in 0..within {
        let places = 0..sets.len();
        let smallest = places.min_by(|&a, &b| mean(&sets[a]).total_cmp(&mean(&sets[b])));
        let Some(set) = smallest.map(|place| sets.swap_remove(place)) else {
            break;
        };
        critical = -mean(&set);
        if let Some(next) = sample.get(set.last + 1) {
            let last = set.last + 1;
            sets.push(Set {
                sum: set.sum + next,
                size: set.size + 1.0,
                last,
            });
            sets.push(Set {
                sum: set.sum - sample[set.last] + next,
                size: set.size,
                last,
            });
        }
    }
    critical
}

/// The probability that [`equivalence_test`](crate::equivalence_test) finds so many paired
/// differences equivalent when their true mean is `effect` and their standard deviation `deviation`:
/// the mean of Φ((m − e) √n / s − t u) − Φ(t u − (m + e) √n / s), where positive, over the
/// distribution of u, the sample's standard deviation divided by s (Phillips 1990,
/// doi:10.1007/BF01063556).
///
/// # Errors
///
/// [`Error::Parameter`] unless 2 ≤ `pairs` ≤ 1,000,000, `deviation` ≥ 0, `margin` ≥ 0 and
/// 10⁻¹² ≤ `level` < ½; [`Error::Value`] for an `effect` that is not finite.
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

/// The power of a two-sided t test, for an effect in standard deviations.
fn t_power(pairs: usize, effect: f64, level: f64) -> f64 {
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
fn smallest(mut sufficient: impl FnMut(usize) -> bool) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Reference {
        powers: Vec<PowerCase>,
        detectable: Vec<DetectableCase>,
        pairs_needed: Vec<PairsCase>,
    }

    #[derive(Deserialize)]
    struct PowerCase {
        pairs: usize,
        effect: f64,
        level: f64,
        power: f64,
    }

    #[derive(Deserialize)]
    struct DetectableCase {
        pairs: usize,
        level: f64,
        power: f64,
        effect: f64,
    }

    #[derive(Deserialize)]
    struct PairsCase {
        effect: f64,
        level: f64,
        power: f64,
        pairs: usize,
    }

    #[derive(Deserialize)]
    struct SignFlips {
        simulations: f64,
        cases: Vec<PowerCase>,
    }

    /// SciPy's and statsmodels' powers of the t test.
    #[test]
    fn t_tests_agree_with_scipy() {
        let file = include_str!("../tests/reference/scipy_values.json");
        let reference: Reference = serde_json::from_str(file).unwrap();
        let close = |got: f64, expected: f64, tolerance: f64| {
            let error = (got - expected).abs();
            assert!(
                error <= tolerance * expected + 1e-15,
                "{got}, expected {expected}"
            );
        };
        for case in reference.powers {
            close(
                t_power(case.pairs, case.effect, case.level),
                case.power,
                1e-9,
            );
        }
        for case in reference.detectable {
            let reached = |effect| t_power(case.pairs, effect, case.level) >= case.power;
            close(threshold(reached), case.effect, 1e-8);
        }
        for case in reference.pairs_needed {
            let pairs = smallest(|pairs| t_power(pairs, case.effect, case.level) >= case.power);
            assert_eq!(pairs, Some(case.pairs));
        }
    }

    /// Powers by trying all signs of other samples, but for four standard errors; those of the t test that
    /// stand for some of them may be 0.015 higher.
    #[test]
    fn powers_agree_with_brute_force() {
        let file = include_str!("../tests/reference/sign_flip_powers.json");
        let reference: SignFlips = serde_json::from_str(file).unwrap();
        let mut powers = Powers::default();
        for case in reference.cases {
            let got = powers.power_of(case.pairs, case.effect, case.level);
            let samples = (1.0 / SIMULATIONS as f64 + 1.0 / reference.simulations).sqrt();
            let error = (case.power * (1.0 - case.power)).sqrt() * samples;
            let difference = got - case.power;
            assert!(
                -4.0 * error < difference && difference < 0.015 + 4.0 * error,
                "{} pairs, level {}, effect {}: {got}, expected {}",
                case.pairs,
                case.level,
                case.effect,
                case.power
            );
        }
    }

    /// The means of all sets, in order.
    #[test]
    fn critical_effects_by_brute_force() {
        let sample = [-1.3, -0.4, -0.1, 0.7, 0.9, 2.5];
        let mut means: Vec<f64> = (1..64_u32)
            .map(|set| {
                let chosen = (0..6).filter(|bit| set >> bit & 1 == 1);
                let sum: f64 = chosen.map(|bit| sample[bit]).sum();
                -sum / f64::from(set.count_ones())
            })
            .collect();
        means.sort_by(|a, b| b.total_cmp(a));
        for (within, expected) in (1..=63).zip(means) {
            let found = critical_effect(&sample, within);
            assert!((found - expected).abs() < 1e-12, "{within}: {found}");
        }
    }
}
