//! Reports: that they are whole, readable by programs, and say what was found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use study::record::{LossPoint, Status};
use study::{Contender, Dataset, Plan, Records, Report, RunRecord, RunSpec, Store, Study, report};

use crate::made_up::{self, Ability};

const COMMAND: &str = "trainer study report experiments/<a & b>.toml";

struct Written {
    folder: tempfile::TempDir,
    report: Report,
}

impl Written {
    fn new(study: &Study, records: &Records) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan::new(study).unwrap();
        let curves = made_up::curves(study);
        let path = folder.path().join("results");
        let report = report::write(&plan, records, &curves, COMMAND, &path).unwrap();
        let written = Self { folder, report };
        written.check();
        written
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("results").join(name)).unwrap()
    }

    /// Names of the figures, without endings.
    fn figures(&self) -> BTreeSet<String> {
        let folder = self.folder.path().join("results/figures");
        let Ok(entries) = fs::read_dir(folder) else {
            return BTreeSet::new();
        };
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".svg").map(str::to_owned))
            .collect()
    }

    /// What every report must be.
    fn check(&self) {
        assert!(report::is_report(&self.report.folder));
        assert!(!report::is_report(self.folder.path()));
        let html = self.read(report::PAGE);
        let page = check_html(&html);
        let markdown = self.read(report::TEXT);
        for name in self.figures() {
            let svg = self.read(&format!("figures/{name}.svg"));
            check_svg(&svg, &name);
            assert!(html.contains(&format!("aria-labelledby=\"{name}-title {name}-desc\"")));
            assert!(
                markdown.contains(&format!("](figures/{name}.svg)")),
                "{name}"
            );
            let png = fs::read(
                self.folder
                    .path()
                    .join(format!("results/figures/{name}.png")),
            );
            assert!(png.unwrap().starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
        }
        // The verdict comes before everything but question and claim.
        let verdict = page.find("class=\"verdict").unwrap();
        assert!(page.find("<table").is_none_or(|table| verdict < table));
        assert!(page.find("<svg").is_none_or(|figure| verdict < figure));
        let headline = &self.report.conclusion.headline;
        assert!(self.report.text.contains(headline.as_str()));
        let runs = self.read("runs.csv");
        let mut rows = csv::Reader::from_reader(runs.as_bytes());
        let columns = rows.headers().unwrap().len();
        assert!(rows.records().all(|row| row.unwrap().len() == columns));
    }
}

/// Every element is closed, every identifier there once, and nothing is fetched from elsewhere.
fn check_html(html: &str) -> String {
    let mut xml = html.replacen("<!DOCTYPE html>", "", 1);
    // Elements that HTML does not close.
    for piece in html.match_indices("<meta").map(|(at, _)| &html[at..]) {
        let tag = &piece[..=piece.find('>').unwrap()];
        xml = xml.replacen(tag, &tag.replace('>', "/>"), 1);
    }
    let document = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error}"));
    let mut ids = BTreeSet::new();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        if let Some(id) = node.attribute("id") {
            assert!(ids.insert(id.to_owned()), "id {id} is there twice");
        }
        assert!(
            !["script", "link", "img", "iframe", "object", "image", "use"]
                .contains(&node.tag_name().name()),
            "{:?}",
            node.tag_name()
        );
        for attribute in node.attributes() {
            let value = attribute.value();
            assert!(!attribute.name().starts_with("on"), "{}", attribute.name());
            if attribute.name() == "href" {
                assert!(value.starts_with("figures/"), "{value}");
            }
        }
    }
    for node in document.descendants() {
        for attribute in node.attributes() {
            // What figures cut off is in the page.
            if let Some(id) = attribute.value().strip_prefix("url(#") {
                assert!(ids.contains(id.trim_end_matches(')')), "{id}");
            }
        }
        if node.has_tag_name(("http://www.w3.org/2000/svg", "svg")) {
            assert_eq!(node.attribute("role"), Some("img"));
        }
    }
    assert!(!html.contains("@import") && !html.contains("url(http"));
    assert!(html.contains("prefers-color-scheme:dark"));
    assert!(html.contains("width=device-width"));
    xml
}

fn check_svg(svg: &str, name: &str) {
    let document =
        roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}"));
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    assert!(root.attribute("viewBox").unwrap().starts_with("0 0 560 "));
    let child = |tag: &str| {
        let child = root.children().find(|node| node.tag_name().name() == tag);
        child.unwrap().text().unwrap().to_owned()
    };
    assert!(!child("title").is_empty());
    // n and the command.
    assert!(child("desc").contains("n = "), "{name}");
    assert!(child("desc").contains(COMMAND), "{name}");
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        for attribute in node.attributes() {
            let value = attribute.value();
            assert!(
                !value.contains("NaN") && !value.contains("inf"),
                "{name}: {value}"
            );
        }
    }
}

