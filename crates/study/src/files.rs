//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

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
pub(crate) trait Context<T> {
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
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let partial = hidden(path, "partial");
    let written = write_durably(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // Already failing: that the leftover cannot be removed either adds nothing.
        fs::remove_file(&partial).ok();
    }
    written.context("write", path)
}

/// Writes `bytes` to a new file and waits until the disk has them.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A hidden name beside `path` that nobody else uses: `.name.4711-3.ending`.
pub(crate) fn hidden(path: &Path, ending: &str) -> PathBuf {
    // Threads of one process may write the same file.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    path.with_file_name(format!(".{name}.{process}-{number}.{ending}"))
}

/// Makes a folder and those above it, if they are not there yet.
pub(crate) fn make_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).context("make the folder", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_whole_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, b"long old content").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_the_file_that_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/a.json");
        let error = write(&path, b"x").unwrap_err().to_string();
        assert!(error == format!("cannot write {}", path.display()));
    }
}
