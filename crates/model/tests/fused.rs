//! The network on the CPU's kernels against the same network on Burn's operations.
//!
//! Both compute in `f32` and add in different orders, so neither is the measure of the other. The
//! measure is the same network on Burn's operations in `f64`. The largest error of a tensor may be
//! [`FACTOR`] times that of Burn's operations in `f32`, and besides [`TOLERANCE`] of its largest
//! number: sums of n terms are off by about √n roundings (6e-8) of the largest term, and n is some
//! thousand at most. Gradients that normalisation makes cancel have no more digits than their terms:
//! [`CANCELLATION`] of the network's largest gradient is allowed. Where Burn's own result has lost
//! all but two of its [`DIGITS`], there is nothing to compare.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use model::{
    Activation, ActivationLayer, Cnn, CnnConfig, Downsampling, Kernels, Normalization, Observer,
    Padding, Site, Smoothness, StageConfig, Task,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const TOLERANCE: f64 = 1e-4;
const FACTOR: f64 = 8.0;
const CANCELLATION: f64 = 1e-5;
const DIGITS: f64 = 1e-2;

#[allow(deprecated)]
fn devices() -> [Device; 2] {
    [Device::flex(), Device::ndarray()]
}

/// Numbers that look random, about −1..1.
fn numbers(count: usize, seed: f32) -> Vec<f32> {
    (0..count)
        .map(|i| {
            let x = ((i as f32 + seed) * 12.9898).sin() * 43_758.547;
            2.0 * (x - x.floor()) - 1.0
        })
        .collect()
}

fn images(batch: usize, task: Task, device: &Device) -> Tensor<4> {
    let Task { height, width, .. } = task;
    let values = numbers(batch * height * width, 0.5);
    Tensor::from_data(TensorData::new(values, [batch, 1, height, width]), device)
}

/// Every learnable number moved a little, so that none is 0 or 1 as it was made.
struct Shake;

impl ModuleMapper for Shake {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|tensor| {
            let values = numbers(tensor.shape().num_elements(), 0.25);
            let by =
                Tensor::<D>::from_data(TensorData::new(values, tensor.dims()), &tensor.device());
            let requires_gradient = tensor.is_require_grad();
            let shaken = tensor.inner() + by.inner() * 0.1;
            Tensor::from_inner(shaken).set_require_grad(requires_gradient)
        })
    }
}

/// Tensors by the path of the module that holds them.
type Tensors = BTreeMap<String, Vec<f64>>;

/// The values of all parameters and running statistics, or their gradients.
#[derive(Default)]
struct Collect<'a> {
    gradients: Option<&'a GradientsParams>,
    path: Vec<String>,
    tensors: Tensors,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let tensor = match self.gradients {
            Some(gradients) => gradients.get::<D>(parameter.id),
            None => Some(parameter.val()),
        };
        if let Some(tensor) = tensor {
            let values = tensor.into_data().iter().collect();
            self.tensors.insert(self.path.join("."), values);
        }
    }
}

fn values(network: &Cnn) -> Tensors {
    // Brings the running statistics up to date.
    let network = network.valid();
    let mut collect = Collect::default();
    network.visit(&mut collect);
    collect.tensors
}

/// Seeds the generator that the tests of this process share, and keeps the others from drawing.
fn seed(device: &Device, seed: u64) -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let guard = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(seed);
    guard
}

/// What a training step computes: loss, logits, the gradients of the images and of every
/// parameter, the running statistics, and the logits at inference after that.
fn step(network: &Cnn, images: &Tensor<4>) -> Tensors {
    let device = images.device();
    let _generator = seed(&device, 3);
    let images = images.clone().require_grad();
    let [batch, ..] = images.dims();
    let logits = network.forward(images.clone());
    let [_, classes] = logits.dims();
    let labels: Vec<i64> = (0..batch).map(|i| (i % classes) as i64).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), &device);
    let loss = CrossEntropyLossConfig::new()
        .init(&device)
        .forward(logits.clone(), labels);
    let mut gradients = loss.backward();
    let of_images = images.grad_remove(&mut gradients).unwrap();
    let gradients = GradientsParams::from_grads(gradients, network);
    let mut collect = Collect {
        gradients: Some(&gradients),
        ..Collect::default()
    };
    network.visit(&mut collect);
    let mut tensors: Tensors = collect
        .tensors
        .into_iter()
        .map(|(name, values)| (format!("gradient of {name}"), values))
        .collect();
    tensors.extend(
        values(network)
            .into_iter()
            .filter(|(name, _)| name.contains("running")),
    );
    let inference = network.valid().forward(images.clone().inner());
    for (name, tensor) in [
        ("loss", loss.into_data()),
        ("logits", logits.into_data()),
        ("gradient of images", of_images.into_data()),
        ("inference", inference.into_data()),
    ] {
        tensors.insert(name.to_owned(), tensor.iter().collect());
    }
    tensors
}

