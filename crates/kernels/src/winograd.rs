//! Convolutions with 3×3 kernels by Winograd's minimal filtering, with 4×4 outputs to a tile.
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

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::convolution::Convolution;
use crate::rows::largest_of;
use crate::simd::{Isa, Routine, Simd, for_each_place};
use crate::tasks;
use crate::tile::{Block, Blocks, Order, OuterSweep, Start, Sweep};

/// Rows and columns of a tile's outputs.
pub(crate) const OUTPUTS: usize = 4;

/// Rows and columns of a tile's inputs.
const INPUTS: usize = 6;

/// Rows and columns of the kernel.
const KERNEL: usize = 3;

const POINTS: usize = INPUTS * INPUTS;

const TAPS: usize = KERNEL * KERNEL;

/// Channels below which transforming takes longer than it saves.
const FEWEST_CHANNELS: usize = 12;

/// Tiles that are computed at once, so that weights are loaded for many of them.
const TILES: usize = 12;

/// Numbers of transformed weights above which their gradient is not computed at the points: every
/// task has sums of its own, and adding them up would take longer than is saved.
const MOST_SUMS: usize = 1 << 18;

/// Whether this is the way to compute the convolution: its kernel has 3×3 taps, or it is one with
/// such a kernel on cells of `stride`×`stride` pixels as channels.
pub(crate) fn suits(convolution: &Convolution) -> bool {
    let Convolution {
        inputs,
        outputs,
        kernel,
        stride,
        ..
    } = *convolution;
    let cell = inputs * stride * stride;
    stride <= 2
        && kernel
            .iter()
            .all(|kernel| kernel.div_ceil(stride) == KERNEL)
        && cell.min(outputs) >= FEWEST_CHANNELS
        && convolution
            .output_size()
            .iter()
            .all(|&size| size >= OUTPUTS)
}

/// How many images of `size` outputs are computed at once.
pub(crate) fn group(size: [usize; 2]) -> usize {
    let [rows, columns] = size.map(|size| size.div_ceil(OUTPUTS));
    TILES.div_ceil(rows * columns)
}

/// Whether the gradient of the weights is computed at the points too.
pub(crate) fn suits_weights(convolution: &Convolution) -> bool {
    let cell = convolution.inputs * convolution.stride * convolution.stride;
    suits(convolution) && cell * convolution.outputs * POINTS <= MOST_SUMS
}

/// From the numbers of one point to those of the next, of which each has `len`: an odd number of
/// cache lines. Transforms go through all points at once, and at a distance of 2 KB, say, they would
/// all fall on the same few sets of the first-level cache.
fn point_distance(len: usize) -> usize {
    const LINE: usize = 64 / size_of::<f32>();
    (len.div_ceil(LINE) | 1) * LINE
}

/// Rows (or columns) of input that the tiles of `size` outputs read.
pub(crate) fn covered_inputs(size: usize) -> usize {
    size.div_ceil(OUTPUTS) * OUTPUTS + KERNEL - 1
}

/// Weights at the points, as panels: `[point][block of outputs][input][output of the block]`.
#[derive(Debug)]
pub(crate) struct Panel {
    isa: Isa,
    blocks: Blocks,
    inputs: usize,
    weights: Buffer,
    bias: Vec<f32>,
}

/// Part of a panel: some inputs of a block.
struct Part<'a> {
    block: Block,
    /// The first of the inputs.
    input: usize,
    /// Of each point `[input][output of the block]`.
    points: Vec<&'a mut [f32]>,
}

impl<'a> Part<'a> {
    /// Inputs in a part.
    const INPUTS: usize = 16;

    fn of(blocks: Blocks, inputs: usize, weights: &'a mut [f32]) -> Vec<Self> {
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
                let (here, after) = rest.split_at_mut(rows * blocks.width(part.block));
                part.points.push(here);
                rest = after;
            }
        }
        parts
    }
}

/// Images among others in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub numbers: &'a [f32],
    /// The first number of the first tile.
    pub start: usize,
    /// From one row to the next.
    pub row: usize,
    pub channels: usize,
}

