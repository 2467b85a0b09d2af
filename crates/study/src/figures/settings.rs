//! Results over several settings.

use statistics::Direction;

use super::canvas::{Align, Canvas, HEADER, SMALL, WIDTH, colour, marker};
use super::lines::{Chart, Frontispiece, Point, Series, draw};
use super::palette::INK;
use super::panel::{Axis, Panel};
use super::{Figure, Source, score_count, seeds};
use crate::analysis::Cell;
use crate::definition::Factor;
use crate::format::{capital, confidence, count, decimals, file_name};
use crate::plan::{Setting, Track};

/// The score over the factor with the most values, a chart for each combination of the others.
pub(super) fn scores(source: Source<'_>) -> Vec<(Track, Figure)> {
    let Some(factor) = source
        .study
        .vary
        .iter()
        .rev()
        .max_by_key(|factor| factor.values.len())
    else {
        return Vec::new();
    };
    let tracks = source.study.tracks();
    tracks
        .into_iter()
        .flat_map(|track| {
            let figures = by_factor(source, track, factor);
            figures.into_iter().map(move |figure| (track, figure))
        })
        .collect()
}

fn by_factor(source: Source<'_>, track: Track, factor: &Factor) -> Vec<Figure> {
    let metric = source.analysis.metric;
    let cells: Vec<&Cell<'_>> = source
        .analysis
        .cells
        .iter()
        .filter(|cell| cell.track == track)
        .collect();
    let mut others: Vec<Setting> = Vec::new();
    for cell in &cells {
        let other = without(factor, &cell.setting);
        if !others.contains(&other) {
            others.push(other);
        }
    }
    let charts: Vec<(String, Vec<Series>)> = others
        .iter()
        .map(|other| {
            let with_other = |cell: &&Cell<'_>| without(factor, &cell.setting) == *other;
            let cells = cells.iter().copied().filter(with_other);
            let title = if other.0.is_empty() {
                metric.title()
            } else {
                other.to_string()
            };
            (title, over_factor(source, factor, cells))
        })
        .collect();
    // One scale for all charts, so that they can be compared.
    let values: Vec<f64> = charts
        .iter()
        .flat_map(|(_, series)| series)
        .flat_map(|series| &series.points)
        .flat_map(|point| {
            let (low, high) = point.band.unwrap_or((point.y, point.y));
            [point.y, low, high]
        })
        .collect();
    if values.is_empty() {
        return Vec::new();
    }
    let charts = charts
        .into_iter()
        .map(|(title, series)| Chart {
            title,
            x: axis(factor),
            y: Axis::around(values.iter().copied(), 5, move |value| metric.format(value)),
            series,
        })
        .collect();
    let suffix = if source.study.tracks().len() > 1 {
        format!(" ({track} track)")
    } else {
        String::new()
    };
    let front = Frontispiece {
        name: file_name(&format!(
            "settings {}",
            suffix.trim_matches([' ', '(', ')'])
        )),
        title: format!("{}, by {}{suffix}", capital(&metric.title()), factor.name),
        about: format!(
            "Mean over the seeds with its {} interval, for every value of {}; {}.",
            confidence(source.analysis.criteria.level),
            factor.name,
            direction(source.analysis.direction)
        ),
        count: seeds(cells.iter().flat_map(|cell| &cell.arms).map(score_count)),
        source,
    };
    draw(front, charts)
}

/// An axis for the values of a factor.
fn axis(factor: &Factor) -> Axis {
    let axis = match factor.numbers().as_deref() {
        Some([first, .., last]) => {
            let room = 0.06 * (last - first);
            Axis::decimal(first - room, last + room, 6)
        }
        _ => Axis::names(factor.labels()),
    };
    axis.labelled(&factor.name)
}

/// What a setting says of the other factors.
fn without(factor: &Factor, setting: &Setting) -> Setting {
    let mut others = setting.clone();
    others.0.remove(&factor.name);
    others
}

