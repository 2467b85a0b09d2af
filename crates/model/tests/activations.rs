//! The activation functions against PyTorch, and against what is said about them.
//!
//! The reference values come from `reference/activations.py`, which evaluates in float64. The
//! tolerances below therefore bound the true error of each function in `f32`.

mod common;

use std::collections::BTreeSet;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use model::{Activation, ActivationLayer, ParseActivationError, Smoothness};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    inputs: Vec<f64>,
    elementwise: Vec<Elementwise>,
    softmax: Vec<SoftmaxCase>,
}

#[derive(Deserialize)]
struct Elementwise {
    activation: Activation,
    values: Vec<f64>,
    derivatives: Vec<f64>,
    #[serde(default)]
    parameter_derivatives: Vec<f64>,
}

#[derive(Deserialize)]
struct SoftmaxCase {
    shape: Vec<usize>,
    inputs: Vec<f64>,
    cotangent: Vec<f64>,
    values: Vec<f64>,
    gradient: Vec<f64>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/activations.json")).unwrap()
}

impl Reference {
    fn inputs(&self) -> Vec<f32> {
        self.inputs.iter().map(|&x| x as f32).collect()
    }
}

/// How far a result may be from the reference: by `relative` times the reference, or by `absolute`,
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

    fn check(self, what: &str, inputs: &[f32], got: &[f32], expected: &[f64]) {
        assert_eq!(got.len(), expected.len(), "{what}");
        let wrong: Vec<String> = inputs
            .iter()
            .zip(got)
            .zip(expected)
            .filter(|&((_, &got), &expected)| !self.allows(got, expected))
            .map(|((x, got), expected)| format!("  at {x:e}: {got:e}, expected {expected:e}"))
            .collect();
        assert!(
            wrong.is_empty(),
            "{what} not within {self:?}:\n{}",
            wrong.join("\n")
        );
    }
}

/// Relative error allowed unless said otherwise: eight times the spacing of `f32`, for functions of
/// a few operations, each of which may be off by the spacing.
const RELATIVE: f64 = 1e-6;
/// Absolute error allowed unless said otherwise: results below the smallest normal `f32` have fewer
/// digits.
const TINY: f64 = 1.2e-38;

/// Tolerances for the value and for the derivative on the CPU backends.
fn tolerances(activation: Activation) -> (Tolerance, Tolerance) {
    // Looser bounds are absolute, because they concern results that are small by cancellation.
    let (value, derivative) = match activation.name() {
        // The reference's own error: PyTorch's float64 derivatives contain 1 − σ² or 1 − tanh².
        "sigmoid" | "tanh" | "penalized-tanh" => (TINY, 2e-16),
        // The derivative has a zero, near which its two terms cancel.
        "silu" | "swish-beta" | "mish" => (TINY, 5e-8),
        // 1 + erf(x/√2) cancels for negative x, here as in PyTorch.
        "gelu" => (1.5e-7, 1e-7),
        // The exponential's argument is rounded. Derivative: as for silu.
        "gelu-tanh" | "quick-gelu" => (5e-12, 1e-7),
        // The reference's own error: PyTorch computes x − tanh x and 1 − (1 − tanh² x).
        "tanh-shrink" => (1e-21, 2e-16),
        // The reference's own error: PyTorch's derivative is a difference.
        "softsign" => (TINY, 1e-16),
        // The derivative has a double zero.
        "snake" => (TINY, 1e-8),
        _ => (TINY, TINY),
    };
    let tolerance = |absolute| Tolerance {
        relative: RELATIVE,
        absolute,
    };
    (tolerance(value), tolerance(derivative))
}

/// For graphics hardware. Mesa's software device stays within 3e-7, but the standard promises less.
const GPU: Tolerance = Tolerance {
    relative: 1e-5,
    absolute: 1e-5,
};

