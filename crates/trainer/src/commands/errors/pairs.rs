//! Which images the networks of one activation function read and those of another do not.

use std::fmt;

use model::Activation;
use serde::Serialize;
use statistics::mcnemar;

use crate::evaluation::Probabilities;

/// What networks take an image for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Prediction {
    /// The most probable class.
    pub(super) predicted: usize,
    /// Its probability, 0 to 1.
    pub(super) probability: f64,
}

/// The networks of one activation function, and what they take the images for together.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) activation: Activation,
    /// Number of networks, whose probabilities are averaged.
    pub(super) networks: usize,
    /// One for each image.
    pub(super) predictions: Vec<Prediction>,
    /// Number of images that they misread.
    pub(super) misread: usize,
}

/// The activation functions of several networks, each against each.
#[derive(Debug)]
pub(super) struct Comparison {
    /// At least one, in the order in which the networks were given.
    pub(super) functions: Vec<Function>,
    /// Number of images that every function misreads.
    pub(super) misread_by_all: usize,
    /// For a function and another one, the images that only the first of the two reads; those first
    /// of whose wrong class the other is most sure.
    correct_only: Vec<Vec<Vec<usize>>>,
}

impl Prediction {
    /// One for each image.
    pub(super) fn of(probabilities: &Probabilities) -> Vec<Self> {
        let predictions = probabilities.predictions().into_iter();
        predictions
            .zip(probabilities.rows())
            .map(|(predicted, row)| Self {
                predicted,
                probability: row[predicted],
            })
            .collect()
    }
}

impl Function {
    /// Whether the image is taken for what it is.
    fn is_correct(&self, image: usize, label: usize) -> bool {
        self.predictions[image].predicted == label
    }

    /// Its name, and the number of its networks if there are several.
    pub(super) fn title(&self) -> String {
        match self.networks {
            1 => self.activation.to_string(),
            networks => format!("{} ({networks} networks)", self.activation),
        }
    }
}

impl Comparison {
    /// Of networks with these activation functions, what each makes of the images, and what the
    /// images are.
    pub(super) fn new(networks: &[(Activation, &Probabilities)], labels: &[usize]) -> Self {
        let functions = functions(networks, labels);
        let correct_only = functions
            .iter()
            .map(|one| {
                functions
                    .iter()
                    .map(|other| correct_only_by(one, other, labels))
                    .collect()
            })
            .collect();
        let misread_by_all = (0..)
            .zip(labels)
            .filter(|&(image, &label)| functions.iter().all(|one| !one.is_correct(image, label)))
            .count();
        Self {
            functions,
            misread_by_all,
            correct_only,
        }
    }

    /// The images that function number `one` reads and `other` does not; those first of whose wrong
    /// class `other` is most sure.
    pub(super) fn correct_only_by(&self, one: usize, other: usize) -> &[usize] {
        &self.correct_only[one][other]
    }

    /// Every two functions, by their numbers.
    pub(super) fn pairs(&self) -> impl Iterator<Item = [usize; 2]> {
        let count = self.functions.len();
        (0..count).flat_map(move |one| (one + 1..count).map(move |other| [one, other]))
    }

    /// The p-value of McNemar's exact test of two functions.
    pub(super) fn p_value(&self, one: usize, other: usize) -> f64 {
        mcnemar(
            self.correct_only_by(one, other).len(),
            self.correct_only_by(other, one).len(),
        )
    }

    /// What the test says of two functions: `McNemar's exact test: p = 0.219`.
    pub(super) fn test(&self, one: usize, other: usize) -> String {
        match self.p_value(one, other) {
            small if small < 0.001 => String::from("McNemar's exact test: p < 0.001"),
            p_value => format!("McNemar's exact test: p = {p_value:.3}"),
        }
    }

    /// The table's row of one function: the images that it reads and each other function does not.
    pub(super) fn row(&self, one: usize) -> impl Iterator<Item = Option<usize>> {
        (0..self.functions.len())
            .map(move |other| (one != other).then(|| self.correct_only_by(one, other).len()))
    }
}

/// The table, and a line for every two functions.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALL: &str = "every function";
        let names: Vec<String> = self
            .functions
            .iter()
            .map(|one| one.activation.to_string())
            .collect();
        let titles: Vec<String> = self.functions.iter().map(Function::title).collect();
        let first = titles
            .iter()
            .map(String::len)
            .max()
            .unwrap_or(0)
            .max(ALL.len());
        let widths: Vec<usize> = names.iter().map(|name| name.len().max(6) + 2).collect();

        writeln!(
            f,
            "images that the row's function reads and the column's does not:"
        )?;
        write!(f, "{:first$}", "")?;
        for (name, &width) in names.iter().zip(&widths) {
            write!(f, "{name:>width$}")?;
        }
        writeln!(f, "{:>9}", "misread")?;
        for (one, title) in titles.iter().enumerate() {
            write!(f, "{title:first$}")?;
            for (count, &width) in self.row(one).zip(&widths) {
                let count = count.map_or_else(|| String::from("–"), |count| count.to_string());
                write!(f, "{count:>width$}")?;
            }
            writeln!(f, "{:>9}", self.functions[one].misread)?;
        }
        let between: usize = widths.iter().sum();
        write!(f, "{ALL:first$}{:between$}{:>9}", "", self.misread_by_all)?;
        for [one, other] in self.pairs() {
            let counts = [
                self.correct_only_by(one, other).len(),
                self.correct_only_by(other, one).len(),
            ];
            let [one_name, other_name] = [&names[one], &names[other]];
            write!(f, "\n{one_name} and {other_name}: ")?;
            if counts == [0, 0] {
                write!(f, "no difference, they read the same images")?;
            } else {
                write!(
                    f,
                    "only {one_name} reads {}, only {other_name} {}; {}",
                    counts[0],
                    counts[1],
                    self.test(one, other)
                )?;
            }
        }
        Ok(())
    }
}

