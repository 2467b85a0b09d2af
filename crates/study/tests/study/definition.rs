//! Study files.

use std::path::Path;

use study::{Contender, Expectation, Metric, Plan, Problem, Records, Seeds, Study, Track};

const TUTORIAL: &str = r#"
title = "tanh against sigmoid"
question = "Does tanh train multi-layer networks better than sigmoid?"
analysis = """
It does.

But not always.
"""
contenders = [
    "sigmoid",
    "tanh",
    { activation = "identity", name = "identity, layer", with = { network.normalization = "layer" } },
]
seeds = { first = 100, count = 3 }
accuracies = [0.5, 0.9]

[claim]
text = "tanh trains multi-layer networks better than sigmoid."
source = "the tutorial"

[fixed]
epochs = 2
data.validation_fraction = 0.1

[[vary]]
name = "depth"
field = "network.preset"
values = ["deep:2", "deep:8"]
labels = ["2", "8"]

[[vary]]
name = "images"
labels = ["few", "all"]
values = [{ data.fraction = 0.1, batch_size = 64 }, { data.fraction = 1.0, batch_size = 256 }]

[common]
optimizer.learning_rate = 0.01

[tuned]
learning_rates = [0.001, 0.01]
seeds_per_rate = 2
recipe.network.initialization = "matched"

[verdict]
metric = "seconds-to:0.98"
track = "common"
setting.depth = "8"
expect.tanh = "better"
"#;

/// The example in the documentation is a study.
#[test]
fn what_is_documented_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, example) = text.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let study = parse(example).unwrap();
    assert_eq!(study.contenders.len(), 3);
}

fn parse(text: &str) -> Result<Study, String> {
    Study::parse(text, Path::new("a.toml")).map_err(|error| error.to_string())
}

#[test]
fn every_part_is_read_and_comes_back() {
    let study = parse(TUTORIAL).unwrap();
    assert_eq!(study.contenders[0], Contender::new("sigmoid"));
    assert_eq!(study.contenders[2].name(), "identity, layer");
    assert_eq!(study.seeds.list(), [100, 101, 102]);
    assert_eq!(study.tracks(), [Track::Common, Track::Tuned]);
    assert_eq!(study.deciding_track(), Track::Common);
    assert_eq!(study.baseline(), "sigmoid");
    // A label that is a number may be written as one.
    let numbered = TUTORIAL.replace("setting.depth = \"8\"", "setting.depth = 8");
    assert_eq!(parse(&numbered).unwrap(), study);
    assert_eq!(study.verdict.metric, Metric::SecondsTo(0.98));
    assert_eq!(study.verdict.expect["tanh"], Expectation::Better);
    assert_eq!(
        study.verdict.statistics().direction,
        statistics::Direction::LowerIsBetter
    );
    assert_eq!(parse(&study.to_toml().unwrap()).unwrap(), study);
}

