//! What follows from records, against numbers worked out by hand.

use std::path::Path;

use proptest::prelude::*;
use statistics::Verdict;
use study::analysis::{Analysis, ClaimResult, ClaimStatus};
use study::record::{Environment, Epoch, EpochTimes, ImageCounts, Score, SiteEpoch, Status, Times};
use study::{Metric, Plan, Records, RunRecord, RunSpec, Stage, Study, Track, Value, id_of, report};

use crate::made_up::{self, Ability};

/// A run with this test accuracy, or one that diverged.
fn scored(spec: &RunSpec, accuracy: Option<f64>) -> RunRecord {
    let status = match accuracy {
        Some(_) => Status::Finished,
        None => Status::Diverged { epoch: 1 },
    };
    let mut run = RunRecord::new(id_of(&spec.overrides), spec.clone(), status);
    run.classes = Some(10);
    run.test = accuracy.map(|accuracy| Score {
        accuracy: Some(accuracy),
        ..Score::default()
    });
    run
}

/// The records of a study in which every run has the accuracy that is given for it.
fn records(study: &Study, accuracy: impl Fn(&RunSpec) -> Option<f64>) -> (Plan, Records) {
    let plan = Plan::new(study).unwrap();
    let pending = plan.pending(&Records::default());
    let runs = pending.iter().map(|spec| scored(spec, accuracy(spec)));
    let records = Records::new(runs.collect());
    (plan, records)
}

/// 0.98 and a little that depends on the seed, and `gain` more for tanh.
fn tanh_gains(gain: f64) -> impl Fn(&RunSpec) -> Option<f64> {
    move |spec| {
        let gain = if spec.contender == "tanh" { gain } else { 0.0 };
        Some(
            0.98 + 1e-4 * ((spec.seed * 7) % 5) as f64
                + gain * (1.0 + 0.1 * (spec.seed % 3) as f64),
        )
    }
}

fn study(text: &str) -> Study {
    let head = "title = \"x\"\ncontenders = [\"sigmoid\", \"tanh\"]\n";
    Study::parse(&format!("{head}{text}"), Path::new("a.toml")).unwrap()
}

#[test]
fn one_comparison_by_hand() {
    let study = study("seeds = 8\n[verdict]\nexpect.tanh = \"better\"");
    let (plan, records) = records(&study, tanh_gains(0.002));
    let analysis = Analysis::new(&plan, &records).unwrap();
    let [cell] = &analysis.cells[..] else {
        panic!("{:?}", analysis.cells);
    };
    let tanh = &cell.arms[1];
    let comparison = tanh.comparison.as_ref().unwrap();
    // Gains of 0.2, 0.22 and 0.24 points for the seeds 0 to 7.
    let expected = 0.002 * (8.0 + 0.1 * 7.0) / 8.0;
    assert!((comparison.differences.mean - expected).abs() < 1e-12);
    // All eight differences have one sign: 2 / 2⁸.
    assert!((comparison.adjusted.difference - 2.0 / 256.0).abs() < 1e-12);
    assert_eq!(comparison.verdict, Verdict::Better);
    assert_eq!(tanh.summary.unwrap().count, 8);
    assert_eq!(
        cell.versus(0, 1).map(|versus| versus.verdict),
        Some(Verdict::Worse)
    );
    assert_eq!(cell.order(&analysis.criteria), [1, 0]);
    let ranks: Vec<_> = cell.arms.iter().map(|arm| arm.rank.unwrap()).collect();
    assert_eq!((ranks[1].best, ranks[1].worst), (1, 1));
    assert_eq!((ranks[0].best, ranks[0].worst), (2, 2));
    let claim = analysis.claim().unwrap();
    assert_eq!(claim.status, ClaimStatus::Supported);
    assert_eq!(analysis.conclusion.headline, claim.sentence);
    assert!(claim.comparisons.is_empty());
    let found = "tanh is better than sigmoid: +0.22 points of test accuracy (95 % interval +0.2";
    let measured = "test accuracy: sigmoid 98.02 %; tanh better, +0.22 points [+0.2";
    assert!(claim.measured.starts_with(measured), "{}", claim.measured);
    assert!(
        claim.measured.ends_with("], p = 0.008; n = 8 seeds"),
        "{}",
        claim.measured
    );
    assert!(
        claim.sentence.ends_with("n = 8 seeds, p = 0.008)."),
        "{}",
        claim.sentence
    );
    assert!(
        claim
            .sentence
            .starts_with(&format!("The expectation is supported: {found}")),
        "{}",
        claim.sentence
    );
}

/// Steps of 12 and 24 ms beside 8 and 12: 1.5 and 2 times as long, whose geometric mean is √3. The third seed has
/// none to compare with.
#[test]
fn costs_are_ratios_paired_by_seed() {
    let (plan, all) = with_steps([Some(8.0), Some(12.0), None], [12.0, 24.0, 100.0]);
    let analysis = Analysis::new(&plan, &all).unwrap();
    let [sigmoid, tanh] = &analysis.cells[0].arms[..] else {
        panic!("{:?}", analysis.cells);
    };
    assert_eq!(sigmoid.relative_costs, []);
    let [step] = tanh.relative_costs[..] else {
        panic!("{:?}", tanh.relative_costs);
    };
    assert_eq!(step.metric, Metric::SecondsPerStep);
    assert_eq!(step.ratio.count, 2);
    assert!((step.ratio.value - 3_f64.sqrt()).abs() < 1e-12);
    let interval = step.ratio.interval.unwrap();
    assert!((1.5 - 1e-12..step.ratio.value).contains(&interval.lower));
    assert!((step.ratio.value..2.0 + 1e-12).contains(&interval.upper));
}

/// Beside what costs nothing that can be measured, any cost is a multitude.
#[test]
fn what_costs_nothing_is_no_measure_of_others() {
    let (plan, all) = records(&study("seeds = 3"), |_| Some(0.98));
    for (baseline, is_told) in [(0.01, false), (0.05, true)] {
        let timed = all.iter().cloned().map(|mut run| {
            let cost = match run.specs[0].contender.as_str() {
                "sigmoid" => baseline,
                _ => 0.5,
            };
            run.times = Some(Times {
                forward_nanoseconds: Some(cost),
                ..Times::default()
            });
            run
        });
        let timed = Records::new(timed.collect());
        let analysis = Analysis::new(&plan, &timed).unwrap();
        let costs = &analysis.cells[0].arms[1].relative_costs;
        assert_eq!(costs.len(), usize::from(is_told), "{costs:?}");
    }
}

/// Intervals of times that say little would look like knowledge.
#[test]
fn ratios_of_uneven_times_have_no_interval() {
    // The medians of 8 and 12, and of 12, 24 and 100.
    let uneven = with_steps([Some(8.0), Some(12.0), None], [12.0, 24.0, 100.0]);
    let said = [
        "| 10.00 ms |",
        "| 24.00 ms (× 1.73, of 2 of 3 seeds) |",
        "ratios by seed. Each",
    ];
    assert_costs(&uneven, &said);
    // 1.5 and 1.6 times as long, whose geometric mean is √2.4.
    let even = with_steps([Some(8.0), Some(9.0), None], [12.0, 14.4, 15.0]);
    let said = [
        "| 14.40 ms (× 1.55 \\[1.50, 1.60\\], of 2 of 3 seeds) |",
        "ratios by seed with its 95 % interval. Each",
    ];
    assert_costs(&even, &said);
    // What is timed by itself keeps its interval.
    let (plan, all) = uneven;
    let timed = all.iter().cloned().map(|mut run| {
        let spec = &run.specs[0];
        let is_baseline = spec.contender == "sigmoid";
        let forward = if is_baseline {
            1.0
        } else {
            2.0 + spec.seed as f64
        };
        if let Some(times) = &mut run.times {
            times.forward_nanoseconds = Some(forward);
        }
        run
    });
    let said = [
        "| 24.00 ms (× 1.73, of 2 of 3 seeds) | 3.00 ns (× 2.88 \\[",
        "with its 95 % interval (without one for the times of training, which say little). Each",
    ];
    assert_costs(&(plan, Records::new(timed.collect())), &said);
}

