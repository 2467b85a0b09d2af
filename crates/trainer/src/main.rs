//! Trains a digit classifier with any activation function. See the README.

use std::process::ExitCode;

use clap::Parser;
use trainer::cli::Cli;
use trainer::{join_pool, print_error};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match join_pool().and_then(|()| cli.run()) {
        Ok(code) => code,
        Err(error) => {
            // One line, from the outermost context to the cause.
            print_error(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
