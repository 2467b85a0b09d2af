//! What must hold whatever the numbers, and how often the tests are right about simulated runs.

use std::f64::consts::TAU;

use proptest::collection::vec;
use proptest::prelude::*;
use rand::Rng;
use seed::Purpose;
use statistics::*;

/// Numbers as they come: continuous, with ties and zeros, or all the same.
fn numbers(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        vec(-1.0..1.0, length.clone()),
        vec((-4..=4).prop_map(|n| f64::from(n) / 4.0), length.clone()),
        vec(Just(0.1), length),
    ]
}

/// Numbers as they should not come.
fn anything(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![numbers(length.clone()), vec(any::<f64>(), length)]
}

fn negated(numbers: &[f64]) -> Vec<f64> {
    numbers.iter().map(|n| -n).collect()
}

fn is_p_value(p_value: f64) -> bool {
    p_value > 0.0 && p_value <= 1.0
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_panics(
        lists in vec(anything(0..20), 0..4),
        margin: f64,
        level: f64,
        share in 0.0..1.0,
        pairs: u16,
    ) {
        let pairs = usize::from(pairs);
        let criteria = Criteria { margin, level, power: share, ..Criteria::default() };
        let _ = compare(&lists, &criteria);
        let usable = |list: &Vec<f64>| !list.is_empty() && list.iter().all(|n| n.abs() <= 1e100);
        let compared = compare(&lists, &Criteria { margin: share, ..Criteria::default() });
        prop_assert_eq!(compared.is_ok(), lists.iter().all(usable));
        let _ = RankSummary::new(&lists, Direction::LowerIsBetter, share);
        for list in &lists {
            prop_assert_eq!(Summary::new(list).is_ok(), usable(list));
            let _ = quantile(list, level);
            let _ = bca_interval(list, |sample| Ok(sample[0]), share, 20, 0);
            let _ = holm(list);
            let _ = equivalence_test(list, margin.abs());
        }
        let _ = pairs_for_difference(margin, level.abs(), share / 2.0, share);
        let _ = equivalence_power(pairs, level, share, margin.abs(), share / 2.0);
        let _ = minimum_detectable_effect(pairs, margin.abs(), share / 2.0, share);
        let _ = pairs_for_significance(share, pairs);
    }

    #[test]
    fn summaries_are_within_the_sample(values in numbers(1..40)) {
        let summary = Summary::new(&values).unwrap();
        for centre in [summary.mean, summary.median, summary.interquartile_mean] {
            prop_assert!(summary.minimum <= centre && centre <= summary.maximum);
        }
        let equal = summary.minimum == summary.maximum;
        prop_assert!(summary.standard_deviation.is_none_or(|deviation| (deviation == 0.0) == equal));
    }

    #[test]
    fn intervals(values in numbers(2..20), confidence in 0.5..0.99, seed: u64) {
        let interval = |values: &[f64]| {
            bca_interval(values, mean, confidence, 999, seed).unwrap()
        };
        let Interval { lower, upper, .. } = interval(&values);
        let summary = Summary::new(&values).unwrap();
        prop_assert!(summary.minimum <= lower && lower <= upper && upper <= summary.maximum);
        if values.len() >= 5 && confidence > 0.8 {
            prop_assert!(lower <= summary.mean && summary.mean <= upper);
        }
        let doubled: Vec<f64> = values.iter().map(|value| 2.0 * value).collect();
        // But for rounding: a power of 1.5 in it is not exact.
        prop_assert!((interval(&doubled).lower - 2.0 * lower).abs() < 1e-12);
    }

    #[test]
    fn sign_flips(differences in numbers(1..20), seed: u64) {
        let test = |differences: &[f64]| sign_flip_test(differences, seed).unwrap();
        let found = test(&differences);
        prop_assert!(is_p_value(found));
        let nonzero = differences.iter().filter(|&&difference| difference != 0.0).count();
        prop_assert!(smallest_p_value(nonzero) <= found);
        let scaled: Vec<f64> = differences.iter().map(|d| 0.125 * d).collect();
        prop_assert_eq!(test(&scaled), found);
        if nonzero <= EXACT_UP_TO {
            let mut reversed = differences.clone();
            reversed.reverse();
            prop_assert_eq!(test(&reversed), found);
            prop_assert_eq!(test(&negated(&differences)), found);
            let with_zero = [&differences[..], &[0.0]].concat();
            prop_assert_eq!(test(&with_zero), found);
        }
    }

    /// All signs of five numbers, written out.
    #[test]
    fn sign_flips_by_brute_force(numbers in [-20..20, -20..20, -20..20, -20..20, -20..20_i32]) {
        let [a, b, c, d, e] = numbers;
        let mut sums = Vec::new();
        for first in [a, -a] {
            for second in [b, -b] {
                for third in [c, -c] {
                    for fourth in [d, -d] {
                        sums.extend([e, -e].map(|fifth| first + second + third + fourth + fifth));
                    }
                }
            }
        }
        let found: i32 = numbers.iter().sum();
        let differences = numbers.map(|n| f64::from(n) / 1000.0);
        let extreme = sums.iter().filter(|sum| sum.abs() >= found.abs());
        let expected = extreme.count() as f64 / 32.0;
        prop_assert_eq!(sign_flip_test(&differences, 0).unwrap(), expected);
    }

    #[test]
    fn differences_of_one_sign_have_the_smallest_p_value(pairs in 1..=EXACT_UP_TO) {
        let p_value = sign_flip_test(&vec![0.1; pairs], 0).unwrap();
        prop_assert_eq!(p_value, smallest_p_value(pairs));
    }

    #[test]
    fn holm_is_monotone(p_values in vec(0.0..=1.0, 1..30)) {
        let adjusted = holm(&p_values).unwrap();
        for (p_value, adjusted_p_value) in p_values.iter().zip(&adjusted) {
            let bonferroni = p_value * p_values.len() as f64;
            prop_assert!(p_value <= adjusted_p_value && *adjusted_p_value <= bonferroni.min(1.0));
            for (other, adjusted_other) in p_values.iter().zip(&adjusted) {
                prop_assert!(p_value > other || adjusted_p_value <= adjusted_other);
            }
        }
    }

    #[test]
    fn equivalence(differences in numbers(2..20), margin in 0.0..2.0) {
        let test = |differences: &[f64], margin| equivalence_test(differences, margin).unwrap();
        let p_value = test(&differences, margin);
        prop_assert!(is_p_value(p_value));
        prop_assert_eq!(test(&negated(&differences), margin), p_value);
        prop_assert!(test(&differences, 1.1 * margin) <= p_value);
    }

    /// As many pairs as find an effect have it for their smallest, and one less has a larger one, or none.
    #[test]
    fn power_and_its_inverses(
        effect in 0.3..2.0,
        deviation in 0.01..2.0,
        level in 0.001..0.2,
        wanted in 0.5..0.99,
    ) {
        let pairs = pairs_for_difference(effect * deviation, deviation, level, wanted);
        let pairs = pairs.unwrap().unwrap();
        let smallest = |pairs| minimum_detectable_effect(pairs, deviation, level, wanted).unwrap();
        prop_assert!(smallest(pairs).unwrap() <= (1.0 + 1e-9) * effect * deviation);
        prop_assert!(
            pairs == 2 || smallest(pairs - 1).is_none_or(|less| less >= effect * deviation)
        );
        prop_assert!(Some(pairs) >= pairs_for_significance(level, 1).unwrap());
    }

    #[test]
    fn pairs_for_equivalence_are_the_fewest(
        effect in -0.1..0.1,
        deviation in 0.01..1.0,
        level in 0.001..0.2,
        wanted in 0.3..0.95,
    ) {
        let sufficient = |pairs| equivalence_power(pairs, effect, deviation, 0.2, level).unwrap() >= wanted;
        let pairs = pairs_for_equivalence(effect, deviation, 0.2, level, wanted).unwrap().unwrap();
        prop_assert!(sufficient(pairs));
        prop_assert!(pairs == 2 || !sufficient(pairs - 1));
    }

    #[test]
    fn ranks_depend_on_the_order_alone(scores in numbers(1..20)) {
        let found = ranks(&scores, Direction::HigherIsBetter).unwrap();
        let n = scores.len() as f64;
        prop_assert_eq!(found.iter().sum::<f64>(), n * (n + 1.0) / 2.0);
        let stretched: Vec<f64> = scores.iter().map(|score| score.exp()).collect();
        prop_assert_eq!(&ranks(&stretched, Direction::HigherIsBetter).unwrap(), &found);
        prop_assert_eq!(&ranks(&negated(&scores), Direction::LowerIsBetter).unwrap(), &found);
    }

    #[test]
    fn friedman(table in (2..6_usize, 2..8_usize).prop_flat_map(|(contenders, datasets)| {
        vec(numbers(contenders..contenders + 1), datasets..datasets + 1)
    })) {
        let test = friedman_test(&table).unwrap();
        prop_assert!(is_p_value(test.chi_squared_p_value) && is_p_value(test.f_p_value));
        prop_assert!(test.chi_squared >= 0.0 && test.f.is_none_or(|f| f >= 0.0));
        let mirrored: Vec<Vec<f64>> = table
            .iter()
            .map(|row| row.iter().rev().map(|score| -score).collect())
            .collect();
        let mirrored = friedman_test(&mirrored).unwrap();
        prop_assert!((mirrored.chi_squared - test.chi_squared).abs() < 1e-9);
    }

    /// A p-value beside a verdict never contradicts it, and what is called too few could not have shown
    /// anything.
    #[test]
    fn verdicts_agree_with_their_p_values(lists in vec(numbers(1..16), 1..6), margin in 0.0..0.5) {
        let criteria = Criteria { margin, ..Criteria::default() };
        let found = compare(&lists, &criteria).unwrap();
        let all_agree: Vec<Vec<f64>> = lists.iter().map(|list| vec![0.1; list.len()]).collect();
        let agreeing = compare(&all_agree, &Criteria::default()).unwrap();
        for (found, agreeing) in found.iter().zip(agreeing) {
            let adjusted = found.adjusted;
            prop_assert!(adjusted.smallest_difference <= adjusted.difference);
            prop_assert_eq!(adjusted.smallest_difference, agreeing.adjusted.difference);
            let too_few = adjusted.smallest_difference > criteria.level;
            prop_assert_eq!(too_few, agreeing.verdict != Verdict::Better);
            let significant = adjusted.difference <= criteria.level;
            match found.verdict {
                Verdict::Better => prop_assert!(significant && found.differences.mean > 0.0),
                Verdict::Worse => prop_assert!(significant && found.differences.mean < 0.0),
                Verdict::Equivalent => prop_assert!(!too_few && adjusted.equivalence <= criteria.level),
                Verdict::Undecided { reason, .. } => {
                    prop_assert!(!significant);
                    prop_assert_eq!(reason == Reason::TooFewSeeds, too_few);
                }
            }
        }
    }

    /// The other direction and other signs give the opposite verdict, with all else alike.
    #[test]
    fn comparisons_are_symmetric(lists in vec(numbers(1..16), 1..3), margin in 0.0..0.5) {
        let higher = Criteria { margin, ..Criteria::default() };
        let lower = Criteria { direction: Direction::LowerIsBetter, ..higher };
        let mirrored: Vec<Vec<f64>> = lists.iter().map(|list| negated(list)).collect();
        let found = compare(&lists, &higher).unwrap();
        prop_assert_eq!(found.len(), lists.len());
        for (found, mirrored) in found.iter().zip(compare(&mirrored, &lower).unwrap()) {
            prop_assert_eq!(found.verdict, mirrored.verdict);
            prop_assert_eq!(found.adjusted, mirrored.adjusted);
            prop_assert_eq!(found.probability_of_improvement, mirrored.probability_of_improvement);
        }
        for (found, opposite) in found.iter().zip(compare(&lists, &lower).unwrap()) {
            let expected = match found.verdict {
                Verdict::Better => Verdict::Worse,
                Verdict::Worse => Verdict::Better,
                same => same,
            };
            prop_assert_eq!(opposite.verdict, expected);
        }
    }
}

