//! The split into training, validation and test images.

use seed::{Purpose, shuffle};

use crate::error::Error;
use crate::images::LabelledImages;

/// Which shares of the labelled images are for what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fractions {
    /// Share held out for validation, at least 0 and below 1.
    pub validation: f64,
    /// Share held out for the test, at least 0; below 1 together with that for validation.
    pub test: f64,
    /// Share of the others that is trained on, above 0 and at most 1.
    pub training: f64,
}

/// Labelled images in disjoint parts.
#[derive(Clone, Debug)]
pub struct Split {
    /// The images that weights are fitted to, in the order of the file.
    pub training: LabelledImages,
    /// The images that choices are made by, in the order of the file. Empty if every class is too
    /// small for its share to make one image.
    pub validation: LabelledImages,
    /// The images that nothing is chosen by, likewise.
    pub test: LabelledImages,
}

impl Fractions {
    fn check(self) -> Result<(), Error> {
        let held_out = self.validation + self.test;
        for (name, found, holds) in [
            ("validation", self.validation, self.validation >= 0.0),
            ("test", self.test, self.test >= 0.0),
            ("validation and test", held_out, held_out < 1.0),
            (
                "training",
                self.training,
                self.training > 0.0 && self.training <= 1.0,
            ),
        ] {
            if !holds {
                return Err(Error::Fraction { name, found });
            }
        }
        Ok(())
    }
}

impl Split {
    /// Splits `images`, drawing the same share of every class for each part, rounded to the nearest
    /// number of images. One image of a class always stays in training.
    ///
    /// The split depends on the run's seed and the labels alone, and is the same on every machine.
    /// Another share for the test leaves the validation images as they are, and another share for
    /// training both of them.
    ///
    /// # Errors
    ///
    /// [`Error::Fraction`] if a share is outside its range.
    pub fn new(images: &LabelledImages, shares: Fractions, run_seed: u64) -> Result<Self, Error> {
        shares.check()?;
        let mut members = vec![Vec::new(); images.classes()];
        for (index, label) in (0..).zip(images.labels()) {
            members[usize::from(label)].push(index);
        }
        let [mut training, mut validation, mut test] = [const { Vec::new() }; 3];
        for (class, mut indices) in (0..).zip(members) {
            shuffle(
                &mut indices,
                &mut seed::stream(run_seed, Purpose::Split, 0, class),
            );
            // The image that stays is the last, whatever the shares.
            let share = |share: f64, of: usize| (share * of as f64).round() as usize;
            let spare = indices.len().saturating_sub(1);
            let valid = share(shares.validation, indices.len()).min(spare);
            let tested = share(shares.test, indices.len()).min(spare - valid);
            let rest = indices.len() - valid - tested;
            let trained = share(shares.training, rest).max(1).min(rest);
            validation.extend_from_slice(&indices[..valid]);
            test.extend_from_slice(&indices[valid..valid + tested]);
            training.extend_from_slice(&indices[indices.len() - trained..]);
        }
        let part = |mut rows: Vec<u32>| {
            rows.sort_unstable();
            images.select(rows)
        };
        Ok(Self {
            training: part(training),
            validation: part(validation),
            test: part(test),
        })
    }
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

    fn validation_only(validation: f64) -> Fractions {
        Fractions {
            validation,
            test: 0.0,
            training: 1.0,
        }
    }

    proptest! {
        #[test]
        fn disjoint_complete_and_stratified(
            labels in prop::collection::vec(0..5_u8, 1..200),
            fraction in 0.0..1.0_f64,
            run_seed: u64,
        ) {
            let images = images(&labels);
            let shares = validation_only(fraction);
            let split = Split::new(&images, shares, run_seed).unwrap();
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
    fn shares_for_test_and_training_leave_the_rest_as_it_is() {
        let labels: Vec<u8> = (0..200).map(|row| row % 4).collect();
        let images = images(&labels);
        let split = |test, training| {
            let shares = Fractions {
                validation: 0.2,
                test,
                training,
            };
            Split::new(&images, shares, 5).unwrap()
        };
        let (whole, tested, few) = (split(0.0, 1.0), split(0.3, 1.0), split(0.3, 0.1));
        assert_eq!(whole.test.len(), 0);
        assert_eq!(whole.validation.rows(), tested.validation.rows());
        assert_eq!(tested.validation.rows(), few.validation.rows());
        assert_eq!(tested.test.rows(), few.test.rows());
        assert_eq!((tested.test.len(), tested.training.len()), (60, 100));
        assert_eq!(few.training.len(), 12);
        let all: BTreeSet<u32> = [&tested.training, &tested.validation, &tested.test]
            .into_iter()
            .flat_map(|part| part.rows().iter().copied())
            .collect();
        assert_eq!(all.len(), 200);
        let trained: BTreeSet<u32> = tested.training.rows().iter().copied().collect();
        assert!(few.training.rows().iter().all(|row| trained.contains(row)));
    }

    #[test]
    fn a_class_of_one_stays_in_training() {
        let split = Split::new(&images(&[0, 1, 1]), validation_only(0.9), 7).unwrap();
        assert_eq!(split.training.len(), 2);
        assert!(split.training.rows().contains(&0));
        assert_eq!(split.validation.len(), 1);
    }

    #[test]
    fn another_seed_gives_another_split() {
        let images = images(&[0; 100]);
        let rows = |seed| {
            Split::new(&images, validation_only(0.1), seed)
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
        let split = Split::new(&images(&labels), validation_only(0.3), 11).unwrap();
        assert_eq!(split.validation.rows(), [0, 11, 12, 14, 15, 19]);
    }

    #[test]
    fn fractions_outside_the_range() {
        let error = |validation, test, training| {
            let shares = Fractions {
                validation,
                test,
                training,
            };
            Split::new(&images(&[0]), shares, 0)
                .unwrap_err()
                .to_string()
        };
        for fraction in [-0.1, 1.0, f64::NAN] {
            assert!(error(fraction, 0.0, 1.0).contains("fraction"));
            assert!(error(0.0, fraction, 1.0).contains("fraction"));
        }
        assert!(error(0.5, 0.5, 1.0).starts_with("found the validation and test fraction 1,"));
        for fraction in [-0.1, 0.0, 1.1, f64::NAN] {
            assert!(error(0.1, 0.1, fraction).starts_with("found the training fraction"));
        }
    }
}
