//! The score of networks together, and what each step to it adds.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use statistics::{Interval, paired_proportion_interval};

use super::set::{EvaluationSet, Selection};
use crate::ensemble::{Ensemble, Member, Views};
use crate::evaluation::{CONFIDENCE, Evaluation, Probabilities, interval_text, signed_points};
use crate::text::count;

/// What is printed: the score of all, and what each step to it adds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    data: String,
    /// How many of the images the networks were trained or validated with; `None` if
    /// that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    known_images: Option<usize>,
    #[serde(skip)]
    note: Option<String>,
    selected_on_these_images: Selection,
    /// The epoch of the first member's network.
    epoch: usize,
    #[serde(flatten)]
    pub(super) scores: Evaluation,
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
    /// The 95 % interval of the gain of these networks for such images
    /// ([`paired_proportion_interval`]); `None` without an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    gain_interval: Option<Interval>,
}

impl Report {
    /// Reads the images of `set`.
    ///
    /// # Errors
    ///
    /// If they cannot be loaded, or the device's results not be copied.
    pub(super) fn new(ensemble: &Ensemble, set: EvaluationSet, views: Views) -> Result<Self> {
        let images = &set.images;
        let labels: Vec<u8> = images.labels().collect();
        let plain = ensemble.predict(images, images.side(), Views::ONE)?;
        let mut before = proportions_correct(&plain, &labels);
        let mut all = Probabilities::mean(&plain);
        let (mut members, mut steps) = (Vec::new(), Vec::new());
        let mut step = |name: String, together: &Probabilities| {
            let together = proportions_correct(std::slice::from_ref(together), &labels);
            steps.push(Step::after(name, &before, &together));
            before = together;
        };
        if plain.len() > 1 {
            let activation = |member: &Member| member.card.network.activation;
            let first = activation(&ensemble.members[0]);
            let differ = ensemble.members.iter().any(|one| activation(one) != first);
            for (member, prediction) in ensemble.members.iter().zip(&plain) {
                let mut name = member.path.display().to_string();
                if differ {
                    name += &format!(" ({})", activation(member));
                }
                let correct = proportions_correct(std::slice::from_ref(prediction), &labels);
                members.push(Step::first(name, &correct));
            }
            step(format!("average of {} networks", plain.len()), &all);
        }
        if views.per_image.get() > 1 {
            all = Probabilities::mean(&ensemble.predict(images, images.side(), views)?);
            step(format!("{} views of each image", views.per_image), &all);
        }
        Ok(Self {
            data: set.name,
            known_images: set.known_images,
            note: set.note,
            selected_on_these_images: set.selection,
            epoch: ensemble.members[0].card.epoch.epoch,
            scores: Evaluation::new(&all, &labels),
            members,
            steps,
        })
    }

    /// What is read by which networks, what each step adds, and the score of all, for people.
    pub(super) fn summary(&self) -> String {
        let whose = match self.members.len() {
            0 => format!("network of epoch {}", self.epoch),
            members => format!("{members} networks"),
        };
        let mut lines = vec![format!("{}, {whose}:", self.data)];
        lines.extend(self.members.iter().chain(&self.steps).map(Step::to_string));
        lines.push(format!(
            "accuracy {}, loss {:.4}, {}",
            self.scores.accuracy_text(),
            self.scores.loss,
            count(self.scores.images, "image")
        ));
        let scores = &self.scores;
        lines.extend(
            scores
                .note_on_numbering()
                .or_else(|| scores.note_on_one_class()),
        );
        lines.extend(self.note.as_ref().map(|note| format!("note: {note}")));
        let selected =
            "note: the epoch was chosen by these images, so new images may be read a little worse";
        match self.selected_on_these_images {
            Selection::None => {}
            Selection::BestEpoch => lines.push(format!("{selected}; --model last avoids that")),
            Selection::EarlyStopping => lines.push(String::from(selected)),
        }
        lines.join("\n")
    }
}

/// For each image, the proportion of the networks that are right.
fn proportions_correct(of_networks: &[Probabilities], labels: &[u8]) -> Vec<f64> {
    let mut correct = vec![0u32; labels.len()];
    for predictions in of_networks.iter().map(Probabilities::predictions) {
        for ((correct, class), &label) in correct.iter_mut().zip(predictions).zip(labels) {
            *correct += u32::from(class == usize::from(label));
        }
    }
    let networks = of_networks.len() as f64;
    correct
        .into_iter()
        .map(|correct| f64::from(correct) / networks)
        .collect()
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
            write!(f, ", {} points", signed_points(100.0 * gain))?;
        }
        if let Some(interval) = self.gain_interval {
            let interval = interval_text(interval, signed_points);
            write!(f, " {interval}")?;
        }
        Ok(())
    }
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
        insta::assert_snapshot!(step, @"both: 87.50 %, +25.00 points (95 % interval −26.38 to +66.38)");
    }

    /// Of nine networks each image is read by all: no gain, though nine ninths are more than one.
    #[test]
    fn where_nothing_changes_nothing_is_gained() {
        let right = Probabilities::softmax(&[0.0, 1.0], 2);
        let of_networks = vec![right.clone(); 9];
        let before = proportions_correct(&of_networks, &[1]);
        let after = proportions_correct(&[right], &[1]);
        assert_eq!(Step::after(String::new(), &before, &after).gain, Some(0.0));
    }
}
