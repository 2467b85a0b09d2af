//! What happens at each site from epoch to epoch.

use statistics::mean;

use super::canvas::{Align, Canvas, HEADER, SMALL, WIDTH};
use super::palette::{ON_STEPS, STEPS};
use super::{Illustration, Source};
use crate::analysis::{Arm, Cell};
use crate::definition::{Study, listed};
use crate::format::{decimals, percent};
use crate::record::SiteEpoch;

const COLUMNS: usize = 3;
/// Shares up to these have the colours from the first to the last but one.
const BOUNDS: [f64; 5] = [0.001, 0.01, 0.05, 0.2, 0.5];

type Measure = fn(&SiteEpoch) -> Option<f64>;

/// A share that is measured at each site.
struct Share {
    /// Of the figure's file.
    name: &'static str,
    title: &'static str,
    about: &'static str,
    /// What more there is to say, as a sentence after another; empty if there is nothing.
    remark: fn(&Study) -> &'static str,
    /// What is true where all shares are zero.
    none: &'static str,
    measure: Measure,
}

const SHARES: [Share; 3] = [
    Share {
        name: "dead-units",
        title: "Dead units",
        about: "Share of units whose derivative is zero for every validation image",
        remark: |_| "",
        none: "No unit is dead at any site after any epoch.",
        measure: |site| site.dead,
    },
    Share {
        name: "saturation",
        title: "Saturated pre-activations",
        about: "Share of pre-activations at which |f′| is below 1 % of its maximum",
        remark: zero_side,
        none: "No pre-activation is saturated at any site after any epoch.",
        measure: |site| site.saturated,
    },
    Share {
        name: "sparsity",
        title: "Activations that are zero",
        about: "Share of activations that are exactly zero",
        remark: |_| "",
        none: "No activation is exactly zero at any site after any epoch.",
        measure: |site| site.sparsity,
    },
];

/// That half of ReLU is saturated is no fault of it.
fn zero_side(study: &Study) -> &'static str {
    let contenders = &study.contenders;
    if contenders.iter().any(|one| one.activation == "relu") {
        " ReLU's zero side counts as saturated, and is harmless in itself: a unit that is off for one image is on for another. Dead units are those that are off for all."
    } else {
        ""
    }
}

/// One figure for each share that was measured, or a sentence if it is zero everywhere.
pub(super) fn all(source: Source<'_>, cell: &Cell<'_>) -> Vec<Illustration> {
    let all = SHARES
        .iter()
        .filter_map(|share| illustration(source, cell, share));
    all.collect()
}

/// A row for each site, a column for each epoch.
type Table = Vec<Vec<Option<f64>>>;

/// Means over the seeds.
fn table(arm: &Arm<'_>, measure: Measure) -> Table {
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

fn illustration(source: Source<'_>, cell: &Cell<'_>, share: &Share) -> Option<Illustration> {
    let is_measured = |table: &Table| table.iter().flatten().any(Option::is_some);
    let measured = source
        .with_runs(cell)
        .into_iter()
        .map(|(_, arm)| (arm, table(arm, share.measure)))
        .filter(|(_, table)| is_measured(table));
    // Panels of nothing but zeros would take much room to say little.
    let (zeros, tables): (Vec<_>, Vec<_>) = measured.partition(|(_, table)| is_zero(table));
    if tables.is_empty() && !zeros.is_empty() {
        return Some(Illustration::Sentence(share.none.to_owned()));
    }
    let (deepest, _) = tables.iter().max_by_key(|(_, table)| table.len())?;
    let epochs = tables
        .iter()
        .map(|(_, table)| table.first().map_or(0, Vec::len))
        .max()?;
    let columns = COLUMNS.min(tables.len());
    let rows = tables.len().div_ceil(columns);
    let name = format!("{}{}", source.prefix(cell), share.name);
    let probe = Canvas::new(&name, 0.0);
    let sites = labels(&probe, deepest)?;
    let widths = sites.iter().map(|site| probe.width(site, 10));
    let left = 12.0 + widths.fold(probe.width("epoch", 10), f64::max) + 6.0;
    let width = (WIDTH - left - 6.0) / columns as f64;
    let numbers = tables.iter().flat_map(|(_, table)| table.iter().flatten());
    let numbers = numbers.flatten().map(|&share| number(share));
    let widest = numbers.map(|number| probe.width(&number, 10));
    let widest = widest.fold(0.0, f64::max);
    let line = if sites.len() > 12 { 8.0 } else { 19.0 };
    let column = ((width - 10.0) / epochs.max(1) as f64).min(60.0);
    let height = line * sites.len() as f64 + 42.0;
    let mut canvas = Canvas::new(&name, HEADER + height * rows as f64 + 28.0);
    for (index, (arm, table)) in tables.iter().enumerate() {
        let map = HeatMap {
            arm,
            table,
            sites: &sites,
            epochs,
            x: left + width * (index % columns) as f64,
            y: HEADER + height * (index / columns) as f64,
            field: (column, line),
            // In all fields or in none.
            numbers: line > 12.0 && widest + 2.0 <= column,
        };
        map.name(&mut canvas, width - 10.0);
        for row in 0..table.len() {
            if index % columns == 0 {
                map.site(&mut canvas, row);
            }
            map.fields(&mut canvas, row);
        }
        map.epochs(&mut canvas, index % columns == 0);
    }
    legend(&mut canvas, (left, HEADER + height * rows as f64 + 4.0));
    let title = format!("{} by site and epoch", share.title);
    canvas.title(&title);
    let zeros: Vec<&str> = zeros.iter().map(|(arm, _)| arm.name.as_str()).collect();
    let zeros = match listed(&zeros) {
        none if none.is_empty() => none,
        some => format!(" Zero at all sites after all epochs, and so without a panel: {some}."),
    };
    let about = format!(
        "{}, in per cent, mean over the seeds: a row for each site from the input (above) to the output, a column for each epoch.{}{zeros}",
        share.about,
        (share.remark)(source.study)
    );
    let figure = canvas.finish(&title, &about, &source.run_counts(cell), source.command);
    Some(figure.into())
}

fn is_zero(table: &Table) -> bool {
    table.iter().flatten().flatten().all(|&share| share == 0.0)
}

/// A share in per cent, as there is room for. 0 is none at all.
fn number(share: f64) -> String {
    match share {
        0.0 => String::from("0"),
        small if small < 0.0005 => String::from("<0.1"),
        share => decimals(100.0 * share, usize::from(share < 0.1)),
    }
}

/// The sites of the network with most of them: by name if there are few, else by number.
fn labels(canvas: &Canvas, deepest: &Arm<'_>) -> Option<Vec<String>> {
    let run = deepest.records().max_by_key(|run| run.sites.len())?;
    let by_name = run.sites.len() <= 8;
    let sites = run.sites.iter().enumerate();
    let labels = sites.map(|(index, site)| {
        if by_name {
            canvas.fitting(&site.name, 10, 84.0)
        } else {
            (index + 1).to_string()
        }
    });
    Some(labels.collect())
}

/// The colours and what they stand for.
fn legend(canvas: &mut Canvas, (mut x, y): (f64, f64)) {
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
}

/// A contender's share at each site in each epoch.
struct HeatMap<'a> {
    arm: &'a Arm<'a>,
    /// A row for each site, a column for each epoch.
    table: &'a [Vec<Option<f64>>],
    /// The names of the sites.
    sites: &'a [String],
    epochs: usize,
    /// The upper left corner.
    x: f64,
    y: f64,
    /// Width and height of a field.
    field: (f64, f64),
    /// Whether fields have room for numbers.
    numbers: bool,
}

