//! An image in floating point, with an empty margin.

/// Empty pixels to the left and above, and to the right and below: a place up to one pixel outside
/// has four neighbours.
const BEFORE: usize = 1;
const AFTER: usize = 2;

/// Blurs of less variance than this, in squared pixels, change no pixel by as much as 0.1.
const NEGLIGIBLE: f32 = 2e-4;

/// One axis of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    X,
    Y,
}

/// A square image with an empty margin.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    side: usize,
    stride: usize,
    pixels: Vec<f32>,
    /// Where the next version of `pixels` is made.
    other: Vec<f32>,
}

impl Plane {
    pub(crate) fn new(side: usize) -> Self {
        let stride = BEFORE + side + AFTER;
        Self {
            side,
            stride,
            pixels: vec![0.0; stride * stride],
            other: vec![0.0; stride * stride],
        }
    }

    /// All pixels with the margin, row by row, and the length of a row. The image's first pixel is
    /// at (1, 1).
    pub(crate) fn pixels(&self) -> (&[f32], usize) {
        (&self.pixels, self.stride)
    }

    /// The image's pixels in row `y`.
    #[inline]
    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.pixels[(y + BEFORE) * self.stride + BEFORE..][..self.side]
    }

    pub(crate) fn load(&mut self, image: &[u8]) {
        let rows = self.pixels.chunks_exact_mut(self.stride).skip(BEFORE);
        for (row, bytes) in rows.zip(image.chunks_exact(self.side)) {
            for (pixel, &byte) in row[BEFORE..].iter_mut().zip(bytes) {
                *pixel = f32::from(byte);
            }
        }
    }

    /// Moves the edges of strokes outwards by `distance` pixels, −1 to 1: the image is mixed with the
    /// largest (or smallest) of each pixel and its four neighbours, the dilation (or erosion) by a
    /// disc of radius 1.
    pub(crate) fn thicken(&mut self, distance: f32) {
        let share = distance.abs();
        if distance > 0.0 {
            self.combine(|pixel, [left, right, above, below]| {
                let most = larger(larger(larger(left, right), larger(above, below)), pixel);
                pixel + share * (most - pixel)
            });
        } else if distance < 0.0 {
            self.combine(|pixel, [left, right, above, below]| {
                let least = smaller(smaller(smaller(left, right), smaller(above, below)), pixel);
                pixel + share * (least - pixel)
            });
        }
    }

    /// Blurs the image along one axis by a kernel of this variance in squared pixels: `[v/2, 1 − v, v/2]`
    /// as often as needed for `v` of at most 1/2.
    pub(crate) fn blur(&mut self, axis: Axis, variance: f32) {
        let mut rest = variance;
        while rest > NEGLIGIBLE {
            let half = 0.5 * rest.min(0.5);
            rest -= 0.5;
            let mix = move |pixel: f32, before: f32, after: f32| {
                pixel * (1.0 - 2.0 * half) + half * (before + after)
            };
            match axis {
                Axis::X => self.combine(|pixel, [left, right, ..]| mix(pixel, left, right)),
                Axis::Y => self.combine(|pixel, [.., above, below]| mix(pixel, above, below)),
            }
        }
    }

    /// Replaces every pixel of the image by a function of itself and its neighbours to the left, to
    /// the right, above and below.
    #[inline]
    fn combine(&mut self, function: impl Fn(f32, [f32; 4]) -> f32) {
        // One long loop over the rows of the image with the margins between them, which are emptied
        // again afterwards: it compiles to vectors, and hardly any time goes to their ends.
        let start = BEFORE * self.stride;
        let length = self.side * self.stride;
        let from = |first: usize| &self.pixels[first..][..length];
        let (here, above, below) = (from(start), from(0), from(start + self.stride));
        let (left, right) = (from(start - 1), from(start + 1));
        let output = &mut self.other[start..][..length];
        for index in 0..length {
            let neighbours = [left[index], right[index], above[index], below[index]];
            output[index] = function(here[index], neighbours);
        }
        for row in output.chunks_exact_mut(self.stride) {
            row[..BEFORE].fill(0.0);
            row[BEFORE + self.side..].fill(0.0);
        }
        std::mem::swap(&mut self.pixels, &mut self.other);
    }
}

// Unlike those of the standard library, these need not care for NaN and are one instruction.

#[inline]
pub(crate) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline]
pub(crate) fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
