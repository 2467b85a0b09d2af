//! A figure as PNG.
//!
//! The plotting library can write PNG too, but through the `png` crate, for whose features see the
//! `picture` crate. What figures are made of are few kinds of shapes.

use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};
use picture::Channels;
use tiny_skia::{
    FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash,
    Transform,
};

use super::font;
use super::palette::{INK, PAPER};

/// Pixels per unit, so that figures are sharp on fine screens and in print.
const SCALE: f32 = 2.0;

/// The picture as PNG in light colours.
pub(super) fn png(scene: &Scene) -> Vec<u8> {
    let size = |length: f64| (length * f64::from(SCALE)).ceil() as u32;
    let mut pixmap = Pixmap::new(size(scene.width), size(scene.height))
        .expect("every figure has a title, and so an extent, and no more pixels than memory");
    let paper = paint(&Color::from(PAPER[0]), None).expect("the page has a colour");
    pixmap.fill(paper.shader_color());
    let mut raster = Raster {
        pixmap,
        transforms: vec![Transform::from_scale(SCALE, SCALE)],
        clips: Vec::new(),
    };
    scene
        .elements
        .iter()
        .for_each(|primitive| raster.draw(primitive));
    encode(&raster.pixmap)
}

struct Raster {
    pixmap: Pixmap,
    transforms: Vec<Transform>,
    clips: Vec<Mask>,
}

/// What a text looks like, and where it is.
struct Letters<'a> {
    place: (f64, f64),
    size: f64,
    anchor: TextAnchor,
    /// In degrees, clockwise.
    angle: f64,
    bold: bool,
    color: Option<&'a Color>,
}

/// A colour that shapes can be painted with.
struct Ink(tiny_skia::Color);

impl Ink {
    fn shader_color(&self) -> tiny_skia::Color {
        self.0
    }

    fn paint(&self) -> Paint<'static> {
        let mut paint = Paint {
            anti_alias: true,
            ..Paint::default()
        };
        paint.set_color(self.0);
        paint
    }
}

/// `None` for no colour.
fn paint(color: &Color, opacity: Option<f64>) -> Option<Ink> {
    match *color {
        Color::Rgb(red, green, blue) => {
            let alpha = 255.0 * opacity.unwrap_or(1.0).clamp(0.0, 1.0);
            Some(Ink(tiny_skia::Color::from_rgba8(
                red,
                green,
                blue,
                alpha.round() as u8,
            )))
        }
        Color::None | Color::Css(_) => None,
    }
}

