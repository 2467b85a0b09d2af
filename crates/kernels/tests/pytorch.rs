//! Whole blocks and Adam's steps against PyTorch, on every instruction set and with one thread and two.
//!
//! The reference values come from `reference/pytorch.py`, which evaluates in float64 what is described
//! beside them, from numbers that both compute by one formula.

use kernels::adam::Adam;
use kernels::block::{Block, LinearMap, Normalization, Parameters};
use kernels::convolution::Convolution;
use kernels::dense::Dense;
use kernels::function::Function;
use kernels::simd::Isa;
use serde_json::Value;

/// How far a number may be off, as a share of its tensor's largest: about a hundred roundings of `f32`,
/// since the terms of a sum may cancel, and Winograd's transforms mix the pixels of a tile.
const TOLERANCE: f64 = 1e-5;

/// How far a parameter may be off after some of Adam's steps, as a share of itself.
const PARAMETER_TOLERANCE: f64 = 2e-6;

/// How far a moment may be off, as a share of itself, since they are of all sizes: more, because gradients
/// of both signs cancel.
const MOMENT_TOLERANCE: f64 = 3e-5;

/// The formula of `reference/pytorch.py`: numbers in −1..1 that look random.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| {
            let mut h = (i as u32)
                .wrapping_mul(0x9e37_79b1)
                .wrapping_add((seed as u32).wrapping_mul(0x85eb_ca77));
            h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
            h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
            h ^= h >> 15;
            (h >> 9) as f32 / (1u32 << 22) as f32 - 1.0
        })
        .collect()
}

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/pytorch.json")).unwrap()
}

fn list(json: &Value) -> &[Value] {
    json.as_array().unwrap()
}

fn float(json: &Value) -> f64 {
    json.as_f64().unwrap()
}

fn size(json: &Value) -> usize {
    json.as_u64().unwrap() as usize
}

fn sizes(json: &Value) -> [usize; 2] {
    [size(&json[0]), size(&json[1])]
}

fn function(name: &str) -> Function {
    match name {
        "identity" => Function::Identity,
        "relu" => Function::Relu,
        "leaky-relu" => Function::LeakyRelu { slope: 0.01 },
        "prelu" => Function::Prelu,
        "swish-beta" => Function::SwishBeta,
        "sigmoid" => Function::Sigmoid,
        "tanh" => Function::Tanh,
        "elu" => Function::Elu { alpha: 1.0 },
        "selu" => Function::Selu,
        "gelu" => Function::Gelu,
        "gelu-tanh" => Function::GeluTanh,
        "silu" => Function::Silu,
        "mish" => Function::Mish,
        "hard-swish" => Function::HardSwish,
        "softplus" => Function::Softplus { beta: 1.0 },
        "sine" => Function::Sine,
        "relu6" => Function::Relu6,
        "celu" => Function::Celu { alpha: 0.5 },
        "quick-gelu" => Function::QuickGelu,
        "hard-mish" => Function::HardMish,
        "hard-sigmoid" => Function::HardSigmoid,
        "hard-tanh" => Function::HardTanh,
        "softsign" => Function::Softsign,
        "log-sigmoid" => Function::LogSigmoid,
        "tanh-shrink" => Function::TanhShrink,
        "hard-shrink" => Function::HardShrink { lambda: 0.5 },
        "soft-shrink" => Function::SoftShrink { lambda: 0.5 },
        "threshold" => Function::Threshold {
            theta: 0.25,
            value: -0.5,
        },
        "squareplus" => Function::Squareplus { b: 4.0 },
        "penalized-tanh" => Function::PenalizedTanh,
        "lisht" => Function::Lisht,
        "snake" => Function::Snake { alpha: 1.0 },
        other => panic!("{other} is not known here"),
    }
}

fn block(json: &Value) -> Block {
    let [inputs, outputs] = sizes(&json["channels"]);
    let map = if json["pixels"].is_null() {
        let [height, width] = sizes(&json["size"]);
        LinearMap::Convolution(Convolution {
            height,
            width,
            inputs,
            outputs,
            kernel: sizes(&json["kernel"]),
            stride: size(&json["stride"]),
            padding: sizes(&json["padding"]),
        })
    } else {
        LinearMap::Dense(Dense {
            pixels: size(&json["pixels"]),
            channels: inputs,
            outputs,
        })
    };
    let epsilon = float(&json["epsilon"]) as f32;
    let normalization = match json["normalization"].as_str().unwrap() {
        "none" => Normalization::None,
        "batch" => Normalization::Batch { epsilon },
        other => Normalization::Group {
            groups: other.strip_prefix("group:").unwrap().parse().unwrap(),
            epsilon,
        },
    };
    Block {
        map,
        normalization,
        function: function(json["function"].as_str().unwrap()),
        pool: json["pool"].as_bool().unwrap(),
        dropout: 0.0,
    }
}

/// Panics unless `found` is what stands under `name`, but for the `tolerance` of the tensor's largest
/// number and the one compared.
fn assert_close(
    what: &str,
    results: &Value,
    name: &str,
    found: &[f32],
    tolerance: impl Fn(f64, f64) -> f64,
) {
    let expected = &results[name];
    assert_eq!(found.len(), size(&expected["length"]), "{name} of {what}");
    let step = size(&expected["step"]);
    let expected: Vec<f64> = list(&expected["numbers"]).iter().map(float).collect();
    let largest = expected.iter().fold(0.0f64, |a, x| a.max(x.abs()));
    let found: Vec<f32> = found.iter().step_by(step).copied().collect();
    assert_eq!(found.len(), expected.len(), "{name} of {what}");
    for (i, (found, expected)) in found.into_iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(
            error <= tolerance(largest, expected),
            "{name}[{}] is {found}, not {expected}, of {what}",
            i * step
        );
    }
}

