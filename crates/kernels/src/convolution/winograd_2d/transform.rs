//! The transforms to Winograd's points and back, and the loops that take memory through them.
//!
//! The points of a tile are `[row][column]`, 6×6 of them. A transform is a matrix that is multiplied
//! to the columns of a square and then to the rows of what comes of it.

use super::{INPUTS, KERNEL, OUTPUTS, POINTS, TAPS};
use crate::lengths::{checked_product, checked_sum, pooled_size};
use crate::rows::store_pooled;
use crate::simd::{Routine, Simd, for_each_place};
use crate::tile::Strided;

/// Multiplication by a matrix of `TO` rows and `FROM` columns.
pub(super) trait Transform<const FROM: usize, const TO: usize>: Copy {
    fn apply<S: Simd>(self, s: S, x: [S::F32; FROM]) -> [S::F32; TO];
}

/// G.
#[derive(Clone, Copy)]
struct KernelToPoints;

impl Transform<KERNEL, INPUTS> for KernelToPoints {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, g: [S::F32; KERNEL]) -> [S::F32; INPUTS] {
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
}

/// Gᵀ.
#[derive(Clone, Copy)]
struct PointsToKernel;

impl Transform<INPUTS, KERNEL> for PointsToKernel {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, m: [S::F32; INPUTS]) -> [S::F32; KERNEL] {
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
}

/// Bᵀ.
#[derive(Clone, Copy)]
pub(super) struct InputToPoints;

impl Transform<INPUTS, INPUTS> for InputToPoints {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, d: [S::F32; INPUTS]) -> [S::F32; INPUTS] {
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
}

/// A.
#[derive(Clone, Copy)]
pub(super) struct GradientToPoints;

impl Transform<OUTPUTS, INPUTS> for GradientToPoints {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, y: [S::F32; OUTPUTS]) -> [S::F32; INPUTS] {
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
}

/// Aᵀ.
#[derive(Clone, Copy)]
struct PointsToOutput;

impl Transform<INPUTS, OUTPUTS> for PointsToOutput {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, m: [S::F32; INPUTS]) -> [S::F32; OUTPUTS] {
        let (sum_1, difference_1) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
        let (sum_2, difference_2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
        [
            s.add(m[0], s.add(sum_1, sum_2)),
            s.mul_add(s.splat(2.0), difference_2, difference_1),
            s.mul_add(s.splat(4.0), sum_2, sum_1),
            s.add(m[5], s.mul_add(s.splat(8.0), difference_2, difference_1)),
        ]
    }
}

/// `transform` times the square whose numbers `load` gives by row and column.
#[inline(always)]
fn transform_columns<S: Simd, const FROM: usize, const TO: usize>(
    s: S,
    transform: impl Transform<FROM, TO>,
    load: impl Fn(usize, usize) -> S::F32,
) -> [[S::F32; FROM]; TO] {
    let mut product = [[s.splat(0.0); FROM]; TO];
    for column in 0..FROM {
        let mut numbers = [s.splat(0.0); FROM];
        for (row, x) in numbers.iter_mut().enumerate() {
            *x = load(row, column);
        }
        for (product, x) in product.iter_mut().zip(transform.apply(s, numbers)) {
            product[column] = x;
        }
    }
    product
}

/// `transform` times the square whose numbers `load` gives by row and column, times `transform`
/// transposed; `store` takes it by row and column.
#[inline(always)]
fn transform_square<S: Simd, const FROM: usize, const TO: usize>(
    s: S,
    transform: impl Transform<FROM, TO>,
    load: impl Fn(usize, usize) -> S::F32,
    store: impl Fn(usize, usize, S::F32),
) {
    let half = transform_columns(s, transform, load);
    for (row, numbers) in half.into_iter().enumerate() {
        for (column, x) in transform.apply(s, numbers).into_iter().enumerate() {
            store(row, column, x);
        }
    }
}