/// Three seeds of the sigmoid and of tanh, with steps of so many milliseconds.
fn with_steps(sigmoid: [Option<f64>; 3], tanh: [f64; 3]) -> (Plan, Records) {
    let (plan, all) = records(&study("seeds = 3"), |_| Some(0.98));
    let timed = all.iter().cloned().map(|mut run| {
        let spec = &run.specs[0];
        let seed = usize::try_from(spec.seed).unwrap();
        let milliseconds = match spec.contender.as_str() {
            "sigmoid" => sigmoid[seed],
            _ => Some(tanh[seed]),
        };
        run.times = Some(Times {
            seconds_per_step: milliseconds.map(|step| step / 1e3),
            ..Times::default()
        });
        run
    });
    (plan, Records::new(timed.collect()))
}

fn assert_costs((plan, all): &(Plan, Records), said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    report::write(plan, all, &study::Curves::default(), "x", &path).unwrap();
    let markdown = std::fs::read_to_string(path.join("report.md")).unwrap();
    for said in said {
        assert!(markdown.contains(said), "{said} is not in {markdown}");
    }
}

/// Six seeds of one sign have p = 2/2⁶, which is no weak evidence but all that they can give.
#[test]
fn a_p_value_that_could_not_be_smaller_is_called_so() {
    let text = "seeds = 6\n[verdict]\nexpect.tanh = \"better\"";
    let (plan, all) = records(&study(text), tanh_gains(0.002));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    let written = report::write(&plan, &all, &study::Curves::default(), "x", &path).unwrap();
    let headline = &written.conclusion.headline;
    assert!(
        headline.ends_with("n = 6 seeds, p = 0.031, the smallest that 6 seeds can give)."),
        "{headline}"
    );
    let markdown = std::fs::read_to_string(path.join("report.md")).unwrap();
    for said in [
        "| 0.031 (smallest) |",
        "(smallest): so few seeds and so many comparisons can give no smaller p.",
    ] {
        assert!(markdown.contains(said), "{said}: {markdown}");
    }
    // One of the other sign, and a smaller p-value would have been possible.
    let (plan, mixed) = records(&study(text), |spec| {
        let turn = if spec.seed == 3 { -0.5 } else { 1.0 };
        tanh_gains(0.002 * turn)(spec)
    });
    let analysis = Analysis::new(&plan, &mixed).unwrap();
    assert!(!analysis.conclusion.headline.contains("the smallest"));
}

#[test]
fn claims_hold_fall_or_stay_open() {
    for (seeds, gain, expectation, expected) in [
        (8, 0.002, "better", ClaimStatus::Supported),
        (8, 0.002, "not-better", ClaimStatus::Contradicted),
        (8, -0.002, "not-better", ClaimStatus::Supported),
        (8, -0.002, "better", ClaimStatus::Contradicted),
        // Within the default margin of 0.1 points.
        (8, 0.0002, "equivalent", ClaimStatus::Supported),
        (8, 0.0002, "not-worse", ClaimStatus::Supported),
        (8, 0.0002, "better", ClaimStatus::Contradicted),
        (8, 0.002, "higher", ClaimStatus::Supported),
        (8, 0.002, "lower", ClaimStatus::Contradicted),
        (8, 0.0002, "not-lower", ClaimStatus::Supported),
        (8, 0.002, "not-higher", ClaimStatus::Contradicted),
        // Four seeds reach no p below 2 / 2⁴.
        (4, 0.002, "better", ClaimStatus::Undecided),
    ] {
        let text = format!("seeds = {seeds}\n[verdict]\nexpect.tanh = \"{expectation}\"");
        let (plan, records) = records(&study(&text), tanh_gains(gain));
        let analysis = Analysis::new(&plan, &records).unwrap();
        assert_eq!(
            analysis.claim().map(|claim| claim.status),
            Some(expected),
            "{seeds} seeds, {gain}, {expectation}"
        );
    }
}

#[test]
fn too_few_seeds_are_not_ranked() {
    let (plan, records) = records(&study("seeds = 3"), tanh_gains(0.01));
    let analysis = Analysis::new(&plan, &records).unwrap();
    assert!(analysis.cells[0].arms.iter().all(|arm| arm.rank.is_none()));
    assert!(
        analysis.conclusion.headline.starts_with(
            "Too few seeds to tell any contender from sigmoid: n = 3 cannot reach the level 0.05"
        ),
        "{}",
        analysis.conclusion.headline
    );
}

/// Where the baseline has no score, no more runs would help, and where another has none, it is still one of
/// those that the level is for.
#[test]
fn contenders_without_scores_are_named_as_such() {
    let headline = |seeds: usize, without: &'static str| {
        let head = "title = \"x\"\ncontenders = [\"sigmoid\", \"tanh\", \"relu\"]\n";
        let text = format!("{head}seeds = {seeds}\n[verdict]\nmetric = \"test-loss\"");
        let study = Study::parse(&text, Path::new("a.toml")).unwrap();
        let (plan, records) = records(&study, |spec| (spec.contender != without).then_some(0.9));
        let runs = records.iter().cloned().map(|mut run| {
            if let Some(test) = &mut run.test {
                test.loss = Some(0.2 + 0.01 * run.specs[0].seed as f64);
            }
            run
        });
        let records = Records::new(runs.collect());
        Analysis::new(&plan, &records).unwrap().conclusion.headline
    };
    assert_eq!(
        headline(8, "sigmoid"),
        "Nothing can be compared with sigmoid, as none of its runs has a score."
    );
    assert_eq!(
        headline(6, "relu"),
        "Too few seeds to tell any contender from sigmoid: n = 6 cannot reach the level 0.05 in 2 comparisons, whatever the results; 7 can."
    );
}

/// One contender that has lost most of its runs does not keep the others from a verdict or a rank.
#[test]
fn too_few_runs_of_one_contender_are_its_own_matter() {
    let text = "title = \"x\"\ncontenders = [\"sigmoid\", \"tanh\", \"relu\", \"elu\"]\nseeds = 10";
    let study = Study::parse(text, Path::new("a.toml")).unwrap();
    let (plan, records) = records(&study, |spec| {
        let gain = match spec.contender.as_str() {
            "tanh" => 0.01,
            "elu" => 0.02,
            _ => 0.0,
        };
        Some(0.9 + gain + 1e-4 * ((spec.seed * 7) % 5) as f64)
    });
    let kept = records.iter().filter(|run| {
        let spec = &run.specs[0];
        spec.contender != "elu" || spec.seed < 4
    });
    let records = Records::new(kept.cloned().collect());
    let analysis = Analysis::new(&plan, &records).unwrap();
    let headline = &analysis.conclusion.headline;
    assert!(headline.contains("better: tanh"), "{headline}");
    let evidence = analysis.conclusion.evidence.join("\n");
    assert!(
        evidence.contains("Too few seeds, whatever the results, for elu (n = 4)."),
        "{evidence}"
    );
    let leaders = "The best mean is that of elu (92.02 %, of 4 of 10 seeds); the best may be any of elu and tanh: with p-values corrected for all 6 pairs, more than the verdicts need, none of them is ruled out.";
    assert!(evidence.contains(leaders), "{evidence}");
    let rank = |index: usize| {
        analysis.cells[0].arms[index]
            .rank
            .map(|rank| (rank.best, rank.worst))
    };
    // Of sigmoid, tanh, relu and elu, which may be anywhere.
    assert_eq!(rank(1), Some((1, 2)));
    assert_eq!(rank(0), Some((2, 4)));
    assert_eq!(rank(3), None);
}

