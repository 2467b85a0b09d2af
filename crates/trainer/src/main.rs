//! Trains a digit classifier with any activation function. See the README.

use std::process::ExitCode;

use clap::Parser;
use trainer::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // One line, from the outermost context to the cause.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
