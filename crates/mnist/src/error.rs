//! What can go wrong, each in one line that says where, what and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::submission::SUBMISSION_COLUMNS;

/// Why there are no files.
///
/// Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A mirror's address cannot be used.
    #[error(
        "{url}: found no usable address of a mirror, expected one such as https://example.org/mnist"
    )]
    MirrorAddress {
        /// The address as given.
        url: String,
    },

    /// No mirror gave a file. What there is of it is kept for the next time.
    #[error(
        "{file}: cannot be downloaded: {}; check the connection and try again, or name another \
         mirror",
        Failures(failures)
    )]
    Download {
        /// The file's name.
        file: String,
        /// The mirrors in the order in which they were asked, and why each failed in the end.
        failures: Vec<(String, Failure)>,
    },

    /// The [`crate::Observer`] asked to stop. What was downloaded is kept for the next time.
    #[error("stopped before the end; what is downloaded is kept, start again to go on")]
    Cancelled,

    /// Another process is downloading the same file into the same folder.
    #[error("{}: is being written by another process; wait for it to end", path.display())]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },

    /// A file is there already, and must not be replaced.
    #[error("{}: is there already; move it away, name another folder, or allow replacing it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },

    /// A file or folder cannot be read.
    #[error("{}: cannot be read ({cause}); check that it is there and that you may read it", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },

    /// A file or folder cannot be written.
    #[error("{}: cannot be written ({cause}); check that the disk has space and that you may write there", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },

    /// The content of an IDX file is not as it should be.
    #[error("{file}: {problem}; remove the file and download it again")]
    Idx {
        /// The file, as named.
        file: String,
        /// What is wrong with it.
        problem: Problem,
    },

    /// A file is no submission.
    #[error("{}{problem}", path.display())]
    Submission {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: SubmissionProblem,
    },

    /// Images and labels do not fit together.
    #[error(
        "found {pixels} pixels for {labels} labels, expected {expected} for {side}×{side} images"
    )]
    Shape {
        /// The number of pixels.
        pixels: usize,
        /// The number of labels.
        labels: usize,
        /// The number of pixels that the labels call for.
        expected: usize,
        /// Height and width of an image.
        side: usize,
    },

    /// An image for a table has another size than the table's.
    #[error(
        "{}: found {found} pixels in row {row}, expected {expected} as in the header; \
         images of one table must have one size", path.display()
    )]
    RowLength {
        /// The table that was to be written.
        path: PathBuf,
        /// The number of the row, counted from 1 and without the header.
        row: usize,
        /// The number of pixels in the row.
        found: usize,
        /// The number of pixel columns.
        expected: usize,
    },

    /// The split leaves no image for one of its parts.
    #[error(
        "found {training} images to train on asked for out of {count}, expected at least 1 and \
         less than {count}"
    )]
    SplitSize {
        /// The number of images asked for.
        training: usize,
        /// The number of images there are.
        count: usize,
    },
}

/// Why one mirror did not give a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// There is no connection: no such host, no route to it, or nobody answers there.
    #[error("cannot be reached ({cause})")]
    Unreachable {
        /// What the operating system or the HTTP client said.
        cause: io::Error,
    },

    /// The mirror answered, but not with the file.
    #[error("answers with HTTP status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },

    /// The connection ended before the file did.
    #[error("broke off ({cause})")]
    Cut {
        /// What the operating system or the HTTP client said.
        cause: io::Error,
    },

    /// Nothing came for so long that the connection was given up.
    #[error("was silent for {} s", patience.as_secs_f32())]
    Silent {
        /// How long was waited.
        patience: Duration,
    },

    /// The file has another length than it should.
    #[error("gives a file of {found} bytes, expected {expected}")]
    Length {
        /// The length in bytes, or a lower bound if the mirror did not say and went on.
        found: u64,
        /// The length in bytes that it should have.
        expected: u64,
    },

    /// The file has another content than it should. It was discarded.
    #[error("gives SHA-256 {}…, expected {}…", start(found), start(expected))]
    Checksum {
        /// The file's SHA-256 in hexadecimal digits.
        found: String,
        /// What it should be.
        expected: String,
    },

    /// The mirror sent another part of the file than it was asked for.
    #[error("gives another part of the file than asked for")]
    Part,

    /// The mirror does not keep to the protocol, or its certificate is not trusted.
    #[error("cannot be used ({cause})")]
    Protocol {
        /// What the HTTP client said.
        cause: io::Error,
    },
}

