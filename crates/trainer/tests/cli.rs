//! The program as a user meets it.

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use common::Folder;
use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

#[test]
fn help() {
    let folder = Folder::with_digits(10);
    insta::assert_snapshot!("help", folder.succeed("--help"));
    insta::assert_snapshot!("help-train", folder.succeed("train --help"));
    insta::assert_snapshot!("help-resume", folder.succeed("resume --help"));
    insta::assert_snapshot!("help-errors", folder.succeed("errors --help"));
    for verb in ["check", "convert", "fetch", "make", "show"] {
        let help = folder.succeed(&format!("data {verb} --help"));
        insta::assert_snapshot!(format!("help-data-{verb}"), help);
    }
    // Without a verb, what there is.
    insta::assert_snapshot!("help-data", folder.fail("data"));
}

#[test]
fn wrong_arguments_are_explained_in_a_line() {
    let folder = Folder::with_digits(10);
    fs::write(folder.path("short.toml"), "epochs = 1\n").unwrap();
    let error = |arguments| folder.fail(arguments).lines().next().unwrap().to_owned();
    insta::assert_snapshot!(error("--activation rely"), @"error: invalid value 'rely' for '--activation <NAME[:PARAMETERS]>': unknown activation `rely`; the closest are `relu`, `prelu`, `rrelu`; `trainer activations` lists all");
    insta::assert_snapshot!(error("--activation leaky-relu:x"), @"error: invalid value 'leaky-relu:x' for '--activation <NAME[:PARAMETERS]>': parameter `x` of `leaky-relu` is not a finite number");
    insta::assert_snapshot!(error("--preset huge"), @"error: invalid value 'huge' for '--preset <PRESET>': unknown preset `huge`; expected `tiny`, `small`, `classic`, `kaggle`, or `deep:N` with N from 1 to 200");
    insta::assert_snapshot!(error("--kernels fast"), @"error: invalid value 'fast' for '--kernels <KERNELS>': unknown kernels `fast`; expected `fused` or `stock`");
    insta::assert_snapshot!(error("--epochs x"), @"error: invalid value 'x' for '--epochs <N>': expected a whole number that is not negative");
    insta::assert_snapshot!(error("-e -1"), @"error: invalid value '-1' for '--epochs <N>': expected a whole number that is not negative");
    insta::assert_snapshot!(error("--seed 1.5"), @"error: invalid value '1.5' for '--seed <N>': expected a whole number that is not negative");
    insta::assert_snapshot!(error("--lr fast"), @"error: invalid value 'fast' for '--lr <RATE>': expected a number");
    insta::assert_snapshot!(error("predict run --data built-in"), @"error: the built-in digits have labels; `trainer data make` writes them as files, with a test.csv to predict");
    insta::assert_snapshot!(error("--epochs 0"), @"error: epochs must be at least 1");
    insta::assert_snapshot!(error("--batch-size 18446744073709551615"), @"error: batch_size is 18446744073709551615, but must be at most 1000000000");
    insta::assert_snapshot!(error("--lr -1"), @"error: learning_rate is -1, but must be positive");
    insta::assert_snapshot!(error("--averaging 1"), @"error: averaging.decay is 1, but must be at least 0 and below 1");
    insta::assert_snapshot!(error("--label-smoothing -0.1"), @"error: label_smoothing is -0.1, but must be at least 0 and below 1");
    insta::assert_snapshot!(error("--early-stopping 0"), @"error: early_stopping.patience must be at least 1");
    insta::assert_snapshot!(error("evaluate run --tta 2 --tta-strength 2"), @"error: invalid value '2' for '--tta-strength <SHARE>': expected a number from 0 to 1");
    insta::assert_snapshot!(error("--data nowhere.csv"), @"error: nowhere.csv: there is no such file or folder; found in its folder: test.csv, train.csv");
    insta::assert_snapshot!(error("--backend flex --backend cuda"), @"error: the argument '--backend <BACKEND>' cannot be used multiple times");
    insta::assert_snapshot!(error("--backend cuda"), @"error: this build has no `cuda` backend; build it with `cargo run -p trainer --features cuda`, or use --backend flex or ndarray");
    insta::assert_snapshot!(error("--config nowhere.toml"), @"error: cannot read nowhere.toml: No such file or directory (os error 2)");
    insta::assert_snapshot!(error("resume nowhere"), @"error: there is no folder nowhere; runs are in experiments/runs unless --out names another place");
    insta::assert_snapshot!(error("errors nowhere"), @"error: there is no folder nowhere; runs are in experiments/runs unless --out names another place");
    insta::assert_snapshot!(error("data check nowhere.csv"), @"error: nowhere.csv: there is no such file or folder; found in its folder: test.csv, train.csv");
    insta::assert_snapshot!(error("data check tiny.toml"), @r#"error: tiny.toml, line 2, column 1: found "backend = \"flex\"", expected label, pixel0, pixel1, … in the header"#);
    insta::assert_snapshot!(error("data fetch --mirror ftp://example.org"), @"error: ftp://example.org: found no usable address of a mirror, expected one such as https://example.org/mnist");
    insta::assert_snapshot!(error("data fetch --out ."), @"error: ./train.csv is there already; name another folder with --out, or replace it with --replace");
    insta::assert_snapshot!(error("data make --out ."), @"error: ./train.csv is there already, and is not overwritten; name another folder with --out");
    insta::assert_snapshot!(error("data make --out x --count 0"), @"error: invalid value '0' for '--count <N>': 0 is not in 1..=600000");
    insta::assert_snapshot!(error("data show --rotation x"), @"error: invalid value 'x' for '--rotation <DEGREES>': expected a number");
    insta::assert_snapshot!(error("data show --shear 60"), @"error: shear is 60, but must be 0 to 45 degrees");
    insta::assert_snapshot!(error("data show train.csv --shift 28"), @"error: shift is 28, but must be less than the 28 pixels of an image's side");
    insta::assert_snapshot!(error("data show train.csv --out test.csv"), @"error: test.csv would be a PNG picture by another name; name one that ends in .png");
    insta::assert_snapshot!(error("data show --config short.toml"), @"error: short.toml has no table [augmentation]");
    insta::assert_snapshot!(error("evaluate ."), @"error: . is not the folder of a run: it has no config.toml; the runs are in experiments/runs");
    fs::write(
        folder.path("bad.toml"),
        "epochs = 3\n\n[network]\nactivation = \"rely\"\n",
    )
    .unwrap();
    insta::assert_snapshot!(error("--config bad.toml"), @"error: bad.toml:4:14: unknown activation `rely`; the closest are `relu`, `prelu`, `rrelu`; `trainer activations` lists all");
    fs::write(folder.path("bad.toml"), "epochs = 3\nepoch = 4\n").unwrap();
    insta::assert_snapshot!(error("--config bad.toml"), @"error: bad.toml:2:1: unknown field `epoch`, expected one of `seed`, `backend`, `kernels`, `epochs`, `batch_size`, `data`, `augmentation`, `optimizer`, `schedule`, `loss`, `label_smoothing`, `averaging`, `early_stopping`, `network`, `ensemble`, `extensions`");
}

#[test]
fn bad_data_is_explained_in_a_line_with_its_place() {
    let folder = Folder::with_digits(10);
    let csv = fs::read_to_string(folder.path("train.csv")).unwrap();
    let line = csv.lines().nth(3).unwrap();
    let bad = csv.replace(line, &line.replacen(",0,", ",x,", 1));
    fs::write(folder.path("train.csv"), bad).unwrap();
    let error = folder.fail("--data train.csv");
    insta::assert_snapshot!(error, @r#"error: train.csv, line 4, column 2 (pixel0): found "x", expected an integer from 0 to 255"#);
}

#[test]
fn images_of_one_class_are_nothing_to_train_on() {
    let folder = Folder::with_digits(40);
    let csv = fs::read_to_string(folder.path("train.csv")).unwrap();
    let is_kept = |line: &&str| line.starts_with("label") || line.starts_with("0,");
    let zeros: Vec<&str> = csv.lines().filter(is_kept).collect();
    assert!(zeros.len() > 2);
    fs::write(folder.path("zeros.csv"), zeros.join("\n")).unwrap();
    let error = folder.fail("--config tiny.toml --data zeros.csv --out run");
    insta::assert_snapshot!(error, @"error: zeros.csv: all images have the label 0: there is nothing to tell apart");
}

/// From the training images to a submission, through every verb.
#[test]
fn a_run_from_images_to_submission() {
    let folder = Folder::with_digits(1200);
    let printed = folder.succeed("--config tiny.toml --data train.csv --epochs 2 --out run");
    assert!(
        printed.starts_with("train.csv: 1,200 labelled 28×28 images, 10 classes\n"),
        "{printed}"
    );
    assert!(printed.contains("\nepoch 2/2  train loss "), "{printed}");
    assert!(
        printed.contains("\neverything is in run\nnext: `trainer errors run` shows"),
        "{printed}"
    );
    let compare = "`trainer compare relu gelu tanh --config run/config.toml --data train.csv`";
    assert!(printed.contains(compare), "{printed}");
    insta::assert_snapshot!(folder.fail("errors ."), @"error: . is not the folder of a run, but holds some, such as ./run; name one of them");

    let summary = folder.summary("run");
    assert_eq!(summary["validation"]["images"], 120);
    assert_eq!(summary["backend"], "flex");
    let mut rows = csv::Reader::from_path(folder.path("run/metrics.csv")).unwrap();
    assert_eq!(rows.records().count(), 4);

    // The run's own validation images, scored again from the saved network.
    let scores: Value = serde_json::from_str(&folder.succeed("evaluate run --json")).unwrap();
    for field in ["accuracy", "loss", "confusion"] {
        assert_eq!(scores[field], summary["validation"][field], "{field}");
    }

    // Labels for all images of the test file but the last: as many are read correctly. With all it
    // would be the training file.
    let labels = fs::read_to_string(folder.path("train.csv")).unwrap();
    let (labels, _) = labels.trim_end().rsplit_once('\n').unwrap();
    fs::write(folder.path("labels.csv"), labels).unwrap();
    let scores = folder.succeed("evaluate run --data labels.csv --json");
    let scores: Value = serde_json::from_str(&scores).unwrap();
    let printed = folder.succeed("predict run --data test.csv --out out.csv");
    // What it is worth, as scored above.
    let accuracy = 100.0 * summary["validation"]["accuracy"].as_f64().unwrap();
    for expected in [
        "wrote 1,200 predictions of test.csv to out.csv\nvalidation images of ",
        &format!("\naccuracy {accuracy:.2} % (95 % interval "),
        "\nnote: the epoch was chosen by these images, so new images may be read a little worse; --model last avoids that\n",
    ] {
        assert!(printed.contains(expected), "{expected}: {printed}");
    }
    let printed = folder.succeed("evaluate run --model last");
    assert!(!printed.contains("chosen"), "{printed}");
    let submission = fs::read_to_string(folder.path("out.csv")).unwrap();
    let mut correct = 0;
    let mut lines = submission.lines();
    assert_eq!(lines.next(), Some("ImageId,Label"));
    for ((id, line), label) in (1..).zip(lines).zip(labels.lines().skip(1)) {
        let (image, predicted) = line.split_once(',').unwrap();
        assert_eq!(image, id.to_string());
        correct += usize::from(label.starts_with(&format!("{predicted},")));
    }
    assert_eq!(submission.lines().count(), 1201);
    assert_eq!(scores["accuracy"], correct as f64 / 1199.0);
}

#[test]
fn probabilities_are_written_beside_a_submission() {
    let folder = Folder::with_digits(300);
    folder.succeed("--config tiny.toml --data train.csv --epochs 2 --out run --quiet");
    let predict = "predict run --data test.csv --probabilities";
    // However it is spelled, the place of the submission.
    insta::assert_snapshot!(folder.fail(&format!("{predict} ./submission.csv")), @"error: ./submission.csv is where the submission goes; name another file with --probabilities");
    let printed = folder.succeed(&format!("{predict} p.csv"));
    assert!(
        printed.contains("to submission.csv\nwrote their probabilities to p.csv\n"),
        "{printed}"
    );
    let submission = fs::read_to_string(folder.path("submission.csv")).unwrap();
    let table = fs::read_to_string(folder.path("p.csv")).unwrap();
    assert_eq!(table.lines().next(), Some("ImageId,0,1,2,3,4,5,6,7,8,9"));
    assert_eq!(table.lines().count(), submission.lines().count());
    for (row, line) in table.lines().zip(submission.lines()).skip(1) {
        let (image, probabilities) = row.split_once(',').unwrap();
        let (submitted, label) = line.split_once(',').unwrap();
        assert_eq!(image, submitted);
        let probabilities: Vec<f64> = probabilities
            .split(',')
            .map(|probability| probability.parse().unwrap())
            .collect();
        let sum: f64 = probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-12, "{row}");
        let most_probable = probabilities[label.parse::<usize>().unwrap()];
        assert!(probabilities.iter().all(|&other| other <= most_probable));
    }
    // Such a file is replaced, no other.
    let printed = folder.succeed(&format!("{predict} p.csv"));
    assert!(
        printed.contains("to p.csv, in the place of the ones that were there\n"),
        "{printed}"
    );
    insta::assert_snapshot!(folder.fail(&format!("{predict} test-labels.csv")), @"error: test-labels.csv is the name of the answers to the test images; name another file with --probabilities");
    insta::assert_snapshot!(folder.fail(&format!("{predict} test.csv")), @"error: test.csv is there already and is not a table of probabilities; name another place with --probabilities");
    insta::assert_snapshot!(folder.fail(&format!("{predict} submission.csv")), @"error: submission.csv is where the submission goes; name another file with --probabilities");
    insta::assert_snapshot!(folder.fail(&format!("{predict} none/p.csv")), @"error: there is no folder none; make it, or name another place with --probabilities");
}

#[test]
fn images_to_predict_are_looked_for_beside_those_of_the_training() {
    let folder = Folder::with_digits(100);
    fs::create_dir(folder.path("mine")).unwrap();
    for name in ["train.csv", "test.csv"] {
        fs::rename(folder.path(name), folder.path("mine").join(name)).unwrap();
    }
    for out in ["run", "other"] {
        folder.succeed(&format!(
            "--config tiny.toml --data mine --epochs 1 --seed 1 --quiet --out {out}"
        ));
    }
    let mine = std::path::absolute(folder.path("mine")).unwrap();
    let said = folder.succeed("predict run other");
    let expected = format!("wrote 100 predictions of {}/test.csv", mine.display());
    assert!(said.starts_with(&expected), "{said}");
    fs::rename(
        folder.path("mine/test.csv"),
        folder.path("mine/unlabelled.csv"),
    )
    .unwrap();
    let error = folder
        .fail("predict run")
        .replace(mine.to_str().unwrap(), "MINE");
    insta::assert_snapshot!(error, @"error: there are no images to predict: no test.csv in MINE, where those are that the network was trained with, nor in data; name a file with --data");
    fs::create_dir(folder.path("data")).unwrap();
    fs::copy(
        folder.path("mine/unlabelled.csv"),
        folder.path("data/test.csv"),
    )
    .unwrap();
    let said = folder.succeed("predict run");
    assert!(
        said.starts_with("wrote 100 predictions of data/test.csv"),
        "{said}"
    );
    insta::assert_snapshot!(folder.fail("predict run --data mine/train.csv"), @"error: mine/train.csv, line 1, column 1: found a label column, expected pixel columns only; is this the labelled train.csv in place of test.csv? `trainer evaluate` scores networks on labelled images");
}

/// What cannot be printed is said to be lost, once, and nothing else is.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_under_stdout_does_not_end_a_training() {
    let folder = Folder::with_digits(200);
    let train = "--config tiny.toml --data train.csv --epochs 2 --json --out run";
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = folder
        .command(train)
        .stdout(full.try_clone().unwrap())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{error}");
    insta::assert_snapshot!(error, @"warning: cannot write to stdout: No space left on device (os error 28); the training goes on, and its results are in the run's folder");
    assert_eq!(folder.summary("run")["epochs"], 2);
    // Nor does it where that cannot be said either, as with `> log 2>&1`.
    let train = train.replace("--out run", "--out untold");
    let mut command = folder.command(&train);
    let log = full.try_clone().unwrap();
    assert!(command.stdout(full).stderr(log).status().unwrap().success());
    assert_eq!(folder.summary("untold")["epochs"], 2);
}

