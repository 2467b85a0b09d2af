//! Dense layers.
//!
//! The input is a channels-last image, while the rows of the weights are in the order that an image
//! has channels-first, as Burn flattens it. The difference is made up for where weights are packed
//! and gradients unpacked, so that no image is ever transposed.
//!
//! [`Block`](crate::block::Block) is what computes with the panels. They are public for tests and
//! benchmarks.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::lengths::checked_product;
use crate::simd::Isa;
use crate::tasks;
use crate::tile::{
    ChannelBlock, ChannelBlocks, MatrixProduct, Order, OuterProduct, Start, Strided, StridedMut,
};

/// The shape of a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Pixels of an input image.
    pub pixels: usize,
    /// Channels of an input image.
    pub channels: usize,
    /// Outputs.
    pub outputs: usize,
}

/// Rows of a panel that are used before the next, at most, so that they stay in the second-level cache.
const MAX_DEPTH: usize = 512;

/// Rows of the weight gradient that one task computes, at most.
const MAX_TASK_ROWS: usize = 96;

impl Dense {
    /// Numbers in an input image: `[pixels, channels]`.
    pub fn inputs(&self) -> usize {
        checked_product([self.pixels, self.channels])
    }

    /// Numbers in the weights: `[channels · pixels, outputs]`.
    pub fn weight_len(&self) -> usize {
        checked_product([self.pixels, self.channels, self.outputs])
    }

    /// Row of the weights that belongs to input number `input` of an image.
    fn row(&self, input: usize) -> usize {
        input % self.channels * self.pixels + input / self.channels
    }
}

/// The weights in the order in which outputs are computed:
/// `[block of outputs][input][output of the block]`.
#[derive(Debug)]
pub struct ForwardPanel {
    dense: Dense,
    isa: Isa,
    blocks: ChannelBlocks,
    weights: Buffer,
    bias: Vec<f32>,
}

impl ForwardPanel {
    /// `weights`: `[channels · pixels, outputs]`; `bias`: `[outputs]`, or nothing for zeros.
    ///
    /// # Panics
    ///
    /// If they have other lengths.
    pub fn new(isa: Isa, dense: Dense, weights: &[f32], bias: Option<&[f32]>) -> Self {
        assert_eq!(weights.len(), dense.weight_len());
        assert!(bias.is_none_or(|bias| bias.len() == dense.outputs));
        let blocks = ChannelBlocks::new(isa, dense.outputs);
        let depth = dense.inputs();
        let mut panel = Buffer::new(blocks.panel_len(depth));
        for_each_block(blocks, depth, &mut panel, |block, channels, panel| {
            let width = blocks.padded_width(block);
            for (input, row) in panel.chunks_exact_mut(width).enumerate() {
                let from = dense.row(input) * dense.outputs + block.first_channel;
                row[..channels].copy_from_slice(&weights[from..from + channels]);
                row[channels..].fill(0.0);
            }
        });
        Self {
            dense,
            isa,
            blocks,
            weights: panel,
            bias: blocks.padded_bias(bias),
        }
    }

    /// The outputs `[images, outputs]` for images `[images, pixels, channels]`.
    ///
    /// # Panics
    ///
    /// If the slices do not have equal numbers of whole images.
    pub fn output(&self, images: &[f32], output: &mut [f32]) {
        let depth = self.dense.inputs();
        let count = output.len() / self.dense.outputs;
        assert_eq!(output.len(), count * self.dense.outputs);
        assert_eq!(images.len(), checked_product([count, depth]));
        Multiply {
            isa: self.isa,
            blocks: self.blocks,
            depth,
            panel: &self.weights,
            start: Start::Bias(&self.bias),
            source: images,
            target: output,
        }
        .run();
    }
}

/// The weights in the order in which the gradient of the input is computed:
/// `[block of inputs][output][input of the block]`.
#[derive(Debug)]
pub struct BackwardPanel {
    dense: Dense,
    isa: Isa,
    blocks: ChannelBlocks,
    weights: Buffer,
}

impl BackwardPanel {
    /// `weights`: `[channels · pixels, outputs]`.
    pub fn new(isa: Isa, dense: Dense, weights: &[f32]) -> Self {
        assert_eq!(weights.len(), dense.weight_len());
        let blocks = ChannelBlocks::new(isa, dense.inputs());
        let depth = dense.outputs;
        let mut panel = Buffer::new(blocks.panel_len(depth));
        for_each_block(blocks, depth, &mut panel, |block, channels, panel| {
            let width = blocks.padded_width(block);
            if channels < width {
                panel.fill(0.0);
            }
            for column in 0..channels {
                let row = dense.row(block.first_channel + column) * depth;
                let weights = &weights[row..row + depth];
                for (to, &weight) in panel[column..].iter_mut().step_by(width).zip(weights) {
                    *to = weight;
                }
            }
        });
        Self {
            dense,
            isa,
            blocks,
            weights: panel,
        }
    }

