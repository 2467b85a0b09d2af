//! What happens at each site from epoch to epoch.

use statistics::mean;

use super::canvas::{Align, Canvas, HEADER, SMALL, WIDTH};
use super::palette::{ON_STEPS, STEPS};
use super::{Figure, Source, with_runs};
use crate::analysis::{Arm, Cell};
use crate::format::{decimals, percent};
use crate::record::SiteEpoch;

const COLUMNS: usize = 3;
/// Shares up to these have the colours from the first to the last but one.
const BOUNDS: [f64; 5] = [0.001, 0.01, 0.05, 0.2, 0.5];

type Measure = fn(&SiteEpoch) -> Option<f64>;

/// One figure for each share that was measured.
pub(super) fn all(source: Source<'_>, cell: &Cell<'_>) -> Vec<Figure> {
    let measures: [(&str, &str, &str, Measure); 3] = [
        (
            "dead-units",
            "Dead units",
            "Share of units whose derivative is zero for every validation image",
            |site| site.dead,
        ),
        (
            "saturation",
            "Saturated pre-activations",
            "Share of pre-activations at which |f′| is below 1 % of its maximum",
            |site| site.saturated,
        ),
        (
            "sparsity",
            "Activations that are zero",
            "Share of activations that are exactly zero",
            |site| site.sparsity,
        ),
    ];
    measures
        .into_iter()
        .filter_map(|(name, title, about, measure)| {
            figure(source, cell, name, title, about, measure)
        })
        .collect()
}

/// Means over the seeds: a row for each site, a column for each epoch.
fn table(arm: &Arm<'_>, measure: Measure) -> Vec<Vec<Option<f64>>> {
    let sites = arm.records().map(|run| run.sites.len()).max().unwrap_or(0);
    let epochs = arm.records().map(|run| run.epochs.len()).max().unwrap_or(0);
    let at = |site: usize, epoch: usize| {
        let runs = arm.records();
        let values: Vec<f64> = runs
            .filter_map(|run| measure(run.epochs.get(epoch)?.sites.get(site)?))
            .collect();
        mean(&values).ok()
    };
    (0..sites)
        .map(|site| (0..epochs).map(|epoch| at(site, epoch)).collect())
        .collect()
}

fn figure(
    source: Source<'_>,
    cell: &Cell<'_>,
    name: &str,
    title: &str,
    about: &str,
    measure: Measure,
) -> Option<Figure> {
    let tables: Vec<_> = with_runs(cell)
        .into_iter()
        .map(|(_, arm)| (arm, table(arm, measure)))
        .filter(|(_, table)| table.iter().flatten().any(Option::is_some))
        .collect();
    let deepest = tables.iter().map(|(_, table)| table.len()).max()?;
    let epochs = tables
        .iter()
        .map(|(_, table)| table.first().map_or(0, Vec::len))
        .max()?;
    let columns = COLUMNS.min(tables.len());
    let rows = tables.len().div_ceil(columns);
    let name = format!("{}{name}", source.prefix(cell));
    let probe = Canvas::new(&name, 0.0)?;
    let longest = tables.iter().max_by_key(|(_, table)| table.len())?;
    let sites: Vec<String> = longest
        .0
        .records()
        .max_by_key(|run| run.sites.len())?
        .sites
        .iter()
        .enumerate()
        .map(|(index, site)| {
            if deepest <= 8 {
                probe.fitting(&site.name, 10, 84.0)
            } else {
                (index + 1).to_string()
            }
        })
        .collect();
    let widest = sites
        .iter()
        .map(|site| probe.width(site, 10))
        .fold(0.0, f64::max);
    let left = 12.0 + widest + 6.0;
    let width = (WIDTH - left - 6.0) / columns as f64;
    let line = if deepest > 12 { 8.0 } else { 19.0 };
    let column_width = ((width - 10.0) / epochs.max(1) as f64).min(60.0);
    let block = line * deepest as f64;
    let height = block + 42.0;
    // In all fields or in none.
    let numbers = line > 12.0 && probe.width("100", 10) + 2.0 <= column_width;
    let mut canvas = Canvas::new(&name, HEADER + height * rows as f64 + 28.0)?;
    for (index, (arm, table)) in tables.iter().enumerate() {
        let x = left + width * (index % columns) as f64;
        let y = HEADER + height * (index / columns) as f64;
        let label = canvas.fitting(&arm.name, SMALL, width - 10.0);
        canvas.text((x, y + 12.0), &label, SMALL, Align::Start);
        let top = y + 18.0;
        for (row, values) in table.iter().enumerate() {
            let middle = top + line * (row as f64 + 0.5);
            let every = if line < 12.0 { 5 } else { 1 };
            if index % columns == 0 && (row % every == 0 || row + 1 == table.len()) {
                canvas.muted((left - 6.0, middle + 3.5), &sites[row], 10, Align::End);
            }
            for (epoch, value) in values.iter().enumerate() {
                let Some(value) = *value else {
                    continue;
                };
                let step = BOUNDS.iter().filter(|&&bound| value > bound).count();
                let corner = (x + column_width * epoch as f64, top + line * row as f64);
                canvas.group(
                    None,
                    Some(format!(
                        "{}, {}, epoch {}: {}",
                        arm.name,
                        sites[row],
                        epoch + 1,
                        percent(value, 2)
                    )),
                );
                let gap = if line < 12.0 { 0.5 } else { 1.0 };
                let size = (column_width - gap, line - gap);
                canvas.rectangle(corner, size, STEPS[step][0], None);
                let number = decimals(100.0 * value, usize::from(value < 0.1 && value > 0.0));
                if numbers {
                    let ink = ON_STEPS[usize::from(step > 3)];
                    let place = (corner.0 + size.0 / 2.0, corner.1 + line / 2.0 + 3.0);
                    canvas.coloured_text(place, &number, 10, Align::Middle, ink);
                }
                canvas.end_group();
            }
        }
        let bottom = top + block + 11.0;
        let every = (22.0 / column_width).ceil().max(1.0) as usize;
        for epoch in (0..epochs).step_by(every) {
            let middle = x + column_width * (epoch as f64 + 0.5);
            canvas.muted(
                (middle, bottom),
                &(epoch + 1).to_string(),
                10,
                Align::Middle,
            );
        }
    }
    let y = HEADER + height * rows as f64 + 4.0;
    let mut x = left;
    for (step, colours) in STEPS.iter().enumerate() {
        let text = match (BOUNDS.get(step), BOUNDS.last()) {
            (Some(&bound), _) => format!("≤ {} %", decimals(100.0 * bound, usize::from(step == 0))),
            (None, Some(&last)) => format!("> {} %", decimals(100.0 * last, 0)),
            (None, None) => String::new(),
        };
        canvas.rectangle((x, y), (14.0, 12.0), colours[0], None);
        canvas.muted((x + 18.0, y + 10.0), &text, 10, Align::Start);
        x += 26.0 + canvas.width(&text, 10);
    }
    let title = format!("{title} by site and epoch");
    canvas.title(&title);
    let about = format!(
        "{about}, in per cent, mean over the seeds: a row for each site from the input (above) to the output, a column for each epoch."
    );
    Some(canvas.finish(&title, &about, &source.run_counts(cell), source.command))
}
