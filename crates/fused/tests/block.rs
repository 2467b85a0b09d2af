//! A block as an operation on tensors: shapes, layouts and gradients that the network does not have,
//! and dropout.

use burn::tensor::module::{conv2d, linear};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Gradients, Tensor, TensorData, activation};
use fused::{Chain, Parameters, Statistics};
use kernels::block::{Block, LinearMap, Normalization};
use kernels::convolution::Convolution;
use kernels::dense::Dense;
use kernels::function::Function;

#[allow(deprecated)]
fn devices() -> [Device; 2] {
    [Device::flex(), Device::ndarray()]
}

/// Numbers that look random, about −1..1.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| {
            let x = (i as f32 * 12.9898).sin() * 43_758.547;
            2.0 * (x - x.floor()) - 1.0
        })
        .collect()
}

fn tensor<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = numbers(shape.iter().product());
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Sums of at most some hundred terms of about 1.
fn assert_close<const D: usize>(found: &Tensor<D>, expected: &Tensor<D>, what: &str) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let error = (found.clone() - expected.clone()).abs().max();
    let error = error.into_scalar::<f32>();
    assert!(error < 2e-4, "{what} is off by {error}");
}

fn assert_gradients_close<const D: usize>(
    tensor: &Tensor<D>,
    [found, expected]: [&Gradients; 2],
    what: &str,
) {
    let [found, expected] = [found, expected].map(|gradients| tensor.grad(gradients).unwrap());
    assert_close(&found, &expected, what);
}

/// Some number of each output that depends on all of them, differently.
fn loss<const D: usize>(output: Tensor<D>) -> Tensor<1> {
    let weights = tensor(output.dims(), &output.device());
    (output * weights).sum()
}

#[test]
fn convolutions_of_any_shape() {
    for device in devices() {
        let device = device.autodiff();
        for (images, inputs, outputs, size, kernel, stride, padding) in [
            (1, 1, 1, [1, 1], [1, 1], 1, [0, 0]),
            (1, 3, 17, [9, 4], [2, 3], 1, [1, 0]),
            (2, 1, 5, [8, 11], [4, 4], 3, [2, 1]),
            (3, 16, 33, [7, 7], [3, 3], 2, [1, 1]),
            (2, 2, 3, [12, 9], [7, 6], 1, [3, 3]),
            (1, 18, 16, [6, 5], [5, 5], 2, [2, 2]),
        ] {
            let [height, width] = size;
            let block = Block {
                map: LinearMap::Convolution(Convolution {
                    height,
                    width,
                    inputs,
                    outputs,
                    kernel,
                    stride,
                    padding,
                }),
                normalization: Normalization::None,
                function: Function::Tanh,
                pool: false,
                dropout: 0.0,
            };
            let x = tensor([images, inputs, height, width], &device).require_grad();
            let weight = tensor([outputs, inputs, kernel[0], kernel[1]], &device).require_grad();
            let bias = tensor([outputs], &device).require_grad();
            let parameters = Parameters {
                weight: weight.clone(),
                bias: Some(bias.clone()),
                scale: None,
                shift: None,
                function_parameter: None,
            };
            let (found, statistics) = fused::train(block, x.clone(), parameters.clone());
            assert!(statistics.is_none());
            let options = ConvOptions::new([stride; 2], padding, [1, 1], 1);
            let expected = conv2d(x.clone(), weight.clone(), Some(bias.clone()), options).tanh();
            let what = format!("{block:?}");
            assert_close(&found, &expected, &what);
            let gradients = [&loss(found.clone()).backward(), &loss(expected).backward()];
            assert_gradients_close(&x, gradients, &what);
            assert_gradients_close(&weight, gradients, &what);
            assert_gradients_close(&bias, gradients, &what);

            let Parameters { weight, bias, .. } = parameters;
            let parameters = Parameters {
                weight: weight.inner(),
                bias: bias.map(Tensor::inner),
                scale: None,
                shift: None,
                function_parameter: None,
            };
            let inferred = fused::infer(block, x.inner(), parameters, None);
            assert_close(&inferred, &found.inner(), &what);
        }
    }
}

/// A dense layer reads an image in the order in which Burn flattens it, wherever the numbers lie.
#[test]
fn dense_layers_read_images_of_any_layout() {
    for device in devices() {
        let device = device.autodiff();
        let block = Block {
            map: LinearMap::Dense(Dense {
                pixels: 15,
                channels: 7,
                outputs: 19,
            }),
            normalization: Normalization::None,
            function: Function::Sigmoid,
            pool: false,
            dropout: 0.0,
        };
        let weight = tensor([105, 19], &device).require_grad();
        let bias = tensor([19], &device).require_grad();
        let layouts: [(&str, Tensor<4>); 3] = [
            ("channels first", tensor([4, 7, 3, 5], &device)),
            (
                "channels last",
                tensor([4, 3, 5, 7], &device).permute([0, 3, 1, 2]),
            ),
            ("a part", tensor([6, 9, 3, 5], &device).slice([1..5, 2..9])),
        ];
        for (layout, x) in layouts {
            let x = x.detach().require_grad();
            let parameters = Parameters {
                weight: weight.clone(),
                bias: Some(bias.clone()),
                scale: None,
                shift: None,
                function_parameter: None,
            };
            let (found, _) = fused::train(block, x.clone(), parameters);
            let expected = linear(x.clone().flatten(1, 3), weight.clone(), Some(bias.clone()));
            let expected = activation::sigmoid(expected);
            assert_close(&found, &expected, layout);
            let gradients = [&loss(found).backward(), &loss(expected).backward()];
            assert_gradients_close(&x, gradients, layout);
            assert_gradients_close(&weight, gradients, layout);
            assert_gradients_close(&bias, gradients, layout);
        }
    }
}