/// Of relu and sigmoid only four seeds are common. Both differ from tanh, one for the better and one for the
/// worse, so that relu alone may be first; but nothing says that it is better than sigmoid.
#[test]
fn who_alone_may_be_first_need_not_be_better_than_all() {
    let text = "title = \"x\"\ncontenders = [\"relu\", \"tanh\", \"sigmoid\"]\nseeds = 20";
    let study = Study::parse(text, Path::new("a.toml")).unwrap();
    let (plan, all) = records(&study, |spec| {
        let level = match spec.contender.as_str() {
            "relu" => 0.99,
            "tanh" => 0.97,
            _ => 0.95,
        };
        Some(level + 1e-4 * ((spec.seed * 7) % 5) as f64)
    });
    let leaders = |lost: fn(&RunSpec) -> bool| {
        let kept = all.iter().filter(|run| !lost(&run.specs[0]));
        let records = Records::new(kept.cloned().collect());
        let analysis = Analysis::new(&plan, &records).unwrap();
        analysis.conclusion.evidence.last().unwrap().clone()
    };
    assert_eq!(
        leaders(|_| false),
        "relu is better than all others (99.02 %)."
    );
    let lost = |spec: &RunSpec| match spec.contender.as_str() {
        "relu" => spec.seed < 8,
        "sigmoid" => spec.seed >= 12,
        _ => false,
    };
    assert_eq!(
        leaders(lost),
        "Only relu (99.02 %, of 12 of 20 seeds) may be the best, as every other contender is worse than one or more; but it is not shown to be better than sigmoid."
    );
}

#[test]
fn diverged_runs_count_as_chance_and_failed_ones_not_at_all() {
    let study = study("seeds = 8");
    let (plan, records) = records(&study, |spec| {
        (spec.contender != "tanh" || spec.seed != 0).then_some(0.98)
    });
    let mut runs: Vec<RunRecord> = records.iter().cloned().collect();
    for run in &mut runs {
        let spec = &run.specs[0];
        if spec.contender == "tanh" && spec.seed == 1 {
            run.status = Status::Failed {
                reason: String::from("the disk is full"),
            };
        }
    }
    let records = Records::new(runs);
    let analysis = Analysis::new(&plan, &records).unwrap();
    let tanh = &analysis.cells[0].arms[1];
    assert_eq!(
        (tanh.finished, tanh.diverged, tanh.failed, tanh.missing),
        (6, 1, 1, 0)
    );
    assert!((tanh.mean.unwrap().value - (0.1 + 6.0 * 0.98) / 7.0).abs() < 1e-12);
    assert_eq!(tanh.comparison.as_ref().unwrap().differences.count, 7);
    assert_eq!(analysis.run_counts.diverged, 1);
    assert_eq!(analysis.run_counts.failed, 1);
    let warnings = analysis.warnings.join("\n");
    assert!(
        warnings.contains("1 run diverged. Runs that diverge count with the accuracy of chance.")
    );
    assert!(warnings.contains("1 run failed"), "{warnings}");
    assert!(
        warnings.contains("--retry-failed` makes it again. Run "),
        "{warnings}"
    );
}

/// What diverges among the trials is left out of no comparison.
#[test]
fn diverged_trials_are_told_from_runs() {
    let study = study("seeds = 8\n[tuned]\nlearning_rates = [0.01, 0.1]\nseeds_per_rate = 2");
    let ability = |spec: &RunSpec| Ability {
        accuracy: 0.98,
        diverges_every: u64::from(spec.learning_rate == Some(0.1)),
    };
    let records = made_up::run(&study, ability);
    let plan = Plan::new(&study).unwrap();
    let analysis = Analysis::new(&plan, &records).unwrap();
    assert_eq!(analysis.run_counts.diverged, 0);
    assert_eq!(analysis.run_counts.diverged_trials, 4);
    let warnings = analysis.warnings.join("\n");
    assert!(
        warnings
            .contains("4 trials diverged; in the choice of a learning rate they count as chance."),
        "{warnings}"
    );
    assert!(!warnings.contains("runs diverged"), "{warnings}");
}

#[test]
fn times_of_several_machines_are_doubted() {
    for (metric, doubted) in [("seconds-per-step", true), ("test-accuracy", false)] {
        let study = study(&format!("seeds = 8\n[verdict]\nmetric = \"{metric}\""));
        let (plan, records) = records(&study, |_| Some(0.98));
        let doubts = |records: &Records| {
            let analysis = Analysis::new(&plan, records).unwrap();
            let warnings = analysis.warnings.join("\n");
            warnings.contains("The times are of several machines")
        };
        let mut runs: Vec<RunRecord> = records.iter().cloned().collect();
        let good = Ability {
            accuracy: 0.98,
            diverges_every: 0,
        };
        let environment = made_up::result(&runs[0].specs[0], good).environment;
        for run in &mut runs {
            run.environment.clone_from(&environment);
        }
        assert!(!doubts(&Records::new(runs.clone())));
        runs[0].environment.as_mut().unwrap().threads = Some(2);
        assert_eq!(doubts(&Records::new(runs)), doubted);
    }
}

#[test]
fn runs_of_several_versions_are_doubted() {
    let study = study("seeds = 8");
    let (plan, records) = records(&study, |_| Some(0.98));
    let doubts = |runs: &[RunRecord]| {
        let records = Records::new(runs.to_vec());
        let warnings = Analysis::new(&plan, &records).unwrap().warnings;
        warnings
            .iter()
            .any(|warning| warning.contains("of 2 versions of the program"))
    };
    let mut runs: Vec<RunRecord> = records.iter().cloned().collect();
    for run in &mut runs {
        run.environment = Some(Environment::default());
    }
    assert!(!doubts(&runs));
    runs[0].environment.as_mut().unwrap().threads = Some(2);
    assert!(!doubts(&runs));
    runs[0].environment.as_mut().unwrap().commit = Some("f00".into());
    assert!(doubts(&runs));
}

/// ln 10 is 2.3026. Of eight networks five are most.
#[test]
fn networks_that_guess_are_doubted() {
    for (guessing, doubted) in [(0, false), (4, false), (5, true)] {
        for (loss, classes) in [(2.31, Some(10)), (2.30, Some(10)), (2.31, None)] {
            let study = study("seeds = 8");
            let (plan, records) = records(&study, |_| Some(0.5));
            let mut runs: Vec<RunRecord> = records.iter().cloned().collect();
            for run in &mut runs {
                run.classes = classes;
                let is_first = run.specs[0].contender == "tanh" && run.specs[0].seed < guessing;
                run.test.as_mut().unwrap().loss = Some(if is_first { loss } else { 0.1 });
            }
            let records = Records::new(runs);
            let warnings = Analysis::new(&plan, &records).unwrap().warnings;
            let found = warnings
                .iter()
                .any(|warning| warning.starts_with("Most networks of tanh have a test loss"));
            let high = loss == 2.31 && classes.is_some();
            assert_eq!(found, doubted && high, "{warnings:?}");
        }
    }
}

/// One rate for all is warned of, unless contenders have their own.
#[test]
fn one_learning_rate_for_all_is_doubted() {
    let is_warned_of = |contenders: &str| {
        let text = format!("title = \"x\"\ncontenders = {contenders}\nseeds = 6");
        let study = Study::parse(&text, Path::new("a.toml")).unwrap();
        let (plan, records) = records(&study, |_| Some(0.98));
        let warnings = Analysis::new(&plan, &records).unwrap().warnings;
        let mut warnings = warnings.iter();
        warnings.any(|warning| warning.starts_with("All functions have the same learning rate"))
    };
    assert!(is_warned_of("[\"relu\", \"tanh\"]"));
    assert!(!is_warned_of(
        "[{ activation = \"relu\", with = { optimizer.learning_rate = 0.1 } }, \"tanh\"]"
    ));
    // One function, changed in something else.
    assert!(!is_warned_of(
        "[\"relu\", { activation = \"relu\", name = \"b\", with = { batch_size = 9 } }]"
    ));
}

/// Of classes that are not equally common, the loss of naming one every time is less than that of guessing.
#[test]
fn networks_that_name_one_class_are_doubted() {
    let study = study("seeds = 8");
    let (plan, records) = records(&study, |spec| {
        Some(if spec.contender == "tanh" { 0.95 } else { 0.97 })
    });
    let warnings = |share: f64| {
        let mut runs: Vec<RunRecord> = records.iter().cloned().collect();
        for run in &mut runs {
            run.classes = Some(3);
            run.commonest_class_share = Some(share);
            run.test.as_mut().unwrap().loss = Some(0.2);
        }
        let warnings = Analysis::new(&plan, &Records::new(runs)).unwrap().warnings;
        warnings.join("\n")
    };
    let of_one = "Most networks of tanh are right for no more test images than by naming";
    let of_all =
        "Naming the commonest class every time would be right for 95.0 % of the test images";
    let said = warnings(0.95);
    assert!(said.contains(of_one) && said.contains(of_all), "{said}");
    let said = warnings(0.4);
    assert!(!said.contains("commonest class"), "{said}");
}

