//! `trainer resume`: the rest of a run that was stopped, or a longer one.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::backend::Backend;
use crate::checkpoint::{self, Position, Restored, RunState};
use crate::cli::{Output, Run, whole_number};
use crate::config::{Extension, RunConfig};
use crate::console::{Console, Style};
use crate::exit::exit;
use crate::interrupt::Signals;
use crate::run_directory::RunDirectory;
use crate::saved_model;
use crate::text::count;
use crate::training::Training;

/// Options of `trainer resume`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    run: Run,
    /// Train to so many epochs in all; those that are added have the learning rates that they have in a
    /// run of that length
    #[arg(long, short, value_name = "N", value_parser = whole_number::<usize>, allow_negative_numbers = true)]
    epochs: Option<usize>,
    /// Continue from this checkpoint instead of the newest, such as epoch-0002; later epochs are
    /// discarded, with the best network if it was of one of them
    #[arg(long, value_name = "CHECKPOINT")]
    from: Option<String>,
    /// Compute on another backend than before; results then agree within rounding only
    #[arg(long, short, value_enum)]
    backend: Option<Backend>,
    /// Where the labelled images are now, if they were moved
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Continues a run from its newest checkpoint.
///
/// # Errors
///
/// A run without an intact checkpoint or with nothing left to do, other images, or a training that fails.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Output { plain, quiet, json } = options.output;
    let console = Console::new(Style::choose(plain, quiet, json));
    let signals = Signals::listen()?;
    let run = RunDirectory::open(&options.run.path)?;
    let _lock = run.lock()?;
    let mut config = run.config()?;
    config
        .check()
        .with_context(|| run.config_path().display().to_string())?;
    let folder = run.checkpoints();
    let mut restored = checkpoint::restore(&folder, options.from.as_deref(), &config)?;
    let position = restored
        .as_ref()
        .map_or(Position::START, |restored| restored.state.position);
    if let Some(epochs) = options.epochs {
        extend(&mut config, position, epochs)?;
        config.check()?;
    }
    if restored.is_none() {
        saved_model::check_nothing_is_lost(&run)?;
    }
    if let Some(restored) = &mut restored {
        // How long the run is to be, and its patience, may have changed.
        restored.state.config = config.clone();
        check_unfinished(&run, &restored.state)?;
    }
    let state = restored.as_ref().map(|restored| &restored.state);
    let last = state.and_then(|state| state.backends.last().copied());
    let backend = options.backend.or(last).unwrap_or(config.backend);
    let processor = backend.open()?;
    let images = config
        .data
        .read_images(options.data.as_deref(), data::training_images)?;
    if config.data.fingerprint != Some(images.fingerprint()) {
        bail!(
            "{} are not the images that this run was started with; name those with --data",
            images.source()
        );
    }
    if options.data.is_some() {
        config.data.note_source(images.source())?;
    }
    // What is no longer so goes first: a new configuration beside what was made by the old one would be
    // taken for its own.
    run.remove_summary()?;
    if let Some(name) = &options.from {
        checkpoint::discard_after(&folder, name)?;
    }
    if let (Some(_), Some(restored)) = (&options.from, &restored)
        && let Some(lost) = saved_model::return_to_best(&run, restored)?
    {
        console.say(&format!(
            "note: the network of epoch {lost}, the best up to here, is not there any more; the best of the epochs that follow takes its place"
        ));
    }
    run.save_config(&config)?;
    console.say(&match &restored {
        Some(Restored { state, path, .. }) if state.is_at_its_end() => format!(
            "all epochs are trained; summing up, from {}",
            path.display()
        ),
        Some(restored) => format!(
            "continuing in epoch {} of {}, from {}",
            restored.state.position.epoch,
            config.total_epochs(),
            restored.path.display()
        ),
        None => String::from("no checkpoint yet: starting from the beginning"),
    });
    console.say(&format!("computing with {processor}"));
    let training = Training {
        run,
        config,
        processor,
        images,
        console,
        signals,
        study: None,
    };
    let ending = training.run(restored)?;
    exit(&training, &ending)
}

/// Refuses a run that has nothing left to do. One without a summary is still to be summed up.
fn check_unfinished(run: &RunDirectory, state: &RunState) -> Result<()> {
    if !run.has_summary() {
        return Ok(());
    }
    let name = run.path().display();
    let epochs = state.config.total_epochs();
    if state.position.epoch > epochs {
        bail!(
            "{name} has finished its {}; make it longer with --epochs",
            count(epochs, "epoch")
        );
    }
    if let (Some(stopping), true) = (state.config.early_stopping, state.has_stopped_early()) {
        let patience = stopping.patience;
        bail!(
            "{name} has ended after {} without a better one; to go on, raise patience in {}",
            count(patience, "epoch"),
            run.config_path().display()
        );
    }
    Ok(())
}

/// Makes a run that stands at `position` longer. An epoch that has begun ends as it would have.
fn extend(config: &mut RunConfig, position: Position, epochs: usize) -> Result<()> {
    let total = config.total_epochs();
    if epochs < total {
        bail!("the run has {total} epochs already, and --epochs {epochs} would shorten it");
    }
    if epochs > total {
        config.extensions.push(Extension {
            after_epoch: position.epoch - usize::from(position.batch == 0),
            epochs,
        });
    }
    Ok(())
}
