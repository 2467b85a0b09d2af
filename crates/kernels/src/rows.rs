//! Element-wise passes over rows of channels-last images.
//!
//! A row has `[columns, channels]`. What belongs to a channel (a scale, a mean) comes as a row too,
//! repeated for every column, so that most passes need not know of channels at all.
//!
//! The closures are `#[inline(always)]` for the reason that [`Routine`] gives.

use crate::simd::{Isa, Place, PlaceVisitor, Routine, Simd, for_each_place, visit_places};

/// Declares a pass: a function that checks its slices, and the loop over vectors.
macro_rules! pass {
    (
        $(#[$doc:meta])*
        fn $name:ident<$l:lifetime>($($arg:ident: $type:ty),* $(,)?)
        where $($check:expr),+;
        |$simd:ident| $body:block
    ) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "a pass names every row that it reads")]
        pub(crate) fn $name<$l>(isa: Isa, $($arg: $type),*) {
            struct Pass<$l> { $($arg: $type),* }
            impl<$l> Routine for Pass<$l> {
                type Output = ();
                #[inline(always)]
                fn run<S: Simd>(self, $simd: S) {
                    let Self { $($arg),* } = self;
                    $body
                }
            }
            $(assert!($check);)+
            isa.run(Pass { $($arg),* });
        }
    };
    // The body is for the channels at one place, of all columns, and is a visit: slices are checked
    // there.
    (
        $(#[$doc:meta])*
        fn $name:ident<$l:lifetime>($($arg:ident: $type:ty),* $(,)?)
        where $($check:expr),+;
        |$simd:ident, $place:ident of $channels:ident| $body:block
    ) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments, reason = "a pass names every row that it reads")]
        pub(crate) fn $name<$l>(isa: Isa, $($arg: $type),*) {
            struct Pass<$l> { $($arg: $type),* }
            impl<$l> Routine for Pass<$l> {
                type Output = ();
                #[inline(always)]
                fn run<S: Simd>(mut self, simd: S) {
                    visit_places(simd, self.$channels, &mut self);
                }
            }
            impl<$l> PlaceVisitor for Pass<$l> {
                #[inline(always)]
                fn visit<S: Simd>(&mut self, $simd: S, $place: Place) {
                    let Self { $($arg),* } = self;
                    let $channels = *$channels;
                    $place.check($channels, S::LANES);
                    $(assert!($check);)+
                    $body
                }
            }
            isa.run(Pass { $($arg),* });
        }
    };
}

pass! {
    /// sum += g, product += g · (y − mean).
    fn accumulate_sums<'a>(
        g: &'a [f32],
        y: &'a [f32],
        mean: &'a [f32],
        sum: &'a mut [f32],
        product: &'a mut [f32],
    )
    where
        y.len() == g.len(), mean.len() >= g.len(), sum.len() >= g.len(), product.len() >= g.len();
    |simd| {
        let (sum, product) = (sum.as_mut_ptr(), product.as_mut_ptr());
        // SAFETY: every slice is at least as long as `g`.
        for_each_place(simd, g.len(), #[inline(always)] |place| unsafe {
            let g = simd.load_at(g.as_ptr(), place);
            let y = simd.load_at(y.as_ptr(), place);
            let centred = simd.sub(y, simd.load_at(mean.as_ptr(), place));
            let old = simd.load_at(sum, place);
            simd.store_at(sum, place, simd.add(old, g));
            let old = simd.load_at(product, place);
            simd.store_at(product, place, simd.mul_add(g, centred, old));
        });
    }
}

pass! {
    /// out = slope · (y − mean) + offset.
    fn normalize<'a>(
        y: &'a [f32],
        mean: &'a [f32],
        slope: &'a [f32],
        offset: &'a [f32],
        out: &'a mut [f32],
    )
    where
        y.len() == out.len(),
        mean.len() >= out.len(),
        slope.len() >= out.len(),
        offset.len() >= out.len();
    |simd| {
        let to = out.as_mut_ptr();
        // SAFETY: every slice is at least as long as `out`.
        for_each_place(simd, out.len(), #[inline(always)] |place| unsafe {
            let y = simd.load_at(y.as_ptr(), place);
            let centred = simd.sub(y, simd.load_at(mean.as_ptr(), place));
            let slope = simd.load_at(slope.as_ptr(), place);
            let offset = simd.load_at(offset.as_ptr(), place);
            simd.store_at(to, place, simd.mul_add(slope, centred, offset));
        });
    }
}

