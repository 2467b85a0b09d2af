//! Ensembles as a user meets them: whole, several members at once, interrupted, and wrong.

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::Folder;
use serde_json::Value;

const MEMBERS: [&str; 3] = ["member-7", "member-8", "member-9"];

/// A folder with a recipe of three members of two activation functions.
fn folder() -> Folder {
    let folder = Folder::with_digits(600);
    let recipe = "[ensemble]\nmembers = 3\nactivations = [\"rrelu\", \"gelu\"]\n";
    let tiny = fs::read_to_string(folder.path("tiny.toml")).unwrap();
    let (run, network) = tiny.split_at(tiny.find("[network]").unwrap());
    fs::write(
        folder.path("recipe.toml"),
        format!("{run}{recipe}{network}"),
    )
    .unwrap();
    folder
}

fn weights(folder: &Folder, out: &str) -> [Value; 3] {
    MEMBERS.map(|member| folder.summary(&format!("{out}/{member}"))["weights_sha256"].clone())
}

#[test]
fn members_trained_at_once_are_those_trained_in_turn() {
    let folder = folder();
    let train = "ensemble recipe.toml --data train.csv --plain";
    let in_turn = folder.succeed(&format!("{train} --jobs 1 --out turn"));
    let at_once = folder.succeed(&format!("{train} --jobs 2 --out once"));
    assert_eq!(weights(&folder, "turn"), weights(&folder, "once"));
    for printed in [&in_turn, &at_once] {
        assert!(printed.contains("/member-8 (gelu): "), "{printed}");
        assert!(printed.contains("average of 3 networks: "), "{printed}");
        assert!(printed.contains("next: `trainer errors "), "{printed}");
    }
    folder.succeed("errors turn");
    assert!(folder.path("turn/errors/errors.html").exists());
    assert!(
        at_once.contains("once/member-9  epoch 4/4  train loss "),
        "{at_once}"
    );

    // A submission comes with what each step to it is worth. The folder stands for its members.
    let runs = "turn/member-7 turn/member-8 turn/member-9";
    let predicted = folder.succeed(&format!("predict {runs} --data test.csv"));
    assert_eq!(
        folder
            .succeed("predict turn --data test.csv")
            .lines()
            .skip(1)
            .collect::<Vec<_>>(),
        predicted.lines().skip(1).collect::<Vec<_>>(),
    );
    assert!(
        predicted.contains("train.csv, 3 networks:\n"),
        "{predicted}"
    );
    assert!(predicted.contains(" points (95 % interval "), "{predicted}");

    // What is trained stays, and more members go on from there.
    let more = folder.succeed(&format!("{train} --members 4 --out turn"));
    assert!(more.contains("turn/member-9 is trained"), "{more}");
    assert!(more.contains("average of 4 networks: "), "{more}");

    // The folder stands for all four, so that two of them are named.
    let fewer = folder.succeed(&format!("{train} --members 2 --out turn"));
    assert!(fewer.contains("average of 2 networks: "), "{fewer}");
    let next = "`trainer predict turn/member-7 turn/member-8` reads";
    assert!(fewer.contains(next), "{fewer}");
    // Nor are members of two recipes one ensemble, whether the seeds of the other begin later or earlier.
    let recipe = fs::read_to_string(folder.path("recipe.toml")).unwrap();
    for (seed, error) in [
        (
            "9",
            "turn/member-7 is a run with another configuration: data.split_seed is 7 there and 9 now; name another folder with --out",
        ),
        (
            "1",
            "turn/member-7 is a run with another configuration: data.split_seed is 7 there and 1 now; name another folder with --out",
        ),
    ] {
        let other = recipe.replace("seed = 7", &format!("seed = {seed}"));
        fs::write(folder.path("other.toml"), other).unwrap();
        let other = train.replace("recipe.toml", "other.toml");
        let said = folder.fail(&format!("{other} --out turn"));
        assert_eq!(said.trim_end(), format!("error: {error}"));
    }
    assert!(!folder.path("turn/member-1").exists());
    // With one split for all seeds, an ensemble may grow by a recipe that begins later.
    let one_split = recipe
        .replace("activations = [\"rrelu\", \"gelu\"]\n", "")
        .replace("epochs = 4", "epochs = 1")
        .replace("\n[network]", "\n[data]\nsplit_seed = 7\n[network]");
    for seed in [8, 9, 7] {
        let part = one_split.replace("\nseed = 7", &format!("\nseed = {seed}"));
        fs::write(folder.path("part.toml"), part).unwrap();
        let part = train.replace("recipe.toml", "part.toml");
        folder.succeed(&format!("{part} --members 1 --out grown"));
    }
    assert!(folder.path("grown/member-7/summary.json").exists());

    // Where the images lie does not matter, as long as they are the same.
    fs::copy(folder.path("train.csv"), folder.path("moved.csv")).unwrap();
    let moved = train.replace("train.csv", "moved.csv");
    let more = folder.succeed(&format!("{moved} --members 4 --out turn"));
    assert!(more.contains("turn/member-10 is trained"), "{more}");

    // A member is a run like any other: its file repeats it.
    folder.succeed("--config turn/member-8/config.toml --out alone --quiet");
    assert_eq!(
        folder.summary("alone")["weights_sha256"],
        folder.summary("turn/member-8")["weights_sha256"]
    );
    // And a recipe for an ensemble is one for a single run.
    let said =
        folder.succeed("--config recipe.toml --data train.csv --epochs 1 --out single --plain");
    assert!(
        said.starts_with(
            "one network of the recipe; `trainer ensemble recipe.toml` trains its 3\n"
        ),
        "{said}"
    );
    let config = fs::read_to_string(folder.path("single/config.toml")).unwrap();
    assert!(!config.contains("ensemble"), "{config}");
}