/// Networks that are sure of what is wrong need no more epochs, and those whose loss is far above that of
/// guessing smaller steps.
#[test]
fn overfitted_networks_are_told_from_those_that_guess() {
    for (loss, training_loss, expected) in [
        (3.0, 2.0, "too few steps"),
        (3.0, 0.01, "they are overfitted"),
        (80.0, 0.01, "they are overfitted"),
        (80.0, 75.0, "the learning rate is too high"),
    ] {
        let study = study("seeds = 8");
        let (plan, records) = records(&study, |_| Some(0.5));
        let mut runs: Vec<RunRecord> = records.iter().cloned().collect();
        for run in &mut runs {
            run.classes = Some(10);
            run.test.as_mut().unwrap().loss = Some(loss);
            run.epochs = vec![Epoch {
                training: Score {
                    loss: Some(training_loss),
                    ..Score::default()
                },
                ..Epoch::default()
            }];
        }
        let records = Records::new(runs);
        let warnings = Analysis::new(&plan, &records).unwrap().warnings;
        let found: Vec<_> = warnings
            .iter()
            .filter(|warning| {
                warning.contains("that of guessing") || warning.contains("than guessing")
            })
            .collect();
        let [warning] = &found[..] else {
            panic!("{warnings:?}");
        };
        assert!(
            warning.starts_with("Most networks of sigmoid and tanh "),
            "{warning}"
        );
        assert!(warning.contains(expected), "{warning}");
    }
}

/// Of 500 images one is 0.2 points, of 2,000 it is 0.05.
#[test]
fn few_test_images_are_warned_of() {
    for (test, warned) in [(500, true), (2000, false)] {
        let study = study("seeds = 8");
        let (plan, records) = records(&study, |_| Some(0.5));
        let mut runs: Vec<RunRecord> = records.iter().cloned().collect();
        for run in &mut runs {
            run.images = Some(ImageCounts {
                training: 4000,
                validation: 100,
                test,
            });
        }
        let records = Records::new(runs);
        let analysis = Analysis::new(&plan, &records).unwrap();
        let warnings = analysis.warnings.join("\n");
        let text = "A network is tested on 500 images, so that one image is 0.20 points, more than the margin of 0.10";
        assert_eq!(warnings.contains(text), warned, "{warnings}");
        // All have the same scores, which of few images means nothing.
        let headline = &analysis.conclusion.headline;
        assert_eq!(headline.contains("equivalent"), !warned, "{headline}");
    }
}

/// Of 1,200 images of two classes one is 0.08 points of accuracy, but of the 24 of the rarer class it is 2.08 points of
/// balanced accuracy.
#[test]
fn a_rare_class_makes_balanced_accuracy_coarse() {
    for (metric, warned) in [("balanced-accuracy", true), ("test-accuracy", false)] {
        let study = study(&format!(
            "seeds = 8\n[verdict]\nmetric = \"{metric}\"\nmargin = 0.001"
        ));
        let (plan, records) = records(&study, |_| Some(0.5));
        let uneven = records.iter().cloned().map(|mut run| {
            run.images = Some(ImageCounts {
                training: 4000,
                validation: 1200,
                test: 1200,
            });
            run.balanced_accuracy_step = Some(1.0 / (2.0 * 24.0));
            run.test = Some(Score {
                accuracy: Some(0.5),
                balanced_accuracy: Some(0.5),
                ..Score::default()
            });
            run
        });
        let records = Records::new(uneven.collect());
        let analysis = Analysis::new(&plan, &records).unwrap();
        let warnings = analysis.warnings.join("\n");
        let warning = "on 1,200 images, so that one image of the rarest class is 2.08 points, more than the margin of 0.10";
        assert_eq!(warnings.contains(warning), warned, "{warnings}");
        let headline = &analysis.conclusion.headline;
        assert_eq!(headline.contains("equivalent"), !warned, "{headline}");
        let method = "The margin is less than what one image can change";
        assert_eq!(page(&plan, &records).contains(method), warned);
    }
}

/// Of 30 images one is 3.3 points, whichever accuracy is compared, and the report says so once.
#[test]
fn nothing_is_equivalent_by_few_images_of_any_kind() {
    for metric in ["validation-accuracy", "test-accuracy", "accuracy-gap"] {
        let study = study(&format!(
            "seeds = 8\n[verdict]\nmetric = \"{metric}\"\nmargin = 0.001"
        ));
        let (plan, records) = records(&study, |_| Some(0.5));
        let score = Score {
            accuracy: Some(0.5),
            ..Score::default()
        };
        let few = records.iter().cloned().map(|mut run| {
            run.images = Some(ImageCounts {
                training: 4000,
                validation: 30,
                test: 30,
            });
            run.chosen_epoch = Some(1);
            run.epochs = vec![Epoch {
                epoch: 1,
                training_at_end: Some(score),
                validation: score,
                ..Epoch::default()
            }];
            run
        });
        let records = Records::new(few.collect());
        let analysis = Analysis::new(&plan, &records).unwrap();
        let [_, tanh] = &analysis.cells[0].arms[..] else {
            panic!("{metric}")
        };
        let verdict = tanh.comparison.as_ref().unwrap().verdict;
        assert!(
            matches!(verdict, Verdict::Undecided { .. }),
            "{metric}: {verdict:?}"
        );
        let warnings = analysis.warnings.join("\n");
        let warning = "on 30 images, so that one image is 3.33 points";
        assert!(warnings.contains(warning), "{metric}: {warnings}");
        let report = page(&plan, &records);
        assert!(
            report.contains("The margin is less than what one image can change"),
            "{metric}"
        );
        assert!(
            !report.contains("within the margin, corrected alike"),
            "{metric}"
        );
    }
}

/// Scores that are assumed show no equivalence: not those of runs that never reached the accuracy, not even
/// beside one another, nor those of runs that diverged beside runs that guess.
#[test]
fn what_is_assumed_shows_no_equivalence() {
    // In units of what reaches the accuracy: after so many epochs of three, or never.
    let compared = |baseline: usize, other: usize, metric: &str| {
        let study = study(&format!(
            "seeds = 8\n[verdict]\nmetric = \"{metric}:0.9\"\nmargin = 5.0"
        ));
        let (plan, records) = records(&study, |_| Some(0.5));
        let runs = records.iter().cloned().map(|mut run| {
            let (reached, seconds) = match run.specs[0].contender.as_str() {
                "sigmoid" => (baseline, 1.0),
                _ => (other, 2.0),
            };
            run.epochs = (1..=3)
                .map(|epoch| Epoch {
                    epoch,
                    validation: Score {
                        accuracy: Some(if epoch < reached { 0.5 } else { 0.95 }),
                        ..Score::default()
                    },
                    ..Epoch::default()
                })
                .collect();
            let times = EpochTimes {
                training_seconds: seconds,
                ..EpochTimes::default()
            };
            run.times = Some(Times {
                epochs: vec![times; 3],
                ..Times::default()
            });
            run
        });
        let records = Records::new(runs.collect());
        let analysis = Analysis::new(&plan, &records).unwrap();
        let comparison = analysis.cells[0].arms[1].comparison.unwrap();
        (
            comparison.verdict,
            comparison.differences.mean,
            analysis.warnings.join("\n"),
            analysis.conclusion.evidence[0].clone(),
        )
    };
    let never = 4;
    let inconclusive = Verdict::Undecided {
        reason: statistics::Reason::AssumedScores,
        new_study: None,
    };
    let (verdict, difference, warnings, _) = compared(2, 2, "epochs-to");
    assert_eq!((verdict, difference), (Verdict::Equivalent, 0.0));
    assert!(!warnings.contains("never reached"), "{warnings}");
    // All later by one epoch, of a margin of five: a difference that was seen.
    let (verdict, difference, warnings, said) = compared(3, never, "epochs-to");
    assert_eq!((verdict, difference), (Verdict::Worse, 1.0));
    let warning = "The accuracy was never reached by 8 of 8 runs of tanh; the score of such a run is that of one epoch more than it had, so that its contender's mean is at least what is said. How far two such contenders differ is not known.";
    assert!(warnings.contains(warning), "{warnings}");
    assert_eq!(
        said,
        "tanh is worse than sigmoid: at least 1.0 in epochs to 90.0 % validation accuracy (n = 8 seeds, p = 0.008)."
    );
    let (verdict, difference, _, said) = compared(never, 3, "epochs-to");
    assert_eq!((verdict, difference), (Verdict::Better, -1.0));
    assert_eq!(
        said,
        "tanh is better than sigmoid: at least 1.0 less in epochs to 90.0 % validation accuracy (n = 8 seeds, p = 0.008)."
    );
    // Of two that never got there, the one whose epochs take longer is not slower.
    for metric in ["epochs-to", "seconds-to"] {
        let (verdict, difference, ..) = compared(never, never, metric);
        assert_eq!((verdict, difference), (inconclusive, 0.0), "{metric}");
    }

    let study = study("seeds = 8");
    let (plan, guessing) = records(&study, |spec| (spec.contender != "tanh").then_some(0.1));
    let analysis = Analysis::new(&plan, &guessing).unwrap();
    let comparison = analysis.cells[0].arms[1].comparison.unwrap();
    assert_eq!(comparison.differences.mean, 0.0);
    assert_eq!(comparison.verdict, inconclusive);
}

