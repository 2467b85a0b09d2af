//! The folder of a study.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use study::analysis::Analysis;
use study::record::Status;
use study::{Plan, Records, RunRecord, RunSpec, Stage, Start, Store, StoreError, Study, id_of};
use toml::Table;

use crate::made_up::{self, Ability};

const STALE: Duration = Duration::from_secs(60);

fn study() -> Study {
    let text = "title = \"x\"\ncontenders = [\"relu\", \"tanh\"]\nseeds = 4\n[common]\noptimizer.learning_rate = 0.01\n[tuned]\nlearning_rates = [0.001, 0.01]";
    Study::parse(text, Path::new("a.toml")).unwrap()
}

fn base() -> Table {
    "backend = \"flex\"\n[data]\nfingerprint = \"00\""
        .parse()
        .unwrap()
}

const ABILITY: Ability = Ability {
    accuracy: 0.98,
    diverges_every: 3,
};

/// What the trainer does, in its simplest form. Returns how many runs it made; stops after `most`.
fn work(store: &Store, plan: &Plan, made: &AtomicUsize, most: usize) {
    let leases = store.leases(STALE).unwrap();
    loop {
        let records = store.records().unwrap();
        let pending = plan.pending(&records);
        if pending.is_empty() {
            return;
        }
        for spec in pending {
            if made.load(Ordering::SeqCst) >= most {
                return;
            }
            // Both tracks have runs that are the same once everything is filled in.
            let id = id_of(&spec.overrides);
            match store.start(&leases, &id, &spec).unwrap() {
                Start::Mine(_lease) => {
                    let mut run = made_up::result(&spec, ABILITY);
                    // What differs between repetitions must not show in the results.
                    let tick = made.fetch_add(1, Ordering::SeqCst);
                    run.times.as_mut().unwrap().total_seconds = Some(tick as f64);
                    store.save(&run).unwrap();
                }
                Start::Done | Start::Taken => {}
            }
        }
    }
}

fn results(store: &Store, plan: &Plan) -> Vec<u8> {
    store.merge("x", plan, &store.records().unwrap()).unwrap();
    assert!(store.folder().join("x.times.json").is_file());
    fs::read(store.folder().join("x.results.json")).unwrap()
}

#[test]
fn records_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let plan = Plan::new(&study()).unwrap();
    let spec = &plan.trials()[0];
    let run = made_up::result(spec, ABILITY);
    store.save(&run).unwrap();
    let back = store.record(&run.id).unwrap().unwrap();
    assert_eq!(back.specs, run.specs);
    assert_eq!(back.status, run.status);
    // Numbers have twelve digits, and are the same from then on.
    store.save(&back).unwrap();
    assert_eq!(store.record(&run.id).unwrap().unwrap(), back);
}

