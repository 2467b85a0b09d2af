//! Sets of images in memory.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::scaling::Scaling;
use crate::source::Source;
use crate::table::Table;
use crate::thousands::Thousands;

/// The pixels of a file, one byte each, shared by all sets and items made from it.
struct Pixels {
    /// `images × side × side` bytes, each image from the top left, line by line.
    bytes: Vec<u8>,
    side: usize,
}

impl Pixels {
    fn image(&self, row: u32) -> &[u8] {
        let size = self.side * self.side;
        &self.bytes[row as usize * size..][..size]
    }
}

/// One image of a set. Cloning it does not copy pixels.
#[derive(Clone)]
pub struct Image {
    all: Arc<Pixels>,
    row: u32,
}

impl Image {
    /// `side × side` pixels from the top left, line by line. Kaggle's digits have 0 for the
    /// background and 255 for full ink.
    pub fn pixels(&self) -> &[u8] {
        self.all.image(self.row)
    }

    /// Height and width in pixels.
    pub fn side(&self) -> usize {
        self.all.side
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({0}×{0}, row {1})", self.side(), self.row)
    }
}

/// An image and its class.
#[derive(Clone, Debug)]
pub struct LabelledImage {
    /// The image.
    pub image: Image,
    /// Its class, from 0 to the number of classes − 1.
    pub label: u8,
}

/// An image whose class is to be found.
#[derive(Clone, Debug)]
pub struct UnlabelledImage {
    /// The image.
    pub image: Image,
    /// Its number in the file, counted from 1: Kaggle's `ImageId`.
    pub id: u32,
}

/// Images with labels, in a fixed order: a whole file or a part of it.
///
/// Cloning it, or taking a part, does not copy pixels.
#[derive(Clone)]
pub struct LabelledImages {
    pixels: Arc<Pixels>,
    labels: Arc<[u8]>,
    /// Rows of the file in the order of the set.
    rows: Arc<[u32]>,
    classes: usize,
    source: Source,
}

impl LabelledImages {
    /// A set of images in memory: `labels.len() × side × side` pixels, each image from the top
    /// left, line by line.
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
        let table = Table {
            pixels,
            labels,
            side,
        };
        Ok(Self::from_table(table, Source::Memory))
    }

    pub(crate) fn from_table(table: Table, source: Source) -> Self {
        let classes = table
            .labels
            .iter()
            .max()
            .map_or(0, |&label| usize::from(label) + 1);
        Self {
            pixels: Arc::new(Pixels {
                bytes: table.pixels,
                side: table.side,
            }),
            rows: (0..table.labels.len() as u32).collect(),
            labels: table.labels.into(),
            classes,
            source,
        }
    }

    /// The number of classes; labels are smaller than it. A part has those of the whole.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Height and width of an image in pixels.
    pub fn side(&self) -> usize {
        self.pixels.side
    }

    /// Where the images come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The labels in the order of the set.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = u8> {
        self.rows.iter().map(|&row| self.labels[row as usize])
    }

    /// The rows of the file that make up the set, in its order, counted from 0.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Mean and standard deviation of the set's pixels.
    pub fn scaling(&self) -> Scaling {
        Scaling::of(self.iter_pixels())
    }

    /// The number of images that have the pixels of one before them, whatever their labels.
    pub fn copies(&self) -> usize {
        let mut seen = HashSet::with_capacity(self.rows.len());
        self.iter_pixels()
            .filter(|pixels| !seen.insert(*pixels))
            .count()
    }

    /// SHA-256 of side, number of images, labels and pixels, in hexadecimal digits: two sets with
    /// equal fingerprints hold the same images in the same order.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update((self.side() as u64).to_le_bytes());
        hash.update((self.rows.len() as u64).to_le_bytes());
        for label in self.labels() {
            hash.update([label]);
        }
        for image in self.iter_pixels() {
            hash.update(image);
        }
        files::hex(&hash.finalize())
    }

    /// How many of the images are, pixel by pixel, in one of the `others` too.
    pub fn shared_with(&self, others: &[Self]) -> usize {
        let of_others: HashSet<&[u8]> = others.iter().flat_map(Self::iter_pixels).collect();
        self.iter_pixels()
            .filter(|image| of_others.contains(image))
            .count()
    }

    fn iter_pixels(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().map(|&row| self.pixels.image(row))
    }

    /// So many images, evenly from the whole set; all of them if there are no more.
    pub fn sample(&self, count: usize) -> Self {
        let all = self.rows.len();
        let count = count.min(all);
        self.select((0..count).map(|place| (place * all / count) as u32))
    }

    /// The part of the set at these indices, in their order.
    ///
    /// # Panics
    ///
    /// If an index is not smaller than the number of images.
    pub(crate) fn select(&self, indices: impl IntoIterator<Item = u32>) -> Self {
        let rows = indices.into_iter().map(|index| self.rows[index as usize]);
        Self {
            rows: rows.collect(),
            ..self.clone()
        }
    }

    /// Pixels and labels of the images at these indices, copied one after the other.
    pub(crate) fn gather(&self, indices: &[u32]) -> (Vec<u8>, Vec<u8>) {
        let rows = indices.iter().map(|&index| self.rows[index as usize]);
        (
            gather(&self.pixels, rows.clone()),
            rows.map(|row| self.labels[row as usize]).collect(),
        )
    }
}

