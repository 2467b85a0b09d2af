//! How fast the kernels are, beside what the machine can do: `cargo bench -p kernels --bench layers`.
//!
//! Each kernel of the presets' layers runs on one thread; the share is that of the rate at which the
//! same thread multiplies and adds in registers. The best of many repetitions counts, since
//! neighbours on a shared machine only slow things down.

use std::hint::black_box;
use std::time::Instant;

use kernels::convolution::{BackwardPanel, Convolution, ForwardPanel, WeightGradient};
use kernels::dense::{self, Dense};
use kernels::simd::{Isa, Routine, Simd};

/// Repetitions, of which the fastest counts.
const REPETITIONS: usize = 15;

/// Seconds that one repetition takes at least.
const SECONDS: f64 = 0.005;

/// Multiplies and adds in registers: 12 independent sums.
struct Peak(usize);

impl Routine for Peak {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        const SUMS: usize = 12;
        let mut sums = [simd.splat(0.0); SUMS];
        let factor = simd.splat(black_box(0.999));
        let other = simd.splat(black_box(0.5));
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add(*sum, factor, other);
            }
        }
        sums.into_iter().map(|sum| simd.sum(sum)).sum()
    }
}

/// Seconds that `work` takes at its fastest.
fn fastest(mut work: impl FnMut()) -> f64 {
    let mut times = 1;
    loop {
        let start = Instant::now();
        (0..times).for_each(|_| work());
        if start.elapsed().as_secs_f64() >= SECONDS {
            break;
        }
        times *= 2;
    }
    (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            (0..times).for_each(|_| work());
            start.elapsed().as_secs_f64() / times as f64
        })
        .fold(f64::INFINITY, f64::min)
}

/// Operations a second in registers.
fn peak(isa: Isa) -> f64 {
    const ROUNDS: usize = 100_000;
    let seconds = fastest(|| {
        black_box(isa.run(Peak(ROUNDS)));
    });
    (2 * 12 * ROUNDS * isa.lanes()) as f64 / seconds
}

/// Bytes a second that are read and written in a copy beyond the caches.
fn copy_bandwidth() -> f64 {
    let from = vec![1.0f32; 1 << 24];
    let mut to = vec![0.0f32; 1 << 24];
    let seconds = fastest(|| to.copy_from_slice(black_box(&from)));
    (2 * size_of_val(&from[..])) as f64 / seconds
}

fn main() {
    println!("copy beyond the caches: {:.1} GB/s", copy_bandwidth() / 1e9);
    for isa in Isa::available() {
        let peak = peak(isa);
        println!("\n{isa}: {:.1} GFLOP/s in registers", peak / 1e9);
        println!(
            "{:28} {:>21} {:>21} {:>21} {:>21}",
            "share of that", "output", "input's gradient", "weights' gradient", "pooled output"
        );
        for (name, convolution) in convolutions() {
            print_shares(name, convolution_seconds(isa, convolution), {
                let area = convolution.kernel[0] * convolution.kernel[1];
                (2 * convolution.output_len() * convolution.inputs * area) as f64 / peak
            });
        }
        for (name, dense) in [
            ("small, hidden", [49, 32, 256]),
            ("classic, hidden", [49, 64, 128]),
            ("kaggle, hidden", [16, 64, 128]),
        ] {
            let [pixels, channels, outputs] = dense;
            let dense = Dense {
                pixels,
                channels,
                outputs,
            };
            print_shares(
                name,
                dense_seconds(isa, dense),
                (2 * dense.weight_len()) as f64 / peak,
            );
        }
    }
}

/// `seconds`: of output, input's gradient, weights' gradient and, of a convolution, pooled output, for
/// one image each.
fn print_shares<const N: usize>(name: &str, seconds: [f64; N], ideal: f64) {
    print!("{name:28}");
    for seconds in seconds {
        print!(
            " {:8.1} µs {:7.0} %",
            1e6 * seconds,
            100.0 * ideal / seconds
        );
    }
    println!();
}

