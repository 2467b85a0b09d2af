//! The images of one file, as they are there.

use std::fmt;

use crate::error::Error;
use crate::table::Table;

/// The images of one table, as they are in the file, labelled or not.
pub struct ImageTable {
    pub(crate) name: String,
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

    /// The label of the image with this index, if there are labels.
    pub(crate) fn label(&self, index: usize) -> Option<u8> {
        self.table.labels.get(index).copied()
    }
}

impl fmt::Debug for ImageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageTable({:?}, {})", self.name, self.images().len())
    }
}
