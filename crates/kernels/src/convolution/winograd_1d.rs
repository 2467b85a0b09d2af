//! Convolutions by Winograd's minimal filtering F(4, 5) along rows: one channel and 5×5 kernels, as the
//! first layer of a network has them.
//!
//! A tile of 8 inputs d in a row and a row g of the kernel give 4 outputs Aᵀ[(G g) ⊙ (Bᵀ d)]: 8
//! multiplications instead of 20. The products are summed over the kernel's rows before Aᵀ. Tiles
//! in both directions would save nothing more: with one channel there would be more to transform
//! than to multiply. The matrices follow from the points 0, ±1, ±2, ±½ and ∞ (Winograd 1980,
//! Arithmetic Complexity of Computations).
//!
//! The gradient of a row of the kernel is Gᵀ Σ (Bᵀ d) ⊙ (A y), summed over tiles and rows, for the
//! gradients y of outputs.
//!
//! Inputs at the points are `[tile of a row][row][point]`, weights `[vector of outputs][point][row of
//! the kernel][output of the vector]`.

use super::Convolution;
use crate::buffer::Buffer;
use crate::lengths::{checked_product, checked_sum, pooled_size};
use crate::rows::store_pooled;
use crate::simd::{Isa, Place, PlaceVisitor, Routine, Simd, for_each_place, visit_places};
use crate::tile::Strided;

/// Columns of a tile's outputs.
const OUTPUTS: usize = 4;

/// Rows and columns of the kernel.
const KERNEL: usize = 5;

/// Columns of a tile's inputs, and numbers that they become.
const POINTS: usize = OUTPUTS + KERNEL - 1;

/// Rows of output that are computed at once: an input is loaded for all of them.
const BAND: usize = 4;

/// Bᵀ, by columns: what each input contributes to the points.
const INPUT_COLUMNS: [[f32; POINTS]; POINTS] = [
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, -1.0],
    [-5.25, 1.0, 1.0, 0.25, 0.25, 4.0, 4.0, 0.0],
    [0.0, -4.25, 4.25, -2.5, 2.5, -2.5, 2.5, 5.25],
    [5.25, -4.25, -4.25, -1.25, -1.25, -5.0, -5.0, 0.0],
    [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, -5.25],
    [-1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
];

/// G g for a row of the kernel.
fn kernel_to_points(g: [f64; KERNEL]) -> [f64; POINTS] {
    let at = |x: f64| g.iter().rev().fold(0.0, |sum, g| sum * x + g);
    [
        g[0],
        at(1.0) / -4.5,
        at(-1.0) / -4.5,
        at(2.0) / 90.0,
        at(-2.0) / 90.0,
        at(0.5) * 32.0 / 45.0,
        at(-0.5) * 32.0 / 45.0,
        g[KERNEL - 1],
    ]
}

/// The sum over the points 1, 2 and ½ with a power of each as its weight.
#[inline(always)]
fn weighted<S: Simd>(
    s: S,
    [two, half]: [f32; 2],
    [at_one, at_two, at_half]: [S::F32; 3],
) -> S::F32 {
    let one_and_two = s.mul_add(s.splat(two), at_two, at_one);
    s.mul_add(s.splat(half), at_half, one_and_two)
}

/// Gᵀ m.
fn points_to_kernel(m: [f64; POINTS]) -> [f64; KERNEL] {
    let unit: [[f64; POINTS]; KERNEL] = std::array::from_fn(|column| {
        kernel_to_points(std::array::from_fn(
            |other| {
                if other == column { 1.0 } else { 0.0 }
            },
        ))
    });
    unit.map(|points| points.iter().zip(m).map(|(g, m)| g * m).sum())
}

/// A y.
#[inline(always)]
fn gradient_to_points<S: Simd>(s: S, y: [S::F32; OUTPUTS]) -> [S::F32; POINTS] {
    let (even, odd) = (s.add(y[0], y[2]), s.add(y[1], y[3]));
    let even_2 = s.mul_add(s.splat(4.0), y[2], y[0]);
    let odd_2 = s.mul_add(s.splat(8.0), y[3], s.add(y[1], y[1]));
    let even_half = s.mul_add(s.splat(0.25), y[2], y[0]);
    let odd_half = s.mul_add(s.splat(0.125), y[3], s.mul(s.splat(0.5), y[1]));
    [
        y[0],
        s.add(even, odd),
        s.sub(even, odd),
        s.add(even_2, odd_2),
        s.sub(even_2, odd_2),
        s.add(even_half, odd_half),
        s.sub(even_half, odd_half),
        y[3],
    ]
}

