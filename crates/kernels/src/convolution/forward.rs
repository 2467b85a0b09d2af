//! The output of a convolution.

use super::{Algorithm, Convolution, winograd_1d, winograd_2d};
use crate::buffer::Buffer;
use crate::lengths::{checked_product, pooled_size};
use crate::rows;
use crate::simd::Isa;
use crate::tile::{ChannelBlocks, MatrixProduct, Start, Strided, StridedMut};

/// The weights of a convolution in the order in which the output is computed.
#[derive(Debug)]
pub struct ForwardPanel {
    convolution: Convolution,
    panel: Forward,
}

#[derive(Debug)]
enum Forward {
    Direct(DirectForward),
    Winograd2d(winograd_2d::Panel),
    Winograd1d(winograd_1d::Panel),
}

#[derive(Debug)]
struct DirectForward {
    convolution: Convolution,
    /// The convolution's, which takes a while to find out.
    padded_row: usize,
    isa: Isa,
    blocks: ChannelBlocks,
    weights: Vec<f32>,
    /// As many as there are channels in all blocks, zeros at the end.
    bias: Vec<f32>,
}

impl ForwardPanel {
    /// `weights`: `[outputs, inputs, kernel rows, kernel columns]`; `bias`: `[outputs]`, or
    /// nothing for zeros.
    ///
    /// # Panics
    ///
    /// If they have other lengths.
    pub fn new(isa: Isa, convolution: Convolution, weights: &[f32], bias: Option<&[f32]>) -> Self {
        assert_eq!(weights.len(), convolution.weight_len());
        assert!(bias.is_none_or(|bias| bias.len() == convolution.outputs));
        let panel = match convolution.algorithm() {
            Algorithm::Direct => {
                Forward::Direct(DirectForward::new(isa, convolution, weights, bias))
            }
            Algorithm::Winograd2d => {
                let taps = convolution.cell_taps();
                let len = weights.len() / convolution.outputs;
                Forward::Winograd2d(winograd_2d::Panel::new(
                    isa,
                    [convolution.outputs, convolution.cell_channels()],
                    bias,
                    |output, channel| taps.load(&weights[output * len..][..len], channel),
                ))
            }
            Algorithm::Winograd1d => {
                Forward::Winograd1d(winograd_1d::Panel::new(isa, &convolution, weights, bias))
            }
        };
        Self { convolution, panel }
    }

    /// How many images [`output`](Self::output) should have at a time.
    pub fn images_at_once(&self) -> usize {
        match self.panel {
            Forward::Direct(_) | Forward::Winograd1d(_) => 1,
            Forward::Winograd2d(_) => winograd_2d::images_at_once(self.convolution.output_size()),
        }
    }

    /// The outputs `[height', width', outputs]` for some images with their borders.
    ///
    /// # Panics
    ///
    /// If the slices do not have equal numbers of whole images.
    pub fn output(&self, padded: &[f32], output: &mut [f32]) {
        self.compute(padded, false, output);
    }

    /// The largest of each 2×2 window of the outputs, which halves height and width, rounded down;
    /// NaN where one of them is NaN.
    ///
    /// # Panics
    ///
    /// If the slices do not have equal numbers of whole images.
    pub fn pooled_output(&self, padded: &[f32], pooled: &mut [f32]) {
        self.compute(padded, true, pooled);
    }

    fn compute(&self, padded: &[f32], pool: bool, output: &mut [f32]) {
        let convolution = &self.convolution;
        let padded_len = convolution.padded_len();
        let [height, width] = pooled_size(convolution.output_size(), pool);
        let output_len = checked_product([height, width, convolution.outputs]);
        let images = padded.len() / padded_len;
        assert_eq!(padded.len(), images * padded_len);
        assert_eq!(output.len(), checked_product([images, output_len]));
        let padded = padded.chunks_exact(padded_len);
        match &self.panel {
            Forward::Direct(panel) => {
                let outputs = output.chunks_exact_mut(output_len);
                let compute = if pool {
                    DirectForward::pooled_output
                } else {
                    DirectForward::output
                };
                padded
                    .zip(outputs)
                    .for_each(|(padded, output)| compute(panel, padded, output));
            }
            Forward::Winograd1d(panel) => {
                let row = convolution.padded_row();
                for (padded, output) in padded.zip(output.chunks_exact_mut(output_len)) {
                    panel.output(padded, row, pool, output);
                }
            }
            Forward::Winograd2d(panel) => {
                let (row_stride, pixel_stride) =
                    (convolution.padded_row(), convolution.cell_channels());
                let images = padded.map(|data| Strided {
                    data,
                    start: 0,
                    row_stride,
                    pixel_stride,
                });
                panel.output(images, convolution.output_size(), pool, output);
            }
        }
    }
}

impl DirectForward {
    fn new(isa: Isa, convolution: Convolution, weights: &[f32], bias: Option<&[f32]>) -> Self {
        let blocks = ChannelBlocks::new(isa, convolution.outputs);
        let [rows, columns] = convolution.kernel;
        let inputs = convolution.inputs;
        let area = rows * columns;
        let mut panel = vec![0.0; blocks.panel_len(area * inputs)];
        for (output, weights) in weights.chunks_exact(inputs * area).enumerate() {
            let column = blocks.column(output, area * inputs);
            for (input, weights) in weights.chunks_exact(area).enumerate() {
                for (tap, &weight) in weights.iter().enumerate() {
                    panel[column.start + (tap * inputs + input) * column.stride] = weight;
                }
            }
        }
        Self {
            convolution,
            padded_row: convolution.padded_row(),
            isa,
            blocks,
            weights: panel,
            bias: blocks.padded_bias(bias),
        }
    }

    fn pooled_output(&self, padded: &[f32], pooled: &mut [f32]) {
        let convolution = &self.convolution;
        let [_, width] = convolution.output_size();
        let outputs = convolution.outputs;
        let row = width * outputs;
        let mut output = Buffer::new(convolution.output_len());
        self.output(padded, &mut output);
        let pairs = output.chunks_exact(2 * row);
        for (pair, pooled) in pairs.zip(pooled.chunks_exact_mut(width / 2 * outputs)) {
            rows::max_pool(self.isa, pair.split_at(row).into(), outputs, pooled);
        }
    }

    fn output(&self, padded: &[f32], output: &mut [f32]) {
        let convolution = &self.convolution;
        let [_, width] = convolution.output_size();
        let row_len = convolution.kernel[1] * convolution.inputs;
        self.isa.run(MatrixProduct {
            blocks: self.blocks,
            panel: &self.weights,
            panel_depth: convolution.kernel[0] * row_len,
            panel_first_row: 0,
            panel_row_stride: 0,
            start: Start::Bias(&self.bias),
            source: Strided {
                data: padded,
                start: 0,
                row_stride: self.padded_row * convolution.stride,
                pixel_stride: convolution.inputs * convolution.stride,
            },
            taps: convolution.kernel[0],
            tap_len: row_len,
            tap_stride: self.padded_row,
            target: StridedMut {
                data: output,
                start: 0,
                row_stride: width * convolution.outputs,
                pixel_stride: convolution.outputs,
            },
            size: convolution.output_size(),
        });
    }
}
