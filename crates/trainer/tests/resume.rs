//! A run that is stopped, in whatever way, and resumed ends like one that was not.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::Folder;

const TRAIN: &str = "--config tiny.toml --data train.csv --json";

/// The rows of `metrics.csv` without the columns of times.
fn metrics(folder: &Folder, run: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(folder.path(run).join("metrics.csv")).unwrap();
    reader
        .records()
        .map(|row| row.unwrap().iter().take(6).map(String::from).collect())
        .collect()
}

/// Starts a training, waits for the end of an epoch and then a moment, and sends it a signal.
fn stop(folder: &Folder, arguments: &str, after_epoch: usize, delay: Duration, signal: &str) {
    let mut training = folder
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(training.stdout.take().unwrap()).lines();
    let mut epochs =
        lines.filter(|line| line.as_ref().is_ok_and(|line| line.contains("\"epoch\"")));
    // The reader lives on until the program has ended: a broken pipe is not what is tested.
    assert_eq!(epochs.by_ref().take(after_epoch).count(), after_epoch);
    sleep(delay);
    let pid = training.id().to_string();
    Command::new("kill").args([signal, &pid]).status().unwrap();
    training.wait().unwrap();
    drop(epochs);
}

fn assert_same(folder: &Folder, run: &str, expected: &str) {
    assert_eq!(
        folder.summary(run)["weights_sha256"],
        folder.summary(expected)["weights_sha256"],
        "{run}"
    );
    assert_eq!(metrics(folder, run), metrics(folder, expected), "{run}");
}

#[test]
fn a_killed_run_ends_with_the_same_weights() {
    let folder = Folder::with_digits(4000);
    folder.succeed(&format!("{TRAIN} --out whole"));
    // Before the first checkpoint, within epochs, and around the end of one.
    for (number, (epochs, delay)) in [(0, 100), (1, 0), (1, 60), (2, 30), (3, 5)]
        .into_iter()
        .enumerate()
    {
        let run = format!("killed-{number}");
        let delay = Duration::from_millis(delay);
        stop(
            &folder,
            &format!("{TRAIN} --out {run}"),
            epochs,
            delay,
            "-KILL",
        );
        if !folder.path(&run).join("config.toml").exists() {
            // Killed before it had begun: there is nothing to resume.
            folder.succeed(&format!("{TRAIN} --out {run}-again"));
            continue;
        }
        // Killed once more while it catches up.
        stop(
            &folder,
            &format!("resume {run} --json"),
            0,
            Duration::from_millis(150),
            "-KILL",
        );
        // With little left to do, it may have finished before.
        if !folder.path(&run).join("summary.json").exists() {
            folder.succeed(&format!("resume {run} --json"));
        }
        assert_same(&folder, &run, "whole");
    }
}

#[test]
fn an_interrupted_run_is_saved_within_its_epoch() {
    let folder = Folder::with_digits(9000);
    folder.succeed(&format!("{TRAIN} --out whole"));
    for signal in ["-INT", "-TERM"] {
        // A training that was between epochs, or had ended, when the signal came shows less.
        let is_within = (0..10).any(|attempt| {
            let run = format!("stopped{signal}-{attempt}");
            let delay = Duration::from_millis(40);
            stop(&folder, &format!("{TRAIN} --out {run}"), 1, delay, signal);
            let checkpoints = folder.checkpoints(&run);
            if !folder.path(&run).join("summary.json").exists() {
                folder.succeed(&format!("resume {run} --json"));
            }
            assert_same(&folder, &run, "whole");
            checkpoints.iter().any(|name| name.contains("batch"))
        });
        assert!(is_within, "{signal} stopped no training within an epoch");
    }
}

/// `nohup` starts a program with SIGHUP ignored, and so does the program start those that train.
#[test]
#[cfg(target_os = "linux")]
fn a_closed_terminal_does_not_stop_what_nohup_has_started() {
    let folder = Folder::with_digits(2000);
    for (starter, is_stopped) in [
        ("--ignore-signal=HUP", false),
        ("--default-signal=HUP", true),
    ] {
        let run = format!("run{starter}");
        let program = folder.command(&format!("{TRAIN} --epochs 20 --out {run}"));
        let mut training = Command::new("env")
            .arg(starter)
            .arg(program.get_program())
            .args(program.get_args())
            .current_dir(folder.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(training.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("\"epoch\"")));
        let pid = training.id().to_string();
        Command::new("kill").args(["-HUP", &pid]).status().unwrap();
        assert!(lines.all(|line| line.is_ok()));
        let code = training.wait().unwrap().code();
        assert_eq!(code, Some(if is_stopped { 130 } else { 0 }), "{starter}");
        let summary = folder.path(&run).join("summary.json");
        assert_eq!(summary.exists(), !is_stopped, "{starter}");
    }
}

