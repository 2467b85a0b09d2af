//! `trainer compare`: a study from the command line.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use model::{Activation, Preset};
use study::{Difference, Store, StoreError, Study, Tuning};
use toml::{Table, Value};

use super::study::run::{Parallelism, run_study};
use super::study::{Resources, StudyPaths, check_report_folder};
use crate::cli::{Output, count, number};
use crate::names::for_files;
use crate::shell::as_argument;
use crate::study_runner::{self, FieldError, StudyRunner};
use crate::toml_file::difference;

/// The learning rates that are tried with `--tune`, in steps of about 3: from Adam's usual one to more
/// than the best of ReLU with batch normalisation.
const LEARNING_RATES: [f64; 5] = [0.001, 0.003, 0.01, 0.03, 0.1];

/// How often each is tried: one run reads too few validation images to tell neighbours apart.
const SEEDS_PER_RATE: usize = 3;

/// Share of the images by which functions are compared.
const TEST_FRACTION: f64 = 0.1;

/// Options of `trainer compare`.
#[derive(Debug, Args)]
pub struct Options {
    /// The activation functions, at least two, such as relu or leaky-relu:0.2; the first is the one
    /// that the others are compared with. See `trainer activations`
    #[arg(value_name = "NAME[:PARAMETERS]", required = true, num_args = 2..)]
    activations: Vec<Activation>,
    /// Number of runs of each, with the seeds 0, 1, 2 …; at least 6 are needed to show a difference, more
    /// with more functions
    #[arg(long, value_name = "N", default_value = "10", value_parser = count, allow_negative_numbers = true)]
    seeds: NonZeroUsize,
    /// The network: tiny, small, classic, kaggle or deep:N
    #[arg(long, short, default_value = "small")]
    preset: Preset,
    /// Passes over the training images [default: 2, or more where there are few
    /// images]
    #[arg(long, short, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    epochs: Option<NonZeroUsize>,
    /// Images for each step of training [default: 256, or fewer where there are few
    /// images]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    batch_size: Option<NonZeroUsize>,
    /// Peak learning rate, the same for all functions [default: that of a single run]
    #[arg(long = "lr", visible_alias = "learning-rate", value_name = "RATE", value_parser = number::<f64>, allow_negative_numbers = true, conflicts_with = "tune")]
    learning_rate: Option<f64>,
    /// Share of the images not held out that is trained on, above 0 and at most 1 [default: 0.5, or 1
    /// where there are few images]
    #[arg(long, value_name = "SHARE", value_parser = number::<f64>, allow_negative_numbers = true)]
    training_fraction: Option<f64>,
    /// Also find the best of five learning rates for each function, by three runs with each, and compare
    /// the functions at those rates too (per function 15 more runs, and one more for every seed)
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
    let Options {
        resources,
        parallelism,
        output,
        ..
    } = options;
    let name = options.name();
    let out = Path::new(study_runner::RESULTS).join(&name);
    check_report_folder(&out)?;
    let paths = StudyPaths {
        study: Path::new("experiments").join(format!("{name}.toml")),
        folder: None,
    };
    options.check_names()?;
    let images = resources.images()?;
    let study = options.study(images.labels().len())?;
    // First the images: much of the study goes by their number.
    check_images(&Store::at(&paths.folder()), &images.fingerprint(), &name)?;
    let study = unless_another(study, &paths.study)?;
    let runner = StudyRunner::new(&study, &paths.folder(), images, resources.backend);
    let runner = runner.map_err(|error| of_another_base(error, &name))?;
    // Only what can be run, so that another attempt can have the name.
    save(&study, &paths.study)?;
    run_study(&runner, &paths, resources, parallelism, *output, &out)
}

/// Refuses images that the runs called `name`, if there are any, are not of.
fn check_images(store: &Store, fingerprint: &str, name: &str) -> Result<()> {
    let base = store.base()?;
    let theirs = base
        .as_ref()
        .and_then(|base| base.get("data")?.get("fingerprint")?.as_str());
    if theirs.is_some_and(|theirs| theirs != fingerprint) {
        bail!("the runs called {name} are of other images; choose another --name for new ones");
    }
    Ok(())
}

/// The error of runs with another base, in words: by what they are; and of an option that makes no sense.
fn of_another_base(error: anyhow::Error, name: &str) -> anyhow::Error {
    let by = match error.downcast_ref() {
        Some(StoreError::Base { field, .. }) if field == "backend" => "another backend",
        Some(StoreError::Base { .. }) => "a program with other defaults",
        _ => match error.downcast_ref() {
            // There is no file yet that would say where it comes from.
            Some(FieldError { message, .. }) => return anyhow!("{message}"),
            None => return error,
        },
    };
    anyhow!("the runs called {name} are by {by}; choose another --name for new ones")
}

/// What a run trains on and for how long, where the options leave it open: of Kaggle's digits two epochs of
/// half of them in batches of 256, of fewer images no less than what makes a network learn.
struct Budget {
    /// Share of the images by which the epoch is chosen.
    validation_fraction: f64,
    training_fraction: f64,
    batch_size: usize,
    epochs: usize,
}

