//! Images of handwritten digits: from Kaggle's files to batches on a device.
//!
//! The data take this path, file by file:
//!
//! 1. `source` finds a CSV file, plain, compressed or in Kaggle's archive, and opens it;
//! 2. `table` decodes it into bytes, and refuses what is wrong in one line ([`Error`]);
//! 3. `images` holds the bytes, once, and hands out sets of them ([`LabelledImages`],
//!    [`UnlabelledImages`]), which are Burn datasets;
//! 4. `split` sets some of the labelled images apart for validation ([`Split`]);
//! 5. `scaling` takes mean and standard deviation of the training images ([`Scaling`]);
//! 6. `loader` goes through the images in the order of the epoch ([`EpochLoader`]);
//! 7. `batch` brings the bytes of a batch to the device and standardises them there
//!    ([`LabelledBatch`], [`ImageBatch`]).
//!
//! Where there is no file, `builtin` draws digits. `check` says what is in a file, and what of it would
//! spoil a result ([`check()`]); `convert` makes such files of other tables ([`Conversion`]).
//!
//! Every random choice comes from the `seed` crate: nothing depends on the machine, on the number
//! of threads or on what was drawn before. Training never opens the file of unlabelled images.

mod batch;
mod builtin;
mod check;
mod convert;
mod error;
mod gzip;
mod image_table;
mod images;
mod loader;
mod other_kind;
mod pixel_histogram;
mod scaling;
mod source;
mod split;
mod table;
mod thousands;

use std::ops::Range;
use std::path::Path;

pub use batch::{ImageBatch, ImageSet, LabelledBatch};
pub use check::{Description, Report, Shared, Warning, check};
pub use convert::{ColourOrder, Colours, Conversion, ConvertError, Converted, class_names};
pub use error::{Error, Found, Place};
pub use image_table::ImageTable;
pub use images::{Image, LabelledImage, LabelledImages, UnlabelledImage, UnlabelledImages};
pub use loader::{EpochLoader, epoch_order};
pub use scaling::Scaling;
pub use source::{
    FOLDER, Source, archive_beside, has_archived_test_images, has_test_images, shadowed,
};
pub use split::{Fractions, Split};
pub use thousands::Thousands;

use table::{Labels, Table};

/// The number of built-in digits that stand in for Kaggle's `train.csv`: as many as it has.
pub const BUILT_IN_COUNT: usize = mnist::TRAINING_ROWS;

/// What [`training_images`] takes in place of a path for the built-in digits, files or not.
pub const BUILT_IN: &str = "built-in";

/// The built-in digits are one data set, the same in every run.
const BUILT_IN_SEED: u64 = 0;

/// The labelled images to train on.
///
/// `data` names a file or a folder; without it, the folder [`FOLDER`] is searched, and if it has no
/// labelled images, the program draws [`BUILT_IN_COUNT`] digits. In a folder, `train.csv`,
/// `train.csv.gz` and `digit-recognizer.zip` are looked for. [`BUILT_IN`] names the digits themselves. The
/// set's `Display` says in one line what was taken.
///
/// # Errors
///
/// Any of [`Error`]: the file or folder named by `data` cannot be had, or a file is not as it
/// should be.
pub fn training_images(data: Option<&Path>) -> Result<LabelledImages, Error> {
    labelled_images(data, Labels::Required)
}

/// The labelled images to score networks on, of which some classes may be missing; else as
/// [`training_images`].
///
/// # Errors
///
/// As of [`training_images`].
pub fn evaluation_images(data: Option<&Path>) -> Result<LabelledImages, Error> {
    labelled_images(data, Labels::Partial)
}

fn labelled_images(data: Option<&Path>, labels: Labels) -> Result<LabelledImages, Error> {
    if data == Some(Path::new(BUILT_IN)) {
        return Ok(built_in_images(0..BUILT_IN_COUNT));
    }
    match source::find_labelled(data)? {
        Some(path) => {
            let table = source::read_file(&path, labels)?;
            Ok(LabelledImages::from_table(table, Source::File(path)))
        }
        None => Ok(LabelledImages::from_table(
            built_in_table(0..BUILT_IN_COUNT),
            Source::BuiltIn { named: false },
        )),
    }
}

/// Digits of the built-in set, which has no end, those with these indices; 28×28 pixels and ten classes.
/// [`training_images`] takes the first [`BUILT_IN_COUNT`] of them.
pub fn built_in_images(indices: Range<usize>) -> LabelledImages {
    LabelledImages::from_table(built_in_table(indices), Source::BuiltIn { named: true })
}

fn built_in_table(indices: Range<usize>) -> Table {
    let (pixels, labels) = builtin::draw_set(BUILT_IN_SEED, indices);
    Table {
        pixels,
        labels,
        side: builtin::SIDE,
    }
}

/// The unlabelled images to classify.
///
/// `data` names a file or a folder; without it, the folder [`FOLDER`] is searched. In a folder,
/// `test.csv`, `test.csv.gz` and `digit-recognizer.zip` are looked for.
///
/// # Errors
///
/// Any of [`Error`]: there is no such file, or it is not as it should be.
pub fn test_images(data: Option<&Path>) -> Result<UnlabelledImages, Error> {
    let path = source::find_unlabelled(data)?;
    let table = source::read_file(&path, Labels::Absent)?;
    Ok(UnlabelledImages::from_table(table, Source::File(path)))
}

/// All tables of images that `data` names, labelled or not, whose labels may have gaps: one of a CSV file, up to
/// two of a folder or of Kaggle's archive. Without `data`, those in the folder [`FOLDER`], or else the built-in digits,
/// which [`BUILT_IN`] names.
///
/// # Errors
///
/// Any of [`Error`]: there is no table, or one is not as it should be.
pub fn tables(data: Option<&Path>) -> Result<Vec<ImageTable>, Error> {
    each_table(data).into_iter().collect()
}

/// At least one element: as [`tables`], but what is wrong with one of them does not keep another from being read.
pub fn each_table(data: Option<&Path>) -> Vec<Result<ImageTable, Error>> {
    let folder = Path::new(FOLDER);
    let read = match data {
        Some(named) if named != Path::new(BUILT_IN) => source::read_all(named),
        None if source::has_table(folder) => source::read_all(folder),
        _ => vec![Ok((
            Source::BuiltIn { named: true }.to_string(),
            built_in_table(0..BUILT_IN_COUNT),
        ))],
    };
    read.into_iter()
        .map(|read| read.map(|(name, table)| ImageTable::from_table(name, table)))
        .collect()
}
