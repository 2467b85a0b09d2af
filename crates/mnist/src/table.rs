//! CSV files in the form of Kaggle's.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::submission::SUBMISSION_COLUMNS;

/// What to do with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it as it is and fail with [`Error::Exists`].
    Keep,
    /// Put the new file in its place, at once and as a whole.
    Replace,
}

/// The name that Kaggle gives the table of labelled images, to train on.
pub const TRAIN: &str = "train.csv";

/// The name that Kaggle gives the table of unlabelled images, to predict.
pub const TEST: &str = "test.csv";

/// The name of the file with the answers to the test.
pub const TEST_LABELS: &str = "test-labels.csv";

/// The files of a set of images as Kaggle has them, and the answers to its test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFiles {
    /// Images with labels, to train on: a header `label,pixel0,pixel1,…`, then one row of integers for
    /// each image, its pixels from the top left, line by line.
    pub train: PathBuf,
    /// Images without labels, to predict: likewise, without the labels.
    pub test: PathBuf,
    /// The labels of `test`, in the form of a submission. Training and prediction do not look at
    /// them; they are there to score predictions with.
    pub test_labels: PathBuf,
}

impl SetFiles {
    /// `train.csv`, `test.csv` and `test-labels.csv`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            train: folder.join(TRAIN),
            test: folder.join(TEST),
            test_labels: folder.join(TEST_LABELS),
        }
    }

    /// Fails if one of them is there and must be kept.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`].
    pub fn may_write(&self, existing: Existing) -> Result<(), Error> {
        let files = [&self.train, &self.test, &self.test_labels];
        files
            .into_iter()
            .try_for_each(|path| may_write(path, existing))
    }

    /// Writes images of `side × side` pixels with their labels; where one of the paths is a link, to what it leads to.
    /// The files get their names together at the end, `train` as the last one. `check` is asked before each
    /// whether to go on. Answers to another test never stand beside `test`, even if the program is killed.
    ///
    /// # Errors
    ///
    /// That of `check`; [`Error::Exists`] if one is there and to be kept, [`Error::Write`] if one cannot be
    /// written, [`Error::RowLength`] if an image has not `side × side` pixels. There are no parts of files then,
    /// and no new ones but those that had got their names before another was refused its own.
    pub fn write<P: AsRef<[u8]>>(
        &self,
        side: usize,
        existing: Existing,
        training: impl Iterator<Item = (u8, P)>,
        test: impl Iterator<Item = (u8, P)> + Clone,
        check: impl Fn() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let [train_path, test_path, labels_path] =
            [&self.train, &self.test, &self.test_labels].map(|path| files::target(path));
        check()?;
        let rows = training.map(|(label, pixels)| (Some(label), pixels));
        let train_file = Unpublished::images(&train_path, side, existing, true, rows)?;
        check()?;
        let rows = test.clone().map(|(_, pixels)| (None, pixels));
        let test_file = Unpublished::images(&test_path, side, existing, false, rows)?;
        let labels = test.map(|(label, _)| label);
        let labels_file = Unpublished::submission(&labels_path, existing, labels)?;
        check()?;
        labels_file.publish_beside(test_file)?;
        train_file.publish()
    }
}

/// Writes classes as Kaggle wants them submitted: a header of the [`SUBMISSION_COLUMNS`], then the number of
/// each image, counted from 1, and its class.
///
/// # Errors
///
/// [`Error::Exists`] if `path` is there and to be kept, [`Error::Write`] if it cannot be written.
pub fn write_submission(
    path: &Path,
    existing: Existing,
    labels: impl IntoIterator<Item = u8>,
) -> Result<(), Error> {
    Unpublished::submission(&files::target(path), existing, labels)?.publish()
}

/// Writes images of `side × side` pixels as a table, with their labels or without; where `path` is a link, to what it
/// leads to. The first image that is an error ends it, and leaves no file.
///
/// # Errors
///
/// That of an image; [`Error::Exists`] if `path` is there and to be kept, [`Error::Write`] if it cannot be written,
/// [`Error::RowLength`] if an image has not `side × side` pixels.
pub fn write_images<P: AsRef<[u8]>, E: From<Error>>(
    path: &Path,
    side: usize,
    existing: Existing,
    labelled: bool,
    images: impl Iterator<Item = Result<(Option<u8>, P), E>>,
) -> Result<(), E> {
    let mut failure = None;
    let images = images.map_while(|image| image.map_err(|error| failure = Some(error)).ok());
    let file = Unpublished::images(&files::target(path), side, existing, labelled, images);
    match failure {
        Some(failure) => Err(failure),
        None => Ok(file?.publish()?),
    }
}

/// A file that is whole but not yet seen under its name. Without [`Unpublished::publish`] it is
/// removed.
struct Unpublished {
    path: PathBuf,
    hidden: PathBuf,
    existing: Existing,
    /// Locked, so that nobody takes it for abandoned; `None` while it is being written.
    opened: Option<File>,
}

impl Unpublished {
    fn images<P: AsRef<[u8]>>(
        path: &Path,
        side: usize,
        existing: Existing,
        labelled: bool,
        images: impl Iterator<Item = (Option<u8>, P)>,
    ) -> Result<Self, Error> {
        let size = side * side;
        Self::write(path, existing, |writer| {
            let label = labelled.then(|| "label".to_string());
            let pixels = (0..size).map(|pixel| format!("pixel{pixel}"));
            let header: Vec<String> = label.into_iter().chain(pixels).collect();
            writeln!(writer, "{}", header.join(","))?;
            let texts = texts();
            let mut line = Vec::new();
            for (row, (label, pixels)) in (1..).zip(images) {
                let pixels = pixels.as_ref();
                if pixels.len() != size {
                    return Err(Stop::Row {
                        row,
                        found: pixels.len(),
                        expected: size,
                    });
                }
                line.clear();
                for &value in label.iter().chain(pixels) {
                    line.extend_from_slice(texts[usize::from(value)].as_bytes());
                }
                // The last comma.
                line.pop();
                line.push(b'\n');
                writer.write_all(&line)?;
            }
            Ok(())
        })
    }