/// Whoever has no score, as all its runs diverged, still is one of those that were asked about: without it six
/// seeds that agree would show a difference, 2 / 2⁶, and they do not with two comparisons.
#[test]
fn a_contender_without_scores_is_corrected_for() {
    let three = |seeds: u64| {
        let head = "title = \"x\"\ncontenders = [\"sigmoid\", \"tanh\", \"relu\"]\n";
        let text = format!("{head}seeds = {seeds}\n[verdict]\nmetric = \"test-loss\"");
        Study::parse(&text, Path::new("a.toml")).unwrap()
    };
    let with_losses = |study: &Study| {
        let (plan, records) = records(study, |spec| (spec.contender != "relu").then_some(0.9));
        let runs = records.iter().cloned().map(|mut run| {
            if let Some(test) = &mut run.test {
                let more = if run.specs[0].contender == "tanh" {
                    0.1
                } else {
                    0.0
                };
                test.loss = Some(0.2 + more + 1e-3 * run.specs[0].seed as f64);
            }
            run
        });
        (plan, Records::new(runs.collect()))
    };
    let (plan, records) = with_losses(&three(6));
    let analysis = Analysis::new(&plan, &records).unwrap();
    let comparison = analysis.cells[0].arms[1].comparison.as_ref().unwrap();
    assert!((comparison.difference - 2.0 / 64.0).abs() < 1e-12);
    assert!((comparison.adjusted.difference - 4.0 / 64.0).abs() < 1e-12);
    assert!(matches!(comparison.verdict, Verdict::Undecided { .. }));
    assert!(analysis.cells[0].arms[2].comparison.is_none());

    let (plan, records) = with_losses(&three(8));
    let analysis = Analysis::new(&plan, &records).unwrap();
    let comparison = analysis.cells[0].arms[1].comparison.as_ref().unwrap();
    assert_eq!(comparison.verdict, Verdict::Worse);
    let evidence = analysis.conclusion.evidence.join("\n");
    let leader = "sigmoid is better than all others that have scores (0.2035).";
    assert!(evidence.contains(leader), "{evidence}");
}

/// The words of a report.
fn page(plan: &Plan, records: &Records) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results");
    let curves = made_up::curves(plan.study());
    report::write(plan, records, &curves, "make", &path).unwrap();
    std::fs::read_to_string(path.join("report.md")).unwrap()
}

/// In the report's own sentences, from medians over the seeds.
#[test]
fn what_is_to_see_is_said() {
    // In the first seed's run, tanh has so many dead units more.
    let seen_with = |more: f64, [of_sigmoid, of_tanh]: [(f64, f64, f64); 2]| {
        let (plan, records) = records(&study("seeds = 3"), |_| Some(0.9));
        let runs = records.iter().cloned().map(|mut run| {
            let (loss, dead, gradient) = match run.specs[0].contender.as_str() {
                "sigmoid" => of_sigmoid,
                _ => of_tanh,
            };
            let dead = match run.specs[0].seed == 0 && run.specs[0].contender == "tanh" {
                true => dead + more,
                false => dead,
            };
            run.chosen_epoch = Some(1);
            run.epochs = vec![Epoch {
                epoch: 1,
                training_at_end: Some(Score {
                    loss: Some(loss),
                    ..Score::default()
                }),
                sites: [gradient, 1.0]
                    .map(|norm| SiteEpoch {
                        dead: Some(dead),
                        gradient_norm: Some(norm),
                        ..SiteEpoch::default()
                    })
                    .to_vec(),
                ..Epoch::default()
            }];
            run
        });
        let page = page(&plan, &Records::new(runs.collect()));
        let (_, after) = page.split_once("## What to see\n\n").unwrap();
        after.split_once("\n\n").unwrap().0.to_owned()
    };
    for (measured, expected) in [
        (
            [(0.3, 0.0, 1e-4), (0.02, 0.25, 0.5)],
            "- The training images are fitted most closely with tanh (loss 0.0200) and least closely with sigmoid (0.300).
- Units are dead, and learn from no image, with tanh (25.00 %), and with none of the others.
- The gradients vanish with sigmoid: in the first epoch the norm of the first layer's is 0.00010 (sigmoid) to 0.50 (tanh) times that of the last layer's.",
        ),
        (
            [(0.3, 0.0, 0.5), (0.3, 0.0, 200.0)],
            "- No function has dead units at the end.
- The gradients explode with tanh: in the first epoch the norm of the first layer's is 0.50 (sigmoid) to 200 (tanh) times that of the last layer's.",
        ),
        (
            [(0.3, 0.1, 2.0), (0.2, 0.2, 2.0)],
            "- The training images are fitted most closely with tanh (loss 0.200) and least closely with sigmoid (0.300).
- Units are dead, and learn from no image, with tanh (20.00 %) and sigmoid (10.00 %).
- The gradients neither vanish nor explode: in the first epoch the norm of the first layer's is 2.0 times that of the last layer's.",
        ),
    ] {
        assert_eq!(seen_with(0.0, measured), expected);
    }
    // What is said of the median run is not so of every one.
    let alike = [(0.3, 0.0, 0.5), (0.3, 0.0, 0.5)];
    let seen = seen_with(0.3, alike);
    assert!(
        seen.starts_with("- In most runs no function has dead units at the end.\n"),
        "{seen}"
    );
    let seen = seen_with(0.3, [(0.3, 0.1, 0.5), (0.3, 0.0, 0.5)]);
    assert!(
        seen.contains("with sigmoid (10.00 %), and in most runs with none of the others."),
        "{seen}"
    );
}

/// A change of some runs by a number, one of which a reader need not know and another that is warned of.
struct Doubt {
    change: fn(&mut RunRecord, f64),
    harmless: f64,
    harmful: f64,
    warning: &'static str,
}

/// In place of tanh's trials with the rate 0.1, or its final run with the seed 3, as `stage` says.
fn is_changed(run: &RunRecord, stage: Stage) -> bool {
    let spec = &run.specs[0];
    let is_meant = match stage {
        Stage::Trial => spec.learning_rate == Some(0.1),
        Stage::Final => spec.seed == 3,
    };
    spec.contender == "tanh" && spec.stage == stage && is_meant
}

