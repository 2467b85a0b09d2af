//! Convolutions against their definition, over random shapes, on every instruction set.

mod common;

use std::panic::catch_unwind;

use common::{numbers, up_to};
use kernels::convolution::{BackwardPanel, Convolution, ForwardPanel, WeightGradient};
use kernels::simd::Isa;
use proptest::prelude::*;

/// Calls `f(output index, input index, weight index)` for every product of a convolution.
fn for_each_product(c: &Convolution, mut f: impl FnMut(usize, usize, usize)) {
    let [rows, columns] = c.output_size();
    for row in 0..rows {
        for column in 0..columns {
            for tap_row in 0..c.kernel[0] {
                for tap_column in 0..c.kernel[1] {
                    let y = (row * c.stride + tap_row).checked_sub(c.padding[0]);
                    let x = (column * c.stride + tap_column).checked_sub(c.padding[1]);
                    let (Some(y), Some(x)) = (y, x) else { continue };
                    if y >= c.height || x >= c.width {
                        continue;
                    }
                    for output in 0..c.outputs {
                        for input in 0..c.inputs {
                            f(
                                (row * columns + column) * c.outputs + output,
                                (y * c.width + x) * c.inputs + input,
                                ((output * c.inputs + input) * c.kernel[0] + tap_row) * c.kernel[1]
                                    + tap_column,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// Share of the largest sum of magnitudes that a sum may be off: about a hundred roundings of `f32`.
/// Winograd's transforms mix the pixels of a tile, so that the errors of small sums are as large as
/// those of their neighbours.
const TOLERANCE: f64 = 8e-6;

/// A sum of products, and the sum of their magnitudes, which bounds the rounding errors.
#[derive(Clone, Copy, Default)]
struct Sum {
    value: f64,
    magnitude: f64,
}

impl Sum {
    fn add(&mut self, a: f32, b: f32) {
        let product = f64::from(a) * f64::from(b);
        self.value += product;
        self.magnitude += product.abs();
    }
}

fn assert_close(name: &str, isa: Isa, ours: &[f32], reference: &[Sum]) {
    assert_eq!(ours.len(), reference.len());
    let largest = reference.iter().fold(0.0f64, |a, b| a.max(b.magnitude));
    for (i, (&ours, sum)) in ours.iter().zip(reference).enumerate() {
        assert!(
            (f64::from(ours) - sum.value).abs() <= TOLERANCE * largest,
            "{isa}: {name}[{i}] is {ours}, not {}",
            sum.value
        );
    }
}

fn shapes() -> impl Strategy<Value = Convolution> {
    (
        [1..up_to(14, 5), 1..up_to(34, 7)],
        [1..up_to(20, 4), 1..up_to(80, 12)],
        [1..up_to(8, 4), 1..up_to(8, 4)],
        1usize..4,
        [0usize..4, 0usize..4],
    )
        .prop_map(|(size, channels, kernel, stride, padding)| Convolution {
            height: size[0],
            width: size[1],
            inputs: channels[0],
            outputs: channels[1],
            kernel,
            stride,
            padding,
        })
        .prop_filter("the kernel fits", |c| {
            c.height + 2 * c.padding[0] >= c.kernel[0] && c.width + 2 * c.padding[1] >= c.kernel[1]
        })
}

/// Output and gradients for `images` images, in `f64`.
fn check(c: Convolution, images: usize, seed: u64) {
    let weights = numbers(c.weight_len(), seed);
    let bias = numbers(c.outputs, seed + 1);
    let inputs = numbers(images * c.input_len(), seed + 2);
    let gradients = numbers(images * c.output_len(), seed + 3);
    let mut outputs = vec![Sum::default(); images * c.output_len()];
    let mut input_gradients = vec![Sum::default(); images * c.input_len()];
    let mut weight_gradient = vec![Sum::default(); c.weight_len()];
    for (i, output) in outputs.iter_mut().enumerate() {
        output.add(bias[i % c.outputs], 1.0);
    }
    for image in 0..images {
        let (o, i) = (image * c.output_len(), image * c.input_len());
        for_each_product(&c, |output, input, weight| {
            let (x, w) = (inputs[i + input], weights[weight]);
            let gradient = gradients[o + output];
            outputs[o + output].add(x, w);
            input_gradients[i + input].add(gradient, w);
            weight_gradient[weight].add(gradient, x);
        });
    }
    for isa in Isa::available() {
        let forward = ForwardPanel::new(isa, c, &weights, Some(&bias));
        let backward = BackwardPanel::new(isa, c, &weights);
        let mut ours = vec![f32::NAN; outputs.len()];
        let mut our_gradient = vec![f32::NAN; inputs.len()];
        let mut padded = vec![0.0; images * c.padded_len()];
        let mut bordered = vec![0.0; images * c.bordered_len()];
        for image in 0..images {
            let padded = &mut padded[image * c.padded_len()..][..c.padded_len()];
            c.pad(&inputs[image * c.input_len()..][..c.input_len()], padded);
            let bordered = &mut bordered[image * c.bordered_len()..][..c.bordered_len()];
            let (bordered_rows, row_len) = (c.bordered_rows(), c.output_size()[1] * c.outputs);
            let gradient = &gradients[image * c.output_len()..][..c.output_len()];
            for (row, gradient) in gradient.chunks_exact(row_len).enumerate() {
                bordered[bordered_rows(row)].copy_from_slice(gradient);
            }
        }
        forward.output(&padded, &mut ours);
        assert_close("output", isa, &ours, &outputs);
        backward.input_gradient(&bordered, &mut our_gradient);
        assert_close("input gradient", isa, &our_gradient, &input_gradients);
        let mut sums = WeightGradient::new(isa, c);
        sums.add(&padded, &bordered);
        assert_close(
            "weight gradient",
            isa,
            &sums.into_weights(),
            &weight_gradient,
        );
    }
}

/// Exactly, on every instruction set; `with_nan`: one of the inputs is NaN.
fn check_pooled(c: Convolution, images: usize, seed: u64, with_nan: bool) {
    let weights = numbers(c.weight_len(), seed);
    let bias = numbers(c.outputs, seed + 1);
    let mut inputs = numbers(images * c.input_len(), seed + 2);
    if with_nan {
        let place = seed as usize % inputs.len();
        inputs[place] = f32::NAN;
    }
    let mut padded = vec![0.0; images * c.padded_len()];
    let padded_images = padded.chunks_exact_mut(c.padded_len());
    for (image, padded) in inputs.chunks_exact(c.input_len()).zip(padded_images) {
        c.pad(image, padded);
    }
    let [height, width] = c.output_size();
    let row = width * c.outputs;
    for isa in Isa::available() {
        let panel = ForwardPanel::new(isa, c, &weights, Some(&bias));
        let mut output = vec![0.0; images * c.output_len()];
        panel.output(&padded, &mut output);
        let mut pooled = vec![0.0; images * (height / 2) * (width / 2) * c.outputs];
        panel.pooled_output(&padded, &mut pooled);
        let mut pooled = pooled.into_iter();
        for image in output.chunks_exact(c.output_len()) {
            for pair in image.chunks_exact(2 * row) {
                for start in (0..width / 2).map(|column| 2 * column * c.outputs) {
                    for first in start..start + c.outputs {
                        let second = first + c.outputs;
                        let window = [first, second, row + first, row + second];
                        let window = window.map(|place| pair[place]);
                        let pooled = pooled.next().unwrap();
                        if window.iter().any(|x| x.is_nan()) {
                            assert!(pooled.is_nan(), "{isa}: {window:?} give {pooled}");
                        } else {
                            let largest = window.into_iter().fold(f32::NEG_INFINITY, f32::max);
                            assert_eq!(pooled, largest, "{isa}: of {window:?}");
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: up_to(120, 3) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn by_winograd_equals_the_definition(
        size in [6..up_to(24, 8), 6..up_to(24, 8)],
        channels in [4..up_to(40, 5), 12..up_to(70, 15)],
        stride in 1usize..3,
        padding in [0usize..4, 0usize..4],
        images in 1..up_to(4, 3),
        seed in any::<u32>(),
    ) {
        let c = Convolution {
            height: size[0],
            width: size[1],
            inputs: channels[0],
            outputs: channels[1],
            kernel: [2 * stride + 1; 2],
            stride,
            padding,
        };
        check(c, images, seed.into());
    }

    #[test]
    fn by_winograd_along_rows_equals_the_definition(
        size in [1..up_to(32, 4), 4..up_to(32, 8)],
        outputs in 1..up_to(70, 10),
        padding in [2usize..4, 0usize..4],
        images in 1..up_to(4, 2),
        seed in any::<u32>(),
        with_nan in any::<bool>(),
    ) {
        let c = Convolution {
            height: size[0],
            width: size[1],
            inputs: 1,
            outputs,
            kernel: [5; 2],
            stride: 1,
            padding,
        };
        prop_assume!(c.width + 2 * c.padding[1] >= 8);
        check(c, images, seed.into());
        if c.output_size()[0] >= 2 {
            check_pooled(c, images, seed.into(), with_nan);
        }
    }

    #[test]
    fn pooled_outputs_are_the_largest_of_outputs(
        size in [6..up_to(24, 8), 6..up_to(24, 8)],
        channels in [1..up_to(20, 4), 1..up_to(50, 15)],
        kernel in 1usize..6,
        stride in 1usize..3,
        padding in [0usize..4, 0usize..4],
        images in 1..up_to(4, 3),
        seed in any::<u32>(),
        with_nan in any::<bool>(),
    ) {
        let c = Convolution {
            height: size[0],
            width: size[1],
            inputs: channels[0],
            outputs: channels[1],
            kernel: [kernel; 2],
            stride,
            padding,
        };
        prop_assume!(c.output_size().iter().all(|&size| size >= 2));
        check_pooled(c, images, seed.into(), with_nan);
    }

    #[test]
    fn equals_the_definition(c in shapes(), images in 1..up_to(4, 3), seed in any::<u32>()) {
        check(c, images, seed.into());
    }
}

#[test]
#[cfg_attr(miri, ignore = "hundreds of millions of products")]
fn of_the_presets_equal_the_definition() {
    for (size, inputs, outputs, kernel, stride, padding) in [
        (28, 1, 24, 5, 1, 2),
        (14, 24, 32, 3, 1, 1),
        (28, 1, 32, 3, 1, 1),
        (14, 32, 64, 3, 1, 1),
        (26, 32, 32, 3, 1, 0),
        (24, 32, 32, 5, 2, 2),
        (8, 64, 64, 5, 2, 2),
    ] {
        check(
            Convolution {
                height: size,
                width: size,
                inputs,
                outputs,
                kernel: [kernel; 2],
                stride,
                padding: [padding; 2],
            },
            2,
            7,
        );
    }
}

/// A size that wraps around would pass every check of lengths.
#[test]
#[should_panic(expected = "a kernel of 3 and strides of 1 do not fit 1 pixels")]
fn kernels_larger_than_the_image_are_refused() {
    let convolution = Convolution {
        height: 1,
        width: 1,
        inputs: 1,
        outputs: 32,
        kernel: [3, 3],
        stride: 1,
        padding: [0, 0],
    };
    let weights = vec![0.0; convolution.weight_len()];
    let panel = ForwardPanel::new(Isa::best(), convolution, &weights, None);
    panel.output(&[0.0], &mut [0.0; 32]);
}

/// Half of all numbers that a `usize` can be.
const HALF: usize = 1 << (usize::BITS - 1);

fn with_kernel_5([height, width]: [usize; 2], outputs: usize, padding: usize) -> Convolution {
    Convolution {
        height,
        width,
        inputs: 1,
        outputs,
        kernel: [5, 5],
        stride: 1,
        padding: [padding; 2],
    }
}

/// Slices would be checked by what is left of the length.
#[test]
#[should_panic(expected = "are more numbers than can be counted")]
fn outputs_are_not_of_images_whose_length_wraps_around() {
    let convolution = with_kernel_5([8, HALF / 2 + 8], 1, 0);
    let panel = ForwardPanel::new(Isa::best(), convolution, &[1.0; 25], None);
    panel.output(&[1.0; 64], &mut [0.0; 16]);
}

#[test]
#[should_panic(expected = "are more numbers than can be counted")]
fn weight_gradients_are_not_of_outputs_whose_length_wraps_around() {
    let convolution = with_kernel_5([9, 8], HALF / 4 + 16, 2);
    let mut gradient = WeightGradient::new(Isa::best(), convolution);
    gradient.add(&[1.0; 13 * 12], &[1.0; 16 * 15 * 16]);
}

#[test]
fn lengths_of_convolutions_do_not_wrap_around() {
    let lengths: [fn() -> usize; 5] = [
        || with_kernel_5([8, HALF], 1, 0).padded_len(),
        || with_kernel_5([8, 8], 1, HALF).padded_len(),
        || with_kernel_5([8, 8], 1, HALF).output_len(),
        || with_kernel_5([9, 8], HALF, 2).bordered_len(),
        || with_kernel_5([9, 8], HALF, 2).bordered_rows()(1).start,
    ];
    for (number, len) in lengths.into_iter().enumerate() {
        let found = catch_unwind(len);
        assert!(found.is_err(), "number {number}: {found:?}");
    }
}
