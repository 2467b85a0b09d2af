//! The gradient of a convolution's input.

use super::{Algorithm, Convolution, winograd_2d};
use crate::buffer::Buffer;
use crate::lengths::checked_product;
use crate::simd::Isa;
use crate::tile::{ChannelBlocks, MatrixProduct, Start, Strided, StridedMut};

/// The weights of a convolution in the order in which the gradient of the input is computed.
#[derive(Debug)]
pub struct BackwardPanel {
    convolution: Convolution,
    panel: Backward,
}

#[derive(Debug)]
enum Backward {
    Direct(DirectBackward),
    Winograd2d(winograd_2d::Panel),
}

/// A panel for every phase, that is, for every remainder of an input's row and column by the
/// stride.
#[derive(Debug)]
struct DirectBackward {
    convolution: Convolution,
    isa: Isa,
    blocks: ChannelBlocks,
    phases: Vec<Phase>,
}

#[derive(Debug)]
struct Phase {
    /// First row and column of the input that belong to it.
    first: [usize; 2],
    /// Rows and columns of the input that belong to it.
    size: [usize; 2],
    /// Rows and columns of the kernel that reach them.
    taps: [usize; 2],
    weights: Vec<f32>,
}

impl BackwardPanel {
    /// `weights`: `[outputs, inputs, kernel rows, kernel columns]`.
    pub fn new(isa: Isa, convolution: Convolution, weights: &[f32]) -> Self {
        assert_eq!(weights.len(), convolution.weight_len());
        let panel = match convolution.algorithm() {
            Algorithm::Direct | Algorithm::Winograd1d => {
                Backward::Direct(DirectBackward::new(isa, convolution, weights))
            }
            Algorithm::Winograd2d => {
                // The gradient is the convolution of the output's with the kernel turned by 180°.
                let taps = convolution.cell_taps();
                let len = weights.len() / convolution.outputs;
                Backward::Winograd2d(winograd_2d::Panel::new(
                    isa,
                    [convolution.cell_channels(), convolution.outputs],
                    None,
                    |channel, output| {
                        let mut kernel = taps.load(&weights[output * len..][..len], channel);
                        kernel.reverse();
                        kernel
                    },
                ))
            }
        };
        Self { convolution, panel }
    }

    /// The gradients of some input images, `[height, width, inputs]`, from those of the outputs
    /// with zeros around them.
    ///
    /// # Panics
    ///
    /// If the slices do not have equal numbers of whole images.
    pub fn input_gradient(&self, bordered: &[f32], gradient: &mut [f32]) {
        let convolution = &self.convolution;
        let (bordered_len, input_len) = (convolution.bordered_len(), convolution.input_len());
        let images = bordered.len() / bordered_len;
        assert_eq!(bordered.len(), images * bordered_len);
        assert_eq!(gradient.len(), checked_product([images, input_len]));
        let bordered = bordered.chunks_exact(bordered_len);
        match &self.panel {
            Backward::Direct(panel) => bordered
                .zip(gradient.chunks_exact_mut(input_len))
                .for_each(|(bordered, gradient)| panel.input_gradient(bordered, gradient)),
            Backward::Winograd2d(panel) => {
                let [_, columns] = convolution.bordered_size();
                let (row, column) = (convolution.reversed_start(0), convolution.reversed_start(1));
                let gradients = bordered.map(|data| Strided {
                    data,
                    start: (row * columns + column) * convolution.outputs,
                    row_stride: columns * convolution.outputs,
                    pixel_stride: convolution.outputs,
                });
                let cells = [convolution.image_cells(0), convolution.image_cells(1)];
                let size = cells.map(|(_, count)| count);
                if convolution.cell() == 1 {
                    panel.output(gradients, size, false, gradient);
                    return;
                }
                let row = checked_product([size[1], convolution.cell_channels()]);
                let mut by_cells = Buffer::new(checked_product([images, size[0], row]));
                panel.output(gradients, size, false, &mut by_cells);
                let first = cells.map(|(first, _)| first);
                let by_cells = by_cells.chunks_exact(size[0] * row);
                for (gradient, by_cells) in gradient.chunks_exact_mut(input_len).zip(by_cells) {
                    convolution.for_each_part(first, row, |to, from, len| {
                        gradient[to..to + len].copy_from_slice(&by_cells[from..from + len]);
                    });
                }
            }
        }
    }
}

