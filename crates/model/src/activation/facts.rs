//! What is known about each activation function.

use std::fmt;

use kernels::function::{SELU_ALPHA, SELU_SCALE};

use super::Activation;

/// Properties of an activation function f. For a learnable or randomised parameter they hold at
/// its initial or mean value.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// f(x), with the parameters by name.
    pub formula: &'static str,
    /// The smallest interval that holds every f(x).
    pub range: Interval,
    /// The smallest interval that holds every f′(x), for the softmax of each output by its own
    /// input.
    pub derivative_range: Interval,
    /// Whether f never decreases.
    pub monotone: bool,
    /// How many derivatives f has, with parameters in general position (a leaky ReLU of slope 1
    /// counts as one with a kink).
    pub smoothness: Smoothness,
    /// Whether f has mean zero over standard normal inputs, with its default parameters: true for
    /// odd functions and for SELU, false for functions that only have outputs of both signs.
    pub zero_centered: bool,
    /// The paper and its year, or where else the function comes from.
    pub source: &'static str,
}

/// How often a function can be differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Smoothness {
    /// It jumps.
    Discontinuous,
    /// It is continuous, but has kinks.
    Continuous,
    /// It has a continuous derivative, but not a second one everywhere.
    Differentiable,
    /// It has continuous derivatives of every order.
    Smooth,
}

/// An interval of real numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// Whether the lower end belongs to the interval.
    pub low_included: bool,
    /// The upper end.
    pub high: f64,
    /// Whether the upper end belongs to the interval.
    pub high_included: bool,
}

const REALS: Interval = open(f64::NEG_INFINITY, f64::INFINITY);

const fn open(low: f64, high: f64) -> Interval {
    Interval {
        low,
        low_included: false,
        high,
        high_included: false,
    }
}

const fn closed(low: f64, high: f64) -> Interval {
    Interval {
        low,
        low_included: true,
        high,
        high_included: true,
    }
}

/// Without its upper end.
const fn right_open(low: f64, high: f64) -> Interval {
    Interval {
        high_included: false,
        ..closed(low, high)
    }
}

/// Without its lower end.
const fn left_open(low: f64, high: f64) -> Interval {
    Interval {
        low_included: false,
        ..closed(low, high)
    }
}

/// `low` and all above.
const fn at_least(low: f64) -> Interval {
    right_open(low, f64::INFINITY)
}

impl fmt::Display for Smoothness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discontinuous => "discontinuous",
            Self::Continuous => "C⁰",
            Self::Differentiable => "C¹",
            Self::Smooth => "C∞",
        })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: f64| match number {
            f64::INFINITY => "∞".to_owned(),
            f64::NEG_INFINITY => "−∞".to_owned(),
            // At most four decimals, and none that are zero.
            _ => ((number * 1e4).round() / 1e4).to_string().replace('-', "−"),
        };
        let open = if self.low_included { '[' } else { '(' };
        let close = if self.high_included { ']' } else { ')' };
        write!(
            f,
            "{open}{}, {}{close}",
            number(self.low),
            number(self.high)
        )
    }
}

/// Minimum of x σ(x), taken at x = −1.278465.
const SWISH_MINIMUM: f64 = -0.278_464_5;
/// Range of the derivative of x σ(βx) for every β, its ends taken at βx = ∓2.399357.
const SWISH_DERIVATIVE: Interval = closed(-0.099_839_3, 1.099_839_3);

