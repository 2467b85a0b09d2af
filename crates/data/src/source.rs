//! Where images come from: finding and opening files.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

use mnist::{TEST, TRAIN};
use zip::ZipArchive;
use zip::result::ZipResult;

use crate::error::Error;
use crate::gzip::GzipReader;
use crate::other_kind::{self, OtherKind};
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
    BuiltIn {
        /// Whether they were asked for, rather than taken as there were no others.
        named: bool,
    },
    /// Arrays handed over by the program.
    Memory,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::BuiltIn { .. } => f.write_str("built-in digits"),
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
        remedy: match folder == Path::new(FOLDER) {
            true => format!("put {ARCHIVE} there, get MNIST by `trainer data fetch`"),
            // Whoever names a folder has images.
            false => String::from("put one there"),
        },
        others: match other_tables(folder).as_slice() {
            [] => String::new(),
            names => format!("; found there: {}", list(names)),
        },
    }
}

/// The tables in `folder` that have none of Kaggle's names.
fn other_tables(folder: &Path) -> Vec<String> {
    let kaggles = [Labels::Required, Labels::Absent].map(file_names).concat();
    let mut names = tables_in(folder);
    names.retain(|name| !kaggles.contains(name));
    names
}

/// The names of CSV files and zip archives in `folder`, sorted. None where it cannot be read.
fn tables_in(folder: &Path) -> Vec<String> {
    let is_table = |name: &String| {
        let lower = name.to_lowercase();
        [".csv", ".csv.gz", ".zip"]
            .iter()
            .any(|ending| lower.ends_with(ending))
    };
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(is_table).collect();
    names.sort();
    names
}

fn find_in_folder(folder: &Path, labels: Labels) -> Option<PathBuf> {
    file_names(labels)
        .map(|name| folder.join(name))
        .into_iter()
        .find(|path| is_there(path))
}

/// Whether there is something that should be a table. What cannot be read is there too: whoever reads it
/// then says why not.
fn is_there(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(_) => !path.is_dir(),
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    }
}

/// Whether there is a table of unlabelled images in `folder`, or an archive that may hold one.
pub fn has_test_images(folder: &Path) -> bool {
    find_in_folder(folder, Labels::Absent).is_some()
}

/// Whether there is a table in `folder`, labelled or not.
pub(crate) fn has_table(folder: &Path) -> bool {
    [Labels::Required, Labels::Absent]
        .iter()
        .any(|&labels| find_in_folder(folder, labels).is_some())
}

/// The files of `folder` that are not looked at, because of another that comes first: an archive
/// beside `train.csv` and `test.csv`, or a compressed file beside the plain one.
pub fn shadowed(folder: &Path) -> Vec<PathBuf> {
    // Kaggle's archive is in use as long as one of its tables is.
    let unused = |labels| {
        file_names(labels)
            .map(|name| folder.join(name))
            .into_iter()
            .filter(|path| path.is_file())
            .skip(1)
            .collect::<Vec<_>>()
    };
    let (labelled, unlabelled) = (unused(Labels::Required), unused(Labels::Absent));
    let archive = folder.join(ARCHIVE);
    let mut files: Vec<_> = labelled.iter().chain(&unlabelled).cloned().collect();
    files.retain(|path| *path != archive);
    if labelled.contains(&archive) && unlabelled.contains(&archive) {
        files.push(archive);
    }
    files
}

/// Kaggle's archive in the folder of the file that images come from, if they do not come from it: neither is it that
/// file, nor does it hold one of this name and size, as where it was unpacked there.
pub fn archive_beside(images: &Source) -> Option<PathBuf> {
    let Source::File(path) = images else {
        return None;
    };
    let archive = path.with_file_name(ARCHIVE);
    if archive == *path || !archive.is_file() {
        return None;
    }
    let name = path.file_name()?.to_str()?;
    let len = path.metadata().map(|found| found.len()).ok();
    (len.is_none() || archived_len(&archive, name) != len).then_some(archive)
}

/// Bytes of the file of this name in an archive, unpacked; `None` if there is none, or the archive cannot be read.
fn archived_len(archive: &Path, name: &str) -> Option<u64> {
    let mut archive = ZipArchive::new(BufReader::new(File::open(archive).ok()?)).ok()?;
    let names = names_in(&archive).ok()?;
    let file = archive.by_name(named_in(&names, name)?).ok()?;
    Some(file.size())
}