/// All images are trained on, and the last network is the one that is used.
#[test]
fn a_run_without_validation() {
    let folder = Folder::with_digits(200);
    let printed = folder.succeed(
        "--config tiny.toml --data train.csv --epochs 2 --validation-fraction 0 --plain --out run",
    );
    assert!(printed.contains("no image was held out"), "{printed}");
    assert!(
        printed.contains("\nnext: `trainer predict run` reads unlabelled images"),
        "{printed}"
    );
    assert!(!printed.contains("valid loss"), "{printed}");
    let summary = folder.summary("run");
    assert_eq!(summary["best_epoch"], 2);
    assert!(summary["validation"].is_null());
    let mut rows = csv::Reader::from_path(folder.path("run/metrics.csv")).unwrap();
    let images: Vec<_> = rows
        .records()
        .map(|row| row.unwrap()[4].to_owned())
        .collect();
    assert_eq!(images, ["200", "200"]);
    folder.succeed("evaluate run --data train.csv");
    folder.succeed("resume run --epochs 3 --json");
    insta::assert_snapshot!(folder.fail("evaluate run"), @"error: run held out no image for validation; name labelled images with --data");
    insta::assert_snapshot!(folder.succeed("predict run --data test.csv"), @r"
    wrote 200 predictions of test.csv to submission.csv
    how many are right is not known: run held out no image for validation
    ");
    let stopping = fs::read_to_string(folder.path("tiny.toml"))
        .unwrap()
        .replace("[averaging]", "[early_stopping]\npatience = 2\n[averaging]");
    fs::write(folder.path("stopping.toml"), stopping).unwrap();
    // Where the answers are known, they are beside the images.
    fs::write(folder.path("test-labels.csv"), "ImageId,Label\n").unwrap();
    let printed = folder.succeed("predict run --data test.csv");
    let next = "next: `trainer score submission.csv --answers test-labels.csv` compares";
    assert!(printed.contains(next), "{printed}");
    let printed = folder.succeed("--config stopping.toml --data train.csv --out stopping --plain");
    let note = "early stopping may end this run while its learning rate is high";
    assert!(printed.contains(note), "{printed}");
    insta::assert_snapshot!(folder.fail("--config stopping.toml --data train.csv --validation-fraction 0"), @"error: early_stopping needs validation images, but validation_fraction is 0");
    insta::assert_snapshot!(folder.fail("--data train.csv --batch-size 1"), @"error: the hidden layer: batch normalization has a single number to take the deviation of, which leaves nothing: use a larger batch_size, or another normalization");
}

/// With steps too small to change a weight, no epoch is better than the first.
#[test]
fn a_run_stops_when_it_gets_no_better() {
    let folder = Folder::with_digits(200);
    let config = "[early_stopping]\npatience = 2\n[network]\nnormalization = \"none\"\nhidden_units = 8\n[[network.stages]]\nchannels = 2\nkernel = 3\ndownsampling = \"pool\"\n";
    fs::write(folder.path("stopping.toml"), config).unwrap();
    let train = "--config stopping.toml --data train.csv --epochs 9 --lr 1e-30 --plain";
    let printed = folder.succeed(&format!("{train} --out run"));
    assert!(
        printed.contains("no better epoch than 1 in 2 epochs"),
        "{printed}"
    );
    assert_eq!(folder.summary("run")["epochs"], 3);
    // The last network, too, is where it is because of these images.
    for network in ["best", "last"] {
        let printed = folder.succeed(&format!("evaluate run --model {network}"));
        let expected = "\nnote: the epoch was chosen by these images, so new images may be read a little worse\n";
        assert!(printed.contains(expected), "{network}: {printed}");
    }
    // It has come to its end. A run that has not says so to whoever reads with its network.
    let said_beside = |command: &str| String::from_utf8(folder.run(command).stderr).unwrap();
    assert!(!said_beside("evaluate run").contains("note:"));
    let summary = fs::read(folder.path("run/summary.json")).unwrap();
    fs::remove_file(folder.path("run/summary.json")).unwrap();
    for command in [
        "evaluate run",
        "predict run --data train.csv --out a.csv",
        "export run",
    ] {
        let said = said_beside(command);
        let note = "note: run has trained 3 of 9 epochs; if it was stopped, `trainer resume run` goes on\n";
        assert!(said.contains(note), "{command}: {said}");
    }
    fs::write(folder.path("run/summary.json"), summary).unwrap();
    let card = fs::read_to_string(folder.path("run/best.toml")).unwrap();
    let changed = card.replacen("mean = 0.", "mean = 0.9", 1);
    assert_ne!(card, changed);
    fs::write(folder.path("run/best.toml"), changed).unwrap();
    insta::assert_snapshot!(folder.fail("evaluate run"), @"error: run/best.toml is damaged, or was changed by hand: its SHA-256 is not the one in its first line");
    fs::write(folder.path("run/best.toml"), card).unwrap();
    insta::assert_snapshot!(folder.fail("predict run --data train.csv --out test-labels.csv"), @"error: test-labels.csv is the name of the answers to the test images; name another file with --out");
    insta::assert_snapshot!(folder.fail("resume run"), @"error: run has ended after 2 epochs without a better one; to go on, raise patience in run/config.toml");
    let config = fs::read_to_string(folder.path("run/config.toml")).unwrap();
    let patient = config.replace("patience = 2", "patience = 3");
    fs::write(folder.path("run/config.toml"), patient).unwrap();
    let printed = folder.succeed("resume run --plain");
    assert!(
        printed.contains("no better epoch than 1 in 3 epochs"),
        "{printed}"
    );
    assert_eq!(folder.summary("run")["epochs"], 4);
}

#[test]
fn nothing_is_overwritten() {
    let folder = Folder::with_digits(100);
    folder.succeed("--config tiny.toml --data train.csv --epochs 1 --out run --quiet");
    let error = folder.fail("--config tiny.toml --data train.csv --epochs 1 --out run");
    insta::assert_snapshot!(error, @"error: run is there already, and runs are never overwritten; continue it with `trainer resume run` or name another --out");
    let file = "--config tiny.toml --data train.csv --epochs 1 --out test.csv";
    insta::assert_snapshot!(folder.fail(file), @"error: test.csv is there already, and is no run; name another --out");
    insta::assert_snapshot!(folder.fail("predict run --data test.csv --out test.csv"), @"error: test.csv is there already and is not a submission; name another place with --out");
    insta::assert_snapshot!(folder.fail("export run --out test.csv"), @"error: test.csv would be a safetensors file by another name; name one that ends in .safetensors");
    fs::copy(folder.path("test.csv"), folder.path("other.safetensors")).unwrap();
    insta::assert_snapshot!(folder.fail("export run --out other.safetensors"), @"error: other.safetensors is there already and is not a safetensors file; name another place with --out");
    let exported = || {
        folder.succeed("predict run --data test.csv");
        folder.succeed("export run");
        fs::read(folder.path("model.safetensors")).unwrap()
    };
    assert_eq!(exported(), exported());
    // What is left of a run that was stopped before it had a configuration.
    fs::create_dir(folder.path("begun")).unwrap();
    for name in ["run.lock", ".config.toml.1-0.partial"] {
        fs::write(folder.path("begun").join(name), "").unwrap();
    }
    folder.succeed("--config tiny.toml --data train.csv --epochs 1 --quiet --out begun");
    for name in ["tiny-rrelu-seed7-flex", "tiny-rrelu-seed7-flex-2"] {
        folder.succeed("--config tiny.toml --data train.csv --epochs 1 --quiet");
        assert!(
            folder
                .path("experiments/runs")
                .join(name)
                .join("summary.json")
                .is_file()
        );
    }
}

/// A user's files beside the weights, whatever they are called.
#[test]
fn files_that_are_not_the_runs_own_are_kept() {
    let folder = Folder::with_digits(100);
    folder.succeed("--config tiny.toml --data train.csv --epochs 1 --quiet --out run");
    let mine = ["best-epoch-0001.safetensors", "last-epoch-mine.bpk"];
    for name in mine {
        fs::write(folder.path("run").join(name), "mine").unwrap();
    }
    fs::create_dir(folder.path("run/best-epoch-notes")).unwrap();
    folder.succeed("resume run --epochs 3 --quiet");
    for name in mine {
        assert!(folder.path("run").join(name).exists(), "{name}");
    }
    assert!(!folder.path("run/last-epoch-0001.bpk").exists());
}

/// A configuration is a text, and a path need not be one.
#[test]
#[cfg(unix)]
fn a_path_that_no_configuration_can_hold_leaves_no_run() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::with_digits(100);
    let name = OsStr::from_bytes(b"digits-\xff.csv");
    fs::rename(folder.path("train.csv"), folder.path(name)).unwrap();
    let mut command = folder.command("--config tiny.toml --epochs 1 --quiet --out run --data");
    let output = command.arg(name).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(error.contains("which is not UTF-8"), "{error}");
    assert!(!folder.path("run").exists());
    let mut command = folder.command("compare relu tanh --seeds 1 --name x --data");
    let output = command.arg(name).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("which is not UTF-8"), "{error}");
    assert!(!folder.path("experiments").exists());
}

