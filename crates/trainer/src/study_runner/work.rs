//! Making the runs of a study one after the other.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use study::record::{RunRecord, Status};
use study::{Leases, Records, RunId, RunSpec, Shard, Stage, Start, StoreError, Track, id_of};

use super::run::{Making, tidy};
use super::{STALE, StudyRunner, configuration};
use crate::interrupt::Signals;
use crate::jobs::JobsEnding;

/// How long to wait where all runs that are left are being made by others.
const PAUSE: Duration = Duration::from_millis(500);

/// A run is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The run's folder.
    pub run: RunId,
    /// Name of the contender.
    pub contender: String,
    /// The values of the factors.
    pub setting: String,
    /// Which track it belongs to.
    pub track: Track,
    /// What it is for.
    pub stage: Stage,
    /// The learning rate that it tries, or that was chosen for it; none on the common track.
    pub learning_rate: Option<f64>,
    /// The seed.
    pub seed: u64,
    /// How it ended, and how well.
    pub outcome: String,
    /// Validation accuracy at the chosen epoch, if there is one.
    pub validation_accuracy: Option<f64>,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Makes all runs of the study that nobody else makes, and tells of each.
///
/// # Errors
///
/// If the study's folder cannot be used; and, after all others, of a run that failed and has an earlier result.
pub fn work(
    runner: &StudyRunner,
    shard: Option<Shard>,
    signals: &Signals,
    mut tell: impl FnMut(&Event),
) -> Result<JobsEnding> {
    let leases = runner.store.leases(STALE)?;
    // Runs that failed where their failure could not be noted, as they have a result: they stay pending.
    let mut unnoted: BTreeMap<RunId, anyhow::Error> = BTreeMap::new();
    loop {
        let mut pending = runner.plan.pending(&runner.store.records()?);
        pending.retain(|spec| !unnoted.contains_key(&spec.key));
        if pending.is_empty() {
            return unnoted
                .into_values()
                .next()
                .map_or(Ok(JobsEnding::Finished), Err);
        }
        if let Some(shard) = shard {
            pending = shard.order(pending);
        }
        let mut all_taken = true;
        for spec in &pending {
            let start = Instant::now();
            if signals.requested() {
                return Ok(JobsEnding::Interrupted);
            }
            let attempt = attempt(runner, &leases, spec, signals);
            // Nothing is left that a signal would lose.
            signals.stop_nothing();
            let attempt = match attempt {
                Err(error) if matches!(error.downcast_ref(), Some(StoreError::Kept { .. })) => {
                    unnoted.insert(spec.key.clone(), error);
                    all_taken = false;
                    continue;
                }
                attempt => attempt?,
            };
            match attempt {
                Attempt::Made(record) => tell(&Event {
                    run: record.id.clone(),
                    contender: spec.contender.clone(),
                    setting: spec.setting.to_string(),
                    track: spec.track,
                    stage: spec.stage,
                    learning_rate: spec.learning_rate,
                    seed: spec.seed,
                    outcome: outcome(&record),
                    validation_accuracy: validation_accuracy(&record),
                    seconds: start.elapsed().as_secs_f64(),
                }),
                Attempt::Done => {}
                Attempt::Taken => continue,
                Attempt::Interrupted => return Ok(JobsEnding::Interrupted),
            }
            all_taken = false;
        }
        if all_taken {
            // One of the others may die.
            sleep(PAUSE);
        }
    }
}

impl StudyRunner {
    /// Forgets what came of runs that failed, so that they are made again. Returns how many it was.
    ///
    /// # Errors
    ///
    /// If the study's folder cannot be used.
    pub fn forget_failed(&self, records: &Records) -> Result<usize> {
        let leases = self.store.leases(STALE)?;
        Ok(self.store.forget_failed(&leases, &self.plan, records)?)
    }

    /// Removes what processes that were killed left behind when their run was done: their lease, and
    /// what only an unfinished run needs.
    ///
    /// # Errors
    ///
    /// If the study's folder cannot be used.
    pub fn tidy(&self) -> Result<()> {
        let is_done = |run: &str| {
            let id = RunId::try_from(run.to_owned());
            id.is_ok_and(|id| matches!(self.store.record(&id), Ok(Some(_))))
        };
        for (run, _lease) in self.store.leases(STALE)?.abandoned(is_done)? {
            tidy(&self.store.run_folder(&RunId::try_from(run)?))?;
        }
        Ok(())
    }
}

/// What became of a run.
enum Attempt {
    Made(Box<RunRecord>),
    Done,
    Taken,
    Interrupted,
}

fn attempt(
    runner: &StudyRunner,
    leases: &Leases,
    spec: &RunSpec,
    signals: &Signals,
) -> Result<Attempt> {
    let config = runner.configuration(spec)?;
    let id = id_of(&configuration::table(&config)?);
    let lease = match runner.store.start(leases, &id, spec)? {
        Start::Mine(lease) => lease,
        Start::Done => return Ok(Attempt::Done),
        Start::Taken => return Ok(Attempt::Taken),
    };
    let record = match runner.make(spec, &id, config, signals)? {
        Making::Made(record) => record,
        Making::Interrupted => return Ok(Attempt::Interrupted),
        Making::Taken => return Ok(Attempt::Taken),
    };
    if !lease.is_held()? {
        // Whoever has taken over after a long pause makes the same record.
        return Ok(Attempt::Taken);
    }
    runner.store.save(&record)?;
    tidy(&runner.store.run_folder(&id))?;
    Ok(Attempt::Made(record))
}

fn validation_accuracy(record: &RunRecord) -> Option<f64> {
    record.chosen()?.validation.accuracy
}

/// How a run ended, in words.
fn outcome(record: &RunRecord) -> String {
    match (&record.status, validation_accuracy(record)) {
        (Status::Failed { reason }, _) => format!("failed: {reason}"),
        (Status::Diverged { epoch }, _) => format!("diverged in epoch {epoch}"),
        (Status::Finished, Some(accuracy)) => {
            format!("{:.2} % of validation images", 100.0 * accuracy)
        }
        (Status::Finished, None) => String::from("finished"),
    }
}
