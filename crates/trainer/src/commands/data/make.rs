//! `trainer data make`: the built-in digits as files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use burn::data::dataset::Dataset;
use clap::Args;
use data::{LabelledImage, LabelledImages, Thousands};
use mnist::{Error, Existing, SetFiles};

use super::warn_of_shadowed;
use crate::console::{print, print_error};
use crate::interrupt::{INTERRUPTED, Signals};

/// Options of `trainer data make`.
#[derive(Debug, Args)]
pub struct Options {
    /// The folder that train.csv, test.csv and test-labels.csv go to
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Digits in train.csv, at most 600,000; test.csv has two thirds as many, as with Kaggle's
    #[arg(
        long,
        value_name = "N",
        default_value_t = mnist::TRAINING_ROWS as u32,
        value_parser = clap::value_parser!(u32).range(1..=600_000),
        allow_negative_numbers = true
    )]
    count: u32,
}

/// The label and the pixels of a digit.
fn row(digit: &LabelledImage) -> (u8, &[u8]) {
    (digit.label, digit.image.pixels())
}

/// Writes the three files.
///
/// # Errors
///
/// If one of them is there already, or cannot be written.
pub fn run(options: &Options) -> Result<ExitCode> {
    let files = SetFiles::in_folder(&options.out);
    files
        .may_write(Existing::Keep)
        .map_err(|error| match error {
            Error::Exists { path } if !files.train.exists() => anyhow!(
                "{} is there already, but not {}, as where `trainer data make` was killed; remove it, or name another folder with --out",
                path.display(),
                files.train.display()
            ),
            Error::Exists { path } => anyhow!(
                "{} is there already, and is not overwritten; name another folder with --out",
                path.display()
            ),
            other => other.into(),
        })?;
    files::create_folder(&options.out)?;

    let count = options.count as usize;
    // The test's digits come after all that networks train on, which may be those of `--data built-in`.
    let first = count.max(data::BUILT_IN_COUNT);
    let training = data::built_in_images(0..count);
    let test = data::built_in_images(first..first + (2 * count).div_ceil(3));
    let digits = |images: &LabelledImages| images.iter().collect::<Result<Vec<_>, _>>();
    let (labelled, unlabelled) = (digits(&training)?, digits(&test)?);
    // Writing asks whether there was a signal, and then leaves nothing behind.
    let signals = Signals::listen()?;
    signals.call(|| ());
    let written = files.write(
        training.side(),
        Existing::Keep,
        labelled.iter().map(row),
        unlabelled.iter().map(row),
        || match signals.requested() {
            true => Err(Error::Cancelled),
            false => Ok(()),
        },
    );
    match written {
        Err(error @ Error::Cancelled) => {
            print_error(&error.to_string());
            return Ok(ExitCode::from(INTERRUPTED));
        }
        written => written?,
    }
    print(&format!(
        "wrote {} drawn digits with labels to {}, {} without to {}, whose labels are in {}",
        Thousands(labelled.len()),
        files.train.display(),
        Thousands(unlabelled.len()),
        files.test.display(),
        files.test_labels.display()
    ))?;
    warn_of_shadowed(&options.out)?;
    Ok(ExitCode::SUCCESS)
}
