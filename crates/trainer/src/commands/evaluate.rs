//! `trainer evaluate`: how well a run's network reads labelled images.

mod report;
mod set;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use data::LabelledImages;

use self::report::Report;
pub(super) use self::set::EvaluationSet;
use super::networks;
use crate::console::{Console, Style, print};
use crate::ensemble::{Ensemble, Views};
use crate::evaluation::Evaluation;

/// Options of `trainer evaluate`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    networks: networks::Options,
    /// Labelled images to score on; if they are those that the runs were trained with, only the ones
    /// that were held out [default: those that the runs were trained with]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The scores as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the scores of a run's network, or of several together.
///
/// # Errors
///
/// A run that cannot be loaded, or images that do not fit it.
pub fn run(options: &Options) -> Result<ExitCode> {
    let ensemble = options.networks.load()?;
    let set = EvaluationSet::new(&ensemble, options.data.as_deref())?;
    let report = Report::new(&ensemble, set, options.networks.views())?;
    if options.json {
        print(&serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&text(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the scores of networks on those of the images that all of them have held out, or gives them as
/// the event `scores`.
///
/// # Errors
///
/// If there are none, or the images are others than those that the networks were trained with.
pub fn on_validation(
    ensemble: &Ensemble,
    images: &LabelledImages,
    console: &Console,
) -> Result<()> {
    let set = EvaluationSet::held_out(ensemble, images)?;
    let report = Report::new(ensemble, set, Views::ONE)?;
    match console.style() {
        Style::Json => console.event("scores", &report),
        _ => print(&text(&report))?,
    }
    Ok(())
}

/// The score of networks on those of the images they were trained with that all of them have held
/// out, and what each step to it adds.
///
/// # Errors
///
/// If there are none, or those images are not there any more.
pub(super) fn validation_summary(ensemble: &Ensemble, views: Views) -> Result<String> {
    let images = data::training_images(ensemble.members[0].config.data.path.as_deref())?;
    let set = EvaluationSet::held_out(ensemble, &images)?;
    Ok(Report::new(ensemble, set, views)?.summary())
}

/// All of a report for people.
fn text(report: &Report) -> String {
    format!("{}\n\n{}", report.summary(), table(&report.scores))
}

/// The scores of each class for people, then the confusion matrix.
fn table(scores: &Evaluation) -> String {
    let percent = |share: Option<f64>| match share {
        Some(share) => format!("{:8.2} %", 100.0 * share),
        None => format!("{:>10}", "–"),
    };
    let mut lines = vec![format!(
        "{:>5} {:>7} {:>10} {:>10}",
        "class", "images", "precision", "recall"
    )];
    for (class, score) in scores.classes.iter().enumerate() {
        lines.push(format!(
            "{class:>5} {:>7} {} {}",
            score.images,
            percent(score.precision),
            percent(score.recall)
        ));
    }
    lines.push(String::new());
    lines.push(String::from(
        "images by label (row) and prediction (column):",
    ));
    let header: String = (0..scores.classes.len())
        .map(|class| format!("{class:>6}"))
        .collect();
    lines.push(format!("{:>5}{header}", ""));
    for (class, row) in scores.confusion.iter().enumerate() {
        let row: String = row.iter().map(|count| format!("{count:>6}")).collect();
        lines.push(format!("{class:>5}{row}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Probabilities;

    #[test]
    fn table_for_people() {
        let logits = [2.0, 0.0, 0.0, 2.0, 2.0, 0.0];
        let scores = Evaluation::new(&Probabilities::softmax(&logits, 2), &[0, 1, 1]);
        insta::assert_snapshot!(table(&scores), @"
        class  images  precision     recall
            0       1    50.00 %   100.00 %
            1       2   100.00 %    50.00 %

        images by label (row) and prediction (column):
                  0     1
            0     1     0
            1     1     1
        ");
    }
}
