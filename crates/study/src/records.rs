//! All records of a study.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::definition::Study;
use crate::id::RunId;
use crate::plan::RunSpec;
use crate::record::RunRecord;

/// What the runs of a study are trained and tested on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// What it is called, such as `train.csv` or `built-in digits`.
    pub name: String,
    /// Number of labelled images.
    pub images: usize,
    /// Height and width of an image in pixels.
    pub side: usize,
    /// Number of classes.
    pub classes: usize,
    /// Number of images that are copies of others before them, whatever their labels.
    #[serde(default)]
    pub copies: usize,
}

/// The records of a study, and what was wrong with those that could not be read.
#[derive(Clone, Debug, Default)]
pub struct Records {
    runs: Vec<RunRecord>,
    /// Position of the run that answers a planned one.
    answers: BTreeMap<RunId, usize>,
    warnings: Vec<String>,
    /// The configuration that the study changes.
    base: Option<Table>,
    dataset: Option<Dataset>,
    /// Earlier definitions of the study, each with the name of its file.
    earlier: Vec<(String, Study)>,
}

impl Records {
    /// Puts records together. Of two that answer the same planned run, the first counts.
    pub fn new(runs: Vec<RunRecord>) -> Self {
        let mut records = Self::default();
        runs.into_iter().for_each(|run| records.push(run));
        records
    }

    /// Adds a record.
    pub fn push(&mut self, run: RunRecord) {
        for spec in &run.specs {
            let position = self.runs.len();
            let answer = *self.answers.entry(spec.key.clone()).or_insert(position);
            if answer != position {
                self.warnings.push(format!(
                    "runs {} and {} are the same run of the study ({}, seed {}); the first counts",
                    self.runs.get(answer).map_or("?", |run| run.id.as_str()),
                    run.id,
                    spec.contender,
                    spec.seed
                ));
            }
        }
        self.runs.push(run);
    }

    /// Notes what is known of all runs.
    pub(crate) fn note_setup(&mut self, base: Option<Table>, dataset: Option<Dataset>) {
        (self.base, self.dataset) = (base, dataset);
    }

    /// The configuration that the study changes.
    pub(crate) fn base(&self) -> Option<&Table> {
        self.base.as_ref()
    }

    /// What they are trained and tested on.
    pub(crate) fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    /// Notes something that a reader of the results should know.
    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Notes how the study was defined when it had runs already.
    pub(crate) fn note_earlier(&mut self, file: String, study: Study) {
        self.earlier.push((file, study));
    }

    /// Earlier definitions of the study that had runs, the first one first, each with the name of its file.
    pub(crate) fn earlier(&self) -> &[(String, Study)] {
        &self.earlier
    }

    /// The run that answers a planned one.
    pub fn answering(&self, spec: &RunSpec) -> Option<&RunRecord> {
        self.answers
            .get(&spec.key)
            .and_then(|&position| self.runs.get(position))
            .filter(|run| run.suffices(spec))
    }

    /// All runs, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &RunRecord> {
        self.runs.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// What was wrong with files that were skipped.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
