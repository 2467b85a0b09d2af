//! TOML files: what the program saves to read it again.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use files::sha256_hex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use study::{Difference, Fields, Place, Study, toml_message};
use toml::Table;

use crate::config::RunConfig;
use crate::shell::as_argument;

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

/// What a sealed file begins with, before the SHA-256 of all that follows this line.
const SEAL: &str = "# SHA-256 of what follows: ";

/// `value` as TOML behind a first line that tells whether it was changed since.
///
/// # Errors
///
/// As of [`to_toml`].
pub fn to_sealed_toml(value: &impl Serialize) -> Result<String> {
    let text = to_toml(value)?;
    Ok(format!("{SEAL}{}\n{text}", sha256_hex(text.as_bytes())))
}

/// Reads a TOML file, and makes sure that it has not been changed; files of earlier versions have no seal.
///
/// # Errors
///
/// As of [`read_toml`], or if it has been changed.
pub fn read_sealed_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = read_text(path)?;
    if let Some((seal, rest)) = text
        .strip_prefix(SEAL)
        .and_then(|text| text.split_once('\n'))
        // Whoever moves files to Windows and back may change how lines end, which says nothing else.
        && seal.trim_end() != sha256_hex(rest.replace("\r\n", "\n").as_bytes())
    {
        bail!(
            "{} is damaged, or was changed by hand: its SHA-256 is not the one in its first line",
            path.display()
        );
    }
    parse(path, &text)
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
    parse(path, &read_text(path)?)
}

/// Reads a run's configuration that the user has named, and notices when it is a study instead.
///
/// # Errors
///
/// As of [`read_toml`].
pub fn read_recipe(path: &Path) -> Result<RunConfig> {
    read_toml(path).map_err(|error| match Study::read(path) {
        Ok(_) => anyhow!(
            "{} is a study, not the configuration of a run; `trainer study run {}` makes its runs",
            path.display(),
            as_argument(path)
        ),
        Err(_) => error,
    })
}

/// Reads a study that the user has named, and notices when it is a run's configuration instead.
///
/// # Errors
///
/// If the file cannot be read or makes no sense; it names file, line and column.
pub fn read_study(path: &Path) -> Result<Study> {
    // An empty file is a run's configuration too, that of the defaults.
    let is_empty = || read_toml::<Table>(path).is_ok_and(|table| table.is_empty());
    Study::read(path).map_err(|error| match read_toml::<RunConfig>(path) {
        Ok(_) if !is_empty() => anyhow!(
            "{0} is the configuration of a run, not a study; `trainer --config {1}` trains by it, and `trainer compare relu tanh --config {1}` compares functions by it",
            path.display(),
            as_argument(path)
        ),
        _ => error.into(),
    })
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let place = Place::new(path, text, error.span());
        anyhow!("{place}: {}", toml_message(&error))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_was_changed_behind_a_seal_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let value = BTreeMap::from([("mean".to_owned(), 0.128)]);
        let sealed = to_sealed_toml(&value).unwrap();
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            read_sealed_toml::<BTreeMap<String, f64>>(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read(&sealed), Ok(value.clone()));
        assert_eq!(read(&sealed.replace('\n', "\r\n")), Ok(value.clone()));
        // As earlier versions wrote it.
        assert_eq!(read(&to_toml(&value).unwrap()), Ok(value));
        let error = read(&sealed.replace("0.128", "0.928")).unwrap_err();
        assert!(
            error.contains("a.toml is damaged, or was changed by hand"),
            "{error}"
        );
        assert!(read(&sealed.replace("0.128", "")).is_err());
        assert!(read(&sealed.replacen("follows: ", "follows: 0", 1)).is_err());
    }
}
