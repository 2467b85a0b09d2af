//! Two-dimensional convolutions, image by image.
//!
//! Images are channels-last: `[height, width, channels]`. A convolution reads its input from a
//! copy with its border of zeros ([`Convolution::pad`]), so that no loop asks where the image ends;
//! and in that copy what a kernel's row covers is contiguous, all columns and channels of it. A
//! *panel* holds the weights in the order in which they are used:
//! `[block of output channels][kernel row][kernel column · input channel][output channel of the block]`.
//!
//! A register tile is a few neighbouring output pixels times a block of output channels. For every
//! weight vector loaded, each pixel's input is broadcast and multiplied. The gradient of the
//! weights has a tile of some inputs times a block of output channels, and runs over the pixels.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::rows;
use crate::simd::Isa;
use crate::tasks;
use crate::tile::{Blocks, Order, OuterSweep, Start, Sweep};
use crate::winograd;
use crate::winograd_rows;

/// The shape of a convolution, the same border of zeros on all sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Distance of neighbouring outputs in the input, in both directions.
    pub stride: usize,
    /// Rows of zeros above and below, columns of zeros to the left and right.
    pub padding: [usize; 2],
}

impl Convolution {
    /// Rows and columns of the output.
    pub fn output_size(&self) -> [usize; 2] {
        let size = |input: usize, padding: usize, kernel: usize| {
            (input + 2 * padding - kernel) / self.stride + 1
        };
        [
            size(self.height, self.padding[0], self.kernel[0]),
            size(self.width, self.padding[1], self.kernel[1]),
        ]
    }

    /// Numbers in an input image.
    pub fn input_len(&self) -> usize {
        self.height * self.width * self.inputs
    }