fn largest<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    values.into_iter().fold(0.0, |a, b| a.max(b.abs()))
}

/// NaN if one of them is: `f64::max` would leave it out.
fn largest_error(found: &[f64], exact: &[f64]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let errors = found
        .iter()
        .zip(exact)
        .map(|(found, exact)| (found - exact).abs());
    errors.fold(0.0, |largest, error| {
        if largest.is_nan() || error <= largest {
            largest
        } else {
            error
        }
    })
}

fn assert_close(found: &Tensors, stock: &Tensors, exact: &Tensors, what: &str) {
    assert!(found.keys().eq(exact.keys()), "{what}");
    let gradients = exact.iter().filter(|(name, _)| name.contains("gradient"));
    let largest_gradient = largest(gradients.flat_map(|(_, values)| values));
    for (name, exact) in exact {
        let error_of_stock = largest_error(&stock[name], exact);
        if error_of_stock > DIGITS * largest(exact) {
            continue;
        }
        let mut allowed = TOLERANCE * largest(exact) + FACTOR * error_of_stock;
        if name.contains("gradient") {
            allowed += CANCELLATION * largest_gradient;
        }
        let error = largest_error(&found[name], exact);
        assert!(
            error <= allowed,
            "{what}: {name} is off by {error:e}, more than {allowed:e} (Burn's by \
             {error_of_stock:e}, largest number {:e}, largest gradient {largest_gradient:e})",
            largest(exact)
        );
    }
}

/// The same network twice: parameters of the same identity and value.
fn pair(config: &CnnConfig, task: Task, device: &Device) -> [Cnn; 2] {
    let network = config.init(task, 1, &device.clone().autodiff()).unwrap();
    let stock = network.map(&mut Shake).with_kernels(Kernels::Stock);
    [
        with_own_statistics(&stock).with_kernels(Kernels::Fused),
        stock,
    ]
}

/// A copy that does not share its running statistics, as a clone would.
fn with_own_statistics(network: &Cnn) -> Cnn {
    struct Own;
    impl ModuleMapper for Own {}
    network.valid().train().map(&mut Own)
}

/// All numbers in `f64`.
struct Double;

impl ModuleMapper for Double {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|tensor| {
            let requires_gradient = tensor.is_require_grad();
            let double = tensor.inner().cast(DType::F64);
            Tensor::from_inner(double).set_require_grad(requires_gradient)
        })
    }
}

fn compare_step([fused, stock]: [Cnn; 2], images: &Tensor<4>, what: &str) {
    let exact = with_own_statistics(&stock).map(&mut Double);
    let exact = step(&exact, &images.clone().cast(DType::F64));
    assert_close(&step(&fused, images), &step(&stock, images), &exact, what);
}

fn compare(config: &CnnConfig, task: Task, batch: usize, device: &Device) {
    let images = images(batch, task, &device.clone().autodiff());
    let what = format!("{config:?} for {task:?}, batch {batch}, {device:?}");
    compare_step(pair(config, task, device), &images, &what);
}

/// A randomised rectifier that has nothing to choose: the draws of the two differ.
fn determined(activation: Activation) -> Activation {
    match activation {
        Activation::Rrelu { .. } => Activation::Rrelu {
            lower: 0.2,
            upper: 0.2,
        },
        other => other,
    }
}

/// Normalisations for `channels` channels. Of a few numbers the deviation may be small by chance,
/// and what is divided by it has few digits: groups have at least four channels.
fn normalizations(channels: usize) -> impl Strategy<Value = Normalization> {
    let groups = move |groups: &usize| channels.is_multiple_of(*groups) && channels / groups >= 4;
    let mut choices = vec![Normalization::None, Normalization::Batch];
    choices.extend((1..=4).filter(groups).map(Normalization::Group));
    choices.extend((channels >= 4).then_some(Normalization::Layer));
    prop::sample::select(choices)
}

fn stages() -> impl Strategy<Value = StageConfig> {
    let with_normalization =
        (1_usize..40).prop_flat_map(|channels| (Just(channels), normalizations(channels)));
    (
        with_normalization,
        prop::sample::select(vec![1, 3, 5, 7]),
        1_usize..3,
        prop::sample::select(vec![Padding::Same, Padding::Valid]),
        prop::sample::select(vec![
            Downsampling::None,
            Downsampling::Pool,
            Downsampling::Stride,
        ]),
    )
        .prop_map(
            |((channels, normalization), kernel, repeat, padding, downsampling)| StageConfig {
                normalization: Some(normalization),
                ..StageConfig::new(channels, kernel)
                    .repeated(repeat)
                    .padded(padding)
                    .downsampled(downsampling)
            },
        )
}

