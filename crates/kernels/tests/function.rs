//! The activation functions on every instruction set: against PyTorch's reference values of the
//! crate `model`, against formulas in `f64`, and against each other.

mod reference;

use kernels::function::{Context, Draws, Function};
use kernels::simd::Isa;
use proptest::prelude::*;
use reference::{
    FUNCTIONS, SELU_ALPHA, SELU_SCALE, gelu_tanh_argument, logistic, normal_cumulative,
    normal_density, softplus,
};
use serde_json::Value;

/// A function as it should be.
struct Case {
    /// Its name in the reference values.
    name: &'static str,
    function: Function,
    parameter: f32,
    derivative: Box<dyn Fn(f64) -> f64>,
    value_tolerance: Tolerance,
    derivative_tolerance: Tolerance,
    /// Error of the argument of an exponential, if it is rounded; the result has it as a relative
    /// error.
    argument_error: Box<dyn Fn(f64) -> f64>,
}

/// How far a result may be from the truth: by `relative` times the truth, or by `absolute`,
/// whichever allows more.
#[derive(Clone, Copy, Debug)]
struct Tolerance {
    relative: f64,
    absolute: f64,
}

impl Tolerance {
    fn allows(self, got: f32, expected: f64) -> bool {
        // The true value may be beyond the largest number of `f32`.
        if expected.abs() > f64::from(f32::MAX) {
            return !got.is_nan();
        }
        let difference = (f64::from(got) - expected).abs();
        got.is_finite() && difference <= (self.relative * expected.abs()).max(self.absolute)
    }
}

/// Results below the smallest normal number have fewer digits, and exponentials below it may be 0.
const TINY: f64 = 4.8e-38;

/// As good as a few operations can be.
const STRICT: Tolerance = absolute(TINY);

/// Bounds looser than [`STRICT`] are absolute, because they concern results that are small by
/// cancellation.
const fn absolute(absolute: f64) -> Tolerance {
    Tolerance {
        relative: 1e-6,
        absolute,
    }
}

/// For derivatives with a zero, near which two terms cancel.
const NEAR_ZERO: Tolerance = absolute(1e-7);

fn logistic_derivative(x: f64) -> f64 {
    logistic(x) * logistic(-x)
}

fn tanh_derivative(x: f64) -> f64 {
    x.cosh().powi(-2)
}

fn case(name: &'static str, function: Function, derivative: impl Fn(f64) -> f64 + 'static) -> Case {
    Case {
        name,
        function,
        parameter: f32::NAN,
        derivative: Box::new(derivative),
        value_tolerance: STRICT,
        derivative_tolerance: STRICT,
        argument_error: Box::new(|_| 0.0),
    }
}

fn step(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}

fn rectifier(name: &'static str, function: Function, slope: f64) -> Case {
    case(name, function, move |x| if x > 0.0 { 1.0 } else { slope })
}

/// `scale` x, or `scale` α (e^(x/width) − 1).
fn elu(name: &'static str, function: Function, scale: f64, alpha: f64, width: f64) -> Case {
    case(name, function, move |x| {
        scale
            * if x > 0.0 {
                1.0
            } else {
                alpha / width * (x / width).exp()
            }
    })
}

fn swish(name: &'static str, function: Function, beta: f64) -> Case {
    let derivative = move |x: f64| logistic(beta * x) + beta * x * logistic_derivative(beta * x);
    Case {
        parameter: beta as f32,
        derivative_tolerance: NEAR_ZERO,
        argument_error: Box::new(move |x| 1.2e-7 * beta * x),
        ..case(name, function, derivative)
    }
}

fn squareplus(name: &'static str, b: f32) -> Case {
    let function = Function::Squareplus { b };
    let derivative =
        move |x: f64| reference::value(function, f64::NAN, x) / (x * x + f64::from(b)).sqrt();
    case(name, function, derivative)
}

