//! Max pooling of functions that fall and then rise.
//!
//! The largest of several values of GELU and its like comes from the smallest or the largest of
//! several inputs. A polynomial tells nearly always which, so that the function is computed for one
//! of these extremes instead of two.

use std::ops::Range;

use super::pooling_rows::PoolingWindows;
use super::{Context, ElementwiseRoutine, Function};
use crate::math;
use crate::simd::{Isa, Place, PlaceVisitor, Routine, Simd, visit_places};

/// How far the polynomials may be off: at most 9e-4 by themselves, and rounding.
const MARGIN: f32 = 0.002;

/// The largest distance of two extremes that the polynomials are good for.
const MAX_DISTANCE: f32 = 4.0;

/// Tells at which of two numbers a function is the larger, without computing the function.
///
/// The function falls and then rises, and is negative exactly below zero. Where it has the same value
/// twice, at l < h ≤ 0, the sum l + h is a smooth function of the distance h − l. With a smaller sum
/// the value at l is the larger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExtremeChooser {
    /// The sum l + h by the square of the distance; from `tests/reference/polynomials.py`.
    sum: [f32; 5],
}

impl ExtremeChooser {
    /// Whether the function is larger at `low` than at `high`, where low ≤ high; and whether that is
    /// unknown.
    #[inline(always)]
    pub(super) fn prefers_low<S: Simd>(
        self,
        s: S,
        low: S::F32,
        high: S::F32,
    ) -> (S::Mask, S::Mask) {
        let zero = s.splat(0.0);
        let distance = s.sub(high, low);
        let square = s.mul(distance, distance);
        let balance = math::polynomial(s, square, &self.sum);
        let excess = s.sub(s.add(low, high), balance);
        let is_negative = s.less(high, zero);
        let is_close = s.less(s.abs(excess), s.splat(MARGIN));
        let is_far = s.less(s.splat(MAX_DISTANCE), distance);
        // Flat parts of images have windows of equal numbers, of which any will do.
        let differs = s.less(low, high);
        (
            s.and(is_negative, s.less(excess, zero)),
            s.and(s.and(is_negative, differs), s.or(is_close, is_far)),
        )
    }
}

impl Function {
    /// What chooses between two extremes, if it takes less time than the function.
    fn extreme_chooser(self) -> Option<ExtremeChooser> {
        let sum = match self {
            Self::Gelu => [
                -1.502_732_4,
                -0.149_782_26,
                -0.006_164_06,
                0.000_584_191_5,
                -1.399_180_4e-5,
            ],
            Self::GeluTanh => [
                -1.504_317_8,
                -0.149_377_45,
                -0.006_072_303_3,
                0.000_568_644_43,
                -1.344_751_2e-5,
            ],
            Self::QuickGelu => [
                -1.501_512_6,
                -0.193_848_09,
                0.001_346_250_9,
                0.000_129_664_07,
                -4.440_684e-6,
            ],
            Self::Silu => [
                -2.556_912_2,
                -0.112_263_486,
                -3.774_514_3e-5,
                2.861_374_6e-5,
                -5.112_528e-7,
            ],
            Self::Mish => [
                -2.384_849,
                -0.127_862_42,
                0.000_668_867_4,
                1.017_036_7e-5,
                -2.868_475_8e-7,
            ],
            _ => return None,
        };
        Some(ExtremeChooser { sum })
    }

    /// The largest value of the function in each 2×2 window of two rows.
    ///
    /// # Panics
    ///
    /// If a slice of `windows` is too short, or the function is not quasiconvex.
    pub(crate) fn pool(self, isa: Isa, context: Context, mut windows: impl PoolingWindows) {
        let Some(chooser) = self.extreme_chooser() else {
            return self.pool_by_evaluating_both_extremes(isa, context, windows);
        };
        let (len, channels) = (windows.output().len(), windows.channels());
        let part_len = PixelSet::CAPACITY * channels;
        for start in (0..len).step_by(part_len) {
            let mut part = windows.part(start..len.min(start + part_len));
            let unknown = isa.run(ChooseExtremes::new(chooser, &mut part));
            self.apply(isa, context, part.output());
            for run in unknown.runs() {
                let places = run.start * channels..run.end * channels;
                self.pool_by_evaluating_both_extremes(isa, context, part.part(places));
            }
        }
    }

