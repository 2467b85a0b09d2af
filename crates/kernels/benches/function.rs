//! Activation functions, their derivatives and dropout: time per element, and the share of the rate
//! at which the machine copies as many bytes. They work in place, which moves less memory than a copy
//! from one place to another: ReLU's row shows how much faster than a copy that can be.
//!
//!     cargo bench -p kernels --bench function --profile dev
//!
//! prints a table for the fastest instruction set. With a filter (`-- tanh`, `-- in_cache`) divan
//! measures what it names, on all of them.

mod measure;

use std::fmt;
use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use kernels::buffer::Buffer;
use kernels::function::{Context, Draws, Function};
use kernels::random::dropout;
use kernels::simd::Isa;

use measure::{Bound, CACHED, LARGE, Machine, print_head, seconds};

fn main() {
    // Cargo's own argument is no filter.
    if std::env::args()
        .skip(1)
        .any(|argument| argument != "--bench")
    {
        divan::main();
    } else {
        print_table();
    }
}

fn functions() -> Vec<Function> {
    use Function::*;
    vec![
        Sigmoid,
        Tanh,
        Relu,
        LeakyRelu { slope: 0.01 },
        Prelu,
        Rrelu {
            lower: 0.125,
            upper: 0.333,
        },
        Relu6,
        Elu { alpha: 1.0 },
        Celu { alpha: 0.5 },
        Selu,
        Gelu,
        GeluTanh,
        QuickGelu,
        Silu,
        SwishBeta,
        Mish,
        HardMish,
        HardSigmoid,
        HardSwish,
        HardTanh,
        Softplus { beta: 1.0 },
        Softsign,
        LogSigmoid,
        TanhShrink,
        HardShrink { lambda: 0.5 },
        SoftShrink { lambda: 0.5 },
        Threshold {
            theta: 1.0,
            value: 0.0,
        },
        Squareplus { b: 4.0 },
        PenalizedTanh,
        Lisht,
        Snake { alpha: 1.0 },
        Sine,
    ]
}

const CONTEXT: Context = Context {
    parameter: 0.75,
    draws: Some(Draws { key: 1, first: 0 }),
};

/// What is computed of inputs, and of values or gradients in place.
#[derive(Clone, Copy)]
enum Pass {
    Value(Function),
    Derivative(Function),
    ParameterGradient(Function),
    Dropout,
}

impl Pass {
    fn run(self, isa: Isa, inputs: &[f32], values: &mut [f32]) {
        match self {
            Self::Value(function) => function.apply(isa, CONTEXT, values),
            Self::Derivative(function) => function.backward(isa, CONTEXT, inputs, values),
            Self::ParameterGradient(function) => {
                black_box(function.parameter_gradient(isa, CONTEXT, inputs, values));
            }
            Self::Dropout => dropout(isa, 1, 0, 0.25, values),
        }
    }

    /// Bytes read and written for an element. In place, a number is read and written.
    fn bytes(self) -> usize {
        match self {
            Self::Value(_) | Self::ParameterGradient(_) | Self::Dropout => 8,
            Self::Derivative(_) => 12,
        }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(function) => write!(f, "{function:?}"),
            Self::Derivative(function) => write!(f, "{function:?}, derivative"),
            Self::ParameterGradient(function) => write!(f, "{function:?}, parameter's gradient"),
            Self::Dropout => write!(f, "dropout"),
        }
    }
}

/// A function's value and derivative, or passes that have no counterpart.
fn rows() -> Vec<Vec<Pass>> {
    let mut rows: Vec<_> = functions()
        .into_iter()
        .map(|function| vec![Pass::Value(function), Pass::Derivative(function)])
        .collect();
    let with_parameter = functions().into_iter().filter(|f| f.has_parameter());
    rows.extend(with_parameter.map(|function| vec![Pass::ParameterGradient(function)]));
    rows.push(vec![Pass::Dropout]);
    rows
}

/// Like the inputs of an activation behind a normalisation.
fn inputs(count: usize) -> Buffer {
    let mut inputs = Buffer::new(count);
    for (i, x) in inputs.iter_mut().enumerate() {
        *x = (i as f32 * 0.7).sin() * 3.0;
    }
    inputs
}

fn print_table() {
    let mut machine = Machine::new(Isa::best());
    println!("{}", machine.describe());
    println!(
        "Functions work in place, which moves less memory than a copy does, so that shares may be beyond 100 %."
    );
    print_head(&[
        "ns per element (share of copy)",
        "in cache",
        "",
        "derivative, in cache",
        "",
        "beyond the caches",
        "",
        "derivative, beyond the caches",
        "",
    ]);
    for row in rows() {
        print!("| {} |", row[0]);
        for len in [CACHED, LARGE] {
            for &pass in &row {
                print!(" {} |", cells(&mut machine, pass, len));
            }
            print!("{}", " |".repeat(2 * (2 - row.len())));
        }
        println!();
    }
}

/// The values are set anew before each pass, untimed, or they would be transformed again and again.
fn cells(machine: &mut Machine, pass: Pass, len: usize) -> String {
    let (isa, inputs, mut values) = (machine.isa, inputs(len), inputs(len));
    let bytes = (pass.bytes() * len) as f64;
    let bound = match len {
        CACHED => Bound::CachedBytes(bytes),
        _ => Bound::Bytes(bytes),
    };
    let measured = machine.measure(bound, || {
        values.copy_from_slice(&inputs);
        seconds(|| pass.run(isa, black_box(&inputs[..]), black_box(&mut values[..])))
    });
    measured.cells(len, 1e-9, 3)
}

/// A pass on an instruction set.
#[derive(Clone, Copy)]
struct Task(Pass, Isa);

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.0, self.1)
    }
}

fn tasks() -> Vec<Task> {
    let of_pass = |pass| Isa::available().into_iter().map(move |isa| Task(pass, isa));
    rows().into_iter().flatten().flat_map(of_pass).collect()
}

fn bench(bencher: Bencher, Task(pass, isa): Task, len: usize) {
    let inputs = inputs(len);
    bencher
        .counter(ItemsCount::new(len))
        .with_inputs(|| {
            let mut values = Buffer::new(len);
            values.copy_from_slice(&inputs);
            values
        })
        .bench_local_refs(|values| pass.run(isa, &inputs, values));
}

#[divan::bench(args = tasks(), sample_count = 50, sample_size = 1)]
fn in_cache(bencher: Bencher, task: Task) {
    bench(bencher, task, CACHED);
}

#[divan::bench(args = tasks(), sample_count = 10, sample_size = 1, max_time = 1)]
fn in_memory(bencher: Bencher, task: Task) {
    bench(bencher, task, LARGE);
}
