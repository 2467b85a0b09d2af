//! What a network looks like, as plain data.

use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::initialization::Initialization;
use crate::normalization::Normalization;
use crate::preset::Preset;

/// Weights that a network may have. With gradients and Adam's two moments, 16 bytes for each.
const MOST_WEIGHTS: u64 = 1_000_000_000;
/// Convolutions that a network may have.
const MOST_CONVOLUTIONS: usize = 10_000;
/// The largest kernel on a 1×1 image, where all but 1×1 reach beyond it.
const LEAST_KERNEL_LIMIT: usize = 7;
/// Classes that there can be, as labels are bytes.
const MOST_CLASSES: f64 = 256.0;

/// A convolutional network: convolution stages, one hidden dense layer, an output layer.
///
/// When it is read, what is left out is that of `preset = "…"`, or else of the default preset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "PartialCnnConfig")]
pub struct CnnConfig {
    /// The activation after every layer but the last.
    pub activation: Activation,
    /// The normalisation in front of every activation.
    pub normalization: Normalization,
    /// How the weights in front of every activation are drawn.
    pub initialization: Initialization,
    /// What the biases in front of every activation are at first; those of the normalisation where
    /// there is one.
    #[serde(skip_serializing_if = "is_zero")]
    pub initial_bias: f64,
    /// Units of the hidden dense layer.
    pub hidden_units: usize,
    /// Share of the hidden units dropped in training, in 0..1.
    pub hidden_dropout: f64,
    /// The convolution stages, input first.
    pub stages: Vec<StageConfig>,
}

/// What a file says of a network.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartialCnnConfig {
    #[serde(default)]
    preset: Preset,
    activation: Option<Activation>,
    normalization: Option<Normalization>,
    initialization: Option<Initialization>,
    initial_bias: Option<f64>,
    hidden_units: Option<usize>,
    hidden_dropout: Option<f64>,
    stages: Option<Vec<StageConfig>>,
}

impl From<PartialCnnConfig> for CnnConfig {
    fn from(partial: PartialCnnConfig) -> Self {
        let preset = Self::from(partial.preset);
        Self {
            activation: partial.activation.unwrap_or(preset.activation),
            normalization: partial.normalization.unwrap_or(preset.normalization),
            initialization: partial.initialization.unwrap_or(preset.initialization),
            initial_bias: partial.initial_bias.unwrap_or(preset.initial_bias),
            hidden_units: partial.hidden_units.unwrap_or(preset.hidden_units),
            hidden_dropout: partial.hidden_dropout.unwrap_or(preset.hidden_dropout),
            stages: partial.stages.unwrap_or(preset.stages),
        }
    }
}

/// A run of equal convolution layers with at most one downsampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// Output channels of each convolution.
    pub channels: usize,
    /// Height and width of each kernel.
    pub kernel: usize,
    /// How many convolutions follow each other.
    #[serde(default = "one")]
    pub repeat: usize,
    /// What happens at the image's border.
    #[serde(default)]
    pub padding: Padding,
    /// How the stage halves its output's height and width, if it does.
    #[serde(default)]
    pub downsampling: Downsampling,
    /// Share of the stage's outputs dropped in training, in 0..1.
    #[serde(default)]
    pub dropout: f64,
    /// The stage's own normalisation, where it differs from the network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalization: Option<Normalization>,
}

fn one() -> usize {
    1
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// What a convolution sees beyond the image's border. A strided convolution is always padded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// Zeros, so that the output is as large as the input.
    #[default]
    Same,
    /// Nothing: the output is smaller by the kernel's size less one.
    Valid,
}

/// How a stage halves the height and width of its output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Downsampling {
    /// Not at all.
    #[default]
    None,
    /// 2×2 max pooling after the last activation of the stage.
    Pool,
    /// The last convolution of the stage has stride 2.
    Stride,
}

