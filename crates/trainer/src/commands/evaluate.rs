//! `trainer evaluate`: how well a run's network reads labelled images.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use data::{LabelledImages, Thousands};
use model::Task;
use serde::Serialize;
use statistics::{Interval, paired_proportion_interval};

use crate::console::print;
use crate::ensemble::{self, Ensemble, Member, Views};
use crate::evaluation::{CONFIDENCE, Evaluation, Probabilities};
use crate::saved_model::SavedNetwork;

/// Options of `trainer evaluate`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    ensemble: ensemble::Options,
    /// Labelled images to score on; if they are those that the runs were trained with, only the ones
    /// that were held out [default: those that the runs were trained with]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The scores as JSON
    #[arg(long)]
    json: bool,
}

/// What is printed: the score of all, and what each step to it adds.
#[derive(Debug, Serialize)]
struct Report {
    data: String,
    /// Whether a network is that of the epoch that read these images best.
    epoch_chosen_by_them: bool,
    /// The epoch of the first member's network.
    epoch: usize,
    #[serde(flatten)]
    scores: Evaluation,
    /// One for each network, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<Step>,
    /// The average of all, and then of all views, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
}

/// One way to read the images.
#[derive(Debug, Serialize)]
struct Step {
    name: String,
    accuracy: f64,
    /// Accuracy above that of the step before, the mean over the members for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    gain: Option<f64>,
    /// The 95 % interval of the gain for such images ([`paired_proportion_interval`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    gain_interval: Option<Interval>,
}

/// Prints the scores of a run's network, or of several together.
///
/// # Errors
///
/// A run that cannot be loaded, or images that do not fit it.
pub fn run(options: &Options) -> Result<ExitCode> {
    let ensemble = options.ensemble.load()?;
    let subject = subject(&ensemble, options.data.as_deref())?;
    let report = report(&ensemble, subject, options.ensemble.views)?;
    show(&ensemble, &report, options.json)
}

/// Prints the scores of networks on those of the images that all of them have held out.
///
/// # Errors
///
/// If there are none, or the images are others than those that the networks were trained with.
pub fn on_validation(ensemble: &Ensemble, images: &LabelledImages, json: bool) -> Result<ExitCode> {
    let subject = validation_images(ensemble, images)?;
    show(ensemble, &report(ensemble, subject, Views::ONE)?, json)
}

/// What networks are worth on those of the images they were trained with that all of them have held
/// out, and what each step to it adds.
///
/// # Errors
///
/// If there are none, or those images are not there any more.
pub(super) fn worth(ensemble: &Ensemble, views: Views) -> Result<String> {
    let images = data::training_images(ensemble.members[0].config.data.path.as_deref())?;
    let subject = validation_images(ensemble, &images)?;
    Ok(report(ensemble, subject, views)?.summary(ensemble))
}