/// All texts of a figure but title and description.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let texts = document
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
    texts
        .filter_map(|node| node.text().map(str::to_owned))
        .collect()
}

fn good(_: &RunSpec) -> Ability {
    Ability {
        accuracy: 0.98,
        diverges_every: 0,
    }
}

/// The first runs of a study.
fn first(study: &Study, number: usize) -> Records {
    Records::new(
        made_up::run(study, good)
            .iter()
            .take(number)
            .cloned()
            .collect(),
    )
}

#[test]
fn a_whole_study() {
    let mut study = Study::compare(&["sigmoid", "tanh", "relu", "prelu"], 10).unwrap();
    study
        .verdict
        .expect
        .insert(String::from("tanh"), study::Expectation::Better);
    study.question = String::from("Is it?");
    study.analysis = String::from("It is.\n\nReally.");
    let records = made_up::run(&study, |spec| made_up::ability(&study, &spec.contender));
    let written = Written::new(&study, &records);
    let expected = [
        "cost",
        "dead-units",
        "functions",
        "gradients",
        "learning-curves",
        "matrix",
        "parameters",
        "ranking",
        "saturation",
        "sparsity",
        "time-to-accuracy",
    ];
    assert_eq!(written.figures(), expected.map(str::to_owned).into());
    let html = written.read("report.html");
    for text in [
        "The expectation is supported: tanh is better",
        "It is.",
        "Really.",
        "class=\"verdict supported\"",
        "AMD EPYC",
    ] {
        assert!(html.contains(text), "{text}");
    }
    // Every seed is a point of the ranking.
    let ranking = written.read("figures/ranking.svg");
    for seed in 0..10 {
        assert!(ranking.contains(&format!("<title>tanh, seed {seed}: ")));
    }
    let rows = written.read("runs.csv");
    assert_eq!(rows.lines().count(), 41);
    // Times are last, so that the rest can be compared.
    assert!(
        rows.lines()
            .next()
            .unwrap()
            .contains("score:test-accuracy,seconds,")
    );
    assert!(written.report.text.contains("The expectation is supported"));
}

/// The results in a terminal, where a line that is too long is broken anywhere.
#[test]
fn results_fit_into_a_narrow_terminal() {
    let text = "title = \"x\"\ncontenders = [\"relu\", \"leaky-relu:0.25\", \"tanh\"]\nseeds = 10
        [[vary]]\nname = \"normalization\"\nfield = \"network.normalization\"\nvalues = [\"none\", \"batch\"]
        [verdict]\nsetting = { normalization = \"none\" }";
    let study = Study::parse(text, Path::new("a.toml")).unwrap();
    let records = made_up::run(&study, |spec| made_up::ability(&study, &spec.contender));
    let written = Written::new(&study, &records);
    let table = written.report.text.split("Test accuracy, %").nth(1);
    let table: Vec<&str> = table.unwrap().lines().collect();
    assert_eq!(
        table[..6],
        [
            " (differences to relu, points, with 95 % intervals)",
            "",
            "contender        rank  verdict   mean   difference            p (Holm)",
            "",
            "normalization none (deciding)",
            "leaky-relu:0.25  1     ▲ better  98.52  +1.02 [+0.98, +1.06]  0.004",
        ]
    );
    assert!(table.contains(&"normalization batch (exploratory)"));
    let notes = table.iter().position(|line| line.starts_with("Note: "));
    let table = &table[..notes.unwrap_or(table.len())];
    let widest = table.iter().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}");
}

/// What a reader has to know to repeat it: which images, and what the study file leaves to the program.
#[test]
fn a_report_names_its_images_and_all_of_the_configuration() {
    let study = Study::compare(&["relu", "tanh"], 6).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let base = "batch_size = 256\n[data]\nfingerprint = \"0123\""
        .parse()
        .unwrap();
    let store = Store::create(folder.path(), &base).unwrap();
    let dataset = |name: &str| Dataset {
        name: name.to_owned(),
        images: 42_000,
        side: 28,
        classes: 10,
        copies: 800,
    };
    store.note_dataset(&dataset("train.csv")).unwrap();
    // The same images, whatever they are called later.
    store.note_dataset(&dataset("other.csv")).unwrap();
    for run in made_up::run(&study, good).iter() {
        store.save(run).unwrap();
    }
    let written = Written::new(&study, &store.records().unwrap());
    for file in ["report.html", "report.md"] {
        let text = written.read(file);
        for expected in [
            "Images: train.csv, 42,000 labelled ones of 28×28 pixels in 10 classes.",
            "batch_size = 256",
            "0123",
            "800 of 42,000 images are copies of others: networks may be tested on what",
            "All functions have the same learning rate",
        ] {
            assert!(text.contains(expected), "{file}: {expected}");
        }
    }
}

