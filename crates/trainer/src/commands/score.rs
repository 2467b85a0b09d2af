//! `trainer score`: how many rows of a submission are right, where the answers are known.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use csv::{ReaderBuilder, StringRecord, Trim};
use data::Thousands;
use serde::{Deserialize, Serialize};
use statistics::{Interval, proportion_interval};

use crate::console::print;
use crate::evaluation::{CONFIDENCE, accuracy_text};

/// Options of `trainer score`.
#[derive(Debug, Args)]
pub struct Options {
    /// The submission: columns ImageId and Label
    #[arg(value_name = "SUBMISSION.CSV")]
    submission: PathBuf,
    /// The answers, in the same columns, as `trainer data fetch` and `trainer data make` write them
    #[arg(long, value_name = "FILE", default_value = "data/test-labels.csv")]
    answers: PathBuf,
    /// The score as JSON
    #[arg(long)]
    json: bool,
}

/// A row of a submission.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "ImageId")]
    image: u64,
    #[serde(rename = "Label")]
    label: u64,
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
    let submission = read(&options.submission)?;
    if !options.answers.exists() {
        bail!(
            "there is no file {} with the answers; `trainer data fetch` and `trainer data make` write one, or name it with --answers (Kaggle's are not public)",
            options.answers.display()
        );
    }
    let answers = read(&options.answers)?;
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

/// What compressed files begin with.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZIP: &[u8] = b"PK";

/// What spreadsheets write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The columns of a submission.
const COLUMNS: [&str; 2] = ["ImageId", "Label"];

/// The label of each image, by its number.
fn read(path: &Path) -> Result<BTreeMap<u64, u64>> {
    let name = path.display();
    // A pipe can be read only once.
    let mut start = Vec::new();
    let mut file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    file.by_ref()
        .take(BYTE_ORDER_MARK.len() as u64)
        .read_to_end(&mut start)
        .with_context(|| format!("{name} cannot be read"))?;
    if [GZIP, ZIP].iter().any(|magic| start.starts_with(magic)) {
        bail!("{name} is compressed; unpack it first");
    }
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&start);
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .from_reader(start.chain(file));
    let header = reader
        .headers()
        .with_context(|| format!("{name} cannot be read as CSV"))?;
    if header.is_empty() {
        bail!("{name} is empty, expected a header ImageId,Label and rows");
    }
    // As tables of images are read, whatever the case of their columns' names.
    let named = |found: &str| {
        let column = COLUMNS
            .into_iter()
            .find(|column| column.eq_ignore_ascii_case(found));
        column.unwrap_or("another")
    };
    let columns: StringRecord = header.iter().map(named).collect();
    if !COLUMNS
        .iter()
        .all(|column| columns.iter().any(|name| name == *column))
    {
        let found = header.iter().take(3).collect::<Vec<_>>().join(",");
        bail!("{name}:1: found the columns {found}, expected ImageId,Label");
    }
    let mut labels = BTreeMap::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("{name} cannot be read as CSV"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let Ok(Row { image, label }) = record.deserialize(Some(&columns)) else {
            let found = text(&record);
            bail!("{name}:{line}: found {found}, expected two whole numbers such as 1,7");
        };
        if labels.insert(image, label).is_some() {
            bail!("{name}:{line}: image {image} is there twice; it must have one label");
        }
    }
    if labels.is_empty() {
        bail!("{name} has no rows, only a header");
    }
    Ok(labels)
}

/// A row as it stands in the file, as far as it is of interest.
fn text(record: &StringRecord) -> String {
    record.iter().take(3).collect::<Vec<_>>().join(",")
}
