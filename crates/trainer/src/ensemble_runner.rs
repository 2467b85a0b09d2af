//! The members of an ensemble: runs of one recipe, trained one after the other or by several processes.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use data::LabelledImages;
use serde::Deserialize;
use serde_json::Value;

use crate::backend::Processor;
use crate::checkpoint;
use crate::config::RunConfig;
use crate::console::{Console, Style, epoch_line, print};
use crate::epoch_loop::Ending;
use crate::exit::exit;
use crate::history::EpochRecord;
use crate::interrupt::{INTERRUPTED, Signals};
use crate::jobs::{self, JobObserver, Jobs, JobsEnding};
use crate::probe;
use crate::run_directory::RunDirectory;
use crate::training::{self, Training};

/// The networks to train, and with what.
pub struct Members {
    /// The folder of each run, and its configuration.
    pub runs: Vec<(PathBuf, RunConfig)>,
    /// What they are trained on.
    pub images: LabelledImages,
    processor: Processor,
    signals: Signals,
}

/// The arguments of the program as a process that takes part.
pub struct Processes {
    /// One that trains members until none is left: [`Members::work`].
    pub work: Vec<OsString>,
    /// One that measures how fast a member trains: [`Members::probe`].
    pub probe: Vec<OsString>,
}

/// What became of a network.
enum Attempt {
    Trained,
    /// Another process trains it.
    Taken,
    Stopped(ExitCode),
}

impl Members {
    /// The first `count` members of `recipe` in `folder`, trained on `images` by `processor`.
    pub fn new(
        recipe: &RunConfig,
        count: usize,
        folder: &Path,
        images: LabelledImages,
        processor: Processor,
        signals: Signals,
    ) -> Self {
        let fingerprint = images.fingerprint();
        let runs = (0..count).map(|number| {
            let mut config = recipe.member(number);
            config.backend = processor.backend;
            config.data.fingerprint = Some(fingerprint.clone());
            config.data.note_source(images.source());
            (folder.join(format!("member-{}", config.seed)), config)
        });
        Self {
            runs: runs.collect(),
            images,
            processor,
            signals,
        }
    }

    /// Trains those that are left, some of them at once where that is faster. The exit code, if it
    /// was stopped.
    ///
    /// # Errors
    ///
    /// If one cannot be trained, or another program trains it.
    pub fn train(
        &self,
        jobs: Option<NonZeroUsize>,
        processes: &Processes,
        style: Style,
    ) -> Result<Option<ExitCode>> {
        let console = Console::new(style);
        let mut left = 0;
        for (path, config) in &self.runs {
            if is_trained(&RunDirectory::open_or_create(path)?, config)? {
                console.say(&format!("{} is trained", path.display()));
            } else {
                left += 1;
            }
        }
        let cores = jobs::cores();
        let jobs = match jobs {
            Some(count) => Jobs::new(count.get().min(left).max(1), cores),
            None if left >= cores && self.processor.is_cpu() => {
                Jobs::fastest(cores, &processes.probe, |line| console.say(line))?
            }
            None => Jobs::new(1, cores),
        };
        if left == 0 {
            return Ok(None);
        }
        if jobs.count > 1 {
            let mut observer = MemberObserver {
                console,
                epochs: self.runs[0].1.epochs,
            };
            let ending = jobs::run(jobs, &processes.work, &self.signals, &mut observer)?;
            if ending == JobsEnding::Interrupted {
                observer.say("stopped and saved; the same command goes on from here");
                return Ok(Some(ExitCode::from(INTERRUPTED)));
            }
            for (path, config) in &self.runs {
                // The processes leave alone what they find locked.
                if !is_trained(&RunDirectory::open_or_create(path)?, config)? {
                    return Err(taken(path));
                }
            }
            return Ok(None);
        }
        for (path, config) in &self.runs {
            match self.attempt(path, config, Console::new(style))? {
                Attempt::Trained => {}
                Attempt::Taken => return Err(taken(path)),
                Attempt::Stopped(code) => return Ok(Some(code)),
            }
        }
        Ok(None)
    }

    /// Trains those that nobody else trains, and tells of each in lines of JSON.
    ///
    /// # Errors
    ///
    /// If one cannot be trained.
    pub fn work(&self) -> Result<ExitCode> {
        jobs::stop_at_end_of_input(&self.signals)?;
        for (path, config) in &self.runs {
            if self.signals.requested() {
                return Ok(ExitCode::from(INTERRUPTED));
            }
            let console = Console::of_member(Style::Json, path.display().to_string());
            if let Attempt::Stopped(code) = self.attempt(path, config, console)? {
                return Ok(code);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Measures how fast one trains, and prints it as a line of JSON.
    ///
    /// # Errors
    ///
    /// If the network does not fit the images.
    pub fn probe(&self) -> Result<ExitCode> {
        let (_, config) = &self.runs[0];
        let speed = probe::speed(config, &self.images, &self.processor)?;
        print(&serde_json::to_string(&speed)?)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Trains one network, or goes on with it.
    fn attempt(&self, path: &Path, config: &RunConfig, console: Console) -> Result<Attempt> {
        let run = RunDirectory::open_or_create(path)?;
        let Some(_lock) = run.try_lock()? else {
            return Ok(Attempt::Taken);
        };
        if is_trained(&run, config)? {
            return Ok(Attempt::Trained);
        }
        training::split(config, &self.images)?;
        run.save_config(config)?;
        let restored = checkpoint::restore(&run.checkpoints(), None, config)?;
        console.say(&format!("training {}", path.display()));
        let training = Training {
            run,
            config: config.clone(),
            processor: self.processor.clone(),
            images: self.images.clone(),
            console,
            signals: self.signals.clone(),
            study: None,
        };
        match training.run(restored)? {
            Ending::Finished => Ok(Attempt::Trained),
            ending => exit(&training, &ending).map(Attempt::Stopped),
        }
    }
}

/// Another program trains the member in this folder.
fn taken(path: &Path) -> anyhow::Error {
    anyhow!(
        "another process is training {}; wait for it or stop it",
        path.display()
    )
}

/// Whether a run has come to its end, which must be one with this configuration. The images, which
/// their fingerprint tells from others, may have been moved.
fn is_trained(run: &RunDirectory, config: &RunConfig) -> Result<bool> {
    let differs = |mut there: RunConfig| {
        there.data.path.clone_from(&config.data.path);
        there != *config
    };
    if run.has_config() && differs(run.config()?) {
        bail!(
            "{} is a run with another configuration; name another folder with --out",
            run.path().display()
        );
    }
    Ok(run.has_summary())
}

/// Shows what processes tell of the networks that they train.
struct MemberObserver {
    console: Console,
    epochs: usize,
}

/// What is shown of an epoch.
#[derive(Deserialize)]
struct MemberEpoch {
    member: String,
    #[serde(flatten)]
    record: EpochRecord,
}

impl JobObserver for MemberObserver {
    type Event = Value;

    fn show(&mut self, event: Value) {
        if self.console.style() == Style::Json {
            drop(print(&event.to_string()));
        } else if event["event"] == "epoch"
            && let Ok(MemberEpoch { member, record }) = serde_json::from_value(event)
        {
            self.say(&format!("{member}  {}", epoch_line(&record, self.epochs)));
        }
    }

    fn say(&self, line: &str) {
        self.console.say(line);
    }
}
