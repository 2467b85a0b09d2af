//! Several trained networks that read images together, from several views of each image.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, bail};
use augmentation::Augmenter;
use burn::tensor::Device;
use data::{EpochLoader, ImageSet};
use model::{Kernels, Task};

use crate::backend::{Backend, Processor};
use crate::classifier::Classifier;
use crate::config::RunConfig;
use crate::evaluation::{self, Images, Probabilities};
use crate::run_directory::RunDirectory;
use crate::saved_model::{self, ModelCard, SavedNetwork};

/// How often each image is read (test-time augmentation).
#[derive(Clone, Copy, Debug)]
pub struct Views {
    /// Views of each image: itself, then augmented as in the run's training, but more gently; their
    /// probabilities are averaged.
    pub per_image: NonZeroUsize,
    /// Size of the changes in those views, as a share of those in training, 0 to 1.
    pub strength: f64,
}

impl Views {
    /// Every image as it is, and no more.
    pub const ONE: Self = Self {
        per_image: NonZeroUsize::MIN,
        strength: 0.0,
    };
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
        let of_view = |view| {
            let (scaling, batch_size) = (self.card.scaling, evaluation::BATCH_SIZE);
            let mut loader = EpochLoader::in_order(images.clone(), scaling, batch_size, device);
            if view > 0 {
                loader = loader.view(augmenter.clone(), view);
            }
            evaluation::predict(&self.classifier, &loader, self.card.task.classes)
        };
        // Added up one by one, as there may be a thousand.
        let mut sum = of_view(0)?;
        for view in 1..views.per_image.get() as u64 {
            sum.add(&of_view(view)?);
        }
        Ok(sum.divided_by(views.per_image.get() as f64))
    }
}
