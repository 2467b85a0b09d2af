//! Curves of several contenders, in one panel or in one each.

use kuva::plot::band::BandPlot;
use kuva::plot::line::{LinePlot, LineStyle};
use kuva::render::plots::Plot;

use super::canvas::{Align, Canvas, HEADER, Key, LABEL, SMALL, WIDTH, colour, dashes, marker};
use super::palette::{CONTEXT, PAPER};
use super::panel::{Axis, Frame, Panel};
use super::{Figure, Source};
use crate::format::file_names;

/// With more curves than this, each gets a panel of its own, the others behind it in grey.
const TOGETHER: usize = 8;
const COLUMNS: usize = 3;
const GRID_HEIGHT: f64 = 132.0;
/// Through their gaps the lines below are seen.
const BASELINE_DASHES: &str = "6 6";

/// A curve.
pub(super) struct Series {
    /// Of the contender that it is of, if it is of one.
    pub look: usize,
    /// Whether others are compared with it: it is drawn over them, and leaves them to be seen.
    pub is_baseline: bool,
    pub name: String,
    /// Where the curve is, and its band.
    pub points: Vec<Point>,
}

#[derive(Clone, Copy)]
pub(super) struct Point {
    pub x: f64,
    pub y: f64,
    pub band: Option<(f64, f64)>,
}

/// Curves that belong into one coordinate system.
pub(super) struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
}

/// What all figures of a call have in common.
pub(super) struct Frontispiece<'a> {
    pub name: String,
    pub title: String,
    pub about: String,
    pub count: String,
    pub source: Source<'a>,
}

/// Draws charts: together in one figure, or, with many curves, a figure for each.
pub(super) fn draw(mut front: Frontispiece<'_>, mut charts: Vec<Chart>) -> Vec<Figure> {
    charts.retain(|chart| chart.series.iter().any(|series| !series.points.is_empty()));
    if charts.is_empty() {
        return Vec::new();
    }
    let mut series = charts
        .iter()
        .flat_map(|chart| chart.series.iter().map(move |series| (series, &chart.y)));
    if series.any(|(series, axis)| series.lowest_below(axis).is_some()) {
        front.about += " ▼ stands for points that lie below the panel, with the value of the lowest of each curve.";
    }
    if charts.iter().all(|chart| chart.series.len() <= TOGETHER) {
        return vec![together(&front, charts)];
    }
    let several = charts.len() > 1;
    let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
    let names = file_names(&titles);
    charts
        .into_iter()
        .zip(names)
        .map(|(chart, name)| apart(&front, chart, several.then_some(name)))
        .collect()
}