fn cases() -> Vec<Case> {
    use Function::*;
    let (third, eighth) = (1.0 / 3.0, 1.0 / 8.0);
    let mut cases = vec![
        case("identity", Identity, |_| 1.0),
        case("sigmoid", Sigmoid, logistic_derivative),
        case("tanh", Tanh, tanh_derivative),
        rectifier("relu", Relu, 0.0),
        rectifier("leaky-relu", LeakyRelu { slope: 0.01 }, 0.01),
        rectifier("leaky-relu:0.25", LeakyRelu { slope: 0.25 }, 0.25),
        Case {
            parameter: 0.25,
            ..rectifier("prelu", Prelu, 0.25)
        },
        Case {
            parameter: 0.5,
            ..rectifier("prelu:0.5", Prelu, 0.5)
        },
        rectifier(
            "rrelu",
            Rrelu {
                lower: eighth,
                upper: third,
            },
            11.0 / 48.0,
        ),
        rectifier(
            "rrelu:0.25,0.5",
            Rrelu {
                lower: 0.25,
                upper: 0.5,
            },
            0.375,
        ),
        case("relu6", Relu6, |x| step(0.0 < x && x < 6.0)),
        case("hard-tanh", HardTanh, |x| step(x.abs() < 1.0)),
        elu("elu", Elu { alpha: 1.0 }, 1.0, 1.0, 1.0),
        elu("elu:0.5", Elu { alpha: 0.5 }, 1.0, 0.5, 1.0),
        elu("celu", Celu { alpha: 1.0 }, 1.0, 1.0, 1.0),
        elu("celu:0.5", Celu { alpha: 0.5 }, 1.0, 0.5, 0.5),
        elu("celu:2", Celu { alpha: 2.0 }, 1.0, 2.0, 2.0),
        elu("selu", Selu, SELU_SCALE, SELU_ALPHA, 1.0),
        Case {
            derivative_tolerance: NEAR_ZERO,
            ..case("gelu", Gelu, |x| {
                normal_cumulative(x) + x * normal_density(x)
            })
        },
        Case {
            derivative_tolerance: NEAR_ZERO,
            // Four roundings.
            argument_error: Box::new(|x| 2.4e-7 * 2.0 * gelu_tanh_argument(x).0),
            ..case("gelu-tanh", GeluTanh, |x| {
                let (u, slope) = gelu_tanh_argument(x.clamp(-100.0, 100.0));
                logistic(2.0 * u) + x * logistic_derivative(2.0 * u) * 2.0 * slope
            })
        },
        swish("quick-gelu", QuickGelu, 1.702),
        swish("silu", Silu, 1.0),
        swish("swish-beta", SwishBeta, 1.0),
        swish("swish-beta:1.5", SwishBeta, 1.5),
        Case {
            derivative_tolerance: NEAR_ZERO,
            ..case("mish", Mish, |x| {
                softplus(x).tanh() + x * logistic(x) * tanh_derivative(softplus(x))
            })
        },
        case("hard-mish", HardMish, |x| {
            if x <= -2.0 { 0.0 } else { 1.0 + x.min(0.0) }
        }),
        case("hard-sigmoid", HardSigmoid, |x| step(x.abs() < 3.0) / 6.0),
        case("hard-swish", HardSwish, |x| match x {
            x if x <= -3.0 => 0.0,
            x if x < 3.0 => (2.0 * x + 3.0) / 6.0,
            _ => 1.0,
        }),
        case("softplus", Softplus { beta: 1.0 }, logistic),
        case("softplus:2", Softplus { beta: 2.0 }, |x| logistic(2.0 * x)),
        case("softsign", Softsign, |x| (1.0 + x.abs()).powi(-2)),
        case("log-sigmoid", LogSigmoid, |x| logistic(-x)),
        case("tanh-shrink", TanhShrink, |x| x.tanh().powi(2)),
        case("penalized-tanh", PenalizedTanh, |x| {
            tanh_derivative(x) * if x > 0.0 { 1.0 } else { 0.25 }
        }),
        case("lisht", Lisht, |x| x.tanh() + x * tanh_derivative(x)),
        case("sine", Sine, f64::cos),
        case(
            "threshold",
            Threshold {
                theta: 1.0,
                value: 0.0,
            },
            |x| step(x > 1.0),
        ),
        case(
            "threshold:0.5,-1",
            Threshold {
                theta: 0.5,
                value: -1.0,
            },
            |x| step(x > 0.5),
        ),
    ];
    for (hard, soft, lambda) in [
        ("hard-shrink", "soft-shrink", 0.5f32),
        ("hard-shrink:1", "soft-shrink:1", 1.0),
    ] {
        let width = f64::from(lambda);
        let derivative = move |x: f64| step(x.abs() > width);
        cases.push(case(hard, HardShrink { lambda }, derivative));
        cases.push(case(soft, SoftShrink { lambda }, derivative));
    }
    cases.extend([("squareplus", 4.0), ("squareplus:1", 1.0)].map(|(name, b)| squareplus(name, b)));
    for (name, alpha) in [("snake", 1.0f32), ("snake:0.5", 0.5)] {
        let a = f64::from(alpha);
        cases.push(Case {
            // The derivative has a double zero, next to which the truth has rounding errors.
            derivative_tolerance: absolute(1e-15),
            ..case(name, Snake { alpha }, move |x| {
                ((a * x).sin() + (a * x).cos()).powi(2)
            })
        });
    }
    cases
}

