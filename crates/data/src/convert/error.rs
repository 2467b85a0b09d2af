//! Why a table could not be converted.

use crate::error::{Error, Found, Place};

/// Why a table could not be converted. Every message is one line that says where, what and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// What is wrong with any table.
    #[error(transparent)]
    Table(#[from] Error),

    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] mnist::Error),

    /// A file that would be written is there already.
    #[error("{file}: is there already, and is not overwritten; name another file to write")]
    Exists {
        /// The file.
        file: String,
    },

    /// It was asked to stop.
    #[error("stopped before the end; nothing was written")]
    Cancelled,

    /// No column has the name that is given.
    #[error("{place}: found no column {name}, expected it among {found}")]
    NoColumn {
        /// The header.
        place: Place,
        /// The name.
        name: Found,
        /// The first names that there are.
        found: String,
    },

    /// It cannot be told which column holds the classes.
    #[error(
        "{place}: found {found} for the classes; name the column of the classes with --label-column, or say that \
         there is none with --unlabelled"
    )]
    NoLabelColumn {
        /// The header.
        place: Place,
        /// The candidates, or what is there.
        found: String,
    },

    /// A class is missing.
    #[error("{place} ({column}): found {found}, expected a class; fill it in, or remove the row")]
    NoClass {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text.
        found: Found,
    },

    /// A class is none of those that are given.
    #[error(
        "{place} ({column}): found {found}, expected one of the classes in {file}; remove the row, or leave --classes away"
    )]
    UnknownClass {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text.
        found: Found,
        /// The file of classes.
        file: String,
    },

    /// There are more classes than labels.
    #[error(
        "{place} ({column}): found more than 256 different classes up to here; name the column of the classes with \
         --label-column, if it is another"
    )]
    TooManyClasses {
        /// The field with the last of them.
        place: Place,
        /// The column's name.
        column: String,
    },

    /// A pixel is no number.
    #[error(
        "{place} ({column}): found {found}, expected a number; fill it in, or leave the column out with --drop, if it \
         holds no pixels"
    )]
    NoNumber {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text.
        found: Found,
    },

    /// A pixel is darker than the background, or brighter than full ink.
    #[error(
        "{place} ({column}): found {found}, expected a number from {} to {}; name the values of background and full \
         ink with --range, or leave the column out with --drop, if it holds no pixels",
        range[0],
        range[1]
    )]
    OutOfRange {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text.
        found: Found,
        /// The smallest and the largest value that there may be.
        range: [f64; 2],
    },

    /// The pixels are no rows of the width that is given.
    #[error(
        "{place}: found {found} pixel columns, expected rows of {width}; name another width, or leave out with --drop \
         what are no pixels"
    )]
    Width {
        /// The header.
        place: Place,
        /// The number of pixel columns.
        found: usize,
        /// The width.
        width: usize,
    },

    /// A file of classes cannot be read or written, or is none.
    #[error("{file}: {problem}; name a file that an earlier conversion wrote")]
    Classes {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
}