impl HeatMap<'_> {
    /// Where the fields begin.
    fn top(&self) -> f64 {
        self.y + 18.0
    }

    fn name(&self, canvas: &mut Canvas, room: f64) {
        let name = canvas.fitting(&self.arm.name, SMALL, room);
        canvas.text((self.x, self.y + 12.0), &name, SMALL, Align::Start);
    }

    /// The name of a site to the left of its row, or nothing where rows are too narrow for all names.
    fn site(&self, canvas: &mut Canvas, row: usize) {
        let (_, line) = self.field;
        let every = if line < 12.0 { 5 } else { 1 };
        if row.is_multiple_of(every) || row + 1 == self.table.len() {
            let middle = self.top() + line * (row as f64 + 0.5);
            let place = (self.x - 6.0, middle + 3.5);
            canvas.muted(place, &self.sites[row], 10, Align::End);
        }
    }

    /// The row of a site.
    fn fields(&self, canvas: &mut Canvas, row: usize) {
        let (column, line) = self.field;
        let gap = if line < 12.0 { 0.5 } else { 1.0 };
        // Of many epochs the columns are narrow, and their gaps too.
        let size = (column - f64::min(gap, 0.15 * column), line - gap);
        for (epoch, value) in self.table[row].iter().enumerate() {
            let Some(value) = *value else {
                continue;
            };
            let step = BOUNDS.iter().filter(|&&bound| value > bound).count();
            let corner = (
                self.x + column * epoch as f64,
                self.top() + line * row as f64,
            );
            canvas.group(
                None,
                Some(format!(
                    "{}, {}, epoch {}: {}",
                    self.arm.name,
                    self.sites[row],
                    epoch + 1,
                    percent(value, 2)
                )),
            );
            canvas.rectangle(corner, size, STEPS[step][0], None);
            if self.numbers {
                let number = number(value);
                let ink = ON_STEPS[usize::from(step > 3)];
                let place = (corner.0 + size.0 / 2.0, corner.1 + line / 2.0 + 3.0);
                canvas.coloured_text(place, &number, 10, Align::Middle, ink);
            }
            canvas.end_group();
        }
    }

    /// The numbers of the epochs, below, and that they are epochs where it `is_first` of its row.
    fn epochs(&self, canvas: &mut Canvas, is_first: bool) {
        let (column, line) = self.field;
        let bottom = self.top() + line * self.sites.len() as f64 + 11.0;
        if is_first {
            canvas.muted((self.x - 6.0, bottom), "epoch", 10, Align::End);
        }
        let every = (22.0 / column).ceil().max(1.0) as usize;
        for epoch in (0..self.epochs).step_by(every) {
            let middle = self.x + column * (epoch as f64 + 0.5);
            let number = (epoch + 1).to_string();
            canvas.muted((middle, bottom), &number, 10, Align::Middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_told_from_almost_zero() {
        let shares = [0.0, 1e-6, 0.0004, 0.0006, 0.012, 0.12, 1.0];
        let numbers = shares.map(number);
        assert_eq!(numbers, ["0", "<0.1", "<0.1", "0.1", "1.2", "12", "100"]);
    }
}
