//! Predictions and answers in the form of Kaggle's submissions.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};
use serde::Deserialize;

use crate::error::{Error, SubmissionProblem};

/// The columns of a submission: the number of each image, counted from 1, and its class.
pub const SUBMISSION_COLUMNS: [&str; 2] = ["ImageId", "Label"];

/// A row of a submission.
#[derive(Deserialize)]
struct Row {
    #[serde(rename = "ImageId")]
    image: u64,
    #[serde(rename = "Label")]
    label: u64,
}

/// What compressed files begin with.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZIP: &[u8] = b"PK";

/// What spreadsheets write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The label of each image, by its number. Rows and columns may come in any order, and the case of the columns'
/// names does not matter, as in tables of images.
///
/// # Errors
///
/// [`Error::Read`] if the file cannot be opened, [`Error::Submission`] if it is no submission.
pub fn read_submission(path: &Path) -> Result<BTreeMap<u64, u64>, Error> {
    let read_error = |cause| Error::Read {
        path: path.to_path_buf(),
        cause,
    };
    let wrong = |problem| Error::Submission {
        path: path.to_path_buf(),
        problem,
    };
    // A pipe can be read only once.
    let mut start = Vec::new();
    let mut file = File::open(path).map_err(read_error)?;
    file.by_ref()
        .take(BYTE_ORDER_MARK.len() as u64)
        .read_to_end(&mut start)
        .map_err(read_error)?;
    if [GZIP, ZIP].iter().any(|magic| start.starts_with(magic)) {
        return Err(wrong(SubmissionProblem::Compressed));
    }
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&start);
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .from_reader(start.chain(file));
    let unreadable = |cause| wrong(SubmissionProblem::Unreadable { cause });
    let header = reader.headers().map_err(unreadable)?;
    if header.is_empty() {
        return Err(wrong(SubmissionProblem::Empty));
    }
    let named = |found: &str| {
        let column = SUBMISSION_COLUMNS
            .into_iter()
            .find(|column| column.eq_ignore_ascii_case(found));
        column.unwrap_or("another")
    };
    let columns: StringRecord = header.iter().map(named).collect();
    let is_there = |column: &&str| columns.iter().any(|name| name == *column);
    if !SUBMISSION_COLUMNS.iter().all(is_there) {
        return Err(wrong(SubmissionProblem::Columns {
            found: beginning(header),
        }));
    }
    let mut labels = BTreeMap::new();
    for (row, record) in (1..).zip(reader.records()) {
        let record = record.map_err(unreadable)?;
        let Ok(Row { image, label }) = record.deserialize(Some(&columns)) else {
            let found = beginning(&record);
            return Err(wrong(SubmissionProblem::Row { row, found }));
        };
        if labels.insert(image, label).is_some() {
            return Err(wrong(SubmissionProblem::Twice { row, image }));
        }
    }
    if labels.is_empty() {
        return Err(wrong(SubmissionProblem::NoRows));
    }
    Ok(labels)
}

/// A row as it stands in the file, as far as it is of interest. What would break the line, or steer a terminal, is
/// escaped.
fn beginning(record: &StringRecord) -> String {
    /// Characters that are shown.
    const SHOWN: usize = 40;
    let row = record.iter().take(3).collect::<Vec<_>>().join(",");
    let mut shown: String = row.chars().take(SHOWN).collect();
    if shown.len() < row.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Existing, write_submission};

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("submission.csv");
        write_submission(&path, Existing::Keep, [7, 0, 255]).unwrap();
        let labels = read_submission(&path).unwrap();
        assert!(labels.into_iter().eq([(1, 7), (2, 0), (3, 255)]));
    }
}
