//! Confidence intervals by resampling.

use seed::Purpose;
use serde::{Deserialize, Serialize};

use crate::check;
use crate::distribution::{normal_cdf, normal_quantile};
use crate::error::Error;
use crate::summary::quantile_of;

/// How many resamples a confidence interval deserves: the ends of a 95 % interval then move by about
/// 1 % of its width from seed to seed.
pub const RESAMPLES: usize = 9_999;

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// How often such intervals hold the true value, 0.95 for example.
    pub confidence: f64,
}

/// The bias-corrected and accelerated bootstrap interval of a statistic, such as
/// [`mean`](crate::mean) or [`interquartile_mean`](crate::interquartile_mean): Efron 1987
/// (doi:10.1080/01621459.1987.10478410), with the acceleration from the jackknife.
///
/// With θ̂ the statistic of the sample, θ* those of `resamples` samples drawn from it with
/// replacement and θ₍ᵢ₎ those without the i-th value, the ends are the quantiles
/// Φ(z₀ + (z₀ + z) / (1 − a (z₀ + z))) of θ*, for the z of both ends of a normal interval, where
///
/// - z₀ = Φ⁻¹(share of θ* below θ̂, and half of those that equal it), and
/// - a = Σd³ / (6 (Σd²)^1.5) with d = mean(θ₍ᵢ₎) − θ₍ᵢ₎, zero if all are equal.
///
/// The share is kept half a resample away from 0 and 1. If all values are equal, both ends are what
/// the statistic makes of them. Of few values the interval is too short: of normal ones, a 95 %
/// interval of the mean holds the true mean in about 84 % of all cases for n = 5, 90 % for n = 10,
/// 93 % for n = 20.
///
/// # Errors
///
/// [`Error::TooFew`] for less than two values, which say nothing about their spread;
/// [`Error::Value`] for one that is not finite; [`Error::Parameter`] unless 0 < `confidence` < 1 and
/// there are resamples; [`Error::Statistic`] if the statistic is not finite for a resample, and any
/// error of the statistic itself.
pub fn bca_interval(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> Result<f64, Error>,
    confidence: f64,
    resamples: usize,
    seed: u64,
) -> Result<Interval, Error> {
    check::values(values, 2)?;
    check::confidence(confidence)?;
    let count = resamples as f64;
    check::parameter("the number of resamples", count, resamples > 0, "1 or more")?;

    let statistic = |sample: &[f64]| match statistic(sample)? {
        found if found.is_finite() => Ok(found),
        found => Err(Error::Statistic { found }),
    };
    let estimate = statistic(values)?;
    let mut random = seed::stream(seed, Purpose::Bootstrap, 0, 0);
    let mut sample = values.to_vec();
    let mut replicates = (0..resamples)
        .map(|_| {
            sample.fill_with(|| values[seed::below(values.len(), &mut random)]);
            statistic(&sample)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let jackknife = leave_one_out(values, statistic)?;

    replicates.sort_by(f64::total_cmp);
    let ends = bca_ends(&replicates, estimate, &jackknife, confidence);
    Ok(Interval {
        lower: quantile_of(&replicates, ends[0]),
        upper: quantile_of(&replicates, ends[1]),
        confidence,
    })
}

/// The statistic without each of the values in turn.
fn leave_one_out(
    values: &[f64],
    statistic: impl Fn(&[f64]) -> Result<f64, Error>,
) -> Result<Vec<f64>, Error> {
    (0..values.len())
        .map(|index| statistic(&[&values[..index], &values[index + 1..]].concat()))
        .collect()
}

/// Which quantiles of the `replicates`, in ascending order, are the ends of the interval.
fn bca_ends(replicates: &[f64], estimate: f64, jackknife: &[f64], confidence: f64) -> [f64; 2] {
    let below = replicates.partition_point(|&replicate| replicate < estimate);
    let not_above = replicates.partition_point(|&replicate| replicate <= estimate);
    let half = 0.5 / replicates.len() as f64;
    let bias = normal_quantile(((below + not_above) as f64 * half).clamp(half, 1.0 - half));

    let mean = jackknife.iter().sum::<f64>() / jackknife.len() as f64;
    let moment = |power| -> f64 {
        jackknife
            .iter()
            .map(|value| (mean - value).powi(power))
            .sum()
    };
    let spread = moment(2).powf(1.5);
    let acceleration = if spread > 0.0 {
        moment(3) / (6.0 * spread)
    } else {
        0.0
    };

    [0.5 * (1.0 - confidence), 0.5 * (1.0 + confidence)].map(|end| {
        let z = bias + normal_quantile(end);
        // Zero is passed only far out in a tail, where the quantile is then the last one.
        let divisor = (1.0 - acceleration * z).max(f64::MIN_POSITIVE);
        normal_cdf(bias + z / divisor)
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::summary::mean;

    #[derive(Deserialize)]
    struct Reference {
        bca_ends: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        values: Vec<f64>,
        replicates: Vec<f64>,
        confidence: f64,
        interval: [f64; 2],
    }

    /// SciPy's ends of the interval from the same resamples.
    #[test]
    fn ends_agree_with_scipy() {
        let file = include_str!("../tests/reference/scipy_values.json");
        for case in serde_json::from_str::<Reference>(file).unwrap().bca_ends {
            let jackknife = leave_one_out(&case.values, mean).unwrap();
            let estimate = mean(&case.values).unwrap();
            let ends = bca_ends(&case.replicates, estimate, &jackknife, case.confidence);
            for (end, expected) in ends.into_iter().zip(case.interval) {
                let got = quantile_of(&case.replicates, end);
                assert!((got - expected).abs() < 1e-10, "{got}, expected {expected}");
            }
        }
    }
}
