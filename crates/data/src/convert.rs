//! Ordinary tables of images, made into those that the program reads.
//!
//! A file is read twice, row by row: first for its classes and the range of its pixels, then to write the images.
//! In memory there is one row, or as much of the file as rows of images may be long.

mod columns;
mod error;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use mnist::Existing;

use self::columns::Columns;
pub use self::error::ConvertError;
use self::rows::Rows;
use crate::error::{Found, Place, shown};
use crate::source;
use crate::table::{Labels, is_missing};

/// What is known of a table that is to be converted.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    /// The name of the column with the classes; without one, `label` or another usual one.
    pub label_column: Option<String>,
    /// Whether there is such a column at all.
    pub is_labelled: bool,
    /// A file that an earlier conversion wrote, by which the classes are numbered.
    pub classes: Option<PathBuf>,
    /// The names of the columns that are neither classes nor pixels.
    pub drop: Vec<String>,
    /// The values of the background and of full ink, which become 0 and 255. Without it, 0 and 1 if no pixel is
    /// larger, else 0 and 255.
    pub range: Option<[f64; 2]>,
    /// Whether the first row names the columns. If not, their names are their numbers, counted from 1.
    pub has_header: bool,
    /// The width of the images in pixels, if they are not square.
    pub width: Option<usize>,
    /// Which columns make a pixel, if the images are in colour; grey is made of them.
    pub colours: Option<Colours>,
    /// What stands for pixels that are missing, a value of the table's range; without it, none may be.
    pub fill: Option<f64>,
}

/// Red, green and blue of images in colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// How they lie.
    pub order: ColourOrder,
    /// Whether alpha follows them, which is left out: pictures are taken for opaque.
    pub has_alpha: bool,
}

/// How the colours of an image lie in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourOrder {
    /// All pixels' red, then all pixels' green, then all pixels' blue.
    Planes,
    /// Red, green and blue of one pixel, then those of the next.
    Pixels,
}

impl Colours {
    /// How much red, green and blue count for the brightness of grey: ITU-R BT.601.
    const WEIGHTS: [f64; 3] = [0.299, 0.587, 0.114];

    /// Columns for each pixel.
    fn channels(self) -> usize {
        Self::WEIGHTS.len() + usize::from(self.has_alpha)
    }
}

/// What was converted.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    /// The number of images.
    pub images: usize,
    /// Width and height of an image in the table, in pixels.
    pub size: [usize; 2],
    /// Height and width of an image as it was written.
    pub side: usize,
    /// What became 0 and 255.
    pub range: [f64; 2],
    /// The largest pixel in the table.
    pub largest: f64,
    /// Pixels that were missing, and got the value that stands for them.
    pub filled: usize,
    /// The classes, in the order of their labels 0, 1, 2, …; none without labels.
    pub classes: Vec<String>,
    /// The file that the classes were written to, unless one was given.
    pub classes_file: Option<PathBuf>,
}

/// The columns of a file of classes.
const CLASS_COLUMNS: [&str; 2] = ["class", "label"];

/// The most classes that labels of one byte tell apart.
const MOST_CLASSES: usize = 256;

