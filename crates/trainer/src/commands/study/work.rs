//! `trainer study work`: runs of a study, in this process.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use study::{Shard, Study};

use super::{Resources, StudyPaths};
use crate::console::print;
use crate::interrupt::{INTERRUPTED, Signals};
use crate::jobs::{JobsEnding, stop_at_end_of_input};
use crate::study_runner::{StudyRunner, work};

/// Options of `trainer study work`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    paths: StudyPaths,
    #[command(flatten)]
    resources: Resources,
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

/// Makes runs until none is left, and prints a line of JSON for each.
///
/// # Errors
///
/// If the study's folder cannot be used.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Options {
        paths,
        resources,
        shard,
    } = options;
    let signals = Signals::listen()?;
    stop_at_end_of_input(&signals)?;
    let study = Study::read(&paths.study)?;
    let runner = StudyRunner::new(
        &study,
        &paths.folder(),
        resources.images()?,
        resources.backend,
    )?;
    let ending = work(&runner, *shard, &signals, |event| {
        if let Ok(line) = serde_json::to_string(event) {
            // The work goes on when nobody listens any more.
            drop(print(&line));
        }
    })?;
    Ok(match ending {
        JobsEnding::Finished => ExitCode::SUCCESS,
        JobsEnding::Interrupted => ExitCode::from(INTERRUPTED),
    })
}
