//! Checkpoints: all that a run needs to continue as if it had never stopped.
//!
//! A checkpoint is a folder with Burn's records of network, optimizer, schedule and the network's
//! moving average if it has one, and a side file
//! that says what they are and holds their SHA-256. It is written under a hidden name and renamed
//! when it is whole, so that a checkpoint that can be seen is complete.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, Result, anyhow, bail};
use burn::lr_scheduler::LrSchedulerRecord;
use burn::optim::OptimizerRecord;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn::train::checkpoint::{
    Checkpoint as Record, Checkpointer, CheckpointerError, CheckpointingAction,
    CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use data::Scaling;
use files::{PARTIAL, hidden_path, sha256_hex, write_durably};
use model::Task;
use serde::{Deserialize, Serialize};
use study::Difference;

use crate::backend::Backend;
use crate::config::RunConfig;
use crate::history::{self, EpochRecord, PassTime};
use crate::measuring::{EpochMeasurement, GradientsSoFar, LossCurve};
use crate::metrics::Tally;
use crate::shell::as_argument;
use crate::toml_file::{difference, read_sealed_toml, to_sealed_toml};

/// The version of the layout of checkpoints and saved models.
pub const FORMAT: u32 = 1;

/// How many checkpoints a run keeps: the newest, and one to fall back on.
const KEPT: usize = 2;

const SIDE_FILE: &str = "checkpoint.toml";

/// Where a run stands: what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Number of the batch in that epoch, from 0.
    pub batch: usize,
}

impl Position {
    /// Where every run begins.
    pub const START: Self = Self { epoch: 1, batch: 0 };

    /// The name of the checkpoint taken here: of the epoch that has ended, or of the batches done.
    fn folder_name(self) -> String {
        match self.batch {
            0 => format!("epoch-{:04}", self.epoch - 1),
            batch => format!("epoch-{:04}-batch-{batch:05}", self.epoch),
        }
    }

    /// The position that a checkpoint of this name was taken at; `None` for any other name.
    fn from_folder_name(name: &str) -> Option<Self> {
        let numbers = name.strip_prefix("epoch-")?;
        let position = match numbers.split_once("-batch-") {
            Some((epoch, batch)) => Self {
                epoch: epoch.parse().ok()?,
                batch: batch.parse().ok()?,
            },
            None => Self {
                epoch: numbers.parse::<usize>().ok()?.checked_add(1)?,
                batch: 0,
            },
        };
        (position.folder_name() == name).then_some(position)
    }
}

/// Where a run stands: all that it needs to continue but the tensors, which are in the records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Version of the checkpoint's layout.
    pub format: u32,
    /// The run's configuration.
    pub config: RunConfig,
    /// Size of the images and number of classes.
    pub task: Task,
    /// How the images are standardised.
    pub scaling: Scaling,
    /// What comes next.
    pub position: Position,
    /// The training images of the unfinished epoch so far.
    pub tally: Tally,
    /// Time spent on them.
    pub time: PassTime,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// The training steps of the unfinished epoch whose gradients were measured.
    #[serde(default)]
    pub gradients: GradientsSoFar,
    /// The losses of the run's steps so far, in a study.
    #[serde(default)]
    pub loss_curve: LossCurve,
    /// What the run was trained on, in turn; nothing in checkpoints of before.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// The finished epochs.
    pub history: Vec<EpochRecord>,
    /// What was measured at the end of each, in a study.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<EpochMeasurement>,
    /// SHA-256 of every record, by file name.
    pub sha256: BTreeMap<String, String>,
}

impl RunState {
    /// The state before the first step of a run with this configuration.
    pub fn new(config: RunConfig, task: Task, scaling: Scaling) -> Self {
        Self {
            format: FORMAT,
            config,
            task,
            scaling,
            position: Position::START,
            tally: Tally::default(),
            time: PassTime::default(),
            learning_rate: 0.0,
            gradients: GradientsSoFar::default(),
            loss_curve: LossCurve::default(),
            backends: Vec::new(),
            history: Vec::new(),
            measurements: Vec::new(),
            sha256: BTreeMap::new(),
        }
    }

    /// Goes on to the next epoch.
    pub fn end_epoch(&mut self, record: EpochRecord) {
        self.history.push(record);
        self.position = Position {
            epoch: record.epoch + 1,
            batch: 0,
        };
        self.tally = Tally::default();
        self.time = PassTime::default();
        self.gradients = GradientsSoFar::default();
    }

    /// Whether there is nothing left to train.
    pub fn is_at_its_end(&self) -> bool {
        self.position.epoch > self.config.total_epochs() || self.has_stopped_early()
    }

    /// Whether the run has ended before its last epoch, because its best one is long past.
    pub fn has_stopped_early(&self) -> bool {
        let stopping = self.config.early_stopping;
        match (stopping, history::best(&self.history)) {
            (Some(stopping), Some(best)) => self.history.len() - best.epoch >= stopping.patience,
            _ => false,
        }
    }
}