/// It is about results that are not there yet.
#[test]
fn what_the_author_makes_of_it_waits_for_all_runs() {
    let mut study = Study::compare(&["relu", "tanh"], 6).unwrap();
    study.analysis = String::from("ReLU it is.");
    let all = made_up::run(&study, good);
    for (records, is_said) in [(first(&study, 5), false), (all, true)] {
        let text = Written::new(&study, &records).read("report.md");
        assert_eq!(text.contains("## What it means"), is_said);
    }
}

#[test]
fn the_same_runs_make_the_same_report() {
    let study = Study::compare(&["relu", "tanh"], 6).unwrap();
    let records = made_up::run(&study, good);
    let [a, b] = [0, 1].map(|_| Written::new(&study, &records));
    for file in [
        "report.html",
        "report.md",
        "runs.csv",
        "figures/ranking.svg",
    ] {
        assert_eq!(a.read(file), b.read(file), "{file}");
    }
}

#[test]
fn from_no_run_on() {
    let study = Study::compare(&["relu", "tanh"], 3).unwrap();
    for number in 0..=6 {
        let written = Written::new(&study, &first(&study, number));
        let headline = &written.report.conclusion.headline;
        let expected = match number {
            0 => "No verdict yet: no run of what decides has a score (0 of 6 runs done).",
            1 => "Nothing can be compared with relu yet.",
            _ => "Too few seeds to tell any contender from relu",
        };
        assert!(headline.contains(expected), "{number}: {headline}");
        let preliminary = written
            .read("report.md")
            .contains("everything below is preliminary");
        assert_eq!(preliminary, number < 6);
    }
    let alone = Study::compare(&["relu"], 1).unwrap();
    let written = Written::new(&alone, &first(&alone, 1));
    assert!(
        written
            .report
            .conclusion
            .headline
            .starts_with("Nothing to compare; test accuracy: relu ")
    );
}

#[test]
fn runs_that_diverged_or_failed_are_shown() {
    let study = Study::compare(&["relu", "tanh", "snake"], 8).unwrap();
    let records = made_up::run(&study, |spec| Ability {
        accuracy: 0.98,
        diverges_every: u64::from(spec.contender == "snake"),
    });
    let mut runs: Vec<_> = records.iter().cloned().collect();
    runs[0].status = Status::Failed {
        reason: String::from("out of memory, \"really\"\n<sorry>"),
    };
    let written = Written::new(&study, &Records::new(runs));
    let html = written.read("report.html");
    assert!(html.contains("8 runs diverged. Runs that diverge count with the accuracy of chance."));
    assert!(html.contains("0, 8 diverged"));
    assert!(html.contains("7, 1 failed"));
    assert!(written.read("runs.csv").contains("diverged in epoch 2"));
    assert!(written.read("figures/ranking.svg").contains("8 diverged"));
    let text = &written.report.text;
    assert!(text.contains("snake (8 diverged)"), "{text}");
    assert!(text.contains("relu (1 failed)"), "{text}");
}

#[test]
fn everything_diverged() {
    let study = Study::compare(&["relu", "tanh"], 8).unwrap();
    let records = made_up::run(&study, |_| Ability {
        accuracy: 0.98,
        diverges_every: 1,
    });
    let written = Written::new(&study, &records);
    assert!(written.read("report.md").contains("16 runs diverged"));
}

#[test]
fn many_contenders_on_both_tracks() {
    let names: Vec<String> = (0..10)
        .map(|number| format!("leaky-relu:0.{number:02}"))
        .collect();
    let mut study = Study::compare(&names, 3).unwrap();
    study.common = Some(toml::Table::new());
    study.tuned = Some(study::Tuning {
        learning_rates: vec![0.001, 0.01],
        seeds_per_rate: 1,
        first_seed: 1000,
        recipe: toml::Table::new(),
    });
    let records = made_up::run(&study, good);
    let written = Written::new(&study, &records);
    let figures = written.figures();
    for name in [
        "tracks",
        "learning-rates",
        "tuned-track-ranking",
        "common-track-functions",
    ] {
        assert!(figures.contains(name), "{name}: {figures:?}");
    }
    let html = written.read("report.html");
    assert!(names.iter().all(|name| html.contains(name.as_str())));
}

