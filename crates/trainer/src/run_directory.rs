//! The folder of one run: what is in it, and who may write to it.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use files::{PARTIAL, create_folder, is_hidden_name_of, write_atomically};
use serde::Serialize;
use study::Store;

use crate::config::RunConfig;
use crate::history::{EpochRecord, metrics_csv};
use crate::shell::as_argument;
use crate::toml_file::{read_toml, to_toml};

/// Where runs go that are not told otherwise.
pub const RUNS: &str = "experiments/runs";

const CONFIG: &str = "config.toml";
const LOCK: &str = "run.lock";
const METRICS: &str = "metrics.csv";
const SUMMARY: &str = "summary.json";
const CHECKPOINTS: &str = "checkpoints";

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunDirectory {
    path: PathBuf,
}

/// Held while a process trains in a run's directory. Freed by the system when the process ends,
/// however it ends.
#[must_use]
pub struct RunLock {
    _file: File,
}

impl RunDirectory {
    /// Makes the folder `path`, which must not be there yet, but for what is left of a run that was stopped before it
    /// had a configuration.
    ///
    /// # Errors
    ///
    /// If it is there, or cannot be made.
    pub fn create_at(path: &Path) -> Result<Self> {
        if let Some(parent) = path.parent() {
            create_folder(parent)?;
        }
        match fs::create_dir(path) {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let name = path.display();
                if !path.join(CONFIG).exists() {
                    if is_hardly_begun(path) {
                        return Ok(Self {
                            path: path.to_owned(),
                        });
                    }
                    bail!("{name} is there already, and is no run; name another --out");
                }
                bail!(
                    "{name} is there already, and runs are never overwritten; continue it with `trainer resume {}` or name another --out",
                    as_argument(path)
                )
            }
            Err(error) => {
                Err(error).with_context(|| format!("cannot make the folder {}", path.display()))
            }
        }
    }

    /// Makes a folder below `parent` called `name`, or `name-2`, `name-3` … where that is taken.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn create_below(parent: &Path, name: &str) -> Result<Self> {
        create_folder(parent)?;
        for number in 1_u64.. {
            let path = match number {
                1 => parent.join(name),
                _ => parent.join(format!("{name}-{number}")),
            };
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot make the folder {}", path.display()));
                }
            }
        }
        bail!("no name is left below {}", parent.display())
    }

    /// The folder `path`, which may be there or not.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn open_or_create(path: &Path) -> Result<Self> {
        create_folder(path)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Whether a run was started in the folder `path`.
    pub fn is_run(path: &Path) -> bool {
        path.join(CONFIG).is_file()
    }

    /// The folder of a run that was started earlier.
    ///
    /// # Errors
    ///
    /// If there is no run at `path`, or that of a study, which has ways of its own.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(study) = Store::of_run(path) {
            bail!(
                "{} is a run of the study in {}, which keeps no networks; the study goes on by `trainer study run`",
                path.display(),
                study.folder().display()
            );
        }
        if !Self::is_run(path)
            && let Some(member) = members_in(path).first()
        {
            bail!(
                "{} is the folder of an ensemble, and its runs are in it, such as {}; `trainer ensemble` goes on with all of them",
                path.display(),
                member.display()
            );
        }
        if !Self::is_run(path) {
            let name = path.display();
            if !path.exists() {
                bail!(
                    "there is no folder {name}; runs are in {RUNS} unless --out names another place"
                );
            }
            if let Some(run) = first_run_in(path) {
                bail!(
                    "{name} is not the folder of a run, but holds some, such as {}; name one of them",
                    run.display()
                );
            }
            bail!("{name} is not the folder of a run: it has no {CONFIG}; the runs are in {RUNS}");
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that describes the run.
    pub fn config_path(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// Where the checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// Keeps other processes from training here until the result is dropped.
    ///
    /// # Errors
    ///
    /// If another process does already, or the folder cannot be written to.
    pub fn lock(&self) -> Result<RunLock> {
        self.try_lock()?.with_context(|| taken(&self.path))
    }

    /// [`RunDirectory::lock`]; `None` if another process is training here. On a file system without
    /// locks nothing tells whether one is.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written to.
    pub fn try_lock(&self) -> Result<Option<RunLock>> {
        let path = self.path.join(LOCK);
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(RunLock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Some(RunLock { _file: file }))
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// Removes the lock's file, which nobody may hold.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove_lock(&self) -> Result<()> {
        remove_if_there(&self.path.join(LOCK))
    }

    /// Saves the run's configuration.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save_config(&self, config: &RunConfig) -> Result<()> {
        Ok(write_atomically(
            &self.config_path(),
            to_toml(config)?.as_bytes(),
        )?)
    }

    /// The run's configuration.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is not one.
    pub fn config(&self) -> Result<RunConfig> {
        read_toml(&self.config_path())
    }

    /// Saves one row per epoch and split.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save_metrics(&self, history: &[EpochRecord]) -> Result<()> {
        Ok(write_atomically(
            &self.path.join(METRICS),
            &metrics_csv(history)?,
        )?)
    }

    /// Whether the run has been started.
    pub fn has_config(&self) -> bool {
        Self::is_run(&self.path)
    }

    /// Whether the run in the folder `path` has come to its end.
    pub fn is_finished(path: &Path) -> bool {
        path.join(SUMMARY).is_file()
    }

    /// Whether the run has come to its end.
    pub fn has_summary(&self) -> bool {
        Self::is_finished(&self.path)
    }

    /// Removes the run's summary, if it has one.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn remove_summary(&self) -> Result<()> {
        remove_if_there(&self.path.join(SUMMARY))
    }

    /// Saves the run's summary.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save_summary(&self, summary: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(summary).context("cannot write as JSON")?;
        text.push(b'\n');
        Ok(write_atomically(&self.path.join(SUMMARY), &text)?)
    }
}

/// The first by name of the runs whose folders are in this one.
fn first_run_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let runs = entries.map(|entry| entry.path());
    runs.filter(|path| RunDirectory::is_run(path)).min()
}

/// Another process trains in this folder.
pub fn taken(path: &Path) -> String {
    format!(
        "another process is training in {}; wait for it or stop it",
        path.display()
    )
}

/// How the folders of an ensemble's members are called, before their seed.
const MEMBER: &str = "member-";

/// The folder of the member with this seed of the ensemble in `folder`.
pub fn member_of(folder: &Path, seed: u64) -> PathBuf {
    folder.join(format!("{MEMBER}{seed}"))
}

/// The folders of the members of an ensemble, begun or not, in the order of their seeds. None in other
/// folders.
pub fn members_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut members: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let seed = name.strip_prefix(MEMBER)?.parse().ok()?;
            let path = entry.path();
            path.is_dir().then_some((seed, path))
        })
        .collect();
    members.sort();
    members.into_iter().map(|(_, path)| path).collect()
}

fn remove_if_there(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// Whether there is nothing but a lock in a folder, and perhaps a configuration of which a part was written: what a
/// full disk leaves of a beginning, or another process that has just begun, which holds the lock.
fn is_hardly_begun(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    let is_left = |name: &str| name == LOCK || is_hidden_name_of(name, Path::new(CONFIG), PARTIAL);
    names.iter().any(|name| name == LOCK)
        && names.iter().all(|name| name.to_str().is_some_and(is_left))
}