/// Whoever changes the seeds may have looked at the results before: the report says so, as often as they were
/// changed, and whichever others they are.
#[test]
fn other_seeds_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let with = |seeds: &str| -> Study {
        let table: toml::Table = format!("seeds = {seeds}").parse().unwrap();
        Study {
            seeds: table["seeds"].clone().try_into().unwrap(),
            tuned: None,
            ..study()
        }
    };
    let saved_as = |name: &str, study: &Study| {
        store.save_study(name, study).unwrap();
        let saved = Study::read(&folder.path().join(format!("{name}.study.toml"))).unwrap();
        let earlier = saved.earlier_seeds.iter().map(ToString::to_string);
        earlier.collect::<Vec<_>>()
    };
    // Before there is a run, there are no results to look at; trials have seeds of their own.
    for seeds in ["9", "4"] {
        let tuned = Study {
            tuned: study().tuned,
            ..with(seeds)
        };
        assert_eq!(saved_as("y", &tuned), [""; 0]);
        work(&store, &Plan::new(&tuned).unwrap(), &AtomicUsize::new(0), 1);
    }
    // Nor does a report before the next run say so.
    let other = Study {
        tuned: study().tuned,
        ..with("[7, 9]")
    };
    let records = store.records_of("y").unwrap();
    let warnings = Analysis::new(&Plan::new(&other).unwrap(), &records)
        .unwrap()
        .warnings
        .join("\n");
    assert!(!warnings.contains("had other seeds"), "{warnings}");
    let saved = |study: &Study| {
        let earlier = saved_as("x", study);
        work(&store, &Plan::new(study).unwrap(), &AtomicUsize::new(0), 1);
        earlier
    };
    for (seeds, earlier) in [
        ("4", &[][..]),
        ("{ first = 0, count = 4 }", &[]),
        ("[0, 1, 2, 3]", &[]),
        ("6", &["4 seeds"]),
        ("8", &["4 seeds", "6 seeds"]),
        ("4", &["6 seeds", "8 seeds"]),
        (
            "{ first = 50, count = 4 }",
            &["6 seeds", "8 seeds", "4 seeds"],
        ),
        (
            "[7, 9]",
            &["6 seeds", "8 seeds", "4 seeds", "4 seeds from 50 on"],
        ),
        (
            "4",
            &[
                "6 seeds",
                "8 seeds",
                "4 seeds from 50 on",
                "a list of 2 seeds",
            ],
        ),
    ] {
        for _ in 0..2 {
            assert_eq!(saved(&with(seeds)), earlier, "{seeds}");
        }
    }
    // What the study says itself is not said twice.
    let said = Study {
        earlier_seeds: vec![with("8").seeds],
        ..with("4")
    };
    assert_eq!(
        saved(&said),
        [
            "8 seeds",
            "6 seeds",
            "4 seeds from 50 on",
            "a list of 2 seeds"
        ]
    );
    // The report says so, whether the study was run with the present seeds or not.
    for (seeds, earlier) in [
        (
            "4",
            "8 seeds, 6 seeds, 4 seeds from 50 on and a list of 2 seeds",
        ),
        (
            "3",
            "8 seeds, 6 seeds, 4 seeds from 50 on, a list of 2 seeds and 4 seeds",
        ),
    ] {
        let plan = Plan::new(&with(seeds)).unwrap();
        let records = store.records_of("x").unwrap();
        let warnings = Analysis::new(&plan, &records).unwrap().warnings.join("\n");
        let warning = format!("The study had other seeds before: {earlier}. ");
        assert!(warnings.contains(&warning), "{warnings}");
    }
}

/// Whoever changes what decides when there are results may have looked at them: the report says so, as long as
/// the runs are there.
#[test]
fn what_decides_is_not_changed_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let warnings = |study: &Study| {
        store.save_study("x", study).unwrap();
        let plan = Plan::new(study).unwrap();
        let records = store.records_of("x").unwrap();
        let warnings = Analysis::new(&plan, &records).unwrap().warnings;
        let of_changes = warnings
            .into_iter()
            .filter(|warning| warning.starts_with("What decides was changed"));
        of_changes.collect::<Vec<_>>()
    };
    let with = |change: &dyn Fn(&mut Study)| {
        let mut study = study();
        change(&mut study);
        study
    };
    let strict = with(&|study| study.verdict.level = 0.01);
    // Before there is a run, anything may be changed.
    assert_eq!(warnings(&strict), [""; 0]);
    assert_eq!(warnings(&study()), [""; 0]);
    work(
        &store,
        &Plan::new(&study()).unwrap(),
        &AtomicUsize::new(0),
        1,
    );
    // Texts, more of the same seeds, and defaults that are written out decide nothing.
    let same = with(&|study| {
        study.title = String::from("another");
        study.analysis = String::from("It is.");
        study.seeds = toml::Value::Integer(6).try_into().unwrap();
        study.verdict.margin = Some(0.001);
        study.verdict.baseline = Some(String::from("relu"));
    });
    assert_eq!(warnings(&same), [""; 0]);
    assert_eq!(
        warnings(&strict),
        [
            "What decides was changed when there were runs already: verdict.level (0.05 before). If results had been looked at, this is not the verdict that was planned, and p-values are too small. The study as it was is beside the runs (x.earlier-1.toml)."
        ]
    );
    // Nor where the report alone is made anew.
    let lenient = with(&|study| study.verdict.level = 0.4);
    let records = store.records_of("x").unwrap();
    let plan = Plan::new(&lenient).unwrap();
    let found = Analysis::new(&plan, &records).unwrap().warnings.join("\n");
    assert!(
        found.contains("verdict.level (0.01 before)") && found.contains("x.study.toml"),
        "{found}"
    );
    let kept = fs::read(folder.path().join("x.earlier-1.toml")).unwrap();
    let more = with(&|study| {
        study
            .verdict
            .expect
            .insert(String::from("tanh"), study::Expectation::Better);
        study.contenders.push(study::Contender::new("gelu"));
    });
    let found = warnings(&more);
    assert!(
        found[0].contains(
            r#": contenders (["relu", "tanh"] before), verdict.expect.tanh (not set before) and verdict.level (0.01 before). "#
        ),
        "{found:?}"
    );
    assert!(
        found[0].ends_with("(x.earlier-1.toml and x.earlier-2.toml)."),
        "{found:?}"
    );
    // Going back is a change, too, and to be found afterwards.
    assert!(warnings(&study())[0].contains("verdict.level (0.01 before)"));
    assert_eq!(
        fs::read(folder.path().join("x.earlier-1.toml")).unwrap(),
        kept
    );
    assert!(!folder.path().join("x.earlier-4.toml").exists());
    // Another study in the folder has nothing to do with it.
    let records = store.records_of("y").unwrap();
    let plan = Plan::new(&study()).unwrap();
    let warnings = Analysis::new(&plan, &records).unwrap().warnings;
    assert!(!warnings.join("").contains("was changed"), "{warnings:?}");
}