/// Why a network cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CnnConfigError {
    /// A size that must be at least one is zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// An initial bias that is no number.
    #[error("initial_bias must be a finite number")]
    InitialBias,
    /// An even kernel has no centre, so that "same" padding would shift the image.
    #[error("stage {stage}: kernel is {kernel}, but must be odd")]
    EvenKernel {
        /// Counted from 1.
        stage: usize,
        /// The kernel's size.
        kernel: usize,
    },
    /// A dropout rate outside 0..1.
    #[error("{place}: dropout is {rate}, but must be at least 0 and below 1")]
    Dropout {
        /// Where the rate stands.
        place: String,
        /// The rate found.
        rate: f64,
    },
    /// Group normalisation needs the number of groups to divide the number of channels.
    #[error("{place}: `group:{groups}` does not divide its {channels} channels")]
    Groups {
        /// Where the layer stands.
        place: String,
        /// Number of groups asked for.
        groups: usize,
        /// Number of channels there.
        channels: usize,
    },
    /// Normalised by itself, a number is always the same, whatever the image.
    #[error(
        "{place}: {normalization} normalization has a single number to take the deviation of, which leaves nothing: {remedy}"
    )]
    OneNumber {
        /// Where the layer stands.
        place: String,
        /// The normalisation there.
        normalization: Normalization,
        /// What to do instead.
        remedy: &'static str,
    },
    /// A kernel that reaches far beyond the image from everywhere.
    #[error(
        "stage {stage}: kernel is {kernel}, but more than {most} reaches beyond the {height}×{width} input from everywhere"
    )]
    LargeKernel {
        /// Counted from 1.
        stage: usize,
        /// The kernel's size.
        kernel: usize,
        /// The largest that makes sense.
        most: usize,
        /// Height of the stage's input.
        height: usize,
        /// Width of the stage's input.
        width: usize,
    },
    /// More weights than would ever fit into memory.
    #[error(
        "the network has more than {most} weights: use fewer channels or hidden units, or smaller kernels"
    )]
    TooLarge {
        /// How many it may have.
        most: u64,
    },
    /// So many convolutions that building them would not end.
    #[error("the network has more than {most} convolutions: use fewer stages, or less repeat")]
    TooDeep {
        /// How many it may have.
        most: usize,
    },
    /// Nothing of the image is left after a stage.
    #[error(
        "stage {stage} leaves nothing of its {height}×{width} input: use fewer or smaller stages, padding = \"same\", or another preset"
    )]
    TooSmall {
        /// Counted from 1.
        stage: usize,
        /// Height of the stage's input.
        height: usize,
        /// Width of the stage's input.
        width: usize,
    },
}

impl Default for CnnConfig {
    fn default() -> Self {
        Preset::default().into()
    }
}

impl From<Preset> for CnnConfig {
    fn from(preset: Preset) -> Self {
        preset.network(Activation::default())
    }
}

impl StageConfig {
    /// One convolution of `channels` kernels of `kernel`×`kernel`, "same" padding, no
    /// downsampling.
    pub fn new(channels: usize, kernel: usize) -> Self {
        Self {
            channels,
            kernel,
            repeat: 1,
            padding: Padding::default(),
            downsampling: Downsampling::default(),
            dropout: 0.0,
            normalization: None,
        }
    }

    /// The same stage with `repeat` convolutions.
    pub fn repeated(self, repeat: usize) -> Self {
        Self { repeat, ..self }
    }

    /// The same stage with `padding`.
    pub fn padded(self, padding: Padding) -> Self {
        Self { padding, ..self }
    }

    /// The same stage with `downsampling`.
    pub fn downsampled(self, downsampling: Downsampling) -> Self {
        Self {
            downsampling,
            ..self
        }
    }

    /// The same stage with `dropout`.
    pub fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Whether the convolution number `layer` of the stage has stride 2.
    pub(crate) fn is_strided(&self, layer: usize) -> bool {
        self.downsampling == Downsampling::Stride && layer + 1 == self.repeat
    }

    /// Number of weights of the convolutions, of `inputs` channels. As a float, which nothing is too
    /// large for.
    fn weights(&self, inputs: usize) -> f64 {
        let [inputs, channels, kernel, repeat] =
            [inputs, self.channels, self.kernel, self.repeat].map(|size| size as f64);
        (inputs + (repeat - 1.0) * channels) * channels * kernel * kernel
    }

    /// Height (or width) of what the last convolution gives for an input of `size`, before it is pooled;
    /// `None` where nothing is left.
    fn convolved_size(&self, mut size: usize) -> Option<usize> {
        for layer in 0..self.repeat {
            if self.is_strided(layer) {
                size = size.div_ceil(2);
            } else if self.padding == Padding::Valid {
                size = size.checked_sub(self.kernel - 1)?;
            }
            if size == 0 {
                return None;
            }
        }
        Some(size)
    }

    /// Height (or width) of the stage's output for an input of `size`; `None` where nothing is
    /// left.
    fn output_size(&self, size: usize) -> Option<usize> {
        let size = self.convolved_size(size)?;
        match self.downsampling {
            Downsampling::Pool => (size >= 2).then_some(size / 2),
            Downsampling::None | Downsampling::Stride => Some(size),
        }
    }
}

impl CnnConfig {
    /// Whether the network can be built for images of `height`×`width`, and the shape
    /// `[channels, height, width]` of the last stage's output.
    ///
    /// # Errors
    ///
    /// The first thing that stands in the way.
    pub fn check(&self, [height, width]: [usize; 2]) -> Result<[usize; 3], CnnConfigError> {
        if self.hidden_units == 0 {
            return Err(CnnConfigError::Zero("hidden_units"));
        }
        if !(self.initial_bias as f32).is_finite() {
            return Err(CnnConfigError::InitialBias);
        }
        check_dropout("the hidden layer", self.hidden_dropout)?;
        check_groups("the hidden layer", self.normalization, self.hidden_units, 1)?;
        let mut shape = [1, height, width];
        let (mut convolutions, mut weights) = (0, 0.0);
        for (stage, number) in self.stages.iter().zip(1..) {
            convolutions = stage.repeat.saturating_add(convolutions);
            if convolutions > MOST_CONVOLUTIONS {
                return Err(CnnConfigError::TooDeep {
                    most: MOST_CONVOLUTIONS,
                });
            }
            weights += stage.weights(shape[0]);
            check_weights(weights)?;
            shape = self.check_stage(stage, number, shape)?;
        }
        let features = shape.map(|size| size as f64).iter().product::<f64>();
        check_weights(weights + (features + MOST_CLASSES) * self.hidden_units as f64)?;
        Ok(shape)
    }

