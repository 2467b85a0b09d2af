//! `trainer study report`: what the runs of a study say.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use study::{Plan, Store, Study};

use super::{StudyPaths, check_report_folder, results, show_report, write_report};
use crate::shell::as_argument;
use crate::study_runner;

/// Options of `trainer study report`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    paths: StudyPaths,
    /// The folder of the report [default: one below experiments/results]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the report, but print nothing
    #[arg(long, short)]
    quiet: bool,
}

/// Writes the report from the runs that there are, without making any.
///
/// # Errors
///
/// If the study makes no sense, has no runs yet, or the report cannot be written.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Options {
        paths, out, quiet, ..
    } = options;
    let study = Study::read(&paths.study)?;
    let folder = paths.folder();
    let store = Store::at(&folder);
    let done = |store: &Store| -> Result<usize> {
        let records = store.records_of(&study_runner::name(&paths.study))?;
        Ok(Plan::new(&study)?.done(&records))
    };
    if !folder.is_dir() || done(&store)? == 0 {
        bail!(
            "there are no runs of this study in {}; make them with `trainer study run {}`, or name their folder with --folder",
            folder.display(),
            as_argument(&paths.study)
        );
    }
    let out = results(&paths.study, out.as_deref());
    check_report_folder(&out)?;
    let report = write_report(&study, &paths.study, &store, &out)?;
    if !*quiet {
        show_report(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}
