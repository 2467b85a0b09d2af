//! Two axes and what is drawn in them, by the plotting library.

use std::sync::Arc;

use kuva::render::layout::{AxisLabelOverlap, Layout, TickFormat};
use kuva::render::plots::Plot;
use kuva::render::theme::Theme;

use super::canvas::{LABEL, SMALL};
use super::palette::{GRID, INK, MUTED, PAPER};
use crate::format::{decimals, scientific};

/// One axis of a panel.
#[derive(Clone)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    /// Whether equal ratios are equally long.
    pub log: bool,
    pub label: String,
    pub ticks: Ticks,
}

/// What stands at an axis.
#[derive(Clone)]
pub(super) enum Ticks {
    /// Nothing.
    None,
    /// Nothing but the lines of the grid, this far apart.
    Unnumbered(f64),
    /// Numbers this far apart.
    Numbers(f64, Arc<dyn Fn(f64) -> String + Send + Sync>),
    /// Names at 1, 2, …
    Names(Vec<String>),
}

impl Axis {
    /// An axis of numbers that has some room around them, with about `count` ticks.
    pub(super) fn around(
        values: impl IntoIterator<Item = f64>,
        count: usize,
        format: impl Fn(f64) -> String + Send + Sync + 'static,
    ) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low == high {
            // A share may be 0 or 1, and is no less and no more.
            if high > 0.0 {
                low -= 0.05 * high;
            } else {
                high += (0.05 * high.abs()).max(0.01);
            }
        }
        let room = 0.06 * (high - low);
        Self::from(low - room, high + room, count, format)
    }

    /// An axis of numbers with these ends and about `count` ticks.
    pub(super) fn from(
        low: f64,
        high: f64,
        count: usize,
        format: impl Fn(f64) -> String + Send + Sync + 'static,
    ) -> Self {
        let step = step(high - low, count);
        let (first, last) = ticks(low, high, step);
        let labels: Vec<String> = (first..=last)
            .map(|tick| format(tick as f64 * step))
            .collect();
        let numbers = |text: Arc<dyn Fn(f64) -> String + Send + Sync>| Self {
            low,
            high,
            log: false,
            label: String::new(),
            ticks: Ticks::Numbers(step, text),
        };
        // Values so close together have no more digits in common than a format gives.
        if labels.windows(2).any(|pair| pair[0] == pair[1]) {
            let (scale, unit) = match labels[0].ends_with('%') {
                true => (100.0, " %"),
                false => (1.0, ""),
            };
            return numbers(Arc::new(move |value| {
                format!("{}{unit}", scientific(scale * value, 6))
            }));
        }
        let zeros = labels.iter().map(|label| trailing_zeros(label)).min();
        let zeros = zeros.unwrap_or(0);
        numbers(Arc::new(move |value| without_zeros(&format(value), zeros)))
    }

    /// An axis of numbers with these ends and about `count` ticks, with as many decimals as these need.
    pub(super) fn decimal(low: f64, high: f64, count: usize) -> Self {
        let places = (-step(high - low, count).log10()).ceil().max(0.0) as usize;
        Self::from(low, high, count, move |value| decimals(value, places))
    }

    /// A logarithmic axis of positive numbers that has some room around them.
    pub(super) fn logarithmic(
        values: impl IntoIterator<Item = f64>,
        format: impl Fn(f64) -> String + Send + Sync + 'static,
    ) -> Self {
        let powers = values
            .into_iter()
            .filter(|&value| value > 0.0)
            .map(f64::log10);
        let around = Self::around(powers, 1, format);
        Self {
            low: 10_f64.powf(around.low),
            high: 10_f64.powf(around.high),
            log: true,
            ..around
        }
    }

    /// Where a value is, from 0 at the low to 1 at the high end.
    fn share(&self, value: f64) -> f64 {
        if self.log {
            let power = |value: f64| value.max(f64::MIN_POSITIVE).log10();
            (power(value) - power(self.low)) / (power(self.high) - power(self.low))
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// A number as it would stand at the axis; empty of an axis without numbers.
    pub(super) fn text(&self, value: f64) -> String {
        match &self.ticks {
            Ticks::Numbers(_, format) => format(value),
            Ticks::None | Ticks::Unnumbered(_) | Ticks::Names(_) => String::new(),
        }
    }

    /// An axis of names, the first at 1.
    pub(super) fn names(names: Vec<String>) -> Self {
        Self {
            low: 0.5,
            high: names.len() as f64 + 0.5,
            log: false,
            label: String::new(),
            ticks: Ticks::Names(names),
        }
    }

    /// An axis with ticks at whole numbers alone.
    pub(super) fn whole(low: f64, high: f64, count: usize) -> Self {
        let step = step(high - low, count).max(1.0).round();
        Self {
            low,
            high,
            log: false,
            label: String::new(),
            ticks: Ticks::Numbers(step, Arc::new(|number| decimals(number, 0))),
        }
    }

    /// An axis of epochs, which begin with 1.
    pub(super) fn epochs(last: usize) -> Self {
        let last = last.max(1) as f64;
        // A single one is in the middle.
        let room = if last > 1.0 { 0.03 * last } else { 0.5 };
        Self::whole(1.0 - room, last + room, 6).labelled("epoch")
    }

    /// An axis of epochs that have passed, from none on.
    pub(super) fn epochs_passed(last: usize) -> Self {
        let last = last.max(1) as f64;
        Self::whole(-0.02 * last, 1.02 * last, 6).labelled("epochs passed")
    }

    pub(super) fn labelled(self, label: &str) -> Self {
        Self {
            label: label.to_owned(),
            ..self
        }
    }

    /// The same axis without anything that stands at it; the lines of the grid stay where they are.
    pub(super) fn bare(self) -> Self {
        let ticks = match self.ticks {
            Ticks::Unnumbered(step) | Ticks::Numbers(step, _) => Ticks::Unnumbered(step),
            Ticks::None | Ticks::Names(_) => Ticks::None,
        };
        Self { ticks, ..self }
    }
}

/// The range of those values that are not far away from most of the others: within five times the
/// distance of the quartiles from them. None without values.
pub(super) fn bulk(values: &[f64]) -> Option<(f64, f64)> {
    let [low, high] = [0.25, 0.75].map(|share| statistics::quantile(values, share));
    let (low, high) = (low.ok()?, high.ok()?);
    let reach = 5.0 * (high - low);
    let near = values
        .iter()
        .copied()
        .filter(|value| (low - reach..=high + reach).contains(value));
    Some(
        near.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        }),
    )
}

