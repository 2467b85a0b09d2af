//! The elementary functions against the standard library's of `f64`, on every instruction set.

mod reference;

use kernels::math;
use kernels::simd::{Isa, Routine, Simd};
use reference::{normal_cumulative, normal_density};

/// A function, what it should be, for which numbers, and its largest error in ulp.
struct Case {
    name: &'static str,
    function: Function,
    expected: fn(f64) -> f64,
    domain: fn(f32) -> bool,
    /// Smaller results may be zero instead.
    flushed: f64,
    ulp: f64,
}

#[derive(Clone, Copy)]
enum Function {
    ExpNonpositive,
    FlushedExp,
    ExpM1,
    Ln1p,
    Logistic,
    LogisticDerivative,
    Tanh,
    TanhBeside,
    TanhDerivative,
    TanhShrink,
    NormalCumulative,
    NormalDensity,
    Sin,
    Cos,
    SinShifted,
}

struct Apply<'a>(Function, &'a mut [f32]);

impl Routine for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.0 {
            Function::ExpNonpositive => s.map(self.1, |x| math::exp_nonpositive(s, x)),
            Function::FlushedExp => s.map(self.1, |x| math::exp_and_exp_m1_nonpositive(s, x).0),
            Function::ExpM1 => s.map(self.1, |x| math::exp_m1_nonpositive(s, x)),
            Function::Ln1p => s.map(self.1, |x| math::ln_1p_of_fraction(s, x)),
            Function::Logistic => s.map(self.1, |x| math::logistic(s, x)),
            Function::LogisticDerivative => {
                s.map(self.1, |x| math::logistic_and_derivative(s, x).1);
            }
            Function::Tanh => s.map(self.1, |x| math::tanh(s, x)),
            Function::TanhBeside => s.map(self.1, |x| math::tanh_and_derivative(s, x).0),
            Function::TanhDerivative => s.map(self.1, |x| math::tanh_and_derivative(s, x).1),
            Function::TanhShrink => s.map(self.1, |x| math::tanh_shrink(s, x)),
            Function::NormalCumulative => s.map(self.1, |x| math::normal_distribution(s, x).0),
            Function::NormalDensity => s.map(self.1, |x| math::normal_distribution(s, x).1),
            Function::Sin => s.map(self.1, |x| math::sin(s, x)),
            Function::Cos => s.map(self.1, |x| math::cos(s, x)),
            Function::SinShifted => s.map(self.1, |x| math::sin_shifted(s, x, 0.25)),
        }
    }
}

const SMALLEST_NORMAL: f64 = f32::MIN_POSITIVE as f64;

const CASES: &[Case] = &[
    Case {
        name: "exp_nonpositive",
        function: Function::ExpNonpositive,
        expected: f64::exp,
        domain: |x| x <= 0.0,
        flushed: 0.0,
        ulp: 1.1,
    },
    Case {
        name: "exp_and_exp_m1_nonpositive.0",
        function: Function::FlushedExp,
        expected: f64::exp,
        domain: |x| x <= 0.0,
        flushed: SMALLEST_NORMAL,
        ulp: 1.1,
    },
    Case {
        name: "exp_m1_nonpositive",
        function: Function::ExpM1,
        expected: f64::exp_m1,
        domain: |x| x <= 0.0,
        flushed: 0.0,
        ulp: 1.1,
    },
    Case {
        name: "ln_1p_of_fraction",
        function: Function::Ln1p,
        expected: f64::ln_1p,
        domain: |x| (0.0..=1.0).contains(&x),
        flushed: 0.0,
        ulp: 2.1,
    },
    Case {
        name: "logistic",
        function: Function::Logistic,
        expected: |x| 1.0 / (1.0 + (-x).exp()),
        domain: |_| true,
        flushed: 0.0,
        ulp: 3.0,
    },
    Case {
        name: "logistic_and_derivative.1",
        function: Function::LogisticDerivative,
        expected: |x| 1.0 / (1.0 + (-x).exp()) / (1.0 + x.exp()),
        domain: |_| true,
        flushed: 0.0,
        ulp: 5.0,
    },
    Case {
        name: "tanh",
        function: Function::Tanh,
        expected: f64::tanh,
        domain: |_| true,
        flushed: 0.0,
        ulp: 3.0,
    },
    Case {
        name: "tanh_and_derivative.0",
        function: Function::TanhBeside,
        expected: f64::tanh,
        domain: |_| true,
        flushed: 0.0,
        ulp: 3.0,
    },
    Case {
        name: "tanh_and_derivative.1",
        function: Function::TanhDerivative,
        expected: |x| x.cosh().powi(-2),
        domain: |_| true,
        flushed: 4.0 * SMALLEST_NORMAL,
        ulp: 5.0,
    },
    Case {
        name: "tanh_shrink",
        function: Function::TanhShrink,
        expected: reference::tanh_shrink,
        domain: |_| true,
        flushed: 0.0,
        ulp: 4.0,
    },
    Case {
        name: "normal_distribution.0",
        function: Function::NormalCumulative,
        expected: normal_cumulative,
        domain: |_| true,
        flushed: 0.0,
        ulp: 8.0,
    },
    Case {
        name: "normal_distribution.1",
        function: Function::NormalDensity,
        expected: normal_density,
        domain: |_| true,
        flushed: 0.0,
        ulp: 2.2,
    },
    Case {
        name: "sin",
        function: Function::Sin,
        expected: f64::sin,
        domain: f32::is_finite,
        flushed: 0.0,
        ulp: 2.5,
    },
    Case {
        name: "cos",
        function: Function::Cos,
        expected: f64::cos,
        domain: f32::is_finite,
        flushed: 0.0,
        ulp: 2.5,
    },
    Case {
        name: "sin_shifted by 1/4",
        function: Function::SinShifted,
        expected: |x| (x.sin() + x.cos()) * std::f64::consts::FRAC_1_SQRT_2,
        domain: f32::is_finite,
        flushed: 0.0,
        ulp: 2.5,
    },
];

