//! What changes from epoch to epoch: scores and learned parameters.

use statistics::{bca_interval, mean};

use super::lines::{Chart, Frontispiece, Point, Series, draw};
use super::panel::{Axis, bulk, shown_from};
use super::{Figure, Illustration, Source};
use crate::analysis::{Arm, Cell};
use crate::format::{confidence, decimals, percent, scientific};
use crate::record::{Epoch, RunRecord};

/// Resamples of the bands: there are many, and a pixel is a pixel.
const RESAMPLES: usize = 999;

/// The mean of `values`, with its confidence interval, at `x`; none if there are none.
pub(super) fn point(x: f64, values: &[f64], source: Source<'_>) -> Option<Point> {
    let criteria = &source.analysis.criteria;
    let interval = bca_interval(values, mean, 1.0 - criteria.level, RESAMPLES, criteria.seed).ok();
    Some(Point {
        x,
        y: mean(values).ok()?,
        band: interval.map(|interval| (interval.lower, interval.upper)),
    })
}

/// A curve over the epochs, of the runs that got so far.
fn by_epoch(
    arm: &Arm<'_>,
    source: Source<'_>,
    measure: impl Fn(&Epoch) -> Option<f64>,
) -> Vec<Point> {
    let last = arm.records().map(|run| run.epochs.len()).max().unwrap_or(0);
    (0..last)
        .filter_map(|index| {
            let values: Vec<f64> = arm
                .records()
                .filter_map(|run| measure(run.epochs.get(index)?))
                .filter(|value| value.is_finite())
                .collect();
            point(index as f64 + 1.0, &values, source)
        })
        .collect()
}

/// The loss in the course of the training, of the runs that got so far.
fn by_part(arm: &Arm<'_>, source: Source<'_>) -> Vec<Point> {
    let longest = arm.records().max_by_key(|run| run.loss_curve.len());
    let parts = longest.map_or(&[][..], |run| &run.loss_curve);
    parts
        .iter()
        .enumerate()
        .filter_map(|(index, part)| {
            let losses: Vec<f64> = arm
                .records()
                .filter_map(|run| Some(run.loss_curve.get(index)?.loss))
                .collect();
            point(part.epochs, &losses, source)
        })
        .collect()
}

/// Whether the loss in the course of the training can be compared: all runs noted it, and contenders that differ
/// in more than the function might be trained with losses of different kinds.
fn has_loss_curves(source: Source<'_>, cell: &Cell<'_>) -> bool {
    let mut contenders = source.study.contenders.iter();
    let mut runs = cell.arms.iter().flat_map(Arm::records);
    contenders.all(|contender| contender.with.is_empty())
        && runs.all(|run| !run.loss_curve.is_empty() || run.epochs.is_empty())
}

/// Number of epochs of the longest run.
fn epochs(cell: &Cell<'_>) -> usize {
    let runs = cell.arms.iter().flat_map(Arm::records);
    runs.map(|run| run.epochs.len()).max().unwrap_or(0)
}

/// All values of curves and bands.
fn extent(series: &[Series]) -> impl Iterator<Item = f64> + '_ {
    series
        .iter()
        .flat_map(|series| &series.points)
        .flat_map(|point| {
            let (low, high) = point.band.unwrap_or((point.y, point.y));
            [point.y, low, high]
        })
}

/// An axis of positive numbers: logarithmic, unless they are close together.
fn ratios(series: &mut [Series]) -> Axis {
    if range(series).is_some_and(|(low, high)| (high / low).log10() > 0.8) {
        powers(series, 0.0)
    } else {
        Axis::around(extent(series), 5, |value| scientific(value, 2))
    }
}

