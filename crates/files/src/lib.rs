//! Files that are there whole or not at all, and what their contents are told by.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Writes `bytes` to `path` so that a crash leaves the old content or the new, never a part.
///
/// # Errors
///
/// If the file cannot be written: no space, no permission. The old content is still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let partial = hidden_path(path, "partial");
    let written = write_durably(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // Already failing: that the leftover cannot be removed either adds nothing.
        fs::remove_file(&partial).ok();
    }
    written.context("write", path)
}

/// Writes `bytes` to `path` and waits until the disk has them.
///
/// # Errors
///
/// The system's.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A hidden name beside `path` that no other write on this machine uses: `.name.4711-3.ending`.
pub fn hidden_path(path: &Path, ending: &str) -> PathBuf {
    // Threads of one process may write the same file.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    path.with_file_name(format!(".{name}.{process}-{number}.{ending}"))
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
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".partial") {
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
    fn leftovers_of_killed_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("a.json");
        fs::write(&kept, "").unwrap();
        fs::write(hidden_path(&kept, "partial"), "").unwrap();
        fs::create_dir(hidden_path(&kept, "partial")).unwrap();
        remove_partial(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert!(kept.exists());
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