#[test]
fn however_it_is_interrupted_the_results_are_the_same() {
    let plan = Plan::new(&study()).unwrap();
    let straight = tempfile::tempdir().unwrap();
    let straight = Store::create(straight.path(), &base()).unwrap();
    let made = AtomicUsize::new(0);
    work(&straight, &plan, &made, usize::MAX);
    let expected = results(&straight, &plan);
    // 4 trials, 8 runs on the common track; those on the tuned one are the same or others.
    let runs = made.into_inner();

    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let made = AtomicUsize::new(0);
    for most in [1, 3, 7, usize::MAX] {
        work(&store, &plan, &made, most);
        results(&store, &plan);
    }
    assert_eq!(made.into_inner(), runs);
    assert_eq!(results(&store, &plan), expected);
}

#[test]
fn several_at_work_never_make_one_run_twice() {
    let plan = Plan::new(&study()).unwrap();
    let alone = tempfile::tempdir().unwrap();
    let alone = Store::create(alone.path(), &base()).unwrap();
    let made = AtomicUsize::new(0);
    work(&alone, &plan, &made, usize::MAX);
    let expected = (made.into_inner(), results(&alone, &plan));

    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| work(&store, &plan, &made, usize::MAX));
        }
    });
    assert_eq!((made.into_inner(), results(&store, &plan)), expected);
    assert_eq!(
        fs::read_dir(folder.path().join("claims")).unwrap().count(),
        0
    );
}

/// In a folder that several studies share, one's trial may be what another wants the test's score of.
#[test]
fn a_trial_is_no_final_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let plan = Plan::new(&study()).unwrap();
    let spec = plan
        .known(&Records::default())
        .into_iter()
        .find(|spec| spec.stage == Stage::Final && spec.seed == 1)
        .unwrap();
    let mut trial = made_up::result(
        &RunSpec {
            stage: Stage::Trial,
            ..spec.clone()
        },
        ABILITY,
    );
    assert_eq!(trial.test, None);
    store.save(&trial).unwrap();
    let leases = store.leases(STALE).unwrap();
    let start = || store.start(&leases, &trial.id, &spec).unwrap();
    assert!(store.records().unwrap().answering(&spec).is_none());
    assert!(matches!(start(), Start::Mine(_)));
    // Without test images there is nothing that it lacks.
    trial.images.as_mut().unwrap().test = 0;
    store.save(&trial).unwrap();
    assert!(matches!(start(), Start::Done));
    // A final run does for both.
    let full = made_up::result(&spec, ABILITY);
    store.save(&full).unwrap();
    let trial_spec = RunSpec {
        stage: Stage::Trial,
        ..spec.clone()
    };
    assert!(matches!(start(), Start::Done));
    assert!(store.records().unwrap().answering(&trial_spec).is_some());
}

