//! The folder of the runs of studies: what is in it, and how it is read back.
//!
//! ```text
//! FOLDER/base.toml                 the configuration that the runs change, of the first start
//! FOLDER/dataset.toml              what the images are called, and how many there are
//! FOLDER/runs/ID/result.json       what one run left; the trainer may put more there
//! FOLDER/runs/ID/also-KEY.json     another planned run that it answers
//! FOLDER/claims/                   who is at work on what
//! FOLDER/NAME.study.toml           a study as it was last run
//! FOLDER/NAME.earlier-N.toml       as it was when it had runs, before what decides was changed
//! FOLDER/NAME.results.json         all of its results that are the same on every repetition
//! FOLDER/NAME.times.json           the rest: times and machines
//! ```
//!
//! Several studies may share a folder, and the runs that they have in common.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use files::{Context, FileError, create_folder, write_atomically};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::definition::{DefinitionError, Study};
use crate::field::{Difference, Fields};
use crate::id::RunId;
use crate::json;
use crate::leases::{Lease, Leases};
use crate::merged;
use crate::plan::{Plan, RunSpec, Stage};
use crate::record::{RunRecord, Status, VERSION};
use crate::records::{Dataset, Records};

const BASE: &str = "base.toml";
const DATASET: &str = "dataset.toml";
const RUNS: &str = "runs";
/// Folders of earlier studies have it, from when leases were called claims.
const LEASES: &str = "claims";
const RESULT: &str = "result.json";

/// The folder of a study's runs, which other studies may share.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// Something in the folder of a study that is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The runs in the folder have another base.
    #[error(
        "{path} has runs with another base: {field} is {there} there and {here} now; name another folder for the new runs, or go back to the earlier value"
    )]
    Base {
        /// The file that says so.
        path: PathBuf,
        /// The first field that differs.
        field: String,
        /// Its value in the folder.
        there: String,
        /// Its value now.
        here: String,
    },
    /// A study's definition cannot be saved.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// A run failed that has a result already.
    #[error("run {id}: {reason}; the result that it has from another study is kept")]
    Kept {
        /// The run.
        id: RunId,
        /// Why it failed.
        reason: String,
    },
    /// A result is written in another version of the format.
    #[error(
        "{path} is of version {found}, and this program knows version {VERSION} of results; use the program that wrote it, or another folder for new runs"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A file says something that cannot be understood.
    #[error("{path}: {message}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// What became of an attempt to begin a run.
#[derive(Debug)]
pub enum Start {
    /// It is ours: make it while the lease is held.
    Mine(Lease),
    /// It is done.
    Done,
    /// Somebody else is at it.
    Taken,
}

impl Store {
    /// The folder of a study whose runs are to be made. `base` is what all its runs have in common
    /// besides what the study sets: the configuration without the study's fields, in one spelling, with
    /// the fingerprint of the data instead of its path.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made, or holds runs with another base: results that cannot be compared
    /// must not be mixed.
    pub fn create(folder: &Path, base: &Table) -> Result<Self, StoreError> {
        let store = Self::at(folder);
        create_folder(&folder.join(RUNS))?;
        let path = folder.join(BASE);
        let Some(earlier) = store.base()? else {
            let text = toml::to_string_pretty(base).map_err(|error| content(&path, &error))?;
            write_atomically(&path, text.as_bytes())?;
            return Ok(store);
        };
        let fields = |table| Fields::from_table(table).map_err(|error| content(&path, &error));
        let (there, here) = (fields(&earlier)?, fields(base)?);
        match Difference::first(&there, &here) {
            None => Ok(store),
            Some(Difference { field, there, here }) => Err(StoreError::Base {
                path,
                field,
                there,
                here,
            }),
        }
    }

