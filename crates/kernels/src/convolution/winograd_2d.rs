//! Convolutions by Winograd's minimal filtering F(4×4, 3×3): 4×4 outputs to a tile, 3×3 kernels.
//!
//! A convolution of stride 2 with a 5×5 kernel is one of stride 1 with a 3×3 kernel on an image of
//! cells, in which 2×2 pixels are four times as many channels.
//!
//! A tile of 6×6 inputs d and the kernel g give 4×4 outputs Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A: 36
//! multiplications instead of 144, and sums over channels of the 36 products are matrix products. The
//! gradient of the kernel is Gᵀ[(Bᵀ d B) ⊙ (A y Aᵀ)]G for the gradients y of the outputs. The
//! matrices are those of Lavin and Gray (2016, arXiv:1509.09308) for the points 0, ±1, ±2 and ∞.
//!
//! In memory, each of the 36 *points* has a matrix `[tiles, channels]`.

#[allow(unsafe_code)]
mod transform;

use rayon::prelude::*;

use super::Convolution;
use crate::buffer::Buffer;
use crate::lengths::{checked_product, checked_sum, pooled_size};
use crate::simd::Isa;
use crate::tasks;
use crate::tile::{
    ChannelBlock, ChannelBlocks, MatrixProduct, Order, OuterProduct, Start, Strided, StridedMut,
};
use transform::{
    GradientToPoints, InputToPoints, KernelsToPoints, PointsToKernels, PointsToOutputs,
    TilesToPoints,
};

/// Rows and columns of a tile's outputs.
const OUTPUTS: usize = 4;

/// Rows and columns of a tile's inputs.
const INPUTS: usize = 6;

/// Rows and columns of the kernel.
const KERNEL: usize = 3;

const POINTS: usize = INPUTS * INPUTS;

/// Weights of a kernel.
pub(super) const TAPS: usize = KERNEL * KERNEL;

/// With fewer channels, transforming takes longer than it saves.
const MIN_CHANNELS: usize = 12;

/// Tiles that are computed at once, at least, so that weights are loaded for many of them.
const MIN_TILES: usize = 12;

/// With more transformed weights, their gradient is not computed at the points: every task has sums of
/// its own, and adding them up would take longer than is saved.
const MAX_TRANSFORMED_WEIGHTS: usize = 1 << 18;

/// Whether the convolution can be computed so, and is faster for it: its kernel has 3×3 taps, or it is
/// one with such a kernel on cells of `stride`×`stride` pixels as channels.
pub(super) fn suits(convolution: &Convolution) -> bool {
    let Convolution {
        outputs,
        kernel,
        stride,
        ..
    } = *convolution;
    (1..=2).contains(&stride)
        && kernel
            .iter()
            .all(|kernel| kernel.div_ceil(stride) == KERNEL)
        && cell_channels(convolution).min(outputs) >= MIN_CHANNELS
        && convolution
            .output_size()
            .iter()
            .all(|&size| size >= OUTPUTS)
}

/// Channels of a cell, of a stride that [`suits`].
fn cell_channels(convolution: &Convolution) -> usize {
    let Convolution { inputs, stride, .. } = *convolution;
    checked_product([inputs, stride, stride])
}

/// How many images of `size` outputs are best computed at once.
pub(super) fn images_at_once(size: [usize; 2]) -> usize {
    let tiles = checked_product(size.map(|size| size.div_ceil(OUTPUTS)));
    MIN_TILES.div_ceil(tiles)
}

/// Whether the gradient of the weights is faster so too, of a convolution that is computed so.
pub(super) fn suits_weight_gradient(convolution: &Convolution) -> bool {
    let weights = [cell_channels(convolution), convolution.outputs, POINTS];
    checked_product(weights) <= MAX_TRANSFORMED_WEIGHTS
}

/// From the numbers of one point to those of the next, of which each has `[tiles, channels]`: an odd
/// number of cache lines. Transforms go through all points at once, and at a distance of 2 KB, say,
/// they would all fall on the same few sets of the first-level cache.
fn point_stride(tiles: usize, channels: usize) -> usize {
    const LINE: usize = 64 / size_of::<f32>();
    let len = checked_product([tiles, channels]);
    checked_product([len.div_ceil(LINE) | 1, LINE])
}

/// Room for `len` numbers of each point.
fn at_points(len: usize) -> Buffer {
    Buffer::new(checked_product([POINTS, len]))
}

/// Rows (or columns) of input that the tiles of `size` outputs read.
pub(super) fn covered_inputs(size: usize) -> usize {
    checked_sum([covered_outputs(size), KERNEL - 1])
}

/// Rows (or columns) of output in whole tiles, for `size` of them.
pub(super) fn covered_outputs(size: usize) -> usize {
    checked_product([size.div_ceil(OUTPUTS), OUTPUTS])
}