/// What is wrong with a submission. The message goes on after the file's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmissionProblem {
    /// It is a gzip file or a zip archive.
    #[error(" is compressed; unpack it first")]
    Compressed,

    /// It has no bytes, or no more than blank lines.
    #[error(" is empty, expected a header {} and rows", SUBMISSION_COLUMNS.join(","))]
    Empty,

    /// It has a header and nothing else.
    #[error(" has no rows, only a header")]
    NoRows,

    /// Reading stopped, or a row has another number of fields than the header.
    #[error(" cannot be read as CSV: {cause}")]
    Unreadable {
        /// What the reader said.
        cause: csv::Error,
    },

    /// One of the columns is not there.
    #[error(":1: found the columns {found}, expected {}", SUBMISSION_COLUMNS.join(","))]
    Columns {
        /// The first columns' names.
        found: String,
    },

    /// A row holds something else than numbers.
    #[error(", row {row} behind the header: found {found}, expected two whole numbers such as 1,7")]
    Row {
        /// Its number, counted from 1.
        row: u64,
        /// The first fields of the row.
        found: String,
    },

    /// An image has two rows.
    #[error(", row {row} behind the header: image {image} is there twice; it must have one label")]
    Twice {
        /// The number of the second, counted from 1.
        row: u64,
        /// The number of the image.
        image: u64,
    },
}

/// What is wrong with an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The compressed data are cut short or damaged, or the device failed.
    #[error("found damaged or missing data ({0})")]
    Unreadable(#[source] io::Error),

    /// The file does not begin as an IDX file of this kind does.
    #[error("found {found:02x?} at the start, expected {expected:02x?}")]
    Magic {
        /// The first four bytes.
        found: [u8; 4],
        /// What they should be: unsigned bytes in one dimension (labels) or three (images).
        expected: [u8; 4],
    },

    /// The file ends before its header says.
    #[error("found the end after {found} bytes, expected {expected}")]
    Short {
        /// Bytes there are, uncompressed.
        found: u64,
        /// Bytes there should be, uncompressed.
        expected: u64,
    },

    /// The file goes on after its header says that it ends.
    #[error("found more than the {expected} bytes that its header announces")]
    Long {
        /// Bytes there should be, uncompressed.
        expected: u64,
    },

    /// There is nothing in the file, or more than there can be.
    #[error(
        "found {count} images of {rows}×{columns} pixels, expected 1 to 4 thousand million pixels in all"
    )]
    Size {
        /// The number of images or labels.
        count: u32,
        /// Height of an image; 1 for labels.
        rows: u32,
        /// Width of an image; 1 for labels.
        columns: u32,
    },

    /// The images are not square, or not of the size of the others.
    #[error("found images of {rows}×{columns} pixels, expected {expected}")]
    Side {
        /// Height of an image.
        rows: u32,
        /// Width of an image.
        columns: u32,
        /// What was expected.
        expected: String,
    },

    /// The file has not one label for each image.
    #[error("found {labels} labels for {images} images")]
    Count {
        /// The number of labels in the file.
        labels: usize,
        /// The number of images in the other file.
        images: usize,
    },
}

/// Mirrors and their failures in one line.
struct Failures<'a>(&'a [(String, Failure)]);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no mirror is named");
        }
        for (index, (mirror, failure)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{mirror} {failure}")?;
        }
        Ok(())
    }
}

/// The first digits of a checksum, enough to tell two apart.
fn start(sum: &str) -> &str {
    sum.get(..12).unwrap_or(sum)
}
