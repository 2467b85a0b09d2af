//! The split into training and validation images.

use rand::Rng;
use seed::{ChaCha8Rng, Purpose};

use crate::error::Error;
use crate::images::LabelledImages;

/// Labelled images in two disjoint parts that together hold all of them.
#[derive(Clone, Debug)]
pub struct Split {
    /// The images that weights are fitted to, in the order of the file.
    pub training: LabelledImages,
    /// The images that results are measured on, in the order of the file. Empty if every class is
    /// too small for its share to make one image.
    pub validation: LabelledImages,
}

impl Split {
    /// Splits `images`, drawing the same share of every class for validation: `validation_fraction`
    /// of the class's images, rounded to the nearest number. One image of a class always stays in
    /// training.
    ///
    /// The split depends on the run's seed and the labels alone, and is the same on every machine.
    ///
    /// # Errors
    ///
    /// [`Error::Fraction`] unless `0 ≤ validation_fraction < 1`.
    pub fn new(
        images: &LabelledImages,
        validation_fraction: f64,
        run_seed: u64,
    ) -> Result<Self, Error> {
        if !(0.0..1.0).contains(&validation_fraction) {
            return Err(Error::Fraction {
                found: validation_fraction,
            });
        }
        let mut members = vec![Vec::new(); images.classes()];
        for (index, label) in (0..).zip(images.labels()) {
            members[usize::from(label)].push(index);
        }
        let (mut training, mut validation) = (Vec::new(), Vec::new());
        for (class, mut indices) in (0..).zip(members) {
            shuffle(
                &mut indices,
                &mut seed::stream(run_seed, Purpose::Split, 0, class),
            );
            let share = (validation_fraction * indices.len() as f64).round() as usize;
            let share = share.min(indices.len().saturating_sub(1));
            validation.extend_from_slice(&indices[..share]);
            training.extend_from_slice(&indices[share..]);
        }
        training.sort_unstable();
        validation.sort_unstable();
        Ok(Self {
            training: images.select(training),
            validation: images.select(validation),
        })
    }
}

/// Puts `items` into random order (Fisher and Yates; Durstenfeld 1964).
///
/// `rand` has a shuffle too, but not one that promises the same order in every version.
pub(crate) fn shuffle(items: &mut [u32], random: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last as u64 + 1, random) as usize);
    }
}

/// A number from 0 to `bound` − 1. Some are more probable than others by `bound` / 2⁶⁴ at most, a
/// share that no experiment can see.
fn below(bound: u64, random: &mut ChaCha8Rng) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use burn::data::dataset::Dataset;
    use proptest::prelude::*;

    use super::*;

    fn images(labels: &[u8]) -> LabelledImages {
        LabelledImages::new(vec![0; labels.len()], labels.to_vec(), 1).unwrap()
    }

    proptest! {
        #[test]
        fn disjoint_complete_and_stratified(
            labels in prop::collection::vec(0..5_u8, 1..200),
            fraction in 0.0..1.0_f64,
            run_seed: u64,
        ) {
            let images = images(&labels);
            let split = Split::new(&images, fraction, run_seed).unwrap();
            let (training, validation) = (split.training.rows(), split.validation.rows());
            prop_assert!(training.is_sorted() && validation.is_sorted());
            let all: BTreeSet<u32> = training.iter().chain(validation).copied().collect();
            prop_assert_eq!(all.len(), labels.len());
            prop_assert_eq!(training.len() + validation.len(), labels.len());
            for class in 0..5 {
                let count = |set: &LabelledImages| set.labels().filter(|&l| l == class).count();
                let (whole, validation) = (count(&images), count(&split.validation));
                let share = fraction * whole as f64;
                prop_assert!(
                    (validation as f64 - share).abs() <= 0.5 || validation + 1 == whole,
                    "{} of {} at {}", validation, whole, fraction
                );
                prop_assert!(whole == 0 || validation < whole);
            }
        }
    }

    #[test]
    fn a_class_of_one_stays_in_training() {
        let split = Split::new(&images(&[0, 1, 1]), 0.9, 7).unwrap();
        assert_eq!(split.training.len(), 2);
        assert!(split.training.rows().contains(&0));
        assert_eq!(split.validation.len(), 1);
    }

    #[test]
    fn another_seed_gives_another_split() {
        let images = images(&[0; 100]);
        let rows = |seed| {
            Split::new(&images, 0.1, seed)
                .unwrap()
                .validation
                .rows()
                .to_vec()
        };
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
    }

    /// By a program written from the definitions (ChaCha8 after RFC 8439 with four double rounds,
    /// Durstenfeld's shuffle, multiplication for the bound). A change here changes the results of
    /// every recorded run.
    #[test]
    fn the_split_is_stable() {
        let labels: Vec<u8> = (0..20).map(|row| row % 2).collect();
        let split = Split::new(&images(&labels), 0.3, 11).unwrap();
        assert_eq!(split.validation.rows(), [0, 11, 12, 14, 15, 19]);
    }

    #[test]
    fn fractions_outside_the_range() {
        for fraction in [-0.1, 1.0, f64::NAN] {
            let error = Split::new(&images(&[0]), fraction, 0).unwrap_err();
            assert!(matches!(error, Error::Fraction { .. }));
        }
    }

    /// Every order of three items comes up about equally often: 6000 shuffles, chi-squared with 5
    /// degrees of freedom, below its 99.9 % quantile 20.5.
    #[test]
    fn shuffles_are_uniform() {
        let mut counts = std::collections::BTreeMap::<[u32; 3], f64>::new();
        let mut random = seed::stream(0, Purpose::Split, 0, 0);
        for _ in 0..6000 {
            let mut items = [0, 1, 2];
            shuffle(&mut items, &mut random);
            *counts.entry(items).or_default() += 1.0;
        }
        let chi_squared: f64 = counts.values().map(|n| (n - 1000.0).powi(2) / 1000.0).sum();
        assert_eq!(counts.len(), 6);
        assert!(chi_squared < 20.5, "{chi_squared}");
    }
}
