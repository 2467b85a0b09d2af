//! `trainer ensemble`: several runs of one recipe, to be read together.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use data::LabelledImages;

use super::evaluate;
use super::train::found_at;
use crate::backend::{Backend, Processor};
use crate::checkpoint;
use crate::cli::Output;
use crate::config::RunConfig;
use crate::console::{Console, Style};
use crate::ensemble::{self, Ensemble};
use crate::epoch_loop::Ending;
use crate::interrupt::Signals;
use crate::run_directory::{RunDirectory, read_toml};
use crate::saved_model::Which;
use crate::study_runner;
use crate::training::{self, Training};

/// Where ensembles go that are not told otherwise.
const ENSEMBLES: &str = "experiments/ensembles";

/// Options of `trainer ensemble`.
#[derive(Debug, Args)]
pub struct Options {
    /// The recipe, a run as a file, such as experiments/recipes/kaggle.toml
    #[arg(value_name = "RECIPE.TOML")]
    recipe: PathBuf,
    /// Number of networks, with the seeds from that of the recipe on
    #[arg(long, short, value_name = "N", default_value = "5")]
    members: NonZeroUsize,
    /// Labelled images: a CSV file (plain, .gz or Kaggle's .zip), its folder, or built-in [default:
    /// data/, or else built-in]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// What computes
    #[arg(long, short, value_enum, default_value_t)]
    backend: Backend,
    /// The folder of the runs [default: one below experiments/ensembles]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Trains the networks that are still to be trained, and scores all together on the images that
/// they have held out, which are the same for all.
///
/// # Errors
///
/// What went wrong; the same command goes on.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Output { plain, quiet, json } = options.output;
    let recipe: RunConfig = read_toml(&options.recipe)?;
    recipe.check()?;
    let signals = Signals::listen()?;
    let processor = options.backend.open()?;
    let images = data::training_images(options.data.as_deref())?;
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| Path::new(ENSEMBLES).join(study_runner::name(&options.recipe)));
    let mut runs = Vec::new();
    for member in 0..options.members.get() as u64 {
        let console = Console::new(Style::choose(plain, quiet, json));
        let config = member_config(&recipe, member, &images, processor.backend);
        let path = out.join(format!("member-{}", config.seed));
        if let Some(code) = train(&path, config, &processor, &images, console, &signals)? {
            return Ok(code);
        }
        runs.push(path);
    }
    if recipe.data.validation_fraction > 0.0 && !quiet {
        let ensemble = Ensemble::load(&ensemble::Options {
            runs,
            model: Which::default(),
            tta: NonZeroUsize::MIN,
            backend: options.backend,
            kernels: recipe.kernels,
        })?;
        evaluate::on_validation(&ensemble, json)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn member_config(
    recipe: &RunConfig,
    member: u64,
    images: &LabelledImages,
    backend: Backend,
) -> RunConfig {
    let mut config = recipe.clone();
    config.seed += member;
    config.backend = backend;
    config.data.split_seed = recipe.data.split_seed.or(Some(recipe.seed));
    config.data.fingerprint = Some(images.fingerprint());
    config.data.path = found_at(images.source());
    config
}

/// Trains one network, or goes on with it. The exit code, if it was stopped.
fn train(
    path: &Path,
    config: RunConfig,
    processor: &Processor,
    images: &LabelledImages,
    console: Console,
    signals: &Signals,
) -> Result<Option<ExitCode>> {
    let run = RunDirectory::open_or_create(path)?;
    let _lock = run.lock()?;
    if run.has_config() && run.config()? != config {
        anyhow::bail!(
            "{} is a run with another configuration; name another folder with --out",
            path.display()
        );
    }
    if run.has_summary() {
        console.say(&format!("{} is trained", path.display()));
        return Ok(None);
    }
    training::split(&config, images)?;
    run.save_config(&config)?;
    let restored = checkpoint::restore(&run.checkpoints(), None, &config)?;
    console.say(&format!("training {}", path.display()));
    let training = Training {
        run,
        config,
        processor: processor.clone(),
        images: images.clone(),
        console,
        signals: signals.clone(),
        study: None,
    };
    match training.run(restored)? {
        Ending::Finished => Ok(None),
        ending => super::exit(&training, &ending).map(Some),
    }
}
