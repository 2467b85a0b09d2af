//! Reports replace each other as a whole, and none is lost.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use files::{
    Context, FileError, PARTIAL, create_folder, hidden_path, hidden_paths_of, write_atomically,
};

/// Where earlier reports go, within the folder of the latest.
const EARLIER: &str = "earlier";
/// How a folder is called while it makes room.
const ASIDE: &str = "aside";

/// Puts these files, and no others, into `folder`. What was there goes to `earlier/N` within it, unless
/// it is the same. Returns where it went.
///
/// The new folder is written under a hidden name, the old one moved aside and the new one put in its
/// place. A program that is killed in between leaves the old one aside, where the next call finds it.
/// Programs that finish a study together do so one after the other.
pub(super) fn replace(
    folder: &Path,
    files: &[(PathBuf, Vec<u8>)],
) -> Result<Option<PathBuf>, FileError> {
    let parent = folder.parent().filter(|path| !path.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    create_folder(parent)?;
    let _lock = lock(parent);
    recover(folder)?;
    if same(folder, files) {
        return Ok(None);
    }
    let new = hidden_path(folder, PARTIAL);
    for (path, bytes) in files {
        let path = new.join(path);
        create_folder(path.parent().unwrap_or(&new))?;
        write_atomically(&path, bytes)?;
    }
    // An empty one is no report to be kept; one with anything in it is not removed.
    fs::remove_dir(folder).ok();
    let aside = hidden_path(folder, ASIDE);
    match fs::rename(folder, &aside) {
        Ok(()) => {
            fs::rename(&new, folder).context("write", folder)?;
            keep(folder, &aside).map(Some)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::rename(&new, folder).context("write", folder)?;
            Ok(None)
        }
        Err(error) => Err(error).context("move aside", folder),
    }
}

/// Waits until no other program puts a report into a folder of `parent`, and keeps others from it until the
/// result is dropped. Nothing where a folder cannot be locked, as on some systems and shared folders.
fn lock(parent: &Path) -> Option<File> {
    let folder = File::open(parent).ok()?;
    folder.lock().ok()?;
    Some(folder)
}

/// Finds what a killed program left.
fn recover(folder: &Path) -> Result<(), FileError> {
    let left = |ending| {
        let mut left = hidden_paths_of(folder, ending).context("find what is left of", folder)?;
        left.retain(|path| path.is_dir());
        Ok(left)
    };
    for path in left(PARTIAL)? {
        fs::remove_dir_all(&path).context("remove", &path)?;
    }
    for path in left(ASIDE)? {
        if folder.exists() {
            keep(folder, &path)?;
        } else {
            fs::rename(&path, folder).context("restore", folder)?;
        }
    }
    Ok(())
}

/// Moves a report that was put aside, and those that are earlier still, into the folder of the latest.
fn keep(folder: &Path, aside: &Path) -> Result<PathBuf, FileError> {
    let earlier = folder.join(EARLIER);
    let before = aside.join(EARLIER);
    if before.is_dir() && !earlier.exists() {
        fs::rename(&before, &earlier).context("keep", &before)?;
    }
    create_folder(&earlier)?;
    if before.is_dir() {
        for entry in fs::read_dir(&before).context("read the folder", &before)? {
            let path = entry.context("read the folder", &before)?.path();
            add(&earlier, &path)?;
        }
        fs::remove_dir(&before).context("remove", &before)?;
    }
    add(&earlier, aside)
}

/// Moves a folder to the first number that is free.
fn add(earlier: &Path, report: &Path) -> Result<PathBuf, FileError> {
    let mut number = 1_u64;
    loop {
        let place = earlier.join(number.to_string());
        if !place.exists() {
            fs::rename(report, &place).context("keep", report)?;
            return Ok(place);
        }
        number += 1;
    }
}

/// Whether the folder has exactly these files, apart from earlier reports.
fn same(folder: &Path, files: &[(PathBuf, Vec<u8>)]) -> bool {
    let all_there = files
        .iter()
        .all(|(path, bytes)| fs::read(folder.join(path)).is_ok_and(|there| there == *bytes));
    all_there && count(folder).is_ok_and(|count| count == files.len())
}

fn count(folder: &Path) -> io::Result<usize> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        sum += match path.file_name() {
            Some(name) if name == EARLIER => 0,
            _ if path.is_dir() => count(&path)?,
            _ => 1,
        };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::super::TEXT;
    use super::*;

    fn files(text: &str) -> Vec<(PathBuf, Vec<u8>)> {
        vec![
            (PathBuf::from(TEXT), text.as_bytes().to_vec()),
            (PathBuf::from("figures/a.svg"), b"a".to_vec()),
        ]
    }

    fn read(folder: &Path) -> String {
        fs::read_to_string(folder.join(TEXT)).unwrap()
    }

    #[test]
    fn every_report_is_kept_once() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("results/tanh");
        assert_eq!(replace(&folder, &files("one")).unwrap(), None);
        assert_eq!(replace(&folder, &files("one")).unwrap(), None);
        assert_eq!(
            replace(&folder, &files("two")).unwrap(),
            Some(folder.join("earlier/1"))
        );
        assert_eq!(
            replace(&folder, &files("three")).unwrap(),
            Some(folder.join("earlier/2"))
        );
        assert_eq!(replace(&folder, &files("three")).unwrap(), None);
        assert_eq!(read(&folder), "three");
        assert_eq!(read(&folder.join("earlier/1")), "one");
        assert_eq!(read(&folder.join("earlier/2")), "two");
        assert_eq!(fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_folder_is_no_earlier_report() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tanh");
        fs::create_dir(&folder).unwrap();
        assert_eq!(replace(&folder, &files("one")).unwrap(), None);
        assert_eq!(read(&folder), "one");
        assert!(!folder.join("earlier").exists());
    }

    #[test]
    fn what_several_write_at_once_is_whole() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tanh");
        let many = |text: &str| -> Vec<(PathBuf, Vec<u8>)> {
            let file = |number| (PathBuf::from(format!("{number}")), text.as_bytes().to_vec());
            (0..20).map(file).chain(files(text)).collect()
        };
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let (folder, many) = (&folder, &many);
                scope.spawn(move || {
                    for round in 0..5 {
                        replace(folder, &many(&format!("{writer} {round}"))).unwrap();
                    }
                });
            }
        });
        assert!(same(&folder, &many(&read(&folder))));
        assert_eq!(fs::read_dir(folder.join("earlier")).unwrap().count(), 19);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    /// Hidden names of folders whose own are long are shorter.
    #[test]
    fn of_a_long_name_it_is_found_too() {
        let parent = tempfile::tempdir().unwrap();
        let names = ["x", "y"].map(|end| format!("{}{end}", "long".repeat(50)));
        let [folder, another] = names.map(|name| parent.path().join(name));
        replace(&folder, &files("one")).unwrap();
        // Killed after it was moved aside.
        fs::rename(&folder, hidden_path(&folder, ASIDE)).unwrap();
        replace(&another, &files("another")).unwrap();
        assert!(!another.join("earlier").exists());
        replace(&folder, &files("two")).unwrap();
        assert_eq!(read(&folder), "two");
        assert_eq!(read(&folder.join("earlier/1")), "one");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_a_killed_program_left_is_found() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tanh");
        replace(&folder, &files("one")).unwrap();
        replace(&folder, &files("two")).unwrap();
        // Killed after the old one was moved aside.
        fs::rename(&folder, parent.path().join(".tanh.1-1.aside")).unwrap();
        fs::create_dir(parent.path().join(".tanh.1-0.partial")).unwrap();
        replace(&folder, &files("three")).unwrap();
        assert_eq!(read(&folder), "three");
        assert_eq!(read(&folder.join("earlier/1")), "one");
        assert_eq!(read(&folder.join("earlier/2")), "two");
        // Killed before the one that was aside had been kept.
        fs::rename(folder.join("earlier"), parent.path().join("e")).unwrap();
        let aside = parent.path().join(".tanh.1-2.aside");
        fs::create_dir(&aside).unwrap();
        fs::write(aside.join(TEXT), "zero").unwrap();
        fs::rename(parent.path().join("e"), aside.join("earlier")).unwrap();
        replace(&folder, &files("four")).unwrap();
        assert_eq!(read(&folder), "four");
        let kept: Vec<String> = (1..=4)
            .map(|number| read(&folder.join(format!("earlier/{number}"))))
            .collect();
        assert_eq!(kept, ["one", "two", "zero", "three"]);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
