//! `trainer study`: comparisons that are written down in a file.

pub mod claims;
pub mod probe;
pub mod report;
pub mod run;
pub mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use data::LabelledImages;
use study::report::Report;
use study::{Plan, Store, Study};

use crate::backend::Backend;
use crate::console::{print, print_text};
use crate::names::stem;
use crate::shell::as_argument;
use crate::study_runner::{self, results};

/// The verbs of `trainer study`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make the runs of a study, or those that are still to be made, and write its report
    Run(run::Options),
    /// Write the report of a study from the runs that there are
    Report(report::Options),
    /// Print a table of the claims that studies are about, with what was found
    Claims(claims::Options),
    /// Make runs of a study in this process (started by `run`)
    #[command(hide = true)]
    Work(work::Options),
    /// Measure how fast a study's runs train in this process (started by `run`)
    #[command(hide = true)]
    Probe(probe::Options),
}

/// A study, and where its runs are.
#[derive(Clone, Debug, Args)]
pub struct StudyPaths {
    /// The study, such as experiments/tutorial.toml
    #[arg(value_name = "STUDY.TOML")]
    pub study: PathBuf,
    /// The folder of the study's runs [default: studies/NAME beside the study]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// What the runs are made of.
#[derive(Clone, Debug, Args)]
pub struct Resources {
    /// Labelled images: a CSV file (plain, .gz or Kaggle's .zip), its folder, or built-in [default:
    /// data/, or else built-in]
    #[arg(long, short, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Compute backend
    #[arg(long, short, value_enum, default_value_t)]
    pub backend: Backend,
}

impl Resources {
    /// The labelled images.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn images(&self) -> Result<LabelledImages> {
        Ok(data::training_images(self.data.as_deref())?)
    }
}

/// Does what one of the verbs asks for.
///
/// # Errors
///
/// An invalid study, unreadable images or results, or a run that fails.
pub fn run(verb: &Verb) -> Result<ExitCode> {
    match verb {
        Verb::Run(options) => run::run(options),
        Verb::Report(options) => report::run(options),
        Verb::Claims(options) => claims::run(options),
        Verb::Work(options) => work::run(options),
        Verb::Probe(options) => probe::run(options),
    }
}

impl StudyPaths {
    pub(super) fn folder(&self) -> PathBuf {
        study_runner::folder(&self.study, self.folder.as_deref())
    }
}

/// Refuses to make a report's folder of something else.
pub(super) fn check_report_folder(folder: &Path) -> Result<()> {
    let name = folder.display();
    if folder.file_name().is_none() {
        bail!("{name} cannot be the report's folder; name another one with --out");
    }
    if !folder.exists() {
        return Ok(());
    }
    if !folder.is_dir() {
        bail!("{name} is there already and is no folder; name another one with --out");
    }
    let mut entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {name}"))?;
    if entries.next().is_some() && !study::report::is_report(folder) {
        bail!("{name} is there already and holds no report; name another folder with --out");
    }
    Ok(())
}

/// Writes the report of the runs in `store`, which must have some: a report of none would take the place of a good
/// one.
fn write_report(study: &Study, file: &Path, store: &Store, folder: &Path) -> Result<Report> {
    let name = stem(file);
    let plan = Plan::new(study)?;
    let records = store.records_of(&name)?;
    if plan.done(&records) == 0 {
        bail!(
            "there are no runs of this study in {}; make them with `trainer study run {}`, or name their folder with --folder",
            store.folder().display(),
            as_argument(file)
        );
    }
    store.merge(&name, &plan, &records)?;
    let curves = study_runner::curves(study)?;
    let command = report_command(file, store.folder(), folder);
    Ok(study::report::write(
        &plan, &records, &curves, &command, folder,
    )?)
}

/// Prints the verdict, and where the report is.
fn show_report(report: &Report) -> Result<()> {
    print_text(report.text.trim_end())?;
    print(&format!("the report is {}", page(report).display()))?;
    if let Some(earlier) = &report.earlier {
        print(&format!("the one before is in {}", earlier.display()))?;
    }
    Ok(())
}

fn page(report: &Report) -> PathBuf {
    report.folder.join(study::report::PAGE)
}

/// What writes the report again, of the runs in `runs` into the folder `out`.
fn report_command(file: &Path, runs: &Path, out: &Path) -> String {
    let mut command = format!("trainer study report {}", as_argument(file));
    for (option, path, default) in [
        ("--folder", runs, study_runner::folder(file, None)),
        ("--out", out, results(file, None)),
    ] {
        if as_argument(path) != as_argument(&default) {
            command += &format!(" {option} {}", as_argument(path));
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_say_where_their_runs_are() {
        let command = |runs: &str, out: &str| {
            report_command(
                Path::new("experiments/a.toml"),
                Path::new(runs),
                Path::new(out),
            )
        };
        assert_eq!(
            command("experiments/studies/a", "experiments/results/a"),
            "trainer study report experiments/a.toml"
        );
        assert_eq!(
            command("shared", "elsewhere"),
            "trainer study report experiments/a.toml --folder shared --out elsewhere"
        );
    }
}
