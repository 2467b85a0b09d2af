//! Commands that the user can run as they stand.

use std::borrow::Cow;
use std::path::Path;

/// `path` as an argument in a line for a shell: relative where it lies below the current folder, and in
/// quotes where it needs them.
pub fn as_argument(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = match path.strip_prefix(&here) {
        Ok(below) if path.is_absolute() && below != Path::new("") => below,
        _ => path,
    };
    let text = path.display().to_string();
    // What cannot be quoted, a zero byte, is in no path.
    shlex::try_quote(&text).map_or_else(|_| text.clone(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_arguments_of_a_shell() {
        let argument = |path: &str| as_argument(Path::new(path));
        assert_eq!(argument("experiments/a-1.toml"), "experiments/a-1.toml");
        assert_eq!(argument("my runs/it's"), r#""my runs/it's""#);
        assert_eq!(argument("my runs/a"), "'my runs/a'");
        assert_eq!(argument("$(date)"), "'$(date)'");
        let here = std::env::current_dir().unwrap();
        assert_eq!(as_argument(&here.join("a/b")), "a/b");
        assert_eq!(argument("/"), "/");
    }
}
