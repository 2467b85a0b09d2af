//! The rows of a table as they stand in the file.

use std::io::{Cursor, Read};

use super::ConvertError;
use crate::error::{Error, Found, Place};
use crate::table::integer;

/// Bytes of a file that are looked at to tell how it is written: more than the header of any table.
const START: u64 = 1 << 20;

/// Rows between two questions whether to stop.
const UNASKED: u64 = 64;

/// The rows of a table, one after the other.
pub(super) struct Rows<'a> {
    reader: csv::Reader<std::io::Chain<Cursor<Vec<u8>>, &'a mut dyn Read>>,
    file: String,
    is_cancelled: &'a dyn Fn() -> bool,
    /// The first row, read already where it is no header.
    first: Option<csv::ByteRecord>,
    /// Whether commas may stand for decimal points.
    has_free_commas: bool,
    /// The line of the first row, counted from 1.
    pub(super) first_line: u64,
    count: u64,
}

impl<'a> Rows<'a> {
    /// The rows of a file, and the names of its columns. Those are separated by commas, semicolons or tabs, as the
    /// first line shows.
    pub(super) fn open(
        reader: &'a mut dyn Read,
        file: &str,
        has_header: bool,
        is_cancelled: &'a dyn Fn() -> bool,
    ) -> Result<(Self, Vec<String>), ConvertError> {
        let mut start = Vec::new();
        reader
            .take(START)
            .read_to_end(&mut start)
            .map_err(|cause| Error::Read {
                file: file.into(),
                line: 1,
                cause,
            })?;
        let separator = separator(&start);
        let mut rows = Self {
            reader: csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(separator)
                .from_reader(Cursor::new(start).chain(reader)),
            file: file.into(),
            is_cancelled,
            first: None,
            has_free_commas: separator != b',',
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
            let name = |field: &[u8]| String::from_utf8_lossy(field.trim_ascii()).into_owned();
            let names = first.iter().map(name).collect();
            return Ok((rows, names));
        }
        let names = (1..=first.len()).map(|number| number.to_string()).collect();
        rows.first = Some(first);
        Ok((rows, names))
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
        match self.first.take() {
            Some(first) => *record = first,
            None => match self.reader.read_byte_record(record) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    return Err(Error::Read {
                        file: self.file.clone(),
                        line: self.reader.position().line(),
                        cause: error.into(),
                    }
                    .into());
                }
            },
        }
        Ok(Some(record.position().map_or(1, csv::Position::line)))
    }

    /// The place of a field.
    pub(super) fn place(&self, line: u64, column: usize) -> Place {
        Place {
            file: self.file.clone(),
            line,
            column,
        }
    }

    /// The error of a table that has come to its end without a row.
    pub(super) fn no_rows(&self) -> Error {
        Error::NoRows {
            file: self.file.clone(),
            line: self.reader.position().line(),
        }
    }

    /// The number in a field.
    pub(super) fn number(&self, field: &[u8]) -> Option<f64> {
        let field = field.trim_ascii();
        if let Some(number) = integer(field) {
            return Some(number as f64);
        }
        let text = std::str::from_utf8(field).ok()?;
        let number = match self.has_free_commas && text.contains(',') {
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
