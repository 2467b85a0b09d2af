//! Notes which commit the program is built from, for the summaries of its runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let sources = sources();
    for path in heads().iter().chain(&sources) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    // Without git, or outside a checkout, the summaries say nothing about the commit.
    let Some(commit) = git(&["rev-parse", "HEAD"], &[]) else {
        return;
    };
    let suffix = match git(&["diff", "--name-only", "HEAD", "--"], &sources) {
        Some(changed) if changed.is_empty() => "",
        _ => "-dirty",
    };
    println!("cargo::rustc-env=GIT_COMMIT={commit}{suffix}");
}

/// The files of git that change with a commit, wherever it keeps them. Without git there are none, and no
/// commits that could change.
fn heads() -> Vec<PathBuf> {
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"], &[]);
    let names = ["HEAD", "logs/HEAD", "packed-refs"].map(String::from);
    let paths = names.into_iter().chain(branch).filter_map(|name| {
        let path = git(&["rev-parse", "--git-path", &name], &[])?;
        Some(PathBuf::from(path))
    });
    paths.filter(|path| path.exists()).collect()
}

/// What goes into the program: no tests, data or documents.
fn sources() -> Vec<PathBuf> {
    let mut sources = existing("../..", ["Cargo.toml", "Cargo.lock"]);
    for folder in fs::read_dir("..").into_iter().flatten().flatten() {
        let parts = ["Cargo.toml", "build.rs", "src", "assets"];
        sources.extend(existing(folder.path(), parts));
    }
    sources.sort();
    sources
}

/// Those of a folder's `parts` that there are: to Cargo one that is missing has always changed.
fn existing<const N: usize>(folder: impl AsRef<Path>, parts: [&str; N]) -> Vec<PathBuf> {
    let paths = parts.into_iter().map(|part| folder.as_ref().join(part));
    paths.filter(|path| path.exists()).collect()
}

/// What git prints, if it succeeds.
fn git(command: &[&str], paths: &[PathBuf]) -> Option<String> {
    let output = Command::new("git")
        .args(command)
        .args(paths)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.trim().to_owned())
}
