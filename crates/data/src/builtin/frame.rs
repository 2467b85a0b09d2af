//! The frame of a picture: MNIST's size normalisation and centring.
//!
//! MNIST's digits "were size normalized to fit in a 20×20 pixel box while preserving their aspect
//! ratio", and "were centered in a 28×28 image by computing the center of mass of the pixels, and
//! translating the image so as to position this point at the center of the 28×28 field" (LeCun,
//! Bottou, Bengio and Haffner 1998; LeCun, Cortes and Burges, the MNIST database).

use super::distort::Path;
use super::pen::Ink;
use super::{PIXELS, SIDE};

/// Side of the box that the ink is fitted into, in pixels.
const BOX: f32 = 20.0;

/// The smallest and largest coordinates of some discs, each given by its centre's two coordinates and
/// its radius: left, top, right, bottom.
fn bounds(discs: impl Iterator<Item = (f32, f32, f32)>) -> [f32; 4] {
    discs.fold(
        [
            f32::INFINITY,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NEG_INFINITY,
        ],
        |[left, top, right, bottom], (x, y, radius)| {
            [
                left.min(x - radius),
                top.min(y - radius),
                right.max(x + radius),
                bottom.max(y + radius),
            ]
        },
    )
}

/// The largest pen radius in pixels that leaves the digit legible: a third of the narrow side of
/// the fitted path for the width of a stroke, so that two strokes leave paper between them.
pub(super) fn room(path: &Path) -> f32 {
    const SHARE: f32 = 0.16;
    let points = path.iter().flatten().map(|point| (point.x, point.y, 0.0));
    let [left, top, right, bottom] = bounds(points);
    let (width, height) = (right - left, bottom - top);
    let ratio = width.min(height) / width.max(height).max(1e-3);
    // Solves radius = SHARE · ratio · (BOX − 2 · radius).
    (SHARE * ratio * BOX / (1.0 + 2.0 * SHARE * ratio)).max(0.6)
}

/// Scales the path to pixels and moves it, so that the ink of a pen of the given radii and edge
/// width, in pixels, fits the middle 20×20 pixels, the aspect ratio preserved.
pub(super) fn fit(path: &mut Path, radii: &[Vec<f32>], edge: f32) {
    let outline = |scale: f32| {
        let discs = path.iter().flatten().zip(radii.iter().flatten());
        bounds(discs.map(|(point, &radius)| (scale * point.x, scale * point.y, radius)))
    };
    let extent = |[left, top, right, bottom]: [f32; 4]| (right - left).max(bottom - top);
    // The extent of the ink is a convex function of the scale, nearly a line: a few Newton steps
    // find the scale of the wanted extent.
    let slope = (extent(outline(100.0)) / 100.0).max(1e-3);
    let mut scale = BOX / slope;
    for _ in 0..6 {
        scale = (scale + (BOX - edge - extent(outline(scale))) / slope).max(1.0);
    }
    let [left, top, right, bottom] = outline(scale);
    let middle = (SIDE as f32 - 1.0) * 0.5;
    let (x, y) = (0.5 * (left + right), 0.5 * (top + bottom));
    for point in path.iter_mut().flatten() {
        point.x = middle + scale * point.x - x;
        point.y = middle + scale * point.y - y;
    }
}

/// Moves the ink by whole pixels so that its centre of mass comes to the middle of the picture, and
/// rounds it to bytes.
pub(super) fn centre(ink: &Ink) -> [u8; PIXELS] {
    let (mut mass, mut x, mut y) = (0.0, 0.0, 0.0);
    for (row, line) in ink.chunks_exact(SIDE).enumerate() {
        for (column, &value) in line.iter().enumerate() {
            mass += value;
            x += value * column as f32;
            y += value * row as f32;
        }
    }
    let middle = (SIDE as f32 - 1.0) * 0.5;
    let mass = mass.max(1e-6);
    // Half a pixel is added because MNIST counts the middle of its 28 pixels as pixel 14.
    let right = (middle - x / mass + 0.5).round() as isize;
    let down = (middle - y / mass + 0.5).round() as isize;
    let mut pixels = [0; PIXELS];
    let source = |place: usize, shift: isize| {
        place
            .checked_add_signed(-shift)
            .filter(|&place| place < SIDE)
    };
    for (row, line) in pixels.chunks_exact_mut(SIDE).enumerate() {
        let Some(from) = source(row, down) else {
            continue;
        };
        for (column, pixel) in line.iter_mut().enumerate() {
            if let Some(column) = source(column, right) {
                *pixel = (ink[from * SIDE + column] * 255.0).round() as u8;
            }
        }
    }
    pixels
}
