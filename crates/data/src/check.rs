//! What is in a table of images, and what of it would spoil a result.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::error::Error;
use crate::table::Table;
use crate::thousands::Thousands;

/// A class with fewer images than this cannot be learned or scored: of a tenth held out for
/// validation, it has one or none.
const FEWEST: usize = 20;

/// A class is rare when it has less than this share of what it would have if all had equally many.
const RARE: f64 = 0.1;

/// The mean of the outermost pixels above which a background counts as bright: half the range.
const BRIGHT: f64 = 127.5;

/// The images of one table, as they are in the file, labelled or not.
pub struct ImageTable {
    name: String,
    table: Table,
}

impl ImageTable {
    /// A table in memory: `side × side` pixels for each image from the top left, line by line, and
    /// one label for each, or none at all. `name` is what reports call it.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the lengths do not fit together or there is no image.
    pub fn new(
        name: impl Into<String>,
        pixels: Vec<u8>,
        labels: Option<Vec<u8>>,
        side: usize,
    ) -> Result<Self, Error> {
        let size = side * side;
        let images = match &labels {
            Some(labels) => labels.len(),
            None => pixels.len() / size.max(1),
        };
        if images * size != pixels.len() || pixels.is_empty() {
            return Err(Error::Shape {
                pixels: pixels.len(),
                labels: images,
                expected: images * size,
                side,
            });
        }
        let labels = labels.unwrap_or_default();
        Ok(Self {
            name: name.into(),
            table: Table {
                pixels,
                labels,
                side,
            },
        })
    }

    pub(crate) fn from_table(name: String, table: Table) -> Self {
        Self { name, table }
    }

    /// What it is called: the file, and the table's name in it if that is an archive.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Height and width of an image in pixels.
    pub fn side(&self) -> usize {
        self.table.side
    }

    /// The images in the order of the file; at least one. Each has `side × side` pixels.
    pub fn images(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.table.pixels.chunks_exact(self.side() * self.side())
    }

    /// The pixels of the image with this index, from 0.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.side() * self.side();
        &self.table.pixels[index * size..][..size]
    }

    /// The label of each image, if the table has labels.
    pub fn labels(&self) -> Option<&[u8]> {
        let labels = self.table.labels.as_slice();
        (!labels.is_empty()).then_some(labels)
    }

    fn label(&self, index: usize) -> Option<u8> {
        self.table.labels.get(index).copied()
    }
}

impl fmt::Debug for ImageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageTable({:?}, {})", self.name, self.images().len())
    }
}

/// What there is to say about some tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// One for each table, in their order.
    pub tables: Vec<Description>,
    /// One for each two tables that have images in common.
    pub shared: Vec<Shared>,
    /// What would spoil a result.
    pub warnings: Vec<Warning>,
}

/// What is in one table. Images are named by their number in the table, counted from 1 (Kaggle's
/// `ImageId`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The table's name.
    pub name: String,
    /// The number of images.
    pub images: usize,
    /// Height and width of an image in pixels.
    pub side: usize,
    /// The number of images of each class, if there are labels.
    pub classes: Option<Vec<usize>>,
    /// The smallest pixel.
    pub smallest: u8,
    /// The largest pixel.
    pub largest: u8,
    /// The mean of all pixels, 0 to 255.
    pub mean: f64,
    /// Their standard deviation (of the population).
    pub standard_deviation: f64,
    /// The mean of the outermost pixels of all images.
    pub border_mean: f64,
    /// The images of which all pixels are 0.
    pub blank: Vec<usize>,
    /// The images of which all pixels are equal, but not 0.
    pub constant: Vec<usize>,
    /// The images that are there more than once, with all their numbers.
    pub repeated: Vec<Vec<usize>>,
    /// Those of the repeated images that have different labels.
    pub contradictory: Vec<Vec<usize>>,
}

/// What two tables have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shared {
    /// The first table's name.
    pub first: String,
    /// The second table's name.
    pub second: String,
    /// For each image of the second table that is in the first, its number there, where it is
    /// first, and its number in the second.
    pub images: Vec<[usize; 2]>,
    /// How many of them have another label in the second table; none if not both have labels.
    pub contradictory: Option<usize>,
}