const DOUBTS: [Doubt; 6] = [
    Doubt {
        change: |run, seconds| {
            if is_changed(run, Stage::Final) {
                run.times.as_mut().unwrap().seconds_per_step = Some(seconds);
            }
        },
        harmless: 0.025,
        harmful: 0.03,
        warning: "Times of training say little: of one contender's runs (tanh) the slowest takes 1.50 times as long for a step as the fastest, as where other programs run beside.",
    },
    Doubt {
        change: |run, accuracy| {
            if is_changed(run, Stage::Final) {
                run.epochs[0].validation.accuracy = Some(accuracy);
            }
        },
        harmless: 0.9,
        harmful: 0.89,
        warning: "The accuracy was never reached by 1 of 6 runs of tanh; the score of such a run is that of one epoch more than it had, so that its contender's mean is at least what is said. How far two such contenders differ is not known.",
    },
    Doubt {
        // Up to this rate.
        change: |run, rate| {
            let spec = &run.specs[0];
            if spec.stage == Stage::Trial
                && spec.contender == "tanh"
                && spec.learning_rate <= Some(rate)
            {
                let reason = String::from("the disk is full");
                run.status = Status::Failed { reason };
            }
        },
        harmless: 0.01,
        harmful: 0.1,
        warning: "All trials failed, so that no learning rate can be chosen and there are no final runs on the tuned track, of tanh.",
    },
    Doubt {
        change: |run, accuracy| {
            if is_changed(run, Stage::Trial) {
                run.epochs[0].validation.accuracy = Some(accuracy);
            }
        },
        harmless: 0.94,
        harmful: 0.96,
        warning: "The best learning rate lies at the end of the grid, and a better one may lie outside (`learning_rates`, or `compare --rates`), for tanh.",
    },
    Doubt {
        // 0.01 below that of the chosen rate on average: of three trials 2.5 standard deviations are told.
        change: |run, deviation| {
            if is_changed(run, Stage::Trial) {
                let turn = (run.specs[0].seed % 3) as f64 - 1.0;
                run.epochs[0].validation.accuracy = Some(0.94 + turn * deviation);
            }
        },
        harmless: 0.004,
        harmful: 0.0041,
        warning: "In 1 of 2 choices of a learning rate, another rate may be as good as the chosen one (marked ≈ in the table of trials); more trials (`seeds_per_rate`, or `compare --trials`) might decide.",
    },
    Doubt {
        change: |run, seconds| {
            run.times.as_mut().unwrap().epochs[0].measuring_seconds = seconds;
        },
        harmless: 5.0,
        harmful: 6.0,
        warning: "Measuring inside the networks (dead units, gradients and so on) took 6.0 % of a run's time (median); times of training leave it out.",
    },
];

#[test]
fn what_makes_results_doubtful_is_warned_of() {
    let text = "seeds = 6\n[tuned]\nlearning_rates = [0.001, 0.01, 0.1]\nseeds_per_rate = 3\n[verdict]\nmetric = \"epochs-to:0.9\"";
    let plan = Plan::new(&study(text)).unwrap();
    let plain = |spec: &RunSpec| {
        let mut run = scored(spec, Some(0.98));
        let accuracy = match spec.learning_rate {
            Some(0.01) => 0.95,
            _ => 0.93,
        };
        run.epochs = vec![Epoch {
            epoch: 1,
            validation: Score {
                accuracy: Some(accuracy),
                ..Score::default()
            },
            ..Epoch::default()
        }];
        run.chosen_epoch = Some(1);
        run.times = Some(Times {
            total_seconds: Some(100.0),
            seconds_per_step: Some(0.02),
            epochs: vec![EpochTimes {
                training_seconds: 90.0,
                ..EpochTimes::default()
            }],
            ..Times::default()
        });
        run
    };
    let warnings = |change: &dyn Fn(&mut RunRecord)| {
        let mut records = Records::default();
        loop {
            let pending = plan.pending(&records);
            if pending.is_empty() {
                return Analysis::new(&plan, &records).unwrap().warnings;
            }
            for spec in pending {
                let mut run = plain(&spec);
                change(&mut run);
                records.push(run);
            }
        }
    };
    assert_eq!(warnings(&|_| ()), [""; 0]);
    for Doubt {
        change,
        harmless,
        harmful,
        warning,
    } in DOUBTS
    {
        let is_warned = |number| {
            let warnings = warnings(&|run| change(run, number));
            warnings.iter().any(|found| found == warning)
        };
        assert!(!is_warned(harmless), "{harmless}: {warning}");
        assert!(is_warned(harmful), "{harmful}: {warning}");
    }
}

/// With seven pairs that agree, p is 2/2⁷, and 1/32 corrected for two comparisons; with six 2/2⁶ for one.
#[test]
fn the_fewest_seeds_are_those_that_can_show_something() {
    assert_eq!(study("seeds = 2").fewest_seeds(), Some(6));
    let text = "title = \"x\"\ncontenders = [\"sigmoid\", \"tanh\", \"relu\"]\nseeds = 2";
    let three = Study::parse(text, Path::new("a.toml")).unwrap();
    assert_eq!(three.fewest_seeds(), Some(7));
    // Every setting that decides has its comparisons: 2 contenders in 3 settings are six, of p 2/2⁸ each.
    let factor = "\nseeds = 2\n[[vary]]\nname = \"epochs\"\nfield = \"epochs\"\nvalues = [1, 2, 3]";
    let settings = |verdict: &str| {
        let text = format!("{}{factor}{verdict}", text.replace("\nseeds = 2", ""));
        Study::parse(&text, Path::new("a.toml")).unwrap()
    };
    assert_eq!(settings("").fewest_seeds(), Some(8));
    let one = settings("\n[verdict]\nsetting.epochs = \"2\"");
    assert_eq!(one.fewest_seeds(), Some(7));
}

/// Where no setting can show anything, the headline says so, as it does of one setting.
#[test]
fn too_few_seeds_for_several_settings_are_said() {
    let text = "\n[[vary]]\nname = \"depth\"\nfield = \"network.preset\"\nvalues = [\"deep:2\", \"deep:8\"]";
    let conclusion = |seeds: usize, kept: fn(&RunSpec) -> bool| {
        let study = study(&format!("seeds = {seeds}{text}"));
        let (plan, all) = records(&study, tanh_gains(0.01));
        let kept = all.iter().filter(|run| kept(&run.specs[0]));
        let records = Records::new(kept.cloned().collect());
        Analysis::new(&plan, &records).unwrap().conclusion
    };
    // Two comparisons take seven seeds.
    assert_eq!(
        conclusion(6, |_| true).headline,
        "Too few seeds to tell any contender from sigmoid: n = 6 cannot reach the level 0.05 in 2 comparisons, whatever the results; 7 can."
    );
    let found = conclusion(7, |_| true);
    assert!(
        found.headline.ends_with("of 2 comparisons: 2 better."),
        "{}",
        found.headline
    );
    assert_eq!(found.evidence.len(), 2);
    let part = conclusion(10, |spec| {
        spec.setting.0["depth"] == "deep:2" || spec.seed < 4
    });
    assert_eq!(
        part.evidence.last().unwrap(),
        "Too few seeds, whatever the results, for depth deep:8, tanh (n = 4)."
    );
}

#[test]
fn only_what_was_asked_for_is_corrected_for() {
    let factor = "seeds = 8\n[[vary]]\nname = \"depth\"\nfield = \"network.preset\"\nvalues = [\"deep:2\", \"deep:8\"]\n";
    let decided_by = |text: &str| {
        let study = study(&format!("{factor}{text}"));
        let (plan, records) = records(&study, tanh_gains(0.002));
        let analysis = Analysis::new(&plan, &records).unwrap();
        let decides: Vec<bool> = analysis.cells.iter().map(|cell| cell.decides).collect();
        let p_values: Vec<f64> = analysis
            .cells
            .iter()
            .map(|cell| cell.arms[1].comparison.unwrap().adjusted.difference)
            .collect();
        (decides, p_values)
    };
    // Both settings are asked for: two comparisons.
    assert_eq!(decided_by(""), (vec![true, true], vec![4.0 / 256.0; 2]));
    // One is, and the other stands for itself.
    assert_eq!(
        decided_by("[verdict]\nsetting.depth = \"deep:8\""),
        (vec![false, true], vec![2.0 / 256.0; 2])
    );
}