    /// Numbers in an output image.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_size();
        height * width * self.outputs
    }

    /// Numbers in the weights: `[outputs, inputs, kernel rows, kernel columns]`.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.inputs * self.kernel[0] * self.kernel[1]
    }

    /// Pixels of a cell in one direction. An image with its border is made of cells, whose pixels
    /// follow each other; most have one.
    fn cell(&self) -> usize {
        if winograd::suits(self) {
            self.stride
        } else {
            1
        }
    }

    /// Rows and columns of cells of an input image with its border, which reaches as far as tiles
    /// do.
    fn padded_size(&self) -> [usize; 2] {
        let cell = self.cell();
        let size = [
            (self.height + 2 * self.padding[0]).div_ceil(cell),
            (self.width + 2 * self.padding[1]).div_ceil(cell),
        ];
        if winograd_rows::suits(self) {
            let covered = winograd_rows::covered_inputs(self.output_size()[1]);
            return [size[0], size[1].max(covered)];
        }
        if !winograd::suits(self) {
            return size;
        }
        let covered = self.output_size().map(winograd::covered_inputs);
        [size[0].max(covered[0]), size[1].max(covered[1])]
    }

    /// Channels of a cell.
    fn cell_channels(&self) -> usize {
        self.cell() * self.cell() * self.inputs
    }

    /// Numbers in a row of an input image with its border.
    fn padded_row(&self) -> usize {
        self.padded_size()[1] * self.cell_channels()
    }

    /// First row (or column) of cells that has pixels of the image, and how many have.
    fn image_cells(&self, axis: usize) -> (usize, usize) {
        let size = [self.height, self.width][axis];
        let first = self.padding[axis] / self.cell();
        (
            first,
            (size - 1 + self.padding[axis]) / self.cell() + 1 - first,
        )
    }

    /// Calls `f(place in an image, place among the image's cells, numbers)` for the parts of an
    /// image that follow each other in both. `row` is the length of a row of cells, which begins
    /// with cell number `first` of the border.
    fn for_each_part(&self, first: [usize; 2], row: usize, mut f: impl FnMut(usize, usize, usize)) {
        let (cell, inputs, width) = (self.cell(), self.inputs, self.width);
        let cell_channels = self.cell_channels();
        for y in 0..self.height {
            let y_padded = y + self.padding[0];
            let start = (y_padded / cell - first[0]) * row + y_padded % cell * cell * inputs;
            let mut x = 0;
            while x < width {
                let x_padded = x + self.padding[1];
                let (column, pixel) = (x_padded / cell - first[1], x_padded % cell);
                // Cells of one pixel follow each other.
                let count = if cell == 1 { width } else { cell - pixel }.min(width - x);
                let to = start + column * cell_channels + pixel * inputs;
                f((y * width + x) * inputs, to, count * inputs);
                x += count;
            }
        }
    }

    /// Whether an input image has a border at all.
    pub fn has_border(&self) -> bool {
        self.cell() > 1 || self.padded_size() != [self.height, self.width]
    }

    /// Numbers in an input image with its border.
    pub fn padded_len(&self) -> usize {
        self.padded_size()[0] * self.padded_row()
    }

    /// Zeros around an output image for the gradient of the input: rows above and columns to the
    /// left.
    fn gradient_border(&self) -> [usize; 2] {
        self.kernel.map(|kernel| kernel.div_ceil(self.stride))
    }

    /// Rows and columns of an output image with zeros around it, for the gradient of the input.
    fn bordered_size(&self) -> [usize; 2] {
        let output = self.output_size();
        let border = self.gradient_border();
        let image = [self.height, self.width];
        [0, 1].map(|axis| {
            let last = (image[axis] - 1 + self.padding[axis]) / self.stride + 1;
            let size = border[axis] + output[axis].max(last);
            if axis == 1 && winograd_rows::suits(self) {
                return size.max(border[axis] + winograd_rows::covered_outputs(output[axis]));
            }
            if !winograd::suits(self) {
                return size;
            }
            let of_weights = border[axis] + output[axis].next_multiple_of(winograd::OUTPUTS);
            let (_, cells) = self.image_cells(axis);
            let of_input = self.reversed_start(axis) + winograd::covered_inputs(cells);
            size.max(of_weights).max(of_input)
        })
    }

    /// Where in an output image with zeros around it the first row (or column) of taps stands that
    /// reaches the first of the image's cells.
    fn reversed_start(&self, axis: usize) -> usize {
        let taps = self.kernel[axis].div_ceil(self.cell());
        self.gradient_border()[axis] + self.image_cells(axis).0 + 1 - taps
    }

    /// Where among the weights of an output that for each channel of a cell and each tap on cells
    /// stands, `[channel][3 · row + column]`; nothing where the kernel has no such tap.
    fn cell_taps(&self) -> Vec<Option<usize>> {
        let cell = self.cell();
        let [rows, columns] = self.kernel;
        let place = |channel: usize, tap: usize| {
            let (pixel, input) = (channel / self.inputs, channel % self.inputs);
            let row = tap / 3 * cell + pixel / cell;
            let column = tap % 3 * cell + pixel % cell;
            (row < rows && column < columns).then_some((input * rows + row) * columns + column)
        };
        (0..self.cell_channels())
            .flat_map(|channel| (0..9).map(move |tap| (channel, tap)))
            .map(|(channel, tap)| place(channel, tap))
            .collect()
    }

    /// Numbers in an output image with zeros around it.
    pub fn bordered_len(&self) -> usize {
        let [rows, columns] = self.bordered_size();
        rows * columns * self.outputs
    }

    /// Where the rows of an output image stand in one with zeros around it: a function of their
    /// number, since it takes a while to find out where the first is.
    pub fn bordered_rows(&self) -> impl Fn(usize) -> std::ops::Range<usize> + use<> {
        let [above, left] = self.gradient_border();
        let [_, columns] = self.bordered_size();
        let outputs = self.outputs;
        let len = self.output_size()[1] * outputs;
        move |row| {
            let start = ((row + above) * columns + left) * outputs;
            start..start + len
        }
    }

    /// Copies `image`, `[height, width, inputs]`, to the middle of `padded`. The border of
    /// `padded` must be zero, and stays so.
    pub fn pad(&self, image: &[f32], padded: &mut [f32]) {
        self.for_each_part([0, 0], self.padded_row(), |from, to, len| {
            padded[to..to + len].copy_from_slice(&image[from..from + len]);
        });
    }
}