    /// What all runs in the folder have in common; `None` where none were begun.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn base(&self) -> Result<Option<Table>, StoreError> {
        let path = self.folder.join(BASE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(
                toml::from_str(&text).map_err(|error| content(&path, &error))?,
            )),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Ok(Err(error).context("read", &path)?),
        }
    }

    /// Notes what the runs in the folder are trained and tested on, which their base has the fingerprint of,
    /// if that is not noted yet: reports name it.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn note_dataset(&self, dataset: &Dataset) -> Result<(), StoreError> {
        let path = self.folder.join(DATASET);
        if path.exists() {
            return Ok(());
        }
        let text = toml::to_string_pretty(dataset).map_err(|error| content(&path, &error))?;
        Ok(write_atomically(&path, text.as_bytes())?)
    }

    /// The folder of a study, to read from.
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The folder of the study that the run in this folder belongs to, if it is one of a study.
    pub fn of_run(run: &Path) -> Option<Self> {
        let run = fs::canonicalize(run).ok()?;
        RunId::try_from(run.file_name()?.to_str()?.to_owned()).ok()?;
        let runs = run.parent().filter(|runs| runs.ends_with(RUNS))?;
        let folder = runs.parent()?;
        folder.join(BASE).is_file().then(|| Self::at(folder))
    }

    /// Its path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a run, which need not be there yet.
    pub fn run_folder(&self, id: &RunId) -> PathBuf {
        self.folder.join(RUNS).join(id.as_str())
    }

    /// Tries to begin a run that is planned, and whose configuration has this identifier. Of all
    /// processes that share the folder, one gets the lease; if it dies, the lease can be had again. If
    /// the run is done, for another planned run with the same configuration, that is noted.
    ///
    /// # Errors
    ///
    /// If the folder cannot be used, or the run has a result of another version, which is kept.
    pub fn start(&self, leases: &Leases, id: &RunId, spec: &RunSpec) -> Result<Start, StoreError> {
        if self.answer(id, spec)? {
            return Ok(Start::Done);
        }
        let Some(lease) = leases.acquire(id.as_str())? else {
            return Ok(Start::Taken);
        };
        // It may have been done between the first look and the lease.
        if self.answer(id, spec)? {
            return Ok(Start::Done);
        }
        Ok(Start::Mine(lease))
    }

    /// Whether a run is done; if so, notes that it answers a planned one.
    fn answer(&self, id: &RunId, spec: &RunSpec) -> Result<bool, StoreError> {
        let run = match self.record(id) {
            Ok(Some(run)) if run.id == *id && run.suffices(spec) => run,
            // A result that cannot be understood, or is another run's, is none: the run is made again.
            Ok(_) | Err(StoreError::Content { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        if run.specs.iter().all(|known| known.key != spec.key) {
            self.note_answer(id, spec)?;
        }
        Ok(true)
    }

    /// Notes that a run answers a planned one: in a file of its own, so that processes that do so at the same
    /// time do not undo each other, and the note outlives the result.
    fn note_answer(&self, id: &RunId, spec: &RunSpec) -> Result<(), StoreError> {
        let path = self.run_folder(id).join(format!("also-{}.json", spec.key));
        save_json(&path, spec)
    }

    /// The leases on the study's runs. One that has not been renewed for `stale` counts as abandoned,
    /// where the machine cannot tell sooner.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made.
    pub fn leases(&self, stale: Duration) -> Result<Leases, FileError> {
        Leases::new(&self.folder.join(LEASES), stale)
    }

    /// Saves what came of a run. What it answered before, of whichever study, it answers still.
    ///
    /// # Errors
    ///
    /// If the file cannot be written, or the run has a result of another version; and if it failed and has a result
    /// already: a trial's, of another study, when it was made again to be scored on the test images.
    pub fn save(&self, run: &RunRecord) -> Result<(), StoreError> {
        // A result that cannot be understood, or is another run's, is none.
        let earlier = match self.record(&run.id) {
            Err(error @ StoreError::Version { .. }) => return Err(error),
            earlier => earlier.ok().flatten(),
        };
        let earlier = earlier.filter(|earlier| earlier.id == run.id);
        if let Status::Failed { reason } = &run.status
            && let Some(Status::Finished) = earlier.as_ref().map(|earlier| &earlier.status)
        {
            return Err(StoreError::Kept {
                id: run.id.clone(),
                reason: reason.clone(),
            });
        }
        let mut run = run.clone();
        for spec in earlier.into_iter().flat_map(|earlier| earlier.specs) {
            if run.specs.iter().all(|known| known.key != spec.key) {
                run.specs.push(spec);
            }
        }
        create_folder(&self.run_folder(&run.id))?;
        save_json(&self.run_folder(&run.id).join(RESULT), &run)
    }

    /// All records. Files that cannot be read or understood, or are of another version, are skipped, and named in
    /// the warnings.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read. One that is not there has no records.
    pub fn records(&self) -> Result<Records, FileError> {
        let runs = self.folder.join(RUNS);
        let mut records = Records::default();
        // Reports of folders without them do not name them.
        records.note_setup(self.read_toml(BASE), self.read_toml(DATASET));
        let entries = match fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(records),
            Err(error) => return Err(error).context("read the folder", &runs),
        };
        let mut ids: Vec<RunId> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| RunId::try_from(name).ok())
            .collect();
        ids.sort();
        for id in ids {
            match self.record(&id) {
                Ok(Some(run)) if run.id == id => records.push(run),
                Ok(Some(run)) => {
                    let path = self.run_folder(&id).join(RESULT);
                    records.warn(format!(
                        "{}: skipped, as it is the result of run {}",
                        path.display(),
                        run.id
                    ));
                }
                // Under way.
                Ok(None) => {}
                Err(error) => records.warn(format!("{error}; skipped")),
            }
        }
        Ok(records)
    }

    /// A file of the folder; `None` if it cannot be read or understood.
    fn read_toml<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = fs::read_to_string(self.folder.join(name)).ok()?;
        toml::from_str(&text).ok()
    }

    /// What came of a run, if it is done.
    ///
    /// # Errors
    ///
    /// If its file cannot be read or understood, or is of another version.
    pub fn record(&self, id: &RunId) -> Result<Option<RunRecord>, StoreError> {
        let folder = self.run_folder(id);
        let Some(mut run) = read_result(&folder.join(RESULT))? else {
            return Ok(None);
        };
        let mut others = Vec::new();
        for entry in fs::read_dir(&folder).context("read the folder", &folder)? {
            let path = entry.context("read the folder", &folder)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("also-") && name.ends_with(".json") {
                // One that cannot be understood is written again where it is asked for.
                match read_json::<RunSpec>(&path) {
                    Err(StoreError::Content { .. }) => {}
                    other => others.extend(other?),
                }
            }
        }
        others.retain(|other| run.specs.iter().all(|spec| spec.key != other.key));
        others.sort_by(|a, b| a.key.cmp(&b.key));
        run.specs.append(&mut others);
        Ok(Some(run))
    }

    /// Forgets what came of those runs of a study that failed, so that they are made again, but for those
    /// that somebody else is making. What they answered, of whichever study, is kept for the runs that are
    /// made in their place. Returns how many it was.
    ///
    /// # Errors
    ///
    /// If a file cannot be removed, or written.
    pub fn forget_failed(
        &self,
        leases: &Leases,
        plan: &Plan,
        records: &Records,
    ) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for id in plan.failed(records) {
            let Some(_lease) = leases.acquire(id.as_str())? else {
                continue;
            };
            // Others may have made it again since the records were read.
            if let Some(run) = self.record(id)?.filter(RunRecord::has_failed) {
                for spec in &run.specs {
                    self.note_answer(id, spec)?;
                }
                let path = self.run_folder(id).join(RESULT);
                fs::remove_file(&path).context("remove", &path)?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// All records, and how the study of this `name` was defined when it had runs already, so that its report
    /// can say what was changed since.
    ///
    /// # Errors
    ///
    /// As of [`Store::records`].
    pub fn records_of(&self, name: &str) -> Result<Records, FileError> {
        let mut records = self.records()?;
        for path in self.earlier_files(name) {
            match Study::read(&path) {
                Ok(study) => {
                    let file = path.file_name().unwrap_or_default().to_string_lossy();
                    records.note_earlier(file.into_owned(), study);
                }
                Err(error) => records.warn(format!("{error}; skipped")),
            }
        }
        // The one that was last run has not been kept yet; if it is the one at hand, nothing was changed.
        let last = self.file_of(name, "study.toml");
        if let Ok(study) = Study::read(&last)
            && has_runs(&study, &records)
        {
            let file = last.file_name().unwrap_or_default().to_string_lossy();
            records.note_earlier(file.into_owned(), study);
        }
        Ok(records)
    }

    /// Saves a study as it is run, with the seeds that it had before. Its `name` tells its files from those of
    /// others. Where the one before has runs, and something that decides the verdict was changed since, that one
    /// is kept.
    ///
    /// # Errors
    ///
    /// If a file cannot be written, or the runs cannot be read.
    pub fn save_study(&self, name: &str, study: &Study) -> Result<(), StoreError> {
        create_folder(&self.folder)?;
        let path = self.file_of(name, "study.toml");
        let mut study = study.clone();
        if let Ok(before) = Study::read(&path) {
            let records = self.records()?;
            if has_runs(&before, &records) && !study.changes_since(&before).is_empty() {
                self.keep_earlier(name, &before)?;
            }
            study.note_seeds_of(&before, has_final_runs(&before, &records));
        }
        Ok(study.save(&path)?)
    }

    /// Whether any of a study's runs is there that its seeds are for: trials have seeds of their own.
    ///
    /// # Errors
    ///
    /// As of [`Store::records`].
    pub fn has_final_runs(&self, study: &Study) -> Result<bool, FileError> {
        Ok(has_final_runs(study, &self.records()?))
    }

    /// Keeps a definition, beside all others that decide otherwise: none is ever overwritten.
    fn keep_earlier(&self, name: &str, study: &Study) -> Result<(), StoreError> {
        let kept = self.earlier_files(name);
        let is_kept = kept
            .iter()
            .filter_map(|path| Study::read(path).ok())
            .any(|earlier| study.changes_since(&earlier).is_empty());
        if is_kept {
            return Ok(());
        }
        let path = self.earlier_file(name, kept.len() + 1);
        Ok(study.save(&path)?)
    }

    /// The files of the definitions that were kept, the first one first.
    fn earlier_files(&self, name: &str) -> Vec<PathBuf> {
        (1..)
            .map(|number| self.earlier_file(name, number))
            .take_while(|path| path.exists())
            .collect()
    }

    fn earlier_file(&self, name: &str, number: usize) -> PathBuf {
        self.file_of(name, &format!("earlier-{number}.toml"))
    }

    /// Writes all results of a study into one file, which is the same byte for byte however the study
    /// was interrupted, and all times into another.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn merge(&self, name: &str, plan: &Plan, records: &Records) -> Result<(), StoreError> {
        save_json(
            &self.file_of(name, "results.json"),
            &merged::Results::new(plan, records),
        )?;
        save_json(
            &self.file_of(name, "times.json"),
            &merged::times(plan, records),
        )
    }

    fn file_of(&self, name: &str, what: &str) -> PathBuf {
        self.folder.join(format!("{name}.{what}"))
    }
}

