//! The split into images to train on and images to predict.

use seed::Purpose;

use crate::error::Error;

/// All images in two disjoint parts, each in random order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the images to train on.
    pub training: Vec<u32>,
    /// Indices of the images to predict.
    pub test: Vec<u32>,
}

impl Split {
    /// The index of the random stream. Splits into training and validation rows use the numbers of
    /// classes, which are below 256.
    const STREAM: u64 = u64::MAX;

    /// Puts the numbers from 0 to `count` − 1 into random order and cuts after the first
    /// `training`.
    ///
    /// The split depends on the three arguments alone, and is the same on every machine.
    ///
    /// # Errors
    ///
    /// [`Error::SplitSize`] unless both parts get an image.
    pub fn new(count: usize, training: usize, run_seed: u64) -> Result<Self, Error> {
        let Ok(all) = u32::try_from(count) else {
            return Err(Error::SplitSize { training, count });
        };
        if training == 0 || training >= count {
            return Err(Error::SplitSize { training, count });
        }
        let mut order: Vec<u32> = (0..all).collect();
        let mut random = seed::stream(run_seed, Purpose::Split, 0, Self::STREAM);
        seed::shuffle(&mut order, &mut random);
        let test = order.split_off(training);
        Ok(Self {
            training: order,
            test,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn disjoint_and_complete(count in 2..500_usize, cut in 0.0..1.0_f64, run_seed: u64) {
            let training = 1 + (cut * (count - 1) as f64) as usize;
            let split = Split::new(count, training, run_seed).unwrap();
            prop_assert_eq!(split.training.len(), training);
            let mut all = split.training;
            all.extend(split.test);
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..count as u32));
        }
    }

    /// By a program written from the definitions (ChaCha8 after RFC 8439 with four double rounds,
    /// Durstenfeld's shuffle, multiplication for the bound). A change here makes other files of the
    /// same names.
    #[test]
    fn the_split_is_stable() {
        let split = Split::new(10, 6, 0).unwrap();
        assert_eq!(split.training, [6, 2, 5, 8, 0, 7]);
        assert_eq!(split.test, [1, 3, 4, 9]);
        let split = Split::new(10, 6, 7).unwrap();
        assert_eq!(split.training, [6, 4, 2, 3, 1, 9]);
        assert_eq!(split.test, [0, 5, 8, 7]);
        let split = Split::new(70_000, 42_000, 0).unwrap();
        assert_eq!(split.training[..5], [20438, 44675, 9898, 21731, 10944]);
        assert_eq!(split.test[..5], [1902, 8464, 60119, 15890, 17124]);
    }

    #[test]
    fn parts_without_images() {
        for (count, training) in [(0, 0), (1, 1), (5, 0), (5, 5), (5, 6), (usize::MAX, 3)] {
            let error = Split::new(count, training, 0).unwrap_err();
            assert!(
                matches!(error, Error::SplitSize { .. }),
                "{count} {training}"
            );
        }
    }
}
