//! Words for people.

use data::{LabelledImages, Thousands};

/// `1 epoch`, `1,500 epochs`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", Thousands(number)),
    }
}

/// That some images are copies of others, if they are: what networks are scored on may be what they were trained on.
pub fn note_on_copies(images: &LabelledImages) -> Option<String> {
    let copies = images.copies();
    (copies > 0).then(|| {
        format!(
            "note: {} of them have the pixels of others, so that networks may be scored on what they were trained on; `trainer data check` names them",
            Thousands(copies)
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
