//! Functions with exponentials, roots, quotients or sines: (f(x), f′(x)).
//!
//! Nothing here overflows for a finite x: of eˣ and e⁻ˣ only the one below 1 is computed. `min` and
//! `max` have x last, so that NaN passes through.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use crate::math;
use crate::simd::Simd;

/// SELU's α by Klambauer et al. 2017 (arXiv:1706.02515), for mean 0 and variance 1.
pub const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
/// SELU's λ, likewise.
pub const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// The logistic function and the hyperbolic tangent are constant in `f32` beyond ±this.
const SATURATION: f32 = 200.0;

/// x limited to −`limit..limit`.
#[inline(always)]
fn limit<S: Simd>(s: S, x: S::F32, limit: f32) -> S::F32 {
    s.min(s.splat(limit), s.max(s.splat(-limit), x))
}

/// σ(x).
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    math::logistic_and_derivative(s, x)
}

/// tanh x.
#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    // Only one of them is wanted at a time, and for the value alone there is a shorter way.
    (math::tanh(s, x), math::tanh_and_derivative(s, x).1)
}

/// tanh x where x is positive, else tanh(x) / 4.
#[inline(always)]
pub(super) fn penalized_tanh<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let (value, derivative) = tanh(s, x);
    let factor = s.select(s.less(s.splat(0.0), x), s.splat(1.0), s.splat(0.25));
    (s.mul(value, factor), s.mul(derivative, factor))
}

/// x tanh x.
#[inline(always)]
pub(super) fn lisht<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let (tanh, derivative) = math::tanh_and_derivative(s, x);
    let limited = limit(s, x, SATURATION);
    (s.mul(x, tanh), s.mul_add(limited, derivative, tanh))
}

/// x − tanh x.
#[inline(always)]
pub(super) fn tanh_shrink<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let tanh = math::tanh(s, x);
    (math::tanh_shrink(s, x), s.mul(tanh, tanh))
}

/// The exponential linear units: `positive` · x where x is positive, else
/// `negative` · (e^(x / `width`) − 1).
#[derive(Clone, Copy)]
pub(super) struct Elu {
    positive: f32,
    negative: f32,
    /// Derivative below zero, by the exponential.
    slope: f32,
    inverse_width: f32,
}

impl Elu {
    #[inline(always)]
    pub(super) fn new(positive: f64, negative: f64, width: f64) -> Self {
        Self {
            positive: positive as f32,
            negative: negative as f32,
            slope: (negative / width) as f32,
            inverse_width: (1.0 / width) as f32,
        }
    }

    #[inline(always)]
    pub(super) fn at<S: Simd>(self, s: S, x: S::F32) -> (S::F32, S::F32) {
        let zero = s.splat(0.0);
        let scaled = s.mul(s.min(zero, x), s.splat(self.inverse_width));
        let (exp, exp_m1) = math::exp_and_exp_m1_nonpositive(s, scaled);
        let positive = s.splat(self.positive);
        let value_above = s.mul(s.max(zero, x), positive);
        (
            s.mul_add(exp_m1, s.splat(self.negative), value_above),
            s.select(s.less(zero, x), positive, s.mul(exp, s.splat(self.slope))),
        )
    }
}

/// x Φ(x).
#[inline(always)]
pub(super) fn gelu<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let (cumulative, density) = math::normal_distribution(s, x);
    let limited = limit(s, x, SATURATION);
    (
        s.mul(x, cumulative),
        s.mul_add(limited, density, cumulative),
    )
}

/// x σ(2u) with u = √(2/π) (x + 0.044715 x³).
#[inline(always)]
pub(super) fn gelu_tanh<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    const TWICE_SQRT_2_OVER_PI: f64 = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
    const CUBIC: f32 = (0.044_715 * TWICE_SQRT_2_OVER_PI) as f32;
    let linear = s.splat(TWICE_SQRT_2_OVER_PI as f32);
    // σ(2u) is 0 or 1 in `f32` long before x³ overflows.
    let limited = limit(s, x, 30.0);
    let square = s.mul(limited, limited);
    let twice_u = s.mul(limited, s.mul_add(square, s.splat(CUBIC), linear));
    let slope = s.mul(limited, s.mul_add(square, s.splat(3.0 * CUBIC), linear));
    let (logistic, derivative) = math::logistic_and_derivative(s, twice_u);
    (s.mul(x, logistic), s.mul_add(derivative, slope, logistic))
}

/// x σ(βx).
#[inline(always)]
pub(super) fn swish<S: Simd>(s: S, x: S::F32, beta: S::F32) -> (S::F32, S::F32) {
    let z = s.mul(x, beta);
    let (logistic, derivative) = math::logistic_and_derivative(s, z);
    let limited = limit(s, z, SATURATION);
    (s.mul(x, logistic), s.mul_add(limited, derivative, logistic))
}

/// The derivative of [`swish`] by β, x² σ'(βx).
#[inline(always)]
pub(super) fn swish_by_beta<S: Simd>(s: S, x: S::F32, beta: S::F32) -> S::F32 {
    let (_, derivative) = math::logistic_and_derivative(s, s.mul(x, beta));
    s.mul(x, s.mul(x, derivative))
}