fn show(ensemble: &Ensemble, report: &Report, json: bool) -> Result<ExitCode> {
    if json {
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&report.summary(ensemble))?;
        print("")?;
        print(table(&report.scores).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Report {
    /// What is read by which networks, what each step adds, and the score of all.
    fn summary(&self, ensemble: &Ensemble) -> String {
        let whose = match ensemble.members.len() {
            1 => format!("network of epoch {}", self.epoch),
            members => format!("{members} networks"),
        };
        let steps = self.members.iter().chain(&self.steps).map(Step::to_string);
        let score = format!(
            "accuracy {}, loss {:.4}, {} images",
            self.scores.accuracy_text(),
            self.scores.loss,
            self.scores.images
        );
        let mut lines = vec![format!("{}, {whose}:", self.data)];
        lines.extend(steps);
        lines.push(score);
        if self.epoch_chosen_by_them {
            lines.push(String::from(
                "epochs were chosen by these images, so that others may be read a little worse; not so with --model last",
            ));
        }
        lines.join("\n")
    }
}

fn report(ensemble: &Ensemble, subject: Subject, views: Views) -> Result<Report> {
    let images = &subject.images;
    let labels: Vec<u8> = images.labels().collect();
    // For each image, the share of the networks that are right.
    let correct = |predictions: &[Probabilities]| -> Vec<f64> {
        let mut shares = vec![0.0; labels.len()];
        for of_network in predictions {
            for ((share, class), &label) in
                shares.iter_mut().zip(of_network.predictions()).zip(&labels)
            {
                let is_right = class == usize::from(label);
                *share += f64::from(u8::from(is_right)) / predictions.len() as f64;
            }
        }
        shares
    };
    let plain = ensemble.predict(images, images.side(), Views::ONE)?;
    let mut before = correct(&plain);
    let mut all = Probabilities::mean(&plain);
    let (mut members, mut steps) = (Vec::new(), Vec::new());
    if plain.len() > 1 {
        let activation = |member: &Member| member.card.network.activation;
        let first = activation(&ensemble.members[0]);
        let differ = ensemble.members.iter().any(|one| activation(one) != first);
        for (member, prediction) in ensemble.members.iter().zip(&plain) {
            let mut name = member.path.display().to_string();
            if differ {
                name += &format!(" ({})", activation(member));
            }
            members.push(Step::first(
                name,
                &correct(std::slice::from_ref(prediction)),
            ));
        }
        let together = correct(std::slice::from_ref(&all));
        let name = format!("average of {} networks", plain.len());
        steps.push(Step::after(name, &before, &together));
        before = together;
    }
    if views.per_image.get() > 1 {
        all = Probabilities::mean(&ensemble.predict(images, images.side(), views)?);
        let together = correct(std::slice::from_ref(&all));
        steps.push(Step::after(
            format!("{} views of each image", views.per_image),
            &before,
            &together,
        ));
    }
    Ok(Report {
        data: subject.name,
        epoch_chosen_by_them: subject.chose_epochs,
        epoch: ensemble.members[0].card.epoch.epoch,
        scores: Evaluation::new(&all, &labels),
        members,
        steps,
    })
}

impl Step {
    fn first(name: String, correct: &[f64]) -> Self {
        Self {
            name,
            accuracy: correct.iter().sum::<f64>() / correct.len() as f64,
            gain: None,
            gain_interval: None,
        }
    }

    fn after(name: String, before: &[f64], after: &[f64]) -> Self {
        let gains: Vec<f64> = before
            .iter()
            .zip(after)
            .map(|(before, after)| after - before)
            .collect();
        Self {
            gain: Some(gains.iter().sum::<f64>() / gains.len() as f64),
            gain_interval: paired_proportion_interval(&gains, CONFIDENCE).ok(),
            ..Self::first(name, after)
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:.2} %", self.name, 100.0 * self.accuracy)?;
        if let Some(gain) = self.gain {
            write!(f, ", {:+.2} points", 100.0 * gain)?;
        }
        if let Some(interval) = self.gain_interval {
            let [confidence, lower, upper] =
                [interval.confidence, interval.lower, interval.upper].map(|share| 100.0 * share);
            write!(f, " ({confidence} % interval {lower:+.2} to {upper:+.2})")?;
        }
        Ok(())
    }
}

/// Images to score networks on.
pub(super) struct Subject {
    pub(super) images: LabelledImages,
    /// What they are called.
    pub(super) name: String,
    /// Whether a network is that of the epoch that read them best.
    chose_epochs: bool,
}

/// The images that `data` names, or else those that all networks were trained with: of these, where
/// that can be, those that all have held out. They fit the networks.
pub(super) fn subject(ensemble: &Ensemble, data: Option<&Path>) -> Result<Subject> {
    let own = ensemble.members[0].config.data.path.as_deref();
    let images = data::training_images(data.or(own))?;
    let subject = match validation_images(ensemble, &images) {
        Ok(held_out) => held_out,
        Err(error) if data.is_none() => bail!("{error:#}; name labelled images with --data"),
        // What is asked for is done, but not without a word.
        Err(_) => {
            let name = format!(
                "images of {}{}",
                images.source(),
                trained_on(ensemble, &images)
            );
            Subject {
                images,
                name,
                chose_epochs: false,
            }
        }
    };
    check_fit(&subject.images, ensemble.task())?;
    Ok(subject)
}

/// What is to be said if networks were trained with these images, or with some of them.
fn trained_on(ensemble: &Ensemble, images: &LabelledImages) -> String {
    let fingerprint = Some(images.fingerprint());
    let mut members = ensemble.members.iter();
    if let Some(member) = members.find(|member| member.config.data.fingerprint == fingerprint) {
        return format!(", which {} was trained with", member.path.display());
    }
    match images.shared_with(&training_images(ensemble)) {
        0 => String::new(),
        1 => String::from(", one of which is among those that were trained with"),
        shared => format!(
            ", {} of which are among those that were trained with",
            Thousands(shared)
        ),
    }
}

/// The images that the networks were trained on, as far as their files are still what they were.
fn training_images(ensemble: &Ensemble) -> Vec<LabelledImages> {
    let mut files = HashMap::new();
    let members = ensemble.members.iter();
    members
        .filter_map(|Member { config, .. }| {
            let path = config.data.path.as_deref();
            let read = || {
                let images = data::training_images(path).ok()?;
                Some((images.fingerprint(), images))
            };
            let (fingerprint, images) = files.entry(path).or_insert_with(read).as_ref()?;
            let is_same = config.data.fingerprint.as_ref() == Some(fingerprint);
            let split = config.split(images).ok()?;
            is_same.then_some(split.training)
        })
        .collect()
}

/// Those of the images that all networks have held out.
fn validation_images(ensemble: &Ensemble, images: &LabelledImages) -> Result<Subject> {
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
    let had_a_choice = |member: &Member| member.config.total_epochs() > 1;
    Ok(Subject {
        images: split.validation,
        name: format!("validation images of {}", images.source()),
        chose_epochs: ensemble.network == SavedNetwork::Best
            && ensemble.members.iter().any(had_a_choice),
    })
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
            "{} has {} classes, but the network knows {classes}",
            images.source(),
            images.classes()
        );
    }
    Ok(())
}