/// f(x) and f′(x) at every input.
fn evaluate(activation: Activation, inputs: &[f32], device: &Device) -> (Vec<f32>, Vec<f32>) {
    let device = device.clone().autodiff();
    let x = Tensor::<1>::from_data(inputs, &device)
        .reshape([1, -1])
        .require_grad();
    // Frozen, so that the randomised rectifier uses its mean slope.
    let y = activation.init(&device).freeze().forward(x.clone());
    let gradients = y.clone().backward();
    (vector(y), vector(x.grad(&gradients).unwrap()))
}

fn vector<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

#[test]
fn every_activation_has_a_reference() {
    let reference = reference();
    let names: BTreeSet<_> = reference
        .elementwise
        .iter()
        .map(|case| case.activation.name())
        .chain(["softmax"])
        .collect();
    let all: BTreeSet<_> = Activation::ALL.iter().map(Activation::name).collect();
    assert_eq!(names, all);
}

#[test]
fn agrees_with_pytorch_on_flex() {
    agrees_with_pytorch(&Device::flex());
}

#[test]
fn agrees_with_pytorch_on_ndarray() {
    agrees_with_pytorch(&ndarray());
}

fn agrees_with_pytorch(device: &Device) {
    let reference = reference();
    let inputs = reference.inputs();
    for case in &reference.elementwise {
        let (values, derivatives) = evaluate(case.activation, &inputs, device);
        let (value_tolerance, derivative_tolerance) = tolerances(case.activation);
        let what = case.activation.to_string();
        value_tolerance.check(&what, &inputs, &values, &case.values);
        let what = format!("derivative of {what}");
        derivative_tolerance.check(&what, &inputs, &derivatives, &case.derivatives);

        // Without autodiff the values are the same.
        let x = Tensor::<1>::from_data(inputs.as_slice(), device).reshape([1, -1]);
        let y: Tensor<2> = case.activation.init(device).forward(x);
        assert_eq!(vector(y), values, "{} at evaluation", case.activation);
    }
}

#[test]
fn learnable_parameters_have_pytorchs_gradients() {
    let reference = reference();
    let device = Device::flex().autodiff();
    let inputs = reference.inputs();
    let mut cases = 0;
    for case in &reference.elementwise {
        if case.parameter_derivatives.is_empty() {
            continue;
        }
        cases += 1;
        let layer = case.activation.init(&device);
        let parameter = layer.parameter().unwrap();
        // One input at a time, because the gradient is the sum over all inputs.
        let derivative = |&x: &f32| {
            let gradients = layer
                .forward(Tensor::<2>::from_data([[x]], &device))
                .backward();
            parameter.grad(&gradients).unwrap().into_scalar::<f32>()
        };
        let derivatives: Vec<f32> = inputs.iter().map(derivative).collect();
        let what = format!("derivative of {} by its parameter", case.activation);
        // The reference's own error: PyTorch's x² σ(βx) (1 − σ(βx)) cancels where σ(βx) is near 1.
        let tolerance = Tolerance {
            relative: RELATIVE,
            absolute: 2e-13,
        };
        tolerance.check(&what, &inputs, &derivatives, &case.parameter_derivatives);

        // And over a whole image batch it is that sum.
        let few: Vec<f32> = (-12..12).map(|i| i as f32 / 4.0).collect();
        let x = Tensor::<1>::from_data(few.as_slice(), &device).reshape([2, 3, 2, 2]);
        let gradients = layer.forward::<4>(x).backward();
        let sum = parameter.grad(&gradients).unwrap().into_scalar::<f32>();
        let expected: f32 = few.iter().map(derivative).sum();
        assert!((sum - expected).abs() < 1e-4, "{what}: {sum}, {expected}");
    }
    assert_eq!(cases, 4);
}

#[test]
fn softmax_agrees_with_pytorch() {
    for device in [Device::flex(), ndarray()] {
        for case in reference().softmax {
            match case.shape[..] {
                [a, b] => check_softmax(&case, [a, b], &device),
                [a, b, c, d] => check_softmax(&case, [a, b, c, d], &device),
                _ => panic!("no test for shape {:?}", case.shape),
            }
        }
    }
}