impl Panel {
    /// `kernel(output, input, tap)` is the weight for tap number `tap` of 9.
    pub(crate) fn new(
        isa: Isa,
        [outputs, inputs]: [usize; 2],
        bias: Option<&[f32]>,
        kernel: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let blocks = Blocks::new(isa, outputs);
        let mut weights = Buffer::new(POINTS * blocks.panel_len(inputs));
        let parts = Part::of(blocks, inputs, &mut weights);
        tasks::for_each(parts.into_par_iter(), |part| {
            let width = blocks.width(part.block);
            let count = part.points[0].len();
            // Small enough for the first-level cache.
            let mut taps = Buffer::zeros(TAPS * count);
            for column in 0..blocks.columns(part.block) {
                for row in 0..count / width {
                    for tap in 0..TAPS {
                        taps[tap * count + row * width + column] =
                            kernel(part.block.first + column, part.input + row, tap);
                    }
                }
            }
            isa.run(TransformKernels {
                taps: &taps,
                points: part.points,
            });
        });
        let mut padded_bias = vec![0.0; blocks.panel_len(1)];
        if let Some(bias) = bias {
            padded_bias[..bias.len()].copy_from_slice(bias);
        }
        Self {
            isa,
            blocks,
            inputs,
            weights,
            bias: padded_bias,
        }
    }

    /// The convolution's outputs `[rows, columns, outputs]` for some images; with `pool`, the
    /// largest of each 2×2 window of them.
    pub(crate) fn output<'a>(
        &self,
        images: impl Iterator<Item = View<'a>>,
        size: [usize; 2],
        pool: bool,
        output: &mut [f32],
    ) {
        let tiles = size.map(|size| size.div_ceil(OUTPUTS));
        let in_image = tiles[0] * tiles[1];
        let outputs = self.blocks.channels();
        let shrink = if pool { 2 } else { 1 };
        let output_len = (size[0] / shrink) * (size[1] / shrink) * outputs;
        let count = output.len() / output_len * in_image;
        let input_distance = point_distance(count * self.inputs);
        let output_distance = point_distance(count * outputs);
        let mut transformed = Buffer::new(POINTS * input_distance);
        let mut products = Buffer::new(POINTS * output_distance);
        for (number, image) in images.enumerate() {
            assert_eq!(image.channels, self.inputs);
            self.isa.run(TransformInputs {
                image,
                tiles,
                first: number * in_image,
                distance: input_distance,
                points: &mut transformed,
            });
        }
        let point_len = self.blocks.panel_len(self.inputs);
        self.isa.run(Sweep {
            blocks: self.blocks,
            panel: &self.weights,
            panel_rows: (self.inputs, 0),
            panel_row: point_len,
            start: Start::Zero,
            source: &transformed,
            source_start: 0,
            source_row: input_distance,
            source_pixel: self.inputs,
            source_tap: 0,
            taps: 1,
            tap_len: self.inputs,
            target: &mut products,
            target_start: 0,
            target_row: output_distance,
            target_pixel: outputs,
            size: [POINTS, count],
        });
        for (number, output) in output.chunks_exact_mut(output_len).enumerate() {
            self.isa.run(TransformOutputs {
                points: &products,
                bias: &self.bias,
                tiles,
                first: number * in_image,
                distance: output_distance,
                size,
                pool,
                channels: outputs,
                output,
            });
        }
    }
}

/// G g for one column.
#[inline(always)]
fn kernel_to_points<S: Simd>(s: S, g: [S::F32; KERNEL]) -> [S::F32; INPUTS] {
    let [sixth, twelfth] = [s.splat(-1.0 / 6.0), s.splat(1.0 / 12.0)];
    let even = s.mul(sixth, s.add(g[0], g[2]));
    let odd = s.mul(sixth, g[1]);
    let even_2 = s.mul_add(s.splat(4.0), g[2], g[0]);
    let even_2 = s.mul(s.splat(1.0 / 24.0), even_2);
    let odd_2 = s.mul(twelfth, g[1]);
    [
        s.mul(s.splat(0.25), g[0]),
        s.add(even, odd),
        s.sub(even, odd),
        s.add(even_2, odd_2),
        s.sub(even_2, odd_2),
        g[2],
    ]
}