/// The networks by activation function, in the order in which the functions come up.
fn functions(networks: &[(Activation, &Probabilities)], labels: &[usize]) -> Vec<Function> {
    let mut groups: Vec<(Activation, Vec<&Probabilities>)> = Vec::new();
    for &(activation, probabilities) in networks {
        match groups.iter_mut().find(|(known, _)| *known == activation) {
            Some((_, group)) => group.push(probabilities),
            None => groups.push((activation, vec![probabilities])),
        }
    }
    groups
        .into_iter()
        .map(|(activation, group)| {
            let predictions = Prediction::of(&Probabilities::mean(&group));
            let right = predictions.iter().zip(labels);
            Function {
                activation,
                networks: group.len(),
                misread: right
                    .filter(|(prediction, label)| prediction.predicted != **label)
                    .count(),
                predictions,
            }
        })
        .collect()
}

/// The images that `one` reads and `other` does not; those first of whose wrong class `other` is most
/// sure.
fn correct_only_by(one: &Function, other: &Function, labels: &[usize]) -> Vec<usize> {
    let mut images: Vec<usize> = (0..)
        .zip(labels)
        .filter(|&(image, &label)| one.is_correct(image, label) && !other.is_correct(image, label))
        .map(|(image, _)| image)
        .collect();
    let confidence = |image: usize| other.predictions[image].probability;
    images.sort_by(|&a, &b| confidence(b).total_cmp(&confidence(a)));
    images
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Six images of which ReLU's two networks misread number 1 together, tanh numbers 1, 3 and 4.
    pub(in crate::commands::errors) fn comparison() -> Comparison {
        // The logits are those of class 1; class 0 has 0.
        let prediction = |logits: [f32; 6]| {
            let logits: Vec<f32> = logits.iter().flat_map(|&one| [0.0, one]).collect();
            Probabilities::softmax(&logits, 2)
        };
        let networks = [
            (
                Activation::Relu,
                prediction([-1.0, 1.0, 1.0, -1.0, 1.0, 1.0]),
            ),
            (
                Activation::Tanh,
                prediction([-1.0, 1.0, 1.0, 1.0, -2.0, 1.0]),
            ),
            // Wrong about number 2, less surely than the other is right.
            (
                Activation::Relu,
                prediction([-1.0, 1.0, -0.5, -1.0, 1.0, 1.0]),
            ),
        ];
        let networks: Vec<_> = networks.iter().map(|(one, read)| (*one, read)).collect();
        Comparison::new(&networks, &[0, 0, 1, 0, 1, 1])
    }

    #[test]
    fn runs_of_one_function_read_together() {
        let comparison = comparison();
        let [relu, tanh] = comparison.functions.as_slice() else {
            panic!("two functions");
        };
        assert_eq!((relu.networks, tanh.networks), (2, 1));
        assert_eq!((relu.misread, tanh.misread), (1, 3));
        assert_eq!(comparison.misread_by_all, 1);
        assert_eq!(relu.predictions[2].predicted, 1);
        // The mean of 1 / (1 + e⁻¹) and 1 / (1 + e^½).
        let probability = (0.731_058_578_630_004_9 + 0.377_540_668_798_145_4) / 2.0;
        assert!((relu.predictions[2].probability - probability).abs() < 1e-7);
    }

    #[test]
    fn sure_mistakes_of_the_other_come_first() {
        let comparison = comparison();
        assert_eq!(comparison.correct_only_by(0, 1), [4, 3]);
        assert!(comparison.correct_only_by(1, 0).is_empty());
        assert_eq!(comparison.p_value(0, 1), 0.5);
    }

    #[test]
    fn text_for_people() {
        insta::assert_snapshot!(comparison(), @"
        images that the row's function reads and the column's does not:
                             relu    tanh  misread
        relu (2 networks)       –       2        1
        tanh                    0       –        3
        every function                           1
        relu and tanh: only relu reads 2, only tanh 0; McNemar's exact test: p = 0.500
        ");
    }

    #[test]
    fn functions_without_a_difference() {
        let read = Probabilities::softmax(&[0.0, 1.0, 1.0, 0.0], 2);
        let networks = [Activation::Gelu, Activation::Silu].map(|one| (one, &read));
        let comparison = Comparison::new(&networks, &[1, 1]);
        assert_eq!(comparison.misread_by_all, 1);
        assert!(
            comparison
                .to_string()
                .ends_with("gelu and silu: no difference, they read the same images")
        );
    }
}
