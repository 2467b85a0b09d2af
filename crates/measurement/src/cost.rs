//! What computing an activation function costs.

use std::hint::black_box;
use std::iter;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use fused::runs_on;
use kernels::function::{Context, Draws};
use kernels::simd::Isa;
use model::{Activation, Kernels};

use crate::curve::context;

/// Elements at once on the CPU: they stay in the nearest cache, as they do inside a layer's kernel.
const CACHED: usize = 4096;
/// Elements at once where every operation goes through memory.
const STREAMED: [usize; 2] = [256, 16_384];
/// How often each is timed; the median counts.
const REPETITIONS: usize = 15;
/// How long one timing takes at least, so that the clock's steps do not matter.
const LEAST: Duration = Duration::from_micros(100);

/// Nanoseconds per element that an activation function takes by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// f(x).
    pub forward: f64,
    /// f′(x) times the gradient that comes in, and the gradient of a learnable parameter.
    pub backward: f64,
}

/// Measures the cost of `activation` on `device`: with the fused kernels on CPUs, of one thread on
/// elements in cache; else of Burn's operations on four million elements.
pub fn cost(activation: &Activation, kernels: Kernels, device: &Device) -> Cost {
    match activation.kernel() {
        Some(function) if kernels == Kernels::Fused && runs_on(device) => {
            let isa = Isa::best();
            // As in training: what is drawn is drawn anew.
            let context = Context {
                draws: function.is_random().then_some(Draws { key: 1, first: 0 }),
                ..context(activation)
            };
            // Both signs, and the range of normalised pre-activations.
            let inputs: Vec<f32> = (0..CACHED)
                .map(|place| 3.0 * (place as f32 * 0.731).sin())
                .collect();
            let mut values = inputs.clone();
            // Kernels work in place, so that the array is filled anew each time, which takes as long as a
            // cheap function does.
            let forward = median_difference(|is_whole| {
                black_box(&mut values).copy_from_slice(&inputs);
                if is_whole {
                    function.apply(isa, context, black_box(&mut values));
                }
            });
            let mut gradients = vec![1.0; CACHED];
            let backward = median_difference(|is_whole| {
                black_box(&mut gradients).fill(1.0);
                if is_whole {
                    if function.has_parameter() {
                        black_box(function.parameter_gradient(isa, context, &inputs, &gradients));
                    }
                    function.backward(isa, context, &inputs, black_box(&mut gradients));
                }
            });
            Cost { forward, backward }.per(CACHED)
        }
        _ => {
            let layer = activation.init(device);
            let x = Tensor::<2>::random(STREAMED, Distribution::Normal(0.0, 1.0), device);
            let wait = || drop(device.sync());
            let forward = median(|| {
                drop(black_box(layer.forward(x.clone())));
                wait();
            });
            let autodiff = device.clone().autodiff();
            let layer = activation.init(&autodiff);
            let x = Tensor::<2>::from_inner(x).require_grad();
            // The sum, which makes a gradient to begin with, is none of the function's.
            let both = median_difference(|is_whole| {
                let y = match is_whole {
                    true => layer.forward(x.clone()),
                    false => x.clone(),
                };
                drop(black_box(y.sum().backward()));
                wait();
            });
            let backward = (both - forward).max(0.0);
            Cost { forward, backward }.per(STREAMED[0] * STREAMED[1])
        }
    }
}

impl Cost {
    /// Nanoseconds for so many elements, for each of them.
    fn per(self, elements: usize) -> Self {
        let elements = elements as f64;
        Self {
            forward: self.forward / elements,
            backward: self.backward / elements,
        }
    }
}

/// The median time of `work` in nanoseconds.
fn median(mut work: impl FnMut()) -> f64 {
    let calls = enough_calls(&mut work);
    median_of(|| nanoseconds(calls, &mut work))
}

/// The median time in nanoseconds by which the whole of `work`, called with `true`, takes longer than the part of it
/// that is called with `false`; not less than 0. Both in turn, so that what slows the machine slows both.
fn median_difference(mut work: impl FnMut(bool)) -> f64 {
    let calls = enough_calls(|| work(true));
    let difference = median_of(|| {
        let whole = nanoseconds(calls, || work(true));
        whole - nanoseconds(calls, || work(false))
    });
    difference.max(0.0)
}

/// How often `work` has to be called to take [`LEAST`]. The first calls fill caches, and on GPUs compile kernels.
fn enough_calls(mut work: impl FnMut()) -> u32 {
    work();
    let mut calls = 1;
    while nanoseconds(calls, &mut work) * f64::from(calls) < LEAST.as_nanos() as f64
        && calls < 1 << 20
    {
        calls *= 2;
    }
    calls
}

/// The mean time of so many calls of `work`.
fn nanoseconds(calls: u32, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| work());
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// The median of some results of `measure`.
fn median_of(measure: impl FnMut() -> f64) -> f64 {
    let mut results: Vec<f64> = iter::repeat_with(measure).take(REPETITIONS).collect();
    results.sort_unstable_by(f64::total_cmp);
    results[REPETITIONS / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_that_of_the_median_pair() {
        let mut numbers = (0..).map(f64::from);
        assert_eq!(median_of(|| numbers.next().unwrap()), 7.0);
        let sleeping = |whole, part| {
            median_difference(|is_whole| {
                let time = if is_whole { whole } else { part };
                std::thread::sleep(Duration::from_micros(time));
            })
        };
        // The whole takes no less than its part.
        assert_eq!(sleeping(100, 5000), 0.0);
        assert!(sleeping(5000, 100) > 1e6);
    }

    #[test]
    fn is_measured_either_way() {
        let device = Device::flex();
        for (activation, kernels) in [
            (Activation::Tanh, Kernels::Fused),
            (Activation::Softmax, Kernels::Fused),
        ] {
            let Cost { forward, backward } = cost(&activation, kernels, &device);
            assert!(forward > 0.0 && forward < 1e6, "{activation}: {forward}");
            assert!((0.0..1e6).contains(&backward), "{activation}: {backward}");
        }
    }
}
