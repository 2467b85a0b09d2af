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
    /// Whether no image has been added. The first overwrites the sums, which may be any numbers before, but for
    /// those of [`Algorithm::Winograd1d`], which are zeros.
    is_empty: bool,
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
    /// Of no image.
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
                    sums: blocks.room_for_sums(depth),
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
        Self {
            convolution,
            is_empty: true,
            sums,
        }
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
    /// If the slices do not have equal numbers of whole images, or none.
    pub fn add(&mut self, padded: &[f32], bordered: &[f32]) {
        let convolution = self.convolution;
        let images = padded.len() / convolution.padded_len();
        assert!(images > 0, "there is no image to add");
        assert_eq!(padded.len(), images * convolution.padded_len());
        assert_eq!(
            bordered.len(),
            checked_product([images, convolution.bordered_len()])
        );
        let accumulate = !std::mem::replace(&mut self.is_empty, false);
        match &mut self.sums {
            Sums::Direct(direct) => direct.add(&convolution, padded, bordered, accumulate),
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
                sums.add(&pairs, convolution.output_size(), accumulate);
            }
        }
    }

    /// The gradient summed over tasks, in their order: `[outputs, inputs, kernel rows, kernel
    /// columns]`.
    ///
    /// # Panics
    ///
    /// If there is none, they differ in shape, or one is of no image.
    pub fn sum(of_tasks: Vec<Self>) -> Buffer {
        let mut summands = of_tasks.into_iter();
        let Some(mut total) = summands.next() else {
            panic!("a batch has at least one task")
        };
        let summands: Vec<Self> = summands.collect();
        assert!(
            summands
                .iter()
                .all(|summand| summand.convolution == total.convolution && !summand.is_empty)
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
    ///
    /// # Panics
    ///
    /// If it is of no image.
    pub fn into_weights(self) -> Buffer {
        assert!(!self.is_empty, "it is the gradient of no image");
        let [rows, columns] = self.convolution.kernel;
        let inputs = self.convolution.inputs;
        let mut weights = Buffer::new(self.convolution.weight_len());
        match self.sums {
            Sums::Direct(direct) => direct.unpack(&mut weights, inputs),
            Sums::Winograd1d(sums) => sums.for_each_row(|output, row, gradient| {
                let start = (output * rows + row) * columns;
                for (weight, gradient) in weights[start..].iter_mut().zip(gradient) {
                    *weight = gradient as f32;
                }
            }),
            Sums::Winograd2d(sums) => {
                let taps = self.convolution.cell_taps();
                sums.unpack(&mut weights, |kernel, weights, channel| {
                    taps.store(kernel, weights, channel);
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
    /// Sets `weights`, `[outputs, inputs, taps]`, to the sums.
    fn unpack(&self, weights: &mut [f32], inputs: usize) {
        let lanes = self.blocks.lanes();
        let output_len = weights.len() / self.blocks.channels();
        let taps = output_len / inputs;
        let vectors = weights.par_chunks_mut(lanes * output_len).enumerate();
        tasks::for_each(vectors, |(vector, weights)| {
            let column = self.blocks.column(vector * lanes, output_len);
            // The outputs of a vector stand side by side in the sums.
            for place in 0..output_len {
                let (input, tap) = (place / taps, place % taps);
                let start = column.start + (tap * inputs + input) * column.stride;
                let of_outputs = weights[place..].iter_mut().step_by(output_len);
                for (weight, sum) in of_outputs.zip(&self.sums[start..]) {
                    *weight = *sum;
                }
            }
        });
    }

    /// Adds what some images contribute. Their pixels may stand in cells, if the output is computed by
    /// [`Algorithm::Winograd2d`].
    fn add(
        &mut self,
        convolution: &Convolution,
        padded: &[f32],
        bordered: &[f32],
        accumulate: bool,
    ) {
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
        for (image, (padded, bordered)) in images.enumerate() {
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
                        accumulate: accumulate || image > 0 || first > 0,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Buffers come with what their memory was used for before.
    #[test]
    fn the_first_images_overwrite_what_the_sums_held() {
        // Directly, and by Winograd's algorithm, which takes minutes under Miri; `tests/convolution.rs` has less of
        // it.
        let all = [([6, 7], 2, 1), ([6, 7], 3, 1), ([12, 11], 5, 2)];
        let shapes = if cfg!(miri) { &all[..1] } else { &all };
        for isa in Isa::available() {
            for &([height, width], kernel, stride) in shapes {
                let convolution = Convolution {
                    height,
                    width,
                    inputs: 13,
                    outputs: 2 * isa.lanes(),
                    kernel: [kernel; 2],
                    stride,
                    padding: [1; 2],
                };
                let padded = vec![0.5; 2 * convolution.padded_len()];
                let bordered = vec![0.25; 2 * convolution.bordered_len()];
                let [zeros, garbage] = [0.0, f32::NAN].map(|before| {
                    let mut gradient = WeightGradient::new(isa, convolution);
                    gradient.sums_mut().fill(before);
                    gradient.add(&padded, &bordered);
                    gradient.add(&padded, &bordered);
                    gradient.into_weights().to_vec()
                });
                assert_eq!(zeros, garbage, "{isa}, {kernel}×{kernel}, stride {stride}");
                assert!(zeros.iter().any(|&gradient| gradient != 0.0));
            }
        }
    }

    #[test]
    #[should_panic(expected = "it is the gradient of no image")]
    fn what_no_image_was_added_to_has_no_weights() {
        let convolution = Convolution {
            height: 8,
            width: 8,
            inputs: 1,
            outputs: 8,
            kernel: [3; 2],
            stride: 1,
            padding: [0; 2],
        };
        WeightGradient::new(Isa::Portable, convolution).into_weights();
    }
}