#[test]
fn failed_runs_are_made_again_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let plan = Plan::new(&study()).unwrap();
    let made = AtomicUsize::new(0);
    work(&store, &plan, &made, usize::MAX);
    let mut failed = made_up::result(&plan.trials()[0], ABILITY);
    failed.status = Status::Failed {
        reason: String::from("the disk is full"),
    };
    // What is there is not given up for a failure.
    let error = store.save(&failed).unwrap_err().to_string();
    assert!(
        error.ends_with("the disk is full; the result that it has from another study is kept"),
        "{error}"
    );
    fs::remove_file(store.run_folder(&failed.id).join("result.json")).unwrap();
    store.save(&failed).unwrap();
    let records = store.records().unwrap();
    assert_eq!(plan.pending(&records).len(), 0);
    let leases = store.leases(STALE).unwrap();
    let lease = leases.acquire(failed.id.as_str()).unwrap();
    assert_eq!(store.forget_failed(&leases, &plan, &records).unwrap(), 0);
    drop(lease);
    assert_eq!(store.forget_failed(&leases, &plan, &records).unwrap(), 1);
    // By what was read before.
    assert_eq!(store.forget_failed(&leases, &plan, &records).unwrap(), 0);
    let records = store.records().unwrap();
    let pending = plan.pending(&records);
    assert_eq!(pending.len(), 1);
    assert_eq!(id_of(&pending[0].overrides), failed.id);
}

/// Two studies write one configuration in two ways, the second with a default spelt out, so that their planned
/// runs have two keys and one run. Whoever makes it again leaves it the other's too.
#[test]
fn a_run_made_again_still_answers_both_studies() {
    let planned = |fixed: &str| {
        let text = format!("title = \"x\"\ncontenders = [\"relu\"]\nseeds = 1\n{fixed}");
        let plan = Plan::new(&Study::parse(&text, Path::new("a.toml")).unwrap()).unwrap();
        let spec = plan.pending(&Records::default()).remove(0);
        (plan, spec)
    };
    let (first, second) = (planned(""), planned("[fixed]\nepochs = 6"));
    let id = id_of(&first.1.overrides);
    let never_diverges = Ability {
        diverges_every: 0,
        ..ABILITY
    };
    let result = |spec: &RunSpec, status: Status| RunRecord {
        id: id.clone(),
        status,
        ..made_up::result(spec, never_diverges)
    };
    let missing = |store: &Store| {
        let records = store.records().unwrap();
        [&first.0, &second.0].map(|plan| plan.pending(&records).len())
    };
    let failed = Status::Failed {
        reason: String::from("the disk is full"),
    };

    // One's trial is made again to be scored on the test images.
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let trial = RunSpec {
        stage: Stage::Trial,
        ..first.1.clone()
    };
    store.save(&result(&trial, Status::Finished)).unwrap();
    assert_eq!(missing(&store), [1, 1]);
    store.save(&result(&second.1, Status::Finished)).unwrap();
    assert_eq!(missing(&store), [0, 0]);

    // A run that failed is made again.
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let leases = store.leases(STALE).unwrap();
    store.save(&result(&first.1, failed)).unwrap();
    let start = || store.start(&leases, &id, &second.1).unwrap();
    assert!(matches!(start(), Start::Done));
    assert_eq!(missing(&store), [0, 0]);
    let records = store.records().unwrap();
    let forgotten = store.forget_failed(&leases, &second.0, &records).unwrap();
    assert_eq!((forgotten, missing(&store)), (1, [1, 1]));
    assert!(matches!(start(), Start::Mine(_)));
    store.save(&result(&second.1, Status::Finished)).unwrap();
    assert_eq!(missing(&store), [0, 0]);
}

