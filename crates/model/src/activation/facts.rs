//! What is known about each activation function.

use std::fmt;

use super::Activation;
use super::functions::{SELU_ALPHA, SELU_SCALE};

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
const fn from(low: f64) -> Interval {
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
        // formula, range, range of the derivative, monotone, smoothness, zero-centred, source
        let (formula, range, derivative_range, monotone, smoothness, zero_centered, source) =
            match *self {
                Self::Identity => (
                    "x",
                    REALS,
                    closed(1.0, 1.0),
                    true,
                    Smooth,
                    true,
                    "no activation: the layer stays linear",
                ),
                Self::Sigmoid => (
                    "σ(x) = 1 / (1 + e⁻ˣ)",
                    open(0.0, 1.0),
                    left_open(0.0, 0.25),
                    true,
                    Smooth,
                    false,
                    "Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors",
                ),
                Self::Tanh => (
                    "tanh(x)",
                    open(-1.0, 1.0),
                    left_open(0.0, 1.0),
                    true,
                    Smooth,
                    true,
                    "LeCun, Bottou, Orr & Müller 1998, Efficient BackProp",
                ),
                Self::Relu => (
                    "max(0, x)",
                    from(0.0),
                    closed(0.0, 1.0),
                    true,
                    Continuous,
                    false,
                    "Nair & Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
                ),
                Self::LeakyRelu { slope } => (
                    "x if x > 0, else slope·x",
                    rectifier_range(slope.into()),
                    hull(slope.into(), 1.0),
                    slope >= 0.0,
                    Continuous,
                    false,
                    "Maas, Hannun & Ng 2013, Rectifier nonlinearities improve neural network acoustic models",
                ),
                Self::Prelu { slope } => (
                    "x if x > 0, else slope·x; slope learnable",
                    rectifier_range(slope.into()),
                    hull(slope.into(), 1.0),
                    slope >= 0.0,
                    Continuous,
                    false,
                    "He, Zhang, Ren & Sun 2015, Delving deep into rectifiers, arXiv:1502.01852",
                ),
                Self::Rrelu { .. } => (
                    "x if x > 0, else slope·x; slope ~ U(lower, upper) in training, its mean at evaluation",
                    rectifier_range(self.negative_slope()),
                    hull(self.negative_slope(), 1.0),
                    self.negative_slope() >= 0.0,
                    Continuous,
                    false,
                    "Xu, Wang, Chen & Li 2015, Empirical evaluation of rectified activations, arXiv:1505.00853",
                ),
                Self::Relu6 => (
                    "min(max(0, x), 6)",
                    closed(0.0, 6.0),
                    closed(0.0, 1.0),
                    true,
                    Continuous,
                    false,
                    "Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
                ),
                Self::Elu { alpha } => (
                    "x if x > 0, else α(eˣ − 1)",
                    match f64::from(alpha) {
                        alpha if alpha > 0.0 => open(-alpha, f64::INFINITY),
                        _ => from(0.0),
                    },
                    match f64::from(alpha) {
                        alpha if alpha > 0.0 => left_open(0.0, alpha.max(1.0)),
                        alpha => closed(alpha, 1.0),
                    },
                    alpha >= 0.0,
                    if alpha == 1.0 {
                        Differentiable
                    } else {
                        Continuous
                    },
                    false,
                    "Clevert, Unterthiner & Hochreiter 2015, Fast and accurate deep network learning by exponential linear units, arXiv:1511.07289",
                ),
                Self::Celu { alpha } => (
                    "x if x > 0, else α(e^(x/α) − 1)",
                    open(-f64::from(alpha), f64::INFINITY),
                    left_open(0.0, 1.0),
                    true,
                    Differentiable,
                    false,
                    "Barron 2017, Continuously differentiable exponential linear units, arXiv:1704.07483",
                ),
                Self::Selu => (
                    "1.0507 · (x if x > 0, else 1.6733 (eˣ − 1))",
                    open(-SELU_ALPHA * SELU_SCALE, f64::INFINITY),
                    left_open(0.0, SELU_ALPHA * SELU_SCALE),
                    true,
                    Continuous,
                    true,
                    "Klambauer, Unterthiner, Mayr & Hochreiter 2017, Self-normalizing neural networks, arXiv:1706.02515",
                ),
                Self::Gelu => (
                    "x Φ(x), Φ the standard normal distribution function",
                    // Minimum at −0.751792, derivative's ends at ∓√2.
                    from(-0.169_971_2),
                    closed(-0.128_904_1, 1.128_904_1),
                    false,
                    Smooth,
                    false,
                    "Hendrycks & Gimpel 2016, Gaussian error linear units, arXiv:1606.08415",
                ),
                Self::GeluTanh => (
                    "x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2",
                    // Minimum at −0.752461, derivative's ends at ∓1.418504.
                    from(-0.170_040_8),
                    closed(-0.128_993_1, 1.128_993_1),
                    false,
                    Smooth,
                    false,
                    "Hendrycks & Gimpel 2016, Gaussian error linear units, arXiv:1606.08415",
                ),
                Self::QuickGelu => (
                    "x σ(1.702 x)",
                    from(SWISH_MINIMUM / 1.702),
                    SWISH_DERIVATIVE,
                    false,
                    Smooth,
                    false,
                    "Hendrycks & Gimpel 2016, Gaussian error linear units, arXiv:1606.08415",
                ),
                Self::Silu => (
                    "x σ(x)",
                    from(SWISH_MINIMUM),
                    SWISH_DERIVATIVE,
                    false,
                    Smooth,
                    false,
                    "Elfwing, Uchibe & Doya 2017, Sigmoid-weighted linear units for neural network function approximation in reinforcement learning, arXiv:1702.03118",
                ),
                Self::SwishBeta { beta } => (
                    "x σ(βx); β learnable",
                    match f64::from(beta) {
                        0.0 => REALS,
                        beta if beta > 0.0 => from(SWISH_MINIMUM / beta),
                        beta => left_open(f64::NEG_INFINITY, SWISH_MINIMUM / beta),
                    },
                    if beta == 0.0 {
                        closed(0.5, 0.5)
                    } else {
                        SWISH_DERIVATIVE
                    },
                    beta == 0.0,
                    Smooth,
                    false,
                    "Ramachandran, Zoph & Le 2017, Searching for activation functions, arXiv:1710.05941",
                ),
                Self::Mish => (
                    "x tanh(ln(1 + eˣ))",
                    // Minimum at −1.192431, derivative's ends at −2.256376 and 1.490571.
                    from(-0.308_843_4),
                    closed(-0.112_526_1, 1.088_498_2),
                    false,
                    Smooth,
                    false,
                    "Misra 2019, Mish: a self regularized non-monotonic activation function, arXiv:1908.08681",
                ),
                Self::HardMish => (
                    "x · min(max(0, x + 2), 2) / 2",
                    from(-0.5),
                    left_open(-1.0, 1.0),
                    false,
                    Continuous,
                    false,
                    "Misra 2019, H-Mish, as in PyTorch Image Models; no paper",
                ),
                Self::HardSigmoid => (
                    "min(max(0, x + 3), 6) / 6",
                    closed(0.0, 1.0),
                    closed(0.0, 1.0 / 6.0),
                    true,
                    Continuous,
                    false,
                    "Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244",
                ),
                Self::HardSwish => (
                    "x · min(max(0, x + 3), 6) / 6",
                    from(-0.375),
                    open(-0.5, 1.5),
                    false,
                    Continuous,
                    false,
                    "Howard et al. 2019, Searching for MobileNetV3, arXiv:1905.02244",
                ),
                Self::HardTanh => (
                    "min(max(−1, x), 1)",
                    closed(-1.0, 1.0),
                    closed(0.0, 1.0),
                    true,
                    Continuous,
                    true,
                    "Collobert 2004, Large scale machine learning (thesis)",
                ),
                Self::Softplus { .. } => (
                    "ln(1 + e^(βx)) / β",
                    open(0.0, f64::INFINITY),
                    open(0.0, 1.0),
                    true,
                    Smooth,
                    false,
                    "Dugas, Bengio, Bélisle, Nadeau & Garcia 2000, Incorporating second-order functional knowledge for better option pricing",
                ),
                Self::Softsign => (
                    "x / (1 + |x|)",
                    open(-1.0, 1.0),
                    left_open(0.0, 1.0),
                    true,
                    Differentiable,
                    true,
                    "Turian, Bergstra & Bengio 2009, Quadratic features and deep architectures for chunking",
                ),
                Self::LogSigmoid => (
                    "ln σ(x) = −ln(1 + e⁻ˣ)",
                    open(f64::NEG_INFINITY, 0.0),
                    open(0.0, 1.0),
                    true,
                    Smooth,
                    false,
                    "Torch's LogSigmoid; no paper",
                ),
                Self::TanhShrink => (
                    "x − tanh(x)",
                    REALS,
                    right_open(0.0, 1.0),
                    true,
                    Smooth,
                    true,
                    "PyTorch's Tanhshrink; no paper",
                ),
                Self::HardShrink { .. } => (
                    "x if |x| > λ, else 0",
                    REALS,
                    closed(0.0, 1.0),
                    true,
                    Discontinuous,
                    true,
                    "Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
                ),
                Self::SoftShrink { .. } => (
                    "sign(x) · max(0, |x| − λ)",
                    REALS,
                    closed(0.0, 1.0),
                    true,
                    Continuous,
                    true,
                    "Donoho & Johnstone 1994, Ideal spatial adaptation by wavelet shrinkage",
                ),
                Self::Threshold { theta, value } => (
                    "x if x > θ, else value",
                    if value <= theta {
                        from(value.into())
                    } else {
                        open(theta.into(), f64::INFINITY)
                    },
                    closed(0.0, 1.0),
                    value <= theta,
                    Discontinuous,
                    false,
                    "Konda, Memisevic & Krueger 2014, Zero-bias autoencoders and the benefits of co-adapting features, arXiv:1402.3337",
                ),
                Self::Squareplus { .. } => (
                    "(x + √(x² + b)) / 2",
                    open(0.0, f64::INFINITY),
                    open(0.0, 1.0),
                    true,
                    Smooth,
                    false,
                    "Barron 2021, Squareplus: a softplus-like algebraic rectifier, arXiv:2112.11687",
                ),
                Self::PenalizedTanh => (
                    "tanh(x) if x > 0, else tanh(x) / 4",
                    open(-0.25, 1.0),
                    open(0.0, 1.0),
                    true,
                    Continuous,
                    false,
                    "Xu, Huang & Li 2016, Revise saturated activation functions, arXiv:1602.05980",
                ),
                Self::Lisht => (
                    "x tanh(x)",
                    from(0.0),
                    // Ends at ±1.199679, where x tanh(x) = 1.
                    closed(-1.199_678_6, 1.199_678_6),
                    false,
                    Smooth,
                    false,
                    "Roy, Manna, Dubey & Chaudhuri 2019, LiSHT: non-parametric linearly scaled hyperbolic tangent activation function, arXiv:1901.05894",
                ),
                Self::Snake { .. } => (
                    "x + sin²(αx) / α",
                    REALS,
                    closed(0.0, 2.0),
                    true,
                    Smooth,
                    false,
                    "Ziyin, Hartwig & Ueda 2020, Neural networks fail to learn periodic functions and how to fix it, arXiv:2006.08195",
                ),
                Self::Sine => (
                    "sin(x)",
                    closed(-1.0, 1.0),
                    closed(-1.0, 1.0),
                    false,
                    Smooth,
                    true,
                    "Sitzmann, Martel, Bergman, Lindell & Wetzstein 2020, Implicit neural representations with periodic activation functions, arXiv:2006.09661",
                ),
                Self::Softmax => (
                    "e^(xᵢ) / Σⱼ e^(xⱼ) over the channels j",
                    open(0.0, 1.0),
                    left_open(0.0, 0.25),
                    true,
                    Smooth,
                    false,
                    "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
                ),
            };
        Facts {
            formula,
            range,
            derivative_range,
            monotone,
            smoothness,
            zero_centered,
            source,
        }
    }
}

/// Range of a rectifier with this slope below zero.
fn rectifier_range(slope: f64) -> Interval {
    if slope > 0.0 { REALS } else { from(0.0) }
}

/// The interval between two numbers, in either order.
fn hull(a: f64, b: f64) -> Interval {
    closed(a.min(b), a.max(b))
}
