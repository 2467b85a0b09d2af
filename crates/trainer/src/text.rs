//! Words for people.

use std::path::Path;

use data::{LabelledImages, Source, Thousands};

use crate::shell::as_argument;

/// `1 epoch`, `1,500 epochs`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", Thousands(number)),
    }
}

/// What reads unlabelled images by these runs, or the ensembles in these folders, as the shell has their names.
pub fn prediction(runs: &str) -> String {
    format!(
        "`trainer predict {runs}` reads unlabelled images (a test.csv in the archive of the training images, beside them or in {}/, or those of its --data) and writes a submission",
        data::FOLDER
    )
}

/// That some images are copies of others, if they are: what networks are scored on may be what they were trained on.
pub fn note_on_copies(images: &LabelledImages) -> Option<String> {
    let copies = images.copies();
    (copies > 0).then(|| {
        format!(
            "note: {} of them have the pixels of others, so that networks may be scored on what they were trained on; `trainer data check{}` says more",
            Thousands(copies),
            match images.source() {
                Source::File(path) => format!(" {}", as_argument(path)),
                _ => String::new(),
            }
        )
    })
}

/// That so many images are left alone, if there are any, by a run that no study makes.
pub fn note_on_withheld(images: usize) -> Option<String> {
    (images > 0).then(|| {
        format!(
            "note: data.test_fraction withholds {} for a test, as studies make one: neither trained on nor scored here",
            count(images, "image")
        )
    })
}

/// That Kaggle's archive lies beside the images and is not read, where they were not named as a file but found in a
/// folder.
pub fn note_on_archive(images: &Source, named: Option<&Path>) -> Option<String> {
    if named.is_some_and(|named| !named.is_dir()) {
        return None;
    }
    let archive = data::archive_beside(images)?;
    Some(format!(
        "note: {images} is read, and not {} beside it; name that with --data if it is meant",
        archive.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(count(0, "image"), "0 images");
        assert_eq!(count(1, "image"), "1 image");
        assert_eq!(count(1500, "image"), "1,500 images");
    }
}