#[test]
fn what_the_tracks_differ_in_is_said() {
    let text = r#"
title = "x"
contenders = ["relu", "tanh"]
seeds = 6
[common]
network.initialization = "xavier"
optimizer.learning_rate = 0.01
[tuned]
learning_rates = [0.001, 0.01]
recipe = { "network.initialization" = "matched" }
"#;
    let study = Study::parse(text, Path::new("a.toml")).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let markdown = written.read("report.md");
    for said in [
        "tuned learning rates and another value of network.initialization: gain",
        "they also differ in network.initialization. The tuned",
        "also of contenders that a claim does not name; what is exploratory is corrected for the comparisons of its own setting and track alone. Equivalent",
        // √(1 + 6 · 28000 / 37800) = 2.33
        "should be about 2.3 times as wide",
        "choose a learning rate split the same images anew",
    ] {
        assert!(markdown.contains(said), "{said}: {markdown}");
    }
    // With one split for all seeds, they do not vary the images.
    let one_split = text.replace("[common]", "[fixed]\ndata.split_seed = 3\n[common]");
    let study = Study::parse(&one_split, Path::new("a.toml")).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let markdown = written.read("report.md");
    assert!(!markdown.contains("times as wide"));
    assert!(!markdown.contains("split the same images anew"));
    // Tuned alone, in one setting.
    let tuned = "title = \"x\"\ncontenders = [\"relu\", \"tanh\"]\nseeds = 6\n[tuned]\nlearning_rates = [0.001, 0.01]";
    let study = Study::parse(tuned, Path::new("a.toml")).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let markdown = written.read("report.md");
    assert!(markdown.contains("## The choice of learning rates"));
    assert!(markdown.contains("Trials of the tuned track"));
    // All decides.
    let study = Study::compare(&["relu", "tanh"], 6).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let markdown = written.read("report.md");
    assert!(markdown.contains("that a claim does not name. Equivalent"));
}

#[test]
fn many_settings() {
    let text = r#"
title = "depth"
contenders = ["sigmoid", "relu"]
seeds = 3
[fixed]
epochs = 1
[[vary]]
name = "a/b"
field = "network.preset"
values = ["deep:2", "deep 2", "ü", "deep:20"]
[[vary]]
name = "normalization"
field = "network.normalization"
values = ["none", "batch"]
[verdict]
metric = "gradient-decades"
"#;
    let study = Study::parse(text, Path::new("a.toml")).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let figures = written.figures();
    assert!(
        figures.contains("settings") && figures.contains("ranks"),
        "{figures:?}"
    );
    // The axis of ranks has no ticks between them, nor one twice.
    let texts = texts(&written.read("figures/ranks.svg"));
    let ticks: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .filter(|text| text.parse::<u32>().is_ok())
        .collect();
    assert_eq!(ticks, ["1", "2"]);
    // A curve of one point is none.
    assert!(!figures.iter().any(|name| name.contains("learning-curves")));
    let markdown = written.read("report.md");
    assert!(markdown.contains("so that there are no learning curves."));
    // No two settings share a file, whatever they are called.
    let rankings = figures
        .iter()
        .filter(|name| name.ends_with("-ranking"))
        .count();
    assert_eq!(rankings, 8);
}

/// Nemenyi's critical difference of three contenders in two settings is 2.34, and their ranks differ by 2 at
/// most; in three settings it is 1.91.
#[test]
fn ranks_that_can_show_nothing_are_not_drawn() {
    for (values, drawn) in [("1, 2", false), ("1, 2, 3", true)] {
        let text = format!(
            "title = \"x\"\ncontenders = [\"sigmoid\", \"tanh\", \"relu\"]\nseeds = 3\n[[vary]]\nname = \"epochs\"\nfield = \"epochs\"\nvalues = [{values}]"
        );
        let study = Study::parse(&text, Path::new("a.toml")).unwrap();
        let written = Written::new(&study, &made_up::run(&study, good));
        assert_eq!(written.figures().contains("ranks"), drawn, "{values}");
    }
}