#[test]
fn a_longer_run_continues_a_finished_one() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 2 --out run"));
    folder.succeed("resume run --epochs 3 --json");
    assert_eq!(folder.summary("run")["epochs"], 3);
    // The file describes the longer run: repeated in one go from it, it gives the same.
    folder.succeed("--config run/config.toml --out repeated --quiet");
    assert_same(&folder, "repeated", "run");
    assert!(
        folder
            .fail("resume run --epochs 2")
            .contains("would shorten it")
    );
}

/// The moment between the last epoch's network and its checkpoint.
#[test]
fn a_run_killed_before_its_last_checkpoint_ends_with_the_same_weights() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 2 --out whole"));
    folder.succeed(&format!("{TRAIN} --epochs 2 --out killed"));
    fs::remove_dir_all(folder.path("killed/checkpoints/epoch-0002")).unwrap();
    fs::remove_file(folder.path("killed/summary.json")).unwrap();
    // What a killed process may leave half-written goes away.
    fs::create_dir(folder.path("killed/checkpoints/.epoch-0002.1.partial")).unwrap();
    fs::write(folder.path("killed/.best.toml.1.partial"), "x").unwrap();
    folder.succeed("resume killed --json");
    assert_same(&folder, "killed", "whole");
    assert_eq!(folder.checkpoints("killed"), ["epoch-0001", "epoch-0002"]);
    assert!(!folder.path("killed/.best.toml.1.partial").exists());
    assert!(
        folder
            .fail("resume killed")
            .contains("has finished its 2 epochs")
    );
}

/// The moment between the last checkpoint of a run that was made longer and its new summary.
#[test]
fn a_longer_run_killed_before_its_summary_gets_one() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 1 --out run"));
    folder.succeed("resume run --epochs 2 --json");
    let later = folder.summary("run");
    fs::remove_file(folder.path("run/summary.json")).unwrap();
    folder.succeed("resume run --json");
    assert_eq!(folder.summary("run")["epochs"], 2);
    assert_eq!(
        folder.summary("run")["weights_sha256"],
        later["weights_sha256"]
    );
}

/// Otherwise it would go on describing networks that are no longer there.
#[test]
fn a_run_that_is_made_longer_has_no_summary_until_its_end() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 1 --out run"));
    let longer = "resume run --epochs 1000 --json";
    stop(&folder, longer, 2, Duration::ZERO, "-INT");
    assert!(!folder.path("run/summary.json").exists());
    folder.succeed("evaluate run");
}

#[test]
fn an_edited_configuration_is_told_from_a_damaged_checkpoint() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 1 --out run"));
    let path = folder.path("run/config.toml");
    let config = fs::read_to_string(&path).unwrap();
    let edited = config.replace("learning_rate = 0.01", "learning_rate = 0.001");
    assert_ne!(edited, config);
    fs::write(&path, edited).unwrap();
    insta::assert_snapshot!(folder.fail("resume run --epochs 2"), @"error: run/checkpoints/epoch-0001/checkpoint.toml is of a run with another configuration: optimizer.learning_rate is 0.01 there and 0.001 in the run's config.toml; set it back, or begin a run of its own, by `trainer --config FILE --out DIR`");
}

