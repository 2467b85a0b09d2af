//! The rows of a table as they stand in the file.

use std::io::Read;

use super::ConvertError;
use crate::error::{Error, Found, Place};
use crate::table::{self, integer};

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
    /// The rows of a file, and the names of its columns. Those are separated by commas, semicolons or tabs, as the
    /// first line shows.
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
        let Some(line) = rows.next(&mut first)? else {
            return Err(Error::Empty { file: file.into() }.into());
        };
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

    /// Refuses a first row of numbers, unless these count the columns, as where a program had no names for them.
    fn check_header(&self, first: &csv::ByteRecord, line: u64) -> Result<(), ConvertError> {
        let numbers: Option<Vec<f64>> = first.iter().map(|field| self.number(field)).collect();
        let count = |numbers: &[f64]| numbers.windows(2).all(|pair| pair[0] + 1.0 == pair[1]);
        match numbers {
            Some(numbers) if !count(&numbers) => Err(ConvertError::ValuesForNames {
                place: self.place(line, 1),
                found: Found::new(&first[0]),
            }),
            _ => Ok(()),
        }
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

/// What separates the columns: the first of tab, semicolon and comma that is in the first line, outside of quotation
/// marks. Commas come last, as they may be those of decimal fractions.
fn separator(start: &[u8]) -> u8 {
    let line = start
        .iter()
        .skip_while(|byte| b"\r\n".contains(byte))
        .take_while(|byte| !b"\r\n".contains(byte));
    let mut is_quoted = false;
    let mut separator = b',';
    for &byte in line {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\t' if !is_quoted => return byte,
            b';' if !is_quoted => separator = byte,
            _ => {}
        }
    }
    separator
}
