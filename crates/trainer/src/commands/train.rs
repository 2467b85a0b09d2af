//! `trainer train`: a new run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use data::LabelledImages;
use model::{Activation, Initialization, Kernels, Normalization, Preset};

use crate::backend::Backend;
use crate::budget::Budget;
use crate::cli::{Output, number, whole_number};
use crate::config::{
    AveragingConfig, EarlyStoppingConfig, EnsembleConfig, OptimizerKind, RunConfig, ScheduleKind,
};
use crate::console::{Console, Style};
use crate::exit::exit;
use crate::interrupt::Signals;
use crate::names::{for_files, of_config};
use crate::run_directory::{RUNS, RunDirectory};
use crate::shell::as_argument;
use crate::text::{count, note_on_withheld};
use crate::toml_file::read_recipe;
use crate::training::{self, FEW_STEPS, Training};

/// Options of `trainer train`. What is not given comes from `--config`, or else from the defaults.
#[derive(Debug, Args)]
pub struct Options {
    /// Activation function, such as relu, leaky-relu:0.2 or gelu; see `trainer activations`
    /// [default: relu]
    #[arg(long, short, value_name = "NAME[:PARAMETERS]")]
    activation: Option<Activation>,
    /// The network, from small to large: tiny, small, classic, kaggle; or deep:N with N plain layers
    /// [default: small]
    #[arg(long, short, conflicts_with = "config")]
    preset: Option<Preset>,
    /// Compute backend [default: auto]
    #[arg(long, short, value_enum)]
    backend: Option<Backend>,
    /// Labelled images: a CSV file (plain, .gz or Kaggle's .zip), its folder, or built-in [default:
    /// data/, or else built-in]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Passes over the training images [default: 3]
    #[arg(long, short, value_name = "N", value_parser = whole_number::<usize>, allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// Number that all random draws come from [default: 0]
    #[arg(long, short, value_name = "N", value_parser = whole_number::<u64>, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// A run as a file, such as another run's config.toml; options on the command line override it
    #[arg(long, short, value_name = "RUN.TOML")]
    config: Option<PathBuf>,
    /// The run's folder, which must not be there yet [default: one below experiments/runs]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Normalisation before every activation: batch, layer, group:G or none, as in deep:N [default: batch]
    #[arg(help_heading = "Network", long)]
    normalization: Option<Normalization>,
    /// Standard deviation of the initial weights: he, xavier, lecun, or the one that suits the activation
    /// function [default: matched]
    #[arg(help_heading = "Network", long)]
    initialization: Option<Initialization>,
    /// Kernels on CPUs: fused (a whole layer at once) or stock (Burn's operations)
    /// [default: fused]
    #[arg(help_heading = "Network", long)]
    kernels: Option<Kernels>,
    /// Images per training step [default: 256]
    #[arg(help_heading = "Training", long, value_name = "N", value_parser = whole_number::<usize>, allow_negative_numbers = true)]
    batch_size: Option<usize>,
    /// The highest learning rate of the schedule [default: 0.01]
    #[arg(help_heading = "Training", long,
        visible_alias = "learning-rate",
        value_name = "RATE",
        value_parser = number::<f64>,
        allow_negative_numbers = true
    )]
    lr: Option<f64>,
    /// How the learning rate changes over the run [default: one-cycle]
    #[arg(help_heading = "Training", long, value_enum)]
    schedule: Option<ScheduleKind>,
    /// Optimizer [default: adam]
    #[arg(help_heading = "Training", long, value_enum)]
    optimizer: Option<OptimizerKind>,
    /// Weight decay per step [default: 0]
    #[arg(help_heading = "Training", long, value_name = "RATE", value_parser = number::<f32>, allow_negative_numbers = true)]
    weight_decay: Option<f32>,
    /// Share of every target that is spread evenly over all classes [default: 0]
    #[arg(help_heading = "Training", long, value_name = "SHARE", value_parser = number::<f64>, allow_negative_numbers = true)]
    label_smoothing: Option<f64>,
    /// Validate and save a moving average of the weights, with this decay per step, such as 0.999
    #[arg(help_heading = "Training", long, value_name = "DECAY", value_parser = number::<f64>, allow_negative_numbers = true)]
    averaging: Option<f64>,
    /// Stop when this many epochs in a row are not better by validation accuracy, then loss, than the best
    #[arg(help_heading = "Training", long, value_name = "EPOCHS", value_parser = whole_number::<usize>, allow_negative_numbers = true)]
    early_stopping: Option<usize>,
    /// Share of the labelled images held out for validation [default: 0.1]
    #[arg(help_heading = "Training", long, value_name = "SHARE", value_parser = number::<f64>, allow_negative_numbers = true)]
    validation_fraction: Option<f64>,
    #[command(flatten)]
    output: Output,
}

