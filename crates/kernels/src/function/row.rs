//! Passes that do more with a row than compute the function: what comes before and after it happens
//! while the numbers are in registers.

use std::ops::Range;

use super::{Context, Function, Loop, for_each};
use crate::rows::{corner_of, extremes_or_nan, larger, load_corners, window};
use crate::simd::{Isa, Routine, Simd, for_each_place};

impl Function {
    /// Takes a row back through the function and what normalised its inputs.
    ///
    /// # Panics
    ///
    /// If a slice of `row` is shorter than `outer`, or the function is to draw.
    pub(crate) fn backward_row(self, isa: Isa, context: Context, row: RowGradient) {
        assert!(context.draws.is_none());
        isa.run(Pass(self, context, row));
    }

    /// The largest value of the function in each 2×2 window of two rows, from both ends of each
    /// window.
    ///
    /// # Panics
    ///
    /// If a slice of `row` is too short, or the function is not quasiconvex.
    pub(super) fn pool_at_both_ends(self, isa: Isa, context: Context, row: PooledRow) {
        assert!(self.is_quasiconvex());
        isa.run(Pass(self, context, row));
    }

    /// [`pool_at_both_ends`](Self::pool_at_both_ends) for training.
    ///
    /// # Panics
    ///
    /// If a slice of `row` is too short, or the function is not quasiconvex.
    pub(super) fn pool_in_training_at_both_ends(self, isa: Isa, context: Context, row: TrainedRow) {
        assert!(self.is_quasiconvex());
        isa.run(Pass(self, context, row));
    }
}

/// What is done with a row.
struct Pass<L>(Function, Context, L);

/// A [`Loop`] over any vectors.
trait LoopOverAny: Sized {
    fn run<S: Simd>(self, s: S, f: impl FnMut(S::F32) -> (S::F32, S::F32));
}

impl<S: Simd, L: LoopOverAny> Loop<S> for L {
    #[inline(always)]
    fn run(self, s: S, f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        LoopOverAny::run(self, s, f);
    }

    #[inline(always)]
    fn run_identity(self, s: S) {
        let one = s.splat(1.0);
        LoopOverAny::run(
            self,
            s,
            #[inline(always)]
            |x| (x, one),
        );
    }
}

impl<L: LoopOverAny> Routine for Pass<L> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self(function, context, row) = self;
        for_each(s, function, context, row);
    }
}

/// A row of normalised pixels on the way back: gradients, and what they are needed for. All have
/// one number for every place of the row, or more.
pub(crate) struct RowGradient<'a> {
    /// The gradient of the function's outputs.
    pub outer: &'a [f32],
    /// What was normalised: the function's inputs are slope · (linear − mean) + offset.
    pub linear: &'a [f32],
    pub mean: &'a [f32],
    pub slope: &'a [f32],
    pub offset: &'a [f32],
    /// Becomes the gradient of the function's inputs.
    pub inner: &'a mut [f32],
    /// Gets `inner` added.
    pub sums: &'a mut [f32],
    /// Gets inner · (linear − mean) added.
    pub products: &'a mut [f32],
}

impl LoopOverAny for RowGradient<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        let len = self.outer.len();
        for slice in [self.linear, self.mean, self.slope, self.offset] {
            assert!(slice.len() >= len);
        }
        for slice in [&self.inner, &self.sums, &self.products] {
            assert!(slice.len() >= len);
        }
        let (inner, sums, products) = (
            self.inner.as_mut_ptr(),
            self.sums.as_mut_ptr(),
            self.products.as_mut_ptr(),
        );
        for_each_place(
            s,
            len,
            #[inline(always)]
            // SAFETY: no slice is shorter than `len`.
            |place| unsafe {
                let linear = s.load_at(self.linear.as_ptr(), place);
                let centred = s.sub(linear, s.load_at(self.mean.as_ptr(), place));
                let slope = s.load_at(self.slope.as_ptr(), place);
                let offset = s.load_at(self.offset.as_ptr(), place);
                let (_, derivative) = f(s.mul_add(slope, centred, offset));
                let gradient = s.mul(s.load_at(self.outer.as_ptr(), place), derivative);
                s.store_at(inner, place, gradient);
                s.store_at(sums, place, s.add(s.load_at(sums, place), gradient));
                let product = s.load_at(products, place);
                s.store_at(products, place, s.mul_add(gradient, centred, product));
            },
        );
    }
}

/// Two rows whose 2×2 windows are taken together.
pub(super) trait Windows {
    /// The number of channels, after checking what the pointers of the loops rely on.
    ///
    /// # Panics
    ///
    /// If a slice is too short.
    fn check(&self) -> usize;
}

