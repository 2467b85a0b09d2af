//! What it costs: time to an accuracy, time of a step, time of the activation alone.

use statistics::median;

use super::canvas::{Align, Canvas, HEADER, Key, LABEL, SMALL, WIDTH, colour, marker, off_line};
use super::palette::STEPS;
use super::panel::{Axis, Frame, Panel};
use super::{Figure, Illustration, Source};
use crate::analysis::{Arm, Cell};
use crate::definition::listed;
use crate::format::{chosen_accuracy, decimals};
use crate::metric::Metric;

/// Height of a line of those beside the rows.
const NOTE: f64 = 12.0;

/// The time that each seed took to each accuracy, but to those that all got to at once or never: if nothing is
/// left, a sentence.
pub(super) fn time_to_accuracy(source: Source<'_>, cell: &Cell<'_>) -> Option<Illustration> {
    let arms: Vec<&Arm<'_>> = source
        .with_runs(cell)
        .into_iter()
        .map(|(_, arm)| arm)
        .collect();
    let values = &source.study.accuracies;
    let (mut accuracies, mut never, mut at_once) = (Vec::new(), Vec::new(), Vec::new());
    let mut all: Vec<usize> = (0..values.len()).collect();
    all.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    for index in all {
        let accuracy = chosen_accuracy(values[index]);
        let is_reached = |arm: &&Arm<'_>| arm.times_to_accuracy[index].reached > 0;
        if let Some(epoch) = common_epoch(&arms, values[index]) {
            at_once.push(format!("{accuracy} in epoch {epoch}"));
        } else if arms.iter().any(is_reached) {
            accuracies.push(index);
        } else {
            // There are no points.
            never.push(accuracy);
        }
    }
    let mut remarks = Vec::new();
    if let Some(lowest) = never.first() {
        remarks.push(format!("No run got as far as {lowest}."));
    }
    if !at_once.is_empty() {
        remarks.push(format!(
            "Every run got to {}: all by the same number of steps, so that times differ by how long a step took.",
            listed(&at_once)
        ));
    }
    let remarks = remarks.join(" ");
    let seconds = arms.iter().flat_map(|arm| {
        let times = accuracies
            .iter()
            .map(|&index| &arm.times_to_accuracy[index]);
        times.flat_map(|time| time.seconds.iter().map(|&(_, seconds)| seconds))
    });
    let Some(longest) = seconds.reduce(f64::max) else {
        let is_said = !arms.is_empty() && !remarks.is_empty();
        return is_said.then_some(Illustration::Sentence(remarks));
    };
    let name = format!("{}time-to-accuracy", source.prefix(cell));
    let keys: Vec<Key> = accuracies
        .iter()
        .enumerate()
        .map(|(place, &index)| Key {
            name: chosen_accuracy(values[index]),
            colour: colour_of_accuracy(place, accuracies.len()),
            shape: marker(place),
            dashes: None,
            hollow: false,
        })
        .collect();
    let legend = Canvas::new(&name, 0.0).legend(0.0, &keys);
    let notes: Vec<Vec<String>> = arms.iter().map(|arm| notes(arm, &accuracies)).collect();
    let most = notes.iter().map(Vec::len).max().unwrap_or(0);
    let row = 26.0_f64.max(NOTE * most as f64 + 4.0);
    let height = row * arms.len() as f64 + 46.0;
    let mut canvas = Canvas::new(&name, HEADER + legend + height);
    canvas.legend(HEADER, &keys);
    let (names, left) = canvas.names(arms.iter().map(|arm| &arm.name));
    let widest = notes.iter().flatten().map(|note| canvas.width(note, 10));
    let right = widest.fold(8.0, f64::max) + 16.0;
    let panel = Panel {
        width: WIDTH,
        height,
        margins: [left, right, 6.0, 40.0],
        x: Axis::decimal(0.0, 1.06 * longest, 6).labelled("seconds of training"),
        y: names,
        grid: true,
        plots: Vec::new(),
    };
    let frame = canvas.panel(0.0, HEADER + legend, panel);
    for (line, (arm, notes)) in arms.iter().zip(&notes).enumerate() {
        let y = frame.y((arms.len() - line) as f64);
        draw_times(&mut canvas, &frame, arm, &accuracies, y);
        let first = y + 4.0 - 0.5 * NOTE * (notes.len() as f64 - 1.0);
        for (number, note) in notes.iter().enumerate() {
            let place = (frame.right + 8.0, first + NOTE * number as f64);
            canvas.muted(place, note, 10, Align::Start);
        }
    }
    let title = String::from("Time to validation accuracy");
    canvas.title(&title);
    let about = format!(
        "Seconds of training, without scoring and measuring, until the end of the first epoch with that validation accuracy, the stronger the colour the higher: every seed as a point, the median as a marker if more than half of them got there. Times come in steps of one epoch. On the right: how many runs got there, if not all did.{}{remarks}",
        if remarks.is_empty() { "" } else { " " }
    );
    let figure = canvas.finish(&title, &about, &source.run_counts(cell), source.command);
    Some(figure.into())
}

