//! A CSV table of images: `label,pixel0,…,pixel783`, in any order of columns.
//!
//! The file is read through a window of fixed size. Rows of bare integers, which is how such files
//! are written, are decoded where they lie in the window; any other row (quotes, spaces, a line end
//! at the end of the file that is missing, a mistake) goes to the `csv` crate, and so does the
//! header. What the fast decoder accepts, the `csv` crate reads alike.

use std::collections::HashMap;
use std::io::{self, Read};

use crate::error::{Error, Found, Place};

/// The largest row, and the bytes that are read at a time.
pub(crate) const WINDOW: usize = 1 << 20;

/// Whether a table must have labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Labels {
    /// One column is named `label`, and its labels are 0, 1, 2, … without a gap.
    Required,
    /// One column is named `label`, but some classes may not be there.
    Partial,
    /// Every column is a pixel.
    Absent,
    /// There is such a column or not, and some classes may not be there.
    Optional,
}

/// The content of a table, rows in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// `rows × side × side` bytes: row after row, each image from the top left, line by line.
    pub(crate) pixels: Vec<u8>,
    /// One label per row, or none at all.
    pub(crate) labels: Vec<u8>,
    /// Height and width of an image.
    pub(crate) side: usize,
}

/// Reads a whole table. `file` names it in errors; `window` is the largest row in bytes.
pub(crate) fn read(
    reader: &mut dyn Read,
    file: &str,
    labels: Labels,
    window: usize,
) -> Result<Table, Error> {
    let mut rows = Rows::new(reader, file, window);
    let mut record = csv::ByteRecord::new();
    let Some(line) = rows.next_record(&mut record)? else {
        return Err(Error::Empty { file: file.into() });
    };
    let columns = Columns::from_header(&record, labels, |column| Place {
        file: file.into(),
        line,
        column,
    })?;

    let mut table = Table {
        pixels: Vec::new(),
        labels: Vec::new(),
        side: columns.side,
    };
    let mut first_lines = [None; 256];
    let mut values = vec![0; columns.names.len()];
    let mut any = false;
    while let Some(line) = rows.next_values(&mut values, &columns, &mut record)? {
        any = true;
        columns.store(&values, &mut table);
        if let Some(&label) = table.labels.last() {
            first_lines[usize::from(label)].get_or_insert(line);
        }
    }
    if !any {
        return Err(Error::NoRows {
            file: file.into(),
            line: rows.line,
        });
    }
    if labels == Labels::Required
        && let Some(column) = columns.label
        && let Some((found, missing, line)) = label_gap(&first_lines)
    {
        return Err(Error::LabelGap {
            place: Place {
                file: file.into(),
                line,
                column: column + 1,
            },
            found,
            missing,
            remedy: remedy_for_gap((0..256).filter(|&label| first_lines[label].is_some())),
        });
    }
    table.pixels.shrink_to_fit();
    table.labels.shrink_to_fit();
    Ok(table)
}

/// The largest label, the smallest one missing below it, and the line where the largest one is
/// first used.
fn label_gap(first_lines: &[Option<u64>; 256]) -> Option<(u8, u8, u64)> {
    let missing = first_lines.iter().position(Option::is_none)?;
    let largest = first_lines.iter().rposition(Option::is_some)?;
    let line = first_lines[largest]?;
    (missing < largest).then_some((largest as u8, missing as u8, line))
}

/// What the header says.
struct Columns {
    names: Vec<String>,
    /// Index of the label column.
    label: Option<usize>,
    /// For each pixel of an image its column, unless the pixel columns are in order.
    shuffled: Option<Vec<usize>>,
    side: usize,
}

impl Columns {
    /// `place` gives the place of the header's field of that number, counted from 1.
    fn from_header(
        header: &csv::ByteRecord,
        labels: Labels,
        place: impl Fn(usize) -> Place,
    ) -> Result<Self, Error> {
        let HeaderFields {
            names,
            label,
            mut pixels,
        } = HeaderFields::read(header, &place)?;
        match (labels, label) {
            (Labels::Required | Labels::Partial, None) => {
                return Err(Error::MissingLabelColumn {
                    place: place(1),
                    columns: names.len(),
                });
            }
            (Labels::Absent, Some(index)) => {
                return Err(Error::UnexpectedLabelColumn {
                    place: place(index + 1),
                });
            }
            _ => {}
        }
        let in_order = pixels.is_sorted();
        pixels.sort_unstable();
        check_all_there(&pixels, &names, &place)?;
        let side = pixels.len().isqrt();
        if side == 0 || side * side != pixels.len() {
            return Err(Error::NotSquare {
                place: place(pixels.last().map_or(names.len(), |last| last.index + 1)),
                found: pixels.len(),
                remedy: remedy_for_shape(pixels.len()),
            });
        }
        Ok(Self {
            names,
            label,
            shuffled: (!in_order).then(|| pixels.into_iter().map(|pixel| pixel.index).collect()),
            side,
        })
    }

