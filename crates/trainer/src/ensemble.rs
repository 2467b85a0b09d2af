//! Several trained networks that read images together, from several views of each image.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use augmentation::Augmenter;
use burn::tensor::Device;
use clap::Args;
use data::{EpochLoader, ImageSet};
use model::{Kernels, Task};

use crate::backend::{Backend, Processor};
use crate::classifier::Classifier;
use crate::cli::count;
use crate::config::RunConfig;
use crate::console::print_error;
use crate::ensemble_runner;
use crate::evaluation::{self, Images, Probabilities};
use crate::run_directory::RunDirectory;
use crate::saved_model::{self, ModelCard, SavedNetwork};
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
    /// How often each image is read.
    #[command(flatten)]
    pub views: Views,
    /// Compute backend
    #[arg(long, short, value_enum, default_value_t)]
    pub backend: Backend,
    /// Kernels on CPUs: fused (a whole layer at once) or stock (Burn's operations)
    #[arg(long, default_value_t)]
    pub kernels: Kernels,
}

/// How often each image is read (test-time augmentation).
#[derive(Clone, Copy, Debug, Args)]
pub struct Views {
    /// Views of each image: itself, then augmented as in the run's training, but more gently; their
    /// probabilities are averaged. More than one for runs that were trained with augmentation only
    #[arg(long = "tta", value_name = "N", default_value = "1", value_parser = views, allow_negative_numbers = true)]
    pub per_image: NonZeroUsize,
    /// Size of the changes in those views, as a share of those in training, 0 to 1
    #[arg(
        long = "tta-strength",
        value_name = "SHARE",
        default_value = "0.5",
        value_parser = parse_share
    )]
    pub strength: f64,
}

impl Options {
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
            note_if_unfinished(run)?;
        }
        if self.views.per_image.get() > 1 {
            for member in &ensemble.members {
                let views = &member
                    .config
                    .augmentation
                    .for_prediction(self.views.strength);
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
    let members = ensemble_runner::members_in(path);
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
pub fn note_if_unfinished(path: &Path) -> Result<()> {
    let run = RunDirectory::open(path)?;
    let trained = saved_model::card(&run, SavedNetwork::Last)?.map(|card| card.epoch.epoch);
    let epochs = run.config()?.total_epochs();
    if let Some(trained) = trained
        && trained < epochs
        && !run.has_summary()
    {
        print_error(&format!(
            "note: {} has trained {trained} of {epochs} epochs; if it was stopped, `trainer resume {}` goes on",
            path.display(),
            as_argument(path)
        ));
    }
    Ok(())
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

impl Views {
    /// Every image as it is, and no more.
    pub const ONE: Self = Self {
        per_image: NonZeroUsize::MIN,
        strength: 0.0,
    };
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(String::from("expected a number from 0 to 1")),
    }
}

/// Networks that read images together.
pub struct Ensemble {
    /// At least one.
    pub members: Vec<Member>,
    /// Which of each run's networks they are.
    pub network: SavedNetwork,
    device: Device,
}

/// One of the networks.
pub struct Member {
    /// Its run's folder.
    pub path: PathBuf,
    /// How it was trained.
    pub config: RunConfig,
    /// What is known of it.
    pub card: ModelCard,
    classifier: Classifier,
}

impl Ensemble {
    /// One of the networks of each of `runs`.
    ///
    /// # Errors
    ///
    /// If one cannot be loaded, or they are not for the same size of images and number of classes.
    pub fn load(
        runs: &[PathBuf],
        network: SavedNetwork,
        backend: Backend,
        kernels: Kernels,
    ) -> Result<Self> {
        let Processor { device, .. } = backend.open()?;
        let member = |path: &PathBuf| -> Result<Member> {
            let run = RunDirectory::open(path)?;
            let config = run.config()?;
            let (classifier, card) = saved_model::load(&run, network, &device, kernels)?;
            Ok(Member {
                path: path.clone(),
                config,
                card,
                classifier,
            })
        };
        let members: Vec<Member> = runs.iter().map(member).collect::<Result<_>>()?;
        let ensemble = Self {
            members,
            network,
            device,
        };
        let task = ensemble.task();
        for member in &ensemble.members {
            if member.card.task != task {
                bail!(
                    "{} and {} do not read the same images and classes",
                    runs[0].display(),
                    member.path.display()
                );
            }
        }
        Ok(ensemble)
    }

    /// Size of the images and number of classes of all members.
    pub fn task(&self) -> Task {
        self.members[0].card.task
    }

    /// What each member makes of `images`, the mean over its views.
    ///
    /// # Errors
    ///
    /// If the images cannot be loaded, or the device's results not be copied.
    pub fn predict<S>(&self, images: &S, side: usize, views: Views) -> Result<Vec<Probabilities>>
    where
        S: ImageSet,
        S::Batch: Images + 'static,
    {
        self.members
            .iter()
            .map(|member| member.predict(images, side, views, &self.device))
            .collect()
    }
}

impl Member {
    fn predict<S>(
        &self,
        images: &S,
        side: usize,
        views: Views,
        device: &Device,
    ) -> Result<Probabilities>
    where
        S: ImageSet,
        S::Batch: Images + 'static,
    {
        let augmentation = self.config.augmentation.for_prediction(views.strength);
        let augmenter = Augmenter::new(&augmentation, side, self.config.seed)?;
        let of_views: Vec<Probabilities> = (0..views.per_image.get() as u64)
            .map(|view| {
                let (scaling, batch_size) = (self.card.scaling, evaluation::BATCH_SIZE);
                let mut loader = EpochLoader::in_order(images.clone(), scaling, batch_size, device);
                if view > 0 {
                    loader = loader.view(augmenter.clone(), view);
                }
                evaluation::predict(&self.classifier, &loader, self.card.task.classes)
            })
            .collect::<Result<_>>()?;
        Ok(Probabilities::mean(&of_views))
    }
}
