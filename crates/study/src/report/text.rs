//! The report in short, for a terminal.

use super::tables;
use crate::figures::Source;

/// So many columns of a table fit into a terminal; all are in the report.
const COLUMNS: usize = 8;

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
    let table = match tables::all_results(source) {
        Some(table) => Some(table),
        None => analysis
            .cells
            .first()
            .map(|cell| tables::results(source, cell)),
    };
    if let Some(table) = table {
        parts.push(format!(
            "{}\n{}",
            table.caption,
            tables::aligned(&table, COLUMNS)
        ));
    }
    for warning in &analysis.warnings {
        parts.push(format!("Note: {warning}"));
    }
    parts.join("\n\n") + "\n"
}
