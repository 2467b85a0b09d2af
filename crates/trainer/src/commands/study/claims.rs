//! `trainer study claims`: what is said, what was measured, and what follows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use study::analysis::Analysis;
use study::{Plan, Store, report};

use super::results;
use crate::console::{print, print_error};
use crate::shell::as_argument;
use crate::study_runner;
use crate::toml_file::read_study;

/// Options of `trainer study claims`.
#[derive(Debug, Args)]
pub struct Options {
    /// The studies, such as experiments/*.toml; those about no claim are left out
    #[arg(value_name = "STUDY.TOML", required = true)]
    studies: Vec<PathBuf>,
    /// The folder of the studies' runs, if they share one [default: studies/NAME beside each]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Prints a table in Markdown, a row for each study.
///
/// # Errors
///
/// If a study or its runs cannot be read.
pub fn run(options: &Options) -> Result<ExitCode> {
    if let Some(folder) = &options.folder
        && !folder.is_dir()
    {
        bail!(
            "there are no runs in {}; name the folder of a `trainer study run`",
            folder.display()
        );
    }
    let (mut claims, mut left_out) = (Vec::new(), Vec::new());
    for file in &options.studies {
        let study = read_study(file)?;
        if study.claim.is_none() {
            continue;
        }
        let store = Store::at(&study_runner::folder(file, options.folder.as_deref()));
        let (plan, records) = (Plan::new(&study)?, store.records()?);
        if plan.done(&records) == 0 {
            left_out.push((file, store));
            continue;
        }
        let analysis =
            Analysis::new(&plan, &records).with_context(|| format!("{}", file.display()))?;
        if let Some(claim) = analysis.claim() {
            let report = results(file, None).join(report::TEXT);
            let link = report.exists().then(|| report.display().to_string());
            claims.push((claim.clone(), link));
        }
    }
    if let (true, [(file, store), ..]) = (claims.is_empty(), &left_out[..]) {
        let or_name = match options.folder {
            None => ", or name their folder with --folder",
            Some(_) => "",
        };
        bail!(
            "no study with a claim has runs; those of {} would be in {}: make them with `{}`{or_name}",
            file.display(),
            store.folder().display(),
            options.run_command(file)
        );
    }
    for (file, store) in left_out {
        print_error(&format!(
            "note: {} is left out, as there are no runs of it in {}; make them with `{}`",
            file.display(),
            store.folder().display(),
            options.run_command(file)
        ));
    }
    if claims.is_empty() {
        bail!(
            "none of these studies has a claim, which is a table [claim] with a text, and what is expected under [verdict]"
        );
    }
    let rows = claims.iter().map(|(claim, link)| (claim, link.as_deref()));
    print(report::claims_table(rows).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

impl Options {
    /// What makes the runs of a study.
    fn run_command(&self, file: &Path) -> String {
        let folder = self.folder.as_deref().map_or_else(String::new, |folder| {
            format!(" --folder {}", as_argument(folder))
        });
        format!("trainer study run {}{folder}", as_argument(file))
    }
}