pass! {
    /// y = slope · (y − mean) + offset.
    fn normalize_in_place<'a>(
        mean: &'a [f32],
        slope: &'a [f32],
        offset: &'a [f32],
        y: &'a mut [f32],
    )
    where mean.len() >= y.len(), slope.len() >= y.len(), offset.len() >= y.len();
    |simd| {
        let to = y.as_mut_ptr();
        // SAFETY: every slice is at least as long as `y`.
        for_each_place(simd, y.len(), #[inline(always)] |place| unsafe {
            let centred = simd.sub(simd.load_at(to, place), simd.load_at(mean.as_ptr(), place));
            let slope = simd.load_at(slope.as_ptr(), place);
            let offset = simd.load_at(offset.as_ptr(), place);
            simd.store_at(to, place, simd.mul_add(slope, centred, offset));
        });
    }
}

pass! {
    /// out = slope · (y − mean) + offset + scale · g, with mean, slope and offset in
    /// `normalization`.
    fn normalize_and_add_scaled<'a>(
        y: &'a [f32],
        normalization: [&'a [f32]; 3],
        g: &'a [f32],
        scale: &'a [f32],
        out: &'a mut [f32],
    )
    where
        [y, g, scale].iter().chain(&normalization).all(|row| row.len() >= out.len());
    |simd| {
        let to = out.as_mut_ptr();
        let [mean, slope, offset] = normalization;
        // SAFETY: every slice is at least as long as `out`.
        for_each_place(simd, out.len(), #[inline(always)] |place| unsafe {
            let y = simd.load_at(y.as_ptr(), place);
            let centred = simd.sub(y, simd.load_at(mean.as_ptr(), place));
            let slope = simd.load_at(slope.as_ptr(), place);
            let offset = simd.load_at(offset.as_ptr(), place);
            let scale = simd.load_at(scale.as_ptr(), place);
            let g = simd.load_at(g.as_ptr(), place);
            let normalized = simd.mul_add(slope, centred, offset);
            simd.store_at(to, place, simd.mul_add(scale, g, normalized));
        });
    }
}

pass! {
    /// a = a · b.
    fn multiply<'a>(a: &'a mut [f32], b: &'a [f32])
    where a.len() == b.len();
    |simd| { simd.zip_map(a, b, #[inline(always)] |a, b| simd.mul(a, b)); }
}

pass! {
    /// The largest of each 2×2 window: the first of several equal ones; NaN if there is one.
    fn max_pool<'a>(rows: [&'a [f32]; 2], channels: usize, largest: &'a mut [f32])
    where
        rows.iter().all(|row| row.len() >= 2 * largest.len()),
        largest.len().is_multiple_of(channels);
    |simd| {
        for start in (0..largest.len()).step_by(channels) {
            let window = window_corners(rows, start, channels);
            let to = largest[start..].as_mut_ptr();
            // SAFETY: `channels` numbers from `start` on, and from the window's corners, are in
            // their slices.
            for_each_place(simd, channels, #[inline(always)] |place| unsafe {
                simd.store_at(to, place, largest_of(simd, load_corners(simd, window, place)));
            });
        }
    }
}