impl Dataset<LabelledImage> for LabelledImages {
    fn get(&self, index: usize) -> Result<LabelledImage, DatasetError> {
        let row = self.rows[index];
        Ok(LabelledImage {
            image: Image {
                all: self.pixels.clone(),
                row,
            },
            label: self.labels[row as usize],
        })
    }

    fn len(&self) -> usize {
        self.rows.len()
    }
}

impl LabelledImages {
    /// Share of the images that have the commonest label, 0 to 1; `None` of no image.
    pub fn commonest_class_share(&self) -> Option<f64> {
        let most = self.class_counts().into_iter().max()?;
        Some(f64::from(most) / self.rows.len() as f64)
    }

    /// What one image of the rarest class that is there changes in balanced accuracy, the mean over these classes of
    /// the share classified correctly; 0 to 1. `None` of no image.
    pub fn balanced_accuracy_step(&self) -> Option<f64> {
        let counts = self.class_counts();
        let fewest = counts.iter().copied().min()?;
        Some(1.0 / (counts.len() as f64 * f64::from(fewest)))
    }

    /// How many images have each label, of those that are there.
    fn class_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; 256];
        for label in self.labels() {
            counts[usize::from(label)] += 1;
        }
        counts.retain(|&count| count > 0);
        counts
    }
}

impl fmt::Display for LabelledImages {
    /// One line that says what the images are and where they come from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = Thousands(self.rows.len());
        match &self.source {
            Source::BuiltIn { named: false } => write!(
                f,
                "no train.csv in data/: training on {count} built-in digits drawn by this program; \
                 for the real ones run `trainer data fetch`, or put Kaggle's digit-recognizer.zip \
                 into data/"
            ),
            source => write!(
                f,
                "{source}: {count} labelled {side}×{side} image{}, {} class{}",
                if self.rows.len() == 1 { "" } else { "s" },
                self.classes,
                if self.classes == 1 { "" } else { "es" },
                side = self.side(),
            ),
        }
    }
}

impl fmt::Debug for LabelledImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LabelledImages({self})")
    }
}

/// Images without labels, in the order of their file.
///
/// Cloning it, or taking a part, does not copy pixels.
#[derive(Clone)]
pub struct UnlabelledImages {
    pixels: Arc<Pixels>,
    /// The images of the file that make up the set.
    rows: Range<u32>,
    source: Source,
}

impl UnlabelledImages {
    pub(crate) fn from_table(table: Table, source: Source) -> Self {
        let rows = 0..(table.pixels.len() / (table.side * table.side)) as u32;
        Self {
            pixels: Arc::new(Pixels {
                bytes: table.pixels,
                side: table.side,
            }),
            rows,
            source,
        }
    }

    /// Height and width of an image in pixels.
    pub fn side(&self) -> usize {
        self.pixels.side
    }

    /// Where the images come from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Mean and standard deviation of the set's pixels.
    pub fn scaling(&self) -> Scaling {
        let size = self.side() * self.side();
        let range = self.rows.start as usize * size..self.rows.end as usize * size;
        Scaling::of(std::iter::once(&self.pixels.bytes[range]))
    }

    /// The images of the set from `range.start` to before `range.end`.
    pub(crate) fn select(&self, range: Range<u32>) -> Self {
        let first = self.rows.start;
        Self {
            rows: first + range.start..first + range.end,
            ..self.clone()
        }
    }

    /// The row of the file, from 0, that the image at `index` comes from.
    pub(crate) fn row_of(&self, index: u32) -> u32 {
        self.rows.start + index
    }

    /// Pixels of the images at these indices, copied one after the other.
    pub(crate) fn gather(&self, indices: &[u32]) -> Vec<u8> {
        let rows = indices.iter().map(|&index| self.rows.start + index);
        gather(&self.pixels, rows)
    }
}