/// Something that would spoil a result. Its `Display` says in one line where it is, what it is and
/// why it matters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Warning {
    /// Images that are there several times, with different labels.
    Contradiction {
        /// The table's name.
        table: String,
        /// The number of such images, each counted once.
        images: usize,
        /// The number of one, and of its first copy with another label.
        example: [usize; 2],
        /// Their labels.
        labels: [u8; 2],
    },
    /// Images that are there several times.
    Copies {
        /// The table's name.
        table: String,
        /// How many images are copies of earlier ones.
        copies: usize,
        /// The number of one, and of its first copy.
        example: [usize; 2],
    },
    /// Images of one table that are also in another.
    Shared {
        /// The first table's name.
        first: String,
        /// The second table's name.
        second: String,
        /// How many images of the second table are in the first.
        images: usize,
        /// How many of them have another label there.
        contradictory: usize,
        /// The number of one, in the first and in the second table.
        example: [usize; 2],
    },
    /// Classes with few images.
    FewImages {
        /// The table's name.
        table: String,
        /// The classes, each with its number of images.
        classes: Vec<(u8, usize)>,
    },
    /// All images have the same label.
    OneClass {
        /// The table's name.
        table: String,
    },
    /// Images without anything on them.
    Blank {
        /// The table's name.
        table: String,
        /// Their number.
        images: usize,
        /// The number of one in the table.
        example: usize,
    },
    /// Images of one grey throughout.
    Constant {
        /// The table's name.
        table: String,
        /// Their number.
        images: usize,
        /// The number of one in the table.
        example: usize,
    },
    /// No pixel is larger than 1.
    ZeroToOne {
        /// The table's name.
        table: String,
    },
    /// The background is bright.
    Inverted {
        /// The table's name.
        table: String,
        /// The mean of the outermost pixels.
        border_mean: f64,
    },
    /// Two tables have images of different sizes.
    Sides {
        /// The first table's name.
        first: String,
        /// The second table's name.
        second: String,
        /// Height and width of the images in each.
        sides: [usize; 2],
    },
}

/// Describes each of the tables, compares them with each other, and says what would spoil a result.
pub fn check(tables: &[ImageTable]) -> Report {
    let places: Vec<Places> = tables.iter().map(Places::new).collect();
    let descriptions: Vec<Description> = tables
        .iter()
        .zip(&places)
        .map(|(table, places)| describe(table, places))
        .collect();
    let mut shared = Vec::new();
    let mut warnings: Vec<Warning> = tables
        .iter()
        .zip(&descriptions)
        .flat_map(|(table, description)| warnings(table, description))
        .collect();
    for (index, second) in tables.iter().enumerate() {
        for (first, places) in tables[..index].iter().zip(&places) {
            warnings.extend(sides(first, second));
            let common = common(first, places, second);
            if let [example, ..] = *common.images {
                warnings.push(Warning::Shared {
                    first: common.first.clone(),
                    second: common.second.clone(),
                    images: common.images.len(),
                    contradictory: common.contradictory.unwrap_or(0),
                    example,
                });
                shared.push(common);
            }
        }
    }
    Report {
        tables: descriptions,
        shared,
        warnings,
    }
}

/// Where each image of a table is: the indices of all that are alike, in ascending order.
struct Places<'a>(HashMap<&'a [u8], Vec<usize>>);

impl<'a> Places<'a> {
    fn new(table: &'a ImageTable) -> Self {
        let mut places: HashMap<&[u8], Vec<usize>> = HashMap::with_capacity(table.images().len());
        for (index, image) in table.images().enumerate() {
            places.entry(image).or_default().push(index);
        }
        Self(places)
    }

    /// The places of the images that are there more than once, in the order of the file.
    fn repeated(&self) -> Vec<&[usize]> {
        let groups = self.0.values().map(Vec::as_slice);
        let mut repeated: Vec<_> = groups.filter(|group| group.len() > 1).collect();
        repeated.sort_unstable();
        repeated
    }
}