impl Case {
    fn context(&self) -> Context {
        Context {
            parameter: self.parameter,
            draws: None,
        }
    }

    fn value(&self, x: f64) -> f64 {
        reference::value(self.function, self.parameter.into(), x)
    }

    /// f(x) and f′(x) at every input.
    fn evaluate(&self, isa: Isa, inputs: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut values = inputs.to_vec();
        self.function.apply(isa, self.context(), &mut values);
        let mut derivatives = vec![1.0; inputs.len()];
        self.function
            .backward(isa, self.context(), inputs, &mut derivatives);
        (values, derivatives)
    }

    fn check(&self, isa: Isa, inputs: &[f32]) {
        let (values, derivatives) = self.evaluate(isa, inputs);
        let truth =
            |f: &dyn Fn(f64) -> f64| -> Vec<f64> { inputs.iter().map(|&x| f(x.into())).collect() };
        let what = isa.to_string();
        let tolerance = self.value_tolerance;
        self.compare(
            &what,
            inputs,
            &values,
            &truth(&|x| self.value(x)),
            tolerance,
        );
        let what = format!("derivative on {isa}");
        let tolerance = self.derivative_tolerance;
        let expected = truth(&self.derivative);
        self.compare(&what, inputs, &derivatives, &expected, tolerance);
    }

    fn compare(
        &self,
        what: &str,
        inputs: &[f32],
        got: &[f32],
        expected: &[f64],
        tolerance: Tolerance,
    ) {
        assert_eq!(got.len(), expected.len());
        let wrong: Vec<String> = inputs
            .iter()
            .zip(got)
            .zip(expected)
            .filter(|&((&x, &got), &expected)| {
                let argument_error = (self.argument_error)(x.into()).abs();
                let tolerance = Tolerance {
                    relative: tolerance.relative + argument_error,
                    ..tolerance
                };
                !tolerance.allows(got, expected)
            })
            .map(|((x, got), expected)| format!("  at {x:e}: {got:e}, expected {expected:e}"))
            .take(20)
            .collect();
        assert!(
            wrong.is_empty(),
            "{}, {what}, not within {tolerance:?}:\n{}",
            self.name,
            wrong.join("\n")
        );
    }
}

/// All cases; under Miri some, as all use memory in the same way.
fn sample() -> impl Iterator<Item = Case> {
    cases().into_iter().step_by(if cfg!(miri) { 7 } else { 1 })
}

fn case_of(function: Function) -> Case {
    cases()
        .into_iter()
        .find(|case| case.function == function)
        .unwrap()
}

/// Numbers of all magnitudes, and many between −30 and 30.
fn inputs() -> Vec<f32> {
    let step = if cfg!(miri) { 3000 } else { 1 };
    let all = (0..f32::INFINITY.to_bits())
        .step_by(300_007 * step)
        .map(f32::from_bits);
    let near = (0..30_000).step_by(step).map(|i| i as f32 / 1000.0);
    let positive: Vec<f32> = all.chain(near).chain([f32::MAX]).collect();
    positive.iter().flat_map(|&x| [x, -x]).collect()
}

