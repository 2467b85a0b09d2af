//! `trainer ensemble`: several runs of one recipe, to be read together.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use data::LabelledImages;
use serde::Deserialize;
use serde_json::Value;

use super::evaluate;
use super::train::found_at;
use crate::backend::{Backend, Processor};
use crate::checkpoint;
use crate::cli::{Output, count, number};
use crate::config::RunConfig;
use crate::console::{Console, Style, epoch_line, print};
use crate::ensemble::{self, Ensemble, Views};
use crate::epoch_loop::Ending;
use crate::history::EpochRecord;
use crate::interrupt::{INTERRUPTED, Signals};
use crate::jobs::{self, Jobs, Watch, Worked};
use crate::probe;
use crate::run_directory::{RunDirectory, read_toml};
use crate::saved_model::Which;
use crate::study_runner;
use crate::training::{self, Training};

/// Where ensembles go that are not told otherwise.
const ENSEMBLES: &str = "experiments/ensembles";

/// Options of `trainer ensemble`.
#[derive(Debug, Args)]
pub struct Options {
    /// The recipe, a run as a file, such as experiments/recipes/ensemble.toml
    #[arg(value_name = "RECIPE.TOML")]
    recipe: PathBuf,
    /// Number of networks, with the seeds from that of the recipe on [default: that of the recipe, or
    /// else 5]
    #[arg(long, short, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    members: Option<NonZeroUsize>,
    /// Networks that are trained at once, which share the cores [default: as many as there are cores,
    /// or one, whichever is measured to be faster]
    #[arg(long, short, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    jobs: Option<NonZeroUsize>,
    /// Labelled images: a CSV file (plain, .gz or Kaggle's .zip), its folder, or built-in [default:
    /// those of the recipe, or else data/, or else built-in]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Share of the labelled images held out for validation, the same ones for all; 0 trains on all
    #[arg(long, value_name = "SHARE", value_parser = number::<f64>, allow_negative_numbers = true)]
    validation_fraction: Option<f64>,
    /// What computes [default: that of the recipe]
    #[arg(long, short, value_enum)]
    backend: Option<Backend>,
    /// The folder of the runs [default: one below experiments/ensembles]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
    /// What this process does for one that has started it
    #[arg(long, value_enum, hide = true)]
    role: Option<Role>,
}

/// What a process does for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Trains members until none is left.
    Worker,
    /// Measures how fast a member trains.
    Probe,
}

/// The networks to train, and with what.
struct Members {
    /// The folder of each run, and its configuration.
    runs: Vec<(PathBuf, RunConfig)>,
    images: LabelledImages,
    processor: Processor,
    signals: Signals,
}

/// What became of a network.
enum Attempt {
    Trained,
    /// Another process trains it.
    Taken,
    Stopped(ExitCode),
}

