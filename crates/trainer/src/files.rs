//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use picture::Sheet;

pub use ::files::{hex as hexadecimal, sha256_hex as sha256, write_durably};

/// Writes `bytes` to `path` so that a crash leaves the old content or the new, never a part.
///
/// # Errors
///
/// When the file cannot be written: no space, no permission. The old content is still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(::files::write_atomically(path, bytes)?)
}

/// Refuses to replace a file at `path` that is something else than `what`, which `is_one` tells by a
/// file's first bytes, 16 if there are as many.
///
/// # Errors
///
/// If it is something else, or cannot be read.
pub fn check_replaceable(path: &Path, what: &str, is_one: impl Fn(&[u8]) -> bool) -> Result<()> {
    let mut start = Vec::new();
    match File::open(path).and_then(|file| file.take(16).read_to_end(&mut start)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    }
    if !is_one(&start) {
        bail!(
            "{} is there already and is not {what}; name another place with --out",
            path.display()
        );
    }
    Ok(())
}

/// Refuses to replace a file at `path` that is no PNG picture.
///
/// # Errors
///
/// See [`check_replaceable`].
pub fn check_picture(path: &Path) -> Result<()> {
    check_replaceable(path, "a PNG picture", |start| {
        start.starts_with(&picture::SIGNATURE)
    })
}

/// Writes a sheet of images to `path` as PNG. Another picture that is there is replaced.
///
/// # Errors
///
/// If what is there is not a PNG picture, or the file cannot be written.
pub fn write_picture(path: &Path, sheet: &Sheet) -> Result<()> {
    check_picture(path)?;
    let bytes = sheet.png().context("there are no images to draw")?;
    write_atomically(path, &bytes)
}

/// Where `path` is written before it is renamed: hidden, beside it, and named for this process.
pub fn partial_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.partial", std::process::id()))
}

/// Removes what killed processes left half-written in `folder`.
///
/// # Errors
///
/// If the folder cannot be read, or something in it not be removed.
pub fn remove_partial(folder: &Path) -> Result<()> {
    let context = || format!("cannot tidy the folder {}", folder.display());
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".partial") {
            let path = entry.path();
            let removed = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            removed.with_context(context)?;
        }
    }
    Ok(())
}

/// `path` as an argument in a line for a shell: relative where it lies below the current folder, and in
/// quotes where it needs them.
pub fn as_argument(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = match path.strip_prefix(&here) {
        Ok(below) if path.is_absolute() && below != Path::new("") => below,
        _ => path,
    };
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:,=@%~".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_replace_pictures_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut sheet = Sheet::new(1, 1);
        sheet.push(&[7], "");
        let path = folder.path().join("a.png");
        write_picture(&path, &sheet).unwrap();
        write_picture(&path, &sheet).unwrap();
        assert_eq!(fs::read(&path).unwrap(), sheet.png().unwrap());
        let mine = folder.path().join("train.csv");
        fs::write(&mine, "label").unwrap();
        let error = write_picture(&mine, &sheet).unwrap_err().to_string();
        assert!(error.ends_with("name another place with --out"), "{error}");
        assert_eq!(fs::read(&mine).unwrap(), b"label");
    }

    #[test]
    fn paths_are_arguments_of_a_shell() {
        let argument = |path: &str| as_argument(Path::new(path));
        assert_eq!(argument("experiments/a-1.toml"), "experiments/a-1.toml");
        assert_eq!(argument("my runs/it's"), r"'my runs/it'\''s'");
        let here = std::env::current_dir().unwrap();
        assert_eq!(as_argument(&here.join("a/b")), "a/b");
        assert_eq!(argument("/"), "/");
    }

    #[test]
    fn names_the_file_that_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/a.json");
        let error = write_atomically(&path, b"x").unwrap_err().to_string();
        assert_eq!(error, format!("cannot write {}", path.display()));
    }
}