/// The same configuration gives the same weights, the file of a run repeats it, and every seed is
/// another run.
#[test]
fn runs_repeat_to_the_last_bit() {
    let folder = Folder::with_digits(300);
    let weights = |arguments: &str, run: &str| {
        folder.succeed(&format!("{arguments} --data train.csv --quiet --out {run}"));
        folder.summary(run)["weights_sha256"].clone()
    };
    let first = weights("--config tiny.toml --epochs 2", "a");
    assert_eq!(weights("--config a/config.toml", "b"), first);
    assert_ne!(weights("--config a/config.toml --seed 8", "c"), first);
}

#[test]
fn a_submission_is_scored_where_the_answers_are_known() {
    let folder = Folder::with_digits(10);
    let write = |name: &str, rows: &str| fs::write(folder.path(name), rows).unwrap();
    write("answers.csv", "ImageId,Label\n1,7\n2,0\n3,3\n4,9\n");
    let score = "score submission.csv --answers answers.csv";
    // Rows and columns may be in another order, and lines end as they like.
    write(
        "submission.csv",
        "label,IMAGEID\r\n9,4\r\n0,2\r\n8,3\r\n7,1",
    );
    insta::assert_snapshot!(folder.succeed(score), @"accuracy 75.00 % (95 % interval 30.06 to 95.44): 3 of 4 images of submission.csv are right");
    let json: Value = serde_json::from_str(&folder.succeed(&format!("{score} --json"))).unwrap();
    assert_eq!((&json["correct"], &json["images"]), (&3.into(), &4.into()));
    // As Excel writes "CSV UTF-8".
    let rows = "\u{feff}ImageId,Label\r\n1,7\r\n2,0\r\n3,3\r\n4,9\r\n";
    write("submission.csv", rows);
    assert!(folder.succeed(score).starts_with("accuracy 100.00 %"));

    // Labelled images are answers too, plain or compressed.
    let images = "label,pixel0\n7,1\n0,2\n3,3\n9,4\n";
    write("images.csv", images);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, images.as_bytes()).unwrap();
    fs::write(folder.path("images.csv.gz"), gzip.finish().unwrap()).unwrap();
    for name in ["images.csv", "images.csv.gz"] {
        let scored = folder.succeed(&format!("score submission.csv --answers {name}"));
        assert!(scored.starts_with("accuracy 100.00 %"), "{scored}");
    }
    // In a folder the answers come before the images that networks are trained on, whose order is another.
    fs::create_dir(folder.path("both")).unwrap();
    write("both/train.csv", "label,pixel0\n9,4\n3,3\n0,2\n7,1\n");
    let of_folder = "score submission.csv --answers both";
    assert!(folder.succeed(of_folder).starts_with("accuracy 0.00 %"));
    write(
        "both/test-labels.csv",
        "ImageId,Label\n1,7\n2,0\n3,3\n4,9\n",
    );
    assert!(folder.succeed(of_folder).starts_with("accuracy 100.00 %"));
    write("images.csv", "label,pixel0\n7,1\n0,x\n");
    insta::assert_snapshot!(folder.fail("score submission.csv --answers images.csv"), @r#"error: images.csv, line 3, column 2 (pixel0): found "x", expected an integer from 0 to 255"#);
    insta::assert_snapshot!(folder.fail("score submission.csv --answers test.csv"), @"error: test.csv:1: found the columns pixel0,pixel1,pixel2, expected ImageId,Label; or labelled images, which `trainer data convert` makes of other tables");

    write("submission.csv", "ImageId,Label\n1,7\n2,0\n3,8\n");
    insta::assert_snapshot!(folder.fail(score), @"error: image 4 is in answers.csv, but not in submission.csv; name the answers to these images with --answers");
    fs::write(folder.path("submission.csv"), [0x1f, 0x8b, 8, 0]).unwrap();
    insta::assert_snapshot!(folder.fail(score), @"error: submission.csv is compressed; unpack it first");
    write("submission.csv", "ImageId,Label\n1,7\n2,zero\n");
    insta::assert_snapshot!(folder.fail(score), @"error: submission.csv, row 2 behind the header: found 2,zero, expected two whole numbers such as 1,7");
    write("submission.csv", "ImageId,Label\n1,7\n2,0\n1,7\n");
    insta::assert_snapshot!(folder.fail(score), @"error: submission.csv, row 3 behind the header: image 1 is there twice; it must have one label");
    write("submission.csv", "label,pixel0\n1,7\n");
    insta::assert_snapshot!(folder.fail(score), @"error: submission.csv:1: found the columns label,pixel0, expected ImageId,Label");
    write("submission.csv", "ImageId,Label\n");
    insta::assert_snapshot!(folder.fail(score), @"error: submission.csv has no rows, only a header");
    write("submission.csv", "");
    insta::assert_snapshot!(folder.fail(score), @"error: submission.csv is empty, expected a header ImageId,Label and rows");
    insta::assert_snapshot!(folder.fail("score answers.csv"), @"error: there is no file data/test-labels.csv with the answers; `trainer data fetch` and `trainer data make` write one, or name it with --answers (Kaggle's are not public)");
    let error = folder.fail("score answers.csv --answers none.csv");
    assert!(
        error.starts_with("error: none.csv: cannot be read"),
        "{error}"
    );
    insta::assert_snapshot!(folder.fail("score none.csv --answers answers.csv"), @"error: none.csv: cannot be read (No such file or directory (os error 2)); check that it is there and that you may read it");
}