    fn submission(
        path: &Path,
        existing: Existing,
        labels: impl IntoIterator<Item = u8>,
    ) -> Result<Self, Error> {
        Self::write(path, existing, |writer| {
            writeln!(writer, "{}", SUBMISSION_COLUMNS.join(","))?;
            for (id, label) in (1_usize..).zip(labels) {
                writeln!(writer, "{id},{label}")?;
            }
            Ok(())
        })
    }

    fn write(
        path: &Path,
        existing: Existing,
        content: impl FnOnce(&mut BufWriter<File>) -> Result<(), Stop>,
    ) -> Result<Self, Error> {
        may_write(path, existing)?;
        let (hidden, opened) = files::create_partial(path).map_err(|cause| Error::Write {
            path: path.to_path_buf(),
            cause,
        })?;
        let mut file = Self {
            hidden,
            path: path.to_path_buf(),
            existing,
            opened: None,
        };
        let written = || -> Result<File, Stop> {
            let mut writer = BufWriter::with_capacity(1 << 16, opened);
            content(&mut writer)?;
            let opened = writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            // A file that is seen under its name is on the disk.
            opened.sync_all()?;
            Ok(opened)
        };
        match written() {
            Ok(opened) => {
                file.opened = Some(opened);
                Ok(file)
            }
            Err(Stop::Write(cause)) => Err(file.write_error(cause)),
            Err(Stop::Row {
                row,
                found,
                expected,
            }) => Err(Error::RowLength {
                path: path.to_path_buf(),
                row,
                found,
                expected,
            }),
        }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if another has taken the name since, [`Error::Write`] if the system
    /// refuses.
    fn publish(self) -> Result<(), Error> {
        may_write(&self.path, self.existing)?;
        files::publish(&self.hidden, &self.path).map_err(|cause| self.write_error(cause))
    }

    /// Gives these answers their name, and `test` its own before. What has the answers' name already does not
    /// meanwhile: it comes back if `test` is refused its name.
    ///
    /// # Errors
    ///
    /// As of [`Unpublished::publish`].
    fn publish_beside(self, test: Self) -> Result<(), Error> {
        may_write(&self.path, self.existing)?;
        let aside = files::hidden_path(&self.path, files::PARTIAL);
        let is_there = match fs::rename(&self.path, &aside) {
            Ok(()) => true,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => false,
            Err(cause) => return Err(self.write_error(cause)),
        };
        let published = test.publish();
        if !is_there {
            return published.and_then(|()| self.publish());
        }
        // Both are as good as can be: what failed already is told, and what is left is tidied up later.
        if published.is_err() {
            fs::rename(&aside, &self.path).ok();
            return published;
        }
        if let Ok(earlier) = fs::metadata(&aside) {
            fs::set_permissions(&self.hidden, earlier.permissions()).ok();
        }
        fs::remove_file(&aside).ok();
        self.publish()
    }

    fn write_error(&self, cause: io::Error) -> Error {
        Error::Write {
            path: self.path.clone(),
            cause,
        }
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        // After `publish` there is nothing to remove; otherwise something has failed already, and
        // that the leftover cannot be removed either adds nothing.
        let _ = fs::remove_file(&self.hidden);
    }
}

/// Why writing stopped.
enum Stop {
    Write(io::Error),
    Row {
        row: usize,
        found: usize,
        expected: usize,
    },
}

impl From<io::Error> for Stop {
    fn from(cause: io::Error) -> Self {
        Self::Write(cause)
    }
}

/// Fails if there is something that must be kept, or a folder, which no file can replace.
fn may_write(path: &Path, existing: Existing) -> Result<(), Error> {
    if existing == Existing::Replace && path.is_dir() {
        return Err(Error::Write {
            path: path.to_path_buf(),
            cause: io::ErrorKind::IsADirectory.into(),
        });
    }
    // A dangling link is there too: what it points to is not ours to create.
    if existing == Existing::Keep && path.symlink_metadata().is_ok() {
        return Err(Error::Exists {
            path: path.to_path_buf(),
        });
    }
    Ok(())
}

/// All values of a byte with a comma after them.
fn texts() -> Vec<String> {
    (0..=u8::MAX).map(|value| format!("{value},")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers to another test would be taken for those to this one.
    #[test]
    fn answers_never_stand_beside_another_test() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let submission = |name: &str, label| {
            Unpublished::submission(&path(name), Existing::Replace, [label]).unwrap()
        };
        let labels = path("labels.csv");
        for (name, label) in [("test.csv", 1), ("labels.csv", 1)] {
            submission(name, label).publish().unwrap();
        }
        let content = || fs::read_to_string(&labels).unwrap();
        let old = content();
        let test = submission("test.csv", 2);
        fs::remove_file(&test.hidden).unwrap();
        let error = submission("labels.csv", 2).publish_beside(test);
        assert!(matches!(error, Err(Error::Write { .. })));
        assert_eq!(content(), old);
        let test = submission("test.csv", 2);
        submission("labels.csv", 2).publish_beside(test).unwrap();
        assert_eq!(content(), "ImageId,Label\n1,2\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