    /// Appends one row, whose values come in the order of the columns.
    fn store(&self, values: &[u8], table: &mut Table) {
        if let Some(label) = self.label {
            table.labels.push(values[label]);
        }
        match (&self.shuffled, self.label) {
            (Some(order), _) => table.pixels.extend(order.iter().map(|&at| values[at])),
            (None, None) => table.pixels.extend_from_slice(values),
            (None, Some(label)) => {
                table.pixels.extend_from_slice(&values[..label]);
                table.pixels.extend_from_slice(&values[label + 1..]);
            }
        }
    }
}

/// A column that holds a pixel. In the order of the pixels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PixelColumn {
    /// Which pixel, as the header numbers them.
    number: u64,
    /// Which column, counted from 0.
    index: usize,
}

/// What a header's fields name, from left to right.
struct HeaderFields {
    names: Vec<String>,
    /// Index of the label column.
    label: Option<usize>,
    pixels: Vec<PixelColumn>,
}

impl HeaderFields {
    fn read(header: &csv::ByteRecord, place: impl Fn(usize) -> Place) -> Result<Self, Error> {
        let mut names = Vec::with_capacity(header.len());
        let mut label = None;
        let mut pixels = Vec::with_capacity(header.len());
        for (index, field) in header.iter().enumerate() {
            let name = String::from_utf8_lossy(field.trim_ascii()).into_owned();
            if is_label(field) {
                if let Some(first) = label {
                    return Err(Error::DuplicateColumn {
                        place: place(index + 1),
                        found: Found::new(field),
                        first: first + 1_usize,
                    });
                }
                label = Some(index);
            } else if let Some(number) = pixel_number(name.as_bytes()) {
                pixels.push(PixelColumn { number, index });
            } else {
                return Err(Error::UnknownColumn {
                    place: place(index + 1),
                    found: Found::new(field),
                    remedy: remedy_for_header(field, header),
                });
            }
            names.push(name);
        }
        Ok(Self {
            names,
            label,
            pixels,
        })
    }
}

/// Refuses sorted pixel columns of which one is there twice, or missing. They are numbered from 0 or
/// from 1.
fn check_all_there(
    pixels: &[PixelColumn],
    names: &[String],
    place: impl Fn(usize) -> Place,
) -> Result<(), Error> {
    let mut expected = pixels.first().map_or(0, |first| first.number.min(1));
    let mut before = None;
    for &PixelColumn { number, index } in pixels {
        let found = || Found::new(names[index].as_bytes());
        if before == Some(number) {
            let first = pixels.partition_point(|other| other.number < number);
            return Err(Error::DuplicateColumn {
                place: place(index + 1),
                found: found(),
                first: pixels[first].index + 1,
            });
        }
        if number != expected {
            return Err(Error::MissingPixelColumn {
                place: place(index + 1),
                found: found(),
                expected,
            });
        }
        before = Some(number);
        expected = number.saturating_add(1);
    }
    Ok(())
}

/// The number in a column name such as `pixel17`.
fn pixel_number(name: &[u8]) -> Option<u64> {
    let (word, digits) = name.split_at_checked(5)?;
    if !word.eq_ignore_ascii_case(b"pixel") {
        return None;
    }
    integer(digits)
}

/// Whether a column has the name of a pixel.
fn is_pixel(name: &[u8]) -> bool {
    pixel_number(name.trim_ascii()).is_some()
}

/// What others call the column of labels.
const LABEL_NAMES: [&str; 7] = [
    "class", "target", "y", "digit", "labels", "category", "classes",
];

/// Whether a column has the name of the labels.
pub(crate) fn is_label(name: &[u8]) -> bool {
    name.trim_ascii().eq_ignore_ascii_case(b"label")
}

/// Whether a column that is not named `label` may hold labels, by its name.
pub(crate) fn may_be_label(name: &[u8]) -> bool {
    let is = |other: &&str| name.trim_ascii().eq_ignore_ascii_case(other.as_bytes());
    LABEL_NAMES.iter().any(is)
}