/// From where on an axis shows values: from `usual`, with few of them below. Where that would hide more than a
/// quarter, the axis reaches as far below the quartile as from there to the highest, so that what is hidden is few
/// values, and far from the others.
pub(super) fn shown_from(values: &[f64], usual: f64) -> f64 {
    let hidden = values.iter().filter(|&&value| value < usual).count();
    match statistics::quantile(values, 0.25) {
        Ok(quartile) if 4 * hidden > values.len() => {
            let highest = values.iter().copied().fold(quartile, f64::max);
            usual.min(quartile - (highest - quartile))
        }
        _ => usual,
    }
}

/// The first and the last multiple of a step that is within.
fn ticks(low: f64, high: f64, step: f64) -> (i64, i64) {
    ((low / step).ceil() as i64, (high / step).floor() as i64)
}

/// Where the decimals of a number end, with what may stand behind it: `97.50 %`.
fn end_of_number(label: &str) -> usize {
    let last = label.rfind(|c: char| c.is_ascii_digit());
    last.map_or(0, |last| last + 1)
}

/// Decimals at the end of a number that say nothing; all of them with the point.
fn trailing_zeros(label: &str) -> usize {
    let number = &label[..end_of_number(label)];
    match number.rsplit_once('.') {
        Some((_, decimals)) => {
            let zeros = decimals.len() - decimals.trim_end_matches('0').len();
            zeros + usize::from(zeros == decimals.len())
        }
        None => 0,
    }
}

/// A label with so many decimals fewer.
fn without_zeros(label: &str, zeros: usize) -> String {
    let end = end_of_number(label);
    let (number, rest) = label.split_at(end);
    let (kept, cut) = number.split_at(number.len().saturating_sub(zeros));
    // Values between the ticks may need their decimals.
    if cut.bytes().all(|b| matches!(b, b'0' | b'.')) {
        format!("{kept}{rest}")
    } else {
        label.to_owned()
    }
}

/// A step of 1, 2 or 5 times a power of ten, of which about `count` go into `length`.
pub(super) fn step(length: f64, count: usize) -> f64 {
    let rough = length / count.max(1) as f64;
    if !(rough.is_finite() && rough > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= 0.99 * rough)
        .unwrap_or(10.0);
    factor * power
}

/// Two axes and what is drawn in them.
pub(super) struct Panel {
    pub width: f64,
    pub height: f64,
    /// Left, right, top and bottom.
    pub margins: [f64; 4],
    pub x: Axis,
    pub y: Axis,
    pub grid: bool,
    pub plots: Vec<Plot>,
}

/// Where a panel is, for what is drawn over or under it.
#[derive(Clone)]
pub(super) struct Frame {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    x: Axis,
    y: Axis,
}

impl Frame {
    pub(super) fn x(&self, value: f64) -> f64 {
        self.left + self.x.share(value) * (self.right - self.left)
    }

    /// The nearest place within the panel to one along the x axis.
    pub(super) fn within(&self, x: f64) -> f64 {
        x.clamp(self.left, self.right)
    }