/// Two rows of what the function is given.
pub(crate) struct PooledRow<'a> {
    pub rows: [&'a [f32]; 2],
    pub channels: usize,
    /// Becomes the largest value of each window.
    pub output: &'a mut [f32],
}

impl Windows for PooledRow<'_> {
    #[inline(always)]
    fn check(&self) -> usize {
        let len = self.output.len();
        assert!(self.rows.iter().all(|row| row.len() >= 2 * len));
        assert!(len.is_multiple_of(self.channels));
        self.channels
    }
}

impl PooledRow<'_> {
    /// The windows of the pixels at `places` of the output.
    pub(super) fn part(&mut self, places: Range<usize>) -> PooledRow<'_> {
        let of_both = 2 * places.start..2 * places.end;
        PooledRow {
            rows: self.rows.map(|row| &row[of_both.clone()]),
            channels: self.channels,
            output: &mut self.output[places],
        }
    }
}

impl LoopOverAny for PooledRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        self.check();
        let Self {
            rows,
            channels,
            output,
        } = self;
        for start in (0..output.len()).step_by(channels) {
            let window = window(rows, start, channels);
            let to = output[start..].as_mut_ptr();
            for_each_place(
                s,
                channels,
                #[inline(always)]
                // SAFETY: `channels` numbers from `start` on, and from the window's corners, are in
                // their slices.
                |place| unsafe {
                    let corners = load_corners(s, window, place);
                    let [low, high] = extremes_or_nan(s, corners);
                    let (of_high, _) = f(high);
                    let (of_low, _) = f(low);
                    let better = larger(s, of_low, of_high);
                    s.store_at(to, place, s.select(better, of_low, of_high));
                },
            );
        }
    }
}

/// Two rows of what the map gave, on their way through normalisation, the function and pooling.
pub(crate) struct TrainedRow<'a> {
    /// What the map gave.
    pub linear: [&'a [f32]; 2],
    /// Mean, slope and offset: the function is given slope · (linear − mean) + offset.
    pub normalization: [&'a [f32]; 3],
    pub channels: usize,
    /// Becomes the largest value of each window.
    pub output: &'a mut [f32],
    /// Becomes what the map gave there.
    pub chosen: &'a mut [f32],
    /// Becomes the corner, 0 and 1 above, 2 and 3 below.
    pub argmax: &'a mut [u8],
}

impl Windows for TrainedRow<'_> {
    #[inline(always)]
    fn check(&self) -> usize {
        let (len, channels) = (self.output.len(), self.channels);
        assert!(self.linear.iter().all(|row| row.len() >= 2 * len));
        assert!(self.normalization.iter().all(|row| row.len() >= channels));
        assert!(self.chosen.len() == len && self.argmax.len() == len);
        assert!(len.is_multiple_of(channels));
        channels
    }
}

impl TrainedRow<'_> {
    /// The windows of the pixels at `places` of the output.
    pub(super) fn part(&mut self, places: Range<usize>) -> TrainedRow<'_> {
        let of_both = 2 * places.start..2 * places.end;
        TrainedRow {
            linear: self.linear.map(|row| &row[of_both.clone()]),
            normalization: self.normalization,
            channels: self.channels,
            output: &mut self.output[places.clone()],
            chosen: &mut self.chosen[places.clone()],
            argmax: &mut self.argmax[places],
        }
    }
}

impl LoopOverAny for TrainedRow<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        self.check();
        let Self {
            linear,
            normalization,
            channels,
            output,
            chosen,
            argmax,
        } = self;
        let len = output.len();
        let [mean, slope, offset] = normalization.map(<[f32]>::as_ptr);
        for start in (0..len).step_by(channels) {
            let corners = window(linear, start, channels);
            let (output, chosen) = (output[start..].as_mut_ptr(), chosen[start..].as_mut_ptr());
            let argmax = argmax[start..].as_mut_ptr();
            for_each_place(
                s,
                channels,
                #[inline(always)]
                // SAFETY: as above; what normalises has a number for each channel.
                |place| unsafe {
                    let mean = s.load_at(mean, place);
                    let slope = s.load_at(slope, place);
                    let offset = s.load_at(offset, place);
                    let corners = load_corners(s, corners, place);
                    // What is given rises with what the map gave, or falls: either way one end of
                    // the one is an end of the other.
                    let [low, high] = extremes_or_nan(s, corners);
                    let (of_high, _) = f(s.mul_add(slope, s.sub(high, mean), offset));
                    let (of_low, _) = f(s.mul_add(slope, s.sub(low, mean), offset));
                    let better = larger(s, of_low, of_high);
                    let best = s.select(better, low, high);
                    s.store_at(output, place, s.select(better, of_low, of_high));
                    s.store_at(chosen, place, best);
                    s.store_bytes_at(argmax, place, corner_of(s, corners, best));
                },
            );
        }
    }
}
