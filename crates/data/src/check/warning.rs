//! What would spoil a result.

use std::fmt;

use serde::Serialize;

use crate::thousands::Thousands;

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
    /// A label is used, but not all smaller ones.
    LabelGap {
        /// The table's name.
        table: String,
        /// The labels that are not.
        missing: Vec<u8>,
        /// The largest label.
        largest: u8,
        /// What to do to train on the table.
        remedy: String,
    },
    /// Classes with few images.
    FewImages {
        /// The table's name.
        table: String,
        /// The classes, each with its number of images.
        classes: Vec<(u8, usize)>,
    },
    /// More than half of the images are of one class.
    DominantClass {
        /// The table's name.
        table: String,
        /// The class.
        class: u8,
        /// Its share of the images, 0 to 1.
        share: f64,
    },
    /// All images have the same label.
    OneClass {
        /// The table's name.
        table: String,
        /// The label.
        class: u8,
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
    /// The images seem to be in colour, with an alpha that is the same everywhere.
    Alpha {
        /// The table's name.
        table: String,
        /// Alpha.
        alpha: u8,
        /// Whether all pixels' alpha lies behind all pixels' blue, not each pixel's behind its own.
        in_planes: bool,
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
    /// The largest pixels of two tables are far apart.
    Ranges {
        /// The name of the table with the brighter images.
        bright: String,
        /// The name of the other.
        dark: String,
        /// The largest pixel of each.
        largest: [u8; 2],
    },
}

/// How many classes are named before the rest is only counted.
const SHOWN: usize = 5;

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
            Self::LabelGap {
                table,
                missing,
                largest,
                remedy,
            } => {
                let label = |label: &u8| label.to_string();
                let shown: Vec<_> = missing.iter().take(SHOWN).map(label).collect();
                write!(f, "{table}: no image has the label {}", shown.join(", "))?;
                if let more @ 1.. = missing.len().saturating_sub(SHOWN) {
                    write!(f, " and {more} more")?;
                }
                write!(
                    f,
                    ", though the labels go up to {largest}; to train on the file, {remedy}; to evaluate on it, leave \
                     them as they are, if they mean the same as in training"
                )
            }
            Self::FewImages { table, classes } => {
                write!(f, "{table}: few images of ")?;
                for (index, (class, count)) in classes.iter().take(SHOWN).enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}class {class} ({})", Thousands(*count))?;
                }
                if let more @ 1.. = classes.len().saturating_sub(SHOWN) {
                    write!(f, " and {more} more classes")?;
                }
                f.write_str("; they will be read badly, and scores of them say little")
            }
            Self::DominantClass {
                table,
                class,
                share,
            } => write!(
                f,
                "{table}: {:.1} % of the images are of class {class}; a network that always says so has \
                 that accuracy: compare with it, not with 0",
                100.0 * share
            ),
            Self::OneClass { table, class } => write!(
                f,
                "{table}: all images have the label {class}; there is nothing to tell apart"
            ),
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
                 the greys are lost: take the file as it was; black and white is made of 0 and 1 by \
                 `trainer data convert`"
            ),
            Self::Inverted { table, border_mean } => write!(
                f,
                "{table}: the outermost pixels are bright ({border_mean:.0} of 255 on average), \
                 expected dark ones; if the writing is dark on bright paper, put 255 − value for \
                 each pixel (`trainer data convert --range 255 0` does), as networks trained on the one cannot read the other"
            ),
            Self::Alpha {
                table,
                alpha,
                in_planes,
            } => {
                let (which, order) = match in_planes {
                    true => ("the last quarter of the pixels", "planes"),
                    false => ("every fourth pixel", "pixels"),
                };
                write!(
                    f,
                    "{table}: {which} is {alpha} in all images, as where they are in colour with alpha; then `trainer data \
                     convert --rgba {order}` makes them grey"
                )
            }
            Self::Ranges {
                bright,
                dark,
                largest: [bright_one, dark_one],
            } => write!(
                f,
                "{dark}: no pixel is larger than {dark_one}, but {bright} has them up to {bright_one}; a network for the one \
                 cannot read the other: `trainer data convert --range 0 {dark_one}` makes {dark_one} full ink"
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
