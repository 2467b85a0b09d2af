//! Which columns of a table hold what.

use std::collections::HashSet;

use super::rows::Rows;
use super::{ColourOrder, Colours, Conversion, ConvertError};
use crate::error::{Error, Found, Place};
use crate::table::{
    self, is_label, largest_side, may_be_label, remedy_for_length, remedy_for_shape,
};

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
    /// The colours, of which there are several columns for each pixel then.
    pub(super) colours: Option<Colours>,
    /// What stands for a pixel that is missing.
    pub(super) fill: Option<f64>,
    /// Columns up to the last that has a name; nothing stands in those behind it.
    filled: usize,
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
        let contradiction = |index: usize, problem| ConvertError::Contradiction {
            place: header(index + 1),
            found: Found::new(names[index].as_bytes()),
            problem,
        };
        let mut left_out = HashSet::new();
        for name in &conversion.drop {
            left_out.extend(find(name)?);
        }
        let named = names.iter().rposition(|name| !name.is_empty());
        let filled = match named.map_or(0, |last| last + 1) {
            filled if (filled..names.len()).all(|index| left_out.contains(&index)) => names.len(),
            filled => filled,
        };
        let there = (0..filled).filter(|index| !left_out.contains(index));
        let named: Vec<usize> = there
            .clone()
            .filter(|&index| is_label(names[index].as_bytes()))
            .collect();
        let label = match (&conversion.label_column, conversion.is_labelled) {
            (_, false) => match named.first() {
                Some(&index) => {
                    return Err(contradiction(
                        index,
                        "that of the classes, by its name, though --unlabelled says that there is none; leave it out \
                         with --drop",
                    ));
                }
                None => None,
            },
            (Some(name), true) => {
                let found = find(name)?;
                if let Some(&second) = found.get(1) {
                    return Err(Error::DuplicateColumn {
                        place: header(second + 1),
                        found: Found::new(name.as_bytes()),
                        first: found[0] + 1,
                    }
                    .into());
                }
                if left_out.contains(&found[0]) {
                    return Err(contradiction(
                        found[0],
                        "left out by --drop, and that of the classes by --label-column; name it once",
                    ));
                }
                Some(found[0])
            }
            (None, true) => {
                let usual: Vec<usize> = there
                    .filter(|&index| may_be_label(names[index].as_bytes()))
                    .collect();
                match (&named[..], &usual[..]) {
                    ([index], _) | ([], [index]) => Some(*index),
                    ([], []) if names.len() == 1 => {
                        return Err(ConvertError::OneColumn {
                            place: header(1),
                            found: Found::new(names[0].as_bytes()),
                        });
                    }
                    ([], []) => {
                        return Err(ConvertError::NoLabelColumn {
                            place: header(1),
                            found: format!("the columns {}", list(names.iter())),
                        });
                    }
                    ([], many) | (many, _) => {
                        return Err(ConvertError::NoLabelColumn {
                            place: header(many[0] + 1),
                            found: list(many.iter().map(|&index| &names[index])),
                        });
                    }
                }
            }
        };
        let is_pixel = |index: &usize| Some(*index) != label && !left_out.contains(index);
        let pixels: Vec<usize> = (0..filled).filter(is_pixel).collect();
        let pixels = match numbered(&names, &pixels) {
            Some(numbered) => in_order(numbered, &left_out, &header, &names)?,
            None => in_order_of_numbers(&names, &pixels).unwrap_or(pixels),
        };
        let place = || header(pixels.iter().max().map_or(names.len(), |last| last + 1));
        let channels = conversion.colours.map_or(1, Colours::channels);
        if !pixels.len().is_multiple_of(channels) {
            return Err(ConvertError::Colours {
                place: place(),
                found: pixels.len(),
                channels,
            });
        }
        let count = pixels.len() / channels;
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
            None if let Some(&nameless) = pixels.iter().find(|&&index| names[index].is_empty()) => {
                return Err(Error::NotSquare {
                    place: header(nameless + 1),
                    found: count,
                    remedy: String::from("; leave out the column without a name with --drop ''"),
                }
                .into());
            }
            None => {
                let guess = match remedy_for_shape(count) {
                    question if question.ends_with('?') => question,
                    remedy => remedy + ";",
                };
                let of_colours = match conversion.colours {
                    Some(_) => format!(", {count} for each colour"),
                    None => String::new(),
                };
                return Err(Error::NotSquare {
                    place: place(),
                    found: pixels.len(),
                    remedy: format!(
                        "{of_colours}{guess} leave out with --drop what are no pixels, and name the width of other images with --width",
                    ),
                }
                .into());
            }
        };
        let (side, most) = (width.max(height), largest_side(table::WINDOW));
        if side > most {
            return Err(ConvertError::TooLarge {
                place: place(),
                side,
                most,
            });
        }
        Ok(Self {
            names,
            label,
            pixels,
            width,
            height,
            colours: conversion.colours,
            fill: conversion.fill,
            filled,
        })
    }

    /// The column of a pixel's red, green or blue (0 to 2), the pixels counted from the top left, line by line.
    pub(super) fn of_colour(&self, colours: Colours, pixel: usize, colour: usize) -> usize {
        self.pixels[match colours.order {
            ColourOrder::Planes => colour * self.width * self.height + pixel,
            ColourOrder::Pixels => colours.channels() * pixel + colour,
        }]
    }

    /// Height and width of the images that are written.
    pub(super) fn side(&self) -> usize {
        self.width.max(self.height)
    }

    /// Refuses a row that has not one field for each column, except for empty ones at its end. `place` is that of its first
    /// field.
    pub(super) fn check_length(
        &self,
        record: &csv::ByteRecord,
        place: Place,
    ) -> Result<(), ConvertError> {
        let (found, expected) = (record.len(), self.filled);
        let is_there = |field: &[u8]| !field.trim_ascii().is_empty();
        let beyond = record.iter().skip(expected).position(is_there);
        if found >= expected && beyond.is_none() {
            return Ok(());
        }
        Err(Error::FieldCount {
            place: Place {
                column: found.min(expected + beyond.unwrap_or(0)) + 1,
                ..place
            },
            found,
            expected,
            remedy: match expected < self.names.len() {
                true => "; leave out the columns without a name with --drop ''",
                false => remedy_for_length(record),
            },
        }
        .into())
    }
}

