//! `trainer activations`: what there is to choose from.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use model::{Activation, Facts};
use serde::Serialize;

use crate::console::print;

/// Options of `trainer activations`.
#[derive(Debug, Args)]
pub struct Options {
    /// The list as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the activation functions and their properties.
///
/// # Errors
///
/// If the list cannot be written as JSON.
pub fn run(options: &Options) -> Result<ExitCode> {
    if options.json {
        let entries: Vec<_> = Activation::ALL.iter().map(Entry::new).collect();
        print(&serde_json::to_string_pretty(&entries)?)?;
    } else {
        for activation in Activation::ALL {
            print(&paragraph(activation))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    formula: &'static str,
    range: String,
    derivative_range: String,
    monotone: bool,
    smoothness: String,
    zero_centered: bool,
    source: &'static str,
}

impl Entry {
    fn new(activation: &Activation) -> Self {
        let Facts {
            formula,
            range,
            derivative_range,
            monotone,
            smoothness,
            zero_centered,
            source,
        } = activation.facts();
        Self {
            name: activation.name(),
            formula,
            range: range.to_string(),
            derivative_range: derivative_range.to_string(),
            monotone,
            smoothness: smoothness.to_string(),
            zero_centered,
            source,
        }
    }
}

/// Name and formula, then the properties, then the source, indented alike.
fn paragraph(activation: &Activation) -> String {
    let entry = Entry::new(activation);
    let not = |holds| if holds { "" } else { "not " };
    format!(
        "{:<15} {}\n{:16}values {}, slopes {}; {}monotone, {}, {}zero-centred\n{:16}{}\n",
        entry.name,
        entry.formula,
        "",
        entry.range,
        entry.derivative_range,
        not(entry.monotone),
        entry.smoothness,
        not(entry.zero_centered),
        "",
        entry.source
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_activation_is_described() {
        let list: String = Activation::ALL.iter().map(paragraph).collect();
        insta::assert_snapshot!(list);
    }
}