/// x tanh(ln(1 + eˣ)).
#[inline(always)]
pub(super) fn mish<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    // With eˣ = a/b, where one of them is 1 and the other e = e^−|x|, the hyperbolic tangent is
    // n / (n + 2b²) for n = a (a + 2b), and its derivative 4ab² (a + b) / (n + 2b²)².
    let (one, two) = (s.splat(1.0), s.splat(2.0));
    let e = math::exp_nonpositive(s, s.neg(s.abs(x)));
    let is_negative = s.less(x, s.splat(0.0));
    let b = s.select(is_negative, one, e);
    let n = s.select(is_negative, s.mul(e, s.add(e, two)), s.mul_add(e, two, one));
    let inverse = math::reciprocal(s, s.mul_add(s.mul(b, two), b, n));
    let tanh = s.mul(n, inverse);
    // ab = e and a + b = 1 + e.
    let ratio = s.mul(s.mul(e, s.splat(4.0)), inverse);
    let derivative = s.mul(s.mul(ratio, s.mul(b, inverse)), s.add(e, one));
    let limited = limit(s, x, SATURATION);
    (s.mul(x, tanh), s.mul_add(limited, derivative, tanh))
}

/// ln(1 + e^(βx)) / β.
#[inline(always)]
pub(super) fn softplus<S: Simd>(s: S, x: S::F32, beta: f32) -> (S::F32, S::F32) {
    let scaled = s.mul(x, s.splat(beta));
    let e = math::exp_nonpositive(s, s.neg(s.abs(scaled)));
    let bend = math::ln_1p_of_fraction(s, e);
    (
        s.mul_add(bend, s.splat(1.0 / beta), s.max(s.splat(0.0), x)),
        math::logistic(s, scaled),
    )
}

/// ln σ(x).
#[inline(always)]
pub(super) fn log_sigmoid<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let e = math::exp_nonpositive(s, s.neg(s.abs(x)));
    (
        s.sub(s.min(s.splat(0.0), x), math::ln_1p_of_fraction(s, e)),
        math::logistic(s, s.neg(x)),
    )
}

/// x / (1 + |x|).
#[inline(always)]
pub(super) fn softsign<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let denominator = s.add(s.abs(x), s.splat(1.0));
    let inverse = math::reciprocal(s, denominator);
    (s.div(x, denominator), s.mul(inverse, inverse))
}

/// (x + √(x² + b)) / 2.
#[derive(Clone, Copy)]
pub(super) struct Squareplus {
    root: f32,
    inverse_root: f32,
    quarter: f32,
}

impl Squareplus {
    #[inline(always)]
    pub(super) fn new(b: f32) -> Self {
        let root = f64::from(b).sqrt();
        Self {
            root: root as f32,
            inverse_root: (1.0 / root) as f32,
            quarter: b / 4.0,
        }
    }

    #[inline(always)]
    pub(super) fn at<S: Simd>(self, s: S, x: S::F32) -> (S::F32, S::F32) {
        // √(x² + b) = √b √((x/√b)² + 1), and |x| itself where the 1 makes no difference. Beyond
        // `MAX_RATIO` the square of the ratio would overflow; derivatives there are 1 or below any
        // normal number.
        const FAR: f32 = (1 << 20) as f32;
        const MAX_RATIO: f32 = 1e19;
        let (one, half) = (s.splat(1.0), s.splat(0.5));
        let magnitude = s.abs(x);
        let ratio = s.mul(magnitude, s.splat(self.inverse_root));
        let ratio = s.min(s.splat(MAX_RATIO), ratio);
        let scaled_root = s.sqrt(s.mul_add(ratio, ratio, one));
        let root = s.mul(scaled_root, s.splat(self.root));
        let root = s.select(s.less(s.splat(FAR), ratio), magnitude, root);
        // f(x) f(−x) = b/4, where the definition would cancel.
        let of_magnitude = s.mul_add(magnitude, half, s.mul(root, half));
        let is_negative = s.less(x, s.splat(0.0));
        let of_negative = s.div(s.splat(self.quarter), of_magnitude);
        // f′ = f / √(x² + b), both divided by √b, as products of them might overflow.
        let scaled = s.mul_add(ratio, half, s.mul(scaled_root, half));
        let numerator = s.select(is_negative, s.splat(0.25), scaled);
        let denominator = s.select(is_negative, s.mul(scaled, scaled_root), scaled_root);
        (
            s.select(is_negative, of_negative, of_magnitude),
            s.div(numerator, denominator),
        )
    }
}

/// x + sin²(αx) / α.
#[inline(always)]
pub(super) fn snake<S: Simd>(s: S, x: S::F32, alpha: f32) -> (S::F32, S::F32) {
    // An infinite phase would give NaN.
    let phase = limit(s, s.mul(x, s.splat(alpha)), f32::MAX);
    // Only its square counts, which has no sign to keep.
    let sin = math::sin_shifted(s, phase, 0.0);
    // 1 + sin(2αx), without its cancellation.
    let shifted = math::sin_shifted(s, phase, 0.25);
    (
        s.mul_add(s.mul(sin, sin), s.splat(1.0 / alpha), x),
        s.mul(s.add(shifted, shifted), shifted),
    )
}

/// sin x.
#[inline(always)]
pub(super) fn sine<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    (math::sin(s, x), math::cos(s, x))
}