#[test]
fn softmax_of_the_largest_numbers_is_finite() {
    for device in [Device::flex().autodiff(), ndarray().autodiff()] {
        let x = Tensor::<2>::from_data([[f32::MAX, f32::MIN, 0.0]], &device).require_grad();
        let y = Activation::Softmax.init(&device).forward(x.clone());
        let weights = Tensor::from_data([[1.0, 2.0, 3.0]], &device);
        let gradients = (y.clone() * weights).backward();
        assert_eq!(vector(y), [1.0, 0.0, 0.0]);
        assert_eq!(vector(x.grad(&gradients).unwrap()), [0.0; 3]);
    }
}

fn check_softmax<const D: usize>(case: &SoftmaxCase, shape: [usize; D], device: &Device) {
    let device = device.clone().autodiff();
    let tensor = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        Tensor::<D>::from_data(TensorData::new(values, shape), &device)
    };
    let x = tensor(&case.inputs).require_grad();
    let y = Activation::Softmax.init(&device).forward(x.clone());
    let gradients = (y.clone() * tensor(&case.cotangent)).backward();
    let inputs: Vec<f32> = case.inputs.iter().map(|&x| x as f32).collect();
    let tolerance = Tolerance {
        relative: RELATIVE,
        // The gradient is a difference of products of probabilities.
        absolute: 1e-7,
    };
    tolerance.check("softmax", &inputs, &vector(y), &case.values);
    let gradient = vector(x.grad(&gradients).unwrap());
    tolerance.check("gradient of softmax", &inputs, &gradient, &case.gradient);
}

/// All functions on one tensor each, because kernels take long to compile on a software device.
#[test]
fn agrees_with_pytorch_on_a_gpu() {
    let Some(device) = common::wgpu_device() else {
        return;
    };
    let reference = reference();
    let inputs = reference.inputs();
    for case in &reference.elementwise {
        let (values, derivatives) = evaluate(case.activation, &inputs, &device);
        // Graphics hardware only promises the sine of small numbers.
        let limit = match case.activation.name() {
            "sine" | "snake" => 100.0,
            _ => f32::INFINITY,
        };
        let count = inputs.iter().filter(|x| x.abs() <= limit).count();
        let small = (inputs.len() - count) / 2..(inputs.len() + count) / 2;
        for (what, got, expected) in [
            ("value", values, &case.values),
            ("derivative", derivatives, &case.derivatives),
        ] {
            let what = format!("{what} of {}", case.activation);
            let expected = &expected[small.clone()];
            GPU.check(&what, &inputs[small.clone()], &got[small.clone()], expected);
            assert!(!got.iter().any(|got| got.is_nan()), "{what}");
        }
    }
}

#[allow(deprecated)]
fn ndarray() -> Device {
    Device::ndarray()
}

#[test]
fn randomised_relu_draws_a_slope_for_every_element_in_training() {
    let (lower, upper) = (0.125, 0.333);
    let activation = Activation::Rrelu { lower, upper };
    let device = Device::flex().autodiff();
    let layer = activation.init(&device);
    // At −1 the output is minus the slope.
    let x = Tensor::<2>::full([100, 1000], -1.0, &device).require_grad();
    let draw = |layer: &ActivationLayer| {
        let y = layer.forward(x.clone());
        let gradient = x.grad(&y.backward()).unwrap();
        (vector(y.neg()), vector(gradient))
    };

    device.seed(1);
    let (slopes, gradient) = draw(&layer);
    assert_eq!(gradient, slopes);
    assert!(slopes.iter().all(|slope| (lower..=upper).contains(slope)));
    let count = slopes.len() as f32;
    let mean = slopes.iter().sum::<f32>() / count;
    let variance = slopes
        .iter()
        .map(|slope| (slope - mean).powi(2))
        .sum::<f32>()
        / count;
    // Of a uniform distribution; its mean over 100,000 draws has a deviation of 2e-4.
    assert!((mean - (lower + upper) / 2.0).abs() < 1e-3, "{mean}");
    assert!((variance * 12.0 / (upper - lower).powi(2) - 1.0).abs() < 0.02);

    assert_ne!(draw(&layer).0, slopes);
    device.seed(1);
    assert_eq!(draw(&layer).0, slopes, "the draws are those of the seed");

    let positive: Tensor<2> = layer.forward(x.clone().neg());
    assert!(vector(positive).iter().all(|&y| y == 1.0));
    let mean_slope = activation.negative_slope() as f32;
    let (slopes, _) = draw(&layer.clone().freeze());
    assert!(slopes.iter().all(|&slope| slope == mean_slope), "frozen");
    let constant = "rrelu:0.25,0.25".parse::<Activation>().unwrap();
    let (slopes, _) = draw(&constant.init(&device));
    assert!(slopes.iter().all(|&slope| slope == 0.25));
}