/// Networks without kinks: rounding decides on which side of one a number falls.
fn networks() -> impl Strategy<Value = CnnConfig> {
    let has_no_kinks = |activation: &Activation| match activation.facts().smoothness {
        Smoothness::Discontinuous | Smoothness::Continuous => false,
        Smoothness::Differentiable | Smoothness::Smooth => true,
    };
    let activations = Activation::ALL.iter().copied().filter(has_no_kinks);
    let activation = prop::sample::select(activations.collect::<Vec<_>>());
    let hidden = (1_usize..40).prop_flat_map(|units| (Just(units), normalizations(units)));
    (prop::collection::vec(stages(), 0..3), activation, hidden).prop_map(
        |(stages, activation, (hidden_units, normalization))| CnnConfig {
            activation: determined(activation),
            normalization,
            initial_bias: 0.0,
            hidden_units,
            stages,
            ..CnnConfig::default()
        },
    )
}

proptest! {
    // The same networks every time: of some ten thousand, one has two numbers in a pooling window
    // that differ by a rounding, and there the two networks take different ways.
    #![proptest_config(ProptestConfig {
        cases: 128,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        max_global_rejects: 100_000,
        ..Default::default()
    })]

    #[test]
    fn random_networks_compute_the_same(
        config in networks(),
        height in 1_usize..20,
        width in 1_usize..20,
        classes in 1_usize..12,
        batch in 1_usize..9,
    ) {
        let task = Task { height, width, classes };
        prop_assume!(config.check([height, width]).is_ok());
        // As in `normalizations`.
        let batch_normalized = config.stages.iter().filter_map(|stage| stage.normalization)
            .chain([config.normalization])
            .any(|normalization| normalization == Normalization::Batch);
        prop_assume!(batch > 3 || !batch_normalized);
        let [flex, _] = devices();
        compare(&config, task, batch, &flex);
    }
}

const TASK: Task = Task {
    height: 11,
    width: 9,
    classes: 5,
};

fn config(activation: Activation) -> CnnConfig {
    CnnConfig {
        activation,
        hidden_units: 21,
        stages: vec![
            StageConfig::new(6, 3).downsampled(Downsampling::Pool),
            StageConfig::new(18, 3)
                .repeated(2)
                .downsampled(Downsampling::Stride),
        ],
        ..CnnConfig::default()
    }
}

/// An observer has layers computed one after the other; without, many images go through all of
/// them a few at a time.
#[test]
fn inference_is_the_same_whether_or_not_it_is_observed() {
    struct Look;
    impl Observer for Look {
        fn observe(&mut self, _: Site, _: &ActivationLayer, _: Tensor<3>) {}
    }
    for device in devices() {
        let training = device.clone().autodiff();
        let network = config(Activation::Relu).init(TASK, 1, &training).unwrap();
        let network = network.map(&mut Shake).valid();
        let images = images(19, TASK, &device);
        let observed = network.forward_observed(images.clone(), &mut Look);
        let plain = network.forward(images);
        assert_eq!(plain.dims(), [19, TASK.classes]);
        assert_eq!(plain.into_data(), observed.into_data());
    }
}

#[test]
fn every_activation_and_normalization_computes_the_same_on_every_backend() {
    for device in devices() {
        for activation in Activation::ALL {
            let config = config(determined(*activation));
            compare(&config, TASK, 4, &device);
        }
        for normalization in ["layer", "group:3", "none"] {
            let config = CnnConfig {
                normalization: normalization.parse().unwrap(),
                ..config(Activation::Gelu)
            };
            compare(&config, TASK, 4, &device);
        }
    }
}

/// A network in which all that a frozen layer does otherwise plays a part.
fn with_everything(normalization: Normalization) -> CnnConfig {
    CnnConfig {
        activation: "rrelu".parse().unwrap(),
        normalization,
        hidden_dropout: 0.3,
        stages: vec![
            StageConfig::new(8, 3)
                .downsampled(Downsampling::Pool)
                .with_dropout(0.4),
        ],
        hidden_units: 12,
        ..CnnConfig::default()
    }
}

/// Frozen on the training device, a layer draws nothing, and batch normalisation takes its running
/// statistics and leaves them as they are.
#[test]
fn frozen_networks_compute_the_same() {
    for device in devices() {
        for normalization in [Normalization::Batch, Normalization::Layer] {
            let config = with_everything(normalization);
            let [fused, stock] = pair(&config, TASK, &device).map(Module::freeze);
            let images = images(4, TASK, &device.clone().autodiff());
            let before = values(&fused);
            compare_step([fused.clone(), stock], &images, "frozen");
            assert_eq!(values(&fused), before);
        }
    }
}