/// Whether the file is an archive with Kaggle's table of unlabelled images in it. What cannot be read is none.
pub fn has_archived_test_images(path: &Path) -> bool {
    let names = names_in_archive(path).ok().flatten();
    names.is_some_and(|names| named_in(&names, TEST).is_some())
}

/// The files that may hold a table, the first one found being taken. A table that may be either is
/// looked for as a labelled one.
fn file_names(labels: Labels) -> [String; 3] {
    let table = table_name(labels);
    [table.into(), format!("{table}.gz"), ARCHIVE.into()]
}

/// What Kaggle calls the table.
fn table_name(labels: Labels) -> &'static str {
    match labels {
        Labels::Required | Labels::Partial | Labels::Optional => TRAIN,
        Labels::Absent => TEST,
    }
}

/// All tables that `named` holds, labelled or not, with their names, or what is wrong with them: one of a CSV file,
/// up to two of a folder or of Kaggle's archive.
pub(crate) fn read_all(named: &Path) -> Vec<ReadTable> {
    let kinds = [Labels::Optional, Labels::Absent];
    if !named.is_dir() {
        return read_tables(named, &kinds);
    }
    match kinds.map(|labels| find_in_folder(named, labels)) {
        [None, None] => vec![Err(not_in_folder(named, Labels::Optional))],
        [Some(labelled), Some(unlabelled)] if labelled == unlabelled => {
            read_tables(&labelled, &kinds)
        }
        found => {
            let found = found.iter().flatten().zip(&kinds);
            let mut tables: Vec<_> = found
                .flat_map(|(path, &labels)| read_tables(path, &[labels]))
                .collect();
            // An archive beside a table need not hold the other one.
            if tables.iter().any(Result::is_ok) {
                tables.retain(|read| !matches!(read, Err(Error::NotInArchive { .. })));
            }
            tables
        }
    }
}

/// A table and its name.
type ReadTable = Result<(String, Table), Error>;

/// The table of a CSV file, or those of these kinds that are in an archive.
fn read_tables(path: &Path, kinds: &[Labels]) -> Vec<ReadTable> {
    let file = path.display().to_string();
    let read = |name, labels| read_file(path, labels).map(|table| (name, table));
    let names = match names_in_archive(path) {
        Ok(Some(names)) => names,
        Ok(None) => return vec![read(file, Labels::Optional)],
        Err(error) => return vec![Err(error)],
    };
    if let Some(only) = only_table_in(&names) {
        return vec![read(format!("{file}/{only}"), Labels::Optional)];
    }
    let is_there = |labels: &&Labels| named_in(&names, table_name(**labels)).is_some();
    let mut tables: Vec<_> = kinds
        .iter()
        .filter(is_there)
        .map(|&labels| read(format!("{file}/{}", table_name(labels)), labels))
        .collect();
    if tables.is_empty() {
        tables.push(Err(not_in_archive(&file, &names, kinds[0])));
    }
    tables
}

fn not_in_archive(file: &str, names: &[String], labels: Labels) -> Error {
    if names.iter().any(|name| name == "xl/workbook.xml") {
        return Error::OtherKind {
            file: file.into(),
            kind: "an Excel workbook",
            remedy: other_kind::EXPORT,
        };
    }
    Error::NotInArchive {
        file: file.into(),
        found: list(names),
        expected: table_name(labels),
    }
}

/// The names of the files in a zip archive; `None` if the file is none, by its first bytes.
fn names_in_archive(path: &Path) -> Result<Option<Vec<String>>, Error> {
    let (opened, start) = open(path)?;
    if !starts_as_archive(&start) {
        return Ok(None);
    }
    let names = ZipArchive::new(BufReader::new(opened)).and_then(|archive| names_in(&archive));
    names.map(Some).map_err(|cause| Error::Archive {
        file: path.display().to_string(),
        cause,
    })
}

fn starts_as_archive(start: &[u8]) -> bool {
    matches!(start, b"PK\x03\x04" | b"PK\x05\x06")
}

/// What is there in the place of a file that is missing, or what to do, as the end of a sentence.
fn in_place_of(path: &Path) -> String {
    if let Ok(target) = path.read_link() {
        return format!("it is a link to {}", target.display());
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return format!("there is no folder {}, either", folder.display());
    }
    match tables_in(folder).as_slice() {
        [] => String::from("name another"),
        names => format!("found in its folder: {}", list(names)),
    }
}

const NO_FILE: &str = "it is a pipe or a device; write it to a file, which can be read again";

