//! One run of a study.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use measurement::Cost;
use study::record::{
    Environment, Epoch, EpochTimes, ImageCounts, RunRecord, Score, Site, Status, Times,
};
use study::{RunId, RunSpec, Stage};

use super::StudyRunner;
use crate::checkpoint::{self, Position, RunState};
use crate::config::RunConfig;
use crate::console::{Console, Style};
use crate::epoch_loop::{Ending, LoopOutcome};
use crate::history::{self, EpochRecord};
use crate::interrupt::Signals;
use crate::measuring::EpochMeasurement;
use crate::run_directory::RunDirectory;
use crate::summary::{self, Program};
use crate::threads;
use crate::training::{StudyRun, Trained, Training};

/// What came of making a run.
pub(super) enum Making {
    /// It is done.
    Made(Box<RunRecord>),
    /// It can be continued.
    Interrupted,
    /// Another process is at work in its folder.
    Taken,
}

impl StudyRunner {
    /// Makes a run, or continues it where it was interrupted. What goes wrong on the way is the run's
    /// result too.
    ///
    /// # Errors
    ///
    /// If the run's folder cannot be used.
    pub(super) fn make(
        &self,
        spec: &RunSpec,
        id: &RunId,
        config: RunConfig,
        signals: &Signals,
    ) -> Result<Making> {
        let run = RunDirectory::open_or_create(&self.store.run_folder(id))?;
        let Some(lock) = run.try_lock()? else {
            return Ok(Making::Taken);
        };
        let mut config = config;
        config.data.note_source(self.images.source())?;
        run.save_config(&config)?;
        // A run goes on from what is intact, and was measured after every epoch.
        let is_measured = |state: &RunState| {
            let has_losses = state.position == Position::START || !state.loss_curve.is_empty();
            has_losses && state.measurements.len() == state.history.len()
        };
        let restored = checkpoint::restore_usable(&run.checkpoints(), &config, is_measured)?;
        let training = Training {
            run: run.clone(),
            config: config.clone(),
            processor: self.processor.clone(),
            images: self.images.clone(),
            console: Console::new(Style::Quiet),
            signals: signals.clone(),
            study: Some(StudyRun {
                score_test: spec.stage == Stage::Final,
            }),
        };
        let record = match training.train(restored) {
            Ok(trained) if trained.outcome.ending == Ending::Interrupted => {
                return Ok(Making::Interrupted);
            }
            Ok(trained) => self.record(spec, id, &config, trained),
            Err(error) => {
                let reason = format!("{error:#}");
                RunRecord::new(id.clone(), spec.clone(), Status::Failed { reason })
            }
        };
        // While it is held, so that nobody else's is removed. A file that stays is no reason to lose the record.
        let _ = run.remove_lock();
        drop(lock);
        Ok(Making::Made(Box::new(record)))
    }

    fn record(
        &self,
        spec: &RunSpec,
        id: &RunId,
        config: &RunConfig,
        trained: Trained,
    ) -> RunRecord {
        let Trained {
            outcome,
            images: [training, validation, test],
            commonest_class_share,
            balanced_accuracy_step,
        } = trained;
        let LoopOutcome {
            ending,
            state,
            network,
            seconds_per_step,
        } = outcome;
        let status = match ending {
            Ending::Diverged { epoch } => Status::Diverged { epoch },
            Ending::Finished | Ending::Interrupted => Status::Finished,
        };
        let RunState {
            history,
            measurements,
            task,
            ..
        } = &state;
        let chosen = history::best(history).map(|best| best.epoch);
        let of_chosen = chosen.and_then(|epoch| measurements.get(epoch - 1));
        let Cost { forward, backward } = measurement::cost(
            &config.network.activation,
            config.kernels,
            &self.processor.device,
        );
        let epoch_times: Vec<EpochTimes> =
            history.iter().zip(measurements).map(epoch_times).collect();
        let total = |times: &EpochTimes| {
            times.training_seconds + times.scoring_seconds + times.measuring_seconds
        };
        RunRecord {
            classes: Some(task.classes),
            commonest_class_share,
            balanced_accuracy_step,
            parameters: Some(network.network.num_parameters() as u64),
            images: Some(ImageCounts {
                training,
                validation,
                test,
            }),
            chosen_epoch: chosen,
            test: of_chosen.and_then(|measured| measured.test),
            sites: sites(measurements),
            epochs: history.iter().zip(measurements).map(epoch).collect(),
            loss_curve: state.loss_curve.points().to_vec(),
            weights_sha256: Some(summary::weights_sha256(&network)),
            environment: Some(self.environment()),
            times: Some(Times {
                total_seconds: Some(epoch_times.iter().map(total).sum()),
                seconds_per_step,
                forward_nanoseconds: Some(forward),
                backward_nanoseconds: Some(backward),
                epochs: epoch_times,
            }),
            ..RunRecord::new(id.clone(), spec.clone(), status)
        }
    }

    fn environment(&self) -> Environment {
        let cores = std::thread::available_parallelism().ok();
        Environment {
            program: Program::THIS.version.to_owned(),
            commit: Program::THIS.commit.map(str::to_owned),
            backend: self.processor.backend.to_string(),
            device: match self.processor.is_cpu() {
                true => processor_name().unwrap_or_else(|| self.processor.name.clone()),
                false => self.processor.name.clone(),
            },
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cores: cores.map(usize::from),
            threads: Some(threads::cores()),
        }
    }
}

/// What the processor calls itself, where the system tells.
fn processor_name() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.trim().to_owned())
}

fn sites(measurements: &[EpochMeasurement]) -> Vec<Site> {
    let last = measurements.last().map_or(&[][..], |last| &last.sites);
    (1..)
        .zip(last)
        .map(|(depth, site)| Site {
            name: site.name.clone(),
            depth,
            units: Some(site.units),
            pre_activations: Some(site.pre_activations.clone()),
        })
        .collect()
}

fn epoch((record, measured): (&EpochRecord, &EpochMeasurement)) -> Epoch {
    Epoch {
        epoch: record.epoch,
        learning_rate: Some(record.learning_rate),
        training: Score {
            accuracy: Some(record.train.accuracy),
            loss: Some(record.train.loss),
            ..Score::default()
        },
        training_at_end: Some(measured.training),
        validation: measured.validation,
        test_accuracy: measured.test.and_then(|test| test.accuracy),
        effective_rank: measured.effective_rank,
        sites: measured.sites.iter().map(|site| site.measured).collect(),
    }
}

fn epoch_times((record, measured): (&EpochRecord, &EpochMeasurement)) -> EpochTimes {
    EpochTimes {
        training_seconds: record.train.seconds - measured.gradient_seconds,
        scoring_seconds: record.valid.map_or(0.0, |valid| valid.seconds) + measured.scoring_seconds,
        measuring_seconds: measured.survey_seconds + measured.gradient_seconds,
    }
}

/// Removes what only an unfinished run needs, in the run's folder.
///
/// # Errors
///
/// If it cannot be removed.
pub(super) fn tidy(folder: &Path) -> Result<()> {
    let checkpoints = RunDirectory::open_or_create(folder)?.checkpoints();
    if checkpoints.exists() {
        fs::remove_dir_all(&checkpoints)
            .with_context(|| format!("cannot remove {}", checkpoints.display()))?;
    }
    Ok(())
}
