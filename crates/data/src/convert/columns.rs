//! Which columns of a table hold what.

use std::collections::HashSet;

use super::rows::Rows;
use super::{Conversion, ConvertError};
use crate::error::{Error, Found, Place};
use crate::table::{is_label, may_be_label};

/// The columns of a table, by their indices.
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    /// That of the classes.
    pub(super) label: Option<usize>,
    /// Those of the pixels, from the top left, line by line.
    pub(super) pixels: Vec<usize>,
    /// Of an image, in pixels.
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Names of columns that a message shows.
const SHOWN: usize = 6;

impl Columns {
    pub(super) fn new(
        names: Vec<String>,
        conversion: &Conversion,
        rows: &Rows<'_>,
    ) -> Result<Self, ConvertError> {
        let header = |column| rows.place(rows.first_line, column);
        let find = |name: &String| -> Result<Vec<usize>, ConvertError> {
            let is = |other: &String| other.eq_ignore_ascii_case(name.trim());
            let found: Vec<usize> = (0..names.len())
                .filter(|&index| is(&names[index]))
                .collect();
            match found.is_empty() {
                false => Ok(found),
                true => Err(ConvertError::NoColumn {
                    place: header(1),
                    name: Found::new(name.as_bytes()),
                    found: list(names.iter()),
                }),
            }
        };
        let mut left_out = HashSet::new();
        for name in &conversion.drop {
            left_out.extend(find(name)?);
        }
        let label = match (&conversion.label_column, conversion.is_labelled) {
            (_, false) => None,
            (Some(name), true) => match find(name)?[..] {
                [index] => Some(index),
                [first, second, ..] => {
                    return Err(Error::DuplicateColumn {
                        place: header(second + 1),
                        found: Found::new(name.as_bytes()),
                        first: first + 1,
                    }
                    .into());
                }
                [] => None,
            },
            (None, true) => {
                let there = (0..names.len()).filter(|index| !left_out.contains(index));
                let named: Vec<usize> = there
                    .clone()
                    .filter(|&index| is_label(names[index].as_bytes()))
                    .collect();
                let usual: Vec<usize> = there
                    .filter(|&index| may_be_label(names[index].as_bytes()))
                    .collect();
                match (&named[..], &usual[..]) {
                    ([index], _) | ([], [index]) => Some(*index),
                    ([], []) => {
                        return Err(ConvertError::NoLabelColumn {
                            place: header(1),
                            found: format!("the columns {}", list(names.iter())),
                        });
                    }
                    (many, _) | (_, many) if !many.is_empty() => {
                        return Err(ConvertError::NoLabelColumn {
                            place: header(many[0] + 1),
                            found: list(many.iter().map(|&index| &names[index])),
                        });
                    }
                    _ => None,
                }
            }
        };
        let is_pixel = |index: &usize| Some(*index) != label && !left_out.contains(index);
        let pixels = by_number(&names, (0..names.len()).filter(is_pixel).collect());
        let count = pixels.len();
        let place = || header(pixels.iter().max().map_or(names.len(), |last| last + 1));
        let side = count.isqrt();
        let [width, height] = match conversion.width {
            Some(width) if count > 0 && count.is_multiple_of(width) => [width, count / width],
            Some(width) => {
                return Err(ConvertError::Width {
                    place: place(),
                    found: count,
                    width,
                });
            }
            None if count > 0 && side * side == count => [side, side],
            None => {
                return Err(Error::NotSquare {
                    place: place(),
                    found: count,
                    remedy: String::from(
                        "; leave out with --drop what are no pixels, and name the width of other images with --width",
                    ),
                }
                .into());
            }
        };
        Ok(Self {
            names,
            label,
            pixels,
            width,
            height,
        })
    }

    /// Height and width of the images that are written.
    pub(super) fn side(&self) -> usize {
        self.width.max(self.height)
    }

    /// Refuses a row that has not one field for each column. `place` is that of its first field.
    pub(super) fn check_length(
        &self,
        record: &csv::ByteRecord,
        place: Place,
    ) -> Result<(), ConvertError> {
        let (found, expected) = (record.len(), self.names.len());
        if found == expected {
            return Ok(());
        }
        Err(Error::FieldCount {
            place: Place {
                column: found.min(expected) + 1,
                ..place
            },
            found,
            expected,
        }
        .into())
    }
}

/// The pixel columns in the order of the numbers in their names, if these are one word and numbers without a gap;
/// else in that of the table.
fn by_number(names: &[String], columns: Vec<usize>) -> Vec<usize> {
    let split = |&index: &usize| {
        let name = &names[index];
        let word = name.trim_end_matches(|end: char| end.is_ascii_digit());
        let number: u64 = name[word.len()..].parse().ok()?;
        Some((word, number, index))
    };
    let Some(mut numbered) = columns.iter().map(split).collect::<Option<Vec<_>>>() else {
        return columns;
    };
    numbered.sort_unstable();
    let follows =
        |pair: &[(&str, u64, usize)]| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1;
    match numbered.windows(2).all(follows) {
        true => numbered.into_iter().map(|(.., index)| index).collect(),
        false => columns,
    }
}

/// Some names, the first few.
fn list<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<String> = names
        .take(SHOWN)
        .map(|name| Found::new(name.as_bytes()).to_string())
        .collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