/// The convolutions of the presets.
fn convolutions() -> Vec<(&'static str, Convolution)> {
    [
        ("small, stage 1", 28, 1, 24, 5, 1, 2),
        ("small, stage 2", 14, 24, 32, 3, 1, 1),
        ("classic, stage 1, first", 28, 1, 32, 3, 1, 1),
        ("classic, stage 1, second", 28, 32, 32, 3, 1, 1),
        ("classic, stage 2, first", 14, 32, 64, 3, 1, 1),
        ("classic, stage 2, second", 14, 64, 64, 3, 1, 1),
        ("kaggle, stage 1, first", 28, 1, 32, 3, 1, 0),
        ("kaggle, stage 1, second", 26, 32, 32, 3, 1, 0),
        ("kaggle, stage 2", 24, 32, 32, 5, 2, 2),
        ("kaggle, stage 3, first", 12, 32, 64, 3, 1, 0),
        ("kaggle, stage 3, second", 10, 64, 64, 3, 1, 0),
        ("kaggle, stage 4", 8, 64, 64, 5, 2, 2),
    ]
    .map(|(name, size, inputs, outputs, kernel, stride, padding)| {
        (
            name,
            Convolution {
                height: size,
                width: size,
                inputs,
                outputs,
                kernel: [kernel; 2],
                stride,
                padding: [padding; 2],
            },
        )
    })
    .to_vec()
}

fn convolution_seconds(isa: Isa, convolution: Convolution) -> [f64; 4] {
    let weights = vec![0.01; convolution.weight_len()];
    let forward = ForwardPanel::new(isa, convolution, &weights, None);
    let backward = BackwardPanel::new(isa, convolution, &weights);
    let images = WeightGradient::images_at_once(&convolution);
    let forward_images = forward.images_at_once();
    let mut weight_gradient = WeightGradient::new(isa, convolution);
    let padded = vec![0.5; images.max(forward_images) * convolution.padded_len()];
    let bordered = vec![0.5; images * convolution.bordered_len()];
    let mut output = vec![0.0; forward_images * convolution.output_len()];
    let [height, width] = convolution.output_size();
    let mut pooled = vec![0.0; forward_images * (height / 2) * (width / 2) * convolution.outputs];
    let mut input_gradient = vec![0.0; images * convolution.input_len()];
    let of_forward = &padded[..forward_images * convolution.padded_len()];
    let of_images = &padded[..images * convolution.padded_len()];
    [
        fastest(|| forward.output(of_forward, &mut output)) / forward_images as f64,
        fastest(|| backward.input_gradient(&bordered, &mut input_gradient)) / images as f64,
        fastest(|| weight_gradient.add(of_images, &bordered)) / images as f64,
        fastest(|| forward.pooled_output(of_forward, &mut pooled)) / forward_images as f64,
    ]
}

/// Packing the weights included, which is done once for a batch.
fn dense_seconds(isa: Isa, dense: Dense) -> [f64; 3] {
    const IMAGES: usize = 256;
    let weights = vec![0.01; dense.weight_len()];
    let input = vec![0.5; IMAGES * dense.inputs()];
    let gradient = vec![0.5; IMAGES * dense.outputs];
    let mut output = vec![0.0; IMAGES * dense.outputs];
    let mut input_gradient = vec![0.0; IMAGES * dense.inputs()];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let mut seconds = |pool: &rayon::ThreadPool| {
        pool.install(|| {
            [
                fastest(|| {
                    dense::ForwardPanel::new(isa, dense, &weights, None)
                        .output(&input, &mut output);
                }),
                fastest(|| {
                    dense::BackwardPanel::new(isa, dense, &weights)
                        .input_gradient(&gradient, &mut input_gradient);
                }),
                fastest(|| {
                    black_box(dense::weight_gradient(isa, dense, &input, &gradient));
                }),
            ]
        })
    };
    match pool {
        Ok(pool) => seconds(&pool).map(|seconds| seconds / IMAGES as f64),
        Err(error) => panic!("no thread to measure on: {error}"),
    }
}