/// Sentences have one blank between them, and none at the end.
#[test]
fn captions_have_single_blanks() {
    let study = Study::compare(&["relu", "tanh"], 6).unwrap();
    for diverges_every in [0, 3] {
        let records = made_up::run(&study, |spec| Ability {
            diverges_every: if spec.contender == "tanh" {
                diverges_every
            } else {
                0
            },
            ..good(spec)
        });
        let written = Written::new(&study, &records);
        let markdown = written.read("report.md");
        let (text, _) = markdown.split_once("The study file").unwrap();
        assert!(!text.contains("  "), "{text}");
        let ranking = written.read("figures/ranking.svg");
        let document = roxmltree::Document::parse(&ranking).unwrap();
        let mut nodes = document.descendants();
        let about = nodes.find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "desc")));
        let about = about.unwrap().text().unwrap();
        assert!(!about.contains("  "), "{about}");
    }
}

#[test]
fn odd_names_stay_names() {
    let odd = [
        "leaky-relu:0.2",
        "<script>alert(1)</script>",
        "a | b & c",
        "\"quoted\" 'name'",
        "$x^2$",
        "漢字 and a name that is much, much longer than any figure or table has room for",
    ];
    let mut study = Study::compare(&["relu"], 4).unwrap();
    study.contenders = odd
        .iter()
        .map(|name| Contender {
            name: Some((*name).to_owned()),
            with: format!("n = {}", name.len()).parse().unwrap(),
            ..Contender::new("relu")
        })
        .collect();
    study.title = String::from("<b>odd</b> & others");
    study.question = String::from("</p><script>alert(1)</script>");
    study.claim = Some(study::Statement {
        text: String::from("<i>"),
        source: String::from("<a href=\"http://example.org\">"),
    });
    study.verdict.expect = [(odd[1].to_owned(), study::Expectation::Better)].into();
    let written = Written::new(&study, &made_up::run(&study, good));
    let html = written.read("report.html");
    assert!(!html.contains("<script"));
    assert!(html.contains("&lt;script&gt;alert(1)"));
    let markdown = written.read("report.md");
    assert!(markdown.contains("| a \\| b &amp; c |"), "{markdown}");
    let (text, study_file) = markdown.split_once("The study file").unwrap();
    assert!(!text.contains("<script") && study_file.contains("<script"));
}

#[test]
fn adding_runs_keeps_the_earlier_report() {
    let study = Study::compare(&["relu", "tanh"], 6).unwrap();
    let plan = Plan::new(&study).unwrap();
    let curves = made_up::curves(&study);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results/tanh");
    let write = |number| {
        let records = first(&study, number);
        report::write(&plan, &records, &curves, COMMAND, &path)
            .unwrap()
            .earlier
    };
    assert_eq!(write(4), None);
    let before = fs::read_to_string(path.join("report.md")).unwrap();
    assert_eq!(write(4), None);
    assert_eq!(write(12), Some(path.join("earlier/1")));
    assert_eq!(
        fs::read_to_string(path.join("earlier/1/report.md")).unwrap(),
        before
    );
    assert_ne!(fs::read_to_string(path.join("report.md")).unwrap(), before);
    assert!(path.join("earlier/1/figures/ranking.png").is_file());
    assert_eq!(write(12), None);
    assert_eq!(write(4), Some(path.join("earlier/2")));
}

/// Tanh is good, and the sigmoid never gets anywhere.
fn one_that_fails(spec: &RunSpec) -> Ability {
    Ability {
        accuracy: if spec.contender == "sigmoid" {
            0.3
        } else {
            0.98
        },
        diverges_every: 0,
    }
}

const FIVE: [&str; 5] = ["relu", "tanh", "sigmoid", "gelu", "leaky-relu"];

#[test]
fn what_lies_below_a_panel_is_marked() {
    let study = Study::compare(&FIVE, 6).unwrap();
    let about = "▼ stands for points that lie below the panel";
    let written = Written::new(&study, &made_up::run(&study, one_that_fails));
    let curves = written.read("figures/learning-curves.svg");
    assert!(curves.contains(about));
    // About 0.3 − 0.2 · e^−1.4 after the first epoch.
    let values: Vec<String> = texts(&curves)
        .into_iter()
        .filter(|text| text.starts_with("25.") || text.starts_with("24."))
        .collect();
    assert_eq!(values.len(), 1, "{:?}", texts(&curves));
    let written = Written::new(&study, &made_up::run(&study, good));
    let curves = written.read("figures/learning-curves.svg");
    assert!(!curves.contains(about));
}

