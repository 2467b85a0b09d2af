//! CPU and GPU agree: the same network on the same images has the same logits and gradients.
//!
//! Both sides compute in single precision, but add in different orders and have their own
//! exponentials. Logits and gradients are compared relative to the largest of their tensor.

mod common;

use std::sync::LazyLock;

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use model::{Activation, CnnConfig, Downsampling, Preset, StageConfig, Task};

/// A device can be opened once; both tests share it and its compiled kernels.
static GPU: LazyLock<Option<Device>> = LazyLock::new(common::wgpu_device);

/// How far a logit or a gradient may be off, as a share of the largest of its tensor. Measured: at
/// most 4e-4, by the `kaggle` preset, whose seven batch normalisations over four images magnify
/// what rounding leaves.
const TOLERANCE: f32 = 2e-3;

/// Some gradients are zero but for rounding, as that of a shift that the next normalisation takes
/// away: below this share of the largest gradient of the network, nothing is compared.
const FLOOR: f32 = 1e-3;

/// Logits, then the gradient of every parameter in the order of the network.
type Computed = Vec<Vec<f32>>;

fn compute(network: &CnnConfig, task: Task, batch: usize, device: &Device) -> Computed {
    let device = device.clone().autodiff();
    let model = network.init(task, 3, &device).unwrap();
    let logits = model.forward(images(task, batch, &device));
    let labels: Vec<i64> = (0..batch as i64).map(|i| i % task.classes as i64).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), &device);
    let loss = CrossEntropyLossConfig::new()
        .init(&device)
        .forward(logits.clone(), labels);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let mut collector = Collector {
        gradients,
        computed: vec![values(logits)],
    };
    model.visit(&mut collector);
    collector.computed
}

/// Images without symmetry, `[batch, 1, height, width]`, about standardised.
fn images(task: Task, batch: usize, device: &Device) -> Tensor<4> {
    let Task { height, width, .. } = task;
    let values: Vec<f32> = (0..batch * height * width)
        .map(|i| 1.5 * (i as f32 * 0.7).sin() + ((i * i) % 17) as f32 / 17.0)
        .collect();
    Tensor::from_data(TensorData::new(values, [batch, 1, height, width]), device)
}

struct Collector {
    gradients: GradientsParams,
    computed: Computed,
}

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(parameter.id) {
            self.computed.push(values(gradient));
        }
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

fn assert_agree(name: &str, cpu: &Computed, gpu: &Computed) {
    assert_eq!(cpu.len(), gpu.len(), "{name}");
    assert!(cpu.len() > 3, "{name} has gradients");
    let floor = FLOOR * largest(&cpu[1..].concat());
    for (number, (cpu, gpu)) in cpu.iter().zip(gpu).enumerate() {
        let largest = largest(cpu).max(floor);
        for (cpu, gpu) in cpu.iter().zip(gpu) {
            let off = (cpu - gpu).abs();
            // Written so that NaN fails.
            let close = off <= TOLERANCE * largest;
            assert!(
                close,
                "{name}, tensor {number}: {cpu} on the CPU, {gpu} on the GPU, largest {largest}"
            );
        }
    }
}

#[test]
fn every_activation() {
    let Some(gpu) = GPU.clone() else { return };
    let task = Task {
        height: 8,
        width: 8,
        classes: 3,
    };
    for &activation in Activation::ALL {
        // Its slopes come from each backend's own generator, unless there is but one to draw.
        let activation = match activation {
            Activation::Rrelu { .. } => Activation::Rrelu {
                lower: 0.25,
                upper: 0.25,
            },
            other => other,
        };
        let network = CnnConfig {
            activation,
            hidden_units: 8,
            stages: vec![StageConfig::new(4, 3).downsampled(Downsampling::Pool)],
            ..CnnConfig::default()
        };
        let [cpu, gpu] = [&Device::flex(), &gpu].map(|device| compute(&network, task, 4, device));
        assert_agree(activation.name(), &cpu, &gpu);
    }
}

#[test]
fn every_preset() {
    let Some(gpu) = GPU.clone() else { return };
    let task = Task {
        height: 16,
        width: 16,
        classes: 10,
    };
    for preset in [
        Preset::Tiny,
        Preset::Small,
        Preset::Classic,
        Preset::Kaggle,
        Preset::Deep(3),
    ] {
        let mut network = preset.network(Activation::Relu);
        // Dropout draws from each backend's own generator.
        network.hidden_dropout = 0.0;
        for stage in &mut network.stages {
            stage.dropout = 0.0;
        }
        let [cpu, gpu] = [&Device::flex(), &gpu].map(|device| compute(&network, task, 4, device));
        assert_agree(&preset.to_string(), &cpu, &gpu);
    }
}
