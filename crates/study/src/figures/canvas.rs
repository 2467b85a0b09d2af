//! Drawing: panels of the plotting library, put together with text to one figure.

use kuva::backend::svg::SvgBackend;
use kuva::plot::scatter::MarkerShape;
use kuva::render::axis::{add_axes_and_grid, add_labels_and_title};
use kuva::render::color::Color;
use kuva::render::layout::ComputedLayout;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor, render_multiple};

use super::palette::{GRID, INK, MUTED, PAPER, Pair, SERIES, dark_rules};
use super::panel::{Axis, Frame, Panel, Ticks};
use super::{Figure, font, raster};

/// Width of every figure, which a page shrinks by a few per cent at most; where it is narrower, figures scroll.
pub(super) const WIDTH: f64 = 560.0;
/// Sizes of letters.
pub(super) const TITLE: u32 = 15;
pub(super) const LABEL: u32 = 13;
pub(super) const SMALL: u32 = 12;
/// Height of the lines at the bottom that say n and the command.
const FOOTER: f64 = 36.0;
/// Height of the title.
pub(super) const HEADER: f64 = 30.0;

const FAMILY: &str = "system-ui, 'Segoe UI', 'DejaVu Sans', Verdana, sans-serif";

const MARKERS: [MarkerShape; 8] = [
    MarkerShape::Circle,
    MarkerShape::Square,
    MarkerShape::Triangle,
    MarkerShape::Diamond,
    MarkerShape::TriangleDown,
    MarkerShape::Pentagon,
    MarkerShape::Star,
    MarkerShape::Hexagon,
];

/// Of ReLU's and leaky ReLU's, which often coincide, one is solid.
const DASHES: [Option<&str>; 8] = [
    Some("9 3 3 3"),
    Some("10 4"),
    Some("4 3"),
    None,
    Some("16 4"),
    Some("2 3"),
    Some("9 3 2 3 2 3"),
    Some("6 2"),
];

/// The colour that goes with a look.
pub(super) fn colour(look: usize) -> &'static str {
    SERIES[look % SERIES.len()][0]
}

/// The marker that goes with a look.
pub(super) fn marker(look: usize) -> MarkerShape {
    // Another order than that of the colours, so that 8 × 8 contenders differ.
    MARKERS[(look + look / SERIES.len()) % MARKERS.len()]
}

/// The dashes of the line that goes with a look; none of a solid one. Each has others, so that of lines that
/// coincide all are seen.
pub(super) fn dashes(look: usize) -> Option<&'static str> {
    DASHES[look % DASHES.len()]
}

/// How far off its line a point is drawn, of those in a row of this height: a little, so that equals do not hide
/// each other. Steps of 7 go through all of 11 places before one comes again, and are long enough to take
/// neighbours apart.
pub(super) fn off_line(number: usize, height: f64) -> f64 {
    (((number * 7) % 11) as f64 - 5.0) * height / 32.0
}

/// Which part of a text its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Start,
    Middle,
    End,
}

/// How a name is marked in a figure.
#[derive(PartialEq)]
pub(super) struct Key {
    pub name: String,
    pub colour: &'static str,
    pub shape: MarkerShape,
    /// Of its line.
    pub dashes: Option<&'static str>,
    /// Whether its markers are outlines, through which what is below is seen.
    pub hollow: bool,
}

/// What a text looks like.
struct Letters {
    size: u32,
    align: Align,
    colour: Pair,
    bold: bool,
    angle: Option<f64>,
}

impl Letters {
    fn sized(size: u32) -> Self {
        Self {
            size,
            align: Align::Start,
            colour: INK,
            bold: false,
            angle: None,
        }
    }
}

/// A figure in the making.
pub(super) struct Canvas {
    scene: Scene,
    name: String,
    clips: usize,
}

impl Canvas {
    /// An empty figure of this height, title and footer included. The name must be good for a file.
    pub(super) fn new(name: &str, height: f64) -> Self {
        let mut scene = Scene::new(WIDTH, height + FOOTER);
        scene.background_color = Some(PAPER[0].to_owned());
        scene.text_color = Some(INK[0].to_owned());
        scene.font_family = Some(FAMILY.to_owned());
        Self {
            scene,
            name: name.to_owned(),
            clips: 0,
        }
    }

    /// Width of a text.
    pub(super) fn width(&self, text: &str, size: u32) -> f64 {
        font::width(text, f64::from(size))
    }