impl Conversion {
    /// Converts the table in `input`, plain, compressed or in an archive, and writes it to `output`; and its classes,
    /// with their labels, to a file beside it, whose name ends in `-classes.csv`. Neither may be there.
    /// `is_cancelled` is asked from time to time.
    ///
    /// Classes that are whole numbers are put into their order, others into that of their characters. Images that are
    /// not square get equally many columns or rows of background on both sides, give or take one.
    ///
    /// # Errors
    ///
    /// [`ConvertError`]: a file that cannot be read or written, or is there already, and a table that is not as
    /// this says. Nothing is written then.
    pub fn run(
        &self,
        input: &Path,
        output: &Path,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Converted, ConvertError> {
        let classes_file = self.writes_classes().then(|| classes_file_of(output));
        for file in [Some(output), classes_file.as_deref()]
            .into_iter()
            .flatten()
        {
            if file.symlink_metadata().is_ok() {
                return Err(ConvertError::Exists {
                    file: file.display().to_string(),
                });
            }
        }
        let [one, other] = self.range.unwrap_or([0.0, 255.0]);
        if let Some(fill) = self.fill
            && !(one.min(other)..=one.max(other)).contains(&fill)
        {
            return Err(ConvertError::Fill {
                fill,
                range: [one.min(other), one.max(other)],
            });
        }
        let given = self.classes.as_deref().map(class_names).transpose()?;
        let survey = self.with_rows(input, is_cancelled, |rows, columns| {
            self.survey(rows, columns, given.as_deref())
        })?;
        let range = match self.range {
            Some(range) => range,
            None => survey.usual_range(input)?,
        };
        let classes = given.unwrap_or(survey.classes);
        let labels: BTreeMap<&str, u8> = classes
            .iter()
            .map(String::as_str)
            .zip(0..=u8::MAX)
            .collect();
        let mut size = [0, 0];
        let mut images = 0;
        self.with_rows(input, is_cancelled, |rows, columns| {
            size = [columns.width, columns.height];
            let mut record = csv::ByteRecord::new();
            let next = || -> Option<Result<Row, ConvertError>> {
                let line = match rows.next(&mut record) {
                    Ok(line) => line?,
                    Err(error) => return Some(Err(error)),
                };
                images += 1;
                Some(image(&record, rows, columns, line, range, &labels))
            };
            let is_labelled = columns.label.is_some();
            let rows = std::iter::from_fn(next);
            mnist::write_images(output, columns.side(), Existing::Keep, is_labelled, rows)
        })
        .map_err(|error| match error {
            // By another program, since it was looked for.
            ConvertError::Write(mnist::Error::Exists { path }) => ConvertError::Exists {
                file: path.display().to_string(),
            },
            error => error,
        })?;
        // Behind the images: whoever is killed while they are written leaves nothing that is in the way.
        if let Some(file) = &classes_file
            && let Err(error) = write_classes(file, &classes)
        {
            // What failed is told; that the images cannot be removed either adds nothing.
            std::fs::remove_file(output).ok();
            return Err(error);
        }
        Ok(Converted {
            images,
            size,
            side: size[0].max(size[1]),
            range,
            largest: survey.largest,
            filled: survey.filled,
            classes,
            classes_file,
        })
    }

    fn writes_classes(&self) -> bool {
        self.is_labelled && self.classes.is_none()
    }

    /// Gives the rows of the table, from the first, to `visit`.
    fn with_rows<T>(
        &self,
        input: &Path,
        is_cancelled: &dyn Fn() -> bool,
        visit: impl FnOnce(&mut Rows<'_>, &Columns) -> Result<T, ConvertError>,
    ) -> Result<T, ConvertError> {
        let labels = match self.is_labelled {
            true => Labels::Required,
            false => Labels::Absent,
        };
        source::with_reader(input, labels, |reader, file| {
            let (mut rows, header) = Rows::open(reader, file, self.has_header, is_cancelled)?;
            let columns = Columns::new(header, self, &rows)?;
            visit(&mut rows, &columns)
        })
    }

    /// What is to be known of the table before an image can be written. Refuses what could not be.
    fn survey(
        &self,
        rows: &mut Rows<'_>,
        columns: &Columns,
        given: Option<&[String]>,
    ) -> Result<Survey, ConvertError> {
        let [one, other] = self.range.unwrap_or([0.0, 255.0]);
        let (low, high) = (one.min(other), one.max(other));
        let mut classes = BTreeSet::new();
        let (mut largest, mut has_fractions, mut filled) = (0.0_f64, false, 0);
        let mut record = csv::ByteRecord::new();
        let mut is_empty = true;
        while let Some(line) = rows.next(&mut record)? {
            is_empty = false;
            columns.check_length(&record, rows.place(line, 1))?;
            let field = |index| Field {
                record: &record,
                rows,
                columns,
                line,
                index,
            };
            if let Some(label) = columns.label.map(field) {
                let class = label.class()?;
                if let Some(file) = &self.classes
                    && given.is_some_and(|given| !given.contains(&class))
                {
                    return Err(ConvertError::UnknownClass {
                        place: label.place(),
                        column: label.column(),
                        found: label.found(),
                        file: file.display().to_string(),
                    });
                }
                classes.insert(class);
                if classes.len() > MOST_CLASSES {
                    return Err(ConvertError::TooManyClasses {
                        place: label.place(),
                        column: label.column(),
                    });
                }
            }
            for &index in &columns.pixels {
                let pixel = field(index);
                let value = pixel.pixel()?;
                filled += usize::from(pixel.is_missing());
                if high >= THOUSAND && rows.is_grouped(&record[index]) {
                    return Err(ConvertError::UnclearSeparator {
                        place: pixel.place(),
                        column: pixel.column(),
                        found: pixel.found(),
                    });
                }
                if !(low..=high).contains(&value) {
                    return Err(ConvertError::OutOfRange {
                        place: pixel.place(),
                        column: pixel.column(),
                        found: pixel.found(),
                        range: [low, high],
                    });
                }
                largest = largest.max(value);
                has_fractions |= value.fract() != 0.0;
            }
        }
        if is_empty {
            return Err(rows.no_rows().into());
        }
        Ok(Survey {
            classes: in_order(classes),
            largest,
            has_fractions,
            filled,
        })
    }
}

const THOUSAND: f64 = 1000.0;

/// A field of a row, and where it stands.
#[derive(Clone, Copy)]
struct Field<'a, 'r> {
    record: &'a csv::ByteRecord,
    rows: &'a Rows<'r>,
    columns: &'a Columns,
    line: u64,
    index: usize,
}

impl Field<'_, '_> {
    fn place(self) -> Place {
        self.rows.place(self.line, self.index + 1)
    }

    fn column(self) -> String {
        shown(&self.columns.names[self.index])
    }

    fn found(self) -> Found {
        Found::new(&self.record[self.index])
    }

    fn is_missing(self) -> bool {
        is_missing(&self.record[self.index])
    }

    fn pixel(self) -> Result<f64, ConvertError> {
        let number = self.rows.number(&self.record[self.index]);
        let fill = || self.columns.fill.filter(|_| self.is_missing());
        number.or_else(fill).ok_or_else(|| ConvertError::NoNumber {
            place: self.place(),
            column: self.column(),
            found: self.found(),
            remedy: self.remedy(),
        })
    }

    /// What to do about a pixel that is no number.
    fn remedy(self) -> &'static str {
        let field = self.record[self.index].trim_ascii();
        if self.is_missing() {
            "name with --fill what stands for it, such as 0, or remove the row"
        } else if field == self.columns.names[self.index].as_bytes() {
            "that is the header again: remove the line"
        } else if field.contains(&b' ') {
            "give each pixel a column of its own, or leave the column out with --drop, if it holds no pixels"
        } else {
            "leave the column out with --drop, if it holds no pixels"
        }
    }

    /// The class that it names. Whole numbers have one name however they are written.
    fn class(self) -> Result<String, ConvertError> {
        let field = self.record[self.index].trim_ascii();
        // A class may be called `none`.
        if is_missing(field) && !field.eq_ignore_ascii_case(b"none") {
            return Err(self.no_class());
        }
        let Ok(text) = std::str::from_utf8(field) else {
            return Err(ConvertError::Encoding {
                place: self.place(),
                column: self.column(),
                found: self.found(),
            });
        };
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Ok(number.to_string());
        }
        // Whether 1,000 is 1 or a thousand is not known.
        let number = self
            .rows
            .number(field)
            .filter(|_| !self.rows.is_grouped(field));
        let whole = number.filter(|number| number.fract() == 0.0 && number.abs() < MOST_WHOLE);
        Ok(whole.map_or_else(|| text.to_owned(), |number| (number as i64).to_string()))
    }

