//! Functions of `f64` that the standard library lacks.

#![allow(dead_code)]

use std::f64::consts::TAU;

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
            sum += term;
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