/// The special numbers, and an even sample of the others: of all magnitudes, and of those that
/// matter most.
fn inputs() -> Vec<f32> {
    let step = if cfg!(miri) { 30_000 } else { 1 };
    let special = [0.0, 1e-45, f32::MIN_POSITIVE, 1.0, f32::MAX, f32::INFINITY];
    let all = (0..f32::INFINITY.to_bits())
        .step_by(7993 * step)
        .map(f32::from_bits);
    let near = (0..100_000).step_by(step).map(|i| i as f32 * 1.17e-3);
    let positive: Vec<f32> = special.into_iter().chain(all).chain(near).collect();
    positive.iter().flat_map(|&x| [x, -x]).collect()
}

/// The distance from `expected` in units of the spacing there.
fn error_in_ulp(got: f32, expected: f64) -> f64 {
    let rounded = expected as f32;
    if got == rounded {
        // Also where both are infinite, which a true value beyond the largest number becomes.
        return (f64::from(got) - expected).abs().min(f64::from(f32::MAX)) / spacing(expected);
    }
    (f64::from(got) - expected).abs() / spacing(expected)
}

fn spacing(x: f64) -> f64 {
    let exponent = (x.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.clamp(-126, 127) - 23)
}

#[test]
fn errors_are_as_stated() {
    for case in CASES {
        let inputs: Vec<f32> = inputs().into_iter().filter(|&x| (case.domain)(x)).collect();
        let expected: Vec<f64> = inputs.iter().map(|&x| (case.expected)(x.into())).collect();
        for isa in Isa::available() {
            let mut got = inputs.clone();
            isa.run(Apply(case.function, &mut got));
            let mut worst = (0.0, 0.0, 0.0, 0.0);
            for ((&x, &got), &expected) in inputs.iter().zip(&got).zip(&expected) {
                assert!(!got.is_nan(), "{} at {x:e} on {isa}", case.name);
                let overflows = got.is_infinite() && expected.abs() > f64::from(f32::MAX);
                let flushed = got == 0.0 && expected.abs() < case.flushed;
                let error = error_in_ulp(got, expected);
                if error > worst.0 && !overflows && !flushed {
                    worst = (error, x, got, expected);
                }
            }
            let (error, x, got, expected) = worst;
            let what = format!(
                "{} on {isa}: {error:.2} ulp at {x:e}: {got:e}, expected {expected:e}",
                case.name
            );
            println!("{what}");
            assert!(error <= case.ulp, "{what}");
        }
    }
}

#[test]
fn nan_stays_nan() {
    for isa in Isa::available() {
        for case in CASES {
            for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)] {
                let mut got = [nan; 3];
                isa.run(Apply(case.function, &mut got));
                assert!(got.iter().all(|got| got.is_nan()), "{} on {isa}", case.name);
            }
        }
    }
}

#[test]
fn zeros_keep_their_sign() {
    for isa in Isa::available() {
        for function in [Function::Tanh, Function::TanhShrink, Function::Sin] {
            let mut got = [-0.0; 5];
            isa.run(Apply(function, &mut got));
            assert_eq!(got.map(f32::to_bits), [(-0f32).to_bits(); 5]);
        }
    }
}

#[test]
fn limits_are_exact() {
    let at = |isa: Isa, function, x| {
        let mut values = [x];
        isa.run(Apply(function, &mut values));
        values[0]
    };
    for isa in Isa::available() {
        for (function, below, above) in [
            (Function::Logistic, 0.0, 1.0),
            (Function::LogisticDerivative, 0.0, 0.0),
            (Function::Tanh, -1.0, 1.0),
            (Function::TanhDerivative, 0.0, 0.0),
            (Function::TanhShrink, f32::NEG_INFINITY, f32::INFINITY),
            (Function::NormalCumulative, 0.0, 1.0),
            (Function::NormalDensity, 0.0, 0.0),
        ] {
            assert_eq!(at(isa, function, f32::NEG_INFINITY), below);
            assert_eq!(at(isa, function, f32::INFINITY), above);
        }
        assert_eq!(at(isa, Function::ExpNonpositive, f32::NEG_INFINITY), 0.0);
        assert_eq!(at(isa, Function::ExpM1, f32::NEG_INFINITY), -1.0);
        assert!(at(isa, Function::Sin, f32::INFINITY).is_nan());
    }
}
