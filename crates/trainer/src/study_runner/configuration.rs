//! From the fields that a study sets to the whole configuration of a run.

use anyhow::{Context, Result, anyhow};
use study::{Fields, RunSpec, toml_message};
use toml::{Table, Value};

use super::StudyRunner;
use crate::backend::Backend;
use crate::config::RunConfig;

/// A field that a study sets, and that makes no sense in a run's configuration.
#[derive(Debug, thiserror::Error)]
#[error("the study's run `{}`: {message}", spec.contender)]
pub struct FieldError {
    /// The run.
    pub spec: Box<RunSpec>,
    /// The field, where one alone is the reason.
    pub field: Option<String>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl StudyRunner {
    /// The configuration of a planned run.
    ///
    /// # Errors
    ///
    /// If the study sets a field that there is not, or to something that makes no sense.
    pub fn configuration(&self, spec: &RunSpec) -> Result<RunConfig, FieldError> {
        let error = |field: Option<&str>, message| FieldError {
            spec: Box::new(spec.clone()),
            field: field.map(str::to_owned),
            message,
        };
        for (field, instead) in [
            ("backend", "name it with --backend"),
            ("data.path", "name it with --data"),
            ("ensemble", "leave it out"),
            ("extensions", "leave it out"),
            ("data.fingerprint", "leave it out"),
        ] {
            if find(&spec.overrides, field).is_some() {
                let message = format!("{field} is not a field of studies; {instead}");
                return Err(error(Some(field), message));
            }
        }
        let mut config = checked(&spec.overrides).map_err(|message| {
            let field = wrong_alone(&spec.overrides, &message);
            error(field.as_deref(), message)
        })?;
        config.backend = self.processor.backend;
        config.data.fingerprint = Some(self.fingerprint.clone());
        Ok(config)
    }
}

/// The configuration with these fields, or what is wrong with it.
fn checked(fields: &Table) -> Result<RunConfig, String> {
    let config: Result<RunConfig, toml::de::Error> = fields.clone().try_into();
    let config = config.map_err(|error| toml_message(&error))?;
    match config.check() {
        Ok(()) => Ok(config),
        Err(error) => Err(format!("{:#}", anyhow!(error))),
    }
}

/// The field that by itself, whatever the others are, is wrong in this way.
fn wrong_alone(fields: &Table, message: &str) -> Option<String> {
    let fields = Fields::from_table(fields).ok()?;
    let is_wrong = |field: &str, value: &Value| {
        let mut alone = Fields::default();
        alone.insert(field, value.clone()).is_ok()
            && checked(&alone.to_table()).is_err_and(|of_one| of_one == message)
    };
    let mut fields = fields.iter();
    let (field, _) = fields.find(|(field, value)| is_wrong(field, value))?;
    Some(field.to_owned())
}

/// What all runs have in common besides what the study sets.
pub(super) fn base(backend: Backend, fingerprint: &str) -> Result<Table> {
    let mut config = RunConfig {
        backend,
        ..RunConfig::default()
    };
    config.data.fingerprint = Some(fingerprint.to_owned());
    table(&config)
}

/// All that decides what a run computes, in one spelling: without the path of the images, which have
/// a fingerprint.
pub(super) fn table(config: &RunConfig) -> Result<Table> {
    let mut config = config.clone();
    config.data.path = None;
    Table::try_from(&config).context("cannot write the configuration as TOML")
}

/// The value at a dotted path.
fn find<'a>(table: &'a Table, field: &str) -> Option<&'a Value> {
    let (first, rest) = field.split_once('.').unwrap_or((field, ""));
    let value = table.get(first)?;
    match (value, rest) {
        (value, "") => Some(value),
        (Value::Table(table), rest) => find(table, rest),
        _ => None,
    }
}
