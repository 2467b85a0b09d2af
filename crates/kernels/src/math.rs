//! Elementary functions of vectors.
//!
//! Accuracy is given in ulp, the spacing of `f32` at the true value, and is the largest error that
//! `tests/math.rs` found on any instruction set; results below the smallest normal number are as
//! close as the spacing there allows, where nothing else is said. NaN stays NaN, and odd functions
//! keep the sign of zero.
//!
//! The polynomials are minimax polynomials of our own, from `tests/reference/polynomials.py`.

use std::f32::consts::{FRAC_1_PI, LOG2_E};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

use crate::simd::{ROUNDER, Simd, TO_SCALE};

/// ln 2 in two parts. The first has so few bits that its product with an exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -0.000_212_194_44];

/// (eʳ − 1 − r) / r² for |r| ≤ ln(2) / 2.
const EXP: [f32; 5] = [
    0.5,
    0.166_664_88,
    0.041_665_558,
    0.008_372_262,
    0.001_403_394_7,
];

/// ln(1 + x) / x for 0 ≤ x ≤ 1.
const LN_1P: [f32; 9] = [
    1.0,
    -0.499_996_48,
    0.333_213_3,
    -0.248_572_17,
    0.191_538_47,
    -0.137_541_8,
    0.079_208_694,
    -0.030_068_198,
    0.005_365_394_5,
];

/// π in four parts, the first three of 12 bits each, so that their products with a number of 12
/// bits are exact.
const PI_PARTS: [f32; 4] = [3.141_601_6, -8.907_169e-6, -1.741_227_6e-9, 1.244_674_4e-13];

/// (sin r − r) / r³ by r², for |r| ≤ π/2.
const SIN: [f32; 4] = [
    -0.166_666_6,
    0.008_333_069,
    -0.000_198_097_74,
    2.606_081_8e-6,
];

/// (x − tanh x) / x³ by x², for |x| ≤ 1.
const TANH_SHRINK: [f32; 7] = [
    0.333_333_3,
    -0.133_331_31,
    0.053_935_03,
    -0.021_660_965,
    0.008_220_371,
    -0.002_511_638_2,
    0.000_421_062_87,
];

/// Φ(−a) e^(a²/2) for 0 ≤ a ≤ `NORMAL_END`: numerator and denominator.
const NORMAL_TAIL: ([f32; 5], [f32; 6]) = (
    [
        0.5,
        0.438_297_87,
        0.183_237_34,
        0.040_633_984,
        0.004_116_424,
    ],
    [
        1.0,
        1.674_480_7,
        1.202_512_3,
        0.469_476_46,
        0.101_860_73,
        0.010_318_224,
    ],
);
/// e^(−a²/2) is 0 from here on.
const NORMAL_END: f32 = 14.5;

/// The polynomial with these coefficients, the lowest first.
#[inline(always)]
pub(crate) fn polynomial<S: Simd, const N: usize>(
    s: S,
    x: S::F32,
    coefficients: &[f32; N],
) -> S::F32 {
    let mut sum = s.splat(coefficients[N - 1]);
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = s.mul_add(sum, x, s.splat(coefficient));
    }
    sum
}

/// x = n ln 2 + r with an integer n and |r| ≤ ln(2) / 2: r, and n + `rounder`. For |x| < 200.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::F32, rounder: f32) -> (S::F32, S::F32) {
    let rounder = s.splat(rounder);
    let shifted = s.mul_add(x, s.splat(LOG2_E), rounder);
    let n = s.sub(shifted, rounder);
    let r = s.mul_add(n, s.splat(-LN_2[0]), x);
    (s.mul_add(n, s.splat(-LN_2[1]), r), shifted)
}

/// eʳ − 1 for |r| up to a little more than ln(2) / 2.
#[inline(always)]
fn exp_m1_reduced<S: Simd>(s: S, r: S::F32) -> S::F32 {
    let square = s.mul(r, r);
    s.mul_add(square, polynomial(s, r, &EXP), r)
}

/// e^(high + low) for −105.2 ≤ high ≤ 0 and a small `low`.
#[inline(always)]
fn exp_of_sum<S: Simd>(s: S, high: S::F32, low: Option<S::F32>) -> S::F32 {
    let (r, shifted) = reduce(s, high, TO_SCALE);
    let r = match low {
        Some(low) => s.add(r, low),
        None => r,
    };
    s.scale(exp_m1_reduced(s, r), shifted)
}

