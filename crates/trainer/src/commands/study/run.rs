//! `trainer study run`: a study from its file to its report.

use std::ffi::OsString;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use data::Source;
use serde::Serialize;
use study::report::Report;
use study::{Shard, StoreError, Study};

use super::{Resources, StudyPaths, check_report_folder, page, results, show_report, write_report};
use crate::cli::{Output, count};
use crate::console::{print, print_error};
use crate::interrupt::{INTERRUPTED, Signals};
use crate::jobs::{self, Jobs, JobsEnding, Probe};
use crate::names::stem;
use crate::study_runner::display::StudyDisplay;
use crate::study_runner::{FieldError, StudyRunner};
use crate::text;
use crate::toml_file::read_study;
use crate::training::FEW_STEPS;

/// Options of `trainer study run`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    paths: StudyPaths,
    #[command(flatten)]
    resources: Resources,
    #[command(flatten)]
    parallelism: Parallelism,
    /// The folder of the report [default: results/NAME beside the study]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Who makes the runs.
#[derive(Clone, Debug, Args)]
pub struct Parallelism {
    /// Runs at once, which share the cores [default: as many as there are cores and runs left, or one,
    /// whichever is measured to be faster]
    #[arg(long, short, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    jobs: Option<NonZeroUsize>,
    /// Begin with part I of N, when several machines work in the same folder
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Make those runs again that failed, such as for want of disk space
    #[arg(long)]
    retry_failed: bool,
}

/// Makes the runs that are still to be made, then the report.
///
/// # Errors
///
/// An invalid study, unreadable images, or a run that fails; what the runs had done is saved.
pub fn run(options: &Options) -> Result<ExitCode> {
    let study = read_study(&options.paths.study)?;
    let out = results(&options.paths.study, options.out.as_deref());
    let Options {
        paths,
        resources,
        parallelism,
        output,
        ..
    } = options;
    check_report_folder(&out)?;
    let images = resources.images()?;
    let source = images.source().clone();
    let runner = StudyRunner::new(&study, &paths.folder(), images, resources.backend)
        .map_err(|error| of_other_images(error, &paths.folder(), &source))
        .map_err(|error| with_place(error, &study, &paths.study))?;
    run_study(&runner, paths, resources, parallelism, *output, &out)
}

/// The error of runs with another base, in words where that base is of other images.
fn of_other_images(error: anyhow::Error, folder: &Path, source: &Source) -> anyhow::Error {
    match error.downcast_ref() {
        Some(StoreError::Base { field, .. }) if field == "data.fingerprint" => anyhow!(
            "the runs in {} are of other images than {source}; name those with --data, or another folder for new runs with --folder",
            folder.display()
        ),
        _ => error,
    }
}

/// The error of a field that the study sets, with the place where the study's file does so.
fn with_place(error: anyhow::Error, study: &Study, file: &Path) -> anyhow::Error {
    let Some(FieldError {
        spec,
        field: Some(field),
        message,
    }) = error.downcast_ref()
    else {
        return error;
    };
    // Without the text the file alone is named.
    let text = fs::read_to_string(file).unwrap_or_default();
    let place = study.place_of(field, spec, file, &text);
    anyhow!("{place}: {message}")
}

