//! From an image to its distorted copy.

use crate::config::{AugmentationConfig, Error};
use crate::distortion::{Distortion, Draws};
use crate::elastic::{Field, LANES};
use crate::erasing::erase;
use crate::map::Map;
use crate::plane::{Axis, Plane, larger, smaller};

/// The largest side of an image: with it, the numbers of pixels stay below 2²², which the arithmetic
/// needs.
pub const LARGEST_SIDE: usize = 2000;

/// Distorts images one after the other, in memory of its own that it uses again. Threads have one
/// each.
///
/// # How an image is read
///
/// Between pixels, the image is interpolated linearly along both axes; around it is background, 0.
/// Where the map makes the image smaller (or a slant squeezes it), this alone would leave out
/// pixels. The image is blurred before, along each axis, such that its kernel and that of the
/// interpolation together have the variance of the usual remedy, an interpolation kernel widened by
/// the scale: a triangle has variance 1/6 of the square of its half width, so that `(scale² − 1) / 6`
/// is missing. That holds for the affine part; the elastic field's own squeezing is left alone.
#[derive(Clone, Debug)]
pub struct Augmenter {
    config: AugmentationConfig,
    side: usize,
    run_seed: u64,
    plane: Plane,
    field: Option<Field>,
    /// Displacements of one row.
    across: Vec<f32>,
    down: Vec<f32>,
    /// The result, with room for a whole vector after its end.
    greys: Vec<f32>,
}

impl Augmenter {
    /// An augmenter of images of `side × side` pixels in a run of this seed.
    ///
    /// # Errors
    ///
    /// [`AugmentationConfig::check`]'s; [`Error::Side`] if `side` is 0 or larger than
    /// [`LARGEST_SIDE`]; [`Error::Shift`] if images can be shifted by their whole side.
    pub fn new(config: &AugmentationConfig, side: usize, run_seed: u64) -> Result<Self, Error> {
        config.check()?;
        if !(1..=LARGEST_SIDE).contains(&side) {
            return Err(Error::Side {
                side,
                largest: LARGEST_SIDE,
            });
        }
        if config.shift >= side as f64 {
            return Err(Error::Shift {
                shift: config.shift,
                side,
            });
        }
        let width = side.next_multiple_of(LANES);
        Ok(Self {
            config: config.clone(),
            side,
            run_seed,
            plane: Plane::new(side),
            field: (config.elastic.strength > 0.0).then(|| Field::new(&config.elastic, side)),
            across: vec![0.0; width],
            down: vec![0.0; width],
            greys: vec![0.0; side * side + LANES],
        })
    }

    /// Writes the distorted copy of one image to `output`, greys from 0 to 255. `index` names the
    /// image in all epochs: its row in the file. The same numbers and pixels give the same copy.
    ///
    /// # Panics
    ///
    /// If `image` or `output` is not `side × side` long.
    pub fn augment(&mut self, epoch: u64, index: u64, image: &[u8], output: &mut [f32]) {
        output.copy_from_slice(self.greys(epoch, index, image));
    }

    /// The same, rounded to the nearest byte.
    ///
    /// # Panics
    ///
    /// If `image` or `output` is not `side × side` long.
    pub fn augment_bytes(&mut self, epoch: u64, index: u64, image: &[u8], output: &mut [u8]) {
        let greys = self.greys(epoch, index, image);
        assert_eq!(output.len(), greys.len(), "pixels of the output");
        for (byte, &grey) in output.iter_mut().zip(greys) {
            *byte = whole(grey) as u8;
        }
    }

    fn greys(&mut self, epoch: u64, index: u64, image: &[u8]) -> &[f32] {
        let mut draws = Draws::new(self.run_seed, epoch, index);
        let distortion = Distortion::draw(&self.config, self.side, &mut draws);
        if let Some(field) = &mut self.field {
            field.draw(&mut draws);
        }
        self.distort(&distortion, image);
        let greys = &mut self.greys[..self.side * self.side];
        if let Some(rectangle) = distortion.erased {
            let fill = self.config.erasing.fill;
            erase(greys, self.side, rectangle, fill, draws);
        }
        greys
    }

