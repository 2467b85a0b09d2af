//! What files and folders of the program's own are called.

use std::path::Path;

/// The name of a file without its ending: `tutorial` for `experiments/tutorial.toml`.
pub fn stem(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// The name without `:` and `,`, which stand before parameters of activation functions, and trouble some
/// file systems and shells.
pub fn for_files(name: &str) -> String {
    name.replace([':', ','], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_files() {
        assert_eq!(stem(Path::new("experiments/tutorial.toml")), "tutorial");
        assert_eq!(stem(Path::new("..")), "");
        assert_eq!(for_files("small-rrelu:0.1,0.3"), "small-rrelu-0.1-0.3");
    }
}