pass! {
    /// [`max_pool`] of `rows` for training: also which corner it was, 0 and 1 above, 2 and 3 below,
    /// and what stands there in `linear`.
    fn max_pool_with_argmax<'a>(
        rows: [&'a [f32]; 2],
        linear: [&'a [f32]; 2],
        channels: usize,
        largest: &'a mut [f32],
        linear_at_argmax: &'a mut [f32],
        argmax: &'a mut [u8],
    )
    where
        rows.iter().chain(&linear).all(|row| row.len() >= 2 * largest.len()),
        linear_at_argmax.len() == largest.len(),
        argmax.len() == largest.len(),
        largest.len().is_multiple_of(channels);
    |simd| {
        for start in (0..largest.len()).step_by(channels) {
            let corners = window_corners(rows, start, channels);
            let linear = window_corners(linear, start, channels);
            let largest = largest[start..].as_mut_ptr();
            let linear_at_argmax = linear_at_argmax[start..].as_mut_ptr();
            let argmax = argmax[start..].as_mut_ptr();
            // SAFETY: as in `max_pool`.
            for_each_place(simd, channels, #[inline(always)] |place| unsafe {
                let mut best = simd.load_at(corners[0], place);
                let mut linear_at_best = simd.load_at(linear[0], place);
                let mut index = simd.splat(0.0);
                for corner in 1..4 {
                    let x = simd.load_at(corners[corner], place);
                    let better = replaces_maximum(simd, x, best);
                    best = simd.select(better, x, best);
                    let linear = simd.load_at(linear[corner], place);
                    linear_at_best = simd.select(better, linear, linear_at_best);
                    index = simd.select(better, simd.splat(corner as f32), index);
                }
                simd.store_at(largest, place, best);
                simd.store_at(linear_at_argmax, place, linear_at_best);
                simd.store_bytes_at(argmax, place, simd.to_int(index));
            });
        }
    }
}

