//! Trained networks on disk: the best and the last of a run.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use clap::ValueEnum;
use data::Scaling;
use files::{sha256_hex, write_atomically};
use model::{CnnConfig, Kernels, Task};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{FORMAT, Position, Restored, RunState};
use crate::classifier::Classifier;
use crate::config::Loss;
use crate::history::{self, EpochRecord};
use crate::run_directory::RunDirectory;
use crate::shell::as_argument;
use crate::toml_file::{read_sealed_toml, to_sealed_toml};

/// Which of a run's networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SavedNetwork {
    /// The one of the epoch with the highest validation accuracy
    #[default]
    Best,
    /// The one of the last epoch
    Last,
}

impl SavedNetwork {
    fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Last => "last",
        }
    }

    fn side_file(self) -> String {
        format!("{}.toml", self.name())
    }

    /// Whether `run` has it.
    pub fn is_in(self, run: &RunDirectory) -> bool {
        run.path().join(self.side_file()).exists()
    }
}

/// All that is needed to use a saved network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Version of this file's layout.
    pub format: u32,
    /// The file with the weights, beside this one.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Its training loss.
    #[serde(default)]
    pub loss: Loss,
    /// What the network looks like.
    pub network: CnnConfig,
    /// Size of the images and number of classes.
    pub task: Task,
    /// How images are standardised before it reads them.
    pub scaling: Scaling,
    /// The epoch after which it was saved, and its scores then.
    pub epoch: EpochRecord,
}

/// Whether a run has left a network.
pub fn has_any(run: &RunDirectory) -> bool {
    SavedNetwork::value_variants()
        .iter()
        .any(|network| network.is_in(run))
}

/// Refuses to begin anew where that would replace networks that took longer than an epoch, or are the run's
/// last.
///
/// # Errors
///
/// If there are such, or it cannot be told.
pub fn check_nothing_is_lost(run: &RunDirectory) -> Result<()> {
    // Where the first checkpoint could not be written, the networks of the first epoch are there.
    let last = card(run, SavedNetwork::Last);
    let is_of_first = last.is_ok_and(|card| card.is_some_and(|card| card.epoch.epoch == 1));
    if has_any(run) && (run.has_summary() || !is_of_first) {
        bail!(
            "{} has networks but no checkpoint to continue from, and a new beginning would replace them; begin elsewhere, by `trainer --config {} --out DIR`",
            run.path().display(),
            as_argument(&run.config_path()),
        );
    }
    Ok(())
}

/// Makes the best network that of the best epoch up to the checkpoint that a run returns to, which is possible if the
/// checkpoint was taken at that epoch's end. Returns the number of that epoch otherwise, if its network is not saved.
///
/// # Errors
///
/// If a file cannot be read or written.
pub fn return_to_best(run: &RunDirectory, restored: &Restored) -> Result<Option<usize>> {
    let state = &restored.state;
    let Some(best) = history::best(&state.history) else {
        return Ok(None);
    };
    let saved = card(run, SavedNetwork::Best);
    if saved.ok().flatten().is_some_and(|card| card.epoch == *best) {
        return Ok(None);
    }
    let end = Position {
        epoch: best.epoch + 1,
        batch: 0,
    };
    if state.position != end {
        return Ok(Some(best.epoch));
    }
    let weights = restored.weights()?;
    save(run, SavedNetwork::Best, &weights, state, *best)?;
    Ok(None)
}

/// Saves `weights`, a record of the `Classifier` that the run in `state` had after `epoch`, with what
/// is needed to use them.
///
/// The side file is replaced last and names the file of weights, so that the two fit, unless the process ends between
/// them where an epoch is trained again with other weights.
///
/// # Errors
///
/// If a file cannot be written; the network of another epoch that was saved before is still there.
pub fn save(
    run: &RunDirectory,
    network: SavedNetwork,
    weights: &[u8],
    state: &RunState,
    epoch: EpochRecord,
) -> Result<()> {
    let file = format!("{}-epoch-{:04}.bpk", network.name(), epoch.epoch);
    write_atomically(&run.path().join(&file), weights)?;
    let card = ModelCard {
        format: FORMAT,
        sha256: sha256_hex(weights),
        loss: state.config.loss,
        network: state.config.network.clone(),
        task: state.task,
        scaling: state.scaling,
        epoch,
        file,
    };
    let side_file = run.path().join(network.side_file());
    write_atomically(&side_file, to_sealed_toml(&card)?.as_bytes())?;
    remove_others(run.path(), network, &card.file)
}

/// Removes the weights of other epochs, which the side file no longer names.
fn remove_others(folder: &Path, network: SavedNetwork, current: &str) -> Result<()> {
    let context = || format!("cannot tidy the folder {}", folder.display());
    let prefix = format!("{}-epoch-", network.name());
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let epoch = name
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(".bpk"));
        let is_number =
            |epoch: &str| !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit());
        let is_ours = epoch.is_some_and(is_number);
        if is_ours && name != current {
            fs::remove_file(entry.path()).with_context(context)?;
        }
    }
    Ok(())
}

/// What a run's saved network is; `None` if it has none yet.
///
/// # Errors
///
/// If the file that says so cannot be read, or is not as it must be.
pub fn card(run: &RunDirectory, network: SavedNetwork) -> Result<Option<ModelCard>> {
    let side_file = network.side_file();
    if !run.path().join(&side_file).is_file() {
        return Ok(None);
    }
    let card: ModelCard = read_sealed_toml(&run.path().join(&side_file))?;
    if card.format != FORMAT {
        bail!(
            "{}/{side_file} has format {}, but this program reads format {FORMAT}",
            run.path().display(),
            card.format
        );
    }
    Ok(Some(card))
}

/// A run's network on `device`, ready for prediction by `kernels`.
///
/// # Errors
///
/// If the run has none yet, or its files are damaged or do not fit together.
pub fn load(
    run: &RunDirectory,
    network: SavedNetwork,
    device: &Device,
    kernels: Kernels,
) -> Result<(Classifier, ModelCard)> {
    let Some(card) = card(run, network)? else {
        bail!(
            "{} has no finished epoch yet; if it was stopped, continue it with `trainer resume {}`",
            run.path().display(),
            as_argument(run.path())
        );
    };
    let side_file = network.side_file();
    let path = run.path().join(&card.file);
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if sha256_hex(&bytes) != card.sha256 {
        bail!(
            "{} is damaged: its SHA-256 is not the one noted in {side_file}",
            path.display()
        );
    }
    let context = || format!("{} does not fit {side_file}", path.display());
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes)).with_context(context)?;
    let network = card
        .network
        .init(card.task, 0, device)
        .with_context(context)?
        .with_kernels(kernels);
    let classifier = Classifier {
        network,
        loss: card.loss,
        label_smoothing: 0.0,
    };
    let classifier = classifier.try_load_record(record).with_context(context)?;
    Ok((classifier, card))
}