/// One of the records of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKind {
    /// Weights and running statistics.
    Network,
    /// The optimizer's moments.
    Optimizer,
    /// The schedule's step.
    Schedule,
    /// The moving average of the network, where there is one.
    Average,
}

impl RecordKind {
    /// Those that every training has, and Burn records.
    const LEARNER: [Self; 3] = [Self::Network, Self::Optimizer, Self::Schedule];

    fn file_name(self) -> &'static str {
        match self {
            Self::Network => "network.bpk",
            Self::Optimizer => "optimizer.bpk",
            Self::Schedule => "schedule.bpk",
            Self::Average => "average.bpk",
        }
    }
}

/// The records of a checkpoint, as bytes.
pub type Records = BTreeMap<RecordKind, Bytes>;

/// A checkpoint that was read back and found intact.
pub struct Restored {
    /// Where it is.
    pub path: PathBuf,
    /// Where the run stood.
    pub state: RunState,
    /// Weights and running statistics.
    pub network: ModuleRecord,
    /// The optimizer's moments.
    pub optimizer: OptimizerRecord,
    /// The schedule's step.
    pub schedule: LrSchedulerRecord,
    /// The moving average of weights and running statistics, where there is one.
    pub average: Option<ModuleRecord>,
}

impl Restored {
    /// The record of the network that is validated and saved: the moving average, where there is one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn weights(&self) -> Result<Vec<u8>> {
        let kind = match self.average {
            Some(_) => RecordKind::Average,
            None => RecordKind::Network,
        };
        let file = self.path.join(kind.file_name());
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    }
}

/// Writes a checkpoint into `folder`, removes the oldest ones, and returns its path.
///
/// # Errors
///
/// If it cannot be written; earlier ones are still there.
pub fn save(folder: &Path, mut state: RunState, records: &Records) -> Result<PathBuf> {
    let path = folder.join(state.position.folder_name());
    let partial = hidden_path(&path, PARTIAL);
    let mut write = || -> Result<()> {
        fs::create_dir_all(&partial)?;
        for (kind, bytes) in records {
            write_durably(&partial.join(kind.file_name()), bytes)?;
            let name = kind.file_name().to_owned();
            state.sha256.insert(name, sha256_hex(bytes));
        }
        write_durably(&partial.join(SIDE_FILE), to_sealed_toml(&state)?.as_bytes())?;
        if path.exists() {
            // The same position again, after a return to an earlier checkpoint.
            remove(&path)?;
        }
        fs::rename(&partial, &path)?;
        Ok(())
    };
    let written = write();
    if written.is_err() {
        // Already failing: that the leftover cannot be removed either adds nothing.
        let _ = fs::remove_dir_all(&partial);
    }
    written.with_context(|| format!("cannot write the checkpoint {}", path.display()))?;
    remove_old(folder, &path)?;
    Ok(path)
}

/// Removes all but the newest checkpoints.
fn remove_old(folder: &Path, newest: &Path) -> Result<()> {
    let mut names = list(folder)?;
    names.retain(|name| folder.join(name) != newest);
    let excess = (names.len() + 1).saturating_sub(KEPT);
    for name in &names[..excess] {
        remove(&folder.join(name))?;
    }
    Ok(())
}

/// Removes a checkpoint, if it is still there: hides it first, so that none can be seen in parts.
fn remove(path: &Path) -> Result<()> {
    let hidden = hidden_path(path, PARTIAL);
    let hide = fs::rename(path, &hidden);
    if hide
        .as_ref()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    {
        return Ok(());
    }
    hide.and_then(|()| fs::remove_dir_all(&hidden))
        .with_context(|| format!("cannot remove {}", path.display()))
}

/// Removes the checkpoints that were taken after `name`, to which the run returns.
///
/// # Errors
///
/// If one cannot be removed.
pub fn discard_after(folder: &Path, name: &str) -> Result<()> {
    let names = list(folder)?;
    let later = names.iter().skip_while(|other| *other != name).skip(1);
    later
        .map(|name| folder.join(name))
        .try_for_each(|path| remove(&path))
}

/// The newest checkpoint in `folder` that is intact, for a run with `config`, and that `is_usable`; those after
/// it are removed, and all where there is none.
///
/// # Errors
///
/// If something cannot be read, which it may be later, or one cannot be removed.
pub fn restore_usable(
    folder: &Path,
    config: &RunConfig,
    is_usable: impl Fn(&RunState) -> bool,
) -> Result<Option<Restored>> {
    for name in list(folder)?.iter().rev() {
        let path = folder.join(name);
        match read(&path, config) {
            Ok(restored) if is_usable(&restored.state) => return Ok(Some(restored)),
            Err(error) if !is_damage(&error) => return Err(error),
            _ => remove(&path)?,
        }
    }
    Ok(None)
}