impl Raster {
    fn draw(&mut self, primitive: &Primitive) {
        match primitive {
            Primitive::Circle {
                cx,
                cy,
                r,
                fill,
                fill_opacity,
                stroke,
                stroke_width,
            } => {
                let path = PathBuilder::from_circle(*cx as f32, *cy as f32, *r as f32);
                self.shape(
                    path,
                    Some((fill, *fill_opacity)),
                    stroke.as_ref(),
                    *stroke_width,
                );
            }
            Primitive::CircleBatch {
                cx,
                cy,
                r,
                fill,
                fill_opacity,
                stroke,
                stroke_width,
            } => {
                for (cx, cy) in cx.iter().zip(cy) {
                    let path = PathBuilder::from_circle(*cx as f32, *cy as f32, *r as f32);
                    self.shape(
                        path,
                        Some((fill, *fill_opacity)),
                        stroke.as_ref(),
                        *stroke_width,
                    );
                }
            }
            Primitive::Rect {
                x,
                y,
                width,
                height,
                fill,
                stroke,
                stroke_width,
                opacity,
            } => self.shape(
                rectangle(*x, *y, *width, *height).map(PathBuilder::from_rect),
                Some((fill, *opacity)),
                stroke.as_ref(),
                *stroke_width,
            ),
            Primitive::RectBatch { x, y, w, h, fills } => {
                for ((((x, y), w), h), fill) in x.iter().zip(y).zip(w).zip(h).zip(fills) {
                    let path = rectangle(*x, *y, *w, *h).map(PathBuilder::from_rect);
                    self.shape(path, Some((fill, None)), None, None);
                }
            }
            Primitive::Line {
                x1,
                y1,
                x2,
                y2,
                stroke,
                stroke_width,
                stroke_dasharray,
            } => {
                let path = polyline(&[(*x1, *y1), (*x2, *y2)]);
                self.stroke(
                    path,
                    stroke,
                    None,
                    *stroke_width,
                    stroke_dasharray.as_deref(),
                );
            }
            Primitive::PolyLine {
                points,
                stroke,
                stroke_width,
                stroke_dasharray,
            } => {
                let path = polyline(points);
                self.stroke(
                    path,
                    stroke,
                    None,
                    *stroke_width,
                    stroke_dasharray.as_deref(),
                );
            }
            Primitive::Path(data) => {
                let path = parse_path(&data.d);
                if let Some(fill) = &data.fill {
                    self.shape(path.clone(), Some((fill, data.opacity)), None, None);
                }
                let dashes = data.stroke_dasharray.as_deref();
                self.stroke(path, &data.stroke, data.opacity, data.stroke_width, dashes);
            }
            Primitive::Text {
                x,
                y,
                content,
                size,
                anchor,
                rotate,
                bold,
                color,
            } => self.text(
                content,
                &Letters {
                    place: (*x, *y),
                    size: f64::from(*size),
                    anchor: *anchor,
                    angle: rotate.unwrap_or(0.0),
                    bold: *bold,
                    color: color.as_ref(),
                },
            ),
            Primitive::RichText {
                x,
                y,
                spans,
                size,
                anchor,
                color,
            } => {
                let content: String = spans.iter().map(|span| span.text.as_str()).collect();
                let letters = Letters {
                    place: (*x, *y),
                    size: f64::from(*size),
                    anchor: *anchor,
                    angle: 0.0,
                    bold: false,
                    color: color.as_ref(),
                };
                self.text(&content, &letters);
            }
            Primitive::GroupStart { transform, .. } => {
                let current = self.transform();
                let moved = transform.as_deref().and_then(translation);
                let moved = moved.map_or(current, |(x, y)| current.pre_translate(x, y));
                self.transforms.push(moved);
            }
            Primitive::GroupEnd => {
                // Never the first one, so that there is always a transform.
                if self.transforms.len() > 1 {
                    self.transforms.pop();
                }
            }
            Primitive::ClipStart {
                x,
                y,
                width,
                height,
                ..
            } => {
                let mask = Mask::new(self.pixmap.width(), self.pixmap.height());
                let path = rectangle(*x, *y, *width, *height).map(PathBuilder::from_rect);
                if let (Some(mut mask), Some(path)) = (mask, path) {
                    mask.fill_path(&path, FillRule::Winding, false, self.transform());
                    self.clips.push(mask);
                }
            }
            Primitive::ClipEnd => {
                self.clips.pop();
            }
        }
    }

    fn transform(&self) -> Transform {
        self.transforms.last().copied().unwrap_or_default()
    }

    fn shape(
        &mut self,
        path: Option<Path>,
        fill: Option<(&Color, Option<f64>)>,
        stroke: Option<&Color>,
        stroke_width: Option<f64>,
    ) {
        let ink = fill.and_then(|(color, opacity)| paint(color, opacity));
        if let (Some(path), Some(ink)) = (&path, ink) {
            self.pixmap.fill_path(
                path,
                &ink.paint(),
                FillRule::Winding,
                self.transforms.last().copied().unwrap_or_default(),
                self.clips.last(),
            );
        }
        if let Some(stroke) = stroke {
            self.stroke(path, stroke, None, stroke_width.unwrap_or(1.0), None);
        }
    }

    fn stroke(
        &mut self,
        path: Option<Path>,
        color: &Color,
        opacity: Option<f64>,
        width: f64,
        dashes: Option<&str>,
    ) {
        let (Some(path), Some(ink)) = (path, paint(color, opacity)) else {
            return;
        };
        if width <= 0.0 {
            return;
        }
        let dashes: Vec<f32> = dashes
            .unwrap_or_default()
            .split([' ', ','])
            .filter_map(|dash| dash.parse().ok())
            .collect();
        let stroke = Stroke {
            width: width as f32,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash: StrokeDash::new(dashes, 0.0),
            ..Stroke::default()
        };
        self.pixmap.stroke_path(
            &path,
            &ink.paint(),
            &stroke,
            self.transforms.last().copied().unwrap_or_default(),
            self.clips.last(),
        );
    }

    fn text(&mut self, content: &str, letters: &Letters<'_>) {
        let size = letters.size;
        let width = font::width(content, size);
        let shift = match letters.anchor {
            TextAnchor::Start => 0.0,
            TextAnchor::Middle => -width / 2.0,
            TextAnchor::End => -width,
        };
        let color = letters.color.cloned();
        let color = color.unwrap_or_else(|| Color::from(INK[0]));
        let (Some(outline), Some(ink)) = (font::outline(content, size), paint(&color, None)) else {
            return;
        };
        let (x, y) = letters.place;
        let transform = self
            .transform()
            .pre_translate(x as f32, y as f32)
            .pre_concat(Transform::from_rotate(letters.angle as f32))
            .pre_translate(shift as f32, 0.0);
        let clip = self.clips.last();
        self.pixmap
            .fill_path(&outline, &ink.paint(), FillRule::Winding, transform, clip);
        if letters.bold {
            let stroke = Stroke {
                width: size as f32 / 28.0,
                ..Stroke::default()
            };
            self.pixmap
                .stroke_path(&outline, &ink.paint(), &stroke, transform, clip);
        }
    }
}

