//! From the network to files like Kaggle's.

use std::fs;
use std::path::PathBuf;

use crate::digits::Digits;
use crate::download::{Download, Observer};
use crate::error::Error;
use crate::split::Split;
use crate::table::{Existing, SetFiles};

/// The number of rows in Kaggle's `train.csv`.
pub const TRAINING_ROWS: usize = 42_000;

/// Everything that decides what [`Fetch::run`] does.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Where the original files come from and where they are kept.
    pub download: Download,
    /// The folder that `train.csv`, `test.csv` and `test-labels.csv` go to, created if need be.
    pub folder: PathBuf,
    /// The number of images in `train.csv`. The others go to `test.csv`.
    pub training_rows: usize,
    /// The seed of the split.
    pub seed: u64,
    /// What to do if one of the three files is there already.
    pub existing: Existing,
}

/// What [`Fetch::run`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The files.
    pub files: SetFiles,
    /// The number of images in `train`.
    pub training_rows: usize,
    /// The number of images in `test`.
    pub test_rows: usize,
}

impl Fetch {
    /// MNIST to `folder`, with as many rows as Kaggle's files have (42,000 and 28,000), by the split
    /// of seed 0, replacing nothing. The original files are kept in its subfolder `mnist`, 11.6 MB,
    /// so that another split needs no network.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self {
            download: Download::new(folder.join("mnist")),
            folder,
            training_rows: TRAINING_ROWS,
            seed: 0,
            existing: Existing::Keep,
        }
    }

    /// Downloads, splits and writes the three files, 128 MB for MNIST.
    ///
    /// They get their names together at the end, `train.csv` as the last one.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] before anything else if one of the three files is there and to be kept;
    /// those of [`Download::run`], [`Digits::read`], [`Split::new`]; [`Error::Write`].
    pub fn run(&self, observer: &mut dyn Observer) -> Result<Fetched, Error> {
        let files = SetFiles::in_folder(&self.folder);
        files.may_write(self.existing)?;
        self.download.run(observer)?;
        let digits = Digits::read(&self.download.release, &self.download.folder)?;
        let split = Split::new(digits.len(), self.training_rows, self.seed)?;

        fs::create_dir_all(&self.folder).map_err(|cause| Error::Write {
            path: self.folder.clone(),
            cause,
        })?;
        let check = || match observer.cancelled() {
            true => Err(Error::Cancelled),
            false => Ok(()),
        };
        let digit = |&index: &u32| {
            (
                digits.labels()[index as usize],
                digits.image(index as usize),
            )
        };
        files.write(
            digits.side(),
            self.existing,
            split.training.iter().map(digit),
            split.test.iter().map(digit),
            check,
        )?;
        Ok(Fetched {
            files,
            training_rows: split.training.len(),
            test_rows: split.test.len(),
        })
    }
}