fn describe(table: &ImageTable, places: &Places<'_>) -> Description {
    let pixels = Histogram::of(table.images().flatten());
    let side = table.side();
    let border = Histogram::of(table.images().flat_map(|image| border(image, side)));
    let uniform = |blank: bool| {
        let is = move |image: &[u8]| {
            image.iter().all(|&pixel| pixel == image[0]) && (image[0] == 0) == blank
        };
        let numbered = (1..).zip(table.images());
        numbered
            .filter(|(_, image)| is(image))
            .map(|(number, _)| number)
            .collect()
    };
    let numbers = |group: &[usize]| group.iter().map(|index| index + 1).collect::<Vec<_>>();
    let repeated = places.repeated();
    let differ = |group: &&&[usize]| {
        group
            .iter()
            .any(|&i| table.label(i) != table.label(group[0]))
    };
    Description {
        name: table.name.clone(),
        images: table.images().len(),
        side,
        classes: table.labels().map(count),
        smallest: pixels.smallest(),
        largest: pixels.largest(),
        mean: pixels.mean(),
        standard_deviation: pixels.standard_deviation(),
        border_mean: border.mean(),
        blank: uniform(true),
        constant: uniform(false),
        contradictory: repeated
            .iter()
            .filter(differ)
            .map(|group| numbers(group))
            .collect(),
        repeated: repeated.into_iter().map(numbers).collect(),
    }
}

/// The number of images of each class.
fn count(labels: &[u8]) -> Vec<usize> {
    let mut counts = Vec::new();
    for &label in labels {
        let class = usize::from(label);
        if counts.len() <= class {
            counts.resize(class + 1, 0);
        }
        counts[class] += 1;
    }
    counts
}

/// The outermost pixels of an image.
fn border(image: &[u8], side: usize) -> impl Iterator<Item = &u8> {
    image.iter().enumerate().filter_map(move |(index, pixel)| {
        let outermost = |place: usize| place == 0 || place + 1 == side;
        (outermost(index / side) || outermost(index % side)).then_some(pixel)
    })
}

/// How often each value is there. Its sums are of integers, hence exact.
struct Histogram([u64; 256]);

impl Histogram {
    fn of<'a>(pixels: impl Iterator<Item = &'a u8>) -> Self {
        let mut counts = [0; 256];
        pixels.for_each(|&pixel| counts[usize::from(pixel)] += 1);
        Self(counts)
    }

    fn smallest(&self) -> u8 {
        self.0.iter().position(|&count| count > 0).unwrap_or(0) as u8
    }

    fn largest(&self) -> u8 {
        self.0.iter().rposition(|&count| count > 0).unwrap_or(0) as u8
    }

    fn moment(&self, power: u32) -> u128 {
        let terms = (0_u128..).zip(self.0);
        terms
            .map(|(value, count)| value.pow(power) * u128::from(count))
            .sum()
    }

    fn mean(&self) -> f64 {
        self.moment(1) as f64 / self.moment(0) as f64
    }

    fn standard_deviation(&self) -> f64 {
        let (count, sum, squares) = (self.moment(0), self.moment(1), self.moment(2));
        // count² times the variance, which is never negative.
        ((count * squares - sum * sum) as f64).sqrt() / count as f64
    }
}

fn warnings(table: &ImageTable, description: &Description) -> Vec<Warning> {
    let name = || description.name.clone();
    let mut warnings = Vec::new();
    // Pixels first: if they are wrong, the rest may follow from it.
    let all_blank = description.largest == 0;
    if description.largest == 1 {
        warnings.push(Warning::ZeroToOne { table: name() });
    }
    if description.border_mean > BRIGHT {
        warnings.push(Warning::Inverted {
            table: name(),
            border_mean: description.border_mean,
        });
    }
    if let [example, ..] = *description.blank {
        warnings.push(Warning::Blank {
            table: name(),
            images: description.blank.len(),
            example,
        });
    }
    if let [example, ..] = *description.constant {
        warnings.push(Warning::Constant {
            table: name(),
            images: description.constant.len(),
            example,
        });
    }
    if let Some(classes) = &description.classes {
        warnings.extend(class_warning(&description.name, classes));
    }
    if let [first, ..] = description.contradictory.as_slice() {
        let label = |number: usize| table.label(number - 1).unwrap_or_default();
        let one = first[0];
        let differs = |&&number: &&usize| label(number) != label(one);
        let other = first.iter().find(differs).copied().unwrap_or(one);
        warnings.push(Warning::Contradiction {
            table: name(),
            images: description.contradictory.len(),
            example: [one, other],
            labels: [label(one), label(other)],
        });
    }
    if let [first, ..] = description.repeated.as_slice()
        && !all_blank
    {
        warnings.push(Warning::Copies {
            table: name(),
            copies: description.copies(),
            example: [first[0], first[1]],
        });
    }
    warnings
}

