//! Every statistic against SciPy and statsmodels: the values come from `reference/scipy_values.py`. What is private
//! is compared beside its code: powers also with those of `reference/sign_flip_powers.py`.

use serde::Deserialize;
use statistics::*;

#[derive(Deserialize)]
struct Reference {
    summaries: Vec<SummaryCase>,
    bootstraps: Vec<BootstrapCase>,
    sign_flips: Vec<SignFlipCase>,
    holms: Vec<HolmCase>,
    equivalences: Vec<EquivalenceCase>,
    equivalence_powers: Vec<EquivalencePowerCase>,
    studentized_ranges: Vec<StudentizedRangeCase>,
    rankings: Vec<RankingCase>,
    mcnemars: Vec<McnemarCase>,
}

#[derive(Deserialize)]
struct SummaryCase {
    values: Vec<f64>,
    mean: f64,
    standard_deviation: Option<f64>,
    median: f64,
    interquartile_mean: f64,
    quantiles: Vec<[f64; 2]>,
}

#[derive(Deserialize)]
struct BootstrapCase {
    values: Vec<f64>,
    statistic: String,
    confidence: f64,
    interval: [f64; 2],
}

#[derive(Deserialize)]
struct SignFlipCase {
    differences: Vec<f64>,
    p_value: f64,
}

#[derive(Deserialize)]
struct HolmCase {
    p_values: Vec<f64>,
    adjusted: Vec<f64>,
}

#[derive(Deserialize)]
struct EquivalenceCase {
    differences: Vec<f64>,
    margin: f64,
    p_value: f64,
}

#[derive(Deserialize)]
struct EquivalencePowerCase {
    pairs: usize,
    effect: f64,
    margin: f64,
    level: f64,
    power: f64,
}

#[derive(Deserialize)]
struct StudentizedRangeCase {
    contenders: usize,
    level: f64,
    quantile: f64,
}

#[derive(Deserialize)]
struct RankingCase {
    scores: Vec<Vec<f64>>,
    ranks: Vec<Vec<f64>>,
    average_ranks: Vec<f64>,
    chi_squared: f64,
    chi_squared_p_value: f64,
    f: f64,
    f_p_value: f64,
    critical_difference: f64,
}

#[derive(Deserialize)]
struct McnemarCase {
    only_first: usize,
    only_second: usize,
    p_value: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/scipy_values.json")).unwrap()
}

/// Relative to the expected value, but for the smallest ones.
#[track_caller]
fn assert_close(got: f64, expected: f64, tolerance: f64) {
    let error = (got - expected).abs();
    assert!(
        error <= tolerance * expected.abs() + 1e-15,
        "{got}, expected {expected}, off by {error:e}"
    );
}

#[test]
fn summaries() {
    for case in reference().summaries {
        let summary = Summary::new(&case.values).unwrap();
        assert_eq!(summary.count, case.values.len());
        assert_close(summary.mean, case.mean, 1e-14);
        assert_close(summary.median, case.median, 1e-14);
        assert_close(summary.interquartile_mean, case.interquartile_mean, 1e-14);
        match (summary.standard_deviation, case.standard_deviation) {
            (Some(got), Some(expected)) => assert_close(got, expected, 1e-12),
            (got, expected) => assert_eq!(got, expected),
        }
        for [probability, expected] in case.quantiles {
            let got = quantile(&case.values, probability).unwrap();
            assert_close(got, expected, 1e-13);
        }
        assert_eq!(summary.minimum, quantile(&case.values, 0.0).unwrap());
        assert_eq!(summary.maximum, quantile(&case.values, 1.0).unwrap());
    }
}

