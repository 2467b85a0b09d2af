//! The rows of a table as they stand in the file.

use std::io::Read;

use super::ConvertError;
use crate::error::{Error, Found, Place};
use crate::table::{self, integer, is_mangled, is_separator_line};

/// The most bytes of a row: those of images far larger than the program reads, which may be what others know as
/// text and decimals.
const MOST_BYTES: usize = 16 * table::WINDOW;

/// Rows between two questions whether to stop.
const UNASKED: u64 = 64;

/// The rows of a table, one after the other.
pub(super) struct Rows<'a> {
    rows: table::Rows<'a>,
    file: &'a str,
    is_cancelled: &'a dyn Fn() -> bool,
    /// The first row, read already where it is no header.
    first: Option<csv::ByteRecord>,
    /// The line of the first row, counted from 1.
    pub(super) first_line: u64,
    count: u64,
}

impl<'a> Rows<'a> {
    /// The rows of a file, and the names of its columns. Those are separated by commas, semicolons, tabs, vertical bars
    /// or spaces, as the first line shows.
    pub(super) fn open(
        reader: &'a mut dyn Read,
        file: &'a str,
        has_header: bool,
        is_cancelled: &'a dyn Fn() -> bool,
    ) -> Result<(Self, Vec<String>), ConvertError> {
        let mut rows = Self {
            rows: table::Rows::new(reader, file, MOST_BYTES).separated(separator)?,
            file,
            is_cancelled,
            first: None,
            first_line: 1,
            count: 0,
        };
        let mut first = csv::ByteRecord::new();
        let empty = || Error::Empty { file: file.into() };
        let mut line = rows.next(&mut first)?.ok_or_else(empty)?;
        if first.get(0).is_some_and(is_separator_line) {
            line = rows.next(&mut first)?.ok_or_else(empty)?;
        }
        rows.first_line = line;
        if let Some(field) = first.iter().find(|field| field.contains(&0)) {
            return Err(Error::UnknownColumn {
                place: rows.place(line, 1),
                found: Found::new(field),
                remedy: "; save the file as UTF-8",
            }
            .into());
        }
        if has_header {
            rows.check_header(&first, line)?;
            let name = |field: &[u8]| String::from_utf8_lossy(field.trim_ascii()).into_owned();
            let names = first.iter().map(name).collect();
            return Ok((rows, names));
        }
        let names = (1..=first.len()).map(|number| number.to_string()).collect();
        rows.first = Some(first);
        Ok((rows, names))
    }

    /// Refuses a first row of numbers for the most part, unless these count the columns, as where a program had no names
    /// for them.
    fn check_header(&self, first: &csv::ByteRecord, line: u64) -> Result<(), ConvertError> {
        let numbers: Vec<f64> = first
            .iter()
            .filter_map(|field| self.number(field))
            .collect();
        let count = numbers.windows(2).all(|pair| pair[0] + 1.0 == pair[1]);
        if count || 2 * numbers.len() <= first.len() {
            return Ok(());
        }
        Err(ConvertError::ValuesForNames {
            place: self.place(line, 1),
            found: Found::new(&first[0]),
            remedy: match is_mangled(first) {
                true => {
                    "so pandas writes where it took an image for the header: write the table again, read with \
                     header=None"
                }
                false => "if that row is an image, say so with --no-header",
            },
        })
    }

    /// Reads the next row. Returns the line on which it starts, counted from 1, or nothing at the end of the file.
    pub(super) fn next(
        &mut self,
        record: &mut csv::ByteRecord,
    ) -> Result<Option<u64>, ConvertError> {
        self.count += 1;
        if self.count.is_multiple_of(UNASKED) && (self.is_cancelled)() {
            return Err(ConvertError::Cancelled);
        }
        if let Some(first) = self.first.take() {
            *record = first;
            return Ok(Some(self.first_line));
        }
        Ok(self.rows.next_record(record)?)
    }

    /// The place of a field.
    pub(super) fn place(&self, line: u64, column: usize) -> Place {
        Place {
            file: self.file.into(),
            line,
            column,
        }
    }

    /// The error of a table that has come to its end without a row.
    pub(super) fn no_rows(&self) -> Error {
        Error::NoRows {
            file: self.file.into(),
            line: self.rows.line(),
        }
    }

    /// The number in a field. Where columns are not separated by commas, these may stand for decimal points.
    pub(super) fn number(&self, field: &[u8]) -> Option<f64> {
        let field = field.trim_ascii();
        if let Some(number) = integer(field) {
            return Some(number as f64);
        }
        let text = std::str::from_utf8(field).ok()?;
        let number = match self.rows.separator() != b',' && text.contains(',') {
            true => text.replacen(',', ".", 1).parse(),
            false => text.parse(),
        };
        number.ok().filter(|number: &f64| number.is_finite())
    }
}

/// What may separate columns, the surest first: commas may be those of decimal fractions, and spaces those in names.
const SEPARATORS: [u8; 5] = *b"\t;|, ";

/// What separates the columns: the first of [`SEPARATORS`] that is in the first line, outside of quotation marks.
fn separator(start: &[u8]) -> u8 {
    let line = start
        .iter()
        .skip_while(|byte| b"\r\n".contains(byte))
        .take_while(|byte| !b"\r\n".contains(byte));
    let mut is_quoted = false;
    let mut surest = None;
    for &byte in line {
        if byte == b'"' {
            is_quoted = !is_quoted;
        } else if !is_quoted && let Some(place) = SEPARATORS.iter().position(|&is| is == byte) {
            surest = Some(surest.map_or(place, |before: usize| before.min(place)));
        }
    }
    surest.map_or(b',', |place| SEPARATORS[place])
}