/// The weights of a convolution in the order in which the output is computed.
#[derive(Debug)]
pub struct ForwardPanel {
    convolution: Convolution,
    way: Forward,
}

#[derive(Debug)]
enum Forward {
    Direct(DirectForward),
    Winograd(winograd::Panel),
    WinogradRows(winograd_rows::Panel),
}

#[derive(Debug)]
struct DirectForward {
    convolution: Convolution,
    /// The convolution's, which takes a while to find out.
    padded_row: usize,
    isa: Isa,
    blocks: Blocks,
    weights: Vec<f32>,
    /// As many as there are channels in all blocks, zeros at the end.
    bias: Vec<f32>,
}

impl ForwardPanel {
    /// `weights`: `[outputs, inputs, kernel rows, kernel columns]`; `bias`: `[outputs]`, or
    /// nothing for zeros.
    pub fn new(isa: Isa, convolution: Convolution, weights: &[f32], bias: Option<&[f32]>) -> Self {
        assert_eq!(weights.len(), convolution.weight_len());
        let way = if winograd::suits(&convolution) {
            let taps = convolution.cell_taps();
            let len = weights.len() / convolution.outputs;
            Forward::Winograd(winograd::Panel::new(
                isa,
                [convolution.outputs, convolution.cell_channels()],
                bias,
                |output, channel, tap| {
                    taps[9 * channel + tap].map_or(0.0, |place| weights[output * len + place])
                },
            ))
        } else if winograd_rows::suits(&convolution) {
            Forward::WinogradRows(winograd_rows::Panel::new(isa, &convolution, weights, bias))
        } else {
            Forward::Direct(DirectForward::new(isa, convolution, weights, bias))
        };
        Self { convolution, way }
    }

    /// How many images [`output`](Self::output) should have at a time.
    pub fn group(&self) -> usize {
        match self.way {
            Forward::Direct(_) | Forward::WinogradRows(_) => 1,
            Forward::Winograd(_) => winograd::group(self.convolution.output_size()),
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

    /// The largest of each 2×2 window of the outputs, which halves height and width, rounded down:
    /// not a number, if one of them is none.
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
        let shrink = if pool { 2 } else { 1 };
        let [height, width] = convolution.output_size();
        let output_len = (height / shrink) * (width / shrink) * convolution.outputs;
        let images = padded.len() / padded_len;
        assert_eq!(padded.len(), images * padded_len);
        assert_eq!(output.len(), images * output_len);
        let padded = padded.chunks_exact(padded_len);
        match &self.way {
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
            Forward::WinogradRows(panel) => {
                let row = convolution.padded_row();
                for (padded, output) in padded.zip(output.chunks_exact_mut(output_len)) {
                    panel.output(padded, row, pool, output);
                }
            }
            Forward::Winograd(panel) => {
                let (row, channels) = (convolution.padded_row(), convolution.cell_channels());
                let views = padded.map(|numbers| winograd::View {
                    numbers,
                    start: 0,
                    row,
                    channels,
                });
                panel.output(views, convolution.output_size(), pool, output);
            }
        }
    }
}

impl DirectForward {
    fn new(isa: Isa, convolution: Convolution, weights: &[f32], bias: Option<&[f32]>) -> Self {
        let blocks = Blocks::new(isa, convolution.outputs);
        let [rows, columns] = convolution.kernel;
        let inputs = convolution.inputs;
        let area = rows * columns;
        let mut panel = vec![0.0; blocks.panel_len(area * inputs)];
        for (output, weights) in weights.chunks_exact(inputs * area).enumerate() {
            let (start, width) = blocks.column(output, area * inputs);
            for (input, weights) in weights.chunks_exact(area).enumerate() {
                for (tap, &weight) in weights.iter().enumerate() {
                    panel[start + (tap * inputs + input) * width] = weight;
                }
            }
        }
        let mut padded_bias = vec![0.0; blocks.panel_len(1)];
        if let Some(bias) = bias {
            padded_bias[..bias.len()].copy_from_slice(bias);
        }
        Self {
            convolution,
            padded_row: convolution.padded_row(),
            isa,
            blocks,
            weights: panel,
            bias: padded_bias,
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
            rows::pool(self.isa, pair.split_at(row).into(), outputs, pooled);
        }
    }

