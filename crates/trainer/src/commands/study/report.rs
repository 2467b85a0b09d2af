//! `trainer study report`: what the runs of a study say.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use study::Store;

use super::{StudyPaths, check_report_folder, results, show_report, write_report};
use crate::toml_file::read_study;

/// Options of `trainer study report`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    paths: StudyPaths,
    /// The folder of the report [default: results/NAME beside the study]
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
    let study = read_study(&paths.study)?;
    let out = results(&paths.study, out.as_deref());
    check_report_folder(&out)?;
    let report = write_report(&study, &paths.study, &Store::at(&paths.folder()), &out)?;
    if !*quiet {
        show_report(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}