/// Where accuracies differ much from rate to rate, or from epoch to epoch, panels show them.
#[test]
fn most_points_lie_within_the_panel() {
    let study = "title = \"x\"\ncontenders = [\"relu\", \"tanh\"]\nseeds = 2\n[common]\n[tuned]\nlearning_rates = [0.001, 0.003, 0.01, 0.03, 0.1]";
    let study = Study::parse(study, Path::new("a.toml")).unwrap();
    let rates = &study.tuned.as_ref().unwrap().learning_rates;
    let is_marked = |accuracies: [[f64; 5]; 2], gain: f64| {
        let records = made_up::run(&study, |spec| {
            let rate = rates
                .iter()
                .position(|&rate| Some(rate) == spec.learning_rate);
            let contender = usize::from(spec.contender == "tanh");
            Ability {
                accuracy: accuracies[contender][rate.unwrap_or(2)],
                diverges_every: 0,
            }
        });
        let runs = records.iter().cloned().map(|mut run| {
            for epoch in &mut run.epochs {
                let left = gain * (6 - epoch.epoch) as f64;
                epoch.validation.accuracy = epoch.validation.accuracy.map(|end| end - left);
            }
            run
        });
        let written = Written::new(&study, &Records::new(runs.collect()));
        ["learning-rates", "tuned-track-learning-curves"].map(|figure| {
            let figure = written.read(&format!("figures/{figure}.svg"));
            figure.contains("▼ stands for points that lie below the panel")
        })
    };
    let near = [
        [0.97, 0.975, 0.98, 0.98, 0.6],
        [0.96, 0.97, 0.975, 0.97, 0.97],
    ];
    assert_eq!(is_marked(near, 0.0), [true, false]);
    let spread = [[0.72, 0.76, 0.82, 0.88, 0.9], [0.74, 0.78, 0.8, 0.84, 0.86]];
    assert_eq!(is_marked(spread, 0.08), [false, false]);
}

/// The lines of a figure that have dashes: the colour, and the dashes.
fn dashed_lines(svg: &str) -> Vec<(String, String)> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let nodes = document.descendants();
    let dashed = nodes.filter_map(|node| {
        let dashes = node.attribute("stroke-dasharray")?;
        Some((node.attribute("stroke")?.to_owned(), dashes.to_owned()))
    });
    dashed.collect()
}

#[test]
fn lines_that_coincide_are_all_seen() {
    let study = Study::compare(&FIVE, 6).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    for figure in ["learning-curves", "gradients"] {
        let lines = dashed_lines(&written.read(&format!("figures/{figure}.svg")));
        // Of five, leaky ReLU's is solid.
        let (legend, panels) = lines.split_at(4);
        let different: BTreeSet<&String> = legend.iter().map(|(_, dashes)| dashes).collect();
        assert_eq!(different.len(), 4, "{legend:?}");
        assert_eq!(panels.len(), 8, "{panels:?}");
        for panel in panels.chunks(4) {
            let [mut drawn, mut keys] = [panel.to_vec(), legend.to_vec()];
            // The baseline, first in the legend, comes last.
            assert_eq!(drawn.last(), keys.first());
            drawn.sort();
            keys.sort();
            assert_eq!(drawn, keys);
        }
    }
}

/// A run whose loss was noted eight times in its six epochs, from 2 down to 0.25 nats.
fn with_loss_curve(mut run: RunRecord) -> RunRecord {
    run.loss_curve = (0..8)
        .map(|part| LossPoint {
            epochs: (f64::from(part) + 0.5) * 0.75,
            loss: 2.0 / (1.0 + f64::from(part)),
        })
        .collect();
    run
}

#[test]
fn the_loss_in_the_course_of_the_training_is_drawn() {
    let mut study = Study::compare(&["relu", "tanh"], 6).unwrap();
    let records = made_up::run(&study, good);
    let noted: Vec<RunRecord> = records.iter().cloned().map(with_loss_curve).collect();
    let about_parts = "averaged over equal parts of the training";
    let figure = |study: &Study, runs: Vec<RunRecord>| {
        Written::new(study, &Records::new(runs)).read("figures/learning-curves.svg")
    };
    let curves = figure(&study, noted.clone());
    assert!(curves.contains(about_parts));
    let texts = texts(&curves);
    assert!(
        texts.iter().any(|text| text == "epochs passed"),
        "{texts:?}"
    );
    // Without the losses of some runs, and of contenders that may be trained by another loss, it is the one
    // of the epochs.
    let mut some = noted.clone();
    some[0].loss_curve.clear();
    assert!(!figure(&study, some).contains(about_parts));
    study.contenders[1].with = "label_smoothing = 0.1".parse().unwrap();
    let records = made_up::run(&study, good);
    let noted = records.iter().cloned().map(with_loss_curve).collect();
    assert!(!figure(&study, noted).contains(about_parts));
}

