//! The members of an ensemble: runs of one recipe, trained one after the other or by several processes.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use data::LabelledImages;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use study::Difference;

use crate::backend::Processor;
use crate::checkpoint;
use crate::config::RunConfig;
use crate::console::{Console, Style, epoch_line, print};
use crate::epoch_loop::Ending;
use crate::history::EpochRecord;
use crate::interrupt::{INTERRUPTED, Signals};
use crate::jobs::{self, JobObserver, Jobs, JobsEnding, Probe};
use crate::probe;
use crate::run_directory::{RunDirectory, member_of, members_in, taken};
use crate::saved_model;
use crate::toml_file::difference;
use crate::training::{self, Training};

/// The networks to train, and with what.
pub struct Members {
    /// The folder of each run, and its configuration.
    pub runs: Vec<(PathBuf, RunConfig)>,
    /// What they are trained on.
    pub images: LabelledImages,
    /// What all are made by.
    recipe: RunConfig,
    /// The folder of all.
    folder: PathBuf,
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
    Interrupted,
    Diverged(Diverged),
}

/// A network that training has broken; it would do so again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Diverged {
    /// Its folder.
    member: String,
    /// The epoch in which its loss was not a number.
    epoch: usize,
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member, epoch } = self;
        write!(
            f,
            "{member} has diverged: its loss is not a number in epoch {epoch}"
        )
    }
}

impl Members {
    /// The first `count` members of `recipe` in `folder`, trained on `images`, which the recipe names, by
    /// `processor`.
    pub fn new(
        recipe: &RunConfig,
        count: usize,
        folder: &Path,
        images: LabelledImages,
        processor: Processor,
        signals: Signals,
    ) -> Self {
        let runs = (0..count).map(|number| {
            let config = member(recipe, number, &processor);
            (member_of(folder, config.seed), config)
        });
        Self {
            runs: runs.collect(),
            images,
            recipe: recipe.clone(),
            folder: folder.to_owned(),
            processor,
            signals,
        }
    }

    /// Trains those that are left, some of them at once where that is faster. The exit code, if it
    /// was stopped.
    ///
    /// # Errors
    ///
    /// If one cannot be trained, or another program trains it, or if the folder has members of another recipe.
    pub fn train(
        &self,
        jobs: Option<NonZeroUsize>,
        processes: &Processes,
        style: Style,
    ) -> Result<Option<ExitCode>> {
        let console = Console::new(style);
        self.check_others()?;
        let left = self.left(&console)?;
        if left == 0 {
            return Ok(None);
        }
        let say = |line: &str| console.say(line);
        let probe = self.processor.is_cpu().then_some(Probe {
            arguments: &processes.probe,
            say: &say,
        });
        let jobs = Jobs::choose(jobs, left, probe)?;
        if jobs.count > 1 {
            self.train_in_processes(jobs, &processes.work, console)
        } else {
            self.train_in_turn(&console)
        }
    }

    /// Refuses a folder with members that this recipe would not make: who names the folder would take all for one
    /// ensemble.
    fn check_others(&self) -> Result<()> {
        let is_ours = |path: &PathBuf| self.runs.iter().any(|(ours, _)| ours == path);
        for path in members_in(&self.folder) {
            if is_ours(&path) || !RunDirectory::is_run(&path) {
                continue;
            }
            let run = RunDirectory::open(&path)?;
            let seed = run.config()?.seed;
            let number = seed.saturating_sub(self.recipe.seed);
            let config = RunConfig {
                // That of a member from before the recipe's first seed.
                seed,
                ..member(&self.recipe, number as usize, &self.processor)
            };
            is_trained(&run, &config)?;
        }
        Ok(())
    }

    /// How many are still to be trained; names the others.
    fn left(&self, console: &Console) -> Result<usize> {
        let mut left = 0;
        for (path, config) in &self.runs {
            if is_trained(&RunDirectory::open_or_create(path)?, config)? {
                console.say(&format!("{} is trained", path.display()));
            } else {
                left += 1;
            }
        }
        Ok(left)
    }

    /// Several at once, by processes that each train what no other does.
    fn train_in_processes(
        &self,
        jobs: Jobs,
        work: &[OsString],
        console: Console,
    ) -> Result<Option<ExitCode>> {
        let mut observer = MemberObserver {
            console,
            epochs: self.runs[0].1.total_epochs(),
            diverged: Vec::new(),
        };
        loop {
            if jobs::run(jobs, work, &self.signals, &mut observer)? == JobsEnding::Interrupted {
                return Ok(Some(interrupted(&observer.console)));
            }
            check_converged(&observer.diverged)?;
            if self.are_all_trained()? {
                return Ok(None);
            }
        }
    }

    /// Whether none is left. Those that are were locked by another process when it was their turn.
    ///
    /// # Errors
    ///
    /// If one is still locked.
    fn are_all_trained(&self) -> Result<bool> {
        let mut are_trained = true;
        for (path, config) in &self.runs {
            let run = RunDirectory::open_or_create(path)?;
            if !is_trained(&run, config)? {
                if run.try_lock()?.is_none() {
                    return Err(anyhow!(taken(path)));
                }
                are_trained = false;
            }
        }
        Ok(are_trained)
    }