/// A dense layer of images of 3×5 pixels of 7 channels, and a weight of this shape.
fn dense(weight: [usize; 2]) -> (Block, Parameters<2>) {
    let block = Block {
        map: LinearMap::Dense(Dense {
            pixels: 15,
            channels: 7,
            outputs: 19,
        }),
        normalization: Normalization::None,
        function: Function::Prelu,
        pool: false,
        dropout: 0.0,
    };
    let [device, _] = devices();
    let parameters = Parameters {
        weight: tensor(weight, &device),
        bias: None,
        scale: None,
        shift: None,
        function_parameter: Some(tensor([1], &device)),
    };
    (block, parameters)
}

/// As many numbers, which would be taken for those of other pixels.
#[test]
#[should_panic(expected = "images of [2, 15, 1, 7] are not what")]
fn images_have_the_shape_that_a_block_reads() {
    let (block, parameters) = dense([105, 19]);
    let [device, _] = devices();
    fused::infer(block, tensor([2, 15, 1, 7], &device), parameters, None);
}

#[test]
#[should_panic(expected = "images of [2, 3, 5, 7] are not what")]
fn images_have_the_shape_that_a_chain_reads() {
    let (block, parameters) = dense([105, 19]);
    let mut chain = Chain::default();
    chain.push(block, &parameters, None);
    let [device, _] = devices();
    chain.infer(tensor([2, 3, 5, 7], &device));
}

#[test]
#[should_panic(expected = "a weight of [19, 105] does not fit")]
fn a_weight_has_the_shape_of_its_layer() {
    let (block, parameters) = dense([19, 105]);
    let [device, _] = devices();
    fused::train(block, tensor([2, 7, 3, 5], &device), parameters);
}

#[test]
#[should_panic(expected = "the function has one parameter, not [2]")]
fn a_function_has_one_parameter() {
    let (block, parameters) = dense([105, 19]);
    let [device, _] = devices();
    let parameters = Parameters {
        function_parameter: Some(tensor([2], &device)),
        ..parameters
    };
    Chain::default().push(block, &parameters, None);
}

#[test]
#[should_panic(expected = "Prelu lacks its parameter")]
fn a_learnable_function_is_given_its_parameter() {
    let (block, parameters) = dense([105, 19]);
    let parameters = Parameters {
        function_parameter: None,
        ..parameters
    };
    let [device, _] = devices();
    fused::infer(block, tensor([2, 7, 3, 5], &device), parameters, None);
}

const SIZE: usize = 12;

fn pooled(dropout: f32) -> Block {
    Block {
        map: LinearMap::Convolution(Convolution {
            height: SIZE,
            width: SIZE,
            inputs: 3,
            outputs: 10,
            kernel: [3, 3],
            stride: 1,
            padding: [1, 1],
        }),
        normalization: Normalization::Batch { epsilon: 1e-5 },
        function: Function::Identity,
        pool: true,
        dropout,
    }
}

fn parameters(device: &Device) -> Parameters<4> {
    Parameters {
        weight: tensor([10, 3, 3, 3], device).require_grad(),
        bias: None,
        scale: Some(tensor([10], device).require_grad()),
        shift: Some(tensor([10], device).require_grad()),
        function_parameter: None,
    }
}

/// The batch's statistics have no gradient, and inference with them computes the same.
#[test]
fn statistics_are_the_batchs() {
    for device in devices() {
        let device = device.autodiff();
        let x = tensor([5, 3, SIZE, SIZE], &device);
        let parameters = parameters(&device);
        let (output, statistics) = fused::train(pooled(0.0), x.clone(), parameters.clone());
        let Statistics { mean, variance } = statistics.unwrap();
        assert!(!mean.is_require_grad() && !variance.is_require_grad());

        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let y = conv2d(x.clone(), parameters.weight.clone(), None, options);
        let y = y.swap_dims(0, 1).flatten::<2>(1, 3);
        let (expected_variance, expected_mean) = y.var_mean_bias(1);
        assert_close(&mean, &expected_mean.squeeze_dim(1), "mean");
        assert_close(&variance, &expected_variance.squeeze_dim(1), "variance");

        let inner = Parameters {
            weight: parameters.weight.inner(),
            bias: None,
            scale: parameters.scale.map(Tensor::inner),
            shift: parameters.shift.map(Tensor::inner),
            function_parameter: None,
        };
        let running = Statistics {
            mean: mean.inner(),
            variance: variance.inner(),
        };
        let inferred = fused::infer(pooled(0.0), x.inner(), inner, Some(running));
        assert_close(&inferred, &output.inner(), "with the batch's statistics");
    }
}

