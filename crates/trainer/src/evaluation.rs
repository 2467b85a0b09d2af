//! What a trained network makes of images, and how good that is.

use std::borrow::Borrow;
use std::collections::HashSet;

use anyhow::{Result, anyhow};
use burn::data::dataloader::DataLoader;
use burn::tensor::Tensor;
use data::{ImageBatch, LabelledBatch};
use measurement::expected_calibration_error;
use serde::Serialize;
use statistics::{Interval, proportion_interval};

use crate::classifier::Classifier;
use crate::config::Loss;

/// Images per batch when nothing is trained: so few that what one layer gives is still in cache when
/// the next one reads it.
pub const BATCH_SIZE: std::num::NonZeroUsize = std::num::NonZeroUsize::new(128).unwrap();

/// So many images of a class are enough to say what most of them are taken for.
const ENOUGH: usize = 5;

/// How often the intervals of accuracies and their differences are to hold the true value.
pub const CONFIDENCE: f64 = 0.95;

/// The probability of each class for each image.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    /// `[images, classes]`, image by image.
    values: Vec<f64>,
    classes: usize,
}

/// A batch whose images can be read.
pub trait Images {
    /// `[batch, 1, side, side]`.
    fn images(self) -> Tensor<4>;
}

impl Images for LabelledBatch {
    fn images(self) -> Tensor<4> {
        self.images
    }
}

impl Images for ImageBatch {
    fn images(self) -> Tensor<4> {
        self.images
    }
}

impl Probabilities {
    /// What `logits`, `[images, classes]` image by image, say of a network trained with `loss`.
    pub fn of(loss: Loss, logits: &[f32], classes: usize) -> Self {
        match loss {
            Loss::CrossEntropy => Self::softmax(logits, classes),
            Loss::BinaryCrossEntropy => Self::sigmoid(logits, classes),
        }
    }

    /// The sigmoid of each of `logits`, `[images, classes]` image by image, divided by their sum.
    pub fn sigmoid(logits: &[f32], classes: usize) -> Self {
        // By the logarithms of the sigmoids, as all of an image may be too small for a number.
        Self::normalized_exponentials(logits, classes, |x| x.min(0.0) - (-x.abs()).exp().ln_1p())
    }

    /// The softmax of `logits`, `[images, classes]` image by image.
    pub fn softmax(logits: &[f32], classes: usize) -> Self {
        Self::normalized_exponentials(logits, classes, |x| x)
    }

    /// For each image the exponentials of `exponent(logit)`, divided by their sum.
    fn normalized_exponentials(
        logits: &[f32],
        classes: usize,
        exponent: impl Fn(f64) -> f64,
    ) -> Self {
        let mut values = Vec::with_capacity(logits.len());
        for logits in logits.chunks_exact(classes) {
            let exponents = logits.iter().map(|&logit| exponent(f64::from(logit)));
            // Shifting them changes nothing but keeps the exponentials in range.
            let highest = exponents.clone().fold(f64::NEG_INFINITY, f64::max);
            let shifted = exponents.map(|exponent| (exponent - highest).exp());
            let sum: f64 = shifted.clone().sum();
            values.extend(shifted.map(|exponential| exponential / sum));
        }
        Self { values, classes }
    }

    /// The mean of several predictions for the same images; at least one.
    pub fn mean<P: Borrow<Self>>(predictions: &[P]) -> Self {
        let count = predictions.len() as f64;
        let first = predictions[0].borrow();
        let mean = |place: usize| {
            let values = predictions
                .iter()
                .map(|prediction| prediction.borrow().values[place]);
            values.sum::<f64>() / count
        };
        Self {
            values: (0..first.values.len()).map(mean).collect(),
            classes: first.classes,
        }
    }

    /// Adds another prediction for the same images: the sum is none until it is [divided](Self::divided_by).
    pub fn add(&mut self, other: &Self) {
        for (value, other) in self.values.iter_mut().zip(&other.values) {
            *value += other;
        }
    }

