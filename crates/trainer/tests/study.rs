//! Studies as a user meets them: whole, interrupted, shared, and wrong.

mod common;

use std::fmt::Debug;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use common::Folder;
use serde_json::Value;

/// Two functions with two settings, two seeds, and two learning rates to choose from: 8 trials and 16
/// final runs of a fraction of a second each. Where the rate chosen is that of the common track, the
/// runs of both tracks are the same, and are made once.
const STUDY: &str = r#"
title = "tanh or sigmoid?"
contenders = ["sigmoid", "tanh"]
seeds = 2

[claim]
text = "tanh is better."

[fixed]
epochs = 2
batch_size = 32
data.validation_fraction = 0.2
data.test_fraction = 0.2

[fixed.network]
hidden_units = 12
hidden_dropout = 0.25

[[fixed.network.stages]]
channels = 4
kernel = 3
downsampling = "pool"

[[vary]]
name = "normalization"
field = "network.normalization"
values = ["none", "batch"]

[common]

[tuned]
learning_rates = [0.001, 0.01]

[verdict]
expect = { tanh = "better" }
"#;
const RUN: &str = "study run study.toml --data train.csv --backend flex --json";
const PLANNED: usize = 24;

fn folder() -> Folder {
    let folder = Folder::with_digits(600);
    fs::write(folder.path("study.toml"), STUDY).unwrap();
    folder
}

/// Starts the program and waits until it has told of so many runs.
fn start(folder: &Folder, arguments: &str, runs: usize) -> Child {
    let mut child = folder
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..runs {
        lines.next().unwrap().unwrap();
    }
    // What it tells later is nobody's concern; a closed pipe must not trouble it.
    child
}

fn signal(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    Command::new("kill").args([signal, &pid]).status().unwrap();
}