/// Trains a network in a new run directory.
///
/// # Errors
///
/// Invalid options, unreadable images, a folder that is there already, or a training that fails; what was
/// saved by then is still there.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Output { plain, quiet, json } = options.output;
    let console = Console::new(Style::choose(plain, quiet, json));
    let signals = Signals::listen()?;
    let (mut config, ensemble) = options.config()?;
    if let (Some(EnsembleConfig { members, .. }), Some(recipe)) = (ensemble, &options.config) {
        console.say(&format!(
            "one network of the recipe; `trainer ensemble {}` trains its {members}",
            as_argument(recipe)
        ));
    }
    let processor = config.backend.open()?;
    config.backend = processor.backend;
    let (images, mut notes) = config
        .data
        .training_images(options.data.as_deref(), options.config.as_deref())?;
    let (split, _) = training::split(&config, &images)?;
    notes.extend(note_on_withheld(split.test.rows().len()));
    let run = options.create_directory(&config)?;
    let _lock = run.lock()?;
    if run.has_config() {
        // Another process began here since, and ended.
        bail!(
            "{} is there already; name another --out",
            run.path().display()
        );
    }
    run.save_config(&config)?;
    console.say(&images.to_string());
    for note in &notes {
        console.say(note);
    }
    console.say(&description(&config, &images));
    let steps = training::steps(&config, &split);
    if steps < FEW_STEPS {
        let trained = split.training.rows().len();
        let (batch_size, epochs) = Budget::pace(trained as f64);
        let advice = match epochs * trained.div_ceil(batch_size) > steps {
            true => format!("; --epochs {epochs} --batch-size {batch_size} make more"),
            false => String::new(),
        };
        let steps = count(steps, "step");
        console.say(&format!(
            "{steps} of training in all, which is little{advice}"
        ));
    }
    if let Some(stopping) = config.early_stopping
        && stopping.patience < config.total_epochs()
        && config.schedule.kind != ScheduleKind::Constant
    {
        console.say(&format!(
            "early stopping may end this run while its learning rate is high, as the schedule is made for all {} epochs; fewer of them, or --schedule constant, may do better",
            config.total_epochs()
        ));
    }
    if let [first, ..] = config.extensions[..]
        && config.schedule.kind != ScheduleKind::Constant
    {
        console.say(&format!(
            "the configuration is of a run that was made longer after epoch {}, where the learning rate jumps; without its [[extensions]] and with other epochs it has one schedule",
            first.after_epoch
        ));
    }
    console.say(&format!("computing with {processor}"));
    console.say(&format!("saving to {}", run.path().display()));
    let training = Training {
        run,
        config,
        processor,
        images,
        console,
        signals,
        study: None,
    };
    let ending = training.run(None)?;
    exit(&training, &ending)
}