/// The integrals end, and end up in their range, where the integrands are steps or nothing at all.
#[test]
fn powers_of_extremes() {
    for pairs in [2, 3, 1_000_000] {
        for level in [1e-12, 0.05, 0.49] {
            for deviation in [0.0, 1e-300, 1.0, 1e100] {
                let effect = minimum_detectable_effect(pairs, deviation, level, 0.5).unwrap();
                assert!(effect.is_none_or(|effect| effect >= 0.0 && effect.is_finite()));
                for effect in [0.0, 1e-300, 1.0, 1e100] {
                    let needed = pairs_for_difference(effect, deviation, level, 0.5).unwrap();
                    assert!(needed.is_none_or(|needed| needed >= 2));
                    for margin in [0.0, 1e-300, 1.0, 1e100] {
                        let power = equivalence_power(pairs, effect, deviation, margin, level);
                        assert!((0.0..=1.0).contains(&power.unwrap()));
                    }
                }
            }
        }
    }
}

/// Normal numbers of mean `mean` and deviation 1 (Box and Muller 1958).
fn normal(count: usize, mean: f64, simulation: u64) -> Vec<f64> {
    let mut random = seed::stream(0, Purpose::Bootstrap, 1, simulation);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (0..count)
        .map(|_| mean + (-2.0 * (1.0 - uniform()).ln()).sqrt() * (TAU * uniform()).cos())
        .collect()
}