#[test]
fn draws_come_from_the_devices_seed_alone() {
    for device in devices() {
        let device = device.autodiff();
        let network = with_everything(Normalization::Batch)
            .init(TASK, 1, &device)
            .unwrap();
        let images = images(4, TASK, &device);
        let logits = |number| {
            let _generator = seed(&device, number);
            network.forward(images.clone()).into_data()
        };
        assert_eq!(logits(1), logits(1));
        assert_ne!(logits(1), logits(2));
    }
}

/// Steps of Adam with a learning rate of 0.01 on images whose class is their brightest quarter.
fn train(
    network: Cnn,
    optimizer: &mut ModuleOptimizer,
    steps: usize,
    batch: usize,
) -> (Cnn, Vec<f32>) {
    let device = network.devices()[0].clone();
    let mut network = network;
    let mut losses = Vec::new();
    for step in 0..steps {
        let (height, width) = (TASK.height, TASK.width);
        let mut pixels = numbers(batch * height * width, step as f32);
        let labels: Vec<i64> = (0..batch).map(|i| ((i * 7 + step) % 4) as i64).collect();
        for (image, &label) in pixels.chunks_mut(height * width).zip(&labels) {
            let (top, left) = (label as usize / 2 * 5, label as usize % 2 * 4);
            for row in top..top + 5 {
                for column in left..left + 4 {
                    image[row * width + column] += 1.0;
                }
            }
        }
        let images =
            Tensor::<4>::from_data(TensorData::new(pixels, [batch, 1, height, width]), &device);
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), &device);
        let _generator = seed(&device, step as u64);
        let loss = CrossEntropyLossConfig::new()
            .init(&device)
            .forward(network.forward(images), labels);
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(ModuleLearningRate::from(0.01), network, gradients);
    }
    (network, losses)
}

#[test]
fn a_network_with_everything_learns() {
    for device in devices() {
        for normalization in ["batch", "group:4"] {
            let network = with_everything(normalization.parse().unwrap())
                .init(TASK, 1, &device.clone().autodiff())
                .unwrap();
            let mut optimizer = ModuleOptimizer::from(fused::Adam::new(1e-8));
            let (_, losses) = train(network, &mut optimizer, 60, 32);
            let last = losses[50..].iter().sum::<f32>() / 10.0;
            assert!(losses[0] > 1.0 && last < 0.4, "{normalization}: {losses:?}");
        }
    }
}

/// Weights, losses and all, to the last bit.
#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    for device in devices() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let config = with_everything(Normalization::Batch);
                let network = config.init(TASK, 1, &device.clone().autodiff()).unwrap();
                let mut optimizer = ModuleOptimizer::from(fused::AdamW::new(1e-8, 0.01));
                let (network, losses) = train(network, &mut optimizer, 4, 37);
                (values(&network), losses)
            })
        };
        let one = run(1);
        assert_eq!(run(2), one);
        assert_eq!(run(7), one);
    }
}

/// The optimizers' steps against Burn's, over some steps with the same gradients.
#[test]
fn optimizers_are_burns_but_for_rounding() {
    for device in devices() {
        let [network, _] = pair(&config(Activation::Tanh), TASK, &device);
        let pairs: [[ModuleOptimizer; 2]; 2] = [
            [
                fused::Adam::new(1e-8).into(),
                AdamConfig::new().with_epsilon(1e-8).init(),
            ],
            [
                fused::AdamW::new(1e-8, 0.1).into(),
                AdamWConfig::new()
                    .with_epsilon(1e-8)
                    .with_weight_decay(0.1)
                    .init(),
            ],
        ];
        for mut optimizers in pairs {
            let mut moved = [network.clone(), network.clone()];
            for scale in [1.0, 2.0, -0.5, 0.0, 3.0] {
                for (optimizer, moved) in optimizers.iter_mut().zip(&mut moved) {
                    let images = images(3, TASK, &device.clone().autodiff()) * scale;
                    let loss = network.forward(images).square().mean();
                    let gradients = GradientsParams::from_grads(loss.backward(), &network);
                    let rate = ModuleLearningRate::from(0.01);
                    *moved = optimizer.step(rate, moved.clone(), gradients);
                }
            }
            // Steps of 0.01 that differ by some roundings, of numbers of about 1.
            let [found, expected] = moved.each_ref().map(values);
            assert!(found.keys().eq(expected.keys()));
            for (name, expected) in &expected {
                let error = largest_error(&found[name], expected);
                assert!(error < 1e-6, "{name} is off by {error:e}");
            }
        }
    }
}