/// Also with another number of threads.
#[test]
fn recipes_repeat_to_the_last_bit() {
    let folder = Folder::with_digits(300);
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/recipes");
    let mut count = 0;
    for recipe in fs::read_dir(recipes).unwrap() {
        let recipe = recipe.unwrap().path();
        let name = recipe.file_stem().unwrap().to_str().unwrap();
        fs::copy(&recipe, folder.path("recipe.toml")).unwrap();
        let weights = ["1", "2"].map(|threads| {
            let run = format!("{name}-{threads}");
            let train = format!(
                "--config recipe.toml --data train.csv --epochs 1 --backend flex --quiet --out {run}"
            );
            let mut command = folder.command(&train);
            let status = command.env("RAYON_NUM_THREADS", threads).status().unwrap();
            assert!(status.success(), "{run}");
            folder.summary(&run)["weights_sha256"].clone()
        });
        assert_eq!(weights[0], weights[1], "{name}");
        assert!(weights[0].is_string(), "{name}");
        count += 1;
    }
    assert!(count >= 3);
}

/// The kernels are part of a run; what it has learned is read by either.
#[test]
fn kernels_are_the_runs_own() {
    let folder = Folder::with_digits(300);
    let train = "--config tiny.toml --data train.csv --epochs 2 --quiet";
    for kernels in ["stock", "fused"] {
        folder.succeed(&format!("{train} --kernels {kernels} --out {kernels}"));
        let config = fs::read_to_string(folder.path(kernels).join("config.toml")).unwrap();
        assert!(
            config.contains(&format!("kernels = \"{kernels}\"")),
            "{config}"
        );
        let scores = ["stock", "fused"].map(|kernels_now| {
            let evaluate = format!("evaluate {kernels} --kernels {kernels_now} --json");
            serde_json::from_str::<Value>(&folder.succeed(&evaluate)).unwrap()
        });
        let [stock, fused] = scores
            .each_ref()
            .map(|scores| scores["loss"].as_f64().unwrap());
        assert!((stock - fused).abs() < 1e-5 * stock, "{stock} {fused}");
    }
    folder.succeed(&format!("{train} --out default"));
    let weights = |run| folder.summary(run)["weights_sha256"].clone();
    assert_eq!(weights("default"), weights("fused"));
    assert_ne!(weights("default"), weights("stock"));
}