fn class_warning(table: &str, classes: &[usize]) -> Option<Warning> {
    let table = table.to_owned();
    let [_, _, ..] = classes else {
        return Some(Warning::OneClass { table });
    };
    let equal = classes.iter().sum::<usize>() as f64 / classes.len() as f64;
    let is_small = |count: usize| count < FEWEST || (count as f64) < RARE * equal;
    let few: Vec<(u8, usize)> = (0..=u8::MAX)
        .zip(classes.iter().copied())
        .filter(|&(_, count)| is_small(count))
        .collect();
    (!few.is_empty()).then_some(Warning::FewImages {
        table,
        classes: few,
    })
}

fn sides(first: &ImageTable, second: &ImageTable) -> Option<Warning> {
    let sides = [first.side(), second.side()];
    (sides[0] != sides[1]).then(|| Warning::Sides {
        first: first.name.clone(),
        second: second.name.clone(),
        sides,
    })
}

/// The images of `second` that are in `first`, whose `places` these are.
fn common(first: &ImageTable, places: &Places<'_>, second: &ImageTable) -> Shared {
    let mut images = Vec::new();
    let both = first.labels().zip(second.labels());
    let mut contradictory = both.map(|_| 0);
    for (index, image) in second.images().enumerate() {
        let Some(group) = places.0.get(image) else {
            continue;
        };
        images.push([group[0] + 1, index + 1]);
        if let Some(count) = &mut contradictory {
            *count += usize::from(first.label(group[0]) != second.label(index));
        }
    }
    Shared {
        first: first.name.clone(),
        second: second.name.clone(),
        images,
        contradictory,
    }
}

impl Description {
    /// How many images are copies of earlier ones.
    pub fn copies(&self) -> usize {
        self.repeated.iter().map(|group| group.len() - 1).sum()
    }
}

/// `1 image`, `1,200 images`.
struct Images(usize);

impl fmt::Display for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} image{plural}", Thousands(self.0))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradiction {
                table,
                images,
                example: [one, other],
                labels: [label, other_label],
            } => write!(
                f,
                "{table}: {} more than once with different labels, such as number {one} (label \
                 {label}) and {other} (label {other_label}); at most one of them can be right",
                Images(*images)
            ),
            Self::Copies {
                table,
                copies,
                example: [one, other],
            } => write!(
                f,
                "{table}: {} copied from earlier ones, such as number {other} from {one}; if one is \
                 trained on and the other held out, the score is too good",
                Images(*copies)
            ),
            Self::Shared {
                first,
                second,
                images,
                contradictory,
                example: [one, other],
            } => {
                write!(
                    f,
                    "{second}: {} also in {first}, such as number {other}, there {one}",
                    Images(*images)
                )?;
                if *contradictory > 0 {
                    write!(f, "; {} with another label", Thousands(*contradictory))?;
                }
                f.write_str("; trained on the one, a network is not tested by the other")
            }
            Self::FewImages { table, classes } => {
                write!(f, "{table}: few images of ")?;
                const SHOWN: usize = 5;
                for (index, (class, count)) in classes.iter().take(SHOWN).enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}class {class} ({})", Thousands(*count))?;
                }
                if let more @ 1.. = classes.len().saturating_sub(SHOWN) {
                    write!(f, " and {more} more classes")?;
                }
                f.write_str("; they will be read badly, and scores of them say little")
            }
            Self::OneClass { table } => {
                write!(
                    f,
                    "{table}: all images have the label 0; there is nothing to tell apart"
                )
            }
            Self::Blank {
                table,
                images,
                example,
            } => write!(
                f,
                "{table}: {} of nothing but zeros, such as number {example}; there is nothing on it \
                 to read",
                Images(*images)
            ),
            Self::Constant {
                table,
                images,
                example,
            } => write!(
                f,
                "{table}: {} of one grey throughout, such as number {example}; there is nothing on \
                 it to read",
                Images(*images)
            ),
            Self::ZeroToOne { table } => write!(
                f,
                "{table}: no pixel is larger than 1, expected 0 to 255; if they were scaled before, \
                 the greys are lost: take the file as it was"
            ),
            Self::Inverted { table, border_mean } => write!(
                f,
                "{table}: the outermost pixels are bright ({border_mean:.0} of 255 on average), \
                 expected dark ones; if the writing is dark on bright paper, put 255 − value for \
                 each pixel, as networks trained on the one cannot read the other"
            ),
            Self::Sides {
                first,
                second,
                sides: [one, other],
            } => write!(
                f,
                "{second}: {other}×{other} images, but {first} has {one}×{one}; a network for the \
                 one cannot read the other"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
