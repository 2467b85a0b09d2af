//! The functions, on what really goes into them.

use kuva::plot::line::LinePlot;
use kuva::render::plots::Plot;

use super::canvas::{Align, Canvas, HEADER, SMALL, WIDTH, colour};
use super::palette::{CONTEXT, INK, ZERO};
use super::panel::{Axis, Frame, Panel};
use super::{Figure, Source};
use crate::analysis::{Arm, Cell};
use crate::curves::Curve;
use crate::format::decimals;

const COLUMNS: usize = 3;
const HEIGHT: f64 = 150.0;
/// What is shown of the input and of the values.
const X: (f64, f64) = (-5.0, 5.0);
const Y: (f64, f64) = (-1.3, 2.3);
const BINS: usize = 50;

/// What is drawn of one contender.
struct Drawn<'a> {
    look: usize,
    name: &'a str,
    histogram: Option<Vec<f64>>,
    curve: Option<&'a Curve>,
}

/// f and f′ of every contender over the histogram of its pre-activations.
pub(super) fn functions(source: Source<'_>, cell: &Cell<'_>) -> Option<Figure> {
    let drawn: Vec<Drawn<'_>> = source
        .with_runs(cell)
        .into_iter()
        .map(|(look, arm)| Drawn {
            look,
            name: &arm.name,
            histogram: histogram(arm),
            curve: source.curves.get(&arm.name),
        })
        .filter(|drawn| drawn.histogram.is_some() || drawn.curve.is_some())
        .collect();
    if drawn.is_empty() {
        return None;
    }
    let columns = COLUMNS.min(drawn.len());
    let rows = drawn.len().div_ceil(columns);
    let height = if columns < COLUMNS { 210.0 } else { HEIGHT };
    let name = format!("{}functions", source.prefix(cell));
    let mut canvas = Canvas::new(&name, HEADER + 22.0 + height * rows as f64);
    legend(&mut canvas);
    let width = (WIDTH - 8.0) / columns as f64;
    for (index, one) in drawn.iter().enumerate() {
        let column = index % columns;
        let corner = (
            width * column as f64,
            HEADER + 22.0 + height * (index / columns) as f64,
        );
        one.draw(&mut canvas, corner, (width, height), column == 0);
    }
    let title = String::from("f and f′ on the real pre-activations");
    canvas.title(&title);
    let about = "f (solid) and f′ (dashed) of each contender; behind them how often each pre-activation occurs in the first batch of validation images, over all sites and seeds, scaled to the height of the panel.";
    Some(canvas.finish(&title, about, &source.run_counts(cell), source.command))
}

fn legend(canvas: &mut Canvas) {
    canvas.line((16.0, HEADER + 8.0), (36.0, HEADER + 8.0), INK[0], 2.0);
    canvas.text((41.0, HEADER + 12.0), "f", SMALL, Align::Start);
    canvas.dashed(
        (66.0, HEADER + 8.0),
        (86.0, HEADER + 8.0),
        INK[0],
        1.5,
        Some("4 3"),
    );
    canvas.text((91.0, HEADER + 12.0), "f′", SMALL, Align::Start);
    canvas.rectangle((118.0, HEADER + 2.0), (20.0, 12.0), CONTEXT[0], Some(0.8));
    canvas.text(
        (143.0, HEADER + 12.0),
        "pre-activations after the last epoch",
        SMALL,
        Align::Start,
    );
}

