//! The pen: how a path becomes ink.

use augmentation::cubic_b_spline_weights;

use super::SIDE;
use super::distort::{Path, Point};
use super::variate::Variates;

/// The ink of a picture before it is centred, row by row: 0 is background, 1 is full ink.
pub(super) type Ink = [f32; SIDE * SIDE];

/// The pen and the hand that presses it. Lengths are in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nib {
    /// Half of the mean width of a stroke.
    pub(super) radius: f32,
    /// Width of the edge over which ink fades to paper.
    pub(super) edge: f32,
    /// How much the radius follows the pressure of the hand, as a share of it.
    pressure: f32,
    /// How much wider strokes downwards are than strokes across, as a share of the radius.
    contrast: f32,
    /// How far the radius falls off towards the ends of a stroke, as a share of it; a negative
    /// share stands for blots.
    taper: f32,
    /// Unevenness of the edge, as a share of the radius.
    roughness: f32,
    /// Factor on the ink, at least 1; the pixels saturate at 1.
    darkness: f32,
    /// Whether the pen skips once.
    skips: bool,
}

impl Nib {
    /// A random pen in a random hand.
    ///
    /// The ranges were chosen by hand so that a set has about MNIST's mean (0.13), standard
    /// deviation (0.31), widths of strokes (two to four pixels) and histogram of grey levels.
    pub(super) fn pick(variates: &mut Variates) -> Self {
        Self {
            radius: variates.bell(1.35, 0.38).clamp(0.65, 2.6),
            edge: variates.uniform(0.8, 1.6),
            pressure: variates.uniform(0.0, 0.25),
            contrast: variates.bell(0.05, 0.1),
            taper: variates.uniform(-0.1, 0.3),
            roughness: variates.uniform(0.0, 0.12),
            darkness: variates.uniform(1.0, 1.15),
            skips: variates.chance(0.04),
        }
    }

    /// The pen's radius in pixels at each point of `path`, a digit of height 1.
    pub(super) fn radii(&self, path: &Path, variates: &mut Variates) -> Vec<Vec<f32>> {
        path.iter()
            .map(|stroke| self.stroke_radii(stroke, variates))
            .collect()
    }

    fn stroke_radii(&self, stroke: &[Point], variates: &mut Variates) -> Vec<f32> {
        // Lengths are shares of the digit's height: the distance between the controls of the
        // pressure, and the reach of the taper.
        const SPACING: f32 = 0.5;
        const REACH: f32 = 0.25;
        let mut length = 0.0;
        let mut places = vec![0.0];
        for pair in stroke.windows(2) {
            length += pair[0].distance(pair[1]);
            places.push(length);
        }
        // Pressure is a smooth random function of the place along the stroke, a cubic B-spline.
        let cells = (length / SPACING).floor() as usize + 1;
        let controls: Vec<f32> = (0..cells + 3)
            .map(|_| variates.bell(0.0, self.pressure))
            .collect();
        places
            .iter()
            .enumerate()
            .map(|(i, &place)| {
                let position = place / SPACING;
                let cell = position.floor();
                let pressure: f32 = controls[cell as usize..]
                    .iter()
                    .zip(cubic_b_spline_weights(position - cell))
                    .map(|(control, weight)| control * weight)
                    .sum();
                let before = stroke[i.saturating_sub(1)];
                let after = stroke[(i + 1).min(stroke.len() - 1)];
                let run = before.distance(after).max(1e-6);
                let down = (after.y - before.y).abs() / run;
                let near_end = 1.0 - place.min(length - place).min(REACH) / REACH;
                let rough = variates.bell(0.0, self.roughness);
                let factor = 1.0 + pressure + self.contrast * (2.0 * down - 1.0) + rough
                    - self.taper * near_end * near_end;
                // Neither a break nor a blot that could be taken for a loop.
                self.radius * factor.clamp(0.35, 1.6)
            })
            .collect()
    }

    /// Draws `path`, given in pixels, with a pen of the given radii.
    pub(super) fn ink(&self, path: &Path, radii: &[Vec<f32>], variates: &mut Variates) -> Ink {
        let mut ink = [0.0; SIDE * SIDE];
        // The stroke, and the place in it, where the pen skips.
        let skip = self.skips.then(|| {
            let number = variates.weighted(path.iter().map(|_| 1.0));
            let place = variates.uniform(0.1, 0.9) * path[number].len() as f32;
            (number, place as usize)
        });
        for (number, (stroke, radii)) in path.iter().zip(radii).enumerate() {
            for (i, (ends, widths)) in stroke.windows(2).zip(radii.windows(2)).enumerate() {
                if skip != Some((number, i)) {
                    segment(
                        &mut ink,
                        self.edge,
                        [ends[0], ends[1]],
                        [widths[0], widths[1]],
                    );
                }
            }
        }
        for pixel in &mut ink {
            *pixel = (*pixel * self.darkness).min(1.0);
        }
        ink
    }
}

/// Inks the straight line between two points, whose radius changes evenly along it. A pixel's ink
/// falls from 1 to 0 over the width of the edge, by the distance of its centre from the line: with
/// an edge of one pixel that is nearly the share of the pixel's area that is covered.
fn segment(ink: &mut Ink, edge: f32, [from, to]: [Point; 2], [start, stop]: [f32; 2]) {
    let reach = start.max(stop) + 0.5 * edge;
    let first = |low: f32| (low - reach).ceil().max(0.0) as usize;
    let last = |high: f32| ((high + reach).floor() + 1.0).clamp(0.0, SIDE as f32) as usize;
    let (left, right) = (first(from.x.min(to.x)), last(from.x.max(to.x)));
    let (top, bottom) = (first(from.y.min(to.y)), last(from.y.max(to.y)));
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let squared = (dx * dx + dy * dy).max(1e-12);
    let softness = 1.0 / edge;
    for row in top..bottom {
        let y = row as f32 - from.y;
        for column in left..right {
            let x = column as f32 - from.x;
            let along = ((x * dx + y * dy) / squared).clamp(0.0, 1.0);
            let (x, y) = (x - along * dx, y - along * dy);
            let distance = (x * x + y * y).sqrt();
            let radius = start + (stop - start) * along;
            let cover = ((radius - distance) * softness + 0.5).min(1.0);
            let pixel = &mut ink[row * SIDE + column];
            if cover > *pixel {
                *pixel = cover;
            }
        }
    }
}