// ---------------------------------------------------------------------------------------------
// Against PyTorch
// ---------------------------------------------------------------------------------------------

struct Reference {
    inputs: Vec<f32>,
    cases: Vec<Value>,
}

fn reference() -> Reference {
    let text = include_str!("../../model/tests/reference/activations.json");
    let mut json: Value = serde_json::from_str(text).unwrap();
    Reference {
        inputs: numbers(&json["inputs"]).iter().map(|&x| x as f32).collect(),
        cases: match json["elementwise"].take() {
            Value::Array(cases) => cases,
            other => panic!("{other}"),
        },
    }
}

fn numbers(json: &Value) -> Vec<f64> {
    let numbers = json.as_array().unwrap();
    numbers.iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Errors of the reference itself, of its values and its derivatives: PyTorch's derivatives contain
/// 1 − σ² and 1 − tanh², and it computes x − tanh x, erf(x/√2) + 1 and tanh u + 1.
fn reference_errors(name: &str) -> (f64, f64) {
    match name {
        "sigmoid" | "tanh" | "penalized-tanh" => (0.0, 2e-16),
        "tanh-shrink" => (1e-21, 2e-16),
        "softsign" => (0.0, 1e-16),
        "gelu" | "gelu-tanh" => (5e-15, 0.0),
        "snake" | "snake:0.5" => (0.0, 1e-14),
        _ => (0.0, 0.0),
    }
}

#[test]
#[cfg_attr(miri, ignore = "reading the reference values takes minutes")]
fn agrees_with_pytorch() {
    let reference = reference();
    let cases = cases();
    let known: Vec<&str> = cases.iter().map(|case| case.name).collect();
    for expected in &reference.cases {
        let name = expected["activation"].as_str().unwrap();
        assert!(known.contains(&name), "{name}");
    }
    for case in &cases {
        let expected = reference
            .cases
            .iter()
            .find(|expected| expected["activation"] == case.name)
            .unwrap();
        let (value_error, derivative_error) = reference_errors(case.name);
        let beside = |tolerance: Tolerance, error: f64| Tolerance {
            absolute: tolerance.absolute.max(error),
            ..tolerance
        };
        for isa in Isa::available() {
            let (values, derivatives) = case.evaluate(isa, &reference.inputs);
            case.compare(
                &isa.to_string(),
                &reference.inputs,
                &values,
                &numbers(&expected["values"]),
                beside(case.value_tolerance, value_error),
            );
            case.compare(
                &format!("derivative on {isa}"),
                &reference.inputs,
                &derivatives,
                &numbers(&expected["derivatives"]),
                beside(case.derivative_tolerance, derivative_error),
            );
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "reading the reference values takes minutes")]
fn parameter_gradients_agree_with_pytorch() {
    let reference = reference();
    let mut count = 0;
    for case in cases() {
        let expected = reference
            .cases
            .iter()
            .find(|expected| expected["activation"] == case.name)
            .unwrap();
        let learnable = !expected["parameter_derivatives"].is_null();
        assert_eq!(case.function.has_parameter(), learnable, "{}", case.name);
        for isa in Isa::available() {
            let gradient = |inputs: &[f32], gradients: &[f32]| {
                case.function
                    .parameter_gradient(isa, case.context(), inputs, gradients)
            };
            if !learnable {
                assert_eq!(gradient(&[1.0, -1.0], &[1.0, 1.0]), 0.0);
                continue;
            }
            count += 1;
            let got: Vec<f32> = reference
                .inputs
                .iter()
                .map(|&x| gradient(&[x], &[1.0]))
                .collect();
            case.compare(
                &format!("derivative by the parameter on {isa}"),
                &reference.inputs,
                &got,
                &numbers(&expected["parameter_derivatives"]),
                // PyTorch's x² σ(βx) (1 − σ(βx)) cancels where σ(βx) is near 1.
                absolute(2e-13),
            );
        }
    }
    assert_eq!(count, 4 * Isa::available().len());
}

// ---------------------------------------------------------------------------------------------
// Against the formulas
// ---------------------------------------------------------------------------------------------

#[test]
fn agrees_with_the_formulas() {
    let inputs = inputs();
    // Constants as large and as small as they may be, which PyTorch has no values for.
    let extreme = [f32::MAX, 1e30, f32::MIN_POSITIVE].map(|b| squareplus("squareplus", b));
    for case in sample().chain(extreme) {
        for isa in Isa::available() {
            case.check(isa, &inputs);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "computes with this file's formulas alone")]
fn derivatives_are_those_of_the_values() {
    for case in cases() {
        for i in -200..200 {
            // Off every kink.
            let x = f64::from(i) / 20.0 + 0.012;
            let h = 1e-6;
            let slope = (case.value(x + h) - case.value(x - h)) / (2.0 * h);
            let derivative = (case.derivative)(x);
            let message = format!("{} at {x}: {slope}, {derivative}", case.name);
            assert!((slope - derivative).abs() < 1e-7, "{message}");
        }
    }
}

#[test]
fn parameter_gradients_are_sums_of_differences() {
    let count = if cfg!(miri) { 203 } else { 5000 };
    let inputs: Vec<f32> = (0..count).map(|i| (i as f32 * 0.7).sin() * 8.0).collect();
    let gradients: Vec<f32> = (0..count).map(|i| (i as f32 * 1.3).cos()).collect();
    for (function, parameter) in [(Function::Prelu, 0.25f32), (Function::SwishBeta, 1.5)] {
        let h = 1e-5;
        let p = f64::from(parameter);
        let value = |x, p| reference::value(function, p, x);
        let terms = inputs.iter().zip(&gradients).map(|(&x, &gradient)| {
            let x = f64::from(x);
            f64::from(gradient) * (value(x, p + h) - value(x, p - h)) / (2.0 * h)
        });
        let expected: f64 = terms.sum();
        for isa in Isa::available() {
            let context = Context {
                parameter,
                draws: None,
            };
            let got = function.parameter_gradient(isa, context, &inputs, &gradients);
            let error = (f64::from(got) - expected).abs();
            assert!(error < 1e-3, "{function:?} on {isa}: {got}, {expected}");
        }
    }
}

#[test]
fn what_pooling_relies_on_is_so() {
    let inputs: Vec<f64> = (-30_000..=30_000).map(|i| f64::from(i) / 1000.0).collect();
    // Beside the usual constants, those that turn a function round.
    let parametric = |slope: f64| Case {
        parameter: slope as f32,
        ..rectifier("prelu", Function::Prelu, slope)
    };
    let nothing = |_: f64| f64::NAN;
    let turned = [
        rectifier("leaky-relu", Function::LeakyRelu { slope: -0.5 }, -0.5),
        parametric(-0.5),
        parametric(2.0),
        elu("elu", Function::Elu { alpha: -1.0 }, 1.0, -1.0, 1.0),
        case(
            "threshold",
            Function::Threshold {
                theta: 0.0,
                value: 1.0,
            },
            nothing,
        ),
        case("snake", Function::Snake { alpha: -1.0 }, nothing),
    ];
    let mut counts = [0; 2];
    for case in cases().into_iter().chain(turned) {
        let values: Vec<f64> = inputs.iter().map(|&x| case.value(x)).collect();
        let differences = values.windows(2).map(|pair| {
            let rounding = 1e-14 * pair[0].abs().max(1.0);
            let difference = pair[1] - pair[0];
            if difference.abs() <= rounding {
                0.0
            } else {
                difference
            }
        });
        if case.function.is_nondecreasing() {
            counts[0] += 1;
            let falls = differences.clone().any(|difference| difference < 0.0);
            assert!(!falls, "{} decreases", case.name);
        }
        if case.function.is_quasiconvex() {
            counts[1] += 1;
            let falls_again = differences
                .skip_while(|&difference| difference <= 0.0)
                .any(|difference| difference < 0.0);
            assert!(!falls_again, "{} rises and then decreases", case.name);
        }
    }
    // Those of which one is said, among all with their constants.
    assert!(counts[0] >= 20 && counts[1] >= counts[0] + 8, "{counts:?}");
}

/// Tests of layers draw from [`FUNCTIONS`].
#[test]
fn every_function_is_listed_and_tested() {
    let kinds = |functions: Vec<Function>| -> Vec<_> {
        functions.iter().map(std::mem::discriminant).collect()
    };
    let listed = kinds(FUNCTIONS.to_vec());
    let tested = kinds(cases().iter().map(|case| case.function).collect());
    assert!(listed.iter().all(|kind| tested.contains(kind)));
    assert!(tested.iter().all(|kind| listed.contains(kind)));
}

#[test]
fn extreme_constants_do_not_overflow() {
    use Function::*;
    let small = f32::MIN_POSITIVE;
    for function in [
        Celu { alpha: small },
        Celu { alpha: f32::MAX },
        Elu { alpha: f32::MAX },
        Softplus { beta: small },
        Softplus { beta: f32::MAX },
        Squareplus { b: small },
        Squareplus { b: f32::MAX },
        Snake { alpha: small },
        Snake { alpha: f32::MAX },
        Snake { alpha: -1.0 },
        HardShrink { lambda: f32::MAX },
        SoftShrink { lambda: f32::MAX },
        SwishBeta,
    ] {
        for isa in Isa::available() {
            let context = Context {
                parameter: f32::MAX,
                draws: None,
            };
            let inputs = inputs();
            let mut values = inputs.clone();
            function.apply(isa, context, &mut values);
            let mut derivatives = vec![1.0; inputs.len()];
            function.backward(isa, context, &inputs, &mut derivatives);
            for ((&x, value), derivative) in inputs.iter().zip(values).zip(derivatives) {
                let what = format!("{function:?} on {isa} at {x:e}: {value}, {derivative}");
                assert!(!value.is_nan() && !derivative.is_nan(), "{what}");
                let expected = reference::value(function, f32::MAX.into(), x.into());
                let is_beyond = expected.abs() > f64::from(f32::MAX);
                assert!(
                    value.is_finite() || is_beyond,
                    "{what}, expected {expected}"
                );
            }
        }
    }
}

#[test]
fn instruction_sets_agree() {
    let inputs = inputs();
    for case in sample() {
        let (values, derivatives) = case.evaluate(Isa::Portable, &inputs);
        let exact = |got: &[f32]| -> Vec<f64> { got.iter().map(|&x| x.into()).collect() };
        // Both may be off, in opposite directions.
        let twice = |tolerance: Tolerance| Tolerance {
            relative: 2.0 * tolerance.relative,
            absolute: 2.0 * tolerance.absolute,
        };
        for isa in Isa::available() {
            let (other_values, other_derivatives) = case.evaluate(isa, &inputs);
            case.compare(
                &isa.to_string(),
                &inputs,
                &other_values,
                &exact(&values),
                twice(case.value_tolerance),
            );
            case.compare(
                &format!("derivative on {isa}"),
                &inputs,
                &other_derivatives,
                &exact(&derivatives),
                twice(case.derivative_tolerance),
            );
        }
    }
}

#[test]
fn nan_stays_nan() {
    for case in cases() {
        for isa in Isa::available() {
            let (values, _) = case.evaluate(isa, &[f32::NAN; 19]);
            assert!(values.iter().all(|y| y.is_nan()), "{} on {isa}", case.name);
        }
    }
}

#[test]
fn every_length_and_place_gives_the_same() {
    let most = if cfg!(miri) { 23 } else { 999 };
    let inputs: Vec<f32> = (0..=most).map(|i| (i as f32 * 0.37).sin() * 6.0).collect();
    for case in sample() {
        for isa in Isa::available() {
            let (values, derivatives) = case.evaluate(isa, &inputs);
            for length in [0, 1, 7, 15, 16, 17, most.min(100), most] {
                let (some_values, some_derivatives) = case.evaluate(isa, &inputs[1..][..length]);
                assert_eq!(some_values, values[1..][..length], "{} {isa}", case.name);
                assert_eq!(some_derivatives, derivatives[1..][..length]);
            }

            // Nothing is written beyond the end, and the gradients are multiplied.
            let mut gradients = [2.0; 30];
            let (head, context) = (&mut gradients[..23], case.context());
            case.function.backward(isa, context, &inputs[..23], head);
            let twice: Vec<f32> = derivatives[..23].iter().map(|d| 2.0 * d).collect();
            assert_eq!(gradients[..23], twice);
            assert_eq!(gradients[23..], [2.0; 7]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]

    #[test]
    fn any_number_is_right(index in 0..cases().len(), bits in prop::collection::vec(any::<u32>(), 1..40)) {
        let inputs: Vec<f32> = bits.into_iter().map(f32::from_bits).filter(|x| x.is_finite()).collect();
        let case = &cases()[index];
        for isa in Isa::available() {
            case.check(isa, &inputs);
        }
    }
}

// ---------------------------------------------------------------------------------------------
// The randomised rectifier
// ---------------------------------------------------------------------------------------------

const RRELU: Function = Function::Rrelu {
    lower: 0.125,
    upper: 0.375,
};

fn drawing(key: u64, first: u64) -> Context {
    Context {
        parameter: 0.0,
        draws: Some(Draws { key, first }),
    }
}

#[test]
#[cfg_attr(miri, ignore = "statistics take many numbers")]
fn the_randomised_rectifier_draws_a_slope_for_every_element() {
    for isa in Isa::available() {
        let mut slopes = vec![-1.0; 100_000];
        RRELU.apply(isa, drawing(5, 17), &mut slopes);
        assert!(slopes.iter().all(|y| (-0.375..=-0.125).contains(y)));
        let count = slopes.len() as f64;
        let mean = slopes.iter().map(|&y| f64::from(-y)).sum::<f64>() / count;
        let squares = slopes.iter().map(|&y| (f64::from(-y) - mean).powi(2));
        let variance = squares.sum::<f64>() / count;
        // The mean of the draws has a standard deviation of 2.3e-4.
        assert!((mean - 0.25).abs() < 1e-3, "{mean}");
        assert!((variance * 12.0 / 0.25f64.powi(2) - 1.0).abs() < 0.02);

        let inputs = vec![-1.0; slopes.len()];
        let mut gradients = vec![-1.0; slopes.len()];
        RRELU.backward(isa, drawing(5, 17), &inputs, &mut gradients);
        assert_eq!(gradients, slopes, "the derivative is the slope drawn");

        let mut positive = vec![2.0; 100];
        RRELU.apply(isa, drawing(5, 17), &mut positive);
        assert_eq!(positive, [2.0; 100]);

        let mut portable = vec![-1.0; slopes.len()];
        RRELU.apply(Isa::Portable, drawing(5, 17), &mut portable);
        let pairs = slopes.iter().zip(&portable);
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-7));
    }
}

#[test]
fn slopes_depend_on_the_place_alone() {
    for isa in Isa::available() {
        for first in [0, 3, (1 << 32) - 50, (7 << 32) - 3, u64::MAX - 10] {
            let mut whole = vec![-1.0; 200];
            RRELU.apply(isa, drawing(1, first), &mut whole);
            let mut parts = vec![-1.0; 200];
            let (mut at, mut rest) = (first, parts.as_mut_slice());
            for length in [1, 7, 16, 60, 116] {
                let (part, after) = rest.split_at_mut(length);
                RRELU.apply(isa, drawing(1, at), part);
                at = at.wrapping_add(length as u64);
                rest = after;
            }
            assert_eq!(whole, parts, "{first} on {isa}");

            let mut gradients = vec![-1.0; 200];
            RRELU.backward(isa, drawing(1, first), &[-1.0; 200], &mut gradients);
            assert_eq!(whole, gradients);
        }
    }
}

#[test]
fn without_draws_the_slope_is_the_mean() {
    let case = case_of(Function::Rrelu {
        lower: 0.25,
        upper: 0.5,
    });
    let (values, derivatives) = case.evaluate(Isa::best(), &[-2.0, 2.0]);
    assert_eq!((values, derivatives), (vec![-0.75, 2.0], vec![0.375, 1.0]));
}