    fn check_stage(
        &self,
        stage: &StageConfig,
        number: usize,
        [_, height, width]: [usize; 3],
    ) -> Result<[usize; 3], CnnConfigError> {
        for (size, name) in [
            (stage.channels, "channels"),
            (stage.kernel, "kernel"),
            (stage.repeat, "repeat"),
        ] {
            if size == 0 {
                return Err(CnnConfigError::Zero(name));
            }
        }
        if stage.kernel.is_multiple_of(2) {
            return Err(CnnConfigError::EvenKernel {
                stage: number,
                kernel: stage.kernel,
            });
        }
        let place = format!("stage {number}");
        check_dropout(&place, stage.dropout)?;
        let normalization = stage.normalization.unwrap_or(self.normalization);
        let most = (2 * height.max(width))
            .saturating_sub(1)
            .max(LEAST_KERNEL_LIMIT);
        if stage.kernel > most {
            return Err(CnnConfigError::LargeKernel {
                stage: number,
                kernel: stage.kernel,
                most,
                height,
                width,
            });
        }
        let sizes = |size: usize| Some([stage.convolved_size(size)?, stage.output_size(size)?]);
        let (Some(heights), Some(widths)) = (sizes(height), sizes(width)) else {
            return Err(CnnConfigError::TooSmall {
                stage: number,
                height,
                width,
            });
        };
        // The last convolution has the fewest positions.
        let positions = heights[0].saturating_mul(widths[0]);
        check_groups(&place, normalization, stage.channels, positions)?;
        Ok([stage.channels, heights[1], widths[1]])
    }

    /// Whether batches of `images` images, the smallest that the network is trained on, are enough for batch
    /// normalisation. Images are of `height`×`width`, for which the network can be built.
    ///
    /// # Errors
    ///
    /// [`CnnConfigError::OneNumber`] if they are not.
    pub fn check_batches(
        &self,
        images: usize,
        [height, width]: [usize; 2],
    ) -> Result<(), CnnConfigError> {
        if images > 1 {
            return Ok(());
        }
        let check = |place: &str, normalization, positions| match normalization {
            Normalization::Batch if positions == 1 => Err(CnnConfigError::OneNumber {
                place: place.to_owned(),
                normalization,
                remedy: "use a larger batch_size, or another normalization",
            }),
            _ => Ok(()),
        };
        check("the hidden layer", self.normalization, 1)?;
        let mut sizes = [height, width];
        for (stage, number) in self.stages.iter().zip(1..) {
            let [Some(height), Some(width)] = sizes.map(|size| stage.convolved_size(size)) else {
                break;
            };
            let normalization = stage.normalization.unwrap_or(self.normalization);
            check(&format!("stage {number}"), normalization, height * width)?;
            sizes = sizes.map(|size| stage.output_size(size).unwrap_or(0));
        }
        Ok(())
    }
}

fn check_weights(weights: f64) -> Result<(), CnnConfigError> {
    if weights <= MOST_WEIGHTS as f64 {
        return Ok(());
    }
    Err(CnnConfigError::TooLarge { most: MOST_WEIGHTS })
}

fn check_dropout(place: &str, rate: f64) -> Result<(), CnnConfigError> {
    // The layers take it in 32 bits, where what is nearly 1 is 1.
    if (0.0..1.0).contains(&rate) && (rate as f32) < 1.0 {
        return Ok(());
    }
    Err(CnnConfigError::Dropout {
        place: place.to_owned(),
        rate,
    })
}

/// `positions`: pixels of the layer's output.
fn check_groups(
    place: &str,
    normalization: Normalization,
    channels: usize,
    positions: usize,
) -> Result<(), CnnConfigError> {
    let groups = match normalization {
        Normalization::Group(groups) => groups,
        Normalization::Layer => 1,
        Normalization::Batch | Normalization::None => return Ok(()),
    };
    if !channels.is_multiple_of(groups) {
        return Err(CnnConfigError::Groups {
            place: place.to_owned(),
            groups,
            channels,
        });
    }
    if channels / groups == 1 && positions == 1 {
        return Err(CnnConfigError::OneNumber {
            place: place.to_owned(),
            normalization,
            remedy: "use fewer groups, more channels or units, or another normalization",
        });
    }
    Ok(())
}
