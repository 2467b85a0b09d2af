//! Which runs, in which order.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use study::record::Status;
use study::{Plan, RateChoice, RateScore, Records, RunSpec, Setting, Shard, Stage, Study, Track};

use crate::made_up::{self, Ability};

const STUDY: &str = r#"
title = "two tracks"
contenders = ["relu", "tanh"]
seeds = 3

[fixed]
epochs = 2

[[vary]]
name = "depth"
field = "network.preset"
values = ["deep:2", "deep:8"]

[common]
network.initialization = "he"

[tuned]
learning_rates = [0.1, 0.01, 0.001]
seeds_per_rate = 2
"#;

fn study() -> Study {
    Study::parse(STUDY, Path::new("a.toml")).unwrap()
}

fn ability(_: &RunSpec) -> Ability {
    Ability {
        accuracy: 0.98,
        diverges_every: 0,
    }
}

#[test]
fn trials_come_first_and_have_seeds_of_their_own() {
    let plan = Plan::new(&study()).unwrap();
    let pending = plan.pending(&Records::default());
    let (trials, finals): (Vec<_>, Vec<_>) =
        pending.iter().partition(|spec| spec.stage == Stage::Trial);
    // 2 contenders × 2 depths × 3 rates × 2 seeds, and × 3 seeds on the common track.
    assert_eq!((trials.len(), finals.len()), (24, 12));
    assert_eq!(plan.total(), 24 + 24);
    assert_eq!(pending[..24].iter().collect::<Vec<_>>(), trials);
    assert!(
        trials
            .iter()
            .all(|spec| spec.seed >= 1_000_000 && spec.track == Track::Tuned)
    );
    assert!(
        finals
            .iter()
            .all(|spec| spec.seed < 3 && spec.track == Track::Common)
    );
    // Seeds are the outer loop.
    assert!(finals.is_sorted_by_key(|spec| spec.seed));
    let first: toml::Table = "seed = 0\nepochs = 2\n[network]\nactivation = \"relu\"\npreset = \"deep:2\"\ninitialization = \"he\"".parse().unwrap();
    assert_eq!(finals[0].overrides, first);
    assert_eq!(finals[0].setting.to_string(), "depth deep:2");
}

#[test]
fn every_contender_has_the_same_seeds_and_trials() {
    let study = study();
    let plan = Plan::new(&study).unwrap();
    let records = made_up::run(&study, ability);
    let specs = plan.known(&records);
    assert_eq!(specs.len(), plan.total());
    let planned_for = |name: &str| -> BTreeSet<(String, Track, bool, u64)> {
        specs
            .iter()
            .filter(|spec| spec.contender == name)
            .map(|spec| {
                let trial = spec.stage == Stage::Trial;
                (spec.setting.to_string(), spec.track, trial, spec.seed)
            })
            .collect()
    };
    assert_eq!(planned_for("relu"), planned_for("tanh"));
    let keys: BTreeSet<_> = specs.iter().map(|spec| &spec.key).collect();
    assert_eq!(keys.len(), specs.len());
}

#[test]
fn the_best_rate_is_chosen_once_all_trials_are_there() {
    let study = study();
    let plan = Plan::new(&study).unwrap();
    let mut records = Records::default();
    for spec in plan.trials() {
        assert!(plan.choices(&records).iter().all(|choice| {
            choice.chosen.is_none() || choice.trials.iter().all(|trial| trial.missing == 0)
        }));
        // The made-up results are best at 0.01.
        records.push(made_up::result(&spec, ability(&spec)));
    }
    let choices = plan.choices(&records);
    assert_eq!(choices.len(), 4);
    for choice in &choices {
        assert_eq!(choice.chosen, Some(0.01));
        assert!(!choice.at_edge);
    }
    let tuned: Vec<_> = plan
        .pending(&records)
        .into_iter()
        .filter(|spec| spec.track == Track::Tuned)
        .collect();
    assert_eq!(tuned.len(), 12);
    assert!(tuned.iter().all(|spec| {
        spec.learning_rate == Some(0.01)
            && spec.overrides["optimizer"]["learning_rate"].as_float() == Some(0.01)
    }));
}

