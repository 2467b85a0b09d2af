//! Files that take the place only of their own kind.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use files::write_atomically;
use picture::Sheet;

/// So many bytes of a file, if it has them, tell what it is.
pub const BEGINNING: u64 = 256;

/// Refuses to replace a file at `path`, which `option` of the command names, that is something else than
/// `what`, which `is_one` tells by a file's [beginning](BEGINNING). An empty file may be replaced.
///
/// # Errors
///
/// If it is something else, or cannot be read.
pub fn check_replaceable(
    path: &Path,
    option: &str,
    what: &str,
    is_one: impl Fn(&[u8]) -> bool,
) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.len() == 0 => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        _ => {}
    }
    // To open a pipe would be to wait for somebody who writes into it.
    if let Ok(found) = fs::metadata(path)
        && !found.is_file()
    {
        bail!(
            "{} is a {}; name another place with {option}",
            path.display(),
            if found.is_dir() {
                "folder"
            } else {
                "pipe or a device"
            }
        );
    }
    let mut start = Vec::new();
    match File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut start)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", path.display()));
        }
    }
    if !is_one(&start) {
        bail!(
            "{} is there already and is not {what}; name another place with {option}",
            path.display()
        );
    }
    Ok(())
}

/// Refuses a file, which `option` of the command names, in a folder that is not there: better before all is
/// computed than after it.
///
/// # Errors
///
/// If the folder is not there.
pub fn check_folder_of(path: &Path, option: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    if folder != Path::new("") && !folder.is_dir() {
        bail!(
            "there is no folder {}; make it, or name another place with {option}",
            folder.display()
        );
    }
    Ok(())
}

/// Refuses a name with another ending than that of the `kind` of file which is to be written: `csv` of a CSV file.
///
/// # Errors
///
/// If the name has another ending.
pub fn check_ending(path: &Path, kind: &str, ending: &str) -> Result<()> {
    if let Some(other) = path.extension()
        && !other.eq_ignore_ascii_case(ending)
    {
        bail!(
            "{} would be a {kind} by another name; name one that ends in .{ending}",
            path.display()
        );
    }
    Ok(())
}

/// Refuses a name of another kind of file than a PNG picture, and to replace such a file.
///
/// # Errors
///
/// If the name has another ending, or see [`check_replaceable`].
pub fn check_picture(path: &Path) -> Result<()> {
    check_ending(path, "PNG picture", "png")?;
    check_replaceable(path, "--out", "a PNG picture", |start| {
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
    Ok(write_atomically(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str| {
            let checked =
                check_replaceable(&folder.path().join(name), "--out", "a page", |_| false);
            checked.map_err(|error| error.to_string())
        };
        check("new").unwrap();
        fs::write(folder.path().join("empty"), "").unwrap();
        check("empty").unwrap();
        let error = check("").unwrap_err();
        assert!(
            error.ends_with("is a folder; name another place with --out"),
            "{error}"
        );
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/dev/null", folder.path().join("device")).unwrap();
            let error = check("device").unwrap_err();
            assert!(
                error.ends_with("is a pipe or a device; name another place with --out"),
                "{error}"
            );
        }
    }

    #[test]
    fn folders_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        check_folder_of(Path::new("a.csv"), "--out").unwrap();
        check_folder_of(&folder.path().join("a.csv"), "--out").unwrap();
        let error = check_folder_of(&folder.path().join("b/a.csv"), "--out").unwrap_err();
        assert!(
            error.to_string().ends_with("name another place with --out"),
            "{error}"
        );
    }

    #[test]
    fn pictures_replace_pictures_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut sheet = Sheet::new(1, 1);
        sheet.push(&[7], "");
        let path = folder.path().join("a.png");
        write_picture(&path, &sheet).unwrap();
        write_picture(&path, &sheet).unwrap();
        assert_eq!(fs::read(&path).unwrap(), sheet.png().unwrap());
        for (name, remedy) in [
            ("train.csv", "name one that ends in .png"),
            ("photo.PNG", "name another place with --out"),
        ] {
            let mine = folder.path().join(name);
            fs::write(&mine, "label").unwrap();
            let error = write_picture(&mine, &sheet).unwrap_err().to_string();
            assert!(error.ends_with(remedy), "{error}");
            assert_eq!(fs::read(&mine).unwrap(), b"label");
        }
    }
}
