//! `trainer compare`: a study from the command line.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use model::{Activation, Preset};
use study::{
    ACTIVATION, Difference, Fields, LEARNING_RATE, Metric, SEED, Store, StoreError, Study, Tuning,
};
use toml::{Table, Value};

use super::study::run::{Parallelism, run_study};
use super::study::{Resources, StudyPaths, check_report_folder};
use crate::budget::Budget;
use crate::cli::{Output, count, number};
use crate::names::{for_files, of_config};
use crate::shell::as_argument;
use crate::study_runner::{self, FieldError, StudyRunner};
use crate::toml_file::{difference, read_recipe, read_toml};

/// The learning rates that are tried with `--tune`, in steps of about 3: from Adam's usual one to more
/// than the best of ReLU with batch normalisation.
const LEARNING_RATES: [f64; 5] = [0.001, 0.003, 0.01, 0.03, 0.1];

/// How often each is tried: one run reads too few validation images to tell neighbours apart.
const TRIALS: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// The field of the share by which epochs are chosen.
const VALIDATION_FRACTION: &str = "data.validation_fraction";

/// The field of the share by which functions are compared.
const TEST_FRACTION: &str = "data.test_fraction";

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
    /// Share of the images by which the best epoch is chosen, which no run trains on [default: 0.025,
    /// or more where there are few images; with --config its own]
    #[arg(long, value_name = "SHARE", value_parser = share, allow_negative_numbers = true)]
    validation_fraction: Option<f64>,
    /// Share of the images by which the functions are compared, which no run trains on [default: 0.1,
    /// or more where there are few images; with --config its own]
    #[arg(long, value_name = "SHARE", value_parser = share, allow_negative_numbers = true)]
    test_fraction: Option<f64>,
    /// What the functions are compared by, such as balanced-accuracy, test-loss or seconds-to:0.97
    #[arg(long, value_name = "METRIC", default_value = "test-accuracy")]
    metric: Metric,
    /// Differences up to this are too small to matter, and functions that differ by no more are called
    /// equivalent; as reports give them: shares in percentage points, times per step in milliseconds
    /// [default: 0.1 of accuracies, else none]
    #[arg(long, value_name = "DIFFERENCE", value_parser = not_negative, allow_negative_numbers = true)]
    margin: Option<f64>,
    /// Also find the best learning rate for each function, by some runs with each of --rates, and compare
    /// the functions at those rates too
    #[arg(long)]
    tune: bool,
    /// The learning rates that --tune tries
    #[arg(long, value_name = "RATE,…", value_delimiter = ',', value_parser = number::<f64>, allow_negative_numbers = true, requires = "tune", default_values_t = LEARNING_RATES)]
    rates: Vec<f64>,
    /// How many runs of each function --tune makes with each rate
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, requires = "tune", default_value_t = TRIALS)]
    trials: NonZeroUsize,
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
    let paths = StudyPaths {
        study: Path::new("experiments").join(format!("{name}.toml")),
        folder: None,
    };
    let out = study_runner::results(&paths.study, None);
    check_report_folder(&out)?;
    options.check_names()?;
    let images = resources.images()?;
    let study = options.study(images.labels().len(), images.classes())?;
    // First the images: much of the study goes by their number.
    let store = Store::at(&paths.folder());
    check_images(&store, &images.fingerprint(), &name)?;
    let study = unless_another(study, &paths.study, &store)?;
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

impl Options {
    /// The study, for so many images of so many classes.
    fn study(&self, images: usize, classes: usize) -> Result<Study> {
        let names: Vec<String> = self.activations.iter().map(Activation::to_string).collect();
        let mut study = Study::compare(&names, self.seeds.get())?;
        let mut budget = Budget::of(images, classes);
        if let Some(validation) = self.validation_fraction {
            budget.test_fraction = budget.test_fraction.min(half_of_rest(validation));
        }
        study.fixed = match &self.config {
            Some(file) => recipe(file, &budget, self.validation_fraction)?,
            None => fields(&budget, self.preset)?,
        };
        study.verdict.metric = self.metric;
        study.verdict.margin = self
            .margin
            .map(|margin| margin / self.metric.reported_scale());
        let count = |name, number: Option<NonZeroUsize>| {
            number.map(|number| integer(name, number.get())).transpose()
        };
        let given = [
            ("epochs", count("--epochs", self.epochs)?),
            ("batch_size", count("--batch-size", self.batch_size)?),
            (
                VALIDATION_FRACTION,
                self.validation_fraction.map(Value::Float),
            ),
            (TEST_FRACTION, self.test_fraction.map(Value::Float)),
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
                learning_rates: self.sorted_rates(),
                seeds_per_rate: self.trials.get(),
                first_seed: Tuning::FIRST_SEED,
                recipe: Table::new(),
            });
        }
        study.check()?;
        Ok(study)
    }

    /// The rates from the lowest to the highest, as their order says nothing.
    fn sorted_rates(&self) -> Vec<f64> {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates
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
            let data = self.resources.data.as_deref().and_then(own_name);
            let names: Vec<String> = data.into_iter().chain(recipe).chain(functions).collect();
            let name = for_files(&format!("compare-{}", names.join("-")));
            // So long as file systems allow.
            name.chars().take(120).collect()
        })
    }
}