/// Aᵀ m.
#[inline(always)]
fn to_outputs<S: Simd>(s: S, m: [S::F32; POINTS]) -> [S::F32; OUTPUTS] {
    let (sum_1, difference_1) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (sum_2, difference_2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    let (sum_half, difference_half) = (s.add(m[5], m[6]), s.sub(m[5], m[6]));
    let sums = [sum_1, sum_2, sum_half];
    let differences = [difference_1, difference_2, difference_half];
    [
        s.add(m[0], s.add(sum_1, s.add(sum_2, sum_half))),
        weighted(s, [2.0, 0.5], differences),
        weighted(s, [4.0, 0.25], sums),
        s.add(m[7], weighted(s, [8.0, 0.125], differences)),
    ]
}

/// Whether the convolution's output and the gradient of its weights can be computed so, and are faster
/// for it.
pub(super) fn suits(convolution: &Convolution) -> bool {
    convolution.kernel == [KERNEL; 2]
        && convolution.inputs == 1
        && convolution.stride == 1
        && convolution.output_size()[1] >= OUTPUTS
}

/// Columns of input that the tiles of `size` columns of output read.
pub(super) fn covered_inputs(size: usize) -> usize {
    checked_sum([covered_outputs(size), KERNEL - 1])
}

/// Columns of output in whole tiles, for `size` of them.
pub(super) fn covered_outputs(size: usize) -> usize {
    checked_product([size.div_ceil(OUTPUTS), OUTPUTS])
}

/// Rows of input that whole bands of `rows` of output read.
fn covered_rows(rows: usize) -> usize {
    checked_sum([checked_product([rows.div_ceil(BAND), BAND]), KERNEL - 1])
}

/// Numbers at the points of an image with its border.
fn inputs_len(tiles: usize, covered_rows: usize) -> usize {
    checked_product([tiles, covered_rows, POINTS])
}

/// Numbers at the points in a band of one vector of outputs, of so many lanes.
fn band_len(tiles: usize, lanes: usize) -> usize {
    checked_product([POINTS, tiles, BAND, lanes])
}

/// Numbers of a [`Panel`]'s weights, in vectors of so many lanes.
fn weights_len(outputs: usize, lanes: usize) -> usize {
    checked_product([outputs.div_ceil(lanes), lanes, KERNEL, POINTS])
}

/// Numbers of a [`Panel`]'s weights up to those of the outputs at `place`, in vectors of so many lanes.
fn weights_end(place: Place, lanes: usize) -> usize {
    checked_product([checked_sum([place.at, lanes]), KERNEL, POINTS])
}

/// Weights at the points.
#[derive(Debug)]
pub(super) struct Panel {
    isa: Isa,
    /// Rows and columns of the output.
    size: [usize; 2],
    weights: Buffer,
    /// `[outputs]`.
    bias: Vec<f32>,
}

impl Panel {
    /// `weights`: `[outputs, 1, 5, 5]`.
    pub(super) fn new(
        isa: Isa,
        convolution: &Convolution,
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Self {
        let outputs = convolution.outputs;
        let lanes = isa.lanes();
        let mut panel = Buffer::zeros(weights_len(outputs, lanes));
        for (output, kernel) in weights.chunks_exact(KERNEL * KERNEL).enumerate() {
            for (row, g) in kernel.chunks_exact(KERNEL).enumerate() {
                let g = std::array::from_fn(|column| f64::from(g[column]));
                for (point, x) in kernel_to_points(g).into_iter().enumerate() {
                    let place = (output / lanes * POINTS + point) * KERNEL + row;
                    panel[place * lanes + output % lanes] = x as f32;
                }
            }
        }
        Self {
            isa,
            size: convolution.output_size(),
            weights: panel,
            bias: bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec),
        }
    }

    /// The outputs `[rows, columns, outputs]` for an image with its border, whose rows are
    /// `row_stride` apart; with `pool`, the largest of each 2×2 window of them.
    pub(super) fn output(&self, padded: &[f32], row_stride: usize, pool: bool, output: &mut [f32]) {
        let (inputs, covered_rows) = inputs_at_points(self.isa, padded, row_stride, self.size);
        let tiles = self.size[1].div_ceil(OUTPUTS);
        let mut products = Buffer::new(band_len(tiles, self.isa.lanes()));
        self.isa.run(Products {
            weights: &self.weights,
            lanes: self.isa.lanes(),
            bias: &self.bias,
            inputs: &inputs,
            products: &mut products,
            covered_rows,
            size: self.size,
            pool,
            output,
        });
    }
}

/// An image with its border at the points, `[tile][row][point]`, and how many rows it has: those of
/// whole bands. What is computed of rows beyond the image is not used.
fn inputs_at_points(
    isa: Isa,
    padded: &[f32],
    row_stride: usize,
    size: [usize; 2],
) -> (Buffer, usize) {
    let [rows, columns] = size;
    let tiles = columns.div_ceil(OUTPUTS);
    let covered_rows = covered_rows(rows);
    let mut points = Buffer::new(inputs_len(tiles, covered_rows));
    isa.run(TransformInputs {
        padded,
        row_stride,
        rows: checked_sum([rows, KERNEL - 1]),
        covered_rows,
        tiles,
        points: &mut points,
    });
    (points, covered_rows)
}

/// Transforms the rows of an image to the points.
struct TransformInputs<'a> {
    padded: &'a [f32],
    row_stride: usize,
    /// Rows of the image; the last is taken for those after it.
    rows: usize,
    covered_rows: usize,
    tiles: usize,
    /// `[tile][covered row][point]`.
    points: &'a mut [f32],
}