/// A legend names no curve that is not there.
#[test]
fn who_diverged_at_once_has_no_key() {
    let study = Study::compare(&["relu", "tanh", "elu"], 6).unwrap();
    let all = made_up::run(&study, good);
    let runs = all.iter().cloned().map(|mut run| {
        if run.specs[0].contender == "elu" {
            run.status = Status::Diverged { epoch: 1 };
            run.test = None;
            run.epochs.clear();
        }
        run
    });
    let written = Written::new(&study, &Records::new(runs.collect()));
    for figure in ["learning-curves", "gradients"] {
        let texts = texts(&written.read(&format!("figures/{figure}.svg")));
        let has = |name: &str| texts.iter().any(|text| text == name);
        assert!(
            has("relu") && has("tanh") && !has("elu"),
            "{figure}: {texts:?}"
        );
    }
}

/// One colour for one contender, in all figures, and the same one in other studies.
#[test]
fn contenders_keep_their_colours() {
    // Of the palette, by look.
    let (first, second, third) = ("#4a8ff7", "#7a4504", "#14a95d");
    for (names, colours, others) in [
        (["tanh", "mish"], [third, first], [second]),
        (["sigmoid", "relu"], [second, first], [third]),
    ] {
        let study = Study::compare(&names, 6).unwrap();
        let written = Written::new(&study, &made_up::run(&study, good));
        for figure in [
            "cost",
            "functions",
            "gradients",
            "learning-curves",
            "ranking",
        ] {
            let svg = written.read(&format!("figures/{figure}.svg"));
            let has = |colour: &str| {
                let [fill, stroke] = ["fill", "stroke"].map(|what| format!(" {what}=\"{colour}\""));
                svg.contains(&fill) || svg.contains(&stroke)
            };
            assert!(colours.iter().all(|colour| has(colour)), "{figure}");
            assert!(!others.iter().any(|colour| has(colour)), "{figure}");
        }
    }
}

#[test]
fn figures_that_are_no_rankings_have_the_order_of_the_study() {
    let study = Study::compare(&["sigmoid", "tanh", "relu"], 6).unwrap();
    // The last is the best.
    let records = made_up::run(&study, |spec| Ability {
        accuracy: if spec.contender == "relu" {
            0.992
        } else {
            0.982
        },
        diverges_every: 0,
    });
    let written = Written::new(&study, &records);
    let names = |figure: &str| -> Vec<String> {
        let texts = texts(&written.read(&format!("figures/{figure}.svg")));
        let names = texts.into_iter();
        names
            .filter(|text| study.contenders.iter().any(|one| one.name() == text))
            .collect()
    };
    for figure in ["learning-curves", "gradients", "functions"] {
        assert_eq!(names(figure), ["sigmoid", "tanh", "relu"], "{figure}");
    }
    // Axes count from below.
    for figure in ["cost", "time-to-accuracy"] {
        assert_eq!(names(figure), ["relu", "tanh", "sigmoid"], "{figure}");
    }
    // A ranking: the best above.
    assert_eq!(names("ranking")[2], "relu");
    let markdown = written.read("report.md");
    let (_, table) = markdown
        .split_once("| contender | median dead units |")
        .unwrap();
    let names: Vec<&str> = table
        .lines()
        .skip(2)
        .take(3)
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(names, ["sigmoid", "tanh", "relu"]);
}

/// After the first of six epochs validation accuracies are about 0.05 lower than in the end.
#[test]
fn how_many_got_to_an_accuracy_is_said_of_all() {
    let text = "title = \"x\"\ncontenders = [\"relu\", \"tanh\"]\nseeds = 6\naccuracies = [0.9, 0.97, 0.999]";
    let study = Study::parse(text, Path::new("a.toml")).unwrap();
    let records = made_up::run(&study, |spec| Ability {
        accuracy: if spec.contender == "relu" {
            0.985
        } else {
            0.965
        },
        diverges_every: 0,
    });
    let written = Written::new(&study, &records);
    let figure = written.read("figures/time-to-accuracy.svg");
    for said in [
        "Times come in steps of one epoch.",
        "No run got as far as 99.9 %. Every run got to 90.0 % in epoch 1: all by the same number of steps, so that times differ by how long a step took.",
        ">0 of 6 to 97.0 %<",
    ] {
        let is_said = figure.contains(said) || written.read("report.md").contains(said);
        assert!(is_said, "{said}");
    }
    // Of what all got to at once there are no points.
    assert!(!texts(&figure).contains(&String::from("90.0 %")));
    // Nor is there a figure without any.
    let text = text.replace(", 0.97", "");
    let study = Study::parse(&text, Path::new("a.toml")).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    assert!(!written.figures().contains("time-to-accuracy"));
    let said = "\n\nNo run got as far as 99.9 %. Every run got to 90.0 % in epoch 1:";
    let markdown = written.read("report.md");
    assert!(markdown.contains(said), "{markdown}");
}