/// What to do about a `name` in a header that is none of ours, though others may be.
fn remedy_for_header(name: &[u8], header: &csv::ByteRecord) -> &'static str {
    if may_be_label(name) && !header.iter().any(is_label) {
        "; rename it to label"
    } else if name.contains(&0) {
        remedy_for_encoding(name)
    } else if is_separator_line(name) {
        "; remove that line, as `trainer data convert` does"
    } else if is_mangled(header) {
        "; so pandas writes where it took an image for the header: write the table again, read with header=None"
    } else if name.iter().any(|byte| b";\t|".contains(byte)) || is_separated_by_spaces(header) {
        "; separate the columns by commas, as `trainer data convert` does"
    } else if header
        .iter()
        .any(|name| is_label(name) || may_be_label(name))
        && as_float(name).is_some()
    {
        "; rename the columns so, as `trainer data convert` does"
    } else if as_float(name).is_some()
        || header
            .get(1)
            .is_some_and(|second| as_float(second).is_some())
    {
        "; put such a line above the rows, as `trainer data convert --no-header` does"
    } else if name.trim_ascii().is_empty() {
        "; remove the column, as `trainer data convert --drop ''` does"
    } else if header.iter().any(is_pixel) {
        "; remove the column, as `trainer data convert --drop` does, or rename it"
    } else if header.len() > 1 {
        "; rename the columns so, as `trainer data convert` does"
    } else {
        ""
    }
}

/// The line by which spreadsheets are told what separates the columns: `sep=` and that character.
pub(crate) fn is_separator_line(line: &[u8]) -> bool {
    line.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"sep="))
}

/// Whether the names are those that pandas makes of an image's pixels, taken for the header: a value that is there
/// again gets a number behind it, such as 0, 0.1, 0.2 for three zeros.
pub(crate) fn is_mangled(header: &csv::ByteRecord) -> bool {
    let mut times: HashMap<&[u8], usize> = HashMap::new();
    let mut has_repeated = false;
    let is_next = |field| {
        let field = <[u8]>::trim_ascii(field);
        let (value, number) = match field.iter().rposition(|&byte| byte == b'.') {
            Some(point) => (&field[..point], integer(&field[point + 1..])),
            None => (field, Some(0)),
        };
        let time = times.entry(value).or_default();
        let is_next = number == u64::try_from(*time).ok();
        *time += 1;
        has_repeated |= *time > 2;
        is_next
    };
    header.iter().all(is_next) && has_repeated
}

/// Whether spaces stand between the names of columns, one of which is that of a pixel or of the classes.
fn is_separated_by_spaces(header: &csv::ByteRecord) -> bool {
    let is_known = |name: &[u8]| is_label(name) || may_be_label(name) || is_pixel(name);
    header.len() == 1
        && header[0].contains(&b' ')
        && header[0].split(|&byte| byte == b' ').any(is_known)
}

/// What to do about a name with zero bytes in it.
pub(crate) fn remedy_for_encoding(name: &[u8]) -> &'static str {
    match name.starts_with(b"\0\0\x08") {
        true => "; the file is in IDX form, not CSV: `trainer data fetch` writes MNIST as CSV",
        false => "; save the file as UTF-8",
    }
}

/// What to do about so many pixels, which make no square.
pub(crate) fn remedy_for_shape(pixels: usize) -> String {
    let side = pixels.isqrt();
    if side > 0 && side * side + 1 == pixels {
        return format!("; one more than {side}×{side}: is one of them no pixel?");
    }
    let mut guesses = Vec::new();
    let of_colour = (pixels / 3).isqrt();
    if of_colour >= SMALLEST_GUESS && 3 * of_colour * of_colour == pixels {
        guesses.push(format!(
            "3×{of_colour}×{of_colour} in three colours, make them grey, as `trainer data convert --rgb` does"
        ));
    }
    // The shapes that are nearest to squares come first.
    let shapes: Vec<String> = (SMALLEST_GUESS..=side)
        .rev()
        .filter(|short| pixels.is_multiple_of(*short) && pixels / short <= 2 * short)
        .take(3)
        .map(|short| format!("{short}×{}", pixels / short))
        .collect();
    if !shapes.is_empty() {
        guesses.push(format!(
            "{}, pad them to squares, as `trainer data convert --width` does",
            shapes.join(" or ")
        ));
    }
    let of_shape = match guesses.is_empty() {
        true => String::new(),
        false => format!("; if the images are {}", guesses.join("; if they are ")),
    };
    let square = side + 1;
    match (
        side > 0 && square * square - 1 == pixels,
        of_shape.is_empty(),
    ) {
        (true, true) => format!("; one fewer than {square}×{square}: is one missing?"),
        (true, false) => format!("; one fewer than {square}×{square}, if one is missing{of_shape}"),
        (false, _) => of_shape,
    }
}