impl Routine for TransformInputs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            padded,
            row_stride,
            rows,
            covered_rows,
            tiles,
            points,
        } = self;
        let image = Strided {
            data: padded,
            start: 0,
            row_stride,
            pixel_stride: OUTPUTS,
        };
        assert!(image.covers([rows, tiles], POINTS));
        assert!(inputs_len(tiles, covered_rows) <= points.len());
        for tile in 0..tiles {
            for y in 0..covered_rows {
                for_each_place(
                    simd,
                    POINTS,
                    #[inline(always)]
                    // SAFETY: a tile's inputs lie in a row, and there is room for its points.
                    |place| unsafe {
                        let d = padded
                            .as_ptr()
                            .add(y.min(rows - 1) * row_stride + tile * OUTPUTS);
                        let mut sum = simd.splat(0.0);
                        for (i, column) in INPUT_COLUMNS.iter().enumerate() {
                            let x = simd.splat(*d.add(i));
                            sum = simd.mul_add(x, simd.load_at(column.as_ptr(), place), sum);
                        }
                        let to = (tile * covered_rows + y) * POINTS;
                        simd.store_at(points.as_mut_ptr().add(to), place, sum);
                    },
                );
            }
        }
    }
}

/// From inputs at the points to outputs.
struct Products<'a> {
    weights: &'a [f32],
    /// Outputs to a vector of the weights.
    lanes: usize,
    bias: &'a [f32],
    /// `[tile][covered row][point]`.
    inputs: &'a [f32],
    /// Room for the products of a vector of outputs in a band: `[point][tile][row][output]`.
    products: &'a mut [f32],
    covered_rows: usize,
    /// Rows and columns of the output.
    size: [usize; 2],
    pool: bool,
    output: &'a mut [f32],
}

impl Routine for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        assert_eq!(self.lanes, S::LANES);
        let channels = self.bias.len();
        visit_places(simd, channels, &mut self);
    }
}

impl PlaceVisitor for Products<'_> {
    #[inline(always)]
    fn visit<S: Simd>(&mut self, simd: S, place: Place) {
        self.check::<S>(place);
        for first in (0..self.size[0]).step_by(BAND) {
            // SAFETY: weights, inputs, products and outputs lie in their slices, as `check` asserts.
            unsafe {
                self.multiply(simd, place, first);
                self.transform_outputs(simd, place, first);
            }
        }
    }
}