/// A logarithmic axis that covers `least` powers of ten or more. The library takes what is below 10⁻¹⁰ for
/// 10⁻¹⁰, so that the curves move up by as many powers of ten as it takes, which the labels leave out.
pub(super) fn powers(series: &mut [Series], least: f64) -> Axis {
    let Some((low, high)) = range(series) else {
        return Axis::logarithmic([], |value| scientific(value, 1));
    };
    let [low, high] = [low.log10(), high.log10()];
    let decades = high - low;
    let room = (least - decades).max(0.0) / 2.0;
    // The axis leaves some room below.
    let lowest = low - room - 0.1 * decades;
    let up = (-9.0 - lowest).max(0.0).ceil();
    let factor = 10_f64.powf(up);
    for point in series.iter_mut().flat_map(|series| &mut series.points) {
        point.y *= factor;
        point.band = point.band.map(|(low, high)| (low * factor, high * factor));
    }
    let ends = [low - room, high + room].map(|end| 10_f64.powf(end + up));
    if decades > 3.0 {
        // As many labels as there is room for.
        let every = (decades / 8.0).ceil() as i32;
        Axis::logarithmic(ends, move |value| {
            if value <= 0.0 {
                return String::from("0");
            }
            let power = (value.log10() - up).round() as i32;
            if power % every == 0 {
                format!("10{}", superscript(power))
            } else {
                String::new()
            }
        })
    } else {
        Axis::logarithmic(ends, move |value| scientific(value / factor, 1))
    }
}

/// The least and the largest of the positive values of curves and bands.
fn range(series: &[Series]) -> Option<(f64, f64)> {
    let positive = extent(series).filter(|&value| value > 0.0);
    let pairs = positive.map(|value| (value, value));
    pairs.reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))
}

fn superscript(number: i32) -> String {
    let digit = |c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        // The others stand in a row.
        c => char::from_u32('⁰' as u32 + c as u32 - '0' as u32).unwrap_or(c),
    };
    number.to_string().chars().map(digit).collect()
}

/// Validation accuracy after each epoch, and training loss: that of the steps, where it can be compared, and
/// otherwise of the network after each epoch.
pub(super) fn learning(source: Source<'_>, cell: &Cell<'_>) -> Vec<Illustration> {
    let by_parts = has_loss_curves(source, cell);
    if epochs(cell) == 1 && !by_parts {
        return vec![Illustration::Sentence(String::from(
            "No run has more than one epoch, so that there are no learning curves.",
        ))];
    }
    let series = |points: &dyn Fn(&Arm<'_>) -> Vec<Point>| -> Vec<Series> {
        source
            .with_runs(cell)
            .into_iter()
            .map(|(look, arm)| Series {
                look,
                is_baseline: source.is_baseline(&arm.name),
                name: arm.name.clone(),
                points: points(arm),
            })
            .collect()
    };
    let accuracy = series(&|arm| by_epoch(arm, source, |epoch| epoch.validation.accuracy));
    let (mut loss, loss_axis, about_loss) = if by_parts {
        (
            series(&|arm| by_part(arm, source)),
            Axis::epochs_passed(epochs(cell)),
            "The training loss is the one that is trained with, of the images as they are met, averaged over equal parts of the training.",
        )
    } else {
        (
            series(&|arm| by_epoch(arm, source, |epoch| epoch.training_at_end?.loss)),
            Axis::epochs(epochs(cell)),
            "The training loss is the cross-entropy of training images with the network of the end of the epoch, without dropout.",
        )
    };
    // What the first epochs, or contenders far below the others, would squeeze together is cut off.
    let last: Vec<f64> = accuracy
        .iter()
        .filter_map(|series| Some(series.points.last()?.y))
        .collect();
    let near = bulk(&last);
    let points = accuracy.iter().flat_map(|series| &series.points);
    let points: Vec<f64> = points.map(|point| point.y).collect();
    let from = shown_from(&points, near.map_or(0.0, |(low, _)| low - 0.1));
    let shown = extent(&accuracy).filter(|value| *value >= from);
    let ends = near.into_iter().flat_map(|(low, high)| [low, high]);
    let charts = vec![
        Chart {
            title: String::from("validation accuracy"),
            x: Axis::epochs(epochs(cell)),
            y: Axis::around(shown.chain(ends), 5, |value| percent(value, 1)),
            series: accuracy,
        },
        Chart {
            title: String::from("training loss, nats"),
            x: loss_axis,
            y: ratios(&mut loss),
            series: loss,
        },
    ];
    let confidence = confidence(source.analysis.criteria.level);
    let front = Frontispiece {
        name: format!("{}learning-curves", source.prefix(cell)),
        title: String::from("Learning curves"),
        about: format!(
            "Mean over the seeds, with the {confidence} interval of the mean as a band; validation accuracy is that after each epoch. Runs that diverged or stopped early end where they did. {about_loss}"
        ),
        count: source.run_counts(cell),
        source,
    };
    let figures = draw(front, charts).into_iter();
    figures.map(Illustration::from).collect()
}