/// A share that leaves something.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok();
    share
        .filter(|&share| 0.0 < share && share < 1.0)
        .ok_or_else(|| String::from("expected a number above 0 and below 1"))
}

fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|&number: &f64| number.is_finite() && number >= 0.0)
        .ok_or_else(|| String::from("expected a number that is not negative"))
}

/// The name of a file without its ending: no path, and not hidden.
fn file_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('.') || text.contains(['/', '\\']) {
        return Err(String::from("expected a name for a file, not a path"));
    }
    Ok(text.to_owned())
}

/// What a user's own images are called; nothing of what is called so everywhere.
fn own_name(data: &Path) -> Option<String> {
    let name = data.file_name()?.to_str()?.split('.').next()?;
    (!name.is_empty() && !["train", "data", "digit-recognizer"].contains(&name))
        .then(|| name.to_owned())
}

/// The budget as fields of a configuration, with the network.
fn fields(budget: &Budget, preset: Preset) -> Result<Table> {
    let Budget {
        validation_fraction,
        test_fraction,
        training_fraction,
        batch_size,
        epochs,
    } = *budget;
    let values = [
        ("epochs", integer("epochs", epochs)?),
        ("batch_size", integer("batch_size", batch_size)?),
        (VALIDATION_FRACTION, Value::Float(validation_fraction)),
        (TEST_FRACTION, Value::Float(test_fraction)),
        (TRAINING_FRACTION, Value::Float(training_fraction)),
        ("network.preset", Value::String(preset.to_string())),
    ];
    let fields = values.map(|(field, value)| (field.to_owned(), value));
    Ok(fields.into_iter().collect())
}

/// The fields of a run's configuration that hold whatever function is compared, with images to compare by.
fn recipe(file: &Path, budget: &Budget, validation: Option<f64>) -> Result<Table> {
    let config = read_recipe(file)?;
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
        let most = half_of_rest(validation.unwrap_or(config.data.validation_fraction));
        let fraction = Value::Float(budget.test_fraction.min(most));
        recipe.insert(TEST_FRACTION.to_owned(), fraction);
    }
    Ok(recipe)
}

/// The most of the images that functions are compared by, unless more is asked for: half of what is not validated.
fn half_of_rest(validation_fraction: f64) -> f64 {
    (1.0 - validation_fraction) / 2.0
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
fn unless_another(mut study: Study, file: &Path, store: &Store) -> Result<Study> {
    if !file.exists() {
        return Ok(study);
    }
    let there = Study::read(file)?;
    study.note_seeds_of(&there, store.has_final_runs(&there)?);
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

    /// As reports give it, so that a margin can be taken from one.
    #[test]
    fn a_margin_has_the_unit_of_reports() {
        for (metric, margin) in [
            ("test-accuracy", 0.02),
            ("seconds-per-step", 0.002),
            ("training-seconds", 2.0),
        ] {
            let arguments = ["", "relu", "tanh", "--margin", "2", "--metric", metric];
            let study = Program::parse_from(arguments).options.study(1000, 10);
            assert_eq!(study.unwrap().verdict.margin, Some(margin), "{metric}");
        }
    }

    /// What is left is halved where it was not asked for otherwise.
    #[test]
    fn a_large_share_to_validate_leaves_images_to_train_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recipe.toml");
        std::fs::write(&file, "[data]\nvalidation_fraction = 0.0").unwrap();
        let file = file.to_str().unwrap();
        for of_recipe in [&[][..], &["--config", file]] {
            let mut arguments = vec!["", "relu", "tanh", "--validation-fraction", "0.9"];
            arguments.extend(of_recipe);
            let options = Program::parse_from(arguments).options;
            let study = options.study(600, 10).unwrap();
            let test = study.fixed[TEST_FRACTION].as_float().unwrap();
            assert!((test - 0.05).abs() < 1e-12, "{test}");
        }
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
        let study = Program::parse_from(arguments)
            .options
            .study(1000, 10)
            .unwrap();
        assert!(!study.fixed.contains_key(LEARNING_RATE));
        let common = study.common.unwrap();
        assert_eq!(common[LEARNING_RATE].as_float(), Some(0.002));
    }
}