    /// [`pool`](Self::pool) with the function computed at both extremes of each window.
    ///
    /// # Panics
    ///
    /// As [`pool`](Self::pool).
    fn pool_by_evaluating_both_extremes(
        self,
        isa: Isa,
        context: Context,
        windows: impl PoolingWindows,
    ) {
        assert!(self.is_quasiconvex());
        isa.run(ElementwiseRoutine {
            function: self,
            context,
            elements: windows,
        });
    }
}

/// Some of the pixels of a part of a row, in one number: to note a pixel takes no call, around which a
/// loop would have to keep all its vectors in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PixelSet(u64);

impl PixelSet {
    /// How many pixels it can tell apart.
    const CAPACITY: usize = u64::BITS as usize;

    /// Adds a pixel, below [`Self::CAPACITY`], if `is_in`.
    #[inline(always)]
    fn add_if(&mut self, is_in: bool, pixel: usize) {
        // A wrapping shift, as one that could overflow would have a branch; that it does not wrap is
        // asserted once for all pixels, in `ChooseExtremes::run`.
        self.0 |= u64::from(is_in).wrapping_shl(pixel as u32);
    }

    /// Pixels that follow each other, in rising order.
    fn runs(self) -> impl Iterator<Item = Range<usize>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let start = rest.trailing_zeros();
            let len = (rest >> start).trailing_ones();
            // All of them, where the run reaches the last pixel.
            rest &= u64::MAX.checked_shl(start + len).unwrap_or(0);
            Some(start as usize..(start + len) as usize)
        })
    }
}

/// Sets the output to what the function is to be given for each window, of at most
/// [`PixelSet::CAPACITY`] pixels. Gives back which of them are to be done otherwise: those that the
/// chooser does not know, and those with NaN.
struct ChooseExtremes<'w, W> {
    chooser: ExtremeChooser,
    windows: &'w mut W,
    unknown: PixelSet,
}

impl<'w, W> ChooseExtremes<'w, W> {
    fn new(chooser: ExtremeChooser, windows: &'w mut W) -> Self {
        Self {
            chooser,
            windows,
            unknown: PixelSet::default(),
        }
    }
}

impl<W: PoolingWindows> Routine for ChooseExtremes<'_, W> {
    type Output = PixelSet;

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) -> PixelSet {
        let channels = self.windows.channels();
        assert!(self.windows.output().len() <= PixelSet::CAPACITY * channels);
        visit_places(s, channels, &mut self);
        self.unknown
    }
}

