//! `trainer evaluate`: how well a run's network reads labelled images.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use data::{EpochLoader, LabelledImages, Split};
use model::{Kernels, Task};
use serde::Serialize;

use crate::backend::Backend;
use crate::cli::Run;
use crate::console::print;
use crate::evaluation::{self, Evaluation};
use crate::run_directory::RunDirectory;
use crate::saved_model::{self, Which};

/// Options of `trainer evaluate`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    run: Run,
    /// Labelled images to score it on [default: the run's own validation images]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Which of the run's networks
    #[arg(long, value_enum, default_value_t)]
    model: Which,
    /// What computes
    #[arg(long, short, value_enum, default_value_t)]
    backend: Backend,
    /// What computes a layer on CPUs: fused (all of it at once) or stock (Burn's operations)
    #[arg(long, default_value_t)]
    kernels: Kernels,
    /// The scores as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the scores of a run's network.
///
/// # Errors
///
/// What went wrong.
pub fn run(options: &Options) -> Result<ExitCode> {
    let run = RunDirectory::open(&options.run.path)?;
    let processor = options.backend.open()?;
    let Options { model, kernels, .. } = *options;
    let (classifier, card) = saved_model::load(&run, model, &processor.device, kernels)?;
    let (images, name) = images(options, &run)?;
    check_fit(&images, card.task)?;
    let labels: Vec<u8> = images.labels().collect();
    let batch_size = evaluation::BATCH_SIZE;
    let loader = EpochLoader::in_order(images, card.scaling, batch_size, &processor.device);
    let probabilities = evaluation::predict(&classifier, &loader, card.task.classes)?;
    let scores = Evaluation::new(&probabilities, &labels);
    if options.json {
        print_json(&name, card.epoch.epoch, &scores)?;
    } else {
        print(&format!("{name}, network of epoch {}:", card.epoch.epoch))?;
        print(table(&scores).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The images to score on, and what they are called.
fn images(options: &Options, run: &RunDirectory) -> Result<(LabelledImages, String)> {
    if let Some(path) = &options.data {
        let images = data::training_images(Some(path))?;
        let name = images.source().to_string();
        return Ok((images, name));
    }
    let config = run.config()?;
    let images = data::training_images(config.data.path.as_deref())?;
    if config.data.fingerprint != Some(images.fingerprint()) {
        bail!(
            "{} are not the images that this run was started with; name labelled images with --data",
            images.source()
        );
    }
    let split = Split::new(&images, config.data.fractions(), config.seed)?;
    let name = format!("validation images of {}", images.source());
    Ok((split.validation, name))
}

fn check_fit(images: &LabelledImages, task: Task) -> Result<()> {
    let Task {
        height, classes, ..
    } = task;
    let side = images.side();
    if side != height {
        bail!(
            "{} has {side}×{side} images, but the network reads {height}×{height}",
            images.source()
        );
    }
    if images.classes() > classes {
        bail!(
            "{} has {} classes, but the network knows {classes}",
            images.source(),
            images.classes()
        );
    }
    Ok(())
}

fn print_json(data: &str, epoch: usize, scores: &Evaluation) -> Result<()> {
    #[derive(Serialize)]
    struct Report<'a> {
        data: &'a str,
        epoch: usize,
        #[serde(flatten)]
        scores: &'a Evaluation,
    }
    let report = Report {
        data,
        epoch,
        scores,
    };
    print(&serde_json::to_string_pretty(&report)?)?;
    Ok(())
}

/// The scores for people: the accuracy, then a line per class, then the confusion matrix.
fn table(scores: &Evaluation) -> String {
    let percent = |share: Option<f64>| match share {
        Some(share) => format!("{:8.2} %", 100.0 * share),
        None => format!("{:>10}", "–"),
    };
    let mut lines = vec![
        format!(
            "accuracy {:.2} % ± {:.2} (standard error), loss {:.4}, {} images",
            100.0 * scores.accuracy,
            100.0 * scores.accuracy_standard_error,
            scores.loss,
            scores.images
        ),
        String::new(),
        format!(
            "{:>5} {:>7} {:>10} {:>10}",
            "class", "images", "precision", "recall"
        ),
    ];
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
    lines.join("\n") + "\n"
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
        accuracy 66.67 % ± 27.22 (standard error), loss 0.7936, 3 images

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