    /// Where the ticks of an x axis of numbers are.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let Ticks::Numbers(step, _) = self.x.ticks else {
            return Vec::new();
        };
        let (first, last) = ticks(self.x.low, self.x.high, step);
        (first..=last)
            .map(|tick| self.x(tick as f64 * step))
            .collect()
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom - self.y.share(value) * (self.bottom - self.top)
    }
}

impl Panel {
    /// Where it will be, with its corner at this place.
    pub(super) fn frame(&self, x: f64, y: f64) -> Frame {
        let [left, right, top, bottom] = self.margins;
        Frame {
            left: x + left,
            right: x + self.width - right,
            top: y + top,
            bottom: y + self.height - bottom,
            x: self.x.clone(),
            y: self.y.clone(),
        }
    }

    pub(super) fn layout(&self) -> Layout {
        let [left, right, top, bottom] = self.margins;
        let mut layout = Layout::new((self.x.low, self.x.high), (self.y.low, self.y.high))
            .with_width(self.width)
            .with_height(self.height)
            .with_force_margins(left, right)
            .with_force_margins_y(top, bottom)
            .with_label_size(LABEL)
            .with_tick_size(SMALL)
            .with_tick_length(3.0)
            .with_axis_line_width(1.0)
            .with_tick_width(1.0)
            .with_grid_line_width(1.0)
            .with_show_grid(self.grid)
            .with_x_label_overlap(AxisLabelOverlap::Thin)
            .with_theme(theme());
        // The library takes a step as one of an axis that is not logarithmic.
        if self.x.log {
            layout = layout.with_log_x();
        } else if let Ticks::Unnumbered(step) | Ticks::Numbers(step, _) = self.x.ticks {
            layout = layout.with_x_tick_step(step);
        }
        if self.y.log {
            layout = layout.with_log_y();
        } else if let Ticks::Unnumbered(step) | Ticks::Numbers(step, _) = self.y.ticks {
            layout = layout.with_y_tick_step(step);
        }
        layout = match &self.x.ticks {
            Ticks::None | Ticks::Unnumbered(_) => layout,
            Ticks::Numbers(_, format) => {
                layout.with_x_tick_format(TickFormat::Custom(format.clone()))
            }
            Ticks::Names(names) => layout.with_x_categories(names.clone()),
        };
        layout = match &self.y.ticks {
            Ticks::None | Ticks::Unnumbered(_) => layout,
            Ticks::Numbers(_, format) => {
                layout.with_y_tick_format(TickFormat::Custom(format.clone()))
            }
            Ticks::Names(names) => layout.with_y_categories(names.clone()),
        };
        let is_bare = |axis: &Axis| matches!(axis.ticks, Ticks::None | Ticks::Unnumbered(_));
        layout.suppress_x_ticks = is_bare(&self.x);
        layout.suppress_y_ticks = is_bare(&self.y);
        if !self.x.label.is_empty() {
            layout = layout.with_x_label(self.x.label.clone());
        }
        if !self.y.label.is_empty() {
            layout = layout.with_y_label(self.y.label.clone());
        }
        layout
            .with_x_axis_min(self.x.low)
            .with_x_axis_max(self.x.high)
            .with_y_axis_min(self.y.low)
            .with_y_axis_max(self.y.high)
    }
}

fn theme() -> Theme {
    let [paper, _] = PAPER;
    let [ink, _] = INK;
    let [muted, _] = MUTED;
    Theme {
        background: paper.to_owned(),
        axis_color: muted.to_owned(),
        grid_color: GRID[0].to_owned(),
        tick_color: muted.to_owned(),
        text_color: ink.to_owned(),
        ..Theme::light()
    }
}

#[cfg(test)]
mod tests {
    use kuva::render::layout::ComputedLayout;

    use super::*;

    /// A frame and the library agree on where everything is.
    #[test]
    fn frames_are_the_librarys() {
        let number = |value: f64| value.to_string();
        let names = || Axis::names(vec![String::from("a"), String::from("b")]);
        let pairs = [
            (
                Axis::from(-1.3, 2.7, 5, number),
                Axis::around([0.97, 0.99], 5, number),
            ),
            (Axis::epochs(12), Axis::logarithmic([3e-7, 0.02], number)),
            (Axis::logarithmic([0.001, 0.03], number), names()),
            (
                names().labelled("depth"),
                Axis::from(0.0, 1.0, 5, number).bare(),
            ),
        ];
        for (x, y) in pairs {
            let panel = Panel {
                width: 400.0,
                height: 300.0,
                margins: [60.0, 12.0, 24.0, 40.0],
                x,
                y,
                grid: true,
                plots: Vec::new(),
            };
            let computed = ComputedLayout::from_layout(&panel.layout());
            let frame = panel.frame(7.0, 9.0);
            for share in [0.01, 0.3, 1.0] {
                let value = |axis: &Axis| axis.low + share * (axis.high - axis.low);
                let (x, y) = (value(&panel.x), value(&panel.y));
                assert!(
                    (7.0 + computed.map_x(x) - frame.x(x)).abs() < 1e-6,
                    "x = {x}"
                );
                assert!(
                    (9.0 + computed.map_y(y) - frame.y(y)).abs() < 1e-6,
                    "y = {y}"
                );
            }
        }
    }

