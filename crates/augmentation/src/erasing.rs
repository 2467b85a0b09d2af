//! Covering a rectangle.

use crate::config::Fill;
use crate::distortion::{Draws, Rectangle};

/// Covers `rectangle` in an image of this side.
pub(crate) fn erase(
    image: &mut [f32],
    side: usize,
    rectangle: Rectangle,
    fill: Fill,
    draws: Draws,
) {
    let rows = image
        .chunks_exact_mut(side)
        .skip(rectangle.top)
        .take(rectangle.height)
        .map(|row| &mut row[rectangle.left..][..rectangle.width]);
    match fill {
        Fill::Background => rows.for_each(|row| row.fill(0.0)),
        Fill::Noise => {
            let mut draws = draws.noise();
            let mut bytes = [0; 64];
            for row in rows {
                for part in row.chunks_mut(bytes.len()) {
                    let bytes = &mut bytes[..part.len()];
                    draws.fill(bytes);
                    for (pixel, &byte) in part.iter_mut().zip(bytes.iter()) {
                        *pixel = f32::from(byte);
                    }
                }
            }
        }
    }
}
