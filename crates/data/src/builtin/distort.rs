//! The shape of the pen's path: variation of a skeleton, elastic and affine distortion.

use augmentation::cubic_b_spline_weights;

use super::skeletons::{Anchor, Style};
use super::variate::Variates;

/// A point of the picture's plane: `x` to the right, `y` downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
}

impl Point {
    /// The point at `fraction` of the way to `other`.
    pub(super) fn towards(self, other: Self, fraction: f32) -> Self {
        Self {
            x: self.x + (other.x - self.x) * fraction,
            y: self.y + (other.y - self.y) * fraction,
        }
    }

    /// The Euclidean distance to `other`.
    pub(super) fn distance(self, other: Self) -> f32 {
        let (x, y) = (other.x - self.x, other.y - self.y);
        (x * x + y * y).sqrt()
    }
}

/// A path of the pen: polylines, one per stroke, dense enough to look smooth.
pub(super) type Path = Vec<Vec<Point>>;

/// The largest distance between neighbouring points of a path, as a share of a digit's height.
const STEP: f32 = 0.05;

/// Draws one variant of `style`: its modes of variation, the hand's inaccuracy at each anchor, the
/// curve through the anchors, rounded corners, and strokes that stop short or run on.
pub(super) fn vary(style: &Style, variates: &mut Variates) -> Path {
    let mut anchors: Vec<Vec<Anchor>> = style.strokes.iter().map(|s| s.to_vec()).collect();

    for mode in style.modes {
        let amount = variates.uniform(mode.range.0, mode.range.1);
        for &(stroke, anchor, x, y) in mode.shifts {
            anchors[stroke][anchor].x += amount * x;
            anchors[stroke][anchor].y += amount * y;
        }
    }

    // Some hands are careful, some are not; a stroke is moved as a whole, too, which opens gaps
    // between strokes and makes them cross.
    let looseness = variates.uniform(0.2, 0.9);
    for stroke in &mut anchors {
        let (x, y) = (
            variates.bell(0.0, 0.025 * looseness),
            variates.bell(0.0, 0.025 * looseness),
        );
        for anchor in stroke {
            anchor.x += x + variates.bell(0.0, 0.04 * looseness);
            anchor.y += y + variates.bell(0.0, 0.04 * looseness);
        }
    }

    // Half of the hands write slowly enough for sharp corners; the others round them more or less.
    // One amount of rounding for all corners of a digit: it is a property of the writing speed.
    let rounding = if variates.chance(0.5) {
        0
    } else {
        1 + variates.weighted([3.0, 2.0, 2.0, 1.0, 1.0, 1.0].into_iter())
    };
    anchors
        .iter()
        .map(|stroke| {
            let mut line = curve(stroke);
            for _ in 0..rounding {
                round(&mut line);
            }
            end(&mut line, variates);
            line.reverse();
            end(&mut line, variates);
            line.reverse();
            line
        })
        .collect()
}

/// The centripetal Catmull–Rom spline through `anchors` (Yuksel, Schaefer and Keyser 2011), which
/// has neither cusps nor loops between two anchors; it turns sharply at corner anchors.
fn curve(anchors: &[Anchor]) -> Vec<Point> {
    let points: Vec<Point> = anchors.iter().map(|a| Point { x: a.x, y: a.y }).collect();
    // Knot spacings are the square roots of the chord lengths; never zero.
    let knots: Vec<f32> = points
        .windows(2)
        .map(|pair| pair[0].distance(pair[1]).sqrt().max(1e-3))
        .collect();
    // The derivative at an anchor by the knot parameter, or none at ends and corners.
    let tangent = |i: usize| -> Option<Point> {
        if i == 0 || i + 1 == points.len() || anchors[i].corner {
            return None;
        }
        let (a, b, c) = (points[i - 1], points[i], points[i + 1]);
        let (before, after) = (knots[i - 1], knots[i]);
        let slope = |a: f32, b: f32, c: f32| {
            (b - a) / before - (c - a) / (before + after) + (c - b) / after
        };
        Some(Point {
            x: slope(a.x, b.x, c.x),
            y: slope(a.y, b.y, c.y),
        })
    };
    let mut line = vec![points[0]];
    for (i, &knot) in knots.iter().enumerate() {
        let (from, to) = (points[i], points[i + 1]);
        let chord = Point {
            x: to.x - from.x,
            y: to.y - from.y,
        };
        let scaled = |t: Point| Point {
            x: t.x * knot,
            y: t.y * knot,
        };
        // At a free end the curve is a parabola, so that a bow stays round up to its end.
        let mirrored = |t: Point| Point {
            x: 2.0 * chord.x - t.x,
            y: 2.0 * chord.y - t.y,
        };
        let (start, stop) = match (tangent(i).map(scaled), tangent(i + 1).map(scaled)) {
            (Some(start), Some(stop)) => (start, stop),
            (Some(start), None) => (start, mirrored(start)),
            (None, Some(stop)) => (mirrored(stop), stop),
            (None, None) => (chord, chord),
        };
        let steps = (from.distance(to) / STEP).ceil().clamp(3.0, 40.0) as usize;
        for step in 1..=steps {
            let t = step as f32 / steps as f32;
            let (t2, t3) = (t * t, t * t * t);
            // The cubic Hermite basis.
            let (h10, h01, h11) = (t3 - 2.0 * t2 + t, 3.0 * t2 - 2.0 * t3, t3 - t2);
            line.push(Point {
                x: from.x + h10 * start.x + h01 * chord.x + h11 * stop.x,
                y: from.y + h10 * start.y + h01 * chord.y + h11 * stop.y,
            });
        }
    }
    line
}

