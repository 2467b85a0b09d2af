//! The gradient of a convolution's weights.

use rayon::prelude::*;

use super::{Algorithm, Convolution, winograd_1d, winograd_2d};
use crate::buffer::Buffer;
use crate::lengths::checked_product;
use crate::simd::Isa;
use crate::tasks;
use crate::tile::{ChannelBlocks, Order, OuterProduct, Strided};

/// The gradient of the weights, summed over images.
#[derive(Debug)]
pub struct WeightGradient {
    convolution: Convolution,
    sums: Sums,
}

#[derive(Debug)]
enum Sums {
    Direct(DirectWeights),
    Winograd2d(winograd_2d::GradientSums),
    Winograd1d(winograd_1d::GradientSums),
}

/// In the order in which [`ForwardPanel`](super::ForwardPanel) has the weights.
#[derive(Debug)]
struct DirectWeights {
    isa: Isa,
    blocks: ChannelBlocks,
    sums: Buffer,
}

impl WeightGradient {
    /// Zero.
    pub fn new(isa: Isa, convolution: Convolution) -> Self {
        let Convolution {
            inputs, outputs, ..
        } = convolution;
        let sums = match convolution.weight_gradient_algorithm() {
            Algorithm::Direct => {
                let blocks = ChannelBlocks::new(isa, outputs);
                let [rows, columns] = convolution.kernel;
                let depth = checked_product([rows, columns, inputs]);
                Sums::Direct(DirectWeights {
                    isa,
                    blocks,
                    sums: Buffer::zeros(blocks.panel_len(depth)),
                })
            }
            Algorithm::Winograd2d => {
                let channels = convolution.cell_channels();
                Sums::Winograd2d(winograd_2d::GradientSums::new(isa, [outputs, channels]))
            }
            Algorithm::Winograd1d => {
                Sums::Winograd1d(winograd_1d::GradientSums::new(isa, &convolution))
            }
        };
        Self { convolution, sums }
    }

    /// How many images [`add`](Self::add) should have at a time: with few pixels it waits for
    /// memory.
    pub fn images_at_once(convolution: &Convolution) -> usize {
        let of_output = checked_product(convolution.output_size());
        let pixels = match convolution.weight_gradient_algorithm() {
            Algorithm::Winograd2d => 1024,
            Algorithm::Direct | Algorithm::Winograd1d => 256,
        };
        (pixels / of_output).clamp(1, 8)
    }

    /// Adds what some images contribute. `padded`: the images with their borders; `bordered`:
    /// the gradients of their outputs with zeros around them.
    ///
    /// # Panics
    ///
    /// If the slices do not have equal numbers of whole images.
    pub fn add(&mut self, padded: &[f32], bordered: &[f32]) {
        let convolution = self.convolution;
        let images = padded.len() / convolution.padded_len();
        assert_eq!(padded.len(), images * convolution.padded_len());
        assert_eq!(
            bordered.len(),
            checked_product([images, convolution.bordered_len()])
        );
        match &mut self.sums {
            Sums::Direct(direct) => direct.add(&convolution, padded, bordered),
            Sums::Winograd1d(sums) => {
                let (row, start) = (
                    convolution.padded_row(),
                    convolution.bordered_rows()(0).start,
                );
                let [_, columns] = convolution.bordered_size();
                let images = padded.chunks_exact(convolution.padded_len());
                for (padded, bordered) in
                    images.zip(bordered.chunks_exact(convolution.bordered_len()))
                {
                    sums.add(
                        padded,
                        row,
                        &bordered[start..],
                        columns * convolution.outputs,
                    );
                }
            }
            Sums::Winograd2d(sums) => {
                let [_, columns] = convolution.bordered_size();
                let pairs: Vec<_> = padded
                    .chunks_exact(convolution.padded_len())
                    .zip(bordered.chunks_exact(convolution.bordered_len()))
                    .map(|(padded, bordered)| {
                        let image = Strided {
                            data: padded,
                            start: 0,
                            row_stride: convolution.padded_row(),
                            pixel_stride: convolution.cell_channels(),
                        };
                        let gradient = Strided {
                            data: bordered,
                            start: convolution.bordered_rows()(0).start,
                            row_stride: columns * convolution.outputs,
                            pixel_stride: convolution.outputs,
                        };
                        (image, gradient)
                    })
                    .collect();
                sums.add(&pairs, convolution.output_size());
            }
        }
    }