/// Gᵀ m for one column.
#[inline(always)]
fn points_to_kernel<S: Simd>(s: S, m: [S::F32; INPUTS]) -> [S::F32; KERNEL] {
    let sixth = s.splat(-1.0 / 6.0);
    let even = s.mul(sixth, s.add(m[1], m[2]));
    let odd = s.mul(sixth, s.sub(m[1], m[2]));
    let sum_2 = s.mul(s.splat(1.0 / 24.0), s.add(m[3], m[4]));
    [
        s.mul_add(s.splat(0.25), m[0], s.add(even, sum_2)),
        s.mul_add(s.splat(1.0 / 12.0), s.sub(m[3], m[4]), odd),
        s.add(m[5], s.mul_add(s.splat(4.0), sum_2, even)),
    ]
}

/// G g Gᵀ for kernels next to each other: from `[tap][kernel]` to the kernels of every point.
struct TransformKernels<'a> {
    taps: &'a [f32],
    points: Vec<&'a mut [f32]>,
}

impl Routine for TransformKernels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let count = self.taps.len() / TAPS;
        assert_eq!(self.points.len(), POINTS);
        assert!(self.points.iter().all(|point| point.len() == count));
        let mut points = [std::ptr::null_mut(); POINTS];
        for (to, point) in points.iter_mut().zip(self.points) {
            *to = point.as_mut_ptr();
        }
        for_each_place(
            simd,
            count,
            #[inline(always)]
            // SAFETY: there are `count` numbers for every tap and every point.
            |place| unsafe {
                let mut half = [[simd.splat(0.0); KERNEL]; INPUTS];
                for column in 0..KERNEL {
                    let mut g = [simd.splat(0.0); KERNEL];
                    for (row, g) in g.iter_mut().enumerate() {
                        let tap = row * KERNEL + column;
                        *g = simd.load_at(self.taps.as_ptr().add(tap * count), place);
                    }
                    for (half, x) in half.iter_mut().zip(kernel_to_points(simd, g)) {
                        half[column] = x;
                    }
                }
                for (row, g) in half.into_iter().enumerate() {
                    for (column, x) in kernel_to_points(simd, g).into_iter().enumerate() {
                        let point = row * INPUTS + column;
                        simd.store_at(points[point], place, x);
                    }
                }
            },
        );
    }
}

/// Gᵀ m G for kernels next to each other: from `[point][kernel]` to `[tap][kernel]`.
struct TransformSums<'a> {
    points: &'a [f32],
    taps: &'a mut [f32],
}

impl Routine for TransformSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let count = self.points.len() / POINTS;
        assert_eq!(self.taps.len(), TAPS * count);
        let taps = self.taps.as_mut_ptr();
        for_each_place(
            simd,
            count,
            #[inline(always)]
            // SAFETY: there are `count` numbers for every tap and every point.
            |place| unsafe {
                let mut half = [[simd.splat(0.0); INPUTS]; KERNEL];
                for column in 0..INPUTS {
                    let mut m = [simd.splat(0.0); INPUTS];
                    for (row, m) in m.iter_mut().enumerate() {
                        let point = row * INPUTS + column;
                        *m = simd.load_at(self.points.as_ptr().add(point * count), place);
                    }
                    for (half, x) in half.iter_mut().zip(points_to_kernel(simd, m)) {
                        half[column] = x;
                    }
                }
                for (row, m) in half.into_iter().enumerate() {
                    for (column, x) in points_to_kernel(simd, m).into_iter().enumerate() {
                        let tap = row * KERNEL + column;
                        simd.store_at(taps.add(tap * count), place, x);
                    }
                }
            },
        );
    }
}

