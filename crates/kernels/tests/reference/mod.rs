//! The activation functions in `f64`, by their definitions, and what of them the standard library lacks.

#![allow(dead_code)]

use std::f64::consts::{PI, TAU};

use kernels::function::Function;

/// Every function, with some constants.
pub const FUNCTIONS: [Function; 33] = [
    Function::Identity,
    Function::Sigmoid,
    Function::Tanh,
    Function::Relu,
    Function::LeakyRelu { slope: 0.01 },
    Function::Prelu,
    Function::Rrelu {
        lower: 0.125,
        upper: 0.375,
    },
    Function::Relu6,
    Function::Elu { alpha: 0.5 },
    Function::Celu { alpha: 2.0 },
    Function::Selu,
    Function::Gelu,
    Function::GeluTanh,
    Function::QuickGelu,
    Function::Silu,
    Function::SwishBeta,
    Function::Mish,
    Function::HardMish,
    Function::HardSigmoid,
    Function::HardSwish,
    Function::HardTanh,
    Function::Softplus { beta: 2.0 },
    Function::Softsign,
    Function::LogSigmoid,
    Function::TanhShrink,
    Function::HardShrink { lambda: 0.5 },
    Function::SoftShrink { lambda: 0.5 },
    Function::Threshold {
        theta: 0.5,
        value: -1.0,
    },
    Function::Squareplus { b: 4.0 },
    Function::PenalizedTanh,
    Function::Lisht,
    Function::Snake { alpha: 0.5 },
    Function::Sine,
];

/// What `function` makes of `x`, with the mean slope if it draws one.
pub fn value(function: Function, parameter: f64, x: f64) -> f64 {
    let rectifier = |slope: f64| if x > 0.0 { x } else { slope * x };
    let elu = |scale: f64, alpha: f64, width: f64| {
        scale
            * if x > 0.0 {
                x
            } else {
                alpha * (x / width).exp_m1()
            }
    };
    match function {
        Function::Identity => x,
        Function::Sigmoid => logistic(x),
        Function::Tanh => x.tanh(),
        Function::Relu => rectifier(0.0),
        Function::LeakyRelu { slope } => rectifier(slope.into()),
        Function::Prelu => rectifier(parameter),
        Function::Rrelu { lower, upper } => rectifier((f64::from(lower) + f64::from(upper)) / 2.0),
        Function::Relu6 => x.clamp(0.0, 6.0),
        Function::Elu { alpha } => elu(1.0, alpha.into(), 1.0),
        Function::Celu { alpha } => elu(1.0, alpha.into(), alpha.into()),
        Function::Selu => elu(SELU_SCALE, SELU_ALPHA, 1.0),
        Function::Gelu => x * normal_cumulative(x),
        Function::GeluTanh => x * logistic(2.0 * gelu_tanh_argument(x).0),
        Function::QuickGelu => x * logistic(1.702 * x),
        Function::Silu => x * logistic(x),
        Function::SwishBeta => x * logistic(parameter * x),
        Function::Mish => x * softplus(x).tanh(),
        Function::HardMish => 0.5 * x * (x + 2.0).clamp(0.0, 2.0),
        Function::HardSigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Function::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Function::HardTanh => x.clamp(-1.0, 1.0),
        Function::Softplus { beta } => softplus(f64::from(beta) * x) / f64::from(beta),
        Function::Softsign => x / (1.0 + x.abs()),
        Function::LogSigmoid => -softplus(-x),
        Function::TanhShrink => tanh_shrink(x),
        Function::HardShrink { lambda } => match x.abs() > f64::from(lambda) {
            true => x,
            false => 0.0,
        },
        Function::SoftShrink { lambda } => x - x.clamp(-f64::from(lambda), lambda.into()),
        Function::Threshold { theta, value } => match x > f64::from(theta) {
            true => x,
            false => value.into(),
        },
        Function::Squareplus { b } => {
            let root = (x * x + f64::from(b)).sqrt();
            match x < 0.0 {
                true => f64::from(b) / 2.0 / (root + x.abs()),
                false => (x + root) / 2.0,
            }
        }
        Function::PenalizedTanh => x.tanh() * if x > 0.0 { 1.0 } else { 0.25 },
        Function::Lisht => x * x.tanh(),
        Function::Snake { alpha } => {
            let alpha = f64::from(alpha);
            x + (alpha * x).sin().powi(2) / alpha
        }
        Function::Sine => x.sin(),
    }
}

/// Of [`Function::Selu`], as Klambauer et al. 2017 give them.
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(1 + eˣ).
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// u of the GELU with a hyperbolic tangent, and its derivative.
pub fn gelu_tanh_argument(x: f64) -> (f64, f64) {
    let scale = (2.0 / PI).sqrt();
    (
        scale * (x + 0.044_715 * x.powi(3)),
        scale * (1.0 + 3.0 * 0.044_715 * x * x),
    )
}

/// Density of the standard normal distribution.
pub fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / TAU.sqrt()
}

/// Distribution function of the standard normal distribution.
pub fn normal_cumulative(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let a = x.abs();
    if a < 3.0 {
        // Φ(x) = 1/2 + φ(x) (x + x³/3 + x⁵/(3·5) + …), Marsaglia 2004.
        let (mut term, mut sum) = (x, x);
        for odd in (3..200).step_by(2) {
            term *= x * x / f64::from(odd);
            let before = sum;
            sum += term;
            if sum == before {
                break;
            }
        }
        return 0.5 + normal_density(x) * sum;
    }
    // Φ(−a) = φ(a) / (a + 1/(a + 2/(a + 3/(a + …)))), Laplace's continued fraction.
    let fraction = (1..200).rev().fold(a, |rest, n| a + f64::from(n) / rest);
    let tail = if a > 40.0 {
        0.0
    } else {
        normal_density(a) / fraction
    };
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// x − tanh x, by Lambert's continued fraction where the difference cancels:
/// tanh(x) = x / (1 + x²/(3 + x²/(5 + …))).
pub fn tanh_shrink(x: f64) -> f64 {
    if x.abs() > 1.0 {
        return x - x.tanh();
    }
    let square = x * x;
    let tail = (2..20)
        .rev()
        .fold(0.0, |rest, n| square / (f64::from(2 * n + 1) + rest));
    x * (square / (3.0 + square + tail))
}