/// Of three contenders one never gets to an accuracy: its differences are bounds, wherever they stand.
#[test]
fn differences_that_are_bounds_are_said_to_be() {
    for (baseline, in_tables, in_matrix) in
        [("relu", "at least +", "≥+"), ("tanh", "at most −", "≤−")]
    {
        let text = format!(
            "title = \"x\"\ncontenders = [\"relu\", \"tanh\", \"gelu\"]\nseeds = 10\n[verdict]\nmetric = \"epochs-to:0.97\"\nbaseline = \"{baseline}\""
        );
        let study = Study::parse(&text, Path::new("a.toml")).unwrap();
        let records = made_up::run(&study, |spec| Ability {
            accuracy: if spec.contender != "tanh" {
                0.985
            } else {
                0.95
            },
            diverges_every: 0,
        });
        let written = Written::new(&study, &records);
        let markdown = written.read("report.md");
        assert!(markdown.contains(&format!("| {in_tables}")), "{markdown}");
        // The mean of tanh too, without an interval, and nothing that is of its spread.
        let row = markdown.lines().find(|line| line.starts_with("| tanh |"));
        let cells: Vec<&str> = row.unwrap().split('|').map(str::trim).collect();
        assert!(cells[5].starts_with("at least "), "{cells:?}");
        assert_eq!([cells[9], cells[10], cells[11]], ["–"; 3], "{cells:?}");
        let terminal = &written.report.text;
        assert!(terminal.contains(in_tables), "{terminal}");
        let matrix = texts(&written.read("figures/matrix.svg"));
        assert!(
            matrix.iter().any(|text| text.starts_with(in_matrix)),
            "{matrix:?}"
        );
    }
}

#[test]
fn figures_of_nothing_but_zeros_are_sentences() {
    let study = Study::compare(&["sigmoid", "tanh"], 6).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let figures = written.figures();
    assert!(!figures.contains("dead-units") && !figures.contains("sparsity"));
    let markdown = written.read("report.md");
    let said = "No unit is dead at any site after any epoch. No activation is exactly zero at any site after any epoch.";
    assert!(markdown.contains(said), "{markdown}");
    assert!(!markdown.contains("zero side"));
    // With others, their panels are left out.
    let study = Study::compare(&["sigmoid", "relu", "tanh"], 6).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let dead = written.read("figures/dead-units.svg");
    let texts = texts(&dead);
    let has = |text: &str| texts.iter().any(|one| one == text);
    assert!(has("relu") && has("epoch") && !has("tanh"), "{texts:?}");
    let said = "and so without a panel: sigmoid and tanh.";
    assert!(dead.contains(said));
    let said = "ReLU's zero side counts as saturated, and is harmless in itself";
    assert!(written.read("report.md").contains(said));
}

#[test]
fn gradients_are_on_a_logarithmic_scale_that_is_named() {
    let study = Study::compare(&["relu", "tanh"], 6).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let figure = written.read("figures/gradients.svg");
    assert!(texts(&figure).contains(&String::from("gradient norm, log scale")));
    let said = "a factor of 2 to 5 over a few layers does not matter.";
    assert!(figure.contains(said) && !figure.contains("on their way back"));
}

#[test]
fn tables_say_what_is_a_mean_and_what_a_median() {
    let study = Study::compare(&["relu", "tanh"], 6).unwrap();
    let written = Written::new(&study, &made_up::run(&study, good));
    let markdown = written.read("report.md");
    for head in [
        "| mean, % \\[95 % interval\\] | mean difference, points \\[interval\\] |",
        "| contender | median test accuracy |",
        "| contender | median to 90.0 % |",
        "| contender | parameters | median step |",
        "| contender | median dead units |",
    ] {
        assert!(markdown.contains(head), "{head} is not in {markdown}");
    }
}

/// Letters would be too small to read on a phone, were figures shrunk to it.
#[test]
fn what_is_wider_than_a_phone_scrolls_and_says_so() {
    let study = Study::compare(&["relu", "tanh"], 6).unwrap();
    let html = Written::new(&study, &made_up::run(&study, good)).read("report.html");
    assert!(html.contains(".plot svg{display:block;width:100%;min-width:34rem"));
    assert!(html.contains("scrolls sideways"));
    assert!(html.contains("<div class=\"table wide\""));
}