/// The epoch at the end of which every run got to an accuracy; none if there are several, or some never did.
fn common_epoch(arms: &[&Arm<'_>], accuracy: f64) -> Option<usize> {
    let runs = arms.iter().flat_map(|arm| arm.records());
    let mut epochs = runs.map(|run| run.epochs_to(accuracy));
    let first = epochs.next()??;
    epochs.all(|epoch| epoch == Some(first)).then_some(first)
}

/// Of an accuracy, the lowest of so many at place 0: no contender has one like it.
fn colour_of_accuracy(place: usize, count: usize) -> &'static str {
    let (lightest, darkest) = (2, STEPS.len() - 1);
    // Of more accuracies than colours some share one, neighbours first.
    let steps = (count - 1).max(1);
    let lightest = lightest.max(darkest.saturating_sub(steps));
    STEPS[lightest + (darkest - lightest) * place.min(steps) / steps][0]
}

/// How many runs got to each accuracy, where not all did: of those that did not there is no point.
/// `accuracies` are positions among the study's.
fn notes(arm: &Arm<'_>, accuracies: &[usize]) -> Vec<String> {
    let times = accuracies
        .iter()
        .map(|&index| &arm.times_to_accuracy[index]);
    let some = times.filter(|time| time.reached < time.runs);
    let notes = some.map(|time| {
        let accuracy = chosen_accuracy(time.accuracy);
        format!("{} of {} to {accuracy}", time.reached, time.runs)
    });
    notes.collect()
}

/// A contender's times around the line at `y`, each accuracy a little below the one before it.
fn draw_times(canvas: &mut Canvas, frame: &Frame, arm: &Arm<'_>, accuracies: &[usize], y: f64) {
    for (place, &accuracy) in accuracies.iter().enumerate() {
        let time = &arm.times_to_accuracy[accuracy];
        let colour = colour_of_accuracy(place, accuracies.len());
        let shift = if accuracies.len() > 1 {
            12.0 * (place as f64 / (accuracies.len() - 1) as f64 - 0.5)
        } else {
            0.0
        };
        for &(seed, seconds) in &time.seconds {
            canvas.group(
                None,
                Some(format!(
                    "{}, seed {seed}: {} after {} s",
                    arm.name,
                    chosen_accuracy(time.accuracy),
                    decimals(seconds, 1)
                )),
            );
            canvas.circle((frame.x(seconds), y + shift), 2.0, colour, 0.5);
            canvas.end_group();
        }
        if let Some(median) = time.median_seconds {
            let at = (frame.x(median), y + shift);
            canvas.mark(at, 4.4, marker(place), colour);
        }
    }
}

/// A column of the figure: what is timed, in a unit that is so many times smaller.
struct Column {
    metric: Metric,
    scale: f64,
    label: &'static str,
}

const TIMES: [Column; 3] = [
    Column {
        metric: Metric::SecondsPerStep,
        scale: 1000.0,
        label: "step, ms",
    },
    Column {
        metric: Metric::ForwardNanoseconds,
        scale: 1.0,
        label: "forward, ns/element",
    },
    Column {
        metric: Metric::BackwardNanoseconds,
        scale: 1.0,
        label: "backward, ns/element",
    },
];

