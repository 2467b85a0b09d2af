//! From the fields that a study sets to the whole configuration of a run.

use anyhow::{Context, Result, anyhow, bail};
use study::{RunSpec, toml_message};
use toml::{Table, Value};

use super::StudyRunner;
use crate::backend::Backend;
use crate::config::RunConfig;

impl StudyRunner {
    /// The configuration of a planned run.
    ///
    /// # Errors
    ///
    /// If the study sets a field that there is not, or to something that makes no sense.
    pub fn configuration(&self, spec: &RunSpec) -> Result<RunConfig> {
        let whose = || format!("the study's run `{}`", spec.contender);
        for (field, option) in [("backend", "--backend"), ("data.path", "--data")] {
            if find(&spec.overrides, field).is_some() {
                bail!("{field} is not a field of studies; name it with {option}");
            }
        }
        for field in ["ensemble", "extensions", "data.fingerprint"] {
            if find(&spec.overrides, field).is_some() {
                bail!("{field} is not a field of studies; leave it out");
            }
        }
        let mut config: RunConfig = spec
            .overrides
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| anyhow!(toml_message(&error)))
            .with_context(whose)?;
        config.backend = self.processor.backend;
        config.data.fingerprint = Some(self.fingerprint.clone());
        config.check().with_context(whose)?;
        Ok(config)
    }
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
