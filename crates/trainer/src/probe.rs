//! How fast a run trains on this machine.

use std::time::{Duration, Instant};

use anyhow::Result;
use burn::tensor::{Distribution, Int, Tensor, TensorData};
use burn::train::TrainStep;
use data::{LabelledBatch, LabelledImages};

use crate::backend::Processor;
use crate::config::RunConfig;
use crate::jobs::Speed;
use crate::training::{learner, split};

/// Steps before the clock starts.
const WARM_UP: usize = 3;
/// How long it is measured.
const TIME: Duration = Duration::from_millis(1200);

/// Trains the network of a run for a moment on noise.
///
/// # Errors
///
/// If the network does not fit the images.
pub fn speed(config: &RunConfig, images: &LabelledImages, processor: &Processor) -> Result<Speed> {
    let (split, task) = split(config, images)?;
    let device = processor.device.clone().autodiff();
    let mut learner = learner(config, task, 1, &processor.device)?;
    // As in training: of few images a large batch is all there are.
    let batch = config.batch_size.min(split.training.rows().len());
    let shape = [batch, 1, task.height, task.width];
    let labels: Vec<i64> = (0..batch)
        .map(|place| (place % task.classes) as i64)
        .collect();
    let images = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), &device);
    let mut step = || {
        let output = learner.model().step(LabelledBatch {
            images: images.clone(),
            labels: labels.clone(),
            seed: 0,
        });
        learner.optimizer_step(output.grads);
    };
    (0..WARM_UP).for_each(|_| step());
    let start = Instant::now();
    let mut steps = 0;
    while start.elapsed() < TIME {
        step();
        steps += 1;
    }
    let images_per_second = (steps * batch) as f64 / start.elapsed().as_secs_f64();
    Ok(Speed { images_per_second })
}
