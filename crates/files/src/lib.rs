//! Files that are there whole or not at all, and what their contents are told by.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};

/// A file or folder that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {path}")]
pub struct FileError {
    /// What was tried: `write`.
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// Says what was tried when it fails.
pub trait Context<T> {
    /// The result, with an error that names the action, such as `write`, and the file or folder.
    ///
    /// # Errors
    ///
    /// That of the result.
    fn context(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError {
            action,
            path: path.to_owned(),
            source,
        })
    }
}

/// Writes `bytes` to `path` so that a crash leaves the old content or the new, never a part. Where `path` is a link,
/// what it leads to is written. A file that was there keeps its permissions, where the file system has any.
///
/// # Errors
///
/// If the file cannot be written: no space, no permission. The old content is still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let target = target(path);
    let partial = hidden_path(&target, PARTIAL);
    let written = write_durably(&partial, bytes).and_then(|()| publish(&partial, &target));
    if written.is_err() {
        // Already failing: that the leftover cannot be removed either adds nothing.
        fs::remove_file(&partial).ok();
    }
    written.context("write", path)
}

/// Gives a file that is whole the name `path`, and the permissions of the file that had it, where the file system
/// has any.
///
/// # Errors
///
/// The system's.
pub fn publish(whole: &Path, path: &Path) -> io::Result<()> {
    if let Ok(there) = fs::metadata(path) {
        // Where a file system has none, or none that may be set, what was written still counts.
        fs::set_permissions(whole, there.permissions()).ok();
    }
    fs::rename(whole, path)
}

/// What a link leads to; any other path itself, and a link that leads nowhere.
pub fn target(path: &Path) -> PathBuf {
    match path.is_symlink() {
        true => fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        false => path.to_owned(),
    }
}

/// Writes `bytes` to `path`, where nothing may be, and waits until the disk has them.
///
/// # Errors
///
/// The system's.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A hidden name beside `path` that no other write uses, on this machine or another that has the folder too:
/// `.name.1234567890-3.ending`. [`hidden_paths_of`] finds what was left there.
pub fn hidden_path(path: &Path, ending: &str) -> PathBuf {
    // The numbers of processes repeat themselves from machine to machine, above all in containers.
    static PROCESS: LazyLock<u64> =
        LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    // Threads of one process may write the same file.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(
        ".{}.{}-{number}.{ending}",
        short_name(path),
        *PROCESS
    ))
}

/// Bytes of a name that leave room for more in a file system that allows 255.
const SHORT: usize = 160;

/// The name of a file, as far as something can be added to it: of a long one the beginning, with a number that
/// tells it from others that begin so.
fn short_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    let mut short = name.to_string_lossy().into_owned();
    if short.len() > SHORT {
        short.truncate(short.floor_char_boundary(SHORT));
        short.push('~');
        short += &sha256_hex(name.as_encoded_bytes())[..16];
    }
    short
}

/// Whether [`hidden_path`] gives `path` such names with this ending.
pub fn is_hidden_name_of(name: &str, path: &Path, ending: &str) -> bool {
    let rest = name.strip_prefix(&format!(".{}.", short_name(path)));
    let number = rest.and_then(|rest| rest.strip_suffix(&format!(".{ending}")));
    // Not that of another file `name.x`.
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
}

/// The files and folders beside `path` whose names [`hidden_path`] gave it with this ending.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn hidden_paths_of(path: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        if is_hidden_name_of(&entry.file_name().to_string_lossy(), path, ending) {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

/// A new file under a hidden name beside `path`, of which `path` can be made by renaming it. It is locked until
/// it is closed. What killed processes left of this kind is removed: files that nobody has locked, nor
/// written to for ten minutes, as somebody may write on a machine whose locks this one does not see.
///
/// # Errors
///
/// If the file cannot be made.
pub fn create_partial(path: &Path) -> io::Result<(PathBuf, File)> {
    // What cannot be found harms nobody either.
    let left = hidden_paths_of(path, PARTIAL).unwrap_or_default();
    for abandoned in left.iter().filter(|path| is_abandoned(path)) {
        // Somebody else may tidy up as well, and what is left harms nobody.
        fs::remove_file(abandoned).ok();
    }
    let hidden = hidden_path(path, PARTIAL);
    let file = File::create_new(&hidden)?;
    // Where files cannot be locked, their age alone counts.
    file.lock().ok();
    Ok((hidden, file))
}

/// The ending of hidden names of what is not whole yet, or not any more: [`remove_partial`] removes it.
pub const PARTIAL: &str = "partial";