/// The side of the smallest images that a number of pixels is taken for.
const SMALLEST_GUESS: usize = 4;

/// What to do about labels with a gap, of which these are there, in ascending order.
pub(crate) fn remedy_for_gap(used: impl Iterator<Item = usize>) -> String {
    let used: Vec<usize> = used.collect();
    match used[..] {
        // Without a gap, but not from 0 on.
        [first, .., last] if last - first + 1 == used.len() => {
            format!("subtract {first} from each, as `trainer data convert` does")
        }
        _ => String::from("renumber them, as `trainer data convert` does"),
    }
}

/// What to do about a field that is the name of its column.
const HEADER_AGAIN: &str = "; that is the header again: remove the line";

/// What to do about a row of another length than the header's.
pub(crate) fn remedy_for_length(record: &csv::ByteRecord) -> &'static str {
    let has_line_end = |field: &[u8]| memchr::memchr2(b'\n', b'\r', field).is_some();
    match record.iter().any(has_line_end) {
        true => "; is a quotation mark left open?",
        false => "",
    }
}

/// What to do about a label that is none.
fn remedy_for_label(field: &[u8]) -> &'static str {
    match as_float(field) {
        Some(number) if (0.0..=255.0).contains(&number) && field.contains(&b'.') => {
            "; write it without a fraction"
        }
        _ if is_missing(field) => "; fill it in, or remove the row",
        _ => "; number the classes 0, 1, 2, …, as `trainer data convert` does",
    }
}

/// What to do about a pixel that is none.
fn remedy_for_pixel(field: &[u8]) -> &'static str {
    match as_float(field) {
        Some(whole @ 0.0..=255.0) if whole.fract() == 0.0 && !field.contains(&b'.') => {
            "; write it in digits alone, as `trainer data convert` does"
        }
        Some(0.0 | 1.0) => {
            "; write it without a fraction, or multiply by 255 and round what goes from 0 to 1, as `trainer data convert` does"
        }
        Some(brightness) if (0.0..=1.0).contains(&brightness) => {
            "; multiply by 255 and round what goes from 0 to 1, as `trainer data convert` does"
        }
        Some(brightness) if (0.0..=255.0).contains(&brightness) => {
            "; write it without a fraction, as `trainer data convert` does"
        }
        _ if is_missing(field) => {
            "; put a number in its place, 0 if it is background, as `trainer data convert --fill 0` does"
        }
        Some(brightness) if (-1.0..0.0).contains(&brightness) => {
            "; add 1, multiply by 127.5 and round what goes from -1 to 1, as `trainer data convert --range -1 1` does"
        }
        Some(brightness) if brightness > 255.0 => {
            "; multiply by 255, divide by the largest value there can be, and round, as \
             `trainer data convert --range 0 65535` does"
        }
        Some(_) => {
            "; bring all of them to 0 to 255, as `trainer data convert --range LOW HIGH` does"
        }
        None => "",
    }
}

/// What programs write where there is no value, in any case.
const MISSING: [&str; 10] = [
    "nan", "na", "n/a", "null", "none", "#n/a", "<na>", "nil", "#value!", "#ref!",
];

/// Whether a field holds no value, in the ways that programs write so.
pub(crate) fn is_missing(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    field.is_empty()
        || MISSING
            .iter()
            .any(|missing| field.eq_ignore_ascii_case(missing.as_bytes()))
}

fn as_float(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field).ok()?.trim().parse().ok()
}

/// The value of a field of decimal digits.
pub(crate) fn integer(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The rows of a table, read through a window of fixed size.
pub(crate) struct Rows<'a> {
    reader: &'a mut dyn Read,
    file: &'a str,
    window: Vec<u8>,
    /// The part of the window that is read from the file but not yet decoded.
    unread: std::ops::Range<usize>,
    /// Whether the file has no more than what is in the window.
    finished: bool,
    /// The line at the start of `unread`, counted from 1.
    line: u64,
    /// What stands between two fields.
    separator: u8,
}