/// A file, to be read from its beginning, and its first four bytes.
fn open(path: &Path) -> Result<(File, Vec<u8>), Error> {
    let open_error = |cause: io::Error| {
        let file = path.display().to_string();
        match cause.kind() {
            ErrorKind::NotFound => Error::Missing {
                file,
                remedy: in_place_of(path),
            },
            _ => Error::Open { file, cause },
        }
    };
    let found = path.metadata().map_err(open_error)?;
    // To open a pipe would be to wait for somebody who writes into it.
    if !found.is_file() && !found.is_dir() {
        return Err(open_error(io::Error::other(NO_FILE)));
    }
    let mut opened = File::open(path).map_err(open_error)?;
    let mut start = Vec::new();
    opened
        .by_ref()
        .take(4)
        .read_to_end(&mut start)
        .map_err(open_error)?;
    let readable_twice = opened.rewind();
    readable_twice.map_err(|_| open_error(io::Error::other(NO_FILE)))?;
    Ok((opened, start))
}

/// Reads the table in a file.
pub(crate) fn read_file(path: &Path, labels: Labels) -> Result<Table, Error> {
    with_reader(path, labels, |reader, name| {
        table::read(reader, name, labels, table::WINDOW)
    })
}

/// Gives the text of a table, decompressed, and its name to `read`. The format goes by the file's first bytes, not by
/// its name; of an archive it is the table with these labels.
pub(crate) fn with_reader<T, E: From<Error>>(
    path: &Path,
    labels: Labels,
    read: impl FnOnce(&mut dyn Read, &str) -> Result<T, E>,
) -> Result<T, E> {
    let file = path.display().to_string();
    let (mut opened, start) = open(path)?;
    match start.as_slice() {
        [0x1f, 0x8b, ..] => {
            let mut reader = GzipReader::new(BufReader::with_capacity(1 << 16, opened));
            read(&mut reader, &file)
        }
        start if starts_as_archive(start) => with_archived(opened, &file, labels, read),
        start => match OtherKind::starting_with(start) {
            Some(&OtherKind { kind, remedy, .. }) => {
                Err(Error::OtherKind { file, kind, remedy }.into())
            }
            None => read(&mut opened, &file),
        },
    }
}

fn with_archived<T, E: From<Error>>(
    opened: File,
    file: &str,
    labels: Labels,
    read: impl FnOnce(&mut dyn Read, &str) -> Result<T, E>,
) -> Result<T, E> {
    let archive_error = |cause| Error::Archive {
        file: file.into(),
        cause,
    };
    let mut archive =
        ZipArchive::new(BufReader::with_capacity(1 << 16, opened)).map_err(archive_error)?;
    let names = names_in(&archive).map_err(archive_error)?;
    let Some(name) = named_in(&names, table_name(labels)).or_else(|| only_table_in(&names)) else {
        return Err(not_in_archive(file, &names, labels).into());
    };
    let mut reader = archive.by_name(name).map_err(archive_error)?;
    read(&mut reader, &format!("{file}/{name}"))
}

type Archive = ZipArchive<BufReader<File>>;

fn names_in(archive: &Archive) -> ZipResult<Vec<String>> {
    let names = archive.file_names();
    names
        .map(|name| name.map(|name| name.into_owned()))
        .collect()
}

/// The file of this name in an archive, where it may lie in a folder.
fn named_in<'a>(names: &'a [String], expected: &str) -> Option<&'a String> {
    names
        .iter()
        .filter(|name| file_name(name) == expected)
        .min_by_key(|name| name.len())
}

/// The only CSV file in an archive, if it has none of Kaggle's names, by which it would be told what it is.
fn only_table_in(names: &[String]) -> Option<&String> {
    // Beside each file, macOS archives a hidden one with what it knows of it.
    let is_table =
        |name: &&String| name.to_lowercase().ends_with(".csv") && !file_name(name).starts_with('.');
    let mut tables = names.iter().filter(is_table);
    match (tables.next(), tables.next()) {
        (Some(name), None) if ![TRAIN, TEST].contains(&file_name(name)) => Some(name),
        _ => None,
    }
}

/// The last part of a path in an archive.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A readable list of names, cut after the first few. What would break the line, or steer a terminal, is escaped.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| name.escape_debug().to_string())
        .collect();
    let shown = shown.join(", ");
    match names.len() {
        0 => "no files".into(),
        1..=SHOWN => shown,
        more => format!("{shown} and {} more", more - SHOWN),
    }
}
