//! The affine part of the way from a pixel of the result to its place in the image.

use crate::distortion::Distortion;

/// An affine map of the plane: `x` to the right, `y` downwards, pixels at whole numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Map {
    /// Two rows: `x` and `y` of the image, by `x` and `y` of the result.
    pub(crate) matrix: [[f64; 2]; 2],
    /// The place in the image of the result's first pixel.
    pub(crate) origin: [f64; 2],
}

impl Map {
    pub(crate) const IDENTITY: Self = Self {
        matrix: [[1.0, 0.0], [0.0, 1.0]],
        origin: [0.0, 0.0],
    };

    /// Where the pixels of an image distorted so come from. The centre of the image is at
    /// `(side − 1) / 2`.
    pub(crate) fn new(distortion: &Distortion, side: usize) -> Self {
        let (sin, cos) = sin_cos(distortion.rotation);
        let (shear_sin, shear_cos) = sin_cos(distortion.shear);
        let slant = shear_sin / shear_cos;
        let root = distortion.stretch.sqrt();
        let (width, height) = (distortion.zoom * root, distortion.zoom / root);
        // Forwards, a point is zoomed, slanted (x − slant · y), turned and shifted; backwards, the
        // inverses follow one another in the reverse order.
        let turn_back = [[cos, -sin], [sin, cos]];
        let [x, y] = turn_back;
        let upright = [[x[0] + slant * y[0], x[1] + slant * y[1]], y];
        let matrix = [
            upright[0].map(|value| value / width),
            upright[1].map(|value| value / height),
        ];
        let centre = 0.5 * (side as f64 - 1.0);
        let [right, down] = distortion.shift.map(|shift| centre + shift);
        Self {
            matrix,
            origin: matrix.map(|row| centre - (row[0] * right + row[1] * down)),
        }
    }

    /// How much wider, along the image's two axes, the pixels of the result are than those of the
    /// image: the excess over 1 of the squared standard deviation of a round spot that is mapped into
    /// the image; 0 where it is narrower.
    pub(crate) fn excess(&self) -> [f64; 2] {
        self.matrix
            .map(|row| (row[0] * row[0] + row[1] * row[1] - 1.0).max(0.0))
    }
}

/// Sine and cosine of an angle in degrees, exact at multiples of 90. The standard library's differ
/// in their last bits between platforms.
fn sin_cos(degrees: f64) -> (f64, f64) {
    let quarters = (degrees / 90.0).round();
    // At most π/4 in size, where these terms of the Taylor series are as good as all.
    let x = (degrees - 90.0 * quarters) * (std::f64::consts::PI / 180.0);
    let square = x * x;
    let series = |first: f64, powers: &[f64]| {
        let (mut term, mut sum) = (first, first);
        for power in powers {
            term *= -square / (power * (power - 1.0));
            sum += term;
        }
        sum
    };
    let sin = series(x, &[3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0]);
    let cos = series(1.0, &[2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0]);
    match quarters.rem_euclid(4.0) as i32 {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sines_and_cosines() {
        for step in -1440..=1440 {
            let degrees = f64::from(step) * 0.25;
            let (sin, cos) = sin_cos(degrees);
            let (expected_sin, expected_cos) = degrees.to_radians().sin_cos();
            assert!((sin - expected_sin).abs() < 2e-15, "{degrees}");
            assert!((cos - expected_cos).abs() < 2e-15, "{degrees}");
        }
        assert_eq!(sin_cos(0.0), (0.0, 1.0));
        assert_eq!(sin_cos(90.0), (1.0, 0.0));
        assert_eq!(sin_cos(-90.0), (-1.0, 0.0));
        assert_eq!(sin_cos(180.0), (0.0, -1.0));
    }
}