/// How long nobody has written to a file that is taken for abandoned.
const ABANDONED: Duration = Duration::from_secs(600);

/// Whether nobody writes a file any more. One that cannot be asked is left alone.
fn is_abandoned(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let written = file.metadata().and_then(|file| file.modified());
    let age = written.ok().and_then(|written| written.elapsed().ok());
    age.is_some_and(|age| age > ABANDONED) && file.try_lock().is_ok()
}

/// Whether a name is a hidden one of something that is not whole, whatever it belongs to.
pub fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(&format!(".{PARTIAL}"))
}

/// Removes what killed processes left half-written in `folder`.
///
/// # Errors
///
/// If the folder cannot be read, or something in it not be removed.
pub fn remove_partial(folder: &Path) -> Result<(), FileError> {
    let action = "tidy the folder";
    for entry in fs::read_dir(folder).context(action, folder)? {
        let entry = entry.context(action, folder)?;
        if is_partial(&entry.file_name().to_string_lossy()) {
            let path = entry.path();
            let removed = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            removed.context(action, folder)?;
        }
    }
    Ok(())
}

/// Makes a folder and those above it, if they are not there yet.
///
/// # Errors
///
/// If one of them cannot be made.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).context("make the folder", path)
}

/// SHA-256 of `bytes` in hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `bytes` in hexadecimal digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_whole_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomically(&path, b"long old content").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_one() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let [target, link] = ["a.csv", "link.csv"].map(|name| folder.path().join(name));
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("a.csv", &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(link.is_symlink());
        let mode = target.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn names_may_be_as_long_as_the_file_system_allows() {
        let folder = tempfile::tempdir().unwrap();
        // Two bytes each, and an odd one, so that the limit falls into a character.
        let path = folder.path().join(format!("a{}", "é".repeat(127)));
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn hidden_names_are_told_apart_however_long_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a", "a.b"].map(str::to_owned);
        let long = ["x", "y"].map(|end| format!("{}{end}", "é".repeat(127)));
        let names = names.iter().chain(&long);
        let paths: Vec<_> = names.map(|name| folder.path().join(name)).collect();
        let hide = |path: &PathBuf| {
            fs::write(hidden_path(path, PARTIAL), "").unwrap();
            let hidden = hidden_path(path, "aside");
            fs::create_dir(&hidden).unwrap();
            hidden
        };
        let hidden: Vec<_> = paths.iter().map(hide).collect();
        for (path, hidden) in paths.iter().zip(hidden) {
            assert_eq!(hidden_paths_of(path, "aside").unwrap(), [hidden]);
        }
        assert!(hidden_paths_of(&folder.path().join("no/a"), "aside").is_err());
    }

    #[test]
    fn leftovers_of_killed_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("a.json");
        fs::write(&kept, "").unwrap();
        fs::write(hidden_path(&kept, PARTIAL), "").unwrap();
        fs::create_dir(hidden_path(&kept, PARTIAL)).unwrap();
        remove_partial(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert!(kept.exists());
    }

    #[test]
    fn what_killed_writers_of_a_file_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.csv");
        let make_old = |file: &File| {
            let long_ago = std::time::SystemTime::now() - 2 * ABANDONED;
            file.set_modified(long_ago).unwrap();
        };
        let named = |name: &str, is_old: bool| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            if is_old {
                make_old(&file);
            }
            path
        };
        let left = named(".train.csv.4711-0.partial", true);
        let fresh = named(".train.csv.4712-0.partial", false);
        let of_another = named(".train.csv.gz.4711-0.partial", true);
        let (being_written, open) = create_partial(&path).unwrap();
        make_old(&open);
        assert!(!left.exists() && fresh.exists() && of_another.exists());
        let (new, _open) = create_partial(&path).unwrap();
        assert!(being_written.exists() && new.exists());
        drop(open);
        drop(create_partial(&path).unwrap());
        assert!(!being_written.exists() && new.exists());
    }

    #[test]
    fn names_what_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/a.json");
        let error = write_atomically(&path, b"x").unwrap_err().to_string();
        assert_eq!(error, format!("cannot write {}", path.display()));
        fs::write(folder.path().join("missing"), "").unwrap();
        let error = create_folder(&path).unwrap_err().to_string();
        assert_eq!(error, format!("cannot make the folder {}", path.display()));
    }

    /// FIPS 180-4's example "abc".
    #[test]
    fn sha256_of_abc() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