/// Calls `attempt` until it succeeds; panics with its error if it does not within a minute.
fn wait_until<E: Debug>(mut attempt: impl FnMut() -> Result<(), E>) {
    let start = Instant::now();
    while let Err(error) = attempt() {
        assert!(start.elapsed() < Duration::from_secs(60), "{error:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The results file, without times.
fn results(folder: &Folder, runs: &str) -> String {
    fs::read_to_string(folder.path(runs).join("study.results.json")).unwrap()
}

fn events(output: &str) -> Vec<Value> {
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn run_events(output: &str) -> Vec<Value> {
    let events = events(output).into_iter();
    events.filter(|event| event["event"] == "run").collect()
}

/// Names of the runs' folders.
fn run_folders(folder: &Folder, runs: &str) -> Vec<String> {
    let entries = fs::read_dir(folder.path(runs).join("runs")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_study_killed_again_and_again_ends_with_the_same_results() {
    let folder = folder();
    let told = folder.succeed(&format!("{RUN} --jobs 1 --folder whole --out whole-report"));
    let told = events(&told);
    let end = told.last().unwrap();
    assert_eq!(end["event"], "report");
    assert_eq!(end["report"], "whole-report/report.html");
    assert!(end["verdict"].as_str().unwrap().contains("tanh"), "{end}");
    let expected = results(&folder, "whole");
    assert!(expected.contains("\"finished\""));

    let killed = format!("{RUN} --jobs 2 --folder killed --out report");
    // Before the first run, and in the middle; with the processes that make the runs, and without.
    for (runs, with_workers) in [(0, true), (2, false), (3, true), (1, false)] {
        let mut child = start(&folder, &killed, runs);
        if with_workers {
            let parent = child.id().to_string();
            Command::new("pkill")
                .args(["-KILL", "-P", &parent])
                .status()
                .unwrap();
        }
        signal("-KILL", &child);
        child.wait().unwrap();
    }
    folder.succeed(&killed);
    assert_eq!(results(&folder, "killed"), expected);
    assert_eq!(
        run_folders(&folder, "killed"),
        run_folders(&folder, "whole")
    );
    // What only an unfinished run needs is gone, once those have ended that outlived their parent.
    wait_until(|| {
        let leases = fs::read_dir(folder.path("killed/claims")).unwrap();
        let left: Vec<_> = leases.map(|lease| lease.unwrap().path()).collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
    for run in run_folders(&folder, "killed") {
        let path = folder.path("killed/runs").join(run);
        assert!(!path.join("checkpoints").exists());
        assert!(!path.join("run.lock").exists());
    }
    for name in ["report.html", "report.md", "runs.csv", "figures"] {
        assert!(folder.path("report").join(name).exists(), "{name}");
    }
}

#[test]
fn what_a_worker_left_that_was_killed_at_the_very_end_is_removed() {
    let folder = folder();
    folder.succeed(&format!("{RUN} --jobs 1 --folder runs --out report"));
    let expected = results(&folder, "runs");
    // Killed when its run was done and its lease not yet given back; others while they made a lease,
    // one of them just now.
    let done = &run_folders(&folder, "runs")[0];
    let checkpoints = folder.path("runs/runs").join(done).join("checkpoints");
    fs::create_dir(&checkpoints).unwrap();
    let leases = folder.path("runs/claims");
    for name in [format!("{done}.3"), format!(".{done}.3.4711-0.partial")] {
        let path = leases.join(name);
        fs::write(&path, "a machine\n4711\n").unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3600))
            .unwrap();
    }
    fs::write(leases.join(format!(".{done}.4.4712-0.partial")), "").unwrap();
    folder.succeed(&format!("{RUN} --folder runs --out report"));
    assert_eq!(fs::read_dir(leases).unwrap().count(), 0);
    assert!(!checkpoints.exists());
    assert_eq!(results(&folder, "runs"), expected);
}

#[test]
fn a_study_that_is_asked_to_stop_goes_on_later() {
    let folder = folder();
    let run = format!("{RUN} --jobs 2 --folder runs --out report");
    let mut child = start(&folder, &run, 3);
    signal("-INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let done = run_folders(&folder, "runs");
    assert!((3..PLANNED).contains(&done.len()), "{done:?}");
    let made = run_events(&folder.succeed(&run));
    assert!(!made.is_empty() && made.len() <= PLANNED - 3);
    assert_eq!(made[0]["total"], PLANNED);
    folder.succeed(&format!("{RUN} --jobs 1 --folder whole --out whole-report"));
    assert_eq!(results(&folder, "runs"), results(&folder, "whole"));
}

/// As for want of disk space. Whoever goes on after the command has to be told.
#[test]
fn a_study_with_failed_runs_ends_with_an_error() {
    let folder = folder();
    let run = format!("{RUN} --jobs 1 --folder runs --out report");
    folder.succeed(&run);
    let expected = results(&folder, "runs");
    let failed = run_folders(&folder, "runs");
    for id in &failed[..2] {
        let path = folder.path("runs/runs").join(id).join("result.json");
        let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        record["status"] = serde_json::json!({ "outcome": "failed", "reason": "the disk is full" });
        fs::write(&path, record.to_string()).unwrap();
    }
    let error = folder.fail(&run);
    insta::assert_snapshot!(error, @"error: 2 runs have failed, for the reasons that the report names; once these are mended, --retry-failed makes them again");
    assert!(folder.path("report/report.html").exists());
    let told = run.replace(" --json", " --plain");
    let said = folder.succeed(&format!("{told} --retry-failed"));
    assert!(said.contains("2 failed runs are made again"), "{said}");
    assert_eq!(results(&folder, "runs"), expected);
}

#[test]
fn shares_of_a_study_do_no_run_twice() {
    let folder = folder();
    let outputs = [1, 2].map(|index| {
        folder
            .command(&format!(
                "{RUN} --jobs 1 --shard {index}/2 --folder runs --out report-{index}"
            ))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    });
    let made: usize = outputs
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            run_events(&String::from_utf8(output.stdout).unwrap()).len()
        })
        .sum();
    assert_eq!(made, run_folders(&folder, "runs").len());
}

/// Two epochs of so few steps have a point for each, and their mean is the epoch's loss, as all batches are of
/// one size.
fn check_loss_curve(record: &Value) {
    let images = record["images"]["training"].as_u64().unwrap() as usize;
    let batches = images.div_ceil(32);
    assert_eq!(images % batches, 0);
    let curve = record["loss_curve"].as_array().unwrap();
    assert_eq!(curve.len(), 2 * batches);
    for (epoch, points) in curve.chunks(batches).enumerate() {
        let place = points[0]["epochs"].as_f64().unwrap();
        let expected = epoch as f64 + 0.5 / batches as f64;
        assert!((place - expected).abs() < 1e-9, "{place}");
        let losses = points.iter().map(|point| point["loss"].as_f64().unwrap());
        let mean = losses.sum::<f64>() / batches as f64;
        let of_epoch = &record["epochs"][epoch]["training"]["loss"];
        assert!((mean - of_epoch.as_f64().unwrap()).abs() < 1e-6);
    }
}

#[test]
fn what_a_run_leaves() {
    let folder = folder();
    // A run after the other has as many threads as the program is allowed.
    let mut command = folder.command(&format!("{RUN} --jobs 1 --folder runs --out report"));
    let output = command.env("RAYON_NUM_THREADS", "3").output().unwrap();
    let made = run_events(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(made.len(), run_folders(&folder, "runs").len());
    assert_eq!(made[0]["event"], "run");
    let (mut trials, mut finals) = (0, 0);
    for run in run_folders(&folder, "runs") {
        let path = folder.path("runs/runs").join(&run).join("result.json");
        let record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(record["id"], Value::from(run));
        assert_eq!(record["status"]["outcome"], "finished");
        assert_eq!(record["environment"]["threads"], 3);
        let is_final = record["specs"][0]["stage"] == "final";
        assert_eq!(record["test"]["accuracy"].is_number(), is_final);
        finals += usize::from(is_final);
        trials += usize::from(!is_final);
        for epoch in record["epochs"].as_array().unwrap() {
            assert!(epoch["validation"]["ece"].is_number());
            assert!(epoch["effective_rank"].as_f64().unwrap() >= 1.0);
            for site in epoch["sites"].as_array().unwrap() {
                for share in ["dead", "saturated", "sparsity"] {
                    let share = site[share].as_f64().unwrap();
                    assert!((0.0..=1.0).contains(&share));
                }
                assert!(site["gradient_norm"].as_f64().unwrap() > 0.0);
            }
        }
        check_loss_curve(&record);
        let times = &record["times"];
        assert!(times["seconds_per_step"].as_f64().unwrap() > 0.0);
        assert!(times["forward_nanoseconds"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(trials, 8);
    assert!((8..=16).contains(&finals));
    let run = format!("runs/runs/{}", run_folders(&folder, "runs")[0]);
    for command in ["resume", "evaluate", "export"] {
        let error = folder.fail(&format!("{command} {run}"));
        let words = "is a run of the study in ";
        assert!(error.contains(words), "{command}: {error}");
    }
    // Another study in the same folder takes nothing from this one's report.
    let other = STUDY.replace("[\"sigmoid\", \"tanh\"]", "[\"relu\", \"tanh\"]");
    fs::write(folder.path("other.toml"), other).unwrap();
    let run = RUN.replace("study.toml", "other.toml");
    folder.succeed(&format!("{run} --jobs 1 --folder runs --out other"));
    folder.succeed("study report study.toml --folder runs --out report");
    assert!(!folder.path("report/earlier").exists());
    // Nor does it have a report without runs of its own.
    let third = STUDY.replace("[\"sigmoid\", \"tanh\"]", "[\"elu\", \"tanh\"]");
    fs::write(
        folder.path("third.toml"),
        third.replace("epochs = 2", "epochs = 3"),
    )
    .unwrap();
    insta::assert_snapshot!(folder.fail("study report third.toml --folder runs --out report"), @"error: there are no runs of this study in runs; make them with `trainer study run third.toml`, or name their folder with --folder");
    // From the results alone, without the images.
    fs::remove_file(folder.path("train.csv")).unwrap();
    let text = folder.succeed("study report study.toml --folder runs --out report");
    assert!(
        text.contains("too few seeds") || text.contains("Too few seeds"),
        "{text}"
    );
    insta::assert_snapshot!(folder.fail("study claims study.toml --folder run"), @"error: there are no runs in run; name the folder of a `trainer study run`");
    insta::assert_snapshot!(folder.fail("study run tiny.toml"), @"error: tiny.toml is the configuration of a run, not a study; `trainer --config tiny.toml` trains by it, and `trainer compare relu tanh --config tiny.toml` compares functions by it");
    insta::assert_snapshot!(folder.fail("--config study.toml"), @"error: study.toml is a study, not the configuration of a run; `trainer study run study.toml` makes its runs");
    insta::assert_snapshot!(folder.fail("study claims study.toml"), @"error: no study with a claim has runs; those of study.toml would be in studies/study: make them with `trainer study run study.toml`, or name their folder with --folder");
    let table = folder.succeed("study claims study.toml --folder runs");
    assert!(table.contains("| tanh is better. |"), "{table}");
}

/// What a comparison of one's own images may need otherwise.
fn compare_with_options(folder: &Folder) {
    let few: String = fs::read_to_string(folder.path("train.csv"))
        .unwrap()
        .lines()
        .take(61)
        .map(|line| format!("{line}\n"))
        .collect();
    // All twice.
    let rows = few.split_once('\n').unwrap().1;
    fs::write(folder.path("few.csv"), format!("{few}{rows}")).unwrap();
    let said = folder.succeed("compare relu tanh --seeds 1 --epochs 1 --preset deep:1 --data few.csv --backend flex --jobs 1 --tune --rates 0.01,0.2 --trials 1 --test-fraction 0.3 --metric balanced-accuracy --margin 2 --plain");
    assert!(
        said.contains("note: 60 of them have the pixels of others"),
        "{said}"
    );
    let path = folder.path("experiments/compare-few-relu-tanh.toml");
    let study: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    insta::assert_snapshot!(study["tuned"], @"{ first_seed = 1000000, learning_rates = [0.01, 0.2], seeds_per_rate = 1 }");
    insta::assert_snapshot!(study["fixed"], @r#"{ batch_size = 32, "data.test_fraction" = 0.3, "data.training_fraction" = 1.0, "data.validation_fraction" = 0.2, epochs = 1, "network.preset" = "deep:1" }"#);
    assert_eq!(study["verdict"]["margin"].as_float(), Some(0.02));
    assert_eq!(
        study["verdict"]["metric"].as_str(),
        Some("balanced-accuracy")
    );
    let path = folder.path("experiments/results/compare-few-relu-tanh/report.md");
    let report = fs::read_to_string(path).unwrap();
    assert!(
        report.contains("Balanced test accuracy: every contender"),
        "{report}"
    );
    // A share that leaves an image of no class is told of before anything is trained.
    let few = "compare relu tanh --data few.csv --backend flex --name coarse";
    insta::assert_snapshot!(folder.fail(&format!("{few} --test-fraction 0.01")), @"error: no class has so many images that one is left for the test, but the verdict is by test-accuracy; raise data.test_fraction (--test-fraction of `compare`), or add images");
    insta::assert_snapshot!(folder.fail(&format!("{few} --validation-fraction 0.01")), @"error: no class has so many images that one is left to choose the epoch by; raise data.validation_fraction (--validation-fraction of `compare`), or add images");
    assert!(!folder.path("experiments/coarse.toml").exists());
    let error = folder.fail("compare relu tanh --rates 0.1,0.2 --data few.csv");
    assert!(error.contains("not provided:\n  --tune"), "{error}");
}

/// `compare` by a file in place of the preset.
fn compare_by_recipe(folder: &Folder, compare: &str) {
    let recipe = "seed = 5\nepochs = 7\n[data]\nvalidation_fraction = 0.25\nsplit_seed = 3\n[optimizer]\nlearning_rate = 0.002\n[network]\nactivation = \"elu\"\npreset = \"deep:3\"\n[ensemble]\nmembers = 3\n";
    fs::write(folder.path("mine.toml"), recipe).unwrap();
    let by_recipe = compare
        .replace("--preset deep:2", "--config mine.toml")
        .replace("--name mine", "");
    folder.succeed(&by_recipe);
    let path = folder.path("experiments/compare-mine-relu-tanh.toml");
    let study: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    insta::assert_snapshot!(study["fixed"], @r#"{ "data.test_fraction" = 0.25, "data.validation_fraction" = 0.25, epochs = 1, "network.preset" = "deep:3", "optimizer.learning_rate" = 0.002 }"#);
    fs::write(
        folder.path("mine.toml"),
        recipe.replace("epochs = 7", "epochs = 0"),
    )
    .unwrap();
    insta::assert_snapshot!(folder.fail(&by_recipe), @"error: mine.toml: epochs must be at least 1");
    insta::assert_snapshot!(folder.fail(&by_recipe.replace("--plain", "--preset tiny --plain")).lines().next().unwrap(), @"error: the argument '--config <RUN.TOML>' cannot be used with '--preset <PRESET>'");
}

#[test]
fn a_comparison_from_the_command_line() {
    let folder = Folder::with_digits(400);
    let compare = "compare relu tanh --seeds 1 --epochs 1 --preset deep:2 --data train.csv --backend flex --jobs 1 --name mine --plain";
    let text = folder.succeed(compare);
    assert!(text.contains("2/2 tanh, seed 0"), "{text}");
    let note =
        "note: fewer than 6 seeds can show no difference in a comparison, whatever the results";
    assert!(text.contains(note), "{text}");
    let note =
        "note: 8 steps of training in a run, which is little; more epochs and smaller batches";
    assert!(text.contains(note), "{text}");
    assert!(folder.path("experiments/results/mine/report.html").exists());
    // More seeds add runs, and the earlier ones are not made again.
    let text = folder.succeed(&compare.replace("--seeds 1", "--seeds 2"));
    assert!(text.contains("2 of 4 runs are done"), "{text}");
    // Whoever adds seeds may have looked at the verdict before.
    let warning = "The study had other seeds before: 1 seed.";
    let report = fs::read_to_string(folder.path("experiments/results/mine/report.md")).unwrap();
    assert!(report.contains(warning), "{report}");
    compare_with_options(&folder);
    compare_by_recipe(&folder, compare);
    let error = folder.fail(&compare.replace("--epochs 1", "--epochs 2"));
    insta::assert_snapshot!(error, @"error: experiments/mine.toml is another study: fixed.epochs is 1 there and 2 now; choose another --name, or run that one as it is with `trainer study run experiments/mine.toml`");
    fs::write(folder.path("others.csv"), {
        let text = fs::read_to_string(folder.path("train.csv")).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        let (first, rest) = rows.split_once('\n').unwrap();
        format!("{header}\n{rest}{first}\n")
    })
    .unwrap();
    let error = folder.fail(&compare.replace("train.csv", "others.csv"));
    insta::assert_snapshot!(error, @"error: the runs called mine are of other images; choose another --name for new ones");
    // So many fewer that more than the images would differ.
    let few: String = fs::read_to_string(folder.path("train.csv"))
        .unwrap()
        .split_inclusive('\n')
        .take(200)
        .collect();
    fs::write(folder.path("few.csv"), few).unwrap();
    assert_eq!(folder.fail(&compare.replace("train.csv", "few.csv")), error);
    let twice = folder.fail("compare relu tanh relu");
    insta::assert_snapshot!(twice, @"error: relu is named twice; there would be nothing to compare");
    let large = folder.fail(&compare.replace("--epochs 1", "--epochs 18446744073709551615"));
    insta::assert_snapshot!(large, @"error: --epochs is too large");
    // What is wrong is said before the study is written down.
    let wrong = compare.replace("--name mine", "--name other --training-fraction 0");
    insta::assert_snapshot!(folder.fail(&wrong), @"error: training_fraction is 0, but must be above 0 and at most 1");
    assert!(!folder.path("experiments/other.toml").exists());
    assert!(!folder.path("experiments/studies/other").exists());
    folder.fail(&wrong.replace("--training-fraction 0", "--seeds 1000000000000"));
    assert!(!folder.path("experiments/other.toml").exists());
    let path = folder.fail("compare relu tanh --name ../other");
    insta::assert_snapshot!(path.lines().next().unwrap(), @"error: invalid value '../other' for '--name <NAME>': expected a name for a file, not a path");
    // A report takes the place of none but a report.
    let report = "study report experiments/mine.toml --out";
    insta::assert_snapshot!(folder.fail(&format!("{report} train.csv")), @"error: train.csv is there already and is no folder; name another one with --out");
    insta::assert_snapshot!(folder.fail(&format!("{report} experiments")), @"error: experiments is there already and holds no report; name another folder with --out");
    insta::assert_snapshot!(folder.fail(&format!("{report} ..")), @"error: .. cannot be the report's folder; name another one with --out");
    insta::assert_snapshot!(folder.fail("compare relu").lines().next().unwrap(), @"error: 2 values required by '<NAME[:PARAMETERS]> <NAME[:PARAMETERS]>...'; only 1 was provided");
}

#[test]
fn wrong_studies_are_explained_in_a_line() {
    let folder = folder();
    // Without what is expected of a contender by its name.
    let (plain, _) = STUDY.split_once("[verdict]").unwrap();
    let plain = plain.replace("[claim]\ntext = \"tanh is better.\"\n", "");
    let error = |change: (&str, &str), arguments: &str| {
        let study = plain.replacen(change.0, change.1, 1);
        assert_ne!(study, plain);
        fs::write(folder.path("study.toml"), study).unwrap();
        let error = folder.fail(&format!("{RUN} --folder runs {arguments}"));
        error.lines().next().unwrap().to_owned()
    };
    insta::assert_snapshot!(error(("\"tanh\"]", "\"tanhh\"]"), ""), @"error: study.toml:3:26: unknown activation `tanhh`; the closest are `tanh`, `mish`, `lisht`; `trainer activations` lists all");
    insta::assert_snapshot!(error(("epochs = 2", "epoch = 2"), ""), @"error: study.toml:8:9: unknown field `epoch`, expected one of `seed`, `backend`, `kernels`, `epochs`, `batch_size`, `data`, `augmentation`, `optimizer`, `schedule`, `loss`, `label_smoothing`, `averaging`, `early_stopping`, `network`, `ensemble`, `extensions`");
    insta::assert_snapshot!(error(("epochs = 2", "epochs = 0"), ""), @"error: study.toml:8:10: epochs must be at least 1");
    insta::assert_snapshot!(error(("hidden_units = 12", "hidden_units = \"many\""), ""), @r#"error: study.toml:14:16: invalid type: string "many", expected a whole number that is not negative"#);
    insta::assert_snapshot!(error(("\"none\", \"batch\"", "\"none\", \"bach\""), ""), @"error: study.toml:25:19: unknown normalization `bach`; expected `batch`, `layer`, `group:G` with G ≥ 1, or `none`");
    insta::assert_snapshot!(error(("[common]", "[common]\noptimizer.learning_rate = -1.0"), ""), @"error: study.toml:28:27: learning_rate is -1, but must be positive");
    insta::assert_snapshot!(error(("data.test_fraction = 0.2", "data.test_fraction = 0.0"), ""), @"error: study.toml:11:22: test_fraction is 0, but the verdict is by test-accuracy; set data.test_fraction, such as 0.1, under [fixed]");
    insta::assert_snapshot!(error(("epochs = 2", "backend = \"wgpu\""), ""), @"error: study.toml:8:11: backend is not a field of studies; name it with --backend");
    insta::assert_snapshot!(error(("epochs = 2", "ensemble.members = 7"), ""), @"error: study.toml:8:1: ensemble is not a field of studies; leave it out");
    insta::assert_snapshot!(error(("epochs = 2", "data.fingerprint = \"x\""), ""), @"error: study.toml:8:20: data.fingerprint is not a field of studies; leave it out");
    insta::assert_snapshot!(error(("seeds = 2", "seeds = 0"), ""), @"error: study.toml:4:9: there are no seeds; write seeds = 10 for the seeds 0 to 9");
    insta::assert_snapshot!(error(("kernel = 3", "kernel = 4"), ""), @"error: sigmoid, normalization none: the network cannot be built for these images: stage 1: kernel is 4, but must be odd");
    insta::assert_snapshot!(error(("seeds = 2", "seeds = 3"), "--jobs 0"), @"error: invalid value '0' for '--jobs <N>': expected a whole number of at least 1");
    insta::assert_snapshot!(error(("seeds = 2", "seeds = 3"), "--shard 3/2"), @"error: invalid value '3/2' for '--shard <I/N>': `3/2` is no share of a study, expected I/N with I from 1 to N, such as 2/3");
    insta::assert_snapshot!(folder.fail("study report nowhere.toml"), @"error: cannot read the study nowhere.toml: No such file or directory (os error 2)");
    fs::write(folder.path("study.toml"), STUDY).unwrap();
    insta::assert_snapshot!(folder.fail("study report study.toml"), @"error: there are no runs of this study in studies/study; make them with `trainer study run study.toml`, or name their folder with --folder");
    assert!(!Path::new(&folder.path("results")).exists());
}

#[test]
fn runs_of_other_images_are_not_mixed_in() {
    let folder = folder();
    let study = STUDY.replace(
        "contenders = [\"sigmoid\", \"tanh\"]",
        "contenders = [\"tanh\"]",
    );
    let study = &study[..study.find("[verdict]").unwrap()];
    let study = study.replace("[claim]\ntext = \"tanh is better.\"\n", "");
    let study = study.replace("seeds = 2", "seeds = 1");
    fs::write(folder.path("study.toml"), study).unwrap();
    folder.succeed(&format!("{RUN} --jobs 1 --folder runs --out report"));
    // More seeds are told of by the report, however little the program says.
    let study = fs::read_to_string(folder.path("study.toml")).unwrap();
    let more = study.replace("seeds = 1", "seeds = 2");
    fs::write(folder.path("study.toml"), more).unwrap();
    let quiet = RUN.replace("--json", "--quiet");
    folder.succeed(&format!("{quiet} --jobs 1 --folder runs --out report"));
    let report = fs::read_to_string(folder.path("report/report.md")).unwrap();
    let caveat = "The study had other seeds before: 1 seed.";
    assert!(report.contains(caveat), "{report}");
    let error = folder.fail("study run study.toml --data built-in --folder runs --out report");
    insta::assert_snapshot!(error, @"error: the runs in runs are of other images than built-in digits; name those with --data, or another folder for new runs with --folder");
}