    /// The beginning of a text that is no wider than this.
    pub(super) fn fitting(&self, text: &str, size: u32, width: f64) -> String {
        fitting(text, size, width)
    }

    /// An axis of names, given from above, each cut to what there is room for; and the margin to the
    /// left of a panel that it takes.
    pub(super) fn names<'n>(
        &self,
        names: impl DoubleEndedIterator<Item = &'n String>,
    ) -> (Axis, f64) {
        let names: Vec<String> = names
            .rev()
            .map(|name| self.fitting(name, SMALL, 150.0))
            .collect();
        let widths = names.iter().map(|name| self.width(name, SMALL));
        let margin = widths.fold(40.0, f64::max) + 18.0;
        (Axis::names(names), margin)
    }

    pub(super) fn panel(&mut self, x: f64, y: f64, panel: Panel) -> Frame {
        let frame = panel.frame(x, y);
        let layout = panel.layout();
        let grid = panel.grid && matches!(panel.y.ticks, Ticks::Names(_));
        let mut scene = if panel.plots.is_empty() {
            // With nothing to draw, `render_multiple` draws no axes either.
            let computed = ComputedLayout::from_layout(&layout);
            let mut scene = Scene::new(panel.width, panel.height);
            add_axes_and_grid(&mut scene, &computed, &layout);
            add_labels_and_title(&mut scene, &computed, &layout);
            scene
        } else {
            render_multiple(panel.plots, layout)
        };
        if grid {
            // The library draws no grid beside names.
            frame.ticks().into_iter().for_each(|x| {
                self.line((x, frame.top), (x, frame.bottom), GRID[0], 1.0);
            });
        }
        self.group(Some((x, y)), None);
        for primitive in &mut scene.elements {
            // Unique within a page that has many figures.
            if let Primitive::ClipStart {
                id,
                x,
                y,
                width,
                height,
            } = primitive
            {
                self.clips += 1;
                *id = format!("{}-clip-{}", self.name, self.clips);
                self.scene.defs.push(format!(
                    "<clipPath id=\"{id}\"><rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\"/></clipPath>"
                ));
            }
        }
        self.scene.elements.append(&mut scene.elements);
        self.end_group();
        frame
    }

    /// What follows moves with this corner, and shows this text to a pointer.
    pub(super) fn group(&mut self, corner: Option<(f64, f64)>, title: Option<String>) {
        // Not by `Scene::add`, which has every figure with titles bring a style sheet.
        self.scene.elements.push(Primitive::GroupStart {
            transform: corner.map(|(x, y)| format!("translate({x:.2},{y:.2})")),
            title,
            extra_attrs: None,
        });
    }

    pub(super) fn end_group(&mut self) {
        self.scene.elements.push(Primitive::GroupEnd);
    }

    pub(super) fn text(&mut self, place: (f64, f64), text: &str, size: u32, align: Align) {
        self.coloured_text(place, text, size, align, INK);
    }

    pub(super) fn muted(&mut self, place: (f64, f64), text: &str, size: u32, align: Align) {
        self.coloured_text(place, text, size, align, MUTED);
    }

    /// Text around a place of its baseline.
    pub(super) fn coloured_text(
        &mut self,
        place: (f64, f64),
        text: &str,
        size: u32,
        align: Align,
        colour: Pair,
    ) {
        let letters = Letters {
            align,
            colour,
            ..Letters::sized(size)
        };
        self.write(place, text, &letters);
    }

    /// Text that is turned by so many degrees.
    pub(super) fn turned(&mut self, place: (f64, f64), text: &str, size: u32, angle: f64) {
        let letters = Letters {
            angle: Some(angle),
            ..Letters::sized(size)
        };
        self.write(place, text, &letters);
    }

    pub(super) fn title(&mut self, text: &str) {
        // Bold letters are wider.
        let text = self.fitting(text, TITLE, 0.88 * (WIDTH - 24.0));
        let letters = Letters {
            bold: true,
            ..Letters::sized(TITLE)
        };
        self.write((12.0, 20.0), &text, &letters);
    }

    fn write(&mut self, (x, y): (f64, f64), text: &str, letters: &Letters) {
        self.scene.add(Primitive::Text {
            x,
            y,
            // The library typesets what stands between dollars as a formula.
            content: text.replace('$', "＄"),
            size: letters.size,
            anchor: match letters.align {
                Align::Start => TextAnchor::Start,
                Align::Middle => TextAnchor::Middle,
                Align::End => TextAnchor::End,
            },
            rotate: letters.angle,
            bold: letters.bold,
            color: Some(Color::from(letters.colour[0])),
        });
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        self.dashed(from, to, colour, width, None);
    }

    pub(super) fn dashed(
        &mut self,
        (x1, y1): (f64, f64),
        (x2, y2): (f64, f64),
        colour: &str,
        width: f64,
        dashes: Option<&str>,
    ) {
        self.scene.add(Primitive::Line {
            x1,
            y1,
            x2,
            y2,
            stroke: Color::from(colour),
            stroke_width: width,
            stroke_dasharray: dashes.map(str::to_owned),
        });
    }

    pub(super) fn rectangle(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        fill: &str,
        opacity: Option<f64>,
    ) {
        self.scene.add(Primitive::Rect {
            x,
            y,
            width,
            height,
            fill: Color::from(fill),
            stroke: None,
            stroke_width: None,
            opacity,
        });
    }

    pub(super) fn circle(&mut self, (cx, cy): (f64, f64), r: f64, fill: &str, opacity: f64) {
        self.scene.add(Primitive::Circle {
            cx,
            cy,
            r,
            fill: Color::from(fill),
            fill_opacity: Some(opacity),
            stroke: None,
            stroke_width: None,
        });
    }

    /// A filled shape with an edge in the colour of the page, so that it stands out from what is below.
    pub(super) fn mark(&mut self, place: (f64, f64), size: f64, shape: MarkerShape, fill: &str) {
        let edge = (Color::from(PAPER[0]), 1.0);
        self.shape(place, size, shape, Some(Color::from(fill)), edge);
    }

    /// The outline of a shape, through which what is below is seen.
    pub(super) fn outline(
        &mut self,
        place: (f64, f64),
        size: f64,
        shape: MarkerShape,
        colour: &str,
    ) {
        self.shape(place, size, shape, None, (Color::from(colour), 1.6));
    }

    fn shape(
        &mut self,
        (x, y): (f64, f64),
        size: f64,
        shape: MarkerShape,
        fill: Option<Color>,
        (stroke, stroke_width): (Color, f64),
    ) {
        if shape == MarkerShape::Circle {
            self.scene.add(Primitive::Circle {
                cx: x,
                cy: y,
                r: size,
                fill: fill.unwrap_or(Color::None),
                fill_opacity: None,
                stroke: Some(stroke),
                stroke_width: Some(stroke_width),
            });
            return;
        }
        let mut d = String::new();
        for (index, (dx, dy)) in corners(shape).into_iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            d += &format!("{command}{:.2},{:.2} ", x + size * dx, y + size * dy);
        }
        self.scene.add(Primitive::Path(Box::new(PathData {
            d: d + "Z",
            fill: Some(fill.unwrap_or(Color::None)),
            stroke,
            stroke_width,
            opacity: None,
            stroke_dasharray: None,
        })));
    }

    pub(super) fn polygon(&mut self, points: &[(f64, f64)], fill: &str, opacity: f64) {
        let mut d = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            d += &format!("{command}{x:.2},{y:.2} ");
        }
        self.scene.add(Primitive::Path(Box::new(PathData {
            d: d + "Z",
            fill: Some(Color::from(fill)),
            stroke: Color::None,
            stroke_width: 0.0,
            opacity: Some(opacity),
            stroke_dasharray: None,
        })));
    }

    /// Names with their lines and markers in rows, from `y` on. Returns the height that they take.
    pub(super) fn legend(&mut self, y: f64, keys: &[Key]) -> f64 {
        // Room for dashes to be told apart.
        let (row, half) = (18.0, 18.0);
        let (mut x, mut line) = (8.0, 0);
        for key in keys {
            let name = self.fitting(&key.name, SMALL, 200.0);
            let width = 2.0 * half + 5.0 + self.width(&name, SMALL);
            if x + width > WIDTH - 8.0 && x > 8.0 {
                (x, line) = (8.0, line + 1);
            }
            let middle = y + row * f64::from(line) + 9.0;
            let ends = ((x, middle), (x + 2.0 * half, middle));
            self.dashed(ends.0, ends.1, key.colour, 2.0, key.dashes);
            if key.hollow {
                self.outline((x + half, middle), 4.0, key.shape, key.colour);
            } else {
                self.mark((x + half, middle), 4.0, key.shape, key.colour);
            }
            let place = (x + 2.0 * half + 5.0, middle + 4.0);
            self.text(place, &name, SMALL, Align::Start);
            x += width + 12.0;
        }
        row * f64::from(line + 1)
    }

    /// The finished figure. `about` says in words what is to be seen, for those who cannot see it;
    /// `count` says what n is.
    pub(super) fn finish(mut self, title: &str, about: &str, count: &str, command: &str) -> Figure {
        let source = format!("{count} · {command}");
        for (text, above) in [(count, 22.0), (command, 8.0)] {
            let text = self.fitting(text, 11, WIDTH - 24.0);
            let foot = (12.0, self.scene.height - above);
            self.muted(foot, &text, 11, Align::Start);
        }
        let drawn = SvgBackend::new().render_scene(&self.scene);
        // The library names itself in a comment, and gives a size instead of a viewBox.
        let content = drawn
            .split_once("-->")
            .map_or(drawn.as_str(), |(_, rest)| rest);
        let content = content.trim_end().trim_end_matches("</svg>");
        let (width, height) = (self.scene.width, self.scene.height);
        let opening = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height:.0}\" role=\"img\" aria-labelledby=\"{0}-title {0}-desc\" font-family=\"{FAMILY}\" fill=\"{1}\"",
            self.name, INK[0]
        );
        let words = format!(
            "<title id=\"{0}-title\">{1}</title><desc id=\"{0}-desc\">{2}</desc>",
            self.name,
            escape(title),
            escape(&format!("{about} {source}"))
        );
        let inline = format!("{opening}>{words}{content}</svg>\n");
        let style = format!(
            "<style>@media (prefers-color-scheme:dark){{{}}}</style>",
            dark_rules("")
        );
        let file = format!(
            "{opening} width=\"{width}\" height=\"{height:.0}\">{words}{style}{content}</svg>\n"
        );
        Figure {
            png: raster::png(&self.scene),
            name: self.name,
            title: title.to_owned(),
            about: about.to_owned(),
            count: count.to_owned(),
            inline,
            file,
        }
    }
}