/// Everything that PyTorch has computed of a block, computed here and compared.
fn check(isa: Isa, json: &Value) {
    let block = block(json);
    let images = size(&json["images"]);
    let what = format!("{images} images on {isa}: {block:?}");
    let what = what.as_str();
    let [_, _, channels] = block.output_size();
    let (input_len, weight_len) = match block.map {
        LinearMap::Convolution(c) => (c.input_len(), c.weight_len()),
        LinearMap::Dense(d) => (d.inputs(), d.weight_len()),
    };
    let seed = 8 * size(&json["seed"]);
    // About one, as scales and variances are.
    let positive = |index| -> Vec<f32> {
        let numbers = numbers(channels, seed + index);
        numbers.into_iter().map(|x| 1.0 + x / 2.0).collect()
    };
    let normalized = block.normalization != Normalization::None;
    let input = numbers(images * input_len, seed);
    let weight = numbers(weight_len, seed + 1);
    let [bias, shift] = [2, 4].map(|index| numbers(channels, seed + index));
    let scale = positive(3);
    let parameters = Parameters {
        weight: &weight,
        bias: (!normalized).then_some(&bias),
        scale: normalized.then_some(&scale),
        shift: normalized.then_some(&shift),
        function_parameter: float(&json["parameter"]) as f32,
    };

    let of_largest = |largest: f64, _: f64| TOLERANCE * largest;
    let results = &json["results"];
    let trained = block.train(isa, images, &input, parameters, 0);
    assert_close(what, results, "output", &trained.output, of_largest);
    let running = matches!(block.normalization, Normalization::Batch { .. })
        .then(|| [numbers(channels, seed + 6), positive(7)]);
    let running = running
        .as_ref()
        .map(|[mean, variance]| (&mean[..], &variance[..]));
    let inferred = block
        .prepare(isa, parameters, running)
        .infer(images, &input, parameters);
    if running.is_some() {
        assert_close(what, results, "mean", &trained.mean, of_largest);
        assert_close(what, results, "variance", &trained.variance, of_largest);
        assert_close(what, results, "inference", &inferred, of_largest);
    } else {
        assert_close(what, results, "output", &inferred, of_largest);
    }

    let coefficients = numbers(trained.output.len(), seed + 5);
    let gradients = block.backward(
        isa,
        images,
        &input,
        parameters,
        &trained.saved,
        &coefficients,
        true,
    );
    let found = [
        ("input", gradients.input.as_deref()),
        ("weight", Some(&gradients.weight[..])),
        ("bias", gradients.bias.as_deref()),
        ("scale", gradients.scale.as_deref()),
        ("shift", gradients.shift.as_deref()),
        (
            "parameter",
            gradients
                .function_parameter
                .as_ref()
                .map(std::slice::from_ref),
        ),
    ];
    let expected = &json["gradients"];
    for (name, found) in found {
        match found {
            Some(found) => assert_close(what, expected, name, found, of_largest),
            None => assert!(expected[name].is_null(), "no gradient of {name}: {what}"),
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "reading the reference values takes minutes")]
fn blocks_agree_with_pytorch() {
    let reference = reference();
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        for isa in Isa::available() {
            for json in list(&reference["blocks"]) {
                pool.install(|| check(isa, json));
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "reading the reference values takes minutes")]
fn steps_of_adam_agree_with_pytorch() {
    for json in list(&reference()["adam"]) {
        let [beta1, beta2] = [0, 1].map(|i| float(&json["betas"][i]) as f32);
        let adam = Adam {
            beta1,
            beta2,
            epsilon: float(&json["epsilon"]) as f32,
            weight_decay: float(&json["decay"]) as f32,
        };
        let len = size(&json["results"]["parameter"]["length"]);
        for isa in Isa::available() {
            let mut parameter = numbers(len, 1);
            let [mut first, mut second] = [vec![0.0; len], vec![0.0; len]];
            for time in 1..=size(&json["steps"]) {
                // From one down to the size of epsilon, and some zero.
                let gradient: Vec<f32> = numbers(len, 1 + time)
                    .into_iter()
                    .enumerate()
                    .map(|(i, x)| match i % 6 {
                        0 => 0.0,
                        _ => x * 0.5f32.powi(8 * (i as i32 % 5)),
                    })
                    .collect();
                let mut updated = vec![f32::NAN; len];
                adam.step(
                    isa,
                    float(&json["rate"]),
                    time,
                    &parameter,
                    &mut updated,
                    &gradient,
                    [&mut first, &mut second],
                );
                parameter = updated;
            }
            let what = format!("{adam:?} on {isa}");
            for (name, found, tolerance) in [
                ("parameter", &parameter, PARAMETER_TOLERANCE),
                ("first", &first, MOMENT_TOLERANCE),
                ("second", &second, MOMENT_TOLERANCE),
            ] {
                let of_each = |_: f64, expected: f64| tolerance * expected.abs();
                assert_close(&what, &json["results"], name, found, of_each);
            }
        }
    }
}