fn together(front: &Frontispiece<'_>, charts: Vec<Chart>) -> Figure {
    let columns = charts.len().min(2);
    let rows = charts.len().div_ceil(columns);
    let width = WIDTH / columns as f64;
    let height = if columns == 1 { 280.0 } else { 240.0 };
    let mut keys = Vec::new();
    let all = charts.iter().flat_map(|chart| &chart.series);
    // Who has no curve, as all its runs diverged, is not looked for.
    for series in all.filter(|series| !series.points.is_empty()) {
        let key = series.key();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // The legend's height is known once it is drawn.
    let legend = Canvas::new("", 0.0).legend(0.0, &keys);
    let mut canvas = Canvas::new(&front.name, HEADER + legend + 8.0 + height * rows as f64);
    canvas.legend(HEADER, &keys);
    for (index, mut chart) in charts.into_iter().enumerate() {
        // From solid lines to those with the widest gaps.
        chart
            .series
            .sort_by(|a, b| b.coverage().total_cmp(&a.coverage()));
        let x = width * (index % columns) as f64;
        let y = HEADER + legend + 8.0 + height * (index / columns) as f64;
        let plots: Vec<Plot> = chart
            .series
            .iter()
            .flat_map(|series| plots(series, series.dashes()))
            .collect();
        let axis = chart.y.clone();
        // A label stands beside the numbers.
        let left = if axis.label.is_empty() { 62.0 } else { 78.0 };
        let panel = Panel {
            width,
            height,
            margins: [left, 12.0, 24.0, 40.0],
            x: chart.x,
            y: chart.y,
            grid: true,
            plots,
        };
        let frame = canvas.panel(x, y, panel);
        let title = canvas.fitting(&chart.title, LABEL, width - 70.0);
        canvas.text((frame.left, y + 16.0), &title, LABEL, Align::Start);
        for series in &chart.series {
            marks(&mut canvas, &frame, series, 3.6, series.is_baseline);
        }
        clipped(&mut canvas, &frame, &axis, &chart.series);
    }
    canvas.title(&front.title);
    canvas.finish(
        &front.title,
        &front.about,
        &front.count,
        front.source.command,
    )
}

/// `own_name` tells it from the figures of the other charts.
fn apart(front: &Frontispiece<'_>, chart: Chart, own_name: Option<String>) -> Figure {
    let rows = chart.series.len().div_ceil(COLUMNS);
    let several = own_name.is_some();
    let name = match own_name {
        Some(own) => format!("{}-{own}", front.name),
        None => front.name.clone(),
    };
    let mut canvas = Canvas::new(&name, HEADER + GRID_HEIGHT * rows as f64 + 16.0);
    let gutter = 46.0;
    let width = (WIDTH - gutter - 10.0) / COLUMNS as f64;
    for (index, series) in chart.series.iter().enumerate() {
        let (column, row) = (index % COLUMNS, index / COLUMNS);
        let others = chart
            .series
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let mut all: Vec<Plot> = others
            .flat_map(|(_, other)| line(other, CONTEXT[0], 1.0, None))
            .collect();
        all.extend(plots(series, None));
        let y = chart.y.clone().labelled("");
        let left = if column == 0 { gutter } else { 0.0 };
        let panel = Panel {
            width: width + left,
            height: GRID_HEIGHT,
            margins: [10.0 + left, 4.0, 22.0, 22.0],
            x: chart.x.clone().labelled(""),
            y: if column == 0 { y } else { y.bare() },
            grid: true,
            plots: all,
        };
        let corner = (
            gutter - left + width * column as f64,
            HEADER + GRID_HEIGHT * row as f64,
        );
        let frame = canvas.panel(corner.0, corner.1, panel);
        let title = canvas.fitting(&series.name, SMALL, frame.right - frame.left - 14.0);
        let middle = corner.1 + 12.0;
        canvas.mark(
            (frame.left + 5.0, middle),
            4.0,
            marker(series.look),
            colour(series.look),
        );
        canvas.text(
            (frame.left + 14.0, middle + 4.0),
            &title,
            SMALL,
            Align::Start,
        );
        marks(&mut canvas, &frame, series, 2.6, false);
        clipped(&mut canvas, &frame, &chart.y, std::slice::from_ref(series));
    }
    let below = (WIDTH / 2.0, HEADER + GRID_HEIGHT * rows as f64 + 12.0);
    canvas.text(below, &chart.x.label, LABEL, Align::Middle);
    if !chart.y.label.is_empty() {
        let length = canvas.width(&chart.y.label, SMALL);
        let middle = HEADER + GRID_HEIGHT * rows as f64 / 2.0;
        let start = (12.0, middle + length / 2.0);
        canvas.turned(start, &chart.y.label, SMALL, -90.0);
    }
    let title = if several {
        format!("{}: {}", front.title, chart.title)
    } else {
        front.title.clone()
    };
    canvas.title(&title);
    let about = format!(
        "{} One panel for each, the others behind it in grey.",
        front.about
    );
    canvas.finish(&title, &about, &front.count, front.source.command)
}

impl Series {
    fn key(&self) -> Key {
        Key {
            name: self.name.clone(),
            colour: colour(self.look),
            shape: marker(self.look),
            dashes: self.dashes(),
            hollow: self.is_baseline,
        }
    }

    fn dashes(&self) -> Option<&'static str> {
        if self.is_baseline {
            Some(BASELINE_DASHES)
        } else {
            dashes(self.look)
        }
    }

    /// Which share of the line is drawn, the baseline's counting as the least.
    fn coverage(&self) -> f64 {
        let Some(dashes) = self.dashes() else {
            return 1.0;
        };
        if self.is_baseline {
            return 0.0;
        }
        let lengths: Vec<f64> = dashes
            .split(' ')
            .filter_map(|length| length.parse().ok())
            .collect();
        lengths.iter().step_by(2).sum::<f64>() / lengths.iter().sum::<f64>()
    }

    /// Those of its points that have marks: at most twelve, evenly.
    fn marked(&self) -> impl Iterator<Item = &Point> {
        let every = self.points.len().div_ceil(12).max(1);
        self.points.iter().step_by(every)
    }

    /// The lowest of the points that lie below the panel.
    fn lowest_below(&self, axis: &Axis) -> Option<&Point> {
        let below = self.points.iter().filter(|point| point.y < axis.low);
        below.min_by(|a, b| a.y.total_cmp(&b.y))
    }
}

