//! The letters of PNG figures, and the widths of all texts.

use tiny_skia::{Path, PathBuilder};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// DejaVu Sans 2.37, reduced to Latin, Greek, arrows and mathematical signs with
/// `pyftsubset DejaVuSans.ttf --no-hinting --layout-features='' --unicodes=U+0020-007E,U+00A0-00FF,…`.
/// Its licence lies beside it.
const DEJAVU_SANS: &[u8] = include_bytes!("../../assets/DejaVuSans-subset.ttf");

/// A font with outlines.
pub(super) struct Font {
    face: Face<'static>,
}

impl Font {
    /// The font that is built in; none if it is broken, which a test rules out.
    pub(super) fn built_in() -> Option<Self> {
        let face = Face::parse(DEJAVU_SANS, 0).ok()?;
        Some(Self { face })
    }

    /// Width of a text in pixels.
    pub(super) fn width(&self, text: &str, size: f64) -> f64 {
        let advances = text.chars().map(|c| {
            let advance = self.face.glyph_hor_advance(self.glyph(c));
            f64::from(advance.unwrap_or_default())
        });
        advances.sum::<f64>() * self.scale(size)
    }

    /// The outline of a text whose first letter begins at the origin of the baseline.
    pub(super) fn outline(&self, text: &str, size: f64) -> Option<Path> {
        let scale = self.scale(size) as f32;
        let mut pen = Pen {
            path: PathBuilder::new(),
            scale,
            x: 0.0,
        };
        for c in text.chars() {
            let glyph = self.glyph(c);
            self.face.outline_glyph(glyph, &mut pen);
            pen.x += scale * f32::from(self.face.glyph_hor_advance(glyph).unwrap_or_default());
        }
        pen.path.finish()
    }

    /// A letter that the font lacks becomes its sign for that.
    fn glyph(&self, c: char) -> GlyphId {
        self.face.glyph_index(c).unwrap_or_default()
    }

    fn scale(&self, size: f64) -> f64 {
        size / f64::from(self.face.units_per_em())
    }
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
        let font = Font::built_in().unwrap();
        for c in "leaky-relu:0.2 f′(x) ±·×−–≥≤σβ⁻¹²³°▲▼◀▶=→…τ′%".chars()
        {
            assert_ne!(font.glyph(c), GlyphId::default(), "{c}");
        }
        // Ten digits of DejaVu Sans are 0.636 of the size wide each.
        assert!((font.width("0123456789", 10.0) - 63.6).abs() < 0.1);
        assert!(font.outline("a", 10.0).is_some());
        assert!(font.outline(" ", 10.0).is_none());
    }
}
