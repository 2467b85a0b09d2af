//! Where images come from: finding and opening files.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use zip::ZipArchive;

use crate::error::Error;
use crate::table::{self, Labels, Table};

/// The folder that is searched below the current one when no other is named.
pub const FOLDER: &str = "data";

/// Kaggle's archive, as the site names it.
const ARCHIVE: &str = "digit-recognizer.zip";

/// Where a set of images comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A CSV file, plain or compressed with gzip, or a zip archive that holds one.
    File(PathBuf),
    /// The digits that this program draws.
    BuiltIn,
    /// Arrays handed over by the program.
    Memory,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::BuiltIn => f.write_str("built-in digits"),
            Self::Memory => f.write_str("images in memory"),
        }
    }
}

/// The table of labelled images that `data` names. Without `data`, that in [`FOLDER`], if any.
pub(crate) fn find_labelled(data: Option<&Path>) -> Result<Option<PathBuf>, Error> {
    match data {
        Some(named) => find(named, Labels::Required).map(Some),
        None => Ok(find_in_folder(Path::new(FOLDER), Labels::Required)),
    }
}

/// The table of unlabelled images that `data` names, or else the one in [`FOLDER`].
pub(crate) fn find_unlabelled(data: Option<&Path>) -> Result<PathBuf, Error> {
    let folder = Path::new(FOLDER);
    match data {
        Some(named) => find(named, Labels::Absent),
        None => find_in_folder(folder, Labels::Absent)
            .ok_or_else(|| not_in_folder(folder, Labels::Absent)),
    }
}

/// The file that is named, or the table in the folder that is named.
fn find(named: &Path, labels: Labels) -> Result<PathBuf, Error> {
    if !named.is_dir() {
        return Ok(named.to_path_buf());
    }
    find_in_folder(named, labels).ok_or_else(|| not_in_folder(named, labels))
}

fn not_in_folder(folder: &Path, labels: Labels) -> Error {
    let [plain, gzip, zip] = file_names(labels);
    Error::NotInFolder {
        folder: folder.display().to_string(),
        expected: format!("{plain}, {gzip} or {zip}"),
        archive: ARCHIVE,
    }
}

fn find_in_folder(folder: &Path, labels: Labels) -> Option<PathBuf> {
    file_names(labels)
        .map(|name| folder.join(name))
        .into_iter()
        .find(|path| path.is_file())
}

/// The files that may hold a table, the first one found being taken.
fn file_names(labels: Labels) -> [&'static str; 3] {
    match labels {
        Labels::Required => ["train.csv", "train.csv.gz", ARCHIVE],
        Labels::Absent => ["test.csv", "test.csv.gz", ARCHIVE],
    }
}

/// Reads the table in a file. The format goes by the file's first bytes, not by its name.
pub(crate) fn read_file(path: &Path, labels: Labels) -> Result<Table, Error> {
    let file = path.display().to_string();
    let open_error = |cause| Error::Open {
        file: file.clone(),
        cause,
    };
    let mut opened = File::open(path).map_err(open_error)?;
    let mut start = Vec::new();
    opened
        .by_ref()
        .take(4)
        .read_to_end(&mut start)
        .map_err(open_error)?;
    opened.rewind().map_err(open_error)?;

    match start.as_slice() {
        [0x1f, 0x8b, ..] => {
            let mut reader = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, opened));
            table::read(&mut reader, &file, labels, table::WINDOW)
        }
        b"PK\x03\x04" | b"PK\x05\x06" => read_archive(opened, &file, labels),
        _ => table::read(&mut opened, &file, labels, table::WINDOW),
    }
}

fn read_archive(opened: File, file: &str, labels: Labels) -> Result<Table, Error> {
    let archive_error = |cause| Error::Archive {
        file: file.into(),
        cause,
    };
    let mut archive =
        ZipArchive::new(BufReader::with_capacity(1 << 16, opened)).map_err(archive_error)?;
    let [expected, ..] = file_names(labels);
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.map(|name| name.into_owned()))
        .collect::<Result<_, _>>()
        .map_err(archive_error)?;
    // The table may lie in a folder of the archive.
    let Some(name) = names
        .iter()
        .filter(|name| name.rsplit('/').next() == Some(expected))
        .min_by_key(|name| name.len())
    else {
        return Err(Error::NotInArchive {
            file: file.into(),
            found: list(&names),
            expected,
        });
    };
    let mut reader = archive.by_name(name).map_err(archive_error)?;
    table::read(
        &mut reader,
        &format!("{file}/{name}"),
        labels,
        table::WINDOW,
    )
}

/// A readable list of names, cut after the first few.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names {
        [] => "no files".into(),
        [..] if names.len() > SHOWN => {
            format!("{:?} and {} more", &names[..SHOWN], names.len() - SHOWN)
        }
        _ => format!("{names:?}"),
    }
}