    /// All probabilities divided by a number, which makes a sum of so many the mean.
    pub fn divided_by(mut self, number: f64) -> Self {
        for value in &mut self.values {
            *value /= number;
        }
        self
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The probabilities of each image in turn.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.classes)
    }

    /// The most probable class of each image; of equals, the first.
    pub fn predictions(&self) -> Vec<usize> {
        let most_probable = |row: &[f64]| {
            (0..row.len()).fold(
                0,
                |best, class| if row[class] > row[best] { class } else { best },
            )
        };
        self.rows().map(most_probable).collect()
    }
}

/// The logits `[images, classes]` of a batch in the program's memory, image after image.
///
/// # Errors
///
/// If the device's result cannot be copied.
pub fn read_logits(output: Tensor<2>) -> Result<Vec<f32>> {
    output
        .into_data()
        .try_into_vec()
        .map_err(|error| anyhow!("cannot read the network's output: {error:?}"))
}

/// Reads all images of `loader`.
///
/// # Errors
///
/// If the data cannot be loaded, or the device's result not be copied.
pub fn predict<B: Images + 'static>(
    classifier: &Classifier,
    loader: &dyn DataLoader<B>,
    classes: usize,
) -> Result<Probabilities> {
    let mut logits = Vec::with_capacity(loader.num_items() * classes);
    for batch in loader.iter() {
        let output = classifier.network.forward(batch?.images());
        logits.extend(read_logits(output)?);
    }
    Ok(Probabilities::of(classifier.loss, &logits, classes))
}

/// How well a network reads labelled images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of images.
    pub images: usize,
    /// Share of them read correctly, 0 to 1.
    pub accuracy: f64,
    /// The 95 % interval of the accuracy for such images ([`proportion_interval`]); `None` without an
    /// image.
    pub accuracy_interval: Option<Interval>,
    /// Mean cross-entropy per image, in nats.
    pub loss: f64,
    /// Expected calibration error, 0 to 1; see [`expected_calibration_error`].
    pub calibration_error: Option<f64>,
    /// One entry per class.
    pub classes: Vec<ClassScore>,
    /// Number of images by label (row) and prediction (column).
    pub confusion: Vec<Vec<usize>>,
}

/// How well one class is told from the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassScore {
    /// Number of images of the class.
    pub images: usize,
    /// Share of the images predicted to be of the class that are; `None` if there are none.
    pub precision: Option<f64>,
    /// Share of the class's images that are predicted to be; `None` if there are none.
    pub recall: Option<f64>,
}

impl Evaluation {
    /// Compares probabilities with the true labels, one per image.
    pub fn new(probabilities: &Probabilities, labels: &[u8]) -> Self {
        let classes = probabilities.classes;
        let images = labels.len();
        let mut confusion = vec![vec![0; classes]; classes];
        let mut loss = 0.0;
        let mut sure = Vec::with_capacity(images);
        for ((&label, row), prediction) in labels
            .iter()
            .zip(probabilities.rows())
            .zip(probabilities.predictions())
        {
            let label = usize::from(label);
            confusion[label][prediction] += 1;
            sure.push((row[prediction], prediction == label));
            // The smallest probability that is no zero: a finite, if large, loss.
            loss -= row[label].max(f64::MIN_POSITIVE).ln();
        }
        let correct: usize = (0..classes).map(|class| confusion[class][class]).sum();
        let accuracy = correct as f64 / images as f64;
        Self {
            images,
            accuracy,
            accuracy_interval: proportion_interval(correct, images, CONFIDENCE).ok(),
            loss: loss / images as f64,
            calibration_error: expected_calibration_error(sure),
            classes: (0..classes)
                .map(|class| ClassScore::new(&confusion, class))
                .collect(),
            confusion,
        }
    }

    /// The mean over the classes of the share of their images read correctly, 0 to 1; `None` without an image.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls = self.classes.iter().filter_map(|class| class.recall);
        let recalls: Vec<f64> = recalls.collect();
        (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
    }

