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
//!
//! [`Block`](crate::block::Block) is what computes with the panels. They are public for tests and
//! benchmarks.

mod backward;
mod forward;
mod weight_gradient;
#[allow(unsafe_code)]
mod winograd_1d;
mod winograd_2d;

pub use backward::BackwardPanel;
pub use forward::ForwardPanel;
pub use weight_gradient::WeightGradient;

use crate::lengths::{checked_product, checked_sum};
use winograd_2d::TAPS;

/// The shape of a convolution, the same border of zeros on all sides.
///
/// Where Winograd's algorithms compute it, an infinite pixel, or one that is NaN, makes other outputs of
/// its tile NaN too, which by the definition do not depend on it.
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

/// How a convolution is computed, or one of its gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    /// Matrix products of the input's pixels and the weights.
    Direct,
    /// F(4×4, 3×3).
    Winograd2d,
    /// F(4, 5) along rows. The gradient of the input is direct.
    Winograd1d,
}

/// Where the 3×3 taps on cells stand among the weights of an output: of each channel of a cell, row after
/// row.
#[derive(Debug)]
enum CellTaps {
    /// One after the other: a cell is a pixel, the kernel has 3×3 taps.
    InOrder,
    /// `[channel][tap]`; `None` where the kernel has no such tap.
    Places(Vec<[Option<usize>; TAPS]>),
}

impl CellTaps {
    /// The taps of a channel, of the weights of an output.
    #[inline]
    fn load(&self, weights: &[f32], channel: usize) -> [f32; TAPS] {
        match self {
            Self::InOrder => {
                let weights = &weights[TAPS * channel..][..TAPS];
                std::array::from_fn(|tap| weights[tap])
            }
            Self::Places(places) => {
                let places = &places[channel];
                std::array::from_fn(|tap| places[tap].map_or(0.0, |place| weights[place]))
            }
        }
    }

    /// Sets the taps of a channel, among the weights of an output, to `taps`.
    #[inline]
    fn store(&self, taps: [f32; TAPS], weights: &mut [f32], channel: usize) {
        match self {
            Self::InOrder => weights[TAPS * channel..][..TAPS].copy_from_slice(&taps),
            Self::Places(places) => {
                for (place, tap) in places[channel].iter().zip(taps) {
                    if let Some(place) = *place {
                        weights[place] = tap;
                    }
                }
            }
        }
    }
}

impl Convolution {
    /// How the output is computed, and the gradient of the input.
    fn algorithm(&self) -> Algorithm {
        if winograd_2d::suits(self) {
            Algorithm::Winograd2d
        } else if winograd_1d::suits(self) {
            Algorithm::Winograd1d
        } else {
            Algorithm::Direct
        }
    }

    /// How the gradient of the weights is computed: as the output, or directly.
    fn weight_gradient_algorithm(&self) -> Algorithm {
        match self.algorithm() {
            Algorithm::Winograd2d if !winograd_2d::suits_weight_gradient(self) => Algorithm::Direct,
            algorithm => algorithm,
        }
    }

    /// Rows and columns of pixels of the input with its border.
    fn padded_pixels(&self) -> [usize; 2] {
        let image = [self.height, self.width];
        [0, 1].map(|axis| {
            let padding = self.padding[axis];
            checked_sum([padding, image[axis], padding])
        })
    }

    /// Rows and columns of the output.
    ///
    /// # Panics
    ///
    /// If the kernel is empty, or larger than an image with its border, or the stride is 0.
    pub fn output_size(&self) -> [usize; 2] {
        let padded = self.padded_pixels();
        [0, 1].map(|axis| {
            let (padded, kernel) = (padded[axis], self.kernel[axis]);
            assert!(
                (1..=padded).contains(&kernel) && self.stride > 0,
                "a kernel of {kernel} and strides of {} do not fit {padded} pixels",
                self.stride
            );
            (padded - kernel) / self.stride + 1
        })
    }

    /// Numbers in an input image.
    pub fn input_len(&self) -> usize {
        checked_product([self.height, self.width, self.inputs])
    }

