//! Standardisation of pixels.

use serde::{Deserialize, Serialize};

use crate::pixel_histogram::PixelHistogram;

/// Mean and standard deviation of pixels on the scale from 0 to 1.
///
/// An image enters the network as `(pixel / 255 − mean) / standard_deviation`. The two numbers are
/// taken from the training images alone and stored with the model, so that later images are scaled
/// alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Mean of all pixels, 0 to 1.
    pub mean: f32,
    /// Standard deviation of all pixels (of the population), 0 to 0.5. It is 1 where all pixels are
    /// equal, so that nothing is divided by zero.
    pub standard_deviation: f32,
}

impl Scaling {
    /// The scaling of these pixels.
    pub(crate) fn of<'a>(images: impl Iterator<Item = &'a [u8]>) -> Self {
        let pixels = PixelHistogram::new(images.flatten());
        let [count, sum] = [0, 1].map(|power| pixels.moment(power));
        let variance = pixels.variance_times_count_squared();
        if variance == 0 {
            let mean = if count == 0 {
                0.0
            } else {
                sum as f64 / (255.0 * count as f64)
            };
            return Self {
                mean: mean as f32,
                standard_deviation: 1.0,
            };
        }
        let count = 255.0 * count as f64;
        Self {
            mean: (sum as f64 / count) as f32,
            standard_deviation: ((variance as f64).sqrt() / count) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels 0, 0, 0, 255: mean 1/4, variance 1/4 − 1/16 = 3/16.
    #[test]
    fn derived_by_hand() {
        let images: [&[u8]; 2] = [&[0, 0], &[0, 255]];
        let scaling = Scaling::of(images.into_iter());
        assert_eq!(scaling.mean, 0.25);
        assert_eq!(scaling.standard_deviation, 0.1875_f32.sqrt());
    }

    #[test]
    fn equal_pixels_are_only_shifted() {
        let scaling = Scaling::of([[51_u8; 4].as_slice()].into_iter());
        assert_eq!(
            scaling,
            Scaling {
                mean: 0.2,
                standard_deviation: 1.0
            }
        );
        let none = Scaling::of(std::iter::empty());
        assert_eq!(
            none,
            Scaling {
                mean: 0.0,
                standard_deviation: 1.0
            }
        );
    }
}