    /// What is to be known where one class says much of the accuracy: that naming the commonest class every time
    /// would be as good, or that it would be right for more than half of the images.
    pub fn note_on_one_class(&self) -> Option<String> {
        let present = (0..)
            .zip(&self.classes)
            .filter(|(_, score)| score.images > 0);
        if present.clone().count() < 2 {
            return None;
        }
        let (class, most) = present.max_by_key(|(_, score)| score.images)?;
        let share = most.images as f64 / self.images as f64;
        let percent = format!("{:.2} %", 100.0 * share);
        if self.accuracy <= share {
            Some(format!(
                "note: naming class {class} every time is right for {percent}: the network does not tell the classes apart; where others do, a lower learning rate or more steps may help"
            ))
        } else if share > 0.5 {
            let balanced = self.balanced_accuracy()?;
            Some(format!(
                "note: naming class {class} every time would be right for {percent}; balanced accuracy, the mean over the classes of the share classified correctly, is {:.2} %",
                100.0 * balanced
            ))
        } else {
            None
        }
    }

    /// What is to be known where most images of each class are taken for those of another one, so that the labels are
    /// probably numbered otherwise than in training.
    pub fn note_on_numbering(&self) -> Option<String> {
        let commonest = |row: &Vec<usize>| (0..row.len()).max_by_key(|&class| row[class]);
        let mut taken_for: Vec<(usize, usize)> = Vec::new();
        let mut images = 0;
        for (class, row) in self.confusion.iter().enumerate() {
            if row.iter().sum::<usize>() > 0 {
                let prediction = commonest(row)?;
                images += row[prediction];
                taken_for.push((class, prediction));
            }
        }
        let distinct: HashSet<usize> = taken_for
            .iter()
            .map(|&(_, prediction)| prediction)
            .collect();
        let share = images as f64 / self.images as f64;
        let counts = self.confusion.iter().map(|row| row.iter().sum::<usize>());
        let fewest = counts.filter(|&count| count > 0).min().unwrap_or(0);
        if taken_for.len() < 2
            || fewest < ENOUGH
            || distinct.len() < taken_for.len()
            || share <= 0.5
            || self.accuracy >= share / 2.0
        {
            return None;
        }
        let (class, prediction) = *taken_for
            .iter()
            .find(|(class, prediction)| class != prediction)?;
        Some(format!(
            "note: {:.0} % would be right if the labels were others, such as {prediction} for {class}: they are probably not numbered as in training, which `trainer data convert --classes` does",
            100.0 * share
        ))
    }

    /// The accuracy in percent, for people, with its interval.
    pub fn accuracy_text(&self) -> String {
        accuracy_text(self.accuracy, self.accuracy_interval)
    }
}

/// An accuracy in percent, for people, with its interval.
pub fn accuracy_text(accuracy: f64, interval: Option<Interval>) -> String {
    let mut text = format!("{:.2} %", 100.0 * accuracy);
    if let Some(interval) = interval {
        text += " ";
        text += &interval_text(interval, |percent| format!("{percent:.2}"));
    }
    text
}

/// An interval of proportions in percent, whose ends `number` writes.
pub fn interval_text(interval: Interval, number: impl Fn(f64) -> String) -> String {
    let [confidence, lower, upper] =
        [interval.confidence, interval.lower, interval.upper].map(|end| 100.0 * end);
    let (lower, upper) = (number(lower), number(upper));
    // A hyphen is not as wide as a plus.
    let [lower, upper] = [lower, upper].map(|end| end.replace('-', "−"));
    format!("({confidence} % interval {lower} to {upper})")
}

/// A gain of accuracy in percentage points with its sign, never −0.00.
pub fn signed_points(points: f64) -> String {
    let rounded = (100.0 * points).round() / 100.0 + 0.0;
    format!("{rounded:+.2}").replace('-', "−")
}