/// G g Gᵀ for the kernels of a vector of outputs: from `[tap][row][lane]` to rows of the points' panels.
pub(super) struct KernelsToPoints<'a, 'b> {
    pub taps: &'a [f32],
    /// The panel of every point, or part of it.
    pub points: &'a mut [&'b mut [f32]],
    /// Where the vector of the first row stands in them.
    pub start: usize,
    pub row_stride: usize,
}

impl Routine for KernelsToPoints<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            taps,
            points,
            start,
            row_stride,
        } = self;
        let rows = taps.len() / (TAPS * S::LANES);
        assert_eq!(taps.len(), checked_product([TAPS, rows, S::LANES]));
        assert_eq!(points.len(), POINTS);
        let mut first = [std::ptr::null_mut(); POINTS];
        for (first, point) in first.iter_mut().zip(points) {
            let panel = Strided {
                data: point,
                start,
                row_stride,
                pixel_stride: 0,
            };
            assert!(panel.covers([rows, 1], S::LANES));
            *first = point.as_mut_ptr();
        }
        for number in 0..rows {
            // SAFETY: there is a vector of the row for every tap, and its place lies in the panel of every
            // point, as asserted above.
            unsafe {
                let from = taps.as_ptr().add(number * S::LANES);
                let place = start + number * row_stride;
                transform_square(
                    simd,
                    KernelToPoints,
                    #[inline(always)]
                    |row, column| {
                        let tap = row * KERNEL + column;
                        simd.load(from.add(tap * rows * S::LANES))
                    },
                    #[inline(always)]
                    |row, column, x| simd.store(first[row * INPUTS + column].add(place), x),
                );
            }
        }
    }
}

/// Gᵀ m G for the kernels of a vector of outputs: from rows of the points' panels to
/// `[tap][row][lane]`.
pub(super) struct PointsToKernels<'a> {
    /// The panels, one after the other.
    pub points: &'a [f32],
    /// Where the vector of the first row stands in a panel.
    pub start: usize,
    pub row_stride: usize,
    pub rows: usize,
    pub taps: &'a mut [f32],
}

impl Routine for PointsToKernels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            points,
            start,
            row_stride,
            rows,
            taps,
        } = self;
        let point_len = points.len() / POINTS;
        let panel = Strided {
            data: &points[..point_len],
            start,
            row_stride,
            pixel_stride: 0,
        };
        assert!(panel.covers([rows, 1], S::LANES));
        assert_eq!(taps.len(), checked_product([TAPS, rows, S::LANES]));
        let taps = taps.as_mut_ptr();
        for number in 0..rows {
            // SAFETY: the row's vector lies in the panel of every point, and there is one for every tap, as
            // asserted above.
            unsafe {
                let from = points.as_ptr().add(start + number * row_stride);
                let to = taps.add(number * S::LANES);
                transform_square(
                    simd,
                    PointsToKernel,
                    #[inline(always)]
                    |row, column| simd.load(from.add((row * INPUTS + column) * point_len)),
                    #[inline(always)]
                    |row, column, x| {
                        let tap = row * KERNEL + column;
                        simd.store(to.add(tap * rows * S::LANES), x);
                    },
                );
            }
        }
    }
}

/// Bᵀ d B or A y Aᵀ for the tiles of an image, each `FROM`×`FROM` numbers of every channel, as tiles
/// `first` and after of every point.
pub(super) struct TilesToPoints<'a, T, const FROM: usize> {
    pub transform: T,
    /// From the first number of the first tile on.
    pub image: Strided<'a>,
    pub channels: usize,
    /// Rows and columns of tiles.
    pub tiles: [usize; 2],
    pub first: usize,
    pub point_stride: usize,
    pub points: &'a mut [f32],
}

