//! `trainer data`: images of digits.

pub mod check;
pub mod convert;
pub mod fetch;
pub mod make;
pub mod show;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::console::print;

/// The verbs of `trainer data`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Say what is in files of images, and warn of what would spoil a result
    Check(check::Options),
    /// Write a table of images in the form that the program reads: labels 0, 1, 2, …, pixels 0 to 255
    Convert(convert::Options),
    /// Draw some of the images as a picture, as they are or augmented
    Show(show::Options),
    /// Download the real digits, MNIST, and write them as Kaggle does
    Fetch(fetch::Options),
    /// Write the built-in digits as Kaggle does
    Make(make::Options),
}

/// Does what one of the verbs asks for.
///
/// # Errors
///
/// A file that cannot be read, is not as it must be, or cannot be written.
pub fn run(verb: &Verb) -> Result<ExitCode> {
    match verb {
        Verb::Check(options) => check::run(options),
        Verb::Convert(options) => convert::run(options),
        Verb::Show(options) => show::run(options),
        Verb::Fetch(options) => fetch::run(options),
        Verb::Make(options) => make::run(options),
    }
}

/// Warns of files in `folder` that others in it keep from being looked at.
fn warn_of_shadowed(folder: &Path) -> Result<()> {
    for path in data::shadowed(folder) {
        print(&warning_of_shadowed(&path))?;
    }
    Ok(())
}

/// That others in its folder keep the file at `path` from being looked at.
fn warning_of_shadowed(path: &Path) -> String {
    format!(
        "warning: {} is not looked at: train.csv and test.csv come first; move it away, or name the file itself",
        path.display()
    )
}
