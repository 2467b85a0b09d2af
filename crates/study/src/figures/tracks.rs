//! The common recipe against the tuned learning rates.

use kuva::plot::scatter::MarkerShape;

use super::canvas::{Align, Canvas, HEADER, SMALL, WIDTH, colour};
use super::curves::point;
use super::lines::{Chart, Frontispiece, Series, draw};
use super::palette::{CONTEXT, MUTED};
use super::panel::{Axis, Panel, bulk};
use super::{Figure, Source};
use crate::analysis::{Estimate, TrackComparison, TrackShift};
use crate::format::{capital, confidence, count, file_names, percent, scientific};

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
    let mut canvas = Canvas::new(name, top + height)?;
    let names: Vec<String> = shifts
        .iter()
        .rev()
        .map(|shift| canvas.fitting(&shift.name, SMALL, 150.0))
        .collect();
    let widest = names.iter().map(|name| canvas.width(name, SMALL));
    let means: Vec<f64> = shifts
        .iter()
        .flat_map(|shift| [shift.common.value, shift.tuned.value])
        .collect();
    let (low, high) = bulk(&means)?;
    // Of contenders that are far from the others, the intervals would leave these no room.
    let near = shifts.iter().flat_map(|shift| [shift.common, shift.tuned]);
    let near = near.filter(|estimate| (low..=high).contains(&estimate.value));
    let ends = near.filter_map(|estimate| estimate.interval);
    let ends = ends.flat_map(|interval| [interval.lower, interval.upper]);
    let values = ends.chain([low, high]);
    let panel = Panel {
        width: WIDTH,
        height,
        margins: [widest.fold(40.0, f64::max) + 18.0, 96.0, 4.0, 42.0],
        x: Axis::around(values, 5, move |value| metric.format(value)).labelled(&metric.title()),
        y: Axis::names(names),
        grid: true,
        plots: Vec::new(),
    };
    let frame = canvas.panel(0.0, top, panel);
    let within = |x: f64| x.clamp(frame.left, frame.right);
    canvas.mark((18.0, HEADER + 8.0), 4.6, MarkerShape::Circle, MUTED[0]);
    canvas.text((28.0, HEADER + 12.0), "common recipe", SMALL, Align::Start);
    canvas.mark((140.0, HEADER + 8.0), 4.6, MarkerShape::Diamond, colour(0));
    canvas.text(
        (150.0, HEADER + 12.0),
        "tuned learning rate",
        SMALL,
        Align::Start,
    );
    canvas.muted(
        (frame.right + 10.0, HEADER + 12.0),
        "place",
        SMALL,
        Align::Start,
    );
    for (line, shift) in shifts.iter().enumerate() {
        let TrackShift {
            common,
            tuned,
            common_place,
            tuned_place,
            ..
        } = shift;
        let y = frame.y((shifts.len() - line) as f64);
        canvas.line(
            (within(frame.x(common.value)), y),
            (within(frame.x(tuned.value)), y),
            CONTEXT[0],
            3.0,
        );
        let mut draw = |estimate: &Estimate, dy: f64, shape, colour: &str| {
            if let Some(interval) = estimate.interval {
                let ends = [interval.lower, interval.upper].map(|end| within(frame.x(end)));
                canvas.line((ends[0], y + dy), (ends[1], y + dy), colour, 1.4);
            }
            let x = frame.x(estimate.value);
            if x == within(x) {
                canvas.mark((x, y + dy), 4.6, shape, colour);
            } else {
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
                canvas.text((within(x) + offset, y + 4.0), &text, 10, align);
            }
        };
        draw(common, -3.0, MarkerShape::Circle, MUTED[0]);
        draw(tuned, 3.0, MarkerShape::Diamond, colour(0));
        let places = format!("{common_place} → {tuned_place}");
        canvas.text((frame.right + 10.0, y + 4.0), &places, SMALL, Align::Start);
    }
    let setting = comparison.setting.to_string();
    let suffix = if setting.is_empty() {
        setting
    } else {
        format!(" ({setting})")
    };
    let title = format!("{} on both tracks{suffix}", capital(&metric.title()));
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
            let series: Vec<Series> = choices
                .iter()
                .filter(|choice| choice.setting == *setting)
                .map(|choice| {
                    let names = source.study.contenders.iter();
                    let mut names = names.map(crate::definition::Contender::name);
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
                        position: names.position(|name| name == choice.contender).unwrap_or(0),
                        name: format!("{}{chosen}", choice.contender),
                        points,
                    }
                })
                .collect();
            let best: Vec<f64> = series
                .iter()
                .filter_map(|series| series.points.iter().map(|point| point.y).reduce(f64::max))
                .collect();
            // What is far below the best of every contender is cut off.
            let from = bulk(&best).map_or(0.0, |(low, _)| low) - 0.05;
            let all = series.iter().flat_map(|series| &series.points);
            let shown: Vec<f64> = all.map(|point| point.y).filter(|&y| y >= from).collect();
            let rates = series
                .iter()
                .flat_map(|series| &series.points)
                .map(|point| point.x);
            let title = setting.to_string();
            Chart {
                title: if title.is_empty() {
                    String::from("validation accuracy of the trials")
                } else {
                    title
                },
                x: Axis::logarithmic(rates, |rate| scientific(rate, 1)).labelled("learning rate"),
                y: Axis::around(shown, 5, |value| percent(value, 1)),
                series,
            }
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
            "Mean validation accuracy of the trials with each learning rate; beside each name the rate that was chosen. Accuracies far below the best are cut off.",
        ),
        count: format!("n = {} for each rate", count(n, "trial")),
        source,
    };
    draw(&front, charts)
}