#[test]
fn a_stopped_ensemble_goes_on() {
    let folder = folder();
    let train = "ensemble recipe.toml --data train.csv --json --jobs 2";
    folder.succeed(&format!("{train} --out whole"));
    // Asked to stop after its first epoch, and killed, so that its processes lose it.
    for signal in ["-INT", "-KILL", "-INT"] {
        let mut child = folder
            .command(&format!("{train} --out stopped"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("\"epoch\"")));
        let pid = child.id().to_string();
        Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(lines.all(|line| line.is_ok()));
        let code = child.wait().unwrap().code();
        assert_eq!(code, (signal == "-INT").then_some(130));
        assert!(folder.fail("predict stopped --data test.csv").contains(
            "is not trained to its end; unless it has diverged, `trainer ensemble` goes on with it"
        ),);
    }
    // The processes of the killed one may still be saving.
    let rest = format!("{train} --out stopped");
    let done = (0..50).any(|_| {
        let output = folder.run(&rest);
        sleep(Duration::from_millis(100));
        output.status.success()
    });
    assert!(done, "{}", folder.fail(&rest));
    assert_eq!(weights(&folder, "stopped"), weights(&folder, "whole"));
}

/// A member whose checkpoints are lost is not begun anew in the place of its networks.
#[test]
fn networks_are_not_lost_with_their_checkpoints() {
    let folder = folder();
    let train = "ensemble recipe.toml --data train.csv --quiet --jobs 1 --out out";
    folder.succeed(train);
    fs::remove_dir_all(folder.path("out/member-7/checkpoints")).unwrap();
    fs::remove_file(folder.path("out/member-7/summary.json")).unwrap();
    let networks = || {
        let names = fs::read_dir(folder.path("out/member-7")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = networks();
    let error = folder.fail(train);
    insta::assert_snapshot!(error, @"error: out/member-7 has networks but no checkpoint to continue from, and a new beginning would replace them; begin elsewhere, by `trainer --config out/member-7/config.toml --out DIR`");
    assert_eq!(networks(), before);
}

/// What cannot be trained leaves nothing behind that would be in the way of what can.
#[test]
fn a_recipe_that_does_not_fit_the_images_can_be_mended() {
    let folder = folder();
    let recipe = fs::read_to_string(folder.path("recipe.toml")).unwrap();
    let train = "ensemble recipe.toml --data train.csv --jobs 1 --quiet --out out";
    let too_far = recipe.replace("shift = 1", "shift = 28");
    fs::write(folder.path("recipe.toml"), &too_far).unwrap();
    let error = folder.fail(train);
    insta::assert_snapshot!(error, @"error: shift is 28, but must be less than the 28 pixels of an image's side");
    let single = folder.fail("--config recipe.toml --data train.csv --out single");
    assert_eq!(single, error);
    assert!(!folder.path("single").exists());
    fs::write(folder.path("recipe.toml"), recipe).unwrap();
    folder.succeed(train);
    // One of these has trained, and stays what it is.
    fs::write(folder.path("recipe.toml"), too_far.replace("28", "2")).unwrap();
    insta::assert_snapshot!(folder.fail(train), @"error: out/member-7 is a run with another configuration: augmentation.shift is 1.0 there and 2.0 now; name another folder with --out");
}

/// Whether members are trained in turn or at once, programs are told the same.
#[test]
fn programs_are_told_in_lines() {
    let folder = folder();
    let mut losses = Vec::new();
    for jobs in [1, 2] {
        let train = format!("ensemble recipe.toml --data train.csv --json --jobs {jobs}");
        let told = folder.succeed(&format!("{train} --out out-{jobs}"));
        // As they are written, to the last digit.
        let loss = |part: &str| part.split([',', '}']).next().unwrap().to_owned();
        let mut written: Vec<String> = told.split("\"loss\":").skip(1).map(loss).collect();
        written.sort();
        losses.push(written);
        let events: Vec<Value> = told
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let (last, of_members) = events.split_last().unwrap();
        assert_eq!(last["event"], "scores");
        assert!(last["accuracy"].is_number(), "{last}");
        for member in MEMBERS {
            let names: Vec<&str> = of_members
                .iter()
                .filter(|event| event["member"] == format!("out-{jobs}/{member}"))
                .map(|event| event["event"].as_str().unwrap())
                .collect();
            assert_eq!(names, ["epoch", "epoch", "epoch", "epoch", "summary"]);
        }
    }
    assert!(losses[0].len() > MEMBERS.len());
    assert_eq!(losses[0], losses[1]);
}

/// A member that another program has left in the meantime is trained.
#[test]
fn members_that_were_locked_for_a_while_are_trained() {
    let folder = folder();
    fs::create_dir_all(folder.path("out/member-7")).unwrap();
    let lock = File::create(folder.path("out/member-7/run.lock")).unwrap();
    lock.lock().unwrap();
    let train = "ensemble recipe.toml --data train.csv --out out --jobs 2 --json";
    let mut training = folder
        .command(train)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(training.stdout.take().unwrap()).lines();
    // Both processes have passed this one over when they train the others.
    let mut begun: BTreeSet<&str> = BTreeSet::new();
    while begun.len() < 2 {
        let line = lines.next().unwrap().unwrap();
        begun.extend(MEMBERS.into_iter().filter(|member| line.contains(member)));
    }
    lock.unlock().unwrap();
    assert!(lines.all(|line| line.is_ok()));
    assert!(training.wait().unwrap().success());
    assert!(folder.path("out/member-7/summary.json").exists());
}

/// One network that training breaks does not keep the others from being trained.
#[test]
fn members_that_diverge_are_named() {
    let folder = folder();
    let recipe = fs::read_to_string(folder.path("recipe.toml")).unwrap();
    let optimizer = "[optimizer]\nkind = \"sgd\"\nlearning_rate = 1e38\n\n[network]";
    let recipe = recipe.replace("[network]", optimizer);
    let recipe = recipe.replace("[network]\n", "[network]\nnormalization = \"none\"\n");
    fs::write(folder.path("recipe.toml"), recipe).unwrap();
    for jobs in [1, 2] {
        let train =
            format!("ensemble recipe.toml --data train.csv --json --out out-{jobs} --jobs {jobs}");
        let output = folder.run(&train);
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(told.matches("\"event\":\"diverged\"").count(), 3, "{told}");
        let error = String::from_utf8(output.stderr).unwrap();
        let error = error.replace(&format!("out-{jobs}"), "out");
        assert_eq!(error.matches("out/member-").count(), 3, "{error}");
        assert!(
            error.contains("lower the learning rate in the recipe"),
            "{error}"
        );
    }
}

/// What a recipe says of images and backend holds where the command line says nothing.
#[test]
fn a_recipe_names_its_images_and_backend() {
    let folder = folder();
    let recipe = fs::read_to_string(folder.path("recipe.toml")).unwrap();
    let recipe = recipe
        .replace("[ensemble]", "[data]\npath = \"train.csv\"\n\n[ensemble]")
        .replace("backend = \"flex\"", "backend = \"ndarray\"");
    fs::write(folder.path("recipe.toml"), recipe).unwrap();
    folder.succeed("ensemble recipe.toml --jobs 2 --out out --quiet");
    for member in MEMBERS {
        let summary = folder.summary(&format!("out/{member}"));
        assert!(summary["data"].as_str().unwrap().ends_with("train.csv"));
        assert_eq!(summary["backend"], "ndarray");
    }

    // The file of a run is one that knows its images, which are others now.
    let text = fs::read_to_string(folder.path("train.csv")).unwrap();
    let fewer: Vec<&str> = text.lines().take(500).collect();
    fs::write(folder.path("train.csv"), fewer.join("\n")).unwrap();
    let again = "ensemble out/member-7/config.toml --members 1 --out again";
    let error = folder.fail(again);
    assert!(
        error
            .contains("train.csv are not the images of out/member-7/config.toml; name with --data"),
        "{error}"
    );
    folder.succeed(&format!("{again} --data train.csv --quiet"));
}

/// A member that another program is training is not taken for trained.
#[test]
fn members_of_another_program_are_waited_for() {
    let folder = folder();
    fs::create_dir_all(folder.path("out/member-8")).unwrap();
    let lock = File::create(folder.path("out/member-8/run.lock")).unwrap();
    lock.lock().unwrap();
    for jobs in [1, 2] {
        let train = format!("ensemble recipe.toml --data train.csv --out out --jobs {jobs}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(folder.fail(&train), @"error: another process is training in out/member-8; wait for it or stop it");
        }
    }
}

#[test]
fn wrong_recipes_are_refused() {
    let folder = folder();
    let recipe = fs::read_to_string(folder.path("recipe.toml")).unwrap();
    let error = |from: &str, to: &str| {
        fs::write(folder.path("wrong.toml"), recipe.replace(from, to)).unwrap();
        folder.fail("ensemble wrong.toml --data train.csv --out wrong")
    };
    insta::assert_snapshot!(error("members = 3", "members = 0"), @"error: wrong.toml: ensemble.members must be at least 1");
    insta::assert_snapshot!(error("\"gelu\"", "\"gelo\""), @"error: wrong.toml:18:15: unknown activation `gelo`; the closest are `gelu`, `relu`, `elu`; `trainer activations` lists all");
    insta::assert_snapshot!(error("members = 3", "member = 3"), @"error: wrong.toml:17:1: unknown field `member`, expected `members` or `activations`");
    let many =
        folder.fail("ensemble recipe.toml --data train.csv --members 1000000000000 --out many");
    insta::assert_snapshot!(many, @"error: ensemble.members is 1000000000000, but must be at most 1000");
    folder.succeed("ensemble recipe.toml --data train.csv --members 1 --out one --quiet");
    fs::write(
        folder.path("recipe.toml"),
        recipe.replace("batch_size = 32", "batch_size = 16"),
    )
    .unwrap();
    let error = folder.fail("ensemble recipe.toml --data train.csv --members 1 --out one");
    insta::assert_snapshot!(error, @"error: one/member-7 is a run with another configuration: batch_size is 32 there and 16 now; name another folder with --out");
}