/// What is undecided in one setting, and contrary in the other.
#[test]
fn a_claim_can_fail_in_part() {
    let text = "seeds = 8\n[[vary]]\nname = \"depth\"\nfield = \"network.preset\"\nvalues = [\"deep:2\", \"deep:8\"]\n[verdict]\nexpect.tanh = \"better\"";
    let (plan, records) = records(&study(text), |spec| {
        let turn = if spec.seed.is_multiple_of(2) {
            1.0
        } else {
            -1.0
        };
        let gain = match spec.setting.0["depth"].as_str() {
            "deep:2" => 0.002 * turn,
            _ => -0.002,
        };
        tanh_gains(gain)(spec)
    });
    let analysis = Analysis::new(&plan, &records).unwrap();
    let claim = analysis.claim().unwrap();
    assert_eq!(claim.status, ClaimStatus::PartlyContradicted);
    let said = "The expectation is partly contradicted: 0 of 2 comparisons as expected, 1 contrary to it, 1 undecided";
    assert!(claim.sentence.starts_with(said), "{}", claim.sentence);
}

#[test]
fn a_claim_can_hold_in_part() {
    let text = "seeds = 8\n[[vary]]\nname = \"depth\"\nfield = \"network.preset\"\nvalues = [\"deep:2\", \"deep:8\"]\n[verdict]\nexpect.tanh = \"better\"";
    let (plan, records) = records(&study(text), |spec| {
        let gain = if spec.setting.0["depth"] == "deep:2" {
            0.002
        } else {
            -0.002
        };
        tanh_gains(gain)(spec)
    });
    let analysis = Analysis::new(&plan, &records).unwrap();
    let claim = analysis.claim().unwrap();
    assert_eq!(claim.status, ClaimStatus::PartlySupported);
    assert!(
        claim.sentence.starts_with(
            "The expectation is partly supported: 1 of 2 comparisons as expected, 1 contrary to it, with differences in test accuracy from −0.22 points ["
        ),
        "{}",
        claim.sentence
    );
    assert_eq!(analysis.conclusion.evidence, claim.comparisons);
    let [first, second] = &claim.comparisons[..] else {
        panic!("{:?}", claim.comparisons);
    };
    assert!(
        first.starts_with("depth deep:2, tanh, expected to be better than sigmoid: as expected; "),
        "{first}"
    );
    assert!(
        second.contains(": contrary to that; −0.22 points ["),
        "{second}"
    );
    // Two settings, two contenders: each is first once.
    assert_eq!(analysis.ranks[0].summary.average_ranks, [1.5, 1.5]);
}

/// A number of seeds that would decide is that of another study: those at hand may not be added to.
#[test]
fn what_is_undecided_is_for_a_new_study() {
    let text = "seeds = 8\n[[vary]]\nname = \"depth\"\nfield = \"network.preset\"\nvalues = [\"deep:2\", \"deep:8\"]\n[verdict]\nexpect.tanh = \"better\"";
    let study = study(text);
    let (plan, records) = records(&study, |spec| {
        let gain = match spec.contender.as_str() {
            "tanh" => [0.003, -0.002][(spec.seed % 2) as usize],
            _ => 0.0,
        };
        Some(0.98 + gain)
    });
    let analysis = Analysis::new(&plan, &records).unwrap();
    let line = &analysis.claim().unwrap().comparisons[0];
    // A mean of 0.05 points and an SD of 0.27 take a hundred or two.
    let number = line
        .split_once(": undecided: a new study of about ")
        .and_then(|(_, rest)| rest.split_once(" seeds would probably decide it; "))
        .and_then(|(number, _)| number.parse::<usize>().ok());
    assert!(
        number.is_some_and(|number| (100..400).contains(&number)),
        "{line}"
    );
}

/// Neither the places nor a coefficient of them say anything where all are equal.
#[test]
fn equal_scores_have_no_order() {
    let text = "seeds = 8\n[common]\noptimizer.learning_rate = 0.1\n[tuned]\nlearning_rates = [0.001, 0.01]";
    let study = study(text);
    let (plan, records) = records(&study, |_| Some(0.5));
    let analysis = Analysis::new(&plan, &records).unwrap();
    let [comparison] = &analysis.track_comparisons[..] else {
        panic!("{:?}", analysis.track_comparisons);
    };
    assert_eq!(comparison.agreement, None);
}

#[test]
fn shifts_between_the_tracks() {
    let text = "seeds = 8\n[common]\noptimizer.learning_rate = 0.1\n[tuned]\nlearning_rates = [0.001, 0.01]";
    let study = study(text);
    let records = made_up::run(&study, |spec| Ability {
        // On the common track tanh is ahead, on the tuned one sigmoid.
        accuracy: match (spec.contender.as_str(), spec.track) {
            ("tanh", Track::Common) | ("sigmoid", Track::Tuned) => 0.985,
            _ => 0.975,
        },
        diverges_every: 0,
    });
    let plan = Plan::new(&study).unwrap();
    let analysis = Analysis::new(&plan, &records).unwrap();
    let [comparison] = &analysis.track_comparisons[..] else {
        panic!("{:?}", analysis.track_comparisons);
    };
    assert_eq!(comparison.agreement, Some(-1.0));
    assert_eq!(comparison.shifts[0].name, "sigmoid");
    assert_eq!(
        (
            comparison.shifts[0].common_place,
            comparison.shifts[0].tuned_place
        ),
        (2, 1)
    );
    assert_eq!(comparison.shifts[0].difference.unwrap().count, 8);
    // Equal means share a place.
    let (plan, equal) = self::records(&study, |_| Some(0.9));
    let trials = equal.iter().cloned().map(|mut run| {
        run.chosen_epoch = Some(1);
        run.epochs = vec![Epoch {
            epoch: 1,
            validation: Score {
                accuracy: Some(0.9),
                ..Score::default()
            },
            ..Epoch::default()
        }];
        run
    });
    let trials = Records::new(trials.collect());
    let mut equal = trials.clone();
    for spec in plan.pending(&trials) {
        equal.push(scored(&spec, Some(0.9)));
    }
    let equal = Analysis::new(&plan, &equal).unwrap();
    let places = equal.track_comparisons[0].shifts.iter();
    let places: Vec<_> = places
        .map(|shift| (shift.common_place, shift.tuned_place))
        .collect();
    assert_eq!(places, [(1, 1), (1, 1)]);
    assert!(
        analysis
            .cells
            .iter()
            .all(|cell| cell.decides == (cell.track == Track::Tuned))
    );
}

#[test]
fn what_belongs_to_no_planned_run_is_left_out() {
    let (plan, mut records) = {
        let (plan, records) = records(&study("seeds = 6"), tanh_gains(0.002));
        (plan, records)
    };
    let later = Plan::new(&study("seeds = 7")).unwrap();
    let extra = later.pending(&records).remove(0);
    records.push(scored(&extra, Some(0.5)));
    let analysis = Analysis::new(&plan, &records).unwrap();
    assert_eq!(analysis.cells[0].n(), 6);
    // Studies may share a folder.
    let [warning] = &analysis.warnings[..] else {
        panic!("{:?}", analysis.warnings);
    };
    assert!(
        warning.starts_with("All functions have the same"),
        "{warning}"
    );
}

fn run() -> RunRecord {
    let plan = Plan::new(&study("seeds = 1")).unwrap();
    let spec = &plan.pending(&Records::default())[0];
    assert_eq!(spec.stage, Stage::Final);
    let mut run = scored(spec, Some(0.97));
    run.chosen_epoch = Some(2);
    for (epoch, (validation, test)) in [(0.90, 0.91), (0.98, 0.97), (0.97, 0.99)]
        .into_iter()
        .enumerate()
    {
        let score = |accuracy| Score {
            accuracy: Some(accuracy),
            ..Score::default()
        };
        run.epochs.push(Epoch {
            epoch: epoch + 1,
            training: score(0.995),
            validation: score(validation),
            test_accuracy: Some(test),
            effective_rank: Some(40.0),
            sites: [1e-4, 2.0, 1e-2]
                .into_iter()
                .map(|norm| SiteEpoch {
                    dead: Some(0.1),
                    sparsity: Some(norm),
                    gradient_norm: Some(norm),
                    ..SiteEpoch::default()
                })
                .collect(),
            ..Epoch::default()
        });
    }
    run.times = Some(Times {
        total_seconds: Some(10.0),
        epochs: vec![
            EpochTimes {
                training_seconds: 2.0,
                scoring_seconds: 1.0,
                measuring_seconds: 0.1,
            };
            3
        ],
        ..Times::default()
    });
    run
}