    fn output(&self, padded: &[f32], output: &mut [f32]) {
        let convolution = &self.convolution;
        let [_, width] = convolution.output_size();
        let row_len = convolution.kernel[1] * convolution.inputs;
        self.isa.run(Sweep {
            blocks: self.blocks,
            panel: &self.weights,
            panel_rows: (convolution.kernel[0] * row_len, 0),
            panel_row: 0,
            start: Start::Bias(&self.bias),
            source: padded,
            source_start: 0,
            source_row: self.padded_row * convolution.stride,
            source_tap: self.padded_row,
            source_pixel: convolution.inputs * convolution.stride,
            taps: convolution.kernel[0],
            tap_len: row_len,
            target: output,
            target_start: 0,
            target_row: width * convolution.outputs,
            target_pixel: convolution.outputs,
            size: convolution.output_size(),
        });
    }
}

/// The weights of a convolution in the order in which the gradient of the input is computed.
#[derive(Debug)]
pub struct BackwardPanel {
    convolution: Convolution,
    way: Backward,
}

#[derive(Debug)]
enum Backward {
    Direct(DirectBackward),
    Winograd(winograd::Panel),
}

/// A panel for every phase, that is, for every remainder of an input's row and column by the
/// stride.
#[derive(Debug)]
struct DirectBackward {
    convolution: Convolution,
    isa: Isa,
    blocks: Blocks,
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
        let way = if winograd::suits(&convolution) {
            // The gradient is the convolution of the output's with the kernel turned by 180°.
            let taps = convolution.cell_taps();
            let len = weights.len() / convolution.outputs;
            Backward::Winograd(winograd::Panel::new(
                isa,
                [convolution.cell_channels(), convolution.outputs],
                None,
                |channel, output, tap| {
                    taps[9 * channel + 8 - tap].map_or(0.0, |place| weights[output * len + place])
                },
            ))
        } else {
            Backward::Direct(DirectBackward::new(isa, convolution, weights))
        };
        Self { convolution, way }
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
        assert_eq!(gradient.len(), images * input_len);
        let bordered = bordered.chunks_exact(bordered_len);
        match &self.way {
            Backward::Direct(panel) => bordered
                .zip(gradient.chunks_exact_mut(input_len))
                .for_each(|(bordered, gradient)| panel.input_gradient(bordered, gradient)),
            Backward::Winograd(panel) => {
                let [_, columns] = convolution.bordered_size();
                let (row, column) = (convolution.reversed_start(0), convolution.reversed_start(1));
                let views = bordered.map(|numbers| winograd::View {
                    numbers,
                    start: (row * columns + column) * convolution.outputs,
                    row: columns * convolution.outputs,
                    channels: convolution.outputs,
                });
                let cells = [convolution.image_cells(0), convolution.image_cells(1)];
                let size = cells.map(|(_, count)| count);
                if convolution.cell() == 1 {
                    panel.output(views, size, false, gradient);
                    return;
                }
                let row = size[1] * convolution.cell_channels();
                let mut by_cells = Buffer::new(images * size[0] * row);
                panel.output(views, size, false, &mut by_cells);
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
        let blocks = Blocks::new(isa, convolution.inputs);
        let stride = convolution.stride;
        let phases = (0..stride * stride)
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
            self.isa.run(Sweep {
                blocks: self.blocks,
                panel: &phase.weights,
                panel_rows: (phase.taps[0] * phase.taps[1] * outputs, 0),
                panel_row: 0,
                start: Start::Zero,
                source: bordered,
                source_start: (start[0] * columns + start[1]) * outputs,
                source_row: columns * outputs,
                source_tap: columns * outputs,
                source_pixel: outputs,
                taps: phase.taps[0],
                tap_len: phase.taps[1] * outputs,
                target: gradient,
                target_start: (phase.first[0] * width + phase.first[1]) * inputs,
                target_row: stride * width * inputs,
                target_pixel: stride * inputs,
                size: phase.size,
            });
        }
    }
}

impl Phase {
    /// `remainder`: of an input's row and column, counted from the border's first.
    fn new(
        convolution: &Convolution,
        blocks: Blocks,
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
            let (start, width) = blocks.column(input, depth);
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
                        panel[start + place * width] = weights[weight];
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

/// The gradient of the weights, summed over images.
#[derive(Debug)]
pub struct WeightGradient {
    convolution: Convolution,
    way: Weights,
}

#[derive(Debug)]
enum Weights {
    Direct(DirectWeights),
    Winograd(winograd::GradientSums),
    WinogradRows(winograd_rows::GradientSums),
}

/// In the order of [`DirectForward`].
#[derive(Debug)]
struct DirectWeights {
    isa: Isa,
    blocks: Blocks,
    sums: Buffer,
}

impl WeightGradient {
    /// Zero.
    pub fn new(isa: Isa, convolution: Convolution) -> Self {
        let Convolution {
            inputs, outputs, ..
        } = convolution;
        let way = if winograd::suits_weights(&convolution) {
            let channels = convolution.cell_channels();
            Weights::Winograd(winograd::GradientSums::new(isa, [outputs, channels]))
        } else if winograd_rows::suits(&convolution) {
            Weights::WinogradRows(winograd_rows::GradientSums::new(isa, &convolution))
        } else {
            let blocks = Blocks::new(isa, outputs);
            let [rows, columns] = convolution.kernel;
            Weights::Direct(DirectWeights {
                isa,
                blocks,
                sums: Buffer::zeros(blocks.panel_len(rows * columns * inputs)),
            })
        };
        Self { convolution, way }
    }

    /// How many images [`add`](Self::add) should have at a time: with few pixels it waits for
    /// memory.
    pub fn group(convolution: &Convolution) -> usize {
        let [rows, columns] = convolution.output_size();
        let pixels = if winograd::suits_weights(convolution) {
            1024
        } else {
            256
        };
        (pixels / (rows * columns)).clamp(1, 8)
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
        assert_eq!(bordered.len(), images * convolution.bordered_len());
        match &mut self.way {
            Weights::Direct(direct) => direct.add(&convolution, padded, bordered),
            Weights::WinogradRows(sums) => {
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
            Weights::Winograd(sums) => {
                let [_, columns] = convolution.bordered_size();
                let views: Vec<_> = padded
                    .chunks_exact(convolution.padded_len())
                    .zip(bordered.chunks_exact(convolution.bordered_len()))
                    .map(|(padded, bordered)| {
                        let image = winograd::View {
                            numbers: padded,
                            start: 0,
                            row: convolution.padded_row(),
                            channels: convolution.cell_channels(),
                        };
                        let gradient = winograd::View {
                            numbers: bordered,
                            start: convolution.bordered_rows()(0).start,
                            row: columns * convolution.outputs,
                            channels: convolution.outputs,
                        };
                        (image, gradient)
                    })
                    .collect();
                sums.add(&views, convolution.output_size());
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
        match &self.way {
            Weights::Direct(direct) => &direct.sums,
            Weights::Winograd(winograd) => &winograd.sums,
            Weights::WinogradRows(rows) => &rows.sums,
        }
    }

    fn sums_mut(&mut self) -> &mut [f32] {
        match &mut self.way {
            Weights::Direct(direct) => &mut direct.sums,
            Weights::Winograd(winograd) => &mut winograd.sums,
            Weights::WinogradRows(rows) => &mut rows.sums,
        }
    }

    /// The gradient, `[outputs, inputs, kernel rows, kernel columns]`.
    pub fn into_weights(self) -> Buffer {
        let [rows, columns] = self.convolution.kernel;
        let inputs = self.convolution.inputs;
        let area = rows * columns;
        let mut weights = Buffer::new(self.convolution.weight_len());
        match self.way {
            Weights::Direct(DirectWeights { blocks, sums, .. }) => {
                for (output, weights) in weights.chunks_exact_mut(inputs * area).enumerate() {
                    let (start, width) = blocks.column(output, area * inputs);
                    for (input, weights) in weights.chunks_exact_mut(area).enumerate() {
                        for (tap, weight) in weights.iter_mut().enumerate() {
                            *weight = sums[start + (tap * inputs + input) * width];
                        }
                    }
                }
            }
            Weights::WinogradRows(sums) => sums.for_each_row(|output, row, gradient| {
                let start = (output * rows + row) * columns;
                for (weight, gradient) in weights[start..].iter_mut().zip(gradient) {
                    *weight = gradient as f32;
                }
            }),
            Weights::Winograd(sums) => {
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

/// Numbers of outputs that are worked through before the next rows of the kernel, so that they stay
/// in the first-level cache.
const BAND: usize = 3072;

impl DirectWeights {
    /// Adds what some images contribute. Their pixels may stand in cells, as the output by Winograd has
    /// them.
    fn add(&mut self, convolution: &Convolution, padded: &[f32], bordered: &[f32]) {
        let [rows, columns] = convolution.output_size();
        let [kernel_rows, kernel_columns] = convolution.kernel;
        let Convolution { inputs, stride, .. } = *convolution;
        let cell = convolution.cell();
        let cell_row = cell * inputs;
        // Columns of the kernel that follow each other in the image.
        let run = if cell == 1 { kernel_columns } else { cell };
        let padded_row = convolution.padded_row();
        let source_pixel = stride / cell * convolution.cell_channels();
        let [_, bordered_columns] = convolution.bordered_size();
        let bordered_rows = convolution.bordered_rows();
        let band = (BAND / (columns * convolution.outputs)).max(1);
        let images = padded
            .chunks_exact(convolution.padded_len())
            .zip(bordered.chunks_exact(convolution.bordered_len()));
        for (padded, bordered) in images {
            for first in (0..rows).step_by(band) {
                let taps = (0..kernel_rows)
                    .flat_map(|row| (0..kernel_columns).step_by(run).map(move |c| (row, c)));
                for (row, column) in taps {
                    let source = (first * stride + row) / cell * padded_row
                        + row % cell * cell_row
                        + column / cell * convolution.cell_channels();
                    self.isa.run(OuterSweep {
                        blocks: self.blocks,
                        inputs: run.min(kernel_columns - column) * inputs,
                        source: padded,
                        source_start: source,
                        source_row: stride / cell * padded_row,
                        source_pixel,
                        gradient: bordered,
                        gradient_start: bordered_rows(first).start,
                        gradient_row: bordered_columns * convolution.outputs,
                        gradient_pixel: convolution.outputs,
                        rows: band.min(rows - first),
                        columns,
                        sums: &mut self.sums,
                        order: Order::Panel {
                            rows: kernel_rows * kernel_columns * inputs,
                            first: (row * kernel_columns + column) * inputs,
                        },
                    });
                }
            }
        }
    }
}