impl ClassScore {
    fn new(confusion: &[Vec<usize>], class: usize) -> Self {
        let hits = confusion[class][class];
        let images = confusion[class].iter().sum();
        let predicted = confusion.iter().map(|row| row[class]).sum();
        let share = |of: usize| (of > 0).then(|| hits as f64 / of as f64);
        Self {
            images,
            precision: share(predicted),
            recall: share(images),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four images, three classes: right, right, 1 taken for 0, 2 taken for 1.
    fn evaluation() -> Evaluation {
        let probabilities = Probabilities {
            values: vec![
                0.50, 0.25, 0.25, //
                0.25, 0.50, 0.25, //
                0.50, 0.25, 0.25, //
                0.25, 0.50, 0.25,
            ],
            classes: 3,
        };
        Evaluation::new(&probabilities, &[0, 1, 1, 2])
    }

    #[test]
    fn scores_derived_by_hand() {
        let evaluation = evaluation();
        assert_eq!(evaluation.accuracy, 0.5);
        // 0.5 ± z √(1/16 + z²/64) / (1 + z²/4) for z = 1.95996.
        let interval = evaluation.accuracy_interval.unwrap();
        assert!((interval.lower - 0.150_039).abs() < 1e-6, "{interval:?}");
        assert!((interval.upper - 0.849_961).abs() < 1e-6, "{interval:?}");
        assert!((evaluation.loss - 1.5 * 2.0_f64.ln()).abs() < 1e-12);
        // (1 + 1/2 + 0) / 3.
        assert_eq!(evaluation.balanced_accuracy(), Some(0.5));
        assert_eq!(
            evaluation.confusion,
            [vec![1, 0, 0], vec![1, 1, 0], vec![0, 1, 0]]
        );
        let scores: Vec<_> = evaluation
            .classes
            .iter()
            .map(|class| (class.images, class.precision, class.recall))
            .collect();
        assert_eq!(
            scores,
            [
                (1, Some(0.5), Some(1.0)),
                (2, Some(0.5), Some(0.5)),
                (1, None, Some(0.0))
            ]
        );
    }

    #[test]
    fn one_class_that_says_much_is_noted() {
        let note = |labels: &[u8], logits: &[f32]| {
            let evaluation = Evaluation::new(&Probabilities::softmax(logits, 2), labels);
            evaluation.note_on_one_class()
        };
        // Two of three are of class 0, and all are read as 0.
        let named = note(&[0, 0, 1], &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert!(named.unwrap().starts_with(
            "note: naming class 0 every time is right for 66.67 %: the network does not tell the classes apart"
        ));
        insta::assert_snapshot!(
            note(&[0, 0, 1], &[1.0, 0.0, 1.0, 0.0, 0.0, 1.0]).unwrap(),
            @"note: naming class 0 every time would be right for 66.67 %; balanced accuracy, the mean over the classes of the share classified correctly, is 100.00 %"
        );
        assert_eq!(note(&[0, 1], &[1.0, 0.0, 0.0, 1.0]), None);
        // There is nothing to tell apart.
        assert_eq!(note(&[0, 0], &[1.0, 0.0, 1.0, 0.0]), None);
    }

    /// Five images of each of three classes, and what they are taken for.
    #[test]
    fn labels_that_are_numbered_otherwise_are_noted() {
        let note = |taken_for: [[usize; 5]; 3]| {
            let one_hot =
                |class: usize| (0..3).map(move |other| f32::from(u8::from(other == class)));
            let logits: Vec<f32> = taken_for.into_iter().flatten().flat_map(one_hot).collect();
            let labels: Vec<u8> = (0..3).flat_map(|label| [label; 5]).collect();
            Evaluation::new(&Probabilities::softmax(&logits, 3), &labels).note_on_numbering()
        };
        insta::assert_snapshot!(
            note([[1, 1, 1, 1, 0], [2; 5], [0; 5]]).unwrap(),
            @"note: 93 % would be right if the labels were others, such as 1 for 0: they are probably not numbered as in training, which `trainer data convert --classes` does"
        );
        // Right, all of one class, and one class alone for another.
        assert_eq!(note([[0; 5], [1; 5], [2, 2, 2, 2, 0]]), None);
        assert_eq!(note([[1; 5], [1; 5], [1; 5]]), None);
        assert_eq!(note([[0; 5], [2, 2, 2, 1, 1], [1, 1, 2, 2, 2]]), None);
    }

    /// Two images say nothing of how labels are numbered.
    #[test]
    fn few_images_say_nothing_of_labels() {
        let exchanged = Probabilities::softmax(&[0.0, 1.0, 1.0, 0.0], 2);
        assert_eq!(
            Evaluation::new(&exchanged, &[0, 1]).note_on_numbering(),
            None
        );
    }

    #[test]
    fn nothing_gained_has_no_minus() {
        let gains = [-0.004, 0.0, 0.126, -1.0].map(signed_points);
        assert_eq!(gains, ["+0.00", "+0.00", "+0.13", "−1.00"]);
    }

    /// SciPy 1.17: `scipy.special.softmax([1, 2, 4])`, and of 1000 times that.
    #[test]
    fn softmax_is_scipys() {
        let small = Probabilities::softmax(&[1.0, 2.0, 4.0], 3);
        for (found, expected) in small.values.iter().zip([
            0.042_010_066_134_066_05,
            0.114_195_199_384_594_49,
            0.843_794_734_481_339_5,
        ]) {
            assert!((found - expected).abs() < 1e-15);
        }
        let large = Probabilities::softmax(&[1000.0, 2000.0, 4000.0], 3);
        assert_eq!(large.values, [0.0, 0.0, 1.0]);
    }

    /// Whatever the logits: each from 0 to 1, and together 1.
    #[test]
    fn softmax_gives_probabilities() {
        for scale in [0.0, 1e-30, 1.0, 30.0, 1e4, f32::MAX] {
            let logits: Vec<f32> = (0..200_u8)
                .map(|place| scale * (f32::from(place) * 1.7).sin())
                .collect();
            for row in Probabilities::softmax(&logits, 10).values.chunks(10) {
                assert!(
                    row.iter().all(|p| (0.0..=1.0).contains(p)),
                    "{scale}: {row:?}"
                );
                let sum: f64 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-14, "{scale}: {sum}");
            }
        }
    }

    #[test]
    fn predictions_are_averaged() {
        let predictions = [[0.0, 0.0], [0.0, 3.0_f32.ln()]].map(|z| Probabilities::softmax(&z, 2));
        let mean = Probabilities::mean(&predictions);
        for (found, expected) in mean.values.iter().zip([0.375, 0.625]) {
            assert!((found - expected).abs() < 1e-7);
        }
    }

    #[test]
    fn sigmoids_are_shared_out() {
        let even = Probabilities::sigmoid(&[0.0, 0.0, -1000.0, 1000.0, -1000.0, 0.0], 3);
        let third = 1.0 / 3.0;
        assert_eq!(even.values[..3], [0.5, 0.5, 0.0]);
        assert!((even.values[3] - 2.0 * third).abs() < 1e-12);
        assert!((even.values[5] - third).abs() < 1e-12);
        // Each is below the smallest number; e⁻¹⁰⁰⁰ : e⁻¹⁰⁰¹ is e : 1.
        let small = Probabilities::sigmoid(&[-1000.0, -1001.0], 2);
        let e = 1_f64.exp();
        assert!((small.values[0] - e / (e + 1.0)).abs() < 1e-12);
    }

    #[test]
    fn of_equal_probabilities_the_first_class_wins() {
        let even = Probabilities::softmax(&[1.0, 1.0, 0.0, 0.0, 0.0, 0.0], 3);
        assert_eq!(even.predictions(), [0, 0]);
    }
}