/// Bᵀ d for one column.
#[inline(always)]
fn to_points<S: Simd>(s: S, d: [S::F32; INPUTS]) -> [S::F32; INPUTS] {
    let [four, minus_four, minus_five] = [s.splat(4.0), s.splat(-4.0), s.splat(-5.0)];
    let a = s.mul_add(minus_four, d[2], d[4]);
    let b = s.mul_add(minus_four, d[1], d[3]);
    let c = s.sub(d[4], d[2]);
    let difference = s.sub(d[3], d[1]);
    let e = s.add(difference, difference);
    [
        s.mul_add(four, d[0], s.mul_add(minus_five, d[2], d[4])),
        s.add(a, b),
        s.sub(a, b),
        s.add(c, e),
        s.sub(c, e),
        s.mul_add(four, d[1], s.mul_add(minus_five, d[3], d[5])),
    ]
}

/// Aᵀ m for one column.
#[inline(always)]
fn to_outputs<S: Simd>(s: S, m: [S::F32; INPUTS]) -> [S::F32; OUTPUTS] {
    let (sum_1, difference_1) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (sum_2, difference_2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(m[0], s.add(sum_1, sum_2)),
        s.mul_add(s.splat(2.0), difference_2, difference_1),
        s.mul_add(s.splat(4.0), sum_2, sum_1),
        s.add(m[5], s.mul_add(s.splat(8.0), difference_2, difference_1)),
    ]
}

/// A y for one column.
#[inline(always)]
fn gradient_to_points<S: Simd>(s: S, y: [S::F32; OUTPUTS]) -> [S::F32; INPUTS] {
    let (even, odd) = (s.add(y[0], y[2]), s.add(y[1], y[3]));
    let twice = s.add(y[1], y[1]);
    let even_2 = s.mul_add(s.splat(4.0), y[2], y[0]);
    let odd_2 = s.mul_add(s.splat(8.0), y[3], twice);
    [
        y[0],
        s.add(even, odd),
        s.sub(even, odd),
        s.add(even_2, odd_2),
        s.sub(even_2, odd_2),
        y[3],
    ]
}

/// Transforms the tiles of an image to the points, as tiles `first` and after.
struct TransformInputs<'a> {
    image: View<'a>,
    tiles: [usize; 2],
    first: usize,
    /// From one point to the next.
    distance: usize,
    points: &'a mut [f32],
}

impl Routine for TransformInputs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            image,
            tiles: [rows, columns],
            first,
            distance,
            points,
        } = self;
        let channels = image.channels;
        let last_row = image.start + (rows * OUTPUTS + KERNEL - 2) * image.row;
        assert!(last_row + (columns * OUTPUTS + KERNEL - 1) * channels <= image.numbers.len());
        assert!((first + rows * columns) * channels <= distance);
        assert!(points.len() >= POINTS * distance);
        let points = points.as_mut_ptr();
        for tile in 0..rows * columns {
            let start = image.start
                + tile / columns * OUTPUTS * image.row
                + tile % columns * OUTPUTS * channels;
            // SAFETY: the tile's rows and columns, and its place at all points, lie within the
            // slices, as asserted above.
            for_each_place(
                simd,
                channels,
                #[inline(always)]
                |place| unsafe {
                    let from = image.numbers.as_ptr().add(start);
                    let to = points.add((first + tile) * channels);
                    let mut half = [[simd.splat(0.0); INPUTS]; INPUTS];
                    for column in 0..INPUTS {
                        let mut d = [simd.splat(0.0); INPUTS];
                        for (row, d) in d.iter_mut().enumerate() {
                            *d = simd.load_at(from.add(row * image.row + column * channels), place);
                        }
                        for (half, x) in half.iter_mut().zip(to_points(simd, d)) {
                            half[column] = x;
                        }
                    }
                    for (row, d) in half.into_iter().enumerate() {
                        for (column, x) in to_points(simd, d).into_iter().enumerate() {
                            let point = row * INPUTS + column;
                            simd.store_at(to.add(point * distance), place, x);
                        }
                    }
                },
            );
        }
    }
}