/// Trains the networks that are still to be trained, and scores all together on the images that
/// they have held out, which are the same for all.
///
/// # Errors
///
/// What went wrong; the same command goes on.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut recipe: RunConfig = read_toml(&options.recipe)?;
    recipe
        .check()
        .with_context(|| options.recipe.display().to_string())?;
    if let Some(share) = options.validation_fraction {
        recipe.data.validation_fraction = share;
        recipe.check()?;
    }
    let members = Members::new(options, &recipe)?;
    match options.role {
        None => {}
        Some(Role::Worker) => return members.work(),
        Some(Role::Probe) => return members.probe(),
    }
    if let Some(code) = members.train(options)? {
        return Ok(code);
    }
    if recipe.data.validation_fraction > 0.0 && !options.output.quiet {
        let Members { runs, images, .. } = members;
        let ensemble = Ensemble::load(&ensemble::Options {
            runs: runs.into_iter().map(|(path, _)| path).collect(),
            model: Which::default(),
            views: Views::ONE,
            backend: options.backend.unwrap_or(recipe.backend),
            kernels: recipe.kernels,
        })?;
        evaluate::on_validation(&ensemble, &images, options.output.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Members {
    fn new(options: &Options, recipe: &RunConfig) -> Result<Self> {
        let signals = Signals::listen()?;
        let processor = options.backend.unwrap_or(recipe.backend).open()?;
        let path = options.data.as_deref().or(recipe.data.path.as_deref());
        let images = data::training_images(path)?;
        let default = recipe.ensemble.clone().unwrap_or_default().members;
        let count = options.members.map_or(default, NonZeroUsize::get);
        let folder = options.folder();
        let runs = (0..count).map(|number| {
            let mut config = recipe.member(number);
            config.backend = processor.backend;
            config.data.fingerprint = Some(images.fingerprint());
            config.data.path = found_at(images.source());
            (folder.join(format!("member-{}", config.seed)), config)
        });
        Ok(Self {
            runs: runs.collect(),
            images,
            processor,
            signals,
        })
    }

    /// Trains those that are left, some of them at once where that is faster. The exit code, if it
    /// was stopped.
    fn train(&self, options: &Options) -> Result<Option<ExitCode>> {
        let Output { plain, quiet, json } = options.output;
        let style = Style::choose(plain, quiet, json);
        let console = Console::new(style);
        let mut left = 0;
        for (path, config) in &self.runs {
            if is_trained(&RunDirectory::open_or_create(path)?, config)? {
                console.say(&format!("{} is trained", path.display()));
            } else {
                left += 1;
            }
        }
        let cores = available_parallelism().map_or(1, usize::from);
        let jobs = match options.jobs {
            Some(count) => Jobs::of(count.get().min(left).max(1), cores),
            None if left >= cores && self.processor.is_cpu() => {
                let probe = options.arguments(Role::Probe);
                Jobs::fastest(cores, &probe, |line| console.say(line))?
            }
            None => Jobs::of(1, cores),
        };
        if left == 0 {
            return Ok(None);
        }
        if jobs.count > 1 {
            let mut watch = WatchMembers {
                console,
                epochs: self.runs[0].1.epochs,
            };
            let work = options.arguments(Role::Worker);
            let worked = jobs::run(jobs, &work, &self.signals, &mut watch)?;
            if worked == Worked::Interrupted {
                watch.say("stopped and saved; the same command goes on from here");
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
    fn work(&self) -> Result<ExitCode> {
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

    fn probe(&self) -> Result<ExitCode> {
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
            ending => super::exit(&training, &ending).map(Attempt::Stopped),
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

impl Options {
    /// The folder of the runs.
    fn folder(&self) -> PathBuf {
        self.out
            .clone()
            .unwrap_or_else(|| Path::new(ENSEMBLES).join(study_runner::name(&self.recipe)))
    }

    /// The arguments of a process that takes part.
    fn arguments(&self, role: Role) -> Vec<OsString> {
        let role = match role {
            Role::Worker => "worker",
            Role::Probe => "probe",
        };
        let mut arguments: Vec<OsString> = vec!["ensemble".into(), self.recipe.clone().into()];
        arguments.extend(["--role".into(), role.into()]);
        arguments.extend(["--out".into(), self.folder().into()]);
        if let Some(backend) = self.backend {
            arguments.extend(["--backend".into(), backend.to_string().into()]);
        }
        if let Some(members) = self.members {
            arguments.extend(["--members".into(), members.to_string().into()]);
        }
        if let Some(data) = &self.data {
            arguments.extend(["--data".into(), data.clone().into()]);
        }
        if let Some(share) = self.validation_fraction {
            arguments.extend(["--validation-fraction".into(), share.to_string().into()]);
        }
        arguments
    }
}

/// Shows what processes tell of the networks that they train.
struct WatchMembers {
    console: Console,
    epochs: usize,
}

/// What is shown of an epoch.
#[derive(Deserialize)]
struct ToldEpoch {
    member: String,
    #[serde(flatten)]
    record: EpochRecord,
}

impl Watch for WatchMembers {
    type Event = Value;

    fn show(&mut self, event: Value) {
        if self.console.style() == Style::Json {
            drop(print(&event.to_string()));
        } else if event["event"] == "epoch"
            && let Ok(ToldEpoch { member, record }) = serde_json::from_value(event)
        {
            self.say(&format!("{member}  {}", epoch_line(&record, self.epochs)));
        }
    }

    fn say(&self, line: &str) {
        self.console.say(line);
    }
}
