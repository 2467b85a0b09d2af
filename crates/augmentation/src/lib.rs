//! Small random distortions of square greyscale images, made anew in every epoch of training.
//!
//! A network that sees each digit a little turned, shifted and bent in every epoch cannot learn the
//! pixels by heart. What may happen to an image is said by an [`AugmentationConfig`] in natural
//! units (degrees, pixels, shares); by default, nothing does. An [`Augmenter`] draws and applies it:
//!
//! 1. `distortion` draws what happens to one image, from the run's seed, the epoch and the index of
//!    the image alone;
//! 2. `plane` holds the image with an empty margin, thickens or thins its strokes, and blurs it as
//!    far as it will be made smaller;
//! 3. `map` and `elastic` give the place in the image that each pixel of the result comes from;
//!    `augmenter` reads it there, once, whatever the number of changes;
//! 4. `erasing` covers a rectangle.
//!
//! ```
//! use augmentation::{AugmentationConfig, Augmenter};
//!
//! let config = AugmentationConfig {
//!     rotation: 10.0,
//!     shift: 2.0,
//!     ..AugmentationConfig::default()
//! };
//! let (run_seed, epoch, index) = (0, 1, 17);
//! let mut augmenter = Augmenter::new(&config, 28, run_seed)?;
//! let image = [0_u8; 28 * 28];
//! let mut distorted = [0.0; 28 * 28];
//! augmenter.augment(epoch, index, &image, &mut distorted);
//! # Ok::<(), augmentation::Error>(())
//! ```
//!
//! # The same on every machine
//!
//! The result depends on the configuration, the image and the three numbers, and on nothing else:
//! not on the order of the images or on threads. It is made of IEEE 754 additions, multiplications,
//! divisions, square roots and roundings, which are exact to the last bit everywhere; sines and
//! cosines, whose last bits differ between platforms, are polynomials of our own. What one field of
//! the configuration draws does not depend on the others.

mod augmenter;
mod config;
mod distortion;
mod elastic;
mod erasing;
mod map;
mod plane;

pub use augmenter::{Augmenter, LARGEST_SIDE};
pub use config::{AugmentationConfig, ElasticConfig, ErasingConfig, Error, Fill};
pub use elastic::cubic_b_spline_weights;
