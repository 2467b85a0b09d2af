//! Verdicts on runs as they come out of experiments: accuracies in percent, contender minus baseline.

use statistics::*;

const TEN: [f64; 10] = [0.11, 0.04, 0.09, 0.15, 0.07, 0.02, 0.12, 0.08, 0.06, 0.10];

const CRITERIA: Criteria = Criteria {
    direction: Direction::HigherIsBetter,
    margin: 0.05,
    level: 0.05,
    power: 0.8,
    seed: 0,
};

fn one(differences: &[f64], criteria: &Criteria) -> Comparison {
    compare(&[differences], criteria).unwrap()[0]
}

#[test]
fn better_or_worse() {
    let comparison = one(&TEN, &CRITERIA);
    assert_eq!(comparison.verdict, Verdict::Better);
    assert_eq!(comparison.difference, 2.0 / 1024.0);
    assert_eq!(comparison.probability_of_improvement, 1.0);
    let interval = comparison.interval.unwrap();
    assert!(0.05 < interval.lower && interval.lower < 0.084 && interval.upper < 0.11);

    let losses = Criteria {
        direction: Direction::LowerIsBetter,
        ..CRITERIA
    };
    let comparison = one(&TEN, &losses);
    assert_eq!(comparison.verdict, Verdict::Worse);
    assert_eq!(comparison.probability_of_improvement, 0.0);
}

/// 0.3 − 0.2 and 0.1 are not the same number, but no more than rounding apart.
#[test]
fn what_differs_by_rounding_is_a_tie() {
    let rounding = (0.3 - 0.2) - 0.1;
    assert_ne!(rounding, 0.0);
    let ahead = |differences: &[f64]| {
        paired_probability_of_improvement(differences, Direction::HigherIsBetter).unwrap()
    };
    assert_eq!(ahead(&[0.1, rounding, -0.1, -rounding]), 0.5);
    assert_eq!(ahead(&[0.1, rounding]), 0.75);
    assert_eq!(ahead(&[0.0, 0.0]), 0.5);
}

/// Differences that are significant, but smaller than matters.
#[test]
fn equivalent() {
    let small = TEN.map(|difference| difference / 5.0);
    let comparison = one(&small, &CRITERIA);
    assert!(comparison.adjusted.difference < 0.05);
    assert_eq!(comparison.verdict, Verdict::Equivalent);
    assert_eq!(
        comparison.verdict.to_string(),
        "equivalent within the margin"
    );
    let without_margin = Criteria {
        margin: 0.0,
        ..CRITERIA
    };
    assert_eq!(one(&small, &without_margin).verdict, Verdict::Better);
}

/// Four pairs cannot reach 0.05: the smallest p-value is 0.125.
#[test]
fn too_few_seeds() {
    for differences in [&TEN[..4], &TEN[..1], &[0.0; 5]] {
        let comparison = one(differences, &CRITERIA);
        let verdict = Verdict::Undecided {
            reason: Reason::TooFewSeeds,
            new_study: Some(6),
        };
        assert_eq!(comparison.verdict, verdict);
        assert_eq!(comparison.minimum_detectable_effect, None);
    }
    assert_eq!(
        one(&TEN[..4], &CRITERIA).verdict.to_string(),
        "undecided: too few seeds, a new study needs at least 6"
    );
    assert_eq!(smallest_p_value(4), 0.125);
}

/// A family has the size that was asked for, whether all its contenders have scores or not.
#[test]
fn a_comparison_without_differences_is_corrected_for() {
    let of = |comparisons| {
        compare_in_family(comparisons, &[TEN], &CRITERIA, &mut Powers::default()).unwrap()[0]
    };
    let smallest = 2.0 / 1024.0;
    assert_eq!(of(1).adjusted.difference, smallest);
    assert_eq!(of(3).adjusted.difference, 3.0 * smallest);
    assert_eq!(of(3).adjusted.smallest_difference, 3.0 * smallest);
    assert_eq!(of(26).adjusted.difference, 26.0 * smallest);
    assert_eq!(of(25).verdict, Verdict::Better);
    assert!(matches!(of(26).verdict, Verdict::Undecided { .. }));
}

/// Ten pairs are enough for twenty comparisons, and no more than that.
#[test]
fn comparisons_cost_seeds() {
    let verdicts = |comparisons| compare(&vec![TEN; comparisons], &CRITERIA).unwrap();
    for comparison in verdicts(20) {
        assert_eq!(comparison.verdict, Verdict::Better);
        assert_eq!(comparison.adjusted.difference, 20.0 * 2.0 / 1024.0);
        assert!(comparison.has_smallest_p_value());
    }
    let mut mixed = TEN;
    mixed[3] *= -1.0;
    let both = compare(&[TEN, mixed], &CRITERIA).unwrap();
    assert!(both[0].has_smallest_p_value() && !both[1].has_smallest_p_value());
    let too_few = Verdict::Undecided {
        reason: Reason::TooFewSeeds,
        new_study: Some(11),
    };
    assert!(
        verdicts(26)
            .iter()
            .all(|comparison| comparison.verdict == too_few)
    );
    let needed = |comparisons| pairs_for_significance(0.05, comparisons).unwrap();
    assert_eq!(
        [needed(1), needed(20), needed(26)],
        [Some(6), Some(10), Some(11)]
    );
    assert_eq!(needed(1_000_000), None);
}

