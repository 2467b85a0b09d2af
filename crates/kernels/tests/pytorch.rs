//! Whole blocks, forward and backward, and steps of AdamW, against PyTorch in double precision:
//! `reference/blocks.py` made the numbers.

mod common;

use common::numbers;
use kernels::adam::Adam;
use kernels::block::{Block, LinearMap, Normalization, Parameters};
use kernels::convolution::Convolution;
use kernels::dense::Dense;
use kernels::function::Function;
use kernels::simd::Isa;
use serde_json::Value;

/// Of the largest value of a tensor, so much may a value be off. Single precision has 6e-8, and sums of some
/// hundred products lose a digit or two.
const TOLERANCE: f64 = 2e-5;
const SLOPE: f32 = 0.3;
const KEY: u64 = 0;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/blocks.json")).unwrap()
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn pair(value: &Value) -> [usize; 2] {
    [size(&value[0]), size(&value[1])]
}

fn function(name: &str) -> Function {
    match name {
        "identity" => Function::Identity,
        "relu" => Function::Relu,
        "leaky-relu" => Function::LeakyRelu { slope: 0.01 },
        "prelu" => Function::Prelu,
        "relu6" => Function::Relu6,
        "elu" => Function::Elu { alpha: 1.0 },
        "celu" => Function::Celu { alpha: 0.5 },
        "selu" => Function::Selu,
        "gelu" => Function::Gelu,
        "gelu-tanh" => Function::GeluTanh,
        "silu" => Function::Silu,
        "mish" => Function::Mish,
        "hard-swish" => Function::HardSwish,
        "hard-sigmoid" => Function::HardSigmoid,
        "hard-tanh" => Function::HardTanh,
        "sigmoid" => Function::Sigmoid,
        "tanh" => Function::Tanh,
        "softplus" => Function::Softplus { beta: 1.0 },
        "softsign" => Function::Softsign,
        "log-sigmoid" => Function::LogSigmoid,
        "tanh-shrink" => Function::TanhShrink,
        "sine" => Function::Sine,
        other => panic!("{other}"),
    }
}

fn block(case: &Value) -> Block {
    let map = match (&case["convolution"], &case["dense"]) {
        (Value::Null, dense) => LinearMap::Dense(Dense {
            pixels: size(&dense["pixels"]),
            channels: size(&dense["channels"]),
            outputs: size(&dense["outputs"]),
        }),
        (convolution, _) => {
            let [height, width] = pair(&convolution["size"]);
            let [inputs, outputs] = pair(&convolution["channels"]);
            LinearMap::Convolution(Convolution {
                height,
                width,
                inputs,
                outputs,
                kernel: pair(&convolution["kernel"]),
                stride: size(&convolution["stride"]),
                padding: pair(&convolution["padding"]),
            })
        }
    };
    let normalization = &case["normalization"];
    let normalization = if let Some(epsilon) = normalization["batch"].as_f64() {
        Normalization::Batch {
            epsilon: epsilon as f32,
        }
    } else if let Some(epsilon) = normalization["group"][1].as_f64() {
        Normalization::Group {
            groups: size(&normalization["group"][0]),
            epsilon: epsilon as f32,
        }
    } else {
        Normalization::None
    };
    Block {
        map,
        normalization,
        function: function(case["function"].as_str().unwrap()),
        pool: case["pool"].as_bool().unwrap(),
        dropout: 0.0,
    }
}

/// Compares those of `ours` that the reference keeps.
fn assert_close(what: &str, ours: &[f32], reference: &Value) {
    assert_eq!(ours.len(), size(&reference["length"]), "{what}");
    let kept: Vec<f64> = serde_json::from_value(reference["values"].clone()).unwrap();
    assert!(!kept.is_empty(), "{what}");
    let scale = kept.iter().fold(0.1_f64, |most, x| most.max(x.abs()));
    for (index, expected) in kept.iter().enumerate() {
        let place = index * ours.len() / kept.len();
        let found = f64::from(ours[place]);
        assert!(
            (found - expected).abs() <= TOLERANCE * scale,
            "{what}: [{place}] is {found}, not {expected}"
        );
    }
}

#[test]
fn blocks_are_those_of_pytorch() {
    let reference = reference();
    let cases = reference["blocks"].as_array().unwrap();
    for (seed, case) in (0..).zip(cases) {
        let images = size(&case["images"]);
        let block = block(case);
        let [height, width, channels] = block.output_size();
        let (input_len, weight_len) = match &block.map {
            LinearMap::Convolution(c) => (c.input_len(), c.weight_len()),
            LinearMap::Dense(d) => (d.inputs(), d.weight_len()),
        };
        let number = |len: usize, index: u64| numbers(len, 31 * seed + index);
        let is_normalized = block.normalization != Normalization::None;
        let input = number(images * input_len, 1);
        let weight = number(weight_len, 2);
        let bias = (!is_normalized).then(|| number(channels, 3));
        let scale = is_normalized.then(|| {
            let numbers = number(channels, 4);
            numbers.iter().map(|x| 1.0 + 0.5 * x).collect::<Vec<_>>()
        });
        let shift = is_normalized.then(|| number(channels, 5));
        let gradient = number(images * height * width * channels, 6);
        let parameters = Parameters {
            weight: &weight,
            bias: bias.as_deref(),
            scale: scale.as_deref(),
            shift: shift.as_deref(),
            function_parameter: SLOPE,
        };
        for isa in Isa::available() {
            let output = block.train(isa, images, &input, parameters, KEY);
            let what = |name: &str| format!("{isa}: {name} of {block:?}");
            assert_close(&what("output"), &output.output, &case["output"]);
            let gradients = block.backward(
                isa,
                images,
                &input,
                parameters,
                &output.saved,
                &gradient,
                true,
            );
            let slope = gradients.function_parameter.map(|slope| [slope]);
            let ours = [
                ("input", gradients.input.as_deref()),
                ("weight", Some(&gradients.weight[..])),
                ("bias", gradients.bias.as_deref()),
                ("scale", gradients.scale.as_deref()),
                ("shift", gradients.shift.as_deref()),
                ("parameter", slope.as_ref().map(|slope| &slope[..])),
            ];
            let expected = case["gradients"].as_object().unwrap();
            let there = ours
                .iter()
                .filter(|(_, gradient)| gradient.is_some())
                .count();
            assert_eq!(there, expected.len(), "{block:?}");
            for (name, gradient) in ours {
                if let Some(gradient) = gradient {
                    assert_close(&what(name), gradient, &expected[name]);
                }
            }
        }
    }
}

#[test]
fn steps_of_adamw_are_those_of_pytorch() {
    let adam = Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-5,
        weight_decay: 0.1,
    };
    let steps: Vec<Vec<f64>> = serde_json::from_value(reference()["adamw"].clone()).unwrap();
    let len = steps[0].len();
    for isa in Isa::available() {
        let mut parameter = numbers(len, 1);
        let mut moments = [vec![0.0; len], vec![0.0; len]];
        for (time, expected) in (1..).zip(&steps) {
            let gradient = numbers(len, 1 + time as u64);
            let mut updated = vec![f32::NAN; len];
            let [first, second] = &mut moments;
            let moments = [&mut first[..], &mut second[..]];
            adam.step(
                isa,
                0.01,
                time,
                &parameter,
                &mut updated,
                &gradient,
                moments,
            );
            parameter = updated;
            for (ours, expected) in parameter.iter().zip(expected) {
                let error = (f64::from(*ours) - expected).abs();
                assert!(error < 1e-6, "{isa}, step {time}: {ours}, not {expected}");
            }
        }
    }
}