impl Products<'_> {
    /// Panics if a slice is too short for the pointers of the loops at `place`.
    #[inline(always)]
    fn check<S: Simd>(&self, place: Place) {
        let [rows, columns] = self.size;
        let tiles = columns.div_ceil(OUTPUTS);
        let channels = self.bias.len();
        let [output_rows, output_columns] = pooled_size(self.size, self.pool);
        place.check(channels, S::LANES);
        assert!(covered_rows(rows) <= self.covered_rows);
        assert!(inputs_len(tiles, self.covered_rows) <= self.inputs.len());
        // The vectors of the last outputs may be half as long as those of the weights.
        assert!(S::LANES <= self.lanes);
        assert!(weights_end(place, self.lanes) <= self.weights.len());
        assert!(band_len(tiles, S::LANES) <= self.products.len());
        assert!(checked_product([output_rows, output_columns, channels]) <= self.output.len());
    }

    /// The products for the outputs at `place`, in the band that begins with row `first`.
    ///
    /// # Safety
    ///
    /// The slices must be as [`check`](Self::check) asserts for `place`, and a band of the image must
    /// begin with `first`.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(&mut self, simd: S, place: Place, first: usize) {
        let tiles = self.size[1].div_ceil(OUTPUTS);
        // SAFETY: the caller's.
        unsafe {
            let mut weights = self.weights.as_ptr().add(place.at * KERNEL * POINTS);
            let mut to = self.products.as_mut_ptr();
            for point in 0..POINTS {
                let mut kernel = [simd.splat(0.0); KERNEL];
                for kernel in &mut kernel {
                    *kernel = simd.load(weights);
                    weights = weights.wrapping_add(self.lanes);
                }
                let mut inputs = self.inputs.as_ptr().add(first * POINTS + point);
                for _ in 0..tiles {
                    let mut sums = [simd.splat(0.0); BAND];
                    for row in 0..BAND + KERNEL - 1 {
                        let x = simd.splat(*inputs.add(row * POINTS));
                        for (i, sum) in sums.iter_mut().enumerate() {
                            if (i..i + KERNEL).contains(&row) {
                                *sum = simd.mul_add(x, kernel[row - i], *sum);
                            }
                        }
                    }
                    for sum in sums {
                        simd.store(to, sum);
                        to = to.wrapping_add(S::LANES);
                    }
                    // Past the last tile nothing is read.
                    inputs = inputs.wrapping_add(self.covered_rows * POINTS);
                }
            }
        }
    }

    /// The outputs of a tile in row number `row` of the band, without bias.
    ///
    /// # Safety
    ///
    /// As for [`multiply`](Self::multiply).
    #[inline(always)]
    unsafe fn row_of_outputs<S: Simd>(
        &self,
        simd: S,
        tile: usize,
        row: usize,
    ) -> [S::F32; OUTPUTS] {
        let tiles = self.size[1].div_ceil(OUTPUTS);
        let mut m = [simd.splat(0.0); POINTS];
        for (point, m) in m.iter_mut().enumerate() {
            let from = ((point * tiles + tile) * BAND + row) * S::LANES;
            // SAFETY: the caller's.
            *m = unsafe { simd.load(self.products.as_ptr().add(from)) };
        }
        to_outputs(simd, m)
    }

    /// The outputs at `place`, in the band that begins with row `first`, from their products.
    ///
    /// # Safety
    ///
    /// As for [`multiply`](Self::multiply).
    #[inline(always)]
    unsafe fn transform_outputs<S: Simd>(&mut self, simd: S, place: Place, first: usize) {
        let [rows, columns] = self.size;
        let tiles = columns.div_ceil(OUTPUTS);
        let channels = self.bias.len();
        // SAFETY: the caller's; of outputs, those in the image are written.
        unsafe {
            let bias = simd.load_at(self.bias.as_ptr(), place);
            let output = self.output.as_mut_ptr();
            for tile in 0..tiles {
                let column = tile * OUTPUTS;
                let columns_here = (columns - column).min(OUTPUTS);
                if self.pool {
                    for row in (0..BAND.min(rows - first) - 1).step_by(2) {
                        let pair = [
                            self.row_of_outputs(simd, tile, row),
                            self.row_of_outputs(simd, tile, row + 1),
                        ];
                        let pixel = (first + row) / 2 * (columns / 2) + column / 2;
                        let to = output.add(pixel * channels);
                        store_pooled(simd, pair, bias, to, columns_here / 2, channels, place);
                    }
                    continue;
                }
                for row in 0..BAND.min(rows - first) {
                    let to = output.add(((first + row) * columns + column) * channels);
                    for (j, x) in self
                        .row_of_outputs(simd, tile, row)
                        .into_iter()
                        .enumerate()
                        .take(columns_here)
                    {
                        simd.store_at(to.add(j * channels), place, simd.add(x, bias));
                    }
                }
            }
        }
    }
}

/// The gradient of the weights at the points, summed over tiles.
#[derive(Debug)]
pub(super) struct GradientSums {
    isa: Isa,
    /// Rows and columns of the output.
    size: [usize; 2],
    outputs: usize,
    /// In the order of a [`Panel`].
    pub sums: Buffer,
}