fn rectangle(x: f64, y: f64, width: f64, height: f64) -> Option<Rect> {
    Rect::from_xywh(x as f32, y as f32, width as f32, height as f32)
}

fn polyline(points: &[(f64, f64)]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        if index == 0 {
            builder.move_to(x as f32, y as f32);
        } else {
            builder.line_to(x as f32, y as f32);
        }
    }
    builder.finish()
}

/// `translate(12,34)`.
fn translation(transform: &str) -> Option<(f32, f32)> {
    let inner = transform.strip_prefix("translate(")?.strip_suffix(')')?;
    let (x, y) = inner.split_once(',')?;
    Some((x.trim().parse().ok()?, y.trim().parse().ok()?))
}

/// SVG path data of straight lines, which is all that figures have: `M 1 2 L 3,4 Z`.
fn parse_path(data: &str) -> Option<Path> {
    let is_command = |c: char| matches!(c, 'M' | 'L' | 'Z');
    let mut builder = PathBuilder::new();
    let mut rest = data.trim_start();
    while !rest.is_empty() {
        let (command, body) = rest.split_at_checked(1)?;
        let (numbers, others) = body.split_at(body.find(is_command).unwrap_or(body.len()));
        let numbers: Vec<f32> = numbers
            .split([' ', ','])
            .filter(|number| !number.is_empty())
            .map(|number| number.parse().ok())
            .collect::<Option<_>>()?;
        match (command, &numbers[..]) {
            ("M", [x, y]) => builder.move_to(*x, *y),
            ("L", points) => points
                .chunks_exact(2)
                .for_each(|point| builder.line_to(point[0], point[1])),
            ("Z", []) => builder.close(),
            _ => return None,
        }
        rest = others;
    }
    builder.finish()
}

/// An opaque picture as PNG.
fn encode(pixmap: &Pixmap) -> Vec<u8> {
    let pixels = pixmap.data().chunks_exact(4);
    let opaque: Vec<u8> = pixels
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    picture::png(pixmap.width(), pixmap.height(), Channels::Rgb, &opaque)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths() {
        let path = parse_path("M 1 2 L 3,4 5 6 L-1.5e1 0 Z").unwrap();
        assert_eq!(
            path.bounds(),
            Rect::from_ltrb(-15.0, 0.0, 5.0, 6.0).unwrap()
        );
        assert!(parse_path("M 1 2 A 1 1 0 0 1 3 4").is_none());
        assert!(parse_path("M x y").is_none());
    }

    #[test]
    fn draws_in_colour_and_within_the_clip() {
        let mut scene = Scene::new(10.0, 10.0);
        scene.add(Primitive::GroupStart {
            transform: Some(String::from("translate(5,0)")),
            title: None,
            extra_attrs: None,
        });
        scene.add(Primitive::ClipStart {
            x: 0.0,
            y: 0.0,
            width: 5.0,
            height: 5.0,
            id: String::from("clip"),
        });
        scene.add(Primitive::Rect {
            x: -5.0,
            y: -5.0,
            width: 30.0,
            height: 30.0,
            fill: Color::from("#4a8ff7"),
            stroke: None,
            stroke_width: None,
            opacity: None,
        });
        scene.add(Primitive::ClipEnd);
        scene.add(Primitive::GroupEnd);
        let mut raster = Raster {
            pixmap: Pixmap::new(20, 20).unwrap(),
            transforms: vec![Transform::from_scale(SCALE, SCALE)],
            clips: Vec::new(),
        };
        scene.elements.iter().for_each(|one| raster.draw(one));
        let at = |x, y| {
            let pixel = raster.pixmap.pixel(x, y).unwrap();
            (pixel.red(), pixel.green(), pixel.blue(), pixel.alpha())
        };
        assert_eq!(at(15, 5), (0x4a, 0x8f, 0xf7, 255));
        assert_eq!(at(5, 5), (0, 0, 0, 0));
        assert_eq!(at(15, 15), (0, 0, 0, 0));
        let png = png(&scene);
        assert_eq!(&png[1..4], b"PNG");
        assert_eq!(png[16..24], [0, 0, 0, 20, 0, 0, 0, 20]);
    }
}
