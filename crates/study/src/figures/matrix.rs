//! Every contender against every other.

use statistics::{Reason, Verdict};

use super::canvas::{Align, Canvas, HEADER, SMALL, WIDTH};
use super::palette::{BETTER, EQUIVALENT, GRID, WORSE};
use super::{Figure, Source};
use crate::analysis::{Cell, sign};
use crate::format::count;

/// Cells this large have room for the difference.
const ROOMY: f64 = 40.0;

pub(super) fn matrix(source: Source<'_>, cell: &Cell<'_>) -> Option<Figure> {
    let order = cell.order(&source.analysis.criteria);
    // Seeds that are too few for so many pairs would leave every field empty.
    if order.len() < 3 || order.iter().all(|&index| cell.arms[index].rank.is_none()) {
        return None;
    }
    let name = format!("{}matrix", source.prefix(cell));
    let probe = Canvas::new(&name, 0.0);
    let names: Vec<String> = order
        .iter()
        .map(|&index| probe.fitting(&cell.arms[index].name, SMALL, 130.0))
        .collect();
    let longest = names.iter().map(|name| probe.width(name, SMALL));
    let longest = longest.fold(20.0, f64::max);
    let left = longest + 22.0;
    // Names of columns lean to the right.
    let above = 0.75 * longest + 16.0;
    let lean = 0.7 * longest;
    let size = ((WIDTH - left - lean.min(60.0) - 8.0) / order.len() as f64).min(64.0);
    let side = size * order.len() as f64;
    let mut canvas = Canvas::new(&name, HEADER + above + side + 44.0);
    let top = HEADER + above;
    for (line, (&row, name)) in order.iter().zip(&names).enumerate() {
        let y = top + size * line as f64;
        canvas.text((left - 8.0, y + size / 2.0 + 4.0), name, SMALL, Align::End);
        let x = left + size * (line as f64 + 0.5);
        canvas.turned((x + 3.0, top - 8.0), name, SMALL, -45.0);
        for (place, &column) in order.iter().enumerate() {
            let corner = (left + size * place as f64, y);
            field(&mut canvas, source, cell, [row, column], corner, size);
        }
    }
    legend(&mut canvas, source, top + side + 18.0);
    let title = String::from("Every contender against every other");
    canvas.title(&title);
    let about = about(source, cell, size >= ROOMY);
    Some(canvas.finish(&title, &about, &source.score_counts(cell), source.command))
}

/// What the contender at position `row` is to that at `column`.
fn field(
    canvas: &mut Canvas,
    source: Source<'_>,
    cell: &Cell<'_>,
    [row, column]: [usize; 2],
    (x, y): (f64, f64),
    size: f64,
) {
    let metric = source.analysis.metric;
    let corner = (x + 0.5, y + 0.5);
    let inner = (size - 1.0, size - 1.0);
    if row == column {
        canvas.rectangle(corner, inner, GRID[0], Some(0.5));
        return;
    }
    let Some(versus) = cell.versus(row, column) else {
        return;
    };
    let verdict = versus.verdict;
    let bound = source
        .analysis
        .bound_between(&cell.arms[row], &cell.arms[column]);
    let difference = match bound.is_further(versus.difference) {
        true => versus.nearest,
        false => versus.difference,
    };
    let bound = bound.sign();
    let title = format!(
        "{} against {}: {}, {bound}{}",
        cell.arms[row].name,
        cell.arms[column].name,
        source.analysis.wording().word(verdict),
        metric.format_difference(difference)
    );
    canvas.group(None, Some(title));
    let faint = matches!(verdict, Verdict::Undecided { .. }).then_some(0.55);
    canvas.rectangle(corner, inner, fill(verdict), faint);
    let middle = (x + size / 2.0, y + size / 2.0);
    let sign = sign(verdict);
    if size >= ROOMY {
        let number = format!("{bound}{}", metric.signed(difference));
        canvas.text((middle.0, middle.1 - 2.0), sign, SMALL, Align::Middle);
        canvas.text((middle.0, middle.1 + 13.0), &number, 10, Align::Middle);
    } else {
        let letters = if size >= 15.0 { SMALL } else { 9 };
        canvas.text((middle.0, middle.1 + 4.0), sign, letters, Align::Middle);
    }
    canvas.end_group();
}

fn legend(canvas: &mut Canvas, source: Source<'_>, y: f64) {
    let wording = source.analysis.wording();
    let mut x = 16.0;
    canvas.muted((x, y + 11.0), "The row is", SMALL, Align::Start);
    x += 10.0 + canvas.width("The row is", SMALL);
    let undecided = Verdict::Undecided {
        reason: Reason::Inconclusive,
        new_study: None,
    };
    for verdict in [
        Verdict::Better,
        Verdict::Worse,
        Verdict::Equivalent,
        undecided,
    ] {
        let text = wording.sign_and_word(verdict);
        canvas.rectangle((x, y), (14.0, 14.0), fill(verdict), None);
        canvas.text((x + 19.0, y + 11.0), &text, SMALL, Align::Start);
        x += 34.0 + canvas.width(&text, SMALL);
    }
}

/// What is to be seen, in words. `numbers` says whether fields have the differences in them.
fn about(source: Source<'_>, cell: &Cell<'_>, numbers: bool) -> String {
    let metric = source.analysis.metric;
    let is_decided = |verdict| !matches!(verdict, Verdict::Undecided { .. });
    let decided = cell
        .pairs
        .iter()
        .filter(|pair| is_decided(pair.comparison.verdict))
        .count();
    format!(
        "{} of {} are decided, with p-values corrected for their number (Holm) at level {}. Rows and columns are in the order of their mean {}, {} first; each field says what the row is to the column{}.",
        decided,
        count(cell.number_of_pairs(), "pair"),
        source.analysis.criteria.level,
        metric.title(),
        source.analysis.wording().best(),
        match (numbers, metric.is_share()) {
            (false, _) => "",
            (true, true) => ", and the mean difference in percentage points",
            (true, false) => ", and the mean difference",
        },
    )
}

fn fill(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => BETTER[0],
        Verdict::Worse => WORSE[0],
        Verdict::Equivalent => EQUIVALENT[0],
        Verdict::Undecided { .. } => GRID[0],
    }
}