impl Dataset<UnlabelledImage> for UnlabelledImages {
    fn get(&self, index: usize) -> Result<UnlabelledImage, DatasetError> {
        assert!(index < self.len(), "index {index} of {} images", self.len());
        let row = self.rows.start + index as u32;
        Ok(UnlabelledImage {
            image: Image {
                all: self.pixels.clone(),
                row,
            },
            id: row + 1,
        })
    }

    fn len(&self) -> usize {
        self.rows.len()
    }
}

impl fmt::Display for UnlabelledImages {
    /// One line that says what the images are and where they come from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, count, side) = (&self.source, Thousands(self.rows.len()), self.side());
        write!(f, "{source}: {count} unlabelled {side}×{side} images")
    }
}

impl fmt::Debug for UnlabelledImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnlabelledImages({self})")
    }
}

fn gather(pixels: &Pixels, rows: impl ExactSizeIterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * pixels.side * pixels.side);
    for row in rows {
        bytes.extend_from_slice(pixels.image(row));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> LabelledImages {
        LabelledImages::new((0..12).collect(), vec![1, 0, 1], 2).unwrap()
    }

    #[test]
    fn images_of_other_sets_are_recognised() {
        let images = three();
        let same_and_another = vec![8, 9, 10, 11, 0, 1, 2, 4];
        let other = LabelledImages::new(same_and_another, vec![0, 0], 2).unwrap();
        assert_eq!(images.shared_with(std::slice::from_ref(&other)), 1);
        assert_eq!(images.shared_with(&[other, images.select([0, 2])]), 2);
        assert_eq!(
            images
                .select([1])
                .shared_with(std::slice::from_ref(&images)),
            1
        );
        assert_eq!(images.shared_with(&[]), 0);
    }

    #[test]
    fn items_are_rows_of_the_set() {
        let part = three().select([2, 0]);
        assert_eq!(part.len(), 2);
        assert_eq!(part.rows(), [2, 0]);
        let item = part.get(0).unwrap();
        assert_eq!(
            (item.image.pixels(), item.label),
            ([8, 9, 10, 11].as_slice(), 1)
        );
        assert_eq!(
            part.select([1]).get(0).unwrap().image.pixels(),
            [0, 1, 2, 3]
        );
        assert_eq!(part.gather(&[1, 0]).0, [0, 1, 2, 3, 8, 9, 10, 11]);
    }

    #[test]
    fn one_image_counts_by_the_size_of_its_class() {
        let of = |labels: &[u8]| LabelledImages::new(vec![0; labels.len()], labels.to_vec(), 1);
        let images = of(&[1, 1, 1, 2, 4, 4]).unwrap();
        assert_eq!(images.commonest_class_share(), Some(0.5));
        // Three classes, the rarest of one image.
        assert_eq!(images.balanced_accuracy_step(), Some(1.0 / 3.0));
        assert_eq!(
            of(&[0, 0, 1, 1]).unwrap().balanced_accuracy_step(),
            Some(0.25)
        );
        assert_eq!(images.select([]).balanced_accuracy_step(), None);
        assert_eq!(images.select([]).commonest_class_share(), None);
    }

    #[test]
    fn lengths_must_fit() {
        for (pixels, labels, side) in [(11, 3, 2), (0, 0, 2), (0, 3, 0)] {
            let error = LabelledImages::new(vec![0; pixels], vec![0; labels], side).unwrap_err();
            assert!(matches!(error, Error::Shape { .. }));
        }
    }

    #[test]
    fn a_set_describes_itself() {
        let mut images = LabelledImages::new(vec![0; 1_234_567], vec![0; 1_234_567], 1).unwrap();
        assert_eq!(
            images.to_string(),
            "images in memory: 1,234,567 labelled 1×1 images, 1 class"
        );
        images.source = Source::BuiltIn { named: false };
        assert!(
            images
                .to_string()
                .contains("training on 1,234,567 built-in digits")
        );
        images.source = Source::BuiltIn { named: true };
        assert!(images.to_string().starts_with("built-in digits: 1,234,567"));
    }

    /// The same bytes hashed by `sha256sum`: side 2 and count 3 as 64-bit little-endian numbers,
    /// three labels, twelve pixels.
    #[test]
    fn fingerprint_is_sha_256() {
        assert_eq!(
            three().fingerprint(),
            "4707ce449010b449a4f79d4fd8b564a942d5f78bb17ebac668f2b4ca2bb81de1"
        );
        assert_ne!(
            three().fingerprint(),
            three().select([0, 2, 1]).fingerprint()
        );
    }
}