/// Weights at the points, as panels: `[point][block of outputs][input][output of the block]`.
#[derive(Debug)]
pub(super) struct Panel {
    isa: Isa,
    blocks: ChannelBlocks,
    inputs: usize,
    weights: Buffer,
    bias: Vec<f32>,
}

/// Part of a panel: some inputs of a block.
struct Part<'a> {
    block: ChannelBlock,
    /// The first of the inputs.
    input: usize,
    /// Of each point `[input][output of the block]`.
    points: Vec<&'a mut [f32]>,
}

impl<'a> Part<'a> {
    /// Inputs in a part.
    const INPUTS: usize = 16;

    fn of(blocks: ChannelBlocks, inputs: usize, weights: &'a mut [f32]) -> Vec<Self> {
        let mut parts: Vec<Self> = blocks
            .iter()
            .flat_map(|block| {
                (0..inputs).step_by(Self::INPUTS).map(move |input| Self {
                    block,
                    input,
                    points: Vec::with_capacity(POINTS),
                })
            })
            .collect();
        for point in weights.chunks_exact_mut(blocks.panel_len(inputs)) {
            let mut rest = point;
            for part in &mut parts {
                let rows = Self::INPUTS.min(inputs - part.input);
                let (here, after) = rest.split_at_mut(rows * blocks.padded_width(part.block));
                part.points.push(here);
                rest = after;
            }
        }
        parts
    }
}

impl Panel {
    /// `kernel(output, input)` has the weights of the 3×3 taps, row after row.
    pub(super) fn new(
        isa: Isa,
        [outputs, inputs]: [usize; 2],
        bias: Option<&[f32]>,
        kernel: impl Fn(usize, usize) -> [f32; TAPS] + Sync,
    ) -> Self {
        let blocks = ChannelBlocks::new(isa, outputs);
        let mut weights = at_points(blocks.panel_len(inputs));
        let parts = Part::of(blocks, inputs, &mut weights);
        let lanes = blocks.lanes();
        tasks::for_each(parts.into_par_iter(), |mut part| {
            let width = blocks.padded_width(part.block);
            let channels = blocks.channels_of(part.block);
            let rows = part.points[0].len() / width;
            let mut taps = Buffer::new(TAPS * rows * lanes);
            // Vector by vector, so that the taps of one stay in the first-level cache.
            for start in (0..width).step_by(lanes) {
                let columns = lanes.min(channels - start);
                if columns < lanes {
                    taps.fill(0.0);
                }
                for lane in 0..columns {
                    let output = part.block.first_channel + start + lane;
                    for row in 0..rows {
                        let kernel = kernel(output, part.input + row);
                        for (tap, weight) in kernel.into_iter().enumerate() {
                            taps[(tap * rows + row) * lanes + lane] = weight;
                        }
                    }
                }
                isa.run(KernelsToPoints {
                    taps: &taps,
                    points: &mut part.points,
                    start,
                    row_stride: width,
                });
            }
        });
        Self {
            isa,
            blocks,
            inputs,
            weights,
            bias: blocks.padded_bias(bias),
        }
    }

    /// The convolution's outputs `[rows, columns, outputs]` for some images, each given from the first
    /// number of its first tile on; with `pool`, the largest of each 2×2 window of them.
    pub(super) fn output<'a>(
        &self,
        images: impl Iterator<Item = Strided<'a>>,
        size: [usize; 2],
        pool: bool,
        output: &mut [f32],
    ) {
        let tiles = size.map(|size| size.div_ceil(OUTPUTS));
        let in_image = checked_product(tiles);
        let outputs = self.blocks.channels();
        let [rows, columns] = pooled_size(size, pool);
        let output_len = checked_product([rows, columns, outputs]);
        let count = output.len() / output_len * in_image;
        let input_stride = point_stride(count, self.inputs);
        let output_stride = point_stride(count, outputs);
        let mut transformed = at_points(input_stride);
        let mut products = at_points(output_stride);
        for (number, image) in images.enumerate() {
            self.isa.run(TilesToPoints {
                transform: InputToPoints,
                image,
                channels: self.inputs,
                tiles,
                first: number * in_image,
                point_stride: input_stride,
                points: &mut transformed,
            });
        }
        let point_len = self.blocks.panel_len(self.inputs);
        self.isa.run(MatrixProduct {
            blocks: self.blocks,
            panel: &self.weights,
            panel_depth: self.inputs,
            panel_first_row: 0,
            panel_row_stride: point_len,
            start: Start::Zero,
            source: Strided {
                data: &transformed,
                start: 0,
                row_stride: input_stride,
                pixel_stride: self.inputs,
            },
            taps: 1,
            tap_len: self.inputs,
            tap_stride: 0,
            target: StridedMut {
                data: &mut products,
                start: 0,
                row_stride: output_stride,
                pixel_stride: outputs,
            },
            size: [POINTS, count],
        });
        for (number, output) in output.chunks_exact_mut(output_len).enumerate() {
            self.isa.run(PointsToOutputs {
                points: &products,
                bias: &self.bias,
                tiles,
                first: number * in_image,
                point_stride: output_stride,
                size,
                pool,
                channels: outputs,
                output,
            });
        }
    }
}

