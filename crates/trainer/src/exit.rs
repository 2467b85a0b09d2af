//! How the program ends after a training.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::checkpoint;
use crate::epoch_loop::Ending;
use crate::interrupt::INTERRUPTED;
use crate::shell::as_argument;
use crate::training::Training;

/// What programs are told of a training that was stopped.
#[derive(Serialize)]
struct Interrupted {
    run: String,
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
            if training.config.data.validation_fraction > 0.0 {
                let run = as_argument(path);
                let data = training.config.data.path.as_ref();
                let data =
                    data.map_or_else(String::new, |data| format!(" --data {}", as_argument(data)));
                training.console.say(&format!(
                    "next: `trainer errors {run}` shows what it misreads, `trainer compare relu gelu tanh{data}` what a function changes"
                ));
            }
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
