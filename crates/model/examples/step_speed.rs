//! Measures how many images per second a preset's training steps take (forward, loss, backward,
//! Adam), or its evaluation:
//!
//! `RAYON_NUM_THREADS=2 cargo run --example step_speed -- --preset classic --kernels stock`
//!
//! Of several functions (`--activation relu --activation gelu`) each has a network of its own, and
//! they take their steps in turn, so that their times can be compared.
//!
//! With `--json` a line for programs for each function, with the time of every step.

use std::error::Error;
use std::str::FromStr;
use std::time::Instant;

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use model::{Activation, Cnn, CnnConfig, Kernels, Preset, Task};

const USAGE: &str = "step_speed [--preset tiny|small|classic|kaggle|deep:N] [--batch N] [--steps N] \
    [--warmup N] [--activation NAME]... [--backend flex|ndarray] [--kernels fused|stock] \
    [--mode train|eval] [--json]";

const TASK: Task = Task {
    height: 28,
    width: 28,
    classes: 10,
};

/// As in the trainer.
const EPSILON: f32 = 1e-8;

struct Options {
    preset: Preset,
    batch: usize,
    steps: usize,
    /// Steps before those that are measured: the first allocate what the others use again.
    warmup: usize,
    activations: Vec<Activation>,
    backend: String,
    kernels: Kernels,
    mode: String,
    json: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        fn value<T: FromStr<Err: Error + 'static>>(
            text: Option<String>,
        ) -> Result<T, Box<dyn Error>> {
            Ok(text.ok_or("an option lacks its value")?.parse()?)
        }
        let mut options = Self {
            preset: Preset::default(),
            batch: 256,
            steps: 9,
            warmup: 2,
            activations: Vec::new(),
            backend: String::from("flex"),
            kernels: Kernels::default(),
            mode: String::from("train"),
            json: false,
        };
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--preset" => options.preset = value(arguments.next())?,
                "--batch" => options.batch = value(arguments.next())?,
                "--steps" => options.steps = value(arguments.next())?,
                "--warmup" => options.warmup = value(arguments.next())?,
                "--activation" => options.activations.push(value(arguments.next())?),
                "--backend" => options.backend = value(arguments.next())?,
                "--kernels" => options.kernels = value(arguments.next())?,
                "--mode" => options.mode = value(arguments.next())?,
                "--json" => options.json = true,
                _ => return Err(format!("unknown option {name}; usage: {USAGE}").into()),
            }
        }
        if options.activations.is_empty() {
            options.activations.push(Activation::default());
        }
        Ok(options)
    }

    fn device(&self) -> Result<Device, String> {
        match self.backend.as_str() {
            "flex" => Ok(Device::flex()),
            // 0.22 is the last release with this backend, and marks it as deprecated.
            #[allow(deprecated)]
            "ndarray" => Ok(Device::ndarray()),
            other => Err(format!("unknown backend {other}; usage: {USAGE}")),
        }
    }

    /// Seconds of every measured step, of each of `takers`. They take turns, each time in another
    /// order, so that each comes after each of its neighbours.
    fn measure(&self, mut takers: Vec<Box<dyn FnMut(u64)>>) -> Vec<Vec<f64>> {
        let mut seconds = vec![Vec::new(); takers.len()];
        for number in 0..self.warmup + self.steps {
            for turn in 0..takers.len() {
                let turn = match number % 2 {
                    0 => turn,
                    _ => takers.len() - 1 - turn,
                };
                let taker = (turn + number) % takers.len();
                let start = Instant::now();
                takers[taker](number as u64);
                if number >= self.warmup {
                    seconds[taker].push(start.elapsed().as_secs_f64());
                }
            }
        }
        seconds
    }

    fn images(&self, device: &Device) -> Tensor<4> {
        let [height, width] = [TASK.height, TASK.width];
        let pixels: Vec<f32> = (0..self.batch * height * width)
            .map(|i| (i as f32 * 0.1).sin())
            .collect();
        Tensor::from_data(
            TensorData::new(pixels, [self.batch, 1, height, width]),
            device,
        )
    }

    fn training(&self, mut network: Cnn, device: &Device) -> Box<dyn FnMut(u64)> {
        let images = self.images(device);
        let labels: Vec<i64> = (0..self.batch as i64).map(|i| i % 10).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [self.batch]), device);
        let loss = CrossEntropyLossConfig::new().init(device);
        let mut optimizer = match self.kernels {
            Kernels::Fused => ModuleOptimizer::from(fused::Adam::new(EPSILON)),
            Kernels::Stock => AdamConfig::new().with_epsilon(EPSILON).init(),
        };
        let device = device.clone();
        Box::new(move |number| {
            device.seed(number);
            let loss = loss.forward(network.forward(images.clone()), labels.clone());
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            let rate = ModuleLearningRate::from(1e-3);
            // Burn's Learner holds on to the network too.
            network = optimizer.step(rate, network.clone(), gradients);
        })
    }

    fn evaluation(&self, network: &Cnn, device: &Device) -> Box<dyn FnMut(u64)> {
        let network = network.valid();
        let images = self.images(device);
        Box::new(move |_| drop(network.forward(images.clone()).into_data()))
    }

    fn print(&self, activation: Activation, mut seconds: Vec<f64>) {
        let threads = rayon::current_num_threads();
        let Self {
            preset,
            batch,
            backend,
            kernels,
            mode,
            ..
        } = self;
        if self.json {
            let line = serde_json::json!({
                "preset": preset.to_string(),
                "batch": batch,
                "activation": activation.to_string(),
                "backend": backend,
                "kernels": kernels.to_string(),
                "mode": mode,
                "threads": threads,
                "seconds": seconds,
                "peak_rss_kib": peak_rss_kib(),
            });
            println!("{line}");
            return;
        }
        seconds.sort_by(f64::total_cmp);
        let rate = |index: usize| *batch as f64 / seconds[index];
        let last = seconds.len() - 1;
        println!(
            "{preset} {activation} {mode}, {backend} {kernels}, batch {batch}, threads {threads}: \
             {:.0} images/s (median of {} steps; {:.0} to {:.0})",
            rate(seconds.len() / 2),
            seconds.len(),
            rate(last),
            rate(0),
        );
    }
}

/// The most memory that the process has held; `None` where the system does not tell.
fn peak_rss_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn main() -> Result<(), Box<dyn Error>> {
    // As in the trainer.
    if std::env::var("RAYON_NUM_THREADS").as_deref() != Ok("1") {
        rayon::ThreadPoolBuilder::new()
            .use_current_thread()
            .build_global()?;
    }
    let options = Options::parse(std::env::args().skip(1))?;
    if options.steps == 0 || options.batch == 0 {
        return Err("--steps and --batch must be at least 1".into());
    }
    let device = options.device()?;
    let training = device.clone().autodiff();
    let mut takers = Vec::new();
    for &activation in &options.activations {
        let config = CnnConfig {
            activation,
            ..options.preset.into()
        };
        let network = config
            .init(TASK, 0, &training)?
            .with_kernels(options.kernels);
        takers.push(match options.mode.as_str() {
            "train" => options.training(network, &training),
            "eval" => options.evaluation(&network, &device),
            other => return Err(format!("unknown mode {other}; usage: {USAGE}").into()),
        });
    }
    for (&activation, seconds) in options.activations.iter().zip(options.measure(takers)) {
        options.print(activation, seconds);
    }
    Ok(())
}
