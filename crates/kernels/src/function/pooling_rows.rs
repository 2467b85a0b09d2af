//! Two rows of an image whose 2×2 windows are max-pooled while the function is computed.

use std::ops::Range;

use super::Elementwise;
use super::max_pooling::ExtremeChooser;
use crate::rows::{
    corner_index_of, extremes, extremes_or_nan, load_all, load_corners, replaces_maximum,
    window_corners,
};
use crate::simd::{Place, Simd, for_each_place};

/// Two rows whose 2×2 windows are pooled: as [`Elementwise`], by the function's values at both
/// extremes of each window.
pub(crate) trait PoolingWindows: Elementwise {
    /// Some of the windows.
    type Part<'a>: PoolingWindows
    where
        Self: 'a;

    /// Number of channels.
    fn channels(&self) -> usize;

    /// What becomes the largest value of each window: `[columns, channels]`.
    fn output(&mut self) -> &mut [f32];

    /// The windows of the pixels at `places` of the output.
    fn part(&mut self, places: Range<usize>) -> Self::Part<'_>;

    /// Sets the output to that extreme of each window which `chooser` prefers, for the channels at
    /// `place`. Calls `note` for every pixel, with the lanes that the chooser does not know or whose
    /// windows hold NaN, and the pixel's number. To be `#[inline(always)]`.
    fn choose_extremes<S: Simd>(
        &mut self,
        s: S,
        place: Place,
        chooser: ExtremeChooser,
        note: impl FnMut(S::Mask, usize),
    );
}

/// Two rows of pre-activations, which the function is given.
pub(crate) struct PoolingRows<'a> {
    pub rows: [&'a [f32]; 2],
    pub channels: usize,
    /// Becomes the largest value of each window.
    pub output: &'a mut [f32],
}

impl PoolingRows<'_> {
    /// Panics if a slice is too short for the pointers of the loops.
    #[inline(always)]
    fn check(&self) {
        let len = self.output.len();
        assert!(self.rows.iter().all(|row| row.len() >= 2 * len));
        assert!(len.is_multiple_of(self.channels));
    }
}

impl PoolingWindows for PoolingRows<'_> {
    type Part<'a>
        = PoolingRows<'a>
    where
        Self: 'a;

    #[inline(always)]
    fn channels(&self) -> usize {
        self.channels
    }

    fn output(&mut self) -> &mut [f32] {
        self.output
    }

    fn part(&mut self, places: Range<usize>) -> PoolingRows<'_> {
        let of_both = 2 * places.start..2 * places.end;
        PoolingRows {
            rows: self.rows.map(|row| &row[of_both.clone()]),
            channels: self.channels,
            output: &mut self.output[places],
        }
    }

    #[inline(always)]
    fn choose_extremes<S: Simd>(
        &mut self,
        s: S,
        place: Place,
        chooser: ExtremeChooser,
        mut note: impl FnMut(S::Mask, usize),
    ) {
        self.check();
        let channels = self.channels;
        place.check(channels, S::LANES);
        for (pixel, start) in (0..self.output.len()).step_by(channels).enumerate() {
            let window = window_corners(self.rows, start, channels);
            let to = self.output[start..].as_mut_ptr();
            // SAFETY: `channels` numbers from `start` on, and from the window's corners, are in
            // their slices.
            unsafe {
                let ([low, high], is_nan) = extremes(s, load_corners(s, window, place));
                let (prefers_low, is_unknown) = chooser.prefers_low(s, low, high);
                s.store_at(to, place, s.select(prefers_low, low, high));
                note(s.or(is_unknown, is_nan), pixel);
            }
        }
    }
}

impl Elementwise for PoolingRows<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        self.check();
        let Self {
            rows,
            channels,
            output,
        } = self;
        for start in (0..output.len()).step_by(channels) {
            let window = window_corners(rows, start, channels);
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
                    let better = replaces_maximum(s, of_low, of_high);
                    s.store_at(to, place, s.select(better, of_low, of_high));
                },
            );
        }
    }
}

/// Two rows of the linear output, on their way through normalisation, the function and pooling.
pub(crate) struct TrainingPoolingRows<'a> {
    pub linear: [&'a [f32]; 2],
    /// Mean, slope and offset: the function is given slope · (linear − mean) + offset.
    pub normalization: [&'a [f32]; 3],
    pub channels: usize,
    /// Becomes the largest value of each window.
    pub output: &'a mut [f32],
    /// Becomes the linear output there.
    pub linear_at_argmax: &'a mut [f32],
    /// Becomes the corner, 0 and 1 above, 2 and 3 below.
    pub argmax: &'a mut [u8],
}

impl TrainingPoolingRows<'_> {
    /// Panics if a slice is too short for the pointers of the loops.
    #[inline(always)]
    fn check(&self) {
        let (len, channels) = (self.output.len(), self.channels);
        assert!(self.linear.iter().all(|row| row.len() >= 2 * len));
        assert!(self.normalization.iter().all(|row| row.len() >= channels));
        assert!(self.linear_at_argmax.len() == len && self.argmax.len() == len);
        assert!(len.is_multiple_of(channels));
    }
}

