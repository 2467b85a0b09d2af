//! Which images networks are scored on, and what is to be said of them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, bail};
use data::{LabelledImages, Thousands};
use model::Task;
use serde::Serialize;

use crate::commands::networks::note_on_other_brightness;
use crate::ensemble::{Ensemble, Member};
use crate::saved_model::SavedNetwork;

/// Images to score networks on.
pub(in crate::commands) struct EvaluationSet {
    pub(in crate::commands) images: LabelledImages,
    /// What they are called.
    pub(in crate::commands) name: String,
    /// What a reader should know of them.
    pub(in crate::commands) note: Option<String>,
    /// How many of them the networks were trained or validated with; `None` if that is not known, or these
    /// are the images that were held out for it.
    pub(in crate::commands) known_images: Option<usize>,
    pub(super) selection: Selection,
}

/// Whether the epoch of a network was chosen by how well these images were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Selection {
    /// It was not.
    None,
    /// It is the best on them.
    BestEpoch,
    /// Training ended where they were read no better any more.
    EarlyStopping,
}

impl EvaluationSet {
    /// The images that `data` names, or else those that all networks were trained with: of these,
    /// where that can be, those that all have held out. Says on stderr if those that are named are inverted.
    ///
    /// # Errors
    ///
    /// If they cannot be read or do not fit the networks, or if `data` is `None` and there are none
    /// that all networks have held out.
    pub(in crate::commands) fn new(ensemble: &Ensemble, data: Option<&Path>) -> Result<Self> {
        let own = &ensemble.members[0].config.data;
        let images = own.read_images(data, data::evaluation_images)?;
        check_fit(&images, ensemble.task())?;
        if data.is_some() {
            note_on_other_brightness(ensemble, images.source(), images.scaling());
        }
        match Self::held_out(ensemble, &images) {
            Ok(held_out) => Ok(held_out),
            Err(error) if data.is_none() => bail!("{error:#}; name labelled images with --data"),
            // What is asked for is done, but not without a word.
            Err(_) => Ok(Self::foreign(ensemble, images)),
        }
    }

    /// Those of the images that all networks have held out.
    ///
    /// # Errors
    ///
    /// If there are none, or the images are others than those that the networks were trained with.
    pub(super) fn held_out(ensemble: &Ensemble, images: &LabelledImages) -> Result<Self> {
        let config = &ensemble.members[0].config;
        let fingerprint = Some(images.fingerprint());
        for member in &ensemble.members {
            if member.config.data.fingerprint != fingerprint {
                bail!(
                    "{} are not the images that {} was started with",
                    images.source(),
                    member.path.display()
                );
            }
        }
        let split = config.split(images)?;
        if split.validation.rows().is_empty() {
            bail!(
                "{} held out no image for validation",
                ensemble.members[0].path.display()
            );
        }
        for member in &ensemble.members {
            if member.config.split(images)?.validation.rows() != split.validation.rows() {
                bail!(
                    "{} holds out other images than {}, and may have been trained on those; runs with the same data.split_seed hold out the same",
                    member.path.display(),
                    ensemble.members[0].path.display()
                );
            }
        }
        Ok(Self {
            images: split.validation,
            name: format!("validation images of {}", images.source()),
            note: None,
            known_images: None,
            selection: Selection::of(ensemble),
        })
    }

    /// Images of whatever origin.
    fn foreign(ensemble: &Ensemble, images: LabelledImages) -> Self {
        let all = images.rows().len();
        let known = known_images(ensemble, &images);
        let note = match &known {
            Ok(0) => None,
            Ok(known) => Some(format!(
                "{} for training or validation, so that new images may be read worse",
                match *known {
                    known if known == all => String::from("all of these images were used"),
                    1 => String::from("one of these images was used"),
                    known => format!("{} of these images were used", Thousands(known)),
                }
            )),
            Err(member) => Some(format!(
                "whether {} was trained with some of these images is not known, as its own are not where they were",
                member.path.display()
            )),
        };
        Self {
            name: format!("images of {}", images.source()),
            note,
            known_images: known.ok(),
            images,
            selection: Selection::None,
        }
    }
}

impl Selection {
    /// That of networks by the images that they have held out.
    fn of(ensemble: &Ensemble) -> Self {
        let members = ensemble.members.iter().map(|member| &member.config);
        let with_a_choice: Vec<_> = members.filter(|run| run.total_epochs() > 1).collect();
        if with_a_choice.iter().any(|run| run.early_stopping.is_some()) {
            Self::EarlyStopping
        } else if ensemble.network == SavedNetwork::Best && !with_a_choice.is_empty() {
            Self::BestEpoch
        } else {
            Self::None
        }
    }
}

/// How many of the images are among those that the networks were trained or validated with.
///
/// # Errors
///
/// The first network whose file is not what or where it was.
fn known_images<'a>(ensemble: &'a Ensemble, images: &LabelledImages) -> Result<usize, &'a Member> {
    let fingerprint = images.fingerprint();
    let mut files = HashMap::new();
    let mut known = Vec::new();
    for member in &ensemble.members {
        let data = &member.config.data;
        let path = data.path.as_deref();
        let file = if data.fingerprint.as_ref() == Some(&fingerprint) {
            Some(images)
        } else {
            let file = files.entry(path).or_insert_with(|| {
                let images = data::training_images(path).ok()?;
                Some((images.fingerprint(), images))
            });
            let is_its =
                |file: &&(String, LabelledImages)| Some(&file.0) == data.fingerprint.as_ref();
            file.as_ref().filter(is_its).map(|(_, images)| images)
        };
        let split = file.and_then(|images| member.config.split(images).ok());
        let split = split.ok_or(member)?;
        known.extend([split.training, split.validation]);
    }
    Ok(images.shared_with(&known))
}

fn check_fit(images: &LabelledImages, task: Task) -> Result<()> {
    let Task {
        height, classes, ..
    } = task;
    let side = images.side();
    if side != height {
        bail!(
            "{} has {side}×{side} images, but the network reads {height}×{height}",
            images.source()
        );
    }
    if images.classes() > classes {
        bail!(
            "{} has {} classes, but the network knows {classes}; if their labels are others than in training, `trainer data convert --classes` numbers them alike",
            images.source(),
            images.classes()
        );
    }
    Ok(())
}
