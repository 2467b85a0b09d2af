//! Studies from definition to results: which runs are still to be made, by which processes, and what
//! each leaves.
//!
//! ```text
//! study.toml → Plan → pending RunSpecs → lease → configuration → Training → RunRecord → Store
//! ```
//!
//! [`work()`] makes runs one after the other until none is left. [`run`](crate::jobs::run) starts several processes
//! that do so, on one machine; other machines that share the folder may do the same.

mod configuration;
pub mod display;
mod run;
mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use data::{LabelledImages, Source};
use model::Activation;
use study::{Curves, Dataset, Plan, Store, Study};

use crate::backend::{Backend, Processor};
use crate::config::DataConfig;
use crate::names::stem;
use crate::training::{self, NoValidationImages};

pub use configuration::FieldError;
pub use work::work;

/// Beside the files of studies, the folder that their runs go into that are not told otherwise.
const STUDIES: &str = "studies";
/// And the one for their reports.
const RESULTS: &str = "results";

/// A lease that was not renewed for so long is taken over, where nothing tells sooner that its owner
/// is dead. Shared folders show changes late.
const STALE: Duration = Duration::from_secs(120);

/// A study with all that its runs are made of.
pub struct StudyRunner {
    /// What is to be run.
    pub plan: Plan,
    /// Where the results go.
    pub store: Store,
    /// Compute backend and device.
    pub processor: Processor,
    /// All labelled images.
    pub images: LabelledImages,
    /// The optimizer steps of the shortest run.
    pub fewest_steps: usize,
    fingerprint: String,
}

impl StudyRunner {
    /// Opens the device, and makes the folder of the study.
    ///
    /// # Errors
    ///
    /// If one of them cannot be had, if a field of the study is none of a run's configuration, or if
    /// the folder holds runs of other images or another backend.
    pub fn new(
        study: &Study,
        folder: &Path,
        images: LabelledImages,
        backend: Backend,
    ) -> Result<Self> {
        let plan = Plan::new(study)?;
        // A path that no run's configuration can hold is refused before anything is made.
        DataConfig::default().note_source(images.source())?;
        let processor = backend.open()?;
        let fingerprint = images.fingerprint();
        let base = configuration::base(processor.backend, &fingerprint)?;
        let mut runner = Self {
            plan,
            store: Store::at(folder),
            processor,
            images,
            fewest_steps: usize::MAX,
            fingerprint,
        };
        runner.fewest_steps = runner.check()?;
        // A folder belongs to its images from now on, so not before anything can be run on them.
        runner.store = Store::create(folder, &base)?;
        runner.store.note_dataset(&dataset(&runner.images))?;
        Ok(runner)
    }

    /// Refuses a study of whose runs, so far as they are known by now, one cannot be made. The steps of the
    /// shortest one.
    fn check(&self) -> Result<usize> {
        let mut fewest_steps = usize::MAX;
        let specs = self.plan.known(&study::Records::default());
        for spec in &specs {
            let config = self.configuration(spec)?;
            let name = || match spec.setting.to_string() {
                setting if setting.is_empty() => spec.contender.clone(),
                setting => format!("{}, {setting}", spec.contender),
            };
            let metric = self.plan.study().verdict.metric;
            let wrong = |field: &str, message: String| {
                Err(FieldError {
                    spec: Box::new(spec.clone()),
                    field: Some(field.to_owned()),
                    message,
                }
                .into())
            };
            if config.data.test_fraction == 0.0 && metric.needs_test_images() {
                let message = format!(
                    "test_fraction is 0, but the verdict is by {metric}; set data.test_fraction, such as 0.1, under [fixed]"
                );
                return wrong("data.test_fraction", message);
            }
            if config.early_stopping.is_some() && metric.is_time_to_accuracy() {
                let message = format!(
                    "early_stopping is set, but the verdict is by {metric}, by which a run that gives up early would look fast; leave it out"
                );
                return wrong("early_stopping", message);
            }
            if config.data.validation_fraction == 0.0 {
                let message =
                    String::from("validation_fraction is 0, but studies choose by validation");
                return wrong("data.validation_fraction", message);
            }
            let split = match training::split(&config, &self.images) {
                Ok((split, _)) => split,
                Err(error) if error.is::<NoValidationImages>() => {
                    let message = String::from(
                        "no class has so many images that one is left to choose the epoch by; raise data.validation_fraction (--validation-fraction of `compare`), or add images",
                    );
                    return wrong("data.validation_fraction", message);
                }
                Err(error) => return Err(error).with_context(name),
            };
            if split.test.rows().is_empty() && metric.needs_test_images() {
                let message = format!(
                    "no class has so many images that one is left for the test, but the verdict is by {metric}; raise data.test_fraction (--test-fraction of `compare`), or add images"
                );
                return wrong("data.test_fraction", message);
            }
            fewest_steps = fewest_steps.min(training::steps(&config, &split));
        }
        Ok(fewest_steps)
    }
}

/// What the images are called, without where they lie.
fn dataset(images: &LabelledImages) -> Dataset {
    let name = match images.source() {
        Source::File(path) => path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into(),
        source => source.to_string(),
    };
    Dataset {
        name,
        images: images.labels().len(),
        side: images.side(),
        classes: images.classes(),
        copies: images.copies(),
    }
}

/// The folder of the runs of the study in this file, unless another is named: beside the file, so that two files of one
/// name in different folders have nothing in common.
pub fn folder(file: &Path, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| beside(file, STUDIES), Path::to_owned)
}

/// The folder of the report of the study in this file, unless another is named.
pub fn results(file: &Path, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| beside(file, RESULTS), Path::to_owned)
}

fn beside(file: &Path, folder: &str) -> PathBuf {
    file.with_file_name(folder).join(stem(file))
}

/// f and f′ of all contenders.
///
/// # Errors
///
/// If one of them is no activation function.
pub fn curves(study: &Study) -> Result<Curves> {
    let mut contenders = Vec::new();
    for contender in &study.contenders {
        let activation: Activation = contender.activation.parse()?;
        contenders.extend(measurement::curve(contender.name(), &activation));
    }
    Ok(Curves { contenders })
}