    /// Everything but erasing, with the elastic field as it is.
    fn distort(&mut self, distortion: &Distortion, image: &[u8]) {
        assert_eq!(image.len(), self.side * self.side, "pixels of the image");
        let map = Map::new(distortion, self.side);
        let moves = self.field.is_some() || map != Map::IDENTITY;
        if !moves && distortion.thickness == 0.0 {
            for (grey, &byte) in self.greys.iter_mut().zip(image) {
                *grey = f32::from(byte);
            }
            return;
        }
        self.plane.load(image);
        self.plane.thicken(distortion.thickness as f32);
        if moves {
            let [across, down] = map.excess();
            self.plane.blur(Axis::X, (across / 6.0) as f32);
            self.plane.blur(Axis::Y, (down / 6.0) as f32);
            self.resample(&map);
        } else {
            let rows = self.greys.chunks_exact_mut(self.side);
            for (y, row) in (0..self.side).zip(rows) {
                row.copy_from_slice(self.plane.row(y));
            }
        }
    }

    /// Reads the plane at the place of each pixel.
    fn resample(&mut self, map: &Map) {
        let (pixels, stride) = self.plane.pixels();
        // Places in the plane, whose margin is one pixel wide before the image. Those outside are
        // moved to the margin, which is empty.
        let last = (self.side + 1) as f32;
        let clamp = |place: f32| smaller(larger(place, 0.0), last);
        let [x, y] = map.matrix.map(|row| row.map(|value| value as f32));
        let [left, top] = map.origin.map(|value| (value + 1.0) as f32);
        let length = stride as f32;
        for row in 0..self.side {
            if let Some(field) = &self.field {
                field.row(row, &mut self.across, &mut self.down);
            }
            let across = self.across.as_chunks::<LANES>().0;
            let down = self.down.as_chunks::<LANES>().0;
            for (part, (across, down)) in across.iter().zip(down).enumerate() {
                let column = (part * LANES) as i32 as f32;
                let (mut numbers, mut right, mut below) = ([0; LANES], [0.0; LANES], [0.0; LANES]);
                for lane in 0..LANES {
                    let u = column + LANE[lane] + across[lane];
                    let v = row as i32 as f32 + down[lane];
                    let (column, fraction) = split(clamp(x[0] * u + x[1] * v + left));
                    right[lane] = fraction;
                    let (line, fraction) = split(clamp(y[0] * u + y[1] * v + top));
                    below[lane] = fraction;
                    numbers[lane] = whole(line * length + column);
                }
                let mut corners = [[0.0; LANES]; 4];
                for lane in 0..LANES {
                    let four = &pixels[numbers[lane] as usize..][..stride + 2];
                    corners[0][lane] = four[0];
                    corners[1][lane] = four[1];
                    corners[2][lane] = four[stride];
                    corners[3][lane] = four[stride + 1];
                }
                // The last vector of a row reaches into the next, which is written later.
                let output = &mut self.greys[row * self.side + part * LANES..][..LANES];
                for lane in 0..LANES {
                    let upper =
                        corners[0][lane] + right[lane] * (corners[1][lane] - corners[0][lane]);
                    let lower =
                        corners[2][lane] + right[lane] * (corners[3][lane] - corners[2][lane]);
                    let grey = upper + below[lane] * (lower - upper);
                    // Rounding can lead out of the range by a last bit.
                    output[lane] = smaller(larger(grey, 0.0), 255.0);
                }
            }
        }
    }
}

/// The numbers of the lanes.
const LANE: [f32; LANES] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

/// Adding it to a number below 2²² in size leaves the nearest whole number in the lowest bits; the
/// processors that programs are compiled for by default have no vector instruction to round.
const MAGIC: f32 = 12_582_912.0;

/// The whole number below a place, and what is left, both as `f32`. At a whole number it can be the
/// one before, with 1 left, which means the same.
#[inline]
fn split(place: f32) -> (f32, f32) {
    let floor = ((place - 0.5) + MAGIC) - MAGIC;
    (floor, place - floor)
}

/// A whole number from 0 to 2²² as an integer.
#[inline]
fn whole(number: f32) -> u32 {
    (number + MAGIC).to_bits() - MAGIC.to_bits()
}

#[cfg(test)]
mod tests;
