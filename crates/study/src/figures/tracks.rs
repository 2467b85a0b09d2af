//! The common recipe against the tuned learning rates.

use kuva::plot::scatter::MarkerShape;

use super::canvas::{Align, Canvas, HEADER, SMALL, WIDTH};
use super::curves::point;
use super::lines::{Chart, Frontispiece, Series, draw};
use super::palette::{CONTEXT, INK, MUTED};
use super::panel::{Axis, Frame, Panel, bulk, shown_from};
use super::{Figure, Source};
use crate::analysis::{Estimate, TrackComparison, TrackShift};
use crate::format::{capital, confidence, count, file_names, percent, scientific, with_place};
use crate::metric::Metric;
use crate::plan::RateChoice;

/// How every contender moves from the common track to the tuned one.
pub(super) fn comparisons(source: Source<'_>) -> Vec<Figure> {
    let all = &source.analysis.track_comparisons;
    let settings: Vec<String> = all
        .iter()
        .map(|comparison| format!("tracks {}", comparison.setting))
        .collect();
    all.iter()
        .zip(file_names(&settings))
        .filter_map(|(comparison, name)| figure(source, comparison, &name))
        .collect()
}

fn figure(source: Source<'_>, comparison: &TrackComparison, name: &str) -> Option<Figure> {
    let metric = source.analysis.metric;
    let shifts = &comparison.shifts;
    if shifts.is_empty() {
        return None;
    }
    let row = if shifts.len() > 14 { 20.0 } else { 26.0 };
    let height = row * shifts.len() as f64 + 50.0;
    let top = HEADER + 20.0;
    let mut canvas = Canvas::new(name, top + height);
    let (names, left) = canvas.names(shifts.iter().map(|shift| &shift.name));
    let panel = Panel {
        width: WIDTH,
        height,
        margins: [left, 96.0, 4.0, 42.0],
        x: Axis::around(shown_values(shifts)?, 5, move |value| metric.format(value))
            .labelled(&metric.title()),
        y: names,
        grid: true,
        plots: Vec::new(),
    };
    let frame = canvas.panel(0.0, top, panel);
    legend(&mut canvas, &frame);
    for (line, shift) in shifts.iter().enumerate() {
        let y = frame.y((shifts.len() - line) as f64);
        draw_shift(&mut canvas, &frame, metric, shift, y);
    }
    let title = format!("{} on both tracks", capital(&metric.title()));
    let title = with_place(&title, &comparison.setting.to_string());
    canvas.title(&title);
    let agreement = comparison.agreement.map_or_else(String::new, |agreement| {
        format!(
            " Agreement of the two orders: Kendall's τ = {} (1 is the same order, −1 the reverse).",
            scientific(agreement, 2)
        )
    });
    let besides = source.study.recipe_differences_text();
    let about = format!(
        "Mean with its {} interval under the common recipe (circle) and with a learning rate tuned for each contender{besides} (diamond), {} tuned first; on the right the places of the means on both tracks; neighbouring places may not differ by any test.{agreement}",
        confidence(source.analysis.criteria.level),
        source.analysis.wording().best(),
    );
    let n = shifts
        .iter()
        .map(|shift| shift.tuned.count)
        .max()
        .unwrap_or(0);
    let n = format!("n = {} each", count(n, "seed"));
    Some(canvas.finish(&title, &about, &n, source.command))
}

/// What the x axis has to show: intervals, but for those of contenders that are far from the others and
/// would leave these no room.
fn shown_values(shifts: &[TrackShift]) -> Option<Vec<f64>> {
    let estimates = shifts.iter().flat_map(|shift| [shift.common, shift.tuned]);
    let means: Vec<f64> = estimates.clone().map(|estimate| estimate.value).collect();
    let (low, high) = bulk(&means)?;
    let near = estimates.filter(|estimate| (low..=high).contains(&estimate.value));
    let intervals = near.filter_map(|estimate| estimate.interval);
    let ends = intervals.flat_map(|interval| [interval.lower, interval.upper]);
    Some(ends.chain([low, high]).collect())
}

fn legend(canvas: &mut Canvas, frame: &Frame) {
    let y = HEADER + 12.0;
    canvas.mark((18.0, y - 4.0), 4.6, MarkerShape::Circle, MUTED[0]);
    canvas.text((28.0, y), "common recipe", SMALL, Align::Start);
    canvas.mark((140.0, y - 4.0), 4.6, MarkerShape::Diamond, INK[0]);
    canvas.text((150.0, y), "tuned learning rate", SMALL, Align::Start);
    canvas.muted((frame.right + 10.0, y), "place", SMALL, Align::Start);
}

