//! What is in a table of images, and what of it would spoil a result.

mod warning;

use std::collections::HashMap;

use serde::Serialize;

use crate::image_table::ImageTable;
use crate::pixel_histogram::PixelHistogram;
use crate::table::remedy_for_gap;
pub use warning::Warning;

/// A class with fewer images than this cannot be learned or scored: of a tenth held out for
/// validation, it has one or none.
const FEWEST: usize = 20;

/// A class is rare when it has less than this share of what it would have if all had equally many.
const RARE: f64 = 0.1;

/// A class dominates when it has more than half of the images, and more than this many times what it
/// would have if all had equally many.
const DOMINANT: f64 = 1.5;

/// The mean of the outermost pixels above which a background counts as bright: half the range.
const BRIGHT: f64 = 127.5;

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
    /// The number of images of each class, if there are labels; 0 where a smaller class is missing.
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
        for (place, (first, places)) in tables[..index].iter().zip(&places).enumerate() {
            warnings.extend(sides(first, second));
            warnings.extend(ranges(&descriptions[place], &descriptions[index]));
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
    let pixels = PixelHistogram::new(table.images().flatten());
    let side = table.side();
    let border = PixelHistogram::new(table.images().flat_map(|image| border(image, side)));
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

/// That the table may be of colours with alpha: of as many values as an image of twice the height and width has, every
/// fourth one, or the last quarter, is the same in all images, where others differ.
fn alpha(table: &ImageTable) -> Option<Warning> {
    let size = table.side() * table.side();
    if !size.is_multiple_of(4) || size < SMALLEST_IN_COLOUR {
        return None;
    }
    let alpha = table.image(0)[size - 1];
    let is_alpha = |image: &[u8], in_planes: bool| {
        let mut places = image.iter().enumerate();
        places.all(|(place, &pixel)| {
            let is_place = if in_planes {
                4 * place >= 3 * size
            } else {
                place % 4 == 3
            };
            !is_place || pixel == alpha
        })
    };
    let differ = |image: &[u8]| image.iter().any(|&pixel| pixel != alpha);
    let in_planes = [false, true]
        .into_iter()
        .find(|&in_planes| table.images().all(|image| is_alpha(image, in_planes)))?;
    (alpha > 0 && table.images().any(differ)).then(|| Warning::Alpha {
        table: table.name.clone(),
        alpha,
        in_planes,
    })
}

/// Values of the smallest images that are taken for ones in colour with alpha: 4×4 pixels.
const SMALLEST_IN_COLOUR: usize = 4 * 4 * 4;

/// The outermost pixels of an image.
fn border(image: &[u8], side: usize) -> impl Iterator<Item = &u8> {
    image.iter().enumerate().filter_map(move |(index, pixel)| {
        let outermost = |place: usize| place == 0 || place + 1 == side;
        (outermost(index / side) || outermost(index % side)).then_some(pixel)
    })
}

fn warnings(table: &ImageTable, description: &Description) -> Vec<Warning> {
    let name = || description.name.clone();
    let mut warnings = Vec::new();
    // Pixels first: if they are wrong, the rest may follow from it.
    warnings.extend(alpha(table));
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
        warnings.extend(class_warnings(&description.name, classes));
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

fn class_warnings(table: &str, classes: &[usize]) -> Vec<Warning> {
    let name = || table.to_owned();
    let numbered = (0..=u8::MAX).zip(classes.iter().copied());
    let (missing, there): (Vec<_>, Vec<_>) = numbered.partition(|&(_, count)| count == 0);
    let mut warnings = Vec::new();
    if let Some(&(largest, _)) = there.last()
        && !missing.is_empty()
    {
        warnings.push(Warning::LabelGap {
            table: name(),
            missing: missing.into_iter().map(|(class, _)| class).collect(),
            largest,
            remedy: remedy_for_gap(there.iter().map(|&(class, _)| class.into())),
        });
    }
    if let [(class, _)] = there[..] {
        warnings.push(Warning::OneClass {
            table: name(),
            class,
        });
        return warnings;
    }
    let images: usize = classes.iter().sum();
    let equal = images as f64 / there.len() as f64;
    let numbered = there.into_iter();
    let is_dominant = |count: usize| 2 * count > images && count as f64 > DOMINANT * equal;
    if let Some((class, count)) = numbered.clone().find(|&(_, count)| is_dominant(count)) {
        warnings.push(Warning::DominantClass {
            table: name(),
            class,
            share: count as f64 / images as f64,
        });
    }
    let is_small = |count: usize| count < FEWEST || (count as f64) < RARE * equal;
    let few: Vec<(u8, usize)> = numbered.filter(|&(_, count)| is_small(count)).collect();
    if !few.is_empty() {
        warnings.push(Warning::FewImages {
            table: name(),
            classes: few,
        });
    }
    warnings
}

fn sides(first: &ImageTable, second: &ImageTable) -> Option<Warning> {
    let sides = [first.side(), second.side()];
    (sides[0] != sides[1]).then(|| Warning::Sides {
        first: first.name.clone(),
        second: second.name.clone(),
        sides,
    })
}

/// How many times as large the largest pixel of one of two tables may be as that of the other.
const MOST_OF_RANGES: f64 = 4.0;

fn ranges(first: &Description, second: &Description) -> Option<Warning> {
    let (dark, bright) = match first.largest < second.largest {
        true => (first, second),
        false => (second, first),
    };
    // Without anything above 1, the table is warned of by itself.
    let is_far = f64::from(bright.largest) >= MOST_OF_RANGES * f64::from(dark.largest);
    (dark.largest > 1 && is_far).then(|| Warning::Ranges {
        bright: bright.name.clone(),
        dark: dark.name.clone(),
        largest: [bright.largest, dark.largest],
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
            let is_there = |&i: &usize| first.label(i) == second.label(index);
            *count += usize::from(!group.iter().any(is_there));
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

#[cfg(test)]
mod tests;
