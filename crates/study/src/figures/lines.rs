//! Curves of several contenders, in one panel or in one each.

use kuva::plot::band::BandPlot;
use kuva::plot::line::LinePlot;
use kuva::render::plots::Plot;

use super::canvas::{Align, Canvas, HEADER, LABEL, SMALL, WIDTH, colour, marker};
use super::palette::CONTEXT;
use super::panel::{Axis, Frame, Panel};
use super::{Figure, Source};
use crate::format::file_names;

/// With more curves than this, each gets a panel of its own, the others behind it in grey.
const TOGETHER: usize = 8;
const COLUMNS: usize = 3;
const GRID_HEIGHT: f64 = 132.0;

/// A curve.
pub(super) struct Series {
    /// Which contender it is of, or which colour and marker it has.
    pub position: usize,
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
pub(super) fn draw(front: &Frontispiece<'_>, mut charts: Vec<Chart>) -> Vec<Figure> {
    charts.retain(|chart| chart.series.iter().any(|series| !series.points.is_empty()));
    if charts.is_empty() {
        return Vec::new();
    }
    if charts.iter().all(|chart| chart.series.len() <= TOGETHER) {
        return together(front, charts).into_iter().collect();
    }
    let several = charts.len() > 1;
    let titles: Vec<&str> = charts.iter().map(|chart| chart.title.as_str()).collect();
    let names = file_names(&titles);
    charts
        .into_iter()
        .zip(names)
        .filter_map(|(chart, name)| apart(front, chart, several.then_some(name)))
        .collect()
}

fn together(front: &Frontispiece<'_>, charts: Vec<Chart>) -> Option<Figure> {
    let columns = charts.len().min(2);
    let rows = charts.len().div_ceil(columns);
    let width = WIDTH / columns as f64;
    let height = if columns == 1 { 280.0 } else { 240.0 };
    let mut entries = Vec::new();
    for series in charts.iter().flat_map(|chart| &chart.series) {
        let entry = (
            series.name.clone(),
            colour(series.position),
            marker(series.position),
        );
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    // The legend's height is known once it is drawn.
    let legend = Canvas::new("", 0.0)?.legend(0.0, &entries);
    let mut canvas = Canvas::new(&front.name, HEADER + legend + 8.0 + height * rows as f64)?;
    canvas.legend(HEADER, &entries);
    for (index, chart) in charts.into_iter().enumerate() {
        let x = width * (index % columns) as f64;
        let y = HEADER + legend + 8.0 + height * (index / columns) as f64;
        let plots: Vec<Plot> = chart
            .series
            .iter()
            .flat_map(|series| plots(series, colour(series.position), 2.0))
            .collect();
        let panel = Panel {
            width,
            height,
            margins: [62.0, 12.0, 24.0, 40.0],
            x: chart.x,
            y: chart.y,
            grid: true,
            plots,
        };
        let frame = canvas.panel(x, y, panel);
        let title = canvas.fitting(&chart.title, LABEL, width - 70.0);
        canvas.text((frame.left, y + 16.0), &title, LABEL, Align::Start);
        for series in &chart.series {
            marks(&mut canvas, &frame, series, 3.6);
        }
    }
    canvas.title(&front.title);
    Some(canvas.finish(
        &front.title,
        &front.about,
        &front.count,
        front.source.command,
    ))
}

/// `own_name` tells it from the figures of the other charts.
fn apart(front: &Frontispiece<'_>, chart: Chart, own_name: Option<String>) -> Option<Figure> {
    let rows = chart.series.len().div_ceil(COLUMNS);
    let several = own_name.is_some();
    let name = match own_name {
        Some(own) => format!("{}-{own}", front.name),
        None => front.name.clone(),
    };
    let mut canvas = Canvas::new(&name, HEADER + GRID_HEIGHT * rows as f64 + 16.0)?;
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
            .flat_map(|(_, other)| line(other, CONTEXT[0], 1.0))
            .collect();
        all.extend(plots(series, colour(series.position), 2.0));
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
            marker(series.position),
            colour(series.position),
        );
        canvas.text(
            (frame.left + 14.0, middle + 4.0),
            &title,
            SMALL,
            Align::Start,
        );
        marks(&mut canvas, &frame, series, 2.6);
    }
    let below = (WIDTH / 2.0, HEADER + GRID_HEIGHT * rows as f64 + 12.0);
    canvas.text(below, &chart.x.label, LABEL, Align::Middle);
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
    Some(canvas.finish(&title, &about, &front.count, front.source.command))
}

/// Marks of at most twelve points, evenly.
fn marks(canvas: &mut Canvas, frame: &Frame, series: &Series, size: f64) {
    let every = series.points.len().div_ceil(12).max(1);
    for point in series.points.iter().step_by(every) {
        let place = (frame.x(point.x), frame.y(point.y));
        if (frame.top - 1.0..=frame.bottom + 1.0).contains(&place.1) {
            canvas.mark(
                place,
                size,
                marker(series.position),
                colour(series.position),
            );
        }
    }
}

fn plots(series: &Series, colour: &str, width: f64) -> Vec<Plot> {
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
    plots.extend(line(series, colour, width));
    plots
}

fn line(series: &Series, colour: &str, width: f64) -> Option<Plot> {
    let points = series.points.iter().map(|point| (point.x, point.y));
    let line = LinePlot::new().with_data(points);
    // The library gives a line of one point no mark of its own.
    (!series.points.is_empty())
        .then(|| Plot::Line(line.with_color(colour).with_stroke_width(width)))
}
