//! The functions and their derivatives, from stock tensor operations.
//!
//! Automatic differentiation of the textbook formulas gives NaN where a discarded branch overflows,
//! loses digits to cancellation, and differs between backends at the kinks. So the smooth functions
//! state their derivative, in a form that neither overflows nor cancels. Only those that are
//! exact anyway are left to automatic differentiation.

use burn::tensor::Tensor;
use burn::tensor::activation;
pub(super) use burn::tensor::activation::{hard_shrink, relu, soft_shrink, threshold};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The logistic function is 0 or 1 in `f32` beyond ±this, and its derivative 0.
const SATURATION: f64 = 200.0;

// ---------------------------------------------------------------------------------------------
// Building blocks
// ---------------------------------------------------------------------------------------------

/// `value(x)`, whose gradient is `derivative(x)`.
fn with_derivative<const D: usize>(
    x: Tensor<D>,
    value: impl FnOnce(Tensor<D>) -> Tensor<D>,
    derivative: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let constant = x.clone().inner();
    let y = value(constant.clone());
    if !x.is_autodiff() {
        return y;
    }
    // The first term is zero, and has the gradient.
    (x - constant.clone()) * derivative(constant) + y
}

/// (a, b) with eˣ = a / b and neither above 1.
fn exponential_ratio<const D: usize>(x: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    (x.clone().clamp_max(0.0).exp(), x.neg().clamp_max(0.0).exp())
}

/// σ(x) = 1 / (1 + e⁻ˣ), without gradient.
fn logistic<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let (a, b) = exponential_ratio(x);
    a.clone() / (a + b)
}

/// σ'(x) = σ(x) σ(−x), without gradient.
fn logistic_derivative<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let (a, b) = exponential_ratio(x);
    let sum = a.clone() + b.clone();
    (a / sum.clone()) * (b / sum)
}

/// tanh'(x) = 1 / cosh²(x) = 4 σ'(2x), without gradient.
fn tanh_derivative<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    logistic_derivative(x * 2.0) * 4.0
}

/// eˣ − 1 for x ≤ 0, without gradient: 2t / (1 − t) with t = tanh(x/2).
fn exp_m1_of_nonpositive<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let t = (x * 0.5).tanh();
    t.clone() * 2.0 / (t.neg() + 1.0)
}

/// ln(1 + e^−|x|), without gradient.
fn log1p_exp_of_minus_abs<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.abs().neg().exp().log1p()
}

// ---------------------------------------------------------------------------------------------
// Piecewise linear functions: the gradient at a kink is that of the side which holds it
// ---------------------------------------------------------------------------------------------

/// x where it is positive, `negative` elsewhere.
pub(super) fn rectify<const D: usize>(x: Tensor<D>, negative: Tensor<D>) -> Tensor<D> {
    negative.mask_where(x.clone().greater_scalar(0.0), x)
}

pub(super) fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    rectify(x.clone(), x * slope)
}

/// x limited to `low..high`, with gradient 0 at both ends. The stock `clamp` has 1 there.
pub(super) fn clip<const D: usize>(x: Tensor<D>, low: f64, high: f64) -> Tensor<D> {
    let below = x.clone().lower_equal_scalar(low);
    let above = x.clone().greater_equal_scalar(high);
    x.mask_fill(below, low).mask_fill(above, high)
}

pub(super) fn hard_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(x, hard_logistic, |x| {
        let inside = x.clone().abs().lower_scalar(3.0);
        x.zeros_like().mask_fill(inside, 1.0 / 6.0)
    })
}

/// (x + 3) / 6 limited to 0..1, without gradient.
fn hard_logistic<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

// ---------------------------------------------------------------------------------------------
// Piecewise smooth functions
// ---------------------------------------------------------------------------------------------

