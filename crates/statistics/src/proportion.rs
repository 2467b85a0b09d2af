//! Confidence intervals of proportions of images: the accuracy of a network, and what it gains over
//! another way to read the same images. They say how far other images may differ; the networks are
//! taken as they are.
//!
//! A network reads nearly all images right, and two ways of reading differ in few of them. Intervals
//! by the normal approximation have no width where there are none, and so would be sure of what a
//! handful of images cannot show; these do not.

use crate::bootstrap::Interval;
use crate::check;
use crate::distribution::normal_quantile;
use crate::error::Error;

/// The score interval of a proportion p (Wilson 1927, doi:10.1080/01621459.1927.10502953) that was
/// found to be p̂ = `successes` / `trials`: all p with |p̂ − p| ≤ z √(p (1 − p) / n).
///
/// # Errors
///
/// [`Error::TooFew`] without a trial; [`Error::Parameter`] for more successes than trials, or unless
/// 0 < `confidence` < 1.
pub fn proportion_interval(
    successes: usize,
    trials: usize,
    confidence: f64,
) -> Result<Interval, Error> {
    check::confidence(confidence)?;
    if trials == 0 {
        return Err(Error::TooFew {
            found: 0,
            needed: 1,
        });
    }
    let (found, n) = (successes as f64, trials as f64);
    check::parameter(
        "the number of successes",
        found,
        successes <= trials,
        "at most the number of trials",
    )?;
    let z = critical_value(confidence);
    let proportion = found / n;
    let center = proportion + z * z / (2.0 * n);
    let half_width = z * (proportion * (1.0 - proportion) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 / (1.0 + z * z / n);
    // Beside 0 and 1 rounding may leave an end that is a little beyond.
    let lower = if successes == 0 {
        0.0
    } else {
        (center - half_width) * scale
    };
    let upper = if successes == trials {
        1.0
    } else {
        (center + half_width) * scale
    };
    Ok(Interval {
        lower,
        upper,
        confidence,
    })
}

/// The interval of the mean of `gains`, one for each image: 1 if it is read right by the second way
/// alone, −1 if by the first alone, and 0 if by both or neither.
///
/// The adjusted Wald interval for paired proportions (Bonett and Price 2012,
/// doi:10.3102/1076998611411915): that of the normal approximation with one image more that is won,
/// and one that is lost. Its middle is therefore a little nearer to zero than the mean is.
///
/// Where the first way is the mean of several networks, gains are numbers between. For those it is an
/// extension of ours, on the safe side: where few images differ, intervals of 95 % hold the true value
/// in 98 to 99 % of all cases.
///
/// # Errors
///
/// [`Error::TooFew`] without an image; [`Error::Parameter`] for a gain beyond ±1, or unless
/// 0 < `confidence` < 1.
pub fn paired_proportion_interval(gains: &[f64], confidence: f64) -> Result<Interval, Error> {
    check::confidence(confidence)?;
    if gains.is_empty() {
        return Err(Error::TooFew {
            found: 0,
            needed: 1,
        });
    }
    for &gain in gains {
        let valid = (-1.0..=1.0).contains(&gain);
        check::parameter("a gain", gain, valid, "a number from -1 to 1")?;
    }
    let n = gains.len() as f64 + 2.0;
    let mean = gains.iter().sum::<f64>() / n;
    let mean_square = (gains.iter().map(|gain| gain * gain).sum::<f64>() + 2.0) / n;
    let half_width = critical_value(confidence) * ((mean_square - mean * mean) / n).sqrt();
    Ok(Interval {
        lower: (mean - half_width).max(-1.0),
        upper: (mean + half_width).min(1.0),
        confidence,
    })
}

/// The z with P(−z ≤ Z ≤ z) = `confidence` for a standard normal Z.
fn critical_value(confidence: f64) -> f64 {
    // By the lower tail, whose probability does not round to 1.
    -normal_quantile(0.5 * (1.0 - confidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_ends(interval: Interval, expected: [f64; 2], tolerance: f64) {
        for (end, expected) in [interval.lower, interval.upper].into_iter().zip(expected) {
            assert!((end - expected).abs() < tolerance, "{interval:?}");
        }
    }

    /// The examples of Newcombe 1998 ("Two-sided confidence intervals for the single proportion",
    /// Statistics in Medicine 17, 857–872), table I, to the four digits given there.
    #[test]
    fn proportions_agree_with_newcombes_examples() {
        for (successes, trials, expected) in [
            (81, 263, [0.2553, 0.3662]),
            (15, 148, [0.0624, 0.1605]),
            (0, 20, [0.0, 0.1611]),
            (1, 29, [0.0061, 0.1718]),
        ] {
            let interval = proportion_interval(successes, trials, 0.95).unwrap();
            assert_ends(interval, expected, 5e-5);
            let of_failures = proportion_interval(trials - successes, trials, 0.95).unwrap();
            assert_ends(of_failures, [1.0 - expected[1], 1.0 - expected[0]], 5e-5);
        }
        let all = proportion_interval(4_200, 4_200, 0.95).unwrap();
        assert_eq!(all.upper, 1.0);
        assert!(all.lower < 1.0);
    }

    /// The example of `ci.prop.ps` in the R package statpsych, by one of the authors of the interval: of 48
    /// pairs 26 of the one kind and 4 of the other.
    #[test]
    fn paired_proportions_agree_with_statpsych() {
        let gains: Vec<f64> = [(26, 1.0), (4, -1.0), (18, 0.0)]
            .into_iter()
            .flat_map(|(count, gain)| std::iter::repeat_n(gain, count))
            .collect();
        let interval = paired_proportion_interval(&gains, 0.95).unwrap();
        assert_ends(interval, [0.254_806_7, 0.625_193_3], 1e-7);
    }

    #[test]
    fn without_a_difference_the_interval_has_a_width() {
        let few = paired_proportion_interval(&[0.0; 100], 0.95).unwrap();
        let many = paired_proportion_interval(&[0.0; 10_000], 0.95).unwrap();
        assert_eq!(few.lower, -few.upper);
        assert!(0.0 < many.upper && many.upper < few.upper);
        // z √(2 / 102) / √102.
        assert!((few.upper - 1.959_964 * 2.0_f64.sqrt() / 102.0).abs() < 1e-8);
    }

    /// About 5 % of the intervals miss the true value, and fewer where few images differ, give or take
    /// what 2,000 draws leave open: four standard errors are 2 %.
    #[test]
    fn intervals_cover_what_they_promise() {
        const DRAWS: usize = 2_000;
        const IMAGES: usize = 1_000;
        let mut random = seed::stream(7, seed::Purpose::Bootstrap, 0, 0);
        let mut missed = [0; 3];
        for _ in 0..DRAWS {
            let mut draws = || {
                [(); IMAGES]
                    .map(|()| seed::below(1_000, &mut random))
                    .into_iter()
            };
            // Of 1,000 images 992 are right on average.
            let right = draws().filter(|&draw| draw < 992).count();
            // 5 are won and 3 lost; then as many by one of five networks alone.
            let signs: Vec<f64> = draws()
                .map(|draw| match draw {
                    0..5 => 1.0,
                    5..8 => -1.0,
                    _ => 0.0,
                })
                .collect();
            let fifths: Vec<f64> = signs.iter().map(|sign| sign / 5.0).collect();
            let intervals = [
                (proportion_interval(right, IMAGES, 0.95), 0.992),
                (paired_proportion_interval(&signs, 0.95), 0.002),
                (paired_proportion_interval(&fifths, 0.95), 0.002 / 5.0),
            ];
            for (missed, (interval, truth)) in missed.iter_mut().zip(intervals) {
                let Interval { lower, upper, .. } = interval.unwrap();
                *missed += usize::from(!(lower..=upper).contains(&truth));
            }
        }
        let [accuracy, gain, gain_of_mean] = missed.map(|missed| missed as f64 / DRAWS as f64);
        assert!((0.03..0.07).contains(&accuracy), "{accuracy}");
        assert!((0.01..0.07).contains(&gain), "{gain}");
        assert!(gain_of_mean < 0.05, "{gain_of_mean}");
    }

    #[test]
    fn senseless_numbers_are_refused() {
        assert!(proportion_interval(0, 0, 0.95).is_err());
        assert!(proportion_interval(2, 1, 0.95).is_err());
        assert!(proportion_interval(1, 2, 1.0).is_err());
        let nearly_sure = proportion_interval(1, 2, 1.0_f64.next_down()).unwrap();
        assert!(
            nearly_sure.lower > 0.0 && nearly_sure.upper < 1.0,
            "{nearly_sure:?}"
        );
        assert!(paired_proportion_interval(&[], 0.95).is_err());
        assert!(paired_proportion_interval(&[f64::NAN], 0.95).is_err());
        assert!(paired_proportion_interval(&[1.5], 0.95).is_err());
    }
}