/// The line of one contender.
fn draw_shift(canvas: &mut Canvas, frame: &Frame, metric: Metric, shift: &TrackShift, y: f64) {
    let place = |value: f64| frame.within(frame.x(value));
    let (from, to) = (place(shift.common.value), place(shift.tuned.value));
    canvas.line((from, y), (to, y), CONTEXT[0], 3.0);
    let mut draw = |estimate: &Estimate, dy: f64, shape, colour: &str| {
        if let Some(interval) = estimate.interval {
            let ends = [interval.lower, interval.upper].map(place);
            canvas.line((ends[0], y + dy), (ends[1], y + dy), colour, 1.4);
        }
        let x = frame.x(estimate.value);
        if x == frame.within(x) {
            canvas.mark((x, y + dy), 4.6, shape, colour);
            return;
        }
        let value = metric.format(estimate.value);
        let (text, align) = if x < frame.left {
            (format!("◀ {value}"), Align::Start)
        } else {
            (format!("{value} ▶"), Align::End)
        };
        // Beside each other, as there is no room for one above the other.
        let offset = if shape == MarkerShape::Circle {
            4.0
        } else {
            80.0
        };
        let offset = if align == Align::End { -offset } else { offset };
        canvas.text((frame.within(x) + offset, y + 4.0), &text, 10, align);
    };
    draw(&shift.common, -3.0, MarkerShape::Circle, MUTED[0]);
    // Of no contender's colour.
    draw(&shift.tuned, 3.0, MarkerShape::Diamond, INK[0]);
    let places = format!("{} → {}", shift.common_place, shift.tuned_place);
    canvas.text((frame.right + 10.0, y + 4.0), &places, SMALL, Align::Start);
}

/// What came of each learning rate that was tried.
pub(super) fn rates(source: Source<'_>) -> Vec<Figure> {
    let choices = &source.analysis.choices;
    let mut settings = Vec::new();
    for choice in choices {
        if !settings.contains(&&choice.setting) {
            settings.push(&choice.setting);
        }
    }
    let charts = settings
        .into_iter()
        .map(|setting| {
            let choices = choices.iter().filter(|choice| choice.setting == *setting);
            let series = choices.map(|choice| over_rates(source, choice)).collect();
            chart_of_rates(&setting.to_string(), series)
        })
        .collect();
    let n = choices
        .iter()
        .flat_map(|choice| &choice.trials)
        .map(|trial| trial.accuracies.len())
        .max()
        .unwrap_or(0);
    let front = Frontispiece {
        name: String::from("learning-rates"),
        title: String::from("Trials of the tuned track"),
        about: String::from(
            "Mean validation accuracy of the trials with each learning rate; beside each name the rate that was chosen.",
        ),
        count: format!("n = {} for each rate", count(n, "trial")),
        source,
    };
    draw(front, charts)
}

/// A contender's mean accuracies over the learning rates, with the one that was chosen beside its name.
fn over_rates(source: Source<'_>, choice: &RateChoice) -> Series {
    let mut contenders = source.study.contenders.iter().zip(source.looks());
    let own = contenders.find(|(contender, _)| contender.name() == choice.contender);
    let chosen = choice
        .chosen
        .map_or_else(String::new, |rate| format!(": {}", scientific(rate, 1)));
    let mut points: Vec<_> = choice
        .trials
        .iter()
        .filter_map(|trial| {
            let mut point = point(trial.learning_rate, &trial.accuracies, source)?;
            // A handful of trials has no interval worth drawing.
            point.band = None;
            Some(point)
        })
        .collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    Series {
        look: own.map_or(0, |(_, look)| look),
        is_baseline: source.is_baseline(&choice.contender),
        name: format!("{}{chosen}", choice.contender),
        points,
    }
}

fn chart_of_rates(setting: &str, series: Vec<Series>) -> Chart {
    let best: Vec<f64> = series
        .iter()
        .filter_map(|series| series.points.iter().map(|point| point.y).reduce(f64::max))
        .collect();
    let all = series.iter().flat_map(|series| &series.points);
    let rates = all.clone().map(|point| point.x);
    let mut shown: Vec<f64> = all.map(|point| point.y).collect();
    // What is far below the best of every contender is cut off.
    let usual = bulk(&best).map_or(0.0, |(low, _)| low) - 0.05;
    let from = shown_from(&shown, usual);
    shown.retain(|&accuracy| accuracy >= from);
    Chart {
        title: match setting {
            "" => String::from("validation accuracy of the trials"),
            setting => setting.to_owned(),
        },
        x: Axis::logarithmic(rates, |rate| scientific(rate, 1)).labelled("learning rate"),
        y: Axis::around(shown, 5, |value| percent(value, 1)),
        series,
    }
}
