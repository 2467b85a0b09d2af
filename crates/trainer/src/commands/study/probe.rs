//! `trainer study probe`: how fast a study's runs train here.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use burn::tensor::{Distribution, Int, Tensor, TensorData};
use burn::train::{Learner, TrainStep};
use clap::Args;
use data::LabelledBatch;
use study::{Records, Study};

use super::{Files, Means};
use crate::classifier::Classifier;
use crate::console::print;
use crate::schedule::Schedule;
use crate::study_runner::StudyRunner;
use crate::study_runner::jobs::Speed;

/// Steps before the clock starts.
const WARM_UP: usize = 3;
/// How long it is measured.
const TIME: Duration = Duration::from_millis(1200);

/// Options of `trainer study probe`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    means: Means,
}

/// Trains the network of the study's first run for a moment on noise, and prints its speed.
///
/// # Errors
///
/// If the network cannot be made.
pub fn run(options: &Options) -> Result<ExitCode> {
    let Options { files, means } = options;
    let study = Study::read(&files.study)?;
    let runner = StudyRunner::new(
        &study,
        &files.folder(),
        means.data.as_deref(),
        means.backend,
    )?;
    let specs = runner.plan.known(&Records::default());
    let spec = specs.first().context("the study has no runs")?;
    let config = runner.configuration(spec)?;
    let (_, task) = crate::training::split(&config, &runner.images)?;
    let device = runner.processor.device.clone().autodiff();
    let network = config.network.init(task, config.seed, &device)?;
    let mut learner = Learner::new(
        Classifier {
            network: network.with_kernels(config.kernels),
            loss: config.loss,
        },
        config.optimizer.init(config.kernels),
        Schedule::new(&config, 1),
    );
    let batch = config.batch_size;
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
    print(&serde_json::to_string(&Speed { images_per_second })?)?;
    Ok(ExitCode::SUCCESS)
}