pass! {
    /// [`max_pool_with_argmax`] of slope · (linear − mean) + offset, with mean, slope and offset in
    /// `normalization`.
    fn normalize_and_max_pool<'a>(
        linear: [&'a [f32]; 2],
        normalization: [&'a [f32]; 3],
        channels: usize,
        largest: &'a mut [f32],
        linear_at_argmax: &'a mut [f32],
        argmax: &'a mut [u8],
    )
    where
        linear.iter().all(|row| row.len() >= 2 * largest.len()),
        normalization.iter().all(|row| row.len() >= channels),
        linear_at_argmax.len() == largest.len(),
        argmax.len() == largest.len(),
        largest.len().is_multiple_of(channels);
    |simd, place of channels| {
        // SAFETY: what normalises has a number for each channel.
        let [mean, slope, offset] = unsafe { load_all(simd, *normalization, place) };
        for start in (0..largest.len()).step_by(channels) {
            let corners = window_corners(*linear, start, channels);
            let largest = largest[start..].as_mut_ptr();
            let linear_at_argmax = linear_at_argmax[start..].as_mut_ptr();
            let argmax = argmax[start..].as_mut_ptr();
            // SAFETY: as in `max_pool`.
            unsafe {
                let mut linear_at_best = simd.load_at(corners[0], place);
                let mut best = simd.mul_add(slope, simd.sub(linear_at_best, mean), offset);
                let mut index = simd.splat(0.0);
                for (corner, &linear) in corners.iter().enumerate().skip(1) {
                    let linear = simd.load_at(linear, place);
                    let x = simd.mul_add(slope, simd.sub(linear, mean), offset);
                    let better = replaces_maximum(simd, x, best);
                    best = simd.select(better, x, best);
                    linear_at_best = simd.select(better, linear, linear_at_best);
                    index = simd.select(better, simd.splat(corner as f32), index);
                }
                simd.store_at(largest, place, best);
                simd.store_at(linear_at_argmax, place, linear_at_best);
                simd.store_bytes_at(argmax, place, simd.to_int(index));
            }
        }
    }
}

/// What stands at a place of each row.
///
/// # Safety
///
/// It must be readable.
#[inline(always)]
pub(crate) unsafe fn load_all<S: Simd, const N: usize>(
    simd: S,
    rows: [&[f32]; N],
    place: Place,
) -> [S::F32; N] {
    let mut loaded = [simd.splat(0.0); N];
    for (loaded, row) in loaded.iter_mut().zip(rows) {
        // SAFETY: the caller's.
        *loaded = unsafe { simd.load_at(row.as_ptr(), place) };
    }
    loaded
}

/// What stands at a place of each corner's row.
///
/// # Safety
///
/// It must be readable.
#[inline(always)]
pub(crate) unsafe fn load_corners<S: Simd>(
    simd: S,
    corners: [*const f32; 4],
    place: Place,
) -> [S::F32; 4] {
    let mut loaded = [simd.splat(0.0); 4];
    for (loaded, corner) in loaded.iter_mut().zip(corners) {
        // SAFETY: the caller's.
        *loaded = unsafe { simd.load_at(corner, place) };
    }
    loaded
}

/// The largest of four: the first of several equal ones; NaN if one of them is NaN.
#[inline(always)]
pub(crate) fn largest_of<S: Simd>(simd: S, [a, b, c, d]: [S::F32; 4]) -> S::F32 {
    // Of equal ones `max` gives the second.
    let largest = simd.max(simd.max(d, c), simd.max(b, a));
    let nan = simd.or(simd.unordered(a, b), simd.unordered(c, d));
    simd.select(nan, simd.splat(f32::NAN), largest)
}

/// Stores the largest of each of `count` 2×2 windows of two rows, with `bias` added, at `place` of as
/// many pixels of `channels` numbers from `to` on.
///
/// # Safety
///
/// `place` of these pixels must be writable.
#[inline(always)]
pub(crate) unsafe fn store_pooled<S: Simd, const N: usize>(
    simd: S,
    [above, below]: [[S::F32; N]; 2],
    bias: S::F32,
    to: *mut f32,
    count: usize,
    channels: usize,
    place: Place,
) {
    for j in 0..count {
        let window = [
            above[2 * j],
            above[2 * j + 1],
            below[2 * j],
            below[2 * j + 1],
        ];
        let x = simd.add(largest_of(simd, window), bias);
        // SAFETY: the caller's.
        unsafe { simd.store_at(to.add(j * channels), place, x) };
    }
}

/// The smallest and the largest of four, and whether one of the four is NaN; what they are then is
/// not said.
#[inline(always)]
pub(crate) fn extremes<S: Simd>(simd: S, [a, b, c, d]: [S::F32; 4]) -> ([S::F32; 2], S::Mask) {
    let smallest = simd.min(simd.min(a, b), simd.min(c, d));
    let largest = simd.max(simd.max(a, b), simd.max(c, d));
    let is_nan = simd.or(simd.unordered(a, b), simd.unordered(c, d));
    ([smallest, largest], is_nan)
}

/// The smallest and the largest of four; both NaN if one of the four is NaN.
#[inline(always)]
pub(crate) fn extremes_or_nan<S: Simd>(simd: S, corners: [S::F32; 4]) -> [S::F32; 2] {
    let ([smallest, largest], is_nan) = extremes(simd, corners);
    let nan = simd.splat(f32::NAN);
    [
        simd.select(is_nan, nan, smallest),
        simd.select(is_nan, nan, largest),
    ]
}

/// The index of the corner that `x` is, bit by bit: the first of several; the last if it is none of
/// them.
#[inline(always)]
pub(crate) fn corner_index_of<S: Simd>(simd: S, corners: [S::F32; 4], x: S::F32) -> S::I32 {
    let mut found = simd.splat(3.0);
    for (number, &corner) in corners.iter().enumerate().take(3).rev() {
        let here = simd.equal_int(simd.to_bits(corner), simd.to_bits(x));
        found = simd.select(here, simd.splat(number as f32), found);
    }
    simd.to_int(found)
}

/// Whether `x` takes the place of the largest so far: it is larger, or NaN.
#[inline(always)]
pub(crate) fn replaces_maximum<S: Simd>(simd: S, x: S::F32, best: S::F32) -> S::Mask {
    simd.or(simd.less(best, x), simd.is_nan(x))
}

pass! {
    /// What stands in each 2×2 window at the corner that `argmax` names.
    fn gather<'a>(
        rows: [&'a [f32]; 2],
        channels: usize,
        argmax: &'a [u8],
        out: &'a mut [f32],
    )
    where
        rows.iter().all(|row| row.len() >= 2 * out.len()),
        argmax.len() == out.len(),
        out.len().is_multiple_of(channels);
    |simd| {
        for start in (0..out.len()).step_by(channels) {
            let window = window_corners(rows, start, channels);
            let (to, argmax) = (out[start..].as_mut_ptr(), argmax[start..].as_ptr());
            // SAFETY: as in `max_pool`.
            for_each_place(simd, channels, #[inline(always)] |place| unsafe {
                let argmax = simd.load_bytes_at(argmax, place);
                let mut x = simd.load_at(window[0], place);
                for (corner, &from) in window.iter().enumerate().skip(1) {
                    let here = simd.equal_int(argmax, simd.splat_int(corner as i32));
                    x = simd.select(here, simd.load_at(from, place), x);
                }
                simd.store_at(to, place, x);
            });
        }
    }
}