impl PoolingWindows for TrainingPoolingRows<'_> {
    type Part<'a>
        = TrainingPoolingRows<'a>
    where
        Self: 'a;

    #[inline(always)]
    fn channels(&self) -> usize {
        self.channels
    }

    fn output(&mut self) -> &mut [f32] {
        self.output
    }

    fn part(&mut self, places: Range<usize>) -> TrainingPoolingRows<'_> {
        let of_both = 2 * places.start..2 * places.end;
        TrainingPoolingRows {
            linear: self.linear.map(|row| &row[of_both.clone()]),
            normalization: self.normalization,
            channels: self.channels,
            output: &mut self.output[places.clone()],
            linear_at_argmax: &mut self.linear_at_argmax[places.clone()],
            argmax: &mut self.argmax[places],
        }
    }

    #[inline(always)]
    fn choose_extremes<S: Simd>(
        &mut self,
        s: S,
        place: Place,
        chooser: ExtremeChooser,
        mut note: impl FnMut(S::Mask, usize),
    ) {
        self.check();
        let channels = self.channels;
        place.check(channels, S::LANES);
        // SAFETY: what normalises has a number for each channel, and `place` is within them.
        let [mean, slope, offset] = unsafe { load_all(s, self.normalization, place) };
        // What the function is given rises with the linear output, or falls.
        let falls = s.less(slope, s.splat(0.0));
        for (pixel, start) in (0..self.output.len()).step_by(channels).enumerate() {
            let window = window_corners(self.linear, start, channels);
            let output = self.output[start..].as_mut_ptr();
            let linear_at_argmax = self.linear_at_argmax[start..].as_mut_ptr();
            let argmax = self.argmax[start..].as_mut_ptr();
            // SAFETY: `channels` numbers from `start` on, and from the window's corners, are in
            // their slices.
            unsafe {
                let corners = load_corners(s, window, place);
                let ([smallest, largest], is_nan) = extremes(s, corners);
                let of_low = s.select(falls, largest, smallest);
                let of_high = s.select(falls, smallest, largest);
                let low = s.mul_add(slope, s.sub(of_low, mean), offset);
                let high = s.mul_add(slope, s.sub(of_high, mean), offset);
                let (prefers_low, is_unknown) = chooser.prefers_low(s, low, high);
                let best = s.select(prefers_low, of_low, of_high);
                s.store_at(output, place, s.select(prefers_low, low, high));
                s.store_at(linear_at_argmax, place, best);
                s.store_bytes_at(argmax, place, corner_index_of(s, corners, best));
                note(s.or(is_unknown, is_nan), pixel);
            }
        }
    }
}

impl Elementwise for TrainingPoolingRows<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        self.check();
        let Self {
            linear,
            normalization,
            channels,
            output,
            linear_at_argmax,
            argmax,
        } = self;
        let [mean, slope, offset] = normalization.map(<[f32]>::as_ptr);
        for start in (0..output.len()).step_by(channels) {
            let window = window_corners(linear, start, channels);
            let output = output[start..].as_mut_ptr();
            let linear_at_argmax = linear_at_argmax[start..].as_mut_ptr();
            let argmax = argmax[start..].as_mut_ptr();
            for_each_place(
                s,
                channels,
                #[inline(always)]
                // SAFETY: `channels` numbers from `start` on, and from the window's corners, are in
                // their slices; what normalises has a number for each channel.
                |place| unsafe {
                    let mean = s.load_at(mean, place);
                    let slope = s.load_at(slope, place);
                    let offset = s.load_at(offset, place);
                    let corners = load_corners(s, window, place);
                    // What the function is given rises with the linear output, or falls: either way
                    // the extremes of the one are those of the other.
                    let [low, high] = extremes_or_nan(s, corners);
                    let (of_high, _) = f(s.mul_add(slope, s.sub(high, mean), offset));
                    let (of_low, _) = f(s.mul_add(slope, s.sub(low, mean), offset));
                    let better = replaces_maximum(s, of_low, of_high);
                    let best = s.select(better, low, high);
                    s.store_at(output, place, s.select(better, of_low, of_high));
                    s.store_at(linear_at_argmax, place, best);
                    s.store_bytes_at(argmax, place, corner_index_of(s, corners, best));
                },
            );
        }
    }
}