#[test]
fn studies_that_share_a_folder_keep_their_results() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let plan = Plan::new(&study()).unwrap();
    work(&store, &plan, &AtomicUsize::new(0), usize::MAX);
    let expected = results(&store, &plan);
    let other = Plan::new(&Study::compare(&["gelu", "silu"], 2).unwrap()).unwrap();
    work(&store, &other, &AtomicUsize::new(0), usize::MAX);
    store
        .merge("other", &other, &store.records().unwrap())
        .unwrap();
    assert_eq!(
        fs::read(folder.path().join("x.results.json")).unwrap(),
        expected
    );
}

#[test]
fn another_base_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    Store::create(folder.path(), &base()).unwrap();
    Store::create(folder.path(), &base()).unwrap();
    let other: Table = "backend = \"flex\"\n[data]\nfingerprint = \"11\""
        .parse()
        .unwrap();
    let error = Store::create(folder.path(), &other)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("data.fingerprint is \"00\" there and \"11\" now; name another folder"),
        "{error}"
    );
}

/// Nothing is known of later versions but that they are results, which took time to make.
#[test]
fn a_result_of_another_version_is_skipped_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    let plan = Plan::new(&study()).unwrap();
    let run = made_up::result(&plan.trials()[0], ABILITY);
    store.save(&run).unwrap();
    let file = store.run_folder(&run.id).join("result.json");
    let same = fs::read_to_string(&file).unwrap();
    let later = same.replacen("\"version\": 1", "\"version\": 2", 1);
    assert_ne!(later, same);
    let leases = store.leases(STALE).unwrap();
    for later in [later.as_str(), "{ \"version\": 2, \"run\": [] }"] {
        fs::write(&file, later).unwrap();
        let records = store.records().unwrap();
        assert!(records.is_empty());
        let [warning] = records.warnings() else {
            panic!("{:?}", records.warnings());
        };
        assert!(
            warning.contains("result.json is of version 2, and this program knows version 1"),
            "{warning}"
        );
        let errors = [
            store.start(&leases, &run.id, &run.specs[0]).map(|_| ()),
            store.save(&run),
        ];
        for error in errors {
            assert!(matches!(error, Err(StoreError::Version { found: 2, .. })));
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), later);
    }
}

#[test]
fn what_cannot_be_read_is_skipped_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path(), &base()).unwrap();
    assert!(
        Store::at(Path::new("no/such"))
            .records()
            .unwrap()
            .is_empty()
    );
    let plan = Plan::new(&study()).unwrap();
    let runs: Vec<RunRecord> = plan
        .trials()
        .iter()
        .map(|spec| made_up::result(spec, ABILITY))
        .collect();
    runs.iter().for_each(|run| store.save(run).unwrap());
    let file = |index: usize| store.run_folder(&runs[index].id).join("result.json");
    // Cut off, of another run, gone; then something that a later version adds.
    fs::write(file(0), &fs::read(file(0)).unwrap()[..500]).unwrap();
    fs::copy(file(2), file(1)).unwrap();
    fs::remove_file(file(3)).unwrap();
    let text = fs::read_to_string(file(2)).unwrap();
    fs::write(
        file(2),
        text.replacen('{', "{\"later\": [1, {\"x\": 2}],", 1),
    )
    .unwrap();
    fs::write(folder.path().join("runs/notes.txt"), "not a run").unwrap();
    let records = store.records().unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records.iter().next().unwrap().id, runs[2].id);
    // The run whose result was cut off can be made again.
    let leases = store.leases(STALE).unwrap();
    let starts = [0, 2].map(|index| {
        store
            .start(&leases, &runs[index].id, &runs[index].specs[0])
            .unwrap()
    });
    assert!(matches!(starts, [Start::Mine(_), Start::Done]));
    let mut warnings = records.warnings().to_vec();
    warnings.sort();
    assert_eq!(warnings.len(), 2);
    assert!(
        warnings
            .iter()
            .any(|text| text.contains("EOF while parsing")),
        "{warnings:?}"
    );
    assert!(
        warnings
            .iter()
            .any(|text| text.contains("is the result of run")),
        "{warnings:?}"
    );
}