#[test]
fn records_keep_the_learnable_parameter() {
    let device = Device::flex().autodiff();
    let trained = Activation::Prelu { slope: 0.75 }.init(&device);
    assert_eq!(trained.num_params(), 1);
    let record = trained.into_record();
    let fresh = Activation::Prelu { slope: 0.25 }.init(&device);
    let loaded = fresh.load_record(record).valid();
    let x = Tensor::<2>::from_data([[-1.0, 2.0]], &Device::flex());
    assert_eq!(vector(loaded.forward(x)), [-0.75, 2.0]);

    for activation in Activation::ALL {
        let parameters = activation.init(&device).num_params();
        let learnable = matches!(activation.name(), "prelu" | "swish-beta");
        assert_eq!(parameters, usize::from(learnable), "{activation}");
    }
}

#[test]
fn text_is_read_leniently_and_printed_without_defaults() {
    for (text, printed) in [
        ("relu", "relu"),
        (" LeakyReLU ", "leaky-relu"),
        ("leaky_relu:0.2", "leaky-relu:0.2"),
        ("leaky-relu:0.01", "leaky-relu"),
        ("elu:1.0", "elu"),
        ("ELU:2", "elu:2.0"),
        ("rrelu:0.1", "rrelu:0.1,0.33333334"),
        ("rrelu:0.1, 0.3", "rrelu:0.1,0.3"),
        ("gelu_tanh", "gelu-tanh"),
        ("threshold:0.5,-1e30", "threshold:0.5,-1e30"),
    ] {
        let activation: Activation = text.parse().unwrap();
        assert_eq!(activation.to_string(), printed, "{text}");
        let json = serde_json::to_string(&activation).unwrap();
        assert_eq!(json, format!("\"{printed}\""));
        assert_eq!(
            serde_json::from_str::<Activation>(&json).unwrap(),
            activation
        );
    }
    assert_eq!(Activation::default(), Activation::Relu);
}

