//! What files and folders of the program's own are called.

use std::path::Path;

/// The name of a file without its ending: `tutorial` for `experiments/tutorial.toml`.
pub fn stem(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// What a run is called after its configuration's file: by the file, or of a run's `config.toml` by its
/// folder.
pub fn of_config(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name);
    match (stem(file), folder) {
        (name, Some(folder)) if name == "config" => folder.to_string_lossy().into_owned(),
        (name, _) => name,
    }
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
        assert_eq!(of_config(Path::new("recipes/quick.toml")), "quick");
        assert_eq!(of_config(Path::new("runs/tanh/config.toml")), "tanh");
        assert_eq!(of_config(Path::new("config.toml")), "config");
        assert_eq!(for_files("small-rrelu:0.1,0.3"), "small-rrelu-0.1-0.3");
    }
}