impl Options {
    /// The run's configuration, the images' fingerprint aside, and the ensemble that its file is a recipe
    /// for.
    fn config(&self) -> Result<(RunConfig, Option<EnsembleConfig>)> {
        let mut config = match &self.config {
            Some(path) => {
                let config = read_recipe(path)?;
                config.check().with_context(|| path.display().to_string())?;
                config
            }
            None => RunConfig::default(),
        };
        let ensemble = config.ensemble.take();
        if let Some(preset) = self.preset {
            config.network = preset.into();
        }
        set(&mut config.network.activation, &self.activation);
        set(&mut config.network.normalization, &self.normalization);
        set(&mut config.network.initialization, &self.initialization);
        set(&mut config.backend, &self.backend);
        set(&mut config.kernels, &self.kernels);
        set(
            &mut config.data.validation_fraction,
            &self.validation_fraction,
        );
        if let Some(epochs) = self.epochs {
            config.epochs = epochs;
            config.extensions.clear();
        }
        set(&mut config.batch_size, &self.batch_size);
        set(&mut config.optimizer.learning_rate, &self.lr);
        set(&mut config.optimizer.kind, &self.optimizer);
        set(&mut config.optimizer.weight_decay, &self.weight_decay);
        set(&mut config.schedule.kind, &self.schedule);
        set(&mut config.label_smoothing, &self.label_smoothing);
        if let Some(decay) = self.averaging {
            config.averaging = Some(AveragingConfig { decay });
        }
        if let Some(patience) = self.early_stopping {
            config.early_stopping = Some(EarlyStoppingConfig { patience });
        }
        set(&mut config.seed, &self.seed);
        if self.data.is_some() {
            config.data.path.clone_from(&self.data);
        }
        config.check()?;
        Ok((config, ensemble))
    }

    fn create_directory(&self, config: &RunConfig) -> Result<RunDirectory> {
        match &self.out {
            Some(path) => RunDirectory::create_at(path),
            None => {
                let network = match (&self.config, self.preset.unwrap_or_default()) {
                    (Some(file), _) => of_config(file),
                    (None, preset) => preset.to_string(),
                };
                let name = format!(
                    "{network}-{}-seed{}-{}",
                    config.network.activation, config.seed, config.backend
                );
                RunDirectory::create_below(Path::new(RUNS), &for_files(&name))
            }
        }
    }
}

fn set<T: Clone>(field: &mut T, option: &Option<T>) {
    if let Some(value) = option {
        *field = value.clone();
    }
}

fn description(config: &RunConfig, images: &LabelledImages) -> String {
    let RunConfig {
        seed,
        batch_size,
        optimizer,
        network,
        ..
    } = config;
    let kind = clap::ValueEnum::to_possible_value(&optimizer.kind);
    let optimizer_name = kind.as_ref().map_or("", |value| value.get_name());
    let epochs = count(config.total_epochs(), "epoch");
    let normalization = match network.normalization {
        Normalization::None => String::from("no"),
        normalization => normalization.to_string(),
    };
    format!(
        "{} in every layer, {normalization} normalization, {} classes; {epochs} of batches of {batch_size}, {optimizer_name} at {:?}, seed {seed}",
        network.activation,
        images.classes(),
        optimizer.learning_rate,
    )
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    /// Options are unset unless given, so that a file can set them; what the help calls their
    /// defaults are those of the configuration.
    #[test]
    fn the_help_tells_the_defaults() {
        let mut arguments = vec![String::from("trainer")];
        for argument in Program::command().get_arguments() {
            let help = argument.get_help().map(ToString::to_string);
            let default = help.as_deref().and_then(|help| {
                let (_, rest) = help.split_once("[default: ")?;
                rest.strip_suffix(']')
            });
            if let (Some(default), Some(name)) = (default, argument.get_long())
                && !["data", "out"].contains(&name)
            {
                arguments.push(format!("--{name}={default}"));
            }
        }
        assert_eq!(arguments.len(), 16, "{arguments:?}");
        let config = |arguments: &[String]| Program::parse_from(arguments).options.config();
        assert_eq!(
            config(&arguments).unwrap(),
            config(&arguments[..1]).unwrap()
        );
    }
}
