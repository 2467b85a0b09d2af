//! `trainer study probe`: how fast a study's runs train here.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use study::{Records, Study};

use super::{Resources, StudyPaths};
use crate::console::print;
use crate::probe;
use crate::study_runner::StudyRunner;

/// Options of `trainer study probe`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    paths: StudyPaths,
    #[command(flatten)]
    resources: Resources,
}

/// Trains the network of the study's first run for a moment on noise, and prints its speed.
///
/// # Errors
///
/// If the network cannot be made.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Options { paths, resources } = options;
    let study = Study::read(&paths.study)?;
    let runner = StudyRunner::new(
        &study,
        &paths.folder(),
        resources.images()?,
        resources.backend,
    )?;
    let specs = runner.plan.known(&Records::default());
    let spec = specs.first().context("the study has no runs")?;
    let config = runner.configuration(spec)?;
    let speed = probe::speed(&config, &runner.images, &runner.processor)?;
    print(&serde_json::to_string(&speed)?)?;
    Ok(ExitCode::SUCCESS)
}
