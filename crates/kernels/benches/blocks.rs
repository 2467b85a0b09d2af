//! Whole blocks forwards and backwards in training, and at inference: time per image, and the share of
//! the machine's rate of what bounds them, multiplications and additions or memory.
//!
//!     cargo bench -p kernels --bench blocks --profile dev [-- avx2 portable]
//!
//! The passes over what a map gives (moments, normalisation, function, pooling, dropout) belong to the
//! crate alone, and are measured as blocks whose map is a multiplication for each number.

mod measure;
mod presets;

use std::hint::black_box;

use kernels::block::{Block, LinearMap, Normalization, Output, Parameters};
use kernels::convolution::Convolution;
use kernels::function::Function;
use kernels::simd::Isa;

use measure::{Bound, Machine, print_head, print_tables, seconds};
use presets::{layers, operations};

const BATCH_NORMALIZATION: Normalization = Normalization::Batch { epsilon: 1e-5 };

/// The least map: 28 × 28 pixels of one channel to 32.
const PASSES: Convolution = Convolution {
    height: 28,
    width: 28,
    inputs: 1,
    outputs: 32,
    kernel: [1; 2],
    stride: 1,
    padding: [0; 2],
};
const PASSES_BATCH: usize = 256;

fn main() {
    print_tables(print_table);
}

fn print_table(machine: &mut Machine) {
    println!(
        "Operations are those of the definition, of which Winograd's transforms save some; bytes are \
         those that have to come from memory and to go there."
    );
    print_head(&[
        "µs per image (share of peak or copy)",
        "forward, training",
        "",
        "backward",
        "",
        "inference",
        "",
    ]);
    for layer in layers() {
        let block = Block {
            map: layer.map,
            normalization: BATCH_NORMALIZATION,
            function: Function::Relu,
            pool: layer.pool,
            dropout: layer.dropout,
        };
        Task::new(block, layer.batch).print_row(machine, layer.name);
    }
    for (name, block) in passes() {
        Task::new(block, PASSES_BATCH).print_row(machine, name);
    }
    print_moments(machine);
}

fn passes() -> Vec<(&'static str, Block)> {
    let plain = Block {
        map: LinearMap::Convolution(PASSES),
        normalization: Normalization::None,
        function: Function::Relu,
        pool: false,
        dropout: 0.0,
    };
    let normalized = Block {
        normalization: BATCH_NORMALIZATION,
        ..plain
    };
    let groups = Normalization::Group {
        groups: 8,
        epsilon: 1e-5,
    };
    let pooled = |function| Block {
        function,
        pool: true,
        ..normalized
    };
    vec![
        ("passes: ReLU", plain),
        ("passes: batch normalisation, ReLU", normalized),
        (
            "passes: group normalisation, ReLU",
            Block {
                normalization: groups,
                ..plain
            },
        ),
        (
            "passes: batch normalisation, ReLU, dropout",
            Block {
                dropout: 0.25,
                ..normalized
            },
        ),
        // One function for each order in which pooling and functions are computed.
        (
            "passes: batch normalisation, ReLU, max pooling",
            pooled(Function::Relu),
        ),
        (
            "passes: batch normalisation, GELU, max pooling",
            pooled(Function::Gelu),
        ),
        (
            "passes: batch normalisation, sine, max pooling",
            pooled(Function::Sine),
        ),
    ]
}

/// A block with everything that it computes from.
struct Task {
    block: Block,
    images: usize,
    lens: Lens,
    input: Vec<f32>,
    weight: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    output_gradient: Vec<f32>,
}

/// Numbers in an image, and in the weights.
struct Lens {
    input: usize,
    linear: usize,
    output: usize,
    weight: usize,
}

impl Lens {
    fn of(block: &Block) -> Self {
        let output = block.output_size().iter().product();
        match block.map {
            LinearMap::Convolution(convolution) => Self {
                input: convolution.input_len(),
                linear: convolution.output_len(),
                output,
                weight: convolution.weight_len(),
            },
            LinearMap::Dense(dense) => Self {
                input: dense.inputs(),
                linear: dense.outputs,
                output,
                weight: dense.weight_len(),
            },
        }
    }
}

/// Numbers that look random.
fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 0.7).sin()).collect()
}