/// Parameters that activations learn: one chart for each contender that has any.
pub(super) fn parameters(source: Source<'_>, cell: &Cell<'_>) -> Vec<Figure> {
    let has = |run: &RunRecord| {
        let mut sites = run.epochs.iter().flat_map(|epoch| &epoch.sites);
        sites.any(|site| site.parameter.is_some())
    };
    let learning = source
        .with_runs(cell)
        .into_iter()
        .filter(|(_, arm)| arm.records().any(has));
    let charts: Vec<Chart> = learning
        .map(|(_, arm)| {
            let sites = arm.records().next().map_or(&[][..], |run| &run.sites);
            // At most eight, evenly from input to output.
            let every = sites.len().div_ceil(8).max(1);
            let series: Vec<Series> = sites
                .iter()
                .enumerate()
                .step_by(every)
                .map(|(index, site)| Series {
                    look: index / every,
                    is_baseline: false,
                    name: site.name.clone(),
                    points: by_epoch(arm, source, |epoch| epoch.sites.get(index)?.parameter),
                })
                .collect();
            Chart {
                title: arm.name.clone(),
                x: Axis::epochs(epochs(cell)),
                y: Axis::around(extent(&series), 5, |value| decimals(value, 2)),
                series,
            }
        })
        .collect();
    let front = Frontispiece {
        name: format!("{}parameters", source.prefix(cell)),
        title: String::from("Learned parameters of the activations"),
        about: String::from(
            "PReLU's slope or Swish's β at each site after each epoch: mean over the seeds with its interval.",
        ),
        count: source.run_counts(cell),
        source,
    };
    draw(front, charts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Vec<Series> {
        let points = values.iter().map(|&y| Point {
            x: 1.0,
            y,
            band: None,
        });
        vec![Series {
            look: 0,
            is_baseline: false,
            name: String::new(),
            points: points.collect(),
        }]
    }

    #[test]
    fn a_factor_of_three_is_not_steep() {
        let axis = powers(&mut series(&[0.1, 0.3]), 2.0);
        assert!(axis.log && axis.high / axis.low > 100.0);
        assert!(axis.low < 0.02 && axis.high > 1.5);
        assert_eq!(axis.text(0.5), "0.5");
    }

    /// The library draws nothing below 10⁻¹⁰.
    #[test]
    fn the_smallest_values_are_moved_up_and_labelled_as_they_are() {
        let mut series = series(&[1e-45, 1e-3]);
        let axis = powers(&mut series, 2.0);
        let [low, high] = [0, 1].map(|point| series[0].points[point].y);
        assert!(1e-10 < axis.low && axis.low < low && high < axis.high);
        assert!((high / low).log10() > 41.9);
        assert_eq!(axis.text(low * 10_f64.powi(3)), "10⁻⁴²");
        // Not every power has room for a label.
        assert_eq!(axis.text(low), "");
    }

    #[test]
    fn small_numbers_stand_above() {
        assert_eq!(superscript(-12), "⁻¹²");
        assert_eq!(superscript(304), "³⁰⁴");
    }
}
