//! Misread images as JSON, for programs.

use model::Activation;
use serde::Serialize;

use super::Item;
use super::pairs::{Comparison, Function, Prediction};

/// What is written.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    /// What the images are.
    data: String,
    /// Number of images.
    images: usize,
    /// Number of them that a network was trained or chosen by; none where that is not known.
    known_images: Option<usize>,
    /// Number of them that all networks together misread, by the mean of their probabilities.
    misread: usize,
    /// Number of them that every activation function misreads.
    misread_by_all: usize,
    functions: Vec<FunctionRecord>,
    /// Every two activation functions.
    pairs: Vec<PairRecord>,
    /// The images that the networks together, or those of an activation function, misread; in the
    /// order of the images.
    mistakes: Vec<MistakeRecord>,
}

#[derive(Debug, Serialize)]
struct FunctionRecord {
    activation: Activation,
    /// Number of networks with it.
    networks: usize,
    /// Number of images that they misread.
    misread: usize,
}

#[derive(Debug, Serialize)]
struct PairRecord {
    activations: [Activation; 2],
    /// Number of images that only the first reads, and only the second.
    only: [usize; 2],
    /// Of McNemar's exact test, two-sided.
    p_value: f64,
}

#[derive(Debug, Serialize)]
struct MistakeRecord {
    /// The image's number among the images, counted from 1.
    number: usize,
    label: usize,
    /// What all networks together take it for.
    #[serde(flatten)]
    together: Prediction,
    functions: Vec<FunctionPrediction>,
}

/// What the networks of one activation function take an image for.
#[derive(Debug, Serialize)]
struct FunctionPrediction {
    activation: Activation,
    #[serde(flatten)]
    prediction: Prediction,
}

impl Record {
    /// Of the images called `data`, all networks' readings, and those of each activation function.
    pub(super) fn new(
        data: &str,
        known_images: Option<usize>,
        items: &[Item],
        together: &[Prediction],
        comparison: &Comparison,
    ) -> Self {
        let functions = comparison.functions.iter().map(FunctionRecord::new);
        let pairs = comparison.pairs().map(|[one, other]| PairRecord {
            activations: [one, other].map(|place| comparison.functions[place].activation),
            only: [(one, other), (other, one)].map(|(a, b)| comparison.correct_only_by(a, b).len()),
            p_value: comparison.p_value(one, other),
        });
        let predictions = |image: usize| -> Vec<FunctionPrediction> {
            let functions = comparison.functions.iter();
            let functions = functions.map(|function| FunctionPrediction {
                activation: function.activation,
                prediction: function.predictions[image],
            });
            functions.collect()
        };
        let mistakes = items
            .iter()
            .zip(together)
            .enumerate()
            .map(|(image, (item, &together))| MistakeRecord {
                number: item.number,
                label: item.label,
                together,
                functions: predictions(image),
            });
        Self {
            data: data.to_owned(),
            images: items.len(),
            known_images,
            misread: items
                .iter()
                .zip(together)
                .filter(|(item, prediction)| prediction.predicted != item.label)
                .count(),
            misread_by_all: comparison.misread_by_all,
            functions: functions.collect(),
            pairs: pairs.collect(),
            mistakes: mistakes.filter(MistakeRecord::is_misread).collect(),
        }
    }
}

impl FunctionRecord {
    fn new(function: &Function) -> Self {
        Self {
            activation: function.activation,
            networks: function.networks,
            misread: function.misread,
        }
    }
}

impl MistakeRecord {
    fn is_misread(&self) -> bool {
        let functions = self.functions.iter().map(|one| one.prediction);
        functions
            .chain([self.together])
            .any(|prediction| prediction.predicted != self.label)
    }
}