/// SciPy's interval from a million resamples, or from all of a small sample. Ours is from other
/// resamples: 200,000, so that the ends move by less than half a percent of the width.
#[test]
fn bootstrap_intervals() {
    for case in reference().bootstraps {
        let statistic = match case.statistic.as_str() {
            "mean" => mean,
            _ => interquartile_mean,
        };
        let interval = bca_interval(&case.values, statistic, case.confidence, 200_000, 1).unwrap();
        let width = case.interval[1] - case.interval[0];
        for (got, expected) in [interval.lower, interval.upper]
            .into_iter()
            .zip(case.interval)
        {
            assert!(
                (got - expected).abs() < 0.01 * width,
                "{got}, expected {expected}"
            );
        }
    }
}

#[test]
fn sign_flips() {
    for case in reference().sign_flips {
        let p_value = sign_flip_test(&case.differences, 0).unwrap();
        assert_close(p_value, case.p_value, 1e-14);
    }
}

#[test]
fn holm_corrections() {
    for case in reference().holms {
        let adjusted = holm(&case.p_values).unwrap();
        for (got, expected) in adjusted.into_iter().zip(case.adjusted) {
            assert_close(got, expected, 1e-14);
        }
    }
}

#[test]
fn equivalence_tests() {
    for case in reference().equivalences {
        let p_value = equivalence_test(&case.differences, case.margin).unwrap();
        assert_close(p_value, case.p_value, 1e-10);
    }
}

#[test]
fn equivalence_powers() {
    for case in reference().equivalence_powers {
        let power =
            |effect| equivalence_power(case.pairs, effect, 1.0, case.margin, case.level).unwrap();
        assert_close(power(case.effect), case.power, 1e-9);
        assert_close(power(-case.effect), case.power, 1e-9);
    }
}

#[test]
fn studentized_ranges() {
    for case in reference().studentized_ranges {
        let quantile = studentized_range_quantile(case.contenders, case.level).unwrap();
        assert_close(quantile, case.quantile, 1e-9);
    }
}

/// Quantiles of Student's t with 2 and 9 degrees of freedom, as in its tables.
#[test]
fn few_scores_have_wide_intervals() {
    assert_close(t_multiplier(3, 0.05).unwrap(), 4.302_652_729_7, 1e-9);
    assert_close(t_multiplier(10, 0.05).unwrap(), 2.262_157_162_8, 1e-9);
    assert!(matches!(t_multiplier(1, 0.05), Err(Error::TooFew { .. })));
    assert!(t_multiplier(3, 0.0).is_err());
}

/// Table 5 of Demšar 2006: the quantiles divided by √2, rounded.
#[test]
fn nemenyi_quantiles_of_demsar() {
    for (level, table) in [
        (
            0.05,
            [
                1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164,
            ],
        ),
        (
            0.10,
            [
                1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920,
            ],
        ),
    ] {
        for (contenders, expected) in (2..).zip(table) {
            let quantile = studentized_range_quantile(contenders, level).unwrap() / 2_f64.sqrt();
            assert!(
                (quantile - expected).abs() < 1.1e-3,
                "{contenders}: {quantile}"
            );
        }
    }
}

#[test]
fn rankings() {
    for case in reference().rankings {
        for (scores, expected) in case.scores.iter().zip(&case.ranks) {
            assert_eq!(&ranks(scores, Direction::HigherIsBetter).unwrap(), expected);
        }
        let summary = RankSummary::new(&case.scores, Direction::HigherIsBetter, 0.05).unwrap();
        for (&got, expected) in summary.average_ranks.iter().zip(case.average_ranks) {
            assert_close(got, expected, 1e-14);
        }
        let friedman = summary.friedman;
        assert_close(friedman.chi_squared, case.chi_squared, 1e-12);
        assert_close(
            friedman.chi_squared_p_value,
            case.chi_squared_p_value,
            1e-10,
        );
        assert_close(friedman.f.unwrap(), case.f, 1e-11);
        assert_close(friedman.f_p_value, case.f_p_value, 1e-10);
        assert_close(summary.critical_difference, case.critical_difference, 1e-9);
    }
}

#[test]
fn mcnemar_tests() {
    for case in reference().mcnemars {
        let got = mcnemar(case.only_first, case.only_second);
        assert_close(got, case.p_value, 1e-10);
    }
}