/// Of ten pairs and six, Holm asks of the ten for half the level and then, if they have it, of the six for all
/// of it: whether six are too few does not follow from the number of comparisons alone.
#[test]
fn unequal_numbers_of_seeds() {
    let six = &TEN[..6];
    let verdicts = |lists: &[&[f64]]| compare(lists, &CRITERIA).unwrap();
    let decided = verdicts(&[&TEN, six]);
    assert_eq!(decided[1].adjusted.difference, 1.0 / 32.0);
    assert_eq!(decided[1].verdict, Verdict::Better);
    assert_eq!(decided[0].verdict, Verdict::Better);
    // Where the ten show nothing, the six would need half the level, which they cannot have: but with other
    // results they could.
    let wide = [0.3, -0.2, 0.1, -0.1, 0.25, 0.0, -0.15, 0.2, 0.05, -0.05];
    let open = verdicts(&[&wide, six]);
    assert_eq!(open[1].adjusted.difference, 2.0 / 32.0);
    assert!(matches!(
        open[1].verdict,
        Verdict::Undecided {
            reason: Reason::Inconclusive,
            ..
        }
    ));
    // Five pairs have 1/16 at least, whatever the others have.
    let too_few = verdicts(&[&TEN, &TEN[..5]]);
    assert!(matches!(
        too_few[1].verdict,
        Verdict::Undecided {
            reason: Reason::TooFewSeeds,
            ..
        }
    ));
    // And two times six have 2/32, for want of one that is significant by itself.
    for comparison in verdicts(&[six, six]) {
        assert_eq!(comparison.adjusted.smallest_difference, 2.0 / 32.0);
        assert!(matches!(
            comparison.verdict,
            Verdict::Undecided {
                reason: Reason::TooFewSeeds,
                ..
            }
        ));
    }
}

/// The advised number of seeds is the one that finds the mean and the deviation found.
#[test]
fn inconclusive() {
    let wide = [0.3, -0.2, 0.1, -0.1, 0.25, 0.0, -0.15, 0.2, 0.05, -0.05];
    let comparison = one(&wide, &CRITERIA);
    let deviation = comparison.differences.standard_deviation.unwrap();
    let mean = comparison.differences.mean;
    let advised = pairs_for_difference(mean, deviation, 0.05, 0.8)
        .unwrap()
        .unwrap();
    let verdict = Verdict::Undecided {
        reason: Reason::Inconclusive,
        new_study: Some(advised),
    };
    assert_eq!(comparison.verdict, verdict);
    assert_eq!(
        verdict.to_string(),
        format!("undecided: a new study of about {advised} seeds would probably decide it")
    );
    let detectable = comparison.minimum_detectable_effect.unwrap();
    assert!(detectable > mean && detectable > CRITERIA.margin);

    let centred = wide.map(|difference| difference - mean);
    let without_margin = Criteria {
        margin: 0.0,
        ..CRITERIA
    };
    assert_eq!(
        one(&centred, &without_margin).verdict.to_string(),
        "undecided: no reasonable number of seeds decides it"
    );
}

/// Runs that all agree: nothing differs, but it takes as many of them to say so as to find a difference.
#[test]
fn equal_runs() {
    assert!(matches!(
        one(&[0.0; 5], &CRITERIA).verdict,
        Verdict::Undecided { .. }
    ));
    let comparison = one(&[0.0; 6], &CRITERIA);
    assert_eq!(comparison.verdict, Verdict::Equivalent);
    assert_eq!(comparison.difference, 1.0);
    assert_eq!(comparison.equivalence.unwrap(), 1.0 / 64.0);
    assert_eq!(one(&[0.1; 6], &CRITERIA).verdict, Verdict::Better);
}

/// The run-to-run deviation of the usual recipe is 0.047 points, of paired differences √2 of that; 16
/// seeds then find 0.05 points.
#[test]
fn seeds_of_the_usual_recipe() {
    let deviation = 0.047 * 2_f64.sqrt();
    let seeds = pairs_for_difference(0.05, deviation, 0.05, 0.8).unwrap();
    assert_eq!(seeds, Some(16));
}

/// All rows of scores agree, which has a probability of 1 in 3! to the power of 3 rows.
#[test]
fn ranks_that_agree() {
    let summary = RankSummary::new(&[[0.9, 0.8, 0.7]; 4], Direction::LowerIsBetter, 0.05).unwrap();
    assert_eq!(summary.average_ranks, [3.0, 2.0, 1.0]);
    assert_eq!(summary.friedman.f, None);
    assert!((summary.friedman.f_p_value - 1.0 / 216.0).abs() < 1e-15);

    let summary = RankSummary::new(&[[0.5; 3]; 4], Direction::LowerIsBetter, 0.05).unwrap();
    assert_eq!(summary.friedman.f, Some(0.0));
    assert_eq!(summary.friedman.f_p_value, 1.0);
}

#[test]
fn errors_say_what_to_do() {
    let message = |differences: &[f64]| compare(&[differences], &CRITERIA).unwrap_err().to_string();
    assert_eq!(message(&[]), "found 0 values, expected 1 or more");
    assert_eq!(
        message(&[0.1, f64::NAN]),
        "value 2 is NaN, expected a number between -1e100 and 1e100; \
         a diverged run needs a score, or is left out"
    );
    assert_eq!(
        paired_differences(&[0.1], &[]).unwrap_err().to_string(),
        "found lists of 1 and 0 values, expected the same number in both"
    );
    let level = Criteria {
        level: 5.0,
        ..CRITERIA
    };
    assert_eq!(
        compare(&[TEN], &level).unwrap_err().to_string(),
        "the level is 5, expected a number from 1e-12 to below 0.5"
    );
}