/// The scores of each class for people, then the confusion matrix.
fn table(scores: &Evaluation) -> String {
    let percent = |share: Option<f64>| match share {
        Some(share) => format!("{:8.2} %", 100.0 * share),
        None => format!("{:>10}", "–"),
    };
    let mut lines = vec![format!(
        "{:>5} {:>7} {:>10} {:>10}",
        "class", "images", "precision", "recall"
    )];
    for (class, score) in scores.classes.iter().enumerate() {
        lines.push(format!(
            "{class:>5} {:>7} {} {}",
            score.images,
            percent(score.precision),
            percent(score.recall)
        ));
    }
    lines.push(String::new());
    lines.push(String::from(
        "images by label (row) and prediction (column):",
    ));
    let header: String = (0..scores.classes.len())
        .map(|class| format!("{class:>6}"))
        .collect();
    lines.push(format!("{:>5}{header}", ""));
    for (class, row) in scores.confusion.iter().enumerate() {
        let row: String = row.iter().map(|count| format!("{count:>6}")).collect();
        lines.push(format!("{class:>5}{row}"));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_says_what_it_adds() {
        // One image gained, one lost, two more gained, of eight.
        let before = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let after = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        let step = Step::after(String::from("both"), &before, &after);
        // 2/10 ± z √((6/10 − (2/10)²) / 10)
        insta::assert_snapshot!(step, @"both: 87.50 %, +25.00 points (95 % interval -26.38 to +66.38)");
    }

    #[test]
    fn table_for_people() {
        let logits = [2.0, 0.0, 0.0, 2.0, 2.0, 0.0];
        let scores = Evaluation::new(&Probabilities::softmax(&logits, 2), &[0, 1, 1]);
        insta::assert_snapshot!(table(&scores), @"
        class  images  precision     recall
            0       1    50.00 %   100.00 %
            1       2   100.00 %    50.00 %

        images by label (row) and prediction (column):
                  0     1
            0     1     0
            1     1     1
        ");
    }
}