    /// The gradient summed over tasks, in their order: `[outputs, inputs, kernel rows, kernel
    /// columns]`.
    ///
    /// # Panics
    ///
    /// If there is none, or they differ in shape.
    pub fn sum(of_tasks: Vec<Self>) -> Buffer {
        let mut summands = of_tasks.into_iter();
        let Some(mut total) = summands.next() else {
            panic!("a batch has at least one task")
        };
        let summands: Vec<Self> = summands.collect();
        assert!(
            summands
                .iter()
                .all(|summand| summand.convolution == total.convolution)
        );
        const PART: usize = 1 << 13;
        let parts = total.sums_mut().par_chunks_mut(PART).enumerate();
        tasks::for_each(parts, |(part, sums)| {
            for summand in &summands {
                let others = &summand.sums()[part * PART..][..sums.len()];
                for (sum, other) in sums.iter_mut().zip(others) {
                    *sum += other;
                }
            }
        });
        total.into_weights()
    }

    fn sums(&self) -> &[f32] {
        match &self.sums {
            Sums::Direct(direct) => &direct.sums,
            Sums::Winograd2d(winograd) => &winograd.sums,
            Sums::Winograd1d(rows) => &rows.sums,
        }
    }

    fn sums_mut(&mut self) -> &mut [f32] {
        match &mut self.sums {
            Sums::Direct(direct) => &mut direct.sums,
            Sums::Winograd2d(winograd) => &mut winograd.sums,
            Sums::Winograd1d(rows) => &mut rows.sums,
        }
    }

    /// The gradient, `[outputs, inputs, kernel rows, kernel columns]`.
    pub fn into_weights(self) -> Buffer {
        let [rows, columns] = self.convolution.kernel;
        let inputs = self.convolution.inputs;
        let area = rows * columns;
        let mut weights = Buffer::new(self.convolution.weight_len());
        match self.sums {
            Sums::Direct(DirectWeights { blocks, sums, .. }) => {
                for (output, weights) in weights.chunks_exact_mut(inputs * area).enumerate() {
                    let column = blocks.column(output, area * inputs);
                    for (input, weights) in weights.chunks_exact_mut(area).enumerate() {
                        for (tap, weight) in weights.iter_mut().enumerate() {
                            *weight = sums[column.start + (tap * inputs + input) * column.stride];
                        }
                    }
                }
            }
            Sums::Winograd1d(sums) => sums.for_each_row(|output, row, gradient| {
                let start = (output * rows + row) * columns;
                for (weight, gradient) in weights[start..].iter_mut().zip(gradient) {
                    *weight = gradient as f32;
                }
            }),
            Sums::Winograd2d(sums) => {
                let taps = self.convolution.cell_taps();
                sums.for_each_tap(|output, channel, tap, gradient| {
                    if let Some(place) = taps[9 * channel + tap] {
                        weights[output * inputs * area + place] = gradient;
                    }
                });
            }
        }
        weights
    }
}

/// The most numbers of outputs that are worked through before the next rows of the kernel, so that they
/// stay in the first-level cache.
const MAX_BAND_LEN: usize = 3072;

impl DirectWeights {
    /// Adds what some images contribute. Their pixels may stand in cells, if the output is computed by
    /// [`Algorithm::Winograd2d`].
    fn add(&mut self, convolution: &Convolution, padded: &[f32], bordered: &[f32]) {
        let [rows, columns] = convolution.output_size();
        let [kernel_rows, kernel_columns] = convolution.kernel;
        let Convolution { inputs, stride, .. } = *convolution;
        let cell = convolution.cell();
        let cell_row = cell * inputs;
        // Columns of the kernel that follow each other in the image.
        let run = if cell == 1 { kernel_columns } else { cell };
        let padded_row = convolution.padded_row();
        let pixel_stride = stride / cell * convolution.cell_channels();
        let [_, bordered_columns] = convolution.bordered_size();
        let bordered_rows = convolution.bordered_rows();
        let band = (MAX_BAND_LEN / (columns * convolution.outputs)).max(1);
        let images = padded
            .chunks_exact(convolution.padded_len())
            .zip(bordered.chunks_exact(convolution.bordered_len()));
        for (padded, bordered) in images {
            for first in (0..rows).step_by(band) {
                let taps = (0..kernel_rows)
                    .flat_map(|row| (0..kernel_columns).step_by(run).map(move |c| (row, c)));
                for (row, column) in taps {
                    let start = (first * stride + row) / cell * padded_row
                        + row % cell * cell_row
                        + column / cell * convolution.cell_channels();
                    self.isa.run(OuterProduct {
                        blocks: self.blocks,
                        inputs: run.min(kernel_columns - column) * inputs,
                        source: Strided {
                            data: padded,
                            start,
                            row_stride: stride / cell * padded_row,
                            pixel_stride,
                        },
                        gradient: Strided {
                            data: bordered,
                            start: bordered_rows(first).start,
                            row_stride: bordered_columns * convolution.outputs,
                            pixel_stride: convolution.outputs,
                        },
                        size: [band.min(rows - first), columns],
                        sums: &mut self.sums,
                        order: Order::Panel {
                            depth: kernel_rows * kernel_columns * inputs,
                            first_row: (row * kernel_columns + column) * inputs,
                        },
                    });
                }
            }
        }
    }
}