#[test]
fn metrics_by_hand() {
    let run = run();
    let measured = |text: &str| match text.parse::<Metric>().unwrap().value(&run) {
        Value::Measured(value) => value,
        other => panic!("{text}: {other:?}"),
    };
    for (metric, expected) in [
        ("test-accuracy", 0.97),
        ("validation-accuracy", 0.98),
        ("accuracy-gap", 0.995 - 0.97),
        ("dead-share", 0.1),
        ("sparsity", (1e-4 + 2.0 + 1e-2) / 3.0),
        ("gradient-decades", -2.0),
        ("effective-rank", 40.0),
        ("training-seconds", 6.0),
        ("epochs-to:0.95", 2.0),
        ("seconds-to:0.9", 2.0),
        ("seconds-to:0.98", 4.0),
    ] {
        assert!(
            (measured(metric) - expected).abs() < 1e-12,
            "{metric}: {}",
            measured(metric)
        );
    }
    assert!((run.inflation().unwrap() - 0.02).abs() < 1e-12);
    assert!((run.measuring_share().unwrap() - 0.03).abs() < 1e-12);
    // Never reached: one epoch more.
    assert_eq!(Metric::EpochsTo(0.999).value(&run), Value::Assumed(4.0));
    assert_eq!(Metric::SecondsTo(0.999).value(&run), Value::Assumed(8.0));
    assert_eq!(Metric::TestLoss.value(&run), Value::Missing);
    let diverged = RunRecord {
        status: Status::Diverged { epoch: 3 },
        ..run
    };
    assert_eq!(Metric::TestAccuracy.value(&diverged), Value::Assumed(0.1));
    assert_eq!(
        Metric::GradientDecades.value(&diverged),
        Value::Measured(-2.0)
    );
    assert_eq!(Metric::DeadShare.value(&diverged), Value::Missing);
}

/// In the table and in the sentence above it.
#[test]
fn inflation_is_that_of_finished_runs() {
    let study = study("seeds = 8");
    let (plan, records) = records(&study, |_| Some(0.97));
    let runs = records.iter().cloned().enumerate().map(|(number, made)| {
        let mut run = RunRecord {
            id: made.id,
            specs: made.specs,
            ..run()
        };
        if number == 0 {
            run.status = Status::Diverged { epoch: 3 };
        }
        run
    });
    let report = page(&plan, &Records::new(runs.collect()));
    assert!(report.contains("on average (15 runs)"), "{report}");
}

#[test]
fn numbers_for_readers() {
    for (metric, value, score, difference) in [
        ("test-accuracy", 0.0042, "0.42 %", "+0.42 points"),
        ("test-accuracy", -0.0042, "−0.42 %", "−0.42 points"),
        ("test-accuracy", 1e-9, "0.00 %", "0.00 points"),
        ("test-loss", 0.034_56, "0.03456", "+0.03456"),
        ("seconds-per-step", 0.0213, "21.30 ms", "+21.30 ms"),
        ("forward-nanoseconds", 0.351, "0.35 ns", "+0.35 ns"),
        ("epochs-to:0.9", 3.0, "3.0", "+3.0"),
    ] {
        let metric: Metric = metric.parse().unwrap();
        assert_eq!(metric.format(value), score);
        assert_eq!(metric.format_difference(value), difference);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Neither the order of the records nor the names of the contenders decide anything.
    #[test]
    fn order_does_not_matter(seed in 0_u64..1000, turn in 0_usize..16) {
        let text = "seeds = 8";
        let accuracy = |spec: &RunSpec| {
            let mixed = (spec.seed + 1) * (seed + 3) * if spec.contender == "tanh" { 7 } else { 11 };
            Some(0.97 + 1e-4 * (mixed % 97) as f64)
        };
        let (plan, straight) = records(&study(text), accuracy);
        let mut runs: Vec<RunRecord> = straight.iter().cloned().collect();
        runs.rotate_left(turn);
        let turned = Records::new(runs);
        let [a, b] = [&straight, &turned].map(|records| Analysis::new(&plan, records).unwrap());
        prop_assert_eq!(a.conclusion, b.conclusion);
        let arm = &a.cells[0].arms[1];
        let interval = arm.mean.unwrap().interval.unwrap();
        prop_assert!(interval.lower <= interval.upper);
        prop_assert_eq!(arm.runs.len(), 8);
    }
}

#[test]
fn without_a_good_direction_nothing_is_better() {
    let text = "seeds = 8\n[claim]\ntext = \"c | d\"\nsource = \"s\"\n[verdict]\nmetric = \"sparsity\"\nexpect.tanh = \"lower\"";
    let study = study(text);
    let plan = Plan::new(&study).unwrap();
    let pending = plan.pending(&Records::default());
    let runs = pending.iter().map(|spec| {
        let mut run = scored(spec, Some(0.98));
        let sparsity = if spec.contender == "tanh" { 0.1 } else { 0.5 };
        run.epochs.push(Epoch {
            epoch: 1,
            sites: vec![SiteEpoch {
                sparsity: Some(sparsity + 1e-3 * spec.seed as f64),
                ..SiteEpoch::default()
            }],
            ..Epoch::default()
        });
        run
    });
    let mut runs: Vec<RunRecord> = runs.collect();
    runs[0].status = Status::Diverged { epoch: 2 };
    let records = Records::new(runs);
    let analysis = Analysis::new(&plan, &records).unwrap();
    assert_eq!(analysis.direction, None);
    let claim = analysis.claim().unwrap();
    assert_eq!(
        (claim.claim.as_str(), claim.source.as_str()),
        ("c | d", "s")
    );
    assert_eq!(claim.status, ClaimStatus::Supported);
    let found = "tanh is lower than sigmoid: −40.00 points of share of zero activations (95 % interval −40.00 to −40.00, n = 7 of 8 seeds, p = 0.016, the smallest that 7 seeds can give)";
    assert_eq!(claim.sentence, format!("The claim is supported: {found}."));
    // The baseline's: 0.5 and a thousandth of the seed, without the first seed, whose run diverged.
    let measured = "share of zero activations: sigmoid 50.40 %; tanh lower, −40.00 points [−40.00, −40.00], p = 0.016; n = 7 of 8 seeds; 1 run diverged";
    assert_eq!(claim.measured, measured);
    let measured = measured.replace('[', "\\[").replace(']', "\\]");
    let row = |source: &str, claim: &str| {
        format!("| c \\| d{source} | {measured} | [supported](<{claim}>) |\n")
    };
    let one = report::claims_table([(claim, Some("r/report.md"))]);
    let head = "| Claim | Measured | Verdict |\n| --- | --- | --- |\n";
    assert_eq!(one, format!("{head}{}", row(" (s)", "r/report.md")));
    let other = ClaimResult {
        source: "t".into(),
        ..claim.clone()
    };
    let three = report::claims_table([(claim, Some("1")), (&other, Some("2")), (claim, Some("3"))]);
    let head =
        "| Claim, of s unless another is named | Measured | Verdict |\n| --- | --- | --- |\n";
    assert_eq!(
        three,
        format!("{head}{}{}{}", row("", "1"), row(" (t)", "2"), row("", "3"))
    );
}

#[test]
fn a_study_under_way_says_so() {
    let text = "seeds = 8\n[verdict]\nexpect.tanh = \"better\"";
    let (plan, records) = records(&study(text), tanh_gains(0.002));
    for number in 0..=16 {
        let part = Records::new(records.iter().take(number).cloned().collect());
        let analysis = Analysis::new(&plan, &part).unwrap();
        let claim = analysis.claim().unwrap();
        let beginning = format!("Preliminary, {number} of 16 runs done: ");
        assert_eq!(claim.sentence.starts_with(&beginning), number < 16);
        // Six seeds are the fewest that can tell.
        let expected = if number < 12 {
            ClaimStatus::Undecided
        } else {
            ClaimStatus::Supported
        };
        assert_eq!(claim.status, expected, "{number}");
    }
}