    fn no_class(self) -> ConvertError {
        ConvertError::NoClass {
            place: self.place(),
            column: self.column(),
            found: self.found(),
        }
    }
}

/// What is written of a row.
fn image(
    record: &csv::ByteRecord,
    rows: &Rows<'_>,
    columns: &Columns,
    line: u64,
    [low, high]: [f64; 2],
    labels: &BTreeMap<&str, u8>,
) -> Result<Row, ConvertError> {
    columns.check_length(record, rows.place(line, 1))?;
    let field = |index| Field {
        record,
        rows,
        columns,
        line,
        index,
    };
    let label = match columns.label.map(field) {
        None => None,
        Some(field) => {
            let label = labels.get(field.class()?.as_str()).copied();
            // There is none only if the file has changed since it was surveyed.
            Some(label.ok_or_else(|| field.no_class())?)
        }
    };
    let side = columns.side();
    let (left, top) = ((side - columns.width) / 2, (side - columns.height) / 2);
    let mut image = vec![0; side * side];
    for place in 0..columns.width * columns.height {
        let value = match columns.colours {
            None => field(columns.pixels[place]).pixel()?,
            Some(colours) => {
                let mut grey = 0.0;
                for (colour, weight) in Colours::WEIGHTS.into_iter().enumerate() {
                    grey += weight * field(columns.of_colour(colours, place, colour)).pixel()?;
                }
                grey
            }
        };
        let (row, column) = (place / columns.width, place % columns.width);
        // Values beyond the range, which the survey refuses, are cut off by the conversion.
        image[(top + row) * side + left + column] =
            ((value - low) / (high - low) * 255.0).round() as u8;
    }
    Ok((label, image))
}

