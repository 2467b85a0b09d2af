//! The report in short, for a terminal.

use super::tables::{self, or_none};
use crate::analysis::Cell;
use crate::figures::Source;
use crate::format::{capital, confidence, p_number};

/// The verdict, what it rests on, and the results of the cells that decide.
pub(super) fn summary(source: Source<'_>) -> String {
    let analysis = source.analysis;
    let conclusion = &analysis.conclusion;
    let mut parts = Vec::new();
    if let Some(claim) = &source.study.claim {
        parts.push(format!("Claim: {}", claim.text));
    }
    parts.push(conclusion.headline.clone());
    if !conclusion.evidence.is_empty() {
        parts.push(conclusion.evidence.join("\n"));
    }
    if let Some(results) = results(source) {
        parts.push(results);
    }
    parts.extend(chosen_rates(source));
    for warning in &analysis.warnings {
        parts.push(format!("Note: {warning}"));
    }
    parts.join("\n\n") + "\n"
}

/// The learning rates that the trials chose, in one setting; those of several are in the report.
fn chosen_rates(source: Source<'_>) -> Option<String> {
    let choices = &source.analysis.choices;
    let chosen = choices.iter().filter(|choice| choice.setting.0.is_empty());
    let rates: Vec<String> = chosen
        .filter_map(|choice| Some(format!("{} {}", choice.contender, choice.chosen?)))
        .collect();
    (!rates.is_empty()).then(|| format!("Learning rates of their own: {}.", rates.join(", ")))
}

/// How contenders did in each cell, best first: what fits into 80 columns of a terminal.
fn results(source: Source<'_>) -> Option<String> {
    let analysis = source.analysis;
    let metric = analysis.metric;
    let head = [
        "contender",
        "rank",
        "verdict",
        "mean",
        "difference",
        "p (Holm)",
    ];
    let mut lines: Vec<Line> = vec![Line::Row(head.map(String::from))];
    for cell in &analysis.cells {
        if analysis.cells.len() > 1 {
            lines.push(Line::Heading(heading(source, cell)));
        }
        for index in cell.full_order(&analysis.criteria) {
            let arm = &cell.arms[index];
            let comparison = arm.comparison.as_ref();
            lines.push(Line::Row([
                tables::name_with_losses(arm),
                or_none(arm.rank.map(tables::rank)),
                tables::verdict(source, arm),
                or_none(arm.mean.map(|mean| metric.number(mean.value))),
                or_none(tables::difference(source, cell, arm)),
                or_none(comparison.map(|comparison| p_number(comparison.adjusted.difference))),
            ]));
        }
    }
    analysis.cells.first()?;
    let caption = format!(
        "{}{} (differences to {}{}, with {} intervals)",
        capital(&metric.title()),
        metric.unit(),
        source.study.baseline(),
        metric.unit_of_differences(),
        confidence(analysis.criteria.level),
    );
    Some(format!("{caption}\n\n{}", aligned(&lines)))
}

/// A line of a table.
enum Line {
    /// What stands for the rows below it.
    Heading(String),
    Row([String; 6]),
}

/// Which cell it is, and whether the verdict is taken from it.
fn heading(source: Source<'_>, cell: &Cell<'_>) -> String {
    let role = if cell.decides {
        "deciding"
    } else {
        "exploratory"
    };
    format!("{} ({role})", source.place(cell))
}

fn aligned(lines: &[Line]) -> String {
    let mut widths = [0; 6];
    for line in lines {
        if let Line::Row(cells) = line {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.chars().count().max(*width);
            }
        }
    }
    let texts = lines.iter().map(|line| match line {
        Line::Heading(text) => format!("\n{text}"),
        Line::Row(cells) => {
            let cells = cells.iter().zip(widths);
            let padded: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            padded.join("  ").trim_end().to_owned()
        }
    });
    texts.collect::<Vec<_>>().join("\n")
}