    fn tick_labels(axis: &Axis) -> Vec<String> {
        let Ticks::Numbers(step, format) = &axis.ticks else {
            return Vec::new();
        };
        let (first, last) = ticks(axis.low, axis.high, *step);
        (first..=last)
            .map(|tick| format(tick as f64 * step))
            .collect()
    }

    #[test]
    fn whole_numbers_have_no_ticks_between_them() {
        assert_eq!(tick_labels(&Axis::whole(0.5, 3.5, 6)), ["1", "2", "3"]);
        assert_eq!(
            tick_labels(&Axis::whole(0.5, 12.5, 6)),
            ["2", "4", "6", "8", "10", "12"]
        );
        assert_eq!(tick_labels(&Axis::epochs(1)), ["1"]);
        assert_eq!(tick_labels(&Axis::epochs(2)), ["1", "2"]);
    }

    #[test]
    fn neighbouring_ticks_have_different_labels() {
        let percent = |value: f64| crate::format::percent(value, 2);
        assert_eq!(
            tick_labels(&Axis::from(0.98, 0.99, 2, percent)),
            ["98.0 %", "98.5 %", "99.0 %"]
        );
        let labels = tick_labels(&Axis::from(1e-6, 5e-6, 4, percent));
        assert!(labels.len() > 2, "{labels:?}");
        assert!(
            labels.windows(2).all(|pair| pair[0] != pair[1]),
            "{labels:?}"
        );
        assert!(
            labels.iter().all(|label| label.ends_with(" %")),
            "{labels:?}"
        );
    }

    #[test]
    fn steps_are_round() {
        for (length, expected) in [(1.0, 0.2), (0.07, 0.02), (93.0, 20.0), (0.0, 1.0)] {
            assert!((step(length, 5) - expected).abs() < 1e-12, "{length}");
        }
        assert_eq!(step(f64::NAN, 5), 1.0);
    }

    #[test]
    fn labels_have_the_decimals_that_they_need() {
        let zeros = |labels: &[&str]| labels.iter().map(|label| trailing_zeros(label)).min();
        assert_eq!(zeros(&["97.50 %", "98.00 %"]), Some(1));
        assert_eq!(zeros(&["−5.00", "0.00"]), Some(3));
        assert_eq!(zeros(&["10", "20"]), Some(0));
        assert_eq!(without_zeros("97.50 %", 1), "97.5 %");
        assert_eq!(without_zeros("−5.00", 3), "−5");
        assert_eq!(without_zeros("−5.25", 3), "−5.25");
        assert_eq!(without_zeros("10⁻⁷", 0), "10⁻⁷");
    }

    /// As they are with MNIST's digits, and spread widely.
    #[test]
    fn few_values_are_hidden() {
        let near = [0.6, 0.91, 0.96, 0.97, 0.97, 0.97, 0.975, 0.975, 0.98, 0.98];
        assert_eq!(shown_from(&near, 0.93), 0.93);
        let spread = [0.72, 0.74, 0.76, 0.78, 0.8, 0.82, 0.84, 0.86, 0.88, 0.9];
        assert!(shown_from(&spread, 0.81) < 0.72);
        assert!(shown_from(&spread, 0.5) == 0.5);
        // What is far stays hidden.
        let both = [0.1, 0.1, 0.8, 0.81, 0.8, 0.95, 0.96, 0.96, 0.97, 0.97];
        assert!((0.2..0.8).contains(&shown_from(&both, 0.9)));
        for count in 1..40 {
            let values: Vec<f64> = (0..count).map(|i| 1.0 - 0.5_f64.powi(i)).collect();
            let from = shown_from(&values, 0.9999);
            let hidden = values.iter().filter(|&&value| value < from).count();
            assert!(4 * hidden <= values.len(), "{hidden} of {count}");
        }
        assert_eq!(shown_from(&[], 0.9), 0.9);
    }

    #[test]
    fn the_bulk_has_no_outliers() {
        assert_eq!(bulk(&[]), None);
        assert_eq!(bulk(&[2.0]), Some((2.0, 2.0)));
        assert_eq!(bulk(&[0.1, 0.97, 0.98, 0.98, 0.99]), Some((0.97, 0.99)));
    }
}