/// eˣ for x ≤ 0, and anything for other numbers. Error: 1.1 ulp.
#[inline(always)]
pub fn exp_nonpositive<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // Half the smallest number is e^−103.97.
    exp_of_sum(s, s.max(s.splat(-104.0), x), None)
}

/// (eˣ, eˣ − 1) for x ≤ 0, and anything for other numbers. Faster than [`exp_nonpositive`], but eˣ
/// may be 0 where it is below the smallest normal number. Error: 1.1 ulp.
#[inline(always)]
pub fn exp_and_exp_m1_nonpositive<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    // At −88 the biased exponent is 0, and the power of two therefore zero.
    let (r, shifted) = reduce(s, s.max(s.splat(-88.0), x), ROUNDER + 127.0);
    let p = exp_m1_reduced(s, r);
    let power = s.with_bits(s.shift_left::<23>(s.to_bits(shifted)));
    let below = s.sub(power, s.splat(1.0));
    (s.mul_add(power, p, power), s.mul_add(power, p, below))
}

/// eˣ − 1 for x ≤ 0, and anything for other numbers. Error: 1.1 ulp.
#[inline(always)]
pub fn exp_m1_nonpositive<S: Simd>(s: S, x: S::F32) -> S::F32 {
    exp_and_exp_m1_nonpositive(s, x).1
}

/// ln(1 + x) for 0 ≤ x ≤ 1. Error: 2.1 ulp.
#[inline(always)]
pub fn ln_1p_of_fraction<S: Simd>(s: S, x: S::F32) -> S::F32 {
    s.mul(x, polynomial(s, x, &LN_1P))
}

/// The logistic function 1 / (1 + e⁻ˣ). Error: 3 ulp.
#[inline(always)]
pub fn logistic<S: Simd>(s: S, x: S::F32) -> S::F32 {
    logistic_and_derivative(s, x).0
}

/// The logistic function and its derivative. Error: 3 ulp, 5 ulp.
#[inline(always)]
pub fn logistic_and_derivative<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let e = exp_nonpositive(s, s.neg(s.abs(x)));
    let r = reciprocal(s, s.add(e, s.splat(1.0)));
    let of_minus_abs = s.mul(e, r);
    let value = s.select(s.less(x, s.splat(0.0)), of_minus_abs, r);
    (value, s.mul(of_minus_abs, r))
}

/// 1 / x.
#[inline(always)]
pub fn reciprocal<S: Simd>(s: S, x: S::F32) -> S::F32 {
    s.div(s.splat(1.0), x)
}

/// The hyperbolic tangent. Error: 3 ulp.
#[inline(always)]
pub fn tanh<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // With u = e^−2|x| − 1, tanh |x| = −u / (2 + u).
    let u = exp_m1_nonpositive(s, s.mul(s.abs(x), s.splat(-2.0)));
    s.copy_sign(s.div(u, s.add(u, s.splat(2.0))), x)
}

/// The hyperbolic tangent and its derivative 1 / cosh². Error: 3 ulp, 5 ulp; the derivative
/// may be 0 where it is below four times the smallest normal number.
#[inline(always)]
pub fn tanh_and_derivative<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    // With e = e^−2|x|, tanh |x| = (1 − e) / (1 + e), and its derivative 4e / (1 + e)².
    let (e, u) = exp_and_exp_m1_nonpositive(s, s.mul(s.abs(x), s.splat(-2.0)));
    let r = reciprocal(s, s.add(e, s.splat(1.0)));
    let twice_r = s.add(r, r);
    (
        s.copy_sign(s.mul(u, r), x),
        s.mul(s.mul(e, twice_r), twice_r),
    )
}

/// x − tanh x. Error: 4 ulp.
#[inline(always)]
pub fn tanh_shrink<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // Near zero the difference cancels.
    let square = s.mul(x, x);
    let near = s.mul(s.mul(x, square), polynomial(s, square, &TANH_SHRINK));
    // With e = e^−2|x|, tanh |x| = 1 − 2e / (1 + e); |x| − 1 is exact where it matters.
    let magnitude = s.abs(x);
    let one = s.splat(1.0);
    let (e, _) = exp_and_exp_m1_nonpositive(s, s.mul(magnitude, s.splat(-2.0)));
    let rest = s.div(s.add(e, e), s.add(e, one));
    let far = s.copy_sign(s.add(s.sub(magnitude, one), rest), x);
    s.select(s.less(magnitude, one), near, far)
}