#[test]
fn a_run_whose_images_were_moved_says_what_to_do() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 1 --out run"));
    fs::rename(folder.path("train.csv"), folder.path("moved.csv")).unwrap();
    for verb in [
        "evaluate run",
        "resume run --epochs 2",
        "errors run",
        "--config run/config.toml --out again",
    ] {
        let error = folder.fail(verb);
        assert!(
            error.starts_with("error: cannot read the images of the run (if they were moved, name them with --data): "),
            "{verb}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    folder.succeed("resume run --epochs 2 --data moved.csv --json");
}

/// The best network is then that of the best epoch up to there, if the checkpoint still has it, and never one of epochs
/// that are given up.
#[test]
fn a_run_that_goes_back_gives_up_the_best_network_of_later_epochs() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 2 --out run"));
    let read = |file: &str| -> toml::Table {
        let text = fs::read_to_string(folder.path("run").join(file)).unwrap();
        text.parse().unwrap()
    };
    let write = |file: &str, table: &toml::Table| {
        fs::write(folder.path("run").join(file), table.to_string()).unwrap();
    };
    // As if epoch 2 had been the best, after a first one better than all that are to come.
    let weights = folder.path("run/last-epoch-0002.bpk");
    fs::copy(weights, folder.path("run/best-epoch-0002.bpk")).unwrap();
    let mut abandoned = read("last.toml");
    abandoned["file"] = "best-epoch-0002.bpk".into();
    abandoned["epoch"]["valid"]["accuracy"] = 2.0.into();
    write("best.toml", &abandoned);
    for checkpoint in ["epoch-0001", "epoch-0002"] {
        let side_file = format!("checkpoints/{checkpoint}/checkpoint.toml");
        let mut state = read(&side_file);
        state["history"][0]["valid"]["accuracy"] = 1.5.into();
        write(&side_file, &state);
    }

    // The network of epoch 1 is gone.
    let said = folder.succeed("resume run --from epoch-0002 --epochs 3 --plain");
    assert!(
        said.contains("note: the network of epoch 1, the best up to here, is not there any more"),
        "{said}"
    );
    let best = read("best.toml");
    let accuracy = best["epoch"]["valid"]["accuracy"].as_float().unwrap();
    assert!(accuracy <= 1.0, "{accuracy}");
    let epoch = best["epoch"]["epoch"].as_integer();
    assert_eq!(folder.summary("run")["best_epoch"].as_i64(), epoch);
}

#[test]
fn a_run_that_goes_back_to_its_best_epoch_has_that_network() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 2 --out run"));
    let read = |file: &str| fs::read(folder.path("run").join(file)).unwrap();
    let checkpoint = "checkpoints/epoch-0001";
    // The moving average is what is scored, where there is one.
    let average = folder.path("run").join(checkpoint).join("average.bpk");
    let record = if average.exists() {
        "average.bpk"
    } else {
        "network.bpk"
    };
    let weights = read(&format!("{checkpoint}/{record}"));
    let side_file = format!("{checkpoint}/checkpoint.toml");
    let mut state: toml::Table = String::from_utf8(read(&side_file))
        .unwrap()
        .parse()
        .unwrap();
    state["history"][0]["valid"]["accuracy"] = 1.5.into();
    fs::write(folder.path("run").join(&side_file), state.to_string()).unwrap();

    folder.succeed("resume run --from epoch-0001 --epochs 2 --json");
    assert_eq!(folder.summary("run")["best_epoch"], 1);
    assert_eq!(read("best-epoch-0001.bpk"), weights);
}

/// What another version of the program has written is not damaged.
#[test]
fn a_checkpoint_of_another_format_is_told_from_a_damaged_one() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 1 --out run"));
    let side_file = folder.path("run/checkpoints/epoch-0001/checkpoint.toml");
    let mut state: toml::Table = fs::read_to_string(&side_file).unwrap().parse().unwrap();
    state["format"] = 99.into();
    fs::write(&side_file, state.to_string()).unwrap();
    let error = folder.fail("resume run --epochs 2");
    assert!(
        error.trim_end().ends_with(
            "has format 99, but this program reads format 1; go on with the program that wrote it"
        ),
        "{error}"
    );
}

/// Without anything that draws from the backend's own generator, a run continued on another
/// backend agrees with the first but for rounding.
#[test]
fn a_run_continues_on_another_backend() {
    let folder = Folder::with_digits(300);
    let config = fs::read_to_string(folder.path("tiny.toml")).unwrap();
    let plain = config.replace("rrelu", "relu").replace("0.25", "0.0");
    fs::write(folder.path("plain.toml"), plain).unwrap();
    let train = "--config plain.toml --data train.csv --json --epochs";
    folder.succeed(&format!("{train} 2 --out flex"));
    // A run that was stopped after its first epoch.
    let config = fs::read_to_string(folder.path("flex/config.toml")).unwrap();
    let checkpoint = "checkpoints/epoch-0001";
    fs::create_dir_all(folder.path("moved/checkpoints")).unwrap();
    fs::write(folder.path("moved/config.toml"), config).unwrap();
    fs::rename(
        folder.path("flex").join(checkpoint),
        folder.path("moved").join(checkpoint),
    )
    .unwrap();
    folder.succeed("resume moved --backend ndarray --json");
    assert_eq!(folder.summary("moved")["backend"], "ndarray");
    let backends = serde_json::json!(["flex", "ndarray"]);
    assert_eq!(folder.summary("moved")["backends"], backends);
    let loss = |run| folder.summary(run)["validation"]["loss"].as_f64().unwrap();
    let (flex, moved) = (loss("flex"), loss("moved"));
    assert!((flex - moved).abs() < 1e-3 * flex, "{flex} {moved}");
    // Where it was moved to it stays.
    folder.succeed("resume moved --epochs 3 --json");
    assert_eq!(folder.summary("moved")["backends"], backends);
}

