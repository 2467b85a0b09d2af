//! A layer of a network in two passes over memory: linear map, normalisation, activation function,
//! pooling and dropout.
//!
//! Images are channels-last. In training work is cut into tasks of whole images, the same for any
//! number of threads, and sums over tasks are taken in order; at inference no sum goes beyond an image:
//! results do not depend on the number of threads.
//!
//! [`Block::train`] and [`Block::backward`] are a training step's two halves, [`Block::prepare`] is the
//! way to inference.

mod backward;
mod inference;
mod linear_gradient;
mod normalization;
mod packed_linear_map;
mod training;

pub use backward::Gradients;
pub use inference::{Link, Prepared, infer_all};
pub use training::{Output, Saved};

use crate::convolution::Convolution;
use crate::dense::Dense;
use crate::function::{Context, Draws, Function};
use crate::lengths::{checked_product, pooled_size};

/// Linear map → normalisation → activation function → 2×2 max pooling → dropout.
///
/// With numbers that are not finite, results may be NaN where by the definition they are not: see
/// [`Convolution`] for the outputs, and [`crate::function`] for the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// What is computed from the input: the linear output.
    pub map: LinearMap,
    /// What stands between the map and the function, which is given the pre-activation.
    pub normalization: Normalization,
    /// The activation function.
    pub function: Function,
    /// Whether the largest of each 2×2 window is taken, which halves height and width, rounded
    /// down.
    pub pool: bool,
    /// Share of the outputs dropped in training, in 0..1.
    pub dropout: f32,
}

/// A linear map with learnable weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinearMap {
    /// A convolution.
    Convolution(Convolution),
    /// A dense layer, whose output is an image of one pixel.
    Dense(Dense),
}

/// A normalisation of the linear output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalization {
    /// None.
    None,
    /// Each channel by its mean and variance over the batch, or by given ones at inference.
    Batch {
        /// Added to variances.
        epsilon: f32,
    },
    /// Groups of neighbouring channels by their mean and variance in each image.
    Group {
        /// Number of groups, which divides the number of channels.
        groups: usize,
        /// Added to variances.
        epsilon: f32,
    },
}

/// What a block has learned.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// Of a convolution `[outputs, inputs, kernel rows, kernel columns]`; of a dense layer
    /// `[channels · pixels, outputs]`.
    pub weight: &'a [f32],
    /// `[outputs]`; only without normalisation, which would take it away again.
    pub bias: Option<&'a [f32]>,
    /// The normalisation's scale γ, `[outputs]`; ones if absent, as it is without normalisation.
    pub scale: Option<&'a [f32]>,
    /// The normalisation's shift β, `[outputs]`; zeros if absent, as it is without normalisation.
    pub shift: Option<&'a [f32]>,
    /// The function's parameter, if it has one.
    pub function_parameter: f32,
}

impl<'a> Parameters<'a> {
    /// A weight alone.
    pub fn of_weight(weight: &'a [f32]) -> Self {
        Self {
            weight,
            bias: None,
            scale: None,
            shift: None,
            function_parameter: 0.0,
        }
    }
}

/// The most tasks that a batch is cut into. Each has a weight gradient of its own.
const MAX_TASKS: usize = 16;

/// The most numbers in these gradients together: 256 MB. Only of more than four million weights there are fewer tasks for it.
const MOST_PARTIAL_NUMBERS: usize = 1 << 26;

/// Tells the draws of a randomised function from those of dropout: their key is the step's with these
/// bits flipped. Public for tests that draw the same.
pub const FUNCTION_DRAWS: u64 = 0x6a09_e667_f3bc_c908;

impl Block {
    /// Height, width and channels of the output.
    pub fn output_size(&self) -> [usize; 3] {
        let [height, width, channels] = self.linear_size();
        let [height, width] = pooled_size([height, width], self.pool);
        [height, width, channels]
    }

    /// Whether images of this height and width, with so many channels, are what the map reads. A
    /// dense layer does not ask for the shape of an image, but for its number of pixels.
    pub fn reads(&self, [height, width, channels]: [usize; 3]) -> bool {
        match self.map {
            LinearMap::Convolution(convolution) => {
                [convolution.height, convolution.width, convolution.inputs]
                    == [height, width, channels]
            }
            LinearMap::Dense(dense) => {
                height.checked_mul(width) == Some(dense.pixels) && dense.channels == channels
            }
        }
    }

    /// Height, width and channels of the linear output.
    fn linear_size(&self) -> [usize; 3] {
        match self.map {
            LinearMap::Convolution(convolution) => {
                let [height, width] = convolution.output_size();
                [height, width, convolution.outputs]
            }
            LinearMap::Dense(dense) => [1, 1, dense.outputs],
        }
    }

    fn linear_len(&self) -> usize {
        checked_product(self.linear_size())
    }

    fn output_len(&self) -> usize {
        checked_product(self.output_size())
    }

    fn input_len(&self) -> usize {
        match self.map {
            LinearMap::Convolution(convolution) => convolution.input_len(),
            LinearMap::Dense(dense) => dense.inputs(),
        }
    }

    fn weight_len(&self) -> usize {
        match self.map {
            LinearMap::Convolution(convolution) => convolution.weight_len(),
            LinearMap::Dense(dense) => dense.weight_len(),
        }
    }

    /// Panics if the block or what it has learned makes no sense. The weights are left to those who
    /// read them: once they are packed, they are not given any more.
    fn check(&self, parameters: Parameters) {
        let [height, width, channels] = self.linear_size();
        assert!(
            self.input_len() > 0 && channels > 0,
            "an image of the input or the output has no numbers: {:?}",
            self.map
        );
        if self.pool {
            assert!(height > 1 && width > 1, "there is no window to pool");
        }
        if let Normalization::Group { groups, .. } = self.normalization {
            assert!(
                groups > 0 && channels.is_multiple_of(groups),
                "{groups} groups do not divide {channels} channels"
            );
        }
        assert!(
            (0.0..1.0).contains(&self.dropout),
            "dropout is {}, not in 0..1",
            self.dropout
        );
        for numbers in [parameters.bias, parameters.scale, parameters.shift] {
            let len = numbers.map_or(channels, <[f32]>::len);
            assert_eq!(len, channels, "a parameter has a number for each channel");
        }
        if self.normalization == Normalization::None {
            assert!(
                parameters.scale.is_none() && parameters.shift.is_none(),
                "scale and shift belong to a normalisation"
            );
        } else {
            assert!(
                parameters.bias.is_none(),
                "a normalisation takes the bias away"
            );
        }
    }

    /// What the function needs for the numbers that begin at `start` in image number `image` of the
    /// linear output.
    fn context(
        &self,
        parameters: Parameters,
        key: Option<u64>,
        image: usize,
        start: usize,
    ) -> Context {
        Context {
            parameter: parameters.function_parameter,
            draws: key.map(|key| Draws {
                key: key ^ FUNCTION_DRAWS,
                first: (image * self.linear_len() + start) as u64,
            }),
        }
    }
}

/// Images in a task.
fn task_len(images: usize) -> usize {
    images.div_ceil(MAX_TASKS).max(1)
}
