//! What changes from epoch to epoch: scores and learned parameters.

use statistics::{bca_interval, mean};

use super::lines::{Chart, Frontispiece, Point, Series, draw};
use super::panel::{Axis, bulk};
use super::{Figure, Source, with_runs};
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

/// An axis of positive numbers: logarithmic, unless those of all panels, that of `series` and its
/// neighbours, are close together.
pub(super) fn ratios<'a>(
    series: &[Series],
    panels: impl IntoIterator<Item = &'a [Series]>,
) -> Axis {
    let values = || extent(series).filter(|&value| value > 0.0);
    let decades = panels.into_iter().map(decades).fold(0.0, f64::max);
    if decades > 3.0 {
        Axis::logarithmic(values(), |value| {
            format!("10{}", superscript(value.log10().round() as i32))
        })
    } else if decades > 0.8 {
        Axis::logarithmic(values(), |value| scientific(value, 1))
    } else {
        Axis::around(extent(series), 5, |value| scientific(value, 2))
    }
}

/// Over how many powers of ten the positive values of curves and bands reach.
fn decades(series: &[Series]) -> f64 {
    let positive = extent(series).filter(|&value| value > 0.0);
    let (low, high) = positive.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    (high / low).log10()
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

/// Validation accuracy and training loss: not the loss that is trained with, which contenders may differ in.
pub(super) fn learning(source: Source<'_>, cell: &Cell<'_>) -> Vec<Figure> {
    let series = |measure: &dyn Fn(&Epoch) -> Option<f64>| -> Vec<Series> {
        with_runs(cell)
            .into_iter()
            .map(|(position, arm)| Series {
                position,
                name: arm.name.clone(),
                points: by_epoch(arm, source, measure),
            })
            .collect()
    };
    let accuracy = series(&|epoch| epoch.validation.accuracy);
    let loss = series(&|epoch| epoch.training_at_end?.loss);
    let axis = Axis::epochs(epochs(cell));
    // What the first epochs, or contenders far below the others, would squeeze together is cut off.
    let last: Vec<f64> = accuracy
        .iter()
        .filter_map(|series| Some(series.points.last()?.y))
        .collect();
    let near = bulk(&last);
    let from = near.map_or(0.0, |(low, _)| low - 0.1);
    let shown = extent(&accuracy).filter(|value| *value >= from);
    let ends = near.into_iter().flat_map(|(low, high)| [low, high]);
    let charts = vec![
        Chart {
            title: String::from("validation accuracy"),
            x: axis.clone(),
            y: Axis::around(shown.chain(ends), 5, |value| percent(value, 1)),
            series: accuracy,
        },
        Chart {
            title: String::from("training loss, nats"),
            x: axis,
            y: ratios(&loss, [&loss[..]]),
            series: loss,
        },
    ];
    let confidence = confidence(source.analysis.criteria.level);
    let front = Frontispiece {
        name: format!("{}learning-curves", source.prefix(cell)),
        title: String::from("Learning curves"),
        about: format!(
            "Mean over the seeds after each epoch, with the {confidence} interval of the mean as a band. Runs that diverged end where they did; accuracies far below those at the end are cut off. The training loss is the cross-entropy of training images with the network of the end of the epoch, without dropout."
        ),
        count: source.run_counts(cell),
        source,
    };
    draw(&front, charts)
}

/// Parameters that activations learn: one chart for each contender that has any.
pub(super) fn parameters(source: Source<'_>, cell: &Cell<'_>) -> Vec<Figure> {
    let has = |run: &RunRecord| {
        let mut sites = run.epochs.iter().flat_map(|epoch| &epoch.sites);
        sites.any(|site| site.parameter.is_some())
    };
    let learning = with_runs(cell)
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
                    position: index / every,
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
    draw(&front, charts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers() {
        assert_eq!(superscript(-12), "⁻¹²");
        assert_eq!(superscript(304), "³⁰⁴");
    }
}