#[test]
fn from_the_command_line_into_a_file() {
    let study = Study::compare(&["sigmoid", "tanh", "leaky-relu:0.2"], 10).unwrap();
    assert_eq!(
        study.title,
        "Comparison of sigmoid, tanh and leaky-relu:0.2"
    );
    assert_eq!(study.tracks(), [Track::Common]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compare.toml");
    study.save(&path).unwrap();
    assert_eq!(Study::read(&path).unwrap(), study);
    assert_eq!(
        std::fs::read_to_string(&path).unwrap().lines().nth(1),
        Some("contenders = [")
    );
    assert_eq!(
        Study::compare(&["relu", "relu"], 10),
        Err(Problem::SameContender {
            index: 1,
            name: String::from("relu")
        })
    );
    assert_eq!(Study::compare::<&str>(&[], 10), Err(Problem::NoContenders));
    assert_eq!(Study::compare(&["relu"], 0), Err(Problem::NoSeeds));
}

#[test]
fn seeds_in_three_forms() {
    for (text, seeds) in [
        ("2", vec![0, 1]),
        ("[3, 7]", vec![3, 7]),
        ("{ first = 5, count = 2 }", vec![5, 6]),
    ] {
        let study = parse(&format!(
            "title = \"x\"\ncontenders = [\"relu\"]\nseeds = {text}"
        ));
        assert_eq!(study.unwrap().seeds.list(), seeds);
    }
    assert_eq!(Seeds::default().list().len(), 10);
}

/// Each error says where and what to do.
#[test]
fn errors_name_the_place() {
    let replaced = |from: &str, to: &str| {
        assert!(TUTORIAL.contains(from), "{from}");
        parse(&TUTORIAL.replace(from, to)).unwrap_err()
    };
    for (from, to, expected) in [
        ("title =", "titel =", "a.toml:2:1: unknown field `titel`"),
        ("title = \"tanh", "title = tanh", "a.toml:2:9: "),
        (
            "\"tanh\",\n",
            "\"sigmoid\",\n",
            "a.toml:11:5: `sigmoid` is a contender already",
        ),
        ("name = \"identity, layer\", with", "nam", "a.toml:12:"),
        ("count = 3", "count = 0", "a.toml:14:1: there are no seeds"),
        (
            "first = 100, count = 3",
            "frist = 1",
            "a.toml:14:9: expected a number of seeds",
        ),
        ("[0.5, 0.9]", "[50]", "a.toml:15:14: 50 is no accuracy"),
        (
            "epochs = 2",
            "epochs = 2\nseed = 1",
            "a.toml:23:8: `seed` is set already",
        ),
        (
            "epochs = 2",
            "network.activation = \"elu\"",
            "a.toml:22:22: `network.activation` is set",
        ),
        (
            "data.validation_fraction = 0.1",
            "network.normalization = \"none\"",
            "a.toml:23:25: `network.normalization` is set already",
        ),
        (
            "field = \"network.preset\"",
            "",
            "a.toml:25:1: the factor names no field",
        ),
        (
            "labels = [\"2\", \"8\"]",
            "labels = [\"2\"]",
            "a.toml:25:1: the factor has 1 labels for 2",
        ),
        (
            "[\"deep:2\", \"deep:8\"]",
            "[]",
            "a.toml:25:1: the factor has no values",
        ),
        (
            "name = \"images\"",
            "name = \"depth\"",
            "a.toml:31:1: `depth` varies already",
        ),
        (
            "field = \"network.preset\"",
            "field = \"epochs\"",
            "a.toml:25:1: `epochs` is set already",
        ),
        (
            "recipe.network.initialization = \"matched\"",
            "recipe.optimizer.learning_rate = 1.0",
            "`optimizer.learning_rate` is set already",
        ),
        (
            "[0.001, 0.01]",
            "[0.01, 0.01]",
            "a.toml:40:18: the learning rate 0.01 is",
        ),
        (
            "seeds_per_rate = 2",
            "first_seed = 102",
            "a.toml:41:14: 102 is a seed of both",
        ),
        (
            "seeds_per_rate = 2",
            "seeds_per_rate = 200000",
            "a.toml:41:18: 200000 seeds are too many",
        ),
        (
            "seeds_per_rate = 2",
            "seeds_per_rate = 0",
            "a.toml:41:18: there are no trials",
        ),
        (
            "seconds-to:0.98",
            "speed",
            "a.toml:45:10: unknown metric `speed`; expected one of",
        ),
        (
            "track = \"common\"",
            "baseline = \"relu\"",
            "a.toml:46:12: there is no contender `relu`",
        ),
        (
            "expect.tanh",
            "expect.sigmoid",
            "a.toml:48:18: `sigmoid` is the baseline",
        ),
        (
            "expect.tanh = \"better\"",
            "",
            "the claim expects nothing; write under [verdict.expect]",
        ),
        (
            "seconds-to:0.98",
            "sparsity",
            "says nothing with the metric sparsity, of which neither more nor less is good in itself; expect higher, lower,",
        ),
        (
            "setting.depth = \"8\"",
            "setting.depth = \"9\"",
            "a.toml:47:17: `depth` is never `9`; its labels are 2, 8",
        ),
        (
            "setting.depth = \"8\"",
            "setting.norm = \"8\"",
            "a.toml:47:16: there is no factor `norm`; the factors of [[vary]] are depth, images",
        ),
        (
            "[common]\n",
            "[[vary]]\nname = \"passes\"\nfield = \"epochs\"\nvalues = [1, 2]\n\n[common]\n",
            "`epochs` is set already; set each field in one place only",
        ),
        (
            "metric =",
            "level = 5\nmetric =",
            "a.toml:45:9: the level is 5, expected a number from 1e-12 to below 0.5; 0.05 is usual",
        ),
        (
            "metric =",
            "power = 0.01\nmetric =",
            "a.toml:45:9: the power is 0.01, expected a number between the level and 1; 0.8 is usual",
        ),
        (
            "metric =",
            "margin = -1\nmetric =",
            "a.toml:45:10: the margin is -1, expected a number from 0 to 1e100, in the unit of the metric",
        ),
    ] {
        let error = replaced(from, to);
        assert!(error.contains(expected), "{to}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let error = Study::read(Path::new("no/such.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot read the study no/such.toml"),
        "{error}"
    );
}

/// Each value of a factor meets all else that is set, whatever the other values are.
#[test]
fn values_that_set_the_same_hide_no_conflict() {
    let text = |values: &str, recipe: &str| {
        format!(
            "title = \"x\"\ncontenders = [\"relu\"]\n[[vary]]\nname = \"n\"\nlabels = [\"1\", \"2\"]\nvalues = {values}\n[common]\n{recipe} = 0\n"
        )
    };
    for (values, recipe, expected) in [
        (
            "[{ a.b = 1 }, { a = 2 }]",
            "a.c",
            "a.toml:8:7: `a.c` is set already, by `a`; set each field in one place only",
        ),
        (
            "[{ a = 1 }, { a = 2, b = 3 }]",
            "b",
            "a.toml:8:5: `b` is set already; set each field in one place only",
        ),
        (
            "[{ a = 1 }, { \"a.b\" = 2, a.b = 3 }]",
            "c",
            "a.toml:3:1: `a.b` is set already; set each field in one place only",
        ),
    ] {
        let error = parse(&text(values, recipe)).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let study = parse(&text("[{ a.b = 1 }, { a = 2, b = 3 }]", "c")).unwrap();
    let plan = Plan::new(&study).unwrap();
    assert_eq!(plan.known(&Records::default()).len(), plan.total());
}

#[test]
fn metrics_come_back_as_they_are_written() {
    for text in [
        "test-accuracy",
        "balanced-accuracy",
        "gradient-decades",
        "seconds-to:0.98",
        "epochs-to:1",
    ] {
        assert_eq!(text.parse::<Metric>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "accuracy",
        "seconds-to",
        "seconds-to:",
        "seconds-to:98",
        "epochs-to:nan",
    ] {
        assert!(text.parse::<Metric>().is_err(), "{text}");
    }
}