impl Activation {
    /// What is known about the function, with these parameters.
    pub fn facts(&self) -> Facts {
        use Smoothness::*;
        match *self {
            Self::Identity => Facts {
                formula: "x",
                range: REALS,
                derivative_range: closed(1.0, 1.0),
                monotone: true,
                smoothness: Smooth,
                zero_centered: true,
                source: "no activation: the layer stays linear",
            },
            Self::Sigmoid => Facts {
                formula: "σ(x) = 1 / (1 + e⁻ˣ)",
                range: open(0.0, 1.0),
                derivative_range: left_open(0.0, 0.25),
                monotone: true,
                smoothness: Smooth,
                zero_centered: false,
                source: "Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors",
            },
            Self::Tanh => Facts {
                formula: "tanh(x)",
                range: open(-1.0, 1.0),
                derivative_range: left_open(0.0, 1.0),
                monotone: true,
                smoothness: Smooth,
                zero_centered: true,
                source: "LeCun, Bottou, Orr & Müller 1998, Efficient BackProp",
            },
            Self::Relu => Facts {
                formula: "max(0, x)",
                range: at_least(0.0),
                derivative_range: closed(0.0, 1.0),
                monotone: true,
                smoothness: Continuous,
                zero_centered: false,
                source: "Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
            },
            Self::LeakyRelu { slope } => Facts {
                formula: "x if x > 0, else slope·x",
                range: rectifier_range(slope.into()),
                derivative_range: hull(slope.into(), 1.0),
                monotone: slope >= 0.0,
                smoothness: Continuous,
                zero_centered: false,
                source: "Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models",
            },
            Self::Prelu { slope } => Facts {
                formula: "x if x > 0, else slope·x; slope learnable",
                range: rectifier_range(slope.into()),
                derivative_range: hull(slope.into(), 1.0),
                monotone: slope >= 0.0,
                smoothness: Continuous,
                zero_centered: false,
                source: "He, Zhang, Ren & Sun 2015, Delving deep into rectifiers, arXiv:1502.01852",
            },
            Self::Rrelu { .. } => Facts {
                formula: "x if x > 0, else slope·x; slope ~ U(lower, upper) in training, its mean at evaluation",
                range: rectifier_range(self.negative_slope()),
                derivative_range: hull(self.negative_slope(), 1.0),
                monotone: self.negative_slope() >= 0.0,
                smoothness: Continuous,
                zero_centered: false,
                source: "Xu, Wang, Chen & Li 2015, Empirical evaluation of rectified activations, arXiv:1505.00853",
            },
            Self::Relu6 => Facts {
                formula: "min(max(0, x), 6)",
                range: closed(0.0, 6.0),
                derivative_range: closed(0.0, 1.0),
                monotone: true,
                smoothness: Continuous,
                zero_centered: false,
                source: "Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
            },
            Self::Elu { alpha } => Facts {
                formula: "x if x > 0, else α(eˣ − 1)",
                range: match f64::from(alpha) {
                    alpha if alpha > 0.0 => open(-alpha, f64::INFINITY),
                    _ => at_least(0.0),
                },
                derivative_range: match f64::from(alpha) {
                    alpha if alpha > 0.0 => left_open(0.0, alpha.max(1.0)),
                    alpha => closed(alpha, 1.0),
                },
                monotone: alpha >= 0.0,
                smoothness: if alpha == 1.0 {
                    Differentiable
                } else {
                    Continuous
                },
                zero_centered: false,
                source: "Clevert, Unterthiner & Hochreiter 2015, Fast and accurate deep network learning by exponential linear units, arXiv:1511.07289",
            },
            Self::Celu { alpha } => Facts {
                formula: "x if x > 0, else α(e^(x/α) − 1)",
                range: open(-f64::from(alpha), f64::INFINITY),
                derivative_range: left_open(0.0, 1.0),
                monotone: true,
                smoothness: Differentiable,
                zero_centered: false,
                source: "Barron 2017, Continuously differentiable exponential linear units, arXiv:1704.07483",
            },
            Self::Selu => Facts {
                formula: "1.0507 · (x if x > 0, else 1.6733 (eˣ − 1))",
                range: open(-SELU_ALPHA * SELU_SCALE, f64::INFINITY),
                derivative_range: left_open(0.0, SELU_ALPHA * SELU_SCALE),
                monotone: true,
                smoothness: Continuous,
                zero_centered: true,
                source: "Klambauer, Unterthiner, Mayr & Hochreiter 2017, Self-normalizing neural networks, arXiv:1706.02515",
            },
            Self::Gelu => Facts {
                formula: "x Φ(x), Φ the standard normal distribution function",
                // Minimum at −0.751792, derivative's ends at ∓√2.
                range: at_least(-0.169_971_2),
                derivative_range: closed(-0.128_904_1, 1.128_904_1),
                monotone: false,
                smoothness: Smooth,
                zero_centered: false,
                source: "Hendrycks & Gimpel 2016, Gaussian error linear units, arXiv:1606.08415",
            },
            Self::GeluTanh => Facts {
                formula: "x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2",
                // Minimum at −0.752461, derivative's ends at ∓1.418504.
                range: at_least(-0.170_040_8),
                derivative_range: closed(-0.128_993_1, 1.128_993_1),
                monotone: false,
                smoothness: Smooth,
                zero_centered: false,
                source: "Hendrycks & Gimpel 2016, Gaussian error linear units, arXiv:1606.08415",
            },
            Self::QuickGelu => Facts {
                formula: "x σ(1.702 x)",
                range: at_least(SWISH_MINIMUM / 1.702),
                derivative_range: SWISH_DERIVATIVE,
                monotone: false,
                smoothness: Smooth,
                zero_centered: false,
                source: "Hendrycks & Gimpel 2016, Gaussian error linear units, arXiv:1606.08415",
            },
            Self::Silu => Facts {
                formula: "x σ(x)",
                range: at_least(SWISH_MINIMUM),
                derivative_range: SWISH_DERIVATIVE,
                monotone: false,
                smoothness: Smooth,
                zero_centered: false,
                source: "Elfwing, Uchibe & Doya 2017, Sigmoid-weighted linear units for neural network function approximation in reinforcement learning, arXiv:1702.03118",
            },
            Self::SwishBeta { beta } => Facts {
                formula: "x σ(βx); β learnable",
                range: match f64::from(beta) {
                    0.0 => REALS,
                    beta if beta > 0.0 => at_least(SWISH_MINIMUM / beta),
                    beta => left_open(f64::NEG_INFINITY, SWISH_MINIMUM / beta),
                },
                derivative_range: if beta == 0.0 {
                    closed(0.5, 0.5)
                } else {
                    SWISH_DERIVATIVE
                },
                monotone: beta == 0.0,
                smoothness: Smooth,
                zero_centered: beta == 0.0,
                source: "Ramachandran, Zoph & Le 2017, Searching for activation functions, arXiv:1710.05941",
            },
            Self::Mish => Facts {
                formula: "x tanh(ln(1 + eˣ))",
                // Minimum at −1.192431, derivative's ends at −2.256376 and 1.490571.
                range: at_least(-0.308_843_4),
                derivative_range: closed(-0.112_526_1, 1.088_498_2),
                monotone: false,
                smoothness: Smooth,
                zero_centered: false,
                source: "Misra 2019, Mish: a self regularized non-monotonic activation function, arXiv:1908.08681",
            },
            Self::HardMish => Facts {
                formula: "x · min(max(0, x + 2), 2) / 2",
                range: at_least(-0.5),
                derivative_range: left_open(-1.0, 1.0),
                monotone: false,
                smoothness: Continuous,
                zero_centered: false,
                source: "Misra 2019, H-Mish, as in PyTorch Image Models; no paper",
            },
            Self::HardSigmoid => Facts {
                formula: "min(max(0, x + 3), 6) / 6",
                range: closed(0.0, 1.0),
                derivative_range: closed(0.0, 1.0 / 6.0),
                monotone: true,
                smoothness: Continuous,
                zero_centered: false,
                source: "Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244",
            },
            Self::HardSwish => Facts {
                formula: "x · min(max(0, x + 3), 6) / 6",
                range: at_least(-0.375),
                derivative_range: open(-0.5, 1.5),
                monotone: false,
                smoothness: Continuous,
                zero_centered: false,
                source: "Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244",
            },
            Self::HardTanh => Facts {
                formula: "min(max(−1, x), 1)",
                range: closed(-1.0, 1.0),
                derivative_range: closed(0.0, 1.0),
                monotone: true,
                smoothness: Continuous,
                zero_centered: true,
                source: "Collobert 2004, Large scale machine learning (thesis)",
            },
            Self::Softplus { .. } => Facts {
                formula: "ln(1 + e^(βx)) / β",
                range: open(0.0, f64::INFINITY),
                derivative_range: open(0.0, 1.0),
                monotone: true,
                smoothness: Smooth,
                zero_centered: false,
                source: "Dugas, Bengio, Bélisle, Nadeau & Garcia 2000, Incorporating second-order functional knowledge for better option pricing",
            },
            Self::Softsign => Facts {
                formula: "x / (1 + |x|)",
                range: open(-1.0, 1.0),
                derivative_range: left_open(0.0, 1.0),
                monotone: true,
                smoothness: Differentiable,
                zero_centered: true,
                source: "Turian, Bergstra & Bengio 2009, Quadratic features and deep architectures for chunking",
            },
            Self::LogSigmoid => Facts {
                formula: "ln σ(x) = −ln(1 + e⁻ˣ)",
                range: open(f64::NEG_INFINITY, 0.0),
                derivative_range: open(0.0, 1.0),
                monotone: true,
                smoothness: Smooth,
                zero_centered: false,
                source: "Torch's LogSigmoid; no paper",
            },
            Self::TanhShrink => Facts {
                formula: "x − tanh(x)",
                range: REALS,
                derivative_range: right_open(0.0, 1.0),
                monotone: true,
                smoothness: Smooth,
                zero_centered: true,
                source: "PyTorch's Tanhshrink; no paper",
            },
            Self::HardShrink { .. } => Facts {
                formula: "x if |x| > λ, else 0",
                range: REALS,
                derivative_range: closed(0.0, 1.0),
                monotone: true,
                smoothness: Discontinuous,
                zero_centered: true,
                source: "Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
            },
            Self::SoftShrink { .. } => Facts {
                formula: "sign(x) · max(0, |x| − λ)",
                range: REALS,
                derivative_range: closed(0.0, 1.0),
                monotone: true,
                smoothness: Continuous,
                zero_centered: true,
                source: "Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
            },
            Self::Threshold { theta, value } => Facts {
                formula: "x if x > θ, else value",
                range: if value <= theta {
                    at_least(value.into())
                } else {
                    open(theta.into(), f64::INFINITY)
                },
                derivative_range: closed(0.0, 1.0),
                monotone: value <= theta,
                smoothness: Discontinuous,
                zero_centered: false,
                source: "Konda, Memisevic & Krueger 2014, Zero-bias autoencoders and the benefits of co-adapting features, arXiv:1402.3337",
            },
            Self::Squareplus { .. } => Facts {
                formula: "(x + √(x² + b)) / 2",
                range: open(0.0, f64::INFINITY),
                derivative_range: open(0.0, 1.0),
                monotone: true,
                smoothness: Smooth,
                zero_centered: false,
                source: "Barron 2021, Squareplus: a softplus-like algebraic rectifier, arXiv:2112.11687",
            },
            Self::PenalizedTanh => Facts {
                formula: "tanh(x) if x > 0, else tanh(x) / 4",
                range: open(-0.25, 1.0),
                derivative_range: open(0.0, 1.0),
                monotone: true,
                smoothness: Continuous,
                zero_centered: false,
                source: "Xu, Huang & Li 2016, Revise saturated activation functions, arXiv:1602.05980",
            },
            Self::Lisht => Facts {
                formula: "x tanh(x)",
                range: at_least(0.0),
                // Ends at ±1.199679, where x tanh(x) = 1.
                derivative_range: closed(-1.199_678_6, 1.199_678_6),
                monotone: false,
                smoothness: Smooth,
                zero_centered: false,
                source: "Roy, Manna, Dubey & Chaudhuri 2019, LiSHT: non-parametric linearly scaled hyperbolic tangent activation function, arXiv:1901.05894",
            },
            Self::Snake { .. } => Facts {
                formula: "x + sin²(αx) / α",
                range: REALS,
                derivative_range: closed(0.0, 2.0),
                monotone: true,
                smoothness: Smooth,
                zero_centered: false,
                source: "Ziyin, Hartwig & Ueda 2020, Neural networks fail to learn periodic functions and how to fix it, arXiv:2006.08195",
            },
            Self::Sine => Facts {
                formula: "sin(x)",
                range: closed(-1.0, 1.0),
                derivative_range: closed(-1.0, 1.0),
                monotone: false,
                smoothness: Smooth,
                zero_centered: true,
                source: "Sitzmann, Martel, Bergman, Lindell & Wetzstein 2020, Implicit neural representations with periodic activation functions, arXiv:2006.09661",
            },
            Self::Softmax => Facts {
                formula: "e^(xᵢ) / Σⱼ e^(xⱼ) over the channels j",
                range: open(0.0, 1.0),
                derivative_range: left_open(0.0, 0.25),
                monotone: true,
                smoothness: Smooth,
                zero_centered: false,
                source: "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
            },
        }
    }
}

/// Range of a rectifier with this slope below zero.
fn rectifier_range(slope: f64) -> Interval {
    if slope > 0.0 { REALS } else { at_least(0.0) }
}

/// The interval between two numbers, in either order.
fn hull(a: f64, b: f64) -> Interval {
    closed(a.min(b), a.max(b))
}
