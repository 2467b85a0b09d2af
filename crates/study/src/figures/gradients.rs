//! What arrives at each layer of the gradient.

use super::curves::{point, powers};
use super::lines::{Chart, Frontispiece, Point, Series, draw};
use super::panel::Axis;
use super::{Figure, Source};
use crate::analysis::{Arm, Cell};
use crate::record::{Epoch, RunRecord, SMALLEST_GRADIENT};

/// The axis covers so many powers of ten at least, so that what does not matter does not look steep.
const LEAST_DECADES: f64 = 2.0;

/// Takes one of a run's epochs.
type Take = fn(&RunRecord) -> Option<&Epoch>;

/// The gradient norm of every layer, in the first and the last epoch.
pub(super) fn gradients(source: Source<'_>, cell: &Cell<'_>) -> Vec<Figure> {
    let single = cell
        .arms
        .iter()
        .flat_map(Arm::records)
        .all(|run| run.epochs.len() < 2);
    let epochs: [(&str, Take); 2] = [
        ("first epoch", |run| run.epochs.first()),
        ("last epoch", |run| run.epochs.last()),
    ];
    let panels: Vec<(&str, Vec<Series>)> = epochs
        .into_iter()
        .take(if single { 1 } else { 2 })
        .map(|(title, epoch)| (title, series(source, cell, epoch)))
        .collect();
    let charts = panels.into_iter().map(|(title, mut series)| {
        let depths = series.iter().map(|series| series.points.len()).max();
        Chart {
            title: title.to_owned(),
            x: Axis::epochs(depths.unwrap_or(0)).labelled("layer"),
            y: powers(&mut series, LEAST_DECADES).labelled("gradient norm, log scale"),
            series,
        }
    });
    let front = Frontispiece {
        name: format!("{}gradients", source.prefix(cell)),
        title: String::from("Gradient norm by depth"),
        about: String::from(
            "Norm of the loss gradient with respect to the weights of each layer, from the input (left) to the output: mean of the logarithms over the seeds with its interval. A fall of several powers of ten towards the left is what vanishing gradients look like; a factor of 2 to 5 over a few layers does not matter.",
        ),
        count: source.run_counts(cell),
        source,
    };
    draw(front, charts.collect())
}

/// The norms by layer of every contender.
fn series(source: Source<'_>, cell: &Cell<'_>, epoch: Take) -> Vec<Series> {
    source
        .with_runs(cell)
        .into_iter()
        .map(|(look, arm)| {
            let sites = arm.records().map(|run| run.sites.len()).max().unwrap_or(0);
            let points = (0..sites).filter_map(|index| {
                let norms: Vec<f64> = arm
                    .records()
                    .filter_map(|run| epoch(run)?.sites.get(index)?.gradient_norm)
                    .filter(|norm| norm.is_finite())
                    .map(|norm| norm.max(SMALLEST_GRADIENT).log10())
                    .collect();
                let point = point(index as f64 + 1.0, &norms, source)?;
                let power = |exponent: f64| 10_f64.powf(exponent);
                Some(Point {
                    y: power(point.y),
                    band: point.band.map(|(low, high)| (power(low), power(high))),
                    ..point
                })
            });
            Series {
                look,
                is_baseline: source.is_baseline(&arm.name),
                name: arm.name.clone(),
                points: points.collect(),
            }
        })
        .collect()
}
