//! `trainer compare`: a study from the command line.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use model::{Activation, Preset};
use study::{Study, Tuning};
use toml::{Table, Value};

use super::study::run::{Parallelism, run_study};
use super::study::{Resources, StudyPaths};
use crate::cli::{Output, count, number};
use crate::config::RunConfig;
use crate::study_runner;

/// The learning rates that are tried with `--tune`, in steps of about 3: from Adam's usual one to more
/// than the best of ReLU with batch normalisation.
const LEARNING_RATES: [f64; 5] = [0.001, 0.003, 0.01, 0.03, 0.1];

/// How often each is tried: one run reads too few validation images to tell neighbours apart.
const SEEDS_PER_RATE: usize = 3;

/// Share of the images by which the epoch is chosen: enough for that, and so few that looking into
/// the network on all of them costs little beside the training.
const VALIDATION_FRACTION: f64 = 0.025;

/// Options of `trainer compare`.
#[derive(Debug, Args)]
pub struct Options {
    /// The activation functions, at least two, such as relu or leaky-relu:0.2; the first is the one
    /// that the others are compared with. See `trainer activations`
    #[arg(value_name = "NAME[:PARAMETERS]", required = true, num_args = 2..)]
    activations: Vec<Activation>,
    /// Number of runs of each, with the seeds 0, 1, 2 …
    #[arg(long, value_name = "N", default_value = "10", value_parser = count, allow_negative_numbers = true)]
    seeds: NonZeroUsize,
    /// The network: tiny, small, classic, kaggle or deep:N
    #[arg(long, short, default_value = "small")]
    preset: Preset,
    /// Passes over the training images
    #[arg(long, short, value_name = "N", default_value = "2", value_parser = count, allow_negative_numbers = true)]
    epochs: NonZeroUsize,
    /// Share of the images not held out that is trained on, above 0 and at most 1
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = number::<f64>, allow_negative_numbers = true)]
    training_fraction: f64,
    /// Also find the best of five learning rates for each function, by three runs with each, and
    /// compare at those
    #[arg(long)]
    tune: bool,
    #[command(flatten)]
    resources: Resources,
    #[command(flatten)]
    parallelism: Parallelism,
    /// What the study is called: its file is experiments/NAME.toml [default: after the functions]
    #[arg(long, value_name = "NAME", value_parser = file_name)]
    name: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Writes the study down, then does as `trainer study run`.
///
/// # Errors
///
/// Options that make no study, unreadable images, or a run that fails; what the runs had done is saved.
pub fn run(options: &Options) -> Result<ExitCode> {
    let study = options.study()?;
    let name = options.name();
    let file = Path::new("experiments").join(format!("{name}.toml"));
    save(&study, &file)?;
    let paths = StudyPaths {
        study: file,
        folder: None,
    };
    let out = Path::new(study_runner::RESULTS).join(&name);
    let Options {
        resources,
        parallelism,
        output,
        ..
    } = options;
    run_study(&study, &paths, resources, parallelism, *output, &out)
}

impl Options {
    fn study(&self) -> Result<Study> {
        // Before anything is written down.
        let mut config = RunConfig::default();
        config.data.training_fraction = self.training_fraction;
        config.check()?;
        let names: Vec<String> = self.activations.iter().map(Activation::to_string).collect();
        let mut study = Study::compare(&names, self.seeds.get())?;
        let number = |number: usize| Value::Integer(number as i64);
        study.fixed = fields(&[
            ("epochs", number(self.epochs.get())),
            (
                "data.validation_fraction",
                Value::Float(VALIDATION_FRACTION),
            ),
            ("data.test_fraction", Value::Float(0.1)),
            (
                "data.training_fraction",
                Value::Float(self.training_fraction),
            ),
            ("network.preset", Value::String(self.preset.to_string())),
        ]);
        if self.tune {
            study.common = Some(Table::new());
            study.tuned = Some(Tuning {
                learning_rates: LEARNING_RATES.to_vec(),
                seeds_per_rate: SEEDS_PER_RATE,
                first_seed: 1_000_000,
                recipe: Table::new(),
            });
        }
        study.check()?;
        Ok(study)
    }

    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let names: Vec<String> = self.activations.iter().map(Activation::to_string).collect();
            // `:` and `,` of parameters trouble some file systems and shells.
            let name = format!("compare-{}", names.join("-")).replace([':', ','], "-");
            // So long as file systems allow.
            name.chars().take(120).collect()
        })
    }
}

/// The name of a file without its ending: no path, and not hidden.
fn file_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\']) {
        return Err(String::from("expected a name for a file, not a path"));
    }
    Ok(text.to_owned())
}

/// Nested tables with these fields.
fn fields(fields: &[(&str, Value)]) -> Table {
    let mut table = Table::new();
    for (field, value) in fields {
        table.insert((*field).to_owned(), value.clone());
    }
    table
}

/// Saves the study, which may be there already, but not another one.
fn save(study: &Study, file: &Path) -> Result<()> {
    if file.exists() {
        let there = Study::read(file)?;
        // Seeds may be added.
        let same = Study {
            seeds: study.seeds.clone(),
            ..there
        };
        if same != *study {
            bail!(
                "{} is another study, with other options; choose another --name, or remove it",
                file.display()
            );
        }
    }
    if let Some(folder) = file.parent() {
        files::create_folder(folder)?;
    }
    Ok(study.save(file)?)
}
