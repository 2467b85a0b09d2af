//! From the network to files like Kaggle's.

use std::fs;
use std::path::PathBuf;

use crate::digits::Digits;
use crate::download::{Download, Observer};
use crate::error::Error;
use crate::split::Split;
use crate::table::{Existing, Unpublished, may_write};

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
    /// Images with labels, to train on.
    pub train: PathBuf,
    /// Images without labels, to predict.
    pub test: PathBuf,
    /// The labels of `test`, in the form of a submission. Training and prediction do not look at
    /// them; they are there to score predictions with.
    pub test_labels: PathBuf,
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
        let [train, test, test_labels] =
            ["train.csv", "test.csv", "test-labels.csv"].map(|name| self.folder.join(name));
        for path in [&train, &test, &test_labels] {
            may_write(path, self.existing)?;
        }
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
        let (side, existing) = (digits.side(), self.existing);
        let label = |&index: &u32| digits.labels()[index as usize];
        let image = |&index: &u32| digits.image(index as usize);
        check()?;
        let rows = split.training.iter();
        let rows = rows.map(|index| (Some(label(index)), image(index)));
        let new_train = Unpublished::images(&train, side, existing, true, rows)?;
        check()?;
        let rows = split.test.iter().map(|index| (None, image(index)));
        let new_test = Unpublished::images(&test, side, existing, false, rows)?;
        let labels = split.test.iter().map(label);
        let new_labels = Unpublished::submission(&test_labels, existing, labels)?;
        check()?;
        for file in [new_labels, new_test, new_train] {
            file.publish()?;
        }
        Ok(Fetched {
            train,
            test,
            test_labels,
            training_rows: split.training.len(),
            test_rows: split.test.len(),
        })
    }
}