impl<'a> Rows<'a> {
    /// The rows of `file` with commas between their fields, none of them longer than the `window`, in bytes.
    pub(crate) fn new(reader: &'a mut dyn Read, file: &'a str, window: usize) -> Self {
        Self {
            reader,
            file,
            window: vec![0; window],
            unread: 0..0,
            finished: false,
            line: 1,
            separator: b',',
        }
    }

    /// The same rows with what stands between two fields by the beginning of the file.
    pub(crate) fn separated(mut self, separator: impl Fn(&[u8]) -> u8) -> Result<Self, Error> {
        self.refill()?;
        self.separator = separator(self.unread());
        Ok(self)
    }

    /// The line where the next row starts, or the blank ones before it, counted from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// What stands between two fields.
    pub(crate) fn separator(&self) -> u8 {
        self.separator
    }

    fn unread(&self) -> &[u8] {
        &self.window[self.unread.clone()]
    }

    /// Decodes the next row into one value per column. Returns its line, or nothing at the end of
    /// the file.
    fn next_values(
        &mut self,
        values: &mut [u8],
        columns: &Columns,
        record: &mut csv::ByteRecord,
    ) -> Result<Option<u64>, Error> {
        let line = self.line;
        if self.next_plain_row(values) {
            return Ok(Some(line));
        }
        // The row is not plain, or it is not in the window as a whole.
        if !self.finished && memchr::memchr2(b'\n', b'\r', self.unread()).is_none() {
            self.refill()?;
            if self.next_plain_row(values) {
                return Ok(Some(line));
            }
        }
        let Some(line) = self.next_record(record)? else {
            return Ok(None);
        };
        self.decode_record(record, line, values, columns)?;
        Ok(Some(line))
    }

    fn next_plain_row(&mut self, values: &mut [u8]) -> bool {
        let Some(length) = decode_plain_row(self.unread(), values) else {
            return false;
        };
        self.unread.start += length;
        self.line += 1;
        true
    }