impl<T: Transform<FROM, INPUTS>, const FROM: usize> Routine for TilesToPoints<'_, T, FROM> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            transform,
            image,
            channels,
            tiles: [rows, columns],
            first,
            point_stride,
            points,
        } = self;
        let (row_stride, pixel_stride) = (image.row_stride, image.pixel_stride);
        // A tile begins where the outputs of the one before it end.
        let covered = |tiles| checked_sum([checked_product([tiles, OUTPUTS]), FROM - OUTPUTS]);
        assert!(image.covers([rows, columns].map(covered), channels));
        let end = checked_sum([first, checked_product([rows, columns])]);
        assert!(checked_product([end, channels]) <= point_stride);
        assert!(points.len() >= checked_product([POINTS, point_stride]));
        let points = points.as_mut_ptr();
        for tile in 0..rows * columns {
            let (row, column) = (tile / columns * OUTPUTS, tile % columns * OUTPUTS);
            let start = image.start + row * row_stride + column * pixel_stride;
            // SAFETY: the tile's rows and columns, and its place at all points, lie within the
            // slices, as asserted above.
            for_each_place(
                simd,
                channels,
                #[inline(always)]
                |place| unsafe {
                    let from = image.data.as_ptr().add(start);
                    let to = points.add((first + tile) * channels);
                    transform_square(
                        simd,
                        transform,
                        #[inline(always)]
                        |row, column| {
                            simd.load_at(from.add(row * row_stride + column * pixel_stride), place)
                        },
                        #[inline(always)]
                        |row, column, x| {
                            let point = row * INPUTS + column;
                            simd.store_at(to.add(point * point_stride), place, x);
                        },
                    );
                },
            );
        }
    }
}

/// Aᵀ m A of tiles `first` and after, which are those of an image, with the bias added; with `pool`,
/// the largest of each 2×2 window.
pub(super) struct PointsToOutputs<'a> {
    pub points: &'a [f32],
    pub bias: &'a [f32],
    pub tiles: [usize; 2],
    pub first: usize,
    pub point_stride: usize,
    pub size: [usize; 2],
    pub pool: bool,
    pub channels: usize,
    pub output: &'a mut [f32],
}

impl Routine for PointsToOutputs<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self {
            points,
            bias,
            tiles: [tile_rows, tile_columns],
            first,
            point_stride,
            size: [rows, columns],
            pool,
            channels,
            output,
        } = self;
        assert_eq!(
            [tile_rows, tile_columns],
            [rows, columns].map(|size| size.div_ceil(OUTPUTS))
        );
        let tiles = checked_product([tile_rows, tile_columns]);
        assert!(checked_product([checked_sum([first, tiles]), channels]) <= point_stride);
        assert!(points.len() >= checked_product([POINTS, point_stride]));
        assert!(bias.len() >= channels);
        let [output_rows, output_columns] = pooled_size([rows, columns], pool);
        assert!(output.len() >= checked_product([output_rows, output_columns, channels]));
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
                    let half = transform_columns(
                        simd,
                        PointsToOutput,
                        #[inline(always)]
                        |row, column| {
                            let point = row * INPUTS + column;
                            simd.load_at(from.add(point * point_stride), place)
                        },
                    );
                    let bias = simd.load_at(bias.as_ptr(), place);
                    if pool {
                        let (row, column) = (row / 2, column / 2);
                        for i in 0..rows_here / 2 {
                            let to = output.add(((row + i) * (columns / 2) + column) * channels);
                            let pair = [
                                PointsToOutput.apply(simd, half[2 * i]),
                                PointsToOutput.apply(simd, half[2 * i + 1]),
                            ];
                            store_pooled(simd, pair, bias, to, columns_here / 2, channels, place);
                        }
                        return;
                    }
                    for (i, m) in half.into_iter().enumerate().take(rows_here) {
                        let to = output.add(((row + i) * columns + column) * channels);
                        let outputs = PointsToOutput.apply(simd, m);
                        for (j, x) in outputs.into_iter().enumerate().take(columns_here) {
                            simd.store_at(to.add(j * channels), place, simd.add(x, bias));
                        }
                    }
                },
            );
        }
    }
}
