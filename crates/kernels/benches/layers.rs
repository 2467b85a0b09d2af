//! The linear maps of the presets' layers and their gradients: time per image, and the share of the
//! rate at which the machine multiplies and adds in registers.
//!
//!     cargo bench -p kernels --bench layers --profile dev [-- avx2 portable]
//!
//! Operations are counted by the definition. Most convolutions take fewer, by Winograd's transforms, so
//! that they may be faster than the peak. The gradient of a first layer's input is of no use in training.

mod measure;
mod presets;

use std::hint::black_box;

use kernels::block::LinearMap;
use kernels::convolution::{BackwardPanel, Convolution, ForwardPanel, WeightGradient};
use kernels::dense::{self, Dense};

use measure::{Bound, Machine, print_head, print_tables};
use presets::{layers, operations};

fn main() {
    print_tables(print_table);
}

fn print_table(machine: &mut Machine) {
    println!("Operations are those of the definition, of which Winograd's transforms save some.");
    print_head(&[
        "µs per image (share of peak)",
        "output",
        "",
        "input's gradient",
        "",
        "weights' gradient",
        "",
        "pooled output, inference",
        "",
    ]);
    for layer in layers() {
        print!("| {} |", layer.name);
        let operations = operations(&layer.map);
        match layer.map {
            LinearMap::Convolution(convolution) => {
                print_convolution(machine, convolution, operations);
            }
            LinearMap::Dense(dense) => print_dense(machine, dense, operations, layer.batch),
        }
        println!();
    }
}

/// Prints two cells for `work` on so many images.
fn print_cells(machine: &mut Machine, images: usize, operations: f64, work: impl FnMut()) {
    let bound = Bound::Operations(images as f64 * operations);
    let measured = machine.measure_repeated(bound, work);
    print!(" {} |", measured.cells(images, 1e-6, 1));
}

fn print_convolution(machine: &mut Machine, convolution: Convolution, operations: f64) {
    let isa = machine.isa;
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
    print_cells(machine, forward_images, operations, || {
        forward.output(of_forward, &mut output);
    });
    print_cells(machine, images, operations, || {
        backward.input_gradient(&bordered, &mut input_gradient);
    });
    print_cells(machine, images, operations, || {
        weight_gradient.add(of_images, &bordered);
    });
    print_cells(machine, forward_images, operations, || {
        forward.pooled_output(of_forward, &mut pooled);
    });
}

/// Packing the weights included, which is done once for a batch.
fn print_dense(machine: &mut Machine, dense: Dense, operations: f64, images: usize) {
    let isa = machine.isa;
    let weights = vec![0.01; dense.weight_len()];
    let input = vec![0.5; images * dense.inputs()];
    let gradient = vec![0.5; images * dense.outputs];
    let mut output = vec![0.0; images * dense.outputs];
    let mut input_gradient = vec![0.0; images * dense.inputs()];
    print_cells(machine, images, operations, || {
        dense::ForwardPanel::new(isa, dense, &weights, None).output(&input, &mut output);
    });
    print_cells(machine, images, operations, || {
        dense::BackwardPanel::new(isa, dense, &weights)
            .input_gradient(&gradient, &mut input_gradient);
    });
    print_cells(machine, images, operations, || {
        black_box(dense::weight_gradient(isa, dense, &input, &gradient));
    });
    print!(" | |");
}