    /// One after the other, with all threads.
    fn train_in_turn(&self, console: &Console) -> Result<Option<ExitCode>> {
        let mut diverged = Vec::new();
        for (path, config) in &self.runs {
            if self.signals.requested() {
                return Ok(Some(interrupted(console)));
            }
            let member = Console::of_member(console.style(), path.display().to_string());
            match self.attempt(path, config, member)? {
                Attempt::Trained => {}
                Attempt::Taken => return Err(anyhow!(taken(path))),
                Attempt::Interrupted => return Ok(Some(interrupted(console))),
                Attempt::Diverged(this) => diverged.push(this),
            }
        }
        check_converged(&diverged)?;
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
            match self.attempt(path, config, console)? {
                Attempt::Trained | Attempt::Taken | Attempt::Diverged(_) => {}
                Attempt::Interrupted => return Ok(ExitCode::from(INTERRUPTED)),
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
        let restored = checkpoint::restore(&run.checkpoints(), None, config)?;
        if restored.is_none() {
            saved_model::check_nothing_is_lost(&run)?;
        }
        run.save_config(config)?;
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
            Ending::Interrupted => Ok(Attempt::Interrupted),
            Ending::Diverged { epoch } => {
                let member = path.display().to_string();
                let diverged = Diverged { member, epoch };
                training.console.say(&diverged.to_string());
                training.console.event(DIVERGED, &EpochNumber { epoch });
                Ok(Attempt::Diverged(diverged))
            }
        }
    }
}

/// The configuration of a member, counted from 0.
fn member(recipe: &RunConfig, number: usize, processor: &Processor) -> RunConfig {
    let mut config = recipe.member(number);
    config.backend = processor.backend;
    config
}

/// The event of a member that has diverged.
const DIVERGED: &str = "diverged";

#[derive(Serialize)]
struct EpochNumber {
    epoch: usize,
}

/// Tells that the members were stopped.
fn interrupted(console: &Console) -> ExitCode {
    #[derive(Serialize)]
    struct Nothing {}
    console.say("stopped and saved; the same command goes on from here");
    console.event("interrupted", &Nothing {});
    ExitCode::from(INTERRUPTED)
}

/// Refuses an ensemble of which some members have diverged.
fn check_converged(diverged: &[Diverged]) -> Result<()> {
    if diverged.is_empty() {
        return Ok(());
    }
    let members: Vec<String> = diverged
        .iter()
        .map(|Diverged { member, epoch }| format!("{member} in epoch {epoch}"))
        .collect();
    bail!(
        "the loss is not a number of {}: training has diverged; lower the learning rate in the recipe, and name another folder with --out",
        members.join(", of ")
    )
}

/// Whether a run has come to its end, which must be one with this configuration if it has trained at all.
/// The images, which their fingerprint tells from others, may have been moved.
fn is_trained(run: &RunDirectory, config: &RunConfig) -> Result<bool> {
    if run.has_config() && (run.has_summary() || has_trained(run)?) {
        let mut there = run.config()?;
        there.data.path.clone_from(&config.data.path);
        if let Some(Difference { field, there, here }) = difference(&there, config)? {
            bail!(
                "{} is a run with another configuration: {field} is {there} there and {here} now; name another folder with --out",
                run.path().display()
            );
        }
    }
    Ok(run.has_summary())
}

/// Whether a run has left something of its training.
fn has_trained(run: &RunDirectory) -> Result<bool> {
    Ok(saved_model::has_any(run) || !checkpoint::list(&run.checkpoints())?.is_empty())
}

/// Shows what processes tell of the networks that they train.
struct MemberObserver {
    console: Console,
    epochs: usize,
    diverged: Vec<Diverged>,
}

/// What is shown of an epoch.
#[derive(Deserialize)]
struct MemberEpoch {
    member: String,
    #[serde(flatten)]
    record: EpochRecord,
}

impl JobObserver for MemberObserver {
    fn show(&mut self, line: &str) {
        // Whatever else is printed comes from drivers.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            return;
        };
        let is = |name: &str| event["event"] == name;
        if is(DIVERGED)
            && let Ok(diverged) = serde_json::from_value::<Diverged>(event.clone())
        {
            // Each of the processes tries it.
            if self.diverged.contains(&diverged) {
                return;
            }
            self.say(&diverged.to_string());
            self.diverged.push(diverged);
        }
        if self.console.style() == Style::Json {
            // As it stands: numbers that are read and written again may differ in their last digit.
            drop(print(line));
        } else if is("epoch")
            && let Ok(MemberEpoch { member, record }) = serde_json::from_value(event)
        {
            self.say(&format!("{member}  {}", epoch_line(&record, self.epochs)));
        }
    }

    fn say(&self, line: &str) {
        self.console.say(line);
    }
}