    fn decode_record(
        &self,
        record: &csv::ByteRecord,
        line: u64,
        values: &mut [u8],
        columns: &Columns,
    ) -> Result<(), Error> {
        let place = |index: usize| Place {
            file: self.file.into(),
            line,
            column: index + 1,
        };
        if record.len() != values.len() {
            return Err(Error::FieldCount {
                place: place(record.len().min(values.len())),
                found: record.len(),
                expected: values.len(),
                remedy: remedy_for_length(record),
            });
        }
        for (index, (field, value)) in record.iter().zip(values).enumerate() {
            let number = integer(field.trim_ascii()).and_then(|number| u8::try_from(number).ok());
            *value = number.ok_or_else(|| {
                let (place, found) = (place(index), Found::new(field));
                let column = columns.names[index].clone();
                let is_name = field.trim_ascii() == column.as_bytes();
                if columns.label == Some(index) {
                    Error::Label {
                        place,
                        column,
                        found,
                        remedy: match is_name {
                            true => HEADER_AGAIN,
                            false => remedy_for_label(&record[index]),
                        },
                    }
                } else {
                    Error::Pixel {
                        place,
                        column,
                        found,
                        remedy: match is_name {
                            true => HEADER_AGAIN,
                            false => remedy_for_pixel(&record[index]),
                        },
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Reads the next record with the `csv` crate. Returns the line on which it starts, or nothing
    /// at the end of the file. Blank lines are skipped.
    pub(crate) fn next_record(
        &mut self,
        record: &mut csv::ByteRecord,
    ) -> Result<Option<u64>, Error> {
        loop {
            self.skip_line_ends();
            let bytes = self.unread();
            if bytes.is_empty() && self.finished {
                return Ok(None);
            }
            // A reader of its own for each such record keeps the place in the window exact, and the
            // window the limit of the memory in use.
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(self.separator)
                .from_reader(bytes);
            let found = match reader.read_byte_record(record) {
                Ok(found) => found,
                Err(error) => return Err(self.read_error(error.into())),
            };
            let length = reader.position().byte() as usize;
            if length < bytes.len() || self.finished {
                let line = self.line;
                let (record, rest) = bytes.split_at(length);
                // The `csv` crate leaves the second half of `\r\n` to the next record.
                let line_feed = record.ends_with(b"\r") && rest.starts_with(b"\n");
                self.line += line_ends(record);
                self.unread.start += length + usize::from(line_feed);
                return Ok(found.then_some(line));
            }
            // The record may go on after the window's end.
            if !self.refill()? && !self.finished {
                let limit = self.window.len();
                let guess = if self.unread().contains(&b'"') {
                    String::from("; is a quotation mark left open?")
                } else {
                    let side = largest_side(limit);
                    format!(", and enough for images of {side}×{side} pixels")
                };
                return Err(Error::EndlessRow {
                    file: self.file.into(),
                    line: self.line,
                    limit,
                    guess,
                });
            }
        }
    }

    fn skip_line_ends(&mut self) {
        let bytes = self.unread();
        let length = bytes
            .iter()
            .take_while(|byte| b"\r\n".contains(byte))
            .count();
        let lines = line_ends(&bytes[..length]);
        self.line += lines;
        self.unread.start += length;
    }

    /// Moves what is unread to the front of the window and fills the rest from the file. Returns
    /// whether anything was added.
    fn refill(&mut self) -> Result<bool, Error> {
        self.window.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let before = self.unread.end;
        while self.unread.end < self.window.len() {
            match self.reader.read(&mut self.window[self.unread.end..]) {
                Ok(0) => {
                    self.finished = true;
                    break;
                }
                Ok(count) => self.unread.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.read_error(error)),
            }
        }
        Ok(self.unread.end > before)
    }

    /// The error of a reader that failed, at the line that could not be completed.
    fn read_error(&self, cause: io::Error) -> Error {
        Error::Read {
            file: self.file.into(),
            line: self.line + line_ends(self.unread()),
            cause,
        }
    }
}

/// Height and width of the largest images whose header, where a pixel takes most, has no more than so many bytes.
pub(crate) fn largest_side(row: usize) -> usize {
    (row / "pixel12345,".len()).isqrt()
}

/// Counts the ends of lines: `\n`, `\r\n` and `\r`.
fn line_ends(bytes: &[u8]) -> u64 {
    let mut before = 0;
    let mut count = 0;
    for &byte in bytes {
        count += u64::from(byte == b'\r' || (byte == b'\n' && before != b'\r'));
        before = byte;
    }
    count
}

/// Decodes a row of integers from 0 to 255 that are written as plainly as can be: one to three
/// digits, a comma between them, `\n` or `\r\n` after the last.
///
/// Returns the length of the row with its line end, or nothing if `bytes` does not start with such
/// a row of `values.len()` fields, or does not hold all of it (and three bytes after its last
/// digit). `values` may be overwritten in part then.
fn decode_plain_row(bytes: &[u8], values: &mut [u8]) -> Option<usize> {
    /// Four background pixels. Most of an image is background.
    const BACKGROUND: [u8; 8] = *b"0,0,0,0,";

    let (last, values) = values.split_last_mut()?;
    let mut at = 0;
    let mut column = 0;
    while column < values.len() {
        while let Some(four) = values.get_mut(column..column + 4)
            && let Some(next) = bytes.get(at..at + 8)
            && next == BACKGROUND
        {
            four.fill(0);
            column += 4;
            at += 8;
        }
        let Some(value) = values.get_mut(column) else {
            break;
        };
        let (number, digits, after) = decode_number(bytes.get(at..)?)?;
        if after != b',' {
            return None;
        }
        *value = number;
        column += 1;
        at += digits + 1;
    }
    let (number, digits, after) = decode_number(bytes.get(at..)?)?;
    *last = number;
    at += digits;
    match after {
        b'\n' => Some(at + 1),
        b'\r' if bytes.get(at + 1) == Some(&b'\n') => Some(at + 2),
        _ => None,
    }
}

/// The number from 0 to 255 at the start of `bytes`, how many digits it has (one to three), and the
/// byte after it. Needs four bytes.
#[inline(always)]
fn decode_number(bytes: &[u8]) -> Option<(u8, usize, u8)> {
    let &[a, b, c, d] = bytes.first_chunk::<4>()?;
    let [i, j, k] = [a, b, c].map(|byte| byte.wrapping_sub(b'0'));
    if i > 9 {
        None
    } else if j > 9 {
        Some((i, 1, b))
    } else if k > 9 {
        Some((10 * i + j, 2, c))
    } else {
        let number = 100 * u16::from(i) + 10 * u16::from(j) + u16::from(k);
        Some((u8::try_from(number).ok()?, 3, d))
    }
}

#[cfg(test)]
mod tests;