/// Whether a checkpoint that was not read is no better at another time, nor for another program.
fn is_damage(error: &anyhow::Error) -> bool {
    if error.is::<OtherFormat>() {
        return false;
    }
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.all(|cause| {
        matches!(
            cause.kind(),
            ErrorKind::NotFound | ErrorKind::InvalidData | ErrorKind::UnexpectedEof
        )
    })
}

/// Names of the checkpoints in `folder`, oldest first. A folder that is not there has none.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let context = || format!("cannot read the folder {}", folder.display());
    let mut checkpoints = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let name = entry.with_context(context)?.file_name();
        let name = name.to_string_lossy().into_owned();
        if let Some(position) = Position::from_folder_name(&name) {
            checkpoints.push((position, name));
        }
    }
    checkpoints.sort();
    Ok(checkpoints.into_iter().map(|(_, name)| name).collect())
}

/// Reads the checkpoint `name` of `folder`, or the newest one, for a run with `config`; `None` if there is none at all,
/// and none is named.
///
/// # Errors
///
/// If there is none of this name, or it cannot be read now; or, naming the file and the newest intact checkpoint, if
/// it is damaged, truncated, or belongs to another run.
pub fn restore(folder: &Path, name: Option<&str>, config: &RunConfig) -> Result<Option<Restored>> {
    let names = list(folder)?;
    let Some(wanted) = name.or(names.last().map(String::as_str)) else {
        return Ok(None);
    };
    if !names.iter().any(|name| name == wanted) {
        bail!(
            "there is no checkpoint `{wanted}` in {}; there {}",
            folder.display(),
            match names.is_empty() {
                true => String::from("is none"),
                false => format!("are: {}", names.join(", ")),
            }
        );
    }
    read(&folder.join(wanted), config).map(Some).map_err(|error| {
        if error.is::<OtherConfiguration>() || !is_damage(&error) {
            return error;
        }
        let intact = names
            .iter()
            .rev()
            .find(|name| *name != wanted && read(&folder.join(name), config).is_ok());
        match intact {
            Some(name) => {
                let run = as_argument(folder.parent().unwrap_or(folder));
                anyhow!("{error:#}; the newest intact checkpoint is `{name}`: continue from it with `trainer resume {run} --from {name}`")
            }
            None => anyhow!("{error:#}; no other checkpoint is intact: start the run anew"),
        }
    })
}

fn read(path: &Path, config: &RunConfig) -> Result<Restored> {
    let side_file = path.join(SIDE_FILE);
    let state: RunState = read_sealed_toml(&side_file)?;
    if state.format != FORMAT {
        return Err(OtherFormat {
            side_file,
            found: state.format,
        }
        .into());
    }
    if let Some(difference) = difference(&essence(&state.config), &essence(config))? {
        return Err(OtherConfiguration {
            side_file,
            difference,
        }
        .into());
    }
    let record = |kind: RecordKind| -> Result<Bytes> {
        let file = path.join(kind.file_name());
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        if state.sha256.get(kind.file_name()) != Some(&sha256_hex(&bytes)) {
            bail!(
                "{} is damaged: its SHA-256 is not the one noted in {SIDE_FILE}",
                file.display()
            );
        }
        Ok(Bytes::from_bytes_vec(bytes))
    };
    let damaged = || format!("{} is damaged", path.display());
    let network = |kind| ModuleRecord::from_bytes(record(kind)?).with_context(damaged);
    let average = config.averaging.map(|_| network(RecordKind::Average));
    Ok(Restored {
        path: path.to_owned(),
        network: network(RecordKind::Network)?,
        optimizer: OptimizerRecord::from_bytes(record(RecordKind::Optimizer)?)
            .with_context(damaged)?,
        schedule: LrSchedulerRecord::from_bytes(record(RecordKind::Schedule)?)
            .with_context(damaged)?,
        average: average.transpose()?,
        state,
    })
}

/// A configuration without what may change in a run: where it computes, where its data lie, how often it
/// was lengthened, and when it ends early.
fn essence(config: &RunConfig) -> RunConfig {
    let mut config = config.clone();
    config.backend = Default::default();
    config.data.path = None;
    config.extensions.clear();
    config.early_stopping = None;
    config
}

/// A checkpoint by another version of the program.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} has format {found}, but this program reads format {FORMAT}; go on with the program that wrote it",
    side_file.display()
)]
struct OtherFormat {
    side_file: PathBuf,
    found: u32,
}

/// A checkpoint of a run with another configuration than the one it is restored for.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is of a run with another configuration: {} is {} there and {} in the run's config.toml; set it back, or begin a run of its own, by `trainer --config FILE --out DIR`",
    side_file.display(), difference.field, difference.there, difference.here
)]
struct OtherConfiguration {
    side_file: PathBuf,
    difference: Difference,
}

