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
        print(ABOUT)?;
    }
    Ok(ExitCode::SUCCESS)
}

const ABOUT: &str = "Slopes are the values of the derivative. C⁰: continuous, with kinks; C¹: with a continuous slope; C∞: smooth.\nZero-centred: of mean zero where the inputs are standard normal.\nParameters follow a colon, in this order, with commas between them: leaky-relu:0.2, rrelu:0.1,0.3.\nThose that are left out are as above.";

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    parameters: Vec<Parameter>,
    formula: &'static str,
    range: String,
    derivative_range: String,
    monotone: bool,
    smoothness: String,
    zero_centered: bool,
    source: &'static str,
}

#[derive(Serialize)]
struct Parameter {
    name: &'static str,
    default: f32,
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
            parameters: activation
                .parameters()
                .into_iter()
                .map(|(name, default)| Parameter { name, default })
                .collect(),
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

/// Name and formula, then parameters and properties, then the source, indented alike.
fn paragraph(activation: &Activation) -> String {
    let entry = Entry::new(activation);
    let not = |holds| if holds { "" } else { "not " };
    let parameters: Vec<String> = entry
        .parameters
        .iter()
        // Four decimals, without zeros at the end.
        .map(|Parameter { name, default }| format!("{name} {}", (1e4 * default).round() / 1e4))
        .collect();
    let parameters = match parameters.join(", ") {
        none if none.is_empty() => none,
        some => format!("{:16}parameters: {some}\n", ""),
    };
    format!(
        "{:<15} {}\n{parameters}{:16}values {}, slopes {}; {}monotone, {}, {}zero-centred\n{:16}{}\n",
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