fn has_runs(study: &Study, records: &Records) -> bool {
    has_runs_of(study, records, |_| true)
}

pub(crate) fn has_final_runs(study: &Study, records: &Records) -> bool {
    has_runs_of(study, records, |stage| stage == Stage::Final)
}

fn has_runs_of(study: &Study, records: &Records, stage: impl Fn(Stage) -> bool) -> bool {
    Plan::new(study).is_ok_and(|plan| {
        let mut known = plan.known(records).into_iter();
        known.any(|spec| stage(spec.stage) && records.answering(&spec).is_some())
    })
}

fn content(path: &Path, message: &impl ToString) -> StoreError {
    StoreError::Content {
        path: path.to_owned(),
        message: message.to_string().trim().replace('\n', "; "),
    }
}

fn save_json(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let bytes = json::to_bytes(value).map_err(|error| content(path, &error))?;
    Ok(write_atomically(path, &bytes)?)
}

/// What came of a run, from its file; `None` if it is not there.
fn read_result(path: &Path) -> Result<Option<RunRecord>, StoreError> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let read = read_json::<RunRecord>(path);
    let version = match &read {
        Ok(run) => run.as_ref().map(|run| run.version),
        // What this program cannot understand may be of a version that has other fields.
        Err(_) => {
            let head = read_json::<Head>(path).ok().flatten();
            head.map(|head| head.version)
        }
    };
    match version {
        Some(found) if found != VERSION => Err(StoreError::Version {
            path: path.to_owned(),
            found,
        }),
        _ => read,
    }
}

/// The contents of a file; `None` if it is not there.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => Err(error).context("read", path)?,
    };
    let value = serde_json::from_slice(&bytes).map_err(|error| content(path, &error))?;
    Ok(Some(value))
}