pass! {
    /// Adds scale · g to each 2×2 window's corner that `argmax` names.
    fn scatter<'a>(
        g: &'a [f32],
        scale: &'a [f32],
        channels: usize,
        argmax: &'a [u8],
        rows: [&'a mut [f32]; 2],
    )
    where
        rows.iter().all(|row| row.len() >= 2 * g.len()),
        argmax.len() == g.len(),
        scale.len() >= g.len(),
        g.len().is_multiple_of(channels);
    |simd| {
        let rows = rows.map(<[f32]>::as_mut_ptr);
        for start in (0..g.len()).step_by(channels) {
            let (from, scale) = (g[start..].as_ptr(), scale[start..].as_ptr());
            let argmax = argmax[start..].as_ptr();
            // SAFETY: as in `max_pool`.
            for_each_place(simd, channels, #[inline(always)] |place| unsafe {
                let g = simd.mul(simd.load_at(from, place), simd.load_at(scale, place));
                let argmax = simd.load_bytes_at(argmax, place);
                for corner in 0..4 {
                    let to = rows[corner / 2].add(2 * start + corner % 2 * channels);
                    let here = simd.equal_int(argmax, simd.splat_int(corner as i32));
                    let old = simd.load_at(to, place);
                    let sum = simd.add(old, simd.select(here, g, simd.splat(0.0)));
                    simd.store_at(to, place, sum);
                }
            });
        }
    }
}

