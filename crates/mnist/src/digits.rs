//! The images of a release, put together.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Problem};
use crate::idx::{read_images, read_labels};
use crate::release::{Release, RemoteFile};

/// Square grey-scale images and their classes, in a fixed order.
#[derive(Clone, PartialEq, Eq)]
pub struct Digits {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    side: usize,
}

impl Digits {
    /// Images in memory: `labels.len() × side × side` pixels, each image from the top left, line by
    /// line.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the lengths do not fit together or there is no image.
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>, side: usize) -> Result<Self, Error> {
        let expected = labels.len() * side * side;
        if pixels.len() != expected || expected == 0 {
            return Err(Error::Shape {
                pixels: pixels.len(),
                labels: labels.len(),
                expected,
                side,
            });
        }
        Ok(Self {
            pixels,
            labels,
            side,
        })
    }

    /// Reads the files of `release` in `folder`: the training images, then the test images.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if a file cannot be opened, [`Error::Idx`] if one is damaged or they do not
    /// fit together.
    pub fn read(release: &Release, folder: &Path) -> Result<Self, Error> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let mut side = None;
        for (image_file, label_file) in [
            (&release.training_images, &release.training_labels),
            (&release.test_images, &release.test_labels),
        ] {
            let (part, its_side) =
                open(folder, image_file).and_then(|(reader, file)| read_images(reader, &file))?;
            let expected = *side.get_or_insert(its_side);
            if its_side != expected {
                return Err(Error::Idx {
                    file: folder.join(&image_file.name).display().to_string(),
                    problem: Problem::Side {
                        rows: its_side as u32,
                        columns: its_side as u32,
                        expected: format!("{expected}×{expected} as in the other file"),
                    },
                });
            }
            let (reader, file) = open(folder, label_file)?;
            let its_labels = read_labels(reader, &file)?;
            let images = part.len() / (its_side * its_side);
            if its_labels.len() != images {
                return Err(Error::Idx {
                    file,
                    problem: Problem::Count {
                        labels: its_labels.len(),
                        images,
                    },
                });
            }
            pixels.extend(part);
            labels.extend(its_labels);
        }
        Self::new(pixels, labels, side.unwrap_or(0))
    }

    /// The number of images; at least 1.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Height and width of an image in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The classes, in the order of the images.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The pixels of an image from the top left, line by line, 0 for the background and 255 for
    /// full ink.
    ///
    /// # Panics
    ///
    /// If `index` is not smaller than the number of images.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.side * self.side;
        &self.pixels[index * size..][..size]
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits({} of {1}×{1} pixels)", self.len(), self.side)
    }
}

/// A file, decompressed, and its name for errors.
fn open(
    folder: &Path,
    file: &RemoteFile,
) -> Result<(MultiGzDecoder<BufReader<File>>, String), Error> {
    let path = folder.join(&file.name);
    let opened = File::open(&path).map_err(|cause| Error::Read {
        path: path.clone(),
        cause,
    })?;
    let reader = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, opened));
    Ok((reader, path.display().to_string()))
}
