//! `trainer study work`: runs of a study, in this process.

use std::io::{Read, stdin};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result};
use clap::Args;
use study::{Shard, Study};

use super::{Files, Means};
use crate::console::print;
use crate::interrupt::{INTERRUPTED, Signals};
use crate::study_runner::{StudyRunner, Worked, work};

/// Options of `trainer study work`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    means: Means,
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
        files,
        means,
        shard,
    } = options;
    let signals = Signals::listen()?;
    stop_at_end_of_input(&signals)?;
    let study = Study::read(&files.study)?;
    let runner = StudyRunner::new(
        &study,
        &files.folder(),
        means.data.as_deref(),
        means.backend,
    )?;
    let worked = work(&runner, *shard, &signals, |event| {
        if let Ok(line) = serde_json::to_string(event) {
            // The work goes on when nobody listens any more.
            drop(print(&line));
        }
    })?;
    Ok(match worked {
        Worked::Finished => ExitCode::SUCCESS,
        Worked::Interrupted => ExitCode::from(INTERRUPTED),
    })
}

/// Whoever started this process holds its input open until it wants an end, or dies.
fn stop_at_end_of_input(signals: &Signals) -> Result<()> {
    let signals = signals.clone();
    thread::Builder::new()
        .name("input".into())
        .spawn(move || {
            drop(stdin().read_to_end(&mut Vec::new()));
            // By Ctrl+C it may have heard of it already, and a second time would be too much.
            if !signals.requested() {
                signals.received();
            }
        })
        .context("cannot watch the standard input")?;
    Ok(())
}
