//! `trainer ensemble`: several runs of one recipe, whose probabilities are averaged.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::evaluate;
use crate::backend::Backend;
use crate::cli::{Output, count, number};
use crate::console::{Console, Style};
use crate::ensemble::Ensemble;
use crate::ensemble_runner::{Members, Processes};
use crate::interrupt::Signals;
use crate::names::of_config;
use crate::run_directory::members_in;
use crate::saved_model::SavedNetwork;
use crate::shell::as_argument;
use crate::text::{note_on_withheld, prediction};
use crate::toml_file::read_recipe;

/// Where ensembles go that are not told otherwise.
const ENSEMBLES: &str = "experiments/ensembles";

/// Options of `trainer ensemble`.
#[derive(Debug, Args)]
pub struct Options {
    /// The recipe, a run as a file, such as experiments/recipes/ensemble.toml
    #[arg(value_name = "RECIPE.TOML")]
    recipe: PathBuf,
    /// Number of networks, with consecutive seeds that start at the recipe's [default: that of the recipe,
    /// or else 5]
    #[arg(long, short, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    members: Option<NonZeroUsize>,
    /// Networks that are trained at once, which share the cores [default: as many as there are cores
    /// and networks left, or one, whichever is measured to be faster]
    #[arg(long, short, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    jobs: Option<NonZeroUsize>,
    /// Labelled images: a CSV file (plain, .gz or Kaggle's .zip), its folder, or built-in [default:
    /// those of the recipe, or else data/, or else built-in]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Share of the labelled images held out for validation, the same ones for all; 0 trains on all
    #[arg(long, value_name = "SHARE", value_parser = number::<f64>, allow_negative_numbers = true)]
    validation_fraction: Option<f64>,
    /// Compute backend [default: that of the recipe]
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

/// Trains the networks that are still to be trained, and scores all together on the images that
/// they have held out, which are the same for all.
///
/// # Errors
///
/// An invalid recipe, unreadable images, a folder with members of another recipe, or a training that fails; the same
/// command goes on from there.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut recipe = read_recipe(&options.recipe)?;
    recipe
        .check()
        .with_context(|| options.recipe.display().to_string())?;
    if let Some(share) = options.validation_fraction {
        recipe.data.validation_fraction = share;
    }
    let ensemble = recipe.ensemble.get_or_insert_default();
    if let Some(members) = options.members {
        ensemble.members = members.get();
    }
    let count = ensemble.members;
    recipe.check()?;
    let backend = options.backend.unwrap_or(recipe.backend);
    let signals = Signals::listen()?;
    let processor = backend.open()?;
    let (images, mut notes) = recipe
        .data
        .training_images(options.data.as_deref(), Some(&options.recipe))?;
    let folder = options.folder();
    let members = Members::new(&recipe, count, &folder, images, processor, signals);
    match options.role {
        None => {}
        Some(Role::Worker) => return members.work(),
        Some(Role::Probe) => return members.probe(),
    }
    let Output { plain, quiet, json } = options.output;
    let processes = Processes {
        work: options.arguments(Role::Worker),
        probe: options.arguments(Role::Probe),
    };
    let style = Style::choose(plain, quiet, json);
    let console = Console::new(style);
    let withheld = recipe.member(0).split(&members.images)?.test;
    notes.extend(note_on_withheld(withheld.rows().len()));
    console.say(&members.images.to_string());
    for note in &notes {
        console.say(note);
    }
    if let Some(code) = members.train(options.jobs, &processes, style)? {
        return Ok(code);
    }
    let Members { runs, images, .. } = members;
    let runs: Vec<PathBuf> = runs.into_iter().map(|(path, _)| path).collect();
    // The folder stands for all members in it, of which this ensemble may be a part.
    let names = match members_in(&folder).len() == runs.len() {
        true => vec![as_argument(&folder)],
        false => runs.iter().map(|path| as_argument(path)).collect(),
    };
    let names = names.join(" ");
    let mut next = Vec::new();
    if recipe.data.validation_fraction > 0.0 && !quiet {
        let network = SavedNetwork::default();
        let ensemble = Ensemble::load(&runs, network, backend, recipe.kernels)?;
        evaluate::on_validation(&ensemble, &images, &console)?;
        next.push(format!("`trainer errors {names}` shows what they misread"));
    }
    next.push(prediction(&names));
    console.say(&format!("next: {}", next.join(", ")));
    Ok(ExitCode::SUCCESS)
}

impl Options {
    /// The folder of the runs.
    fn folder(&self) -> PathBuf {
        self.out
            .clone()
            .unwrap_or_else(|| Path::new(ENSEMBLES).join(of_config(&self.recipe)))
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
