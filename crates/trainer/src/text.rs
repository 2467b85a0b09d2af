//! Words for people.

use data::{LabelledImages, Source, Thousands};

use crate::shell::as_argument;

/// `1 epoch`, `1,500 epochs`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", Thousands(number)),
    }
}

/// What reads unlabelled images by the run, or the runs, in `folder`, as the shell has its name.
pub fn prediction(folder: &str) -> String {
    format!(
        "`trainer predict {folder}` reads unlabelled images (a test.csv beside the training images or in {}/, or those of its --data) and writes a submission",
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
