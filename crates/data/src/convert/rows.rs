//! The rows of a table as they stand in the file.

use std::collections::HashSet;
use std::io::Read;

use super::ConvertError;
use crate::error::{Error, Found, Place};
use crate::table::{
    self, integer, is_label, is_mangled, is_separator_line, may_be_label, remedy_for_encoding,
};

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
                remedy: remedy_for_encoding(field),
            }
            .into());
        }
        if has_header {
            rows.check_header(&first, line)?;
            let name = |field: &[u8]| String::from_utf8_lossy(field.trim_ascii()).into_owned();
            let names = first.iter().map(name).collect();
            return Ok((rows, names));
        }
        // Behind the last field with anything in it, columns have no names, as where a header ends so.
        let filled = first
            .iter()
            .rposition(|field| !field.trim_ascii().is_empty());
        let name = |column: usize| match filled.is_some_and(|last| column <= last + 1) {
            true => column.to_string(),
            false => String::new(),
        };
        let names = (1..=first.len()).map(name).collect();
        rows.first = Some(first);
        Ok((rows, names))
    }

    /// Refuses a first row of numbers for the most part, unless these count the columns, as where a program had no names
    /// for them: one by one, or in any order beside a column that has the name of the classes.
    fn check_header(&self, first: &csv::ByteRecord, line: u64) -> Result<(), ConvertError> {
        let numbers: Vec<f64> = first
            .iter()
            .filter_map(|field| self.number(field))
            .collect();
        let count = numbers.windows(2).all(|pair| pair[0] + 1.0 == pair[1]);
        let whole: HashSet<u64> = first
            .iter()
            .filter_map(|field| integer(field.trim_ascii()))
            .collect();
        let is_named = first
            .iter()
            .any(|name| is_label(name) || may_be_label(name));
        let are_places = is_named && whole.len() == numbers.len();
        if count || are_places || 2 * numbers.len() <= first.len() {
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
        let line = self.rows.next_record(record)?;
        if self.rows.separator() == b' ' {
            // Any number of spaces, as where columns are aligned.
            *record = record.iter().filter(|field| !field.is_empty()).collect();
        }
        Ok(line)
    }

    /// Whether a number may be one with a thousands separator, such as `1,024`. Between commas, points are those of
    /// decimals.
    pub(super) fn is_grouped(&self, field: &[u8]) -> bool {
        let are_digits = |group: &[u8]| group.iter().all(u8::is_ascii_digit);
        let mut groups = field.trim_ascii().split(|byte| b",.".contains(byte));
        let has_head = groups.next().is_some_and(
            |head| matches!(head, [b'1'..=b'9', rest @ ..] if rest.len() <= 2 && are_digits(rest)),
        );
        let mut groups = groups.peekable();
        self.rows.separator() != b','
            && has_head
            && groups.peek().is_some()
            && groups.all(|group| group.len() == 3 && are_digits(group))
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

/// What separates the columns, by the first line: tabs or semicolons, if there are any outside of quotation marks, as
/// commas may be those of decimal fractions; or else the more frequent of commas and vertical bars; or else spaces.
fn separator(start: &[u8]) -> u8 {
    let line = start
        .iter()
        .skip_while(|byte| b"\r\n".contains(byte))
        .take_while(|byte| !b"\r\n".contains(byte));
    let mut is_quoted = false;
    let mut counts = [0_usize; 256];
    for &byte in line {
        if byte == b'"' {
            is_quoted = !is_quoted;
        } else if !is_quoted {
            counts[usize::from(byte)] += 1;
        }
    }
    let count = |byte: u8| counts[usize::from(byte)];
    if count(b'\t') > 0 {
        b'\t'
    } else if count(b';') > 0 {
        b';'
    } else if count(b'|') > count(b',') {
        b'|'
    } else if count(b',') == 0 && count(b' ') > 0 {
        b' '
    } else {
        b','
    }
}