impl DirectBackward {
    fn new(isa: Isa, convolution: Convolution, weights: &[f32]) -> Self {
        let blocks = ChannelBlocks::new(isa, convolution.inputs);
        let stride = convolution.stride;
        let phases = (0..checked_product([stride, stride]))
            .map(|phase| {
                Phase::new(
                    &convolution,
                    blocks,
                    weights,
                    [phase / stride, phase % stride],
                )
            })
            .collect();
        Self {
            convolution,
            isa,
            blocks,
            phases,
        }
    }

    fn input_gradient(&self, bordered: &[f32], gradient: &mut [f32]) {
        let Convolution {
            width,
            inputs,
            outputs,
            stride,
            padding,
            ..
        } = self.convolution;
        let [_, columns] = self.convolution.bordered_size();
        let border = self.convolution.gradient_border();
        for phase in &self.phases {
            if phase.size.contains(&0) {
                continue;
            }
            // The output that the last row (column) of taps reaches from the first input.
            let start: [usize; 2] = std::array::from_fn(|axis| {
                let taps = phase.taps[axis].max(1);
                border[axis] + (phase.first[axis] + padding[axis]) / stride - (taps - 1)
            });
            self.isa.run(MatrixProduct {
                blocks: self.blocks,
                panel: &phase.weights,
                panel_depth: phase.taps[0] * phase.taps[1] * outputs,
                panel_first_row: 0,
                panel_row_stride: 0,
                start: Start::Zero,
                source: Strided {
                    data: bordered,
                    start: (start[0] * columns + start[1]) * outputs,
                    row_stride: columns * outputs,
                    pixel_stride: outputs,
                },
                taps: phase.taps[0],
                tap_len: phase.taps[1] * outputs,
                tap_stride: columns * outputs,
                target: StridedMut {
                    data: gradient,
                    start: (phase.first[0] * width + phase.first[1]) * inputs,
                    row_stride: stride * width * inputs,
                    pixel_stride: stride * inputs,
                },
                size: phase.size,
            });
        }
    }
}

impl Phase {
    /// `remainder`: of an input's row and column, counted from the border's first.
    fn new(
        convolution: &Convolution,
        blocks: ChannelBlocks,
        weights: &[f32],
        remainder: [usize; 2],
    ) -> Self {
        let Convolution {
            inputs,
            outputs,
            kernel,
            stride,
            padding,
            ..
        } = *convolution;
        let image = [convolution.height, convolution.width];
        let axes = [0, 1];
        let first = axes.map(|axis| (remainder[axis] + stride - padding[axis] % stride) % stride);
        let size = axes.map(|axis| image[axis].saturating_sub(first[axis]).div_ceil(stride));
        let taps = axes.map(|axis| {
            kernel[axis]
                .saturating_sub(remainder[axis])
                .div_ceil(stride)
        });
        let depth = taps[0] * taps[1] * outputs;
        let mut panel = vec![0.0; blocks.panel_len(depth)];
        for input in 0..inputs {
            let panel_column = blocks.column(input, depth);
            for row in 0..taps[0] {
                // Outputs further down were reached by kernel rows further up.
                let kernel_row = remainder[0] + stride * (taps[0] - 1 - row);
                for column in 0..taps[1] {
                    let kernel_column = remainder[1] + stride * (taps[1] - 1 - column);
                    for output in 0..outputs {
                        let weight = ((output * inputs + input) * kernel[0] + kernel_row)
                            * kernel[1]
                            + kernel_column;
                        let place = (row * taps[1] + column) * outputs + output;
                        panel[panel_column.start + place * panel_column.stride] = weights[weight];
                    }
                }
            }
        }
        Self {
            first,
            size,
            taps,
            weights: panel,
        }
    }
}