impl GradientSums {
    pub(super) fn new(isa: Isa, convolution: &Convolution) -> Self {
        let outputs = convolution.outputs;
        Self {
            isa,
            size: convolution.output_size(),
            outputs,
            sums: Buffer::zeros(weights_len(outputs, isa.lanes())),
        }
    }

    /// Adds what an image contributes. `padded` is the image with its border, `gradient`
    /// that of its outputs, with zeros where the last tile of a row reaches beyond the image.
    pub(super) fn add(
        &mut self,
        padded: &[f32],
        padded_row_stride: usize,
        gradient: &[f32],
        gradient_row_stride: usize,
    ) {
        let (inputs, covered_rows) =
            inputs_at_points(self.isa, padded, padded_row_stride, self.size);
        let tiles = self.size[1].div_ceil(OUTPUTS);
        let mut gradients = Buffer::new(band_len(tiles, self.isa.lanes()));
        self.isa.run(AddProducts {
            inputs: &inputs,
            covered_rows,
            gradient,
            gradient_row_stride,
            gradients: &mut gradients,
            size: self.size,
            channels: self.outputs,
            lanes: self.isa.lanes(),
            sums: &mut self.sums,
        });
    }

    /// Calls `f(output, kernel row, gradients)` for the rows of all kernels.
    pub(super) fn for_each_row(&self, mut f: impl FnMut(usize, usize, [f64; KERNEL])) {
        let lanes = self.isa.lanes();
        for output in 0..self.outputs {
            for row in 0..KERNEL {
                let m = std::array::from_fn(|point| {
                    let place = (output / lanes * POINTS + point) * KERNEL + row;
                    f64::from(self.sums[place * lanes + output % lanes])
                });
                f(output, row, points_to_kernel(m));
            }
        }
    }
}

/// Adds the products of inputs and gradients at the points.
struct AddProducts<'a> {
    /// `[tile][covered row][point]`.
    inputs: &'a [f32],
    covered_rows: usize,
    gradient: &'a [f32],
    gradient_row_stride: usize,
    /// Room for the gradients of a vector of outputs in a band: `[point][tile][row][output]`.
    gradients: &'a mut [f32],
    /// Rows and columns of the output.
    size: [usize; 2],
    channels: usize,
    /// Outputs to a vector of the sums.
    lanes: usize,
    sums: &'a mut [f32],
}

impl Routine for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        assert_eq!(self.lanes, S::LANES);
        visit_places(simd, self.channels, &mut self);
    }
}

impl PlaceVisitor for AddProducts<'_> {
    #[inline(always)]
    fn visit<S: Simd>(&mut self, simd: S, place: Place) {
        self.check::<S>(place);
        for first in (0..self.size[0]).step_by(BAND) {
            // SAFETY: inputs, gradients and sums lie in their slices, as `check` asserts.
            unsafe {
                self.transform_gradients(simd, place, first);
                self.multiply(simd, place, first);
            }
        }
    }
}

