//! The letters of PNG figures, and the widths of all texts.

use std::sync::LazyLock;

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// DejaVu Sans 2.37, reduced to Latin, Greek, arrows and mathematical signs with
/// `pyftsubset DejaVuSans.ttf --no-hinting --layout-features='' --unicodes=U+0020-007E,U+00A0-00FF,…`.
/// Its licence lies beside it.
const DEJAVU_SANS: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");

static FACE: LazyLock<Face<'static>> =
    LazyLock::new(|| Face::parse(DEJAVU_SANS, 0).expect("the font is built in, and tests read it"));

/// Width of a text in pixels.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| advance(glyph(c))).sum::<f64>() * scale(size)
}

/// The outline of a text whose first letter begins at the origin of the baseline; none of blanks alone.
pub(super) fn outline(text: &str, size: f64) -> Option<Path> {
    let scale = scale(size) as f32;
    let mut pen = Pen {
        path: PathBuilder::new(),
        scale,
        x: 0.0,
    };
    for c in text.chars() {
        let glyph = glyph(c);
        FACE.outline_glyph(glyph, &mut pen);
        pen.x += scale * advance(glyph) as f32;
    }
    pen.path.finish()
}

/// A letter that the font lacks becomes its sign for that.
fn glyph(c: char) -> GlyphId {
    FACE.glyph_index(c).unwrap_or_default()
}

/// From the beginning of a letter to that of the next, in the font's units.
fn advance(glyph: GlyphId) -> f64 {
    FACE.glyph_hor_advance(glyph).unwrap_or_default().into()
}

fn scale(size: f64) -> f64 {
    size / f64::from(FACE.units_per_em())
}

struct Pen {
    path: PathBuilder,
    scale: f32,
    x: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        // Fonts count upwards, pictures downwards.
        (self.x + self.scale * x, -self.scale * y)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_what_figures_need() {
        for c in "leaky-relu:0.2 f′(x) ±·×−–≥≤σβ⁻¹²³°▲▼◀▶=→…τ′%".chars()
        {
            assert_ne!(glyph(c), GlyphId::default(), "{c}");
        }
        // Ten digits of DejaVu Sans are 0.636 of the size wide each.
        assert!((width("0123456789", 10.0) - 63.6).abs() < 0.1);
        assert!(outline("a", 10.0).is_some());
        assert!(outline(" ", 10.0).is_none());
    }
}
