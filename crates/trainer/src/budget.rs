//! How long a run trains, and on what, that is to tell functions apart.

/// What a run trains on and for how long, where the options leave it open: of Kaggle's digits two epochs of
/// half of them in batches of 256, of fewer images no less than what makes a network learn.
pub struct Budget {
    /// Share of the images by which the epoch is chosen.
    pub validation_fraction: f64,
    /// Share of the images by which functions are compared.
    pub test_fraction: f64,
    /// Share that is trained on of those that are not held out.
    pub training_fraction: f64,
    /// Images for each step.
    pub batch_size: usize,
    /// Passes over the training images.
    pub epochs: usize,
}

impl Budget {
    /// Enough images to choose an epoch by, and so few that looking into the network on all of them costs
    /// little beside the training …
    const VALIDATION_FRACTION: f64 = 0.025;
    /// … and this many of few images, but no more of them than …
    const VALIDATION_IMAGES: f64 = 50.0;
    /// … this share. Of many small classes, so many that each has one.
    const MOST_VALIDATION: f64 = 0.2;
    /// Share of the images by which functions are compared, and of few images as many as these …
    const TEST_FRACTION: f64 = 0.1;
    const TEST_IMAGES: f64 = 400.0;
    /// … but no larger share than this.
    const MOST_TEST: f64 = 0.25;
    /// With fewer images that are not held out than this, all of them are trained on.
    const FEW: f64 = 8000.0;
    /// A run sees at least so many images, each in its turn.
    const SEEN: f64 = 10_000.0;
    /// An epoch has so many steps, if batches need not be smaller than 32 for it.
    const STEPS: f64 = 64.0;

    /// For so many images, of so many classes.
    pub fn of(images: usize, classes: usize) -> Self {
        let images = images as f64;
        let share = |wanted: f64, least, most| {
            (wanted.max(classes as f64) / images.max(1.0)).clamp(least, most)
        };
        let validation_fraction = share(
            Self::VALIDATION_IMAGES,
            Self::VALIDATION_FRACTION,
            Self::MOST_VALIDATION,
        );
        let test_fraction = share(Self::TEST_IMAGES, Self::TEST_FRACTION, Self::MOST_TEST);
        let kept = images * (1.0 - validation_fraction - test_fraction);
        let training_fraction = if kept < Self::FEW { 1.0 } else { 0.5 };
        let (batch_size, epochs) = Self::pace(kept * training_fraction);
        Self {
            validation_fraction,
            test_fraction,
            training_fraction,
            batch_size,
            epochs,
        }
    }

    /// The batch size, and the epochs, for so many images to train on.
    pub fn pace(trained: f64) -> (usize, usize) {
        let trained = trained.max(1.0);
        let sizes = [256, 128, 64, 32];
        let many_steps = sizes
            .into_iter()
            .find(|&size| trained / size as f64 >= Self::STEPS);
        let epochs = ((Self::SEEN / trained).ceil() as usize).clamp(2, 50);
        (many_steps.unwrap_or(32), epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_images_are_seen_more_often_in_smaller_batches() {
        let budget = |images, classes| {
            let Budget {
                validation_fraction,
                test_fraction,
                training_fraction,
                batch_size,
                epochs,
            } = Budget::of(images, classes);
            let fractions = [validation_fraction, test_fraction, training_fraction];
            (fractions, batch_size, epochs)
        };
        assert_eq!(budget(42_000, 10), ([0.025, 0.1, 0.5], 256, 2));
        // 5,250 are trained on.
        assert_eq!(budget(12_000, 10), ([0.025, 0.1, 0.5], 64, 2));
        // 1,550, seven times.
        assert_eq!(budget(2_000, 10), ([0.025, 0.2, 1.0], 32, 7));
        // 325.
        assert_eq!(budget(500, 10), ([0.1, 0.25, 1.0], 32, 31));
        assert_eq!(budget(100, 10), ([0.2, 0.25, 1.0], 32, 50));
        assert_eq!(budget(0, 0), ([0.2, 0.25, 1.0], 32, 50));
    }

    /// As shares are rounded class by class.
    #[test]
    fn every_small_class_has_an_image_to_choose_and_to_compare_by() {
        let Budget {
            validation_fraction,
            test_fraction,
            ..
        } = Budget::of(3_000, 200);
        assert_eq!(validation_fraction * 15.0, 1.0);
        assert_eq!(test_fraction * 15.0, 2.0);
        let Budget { test_fraction, .. } = Budget::of(2_000, 250);
        assert!(test_fraction * 8.0 >= 1.0);
    }
}