impl Task {
    fn new(block: Block, images: usize) -> Self {
        let lens = Lens::of(&block);
        let [.., channels] = block.output_size();
        Self {
            block,
            images,
            input: numbers(images * lens.input),
            weight: numbers(lens.weight),
            scale: vec![0.9; channels],
            shift: vec![0.1; channels],
            output_gradient: numbers(images * lens.output),
            lens,
        }
    }

    fn parameters(&self) -> Parameters<'_> {
        let normalized = self.block.normalization != Normalization::None;
        Parameters {
            scale: normalized.then_some(&self.scale[..]),
            shift: normalized.then_some(&self.shift[..]),
            ..Parameters::of_weight(&self.weight)
        }
    }

    fn print_row(&self, machine: &mut Machine, name: &str) {
        let (block, isa, parameters) = (&self.block, machine.isa, self.parameters());
        let Lens {
            input,
            linear,
            output,
            weight,
        } = self.lens;
        let normalized = usize::from(block.normalization != Normalization::None);
        let pooled = usize::from(block.pool);
        // Of the first layer it is not asked for.
        let input_gradient = match block.map {
            LinearMap::Convolution(convolution) => convolution.inputs > 1,
            LinearMap::Dense(_) => true,
        };
        let products = 1 + usize::from(input_gradient);
        let operations = operations(&block.map);
        print!("| {name} |");

        // The linear output is written, and read when the statistics of all images are there. Of
        // pooling the value that it came from is kept, and its place in a byte.
        let bytes = 4 * (input + 2 * linear + output) + pooled * 5 * output;
        self.print_cells(
            machine,
            operations,
            bytes + 4 * weight / self.images,
            || {
                black_box(self.train(isa));
            },
        );

        // To the gradient of the pre-activation, and from that to the others.
        let source = if block.pool { output } else { linear };
        let to_pre_activation = 4 * (2 * output + source);
        let from_pre_activation =
            (4 + pooled) * output + 4 * (normalized * linear + products * input);
        let bytes = to_pre_activation + from_pre_activation + 4 * weight / self.images;
        let saved = self.train(isa).saved;
        self.print_cells(machine, products as f64 * operations, bytes, || {
            black_box(block.backward(
                isa,
                self.images,
                &self.input,
                parameters,
                &saved,
                &self.output_gradient,
                input_gradient,
            ));
        });

        // The linear output stays in the cache.
        let running = Some((&self.shift[..], &self.scale[..]));
        let prepared = block.prepare(isa, parameters, running);
        self.print_cells(machine, operations, 4 * (input + output), || {
            black_box(prepared.infer(self.images, &self.input, parameters));
        });
        println!();
    }

    fn train(&self, isa: Isa) -> Output {
        let parameters = self.parameters();
        self.block
            .train(isa, self.images, &self.input, parameters, 1)
    }

    /// Prints two cells for `work` on the batch, with operations and bytes of an image.
    fn print_cells(
        &self,
        machine: &mut Machine,
        operations: f64,
        bytes: usize,
        work: impl FnMut(),
    ) {
        let images = self.images as f64;
        let bound = machine.slower(images * operations, images * bytes as f64);
        let of = match bound {
            Bound::Operations(_) => "peak",
            Bound::CachedBytes(_) | Bound::Bytes(_) => "copy",
        };
        let measured = machine.measure_repeated(bound, work);
        print!(" {} of {of} |", measured.cells(self.images, 1e-6, 1));
    }
}

/// What the moments take is the difference of a block with and without batch normalisation, which
/// computes all else alike. They read the image that has just been computed twice, from the cache.
fn print_moments(machine: &mut Machine) {
    let isa = machine.isa;
    let [(_, plain), (_, normalized), ..] = &passes()[..] else {
        return;
    };
    let [plain, normalized] = [plain, normalized].map(|&block| Task::new(block, PASSES_BATCH));
    let bytes = 2 * 4 * PASSES_BATCH * PASSES.output_len();
    let time = |task: &Task| {
        seconds(|| {
            black_box(task.train(isa));
        })
    };
    let measured = machine.measure(Bound::CachedBytes(bytes as f64), || {
        time(&normalized) - time(&plain)
    });
    println!(
        "| channel moments alone, by the difference | {} of copy in cache | | | | |",
        measured.cells(PASSES_BATCH, 1e-6, 1)
    );
}