#[test]
fn wrong_text_gets_a_one_line_error() {
    for (text, error) in [
        (
            "rellu",
            "unknown activation `rellu`; the closest are `relu`, `prelu`, `rrelu`; \
             `trainer activations` lists all",
        ),
        (
            "",
            "unknown activation ``; the closest are `elu`, `tanh`, `relu`; \
             `trainer activations` lists all",
        ),
        (
            "swish",
            "unknown activation `swish`; the closest are `silu`, `swish-beta`, `mish`; \
             `trainer activations` lists all",
        ),
        (
            "Linear",
            "unknown activation `Linear`; the closest are `identity`, `sine`, `lisht`; \
             `trainer activations` lists all",
        ),
        ("relu:1", "`relu` takes no parameters, but `1` has more"),
        ("elu:1,2", "`elu` takes one parameter, but `1,2` has more"),
        ("elu:", "parameter `` of `elu` is not a finite number"),
        ("elu:one", "parameter `one` of `elu` is not a finite number"),
        ("elu:inf", "parameter `inf` of `elu` is not a finite number"),
        (
            "elu:1e39",
            "parameter `1e39` of `elu` is not a finite number",
        ),
        ("elu:NaN", "parameter `NaN` of `elu` is not a finite number"),
        (
            "celu:1e-40",
            "`celu:1e-40`: the parameter must be positive, and at least 1.2e-38",
        ),
        (
            "rrelu:-3e38,3e38",
            "`rrelu:-3e38,3e38`: the slopes are too far apart",
        ),
        (
            "softplus:-1",
            "`softplus:-1`: the parameter must be positive, and at least 1.2e-38",
        ),
        (
            "snake:0",
            "`snake:0`: the parameter must not be zero, and in size at least 1.2e-38",
        ),
        (
            "soft-shrink:-1",
            "`soft-shrink:-1`: the parameter must not be negative",
        ),
        (
            "rrelu:0.5",
            "`rrelu:0.5`: the lower slope must not exceed the upper one",
        ),
    ] {
        let result: Result<Activation, ParseActivationError> = text.parse();
        assert_eq!(result.unwrap_err().to_string(), error);
        let json = serde_json::to_string(text).unwrap();
        let result: Result<Activation, _> = serde_json::from_str(&json);
        assert_eq!(result.unwrap_err().to_string(), error);
    }
}

#[test]
fn printing_then_reading_gives_the_same_activation() {
    // Multiples of the golden ratio visit all magnitudes and signs evenly.
    let mut numbers = (0u32..)
        .map(|i| f32::from_bits(i.wrapping_mul(0x9e37_79b9)))
        .filter(|number| number.is_finite());
    let mut number = move || numbers.next().unwrap();
    for activation in Activation::ALL {
        assert_eq!(activation.name().parse::<Activation>(), Ok(*activation));
        let mut accepted = 0;
        for _ in 0..2000 {
            let text = format!("{}:{:?},{:?}", activation.name(), number(), number());
            let one_parameter = text.rsplit_once(',').unwrap().0;
            for text in [&text, one_parameter] {
                if let Ok(activation) = text.parse::<Activation>() {
                    accepted += 1;
                    assert_eq!(activation.to_string().parse(), Ok(activation), "{text}");
                }
            }
        }
        let has_parameters = format!("{}:0.2", activation.name())
            .parse::<Activation>()
            .is_ok();
        assert_eq!(accepted > 500, has_parameters, "{activation}: {accepted}");
    }
}