struct TransformOutputs<'a> {
    points: &'a [f32],
    bias: &'a [f32],
    tiles: [usize; 2],
    first: usize,
    distance: usize,
    size: [usize; 2],
    pool: bool,
    channels: usize,
    output: &'a mut [f32],
}

impl Routine for TransformOutputs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            points,
            bias,
            tiles: [tile_rows, tile_columns],
            first,
            distance,
            size: [rows, columns],
            pool,
            channels,
            output,
        } = self;
        let tiles = tile_rows * tile_columns;
        assert!((first + tiles) * channels <= distance);
        assert!(points.len() >= POINTS * distance);
        assert!(bias.len() >= channels);
        let shrink = if pool { 2 } else { 1 };
        assert!(output.len() >= (rows / shrink) * (columns / shrink) * channels);
        let output = output.as_mut_ptr();
        for tile in 0..tiles {
            let (row, column) = (tile / tile_columns * OUTPUTS, tile % tile_columns * OUTPUTS);
            let (rows_here, columns_here) =
                ((rows - row).min(OUTPUTS), (columns - column).min(OUTPUTS));
            // SAFETY: the tile's place at all points, and the rows and columns of it that are
            // in the image, lie within the slices.
            for_each_place(
                simd,
                channels,
                #[inline(always)]
                |place| unsafe {
                    let from = points.as_ptr().add((first + tile) * channels);
                    let mut half = [[simd.splat(0.0); INPUTS]; OUTPUTS];
                    for column in 0..INPUTS {
                        let mut m = [simd.splat(0.0); INPUTS];
                        for (row, m) in m.iter_mut().enumerate() {
                            let point = row * INPUTS + column;
                            *m = simd.load_at(from.add(point * distance), place);
                        }
                        for (half, x) in half.iter_mut().zip(to_outputs(simd, m)) {
                            half[column] = x;
                        }
                    }
                    let bias = simd.load_at(bias.as_ptr(), place);
                    if pool {
                        let (row, column) = (row / 2, column / 2);
                        for i in 0..rows_here / 2 {
                            let to = output.add(((row + i) * (columns / 2) + column) * channels);
                            let above = to_outputs(simd, half[2 * i]);
                            let below = to_outputs(simd, half[2 * i + 1]);
                            for j in 0..columns_here / 2 {
                                let window = [
                                    above[2 * j],
                                    above[2 * j + 1],
                                    below[2 * j],
                                    below[2 * j + 1],
                                ];
                                let x = largest_of(simd, window);
                                simd.store_at(to.add(j * channels), place, simd.add(x, bias));
                            }
                        }
                        return;
                    }
                    for (i, m) in half.into_iter().enumerate().take(rows_here) {
                        let to = output.add(((row + i) * columns + column) * channels);
                        let outputs = to_outputs(simd, m);
                        for (j, x) in outputs.into_iter().enumerate().take(columns_here) {
                            simd.store_at(to.add(j * channels), place, simd.add(x, bias));
                        }
                    }
                },
            );
        }
    }
}

/// The gradient of the weights at the points, summed over tiles.
#[derive(Debug)]
pub(crate) struct GradientSums {
    isa: Isa,
    blocks: Blocks,
    inputs: usize,
    /// In the order of a [`Panel`].
    pub sums: Buffer,
}

impl GradientSums {
    pub(crate) fn new(isa: Isa, [outputs, inputs]: [usize; 2]) -> Self {
        let blocks = Blocks::new(isa, outputs);
        Self {
            isa,
            blocks,
            inputs,
            sums: Buffer::zeros(POINTS * blocks.panel_len(inputs)),
        }
    }