/// A column whose name is a word and a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Numbered<'n> {
    word: &'n str,
    number: u64,
    index: usize,
}

/// The columns by the numbers in their names, where these have the same words between several numbers, as `r0c0`, and
/// stand in the order of their characters, which has `r0c10` before `r0c2`. In any other order whoever wrote the table
/// had a reason for it: `x0y0,x1y0` is line by line.
fn in_order_of_numbers(names: &[String], columns: &[usize]) -> Option<Vec<usize>> {
    let are_sorted = columns.is_sorted_by_key(|&index| &names[index]);
    let mut split: Vec<(Vec<&str>, Vec<u64>, usize)> = Vec::new();
    for &index in columns {
        let name = names[index].as_str();
        let is_word = |part: &&str| !part.is_empty();
        let words = name
            .split(|part: char| part.is_ascii_digit())
            .filter(is_word);
        let numbers = name
            .split(|part: char| !part.is_ascii_digit())
            .filter(is_word);
        let numbers: Option<Vec<u64>> = numbers.map(|number| number.parse().ok()).collect();
        split.push((words.collect(), numbers?, index));
    }
    let is_one_form = split
        .windows(2)
        .all(|pair| pair[0].0 == pair[1].0 && pair[0].1.len() == pair[1].1.len());
    if !are_sorted || !is_one_form || split.first().is_none_or(|first| first.1.len() < 2) {
        return None;
    }
    split.sort_unstable();
    Some(split.into_iter().map(|(.., index)| index).collect())
}

/// The columns by their numbers, if the names of all are one word and a number.
fn numbered<'n>(names: &'n [String], columns: &[usize]) -> Option<Vec<Numbered<'n>>> {
    let split = |&index: &usize| {
        let name = &names[index];
        let word = name.trim_end_matches(|end: char| end.is_ascii_digit());
        let number = name[word.len()..].parse().ok()?;
        Some(Numbered {
            word,
            number,
            index,
        })
    };
    let mut numbered: Vec<Numbered<'_>> = columns.iter().map(split).collect::<Option<_>>()?;
    numbered.sort_unstable();
    let is_one_word = numbered.windows(2).all(|pair| pair[0].word == pair[1].word);
    is_one_word.then_some(numbered)
}

/// The columns in the order of their numbers. Refuses a number that is there twice, and one that is missing where none
/// was left out; numbers alone are the program's own where there is no header, and may have gaps.
fn in_order(
    numbered: Vec<Numbered<'_>>,
    left_out: &HashSet<usize>,
    header: &impl Fn(usize) -> Place,
    names: &[String],
) -> Result<Vec<usize>, ConvertError> {
    for pair in numbered.windows(2) {
        let [before, this] = [pair[0], pair[1]];
        if before.number == this.number {
            return Err(Error::DuplicateColumn {
                place: header(this.index + 1),
                found: Found::new(names[this.index].as_bytes()),
                first: before.index + 1,
            }
            .into());
        }
        if before.number + 1 != this.number && left_out.is_empty() && !this.word.is_empty() {
            return Err(ConvertError::Gap {
                place: header(this.index + 1),
                found: Found::new(names[this.index].as_bytes()),
                before: Found::new(names[before.index].as_bytes()),
            });
        }
    }
    Ok(numbered.into_iter().map(|column| column.index).collect())
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