#[test]
fn a_diverging_run_ends_with_a_clear_message() {
    let folder = Folder::with_digits(300);
    fs::write(
        folder.path("wild.toml"),
        "backend = \"flex\"\nbatch_size = 10\n[optimizer]\nkind = \"sgd\"\nlearning_rate = 1e30\n[schedule]\nkind = \"constant\"\n[network]\nnormalization = \"none\"\nhidden_units = 8\n[[network.stages]]\nchannels = 2\nkernel = 3\n",
    )
    .unwrap();
    let error = folder.fail("--config wild.toml --data train.csv --out run");
    insta::assert_snapshot!(error, @"error: the loss is not a number in epoch 1: the training has diverged; it had no checkpoint yet; start a new run with a lower --lr");
}

#[test]
fn numbers_of_files_are_explained_in_words() {
    let folder = Folder::with_digits(100);
    let mut errors = Vec::new();
    for line in ["epochs = -3", "epochs = \"3\"", "label_smoothing = true"] {
        fs::write(folder.path("wrong.toml"), line).unwrap();
        errors.push(folder.fail("--config wrong.toml"));
    }
    insta::assert_snapshot!(errors.concat(), @r#"
    error: wrong.toml:1:10: invalid value: integer `-3`, expected a whole number that is not negative
    error: wrong.toml:1:10: invalid type: string "3", expected a whole number that is not negative
    error: wrong.toml:1:19: invalid type: boolean `true`, expected a number
    "#);
}

/// Networks are scored on files without some of the classes, which none can be trained on.
#[test]
fn some_classes_can_be_evaluated() {
    let folder = Folder::with_digits(200);
    let printed =
        folder.succeed("--config tiny.toml --data train.csv --epochs 1 --out run --plain");
    assert!(
        printed.contains("\n6 steps of training in all, which is little"),
        "{printed}"
    );
    let text = fs::read_to_string(folder.path("train.csv")).unwrap();
    let some =
        |line: &&str| !line.starts_with(|digit: char| digit.is_ascii_digit() && digit != '3');
    let lines: Vec<&str> = text.lines().filter(some).collect();
    fs::write(folder.path("threes.csv"), lines.join("\n")).unwrap();
    let text = folder.succeed("evaluate run --data threes.csv --json");
    let scores: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(scores["images"], 20);
    let error = folder.fail("--config tiny.toml --data threes.csv --out other");
    assert!(error.contains("to train on them, renumber them"), "{error}");
}

/// A pipe can be read once, and images are read again.
#[cfg(unix)]
#[test]
fn pipes_are_no_data() {
    let folder = Folder::with_digits(100);
    let mut command = folder.command("data check /dev/stdin");
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // The program may have ended before, as it does not read a pipe.
    std::io::Write::write_all(&mut input, b"label,pixel0\n1,2\n").ok();
    drop(input);
    let error = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    insta::assert_snapshot!(error, @"error: /dev/stdin: cannot be opened: it is a pipe or a device; write it to a file, which can be read again");
}

/// A step's loss is that of the network before it, and where nothing is held out no other is computed.
#[test]
fn a_network_broken_by_its_last_step_is_not_kept() {
    let folder = Folder::with_digits(100);
    fs::write(
        folder.path("wild.toml"),
        "backend = \"flex\"\nbatch_size = 100\n[data]\nvalidation_fraction = 0\n[optimizer]\nkind = \"sgd\"\nlearning_rate = 1e30\n[schedule]\nkind = \"constant\"\n[network]\nnormalization = \"none\"\nhidden_units = 8\n[[network.stages]]\nchannels = 2\nkernel = 3\n",
    )
    .unwrap();
    for epochs in [1, 2] {
        let train =
            format!("--config wild.toml --data train.csv --epochs {epochs} --out run-{epochs}");
        let error = folder.fail(&train);
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"error: the loss is not a number in epoch 1: the training has diverged; it had no checkpoint yet; start a new run with a lower --lr");
        }
        assert!(!folder.path(format!("run-{epochs}/last.toml")).exists());
    }
}

