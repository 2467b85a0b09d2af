//! How the program ends after a training.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::checkpoint;
use crate::config::RunConfig;
use crate::epoch_loop::Ending;
use crate::interrupt::INTERRUPTED;
use crate::run_directory::RunDirectory;
use crate::shell::as_argument;
use crate::text::prediction;
use crate::training::Training;

/// What programs are told of a training that was stopped.
#[derive(Serialize)]
struct Interrupted {
    run: String,
}

/// What there is to do with a run that is finished.
fn next(run: &RunDirectory, config: &RunConfig) -> String {
    let config_file = as_argument(&run.config_path());
    let run = as_argument(run.path());
    if config.data.validation_fraction == 0.0 {
        return format!("next: {}", prediction(&run));
    }
    let mut compare = String::from("trainer compare relu gelu tanh");
    if !config.is_default_recipe() {
        compare += &format!(" --config {}", config_file);
    }
    if let Some(data) = &config.data.path {
        compare += &format!(" --data {}", as_argument(data));
    }
    format!(
        "next: `trainer errors {run}` shows what it misreads, `{compare}` what a function changes"
    )
}

/// How the program ends after a training that ended so; says what it has to say of it.
///
/// # Errors
///
/// If the training has diverged.
pub fn exit(training: &Training, ending: &Ending) -> Result<ExitCode> {
    let path = training.run.path();
    let run = path.display().to_string();
    match ending {
        Ending::Finished => {
            training.console.say(&next(&training.run, &training.config));
            Ok(ExitCode::SUCCESS)
        }
        Ending::Interrupted => {
            let line = format!(
                "stopped and saved; continue with `trainer resume {}`",
                as_argument(path)
            );
            training.console.say(&line);
            training.console.event("interrupted", &Interrupted { run });
            Ok(ExitCode::from(INTERRUPTED))
        }
        Ending::Diverged { epoch } => {
            let checkpoints = checkpoint::list(&training.run.checkpoints())?;
            let last = checkpoints.last().map_or_else(
                || String::from("it had no checkpoint yet"),
                |name| format!("its last good checkpoint is {run}/checkpoints/{name}"),
            );
            bail!(
                "the loss is not a number in epoch {epoch}: the training has diverged; {last}; start a new run with a lower --lr"
            )
        }
    }
}