    /// Numbers in an output image.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output_size();
        checked_product([height, width, self.outputs])
    }

    /// Numbers in the weights: `[outputs, inputs, kernel rows, kernel columns]`.
    pub fn weight_len(&self) -> usize {
        let [rows, columns] = self.kernel;
        checked_product([self.outputs, self.inputs, rows, columns])
    }

    /// Rows and columns of pixels of a cell. The input with its border is made of cells, in each of
    /// which the pixels are contiguous. A cell is one pixel, except where [`Algorithm::Winograd2d`]
    /// takes a convolution with a stride for one without, whose pixels are the cells.
    fn cell(&self) -> usize {
        // The algorithm takes a while to find out.
        if self.stride > 1 && self.algorithm() == Algorithm::Winograd2d {
            self.stride
        } else {
            1
        }
    }

    /// Rows and columns of cells of the input with its border, which reaches as far as the tiles of
    /// the algorithm.
    fn padded_size(&self) -> [usize; 2] {
        let cell = self.cell();
        let [rows, columns] = self.padded_pixels().map(|size| size.div_ceil(cell));
        match self.algorithm() {
            Algorithm::Direct => [rows, columns],
            Algorithm::Winograd1d => {
                let covered = winograd_1d::covered_inputs(self.output_size()[1]);
                [rows, columns.max(covered)]
            }
            Algorithm::Winograd2d => {
                let covered = self.output_size().map(winograd_2d::covered_inputs);
                [rows.max(covered[0]), columns.max(covered[1])]
            }
        }
    }

    /// Channels of a cell: those of all its pixels.
    fn cell_channels(&self) -> usize {
        let cell = self.cell();
        checked_product([cell, cell, self.inputs])
    }

    /// Numbers in a row of cells of the input with its border.
    fn padded_row(&self) -> usize {
        checked_product([self.padded_size()[1], self.cell_channels()])
    }

    /// The first row (axis 0) or column (axis 1) of cells with pixels of the image, and the number of
    /// such rows or columns.
    fn image_cells(&self, axis: usize) -> (usize, usize) {
        let size = [self.height, self.width][axis];
        let first = self.padding[axis] / self.cell();
        (
            first,
            (size + self.padding[axis] - 1) / self.cell() + 1 - first,
        )
    }

    /// Calls `f(start in the image, start in the cells, length)` for all runs of numbers that are
    /// contiguous both in an image and in cells. Of the cells, those from row and column `first` on
    /// are there, in rows of `row` numbers.
    fn for_each_part(&self, first: [usize; 2], row: usize, mut f: impl FnMut(usize, usize, usize)) {
        let (cell, inputs, width) = (self.cell(), self.inputs, self.width);
        let cell_channels = cell * cell * inputs;
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

    /// Whether the input with its border is another than the input.
    pub(crate) fn has_border(&self) -> bool {
        self.cell() > 1 || self.padded_size() != [self.height, self.width]
    }

    /// Numbers in the input with its border.
    pub fn padded_len(&self) -> usize {
        let [rows, columns] = self.padded_size();
        checked_product([rows, columns, self.cell_channels()])
    }

    /// Rows of zeros above, and columns of zeros to the left, of an image of output gradients, from
    /// which the gradient of the input is computed.
    fn gradient_border(&self) -> [usize; 2] {
        self.kernel.map(|kernel| kernel.div_ceil(self.stride))
    }

    /// Rows and columns of an image of output gradients with its border of zeros.
    fn bordered_size(&self) -> [usize; 2] {
        let output = self.output_size();
        let border = self.gradient_border();
        let image = [self.height, self.width];
        let algorithm = self.algorithm();
        [0, 1].map(|axis| {
            let last = (image[axis] + self.padding[axis] - 1) / self.stride + 1;
            let with_border = |size: usize| checked_sum([border[axis], size]);
            let size = with_border(output[axis].max(last));
            match algorithm {
                Algorithm::Winograd1d if axis == 1 => {
                    size.max(with_border(winograd_1d::covered_outputs(output[axis])))
                }
                Algorithm::Direct | Algorithm::Winograd1d => size,
                Algorithm::Winograd2d => {
                    let of_weights = with_border(winograd_2d::covered_outputs(output[axis]));
                    let (_, cells) = self.image_cells(axis);
                    let covered = winograd_2d::covered_inputs(cells);
                    let of_input = checked_sum([self.reversed_start(axis), covered]);
                    size.max(of_weights).max(of_input)
                }
            }
        })
    }

    /// The first row (axis 0) or column (axis 1) of output gradients with their border that the
    /// gradient of the image's first cells is computed from.
    fn reversed_start(&self, axis: usize) -> usize {
        let taps = self.kernel[axis].div_ceil(self.cell());
        self.gradient_border()[axis] + self.image_cells(axis).0 + 1 - taps
    }

    /// Where the 3×3 taps on cells stand among the weights of an output.
    fn cell_taps(&self) -> CellTaps {
        let cell = self.cell();
        let [rows, columns] = self.kernel;
        if cell == 1 && [rows, columns] == [3, 3] {
            return CellTaps::InOrder;
        }
        let place = |channel: usize, tap: usize| {
            let (pixel, input) = (channel / self.inputs, channel % self.inputs);
            let row = tap / 3 * cell + pixel / cell;
            let column = tap % 3 * cell + pixel % cell;
            (row < rows && column < columns).then_some((input * rows + row) * columns + column)
        };
        let of_channel = |channel| std::array::from_fn(|tap| place(channel, tap));
        CellTaps::Places((0..self.cell_channels()).map(of_channel).collect())
    }

    /// Numbers in an image of output gradients with its border of zeros.
    pub fn bordered_len(&self) -> usize {
        let [rows, columns] = self.bordered_size();
        checked_product([rows, columns, self.outputs])
    }

    /// Where each row of output gradients stands in an image of them with its border of zeros: a
    /// function of the row's number, since it takes a while to find out where the first is.
    pub fn bordered_rows(&self) -> impl Fn(usize) -> std::ops::Range<usize> + use<> {
        let [above, left] = self.gradient_border();
        let [rows, columns] = self.bordered_size();
        let outputs = self.outputs;
        // Nothing within so many numbers wraps around.
        checked_product([rows, columns, outputs]);
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