#[test]
fn the_facts_are_true() {
    // Steps small enough to see every extremum, and then up to where all functions have settled.
    const STEP: f64 = 1.0 / 1024.0;
    let near: Vec<f32> = (-20 * 1024..=20 * 1024)
        .map(|i| (f64::from(i) * STEP) as f32)
        .collect();
    let far = (5..=18).map(|exponent| 2f32.powi(exponent));
    let inputs: Vec<f32> = far
        .clone()
        .rev()
        .map(|x| -x)
        .chain(near.iter().copied())
        .chain(far)
        .collect();
    let texts = reference().elementwise;
    // Parameters for which other things are true.
    let others = [
        "leaky-relu:-0.5",
        "prelu:-0.5",
        "elu:-1",
        "elu:0",
        "swish-beta:-1",
        "swish-beta:0",
        "threshold:0,1",
    ];
    let others = others.map(|text| text.parse().unwrap());
    for activation in texts.iter().map(|case| case.activation).chain(others) {
        let facts = activation.facts();
        let (values, derivatives) = evaluate(activation, &inputs, &Device::flex());

        for (what, interval, observed) in [
            ("range", facts.range, &values),
            ("derivative", facts.derivative_range, &derivatives),
        ] {
            let low = observed.iter().copied().fold(f32::INFINITY, f32::min);
            let high = observed.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let near = |end: f64, is_reached: bool, observed: f32| {
                let distance = (f64::from(observed) - end).abs();
                match (end.is_infinite(), is_reached) {
                    (true, _) => f64::from(observed) / end.signum() > 1e3,
                    // Near, at one of the inputs.
                    (false, true) => distance < 2e-6,
                    (false, false) => distance < 2e-3,
                }
            };
            let holds = f64::from(low) >= interval.low - 1e-6
                && f64::from(high) <= interval.high + 1e-6
                && near(interval.low, interval.low_included, low)
                && near(interval.high, interval.high_included, high);
            assert!(holds, "{activation} {what}: {interval}, but {low}..{high}");
        }

        // Small decreases are rounding errors.
        let decrease = values
            .windows(2)
            .map(|pair| (pair[0] - pair[1]) / pair[0].abs().max(1.0))
            .fold(0.0, f32::max);
        assert_eq!(facts.monotone, decrease < 1e-6, "{activation}: {decrease}");

        // The largest jump of f, f′ and f″ between neighbours.
        let values = &values[14..][..near.len()];
        let derivatives = &derivatives[14..][..near.len()];
        let second: Vec<f32> = derivatives
            .windows(33)
            .map(|part| (part[32] - part[0]) / (32.0 * STEP as f32))
            .collect();
        let smoothness = if largest_jump(values, 1) > 0.1 {
            Smoothness::Discontinuous
        } else if largest_jump(derivatives, 1) > 0.05 {
            Smoothness::Continuous
        } else if largest_jump(&second, 32) > 0.4 {
            Smoothness::Differentiable
        } else {
            Smoothness::Smooth
        };
        assert_eq!(facts.smoothness, smoothness, "{activation}");

        let density = |x: f32| (-0.5 * f64::from(x).powi(2)).exp() / std::f64::consts::TAU.sqrt();
        let mean: f64 = near
            .iter()
            .zip(values)
            .map(|(&x, &y)| f64::from(y) * density(x) * STEP)
            .sum();
        let zero_centered = mean.abs() < 1e-3;
        assert_eq!(facts.zero_centered, zero_centered, "{activation}: {mean}");

        assert!(!facts.formula.is_empty() && !facts.source.is_empty());
    }
}

fn largest_jump(values: &[f32], distance: usize) -> f32 {
    values
        .windows(distance + 1)
        .map(|part| (part[distance] - part[0]).abs())
        .fold(0.0, f32::max)
}

#[test]
fn the_facts_of_the_softmax_are_true() {
    let device = Device::flex().autodiff();
    let facts = Activation::Softmax.facts();
    // The first output by the first of two inputs, the other being 0, is the logistic function.
    let inputs: Vec<f32> = (-2000..=2000).map(|i| i as f32 / 100.0).collect();
    let first = Tensor::<1>::from_data(inputs.as_slice(), &device)
        .reshape([-1, 1])
        .require_grad();
    let second = first.clone().inner().zeros_like().autodiff();
    let x = Tensor::cat(vec![first.clone(), second], 1);
    let y: Tensor<2> = Activation::Softmax.init(&device).forward(x);
    let y = y.narrow(1, 0, 1);
    let derivatives = vector(first.grad(&y.clone().backward()).unwrap());
    let values = vector(y);
    assert!(values.is_sorted() && facts.monotone);
    assert!(values.iter().all(|&y| (0.0..=1.0).contains(&y)));
    assert_eq!((facts.range.low, facts.range.high), (0.0, 1.0));
    assert!(
        derivatives
            .iter()
            .all(|&d| (0.0..=0.25 + 1e-7).contains(&d))
    );
    assert_eq!(facts.derivative_range.high, 0.25);
    assert!(!facts.zero_centered && facts.smoothness == Smoothness::Smooth);
}

#[test]
fn intervals_print_as_mathematics() {
    let range = |text: &str| {
        text.parse::<Activation>()
            .unwrap()
            .facts()
            .range
            .to_string()
    };
    assert_eq!(range("sigmoid"), "(0, 1)");
    assert_eq!(range("relu"), "[0, ∞)");
    assert_eq!(range("silu"), "[−0.2785, ∞)");
    assert_eq!(range("identity"), "(−∞, ∞)");
}