fn share(simulations: u64, holds: impl Fn(u64) -> bool) -> f64 {
    (0..simulations)
        .filter(|&simulation| holds(simulation))
        .count() as f64
        / simulations as f64
}

/// As the documentation of `bca_interval` says; the standard error of the shares is 0.01 at most.
#[test]
fn intervals_cover_the_mean() {
    for (count, expected) in [(5, 0.84), (10, 0.90), (20, 0.93)] {
        let covered = share(2000, |simulation| {
            let sample = normal(count, 0.0, simulation);
            let interval = bca_interval(&sample, mean, 0.95, 999, simulation).unwrap();
            (interval.lower..=interval.upper).contains(&0.0)
        });
        assert!((covered - expected).abs() < 0.03, "{count}: {covered}");
    }
}

/// With no difference the p-value is at most 0.05 as often as the 2⁷ possible ones allow, and with
/// as many pairs as are advised for a power of 0.8 the test has about that.
#[test]
fn sign_flips_keep_the_level_and_have_the_power() {
    let significant = |count, mean, simulation| {
        let differences = normal(count, mean, simulation);
        let test = sign_flip_test(&differences, simulation).unwrap();
        test <= 0.05
    };
    let wrong = share(4000, |simulation| significant(8, 0.0, simulation));
    assert!((wrong - 6.0 / 128.0).abs() < 0.012, "{wrong}");
    let pairs = pairs_for_difference(1.0, 1.0, 0.05, 0.8).unwrap().unwrap();
    let right = share(2000, |simulation| significant(pairs, 1.0, simulation));
    assert!((right - 0.8).abs() < 0.04, "{right}");
}

/// With a true difference at the margin, equivalence is found with the probability of the level.
#[test]
fn equivalence_keeps_the_level() {
    let wrong = share(4000, |simulation| {
        let differences = normal(12, 1.5, simulation);
        equivalence_test(&differences, 1.5).unwrap() <= 0.05
    });
    assert!((wrong - 0.05).abs() < 0.012, "{wrong}");
}
