//! `trainer score`: how many rows of a submission are right, where the answers are known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use data::{LabelledImages, Thousands};
use mnist::{Error, SubmissionProblem, TEST_LABELS, read_submission};
use serde::Serialize;
use statistics::{Interval, proportion_interval};

use crate::console::print;
use crate::evaluation::{CONFIDENCE, accuracy_text};

/// Options of `trainer score`.
#[derive(Debug, Args)]
pub struct Options {
    /// The submission: columns ImageId and Label
    #[arg(value_name = "SUBMISSION.CSV")]
    submission: PathBuf,
    /// The answers: in the same columns, as `trainer data fetch` and `trainer data make` write them, or
    /// labelled images in the order of the submission
    #[arg(long, value_name = "FILE", default_value_os_t = default_answers())]
    answers: PathBuf,
    /// The score as JSON
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Serialize)]
struct Score {
    images: usize,
    correct: usize,
    accuracy: f64,
    /// For other such images ([`proportion_interval`]).
    accuracy_interval: Option<Interval>,
}

/// Compares a submission with the answers, and prints the share that agrees.
///
/// # Errors
///
/// If a file cannot be read, or they are not of the same images.
pub fn run(options: &Options) -> Result<ExitCode> {
    let submission = read_submission(&options.submission)?;
    if options.answers == default_answers() && !options.answers.exists() {
        bail!(
            "there is no file {} with the answers; `trainer data fetch` and `trainer data make` write one, or name it with --answers (Kaggle's are not public)",
            options.answers.display()
        );
    }
    let answers = read_answers(&options.answers)?;
    for (one, other, names) in [
        (
            &submission,
            &answers,
            [&options.submission, &options.answers],
        ),
        (
            &answers,
            &submission,
            [&options.answers, &options.submission],
        ),
    ] {
        if let Some(image) = one.keys().find(|image| !other.contains_key(image)) {
            let [one, other] = names.map(|name| name.display());
            bail!(
                "image {image} is in {one}, but not in {other}; name the answers to these images with --answers"
            );
        }
    }
    let rows = submission.values().zip(answers.values());
    let score = Score::new(
        rows.filter(|(label, answer)| label == answer).count(),
        answers.len(),
    );
    if options.json {
        print(&serde_json::to_string_pretty(&score)?)?;
    } else {
        print(&format!(
            "accuracy {}: {} of {} images of {} are right",
            accuracy_text(score.accuracy, score.accuracy_interval),
            Thousands(score.correct),
            Thousands(score.images),
            options.submission.display()
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn default_answers() -> PathBuf {
    Path::new(data::FOLDER).join(TEST_LABELS)
}

/// The label of each image, by its number: of a submission, or of labelled images, numbered from 1 in their order.
///
/// # Errors
///
/// If the file cannot be read, or is neither.
fn read_answers(path: &Path) -> Result<BTreeMap<u64, u64>> {
    let by_images = |images: LabelledImages| (1..).zip(images.labels().map(u64::from)).collect();
    let answers = path.join(TEST_LABELS);
    if answers.is_file() {
        return read_answers(&answers);
    }
    if path.is_dir() || path == Path::new(data::BUILT_IN) {
        return Ok(by_images(data::evaluation_images(Some(path))?));
    }
    let error = match read_submission(path) {
        Ok(answers) => return Ok(answers),
        Err(error) => error,
    };
    let Error::Submission {
        problem: SubmissionProblem::Columns { .. } | SubmissionProblem::Compressed,
        ..
    } = error
    else {
        return Err(error.into());
    };
    match data::evaluation_images(Some(path)) {
        Ok(images) => Ok(by_images(images)),
        // Not even by its header is it a table of labelled images.
        Err(
            data::Error::UnknownColumn { .. }
            | data::Error::MissingLabelColumn { .. }
            | data::Error::NotInArchive { .. },
        ) => {
            bail!("{error}; or labelled images, which `trainer data convert` makes of other tables")
        }
        Err(error) => Err(error.into()),
    }
}

impl Score {
    fn new(correct: usize, images: usize) -> Self {
        Self {
            images,
            correct,
            accuracy: correct as f64 / images as f64,
            accuracy_interval: proportion_interval(correct, images, CONFIDENCE).ok(),
        }
    }
}