#[test]
fn trials_that_diverge_lose() {
    let study = study();
    let plan = Plan::new(&study).unwrap();
    let mut records = Records::default();
    for spec in plan.trials() {
        let ability = Ability {
            accuracy: 0.98,
            diverges_every: u64::from(spec.learning_rate > Some(0.005)),
        };
        records.push(made_up::result(&spec, ability));
    }
    for choice in plan.choices(&records) {
        assert_eq!(choice.chosen, Some(0.001));
        assert!(choice.at_edge);
        assert_eq!(choice.trials[0].accuracies, [0.1, 0.1]);
    }
}

/// Rates are compared on the same images: one of which a trial failed is not chosen, even if the others of it are better.
#[test]
fn a_rate_with_a_failed_trial_is_not_chosen() {
    let study = Study {
        tuned: Study::parse(
            &STUDY.replace("per_rate = 2", "per_rate = 3"),
            Path::new("a.toml"),
        )
        .unwrap()
        .tuned,
        ..study()
    };
    let plan = Plan::new(&study).unwrap();
    let trials = plan.trials();
    let hardest = trials.iter().map(|spec| spec.seed).max().unwrap();
    let mut records = Records::default();
    for spec in &trials {
        let mut run = made_up::result(spec, ability(spec));
        let is_best = spec.learning_rate == Some(0.01);
        if spec.seed == hardest && !is_best {
            run.status = Status::Failed {
                reason: String::from("the disk is full"),
            };
        }
        // On the easy seeds alone, the other rates are better than the best one is on average.
        let accuracy = match (is_best, spec.seed == hardest) {
            (true, true) => 0.9,
            (true, false) => 0.98,
            (false, _) => 0.97,
        };
        for epoch in &mut run.epochs {
            epoch.validation.accuracy = Some(accuracy);
        }
        records.push(run);
    }
    for choice in plan.choices(&records) {
        assert_eq!(choice.chosen, Some(0.01));
        assert_eq!(choice.trials[0].missing, 1);
        assert!(choice.trials[0].mean() > choice.trials[1].mean());
    }
}

/// Where rates inside the grid are as good as its end, nothing speaks for a better one outside.
#[test]
fn equal_rates_are_not_at_the_edge() {
    let study = study();
    let plan = Plan::new(&study).unwrap();
    for (best_up_to, at_edge) in [(0.002, true), (0.02, false), (1.0, false)] {
        let mut records = Records::default();
        for spec in plan.trials() {
            let ability = Ability {
                accuracy: 0.98,
                diverges_every: 0,
            };
            let mut run = made_up::result(&spec, ability);
            let is_best = spec.learning_rate <= Some(best_up_to);
            for epoch in &mut run.epochs {
                epoch.validation.accuracy = Some(if is_best { 1.0 } else { 0.9 });
            }
            records.push(run);
        }
        for choice in plan.choices(&records) {
            assert_eq!(choice.chosen, Some(0.001));
            assert_eq!(choice.at_edge, at_edge, "{best_up_to}");
        }
    }
}