impl AddProducts<'_> {
    /// Panics if a slice is too short for the pointers of the loops at `place`.
    #[inline(always)]
    fn check<S: Simd>(&self, place: Place) {
        let [rows, columns] = self.size;
        let tiles = columns.div_ceil(OUTPUTS);
        let gradient = Strided {
            data: self.gradient,
            start: 0,
            row_stride: self.gradient_row_stride,
            pixel_stride: self.channels,
        };
        place.check(self.channels, S::LANES);
        assert!(covered_rows(rows) <= self.covered_rows);
        assert!(inputs_len(tiles, self.covered_rows) <= self.inputs.len());
        assert!(gradient.covers([rows, covered_outputs(columns)], self.channels));
        assert!(band_len(tiles, S::LANES) <= self.gradients.len());
        // The vectors of the last outputs may be half as long as those of the sums.
        assert!(S::LANES <= self.lanes);
        assert!(weights_end(place, self.lanes) <= self.sums.len());
    }

    /// The gradients of the outputs at `place` at the points, in the band that begins with row
    /// `first`; zeros for rows beyond the image.
    ///
    /// # Safety
    ///
    /// The slices must be as [`check`](Self::check) asserts for `place`, and a band of the image must
    /// begin with `first`.
    #[inline(always)]
    unsafe fn transform_gradients<S: Simd>(&mut self, simd: S, place: Place, first: usize) {
        let [rows, columns] = self.size;
        let tiles = columns.div_ceil(OUTPUTS);
        for tile in 0..tiles {
            for row in 0..BAND {
                let mut y = [simd.splat(0.0); OUTPUTS];
                if first + row < rows {
                    let start =
                        (first + row) * self.gradient_row_stride + tile * OUTPUTS * self.channels;
                    for (column, y) in y.iter_mut().enumerate() {
                        let from = start + column * self.channels;
                        // SAFETY: the caller's.
                        *y = unsafe { simd.load_at(self.gradient.as_ptr().add(from), place) };
                    }
                }
                for (point, x) in gradient_to_points(simd, y).into_iter().enumerate() {
                    let to = ((point * tiles + tile) * BAND + row) * S::LANES;
                    // SAFETY: the caller's.
                    unsafe { simd.store(self.gradients.as_mut_ptr().add(to), x) };
                }
            }
        }
    }

    /// Adds the products of the band that begins with row `first`, for the outputs at `place`.
    ///
    /// # Safety
    ///
    /// As for [`transform_gradients`](Self::transform_gradients).
    #[inline(always)]
    unsafe fn multiply<S: Simd>(&mut self, simd: S, place: Place, first: usize) {
        let tiles = self.size[1].div_ceil(OUTPUTS);
        // SAFETY: the caller's.
        unsafe {
            let mut to = self.sums.as_mut_ptr().add(place.at * KERNEL * POINTS);
            let mut gradients = self.gradients.as_ptr();
            for point in 0..POINTS {
                let mut inputs = self.inputs.as_ptr().add(first * POINTS + point);
                // Of even and of odd rows, so that an addition need not wait for the last.
                let mut sums = [[simd.splat(0.0); KERNEL]; 2];
                for _ in 0..tiles {
                    let mut y = [simd.splat(0.0); BAND];
                    for y in &mut y {
                        *y = simd.load(gradients);
                        gradients = gradients.wrapping_add(S::LANES);
                    }
                    for row in 0..BAND + KERNEL - 1 {
                        let x = simd.splat(*inputs.add(row * POINTS));
                        for (i, y) in y.into_iter().enumerate() {
                            if (i..i + KERNEL).contains(&row) {
                                let sum = &mut sums[i % 2][row - i];
                                *sum = simd.mul_add(x, y, *sum);
                            }
                        }
                    }
                    // Past the last tile nothing is read.
                    inputs = inputs.wrapping_add(self.covered_rows * POINTS);
                }
                let [even, odd] = sums;
                for (even, odd) in even.into_iter().zip(odd) {
                    let sum = simd.add(simd.load(to), simd.add(even, odd));
                    simd.store(to, sum);
                    to = to.wrapping_add(self.lanes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Visits the places of so many outputs.
    struct Visit<V>(V, usize);

    impl<V: PlaceVisitor> Routine for Visit<V> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(mut self, simd: S) {
            visit_places(simd, self.1, &mut self.0);
        }
    }

    #[test]
    #[should_panic(expected = "self.at <= len")]
    fn there_are_no_outputs_beyond_the_channels() {
        let lanes = Isa::Portable.lanes();
        let products = Products {
            weights: &vec![0.0; weights_len(2 * lanes, lanes)],
            lanes,
            bias: &vec![0.0; lanes],
            inputs: &vec![0.0; inputs_len(1, covered_rows(1))],
            products: &mut vec![0.0; band_len(1, lanes)],
            covered_rows: covered_rows(1),
            size: [1, OUTPUTS],
            pool: false,
            output: &mut vec![0.0; OUTPUTS * lanes],
        };
        Isa::Portable.run(Visit(products, 2 * lanes));
    }

    #[test]
    #[should_panic(expected = "self.at <= len")]
    fn there_are_no_gradients_beyond_the_channels() {
        let lanes = Isa::Portable.lanes();
        let products = AddProducts {
            inputs: &vec![0.0; inputs_len(1, covered_rows(1))],
            covered_rows: covered_rows(1),
            gradient: &vec![0.0; OUTPUTS * lanes],
            gradient_row_stride: 0,
            gradients: &mut vec![0.0; band_len(1, lanes)],
            size: [1, OUTPUTS],
            channels: lanes,
            lanes,
            sums: &mut vec![0.0; weights_len(2 * lanes, lanes)],
        };
        Isa::Portable.run(Visit(products, 2 * lanes));
    }
}
