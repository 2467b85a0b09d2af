//! `trainer compare`: a study from the command line.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use model::{Activation, Preset};
use study::{
    ACTIVATION, Difference, Fields, LEARNING_RATE, SEED, Store, StoreError, Study, Tuning,
};
use toml::{Table, Value};

use super::study::run::{Parallelism, run_study};
use super::study::{Resources, StudyPaths, check_report_folder};
use crate::cli::{Output, count, number};
use crate::config::RunConfig;
use crate::names::{for_files, of_config};
use crate::shell::as_argument;
use crate::study_runner::{self, FieldError, StudyRunner};
use crate::toml_file::{difference, read_toml};

/// The learning rates that are tried with `--tune`, in steps of about 3: from Adam's usual one to more
/// than the best of ReLU with batch normalisation.
const LEARNING_RATES: [f64; 5] = [0.001, 0.003, 0.01, 0.03, 0.1];

/// How often each is tried: one run reads too few validation images to tell neighbours apart.
const SEEDS_PER_RATE: usize = 3;

/// Share of the images by which functions are compared.
const TEST_FRACTION: f64 = 0.1;

/// The field of the share that is trained on.
const TRAINING_FRACTION: &str = "data.training_fraction";

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
    #[arg(long, short, default_value = "small", conflicts_with = "config")]
    preset: Preset,
    /// A recipe or a run's config.toml, by which all functions are trained; its own function and seed are
    /// not used, and the options below override it
    #[arg(long, short, value_name = "RUN.TOML")]
    config: Option<PathBuf>,
    /// Passes over the training images [default: 2, or more where there are few
    /// images; with --config its own]
    #[arg(long, short, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    epochs: Option<NonZeroUsize>,
    /// Images for each step of training [default: 256, or fewer where there are few
    /// images; with --config its own]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    batch_size: Option<NonZeroUsize>,
    /// Peak learning rate, the same for all functions [default: that of a single run, or of --config]
    #[arg(long = "lr", visible_alias = "learning-rate", value_name = "RATE", value_parser = number::<f64>, allow_negative_numbers = true, conflicts_with = "tune")]
    learning_rate: Option<f64>,
    /// Share of the images not held out that is trained on, above 0 and at most 1 [default: 0.5, or 1
    /// where there are few images; with --config its own]
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

    /// As fields of a configuration, with the network.
    fn fields(&self, preset: Preset) -> Result<Table> {
        let values = [
            ("epochs", integer("epochs", self.epochs)?),
            ("batch_size", integer("batch_size", self.batch_size)?),
            (
                "data.validation_fraction",
                Value::Float(self.validation_fraction),
            ),
            ("data.test_fraction", Value::Float(TEST_FRACTION)),
            (TRAINING_FRACTION, Value::Float(self.training_fraction)),
            ("network.preset", Value::String(preset.to_string())),
        ];
        let fields = values.map(|(field, value)| (field.to_owned(), value));
        Ok(fields.into_iter().collect())
    }
}

impl Options {
    /// The study, for so many images.
    fn study(&self, images: usize) -> Result<Study> {
        let names: Vec<String> = self.activations.iter().map(Activation::to_string).collect();
        let mut study = Study::compare(&names, self.seeds.get())?;
        study.fixed = match &self.config {
            Some(file) => recipe(file)?,
            None => Budget::of(images).fields(self.preset)?,
        };
        let count = |name, number: Option<NonZeroUsize>| {
            number.map(|number| integer(name, number.get())).transpose()
        };
        let given = [
            ("epochs", count("--epochs", self.epochs)?),
            ("batch_size", count("--batch-size", self.batch_size)?),
            (TRAINING_FRACTION, self.training_fraction.map(Value::Float)),
            (LEARNING_RATE, self.learning_rate.map(Value::Float)),
        ];
        for (field, value) in given {
            if let Some(value) = value {
                study.fixed.insert(field.to_owned(), value);
            }
        }
        if self.tune {
            // The rate of the recipe is that of the common track.
            study.common = Some(
                study
                    .fixed
                    .remove_entry(LEARNING_RATE)
                    .into_iter()
                    .collect(),
            );
            study.tuned = Some(Tuning {
                learning_rates: LEARNING_RATES.to_vec(),
                seeds_per_rate: SEEDS_PER_RATE,
                first_seed: Tuning::FIRST_SEED,
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
            let functions = self.activations.iter().map(Activation::to_string);
            let recipe = self.config.as_deref().map(of_config);
            let names: Vec<String> = recipe.into_iter().chain(functions).collect();
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

/// The fields of a run's configuration that hold whatever function is compared.
fn recipe(file: &Path) -> Result<Table> {
    let config: RunConfig = read_toml(file)?;
    config.check().with_context(|| file.display().to_string())?;
    let fields: Table = read_toml(file)?;
    let mut recipe: Table = Fields::from_table(&fields)
        .with_context(|| file.display().to_string())?
        .iter()
        .filter(|(field, _)| !is_of_one_run(field))
        .map(|(field, value)| (field.to_owned(), value.clone()))
        .collect();
    if !config.extensions.is_empty() {
        let epochs = integer("epochs", config.total_epochs())?;
        recipe.insert(String::from("epochs"), epochs);
    }
    if config.data.test_fraction == 0.0 {
        let fraction = Value::Float(TEST_FRACTION);
        recipe.insert(String::from("data.test_fraction"), fraction);
    }
    Ok(recipe)
}

/// Whether a field of a configuration says nothing of how other runs are to be trained.
fn is_of_one_run(field: &str) -> bool {
    let own = [
        SEED,
        ACTIVATION,
        "backend",
        "extensions",
        "data.path",
        "data.fingerprint",
        "data.split_seed",
    ];
    own.contains(&field) || field.starts_with("ensemble.")
}

/// A number as TOML has it; `name` is what it is called where it is too large.
fn integer(name: &str, number: usize) -> Result<Value> {
    match i64::try_from(number) {
        Ok(number) => Ok(Value::Integer(number)),
        Err(_) => bail!("{name} is too large"),
    }
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
    use std::ffi::OsString;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    /// A recipe's rate is no longer that of all functions where each gets its own.
    #[test]
    fn a_recipes_learning_rate_is_that_of_the_common_track() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recipe.toml");
        std::fs::write(&file, "[optimizer]\nlearning_rate = 0.002").unwrap();
        let mut arguments: Vec<OsString> = ["", "relu", "tanh", "--tune", "--config"]
            .map(Into::into)
            .into();
        arguments.push(file.into());
        let study = Program::parse_from(arguments).options.study(1000).unwrap();
        assert!(!study.fixed.contains_key(LEARNING_RATE));
        let common = study.common.unwrap();
        assert_eq!(common[LEARNING_RATE].as_float(), Some(0.002));
    }

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
