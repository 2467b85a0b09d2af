//! Prints how many images per second a whole training step of a preset takes on flex: forward, loss,
//! backward, Adam. For comparing builds:
//!
//! `cargo run -p model --example step_speed -- small` against the same with `--release`.

use std::time::Instant;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use model::{CnnConfig, Preset, Task};

const BATCH: usize = 256;
const STEPS: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let preset: Preset = match std::env::args().nth(1) {
        Some(name) => name.parse()?,
        None => Preset::default(),
    };
    let device = Device::flex().autodiff();
    let task = Task {
        height: 28,
        width: 28,
        classes: 10,
    };
    let mut network = CnnConfig::from(preset).init(task, 0, &device)?;
    let mut optimizer = AdamConfig::new().init();
    let pixels: Vec<f32> = (0..BATCH * 784).map(|i| (i as f32 * 0.1).sin()).collect();
    let images = Tensor::<4>::from_data(TensorData::new(pixels, [BATCH, 1, 28, 28]), &device);
    let labels: Vec<i64> = (0..BATCH as i64).map(|i| i % 10).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [BATCH]), &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut seconds = Vec::new();
    // The first step allocates what the others use again.
    for step in 0..=STEPS {
        let start = Instant::now();
        let loss = loss.forward(network.forward(images.clone()), labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(ModuleLearningRate::from(1e-3), network, gradients);
        if step > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    seconds.sort_by(f64::total_cmp);
    let rate = |seconds: f64| BATCH as f64 / seconds;
    println!(
        "{preset}, batch {BATCH}: {:.0} images/s (median of {STEPS} steps; {:.0} to {:.0})",
        rate(seconds[STEPS / 2]),
        rate(seconds[STEPS - 1]),
        rate(seconds[0]),
    );
    Ok(())
}