/// x where it is positive, α (e^(x/scale) − 1) elsewhere.
pub(super) fn elu<const D: usize>(x: Tensor<D>, alpha: f64, scale: f64) -> Tensor<D> {
    let exponent = move |x: Tensor<D>| x.clamp_max(0.0) / scale;
    with_derivative(
        x,
        |x| rectify(x.clone(), exp_m1_of_nonpositive(exponent(x)) * alpha),
        |x| {
            let positive = x.clone().greater_scalar(0.0);
            (exponent(x).exp() * (alpha / scale)).mask_fill(positive, 1.0)
        },
    )
}

pub(super) fn hard_swish<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(
        x,
        |x| x.clone() * hard_logistic(x),
        |x| {
            let below = x.clone().lower_equal_scalar(-3.0);
            let above = x.clone().greater_equal_scalar(3.0);
            (x / 3.0 + 0.5).mask_fill(below, 0.0).mask_fill(above, 1.0)
        },
    )
}

pub(super) fn hard_mish<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(
        x,
        |x| x.clone() * ((x + 2.0).clamp(0.0, 2.0) * 0.5),
        |x| {
            let below = x.clone().lower_equal_scalar(-2.0);
            (x.clamp_max(0.0) + 1.0).mask_fill(below, 0.0)
        },
    )
}

pub(super) fn softsign<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(x, activation::softsign, |x| {
        let factor = (x.abs() + 1.0).recip();
        factor.clone() * factor
    })
}

// ---------------------------------------------------------------------------------------------
// Smooth functions
// ---------------------------------------------------------------------------------------------

pub(super) fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(x, logistic, logistic_derivative)
}

pub(super) fn tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(x, Tensor::tanh, tanh_derivative)
}

pub(super) fn log_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(
        x,
        |x| x.clone().clamp_max(0.0) - log1p_exp_of_minus_abs(x),
        |x| logistic(x.neg()),
    )
}

pub(super) fn softplus<const D: usize>(x: Tensor<D>, beta: f64) -> Tensor<D> {
    with_derivative(
        x,
        |x| x.clone().clamp_min(0.0) + log1p_exp_of_minus_abs(x * beta) / beta,
        |x| logistic(x * beta),
    )
}

/// (x + √(x² + b)) / 2.
pub(super) fn squareplus<const D: usize>(x: Tensor<D>, b: f64) -> Tensor<D> {
    // √(x² + b), with the larger of |x| and √b taken out so that no square overflows.
    let root = move |x: Tensor<D>| {
        let larger = x.clone().abs().clamp_min(b.sqrt());
        let ratio = x.abs().clamp_max(b.sqrt()) / larger.clone();
        (ratio.clone() * ratio + 1.0).sqrt() * larger
    };
    let value = move |x: Tensor<D>| {
        let negative = x.clone().lower_scalar(0.0);
        let of_abs = root(x.clone()) * 0.5 + x.abs() * 0.5;
        // f(x) f(−x) = b/4, where the definition would cancel.
        of_abs
            .clone()
            .mask_where(negative, of_abs.recip() * (b / 4.0))
    };
    with_derivative(x, value, |x| value(x.clone()) / root(x))
}

/// x σ(βx).
pub(super) fn swish<const D: usize>(x: Tensor<D>, beta: f64) -> Tensor<D> {
    with_derivative(
        x,
        |x| x.clone() * logistic(x * beta),
        |x| {
            let z = (x * beta).clamp(-SATURATION, SATURATION);
            logistic(z.clone()) + z.clone() * logistic_derivative(z)
        },
    )
}

/// x σ(βx) with gradients for both. `beta`: `[1, .., 1]`.
pub(super) fn swish_learnable<const D: usize>(x: Tensor<D>, beta: Tensor<D>) -> Tensor<D> {
    let z = (x.clone() * beta).clamp(-SATURATION, SATURATION);
    x * sigmoid(z)
}

/// x Φ(x), with Φ(x) = (1 + erf(x/√2)) / 2 the normal distribution function.
pub(super) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cumulative = |x: Tensor<D>| ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
    with_derivative(
        x,
        |x| x.clone() * cumulative(x),
        |x| {
            // e^(−x²/2) is 0 in `f32` long before x² overflows.
            let x = x.clamp(-30.0, 30.0);
            let density =
                (x.clone() * x.clone() * -0.5).exp() * (0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI);
            cumulative(x.clone()) + x * density
        },
    )
}