/// Each contender's mean over the values of a factor, one in each cell.
fn over_factor<'c>(
    source: Source<'_>,
    factor: &Factor,
    cells: impl Iterator<Item = &'c Cell<'c>>,
) -> Vec<Series> {
    let contenders = source.study.contenders.iter().zip(source.looks());
    let mut series: Vec<Series> = contenders
        .map(|(contender, look)| Series {
            look,
            is_baseline: source.is_baseline(contender.name()),
            name: contender.name().to_owned(),
            points: Vec::new(),
        })
        .collect();
    // A little beside each other, so that equals do not hide each other.
    let middle = (series.len() as f64 - 1.0) / 2.0;
    let labels = factor.labels();
    let places = factor
        .numbers()
        .unwrap_or_else(|| (1..=labels.len()).map(|place| place as f64).collect());
    let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
    let gap = gaps.fold(f64::INFINITY, f64::min);
    let apart = gap.min(places.len() as f64) * (0.3 / series.len() as f64).min(0.05);
    for cell in cells {
        let label = cell.setting.0.get(&factor.name);
        let Some(place) = labels.iter().position(|known| Some(known) == label) else {
            continue;
        };
        for ((position, series), arm) in series.iter_mut().enumerate().zip(&cell.arms) {
            // Of a mean that is no more than a bound, an interval would say too little.
            let is_bound = arm.never_reached(source.analysis.metric) > 0;
            series.points.extend(arm.mean.map(|mean| {
                Point {
                    x: places[place] + apart * (position as f64 - middle),
                    y: mean.value,
                    band: mean
                        .interval
                        .filter(|_| !is_bound)
                        .map(|interval| (interval.lower, interval.upper)),
                }
            }));
        }
    }
    series
}

/// Which scores are good, in words.
pub(crate) fn direction(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::HigherIsBetter) => "higher is better",
        Some(Direction::LowerIsBetter) => "lower is better",
        None => "neither higher nor lower is better in itself",
    }
}

/// Average ranks over the settings, with bars half a critical difference long to each side. None where all
/// bars would overlap, whatever the ranks, which differ by one less than the number of contenders at most.
pub(super) fn ranks(source: Source<'_>) -> Vec<Figure> {
    let ranks = source.analysis.ranks.iter();
    ranks
        .filter(|ranks| {
            ranks.summary.critical_difference <= ranks.contenders.len() as f64 - 1.0
        })
        .map(|ranks| {
            let summary = &ranks.summary;
            let names = &ranks.contenders;
            let mut order: Vec<usize> = (0..names.len()).collect();
            order.sort_by(|&a, &b| {
                summary.average_ranks[a].total_cmp(&summary.average_ranks[b])
            });
            let row = 24.0;
            let height = row * order.len() as f64 + 50.0;
            let several = source.study.tracks().len() > 1;
            let name = if several {
                format!("ranks-{}", ranks.track)
            } else {
                String::from("ranks")
            };
            let mut canvas = Canvas::new(&name, HEADER + height);
            let (labels, left) = canvas.names(order.iter().map(|&index| &names[index]));
            let half = summary.critical_difference / 2.0;
            // No rank is 0.
            let room = half.min(0.9);
            let panel = Panel {
                width: WIDTH,
                height,
                margins: [left, 60.0, 4.0, 42.0],
                x: Axis::whole(1.0 - room, names.len() as f64 + room, 6)
                .labelled(&format!("average rank, 1 is {}", source.analysis.wording().best())),
                y: labels,
                grid: true,
                plots: Vec::new(),
            };
            let frame = canvas.panel(0.0, HEADER, panel);
            for (line, &index) in order.iter().enumerate() {
                let rank = summary.average_ranks[index];
                let y = frame.y((order.len() - line) as f64);
                let ends = [rank - half, rank + half].map(|end| frame.within(frame.x(end)));
                canvas.line((ends[0], y), (ends[1], y), INK[0], 1.6);
                let mut contenders = source.study.contenders.iter().zip(source.looks());
                let own = contenders.find(|(contender, _)| contender.name() == names[index]);
                let look = own.map_or(index, |(_, look)| look);
                canvas.mark((frame.x(rank), y), 5.0, marker(look), colour(look));
                let text = decimals(rank, 2);
                canvas.text((frame.right + 10.0, y + 4.0), &text, SMALL, Align::Start);
            }
            let suffix = if several {
                format!(" ({} track)", ranks.track)
            } else {
                String::new()
            };
            let title = format!("Average ranks over {}{suffix}", count(summary.datasets, "setting"));
            canvas.title(&title);
            let about = format!(
                "Rank of each contender's mean within each setting, averaged. Two differ at level {} only if their bars do not overlap (Nemenyi's critical difference {}), and only if the contenders differ at all (Friedman's test: {}). Both take the settings as independent, which those that share images and seeds are not: they tell more differences than there may be.",
                source.analysis.criteria.level,
                decimals(summary.critical_difference, 2),
                crate::format::p_value(summary.friedman.f_p_value)
            );
            let n = format!("n = {}", count(summary.datasets, "setting"));
            canvas.finish(&title, &about, &n, source.command)
        })
        .collect()
}