/// The standard normal distribution: Φ(x) = (1 + erf(x/√2)) / 2, and its density
/// e^(−x²/2) / √(2π). Error: 8 ulp (5e-7 of the value),
/// 2.2 ulp.
#[inline(always)]
pub fn normal_distribution<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    const FRAC_1_SQRT_TAU: f32 = (0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI) as f32;
    let a = s.min(s.splat(NORMAL_END), s.abs(x));
    // The square needs more digits than an `f32` has.
    let (high, low) = if S::FUSED {
        let minus_half_a = s.mul(a, s.splat(-0.5));
        let high = s.mul(a, minus_half_a);
        (high, s.mul_add(a, minus_half_a, s.neg(high)))
    } else {
        // a² = b² + (a − b) (a + b), where b has half the digits of a, and thus an exact square.
        let b = s.with_bits(s.and_int(s.to_bits(a), s.splat_int(!0xfff)));
        let minus_half_b = s.mul(b, s.splat(-0.5));
        let low = s.mul(s.mul(s.sub(a, b), s.splat(-0.5)), s.add(a, b));
        (s.mul(b, minus_half_b), low)
    };
    let e = exp_of_sum(s, high, Some(low));

    let numerator = s.mul(e, polynomial(s, a, &NORMAL_TAIL.0));
    let tail = s.div(numerator, polynomial(s, a, &NORMAL_TAIL.1));
    let is_negative = s.less(x, s.splat(0.0));
    let cumulative = s.select(is_negative, tail, s.sub(s.splat(1.0), tail));
    (cumulative, s.mul(e, s.splat(FRAC_1_SQRT_TAU)))
}

/// sin x. Error: 2.5 ulp, for numbers of any size.
#[inline(always)]
pub fn sin<S: Simd>(s: S, x: S::F32) -> S::F32 {
    // Where x³/6 is lost beside x: sums of zeros would take the sign of minus zero away.
    let is_small = s.less(s.abs(x), s.splat(1e-4));
    s.select(is_small, x, sin_shifted(s, x, 0.0))
}

/// cos x. Error: 2.5 ulp, for numbers of any size.
#[inline(always)]
pub fn cos<S: Simd>(s: S, x: S::F32) -> S::F32 {
    sin_shifted(s, x, 0.5)
}

/// sin(x + π · shift), where `shift` is a multiple of 1/4. Error: 2.5 ulp, for numbers of any size;
/// beyond ±3000 they are taken one by one.
#[inline(always)]
pub fn sin_shifted<S: Simd>(s: S, x: S::F32, shift: f32) -> S::F32 {
    // x + π shift = nπ + r with an integer n and |r| ≤ π/2; then the sine is that of r, with the
    // sign of (−1)ⁿ.
    let rounder = s.splat(ROUNDER);
    let turns = s.mul_add(x, s.splat(FRAC_1_PI), s.splat(shift));
    let shifted = s.add(turns, rounder);
    let n = s.sub(s.sub(shifted, rounder), s.splat(shift));
    let mut r = x;
    for part in PI_PARTS {
        r = s.mul_add(n, s.splat(-part), r);
    }
    let square = s.mul(r, r);
    let sin = s.mul_add(s.mul(r, square), polynomial(s, square, &SIN), r);
    let sign = s.shift_left::<31>(s.to_bits(shifted));
    let sin = s.with_bits(s.xor_int(s.to_bits(sin), sign));
    let is_large = s.less(s.splat(SIN_END), s.abs(x));
    if s.any(is_large) {
        let of_large = s.map_lanes(x, |x| sin_shifted_of_large(x, shift));
        return s.select(is_large, of_large, sin);
    }
    sin
}

/// Up to here, four times the n of [`sin_shifted`] has 12 bits.
pub(crate) const SIN_END: f32 = 3000.0;

#[cold]
#[inline(never)]
fn sin_shifted_of_large(x: f32, shift: f32) -> f32 {
    let (sin, cos) = f64::from(x).sin_cos();
    let (shift_sin, shift_cos) = (PI * f64::from(shift)).sin_cos();
    // The cosine of π/2 would not be zero.
    let sin_part = if shift == 0.5 { 0.0 } else { sin * shift_cos };
    (sin_part + cos * shift_sin) as f32
}
