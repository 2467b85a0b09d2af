//! Who is best: every seed, the mean and its interval.

use super::canvas::{Align, Canvas, HEADER, LABEL, SMALL, WIDTH, colour, marker, off_line};
use super::palette::{GRID, INK, ZERO};
use super::panel::{Axis, Frame, Panel, bulk};
use super::{Figure, Source};
use crate::analysis::{Arm, Cell};
use crate::definition::listed;
use crate::format::{capital, confidence, count};
use crate::metric::{Metric, Value};

pub(super) fn ranking(source: Source<'_>, cell: &Cell<'_>) -> Figure {
    let (metric, criteria) = (source.analysis.metric, &source.analysis.criteria);
    let order = cell.full_order(criteria);
    let rows = order.len();
    let row = if rows > 14 { 20.0 } else { 26.0 };
    let height = row * rows as f64 + 50.0;
    let name = format!("{}ranking", source.prefix(cell));
    let mut canvas = Canvas::new(&name, HEADER + height);

    let means = order.iter().filter_map(|&index| cell.arms[index].mean);
    let means: Vec<f64> = means.map(|mean| mean.value).collect();
    let near = bulk(&means);
    let is_near = |arm: &Arm<'_>| {
        let mean = arm.mean.map(|mean| mean.value);
        mean.zip(near)
            .is_some_and(|(mean, (low, high))| (low..=high).contains(&mean))
    };
    // Contenders that are far from the others would leave them no room; they are at the edge.
    let nearby = cell.arms.iter().filter(|arm| is_near(arm));
    let ends = near.into_iter().flat_map(|(low, high)| [low, high]);
    let values: Vec<f64> = nearby
        .flat_map(|arm| shown(arm, metric))
        .chain(ends)
        .collect();

    let (names, left) = canvas.names(order.iter().map(|&index| &cell.arms[index].name));
    let noted = cell.arms.iter().any(|arm| arm.diverged + arm.failed > 0);
    let right = if noted { 148.0 } else { 108.0 };
    let panel = Panel {
        width: WIDTH,
        height,
        margins: [left, right, 4.0, 42.0],
        x: Axis::around(values, 5, move |value| metric.format(value)).labelled(&metric.title()),
        y: names,
        grid: true,
        plots: Vec::new(),
    };
    let frame = panel.frame(0.0, HEADER);
    if rows > 1 {
        draw_baseline(&mut canvas, source, cell, &frame);
    }
    canvas.panel(0.0, HEADER, panel);

    let looks = source.looks();
    let mut edge = false;
    for (line, &index) in order.iter().enumerate() {
        let row = Row {
            source,
            arm: &cell.arms[index],
            look: looks.get(index).copied().unwrap_or(index),
            frame: &frame,
            y: frame.y((rows - line) as f64),
            height: row,
            room: right - 14.0,
        };
        if is_near(row.arm) {
            row.seeds(&mut canvas);
            row.interval(&mut canvas);
        }
        edge |= row.mean(&mut canvas);
        row.verdict(&mut canvas);
    }
    let title = format!("{}, every seed", capital(&metric.title()));
    canvas.title(&title);
    let best = order.first().map(|&index| &cell.arms[index]);
    let about = about(source, cell, best, edge);
    canvas.finish(&title, &about, &source.score_counts(cell), source.command)
}

/// The scores of a contender that there is to be room for: those that were measured, and of times that were never
/// reached those that are assumed too, which are not far from others.
fn shown(arm: &Arm<'_>, metric: Metric) -> impl Iterator<Item = f64> {
    arm.runs.iter().filter_map(move |run| match run.score {
        Value::Assumed(value) if metric.is_time_to_accuracy() => Some(value),
        Value::Measured(value) => Some(value),
        Value::Assumed(_) | Value::Missing => None,
    })
}

/// The baseline's mean as a line, and what is equivalent to it as a shade.
fn draw_baseline(canvas: &mut Canvas, source: Source<'_>, cell: &Cell<'_>, frame: &Frame) {
    let baseline = source.study.baseline();
    let arm = cell.arms.iter().find(|arm| arm.name == baseline);
    let Some(mean) = arm.and_then(|arm| arm.mean) else {
        return;
    };
    let margin = source.analysis.criteria.margin;
    let place = |value: f64| frame.within(frame.x(value));
    let (from, to) = (place(mean.value - margin), place(mean.value + margin));
    if margin > 0.0 {
        let size = (to - from, frame.bottom - frame.top);
        canvas.rectangle((from, frame.top), size, GRID[0], Some(0.6));
    }
    let x = frame.x(mean.value);
    // One that is far from the others is at the edge.
    if frame.within(x) == x {
        canvas.dashed((x, frame.top), (x, frame.bottom), ZERO[0], 1.0, Some("4 3"));
    }
}