/// The gradient of the weights at the points, summed over tiles.
#[derive(Debug)]
pub(super) struct GradientSums {
    isa: Isa,
    blocks: ChannelBlocks,
    inputs: usize,
    /// In the order of a [`Panel`]; any numbers before the first image.
    pub sums: Buffer,
}

impl GradientSums {
    pub(super) fn new(isa: Isa, [outputs, inputs]: [usize; 2]) -> Self {
        let blocks = ChannelBlocks::new(isa, outputs);
        Self {
            isa,
            blocks,
            inputs,
            sums: blocks.room_for_sums(checked_product([POINTS, inputs])),
        }
    }

    /// Adds what some images contribute, or with `accumulate` false begins with it; each has `size`
    /// outputs, in whole tiles of which those beyond the image have gradient zero. Pairs of an image and
    /// its gradient.
    pub(super) fn add(
        &mut self,
        images: &[(Strided, Strided)],
        size: [usize; 2],
        accumulate: bool,
    ) {
        let tiles = size.map(|size| size.div_ceil(OUTPUTS));
        let count = checked_product(tiles);
        let all = checked_product([images.len(), count]);
        let outputs = self.blocks.channels();
        let input_stride = point_stride(all, self.inputs);
        let gradient_stride = point_stride(all, outputs);
        let mut inputs = at_points(input_stride);
        let mut gradients = at_points(gradient_stride);
        for (number, &(image, gradient)) in images.iter().enumerate() {
            let first = number * count;
            self.isa.run(TilesToPoints {
                transform: InputToPoints,
                image,
                channels: self.inputs,
                tiles,
                first,
                point_stride: input_stride,
                points: &mut inputs,
            });
            self.isa.run(TilesToPoints {
                transform: GradientToPoints,
                image: gradient,
                channels: outputs,
                tiles,
                first,
                point_stride: gradient_stride,
                points: &mut gradients,
            });
        }
        let point_len = self.blocks.panel_len(self.inputs);
        for (point, sums) in self.sums.chunks_exact_mut(point_len).enumerate() {
            self.isa.run(OuterProduct {
                blocks: self.blocks,
                inputs: self.inputs,
                source: Strided {
                    data: &inputs,
                    start: point * input_stride,
                    row_stride: 0,
                    pixel_stride: self.inputs,
                },
                gradient: Strided {
                    data: &gradients,
                    start: point * gradient_stride,
                    row_stride: 0,
                    pixel_stride: outputs,
                },
                size: [1, all],
                accumulate,
                sums,
                order: Order::Panel {
                    depth: self.inputs,
                    first_row: 0,
                },
            });
        }
    }

    /// Sets `weights` to the gradient. `put(kernel, weights, input)` puts the 3×3 taps of one input, row after
    /// row, in their place among the weights of an output.
    pub(super) fn unpack(
        &self,
        weights: &mut [f32],
        put: impl Fn([f32; TAPS], &mut [f32], usize) + Sync,
    ) {
        /// Few enough for the first-level cache.
        const ROWS: usize = 16;
        let lanes = self.blocks.lanes();
        let output_len = weights.len() / self.blocks.channels();
        let vectors = weights.par_chunks_mut(lanes * output_len).enumerate();
        tasks::for_each(vectors, |(vector, weights)| {
            let column = self.blocks.column(vector * lanes, self.inputs);
            let mut taps = Buffer::new(TAPS * ROWS * lanes);
            for first in (0..self.inputs).step_by(ROWS) {
                let rows = ROWS.min(self.inputs - first);
                let taps = &mut taps[..TAPS * rows * lanes];
                self.isa.run(PointsToKernels {
                    points: &self.sums,
                    start: column.start + first * column.stride,
                    row_stride: column.stride,
                    rows,
                    taps,
                });
                for (lane, weights) in weights.chunks_exact_mut(output_len).enumerate() {
                    for row in 0..rows {
                        let place = |tap| (tap * rows + row) * lanes + lane;
                        let kernel = std::array::from_fn(|tap| taps[place(tap)]);
                        put(kernel, weights, first + row);
                    }
                }
            }
        });
    }
}
