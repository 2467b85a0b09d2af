//! Elements per second of every activation function, forwards and backwards, in the first-level
//! cache and in memory; `copy` is what the memory allows.
//!
//!     cargo bench -p kernels --bench function

use std::cell::RefCell;
use std::fmt;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use kernels::function::{Context, Draws, Function};
use kernels::random::dropout;
use kernels::simd::Isa;

/// Two rows of this length fit the first-level cache.
const ROW: usize = 2048;
/// 64 MB.
const LARGE: usize = 16 << 20;

fn main() {
    divan::main();
}

/// A function on an instruction set; without a function, a copy.
#[derive(Clone, Copy)]
struct Task {
    name: &'static str,
    function: Option<Function>,
    isa: Isa,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.isa)
    }
}

fn tasks() -> Vec<Task> {
    use Function::*;
    let functions = [
        ("copy", None),
        ("sigmoid", Some(Sigmoid)),
        ("tanh", Some(Tanh)),
        ("relu", Some(Relu)),
        ("leaky-relu", Some(LeakyRelu { slope: 0.01 })),
        ("prelu", Some(Prelu)),
        (
            "rrelu",
            Some(Rrelu {
                lower: 0.125,
                upper: 0.333,
            }),
        ),
        ("relu6", Some(Relu6)),
        ("elu", Some(Elu { alpha: 1.0 })),
        ("celu", Some(Celu { alpha: 0.5 })),
        ("selu", Some(Selu)),
        ("gelu", Some(Gelu)),
        ("gelu-tanh", Some(GeluTanh)),
        ("quick-gelu", Some(QuickGelu)),
        ("silu", Some(Silu)),
        ("swish-beta", Some(SwishBeta)),
        ("mish", Some(Mish)),
        ("hard-mish", Some(HardMish)),
        ("hard-sigmoid", Some(HardSigmoid)),
        ("hard-swish", Some(HardSwish)),
        ("hard-tanh", Some(HardTanh)),
        ("softplus", Some(Softplus { beta: 1.0 })),
        ("softsign", Some(Softsign)),
        ("log-sigmoid", Some(LogSigmoid)),
        ("tanh-shrink", Some(TanhShrink)),
        ("hard-shrink", Some(HardShrink { lambda: 0.5 })),
        ("soft-shrink", Some(SoftShrink { lambda: 0.5 })),
        (
            "threshold",
            Some(Threshold {
                theta: 1.0,
                value: 0.0,
            }),
        ),
        ("squareplus", Some(Squareplus { b: 4.0 })),
        ("penalized-tanh", Some(PenalizedTanh)),
        ("lisht", Some(Lisht)),
        ("snake", Some(Snake { alpha: 1.0 })),
        ("sine", Some(Sine)),
    ];
    let of_function = |(name, function)| {
        Isa::available().into_iter().map(move |isa| Task {
            name,
            function,
            isa,
        })
    };
    functions.into_iter().flat_map(of_function).collect()
}

const CONTEXT: Context = Context {
    parameter: 0.75,
    draws: Some(Draws { key: 1, first: 0 }),
};

impl Task {
    fn forward(&self, inputs: &[f32], values: &mut [f32]) {
        match self.function {
            Some(function) => function.apply(self.isa, CONTEXT, values),
            None => values.copy_from_slice(inputs),
        }
    }

    fn backward(&self, inputs: &[f32], gradients: &mut [f32]) {
        match self.function {
            Some(function) => function.backward(self.isa, CONTEXT, inputs, gradients),
            None => gradients.copy_from_slice(inputs),
        }
    }
}

/// Like the inputs of an activation behind a normalisation.
fn inputs(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.7).sin() * 3.0).collect()
}

/// Includes a copy of the row, because values must not be transformed again and again.
fn in_cache(bencher: Bencher, step: impl Fn(&[f32], &mut [f32])) {
    let (inputs, mut values) = (inputs(ROW), vec![0.0; ROW]);
    bencher.counter(ItemsCount::new(ROW)).bench_local(|| {
        values.copy_from_slice(black_box(&inputs));
        step(&inputs, &mut values);
        black_box(&mut values);
    });
}

fn in_memory(bencher: Bencher, step: impl Fn(&[f32], &mut [f32])) {
    let inputs = inputs(LARGE);
    let values = RefCell::new(vec![0.0; LARGE]);
    bencher
        .counter(ItemsCount::new(LARGE))
        .with_inputs(|| values.borrow_mut().copy_from_slice(&inputs))
        .bench_local_refs(|()| step(&inputs, &mut values.borrow_mut()));
}

#[divan::bench(args = tasks(), sample_count = 50, max_time = 0.1)]
fn forward_in_cache(bencher: Bencher, task: Task) {
    in_cache(bencher, |inputs, values| task.forward(inputs, values));
}

#[divan::bench(args = tasks(), sample_count = 50, max_time = 0.1)]
fn backward_in_cache(bencher: Bencher, task: Task) {
    in_cache(bencher, |inputs, values| task.backward(inputs, values));
}

#[divan::bench(args = tasks(), sample_count = 10, sample_size = 1, max_time = 1)]
fn forward_in_memory(bencher: Bencher, task: Task) {
    in_memory(bencher, |inputs, values| task.forward(inputs, values));
}

#[divan::bench(args = tasks(), sample_count = 10, sample_size = 1, max_time = 1)]
fn backward_in_memory(bencher: Bencher, task: Task) {
    in_memory(bencher, |inputs, values| task.backward(inputs, values));
}

#[divan::bench(args = Isa::available(), sample_count = 50)]
fn dropout_in_cache(bencher: Bencher, isa: Isa) {
    in_cache(bencher, |_, values| dropout(isa, 1, 0, 0.25, values));
}

#[divan::bench(args = Isa::available(), sample_count = 10, sample_size = 1)]
fn dropout_in_memory(bencher: Bencher, isa: Isa) {
    in_memory(bencher, |_, values| dropout(isa, 1, 0, 0.25, values));
}

fn tasks_with_parameter() -> impl Iterator<Item = Task> {
    let has_parameter = |task: &Task| task.function.is_some_and(Function::has_parameter);
    tasks().into_iter().filter(has_parameter)
}

#[divan::bench(args = tasks_with_parameter(), sample_count = 50, max_time = 0.1)]
fn parameter_gradient_in_cache(bencher: Bencher, task: Task) {
    let Some(function) = task.function else {
        return;
    };
    in_cache(bencher, |inputs, values| {
        black_box(function.parameter_gradient(task.isa, CONTEXT, inputs, values));
    });
}
