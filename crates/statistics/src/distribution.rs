//! Distributions: the common ones from `statrs`, and by numerical integration those that it lacks.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI, SQRT_2};

use statrs::function::beta::beta_reg;
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::{gamma_ur, ln_gamma};

/// P(Z ≤ z) of a standard normal Z.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z * FRAC_1_SQRT_2)
}

/// The z with P(Z ≤ z) = `probability`.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * probability)
}

/// P(T > t) of Student's t.
pub(crate) fn t_sf(t: f64, freedom: f64) -> f64 {
    let beyond = 0.5 * beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    if t > 0.0 { beyond } else { 1.0 - beyond }
}

/// The t ≥ 0 with P(T > t) = `probability`, which is at most ½.
pub(crate) fn t_isf(probability: f64, freedom: f64) -> f64 {
    threshold(|t| t_sf(t, freedom) <= probability)
}

/// P(X > x) of chi-squared.
pub(crate) fn chi_squared_sf(x: f64, freedom: f64) -> f64 {
    // `gamma_ur` refuses 0.
    if x > 0.0 {
        gamma_ur(freedom / 2.0, x / 2.0)
    } else {
        1.0
    }
}

/// P(X > x) of Fisher's and Snedecor's F.
pub(crate) fn f_sf(x: f64, numerator: f64, denominator: f64) -> f64 {
    beta_reg(
        denominator / 2.0,
        numerator / 2.0,
        denominator / (denominator + numerator * x),
    )
}

/// P(T > t) of the noncentral t, (Z + `shift`) / U with a standard normal Z and U as in
/// [`chi_mean`]; `t` > 0.
pub(crate) fn noncentral_t_sf(t: f64, freedom: f64, shift: f64) -> f64 {
    chi_mean(freedom, shift / t, t, |u| normal_cdf(shift - t * u)).clamp(0.0, 1.0)
}

/// The mean of `function`(U), where U is distributed as a sample's standard deviation divided by the
/// population's: U² `freedom` is chi-squared. The function changes near `step`, by `slope` at most.
pub(crate) fn chi_mean(freedom: f64, step: f64, slope: f64, function: impl Fn(f64) -> f64) -> f64 {
    let half = freedom / 2.0;
    let scale = LN_2 + half * half.ln() - ln_gamma(half);
    let density = |u: f64| (scale + (freedom - 1.0) * u.ln() - half * u * u).exp();
    // A chi variable is a Lipschitz function of normal ones: it is further than this from its mean
    // with a probability of 1e-15 (exp(-(12/√2)²/2)) at most.
    let reach = 12.0 / (2.0 * freedom).sqrt();
    let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let mut points = vec![low, 1.0, high];
    points.extend([-8.0, 0.0, 8.0].map(|width| (step + width / slope).clamp(low, high)));
    integral(|u| function(u) * density(u), &mut points)
}

/// P(Q > q) of the studentized range of `count` normal variables whose variance is known, for q ≥ 0:
/// 1 − k ∫ φ(z) (Φ(z) − Φ(z − q))^(k−1) dz.
pub(crate) fn studentized_range_sf(q: f64, count: f64) -> f64 {
    let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    let others = |z: f64| (normal_cdf(z) - normal_cdf(z - q)).powf(count - 1.0);
    let within = integral(|z| density(z) * others(z), &mut [-9.0, -3.0, 0.0, 3.0, 9.0]);
    (1.0 - count * within).clamp(0.0, 1.0)
}

/// The q with P(Q > q) = `probability` of the studentized range.
pub(crate) fn studentized_range_isf(probability: f64, count: f64) -> f64 {
    threshold(|q| studentized_range_sf(q, count) <= probability)
}

/// The x ≥ 0 at which `reached` turns true, for good; infinite where it never does.
pub(crate) fn threshold(mut reached: impl FnMut(f64) -> bool) -> f64 {
    let mut high = 1.0;
    while !reached(high) {
        high *= 2.0;
        if high == f64::INFINITY {
            return high;
        }
    }
    let mut low = 0.0;
    // Enough to halve the interval down to neighbouring numbers, unless they are next to nothing.
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if reached(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// The integral from the smallest to the largest of `points`, which mark where the function may
/// change fast. The error is far below 1e-10 for functions that are smooth between them.
fn integral(function: impl Fn(f64) -> f64, points: &mut [f64]) -> f64 {
    points.sort_by(f64::total_cmp);
    points
        .windows(2)
        .filter(|ends| ends[0] < ends[1])
        .map(|ends| adaptive(&function, ends[0], ends[1], 30))
        .sum()
}

/// Halves the interval until Gauss's and Kronrod's rules agree. Their difference is the error of the
/// former; the latter, which is returned, is much better.
fn adaptive(function: &impl Fn(f64) -> f64, low: f64, high: f64, halvings: u32) -> f64 {
    let (centre, half) = (0.5 * (low + high), 0.5 * (high - low));
    let (mut gauss, mut kronrod) = (0.0, 0.0);
    for (node, gauss_weight, kronrod_weight) in NODES {
        let mut value = function(centre + half * node);
        if node > 0.0 {
            value += function(centre - half * node);
        }
        gauss += gauss_weight * half * value;
        kronrod += kronrod_weight * half * value;
    }
    let disagree = (gauss - kronrod).abs() > 1e-11;
    if disagree && halvings > 0 {
        adaptive(function, low, centre, halvings - 1)
            + adaptive(function, centre, high, halvings - 1)
    } else {
        kronrod
    }
}

/// Nodes and weights of the 7-point Gauss and the 15-point Kronrod rule on [-1, 1], which is
/// symmetric: Piessens et al., QUADPACK (1983), `qk15`.
const NODES: [(f64, f64, f64); 8] = [
    (0.0, 0.417_959_183_673_469_4, 0.209_482_141_084_727_83),
    (0.207_784_955_007_898_47, 0.0, 0.204_432_940_075_298_9),
    (
        0.405_845_151_377_397_2,
        0.381_830_050_505_118_9,
        0.190_350_578_064_785_4,
    ),
    (0.586_087_235_467_691_1, 0.0, 0.169_004_726_639_267_9),
    (
        0.741_531_185_599_394_4,
        0.279_705_391_489_276_67,
        0.140_653_259_715_525_9,
    ),
    (0.864_864_423_359_769_1, 0.0, 0.104_790_010_322_250_18),
    (
        0.949_107_912_342_758_5,
        0.129_484_966_168_869_7,
        0.063_092_092_629_978_55,
    ),
    (0.991_455_371_120_812_6, 0.0, 0.022_935_322_010_529_224),
];
