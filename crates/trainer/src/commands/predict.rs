//! `trainer predict`: Kaggle's submission file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use burn::data::dataset::Dataset;
use clap::Args;

use crate::console::print;
use crate::ensemble;
use crate::evaluation::Probabilities;
use crate::files::{check_replaceable, write_atomically};

/// Options of `trainer predict`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    ensemble: ensemble::Options,
    /// Unlabelled images: a CSV file (plain, .gz or Kaggle's .zip) or its folder [default: data/]
    #[arg(long, short, value_name = "PATH")]
    data: Option<PathBuf>,
    /// The file to write; a submission that is there is replaced
    #[arg(long, short, value_name = "FILE", default_value = "submission.csv")]
    out: PathBuf,
}

const HEADER: [&str; 2] = ["ImageId", "Label"];

/// Reads the unlabelled images with a run's network, or with several, and writes one row for each.
///
/// # Errors
///
/// A run that cannot be loaded, images that do not fit it, or another file in the way of the submission.
pub fn run(options: &Options) -> Result<ExitCode> {
    check_replaceable(&options.out, "a submission", |start| {
        start.starts_with(HEADER.join(",").as_bytes())
    })?;
    if options.data.as_deref() == Some(Path::new(data::BUILT_IN)) {
        bail!(
            "the built-in digits have labels; `trainer data make` writes them as files, with a test.csv to predict"
        );
    }
    let ensemble = options.ensemble.load()?;
    let images = data::test_images(options.data.as_deref())?;
    let (count, side) = (images.len(), images.side());
    let expected = ensemble.task().height;
    if side != expected {
        bail!(
            "{} has {side}×{side} images, but the network reads {expected}×{expected}",
            images.source(),
        );
    }
    let predictions = ensemble.predict(&images, side, options.ensemble.views)?;
    let probabilities = Probabilities::mean(&predictions);
    write_submission(&options.out, &probabilities.predictions(), count)?;
    print(&format!(
        "wrote {count} predictions to {}",
        options.out.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `ImageId,Label`, with images numbered from 1.
fn write_submission(path: &Path, predictions: &[usize], images: usize) -> Result<()> {
    if predictions.len() != images {
        bail!("{} predictions for {images} images", predictions.len());
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for (id, label) in (1..).zip(predictions) {
        writer.serialize((id, label))?;
    }
    let text = writer
        .into_inner()
        .context("cannot write the submission as CSV")?;
    write_atomically(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kaggles_format() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("submission.csv");
        write_submission(&path, &[2, 0, 9], 3).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "ImageId,Label\n1,2\n2,0\n3,9\n");
    }

    #[test]
    fn one_prediction_per_image() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("submission.csv");
        assert!(write_submission(&path, &[2, 0], 3).is_err());
        assert!(!path.exists());
    }
}
