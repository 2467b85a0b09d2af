//! The networks that `evaluate`, `errors` and `predict` read images with: options that they share.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use data::{Scaling, Source};
use model::Kernels;

use crate::backend::Backend;
use crate::cli::count;
use crate::console::print_error;
use crate::ensemble::{Ensemble, Views};
use crate::run_directory::RunDirectory;
use crate::run_directory::members_in;
use crate::saved_model::{self, SavedNetwork};
use crate::shell::as_argument;

/// The networks that read, and how.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The folders of runs, such as experiments/runs/small-relu-seed0-flex, or of ensembles; the
    /// probabilities of several networks are averaged
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Which of a run's networks
    #[arg(long, value_enum, default_value_t)]
    pub model: SavedNetwork,
    /// Views of each image: itself, then augmented as in the run's training, but more gently; their
    /// probabilities are averaged. More than one for runs that were trained with augmentation only
    #[arg(long = "tta", value_name = "N", default_value = "1", value_parser = views, allow_negative_numbers = true)]
    pub views_per_image: NonZeroUsize,
    /// Size of the changes in those views, as a share of those in training, 0 to 1
    #[arg(
        long = "tta-strength",
        value_name = "SHARE",
        default_value = "0.5",
        value_parser = parse_share
    )]
    pub view_strength: f64,
    /// Compute backend
    #[arg(long, short, value_enum, default_value_t)]
    pub backend: Backend,
    /// Kernels on CPUs: fused (a whole layer at once) or stock (Burn's operations)
    #[arg(long, default_value_t)]
    pub kernels: Kernels,
}

impl Options {
    /// How often each image is read.
    pub fn views(&self) -> Views {
        Views {
            per_image: self.views_per_image,
            strength: self.view_strength,
        }
    }

    /// The networks that the options name.
    ///
    /// # Errors
    ///
    /// See [`Ensemble::load`]; also if an ensemble is not trained to its end, or one network was trained
    /// without the augmentation that views need.
    pub fn load(&self) -> Result<Ensemble> {
        let runs: Vec<Vec<PathBuf>> = self
            .runs
            .iter()
            .map(|path| runs_of(path))
            .collect::<Result<_>>()?;
        let runs = runs.concat();
        check_differ(&runs)?;
        let ensemble = Ensemble::load(&runs, self.model, self.backend, self.kernels)?;
        for run in &runs {
            note_if_unfinished(&RunDirectory::open(run)?)?;
        }
        if self.views_per_image.get() > 1 {
            for member in &ensemble.members {
                let views = &member
                    .config
                    .augmentation
                    .for_prediction(self.view_strength);
                if views.is_identity() {
                    bail!(
                        "{} was trained without augmentation that --tta could take its views from, or --tta-strength is 0; leave --tta away",
                        member.path.display()
                    );
                }
            }
        }
        Ok(ensemble)
    }
}

/// The runs that a path names: those of all members, if it is the folder of an ensemble.
///
/// # Errors
///
/// If a member is not trained to its end: some networks would be taken for all of them.
fn runs_of(path: &Path) -> Result<Vec<PathBuf>> {
    let members = members_in(path);
    if RunDirectory::is_run(path) || members.is_empty() {
        return Ok(vec![path.to_owned()]);
    }
    for member in &members {
        if !RunDirectory::is_finished(member) {
            bail!(
                "{} is not trained to its end; unless it has diverged, `trainer ensemble` goes on with it, or name the members to read with instead of {}",
                member.display(),
                path.display()
            );
        }
    }
    Ok(members)
}

/// Refuses a run that is named twice, also by its ensemble: its network would count for two.
fn check_differ(runs: &[PathBuf]) -> Result<()> {
    let mut seen = HashSet::new();
    for run in runs {
        // Where that fails, there is no run, and loading it says so.
        let place = run.canonicalize().unwrap_or_else(|_| run.clone());
        if !seen.insert(place) {
            bail!("{} is named twice; name each run once", run.display());
        }
    }
    Ok(())
}

/// Says on stderr that a run was not trained to its end, which its network does not show.
///
/// # Errors
///
/// If the run cannot be read.
pub fn note_if_unfinished(run: &RunDirectory) -> Result<()> {
    let trained = saved_model::card(run, SavedNetwork::Last)?.map(|card| card.epoch.epoch);
    let epochs = run.config()?.total_epochs();
    if let Some(trained) = trained
        && trained < epochs
        && !run.has_summary()
    {
        print_error(&format!(
            "note: {} has trained {trained} of {epochs} epochs; if it was stopped, `trainer resume {}` goes on",
            run.path().display(),
            as_argument(run.path())
        ));
    }
    Ok(())
}

/// By how much images of one kind do not differ in their mean pixel, from 0 to 1: it is 0.13 of MNIST's digits and 0.29
/// of Fashion-MNIST's garments, and 0.87 and 0.71 of the same with dark and bright exchanged.
const OTHER_BRIGHTNESS: f32 = 0.4;

/// How many times as large the standard deviation of one kind of images may be as that of the other: 0.31 for MNIST's
/// digits, 0.35 for Fashion-MNIST's garments.
const OTHER_CONTRAST: f32 = 3.0;

/// Says on stderr that images are much brighter or darker than those that the networks were trained with, as where they
/// are dark on bright and those were bright on dark; or of much higher or lower contrast, as where their pixels go to 16
/// instead of to 255.
pub fn note_on_other_brightness(ensemble: &Ensemble, source: &Source, scaling: Scaling) {
    let trained = ensemble.members[0].card.scaling.mean;
    if (scaling.mean - trained).abs() > OTHER_BRIGHTNESS {
        print_error(&format!(
            "note: the mean pixel of {source} is {:.2} on the scale from 0 to 1, and was {trained:.2} in training; if dark and bright are exchanged, invert the images",
            scaling.mean
        ));
    }
    let trained = ensemble.members[0].card.scaling.standard_deviation;
    if [trained, scaling.standard_deviation].contains(&1.0) {
        // All pixels are equal.
        return;
    }
    let contrast = scaling.standard_deviation / trained;
    if !(OTHER_CONTRAST.recip()..=OTHER_CONTRAST).contains(&contrast) {
        print_error(&format!(
            "note: the pixels of {source} differ by {:.3} on the scale from 0 to 1 (standard deviation), and did by {trained:.3} in training; if theirs is another range, bring them to that of the training images, as `trainer data convert --range` does",
            scaling.standard_deviation
        ));
    }
}

/// More views than this change nothing any more.
const MOST_VIEWS: usize = 1000;

/// A number of views, from the text of an option.
fn views(text: &str) -> Result<NonZeroUsize, String> {
    let views = count(text)?;
    if views.get() > MOST_VIEWS {
        return Err(format!("expected at most {MOST_VIEWS}"));
    }
    Ok(views)
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(String::from("expected a number from 0 to 1")),
    }
}