/// `hollow` marks let those below them be seen.
fn marks(canvas: &mut Canvas, frame: &Frame, series: &Series, size: f64, hollow: bool) {
    for point in series.marked() {
        let place = (frame.x(point.x), frame.y(point.y));
        // What lies below is marked by `clipped`.
        if !(frame.top - 1.0..=frame.bottom + 1e-6).contains(&place.1) {
            continue;
        }
        let (shape, colour) = (marker(series.look), colour(series.look));
        if hollow {
            canvas.outline(place, size, shape, colour);
        } else {
            canvas.mark(place, size, shape, colour);
        }
    }
}

/// Triangles at the lower edge for points that lie below it, with the value of each curve's lowest.
fn clipped(canvas: &mut Canvas, frame: &Frame, axis: &Axis, series: &[Series]) {
    // Each curve has a row of its own, above those of the others.
    let mut y = frame.bottom - 5.0;
    for series in series {
        let Some(lowest) = series.lowest_below(axis) else {
            continue;
        };
        let below = series.marked().filter(|point| point.y < axis.low);
        let places: Vec<f64> = below
            .chain([lowest])
            .map(|point| frame.x(point.x))
            .collect();
        for x in &places {
            let corners = [(x - 4.0, y - 3.0), (x + 4.0, y - 3.0), (*x, y + 4.0)];
            canvas.polygon(&corners, colour(series.look), 1.0);
        }
        let value = axis.text(lowest.y);
        let width = canvas.width(&value, 10);
        let first = places.iter().copied().fold(frame.right, f64::min) - 7.0 - width;
        let last = places.iter().copied().fold(frame.left, f64::max) + 7.0;
        // Beside the triangles, or above them where they take the whole width.
        let x = if last + width <= frame.right {
            last
        } else if first >= frame.left {
            first
        } else {
            y -= 12.0;
            frame.left + 2.0
        };
        canvas.rectangle(
            (x - 1.0, y - 5.0),
            (width + 2.0, 10.0),
            PAPER[0],
            Some(0.75),
        );
        canvas.text((x, y + 4.0), &value, 10, Align::Start);
        y -= 12.0;
    }
}

/// `dashes` are those of the line.
fn plots(series: &Series, dashes: Option<&str>) -> Vec<Plot> {
    let colour = colour(series.look);
    let banded: Vec<(f64, (f64, f64))> = series
        .points
        .iter()
        .filter_map(|point| Some((point.x, point.band?)))
        .collect();
    let mut plots = Vec::new();
    if banded.len() > 1 {
        let band = BandPlot::new(
            banded.iter().map(|&(x, _)| x),
            banded.iter().map(|&(_, (low, _))| low),
            banded.iter().map(|&(_, (_, high))| high),
        );
        plots.push(Plot::Band(band.with_color(colour).with_opacity(0.18)));
    }
    plots.extend(line(series, colour, 2.0, dashes));
    plots
}

fn line(series: &Series, colour: &str, width: f64, dashes: Option<&str>) -> Option<Plot> {
    let points = series.points.iter().map(|point| (point.x, point.y));
    let mut line = LinePlot::new().with_data(points);
    if let Some(dashes) = dashes {
        line = line.with_line_style(LineStyle::Custom(dashes.to_owned()));
    }
    // The library gives a line of one point no mark of its own.
    (!series.points.is_empty())
        .then(|| Plot::Line(line.with_color(colour).with_stroke_width(width)))
}