    /// The gradients of images, `[images, pixels, channels]`, from those of their outputs,
    /// `[images, outputs]`.
    ///
    /// # Panics
    ///
    /// If the slices do not have equal numbers of whole images.
    pub fn input_gradient(&self, gradient: &[f32], input_gradient: &mut [f32]) {
        let (inputs, outputs) = (self.dense.inputs(), self.dense.outputs);
        let count = input_gradient.len() / inputs;
        assert_eq!(input_gradient.len(), count * inputs);
        assert_eq!(gradient.len(), checked_product([count, outputs]));
        Multiply {
            isa: self.isa,
            blocks: self.blocks,
            depth: self.dense.outputs,
            panel: &self.weights,
            start: Start::Zero,
            source: gradient,
            target: input_gradient,
        }
        .run();
    }
}

/// Calls `f` with every block of a panel: the block, its number of channels and its part of the
/// panel.
fn for_each_block(
    blocks: ChannelBlocks,
    depth: usize,
    panel: &mut [f32],
    f: impl Fn(ChannelBlock, usize, &mut [f32]) + Sync,
) {
    let mut parts = Vec::new();
    let mut rest = panel;
    for block in blocks.iter() {
        let (part, after) = rest.split_at_mut(blocks.padded_width(block) * depth);
        parts.push((block, part));
        rest = after;
    }
    tasks::for_each(parts.into_par_iter(), |(block, part)| {
        f(block, blocks.channels_of(block), part);
    });
}

/// `target[image] = start + source[image] · panel`.
struct Multiply<'a> {
    isa: Isa,
    blocks: ChannelBlocks,
    depth: usize,
    panel: &'a [f32],
    start: Start<&'a [f32]>,
    source: &'a [f32],
    target: &'a mut [f32],
}

impl Multiply<'_> {
    fn run(self) {
        let channels = self.blocks.channels();
        let images = self.target.len() / channels;
        for first in (0..self.depth).step_by(MAX_DEPTH) {
            self.isa.run(MatrixProduct {
                blocks: self.blocks,
                panel: self.panel,
                panel_depth: self.depth,
                panel_first_row: first,
                panel_row_stride: 0,
                start: if first == 0 {
                    self.start
                } else {
                    Start::Target
                },
                source: Strided {
                    data: self.source,
                    start: first,
                    row_stride: 0,
                    pixel_stride: self.depth,
                },
                taps: 1,
                tap_len: MAX_DEPTH.min(self.depth - first),
                tap_stride: 0,
                target: StridedMut {
                    data: self.target,
                    start: 0,
                    row_stride: 0,
                    pixel_stride: channels,
                },
                size: [1, images],
            });
        }
    }
}

/// The gradient of the weights, `[channels · pixels, outputs]`, from images
/// `[images, pixels, channels]` and the gradients of their outputs `[images, outputs]`.
///
/// # Panics
///
/// If the slices do not have equal numbers of whole images, or none.
pub fn weight_gradient(isa: Isa, dense: Dense, images: &[f32], gradient: &[f32]) -> Buffer {
    let (inputs, outputs) = (dense.inputs(), dense.outputs);
    let count = gradient.len() / outputs;
    assert_eq!(images.len(), checked_product([count, inputs]));
    assert_eq!(gradient.len(), count * outputs);
    let blocks = ChannelBlocks::new(isa, outputs);
    let mut sums = Buffer::new(dense.weight_len());
    tasks::for_each(
        sums.par_chunks_mut(MAX_TASK_ROWS * outputs).enumerate(),
        |(task, sums)| {
            isa.run(OuterProduct {
                blocks,
                inputs: sums.len() / outputs,
                source: Strided {
                    data: images,
                    start: task * MAX_TASK_ROWS,
                    row_stride: 0,
                    pixel_stride: inputs,
                },
                gradient: Strided {
                    data: gradient,
                    start: 0,
                    row_stride: 0,
                    pixel_stride: outputs,
                },
                size: [1, count],
                accumulate: false,
                sums,
                order: Order::Plain,
            });
        },
    );
    let mut weights = Buffer::new(dense.weight_len());
    tasks::for_each(
        weights.par_chunks_mut(dense.pixels * outputs).enumerate(),
        |(channel, weights)| {
            for (pixel, row) in weights.chunks_exact_mut(outputs).enumerate() {
                let from = (pixel * dense.channels + channel) * outputs;
                row.copy_from_slice(&sums[from..from + outputs]);
            }
        },
    );
    weights
}