/// Rounds corners: moves every inner point to the weighted mean of itself and its neighbours.
fn round(line: &mut [Point]) {
    let Some(&first) = line.first() else { return };
    let mut before = first;
    for i in 1..line.len().saturating_sub(1) {
        let here = line[i];
        let middle = before.towards(line[i + 1], 0.5);
        line[i] = here.towards(middle, 0.5);
        before = here;
    }
}

/// Lets the stroke stop short of its last anchor or run on past it.
fn end(line: &mut Vec<Point>, variates: &mut Variates) {
    let change = variates.bell(0.0, 0.03);
    let [.., before, last] = line[..] else { return };
    let length = before.distance(last);
    if change > 0.0 && length > 1e-6 {
        line.push(before.towards(last, 1.0 + change / length));
    } else if line.len() > 6 && change < -0.5 * length {
        line.pop();
    }
}

/// Changes the proportions of the upper and the lower half: their heights, and their widths.
pub(super) fn proportion(path: &mut Path, variates: &mut Variates) {
    let height = variates.bell(0.0, 0.13);
    let width = variates.bell(0.0, 0.12);
    for point in path.iter_mut().flatten() {
        let y = point.y;
        point.x = 0.3 + (point.x - 0.3) * (1.0 + width * (2.0 * y - 1.0));
        // The parabola that leaves the top and the base line where they are.
        point.y = y + height * y * (1.0 - y);
    }
}

/// Cells of the elastic distortion's grid per unit of length.
const CELLS: f32 = 2.5;

/// Control points of the elastic distortion's grid per direction: enough for paths that reach 0.5
/// beyond the unit box on every side.
const CONTROLS: usize = 9;

/// Distorts the path smoothly: every point is displaced by a random field, the uniform cubic
/// B-spline of random displacements at the nodes of a grid (free-form deformation, Sederberg and
/// Parry 1986). It plays the part of the elastic distortion of Simard, Steinkraus and Platt (2003),
/// whose field is random noise blurred by a Gaussian; displacing the path rather than the
/// picture leaves the pen's width alone.
pub(super) fn elastic(path: &mut Path, variates: &mut Variates) {
    let strength = variates.uniform(0.0, 0.11);
    let mut field = [[Point { x: 0.0, y: 0.0 }; CONTROLS]; CONTROLS];
    for node in field.iter_mut().flatten() {
        node.x = variates.bell(0.0, strength);
        node.y = variates.bell(0.0, strength);
    }
    // The place in the grid of a coordinate: the first of the four controls around it, and their
    // weights.
    let place = |coordinate: f32| {
        let position = ((coordinate + 0.5) * CELLS).clamp(0.0, (CONTROLS - 4) as f32 + 0.999);
        let cell = position.floor();
        (cell as usize, cubic_b_spline_weights(position - cell))
    };
    for point in path.iter_mut().flatten() {
        let (column, across) = place(point.x);
        let (row, down) = place(point.y);
        let (mut x, mut y) = (0.0, 0.0);
        for (nodes, down) in field[row..row + 4].iter().zip(down) {
            for (node, across) in nodes[column..column + 4].iter().zip(across) {
                x += down * across * node.x;
                y += down * across * node.y;
            }
        }
        point.x += x;
        point.y += y;
    }
}

/// Stretches, slants and turns the path. `lean` is the style's own slant, added to that of the
/// hand: hands lean to the right on average, and some styles more than others.
pub(super) fn affine(path: &mut Path, lean: f32, variates: &mut Variates) {
    // A ratio of this form is nearly an exponential of twice the stretch: widths from 0.6 to 2.2,
    // narrower ones being hard to read.
    let stretch = variates.bell(0.04, 0.16).clamp(-0.25, 0.38);
    let width = (1.0 + stretch) / (1.0 - stretch);
    let slant = lean + variates.bell(0.15, 0.22);
    // A rotation through the angle whose half has the tangent `half`, without sine or cosine.
    let half = variates.bell(0.0, 0.05);
    let (cos, sin) = (
        (1.0 - half * half) / (1.0 + half * half),
        2.0 * half / (1.0 + half * half),
    );
    for point in path.iter_mut().flatten() {
        let x = width * point.x - slant * point.y;
        let y = point.y;
        point.x = cos * x - sin * y;
        point.y = sin * x + cos * y;
    }
}