#[test]
fn rates_that_trials_do_not_tell_apart_are_known() {
    let score = |learning_rate, accuracies: &[f64]| RateScore {
        learning_rate,
        accuracies: accuracies.to_vec(),
        missing: 0,
    };
    let mut choice = RateChoice {
        contender: String::from("relu"),
        setting: Setting::default(),
        trials: vec![
            // Worse than the chosen one by 0.01 for each seed.
            score(0.001, &[0.96, 0.94, 0.95]),
            // By 0.02, 0 and 0.01: the mean is 0.01, its standard error 0.01 / √3 = 0.0058.
            score(0.003, &[0.95, 0.95, 0.95]),
            score(0.01, &[0.97, 0.95, 0.96]),
            // By 0.015, 0.005 and 0.01: 3.5 standard errors, of three seeds not enough.
            score(0.03, &[0.955, 0.945, 0.95]),
        ],
        chosen: Some(0.01),
        at_edge: true,
        is_complete: true,
    };
    let rivals = |choice: &RateChoice| -> Vec<f64> {
        choice.rivals().map(|rival| rival.learning_rate).collect()
    };
    assert_eq!(rivals(&choice), [0.003, 0.03]);
    choice.trials[0].missing = 1;
    assert_eq!(rivals(&choice), [0.001, 0.003, 0.03]);
    choice.trials[0].accuracies.clear();
    assert_eq!(rivals(&choice), [0.003, 0.03]);
    for trial in &mut choice.trials {
        trial.accuracies.truncate(1);
    }
    assert_eq!(rivals(&choice), [0.003, 0.03]);
    choice.chosen = None;
    assert_eq!(rivals(&choice), [0.0; 0]);
}

#[test]
fn failed_runs_are_not_made_again() {
    let study = Study::compare(&["relu"], 2).unwrap();
    let plan = Plan::new(&study).unwrap();
    let mut records = Records::default();
    let mut failed = made_up::result(
        &plan.pending(&records)[0],
        ability(&plan.pending(&records)[0]),
    );
    failed.status = Status::Failed {
        reason: String::from("the disk is full"),
    };
    records.push(failed);
    assert_eq!(plan.pending(&records).len(), 1);
}

#[test]
fn runs_that_are_the_same_are_made_once() {
    let text = "title = \"x\"\ncontenders = [\"relu\"]\nseeds = 2\n[common]\noptimizer.learning_rate = 0.01\n[tuned]\nlearning_rates = [0.01]";
    let study = Study::parse(text, Path::new("a.toml")).unwrap();
    let plan = Plan::new(&study).unwrap();
    let records = made_up::run(&study, ability);
    assert_eq!(plan.total(), 5);
    assert_eq!(plan.known(&records).len(), 5);
    assert_eq!(records.len(), 3);
    assert!(plan.pending(&records).is_empty());
}

#[test]
fn shares_are_disjoint_and_help_each_other() {
    let plan = Plan::new(&Study::compare(&["relu", "tanh"], 50).unwrap()).unwrap();
    let pending = plan.pending(&Records::default());
    let shards: Vec<Shard> = ["1/3", "2/3", "3/3"]
        .map(|text| text.parse().unwrap())
        .into();
    for spec in &pending {
        assert_eq!(shards.iter().filter(|shard| shard.owns(spec)).count(), 1);
    }
    for shard in shards {
        let ordered = shard.order(pending.clone());
        assert_eq!(ordered.len(), pending.len());
        assert!(ordered.is_sorted_by_key(|spec| !shard.owns(spec)));
        let own = ordered.iter().filter(|spec| shard.owns(spec)).count();
        assert!((15..55).contains(&own), "{own}");
    }
    for text in ["", "0/3", "4/3", "1/0", "1", "a/b", "-1/3"] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
}

proptest! {
    /// Wherever a study is killed, and in whatever order its runs come in, it ends with the same runs.
    #[test]
    fn a_killed_study_continues_the_same(order in proptest::collection::vec(0_usize..1000, 60)) {
        let study = study();
        let plan = Plan::new(&study).unwrap();
        let straight = made_up::run(&study, ability);
        let mut records = Records::default();
        for choice in order {
            let pending = plan.pending(&records);
            let Some(spec) = pending.get(choice % pending.len().max(1)) else {
                break;
            };
            records.push(made_up::result(spec, ability(spec)));
            // Killed: all that is left is what was saved.
            records = Records::new(records.iter().cloned().collect());
        }
        prop_assert!(plan.pending(&records).is_empty());
        let ids = |records: &Records| -> BTreeSet<_> {
            records.iter().map(|run| run.id.clone()).collect()
        };
        prop_assert_eq!(ids(&records), ids(&straight));
        prop_assert_eq!(plan.known(&records), plan.known(&straight));
    }
}