#[test]
fn a_damaged_checkpoint_is_refused_and_the_intact_one_named() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 3 --out run"));
    assert_eq!(folder.checkpoints("run"), ["epoch-0002", "epoch-0003"]);
    let file = folder.path("run/checkpoints/epoch-0003/optimizer.bpk");
    let intact = fs::read(&file).unwrap();

    let mut damaged = intact.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for content in [
        &damaged[..],
        &intact[..intact.len() / 2],
        b"",
        b"something else",
    ] {
        fs::write(&file, content).unwrap();
        let error = folder.fail("resume run --epochs 4");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(
            error.contains("epoch-0003/optimizer.bpk is damaged"),
            "{error}"
        );
        assert!(
            error.contains("continue from it with `trainer resume run --from epoch-0002`"),
            "{error}"
        );
    }
    fs::remove_file(&file).unwrap();
    assert!(folder.fail("resume run --epochs 4").contains("cannot read"));
    folder.succeed("resume run --epochs 4 --from epoch-0002 --json");
    assert_eq!(folder.summary("run")["epochs"], 4);
}

/// Whoever deletes checkpoints for want of space keeps the networks.
#[test]
fn without_checkpoints_the_networks_are_not_replaced() {
    let folder = Folder::with_digits(300);
    folder.succeed("--config tiny.toml --epochs 1 --data train.csv --out run --quiet");
    fs::remove_dir_all(folder.path("run/checkpoints")).unwrap();
    let before = folder.summary("run");
    let error = folder.fail("resume run --epochs 2");
    insta::assert_snapshot!(error, @"error: run has networks but no checkpoint to continue from, and a new beginning would replace them; begin elsewhere, by `trainer --config run/config.toml --out DIR`");
    assert_eq!(folder.summary("run"), before);
    folder.succeed("evaluate run");
}

/// As where the disk was full when the first checkpoint was to be written, after the networks.
#[test]
fn a_run_without_its_first_checkpoint_begins_again() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 1 --out run"));
    let whole = folder.summary("run");
    fs::remove_dir_all(folder.path("run/checkpoints")).unwrap();
    fs::remove_file(folder.path("run/summary.json")).unwrap();
    folder.succeed("resume run --json");
    assert_eq!(
        folder.summary("run")["weights_sha256"],
        whole["weights_sha256"]
    );
}

#[test]
fn a_foreign_checkpoint_is_refused() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 1 --out run"));
    folder.succeed(&format!("{TRAIN} --epochs 1 --seed 8 --out other"));
    let checkpoint = "checkpoints/epoch-0001";
    fs::remove_dir_all(folder.path("run").join(checkpoint)).unwrap();
    fs::rename(
        folder.path("other").join(checkpoint),
        folder.path("run").join(checkpoint),
    )
    .unwrap();
    let error = folder.fail("resume run --epochs 2");
    assert!(
        error.contains("is of a run with another configuration: seed is 8 there and 7 in "),
        "{error}"
    );
}

#[test]
fn other_images_are_refused() {
    let folder = Folder::with_digits(300);
    folder.succeed(&format!("{TRAIN} --epochs 1 --out run"));
    let csv = fs::read_to_string(folder.path("train.csv")).unwrap();
    let shorter: Vec<&str> = csv.lines().take(250).collect();
    fs::write(folder.path("train.csv"), shorter.join("\n")).unwrap();
    let error = folder.fail("resume run --epochs 2");
    assert!(
        error.contains("not the images that this run was started with"),
        "{error}"
    );
}