/// What is to be seen, in words. `edge` says whether a mean lies outside.
fn about(source: Source<'_>, cell: &Cell<'_>, best: Option<&Arm<'_>>, edge: bool) -> String {
    let criteria = &source.analysis.criteria;
    let wording = source.analysis.wording();
    let best = best.and_then(|arm| {
        let value = arm.mean?.value;
        Some(format!(
            "The {} mean is that of {}, {}. ",
            wording.best(),
            listed(&cell.with_mean(value)),
            source.analysis.metric.format(value)
        ))
    });
    format!(
        "{}{}, {} first; faint points are single seeds, the marker is their mean with its {} interval (BCa bootstrap). Verdicts rest on differences paired by seed, so that contenders may differ whose intervals overlap. The dashed line is the mean of the baseline {}{}; the words on the right are the verdicts.{}",
        best.unwrap_or_default(),
        count(cell.arms.len(), "contender"),
        wording.best(),
        confidence(criteria.level),
        source.study.baseline(),
        if criteria.margin > 0.0 {
            ", and within the shade differences are too small to matter"
        } else {
            ""
        },
        match (cell.arms.iter().any(|arm| arm.assumed > 0), edge) {
            (true, true) =>
                " A cross stands for an assumed score, a number at the edge for a mean that lies outside.",
            (true, false) => " A cross stands for an assumed score.",
            (false, true) => " A number at the edge stands for a mean that lies outside.",
            (false, false) => "",
        },
    )
}

/// The line of one contender.
struct Row<'a> {
    source: Source<'a>,
    arm: &'a Arm<'a>,
    look: usize,
    frame: &'a Frame,
    y: f64,
    height: f64,
    /// Width to the right of the frame.
    room: f64,
}

impl Row<'_> {
    /// Every seed, a little above or below the others.
    fn seeds(&self, canvas: &mut Canvas) {
        let metric = self.source.analysis.metric;
        for (number, run) in self.arm.runs.iter().enumerate() {
            let Some(value) = run.score.number() else {
                continue;
            };
            let dy = off_line(number, self.height);
            let x = self.frame.x(value);
            let place = (self.frame.within(x), self.y + dy);
            let assumed = matches!(run.score, Value::Assumed(_));
            let note = if assumed { ", assumed" } else { "" };
            let score = metric.format(value);
            let title = format!("{}, seed {}: {score}{note}", self.arm.name, run.seed);
            canvas.group(None, Some(title));
            if assumed || x != place.0 {
                canvas.text((place.0, place.1 + 4.0), "×", LABEL, Align::Middle);
            } else {
                canvas.circle(place, 2.6, colour(self.look), 0.55);
            }
            canvas.end_group();
        }
    }

    fn interval(&self, canvas: &mut Canvas) {
        // Of a mean that is no more than a bound, an interval would say too little.
        if self.arm.never_reached(self.source.analysis.metric) > 0 {
            return;
        }
        let interval = self.arm.mean.and_then(|mean| mean.interval);
        let Some(interval) = interval else {
            return;
        };
        let ends = [interval.lower, interval.upper].map(|end| self.frame.within(self.frame.x(end)));
        canvas.line((ends[0], self.y), (ends[1], self.y), INK[0], 1.6);
        for end in ends {
            canvas.line((end, self.y - 4.0), (end, self.y + 4.0), INK[0], 1.6);
        }
    }

    /// Whether the mean is outside, and a number at the edge stands for it.
    fn mean(&self, canvas: &mut Canvas) -> bool {
        let Some(mean) = self.arm.mean else {
            return false;
        };
        let (x, y) = (self.frame.x(mean.value), self.y);
        if x == self.frame.within(x) {
            canvas.mark((x, y), 5.0, marker(self.look), colour(self.look));
            return false;
        }
        let value = self.source.analysis.metric.format(mean.value);
        let (text, x, align) = if x < self.frame.left {
            (format!("◀ {value}"), self.frame.left + 4.0, Align::Start)
        } else {
            (format!("{value} ▶"), self.frame.right - 4.0, Align::End)
        };
        canvas.text((x, y + 4.0), &text, SMALL, align);
        true
    }

    /// In words, and how many runs did not come to their end.
    fn verdict(&self, canvas: &mut Canvas) {
        let study = self.source.study;
        let verdict = match &self.arm.comparison {
            Some(comparison) => {
                let wording = self.source.analysis.wording();
                wording.sign_and_word(comparison.verdict)
            }
            None if self.arm.name == study.baseline() && study.contenders.len() > 1 => {
                String::from("baseline")
            }
            None => String::new(),
        };
        let mut parts = vec![verdict];
        for (number, what) in [(self.arm.diverged, "diverged"), (self.arm.failed, "failed")] {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        }
        parts.retain(|part| !part.is_empty());
        let size = if parts.len() > 1 { 10 } else { SMALL };
        let text = canvas.fitting(&parts.join(", "), size, self.room);
        let place = (self.frame.right + 10.0, self.y + 4.0);
        canvas.text(place, &text, size, Align::Start);
    }
}

#[cfg(test)]
mod tests {
    use kuva::plot::scatter::MarkerShape;

    use super::super::canvas::dashes;
    use super::*;

    #[test]
    fn colour_and_marker_tell_many_contenders_apart() {
        let looks: std::collections::BTreeSet<(String, String)> = (0..64)
            .map(|index| (colour(index).to_owned(), format!("{:?}", marker(index))))
            .collect();
        assert_eq!(looks.len(), 64);
        assert_eq!(marker(0), MarkerShape::Circle);
        let lines: std::collections::BTreeSet<_> = (0..8).map(dashes).collect();
        assert_eq!(lines.len(), 8);
    }
}