#[test]
fn quiet_is_quiet_and_json_is_json() {
    let folder = Folder::with_digits(100);
    let train = "--config tiny.toml --data train.csv --epochs 2";
    assert_eq!(folder.succeed(&format!("{train} --quiet --out a")), "");
    let lines = folder.succeed(&format!("{train} --json --out b"));
    let events: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| event["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events, ["epoch", "epoch", "summary"]);
}

/// The default network learns to read in two short epochs what it cannot before.
#[test]
fn the_default_network_learns() {
    let folder = Folder::with_digits(2000);
    folder.succeed("--backend flex --data train.csv --epochs 2 --batch-size 32 --quiet --out run");
    let accuracy = folder.summary("run")["validation"]["accuracy"]
        .as_f64()
        .unwrap();
    assert!((0.85..=1.0).contains(&accuracy), "{accuracy}");
}

#[test]
fn data_are_checked() {
    let folder = Folder::with_digits(200);
    let report = folder.succeed("data check train.csv test.csv");
    insta::assert_snapshot!(report, @"
    train.csv: 200 labelled 28×28 images, 10 classes
      pixels    0 to 255, mean 33.59, standard deviation 79.16; at the border 0.00
      copies    none of earlier images, none with another label
      empty     none of zeros only, none of one other grey

      class    images      share
          0        20    10.00 %
          1        20    10.00 %
          2        20    10.00 %
          3        20    10.00 %
          4        20    10.00 %
          5        20    10.00 %
          6        20    10.00 %
          7        20    10.00 %
          8        20    10.00 %
          9        20    10.00 %

    test.csv: 200 unlabelled 28×28 images
      pixels    0 to 255, mean 33.59, standard deviation 79.16; at the border 0.00
      copies    none of earlier images
      empty     none of zeros only, none of one other grey

    in train.csv and test.csv: 200 of the latter's images

    warning: test.csv: 200 images also in train.csv, such as number 1, there 1; trained on the one, a network is not tested by the other
    ");
    let report = folder.succeed("data check train.csv test.csv --json");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        report["tables"][0]["classes"],
        serde_json::json!(vec![20; 10])
    );
    assert_eq!(report["shared"][0]["images"].as_array().unwrap().len(), 200);
    assert_eq!(report["warnings"][0]["kind"], "shared");
    let message = report["warnings"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("test.csv: 200 images also in train.csv"));
}

/// What is wrong with one file keeps no other from being described.
#[test]
fn every_file_is_checked() {
    let folder = Folder::with_digits(20);
    fs::write(folder.path("bad.csv"), "label,pixel0\n0,x\n").unwrap();
    fs::write(folder.path("gap.csv"), "label,pixel0\n1,1\n2,2\n4,3\n").unwrap();
    fs::create_dir(folder.path("both")).unwrap();
    fs::write(folder.path("both/train.csv"), "").unwrap();
    fs::copy(folder.path("gap.csv"), folder.path("both/test.csv")).unwrap();
    let output = folder.run("data check none.csv gap.csv bad.csv both");
    assert_eq!(output.status.code(), Some(1));
    let [said, errors] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    for expected in [
        "gap.csv: 3 labelled 1×1 images, 3 classes\n",
        "\n\nboth/test.csv: 3 labelled 1×1 images, 3 classes\n",
        "\n  class    images      share\n      1         1    33.33 %\n      2 ",
        "\nwarning: gap.csv: no image has the label 0, 3, though",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    insta::assert_snapshot!(errors, @r#"
    error: none.csv: there is no such file or folder; found in its folder: bad.csv, gap.csv, test.csv, train.csv
    error: bad.csv, line 2, column 2 (pixel0): found "x", expected an integer from 0 to 255
    error: both/train.csv, line 1, column 1: found an empty file, expected a header such as label,pixel0,pixel1,…
    "#);
    let output = folder.run("data check bad.csv gap.csv --json");
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["tables"].as_array().unwrap().len(), 1);
    let warnings = report["warnings"].as_array().unwrap();
    let gap = warnings
        .iter()
        .find(|warning| warning["kind"] == "label-gap");
    assert_eq!(gap.unwrap()["missing"], serde_json::json!([0, 3]));
    // With both on one terminal, each error stands where its file would.
    let together = folder.path("together");
    let file = fs::File::create(&together).unwrap();
    let mut command = folder.command("data check none.csv train.csv bad.csv test.csv");
    command
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .status()
        .unwrap();
    let together = fs::read_to_string(together).unwrap();
    let starts = [
        "error: none.csv",
        "train.csv: 20 ",
        "error: bad.csv",
        "test.csv: 20 ",
    ];
    let places = starts.map(|start| together.find(start).unwrap());
    assert!(places.is_sorted(), "{together}");
}

/// From a table as others write it to a network's score.
#[test]
fn tables_of_others_are_converted() {
    let folder = Folder::with_digits(200);
    let text = fs::read_to_string(folder.path("train.csv")).unwrap();
    let (_, rows) = text.split_once('\n').unwrap();
    let names = ["even, or 0", "odd"];
    let pixels: Vec<String> = (0..784).map(|pixel| format!("p{pixel}")).collect();
    let mut mine = format!("id;{};target\n", pixels.join(";"));
    for (id, row) in rows.lines().enumerate() {
        let (label, pixels) = row.split_once(',').unwrap();
        let label: usize = label.parse().unwrap();
        mine += &format!(
            "{id};{};\"{}\"\n",
            pixels.replace(',', ";"),
            names[label % 2]
        );
    }
    fs::write(folder.path("mine.csv"), mine).unwrap();
    let said = folder.succeed("data convert mine.csv ready.csv --drop id");
    insta::assert_snapshot!(said, @"
    wrote 200 labelled 28×28 images to ready.csv
    the labels of the classes are in ready-classes.csv, by which other tables are converted alike with --classes ready-classes.csv:
      label  class
          0  even, or 0
          1  odd
    ");
    let classes = fs::read_to_string(folder.path("ready-classes.csv")).unwrap();
    assert_eq!(classes, "class,label\n\"even, or 0\",0\nodd,1\n");
    let [ready, train] = ["ready.csv", "train.csv"]
        .map(|name| data::tables(Some(&folder.path(name))).unwrap().remove(0));
    assert!(ready.images().eq(train.images()));
    let labels = train.labels().unwrap().iter().map(|label| label % 2);
    assert!(ready.labels().unwrap().iter().copied().eq(labels));
    folder.succeed("--config tiny.toml --data ready.csv --epochs 1 --quiet --out run");
    let predict = "predict run --data test.csv --classes ready-classes.csv --out named.csv --probabilities p.csv";
    // The second time they take the place of what is there.
    for _ in 0..2 {
        folder.succeed(predict);
    }
    let named = fs::read_to_string(folder.path("named.csv")).unwrap();
    let is_named = |row: &str| row.ends_with(",\"even, or 0\"") || row.ends_with(",odd");
    assert!(named.lines().skip(1).all(is_named), "{named}");
    let probabilities = fs::read_to_string(folder.path("p.csv")).unwrap();
    assert!(
        probabilities.starts_with("ImageId,\"even, or 0\",odd\n1,"),
        "{probabilities}"
    );
    fs::write(folder.path("three.csv"), "class,label\na,0\nb,1\nc,2\n").unwrap();
    insta::assert_snapshot!(folder.fail("predict run --data test.csv --classes three.csv"), @"error: three.csv has 3 classes, but the network knows 2; name the file that is beside the images that it was trained with");

    fs::write(folder.path("narrow.csv"), "a,b\n0.5,1\n").unwrap();
    let narrow = "data convert narrow.csv wide.csv --unlabelled";
    insta::assert_snapshot!(folder.succeed(&format!("{narrow} --width 1")), @"
    wrote 1 unlabelled 2×2 images to wide.csv, those of 1×2 with margins; pixels from 0 to 1 are 0 to 255 there
    note: 2 columns are taken for 1×2 pixels; tables of anything but images are not read
    ");
    assert!(!folder.path("wide-classes.csv").exists());
    insta::assert_snapshot!(folder.fail(narrow), @"error: wide.csv: is there already, and is not overwritten; name another file to write");
    insta::assert_snapshot!(folder.fail("data convert mine.csv x"), @"error: x has no ending; name one that ends in .csv");
    insta::assert_snapshot!(folder.fail("data convert mine.csv x.csv.gz"), @"error: x.csv.gz would be a CSV file by another name; name one that ends in .csv");
    insta::assert_snapshot!(folder.fail("data convert mine.csv x/y.csv"), @"error: there is no folder x; make it, or name another file to write");
    insta::assert_snapshot!(folder.fail("data convert mine.csv x.csv --range 1 1"), @"error: --range needs two different finite numbers");
    insta::assert_snapshot!(folder.fail("data convert none.csv x.csv"), @"error: none.csv: there is no such file or folder; found in its folder: mine.csv, named.csv, narrow.csv, p.csv, ready-classes.csv and 5 more");
    // There is no ink to be made full.
    fs::write(folder.path("blank.csv"), "label,a\n0,0\n1,0\n").unwrap();
    assert!(
        !folder
            .succeed("data convert blank.csv b.csv")
            .contains("--range")
    );
}

/// Another division of the same digits, as `data fetch` writes it, comes before Kaggle's archive: that is said, and a
/// network that was trained on one is not given the test images of the other.
#[test]
fn an_archive_beside_other_files_is_told_of() {
    let folder = Folder::with_digits(120);
    let [train, test] =
        ["train.csv", "test.csv"].map(|name| fs::read_to_string(folder.path(name)).unwrap());
    let first = |text: &str, lines| text.lines().take(lines).collect::<Vec<_>>().join("\n");
    let mut archive = ZipWriter::new(File::create(folder.path("digit-recognizer.zip")).unwrap());
    for (name, text) in [
        ("train.csv", first(&train, 101)),
        ("test.csv", first(&test, 51)),
    ] {
        let options = SimpleFileOptions::default();
        archive.start_file(name, options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    fs::write(folder.path("test-labels.csv"), "ImageId,Label\n").unwrap();
    let run = |arguments: &str| {
        let output = folder.run(arguments);
        let [said, noted] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{arguments}: {noted}");
        (said, noted)
    };
    let train = "--config tiny.toml --epochs 1 --plain";

    let note = "train.csv is read, and not ./digit-recognizer.zip beside it; name that with --data if it is meant";
    let (said, _) = run(&format!("{train} --data . --out found"));
    assert!(said.contains(&format!("note: ./{note}\n")), "{said}");
    let (said, noted) = run("predict found --out found.csv");
    assert!(said.starts_with("wrote 120 predictions of "), "{said}");
    assert!(said.contains("next: `trainer score "), "{said}");
    assert!(noted.contains("digit-recognizer.zip beside it"), "{noted}");

    // Whoever names a file means it.
    for file in ["train.csv", "digit-recognizer.zip"] {
        let (said, _) = run(&format!("{train} --data {file} --out named-{file}"));
        assert!(!said.contains("beside it"), "{said}");
    }
    // These are not the images to which answers are there.
    let (said, noted) = run("predict named-digit-recognizer.zip --out archived.csv");
    assert!(said.starts_with("wrote 50 predictions of "), "{said}");
    assert!(!said.contains("trainer score"), "{said}");
    assert!(!noted.contains("beside it"), "{noted}");

    let (said, _) = run("data check .");
    let warning =
        "warning: ./digit-recognizer.zip is not looked at: train.csv and test.csv come first";
    assert!(said.contains(warning), "{said}");
    insta::assert_snapshot!(folder.fail("predict found --out submission.zip"), @"error: submission.zip would be a CSV file by another name; name one that ends in .csv");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("test-labels.csv", folder.path("link.csv")).unwrap();
        insta::assert_snapshot!(folder.fail("predict found --out link.csv"), @"error: link.csv is the name of the answers to the test images; name another file with --out");
        fs::rename(folder.path("test-labels.csv"), folder.path("answers.csv")).unwrap();
        std::os::unix::fs::symlink("answers.csv", folder.path("test-labels.csv")).unwrap();
        insta::assert_snapshot!(folder.fail("predict found --out test-labels.csv"), @"error: test-labels.csv is the name of the answers to the test images; name another file with --out");
    }
    // What is not drawn may be damaged.
    fs::write(folder.path("test.csv"), "pixel0,pixel1\n0\n").unwrap();
    folder.succeed("data show . --out digits.png");
}

#[test]
fn built_in_digits_become_files_that_are_not_overwritten() {
    let folder = Folder::with_digits(10);
    fs::create_dir(folder.path("made")).unwrap();
    fs::write(folder.path("made/digit-recognizer.zip"), "").unwrap();
    let said = folder.succeed("data make --out made --count 200");
    insta::assert_snapshot!(said, @"
    wrote 200 drawn digits with labels to made/train.csv, 134 without to made/test.csv, whose labels are in made/test-labels.csv
    warning: made/digit-recognizer.zip is not looked at: train.csv and test.csv come first; move it away, or name the file itself
    ");
    // The library's, those of the test behind all that it trains on.
    let made = data::tables(Some(&folder.path("made"))).unwrap();
    let drawn = [
        data::built_in_images(0..200),
        data::built_in_images(42_000..42_134),
    ];
    let [train, test] = made.as_slice() else {
        panic!("{made:?}");
    };
    assert_eq!((train.images().len(), test.images().len()), (200, 134));
    for (table, drawn) in made.iter().zip(&drawn) {
        for (image, expected) in table
            .images()
            .zip(burn::data::dataset::Dataset::iter(drawn))
        {
            assert_eq!(image, expected.unwrap().image.pixels());
        }
    }
    assert_eq!(data::check(&made).warnings, []);
    let labels = fs::read_to_string(folder.path("made/test-labels.csv")).unwrap();
    assert!(labels.starts_with("ImageId,Label\n1,0\n2,1\n"), "{labels}");
    assert_eq!(labels.lines().count(), 135);

    for name in ["train.csv", "test.csv"] {
        fs::remove_file(folder.path("made").join(name)).unwrap();
    }
    let error = folder.fail("data make --out made --count 200");
    insta::assert_snapshot!(error, @"error: made/test-labels.csv is there already, but not made/train.csv, as where `trainer data make` was killed; remove it, or name another folder with --out");
    assert!(!folder.path("made/train.csv").exists());
}

#[test]
fn a_mirror_that_cannot_be_reached() {
    let folder = Folder::with_digits(10);
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = folder.fail(&format!("data fetch --out real --mirror {mirror}"));
    let last = error.lines().last().unwrap().replace(&mirror, "MIRROR");
    let (reason, advice) = last.split_once(" (").unwrap();
    assert_eq!(
        reason,
        "error: train-images-idx3-ubyte.gz: cannot be downloaded: MIRROR cannot be reached"
    );
    assert!(advice.ends_with("; check the connection and try again, or name another mirror"));
    assert!(!folder.path("real/train.csv").exists());
}

/// Width and height of a PNG file.
fn size(png: &[u8]) -> [u32; 2] {
    assert_eq!(&png[1..4], b"PNG");
    [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()))
}

#[test]
fn images_are_drawn() {
    let folder = Folder::with_digits(30);
    let said = folder.succeed("data show train.csv");
    assert_eq!(said, "train.csv: drew 30 of 30 images: digits.png\n");
    let draw = |arguments: &str| {
        folder.succeed(&format!("data show {arguments} --out a.png"));
        fs::read(folder.path("a.png")).unwrap()
    };
    // Ten tiles of 84 pixels and gaps of 6; the captions take 13 more.
    let plain = draw("train.csv");
    assert_eq!(size(&plain), [906, 3 * 103 + 6]);
    assert_eq!(size(&draw("test.csv")), [906, 3 * 90 + 6]);
    assert_ne!(draw("train.csv --seed 1"), plain);
    let turned = draw("train.csv --rotation 20 --count 4");
    assert_eq!(size(&turned), [906, 4 * 103 + 6]);
    assert_eq!(draw("train.csv --rotation 20 --count 4"), turned);
    assert_ne!(draw("train.csv --rotation 21 --count 4"), turned);
    fs::write(folder.path("a.toml"), "[augmentation]\nrotation = 20\n").unwrap();
    assert_eq!(draw("train.csv --config a.toml --count 4"), turned);
}

#[test]
fn misread_images_are_shown() {
    let folder = Folder::with_digits(300);
    folder.succeed("--config tiny.toml --data train.csv --epochs 1 --quiet --out run");
    let summary = folder.summary("run");
    let wrong = misread(&summary);
    let said = folder.succeed("errors run");
    let expected = format!("run, network of epoch 1: {wrong} of 30 validation images of ");
    assert!(said.starts_with(&expected), "{said}");
    let page = fs::read_to_string(folder.path("run/errors/errors.html")).unwrap();
    assert_eq!(page.matches("<img").count() as u64, wrong);
    folder
        .succeed("errors run --data train.csv --count 3 --out few --backend flex --kernels stock");
    let page = fs::read_to_string(folder.path("few/errors.html")).unwrap();
    assert_eq!(page.matches("<img").count(), 3);
    // The page names what makes it again.
    let command = "<code>trainer errors run --backend flex --kernels stock --data train.csv --count 3 --out few</code>";
    assert!(page.contains(command), "{page}");
    size(&fs::read(folder.path("few/errors.png")).unwrap());

    // Nothing of somebody else's is replaced.
    fs::create_dir(folder.path("mine")).unwrap();
    fs::write(folder.path("mine/errors.json"), "my notes").unwrap();
    insta::assert_snapshot!(folder.fail("errors run --out mine"), @"error: mine/errors.json is there already and is not JSON; name another place with --out");
    assert!(!folder.path("mine/errors.html").exists());
}

/// A network that has learnt bright digits on dark paper reads dark ones on bright paper at random.
#[test]
fn inverted_images_are_noted() {
    let folder = Folder::with_digits(300);
    folder.succeed("--config tiny.toml --data train.csv --epochs 1 --quiet --out run");
    let invert = |name: &str| {
        let text = fs::read_to_string(folder.path(name)).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        let labels = usize::from(header.starts_with("label"));
        let inverted = rows.lines().map(|row| {
            let fields = row.split(',').enumerate().map(|(place, field)| {
                let value: u8 = field.parse().unwrap();
                if place < labels { value } else { 255 - value }.to_string()
            });
            fields.collect::<Vec<_>>().join(",") + "\n"
        });
        fs::write(
            folder.path(format!("inverted-{name}")),
            format!("{header}\n{}", inverted.collect::<String>()),
        )
        .unwrap();
    };
    invert("train.csv");
    invert("test.csv");
    for (command, name) in [("evaluate", "train.csv"), ("predict", "test.csv")] {
        for (prefix, is_noted) in [("", false), ("inverted-", true)] {
            let output = folder.run(&format!("{command} run --data {prefix}{name}"));
            let said = String::from_utf8(output.stderr).unwrap();
            let note = format!("note: the mean pixel of {prefix}{name} is 0.8");
            assert_eq!(said.contains(&note), is_noted, "{said}");
            assert_eq!(said.contains("the mean pixel"), is_noted, "{said}");
        }
    }
}

#[test]
fn images_that_a_network_was_trained_on_are_not_scored_unawares() {
    let folder = Folder::with_digits(300);
    folder.succeed("--config tiny.toml --data train.csv --epochs 1 --quiet --out run");
    fs::rename(folder.path("train.csv"), folder.path("moved.csv")).unwrap();
    assert!(
        folder
            .fail("evaluate run")
            .contains("there is no such file")
    );
    let held_out = folder.succeed("evaluate run --data moved.csv");
    assert!(
        held_out.starts_with("validation images of moved.csv, network of epoch 1:"),
        "{held_out}"
    );
    assert!(held_out.contains(" 30 images"), "{held_out}");
    // Where they are now is noted by a run that goes on.
    folder.succeed("resume run --epochs 2 --data moved.csv --json");
    folder.succeed("evaluate run");

    folder.succeed(
        "--config tiny.toml --data moved.csv --validation-fraction 0 --epochs 1 --quiet --out all",
    );
    let trained = folder.succeed("evaluate all --data moved.csv");
    assert!(
        trained.starts_with("images of moved.csv, network of epoch 1:\n"),
        "{trained}"
    );
    let note = "\nnote: all of these images were used for training or validation, so that new images may be read worse\n";
    assert!(trained.contains(note), "{trained}");

    // Images of the same file that it left alone are none that it was trained with.
    let half = fs::read_to_string(folder.path("tiny.toml")).unwrap();
    let half = format!("{half}\n[data]\nvalidation_fraction = 0\ntest_fraction = 0.5\n");
    fs::write(folder.path("half.toml"), half).unwrap();
    let said = folder.succeed("--config half.toml --data moved.csv --epochs 1 --plain --out half");
    let note = "note: data.test_fraction withholds 150 images for a test, as studies make one: neither trained on nor scored here\n";
    assert!(said.contains(note), "{said}");
    let scores: Value =
        serde_json::from_str(&folder.succeed("evaluate half --data moved.csv --json")).unwrap();
    assert_eq!(scores["known_images"], 150);

    // Nor some of them in another file: the header and the first 100 images, with one changed.
    let text = fs::read_to_string(folder.path("moved.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().take(101).collect();
    let changed = format!("{}99", lines[100]);
    lines[100] = &changed;
    fs::write(folder.path("some.csv"), lines.join("\n")).unwrap();
    let said = folder.succeed("evaluate run all --data some.csv");
    assert!(
        said.starts_with("images of some.csv, 2 networks:\n"),
        "{said}"
    );
    let note = "\nnote: 99 of these images were used for training or validation, so";
    assert!(said.contains(note), "{said}");
    let scores: Value =
        serde_json::from_str(&folder.succeed("evaluate run --data some.csv --json")).unwrap();
    assert_eq!(scores["known_images"], 99);
    fs::rename(folder.path("moved.csv"), folder.path("gone.csv")).unwrap();
    let said = folder.succeed("evaluate run --data some.csv");
    let note = "\nnote: whether run was trained with some of these images is not known, as its own are not where they were\n";
    assert!(said.contains(note), "{said}");
    let errors = folder.succeed("errors run --data some.csv --out errors");
    assert!(errors.contains(note), "{errors}");
    let page = fs::read_to_string(folder.path("errors/errors.html")).unwrap();
    assert!(page.contains("Note: whether run was trained"), "{page}");
    insta::assert_snapshot!(folder.fail("errors run --data some.csv --out some.csv"), @"error: some.csv is there already and is no folder; name another place with --out");
}

/// The number of images that a run's network misread in its validation.
fn misread(summary: &Value) -> u64 {
    let confusion = summary["validation"]["confusion"].as_array().unwrap();
    let count = |label: usize, read: usize| confusion[label][read].as_u64().unwrap();
    (0..10)
        .flat_map(|label| (0..10).map(move |read| (label, read)))
        .filter(|(label, read)| label != read)
        .map(|(label, read)| count(label, read))
        .sum()
}

#[test]
fn what_only_one_function_reads_is_shown() {
    let folder = Folder::with_digits(600);
    for activation in ["relu", "tanh"] {
        folder.succeed(&format!(
            "--config tiny.toml --data train.csv --activation {activation} --quiet --out {activation}"
        ));
    }
    let said = folder.succeed("errors relu tanh --out both");
    let json: Value =
        serde_json::from_slice(&fs::read(folder.path("both/errors.json")).unwrap()).unwrap();
    let alone = ["relu", "tanh"].map(|run| misread(&folder.summary(run)));
    let pair = &json["pairs"][0];
    let [only_relu, only_tanh] = [0, 1].map(|place| pair["only"][place].as_u64().unwrap());
    assert!(only_relu + only_tanh > 0, "{json}");
    for (place, name) in ["relu", "tanh"].into_iter().enumerate() {
        assert_eq!(json["functions"][place]["activation"], name);
        assert_eq!(json["functions"][place]["misread"], alone[place]);
    }
    let neither = json["misread_by_all"].as_u64().unwrap();
    assert_eq!(alone, [only_tanh + neither, only_relu + neither]);

    // What the list says of each image adds up to the counts.
    let mistakes = json["mistakes"].as_array().unwrap();
    let count = |reads: [bool; 2]| {
        let right = |mistake: &Value| {
            [0, 1].map(|place| mistake["functions"][place]["predicted"] == mistake["label"])
        };
        mistakes.iter().filter(|one| right(one) == reads).count() as u64
    };
    assert_eq!(count([true, false]), only_relu);
    assert_eq!(count([false, true]), only_tanh);
    assert_eq!(count([false, false]), neither);

    let line =
        format!("relu and tanh: only relu reads {only_relu}, only tanh {only_tanh}; McNemar's");
    assert!(said.contains(&line), "{said}");
    let row = format!("tanh{only_tanh:>18}{:>8}{:>9}", '–', alone[1]);
    assert!(said.contains(&row), "{said}");
    let page = fs::read_to_string(folder.path("both/errors.html")).unwrap();
    // Classes of the page's elements are those that its style knows.
    for class in ["predictions", "functions"] {
        assert!(
            page.contains(&format!("<table class=\"{class}\"")),
            "{page}"
        );
        assert!(page.contains(&format!(".{class} th")), "{page}");
    }
    assert!(
        page.contains(&format!("Only relu reads {only_relu}<")),
        "{page}"
    );
    let together = json["misread"].as_u64().unwrap();
    let shown = together + only_relu + only_tanh;
    assert_eq!(page.matches("<img").count() as u64, shown);

    // A run counts once, and two runs of one function are no pair.
    insta::assert_snapshot!(folder.fail("errors relu ./relu --out same"), @"error: ./relu is named twice; name each run once");
    fs::create_dir(folder.path("relu-2")).unwrap();
    for file in fs::read_dir(folder.path("relu")).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), folder.path("relu-2").join(file.file_name())).unwrap();
        }
    }
    let said = folder.succeed("errors relu relu-2 --out same");
    assert!(!said.contains("McNemar"), "{said}");
    let page = fs::read_to_string(folder.path("same/errors.html")).unwrap();
    assert!(!page.contains("Only relu"), "{page}");
}
