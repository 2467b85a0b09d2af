//! What can be wrong with the data, each in one line that says where, what and what to do.

use std::fmt;
use std::io;

/// Why images could not be had.
///
/// Every message is one line. Errors about the content of a table name the file, the line, the
/// column, what was found and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be opened.
    #[error("{file}: cannot be opened: {cause}")]
    Open {
        /// The file, as named or found.
        file: String,
        /// What the operating system said.
        cause: io::Error,
    },

    /// There is no such file or folder.
    #[error("{file}: there is no such file or folder; {remedy}")]
    Missing {
        /// The file, as named.
        file: String,
        /// What there is in its place, or what to do, as the end of the sentence.
        remedy: String,
    },

    /// Reading stopped inside a file: compressed data is cut short or damaged, or the device
    /// failed.
    #[error(
        "{file}, line {line}: found damaged or missing data ({cause}), expected more rows; \
         copy or download the file again"
    )]
    Read {
        /// The file.
        file: String,
        /// The line at which reading stopped, counted from 1.
        line: u64,
        /// What the reader or the decompressor said.
        cause: io::Error,
    },

    /// A file is of a kind that no table is, by its first bytes.
    #[error("{file}: found {kind}, expected a table in CSV; {remedy}")]
    OtherKind {
        /// The file.
        file: String,
        /// What it is.
        kind: &'static str,
        /// What to do, as the end of the sentence.
        remedy: &'static str,
    },

    /// A zip archive cannot be read: it is cut short, damaged, encrypted or of an unknown kind.
    #[error(
        "{file}: found a zip archive that cannot be read ({cause}); unpack it yourself, or download it again"
    )]
    Archive {
        /// The archive.
        file: String,
        /// What the zip reader said.
        cause: zip::result::ZipError,
    },

    /// A zip archive lacks the table that is asked for, and has not one other alone.
    #[error(
        "{file}: found {found}, expected {expected} in the archive; rename the table in it, or unpack it and name \
         the table"
    )]
    NotInArchive {
        /// The archive.
        file: String,
        /// The names in the archive.
        found: String,
        /// The name that is expected.
        expected: &'static str,
    },

    /// A folder holds none of the files that are looked for.
    #[error(
        "{folder}: found no {expected}; {remedy}, or name a file instead of the folder{others}"
    )]
    NotInFolder {
        /// The folder.
        folder: String,
        /// The names that are looked for.
        expected: String,
        /// What to do first.
        remedy: String,
        /// Which other tables are there, as the end of the sentence; empty if there are none.
        others: String,
    },

    /// The file has no bytes, or no more than blank lines.
    #[error(
        "{file}, line 1, column 1: found an empty file, expected a header such as \
         label,pixel0,pixel1,…"
    )]
    Empty {
        /// The file.
        file: String,
    },

    /// The file has a header and nothing else.
    #[error(
        "{file}, line {line}, column 1: found the end of the file, expected rows after the header"
    )]
    NoRows {
        /// The file.
        file: String,
        /// The line after the header.
        line: u64,
    },

    /// A row (or a quoted field with line ends in it) does not end.
    #[error(
        "{file}, line {line}, column 1: found no end of the row within {limit} bytes, the most \
         that a row may have{guess}"
    )]
    EndlessRow {
        /// The file.
        file: String,
        /// The line on which the row starts.
        line: u64,
        /// The largest size of a row.
        limit: usize,
        /// What may be the cause, as the end of the sentence.
        guess: String,
    },

    /// A column's name is neither `label` nor `pixel` and a number.
    #[error("{place}: found {found}, expected label, pixel0, pixel1, … in the header{remedy}")]
    UnknownColumn {
        /// The header's field.
        place: Place,
        /// The name.
        found: Found,
        /// What to do, as the end of the sentence; empty if that is not known.
        remedy: &'static str,
    },

    /// Two columns have the same name.
    #[error("{place}: found {found} again, expected it only once (it is column {first} already)")]
    DuplicateColumn {
        /// The header's second field of that name.
        place: Place,
        /// The name.
        found: Found,
        /// The number of the first column of that name.
        first: usize,
    },

    /// Labels are needed, and the file has none.
    #[error(
        "{place}: found no label column, only {columns} others, expected one named label; \
         is this the unlabelled test.csv in place of train.csv?"
    )]
    MissingLabelColumn {
        /// The header.
        place: Place,
        /// The number of columns.
        columns: usize,
    },

    /// Labels must not be there, and the file has them.
    #[error(
        "{place}: found a label column, expected pixel columns only; \
         is this the labelled train.csv in place of test.csv? `trainer evaluate` scores networks on labelled images"
    )]
    UnexpectedLabelColumn {
        /// The header's label field.
        place: Place,
    },

    /// The numbers of the pixel columns leave a gap, or do not start at 0 or 1.
    #[error(
        "{place}: found {found}, expected pixel{expected} to be there first; no pixel may be left out"
    )]
    MissingPixelColumn {
        /// The header's field after the gap.
        place: Place,
        /// Its name.
        found: Found,
        /// The number of the pixel that is missing.
        expected: u64,
    },

    /// The pixel columns do not make a square image.
    #[error(
        "{place}: found {found} pixel columns, expected the number of a square image such as \
         784 = 28×28{remedy}"
    )]
    NotSquare {
        /// The header's last pixel column.
        place: Place,
        /// The number of pixel columns.
        found: usize,
        /// What to do, as the end of the sentence; empty if that is not known.
        remedy: String,
    },

    /// A row has fewer or more fields than the header.
    #[error("{place}: found {found} fields, expected {expected} as in the header{remedy}")]
    FieldCount {
        /// The first field that is missing or too many.
        place: Place,
        /// The number of fields in the row.
        found: usize,
        /// The number of columns.
        expected: usize,
        /// What to do, as the end of the sentence; empty if that is not known.
        remedy: &'static str,
    },

    /// A pixel is not an integer from 0 to 255.
    #[error("{place} ({column}): found {found}, expected an integer from 0 to 255{remedy}")]
    Pixel {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text.
        found: Found,
        /// What to do, as the end of the sentence; empty if that is not known.
        remedy: &'static str,
    },

    /// A label is not an integer from 0 to 255.
    #[error("{place} ({column}): found {found}, expected a class number from 0 to 255{remedy}")]
    Label {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text.
        found: Found,
        /// What to do, as the end of the sentence; empty if that is not known.
        remedy: &'static str,
    },

    /// A label is used, but not all smaller ones.
    #[error(
        "{place}: found label {found} but no label {missing} in the whole file, expected the labels \
         0, 1, 2, … without a gap; to train on them, {remedy}"
    )]
    LabelGap {
        /// The first field with the largest label.
        place: Place,
        /// The largest label.
        found: u8,
        /// The smallest label that is never used.
        missing: u8,
        /// What to do, as the end of the sentence.
        remedy: String,
    },

    /// Arrays in memory do not fit together.
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

    /// A part of the images is not a share.
    #[error(
        "found the {name} fraction {found}, expected a share from 0 to 1, such as 0.1, that leaves something to train on"
    )]
    Fraction {
        /// What the images are for.
        name: &'static str,
        /// The fraction.
        found: f64,
    },
}

/// A field of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as named or found.
    pub file: String,
    /// The line on which the row starts, counted from 1.
    pub line: u64,
    /// The field's number in its row, counted from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column } = self;
        write!(f, "{file}, line {line}, column {column}")
    }
}

/// Text found in a file, shown in quotation marks, on one line and cut to a readable length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found(String);

/// The name of a column on one line, and cut to a readable length.
pub(crate) fn shown(name: &str) -> String {
    let mut start: String = name.chars().take(Found::SHOWN).collect();
    if start.len() < name.len() {
        start.push('…');
    }
    start.escape_debug().to_string()
}

impl Found {
    /// Characters that are shown.
    const SHOWN: usize = 24;

    pub(crate) fn new(bytes: &[u8]) -> Self {
        // Four bytes make at least one character; the rest need not be looked at.
        let start = &bytes[..bytes.len().min(4 * (Self::SHOWN + 1))];
        let text = String::from_utf8_lossy(start);
        let mut shown: String = text.chars().take(Self::SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Self(shown)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_debug())
    }
}