/// The label of an image, if there are labels, and its pixels.
type Row = (Option<u8>, Vec<u8>);

/// What a table holds.
struct Survey {
    /// In the order of their labels.
    classes: Vec<String>,
    largest: f64,
    /// Whether a pixel is no whole number.
    has_fractions: bool,
    /// Pixels that are missing.
    filled: usize,
}

impl Survey {
    /// Fractions beyond 1 up to here may be shares that were computed a little too large.
    const NEARLY_ONE: f64 = 2.0;

    /// From 0 to 1 if no pixel is larger, or else from 0 to 255.
    fn usual_range(&self, file: &Path) -> Result<[f64; 2], ConvertError> {
        let largest = self.largest;
        if self.has_fractions && largest > 1.0 && largest <= Self::NEARLY_ONE {
            return Err(ConvertError::UnclearRange {
                file: file.display().to_string(),
                largest,
            });
        }
        let is_share = largest > 0.0 && largest <= 1.0;
        Ok([0.0, if is_share { 1.0 } else { 255.0 }])
    }
}

/// Whole numbers up to here are exact.
const MOST_WHOLE: f64 = (1_u64 << 53) as f64;

/// Whole numbers by their values, anything else by its characters.
fn in_order(classes: BTreeSet<String>) -> Vec<String> {
    let mut classes: Vec<String> = classes.into_iter().collect();
    let numbers: Option<Vec<i64>> = classes.iter().map(|class| class.parse().ok()).collect();
    if let Some(mut numbers) = numbers {
        numbers.sort_unstable();
        classes = numbers.iter().map(i64::to_string).collect();
    }
    classes
}

/// The file for the classes of the images in `output`.
fn classes_file_of(output: &Path) -> PathBuf {
    let mut name = OsString::from(output.file_stem().unwrap_or_default());
    name.push("-classes.csv");
    output.with_file_name(name)
}

fn write_classes(file: &Path, classes: &[String]) -> Result<(), ConvertError> {
    let write = || -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(CLASS_COLUMNS)?;
        for (label, class) in classes.iter().enumerate() {
            writer.write_record([class.as_str(), &label.to_string()])?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    };
    let bytes = write().map_err(|cause| ConvertError::Classes {
        file: file.display().to_string(),
        problem: cause.to_string(),
    })?;
    files::write_atomically(file, &bytes).map_err(|error| {
        ConvertError::Write(mnist::Error::Write {
            path: error.path,
            cause: error.source,
        })
    })
}

/// The classes in the order of their labels 0, 1, 2, …, from the file that a conversion wrote beside its images.
///
/// # Errors
///
/// [`ConvertError`]: a file that cannot be read, or is none of that kind.
pub fn class_names(file: &Path) -> Result<Vec<String>, ConvertError> {
    source::with_reader(file, Labels::Optional, |reader, name| {
        classes_in(reader).map_err(|problem| ConvertError::Classes {
            file: name.to_owned(),
            problem,
        })
    })
}

/// The same, or what is wrong with the file.
fn classes_in(reader: &mut dyn Read) -> Result<Vec<String>, String> {
    let mut reader = csv::Reader::from_reader(reader);
    let header = reader.headers().map_err(|cause| cause.to_string())?;
    if header != CLASS_COLUMNS[..] {
        let found = header.iter().take(3).collect::<Vec<_>>().join(",");
        return Err(format!(
            "found the columns {}, expected {}",
            Found::new(found.as_bytes()),
            CLASS_COLUMNS.join(",")
        ));
    }
    let mut classes: BTreeMap<u8, String> = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut rows = 0;
    for record in reader.records() {
        let record = record.map_err(|cause| cause.to_string())?;
        rows += 1;
        let class = record[0].to_owned();
        let Ok(label) = record[1].trim().parse() else {
            return Err(format!(
                "found no class and label in row {rows}, expected such as cat,0"
            ));
        };
        names.insert(class.clone());
        classes.insert(label, class);
    }
    let are_in_order = classes.keys().copied().eq((0..=u8::MAX).take(rows));
    if !are_in_order || names.len() != rows {
        return Err(String::from(
            "expected each of the labels 0, 1, 2, … for one class",
        ));
    }
    Ok(classes.into_values().collect())
}

#[cfg(test)]
mod tests;