/// Text as XML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn fitting(text: &str, size: u32, width: f64) -> String {
    let fits = |text: &str| font::width(text, f64::from(size)) <= width;
    if fits(text) {
        return text.to_owned();
    }
    let mut shorter = text.to_owned();
    while !shorter.is_empty() && !fits(&format!("{shorter}…")) {
        shorter.pop();
    }
    format!("{}…", shorter.trim_end())
}

/// Corners of a shape of radius about 1.
fn corners(shape: MarkerShape) -> Vec<(f64, f64)> {
    use std::f64::consts::TAU;
    let regular = |count: u32, radius: f64, turn: f64| -> Vec<(f64, f64)> {
        (0..count)
            .map(|corner| {
                let angle = TAU * (f64::from(corner) / f64::from(count) + turn - 0.25);
                (radius * angle.cos(), radius * angle.sin())
            })
            .collect()
    };
    match shape {
        MarkerShape::Square => regular(4, 1.3, 0.125),
        MarkerShape::Triangle => regular(3, 1.35, 0.0),
        MarkerShape::TriangleDown => regular(3, 1.35, 0.5),
        MarkerShape::Diamond => regular(4, 1.4, 0.0),
        MarkerShape::Pentagon => regular(5, 1.25, 0.0),
        MarkerShape::Hexagon => regular(6, 1.2, 0.0),
        MarkerShape::Star => {
            let (outer, inner) = (regular(5, 1.55, 0.0), regular(5, 0.7, 0.1));
            outer
                .into_iter()
                .zip(inner)
                .flat_map(|(outer, inner)| [outer, inner])
                .collect()
        }
        _ => regular(12, 1.0, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_row_stay_in_it_and_apart() {
        let places: Vec<f64> = (0..11).map(|number| off_line(number, 32.0)).collect();
        let mut sorted = places.clone();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(sorted, (-5..=5).map(f64::from).collect::<Vec<_>>());
        assert!(
            places
                .windows(2)
                .all(|pair| (pair[0] - pair[1]).abs() >= 4.0)
        );
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(fitting("short", 11, 200.0), "short");
        let cut = fitting(&"long ".repeat(50), 11, 200.0);
        assert!(cut.ends_with('…') && font::width(&cut, 11.0) <= 200.0);
    }
}