/// Burn's checkpointer for one record: instead of writing a file of its own, it hands the bytes
/// over, so that all records of a checkpoint become visible at once.
pub struct RecordSender {
    kind: RecordKind,
    sender: Sender<(RecordKind, Result<Bytes, String>)>,
}

/// Where the records of a checkpoint arrive.
pub struct RecordReceiver {
    receiver: Receiver<(RecordKind, Result<Bytes, String>)>,
}

/// The three checkpointers that Burn wants, and the end where their records arrive.
pub fn record_channel() -> ([RecordSender; 3], RecordReceiver) {
    let (sender, receiver) = channel();
    let senders = RecordKind::LEARNER.map(|kind| RecordSender {
        kind,
        sender: sender.clone(),
    });
    (senders, RecordReceiver { receiver })
}

impl RecordReceiver {
    /// Waits for the records of one checkpoint.
    ///
    /// # Errors
    ///
    /// If Burn could not make one of them.
    pub fn receive(&self) -> Result<Records> {
        RecordKind::LEARNER
            .iter()
            .map(|_| {
                let (kind, bytes) = self.receiver.recv().context("the checkpointer has ended")?;
                let bytes =
                    bytes.map_err(|error| anyhow!("cannot record the {kind:?}: {error}"))?;
                Ok((kind, bytes))
            })
            .collect()
    }
}

impl<R: Record> Checkpointer<R> for RecordSender {
    fn save(&self, _epoch: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record
            .checkpoint_into_bytes()
            .map_err(|error| error.to_string());
        self.sender
            .send((self.kind, bytes))
            .map_err(|error| CheckpointerError::Unknown(error.to_string()))
    }

    fn delete(&self, _epoch: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, _epoch: usize) -> Result<R, CheckpointerError> {
        Err(CheckpointerError::Unknown(String::from(
            "checkpoints are restored before the training starts",
        )))
    }
}

/// Saves whenever it is asked: the training loop decides when.
pub struct WheneverAsked;

impl CheckpointingStrategy for WheneverAsked {
    fn checkpointing(&mut self, _: usize, _: &EventStoreClient) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_listed_in_the_order_of_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let in_order = [
            "epoch-0002-batch-00009",
            "epoch-0002",
            "epoch-0003-batch-00001",
            "epoch-9999",
            "epoch-10000",
        ];
        for name in in_order.iter().rev() {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        for other in [
            "epoch-0002.bak",
            "epoch-2",
            ".epoch-0003.1.partial",
            "notes",
        ] {
            fs::create_dir(folder.path().join(other)).unwrap();
        }
        assert_eq!(list(folder.path()).unwrap(), in_order);
        discard_after(folder.path(), "epoch-0003-batch-00001").unwrap();
        assert_eq!(list(folder.path()).unwrap(), in_order[..3]);
    }

    #[test]
    fn a_study_goes_on_from_the_newest_usable_checkpoint() {
        use burn::module::Module;
        use burn::nn::LinearConfig;
        use burn::tensor::Device;

        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let config = RunConfig::default();
        let task = Task {
            height: 28,
            width: 28,
            classes: 10,
        };
        let scaling = Scaling {
            mean: 0.1,
            standard_deviation: 0.3,
        };
        let bytes = || {
            let layer = LinearConfig::new(1, 1).init(&Device::flex());
            layer.into_record().into_bytes().unwrap()
        };
        let schedule = LrSchedulerRecord::new().with_scalar("step", 1);
        for epoch in [2, 3, 4] {
            let mut state = RunState::new(config.clone(), task, scaling);
            state.position.epoch = epoch;
            let records = [
                (RecordKind::Network, bytes()),
                (
                    RecordKind::Optimizer,
                    OptimizerRecord::default().into_bytes().unwrap(),
                ),
                (RecordKind::Schedule, schedule.clone().into_bytes().unwrap()),
            ];
            save(folder, state, &records.into()).unwrap();
        }
        assert_eq!(list(folder).unwrap(), ["epoch-0002", "epoch-0003"]);
        let restored = |is_usable: fn(&RunState) -> bool| {
            let restored = restore_usable(folder, &config, is_usable).unwrap();
            restored.map(|restored| restored.state.position.epoch)
        };
        assert_eq!(restored(|_| true), Some(4));
        fs::write(folder.join("epoch-0003/network.bpk"), "damaged").unwrap();
        assert_eq!(restored(|_| true), Some(3));
        // What is taken next is the newest then, and stays.
        assert_eq!(list(folder).unwrap(), ["epoch-0002"]);
        assert_eq!(restored(|state| state.position.epoch > 3), None);
        assert!(list(folder).unwrap().is_empty());
    }
}