impl<W: PoolingWindows> PlaceVisitor for ChooseExtremes<'_, W> {
    #[inline(always)]
    fn visit<S: Simd>(&mut self, s: S, place: Place) {
        let mut unknown = self.unknown;
        self.windows.choose_extremes(
            s,
            place,
            self.chooser,
            #[inline(always)]
            |is_unknown, pixel| unknown.add_if(s.any(is_unknown), pixel),
        );
        self.unknown = unknown;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PoolingRows, TrainingPoolingRows};
    use super::*;

    const FUNCTIONS: [Function; 5] = [
        Function::Gelu,
        Function::GeluTanh,
        Function::QuickGelu,
        Function::Silu,
        Function::Mish,
    ];
    const CONTEXT: Context = Context {
        parameter: 0.0,
        draws: None,
    };
    const CHANNELS: usize = 19;

    /// Output, linear output there, and corner, of two rows that `normalization` follows.
    fn pooled(
        linear: [&[f32]; 2],
        normalization: [f32; 3],
        pool: impl Fn(TrainingPoolingRows),
    ) -> (Vec<f32>, Vec<f32>, Vec<u8>) {
        let len = linear[0].len() / 2;
        let (mut output, mut linear_at_argmax) = (vec![0.0; len], vec![0.0; len]);
        let mut argmax = vec![0; len];
        let normalization = normalization.map(|x| [x; CHANNELS]);
        pool(TrainingPoolingRows {
            linear,
            normalization: [&normalization[0], &normalization[1], &normalization[2]],
            channels: CHANNELS,
            output: &mut output,
            linear_at_argmax: &mut linear_at_argmax,
            argmax: &mut argmax,
        });
        (output, linear_at_argmax, argmax)
    }

    /// Two rows with windows of all pairs of some numbers from `lowest` to 1, in the upper left and
    /// lower right corner, and their middle in the others.
    fn rows(lowest: f32, step: f32) -> [Vec<f32>; 2] {
        let numbers: Vec<f32> = (0..((1.0 - lowest) / step) as usize)
            .map(|i| lowest + step * i as f32)
            .collect();
        let pairs: Vec<(f32, f32)> = numbers
            .iter()
            .flat_map(|&a| numbers.iter().map(move |&b| (a, b)))
            .collect();
        let mut rows = [Vec::new(), Vec::new()];
        for pixel in pairs.chunks_exact(CHANNELS) {
            let middles = pixel.iter().map(|(a, b)| (a + b) / 2.0);
            rows[0].extend(pixel.iter().map(|(a, _)| a).copied());
            rows[0].extend(middles.clone());
            rows[1].extend(middles);
            rows[1].extend(pixel.iter().map(|(_, b)| b).copied());
        }
        rows
    }

    #[test]
    fn the_extreme_with_the_larger_value_is_chosen() {
        let rows = rows(-9.0, if cfg!(miri) { 1.3 } else { 0.013 });
        let linear = [&rows[0][..], &rows[1][..]];
        for isa in Isa::available() {
            for function in FUNCTIONS {
                for normalization in [[0.0, 1.0, 0.0], [0.5, -1.5, 0.3]] {
                    let found = pooled(linear, normalization, |row| {
                        function.pool(isa, CONTEXT, row);
                    });
                    let expected = pooled(linear, normalization, |row| {
                        function.pool_by_evaluating_both_extremes(isa, CONTEXT, row);
                    });
                    let mut others = 0;
                    for i in 0..found.0.len() {
                        let case = || format!("{function:?} on {isa}: {:?}", expected.1[i]);
                        let error = (found.0[i] - expected.0[i]).abs();
                        // Two values that differ by rounding alone may be taken for each other.
                        assert!(error <= 3e-7 * expected.0[i].abs(), "{}: {error}", case());
                        others += usize::from(found.2[i] != expected.2[i]);
                        let [mean, slope, offset] = normalization;
                        let mut value = [slope * (found.1[i] - mean) + offset];
                        function.apply(isa, CONTEXT, &mut value);
                        assert!((value[0] - found.0[i]).abs() < 1e-5, "{}", case());
                        let corner = linear[usize::from(found.2[i] / 2)];
                        let pixel = 2 * (i - i % CHANNELS) + i % CHANNELS;
                        let place = pixel + usize::from(found.2[i] % 2) * CHANNELS;
                        assert_eq!(corner[place].to_bits(), found.1[i].to_bits(), "{}", case());
                    }
                    assert!(
                        others <= found.0.len() / 1000,
                        "{function:?}: {others} others"
                    );
                    let mut output = vec![0.0; rows[0].len() / 2];
                    if normalization[1] == 1.0 {
                        let row = PoolingRows {
                            rows: linear,
                            channels: CHANNELS,
                            output: &mut output,
                        };
                        function.pool(isa, CONTEXT, row);
                        assert_eq!(output, found.0, "{function:?} on {isa}");
                    }
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes many windows")]
    fn few_are_left_unknown() {
        let rows = rows(-3.0, 0.01);
        let part_len = PixelSet::CAPACITY * CHANNELS;
        let mut output = vec![0.0; rows[0].len() / 2];
        let pixels = output.len() / CHANNELS;
        for function in FUNCTIONS {
            let mut row = PoolingRows {
                rows: [&rows[0], &rows[1]],
                channels: CHANNELS,
                output: &mut output,
            };
            let chooser = function.extreme_chooser().unwrap();
            let mut unknown = 0;
            for start in (0..pixels * CHANNELS).step_by(part_len) {
                let mut part = row.part(start..(start + part_len).min(pixels * CHANNELS));
                let found = Isa::best().run(ChooseExtremes::new(chooser, &mut part));
                unknown += found.runs().map(|run| run.len()).sum::<usize>();
            }
            let share = unknown as f32 / pixels as f32;
            assert!(share < 0.04, "{function:?}: {share}");
        }
    }

    #[test]
    fn pixels_that_follow_each_other_are_one_run() {
        let runs = |pixels: &[usize]| -> Vec<Range<usize>> {
            let mut set = PixelSet::default();
            for pixel in 0..PixelSet::CAPACITY {
                set.add_if(pixels.contains(&pixel), pixel);
            }
            set.runs().collect()
        };
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[0]), vec![0..1]);
        assert_eq!(runs(&[1, 2, 4, 63]), [1..3, 4..5, 63..64]);
        let last = PixelSet::CAPACITY - 1;
        assert_eq!(runs(&[last - 1, last]), vec![last - 1..last + 1]);
        assert_eq!(runs(&(0..=last).collect::<Vec<_>>()), vec![0..last + 1]);
    }

    /// Whatever the number of vectors that its channels take.
    #[test]
    fn a_pixel_is_left_unknown_once() {
        const PIXELS: usize = 6;
        let mut above = [-1.0; 2 * PIXELS * CHANNELS];
        let below = [-3.0; 2 * PIXELS * CHANNELS];
        // In the first and the last vector of three pixels, two of which follow each other.
        for pixel in [1, 2, 4] {
            for channel in [0, CHANNELS - 1] {
                above[2 * pixel * CHANNELS + channel] = f32::NAN;
            }
        }
        let linear = [&above[..], &below[..]];
        let bits = |(output, linear_at_argmax, argmax): (Vec<f32>, Vec<f32>, Vec<u8>)| {
            // Which of the many NaN comes out is left open.
            let bits = |numbers: Vec<f32>| -> Vec<u32> {
                let bits = |x: f32| if x.is_nan() { f32::NAN } else { x }.to_bits();
                numbers.into_iter().map(bits).collect()
            };
            (bits(output), bits(linear_at_argmax), argmax)
        };
        for isa in Isa::available() {
            for function in FUNCTIONS {
                let mut output = [0.0; PIXELS * CHANNELS];
                let mut row = PoolingRows {
                    rows: linear,
                    channels: CHANNELS,
                    output: &mut output,
                };
                let chooser = function.extreme_chooser().unwrap();
                let unknown = isa.run(ChooseExtremes::new(chooser, &mut row));
                let unknown: Vec<_> = unknown.runs().collect();
                assert_eq!(unknown, [1..3, 4..5], "{isa}");

                let found = pooled(linear, [0.0, 1.0, 0.0], |row| {
                    function.pool(isa, CONTEXT, row);
                });
                let expected = pooled(linear, [0.0, 1.0, 0.0], |row| {
                    function.pool_by_evaluating_both_extremes(isa, CONTEXT, row);
                });
                assert_eq!(bits(found), bits(expected), "{function:?} on {isa}");
            }
        }
    }

    /// Pixels left open on both sides of where the first part of a row ends.
    #[test]
    fn long_rows_are_pooled_in_parts() {
        const PIXELS: usize = PixelSet::CAPACITY + 2;
        const OPEN: [usize; 4] = [0, PixelSet::CAPACITY - 1, PixelSet::CAPACITY, PIXELS - 1];
        let mut above = [-1.0; 2 * PIXELS * CHANNELS];
        let below = [-3.0; 2 * PIXELS * CHANNELS];
        for pixel in OPEN {
            above[2 * pixel * CHANNELS + CHANNELS - 1] = f32::NAN;
        }
        let linear = [&above[..], &below[..]];
        for isa in Isa::available() {
            let function = Function::Silu;
            let [found, expected] = [false, true].map(|evaluates_both| {
                pooled(linear, [0.0, 1.0, 0.0], |row| {
                    if evaluates_both {
                        function.pool_by_evaluating_both_extremes(isa, CONTEXT, row);
                    } else {
                        function.pool(isa, CONTEXT, row);
                    }
                })
            });
            assert_eq!(found.2, expected.2, "{isa}");
            for (pixel, outputs) in found.0.chunks_exact(CHANNELS).enumerate() {
                let is_open = outputs[CHANNELS - 1].is_nan();
                assert_eq!(is_open, OPEN.contains(&pixel), "{isa}: {pixel}");
                assert!(outputs[..CHANNELS - 1].iter().all(|x| !x.is_nan()));
            }
        }
    }

    #[test]
    fn nan_is_chosen() {
        for isa in Isa::available() {
            for function in FUNCTIONS {
                for corner in 0..4 {
                    let mut rows = [[-1.0; 2 * CHANNELS], [-3.0; 2 * CHANNELS]];
                    rows[corner / 2][corner % 2 * CHANNELS] = f32::NAN;
                    let linear = [&rows[0][..], &rows[1][..]];
                    let (output, linear_at_argmax, _) = pooled(linear, [0.0, 1.0, 0.0], |row| {
                        function.pool(isa, CONTEXT, row);
                    });
                    assert!(output[0].is_nan() && linear_at_argmax[0].is_nan());
                    assert!(output[1..].iter().all(|x| !x.is_nan()));
                }
            }
        }
    }
}