impl Drawn<'_> {
    /// A panel, with numbers on its y axis where it is the first of its row.
    fn draw(
        &self,
        canvas: &mut Canvas,
        corner: (f64, f64),
        (width, height): (f64, f64),
        is_first: bool,
    ) {
        let y = Axis::from(Y.0, Y.1, 4, |value| decimals(value, 0));
        let lines = self.curve.map(|curve| lines(curve, self.look));
        let panel = Panel {
            width,
            height,
            margins: [34.0, 8.0, 20.0, 22.0],
            x: Axis::from(X.0, X.1, 4, |value| decimals(value, 0)),
            y: if is_first { y } else { y.bare() },
            grid: true,
            plots: lines.unwrap_or_default(),
        };
        let frame = panel.frame(corner.0, corner.1);
        if let Some(histogram) = &self.histogram {
            draw_histogram(canvas, &frame, histogram);
        }
        draw_zeros(canvas, &frame);
        canvas.panel(corner.0, corner.1, panel);
        let title = canvas.fitting(self.name, SMALL, frame.right - frame.left);
        canvas.text((frame.left, corner.1 + 14.0), &title, SMALL, Align::Start);
    }
}

/// Scaled to the panel: its form counts, not its height.
fn draw_histogram(canvas: &mut Canvas, frame: &Frame, histogram: &[f64]) {
    let highest = histogram.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut outline = vec![(frame.left, frame.bottom)];
    for (bin, share) in histogram.iter().enumerate() {
        let at = |bin: usize| X.0 + (X.1 - X.0) * bin as f64 / BINS as f64;
        let y = frame.bottom - 0.55 * share / highest * (frame.bottom - frame.top);
        outline.extend([(frame.x(at(bin)), y), (frame.x(at(bin + 1)), y)]);
    }
    outline.push((frame.right, frame.bottom));
    canvas.polygon(&outline, CONTEXT[0], 0.8);
}

/// Where input and value are zero.
fn draw_zeros(canvas: &mut Canvas, frame: &Frame) {
    let (x, y) = (frame.x(0.0), frame.y(0.0));
    canvas.line((frame.left, y), (frame.right, y), ZERO[0], 0.8);
    canvas.line((x, frame.top), (x, frame.bottom), ZERO[0], 0.8);
}

fn lines(curve: &Curve, look: usize) -> Vec<Plot> {
    let points = |values: &[f64]| -> Vec<(f64, f64)> {
        let pairs = curve.x.iter().copied().zip(values.iter().copied());
        // A little beyond the panel, which cuts off what is outside.
        pairs
            .filter(|(x, y)| x.is_finite() && y.is_finite() && (-6.0..=6.0).contains(x))
            .map(|(x, y)| (x, y.clamp(4.0 * Y.0, 4.0 * Y.1)))
            .collect()
    };
    let f = LinePlot::new()
        .with_data(points(&curve.f))
        .with_color(colour(look))
        .with_stroke_width(2.2);
    let derivative = LinePlot::new()
        .with_data(points(&curve.derivative))
        .with_color(INK[0])
        .with_stroke_width(1.4)
        .with_dashed();
    vec![Plot::Line(f), Plot::Line(derivative)]
}

/// The pre-activations of all runs and sites, as shares of each site that fall into each bin.
fn histogram(arm: &Arm<'_>) -> Option<Vec<f64>> {
    let mut bins = vec![0.0; BINS];
    let mut found = false;
    let width = (X.1 - X.0) / BINS as f64;
    for site in arm.records().flat_map(|run| &run.sites) {
        let Some(histogram) = &site.pre_activations else {
            continue;
        };
        let inside: u64 = histogram.counts.iter().sum();
        let all = inside + histogram.below + histogram.above;
        let step = (histogram.high - histogram.low) / histogram.counts.len() as f64;
        if all == 0 || !(step.is_finite() && step > 0.0) {
            continue;
        }
        found = true;
        for (index, &count) in histogram.counts.iter().enumerate() {
            // Spread evenly over the bins that it overlaps.
            let low = histogram.low + step * index as f64;
            let first = ((low - X.0) / width).floor().max(0.0) as usize;
            for (bin, share) in bins.iter_mut().enumerate().skip(first) {
                let start = X.0 + width * bin as f64;
                let overlap = (low + step).min(start + width) - low.max(start);
                if overlap <= 0.0 {
                    break;
                }
                *share += overlap / step * count as f64 / all as f64;
            }
        }
    }
    found.then_some(bins)
}
