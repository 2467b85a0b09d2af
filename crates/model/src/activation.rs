//! Activation functions: which one, and its Burn module.
//!
//! A new one takes a variant below, an arm in [`ActivationLayer::forward`], in [`Activation::facts`], in
//! [`Initialization::matched`](crate::Initialization::matched) and in [`Activation::kernel`], all of which the
//! compiler asks for, a kernel, by which CPUs are fast and studies look into networks, and a line in the
//! reference tests.

mod facts;
mod functions;
mod kernel;
mod text;

use burn::module::{Flag, Module, Param};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Distribution, Tensor};
use kernels::function::{SELU_ALPHA, SELU_SCALE};
use serde::{Deserialize, Serialize};

pub use facts::{Facts, Interval, Smoothness};
pub use text::ParseActivationError;

/// Declares [`Activation`] from one list, so that neither the names, nor the parameters with their
/// defaults, nor [`Activation::ALL`] can miss a variant.
macro_rules! activations {
    ($(
        $(#[$attribute:meta])*
        $variant:ident $({ $( $(#[$field_doc:meta])* $field:ident = $default:expr ),+ })? => $name:literal
    ),+ $(,)?) => {
        /// An activation function and its parameters.
        ///
        /// Written as its name, followed by its parameters where they differ from their defaults:
        /// `leaky-relu`, `leaky-relu:0.2`, `rrelu:0.1,0.3`. Reading ignores case and accepts `_`
        /// for `-`, or neither; left-out parameters keep their defaults. The defaults are
        /// PyTorch's, where it has the function.
        ///
        /// [`Activation::facts`] gives each function's formula, properties and source.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Activation {$(
            $(#[$attribute])*
            $variant $({ $( $(#[$field_doc])* $field: f32 ),+ })?
        ),+}

        impl Activation {
            /// Every activation, with its default parameters.
            pub const ALL: &[Self] = &[$( Self::$variant { $($( $field: $default ),+)? } ),+];

            /// The name, without parameters: `leaky-relu`.
            pub fn name(&self) -> &'static str {
                match self {$( Self::$variant { .. } => $name ),+}
            }

            /// Its parameters in the order in which they are written, each with its name.
            pub fn parameters(&self) -> Vec<(&'static str, f32)> {
                match *self {$(
                    Self::$variant { $($( $field ),+)? } => vec![$($( (stringify!($field), $field) ),+)?]
                ),+}
            }

            fn parameters_mut(&mut self) -> Vec<&mut f32> {
                match self {$( Self::$variant { $($( $field ),+)? } => vec![$($( $field ),+)?] ),+}
            }
        }
    };
}

activations! {
    /// Does nothing.
    Identity => "identity",
    /// The logistic function.
    Sigmoid => "sigmoid",
    /// The hyperbolic tangent.
    Tanh => "tanh",
    /// The rectified linear unit.
    #[default]
    Relu => "relu",
    /// A rectifier with a constant slope below zero.
    LeakyRelu {
        /// Slope below zero.
        slope = 0.01
    } => "leaky-relu",
    /// A rectifier that learns its slope below zero, one for the whole layer.
    Prelu {
        /// Initial slope below zero.
        slope = 0.25
    } => "prelu",
    /// A rectifier that draws its slope below zero for every element in training, uniformly, and
    /// uses the mean slope at evaluation.
    Rrelu {
        /// Lower end of the slopes.
        lower = 1.0 / 8.0,
        /// Upper end of the slopes.
        upper = 1.0 / 3.0
    } => "rrelu",
    /// A rectifier that saturates at 6.
    Relu6 => "relu6",
    /// The exponential linear unit.
    Elu {
        /// Minus the limit at −∞.
        alpha = 1.0
    } => "elu",
    /// The continuously differentiable exponential linear unit.
    Celu {
        /// Minus the limit at −∞, and the scale of the input; positive.
        alpha = 1.0
    } => "celu",
    /// The scaled exponential linear unit.
    Selu => "selu",
    /// The Gaussian error linear unit.
    Gelu => "gelu",
    /// The Gaussian error linear unit, with a hyperbolic tangent for the error function.
    GeluTanh => "gelu-tanh",
    /// The Gaussian error linear unit, with a logistic function for the error function.
    QuickGelu => "quick-gelu",
    /// The sigmoid linear unit, also known as Swish.
    Silu => "silu",
    /// The sigmoid linear unit with a learnable scale β inside the sigmoid, one for the whole
    /// layer.
    SwishBeta {
        /// Initial β.
        beta = 1.0
    } => "swish-beta",
    /// Mish.
    Mish => "mish",
    /// A piecewise quadratic relative of Mish.
    HardMish => "hard-mish",
    /// A piecewise linear relative of the sigmoid.
    HardSigmoid => "hard-sigmoid",
    /// A piecewise quadratic relative of Swish.
    HardSwish => "hard-swish",
    /// A piecewise linear relative of the hyperbolic tangent.
    HardTanh => "hard-tanh",
    /// A smooth relative of the rectifier.
    Softplus {
        /// Sharpness; positive.
        beta = 1.0
    } => "softplus",
    /// An algebraic relative of the hyperbolic tangent.
    Softsign => "softsign",
    /// The logarithm of the logistic function.
    LogSigmoid => "log-sigmoid",
    /// What the hyperbolic tangent leaves of the input.
    TanhShrink => "tanh-shrink",
    /// Hard thresholding.
    HardShrink {
        /// Half the width of the zero zone; not negative.
        lambda = 0.5
    } => "hard-shrink",
    /// Soft thresholding.
    SoftShrink {
        /// Half the width of the zero zone; not negative.
        lambda = 0.5
    } => "soft-shrink",
    /// The input above a threshold, a constant below it. The defaults are those of Keras's
    /// thresholded rectifier; PyTorch has none.
    Threshold {
        /// The threshold.
        theta = 1.0,
        /// The constant.
        value = 0.0
    } => "threshold",
    /// An algebraic relative of softplus.
    Squareplus {
        /// Width of the bend, squared; positive.
        b = 4.0
    } => "squareplus",
    /// The hyperbolic tangent, flattened below zero.
    PenalizedTanh => "penalized-tanh",
    /// The linearly scaled hyperbolic tangent.
    Lisht => "lisht",
    /// A monotone function with a periodic part.
    Snake {
        /// Frequency of the periodic part; not zero.
        alpha = 1.0
    } => "snake",
    /// The sine.
    Sine => "sine",
    /// The softmax over the channels (dimension 1).
    Softmax => "softmax",
}

impl Activation {
    /// The module for one site of a network, with a learnable parameter of its own if the
    /// activation has one.
    pub fn init(&self, device: &Device) -> ActivationLayer {
        let parameter = self.initial_parameter();
        ActivationLayer {
            activation: *self,
            parameter: parameter.map(|value| Param::from_data([value], device)),
            training: Param::from_bool(true),
        }
    }

    /// What the learnable parameter starts from: PReLU's slope, Swish's β; `None` without one.
    pub fn initial_parameter(&self) -> Option<f32> {
        match *self {
            Self::Prelu { slope } => Some(slope),
            Self::SwishBeta { beta } => Some(beta),
            _ => None,
        }
    }

    /// The same function with this value of its learnable parameter, if it has one.
    pub fn with_parameter(self, value: f32) -> Self {
        match self {
            Self::Prelu { .. } => Self::Prelu { slope: value },
            Self::SwishBeta { .. } => Self::SwishBeta { beta: value },
            other => other,
        }
    }

    /// The slope below zero of a rectifier, which the variance of its output depends on: for a
    /// learnable one the initial slope, for a randomised one the mean, though what is drawn adds to the variance in
    /// training; 0 for all other functions.
    pub fn negative_slope(&self) -> f64 {
        match *self {
            Self::LeakyRelu { slope } | Self::Prelu { slope } => slope.into(),
            Self::Rrelu { lower, upper } => (f64::from(lower) + f64::from(upper)) / 2.0,
            _ => 0.0,
        }
    }
}

/// An activation function at one site of a network. Made by [`Activation::init`].
#[derive(Module, Debug)]
pub struct ActivationLayer {
    #[module(skip)]
    activation: Activation,
    /// PReLU's slope or Swish's β: `[1]`.
    parameter: Option<Param<Tensor<1>>>,
    /// Cleared when the layer is frozen, as in Burn's dropout: a frozen layer draws nothing.
    training: Param<Flag>,
}

impl ActivationLayer {
    /// Which activation this is, with the parameters it started from.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// The learnable parameter, PReLU's slope or Swish's β: `[1]`.
    pub fn parameter(&self) -> Option<Tensor<1>> {
        self.parameter.as_ref().map(Param::val)
    }

    /// Applies the function to every element of `x`: `[batch, channels, ..]`, any number of
    /// dimensions (two or more for the softmax). The output has the same shape.
    ///
    /// The value and the gradient are finite wherever their true values fit the number format;
    /// infinite inputs may give NaN. At kinks the gradients follow PyTorch. The randomised
    /// rectifier draws from the device's generator if `x` is on a device with autodiff and the
    /// layer is not frozen.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        use functions::*;
        match self.activation {
            Activation::Identity => x,
            Activation::Sigmoid => sigmoid(x),
            Activation::Tanh => tanh(x),
            Activation::Relu => relu(x),
            Activation::LeakyRelu { slope } => leaky_relu(x, slope.into()),
            Activation::Prelu { .. } => {
                let slope = self.broadcast_parameter();
                rectify(x.clone(), x * slope)
            }
            Activation::Rrelu { lower, upper } if self.is_training(&x) => {
                let (lower, upper) = (f64::from(lower), f64::from(upper));
                let slope = x.random_like(Distribution::Default) * (upper - lower) + lower;
                rectify(x.clone(), x * slope)
            }
            Activation::Rrelu { .. } => leaky_relu(x, self.activation.negative_slope()),
            Activation::Relu6 => clip(x, 0.0, 6.0),
            Activation::Elu { alpha } => elu(x, alpha.into(), 1.0),
            Activation::Celu { alpha } => elu(x, alpha.into(), alpha.into()),
            Activation::Selu => elu(x, SELU_ALPHA, 1.0) * SELU_SCALE,
            Activation::Gelu => gelu(x),
            Activation::GeluTanh => gelu_tanh(x),
            Activation::QuickGelu => swish(x, 1.702),
            Activation::Silu => swish(x, 1.0),
            Activation::SwishBeta { .. } => swish_learnable(x, self.broadcast_parameter()),
            Activation::Mish => mish(x),
            Activation::HardMish => hard_mish(x),
            Activation::HardSigmoid => hard_sigmoid(x),
            Activation::HardSwish => hard_swish(x),
            Activation::HardTanh => clip(x, -1.0, 1.0),
            Activation::Softplus { beta } => softplus(x, beta.into()),
            Activation::Softsign => softsign(x),
            Activation::LogSigmoid => log_sigmoid(x),
            Activation::TanhShrink => tanh_shrink(x),
            Activation::HardShrink { lambda } => hard_shrink(x, lambda.into()),
            Activation::SoftShrink { lambda } => soft_shrink(x, lambda.into()),
            Activation::Threshold { theta, value } => threshold(x, theta.into(), value.into()),
            Activation::Squareplus { b } => squareplus(x, b.into()),
            Activation::PenalizedTanh => leaky_relu(tanh(x), 0.25),
            Activation::Lisht => lisht(x),
            Activation::Snake { alpha } => snake(x, alpha.into()),
            Activation::Sine => x.sin(),
            Activation::Softmax => softmax(x, 1),
        }
    }

    /// The learnable parameter, to be broadcast over a tensor of `D` dimensions: `[1, .., 1]`.
    fn broadcast_parameter<const D: usize>(&self) -> Tensor<D> {
        self.parameter()
            .expect("`Activation::init` gives every learnable activation a parameter")
            .reshape([1; D])
    }

    fn is_training<const D: usize>(&self, x: &Tensor<D>) -> bool {
        self.training.is_enabled() && x.is_autodiff()
    }
}