/// x (1 + tanh u) / 2 = x σ(2u) with u = √(2/π) (x + 0.044715 x³).
pub(super) fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    const TWICE_SQRT_2_OVER_PI: f64 = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
    const CUBIC: f64 = 0.044_715;
    // σ(2u) is 0 or 1 in `f32` long before x³ overflows.
    let limit = |x: Tensor<D>| x.clamp(-30.0, 30.0);
    let twice_u = |x: Tensor<D>| (x.clone() * x.clone() * CUBIC + 1.0) * x * TWICE_SQRT_2_OVER_PI;
    with_derivative(
        x,
        |x| x.clone() * logistic(twice_u(limit(x))),
        |x| {
            let x = limit(x);
            let z = twice_u(x.clone());
            let slope = (x.clone() * x.clone() * (3.0 * CUBIC) + 1.0) * TWICE_SQRT_2_OVER_PI;
            logistic(z.clone()) + logistic_derivative(z) * slope * x
        },
    )
}

/// x tanh(ln(1 + eˣ)).
pub(super) fn mish<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    // With eˣ = a/b the hyperbolic tangent is n / (n + 2b²) for n = a² + 2ab, and its derivative
    // 4ab² (a + b) / (n + 2b²)².
    let numerator = |a: &Tensor<D>, b: &Tensor<D>| (b.clone() * 2.0 + a.clone()) * a.clone();
    let denominator =
        move |a: &Tensor<D>, b: &Tensor<D>| numerator(a, b) + b.clone() * b.clone() * 2.0;
    with_derivative(
        x,
        |x| {
            let (a, b) = exponential_ratio(x.clone());
            x * (numerator(&a, &b) / denominator(&a, &b))
        },
        |x| {
            let (a, b) = exponential_ratio(x.clone());
            let denominator = denominator(&a, &b);
            let tanh = numerator(&a, &b) / denominator.clone();
            let ratio = b.clone() / denominator;
            let derivative = (a.clone() + b) * a * ratio.clone() * ratio * 4.0;
            tanh + x * derivative
        },
    )
}

/// x − tanh(x).
pub(super) fn tanh_shrink<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(
        x,
        |x| {
            // The difference cancels near zero. There, tanh(x) = x / (1 + x²/(3 + x²/(5 + …))),
            // Lambert's continued fraction, leaves x · x²/(3 + x² + x²/(5 + …)); for |x| ≤ 1
            // five terms are exact in `f32`.
            let near = x.clone().abs().lower_scalar(1.0);
            let limited = x.clone().clamp(-1.0, 1.0);
            let square = limited.clone() * limited.clone();
            let mut tail = square.clone() / 11.0;
            for odd in [9.0, 7.0, 5.0] {
                tail = square.clone() / (tail + odd);
            }
            let series = limited * (square.clone() / (square + tail + 3.0));
            (x.clone() - x.tanh()).mask_where(near, series)
        },
        |x| {
            let tanh = x.tanh();
            tanh.clone() * tanh
        },
    )
}

/// x tanh(x).
pub(super) fn lisht<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    with_derivative(
        x,
        |x| x.clone() * x.tanh(),
        |x| x.clone().tanh() + x.clone() * tanh_derivative(x),
    )
}

/// x + sin²(αx) / α.
pub(super) fn snake<const D: usize>(x: Tensor<D>, alpha: f64) -> Tensor<D> {
    // An infinite phase would give NaN.
    let phase = move |x: Tensor<D>| (x * alpha).clamp(f32::MIN, f32::MAX);
    with_derivative(
        x,
        |x| {
            let sine = phase(x.clone()).sin();
            x + sine.clone() * sine / alpha
        },
        |x| {
            // 1 + sin(2αx), without its cancellation.
            let phase = phase(x);
            let sum = phase.clone().sin() + phase.cos();
            sum.clone() * sum
        },
    )
}
