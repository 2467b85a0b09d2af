//! Functions made of polynomials: (f(x), f′(x)).
//!
//! `min` and `max` have x last, so that NaN passes through.

use crate::simd::Simd;

/// max(x, 0).
#[inline(always)]
pub(super) fn relu<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let zero = s.splat(0.0);
    (
        s.max(zero, x),
        s.select(s.less(zero, x), s.splat(1.0), zero),
    )
}

/// x where it is positive, else slope · x.
#[inline(always)]
pub(super) fn rectifier<S: Simd>(s: S, x: S::F32, slope: S::F32) -> (S::F32, S::F32) {
    let factor = s.select(s.less(s.splat(0.0), x), s.splat(1.0), slope);
    (s.mul(x, factor), factor)
}

/// The derivative of [`rectifier`] by the slope.
#[inline(always)]
pub(super) fn rectifier_by_slope<S: Simd>(s: S, x: S::F32) -> S::F32 {
    s.min(s.splat(0.0), x)
}

/// x limited to `low..high`, with derivative 0 at both ends.
#[inline(always)]
pub(super) fn clip<S: Simd>(s: S, x: S::F32, low: f32, high: f32) -> (S::F32, S::F32) {
    let (low, high) = (s.splat(low), s.splat(high));
    let within = s.and(s.less(low, x), s.less(x, high));
    (
        s.min(high, s.max(low, x)),
        s.select(within, s.splat(1.0), s.splat(0.0)),
    )
}

/// (x + 3) / 6 limited to 0..1.
#[inline(always)]
pub(super) fn hard_sigmoid<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let sixth = s.splat(1.0 / 6.0);
    let (limited, _) = clip(s, s.add(x, s.splat(3.0)), 0.0, 6.0);
    let within = s.less(s.abs(x), s.splat(3.0));
    (s.mul(limited, sixth), s.select(within, sixth, s.splat(0.0)))
}

/// x times the hard sigmoid of it.
#[inline(always)]
pub(super) fn hard_swish<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let (value, _) = hard_sigmoid(s, x);
    // x/3 + 1/2, exactly zero where it should be.
    let middle = s.mul(s.add(x, s.splat(1.5)), s.splat(1.0 / 3.0));
    let not_below = s.select(s.less_equal(x, s.splat(-3.0)), s.splat(0.0), middle);
    let derivative = s.select(s.less_equal(s.splat(3.0), x), s.splat(1.0), not_below);
    (s.mul(x, value), derivative)
}

/// x/2 · min(2, max(0, x + 2)).
#[inline(always)]
pub(super) fn hard_mish<S: Simd>(s: S, x: S::F32) -> (S::F32, S::F32) {
    let two = s.splat(2.0);
    let (limited, _) = clip(s, s.add(x, two), 0.0, 2.0);
    let not_below = s.add(s.min(s.splat(0.0), x), s.splat(1.0));
    let derivative = s.select(s.less_equal(x, s.neg(two)), s.splat(0.0), not_below);
    (s.mul(x, s.mul(limited, s.splat(0.5))), derivative)
}

/// x where |x| > λ, else 0.
#[inline(always)]
pub(super) fn hard_shrink<S: Simd>(s: S, x: S::F32, lambda: S::F32) -> (S::F32, S::F32) {
    let within = s.less_equal(s.abs(x), lambda);
    let factor = s.select(within, s.splat(0.0), s.splat(1.0));
    (s.mul(x, factor), factor)
}

/// x − λ where x > λ, x + λ where x < −λ, else 0.
#[inline(always)]
pub(super) fn soft_shrink<S: Simd>(s: S, x: S::F32, lambda: S::F32) -> (S::F32, S::F32) {
    let nearest = s.min(lambda, s.max(s.neg(lambda), x));
    let beyond = s.less(lambda, s.abs(x));
    (
        s.sub(x, nearest),
        s.select(beyond, s.splat(1.0), s.splat(0.0)),
    )
}

/// x where x > θ, else `value`.
#[inline(always)]
pub(super) fn threshold<S: Simd>(
    s: S,
    x: S::F32,
    theta: S::F32,
    value: S::F32,
) -> (S::F32, S::F32) {
    let below = s.less_equal(x, theta);
    // x itself; without the detour, the compiler would store it in place with a mask, which AMD's
    // processors take many cycles for in AVX2.
    let above = s.max(s.splat(f32::NEG_INFINITY), x);
    (
        s.select(below, value, above),
        s.select(below, s.splat(0.0), s.splat(1.0)),
    )
}