/// Makes the runs of a study, which is also in the file, then the report in the folder `out`.
///
/// # Errors
///
/// A run that fails; what the runs had done is saved, and the report is there.
pub fn run_study(
    runner: &StudyRunner,
    paths: &StudyPaths,
    resources: &Resources,
    parallelism: &Parallelism,
    output: Output,
    out: &Path,
) -> Result<ExitCode> {
    let signals = Signals::listen()?;
    let study = runner.plan.study();
    let name = stem(&paths.study);
    runner.store.save_study(&name, study)?;
    let mut records = runner.store.records()?;
    let mut forgotten = 0;
    if parallelism.retry_failed {
        forgotten = runner.forget_failed(&records)?;
        records = runner.store.records()?;
    }
    let pending = runner.plan.pending(&records).len();
    let done = runner.plan.done(&records);
    let mut display = StudyDisplay::new(output, done, runner.plan.total());
    for warning in records.warnings() {
        display.say(&format!("warning: {warning}"));
    }
    if forgotten > 0 {
        let (runs, are) = if forgotten == 1 {
            ("run", "is")
        } else {
            ("runs", "are")
        };
        display.say(&format!("{forgotten} failed {runs} {are} made again"));
    }
    if pending > 0 {
        introduce(runner, resources.data.as_deref(), done, &display);
        let arguments_of_probe = arguments("probe", paths, resources, None);
        let say = |line: &str| display.say(line);
        let probe = runner.processor.is_cpu().then_some(Probe {
            arguments: &arguments_of_probe,
            say: &say,
        });
        let left = runner.plan.total() - done;
        let jobs = Jobs::choose(parallelism.jobs, left, probe)?;
        let work = arguments("work", paths, resources, parallelism.shard);
        let ending = jobs::run(jobs, &work, &signals, &mut display);
        display.finish();
        match ending {
            Ok(JobsEnding::Finished) => {}
            Ok(JobsEnding::Interrupted) => {
                display.say("stopped; the same command goes on from here");
                return Ok(ExitCode::from(INTERRUPTED));
            }
            // The runs of a process that was killed may have been made by another.
            Err(error) if runner.plan.pending(&runner.store.records()?).is_empty() => {
                print_error(&format!("warning: {error:#}; no run is missing, though"));
            }
            Err(error) => return Err(error),
        }
        display.all_done();
    }
    display.finish();
    if let Err(error) = runner.tidy() {
        // The results do not depend on it.
        display.say(&format!("warning: {error:#}"));
    }
    let report = write_report(study, &paths.study, &runner.store, out)?;
    tell(&report, output)?;
    check_failed(runner)?;
    Ok(ExitCode::SUCCESS)
}

/// Says what is about to be run, on images that were named so.
fn introduce(runner: &StudyRunner, named: Option<&Path>, done: usize, display: &StudyDisplay) {
    let study = runner.plan.study();
    display.say(&runner.images.to_string());
    let notes = [
        text::note_on_archive(runner.images.source(), named),
        text::note_on_copies(&runner.images),
    ];
    for note in notes.iter().flatten() {
        display.say(note);
    }
    if let Some(fewest) = study.fewest_seeds()
        && study.seeds.list().len() < fewest
    {
        display.say(&format!(
            "note: fewer than {fewest} seeds can show no difference in {}, whatever the results",
            match study.comparisons() {
                1 => String::from("a comparison"),
                comparisons => format!("{comparisons} comparisons"),
            }
        ));
    }
    let steps = runner.fewest_steps;
    if steps < FEW_STEPS {
        display.say(&format!(
            "note: {} of training in a run, which is little; more epochs and smaller batches make more",
            text::count(steps, "step")
        ));
    }
    display.say(&format!(
        "{}: {done} of {} runs are done; computing with {}; saving to {}",
        study.title,
        runner.plan.total(),
        runner.processor,
        runner.store.folder().display()
    ));
}

/// Tells of the report, people or programs.
fn tell(report: &Report, output: Output) -> Result<()> {
    if output.json {
        let event = ReportEvent {
            event: "report",
            report: page(report),
            verdict: &report.conclusion.headline,
        };
        print(&serde_json::to_string(&event)?)?;
    } else if !output.quiet {
        show_report(report)?;
    }
    Ok(())
}

/// Refuses a study of which some runs have failed.
fn check_failed(runner: &StudyRunner) -> Result<()> {
    let failed = runner.plan.failed(&runner.store.records()?).len();
    if failed > 0 {
        let (runs, it) = if failed == 1 {
            ("run has", "it")
        } else {
            ("runs have", "them")
        };
        bail!(
            "{failed} {runs} failed, for the reasons that the report names; once these are mended, --retry-failed makes {it} again"
        );
    }
    Ok(())
}

/// What programs are told at the end.
#[derive(Serialize)]
struct ReportEvent<'a> {
    event: &'static str,
    /// The page; beside it is `runs.csv`.
    report: PathBuf,
    verdict: &'a str,
}

/// The arguments of a process that takes part.
fn arguments(
    verb: &str,
    paths: &StudyPaths,
    resources: &Resources,
    shard: Option<Shard>,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["study".into(), verb.into()];
    arguments.push(paths.study.clone().into());
    arguments.extend(["--folder".into(), paths.folder().into()]);
    arguments.extend(["--backend".into(), resources.backend.to_string().into()]);
    if let Some(data) = &resources.data {
        arguments.extend(["--data".into(), data.clone().into()]);
    }
    if let Some(shard) = shard {
        arguments.extend(["--shard".into(), shard.to_string().into()]);
    }
    arguments
}
