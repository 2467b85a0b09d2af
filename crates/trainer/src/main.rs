//! Trains a digit classifier with any activation function. See the README.

use std::process::ExitCode;

use clap::Parser;
use trainer::cli::Cli;
use trainer::{join_pool, print_error};

fn main() -> ExitCode {
    join_pool();
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            // One line, from the outermost context to the cause.
            print_error(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