/// On both backends, with images in either order in memory, of which there may be none; and with
/// the statistics of when a block was appended.
#[test]
fn a_chain_computes_one_block_after_the_other() {
    for device in devices() {
        let pooled = pooled(0.0);
        let [height, width, channels] = pooled.output_size();
        let dense = Block {
            map: LinearMap::Dense(Dense {
                pixels: height * width,
                channels,
                outputs: 4,
            }),
            normalization: Normalization::None,
            pool: false,
            ..pooled
        };
        let convolution = Parameters {
            weight: tensor([10, 3, 3, 3], &device),
            bias: None,
            scale: Some(tensor([10], &device)),
            shift: Some(tensor([10], &device)),
            function_parameter: None,
        };
        let linear = Parameters {
            weight: tensor([height * width * channels, 4], &device),
            bias: Some(tensor([4], &device)),
            scale: None,
            shift: None,
            function_parameter: None,
        };
        for variance in [0.5, 2.0] {
            let running = Statistics {
                mean: tensor([10], &device),
                variance: Tensor::full([10], variance, &device),
            };
            let mut chain = Chain::default();
            chain.push(pooled, &convolution, Some(&running));
            chain.push(dense, &linear, None);
            let images = tensor([19, 3, SIZE, SIZE], &device);
            let features = fused::infer(pooled, images.clone(), convolution.clone(), Some(running));
            let expected: Tensor<2> = fused::infer(dense, features, linear.clone(), None);
            let transposed = images.clone().swap_dims(1, 3);
            for images in [images.clone(), transposed.mul_scalar(1.0).swap_dims(1, 3)] {
                assert_close(&chain.infer(images), &expected, "images in some order");
            }
            let some = chain.infer(images.clone().slice(7..12));
            assert_close(&some, &expected.slice(7..12), "some of the images");
            let none = chain.infer(images.slice(3..3));
            assert_eq!(none.dims(), [0, 4]);
        }
    }
}

/// What is not dropped is scaled so that the mean stays, and has a gradient scaled alike; what is
/// dropped has none.
#[test]
fn dropout_keeps_the_mean_and_drops_gradients_too() {
    let rate = 0.3;
    for device in devices() {
        let device = device.autodiff();
        let x = tensor([64, 3, SIZE, SIZE], &device);
        // Without a scale, every output is the shift: 2.
        let parameters = || Parameters {
            scale: Some(Tensor::zeros([10], &device)),
            shift: Some((Tensor::ones([10], &device) * 2.0).require_grad()),
            ..parameters(&device)
        };
        let parameters = parameters();
        let shift = parameters.shift.clone().unwrap();
        let (output, _) = fused::train(pooled(rate), x, parameters);
        let values: Vec<f32> = output.to_data().try_into_vec().unwrap();
        let kept = 2.0 / (1.0 - rate);
        let is_kept = |value: f32| (value - kept).abs() < 1e-5;
        assert!(values.iter().all(|&value| value == 0.0 || is_kept(value)));
        // 23,040 draws: the share is known to 0.003.
        let share =
            values.iter().filter(|&&value| value == 0.0).count() as f32 / values.len() as f32;
        assert!((share - rate).abs() < 0.015, "{share}");

        let weights = Tensor::random(output.dims(), Distribution::Default, &device);
        let gradients = (output.clone() * weights.clone()).sum().backward();
        let mask = output.inner().greater_scalar(0.0).float() / (1.0 - rate);
        let expected = (weights.inner() * mask)
            .sum_dim(0)
            .sum_dim(2)
            .sum_dim(3)
            .flatten::<1>(0, 3);
        let found = shift.grad(&gradients).unwrap();
        let ratio = (found / expected - 1.0).abs().max().into_scalar::<f32>();
        assert!(ratio < 1e-4, "{ratio}");
    }
}

/// Only what asks for gradients gets them.
#[test]
fn constants_have_no_gradients() {
    for device in devices() {
        let device = device.autodiff();
        let x = tensor([2, 3, SIZE, SIZE], &device);
        let constants = Parameters {
            weight: tensor([10, 3, 3, 3], &device),
            bias: None,
            scale: None,
            shift: Some(tensor([10], &device).require_grad()),
            function_parameter: None,
        };
        let (output, _) = fused::train(pooled(0.0), x.clone(), constants.clone());
        let gradients = loss(output).backward();
        assert!(constants.shift.unwrap().grad(&gradients).is_some());
        assert!(constants.weight.grad(&gradients).is_none());
        assert!(x.grad(&gradients).is_none());
    }
}
