//! TOML files: what the program saves to read it again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;
use study::{Difference, Fields, Place, toml_message};
use toml::Table;

/// `value` as readable TOML.
///
/// What the program reads again is TOML rather than JSON: its numbers come back to the last bit,
/// which those of `serde_json` do not without a feature that would compile Burn anew.
///
/// # Errors
///
/// If the value cannot be written as TOML.
pub fn to_toml(value: &impl Serialize) -> Result<String> {
    toml::to_string_pretty(value).context("cannot write as TOML")
}

/// The first field in which two values differ as TOML.
///
/// # Errors
///
/// If one cannot be written as TOML.
pub fn difference<T: Serialize>(there: &T, here: &T) -> Result<Option<Difference>> {
    let fields = |value| anyhow::Ok(Fields::from_table(&Table::try_from(value)?)?);
    Ok(Difference::first(&fields(there)?, &fields(here)?))
}

/// Reads a TOML file.
///
/// # Errors
///
/// If the file cannot be read or is not what is expected; it names file, line and column.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).map_err(|error| {
        let place = Place::new(path, &text, error.span());
        anyhow!("{place}: {}", toml_message(&error))
    })
}