impl Budget {
    /// Enough images to choose an epoch by, and so few that looking into the network on all of them costs
    /// little beside the training …
    const VALIDATION_FRACTION: f64 = 0.025;
    /// … and this many of few images, but no more of them than …
    const VALIDATION_IMAGES: f64 = 50.0;
    /// … this share.
    const MOST_VALIDATION: f64 = 0.2;
    /// With fewer images that are not held out than this, all of them are trained on.
    const FEW: f64 = 8000.0;
    /// A run sees at least so many images, each in its turn.
    const SEEN: f64 = 10_000.0;
    /// An epoch has so many steps, if batches need not be smaller than 32 for it.
    const STEPS: f64 = 64.0;

    /// For so many images.
    fn of(images: usize) -> Self {
        let images = images as f64;
        let validation_fraction = (Self::VALIDATION_IMAGES / images.max(1.0))
            .clamp(Self::VALIDATION_FRACTION, Self::MOST_VALIDATION);
        let kept = images * (1.0 - validation_fraction - TEST_FRACTION);
        let training_fraction = if kept < Self::FEW { 1.0 } else { 0.5 };
        let trained = (kept * training_fraction).max(1.0);
        let sizes = [256, 128, 64, 32];
        let many_steps = sizes
            .into_iter()
            .find(|&size| trained / size as f64 >= Self::STEPS);
        Self {
            validation_fraction,
            training_fraction,
            batch_size: many_steps.unwrap_or(32),
            epochs: ((Self::SEEN / trained).ceil() as usize).clamp(2, 50),
        }
    }
}

impl Options {
    /// The study, for so many images.
    fn study(&self, images: usize) -> Result<Study> {
        let budget = Budget::of(images);
        let training_fraction = self.training_fraction.unwrap_or(budget.training_fraction);
        let epochs = self.epochs.map_or(budget.epochs, NonZeroUsize::get);
        let batch_size = self.batch_size.map_or(budget.batch_size, NonZeroUsize::get);
        let names: Vec<String> = self.activations.iter().map(Activation::to_string).collect();
        let mut study = Study::compare(&names, self.seeds.get())?;
        let number = |option: &str, number: usize| {
            let number = i64::try_from(number);
            number.map_or_else(
                |_| bail!("{option} is too large"),
                |number| Ok(Value::Integer(number)),
            )
        };
        study.fixed = fields(&[
            ("epochs", number("--epochs", epochs)?),
            ("batch_size", number("--batch-size", batch_size)?),
            (
                "data.validation_fraction",
                Value::Float(budget.validation_fraction),
            ),
            ("data.test_fraction", Value::Float(TEST_FRACTION)),
            ("data.training_fraction", Value::Float(training_fraction)),
            ("network.preset", Value::String(self.preset.to_string())),
        ]);
        if let Some(rate) = self.learning_rate {
            let rate = Value::Float(rate);
            study
                .fixed
                .extend(fields(&[("optimizer.learning_rate", rate)]));
        }
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

    /// Refuses a function that is named twice.
    fn check_names(&self) -> Result<()> {
        for (index, activation) in self.activations.iter().enumerate() {
            if self.activations[..index].contains(activation) {
                bail!("{activation} is named twice; there would be nothing to compare");
            }
        }
        Ok(())
    }

    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let names: Vec<String> = self.activations.iter().map(Activation::to_string).collect();
            let name = for_files(&format!("compare-{}", names.join("-")));
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

/// The study, unless another one is in the file: the same with other seeds may be, which is noted.
fn unless_another(mut study: Study, file: &Path) -> Result<Study> {
    if !file.exists() {
        return Ok(study);
    }
    let there = Study::read(file)?;
    study.note_seeds_of(&there);
    let same = Study {
        seeds: study.seeds.clone(),
        earlier_seeds: study.earlier_seeds.clone(),
        ..there
    };
    if same != study {
        let difference = difference(&same, &study)?.map(|Difference { field, there, here }| {
            // Texts may be long.
            let [there, here] = [there, here].map(|value| match value.lines().count() {
                0 | 1 => value,
                _ => String::from("another text"),
            });
            format!(": {field} is {there} there and {here} now")
        });
        bail!(
            "{} is another study{}; choose another --name, or run that one as it is with `trainer study run {}`",
            file.display(),
            difference.unwrap_or_default(),
            as_argument(file)
        );
    }
    Ok(study)
}

fn save(study: &Study, file: &Path) -> Result<()> {
    if let Some(folder) = file.parent() {
        files::create_folder(folder)?;
    }
    Ok(study.save(file)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_images_are_seen_more_often_in_smaller_batches() {
        let budget = |images| {
            let Budget {
                validation_fraction,
                training_fraction,
                batch_size,
                epochs,
            } = Budget::of(images);
            (validation_fraction, training_fraction, batch_size, epochs)
        };
        assert_eq!(budget(42_000), (0.025, 0.5, 256, 2));
        // 5,250 are trained on.
        assert_eq!(budget(12_000), (0.025, 0.5, 64, 2));
        // 1,750, six times.
        assert_eq!(budget(2_000), (0.025, 1.0, 32, 6));
        assert_eq!(budget(500), (0.1, 1.0, 32, 25));
        assert_eq!(budget(100), (0.2, 1.0, 32, 50));
        assert_eq!(budget(0), (0.2, 1.0, 32, 50));
    }
}