    /// Adds what some images contribute; each has `size` outputs, in whole tiles of which those
    /// beyond the image have gradient zero. Pairs of an image and its gradient.
    pub(crate) fn add(&mut self, images: &[(View, View)], size: [usize; 2]) {
        let tiles = size.map(|size| size.div_ceil(OUTPUTS));
        let count = tiles[0] * tiles[1];
        let all = images.len() * count;
        let outputs = self.blocks.channels();
        let input_distance = point_distance(all * self.inputs);
        let gradient_distance = point_distance(all * outputs);
        let mut inputs = Buffer::new(POINTS * input_distance);
        let mut gradients = Buffer::new(POINTS * gradient_distance);
        for (number, &(image, gradient)) in images.iter().enumerate() {
            let first = number * count;
            self.isa.run(TransformInputs {
                image,
                tiles,
                first,
                distance: input_distance,
                points: &mut inputs,
            });
            self.isa.run(TransformGradients {
                gradient,
                tiles,
                first,
                distance: gradient_distance,
                points: &mut gradients,
            });
        }
        let point_len = self.blocks.panel_len(self.inputs);
        for (point, sums) in self.sums.chunks_exact_mut(point_len).enumerate() {
            self.isa.run(OuterSweep {
                blocks: self.blocks,
                inputs: self.inputs,
                source: &inputs,
                source_start: point * input_distance,
                source_row: 0,
                source_pixel: self.inputs,
                gradient: &gradients,
                gradient_start: point * gradient_distance,
                gradient_row: 0,
                gradient_pixel: outputs,
                rows: 1,
                columns: all,
                sums,
                order: Order::Panel {
                    rows: self.inputs,
                    first: 0,
                },
            });
        }
    }

    /// Calls `f(output, input, tap, gradient)` for all weights.
    pub(crate) fn for_each_tap(&self, mut f: impl FnMut(usize, usize, usize, f32)) {
        let point_len = self.blocks.panel_len(self.inputs);
        let mut taps = Buffer::new(TAPS * point_len);
        self.isa.run(TransformSums {
            points: &self.sums,
            taps: &mut taps,
        });
        for output in 0..self.blocks.channels() {
            let (start, width) = self.blocks.column(output, self.inputs);
            for input in 0..self.inputs {
                for tap in 0..TAPS {
                    let gradient = taps[tap * point_len + start + input * width];
                    f(output, input, tap, gradient);
                }
            }
        }
    }
}

struct TransformGradients<'a> {
    gradient: View<'a>,
    tiles: [usize; 2],
    first: usize,
    distance: usize,
    points: &'a mut [f32],
}

impl Routine for TransformGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            gradient,
            tiles: [rows, columns],
            first,
            distance,
            points,
        } = self;
        let channels = gradient.channels;
        let last_row = gradient.start + (rows * OUTPUTS - 1) * gradient.row;
        assert!(last_row + columns * OUTPUTS * channels <= gradient.numbers.len());
        assert!((first + rows * columns) * channels <= distance);
        assert!(points.len() >= POINTS * distance);
        let points = points.as_mut_ptr();
        for tile in 0..rows * columns {
            let start = gradient.start
                + tile / columns * OUTPUTS * gradient.row
                + tile % columns * OUTPUTS * channels;
            // SAFETY: as in `TransformInputs`.
            for_each_place(
                simd,
                channels,
                #[inline(always)]
                |place| unsafe {
                    let from = gradient.numbers.as_ptr().add(start);
                    let to = points.add((first + tile) * channels);
                    let mut half = [[simd.splat(0.0); OUTPUTS]; INPUTS];
                    for column in 0..OUTPUTS {
                        let mut y = [simd.splat(0.0); OUTPUTS];
                        for (row, y) in y.iter_mut().enumerate() {
                            let offset = row * gradient.row + column * channels;
                            *y = simd.load_at(from.add(offset), place);
                        }
                        for (half, x) in half.iter_mut().zip(gradient_to_points(simd, y)) {
                            half[column] = x;
                        }
                    }
                    for (row, y) in half.into_iter().enumerate() {
                        for (column, x) in gradient_to_points(simd, y).into_iter().enumerate() {
                            let point = row * INPUTS + column;
                            simd.store_at(to.add(point * distance), place, x);
                        }
                    }
                },
            );
        }
    }
}
