//! Kinds of files that people have images in, but that are no tables, told by their first bytes.

/// Such a kind.
pub(crate) struct OtherKind {
    /// What files of it begin with: at most four bytes.
    magic: &'static [u8],
    /// What it is called, with an article.
    pub(crate) kind: &'static str,
    /// What to do, as the end of a sentence.
    pub(crate) remedy: &'static str,
}

const PICTURE: &str = "write the pixels of all pictures into one table, a row for each";
pub(crate) const EXPORT: &str = "export it as CSV";
const IDX: &str = "write it as CSV, as `trainer data fetch` does with MNIST's";
const UNPACK: &str = "unpack it, or compress it with gzip or zip";

const KINDS: [OtherKind; 13] = [
    OtherKind::new(b"\x89PNG", "a picture (PNG)", PICTURE),
    OtherKind::new(b"\xff\xd8\xff", "a picture (JPEG)", PICTURE),
    OtherKind::new(b"GIF8", "a picture (GIF)", PICTURE),
    OtherKind::new(b"\x93NUM", "an array of NumPy", EXPORT),
    OtherKind::new(b"PAR1", "a Parquet file", EXPORT),
    OtherKind::new(b"\x89HDF", "an HDF5 file", EXPORT),
    OtherKind::new(b"\xd0\xcf\x11\xe0", "an old Excel workbook", EXPORT),
    OtherKind::new(b"\0\0\x08\x01", "labels in IDX form", IDX),
    OtherKind::new(b"\0\0\x08\x03", "images in IDX form", IDX),
    OtherKind::new(b"\xfd7zX", "a file compressed with xz", UNPACK),
    OtherKind::new(
        b"\x28\xb5\x2f\xfd",
        "a file compressed by Zstandard",
        UNPACK,
    ),
    OtherKind::new(b"BZh", "a file compressed with bzip2", UNPACK),
    OtherKind::new(b"7z\xbc\xaf", "an archive of 7-Zip", UNPACK),
];

impl OtherKind {
    const fn new(magic: &'static [u8], kind: &'static str, remedy: &'static str) -> Self {
        Self {
            magic,
            kind,
            remedy,
        }
    }

    /// The kind of a file with these first four bytes, if it is one of these.
    pub(crate) fn starting_with(start: &[u8]) -> Option<&'static Self> {
        KINDS.iter().find(|kind| start.starts_with(kind.magic))
    }
}
