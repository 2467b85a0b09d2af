//! What a study found, for readers: a page, a text, a table of runs, figures. From the records alone.

mod claims;
mod content;
mod document;
mod folder;
mod html;
mod markdown;
mod observations;
mod runs;
mod tables;
mod text;

use std::path::{Path, PathBuf};

use files::FileError;

use crate::analysis::{Analysis, Conclusion};
use crate::curves::Curves;
use crate::figures::Source;
use crate::plan::Plan;
use crate::records::Records;

pub use claims::claims_table;

/// The page, in the folder of a report.
pub const PAGE: &str = "report.html";
/// The text, in the folder of a report.
pub const TEXT: &str = "report.md";
/// The table of all runs.
const RUNS: &str = "runs.csv";
/// The folder of the figures.
const FIGURES: &str = "figures";

/// A report that was written.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it is.
    pub folder: PathBuf,
    /// Where the report went that was there before; none if there was none, or the same.
    pub earlier: Option<PathBuf>,
    /// The verdict.
    pub conclusion: Conclusion,
    /// The verdict, what it rests on, and a table of all results, for a terminal.
    pub text: String,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file or folder cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A statistic cannot be had.
    #[error("cannot analyse the results: {0}")]
    Statistics(#[from] statistics::Error),
    /// The runs cannot be written as a table.
    #[error("cannot write the runs as CSV: {0}")]
    Csv(String),
}

/// Whether a folder is that of a report.
pub fn is_report(folder: &Path) -> bool {
    folder.join(TEXT).exists()
}

/// Writes the report on a study into `folder`: `report.html`, `report.md`, `runs.csv` and `figures/`.
///
/// `command` is what makes the report again; page and figures name it. A report that is in the folder
/// already moves to `earlier/N` within it, unless the new one is the same. Whenever the program is
/// killed, no report is lost, and none is there in part.
///
/// # Errors
///
/// If a file cannot be written, or a score is beyond 10¹⁰⁰.
pub fn write(
    plan: &Plan,
    records: &Records,
    curves: &Curves,
    command: &str,
    folder: &Path,
) -> Result<Report, ReportError> {
    let analysis = Analysis::new(plan, records)?;
    let source = Source {
        study: plan.study(),
        analysis: &analysis,
        curves,
        command,
    };
    let document = content::document(source);
    let mut files = vec![
        (PathBuf::from(PAGE), html::page(&document).into_bytes()),
        (PathBuf::from(TEXT), markdown::text(&document).into_bytes()),
        (PathBuf::from(RUNS), runs::csv(plan, records)?),
    ];
    for figure in document.figures() {
        let path = Path::new(FIGURES).join(&figure.name);
        // `with_extension` would cut a name at its last dot.
        files.push((with_ending(&path, "svg"), figure.file.clone().into_bytes()));
        files.push((with_ending(&path, "png"), figure.png.clone()));
    }
    let earlier = folder::replace(folder, &files)?;
    Ok(Report {
        folder: folder.to_owned(),
        earlier,
        text: text::summary(source),
        conclusion: analysis.conclusion,
    })
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(".");
    path.push(ending);
    path.into()
}