/// Seconds per step, and nanoseconds per element of the activation.
pub(super) fn cost(source: Source<'_>, cell: &Cell<'_>) -> Option<Figure> {
    let arms = source.with_runs(cell);
    let is_timed = |column: &Column| {
        let mut values = arms.iter().map(|(_, arm)| arm.values(column.metric));
        values.any(|values| !values.is_empty())
    };
    let columns: Vec<Column> = TIMES.into_iter().filter(is_timed).collect();
    if columns.is_empty() {
        return None;
    }
    let row = if arms.len() > 14 { 19.0 } else { 24.0 };
    let height = row * arms.len() as f64 + 56.0;
    let mut canvas = Canvas::new(&format!("{}cost", source.prefix(cell)), HEADER + height);
    let names: Vec<String> = arms
        .iter()
        .rev()
        .map(|(_, arm)| canvas.fitting(&arm.name, SMALL, 130.0))
        .collect();
    let widest = names.iter().map(|name| canvas.width(name, SMALL));
    let left = widest.fold(40.0, f64::max) + 16.0;
    let width = (WIDTH - left) / columns.len() as f64;
    for (number, column) in columns.iter().enumerate() {
        // The first has the names beside it.
        let (x, margin) = match number {
            0 => (0.0, left),
            _ => (left + width * number as f64 - 8.0, 8.0),
        };
        let names = Axis::names(names.clone());
        let panel = Panel {
            width: width - 8.0 + margin,
            height,
            margins: [margin, 16.0, 24.0, 28.0],
            x: column.axis(&arms),
            y: if number == 0 { names } else { names.bare() },
            grid: true,
            plots: Vec::new(),
        };
        let frame = canvas.panel(x, HEADER, panel);
        let place = (frame.left, HEADER + 16.0);
        canvas.text(place, column.label, LABEL, Align::Start);
        for (line, &(look, arm)) in arms.iter().enumerate() {
            let y = frame.y((arms.len() - line) as f64);
            column.draw(&mut canvas, &frame, arm, look, (y, row));
        }
    }
    let title = String::from("Cost");
    canvas.title(&title);
    let fastest: Vec<String> = columns
        .iter()
        .filter_map(|column| column.fastest(&arms))
        .collect();
    let about = format!(
        "Time of a training step, and of the activation alone forward and backward: every seed as a point, the median as a marker. {}. Times hold for the machine named in the report.",
        fastest.join("; ")
    );
    Some(canvas.finish(&title, &about, &source.run_counts(cell), source.command))
}

impl Column {
    fn axis(&self, arms: &[(usize, &Arm<'_>)]) -> Axis {
        let all = arms.iter().flat_map(|(_, arm)| arm.values(self.metric));
        let largest = self.scale * all.fold(0.0, f64::max);
        let places = match largest {
            small if small < 0.2 => 3,
            small if small < 2.0 => 1,
            _ => 0,
        };
        Axis::from(0.0, 1.08 * largest.max(1e-9), 3, move |value| {
            decimals(value, places)
        })
    }

    /// The times of a contender, in a line at `y` that is `row` high: every seed, and the median.
    fn draw(
        &self,
        canvas: &mut Canvas,
        frame: &Frame,
        arm: &Arm<'_>,
        look: usize,
        (y, row): (f64, f64),
    ) {
        let values = arm.values(self.metric);
        for (number, value) in values.iter().enumerate() {
            let dy = off_line(number, row);
            let place = (frame.within(frame.x(self.scale * value)), y + dy);
            canvas.circle(place, 2.2, colour(look), 0.5);
        }
        if let Ok(median) = median(&values) {
            let at = frame.within(frame.x(self.scale * median));
            canvas.line((frame.left, y), (at, y), colour(look), 1.2);
            canvas.mark((at, y), 4.6, marker(look), colour(look));
        }
    }

    /// `step, ms: least for relu, 21.30 ms`.
    fn fastest(&self, arms: &[(usize, &Arm<'_>)]) -> Option<String> {
        let medians = arms
            .iter()
            .filter_map(|(_, arm)| Some((median(&arm.values(self.metric)).ok()?, &arm.name)));
        let (value, name) = medians.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let value = self.metric.format(value);
        Some(format!("{}: least for {name}, {value}", self.label))
    }
}