pass! {
    /// out = slope · (y − mean) + offset, and scale · g more at each 2×2 window's corner that
    /// `argmax` names, with mean, slope and offset in `normalization`.
    fn normalize_and_scatter<'a>(
        y: [&'a [f32]; 2],
        normalization: [&'a [f32]; 3],
        g: &'a [f32],
        scale: &'a [f32],
        channels: usize,
        argmax: &'a [u8],
        out: [&'a mut [f32]; 2],
    )
    where
        y.iter().all(|row| row.len() >= 2 * g.len()),
        out.iter().all(|row| row.len() >= 2 * g.len()),
        normalization.iter().all(|row| row.len() >= channels),
        argmax.len() == g.len(),
        scale.len() >= channels,
        g.len().is_multiple_of(channels);
    |simd, place of channels| {
        // SAFETY: what belongs to channels has a number for each.
        let ([mean, slope, offset], [scale]) = unsafe {
            (
                load_all(simd, *normalization, place),
                load_all(simd, [*scale], place),
            )
        };
        let out = [out[0].as_mut_ptr(), out[1].as_mut_ptr()];
        for start in (0..g.len()).step_by(channels) {
            let corners = window_corners(*y, start, channels);
            let (g, argmax) = (g[start..].as_ptr(), argmax[start..].as_ptr());
            // SAFETY: as in `max_pool`.
            unsafe {
                let g = simd.mul(simd.load_at(g, place), scale);
                let argmax = simd.load_bytes_at(argmax, place);
                for (corner, &y) in corners.iter().enumerate() {
                    let to = out[corner / 2].add(2 * start + corner % 2 * channels);
                    let here = simd.equal_int(argmax, simd.splat_int(corner as i32));
                    let centred = simd.sub(simd.load_at(y, place), mean);
                    let normalized = simd.mul_add(slope, centred, offset);
                    let sum = simd.add(normalized, simd.select(here, g, simd.splat(0.0)));
                    simd.store_at(to, place, sum);
                }
            }
        }
    }
}

/// The corners of the window whose largest is number `start` of its row.
#[inline(always)]
pub(crate) fn window_corners(rows: [&[f32]; 2], start: usize, channels: usize) -> [*const f32; 4] {
    let [above, below] = rows.map(|row| row[2 * start..][..2 * channels].as_ptr());
    [
        above,
        above.wrapping_add(channels),
        below,
        below.wrapping_add(channels),
    ]
}

pass! {
    /// Mean and sum of squared deviations of each channel of an image `[pixels, channels]`.
    fn moments<'a>(
        image: &'a [f32],
        channels: usize,
        mean: &'a mut [f32],
        squared_deviations: &'a mut [f32],
    )
    where
        mean.len() == channels,
        squared_deviations.len() == channels,
        image.len().is_multiple_of(channels);
    |simd| {
        let reciprocal = simd.splat(channels as f32 / image.len() as f32);
        let (means, squared_deviations) = (mean.as_mut_ptr(), squared_deviations.as_mut_ptr());
        // A sum of many large numbers may be off by more than their deviations. What the mean lacks
        // is the mean of the deviations from it, and what that adds to their squares is taken off:
        // the corrected two-pass algorithm of Chan, Golub and LeVeque (1983).
        // SAFETY: the places lie within `channels`, and `image` is made of whole pixels.
        for_each_place(simd, channels, #[inline(always)] |place| unsafe {
            let [sum] = sums_over_pixels(
                simd,
                image,
                channels,
                place,
                #[inline(always)]
                |[sum], x| [simd.add(sum, x)],
            );
            let near = simd.mul(sum, reciprocal);
            let [rest, squares] = sums_over_pixels(
                simd,
                image,
                channels,
                place,
                #[inline(always)]
                |[sum, squares], x| {
                    let deviation = simd.sub(x, near);
                    [simd.add(sum, deviation), simd.mul_add(deviation, deviation, squares)]
                },
            );
            let rest_of_mean = simd.mul(rest, reciprocal);
            let total = simd.sub(squares, simd.mul(rest, rest_of_mean));
            simd.store_at(means, place, simd.add(near, rest_of_mean));
            // Rounding may leave less than nothing.
            simd.store_at(squared_deviations, place, simd.max(simd.splat(0.0), total));
        });
    }
}

/// `N` sums over the pixels of an image, for the channels at `place`: `add` adds a pixel's numbers
/// to them.
///
/// # Safety
///
/// `place` must lie within `channels`, which must divide the image's length.
#[inline(always)]
unsafe fn sums_over_pixels<S: Simd, const N: usize>(
    simd: S,
    image: &[f32],
    channels: usize,
    place: Place,
    add: impl Fn([S::F32; N], S::F32) -> [S::F32; N],
) -> [S::F32; N] {
    // Independent sums, since an addition takes longer than a load.
    const WAYS: usize = 4;
    let mut ways = [[simd.splat(0.0); N]; WAYS];
    let mut pixels = image.chunks_exact(WAYS * channels);
    for pixels in &mut pixels {
        for (way, sums) in ways.iter_mut().enumerate() {
            // SAFETY: within the pixel number `way`.
            let x = unsafe { simd.load_at(pixels.as_ptr().add(way * channels), place) };
            *sums = add(*sums, x);
        }
    }
    for pixel in pixels.remainder().chunks_exact(channels) {
        // SAFETY: within the pixel.
        let x = unsafe { simd.load_at(pixel.as_ptr(), place) };
        ways[0] = add(ways[0], x);
    }
    let mut totals = [simd.splat(0.0); N];
    for (i, total) in totals.iter_mut().enumerate() {
        *total = simd.add(
            simd.add(ways[0][i], ways[1][i]),
            simd.add(ways[2][i], ways[3][i]),
        );
    }
    totals
}
