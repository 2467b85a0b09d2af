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

    /// The first row holds values, not names.
    #[error("{place}: found {found} and numbers for the names of the columns; {remedy}")]
    ValuesForNames {
        /// The first row.
        place: Place,
        /// Its first field.
        found: Found,
        /// What to do, as the end of the sentence.
        remedy: &'static str,
    },

    /// There is one column, and classes and pixels should be in it.
    #[error(
        "{place}: found one column alone, {found}; separate the columns by commas, semicolons or tabs, and remove what \
         stands above their names"
    )]
    OneColumn {
        /// The header.
        place: Place,
        /// It.
        found: Found,
    },

    /// The columns are not as many for each pixel as there are colours.
    #[error(
        "{place}: found {found} pixel columns, expected {channels} for each pixel; leave out with --drop what is neither, \
         or say by --rgb or --rgba whether there is alpha"
    )]
    Colours {
        /// The header.
        place: Place,
        /// The number of pixel columns.
        found: usize,
        /// Colours, and alpha, of a pixel.
        channels: usize,
    },

    /// What stands for missing pixels is none itself.
    #[error(
        "found {fill} for missing pixels, expected a number from {} to {}, the range of the table's own",
        range[0],
        range[1]
    )]
    Fill {
        /// The value.
        fill: f64,
        /// The smallest and the largest value that there may be.
        range: [f64; 2],
    },

    /// A number may have a thousands separator.
    #[error(
        "{place} ({column}): found {found}, whose separator may be one of thousands or of decimals; write numbers \
         without separators of thousands"
    )]
    UnclearSeparator {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text.
        found: Found,
    },

    /// A column is said to be two things.
    #[error("{place}: found the column {found}, which is {problem}")]
    Contradiction {
        /// The column's name.
        place: Place,
        /// It.
        found: Found,
        /// What is wrong, and what to do.
        problem: &'static str,
    },

    /// A number is missing among those of the pixel columns.
    #[error(
        "{place}: found the column {found} behind {before}, expected the numbers of pixels without a gap; add what is \
         missing, or leave out with --drop what are no pixels"
    )]
    Gap {
        /// The column behind the gap.
        place: Place,
        /// Its name.
        found: Found,
        /// The name of the column with the next smaller number.
        before: Found,
    },

    /// The images are larger than the program reads.
    #[error(
        "{place}: the images would be of {side}×{side} pixels, more than the {most}×{most} that the program reads; \
         make them smaller, or name another --width"
    )]
    TooLarge {
        /// The header.
        place: Place,
        /// Height and width of the images.
        side: usize,
        /// The most that there may be.
        most: usize,
    },

    /// It cannot be told which value is full ink.
    #[error(
        "{file}: found pixels up to {largest}, and fractions among them, which are neither from 0 to 1 nor from 0 to 255; \
         name the values of background and full ink with --range"
    )]
    UnclearRange {
        /// The table.
        file: String,
        /// The largest pixel.
        largest: f64,
    },

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

    /// The name of a class is no text.
    #[error("{place} ({column}): found {found}, expected text in UTF-8; save the file as UTF-8")]
    Encoding {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's bytes.
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
    #[error("{place} ({column}): found {found}, expected a number; {remedy}")]
    NoNumber {
        /// The field.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text.
        found: Found,
        /// What to do, as the end of the sentence.
        remedy: &'static str,
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
